//! The fused operations without gradients, on packed weights.
//!
//! In the fast mode, activations that only feed a product are stored as bf16: the product would
//! round them anyway, so its bytes are the same and half the memory moves.

use candle_core::{CpuStorage, DType, Device, Result, Storage, Tensor, bail};
use half::bf16;
use rayon::prelude::*;

use super::attention::attention;
use super::features::multiversion;
use super::finish::{Finish, Gated};
use super::gemm::weight_product;
use super::layer_norm;
use super::operands::{chunk_range, with_floats};
use super::output::written;
use super::pack::{Elements, Kind, Left};
use super::simd::bf16_bits;
use super::tokens::Tokens;
use super::weight::PackedWeight;
use crate::kernels::types::{Activation, LAYER_NORM_EPS, RopeTable};
use crate::precision::Precision;

/// Gate and residual that end a branch.
pub(crate) struct Branch<'a> {
    /// What the branch is added to, `[batch, tokens, out]`.
    pub residual: &'a Tensor,
    /// `[batch, chunks · out]`.
    pub modulation: &'a Tensor,
    /// Chunk of the modulation that is the gate.
    pub chunk: usize,
}

/// `activation(x · weightᵀ + bias)`, then gate and residual. `narrow` asks for a bf16 result
/// where the next product works on bf16.
///
/// # Shapes
/// - x: `[.., in]`, bias: `[out]`, result: `[.., out]`
pub(crate) fn linear(
    x: &Tensor,
    weight: &PackedWeight,
    bias: Option<&Tensor>,
    activation: Activation,
    branch: Option<Branch>,
    narrow: bool,
) -> Result<Tensor> {
    let (n, k) = (weight.outputs(), weight.inputs());
    let mut dims = x.dims().to_vec();
    if dims.pop() != Some(k) {
        bail!(
            "linear: input {:?} does not fit weight [{n}, {k}]",
            x.dims()
        );
    }
    let m: usize = dims.iter().product();
    dims.push(n);
    let (x, tokens, item) = token_rows(x)?;
    let bias = match bias {
        Some(bias) if bias.dims() != [n] => {
            bail!("linear: bias {:?} does not fit {n} outputs", bias.dims())
        }
        Some(bias) => Some(bias.to_vec1::<f32>()?),
        None => None,
    };
    let (storage, layout) = x.storage_and_layout();
    let offset = layout.start_offset();
    let data = match &*storage {
        Storage::Cpu(CpuStorage::F32(data)) => Elements::F32(&data[offset..]),
        Storage::Cpu(CpuStorage::BF16(data)) => Elements::Bf16(&data[offset..]),
        _ => bail!("a packed weight multiplies f32 and bf16 on the CPU only"),
    };
    let left = Left::Tokens {
        data,
        width: k,
        tokens,
        item,
    };
    let end = Finish {
        n,
        bias: bias.as_deref(),
        activation,
        gated: None,
    };
    let Some(branch) = branch else {
        if narrow && weight.kind() == Kind::Bf16 {
            // SAFETY: the product writes every element.
            let y = unsafe { written::<bf16>(m * n, |y| weight_product(m, left, weight, &end, y)) };
            return Tensor::from_vec(y, dims, &Device::Cpu);
        }
        // SAFETY: the product writes every element.
        let y = unsafe { written::<f32>(m * n, |y| weight_product(m, left, weight, &end, y)) };
        return Tensor::from_vec(y, dims, &Device::Cpu);
    };
    let (batch, size) = branch.modulation.dims2()?;
    if branch.residual.dims() != dims
        || batch == 0
        || !m.is_multiple_of(batch)
        || dims.first() != Some(&batch)
    {
        bail!(
            "gate: branch {dims:?}, residual {:?}, modulation [{batch}, {size}]",
            branch.residual.dims()
        );
    }
    let chunk = chunk_range(size, branch.chunk, n)?;
    with_floats(branch.residual, |residual| {
        with_floats(branch.modulation, |modulation| {
            let gated = Gated {
                residual,
                gate: &modulation[chunk.start..],
                stride: size,
                tokens: (m / batch).max(1),
            };
            let end = Finish {
                gated: Some(gated),
                ..end
            };
            // SAFETY: the product writes every element.
            let y = unsafe { written::<f32>(m * n, |y| weight_product(m, left, weight, &end, y)) };
            Tensor::from_vec(y, dims, &Device::Cpu)
        })
    })
}

/// The tensor such that its rows can be read in place, with the rows of a batch element and the
/// elements between two of them. A stretch of tokens of a longer sequence needs no copy.
fn token_rows(x: &Tensor) -> Result<(Tensor, usize, usize)> {
    if let (&[_, tokens, width], &[item, row, 1]) = (x.dims(), x.stride())
        && row == width
        && tokens > 0
    {
        return Ok((x.clone(), tokens, item));
    }
    let rows = x.elem_count() / x.dims().last().copied().unwrap_or(1).max(1);
    Ok((x.contiguous()?, rows.max(1), x.elem_count()))
}

