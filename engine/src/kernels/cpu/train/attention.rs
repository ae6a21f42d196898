//! Joint attention with gradients. No matrix of probabilities outlives one head: the backward
//! pass computes them again.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::super::attention;
use super::super::features::multiversion;
use super::super::gemm::{Scratch, serial_product};
use super::super::operands::{floats, with_floats};
use super::super::output::{Block, Slot, blocks, written};
use super::super::pack::{Kind, View};
use super::super::simd::{exp, lane_sum};
use super::super::tokens::Tokens;
use super::{gradient, output};
use crate::kernels::types::RopeTable;
use crate::precision::Precision;

/// Attention over image and text tokens with gradients; see [`crate::kernels::joint_attention`].
///
/// # Shapes
/// - image_qkv: `[batch, image tokens, 3 · width]`
/// - text_qkv: `[batch, text tokens, 3 · width]`, or `None` when one stream holds all tokens
/// - result: `[batch, image + text tokens, width]`
pub(crate) fn joint_attention(
    image_qkv: &Tensor,
    text_qkv: Option<&Tensor>,
    heads: usize,
    rope: Option<&RopeTable>,
    precision: Precision,
) -> Result<Tensor> {
    let rope = match rope {
        Some(rope) => Some((
            rope.cos.flatten_all()?.to_vec1::<f32>()?,
            rope.sin.flatten_all()?.to_vec1::<f32>()?,
        )),
        None => None,
    };
    let operation = Attention {
        heads,
        rope,
        precision,
    };
    match text_qkv {
        Some(text) => image_qkv
            .contiguous()?
            .apply_op2(&text.contiguous()?, operation),
        None => image_qkv.contiguous()?.apply_op1(operation),
    }
}

struct Attention {
    heads: usize,
    rope: Option<(Vec<f32>, Vec<f32>)>,
    precision: Precision,
}

/// Working memory of one head.
struct Head {
    scratch: Scratch,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    /// Probabilities, `[tokens, tokens]`.
    p: Vec<f32>,
    /// Gradient of the scores, `[tokens, tokens]`; empty in the forward pass.
    ds: Vec<f32>,
    /// A product of shape `[tokens, head_dim]`.
    product: Vec<f32>,
}

impl Head {
    fn new(tokens: &Tokens, backward: bool) -> Self {
        let (tokens, head_dim) = (tokens.count(), tokens.head_dim);
        let vector = || vec![0f32; tokens * head_dim];
        Self {
            scratch: Scratch::default(),
            q: vector(),
            k: vector(),
            v: vector(),
            p: vec![0f32; tokens * tokens],
            ds: vec![0f32; if backward { tokens * tokens } else { 0 }],
            product: vector(),
        }
    }
}

impl Attention {
    fn rope(&self) -> Option<(&[f32], &[f32])> {
        self.rope.as_ref().map(|(cos, sin)| (&cos[..], &sin[..]))
    }

    fn forward(&self, tokens: &Tokens) -> Result<(CpuStorage, Shape)> {
        let (count, width) = (tokens.count(), tokens.width());
        // SAFETY: both ways write every element: the second one a head's columns of all tokens in
        // each job.
        let out = unsafe {
            written::<f32>(tokens.batch * count * width, |out| {
                if !attention::attention(tokens, Kind::of(self.precision), out) {
                    self.head_by_head(tokens, out);
                }
            })
        };
        output(out, (tokens.batch, count, width))
    }

    /// Attention by products of whole matrices, for processors without the blocked kernel.
    fn head_by_head<S: Slot>(&self, tokens: &Tokens, out: &mut [S]) {
        let (count, head_dim, width) = (tokens.count(), tokens.head_dim, tokens.width());
        if out.is_empty() {
            return;
        }
        let heads: Vec<Block<S>> = out
            .chunks_mut(count * width)
            .flat_map(|item| blocks(item, width, count, head_dim))
            .collect();
        heads.into_par_iter().enumerate().for_each_init(
            || Head::new(tokens, false),
            |work, (index, rows)| {
                let (item, head) = (index / tokens.heads, index % tokens.heads);
                self.probabilities(tokens, item, head, work);
                let (p, v) = (View::rows(&work.p, count), View::rows(&work.v, head_dim));
                serial_product(
                    self.precision,
                    (count, head_dim, count),
                    p,
                    v,
                    &mut work.scratch,
                    &mut work.product,
                );
                for (row, values) in rows.into_iter().zip(work.product.chunks_exact(head_dim)) {
                    for (slot, value) in row.iter_mut().zip(values) {
                        slot.put(*value);
                    }
                }
            },
        );
    }

