//! One transformer block: two streams that meet in one attention (paper section 3.2).

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::DitConfig;
use crate::kernels::fused::{self, LeafGradients};
use crate::kernels::{self, Precision, RopeTable, Weight};
use crate::model::{LoadOptions, linear::Linear};

// Chunks of a stream's modulation vector, in checkpoint order.
const SHIFT_ATTENTION: usize = 0;
const SCALE_ATTENTION: usize = 1;
const GATE_ATTENTION: usize = 2;
const SHIFT_MLP: usize = 3;
const SCALE_MLP: usize = 4;
const GATE_MLP: usize = 5;
/// First chunk of the text stream.
const TEXT_CHUNKS: usize = 6;

/// The projections to q, k, v of one stream as one matrix `[3 · width, width]`.
#[derive(Clone, Debug)]
enum Projection {
    /// Packed once.
    Joined(Weight),
    /// Three variables, joined anew in each step so that each gets its gradient.
    Variables([Tensor; 3], Precision),
}

impl Projection {
    fn load(vb: &VarBuilder, suffix: &str, width: usize, options: LoadOptions) -> Result<Self> {
        let get = |part: &str| vb.get((width, width), &format!("to_{part}{suffix}.weight"));
        let parts = [get("q")?, get("k")?, get("v")?];
        if options.trainable {
            return Ok(Self::Variables(parts, options.precision));
        }
        let joined = Tensor::cat(&parts, 0)?;
        Ok(Self::Joined(Weight::packed(
            joined,
            options.storage,
            options.precision,
        )?))
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Joined(weight) => kernels::linear(x, weight, None),
            Self::Variables(parts, precision) => {
                kernels::linear(x, &Weight::dense(Tensor::cat(parts, 0)?, *precision), None)
            }
        }
    }
}

/// Joint attention of both streams: own projections for each, one softmax over all tokens.
#[derive(Clone, Debug)]
pub struct Attention {
    heads: usize,
    precision: Precision,
    image: Projection,
    text: Option<Projection>,
    image_out: Linear,
    text_out: Option<Linear>,
}

impl Attention {
    /// Loads `to_{q,k,v,out}` and, for two streams, `to_{q,k,v,out}_t`.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(vb: &VarBuilder, config: &DitConfig, options: LoadOptions) -> Result<Self> {
        let width = config.hidden;
        let text = |suffix| Projection::load(vb, suffix, width, options);
        let out = |name: &str| Linear::load(&vb.pp(name), width, width, false, options);
        Ok(Self {
            heads: config.heads,
            precision: options.precision,
            image: Projection::load(vb, "", width, options)?,
            text: config.dual_stream.then(|| text("_t")).transpose()?,
            image_out: out("to_out")?,
            text_out: config.dual_stream.then(|| out("to_out_t")).transpose()?,
        })
    }

    /// Attention before the output projections.
    ///
    /// # Shapes
    /// - image: `[batch, image tokens, width]`, text: `[batch, text tokens, width]`
    /// - result: `[batch, image + text tokens, width]`
    fn mix(&self, image: &Tensor, text: &Tensor, rope: Option<&RopeTable>) -> Result<Tensor> {
        match &self.text {
            Some(projection) => {
                let (image, text) = (self.image.forward(image)?, projection.forward(text)?);
                self.meet(&image, Some(&text), rope)
            }
            None => {
                let all = self.image.forward(&Tensor::cat(&[image, text], 1)?)?;
                self.meet(&all, None, rope)
            }
        }
    }

    /// One softmax over the projected tokens of both streams.
    fn meet(
        &self,
        image: &Tensor,
        text: Option<&Tensor>,
        rope: Option<&RopeTable>,
    ) -> Result<Tensor> {
        kernels::joint_attention(image, text, self.heads, rope, self.precision)
    }

    fn text_out(&self) -> &Linear {
        self.text_out.as_ref().unwrap_or(&self.image_out)
    }

    /// The attention branch of both streams, after the output projections.
    ///
    /// # Shapes
    /// - image and first result: `[batch, image tokens, width]`
    /// - text and second result: `[batch, text tokens, width]`
    ///
    /// # Errors
    /// When widths do not fit.
    pub fn forward(
        &self,
        image: &Tensor,
        text: &Tensor,
        rope: Option<&RopeTable>,
    ) -> Result<(Tensor, Tensor)> {
        let (image_tokens, text_tokens) = (image.dim(1)?, text.dim(1)?);
        let mixed = self.mix(image, text, rope)?;
        let part = |first, count| mixed.narrow(1, first, count);
        Ok((
            self.image_out.forward(&part(0, image_tokens)?)?,
            self.text_out().forward(&part(image_tokens, text_tokens)?)?,
        ))
    }
}

