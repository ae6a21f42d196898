//! CLIP's text tower under the rules of Stable Diffusion 2.1 (reference.md section 2).
//!
//! Two results feed the transformer: the *sequence*, hidden states of the layer before the last
//! without the final norm, and the *pooled* vector, the last layer after the final norm at the
//! end-of-text token. There is a causal mask and no padding mask: padding tokens are read like
//! any other, because the released checkpoints were trained so.
//!
//! Tensor names are those of transformers' `CLIPTextModel`, with or without its `text_model.`
//! prefix.

use candle_core::{D, DType, IndexOp, Result, Tensor};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::LoadOptions;
use super::linear::Linear;
use crate::kernels::Storage;

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
    pub fn from_transformers(
        config: &serde_json::Value,
        pad: u32,
    ) -> std::result::Result<Self, String> {
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
    pub fn check(&self) -> std::result::Result<(), String> {
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

const PREFIX: &str = "text_model";

/// What the transformer reads of a prompt.
#[derive(Clone, Debug)]
pub struct TextFeatures {
    /// Hidden states before the last layer, `[batch, tokens, width]`.
    pub sequence: Tensor,
    /// The end-of-text state after the final norm, `[batch, width]`.
    pub pooled: Tensor,
}

/// All outputs of the tower; [`ClipText::forward`] gives what the transformer needs.
#[derive(Clone, Debug)]
pub struct ClipTextOutput {
    /// Output of the layer before the last, no norm, `[batch, tokens, width]`.
    pub penultimate: Tensor,
    /// Output of the last layer after the final norm, `[batch, tokens, width]`.
    pub last: Tensor,
    /// `last` at each prompt's end-of-text token, `[batch, width]`.
    pub pooled: Tensor,
}

/// LayerNorm with weight and bias.
#[derive(Debug)]
struct Norm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f64,
}

impl Norm {
    fn load(vb: VarBuilder, width: usize, epsilon: f64) -> Result<Self> {
        Ok(Self {
            weight: vb.get(width, "weight")?,
            bias: vb.get(width, "bias")?,
            epsilon,
        })
    }

    /// Centres before squaring: hidden states of this tower have channels with large means.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let normalised = centred.broadcast_div(&(variance + self.epsilon)?.sqrt()?)?;
        normalised
            .broadcast_mul(&self.weight)?
            .broadcast_add(&self.bias)
    }
}

/// One pre-norm layer: attention and MLP, each with its residual.
#[derive(Debug)]
struct Layer {
    norm1: Norm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm2: Norm,
    fc1: Linear,
    fc2: Linear,
    heads: usize,
    activation: Activation,
}

impl Layer {
    fn load(vb: VarBuilder, config: &ClipTextConfig, options: LoadOptions) -> Result<Self> {
        let width = config.width;
        let attention = vb.pp("self_attn");
        let projection =
            |name: &str| Linear::load(&attention.pp(name), width, width, true, options);
        Ok(Self {
            norm1: Norm::load(vb.pp("layer_norm1"), width, config.epsilon)?,
            query: projection("q_proj")?,
            key: projection("k_proj")?,
            value: projection("v_proj")?,
            out: projection("out_proj")?,
            norm2: Norm::load(vb.pp("layer_norm2"), width, config.epsilon)?,
            fc1: Linear::load(&vb.pp("mlp.fc1"), width, config.inner, true, options)?,
            fc2: Linear::load(&vb.pp("mlp.fc2"), config.inner, width, true, options)?,
            heads: config.heads,
            activation: config.activation,
        })
    }

    /// # Shapes
    /// - x and result: `[batch, tokens, width]`, mask: `[tokens, tokens]`
    fn forward(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let x = (x + self.attention(&self.norm1.forward(x)?, mask)?)?;
        let inner = self.fc1.forward(&self.norm2.forward(&x)?)?;
        let inner = match self.activation {
            Activation::Gelu => inner.gelu_erf()?,
            Activation::QuickGelu => (&inner * candle_nn::ops::sigmoid(&(&inner * 1.702)?)?)?,
        };
        x + self.fc2.forward(&inner)?
    }

