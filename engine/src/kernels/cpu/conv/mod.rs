//! Convolutions on the CPU, channels last: Winograd for 3×3 with stride 1, a direct product for
//! everything else. One packed copy of the weights serves both.

mod direct;
mod micro;
mod winograd;

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::sync::OnceLock;

use candle_core::{Result, Tensor};

use super::norm;
use super::output::written;
use super::picture::{Size, Source, from_channels_last, with_channels_last};
use crate::kernels::types::{ConvShape, Fused, Padding};
pub(crate) use micro::{PANEL, Rows, multiply};

/// Weights of one convolution, packed once.
pub(crate) struct PackedConv {
    shape: ConvShape,
    /// `[panel][window row][window column][input][16 outputs]`, outputs padded with zeros.
    panels: Vec<f32>,
    bias: Vec<f32>,
    /// Winograd's form of small weights; large ones are transformed at each use, which costs
    /// little beside the product and saves four times the memory.
    transformed: OnceLock<Vec<f32>>,
}

impl std::fmt::Debug for PackedConv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackedConv")
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

/// What one run of a convolution reads for one picture.
struct Job<'a> {
    source: Source<'a>,
    /// Residual of this picture, or empty.
    residual: &'a [f32],
    /// Lowest value of the result: 0 for ReLU.
    floor: f32,
    /// Rows of the result.
    height: usize,
    /// Columns of the result.
    width: usize,
}

impl PackedConv {
    /// Packs weights.
    ///
    /// # Shapes
    /// - weight: `[outputs, inputs, kernel, kernel]`, bias: `[outputs]`
    ///
    /// # Errors
    /// When weight or bias are not of that size, or the shape has a zero.
    pub(crate) fn new(weight: &[f32], bias: Option<&[f32]>, shape: ConvShape) -> Result<Self> {
        let ConvShape {
            inputs,
            outputs,
            kernel,
            ..
        } = shape;
        let taps = kernel * kernel;
        let biases = bias.map_or(outputs, <[f32]>::len);
        if weight.len() != outputs * inputs * taps || weight.is_empty() || biases != outputs {
            candle_core::bail!(
                "{} weights and {biases} biases do not fit the convolution {shape:?}",
                weight.len()
            );
        }
        let mut panels = vec![0f32; outputs.div_ceil(PANEL) * taps * inputs * PANEL];
        for (output, weight) in weight.chunks_exact(inputs * taps).enumerate() {
            for (input, weight) in weight.chunks_exact(taps).enumerate() {
                for (tap, value) in weight.iter().enumerate() {
                    let row = (output / PANEL * taps + tap) * inputs + input;
                    panels[row * PANEL + output % PANEL] = *value;
                }
            }
        }
        let bias = bias.map_or_else(|| vec![0.0; outputs], <[f32]>::to_vec);
        Ok(Self {
            shape,
            panels,
            bias,
            transformed: OnceLock::new(),
        })
    }

    /// Number of 16-wide panels of outputs.
    fn panel_count(&self) -> usize {
        self.shape.outputs.div_ceil(PANEL)
    }

    fn suits_winograd(&self) -> bool {
        let ConvShape {
            inputs,
            outputs,
            kernel,
            stride,
            padding,
        } = self.shape;
        kernel == 3 && stride == 1 && padding == Padding::all(1) && inputs >= 16 && outputs >= 16
    }

