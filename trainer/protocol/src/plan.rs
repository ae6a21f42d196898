//! What `mmface-trainer plan --json` and `presets --json` print.
//!
//! Fields are only added, each with a default, so that either program may be the newer one.

use serde::{Deserialize, Serialize};

/// What a run will take, before it starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// Name of the configuration.
    pub name: String,
    /// `flow` or `diffusion`.
    pub objective: String,
    /// Trained parameters.
    pub parameters: u64,
    /// Side of the pictures, pixels.
    pub resolution: u64,
    /// Tokens of a picture and of a caption.
    pub tokens: [u64; 2],
    /// Samples in the training set.
    pub samples: u64,
    /// Samples in an update, over all processes.
    pub batch: u64,
    /// Processes.
    pub ranks: u64,
    /// Parts that each process computes its share in.
    pub accumulation: u64,
    /// Samples that a process computes at once.
    pub samples_at_once: u64,
    /// Updates in an epoch.
    pub steps_per_epoch: u64,
    /// Updates in all.
    pub steps: u64,
    /// Passes over the training set.
    pub epochs: f64,
    /// Updates and learning rates along the run.
    pub rates: Vec<(u64, f64)>,
    /// Memory of one process.
    pub memory: MemoryEstimate,
    /// Sum of its items, bytes.
    pub memory_total: u64,
    /// Bytes of a checkpoint.
    pub checkpoint_bytes: u64,
    /// Bytes of the checkpoints at their most: those kept, the best, and the one being written.
    pub disk_checkpoints: u64,
    /// Bytes of the prepared latents.
    pub disk_latents: u64,
    /// Arithmetic of the products, in words.
    pub precision: String,
    /// Measured speed, if a probe was asked for.
    pub probe: Option<Probe>,
    /// Seconds of an update by the probe.
    pub seconds_per_update: Option<f64>,
    /// Seconds of the run by the probe.
    pub seconds: Option<f64>,
    /// What a person may not have meant, one sentence each.
    pub warnings: Vec<String>,
}

/// Memory of one process, item by item, in bytes. Estimates err on the large side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryEstimate {
    /// Weights being trained, f32.
    pub weights: u64,
    /// Their moving average, f32.
    pub average: u64,
    /// AdamW's two moments.
    pub optimizer: u64,
    /// Gradients, f32.
    pub gradients: u64,
    /// Copies of weights that a step makes: q, k and v joined, where branches are not fused.
    pub copies: u64,
    /// What the forward pass keeps for the backward pass, as configured.
    pub activations: u64,
    /// The same without checkpointing.
    pub activations_plain: u64,
    /// The same with every second block checkpointed.
    pub activations_selective: u64,
    /// The same with every block checkpointed.
    pub activations_checkpointed: u64,
    /// The program itself, batches made ahead, and buffers.
    pub rest: u64,
}

impl MemoryEstimate {
    /// All items as configured.
    pub fn total(&self) -> u64 {
        self.weights
            + self.average
            + self.optimizer
            + self.gradients
            + self.copies
            + self.activations
            + self.rest
    }
}

/// Time of an update, measured on small parts of the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Probe {
    /// Seconds for the gradients of one sample.
    pub seconds_per_sample: f64,
    /// Seconds for clipping, AdamW and average.
    pub seconds_per_apply: f64,
    /// Threads that were used.
    pub threads: usize,
}

/// A configuration that comes with the trainer; `presets --json` prints an array of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PresetSummary {
    /// Its name, as `--preset` takes it.
    pub name: String,
    /// `flow` or `diffusion`.
    pub objective: String,
    /// Side of the pictures, pixels.
    pub resolution: u64,
    /// Samples in an update.
    pub batch: u64,
    /// Updates.
    pub steps: u64,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn plans_of_older_and_newer_trainers_are_read() {
        let line = r#"{"name":"tiny","objective":"flow","steps":1200,"rates":[[0,0.0],[100,0.001]],"seconds":null,"weather":"fine"}"#;
        let plan: Plan = serde_json::from_str(line).unwrap();
        assert_eq!((plan.steps, plan.rates.len()), (1200, 2));
        assert_eq!((plan.seconds, plan.memory_total), (None, 0));
        let again: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
        assert_eq!(again, plan);
    }
}
