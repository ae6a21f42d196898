//! Joint attention with gradients. No matrix of probabilities outlives one head: the backward
//! pass computes them again.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::super::buffer::{Shared, written};
use super::super::features::multiversion;
use super::super::gemm::{Scratch, serial_product};
use super::super::pack::View;
use super::super::simd::exp;
use super::{floats, gradient, lane_sum, output, with_floats};
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

/// Sizes of one call.
#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    image: usize,
    text: usize,
    heads: usize,
    head_dim: usize,
}

impl Sizes {
    fn tokens(&self) -> usize {
        self.image + self.text
    }

    fn width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Where token `token` of batch element `item` lies: in the image's (false) or the text's
    /// rows, and which row.
    fn row(&self, item: usize, token: usize) -> (bool, usize) {
        match token.checked_sub(self.image) {
            None => (false, item * self.image + token),
            Some(text) => (true, item * self.text + text),
        }
    }
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
    fn new(sizes: Sizes, backward: bool) -> Self {
        let (tokens, head_dim) = (sizes.tokens(), sizes.head_dim);
        let vector = || vec![0f32; tokens * head_dim];
        Self {
            scratch: Scratch::new(),
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
    fn sizes(&self, image: &Shape, text: Option<&Shape>) -> Result<Sizes> {
        let (batch, tokens, triple) = image.dims3()?;
        let text_tokens = match text {
            Some(text) => match text.dims3()? {
                (b, tokens, t) if (b, t) == (batch, triple) => tokens,
                _ => bail!("attention: image {image:?} and text {text:?} differ"),
            },
            None => 0,
        };
        let width = triple / 3;
        if triple % 3 != 0 || self.heads == 0 || width % self.heads != 0 {
            bail!(
                "attention: {triple} channels are not q, k, v of {} heads",
                self.heads
            );
        }
        let sizes = Sizes {
            batch,
            image: tokens,
            text: text_tokens,
            heads: self.heads,
            head_dim: width / self.heads,
        };
        let angles = sizes.tokens() * (sizes.head_dim / 2);
        if self
            .rope
            .as_ref()
            .is_some_and(|(cos, sin)| cos.len() != angles || sin.len() != angles)
        {
            bail!(
                "attention: the rotation table is not for {} tokens",
                sizes.tokens()
            );
        }
        Ok(sizes)
    }

    /// Rotates one token's channel pairs, backwards when `direction` is −1.
    fn rotate(&self, token: usize, x: &mut [f32], direction: f32) {
        if let Some((cos, sin)) = &self.rope {
            let half = x.len() / 2;
            let angles = cos[token * half..][..half]
                .iter()
                .zip(&sin[token * half..][..half]);
            for (pair, (cos, sin)) in x.chunks_exact_mut(2).zip(angles) {
                let (a, b, sin) = (pair[0], pair[1], direction * sin);
                pair[0] = a * cos - b * sin;
                pair[1] = a * sin + b * cos;
            }
        }
    }

    /// Reads one head's q (rotated and scaled), k (rotated) and v, and computes the probabilities.
    fn probabilities(
        &self,
        image: &[f32],
        text: &[f32],
        sizes: Sizes,
        item: usize,
        head: usize,
        work: &mut Head,
    ) {
        let (tokens, head_dim, width) = (sizes.tokens(), sizes.head_dim, sizes.width());
        let scale = 1.0 / (head_dim as f32).sqrt();
        for (part, target) in [&mut work.q, &mut work.k, &mut work.v]
            .into_iter()
            .enumerate()
        {
            for (token, target) in target.chunks_exact_mut(head_dim).enumerate() {
                let (is_text, row) = sizes.row(item, token);
                let source = if is_text { text } else { image };
                target.copy_from_slice(
                    &source[(row * 3 + part) * width + head * head_dim..][..head_dim],
                );
                if part < 2 {
                    self.rotate(token, target, 1.0);
                }
                if part == 0 {
                    target.iter_mut().for_each(|x| *x *= scale);
                }
            }
        }
        let keys = View::rows(&work.k, head_dim).transposed();
        let shape = (tokens, tokens, head_dim);
        serial_product(
            self.precision,
            shape,
            View::rows(&work.q, head_dim),
            keys,
            &mut work.scratch,
            &mut work.p,
        );
        softmax_rows(&mut work.p, tokens);
    }

    fn forward(&self, image: &[f32], text: &[f32], sizes: Sizes) -> Result<(CpuStorage, Shape)> {
        let (tokens, head_dim, width) = (sizes.tokens(), sizes.head_dim, sizes.width());
        // SAFETY: every head of every batch element writes its columns of all tokens.
        let out = unsafe {
            written::<f32>(sizes.batch * tokens * width, |out| {
                let out = Shared::new(out.as_mut_ptr().cast::<f32>());
                (0..sizes.batch * sizes.heads)
                    .into_par_iter()
                    .for_each_init(
                        || Head::new(sizes, false),
                        |work, index| {
                            let (item, head) = (index / sizes.heads, index % sizes.heads);
                            self.probabilities(image, text, sizes, item, head, work);
                            let (p, v) =
                                (View::rows(&work.p, tokens), View::rows(&work.v, head_dim));
                            let shape = (tokens, head_dim, tokens);
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
                                    out.at((item * tokens + token) * width + head * head_dim);
                                std::ptr::copy_nonoverlapping(row.as_ptr(), target, head_dim);
                            }
                        },
                    );
            })
        };
        output(out, (sizes.batch, tokens, width))
    }

    /// Gradients of the image's and the text's projections.
    fn backward(
        &self,
        image: &[f32],
        text: &[f32],
        sizes: Sizes,
        out: &[f32],
        grad: &[f32],
    ) -> (Vec<f32>, Vec<f32>) {
        let (tokens, head_dim, width) = (sizes.tokens(), sizes.head_dim, sizes.width());
        let scale = 1.0 / (head_dim as f32).sqrt();
        let mut d_image = Vec::<f32>::with_capacity(image.len());
        let mut d_text = Vec::<f32>::with_capacity(text.len());
        let targets = [
            Shared::new(d_image.as_mut_ptr()),
            Shared::new(d_text.as_mut_ptr()),
        ];
        (0..sizes.batch * sizes.heads)
            .into_par_iter()
            .for_each_init(
                || Head::new(sizes, true),
                |work, index| {
                    let (item, head) = (index / sizes.heads, index % sizes.heads);
                    self.probabilities(image, text, sizes, item, head, work);
                    let first = item * tokens * width + head * head_dim;
                    let (out, grad) = (&out[first..], View::rows(&grad[first..], width));
                    let store = |part: usize, values: &mut [f32]| {
                        for (token, values) in values.chunks_exact_mut(head_dim).enumerate() {
                            if part < 2 {
                                self.rotate(token, values, -1.0);
                            }
                            if part == 0 {
                                values.iter_mut().for_each(|x| *x *= scale);
                            }
                            let (is_text, row) = sizes.row(item, token);
                            // SAFETY: this head's columns of part `part` are written by this job alone.
                            unsafe {
                                let target = targets[usize::from(is_text)]
                                    .at((row * 3 + part) * width + head * head_dim);
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
                    let thin = (tokens, head_dim, tokens);
                    serial_product(
                        self.precision,
                        thin,
                        View::rows(p, tokens).transposed(),
                        grad,
                        scratch,
                        product,
                    );
                    store(2, product);
                    let values = View::rows(v, head_dim).transposed();
                    serial_product(
                        self.precision,
                        (tokens, tokens, head_dim),
                        grad,
                        values,
                        scratch,
                        ds,
                    );
                    score_gradients(p, out, grad.data, head_dim, width, ds);
                    let scores = View::rows(ds, tokens);
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
            d_image.set_len(image.len());
            d_text.set_len(text.len());
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
        self.forward(
            floats(a, la)?,
            floats(t, lt)?,
            self.sizes(la.shape(), Some(lt.shape()))?,
        )
    }

    fn bwd(
        &self,
        a: &Tensor,
        t: &Tensor,
        out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let sizes = self.sizes(a.shape(), Some(t.shape()))?;
        let (da, dt) = with_floats(a, |image| {
            with_floats(t, |text| {
                with_floats(out, |out| {
                    with_floats(
                        grad,
                        |grad| Ok(self.backward(image, text, sizes, out, grad)),
                    )
                })
            })
        })?;
        Ok((
            if a.track_op() { gradient(da, a)? } else { None },
            if t.track_op() { gradient(dt, t)? } else { None },
        ))
    }
}

impl CustomOp1 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout) -> Result<(CpuStorage, Shape)> {
        self.forward(floats(a, la)?, &[], self.sizes(la.shape(), None)?)
    }

    fn bwd(&self, a: &Tensor, out: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let sizes = self.sizes(a.shape(), None)?;
        let (da, _) = with_floats(a, |image| {
            with_floats(out, |out| {
                with_floats(grad, |grad| Ok(self.backward(image, &[], sizes, out, grad)))
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
