//! Colours to classes: exact ones, smoothed borders, JPEG noise, and strangers.

use std::collections::HashMap;

use super::MaskScheme;
use super::fill::{RINGS, fill};
use super::mixtures::Reading;
use crate::labels::{CLASS_COUNT, class, palette, squared_distance};
use crate::picture::RgbImage;

/// Most unknown colours that a report names.
const NAMED_STRANGERS: usize = 4;

/// Largest squared distance at which a colour still is the class's own.
fn tolerance(lossy: bool) -> u32 {
    if lossy { 1800 } else { 400 }
}

/// Largest distance of a border pixel from the mixture of two classes that explains it. JPEG keeps
/// colour more coarsely than brightness, so that its mixtures leave the straight line.
fn mixture_tolerance(lossy: bool) -> f32 {
    if lossy { 80.0 } else { 25.0 }
}

/// A class of which a lossy picture shows fewer pixels, in none of its places in earnest, was never
/// in it.
const FEWEST: usize = 12;

pub(super) struct Snapped {
    pub labels: Vec<u8>,
    pub to_neighbours: usize,
    /// Pixels of a class's colour that were the mixture of two others.
    pub mended: usize,
    pub to_colour: usize,
    /// The most frequent colours that were no class's and no border's: colour, pixels, class.
    pub strangers: Vec<([u8; 3], usize, u8)>,
}

/// Nearest class and squared distance, remembered: masks have few distinct colours.
struct Nearest {
    scheme: MaskScheme,
    seen: HashMap<[u8; 3], (u8, u32)>,
}

impl Nearest {
    fn new(scheme: MaskScheme) -> Self {
        Self {
            scheme,
            seen: HashMap::new(),
        }
    }

    fn of(&mut self, colour: [u8; 3]) -> (u8, u32) {
        // A photo has a new colour at every pixel: remembering them all would cost more than it saves.
        if self.seen.len() > 1 << 16 {
            self.seen.clear();
        }
        let scheme = self.scheme;
        *self
            .seen
            .entry(colour)
            .or_insert_with(|| palette().nearest(scheme.colour(colour)))
    }
}

/// A coloured mask: its colours, what is transparent in it, and how they are to be read.
#[derive(Clone, Copy)]
pub(super) struct Coloured<'a> {
    pub picture: &'a RgbImage,
    /// Transparent pixels, which are background whatever colour is stored there.
    pub hidden: Option<&'a [bool]>,
    pub lossy: bool,
}

impl Coloured<'_> {
    fn pixels(&self) -> impl Iterator<Item = [u8; 3]> {
        let pixels = self.picture.pixels.chunks_exact(3);
        pixels.map(|p| [p[0], p[1], p[2]])
    }

    fn is_hidden(&self, i: usize) -> bool {
        self.hidden.is_some_and(|hidden| hidden[i])
    }

    fn share(&self, scheme: MaskScheme, counts: impl Fn([u8; 3]) -> bool) -> f64 {
        let mut nearest = Nearest::new(scheme);
        let (mut known, mut all) = (0usize, 0usize);
        for (i, colour) in self.pixels().enumerate() {
            if self.is_hidden(i) || !counts(colour) {
                continue;
            }
            all += 1;
            known += usize::from(nearest.of(colour).1 <= tolerance(self.lossy));
        }
        if all == 0 {
            1.0
        } else {
            known as f64 / all as f64
        }
    }

    /// Share of the visible pixels whose colour is a class's.
    pub(super) fn known_share(&self, scheme: MaskScheme) -> f64 {
        self.share(scheme, |_| true)
    }

    /// The same without what is nearly black: a dark photo would pass for a mask with much background.
    pub(super) fn known_share_of_bright(&self, scheme: MaskScheme) -> f64 {
        self.share(scheme, |colour| {
            squared_distance(colour, [0; 3]) > 3 * 40 * 40
        })
    }

    /// Whether nothing but black is to be seen.
    pub(super) fn is_black(&self) -> bool {
        let mut pixels = self.pixels().enumerate();
        pixels.all(|(i, colour)| self.is_hidden(i) || colour == [0; 3])
    }
}

/// Gives every pixel a class.
pub(super) fn snap(mask: Coloured<'_>, scheme: MaskScheme) -> Snapped {
    let width = mask.picture.width;
    let mut nearest = Nearest::new(scheme);
    let mut labels: Vec<Option<u8>> = mask
        .pixels()
        .enumerate()
        .map(|(i, colour)| {
            if mask.is_hidden(i) {
                return Some(class::BACKGROUND);
            }
            let (class, distance) = nearest.of(colour);
            (distance <= tolerance(mask.lossy)).then_some(class)
        })
        .collect();
    let unknown = labels.iter().filter(|label| label.is_none()).count();
    let mended = mend(&mut labels, mask, scheme);
    if mask.lossy {
        forget_rare(&mut labels);
    }
    fill(&mut labels, width, RINGS, |_| true);
    let mut strangers: HashMap<[u8; 3], usize> = HashMap::new();
    let labels: Vec<u8> = labels
        .into_iter()
        .zip(mask.pixels())
        .map(|(label, colour)| {
            label.unwrap_or_else(|| {
                // Nearby shades count as one stranger.
                *strangers
                    .entry(colour.map(|value| value & 0xf0))
                    .or_default() += 1;
                nearest.of(colour).0
            })
        })
        .collect();
    let to_colour: usize = strangers.values().sum();
    let mut strangers: Vec<([u8; 3], usize)> = strangers.into_iter().collect();
    strangers.sort_by_key(|&(colour, count)| (std::cmp::Reverse(count), colour));
    strangers.truncate(NAMED_STRANGERS);
    let strangers = strangers
        .into_iter()
        .map(|(colour, count)| (colour, count, nearest.of(colour).0))
        .collect();
    Snapped {
        labels,
        to_neighbours: unknown.saturating_sub(to_colour),
        mended,
        to_colour,
        strangers,
    }
}

/// Takes false classes off borders that were smoothed: hair on black passes through the lower lip's
/// colour. Where every colour is exact, nothing is changed.
fn mend(labels: &mut [Option<u8>], mask: Coloured<'_>, scheme: MaskScheme) -> usize {
    if labels.iter().all(Option::is_some) {
        return 0;
    }
    let place = |colour: [u8; 3]| colour.map(f32::from);
    let mut reading = Reading {
        width: mask.picture.width,
        labels,
        seen: |i: usize| match mask.picture.pixels.get(3 * i..3 * i + 3) {
            Some(&[red, green, blue]) if !mask.is_hidden(i) => {
                place(scheme.colour([red, green, blue]))
            }
            _ => place(palette().colour(class::BACKGROUND)),
        },
        place: |class: u8| place(palette().colour(class)),
        tolerance: mixture_tolerance(mask.lossy),
        doubt_all: mask.lossy,
    };
    reading.mend()
}

/// Forgets the pixels of classes that hardly occur.
fn forget_rare(labels: &mut [Option<u8>]) {
    let mut counts = [0usize; CLASS_COUNT];
    for label in labels.iter().flatten() {
        counts[usize::from(*label)] += 1;
    }
    for label in labels.iter_mut() {
        *label = label.filter(|&class| counts[usize::from(class)] >= FEWEST);
    }
}
