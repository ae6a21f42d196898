//! One update: gradients of a batch, clipping, AdamW, average.

use candle_core::Device;
use mmface_engine::kernels::{Precision, Route};
use mmface_engine::model::LoadOptions;
use mmface_engine::model::dit::{Dit, DitConfig};
use mmface_engine::{Error, Result};
use mmface_run_protocol::Weights;

use crate::config::{Checkpointing, Config, OptimizerConfig};
use crate::data::batches::Batch;
use crate::model;
use crate::objective::Target;
use crate::optim::clip::{clip_factor, global_norm};
use crate::optim::{AdamW, Ema, Gradients, Parameters};

/// What an update did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Loss before the update.
    pub loss: f32,
    /// Global gradient norm before clipping.
    pub grad_norm: f64,
    /// False when loss or gradients were not finite and nothing was changed.
    pub applied: bool,
}

/// Settings of an update that do not change over a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The transformer.
    pub dit: DitConfig,
    /// AdamW and clipping.
    pub optimizer: OptimizerConfig,
    /// Decay of the average.
    pub ema_decay: f64,
    /// Gamma of Min-SNR.
    pub min_snr_gamma: Option<f64>,
    /// Arithmetic of the products.
    pub precision: Precision,
    /// Which blocks are computed again in the backward pass.
    pub checkpointing: Checkpointing,
    /// Which implementation of every operation runs, the optimizer's too.
    pub route: Route,
}

impl Settings {
    /// Those of a run on a device.
    pub fn of(config: &Config, device: &Device) -> Self {
        Self {
            dit: config.model.dit(),
            optimizer: config.optimizer.clone(),
            ema_decay: config.ema_decay,
            min_snr_gamma: config.min_snr_gamma,
            precision: config.precision,
            checkpointing: config.checkpointing,
            route: config.route_on(device),
        }
    }
}

/// A model in training with all that belongs to its state.
#[derive(Debug)]
pub struct Training {
    settings: Settings,
    /// The trained tensors.
    pub parameters: Parameters,
    /// The transformer on these tensors.
    pub dit: Dit,
    /// Moments.
    pub optimizer: AdamW,
    /// Averaged tensors.
    pub ema: Ema,
    device: Device,
}

impl Training {
    /// Starts training from these weights.
    ///
    /// # Errors
    /// When the weights are not the transformer's, the route has no kernels for the device, or memory
    /// does not suffice.
    pub fn new(settings: Settings, parameters: Parameters, device: &Device) -> Result<Self> {
        let route = settings.route;
        let options = LoadOptions {
            precision: settings.precision,
            ..LoadOptions::trainable(route)
        };
        let dit = model::load(&settings.dit, &model::tensors(&parameters), options, device)?;
        let ema = Ema::new(settings.ema_decay, &parameters, route)?;
        let optimizer = AdamW::new(settings.optimizer.clone(), route);
        Ok(Self {
            settings,
            parameters,
            dit,
            optimizer,
            ema,
            device: device.clone(),
        })
    }

    /// Where the tensors are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Which implementation of every operation runs.
    pub fn route(&self) -> Route {
        self.settings.route
    }

    /// The transformer on the averaged weights, for evaluation.
    ///
    /// # Errors
    /// When memory does not suffice.
    pub fn averaged(&self) -> Result<Dit> {
        self.frozen(Weights::Averaged)
    }

    /// The transformer without gradients, on the raw or on the averaged weights.
    ///
    /// # Errors
    /// When memory does not suffice.
    pub fn frozen(&self, weights: Weights) -> Result<Dit> {
        let tensors = match weights {
            Weights::Averaged => self.ema.tensors(),
            Weights::Raw => self
                .parameters
                .iter()
                .map(|(name, var)| (name.clone(), var.as_detached_tensor()))
                .collect(),
        };
        let options = LoadOptions {
            precision: self.settings.precision,
            ..LoadOptions::frozen(self.settings.route)
        };
        model::load(&self.settings.dit, &tensors, options, &self.device)
    }

    /// Noisy latents and target of a batch under the run's objective.
    ///
    /// # Errors
    /// When the batch's shapes do not fit.
    pub fn target(&self, batch: &Batch) -> Result<Target> {
        Target::new(
            self.settings.dit.objective,
            self.settings.min_snr_gamma,
            &batch.data,
            &batch.noise,
            &batch.time,
        )
    }

    /// Adds the gradients of a part of a batch, weighted by its share; returns the part's loss.
    ///
    /// # Errors
    /// When the batch's shapes do not fit, or memory does not suffice.
    pub fn accumulate(&self, batch: &Batch, share: f64, gradients: &mut Gradients) -> Result<f32> {
        let target = self.target(batch)?;
        Ok(model::backward(
            &self.dit,
            &self.parameters,
            batch,
            &target,
            share,
            self.settings.checkpointing,
            gradients,
        )?)
    }

    /// Clips and applies the gradients. A loss or norm that is not finite changes nothing.
    ///
    /// # Shapes
    /// - gradients: those of their parameters
    ///
    /// # Errors
    /// When a gradient fits no parameter.
    pub fn apply(&mut self, loss: f32, gradients: &Gradients, rate: f64) -> Result<Outcome> {
        let grad_norm = global_norm(gradients, self.settings.route)?;
        if !loss.is_finite() || !grad_norm.is_finite() {
            return Ok(Outcome {
                loss,
                grad_norm,
                applied: false,
            });
        }
        let factor = clip_factor(grad_norm, self.settings.optimizer.max_grad_norm);
        self.optimizer
            .update(&self.parameters, gradients, rate, factor)?;
        self.ema.update(&self.parameters)?;
        Ok(Outcome {
            loss,
            grad_norm,
            applied: true,
        })
    }

    /// One update from one batch.
    ///
    /// # Errors
    /// As [`Training::accumulate`] and [`Training::apply`].
    pub fn update(&mut self, batch: &Batch, rate: f64) -> Result<Outcome> {
        let mut gradients = Gradients::new();
        let loss = self.accumulate(batch, 1.0, &mut gradients)?;
        self.apply(loss, &gradients, rate)
    }

    /// Checks that every tensor that can learn gets a gradient: a silent operation without one
    /// would leave weights untrained. Of the last block, the text half's end gets none
    /// (docs/reference.md section 1, Gradients).
    ///
    /// # Errors
    /// With the names of those that get none.
    pub fn probe(&self, batch: &Batch) -> Result<()> {
        let mut gradients = Gradients::new();
        self.accumulate(batch, 1.0, &mut gradients)?;
        let last = format!("blocks.{}.", self.settings.dit.depth.saturating_sub(1));
        let missing: Vec<&str> = self
            .parameters
            .keys()
            .filter(|name| !gradients.contains_key(*name))
            .filter(|name| {
                let part = name.strip_prefix(&last).unwrap_or_default();
                !(part.starts_with("attn.to_out_t") || part.starts_with("mlp_t."))
            })
            .map(String::as_str)
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(Error::Internal(format!(
                "no gradient reaches {}: an operation without a backward pass",
                missing.join(", ")
            )))
        }
    }
}