/// `LN(x) · (1 + scale) + shift`; a bf16 result in the fast mode.
///
/// # Shapes
/// - x and result: `[batch, tokens, width]`, modulation: `[batch, chunks · width]`
pub(crate) fn layer_norm_modulate(
    x: &Tensor,
    modulation: &Tensor,
    shift_chunk: usize,
    scale_chunk: usize,
    precision: Precision,
) -> Result<Tensor> {
    let (batch, tokens, width) = x.dims3()?;
    let (rows, size) = modulation.dims2()?;
    if rows != batch {
        bail!(
            "layer norm: input {:?}, modulation {:?}",
            x.dims(),
            modulation.dims()
        );
    }
    let (shift, scale) = (
        chunk_range(size, shift_chunk, width)?,
        chunk_range(size, scale_chunk, width)?,
    );
    let dims = x.dims();
    with_floats(x, |x| {
        with_floats(modulation, |m| {
            let parts = |row: usize| {
                let m = &m[row / tokens * size..][..size];
                (&m[shift.clone()], &m[scale.clone()])
            };
            if Kind::of(precision) == Kind::F32 {
                let mut y = vec![0f32; x.len()];
                y.par_chunks_mut(width)
                    .zip(x.par_chunks(width))
                    .enumerate()
                    .with_min_len(32)
                    .for_each(|(row, (y, x))| {
                        let (shift, scale) = parts(row);
                        layer_norm::modulated(x, shift, scale, LAYER_NORM_EPS as f32, y);
                    });
                return Tensor::from_vec(y, dims, &Device::Cpu);
            }
            let mut y = vec![bf16::ZERO; x.len()];
            y.par_chunks_mut(width)
                .zip(x.par_chunks(width))
                .enumerate()
                .with_min_len(32)
                .for_each_init(
                    || vec![0f32; width],
                    |line, (row, (y, x))| {
                        let (shift, scale) = parts(row);
                        layer_norm::modulated(x, shift, scale, LAYER_NORM_EPS as f32, line);
                        round(line, bytemuck::cast_slice_mut(y));
                    },
                );
            Tensor::from_vec(y, dims, &Device::Cpu)
        })
    })
}

multiversion! {
    fn round(values: &[f32], target: &mut [u16]) {
        for (target, value) in target.iter_mut().zip(values) {
            *target = bf16_bits(*value) as u16;
        }
    }
}

/// `LN(x) · weight + bias`, row by row.
///
/// # Shapes
/// - x and result: `[.., width]`, weight and bias: `[width]`
pub(crate) fn layer_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    epsilon: f64,
) -> Result<Tensor> {
    let width = weight.dims1()?;
    if bias.dims() != [width] || x.dims().last() != Some(&width) || width == 0 {
        bail!(
            "layer norm: input {:?}, weight [{width}], bias {:?}",
            x.dims(),
            bias.dims()
        );
    }
    let dims = x.dims();
    with_floats(x, |x| {
        with_floats(weight, |weight| {
            with_floats(bias, |bias| {
                let mut y = vec![0f32; x.len()];
                let rows = y
                    .par_chunks_mut(width)
                    .zip(x.par_chunks(width))
                    .with_min_len(32);
                rows.for_each(|(y, x)| layer_norm::affine(x, weight, bias, epsilon as f32, y));
                Tensor::from_vec(y, dims, &Device::Cpu)
            })
        })
    })
}

/// Joint attention; `None` where the blocked kernel does not apply. A bf16 result in the fast mode.
///
/// # Shapes
/// - as [`crate::kernels::joint_attention`]
pub(crate) fn joint_attention(
    image_qkv: &Tensor,
    text_qkv: Option<&Tensor>,
    heads: usize,
    rope: Option<&RopeTable>,
    precision: Precision,
) -> Result<Option<Tensor>> {
    let angles = match rope {
        Some(rope) => Some((
            rope.cos.flatten_all()?.to_vec1::<f32>()?,
            rope.sin.flatten_all()?.to_vec1::<f32>()?,
        )),
        None => None,
    };
    let angles = angles.as_ref().map(|(cos, sin)| (&cos[..], &sin[..]));
    with_floats(image_qkv, |image| {
        let run = |text: Option<(&[f32], &candle_core::Shape)>| {
            let tokens = Tokens::new((image, image_qkv.shape()), text, heads, angles)?;
            let dims = (tokens.batch, tokens.count(), tokens.width());
            let (len, kind) = (dims.0 * dims.1 * dims.2, Kind::of(precision));
            if kind == Kind::Bf16 {
                let mut y = vec![bf16::ZERO; len];
                return attention(&tokens, kind, &mut y)
                    .then(|| Tensor::from_vec(y, dims, &Device::Cpu))
                    .transpose();
            }
            let mut y = vec![0f32; len];
            attention(&tokens, kind, &mut y)
                .then(|| Tensor::from_vec(y, dims, &Device::Cpu))
                .transpose()
        };
        match text_qkv {
            Some(text) => with_floats(text, |rows| run(Some((rows, text.shape())))),
            None => run(None),
        }
    })
}

/// Whether a tensor is something that these functions read: one of their numbers, without a gradient.
///
/// # Shapes
/// - x: any
pub(crate) fn readable(x: &Tensor) -> bool {
    !x.track_op() && matches!(x.dtype(), DType::F32 | DType::BF16)
}
