//! Queries, keys and values where the projections left them: image rows, then text rows, each
//! with q, k and v of all heads side by side.

use std::ops::Range;

use candle_core::{Result, Shape, bail};

use super::features::multiversion;

/// The operands of one attention.
#[derive(Clone, Copy)]
pub(crate) struct Tokens<'a> {
    /// Image rows, `[batch, image, 3 · width]`.
    pub image_rows: &'a [f32],
    /// Text rows, `[batch, text, 3 · width]`.
    pub text_rows: &'a [f32],
    /// Cosines and sines, `[image + text, head_dim / 2]` each.
    pub rope: Option<(&'a [f32], &'a [f32])>,
    /// Batch elements.
    pub batch: usize,
    /// Image tokens.
    pub image: usize,
    /// Text tokens.
    pub text: usize,
    /// Heads.
    pub heads: usize,
    /// Channels of a head.
    pub head_dim: usize,
}

impl<'a> Tokens<'a> {
    /// Checks the shapes and takes the slices.
    pub(crate) fn new(
        (image_rows, image): (&'a [f32], &Shape),
        text: Option<(&'a [f32], &Shape)>,
        heads: usize,
        rope: Option<(&'a [f32], &'a [f32])>,
    ) -> Result<Self> {
        let (batch, image, triple) = image.dims3()?;
        let (text_rows, text) = match text {
            Some((rows, shape)) => match shape.dims3()? {
                (b, tokens, t) if (b, t) == (batch, triple) => (rows, tokens),
                _ => {
                    bail!("attention: image [{batch}, {image}, {triple}] and text {shape:?} differ")
                }
            },
            None => (&[][..], 0),
        };
        let width = triple / 3;
        if triple % 3 != 0 || heads == 0 || width % heads != 0 {
            bail!("attention: {triple} channels are not q, k, v of {heads} heads");
        }
        let head_dim = width / heads;
        let angles = (image + text) * (head_dim / 2);
        if rope.is_some_and(|(cos, sin)| cos.len() != angles || sin.len() != angles) {
            bail!(
                "attention: the rotation table is not for {} tokens",
                image + text
            );
        }
        Ok(Self {
            image_rows,
            text_rows,
            rope,
            batch,
            image,
            text,
            heads,
            head_dim,
        })
    }

    /// Tokens of both streams.
    pub(crate) fn count(&self) -> usize {
        self.image + self.text
    }

    /// Channels of all heads.
    pub(crate) fn width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Where token `token` of batch element `item` lies: in the image's (false) or the text's
    /// rows, and where part `part` (q, k, v) of head `head` starts.
    pub(crate) fn place(
        &self,
        part: usize,
        item: usize,
        head: usize,
        token: usize,
    ) -> (bool, usize) {
        let (is_text, row) = match token.checked_sub(self.image) {
            None => (false, item * self.image + token),
            Some(text) => (true, item * self.text + text),
        };
        (
            is_text,
            (row * 3 + part) * self.width() + head * self.head_dim,
        )
    }

    /// Reads q, k or v (0, 1, 2) of one head for some tokens; q and k are rotated, and all is
    /// multiplied by `scale`.
    pub(crate) fn read(
        &self,
        part: usize,
        item: usize,
        head: usize,
        tokens: Range<usize>,
        scale: f32,
        target: &mut [f32],
    ) {
        for (token, target) in tokens.zip(target.chunks_exact_mut(self.head_dim)) {
            let (is_text, at) = self.place(part, item, head, token);
            let source = if is_text {
                self.text_rows
            } else {
                self.image_rows
            };
            target.copy_from_slice(&source[at..][..self.head_dim]);
            self.end(part, token, scale, 1.0, target);
        }
    }

    /// Rotates one token's q or k (backwards when `direction` is −1) and scales it.
    pub(crate) fn end(
        &self,
        part: usize,
        token: usize,
        scale: f32,
        direction: f32,
        values: &mut [f32],
    ) {
        let half = self.head_dim / 2;
        match self.rope {
            Some((cos, sin)) if part < 2 => {
                rotate(
                    values,
                    &cos[token * half..][..half],
                    &sin[token * half..][..half],
                    scale,
                    direction,
                );
            }
            _ if scale != 1.0 => values.iter_mut().for_each(|x| *x *= scale),
            _ => {}
        }
    }
}

multiversion! {
    fn rotate(values: &mut [f32], cos: &[f32], sin: &[f32], scale: f32, direction: f32) {
        for (pair, (cos, sin)) in values.as_chunks_mut::<2>().0.iter_mut().zip(cos.iter().zip(sin)) {
            let (a, b, cos, sin) = (pair[0], pair[1], scale * cos, scale * direction * sin);
            pair[0] = a * cos - b * sin;
            pair[1] = a * sin + b * cos;
        }
    }
}
