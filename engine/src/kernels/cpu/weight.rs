//! Weight matrices packed once, in the layout that the products read.
//!
//! Panels whose storage differs from the arithmetic are expanded one at a time into scratch
//! memory while they are multiplied, so that a model takes no more memory than its storage.

use half::f16;
use rayon::prelude::*;

use super::buffer::Buffer;
use super::features::multiversion;
use super::pack::{self, Kind, PANEL, View};
use super::simd::bf16_pair;
use crate::precision::{Precision, Storage};

/// Weights of one column that share a scale in Q8_0.
const BLOCK: usize = 32;

/// A weight matrix `[out, in]` in panels of 32 outputs.
pub(crate) struct PackedWeight {
    n: usize,
    k: usize,
    kind: Kind,
    data: Data,
}

enum Data {
    /// Words as the products read them, or bf16 words for f32 products.
    Words(Kind, Buffer),
    /// For each panel and each 32 inputs: 32 scales; and 32 rows of 32 quantised weights.
    Q8 { scales: Vec<f16>, quants: Vec<i8> },
}

impl std::fmt::Debug for PackedWeight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PackedWeight[{}, {}, {:?}]", self.n, self.k, self.kind)
    }
}

impl PackedWeight {
    /// Packs a row-major matrix `[n, k]`. A width that Q8_0 blocks do not divide keeps bf16; f32
    /// storage of a matrix that is multiplied in bf16 keeps bf16 as well.
    pub(crate) fn new(
        values: &[f32],
        n: usize,
        k: usize,
        storage: Storage,
        precision: Precision,
    ) -> Self {
        assert_eq!(values.len(), n * k);
        let kind = Kind::of(precision);
        let view = View::rows(values, k).transposed();
        let data = match storage {
            Storage::Q8_0 if k.is_multiple_of(BLOCK) => quantise(&view, n, k),
            Storage::F32 if kind == Kind::F32 => words(Kind::F32, &view, n, k),
            _ => words(Kind::Bf16, &view, n, k),
        };
        Self { n, k, kind, data }
    }

    /// Number of outputs.
    pub(crate) fn outputs(&self) -> usize {
        self.n
    }

    /// Number of inputs.
    pub(crate) fn inputs(&self) -> usize {
        self.k
    }

    /// What the products with this weight work on.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Bytes that the weight takes.
    pub(crate) fn bytes(&self) -> usize {
        match &self.data {
            Data::Words(_, buffer) => buffer.words().len() * 4,
            Data::Q8 { scales, quants } => scales.len() * 2 + quants.len(),
        }
    }

    /// The panel as the products read it, expanded into `scratch` where it is stored otherwise.
    pub(crate) fn panel<'a>(&'a self, panel: usize, scratch: &'a mut Buffer) -> &'a [u32] {
        let size = self.kind.groups(self.k) * PANEL;
        match &self.data {
            Data::Words(kind, buffer) if *kind == self.kind => {
                &buffer.words()[panel * size..][..size]
            }
            Data::Words(_, buffer) => {
                let size = Kind::Bf16.groups(self.k) * PANEL;
                scratch.reserve(2 * size);
                widen(&buffer.words()[panel * size..][..size], scratch.words_mut());
                &scratch.words()[..self.k * PANEL]
            }
            Data::Q8 { scales, quants } => {
                scratch.reserve(size);
                let blocks = self.k / BLOCK;
                let scales = &scales[panel * blocks * PANEL..][..blocks * PANEL];
                let quants = &quants[panel * self.k * PANEL..][..self.k * PANEL];
                dequantise(self.kind == Kind::Bf16, scales, quants, scratch.words_mut());
                &scratch.words()[..size]
            }
        }
    }

