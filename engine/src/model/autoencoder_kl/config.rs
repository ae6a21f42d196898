//! Shapes and constants of the autoencoders that the paper compares (docs/reference.md sections 3
//! and 7).

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Error, Result};

/// Shape of an [`super::AutoencoderKl`]; reads a diffusers `config.json` and the shorter names of
/// a model package alike. Fields that are left out take diffusers' defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AutoencoderKlConfig {
    /// Channels of the picture.
    #[serde(default = "rgb")]
    pub in_channels: usize,
    /// Channels of the decoded picture.
    #[serde(default = "rgb")]
    pub out_channels: usize,
    /// Width of each level, the full resolution first; each further level halves the picture.
    #[serde(alias = "widths")]
    pub block_out_channels: Vec<usize>,
    /// Residual blocks of an encoder level; a decoder level has one more.
    #[serde(default = "one", alias = "layers")]
    pub layers_per_block: usize,
    /// Channels of the latent.
    #[serde(alias = "channels")]
    pub latent_channels: usize,
    /// Groups of every GroupNorm.
    #[serde(default = "thirty_two", alias = "groups")]
    pub norm_num_groups: usize,
    /// A 1×1 convolution behind the encoder.
    #[serde(default = "yes")]
    pub use_quant_conv: bool,
    /// A 1×1 convolution before the decoder.
    #[serde(default = "yes")]
    pub use_post_quant_conv: bool,
    /// Attention in the middle of encoder and decoder.
    #[serde(default = "yes")]
    pub mid_block_add_attention: bool,
    /// The model sees `(latent − shift) · scale`.
    #[serde(default = "sd_scale", alias = "scale")]
    pub scaling_factor: f64,
    /// See [`Self::scaling_factor`]; diffusers writes null for none.
    #[serde(default, alias = "shift", deserialize_with = "null_is_zero")]
    pub shift_factor: f64,
}

fn rgb() -> usize {
    3
}
fn one() -> usize {
    1
}
fn thirty_two() -> usize {
    32
}
fn yes() -> bool {
    true
}
fn sd_scale() -> f64 {
    0.18215
}
fn null_is_zero<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<f64, D::Error> {
    /// A number, or null in JSON and `None` in RON.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Shift {
        Number(f64),
        Absent(Option<f64>),
    }
    Ok(match Shift::deserialize(deserializer)? {
        Shift::Number(shift) => shift,
        Shift::Absent(shift) => shift.unwrap_or(0.0),
    })
}

impl AutoencoderKlConfig {
    fn wide(latent_channels: usize, quant: bool, scaling_factor: f64, shift_factor: f64) -> Self {
        Self {
            in_channels: 3,
            out_channels: 3,
            block_out_channels: vec![128, 256, 512, 512],
            layers_per_block: 2,
            latent_channels,
            norm_num_groups: 32,
            use_quant_conv: quant,
            use_post_quant_conv: quant,
            mid_block_add_attention: true,
            scaling_factor,
            shift_factor,
        }
    }

    /// FLUX.1 with FLUX's own latent space; the authors' checkpoints want [`Self::without_shift`].
    pub fn flux() -> Self {
        Self::wide(16, false, 0.3611, 0.1159)
    }

    /// Stable Diffusion 2.
    pub fn sd2() -> Self {
        Self::wide(4, true, 0.18215, 0.0)
    }

    /// Stable Diffusion XL.
    pub fn sdxl() -> Self {
        Self::wide(4, true, 0.13025, 0.0)
    }

    /// Stable Diffusion 3.
    pub fn sd3() -> Self {
        Self::wide(16, false, 1.5305, 0.0609)
    }

    /// The bundled demo model's small autoencoder.
    pub fn demo() -> Self {
        Self {
            block_out_channels: vec![16, 32, 64, 128],
            layers_per_block: 1,
            norm_num_groups: 4,
            ..Self::wide(16, false, 0.379031, 0.223095)
        }
    }

    /// The same network with the latent space of the authors' checkpoints, which scale but never
    /// shift (docs/reference.md section 3).
    pub fn without_shift(mut self) -> Self {
        self.shift_factor = 0.0;
        self
    }

    /// Pixels along a side for one latent value.
    pub fn factor(&self) -> usize {
        1 << self.block_out_channels.len().saturating_sub(1).min(16)
    }

    /// Refuses shapes that cannot be built, before anything is allocated.
    ///
    /// # Errors
    /// With one sentence naming the shape.
    pub fn check(&self) -> Result<()> {
        let widths = &self.block_out_channels;
        let in_range = |n: usize, most: usize| (1..=most).contains(&n);
        let groups = self.norm_num_groups;
        let wrong = if !in_range(widths.len(), 6) {
            format!("{} levels, expected 1 to 6", widths.len())
        } else if let Some(width) = widths
            .iter()
            .find(|&&w| !in_range(w, 4096) || groups == 0 || !w.is_multiple_of(groups))
        {
            format!(
                "a level of width {width} with {groups} groups; the groups must divide a width of at most 4096"
            )
        } else if !in_range(self.layers_per_block, 16) {
            format!(
                "{} residual blocks a level, expected 1 to 16",
                self.layers_per_block
            )
        } else if [self.in_channels, self.out_channels, self.latent_channels]
            .iter()
            .any(|&n| !in_range(n, 1024))
        {
            "picture and latent need 1 to 1024 channels".to_string()
        } else if !self.scaling_factor.is_finite()
            || self.scaling_factor == 0.0
            || !self.shift_factor.is_finite()
        {
            format!(
                "scale {} and shift {} must be finite, the scale not zero",
                self.scaling_factor, self.shift_factor
            )
        } else {
            return Ok(());
        };
        Err(Error::Input(format!(
            "autoencoder: {wrong}; correct its config"
        )))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn diffusers_json_is_read() {
        let config: AutoencoderKlConfig = serde_json::from_str(
            r#"{"_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": [128, 256, 512, 512],
                "latent_channels": 16, "layers_per_block": 2, "scaling_factor": 0.3611, "shift_factor": 0.1159,
                "use_quant_conv": false, "use_post_quant_conv": false, "latents_mean": null}"#,
        )
        .unwrap();
        assert_eq!(config, AutoencoderKlConfig::flux());
        let config: AutoencoderKlConfig = serde_json::from_str(
            r#"{"block_out_channels": [128, 256, 512, 512], "latent_channels": 4, "layers_per_block": 2, "shift_factor": null}"#,
        )
        .unwrap();
        assert_eq!(config, AutoencoderKlConfig::sd2());
    }

    #[test]
    fn a_package_names_it_shorter() {
        let config: AutoencoderKlConfig = ron::from_str(
            "(channels: 16, widths: [16, 32, 64, 128], groups: 4, scale: 0.379031, shift: 0.223095, \
             use_quant_conv: false, use_post_quant_conv: false)",
        )
        .unwrap();
        assert_eq!(config, AutoencoderKlConfig::demo());
    }

    #[test]
    fn impossible_shapes_are_refused() {
        for break_it in [
            (|c: &mut AutoencoderKlConfig| c.block_out_channels.clear())
                as fn(&mut AutoencoderKlConfig),
            |c| c.norm_num_groups = 0,
            |c| c.block_out_channels[1] = 33,
            |c| c.latent_channels = 0,
            |c| c.layers_per_block = usize::MAX,
            |c| c.scaling_factor = f64::NAN,
        ] {
            let mut config = AutoencoderKlConfig::demo();
            config.check().unwrap();
            break_it(&mut config);
            assert!(matches!(config.check(), Err(Error::Input(_))), "{config:?}");
        }
    }
}
