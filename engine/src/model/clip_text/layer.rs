//! One layer of the text tower, and its norm.

use candle_core::{D, Result, Tensor};
use candle_nn::VarBuilder;

use super::config::{Activation, ClipTextConfig};
use crate::model::linear::Linear;
use crate::model::load_options::LoadOptions;

/// LayerNorm with weight and bias.
#[derive(Debug)]
pub(super) struct Norm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f64,
}

impl Norm {
    pub(super) fn load(vb: VarBuilder, width: usize, epsilon: f64) -> Result<Self> {
        Ok(Self {
            weight: vb.get(width, "weight")?,
            bias: vb.get(width, "bias")?,
            epsilon,
        })
    }

    /// Centres before squaring: hidden states of this tower have channels with large means.
    ///
    /// # Shapes
    /// - x and result: `[batch, tokens, width]`
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
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
pub(super) struct Layer {
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
    pub(super) fn load(
        vb: VarBuilder,
        config: &ClipTextConfig,
        options: LoadOptions,
    ) -> Result<Self> {
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
    pub(super) fn forward(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
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