    /// The matrix again, row-major `[n, k]`, as far as its storage and arithmetic keep it.
    pub(crate) fn unpack(&self) -> Vec<f32> {
        let mut values = vec![0f32; self.n * self.k];
        let mut scratch = Buffer::zeroed(0);
        for first in (0..self.n).step_by(PANEL) {
            let words = self.panel(first / PANEL, &mut scratch);
            for (column, row) in values
                .chunks_exact_mut(self.k)
                .skip(first)
                .take(PANEL)
                .enumerate()
            {
                for (index, value) in row.iter_mut().enumerate() {
                    *value = match self.kind {
                        Kind::F32 => f32::from_bits(words[index * PANEL + column]),
                        Kind::Bf16 => {
                            let word = words[index / 2 * PANEL + column];
                            f32::from_bits(if index % 2 == 0 {
                                word << 16
                            } else {
                                word & 0xffff_0000
                            })
                        }
                    };
                }
            }
        }
        values
    }
}

fn words(kind: Kind, view: &View, n: usize, k: usize) -> Data {
    let mut buffer = Buffer::zeroed(pack::right_words(kind, k, n));
    let size = (kind.groups(k) * PANEL).max(1);
    buffer
        .words_mut()
        .par_chunks_mut(size)
        .take(n.div_ceil(PANEL))
        .enumerate()
        .for_each(|(panel, words)| pack::right_panel(kind, view, k, n, panel, words));
    Data::Words(kind, buffer)
}

/// Symmetric 8-bit quantisation with one scale for 32 weights, as GGUF's Q8_0.
fn quantise(view: &View, n: usize, k: usize) -> Data {
    let (panels, blocks) = (n.div_ceil(PANEL), k / BLOCK);
    let mut scales = vec![f16::ZERO; panels * blocks * PANEL];
    let mut quants = vec![0i8; panels * k * PANEL];
    scales
        .par_chunks_mut(blocks * PANEL)
        .zip(quants.par_chunks_mut(k * PANEL))
        .enumerate()
        .for_each(|(panel, (scales, quants))| {
            for column in 0..PANEL.min(n - panel * PANEL) {
                let row = &view.data[(panel * PANEL + column) * k..][..k];
                for (block, values) in row.chunks_exact(BLOCK).enumerate() {
                    let scale = values.iter().fold(0f32, |top, x| top.max(x.abs())) / 127.0;
                    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
                    scales[block * PANEL + column] = f16::from_f32(scale);
                    for (i, value) in values.iter().enumerate() {
                        quants[(block * BLOCK + i) * PANEL + column] =
                            (value * inverse).round() as i8;
                    }
                }
            }
        });
    Data::Q8 { scales, quants }
}

multiversion! {
    /// Lines of bf16 pairs become two lines of f32 each.
    fn widen(pairs: &[u32], words: &mut [u32]) {
        let ((pairs, _), (words, _)) = (pairs.as_chunks::<PANEL>(), words.as_chunks_mut::<{ 2 * PANEL }>());
        for (pair, words) in pairs.iter().zip(words) {
            for j in 0..PANEL {
                words[j] = pair[j] << 16;
                words[PANEL + j] = pair[j] & 0xffff_0000;
            }
        }
    }
}

multiversion! {
    /// One panel of Q8_0 to f32 lines, or to lines of bf16 pairs.
    fn dequantise(pairs: bool, scales: &[f16], quants: &[i8], words: &mut [u32]) {
        let ((scales, _), (quants, _)) = (scales.as_chunks::<PANEL>(), quants.as_chunks::<{ BLOCK * PANEL }>());
        let (lines, _) = words.as_chunks_mut::<PANEL>();
        let lines = lines.chunks_exact_mut(if pairs { BLOCK / 2 } else { BLOCK });
        for ((scales, quants), lines) in scales.iter().zip(quants).zip(lines) {
            let scales = scales.map(f32::from);
            let (rows, _) = quants.as_chunks::<PANEL>();
            if pairs {
                for (line, rows) in lines.iter_mut().zip(rows.as_chunks::<2>().0) {
                    for j in 0..PANEL {
                        line[j] = bf16_pair(f32::from(rows[0][j]) * scales[j], f32::from(rows[1][j]) * scales[j]);
                    }
                }
            } else {
                for (line, row) in lines.iter_mut().zip(rows) {
                    for j in 0..PANEL {
                        line[j] = (f32::from(row[j]) * scales[j]).to_bits();
                    }
                }
            }
        }
    }
}