    /// The convolution with what is fused around it; see [`crate::kernels::conv::conv2d`].
    ///
    /// # Shapes
    /// - x: `[batch, inputs, height, width]`
    /// - result and residual: `[batch, outputs, height', width']`
    pub(crate) fn run(&self, x: &Tensor, fused: Fused) -> Result<Tensor> {
        let size = Size::of(x)?;
        let shape = self.shape;
        let doubled = |side: usize| side << usize::from(fused.upsample);
        let (height, width) = match (
            shape.output_side(doubled(size.height)),
            shape.output_side(doubled(size.width)),
        ) {
            (Some(height), Some(width)) if size.channels == shape.inputs => (height, width),
            _ => candle_core::bail!("a picture of {size:?} does not fit the convolution {shape:?}"),
        };
        let out_size = Size {
            batch: size.batch,
            channels: shape.outputs,
            height,
            width,
        };
        if let Some(residual) = fused.residual
            && Size::of(residual)? != out_size
        {
            candle_core::bail!(
                "the residual {:?} is not the result's {out_size:?}",
                residual.dims()
            );
        }
        let norm = fused
            .norm_silu
            .map(|norm| norm::Parameters::read(norm, size.channels))
            .transpose()?;
        let values = with_channels_last(x, |values| {
            let affines = norm.map(|norm| norm.affine(values, size));
            let run = |residual: &[f32]| {
                let write = |out: &mut [MaybeUninit<f32>]| {
                    let jobs: Vec<Job> = (0..size.batch)
                        .map(|b| Job {
                            source: Source {
                                values: &values[b * size.picture()..][..size.picture()],
                                channels: size.channels,
                                height: size.height,
                                width: size.width,
                                upsample: fused.upsample,
                                norm_silu: affines.as_ref().map(|all| all.of(b)),
                            },
                            residual: residual
                                .get(b * out_size.picture()..(b + 1) * out_size.picture())
                                .unwrap_or(&[]),
                            floor: if fused.relu { 0.0 } else { f32::NEG_INFINITY },
                            height,
                            width,
                        })
                        .collect();
                    if self.suits_winograd() {
                        winograd::run(self, &jobs, out)
                    } else {
                        direct::run(self, &jobs, out)
                    }
                };
                // SAFETY: both methods write every channel of every pixel of the result.
                unsafe { written(out_size.batch * out_size.picture(), write) }
            };
            match fused.residual {
                Some(residual) => with_channels_last(residual, run),
                None => Ok(run(&[])),
            }
        })??;
        from_channels_last(values, out_size)
    }
}

/// Nearest upsampling of `x` by two with the channels of `skip` behind; see
/// [`crate::kernels::conv::upsample_concat`].
///
/// # Shapes
/// - x: `[batch, a, height, width]`, skip: `[batch, b, 2·height, 2·width]`
/// - result: `[batch, a + b, 2·height, 2·width]`
pub(crate) fn upsample_concat(x: &Tensor, skip: &Tensor) -> Result<Tensor> {
    let (below, beside) = (Size::of(x)?, Size::of(skip)?);
    let (a, b) = (below.channels, beside.channels);
    if (beside.batch, beside.height, beside.width)
        != (below.batch, 2 * below.height, 2 * below.width)
    {
        candle_core::bail!("a skip of {beside:?} does not fit behind {below:?} doubled");
    }
    let size = Size {
        channels: a + b,
        ..beside
    };
    let joined = with_channels_last(x, |x| {
        with_channels_last(skip, |skip| {
            let mut joined = vec![0f32; size.batch * size.picture()];
            for (row, line) in joined
                .chunks_exact_mut((size.width * (a + b)).max(1))
                .enumerate()
            {
                let source = &x[row / 2 * below.width * a..][..below.width * a];
                let skip = &skip[row * size.width * b..][..size.width * b];
                for (column, pixel) in line.chunks_exact_mut(a + b).enumerate() {
                    pixel[..a].copy_from_slice(&source[column / 2 * a..][..a]);
                    pixel[a..].copy_from_slice(&skip[column * b..][..b]);
                }
            }
            joined
        })
    })??;
    from_channels_last(joined, size)
}

/// Working memory of one thread, kept between calls: allocating it anew would cost a page fault
/// for every 4 KB.
#[derive(Default)]
struct Scratch {
    patch: Vec<f32>,
    left: Vec<f32>,
    sums: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// At least `len` values of a vector that keeps its memory.
fn at_least(values: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if values.len() < len {
        values.resize(len, 0.0);
    }
    &mut values[..len]
}

#[cfg(test)]
mod tests;
