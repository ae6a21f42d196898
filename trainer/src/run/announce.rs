//! What a run tells: its plan, warnings, held-out losses and sheets of samples.

use mmface_engine::Result;
use mmface_engine::job::Named as _;
use mmface_run_protocol::{HeldOutReport, Started, TrainEvent, Weights};

use super::{Run, memory_check};
use crate::checkpoint;
use crate::config::Config;

impl Run<'_, '_> {
    pub(super) fn emit(&mut self, event: &TrainEvent) -> Result<()> {
        self.context.sink.on_event(event)?;
        for file in &mut self.files {
            file.on_event(event)?;
        }
        Ok(())
    }

    /// Tells the plan, and warns of what may go wrong.
    pub(super) fn announce(
        &mut self,
        config: &Config,
        warnings: impl Iterator<Item = String>,
    ) -> Result<()> {
        let samples = self.context.data.train.len() as u64;
        let dit = config.model.dit();
        let estimate = memory_check::estimate(config, self.context);
        let started = Started {
            name: config.name.clone(),
            step: self.state.step,
            steps: config.steps,
            objective: dit.objective.name().into(),
            resolution: config.resolution as u64,
            batch: config.batch as u64,
            accumulation: config.accumulation as u64,
            ranks: self.context.group.ranks() as u64,
            steps_per_epoch: samples.div_ceil(config.batch as u64),
            parameters: dit.parameter_count() as u64,
            samples,
            heldout_samples: self.context.data.heldout.len() as u64,
            memory: estimate.total(),
            checkpoint_bytes: checkpoint::expected_bytes(config),
            out: self.context.out.display().to_string(),
        };
        self.emit(&TrainEvent::Started(started))?;
        for what in warnings.chain(config.warnings()) {
            self.warn(what)?;
        }
        if self.context.device.is_cuda()
            && self.context.group.ranks() > 1
            && !self.context.group.is_direct()
        {
            let way = "gradients go over TCP, by the host: a build with --features nccl, for all ranks and each on a card, lets them travel between the cards";
            self.warn(way.into())?;
        }
        if config.every.sample.is_some() && self.context.sheets.is_none() && self.is_first() {
            self.warn(
                "no samples are drawn: name the autoencoder and text tower with --weights".into(),
            )?;
        }
        Ok(())
    }

    pub(super) fn warn(&mut self, message: String) -> Result<()> {
        let step = self.state.step;
        self.emit(&TrainEvent::Warning { step, message })
    }

    pub(super) fn note_heldout(&mut self, report: HeldOutReport) -> Result<()> {
        if report.loss.is_finite() && self.state.best.is_none_or(|(best, _)| report.loss < best) {
            self.state.best = Some((report.loss, report.step));
        }
        self.state.heldout = Some(report.clone());
        self.emit(&TrainEvent::HeldOut(report))
    }

    /// Draws samples of the raw and of the averaged weights. A failure costs the picture, not the
    /// run.
    pub(super) fn draw(&mut self) -> Result<()> {
        for weights in [Weights::Raw, Weights::Averaged] {
            let Some(sheets) = self.context.sheets.as_deref_mut() else {
                return Ok(());
            };
            let step = self.state.step;
            let dit = self.training.frozen(weights)?;
            match sheets.draw(&dit, step, weights, self.context.out) {
                Ok(path) => self.emit(&TrainEvent::Sample {
                    step,
                    path: path.display().to_string(),
                    weights,
                })?,
                Err(error) => self.warn(format!("no samples: {error}"))?,
            }
        }
        Ok(())
    }
}