    fn attention(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let (batch, tokens, width) = x.dims3()?;
        let head_dim = width / self.heads;
        let split = |projected: Tensor| {
            projected
                .reshape((batch, tokens, self.heads, head_dim))?
                .transpose(1, 2)?
                .contiguous()
        };
        // The scale goes onto the queries, as in the reference implementation.
        let query = split((self.query.forward(x)? * (1.0 / (head_dim as f64).sqrt()))?)?;
        let key = split(self.key.forward(x)?)?;
        let value = split(self.value.forward(x)?)?;
        let scores = query.matmul(&key.t()?)?.broadcast_add(mask)?;
        let scores = scores
            .broadcast_sub(&scores.max_keepdim(D::Minus1)?)?
            .exp()?;
        let weights = scores.broadcast_div(&scores.sum_keepdim(D::Minus1)?)?;
        let mixed = weights
            .matmul(&value)?
            .transpose(1, 2)?
            .reshape((batch, tokens, width))?;
        self.out.forward(&mixed)
    }
}

/// The text tower.
#[derive(Debug)]
pub struct ClipText {
    config: ClipTextConfig,
    tokens: Tensor,
    positions: Tensor,
    layers: Vec<Layer>,
    norm: Norm,
    mask: Tensor,
}

impl ClipText {
    /// Loads the tower from tensors by name.
    pub fn load(vb: VarBuilder, config: ClipTextConfig, options: LoadOptions) -> Result<Self> {
        config.check().map_err(candle_core::Error::msg)?;
        let bare = vb.contains_tensor("embeddings.token_embedding.weight");
        let vb = if bare { vb } else { vb.pp(PREFIX) };
        let embeddings = vb.pp("embeddings");
        // The token table is the largest tensor and is only looked up, so it keeps two bytes a
        // number when the weights do.
        let table = match options.storage {
            Storage::F32 => embeddings.clone(),
            _ if options.trainable => embeddings.clone(),
            _ => embeddings.to_dtype(DType::BF16),
        };
        let layers = vb.pp("encoder.layers");
        let layers =
            (0..config.layers).map(|index| Layer::load(layers.pp(index), &config, options));
        let tokens = config.tokens;
        // exp(−∞) is exactly 0; every row keeps its own token, so none is all −∞.
        let mask: Vec<f32> = (0..tokens * tokens)
            .map(|index| {
                if index % tokens > index / tokens {
                    f32::NEG_INFINITY
                } else {
                    0.0
                }
            })
            .collect();
        Ok(Self {
            tokens: table.get((config.vocabulary, config.width), "token_embedding.weight")?,
            positions: embeddings.get((tokens, config.width), "position_embedding.weight")?,
            layers: layers.collect::<Result<_>>()?,
            norm: Norm::load(vb.pp("final_layer_norm"), config.width, config.epsilon)?,
            mask: Tensor::from_vec(mask, (tokens, tokens), vb.device())?,
            config,
        })
    }

    /// Shape and rules of this tower.
    pub fn config(&self) -> &ClipTextConfig {
        &self.config
    }

    /// Features of prompts, given as token ids of equal length.
    ///
    /// # Shapes
    /// - ids: batch rows of at most [`ClipTextConfig::tokens`] ids
    pub fn forward(&self, ids: &[Vec<u32>]) -> Result<TextFeatures> {
        let output = self.outputs(ids)?;
        Ok(TextFeatures {
            sequence: output.penultimate,
            pooled: output.pooled,
        })
    }

    /// Everything that the tower computes; see [`ClipText::forward`].
    pub fn outputs(&self, ids: &[Vec<u32>]) -> Result<ClipTextOutput> {
        let length = self.check_ids(ids)?;
        let flat = Tensor::from_vec(ids.concat(), ids.len() * length, self.tokens.device())?;
        let embedded = self.tokens.index_select(&flat, 0)?.to_dtype(DType::F32)?;
        let embedded = embedded.reshape((ids.len(), length, self.config.width))?;
        let mut hidden = embedded.broadcast_add(&self.positions.narrow(0, 0, length)?)?;
        let mask = self.mask.i((..length, ..length))?.contiguous()?;
        let mut penultimate = hidden.clone();
        for layer in &self.layers {
            penultimate = hidden;
            hidden = layer.forward(&penultimate, &mask)?;
        }
        let last = self.norm.forward(&hidden)?;
        let pooled = ids
            .iter()
            .enumerate()
            .map(|(row, ids)| last.i((row, self.end_of_text(ids))));
        let pooled = Tensor::stack(&pooled.collect::<Result<Vec<_>>>()?, 0)?;
        Ok(ClipTextOutput {
            penultimate,
            last,
            pooled,
        })
    }

