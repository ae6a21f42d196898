//! MMFace-DiT: the dual-stream diffusion transformer (paper section 3, docs/reference.md section 1;
//! layout of Bharath-K3/MMFace-DiT at 8ee3046).

mod block;
mod config;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;

pub use block::{Attention, Block};
pub use config::{DitConfig, TIME_FEATURES};

use super::linear::Linear;
use super::load_options::LoadOptions;
use super::rope;
use crate::job::Objective;
use crate::kernels::branch::LeafGradients;
use crate::kernels::{self, Precision, RopeTable, Route, Storage};

/// Time of the flow objective is stretched to the range of diffusion steps.
const FLOW_TIME_SCALE: f64 = 999.0;

/// Everything that one evaluation needs.
#[derive(Clone, Copy, Debug)]
pub struct DitInput<'a> {
    /// Noisy latent and condition latent, `[batch, channels, side, side]`.
    pub latent: &'a Tensor,
    /// Flow: 0 (noise) ..= 1 (data); diffusion: 0..=999. f32 `[batch]`.
    pub time: &'a Tensor,
    /// Pooled text features, `[batch, text_dim]`.
    pub pooled: &'a Tensor,
    /// Text features of each token, `[batch, text tokens, text_dim]`.
    pub sequence: &'a Tensor,
    /// 0 = mask, 1 = sketch; u32 `[batch]`.
    pub modality: &'a Tensor,
}

/// Image tokens `[batch, grid², hidden]` and text tokens `[batch, text tokens, hidden]`.
pub type Tokens = (Tensor, Tensor);

/// Modulation vectors of every layer for some rows.
#[derive(Clone, Debug)]
pub struct Modulation {
    /// For each block `[rows, chunks · hidden]`.
    blocks: Vec<Tensor>,
    /// Of the last layer, `[rows, 2 · hidden]`.
    last: Tensor,
}

impl Modulation {
    /// Some of the rows.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn rows(&self, first: usize, count: usize) -> Result<Self> {
        let rows = |all: &Tensor| all.narrow(0, first, count);
        Ok(Self {
            blocks: self.blocks.iter().map(rows).collect::<Result<_>>()?,
            last: rows(&self.last)?,
        })
    }
}

/// The transformer.
#[derive(Debug)]
pub struct Dit {
    config: DitConfig,
    patch_embedding: Linear,
    time_in: Linear,
    time_out: Linear,
    pooled_projection: Linear,
    null_pooled: Tensor,
    sequence_projection: Linear,
    modality: Option<Tensor>,
    blocks: Vec<Block>,
    final_linear: Linear,
    final_modulation: Linear,
    device: Device,
    route: Route,
    rope_tables: Mutex<HashMap<(usize, usize), Arc<RopeTable>>>,
    leaves: LeafGradients,
}

impl Dit {
    /// Loads the transformer from tensors under their checkpoint names.
    ///
    /// # Errors
    /// When the configuration is impossible, or a tensor is missing or has another shape.
    pub fn load(vb: VarBuilder, config: DitConfig, options: LoadOptions) -> Result<Self> {
        config.check().map_err(candle_core::Error::msg)?;
        let (d, t, p) = (config.hidden, config.text_dim, config.patch);
        // The embeddings are a small part of the arithmetic and all of the conditioning: keep them exact.
        let exact = LoadOptions {
            storage: Storage::F32,
            precision: Precision::Exact,
            ..options
        };
        let time = vb.pp("t_embedder.mlp");
        let patch_inputs = config.channels * p * p;
        let patch_weight = vb.get((d, config.channels, p, p), "x_embedder.proj.weight")?;
        let patch_embedding = Linear::new(
            patch_weight.reshape((d, patch_inputs))?,
            Some(vb.get(d, "x_embedder.proj.bias")?),
            exact,
        )?;
        let modality = match config.modality_embedder {
            true => Some(vb.get((2, d), "modality_embedder.weight")?),
            false => None,
        };
        let leaves = LeafGradients::default();
        let mut blocks = Vec::with_capacity(config.depth);
        for i in 0..config.depth {
            let vb = vb.pp("blocks").pp(i);
            blocks.push(Block::load_with(&vb, &config, options, leaves.clone())?);
        }
        let last = vb.pp("final_layer");
        Ok(Self {
            patch_embedding,
            time_in: Linear::load(&time.pp("0"), TIME_FEATURES, d, true, exact)?,
            time_out: Linear::load(&time.pp("2"), d, d, true, exact)?,
            pooled_projection: Linear::load(&vb.pp("c_embedder.proj"), t, d, true, exact)?,
            null_pooled: vb.get(t, "c_embedder.null_feature_pooled")?,
            sequence_projection: Linear::load(&vb.pp("clip_seq_proj"), t, d, true, exact)?,
            modality,
            blocks,
            final_linear: Linear::load(
                &last.pp("linear"),
                d,
                p * p * config.out_channels(),
                true,
                exact,
            )?,
            final_modulation: Linear::load(&last.pp("adaLN_modulation.1"), d, 2 * d, true, exact)?,
            device: vb.device().clone(),
            route: options.route,
            rope_tables: Mutex::default(),
            leaves,
            config,
        })
    }

