//! Shape and rules of a text tower, and its tensors by name.

use serde::{Deserialize, Serialize};

pub(super) const PREFIX: &str = "text_model";

/// Activation between the two layers of an MLP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Activation {
    /// Exact GELU by the error function: Stable Diffusion 2.x, and the demo tower.
    #[default]
    Gelu,
    /// `x · sigmoid(1.702 x)`: OpenAI's CLIP, so Stable Diffusion 1.x and FLUX.
    QuickGelu,
}

/// Which token's final state becomes the pooled vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndOfText {
    /// The highest id, first occurrence. This is transformers' rule whenever the config says
    /// `eos_token_id: 2`, a value that old configs carry although it is not the real id.
    #[default]
    Highest,
    /// The first occurrence of this id; position 0 when it does not occur.
    First(u32),
}

/// Shape and rules of a text tower.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipTextConfig {
    /// Width of the hidden states.
    pub width: usize,
    /// Number of layers; the sequence comes from layer `layers − 1`.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Longest prompt in tokens, start and end included; shorter ones are padded to it.
    pub tokens: usize,
    /// Number of rows of the token table.
    pub vocabulary: usize,
    /// Inner width of the MLPs.
    pub inner: usize,
    /// Token id that fills the rest of a short prompt. It belongs to the tokenizer, and often
    /// differs from the `pad_token_id` in the tower's own config.
    #[serde(default)]
    pub pad: u32,
    /// Activation of the MLPs.
    #[serde(default)]
    pub activation: Activation,
    /// Where the pooled vector is taken.
    #[serde(default)]
    pub end: EndOfText,
    /// Epsilon of the layer norms.
    #[serde(default = "default_epsilon")]
    pub epsilon: f64,
}

fn default_epsilon() -> f64 {
    1e-5
}

impl ClipTextConfig {
    /// The tower of Stable Diffusion 2.1-base: OpenCLIP's ViT-H text tower without its last layer.
    pub fn sd21() -> Self {
        Self {
            width: 1024,
            layers: 23,
            heads: 16,
            tokens: 77,
            vocabulary: 49408,
            inner: 4096,
            pad: 0,
            activation: Activation::Gelu,
            end: EndOfText::Highest,
            epsilon: default_epsilon(),
        }
    }

    /// Reads transformers' `config.json`. `pad` is the tokenizer's id, which that file does not
    /// know reliably.
    ///
    /// # Errors
    /// When a number is missing, or the file names an activation or a shape that no tower has.
    pub fn from_transformers(config: &serde_json::Value, pad: u32) -> Result<Self, String> {
        // Some files wrap the tower's config in the whole CLIP model's.
        let config = config.get("text_config").unwrap_or(config);
        let number = |name: &str| {
            let value = config.get(name).and_then(serde_json::Value::as_u64);
            value
                .and_then(|value| usize::try_from(value).ok())
                .ok_or_else(|| format!("config has no whole number `{name}`"))
        };
        let activation = match config.get("hidden_act").and_then(serde_json::Value::as_str) {
            Some("gelu") => Activation::Gelu,
            Some("quick_gelu") | None => Activation::QuickGelu,
            Some(other) => return Err(format!("unknown activation `{other}`")),
        };
        let end = match config
            .get("eos_token_id")
            .and_then(serde_json::Value::as_u64)
        {
            Some(2) | None => EndOfText::Highest,
            Some(id) => EndOfText::First(
                u32::try_from(id).map_err(|_| "eos_token_id is too large".to_owned())?,
            ),
        };
        let parsed = Self {
            width: number("hidden_size")?,
            layers: number("num_hidden_layers")?,
            heads: number("num_attention_heads")?,
            tokens: number("max_position_embeddings")?,
            vocabulary: number("vocab_size")?,
            inner: number("intermediate_size")?,
            pad,
            activation,
            end,
            epsilon: config
                .get("layer_norm_eps")
                .and_then(serde_json::Value::as_f64)
                .unwrap_or(default_epsilon()),
        };
        parsed.check()?;
        Ok(parsed)
    }