    fn check_ids(&self, ids: &[Vec<u32>]) -> Result<usize> {
        let length = ids.first().map_or(0, Vec::len);
        if length == 0 || length > self.config.tokens || ids.iter().any(|row| row.len() != length) {
            let most = self.config.tokens;
            candle_core::bail!("prompts must have equal lengths of 1 to {most} tokens");
        }
        let largest = ids.iter().flatten().copied().max().unwrap_or(0);
        if largest as usize >= self.config.vocabulary {
            candle_core::bail!(
                "token id {largest} is outside the text tower's vocabulary of {}: tokenizer and tower do not belong together",
                self.config.vocabulary
            );
        }
        Ok(length)
    }

    fn end_of_text(&self, ids: &[u32]) -> usize {
        let wanted = match self.config.end {
            EndOfText::Highest => ids.iter().copied().max().unwrap_or(0),
            EndOfText::First(id) => id,
        };
        ids.iter().position(|&id| id == wanted).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::collections::HashMap;

    use candle_core::Device;

    use super::*;

    fn config() -> ClipTextConfig {
        ClipTextConfig {
            width: 32,
            layers: 2,
            heads: 4,
            tokens: 12,
            vocabulary: 40,
            inner: 64,
            pad: 0,
            activation: Activation::Gelu,
            end: EndOfText::Highest,
            epsilon: 1e-5,
        }
    }

    fn tensors(config: &ClipTextConfig) -> HashMap<String, Tensor> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        let tensor = |(name, shape): (String, Vec<usize>)| {
            let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
            (name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap())
        };
        config.tensors().into_iter().map(tensor).collect()
    }

    fn tower(config: ClipTextConfig) -> ClipText {
        let vb = VarBuilder::from_tensors(tensors(&config), DType::F32, &Device::Cpu);
        ClipText::load(vb, config, LoadOptions::default()).unwrap()
    }

    fn bytes(tensor: &Tensor) -> Vec<u32> {
        tensor
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap()
            .into_iter()
            .map(f32::to_bits)
            .collect()
    }

    fn prompt(first: u32) -> Vec<u32> {
        let mut ids = vec![38, first, first + 1, 39];
        ids.resize(12, 0);
        ids
    }

    #[test]
    fn a_prompt_has_the_same_bytes_alone_and_in_a_batch() {
        let tower = tower(config());
        let batch = tower.outputs(&[prompt(1), prompt(5), prompt(9)]).unwrap();
        for (row, first) in [1, 5, 9].into_iter().enumerate() {
            let alone = tower.outputs(&[prompt(first)]).unwrap();
            assert_eq!(
                bytes(&alone.penultimate.i(0).unwrap()),
                bytes(&batch.penultimate.i(row).unwrap())
            );
            assert_eq!(
                bytes(&alone.pooled.i(0).unwrap()),
                bytes(&batch.pooled.i(row).unwrap())
            );
        }
    }

    #[test]
    fn later_tokens_do_not_reach_earlier_ones() {
        let tower = tower(config());
        let mut other = prompt(1);
        other[6] = 20;
        let (a, b) = (
            tower.outputs(&[prompt(1)]).unwrap().last,
            tower.outputs(&[other]).unwrap().last,
        );
        assert_eq!(
            bytes(&a.i((0, ..6)).unwrap()),
            bytes(&b.i((0, ..6)).unwrap())
        );
        assert_ne!(
            bytes(&a.i((0, 6..)).unwrap()),
            bytes(&b.i((0, 6..)).unwrap())
        );
    }

    #[test]
    fn the_prefix_of_tensor_names_may_be_missing() {
        let strip = |(name, tensor): (String, Tensor)| {
            (name.strip_prefix("text_model.").unwrap().to_owned(), tensor)
        };
        let bare = tensors(&config()).into_iter().map(strip).collect();
        let vb = VarBuilder::from_tensors(bare, DType::F32, &Device::Cpu);
        let bare = ClipText::load(vb, config(), LoadOptions::default()).unwrap();
        let (a, b) = (
            bare.forward(&[prompt(3)]).unwrap(),
            tower(config()).forward(&[prompt(3)]).unwrap(),
        );
        assert_eq!(bytes(&a.sequence), bytes(&b.sequence));
    }

    #[test]
    fn ids_of_a_foreign_tokenizer_are_refused() {
        let tower = tower(config());
        let error = tower.forward(&[vec![40; 12]]).unwrap_err().to_string();
        assert!(error.contains("token id 40"), "{error}");
        assert!(tower.forward(&[vec![1; 13]]).is_err());
        assert!(tower.forward(&[]).is_err());
    }

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
