//! One transformer block: two streams that meet in one attention (paper section 3.2).

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::config::DitConfig;
use crate::kernels::branch::{self, LeafGradients, MlpLayers, NormChunks};
use crate::kernels::{self, Precision, RopeTable, Route, Weight};
use crate::model::linear::Linear;
use crate::model::load_options::LoadOptions;

// Chunks of a stream's modulation vector, in checkpoint order.
const SHIFT_ATTENTION: usize = 0;
const SCALE_ATTENTION: usize = 1;
const GATE_ATTENTION: usize = 2;
const SHIFT_MLP: usize = 3;
const SCALE_MLP: usize = 4;
const GATE_MLP: usize = 5;
/// First chunk of the text stream.
const TEXT_CHUNKS: usize = 6;

/// The projections to q, k and v of one stream as one matrix `[3 · width, width]`.
fn load_qkv(vb: &VarBuilder, suffix: &str, width: usize, options: LoadOptions) -> Result<Weight> {
    let get = |part: &str| vb.get((width, width), &format!("to_{part}{suffix}.weight"));
    let parts = [get("q")?, get("k")?, get("v")?];
    let LoadOptions {
        route,
        storage,
        precision,
        trainable,
    } = options;
    if trainable {
        return Weight::trainable_stack(parts, precision, route);
    }
    Weight::frozen(Tensor::cat(&parts, 0)?, storage, precision, route)
}

/// Joint attention of both streams: own projections for each, one softmax over all tokens.
#[derive(Clone, Debug)]
pub struct Attention {
    heads: usize,
    precision: Precision,
    route: Route,
    image: Weight,
    text: Option<Weight>,
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
        let text = |suffix| load_qkv(vb, suffix, width, options);
        let out = |name: &str| Linear::load(&vb.pp(name), width, width, false, options);
        Ok(Self {
            heads: config.heads,
            precision: options.precision,
            route: options.route,
            image: load_qkv(vb, "", width, options)?,
            text: config.dual_stream.then(|| text("_t")).transpose()?,
            image_out: out("to_out")?,
            text_out: config.dual_stream.then(|| out("to_out_t")).transpose()?,
        })
    }

    /// One softmax over the projected tokens of both streams; `text` is `None` where one projection
    /// serves all tokens.
    ///
    /// # Shapes
    /// - image: `[batch, image tokens, 3 · width]`, text: `[batch, text tokens, 3 · width]`
    /// - result: `[batch, image + text tokens, width]`
    fn attend(
        &self,
        image: &Tensor,
        text: Option<&Tensor>,
        rope: Option<&RopeTable>,
    ) -> Result<Tensor> {
        kernels::joint_attention(image, text, self.heads, rope, self.precision, self.route)
    }

    /// Attention of normalised tokens before the output projections.
    ///
    /// # Shapes
    /// - image: `[batch, image tokens, width]`, text: `[batch, text tokens, width]`
    /// - result: `[batch, image + text tokens, width]`
    fn project_and_attend(
        &self,
        image: &Tensor,
        text: &Tensor,
        rope: Option<&RopeTable>,
    ) -> Result<Tensor> {
        let project = |x: &Tensor, weight: &Weight| kernels::linear(x, weight, None);
        match &self.text {
            Some(weight) => {
                let (image, text) = (project(image, &self.image)?, project(text, weight)?);
                self.attend(&image, Some(&text), rope)
            }
            None => {
                let all = project(&Tensor::cat(&[image, text], 1)?, &self.image)?;
                self.attend(&all, None, rope)
            }
        }
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
        let attended = self.project_and_attend(image, text, rope)?;
        let part = |first, count| attended.narrow(1, first, count);
        Ok((
            self.image_out.forward(&part(0, image_tokens)?)?,
            self.text_out().forward(&part(image_tokens, text_tokens)?)?,
        ))
    }
}

/// Linear, GELU, linear.
#[derive(Clone, Debug)]
struct Mlp {
    up: Linear,
    down: Linear,
}