    /// Takes the gradient of a weight of a trainable network on the fused route: its branches are one
    /// operation each, and leave the gradients of their weights here instead of among those of the
    /// backward pass. On the composed route there is never one.
    ///
    /// # Shapes
    /// - weight and result: any, equal
    pub fn take_leaf_gradient(&self, weight: &Tensor) -> Option<Tensor> {
        self.leaves.take(weight)
    }

    /// Size and switches.
    pub fn config(&self) -> &DitConfig {
        &self.config
    }

    /// What replaces the pooled text of samples whose caption is dropped in training, `[text_dim]`.
    ///
    /// # Shapes
    /// - result: `[text_dim]`
    pub fn null_pooled(&self) -> &Tensor {
        &self.null_pooled
    }

    /// The blocks, for a backward pass that runs them again one by one.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// One evaluation.
    ///
    /// # Shapes
    /// - result: `[batch, out_channels, side, side]`
    ///
    /// # Errors
    /// When shapes do not fit, or the latent is not a square of whole patches.
    pub fn forward(&self, input: &DitInput) -> Result<Tensor> {
        let condition = self.condition(input.time, input.pooled, input.modality)?;
        let tokens = (
            self.embed_latent(input.latent)?,
            self.embed_text(input.sequence)?,
        );
        self.forward_tokens(tokens, &self.modulation(&condition)?)
    }

    /// One evaluation of tokens that are embedded already, by modulation that is computed already.
    ///
    /// # Shapes
    /// - tokens: `[batch, grid², hidden]` and `[batch, text tokens, hidden]`; modulation: `batch` rows
    /// - result: `[batch, out_channels, grid · patch, grid · patch]`
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn forward_tokens(&self, tokens: Tokens, modulation: &Modulation) -> Result<Tensor> {
        let rope = self.rope(tokens.0.dim(1)?.isqrt(), tokens.1.dim(1)?)?;
        let (image, _) = self.through_blocks(tokens, |index, block, (image, text)| {
            block.forward(&image, &text, &modulation.blocks[index], rope.as_deref())
        })?;
        self.head(&image, &modulation.last)
    }

    /// Hands the tokens from block to block; `run` is given the index of each and makes its outputs.
    /// This is the one loop over the blocks: what a training step keeps between them is its own.
    ///
    /// # Shapes
    /// - tokens and result: `[batch, grid², hidden]` and `[batch, text tokens, hidden]`
    ///
    /// # Errors
    /// Those of `run`.
    pub fn through_blocks(
        &self,
        tokens: Tokens,
        mut run: impl FnMut(usize, &Block, Tokens) -> Result<Tokens>,
    ) -> Result<Tokens> {
        let mut tokens = tokens;
        for (index, block) in self.blocks.iter().enumerate() {
            tokens = run(index, block, tokens)?;
        }
        Ok(tokens)
    }

    /// Modulation vectors of all blocks and of the last layer. Rows are independent: all steps of a
    /// job can be computed at once.
    ///
    /// # Shapes
    /// - condition: `[rows, hidden]`
    ///
    /// # Errors
    /// When the width does not fit.
    pub fn modulation(&self, condition: &Tensor) -> Result<Modulation> {
        let blocks = self.blocks.iter().map(|block| block.modulation(condition));
        Ok(Modulation {
            blocks: blocks.collect::<Result<_>>()?,
            last: self.final_modulation(condition)?,
        })
    }

    /// Image tokens of a latent, row by row.
    ///
    /// # Shapes
    /// - latent: `[batch, channels, side, side]`, result: `[batch, (side / patch)², hidden]`
    ///
    /// # Errors
    /// When the latent is not a square of whole patches with the right channels.
    pub fn embed_latent(&self, latent: &Tensor) -> Result<Tensor> {
        let (batch, channels, height, width) = latent.dims4()?;
        let p = self.config.patch;
        if height != width || !height.is_multiple_of(p) || channels != self.config.channels {
            candle_core::bail!(
                "latent {:?} does not fit: a square of whole patches of {p} with {} channels is needed",
                latent.dims(),
                self.config.channels
            );
        }
        let grid = height / p;
        let patches = latent
            .reshape(&[batch, channels, grid, p, grid, p][..])?
            .permute([0, 2, 4, 1, 3, 5])?
            .contiguous()?
            .reshape((batch, grid * grid, channels * p * p))?;
        let tokens = self.patch_embedding.forward(&patches)?;
        if self.config.rope {
            return Ok(tokens);
        }
        tokens.broadcast_add(
            &rope::sincos_2d(grid, self.config.hidden, &self.device)?.to_dtype(tokens.dtype())?,
        )
    }