    /// Refuses shapes that no tower has, before anything is allocated for them.
    ///
    /// # Errors
    /// With one sentence naming the field.
    pub fn check(&self) -> Result<(), String> {
        let limits = [
            ("width", self.width, 16_384),
            ("layers", self.layers, 256),
            ("heads", self.heads, 1_024),
            ("tokens", self.tokens, 4_096),
            ("vocabulary", self.vocabulary, 1 << 22),
            ("inner", self.inner, 1 << 17),
        ];
        for (name, value, most) in limits {
            if value == 0 || value > most {
                return Err(format!(
                    "text tower: {name} is {value}, expected 1 to {most}"
                ));
            }
        }
        if !self.width.is_multiple_of(self.heads) {
            return Err(format!(
                "text tower: width {} is not a multiple of its {} heads",
                self.width, self.heads
            ));
        }
        if self.tokens < 3 {
            return Err("text tower: fewer than 3 tokens leave no room for a word".to_owned());
        }
        if self.pad as usize >= self.vocabulary {
            return Err(format!(
                "text tower: pad id {} is outside the vocabulary of {}",
                self.pad, self.vocabulary
            ));
        }
        if !(self.epsilon > 0.0 && self.epsilon < 1.0) {
            return Err(format!(
                "text tower: layer norm epsilon {} is not between 0 and 1",
                self.epsilon
            ));
        }
        Ok(())
    }

    /// Every tensor of the tower with its shape, under transformers' names.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (width, inner) = (self.width, self.inner);
        let mut tensors = vec![
            (
                format!("{PREFIX}.embeddings.token_embedding.weight"),
                vec![self.vocabulary, width],
            ),
            (
                format!("{PREFIX}.embeddings.position_embedding.weight"),
                vec![self.tokens, width],
            ),
        ];
        for layer in 0..self.layers {
            let mut both = |name: &str, weight: Vec<usize>| {
                let name = format!("{PREFIX}.encoder.layers.{layer}.{name}");
                tensors.push((format!("{name}.bias"), vec![weight[0]]));
                tensors.push((format!("{name}.weight"), weight));
            };
            for projection in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                both(&format!("self_attn.{projection}"), vec![width, width]);
            }
            both("layer_norm1", vec![width]);
            both("layer_norm2", vec![width]);
            both("mlp.fc1", vec![inner, width]);
            both("mlp.fc2", vec![width, inner]);
        }
        tensors.push((format!("{PREFIX}.final_layer_norm.weight"), vec![width]));
        tensors.push((format!("{PREFIX}.final_layer_norm.bias"), vec![width]));
        tensors
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn sd21_has_the_released_parameter_count() {
        let count: usize = ClipTextConfig::sd21()
            .tensors()
            .iter()
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum();
        // 49408·1024 + 77·1024 + 23·(4·(1024² + 1024) + 4·1024 + 2·1024·4096 + 4096 + 1024) + 2·1024
        assert_eq!(count, 340_387_840);
    }

    #[test]
    fn a_config_of_transformers_is_read_with_its_rules() {
        let json = serde_json::json!({
            "vocab_size": 49408, "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23,
            "num_attention_heads": 16, "max_position_embeddings": 77, "hidden_act": "gelu",
            "layer_norm_eps": 1e-5, "eos_token_id": 2, "pad_token_id": 1
        });
        assert_eq!(
            ClipTextConfig::from_transformers(&json, 0).unwrap(),
            ClipTextConfig::sd21()
        );
        let mut json = json;
        json["eos_token_id"] = 49407.into();
        json["hidden_act"] = "quick_gelu".into();
        let config = ClipTextConfig::from_transformers(&json, 49407).unwrap();
        assert_eq!(
            (config.end, config.activation),
            (EndOfText::First(49407), Activation::QuickGelu)
        );
        json["num_attention_heads"] = 7.into();
        assert!(ClipTextConfig::from_transformers(&json, 0).is_err());
    }
}