impl Mlp {
    fn load(vb: &VarBuilder, config: &DitConfig, options: LoadOptions) -> Result<Self> {
        let (width, inner) = (config.hidden, config.mlp_width());
        Ok(Self {
            up: Linear::load(&vb.pp("0"), width, inner, true, options)?,
            down: Linear::load(&vb.pp("2"), inner, width, true, options)?,
        })
    }

    fn layers(&self) -> Result<MlpLayers<'_>> {
        fn layer(linear: &Linear) -> Result<(&Weight, &Tensor)> {
            match linear.bias() {
                Some(bias) => Ok((linear.weight(), bias)),
                None => candle_core::bail!("the MLP has no bias"),
            }
        }
        Ok(MlpLayers {
            up: layer(&self.up)?,
            down: layer(&self.down)?,
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
    /// Where fused branches leave the gradients of their weights.
    leaves: LeafGradients,
}

impl Block {
    /// Loads a block from `blocks.i`.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(vb: &VarBuilder, config: &DitConfig, options: LoadOptions) -> Result<Self> {
        Self::load_with(vb, config, options, LeafGradients::default())
    }

    /// As [`Block::load`], with the store of leaf gradients that the blocks of a network share.
    pub(super) fn load_with(
        vb: &VarBuilder,
        config: &DitConfig,
        options: LoadOptions,
        leaves: LeafGradients,
    ) -> Result<Self> {
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
            leaves,
        })
    }

    /// Takes the gradient of a weight that fused branches have left since the last time.
    ///
    /// # Shapes
    /// - weight and result: any, equal
    pub fn take_leaf_gradient(&self, weight: &Tensor) -> Option<Tensor> {
        self.leaves.take(weight)
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

    /// The attention of this block.
    pub fn attention(&self) -> &Attention {
        &self.attention
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
        // One stream for all tokens has one set of modulation vectors.
        let text_chunks = self.mlp_text.as_ref().map_or(0, |_| TEXT_CHUNKS);
        let attended = self.attention_of(image, text, modulation, text_chunks, rope)?;
        let stream = |residual: &Tensor, layer: &Linear, mlp: &Mlp, first: usize, chunks: usize| {
            let x = branch::attention_output(
                &attended,
                first,
                residual,
                modulation,
                chunks + GATE_ATTENTION,
                layer.weight(),
                &self.leaves,
            )?;
            let norm = NormChunks {
                shift: chunks + SHIFT_MLP,
                scale: chunks + SCALE_MLP,
            };
            let gate = chunks + GATE_MLP;
            branch::mlp(&x, modulation, norm, gate, mlp.layers()?, &self.leaves)
        };
        let mlp_text = self.mlp_text.as_ref().unwrap_or(&self.mlp_image);
        let image_tokens = image.dim(1)?;
        Ok((
            stream(image, &self.attention.image_out, &self.mlp_image, 0, 0)?,
            stream(
                text,
                self.attention.text_out(),
                mlp_text,
                image_tokens,
                text_chunks,
            )?,
        ))
    }

    /// What the tokens of both streams attend to, image tokens first.
    fn attention_of(
        &self,
        image: &Tensor,
        text: &Tensor,
        modulation: &Tensor,
        text_chunks: usize,
        rope: Option<&RopeTable>,
    ) -> Result<Tensor> {
        let norm = |chunks: usize| NormChunks {
            shift: chunks + SHIFT_ATTENTION,
            scale: chunks + SCALE_ATTENTION,
        };
        let attention = &self.attention;
        let Some(text_weight) = &attention.text else {
            // All tokens are projected together, once each stream is normalised.
            let normalise = |x: &Tensor| {
                let NormChunks { shift, scale } = norm(0);
                let (precision, route) = (attention.precision, attention.route);
                kernels::layer_norm_modulate(x, modulation, shift, scale, precision, route)
            };
            return attention.project_and_attend(&normalise(image)?, &normalise(text)?, rope);
        };
        let leaves = &self.leaves;
        let image = branch::qkv(image, modulation, norm(0), &attention.image, leaves)?;
        let text = branch::qkv(text, modulation, norm(text_chunks), text_weight, leaves)?;
        attention.attend(&image, Some(&text), rope)
    }
}
