//! CLIP's text tower under the rules of Stable Diffusion 2.1 (docs/reference.md section 2).
//!
//! Two results feed the transformer: the *sequence*, hidden states of the layer before the last
//! without the final norm, and the *pooled* vector, the last layer after the final norm at the
//! end-of-text token. There is a causal mask and no padding mask: padding tokens are read like
//! any other, because the released checkpoints were trained so.
//!
//! Tensor names are those of transformers' `CLIPTextModel`, with or without its `text_model.`
//! prefix.

mod config;
mod layer;

use candle_core::{DType, IndexOp, Result, Tensor};
use candle_nn::VarBuilder;

use config::PREFIX;
pub use config::{Activation, ClipTextConfig, EndOfText};
use layer::{Layer, Norm};

use super::load_options::LoadOptions;
use crate::kernels::Storage;

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
    ///
    /// # Errors
    /// When the configuration is impossible, or a tensor is missing or has another shape.
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
            Storage::Bf16 | Storage::Q8_0 => embeddings.to_dtype(DType::BF16),
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
    ///
    /// # Errors
    /// When the rows differ in length or are too long, or an id is outside the vocabulary.
    pub fn forward(&self, ids: &[Vec<u32>]) -> Result<TextFeatures> {
        let output = self.outputs(ids)?;
        Ok(TextFeatures {
            sequence: output.penultimate,
            pooled: output.pooled,
        })
    }

    /// Everything that the tower computes; see [`ClipText::forward`].
    ///
    /// # Shapes
    /// - as there
    ///
    /// # Errors
    /// As there.
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
        ClipText::load(vb, config, LoadOptions::for_device(&Device::Cpu)).unwrap()
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
        let bare = ClipText::load(vb, config(), LoadOptions::for_device(&Device::Cpu)).unwrap();
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
}