    /// Text tokens.
    ///
    /// # Shapes
    /// - sequence: `[batch, text tokens, text_dim]`, result: `[batch, text tokens, hidden]`
    ///
    /// # Errors
    /// When the width does not fit.
    pub fn embed_text(&self, sequence: &Tensor) -> Result<Tensor> {
        self.sequence_projection.forward(sequence)
    }

    /// The vector that steers all blocks, from time, pooled text and modality. Rows are
    /// independent: all steps of a job can be computed at once.
    ///
    /// # Shapes
    /// - time: `[rows]`, pooled: `[rows, text_dim]`, modality: u32 `[rows]`, result: `[rows, hidden]`
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn condition(&self, time: &Tensor, pooled: &Tensor, modality: &Tensor) -> Result<Tensor> {
        let time = time.to_dtype(DType::F32)?;
        let time = match self.config.objective {
            Objective::Flow => (time * FLOW_TIME_SCALE)?,
            Objective::Diffusion => time,
        };
        let features = time_features(&time)?.to_dtype(pooled.dtype())?;
        let time = self
            .time_out
            .forward(&self.time_in.forward(&features)?.silu()?)?;
        let condition = (self.pooled_projection.forward(pooled)? + time)?;
        match &self.modality {
            Some(embedding) => condition + embedding.index_select(modality, 0)?,
            None => Ok(condition),
        }
    }

    /// Modulation of the last layer.
    ///
    /// # Shapes
    /// - condition: `[rows, hidden]`, result: `[rows, 2 · hidden]`
    ///
    /// # Errors
    /// When the width does not fit.
    pub fn final_modulation(&self, condition: &Tensor) -> Result<Tensor> {
        self.final_modulation.forward(&condition.silu()?)
    }

    /// The predicted latent from the image tokens.
    ///
    /// # Shapes
    /// - image: `[batch, grid², hidden]`, modulation: `[batch, 2 · hidden]`
    /// - result: `[batch, out_channels, grid · patch, grid · patch]`
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn head(&self, image: &Tensor, modulation: &Tensor) -> Result<Tensor> {
        let (batch, tokens, _) = image.dims3()?;
        let (p, channels, grid) = (
            self.config.patch,
            self.config.out_channels(),
            tokens.isqrt(),
        );
        let (precision, route) = (Precision::Exact, self.route);
        let normalised = kernels::layer_norm_modulate(image, modulation, 0, 1, precision, route)?;
        // The linear's outputs are ordered (patch row, patch column, channel), channel fastest.
        self.final_linear
            .forward(&normalised)?
            .reshape(&[batch, grid, grid, p, p, channels][..])?
            .permute([0, 5, 1, 3, 2, 4])?
            .contiguous()?
            .reshape((batch, channels, grid * p, grid * p))
    }

    /// Angles of `grid²` image tokens followed by `text_tokens`, made once per size; `None` in the
    /// ablation without RoPE.
    ///
    /// # Errors
    /// When the device cannot hold them.
    pub fn rope(&self, grid: usize, text_tokens: usize) -> Result<Option<Arc<RopeTable>>> {
        if !self.config.rope {
            return Ok(None);
        }
        // The map is whole after every statement, so a panic elsewhere does not spoil it.
        let mut tables = self
            .rope_tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = tables.get(&(grid, text_tokens)) {
            return Ok(Some(table.clone()));
        }
        let positions = rope::positions(grid, text_tokens, self.config.text_rope);
        let table = Arc::new(rope::table(
            &positions,
            self.config.head_dim(),
            &self.device,
        )?);
        tables.insert((grid, text_tokens), table.clone());
        Ok(Some(table))
    }
}

/// Sinusoidal features of time: cosines, then sines, in f32 (docs/reference.md section 1).
///
/// # Shapes
/// - time: f32 `[rows]`, already scaled; result: `[rows, 256]`
///
/// # Errors
/// When the device fails.
pub fn time_features(time: &Tensor) -> Result<Tensor> {
    let half = TIME_FEATURES / 2;
    let frequencies: Vec<f32> = (0..half)
        .map(|k| (-(rope::THETA as f32).ln() * k as f32 / half as f32).exp())
        .collect();
    let frequencies = Tensor::from_vec(frequencies, (1, half), time.device())?;
    let angles = time.reshape(((), 1))?.broadcast_mul(&frequencies)?;
    Tensor::cat(&[angles.cos()?, angles.sin()?], 1)
}
