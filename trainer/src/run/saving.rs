//! Checkpoints of a run, and patience with a full disk.

use std::path::{Path, PathBuf};

use mmface_engine::system::disk;
use mmface_engine::{Error, Result};
use mmface_run_protocol::checkpoint_layout;

use super::{POLL_INTERVAL, Run};
use crate::checkpoint;
use crate::config::Config;
use crate::report::{TrainCommand, TrainEvent};

/// How often a pause for want of disk space tries again, in looks.
const RETRY: u32 = 50;

impl Run<'_, '_> {
    /// Writes a checkpoint, unless there is one of this very update. A full disk pauses the run
    /// until there is space again.
    pub(super) fn save(&mut self, config: &Config) -> Result<PathBuf> {
        if let Some((step, folder)) = &self.last_saved
            && *step == self.state.step
        {
            return Ok(folder.clone());
        }
        self.state.ema_calls = self.training.ema.calls;
        self.state.updates = self
            .training
            .optimizer
            .slots
            .iter()
            .map(|(name, slot)| (name.clone(), slot.updates))
            .collect();
        self.state.seconds = self.seconds_before + self.started.elapsed().as_secs_f64();
        let needed = checkpoint::expected_bytes(config);
        let mut paused = false;
        let folder = loop {
            let free = (self.context.free)(self.context.out);
            let full = match disk::shortage(self.context.out, needed, free) {
                Some(what) => what,
                None => match checkpoint::save(self.context.out, &self.training, &self.state) {
                    Ok(folder) => break folder,
                    Err(error) if disk::is_full_error(&error) => {
                        checkpoint::recover(self.context.out)?;
                        error.to_string()
                    }
                    Err(error) => return Err(error),
                },
            };
            if !paused {
                paused = true;
                let step = self.state.step;
                let reason = format!(
                    "no space for a checkpoint ({full}); free some, and the run continues by itself"
                );
                self.emit(&TrainEvent::Paused { step, reason })?;
            }
            self.wait_for_space()?;
        };
        if paused {
            let step = self.state.step;
            self.emit(&TrainEvent::Resumed { step })?;
        }
        self.last_saved = Some((self.state.step, folder.clone()));
        // While updates fail, nothing takes the place of the last good checkpoint.
        if self.failures == 0 {
            checkpoint::prune(self.context.out, config.every.keep)?;
        }
        self.emit_checkpoint(&folder)?;
        Ok(folder)
    }

    /// Whoever asked gets an answer, also when there is a checkpoint of this very update.
    pub(super) fn save_on_demand(&mut self, config: &Config) -> Result<()> {
        let before = self.last_saved.as_ref().map(|(step, _)| *step);
        let folder = self.save(config)?;
        if before == Some(self.state.step) {
            self.emit_checkpoint(&folder)?;
        }
        Ok(())
    }

    fn emit_checkpoint(&mut self, folder: &Path) -> Result<()> {
        self.emit(&TrainEvent::Checkpoint {
            step: self.state.step,
            path: folder.display().to_string(),
            heldout: self.state.heldout.as_ref().map(|report| report.loss),
            bytes: checkpoint_layout::bytes(folder),
        })
    }

    /// Some seconds of patience; a request to continue ends them early, a request to stop ends the run.
    fn wait_for_space(&mut self) -> Result<()> {
        for _ in 0..RETRY {
            match self.next_request() {
                Some(TrainCommand::Resume) => break,
                Some(TrainCommand::Stop) => {
                    return Err(Error::DiskSpace {
                        what: format!(
                            "stopped while the disk was full: what came after the last checkpoint in {} is lost",
                            self.context.out.display()
                        ),
                        hint: "free some space and use `resume`".into(),
                    });
                }
                _ => std::thread::sleep(POLL_INTERVAL),
            }
        }
        Ok(())
    }
}