    /// Reads one head's q (rotated and scaled), k (rotated) and v, and computes the probabilities.
    fn probabilities(&self, tokens: &Tokens, item: usize, head: usize, work: &mut Head) {
        let (count, head_dim) = (tokens.count(), tokens.head_dim);
        let scale = 1.0 / (head_dim as f32).sqrt();
        tokens.read(0, item, head, 0..count, scale, &mut work.q);
        tokens.read(1, item, head, 0..count, 1.0, &mut work.k);
        tokens.read(2, item, head, 0..count, 1.0, &mut work.v);
        let keys = View::rows(&work.k, head_dim).transposed();
        let shape = (count, count, head_dim);
        serial_product(
            self.precision,
            shape,
            View::rows(&work.q, head_dim),
            keys,
            &mut work.scratch,
            &mut work.p,
        );
        softmax_rows(&mut work.p, count);
    }

    /// Gradients of the image's and the text's projections.
    fn backward(&self, tokens: &Tokens, out: &[f32], grad: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let mut d_text = Vec::new();
        // SAFETY: the jobs write each head's columns of q, k and v, of all tokens of both streams.
        let d_image = unsafe {
            written(tokens.image_rows.len(), |d_image| {
                d_text = written(tokens.text_rows.len(), |d_text| {
                    self.write_gradients(tokens, out, grad, d_image, d_text);
                });
            })
        };
        (d_image, d_text)
    }

    /// Writes every element of both gradients.
    fn write_gradients<S: Slot>(
        &self,
        tokens: &Tokens,
        out: &[f32],
        grad: &[f32],
        d_image: &mut [S],
        d_text: &mut [S],
    ) {
        let (count, head_dim, width) = (tokens.count(), tokens.head_dim, tokens.width());
        assert_eq!(d_image.len(), tokens.batch * tokens.image * 3 * width);
        assert_eq!(d_text.len(), tokens.batch * tokens.text * 3 * width);
        if count * width == 0 {
            return;
        }
        let scale = 1.0 / (head_dim as f32).sqrt();
        // Of each head the columns of q, k and v: in the image's rows, then in the text's.
        let mut heads: Vec<Vec<Block<S>>> = Vec::new();
        heads.resize_with(tokens.batch * tokens.heads, Vec::new);
        for (rows, stream) in [(tokens.image, d_image), (tokens.text, d_text)] {
            if rows == 0 {
                continue;
            }
            for (index, block) in blocks(stream, 3 * width, rows, head_dim).enumerate() {
                let (item, column) = (index / (3 * tokens.heads), index % (3 * tokens.heads));
                heads[item * tokens.heads + column % tokens.heads].push(block);
            }
        }
        heads.into_par_iter().enumerate().for_each_init(
            || Head::new(tokens, true),
            |work, (index, mut targets)| {
                let (item, head) = (index / tokens.heads, index % tokens.heads);
                self.probabilities(tokens, item, head, work);
                let first = item * count * width + head * head_dim;
                let (out, grad) = (&out[first..], View::rows(&grad[first..], width));
                let mut store = |part: usize, values: &mut [f32]| {
                    let rows = targets.iter_mut().skip(part).step_by(3).flatten();
                    for (token, (row, values)) in
                        rows.zip(values.chunks_exact_mut(head_dim)).enumerate()
                    {
                        let scale = if part == 0 { scale } else { 1.0 };
                        tokens.end(part, token, scale, -1.0, values);
                        for (slot, value) in row.iter_mut().zip(values) {
                            slot.put(*value);
                        }
                    }
                };
                let Head {
                    scratch,
                    q,
                    k,
                    v,
                    p,
                    ds,
                    product,
                } = work;
                let thin = (count, head_dim, count);
                serial_product(
                    self.precision,
                    thin,
                    View::rows(p, count).transposed(),
                    grad,
                    scratch,
                    product,
                );
                store(2, product);
                let values = View::rows(v, head_dim).transposed();
                serial_product(
                    self.precision,
                    (count, count, head_dim),
                    grad,
                    values,
                    scratch,
                    ds,
                );
                score_gradients(p, out, grad.data, head_dim, width, ds);
                let scores = View::rows(ds, count);
                serial_product(
                    self.precision,
                    thin,
                    scores,
                    View::rows(k, head_dim),
                    scratch,
                    product,
                );
                store(0, product);
                serial_product(
                    self.precision,
                    thin,
                    scores.transposed(),
                    View::rows(q, head_dim),
                    scratch,
                    product,
                );
                store(1, product);
            },
        );
    }
}

