//! Size and switches of a transformer, and the tensors that follow from them.

use serde::{Deserialize, Serialize};

use crate::job::Objective;
use crate::model::rope::TextRope;

/// Width of the sinusoidal time features.
pub const TIME_FEATURES: usize = 256;

/// Size and switches of the transformer (docs/reference.md section 1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DitConfig {
    /// Width of a token, D.
    pub hidden: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads; `hidden / heads` must be a multiple of 4.
    pub heads: usize,
    /// Inner width of an MLP as a multiple of `hidden`.
    #[serde(default = "four")]
    pub mlp_ratio: f64,
    /// Side of a patch in latent pixels.
    pub patch: usize,
    /// Input channels: noisy latent and condition latent, half each.
    pub channels: usize,
    /// Width of the text features.
    pub text_dim: usize,
    /// What is predicted.
    #[serde(default)]
    pub objective: Objective,
    /// Where text tokens stand.
    #[serde(default)]
    pub text_rope: TextRope,
    /// Ablation: tell mask from sketch by an embedding.
    #[serde(default = "yes")]
    pub modality_embedder: bool,
    /// Ablation: separate weights for image and text tokens.
    #[serde(default = "yes")]
    pub dual_stream: bool,
    /// Ablation: rotary positions; otherwise fixed sines are added to the image tokens.
    #[serde(default = "yes")]
    pub rope: bool,
    /// Predict a variance beside the mean: twice the output channels.
    #[serde(default)]
    pub learn_sigma: bool,
}

fn four() -> f64 {
    4.0
}

fn yes() -> bool {
    true
}

impl DitConfig {
    /// The paper's preset: 1,345,298,624 parameters.
    pub fn paper() -> Self {
        Self {
            hidden: 1152,
            depth: 28,
            heads: 16,
            mlp_ratio: 4.0,
            patch: 2,
            channels: 32,
            text_dim: 1024,
            objective: Objective::Flow,
            text_rope: TextRope::Zero,
            modality_embedder: true,
            dual_stream: true,
            rope: true,
            learn_sigma: false,
        }
    }

    /// The bundled demo model: 14.7 M parameters.
    pub fn demo() -> Self {
        Self {
            hidden: 256,
            depth: 6,
            heads: 4,
            text_dim: 256,
            text_rope: TextRope::Sequential,
            ..Self::paper()
        }
    }

    /// Width of one attention head.
    pub fn head_dim(&self) -> usize {
        self.hidden / self.heads.max(1)
    }

    /// Inner width of an MLP.
    pub fn mlp_width(&self) -> usize {
        (self.hidden as f64 * self.mlp_ratio) as usize
    }

    /// Channels of the predicted latent; with `learn_sigma` the first half is the prediction.
    pub fn out_channels(&self) -> usize {
        let latent = self.channels / 2;
        if self.learn_sigma { 2 * latent } else { latent }
    }

    /// Chunks of a block's modulation vector: shift, scale, gate of attention and MLP, for each stream.
    pub fn modulation_chunks(&self) -> usize {
        if self.dual_stream { 12 } else { 6 }
    }

    /// Says what is impossible about this configuration, if anything.
    ///
    /// # Errors
    /// With one sentence naming the field.
    pub fn check(&self) -> Result<(), String> {
        let limit = 1 << 16;
        for (name, value) in [
            ("hidden", self.hidden),
            ("depth", self.depth),
            ("heads", self.heads),
            ("patch", self.patch),
            ("channels", self.channels),
            ("text_dim", self.text_dim),
        ] {
            if value == 0 || value > limit {
                return Err(format!(
                    "{name} is {value}; it must lie between 1 and {limit}"
                ));
            }
        }
        if !self.hidden.is_multiple_of(self.heads) || !self.head_dim().is_multiple_of(4) {
            return Err(format!(
                "hidden {} over {} heads gives no head width that is a multiple of 4",
                self.hidden, self.heads
            ));
        }
        if !self.channels.is_multiple_of(2) {
            return Err(format!(
                "channels is {}; noisy and condition latent take half each",
                self.channels
            ));
        }
        if !(self.mlp_ratio > 0.0 && self.mlp_ratio <= 64.0) {
            return Err(format!(
                "mlp_ratio is {}; it must lie between 0 and 64",
                self.mlp_ratio
            ));
        }
        Ok(())
    }

    /// Every tensor of a checkpoint by name and shape.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (d, t, p) = (self.hidden, self.text_dim, self.patch);
        let mut list: Vec<(String, Vec<usize>)> = Vec::new();
        let mut linear = |name: &str, out: usize, inputs: usize, bias: bool| {
            list.push((format!("{name}.weight"), vec![out, inputs]));
            if bias {
                list.push((format!("{name}.bias"), vec![out]));
            }
        };
        linear("t_embedder.mlp.0", d, TIME_FEATURES, true);
        linear("t_embedder.mlp.2", d, d, true);
        linear("c_embedder.proj", d, t, true);
        linear("clip_seq_proj", d, t, true);
        let streams: &[(&str, &str)] = if self.dual_stream {
            &[("", "i"), ("_t", "t")]
        } else {
            &[("", "i")]
        };
        for i in 0..self.depth {
            for (suffix, mlp) in streams {
                for part in ["q", "k", "v", "out"] {
                    linear(&format!("blocks.{i}.attn.to_{part}{suffix}"), d, d, false);
                }
                linear(
                    &format!("blocks.{i}.mlp_{mlp}.0"),
                    self.mlp_width(),
                    d,
                    true,
                );
                linear(
                    &format!("blocks.{i}.mlp_{mlp}.2"),
                    d,
                    self.mlp_width(),
                    true,
                );
            }
            linear(
                &format!("blocks.{i}.adaLN_modulation.1"),
                self.modulation_chunks() * d,
                d,
                true,
            );
        }
        linear("final_layer.linear", p * p * self.out_channels(), d, true);
        linear("final_layer.adaLN_modulation.1", 2 * d, d, true);
        list.push((
            "x_embedder.proj.weight".into(),
            vec![d, self.channels, p, p],
        ));
        list.push(("x_embedder.proj.bias".into(), vec![d]));
        list.push(("c_embedder.null_feature_pooled".into(), vec![t]));
        if self.modality_embedder {
            list.push(("modality_embedder.weight".into(), vec![2, d]));
        }
        list.sort();
        list
    }

    /// Number of parameters.
    pub fn parameter_count(&self) -> usize {
        self.tensors()
            .iter()
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paper_preset_has_the_published_size() {
        assert_eq!(DitConfig::paper().parameter_count(), 1_345_298_624);
    }

    #[test]
    fn impossible_sizes_are_named() {
        let config = DitConfig {
            heads: 5,
            ..DitConfig::demo()
        };
        assert!(
            config.check().is_err_and(|e| e.contains("5 heads")),
            "256 over 5 heads passed"
        );
    }
}
