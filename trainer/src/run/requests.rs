//! What people ask of a run: pause, stop, a checkpoint, samples.

use mmface_engine::Result;
use mmface_run_protocol::mailbox::Mailbox;
use mmface_run_protocol::{TrainCommand, TrainEvent};

use super::{POLL_INTERVAL, Run};
use crate::config::Config;

impl Run<'_, '_> {
    /// Does what was asked for, and what is asked for during a pause; says whether to leave.
    pub(super) fn handle(
        &mut self,
        config: &Config,
        request: Option<TrainCommand>,
    ) -> Result<bool> {
        let mut request = request;
        while let Some(command) = request {
            match command {
                TrainCommand::Stop => {
                    self.save(config)?;
                    return Ok(true);
                }
                TrainCommand::Pause => {
                    self.save(config)?;
                    if self.wait("asked to pause; a checkpoint is written", config)? {
                        return Ok(true);
                    }
                }
                TrainCommand::Checkpoint => self.save_on_demand(config)?,
                TrainCommand::Sample => self.draw()?,
                TrainCommand::Resume => {}
            }
            request = self.take_request()?;
        }
        Ok(false)
    }

    /// The next request, and a line for each foreign thing in the folder of commands.
    pub(super) fn take_request(&mut self) -> Result<Option<TrainCommand>> {
        let request = self.next_request();
        let news = self.mailbox.as_mut().map(Mailbox::warnings);
        for line in news.into_iter().flatten() {
            self.warn(line)?;
        }
        Ok(request)
    }

    /// The next request of whoever started the run, else of another process.
    pub(super) fn next_request(&mut self) -> Option<TrainCommand> {
        let own = self.context.control.next_request();
        let request = own.or_else(|| self.mailbox.as_mut()?.take());
        if request == Some(TrainCommand::Pause) {
            self.paused_by_other_process = own.is_none();
        }
        request
    }

    /// Waits until somebody says to continue, or to stop; then returns true.
    pub(super) fn wait(&mut self, reason: &str, config: &Config) -> Result<bool> {
        let step = self.state.step;
        self.emit(&TrainEvent::Paused {
            step,
            reason: reason.into(),
        })?;
        loop {
            match self.take_request()? {
                Some(TrainCommand::Stop) => return Ok(true),
                Some(TrainCommand::Resume) => break,
                Some(TrainCommand::Sample) => self.draw()?,
                Some(TrainCommand::Checkpoint) => self.save_on_demand(config)?,
                Some(TrainCommand::Pause) => {}
                // Nobody could end the pause.
                None if self.context.control.is_closed() && !self.paused_by_other_process => {
                    return Ok(true);
                }
                None => std::thread::sleep(POLL_INTERVAL),
            }
        }
        self.emit(&TrainEvent::Resumed { step })?;
        Ok(false)
    }
}
