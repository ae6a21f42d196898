//! Joint attention with gradients. No matrix of probabilities outlives one head: the backward
//! pass computes them again.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::super::attention;
use super::super::buffer::{Shared, written};
use super::super::features::multiversion;
use super::super::finish::Target;
use super::super::gemm::{Scratch, serial_product};
use super::super::operands::{floats, with_floats};
use super::super::pack::{Kind, View};
use super::super::simd::{exp, lane_sum};
use super::super::tokens::Tokens;
use super::{gradient, output};
use crate::kernels::{Precision, RopeTable};

/// Attention over image and text tokens with gradients; see [`crate::kernels::joint_attention`].
pub fn joint_attention(
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
        let (count, head_dim, width) = (tokens.count(), tokens.head_dim, tokens.width());
        // SAFETY: every head of every batch element writes its columns of all tokens.
        let out = unsafe {
            written::<f32>(tokens.batch * count * width, |out| {
                let out = Shared::new(out.as_mut_ptr().cast::<f32>());
                if attention::attention(tokens, Kind::of(self.precision), Target::F32(out)) {
                    return;
                }
                (0..tokens.batch * tokens.heads)
                    .into_par_iter()
                    .for_each_init(
                        || Head::new(tokens, false),
                        |work, index| {
                            let (item, head) = (index / tokens.heads, index % tokens.heads);
                            self.probabilities(tokens, item, head, work);
                            let (p, v) =
                                (View::rows(&work.p, count), View::rows(&work.v, head_dim));
                            let shape = (count, head_dim, count);
                            serial_product(
                                self.precision,
                                shape,
                                p,
                                v,
                                &mut work.scratch,
                                &mut work.product,
                            );
                            for (token, row) in work.product.chunks_exact(head_dim).enumerate() {
                                let target =
                                    out.at((item * count + token) * width + head * head_dim);
                                std::ptr::copy_nonoverlapping(row.as_ptr(), target, head_dim);
                            }
                        },
                    );
            })
        };
        output(out, (tokens.batch, count, width))
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
        let (count, head_dim, width) = (tokens.count(), tokens.head_dim, tokens.width());
        let scale = 1.0 / (head_dim as f32).sqrt();
        let mut d_image = Vec::<f32>::with_capacity(tokens.image_rows.len());
        let mut d_text = Vec::<f32>::with_capacity(tokens.text_rows.len());
        let targets = [
            Shared::new(d_image.as_mut_ptr()),
            Shared::new(d_text.as_mut_ptr()),
        ];
        (0..tokens.batch * tokens.heads)
            .into_par_iter()
            .for_each_init(
                || Head::new(tokens, true),
                |work, index| {
                    let (item, head) = (index / tokens.heads, index % tokens.heads);
                    self.probabilities(tokens, item, head, work);
                    let first = item * count * width + head * head_dim;
                    let (out, grad) = (&out[first..], View::rows(&grad[first..], width));
                    let store = |part: usize, values: &mut [f32]| {
                        for (token, values) in values.chunks_exact_mut(head_dim).enumerate() {
                            tokens.end(
                                part,
                                token,
                                if part == 0 { scale } else { 1.0 },
                                -1.0,
                                values,
                            );
                            let (is_text, at) = tokens.place(part, item, head, token);
                            // SAFETY: this head's columns of part `part` are written by this job alone.
                            unsafe {
                                let target = targets[usize::from(is_text)].at(at);
                                std::ptr::copy_nonoverlapping(values.as_ptr(), target, head_dim);
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
        // SAFETY: every head of every batch element has written its columns of all three parts.
        unsafe {
            d_image.set_len(tokens.image_rows.len());
            d_text.set_len(tokens.text_rows.len());
        }
        (d_image, d_text)
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