/// Linear, GELU, linear.
#[derive(Clone, Debug)]
struct Mlp {
    rise: Linear,
    fall: Linear,
}

impl Mlp {
    fn load(vb: &VarBuilder, config: &DitConfig, options: LoadOptions) -> Result<Self> {
        let (width, inner) = (config.hidden, config.mlp_width());
        Ok(Self {
            rise: Linear::load(&vb.pp("0"), width, inner, true, options)?,
            fall: Linear::load(&vb.pp("2"), inner, width, true, options)?,
        })
    }
}

/// One block.
#[derive(Clone, Debug)]
pub struct Block {
    attention: Attention,
    mlp_image: Mlp,
    mlp_text: Option<Mlp>,
    modulation: Linear,
    precision: Precision,
    leaves: Option<LeafGradients>,
}

impl Block {
    /// Loads a block from `blocks.i`.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(vb: &VarBuilder, config: &DitConfig, options: LoadOptions) -> Result<Self> {
        let width = config.hidden;
        let text = || Mlp::load(&vb.pp("mlp_t"), config, options);
        Ok(Self {
            attention: Attention::load(&vb.pp("attn"), config, options)?,
            mlp_image: Mlp::load(&vb.pp("mlp_i"), config, options)?,
            mlp_text: config.dual_stream.then(text).transpose()?,
            modulation: Linear::load(
                &vb.pp("adaLN_modulation.1"),
                width,
                config.modulation_chunks() * width,
                true,
                options,
            )?,
            precision: options.precision,
            leaves: None,
        })
    }

    /// From now on the branches run as fused operations where they can, which leave the gradients
    /// of their weights in `leaves`.
    pub(super) fn fuse(&mut self, leaves: &LeafGradients) {
        self.leaves = Some(leaves.clone());
    }

    /// The block's modulation vectors.
    ///
    /// # Shapes
    /// - condition: `[rows, width]`, result: `[rows, chunks · width]`
    ///
    /// # Errors
    /// When the width does not fit.
    pub fn modulation(&self, condition: &Tensor) -> Result<Tensor> {
        self.modulation.forward(&condition.silu()?)
    }

    /// Runs the block.
    ///
    /// # Shapes
    /// - image and first result: `[batch, image tokens, width]`
    /// - text and second result: `[batch, text tokens, width]`
    /// - modulation: `[batch, chunks · width]`
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn forward(
        &self,
        image: &Tensor,
        text: &Tensor,
        modulation: &Tensor,
        rope: Option<&RopeTable>,
    ) -> Result<(Tensor, Tensor)> {
        let text_chunks = if self.mlp_text.is_some() {
            TEXT_CHUNKS
        } else {
            0
        };
        let attention = &self.attention;
        let mixed = match &attention.text {
            Some(projection) => {
                let image = self.project(&attention.image, image, modulation, 0)?;
                let text = self.project(projection, text, modulation, text_chunks)?;
                attention.meet(&image, Some(&text), rope)?
            }
            None => {
                let before = |x| self.before_attention(x, modulation, 0);
                attention.mix(&before(image)?, &before(text)?, rope)?
            }
        };
        let (image_out, text_out) = (&attention.image_out, attention.text_out());
        let image_tokens = image.dim(1)?;
        let gate = text_chunks + GATE_ATTENTION;
        let image = self.attended(image_out, &mixed, 0, image, modulation, GATE_ATTENTION)?;
        let text = self.attended(text_out, &mixed, image_tokens, text, modulation, gate)?;
        let mlp_text = self.mlp_text.as_ref().unwrap_or(&self.mlp_image);
        Ok((
            self.mlp(&self.mlp_image, &image, modulation, 0)?,
            self.mlp(mlp_text, &text, modulation, text_chunks)?,
        ))
    }

    /// q, k and v of a stream's tokens, whose modulation begins at chunk `chunks`.
    fn project(
        &self,
        projection: &Projection,
        x: &Tensor,
        modulation: &Tensor,
        chunks: usize,
    ) -> Result<Tensor> {
        if let (Some(leaves), Projection::Variables(parts, precision)) = (&self.leaves, projection)
            && kernels::fuses(&[x, modulation])
        {
            let places = [SHIFT_ATTENTION, SCALE_ATTENTION].map(|place| chunks + place);
            return fused::project(x, modulation, places, parts, *precision, leaves);
        }
        projection.forward(&self.before_attention(x, modulation, chunks)?)
    }

    fn before_attention(&self, x: &Tensor, modulation: &Tensor, chunks: usize) -> Result<Tensor> {
        let (shift, scale) = (chunks + SHIFT_ATTENTION, chunks + SCALE_ATTENTION);
        self.normalise(x, modulation, shift, scale)
    }

    /// The attention of this block.
    pub fn attention(&self) -> &Attention {
        &self.attention
    }

    fn normalise(
        &self,
        x: &Tensor,
        modulation: &Tensor,
        shift: usize,
        scale: usize,
    ) -> Result<Tensor> {
        kernels::layer_norm_modulate(x, modulation, shift, scale, self.precision)
    }

    fn mlp(&self, mlp: &Mlp, x: &Tensor, modulation: &Tensor, chunks: usize) -> Result<Tensor> {
        let bias = mlp
            .rise
            .bias()
            .ok_or_else(|| candle_core::Error::msg("the MLP has no bias"))?;
        if let (Some(leaves), Some(rise), Some(fall), Some(fall_bias)) = (
            &self.leaves,
            mlp.rise.weight().as_dense(),
            mlp.fall.weight().as_dense(),
            mlp.fall.bias(),
        ) && kernels::fuses(&[x, modulation])
        {
            let places = [SHIFT_MLP, SCALE_MLP, GATE_MLP].map(|place| chunks + place);
            let layers = fused::Layers {
                rise: (rise.clone(), bias.clone()),
                fall: (fall.clone(), fall_bias.clone()),
            };
            return fused::mlp(x, modulation, places, layers, self.precision, leaves);
        }
        let normalised = self.normalise(x, modulation, chunks + SHIFT_MLP, chunks + SCALE_MLP)?;
        let inner = kernels::linear_gelu(&normalised, mlp.rise.weight(), bias)?;
        let (weight, bias) = (mlp.fall.weight(), mlp.fall.bias());
        kernels::linear_gated(&inner, weight, bias, x, modulation, chunks + GATE_MLP)
    }

    /// The end of a stream's attention branch: of what both streams attended to, the tokens from
    /// `first` on are this one's.
    fn attended(
        &self,
        layer: &Linear,
        mixed: &Tensor,
        first: usize,
        residual: &Tensor,
        modulation: &Tensor,
        gate: usize,
    ) -> Result<Tensor> {
        let weight = layer.weight();
        if let (Some(leaves), Some(dense)) = (&self.leaves, weight.as_dense())
            && kernels::fuses(&[mixed, residual, modulation])
        {
            let precision = self.precision;
            return fused::attended(
                mixed, first, residual, modulation, gate, dense, precision, leaves,
            );
        }
        let own = mixed.narrow(1, first, residual.dim(1)?)?;
        kernels::linear_gated(&own, weight, None, residual, modulation, gate)
    }
}
