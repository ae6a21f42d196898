//! Colours to classes: exact ones, smoothed borders, JPEG noise, and strangers.

use std::collections::HashMap;

use super::MaskScheme;
use crate::labels::{CLASS_COUNT, palette, squared_distance};
use crate::picture::RgbImage;

/// Rings of unknown pixels that are given the class of their neighbours: a smoothed border is at
/// most a few pixels wide, anything thicker is a colour of its own.
const RINGS: usize = 3;

/// Most unknown colours that a report names.
const NAMED_STRANGERS: usize = 4;

/// Largest squared distance at which a colour still is the class's own.
fn tolerance(lossy: bool) -> u32 {
    if lossy { 1800 } else { 400 }
}

pub(super) struct Snapped {
    pub labels: Vec<u8>,
    pub to_neighbours: usize,
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

fn pixels(picture: &RgbImage) -> impl Iterator<Item = [u8; 3]> {
    picture.pixels.chunks_exact(3).map(|p| [p[0], p[1], p[2]])
}

fn share(
    picture: &RgbImage,
    scheme: MaskScheme,
    lossy: bool,
    counts: impl Fn([u8; 3]) -> bool,
) -> f64 {
    let mut nearest = Nearest::new(scheme);
    let (mut known, mut all) = (0usize, 0usize);
    for colour in pixels(picture).filter(|&colour| counts(colour)) {
        all += 1;
        known += usize::from(nearest.of(colour).1 <= tolerance(lossy));
    }
    if all == 0 {
        1.0
    } else {
        known as f64 / all as f64
    }
}

/// Share of the pixels whose colour is a class's.
pub(super) fn known_share(picture: &RgbImage, scheme: MaskScheme, lossy: bool) -> f64 {
    share(picture, scheme, lossy, |_| true)
}

/// The same without what is nearly black: a dark photo would pass for a mask with much background.
pub(super) fn known_share_of_bright(picture: &RgbImage, scheme: MaskScheme, lossy: bool) -> f64 {
    share(picture, scheme, lossy, |colour| {
        squared_distance(colour, [0; 3]) > 3 * 40 * 40
    })
}

/// Gives every pixel a class.
pub(super) fn snap(picture: &RgbImage, scheme: MaskScheme, lossy: bool) -> Snapped {
    let mut nearest = Nearest::new(scheme);
    let mut labels: Vec<Option<u8>> = pixels(picture)
        .map(|colour| {
            let (class, distance) = nearest.of(colour);
            (distance <= tolerance(lossy)).then_some(class)
        })
        .collect();
    forget_mixtures(&mut labels, picture.width);
    let unknown = labels.iter().filter(|label| label.is_none()).count();
    let filled = fill_rings(labels, picture.width);
    let mut strangers: HashMap<[u8; 3], usize> = HashMap::new();
    let labels: Vec<u8> = filled
        .into_iter()
        .zip(pixels(picture))
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
        to_neighbours: unknown - to_colour,
        to_colour,
        strangers,
    }
}

/// Fills unknown pixels from their neighbours; what is left becomes background. Also returns how
/// many those are.
pub(super) fn fill_from_neighbours(labels: Vec<Option<u8>>, width: usize) -> (Vec<u8>, usize) {
    let filled = fill_rings(labels, width);
    let left = filled.iter().filter(|label| label.is_none()).count();
    (
        filled.into_iter().map(Option::unwrap_or_default).collect(),
        left,
    )
}

/// Forgets lonely classes beside unknown pixels: where a border is smoothed, the mixture of two
/// colours can be a third class's (hair on black passes through the lower lip's).
fn forget_mixtures(labels: &mut [Option<u8>], width: usize) {
    let height = labels.len() / width.max(1);
    let lonely: Vec<usize> = (0..labels.len())
        .filter(|&i| {
            let Some(label) = labels[i] else { return false };
            let (mut same, mut unknown) = (0, 0);
            for near in neighbours(i, width, height) {
                same += usize::from(labels[near] == Some(label));
                unknown += usize::from(labels[near].is_none());
            }
            // The pixel counts itself: a line of mixtures along a border has two neighbours of its kind.
            unknown > 0 && same <= 3
        })
        .collect();
    for i in lonely {
        labels[i] = None;
    }
}

/// A pixel and its neighbours inside of the picture.
fn neighbours(i: usize, width: usize, height: usize) -> impl Iterator<Item = usize> {
    let (x, y) = (i % width, i / width);
    let rows = y.saturating_sub(1)..=(y + 1).min(height - 1);
    rows.flat_map(move |ny| {
        (x.saturating_sub(1)..=(x + 1).min(width - 1)).map(move |nx| ny * width + nx)
    })
}

/// Gives unknown pixels the class of most of their eight neighbours, ring by ring; the lowest
/// class on a tie.
fn fill_rings(mut labels: Vec<Option<u8>>, width: usize) -> Vec<Option<u8>> {
    let height = labels.len() / width.max(1);
    let mut open: Vec<usize> = (0..labels.len()).filter(|&i| labels[i].is_none()).collect();
    for _ in 0..RINGS {
        let majority = |i: usize| -> Option<u8> {
            let mut votes = [0u8; CLASS_COUNT];
            for label in neighbours(i, width, height).filter_map(|near| labels[near]) {
                votes[usize::from(label)] += 1;
            }
            let most = *votes.iter().max()?;
            (most > 0).then(|| votes.iter().position(|&vote| vote == most).unwrap_or(0) as u8)
        };
        let decided: Vec<(usize, Option<u8>)> = open.iter().map(|&i| (i, majority(i))).collect();
        for &(i, label) in &decided {
            labels[i] = label;
        }
        open.retain(|&i| labels[i].is_none());
        if open.is_empty() {
            break;
        }
    }
    labels
}