impl CustomOp2 for Attention {
    fn name(&self) -> &'static str {
        "joint attention"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        la: &Layout,
        t: &CpuStorage,
        lt: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (image, text) = ((floats(a, la)?, la.shape()), (floats(t, lt)?, lt.shape()));
        self.forward(&Tokens::new(image, Some(text), self.heads, self.rope())?)
    }

    fn bwd(
        &self,
        a: &Tensor,
        t: &Tensor,
        out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (da, dt) = with_floats(a, |image| {
            with_floats(t, |text| {
                let (image, text) = ((image, a.shape()), (text, t.shape()));
                let tokens = Tokens::new(image, Some(text), self.heads, self.rope())?;
                with_floats(out, |out| {
                    with_floats(grad, |grad| Ok(self.backward(&tokens, out, grad)))
                })
            })
        })?;
        Ok((gradient(da, a)?, gradient(dt, t)?))
    }
}

impl CustomOp1 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout) -> Result<(CpuStorage, Shape)> {
        self.forward(&Tokens::new(
            (floats(a, la)?, la.shape()),
            None,
            self.heads,
            self.rope(),
        )?)
    }

    fn bwd(&self, a: &Tensor, out: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (da, _) = with_floats(a, |image| {
            let tokens = Tokens::new((image, a.shape()), None, self.heads, self.rope())?;
            with_floats(out, |out| {
                with_floats(grad, |grad| Ok(self.backward(&tokens, out, grad)))
            })
        })?;
        gradient(da, a)
    }
}

multiversion! {
    fn softmax_rows(scores: &mut [f32], width: usize) {
        for row in scores.chunks_exact_mut(width) {
            let mut top = [f32::MIN; 16];
            let (chunks, rest) = row.as_chunks::<16>();
            for chunk in chunks {
                for (top, value) in top.iter_mut().zip(chunk) {
                    *top = if *value > *top { *value } else { *top };
                }
            }
            let top = top.iter().chain(rest).fold(f32::MIN, |a, b| if *b > a { *b } else { a });
            for value in row.iter_mut() {
                *value = exp(*value - top);
            }
            let inverse = 1.0 / lane_sum(row.len(), |i| row[i]);
            for value in row.iter_mut() {
                *value *= inverse;
            }
        }
    }
}

multiversion! {
    /// `ds = p · (dp − Σ grad · out)` in place of dp, row by row.
    fn score_gradients(p: &[f32], out: &[f32], grad: &[f32], head_dim: usize, width: usize, ds: &mut [f32]) {
        let tokens = p.len().isqrt();
        for (row, (ds, p)) in ds.chunks_exact_mut(tokens).zip(p.chunks_exact(tokens)).enumerate() {
            let (out, grad) = (&out[row * width..][..head_dim], &grad[row * width..][..head_dim]);
            let dot = lane_sum(head_dim, |i| grad[i] * out[i]);
            for (ds, p) in ds.iter_mut().zip(p) {
                *ds = p * (*ds - dot);
            }
        }
    }
}
