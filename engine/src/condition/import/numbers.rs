//! Class numbers as files hold them: in any depth, as the greys or the positions of a palette, with
//! ignored pixels, and smeared by resampling.

use std::path::Path;

use super::mixtures::Reading;
use crate::labels::CLASS_COUNT;
use crate::picture::{Pixels, Raster};
use crate::{Error, Result};

/// The number that data sets give to pixels which belong to no class.
pub(super) const IGNORED: u16 = 255;

/// Share of pixels with numbers that are none up to which a picture still is a class mask.
const MOST_STRANGE: f64 = 0.05;

/// Largest share of ignored pixels.
const MOST_IGNORED: f64 = 0.5;

/// Share of border pixels that lie between their neighbours' numbers, from which a mask was
/// interpolated. Masks of 32 to 512 pixels a side reach 0.04, resampled ones begin at 0.14 (measured
/// on 180 masks).
const SMEARED: f64 = 0.1;

/// Least step over such a pixel: neighbouring numbers may lie side by side by chance.
const STEP: u16 = 3;

/// Fewer such pixels prove nothing.
const ENOUGH_BETWEEN: usize = 16;

/// Numbers of a picture, one a pixel.
pub(super) struct Numbers {
    /// Class numbers 0..=18, [`IGNORED`], and others that are no class.
    pub values: Vec<u16>,
    /// Pixels that resampling or JPEG had given the number of a mixture.
    pub mended: usize,
}

fn is_class(number: u16) -> bool {
    usize::from(number) < CLASS_COUNT
}

/// Class numbers of a picture that is grey or has palette positions; `None` for a coloured one.
/// What `hidden` marks counts as background.
pub(super) fn of(raster: &Raster, hidden: Option<&[bool]>) -> Option<Vec<u16>> {
    let mut values = match &raster.pixels {
        Pixels::Gray { values, max, .. } if *max == u16::MAX => narrowed(values, hidden),
        Pixels::Gray { values, .. } => values.clone(),
        Pixels::Indexed { indices, palette } => {
            let grey = greys(indices, palette, hidden);
            match grey {
                Some(grey) => indices.iter().map(|&i| grey[usize::from(i)]).collect(),
                None => positions(indices, hidden)?,
            }
        }
        Pixels::Rgba(values) => {
            let seen = |i: usize| hidden.is_none_or(|hidden| !hidden[i]);
            let mut pixels = values.chunks_exact(4).enumerate();
            let grey = pixels.all(|(i, p)| !seen(i) || (p[0] == p[1] && p[1] == p[2]));
            grey.then(|| values.chunks_exact(4).map(|p| u16::from(p[0])).collect())?
        }
    };
    for (value, _) in values
        .iter_mut()
        .zip(hidden.into_iter().flatten())
        .filter(|(_, hidden)| **hidden)
    {
        *value = 0;
    }
    Some(values)
}

/// Grey values of a picture without colours, whatever they mean; what `hidden` marks is 0.
pub(super) fn raw(raster: &Raster, hidden: Option<&[bool]>) -> Option<Vec<u16>> {
    let plain = match &raster.pixels {
        Pixels::Gray { .. } | Pixels::Rgba(_) => return of(raster, hidden),
        Pixels::Indexed { .. } => raster.to_opaque_rgb(),
    };
    let grey = plain.pixels.chunks_exact(3);
    let mut values = Vec::with_capacity(plain.pixels.len() / 3);
    for (i, pixel) in grey.enumerate() {
        let seen = hidden.is_none_or(|hidden| !hidden[i]);
        if seen && (pixel[0] != pixel[1] || pixel[1] != pixel[2]) {
            return None;
        }
        values.push(if seen { u16::from(pixel[0]) } else { 0 });
    }
    Some(values)
}

/// 16-bit numbers as those of 8 bits: either they are the numbers themselves, or an editor has spread
/// them over the depth, by 257 as PNG does or by 256.
fn narrowed(values: &[u16], hidden: Option<&[bool]>) -> Vec<u16> {
    let seen = || {
        let seen = |i: usize| hidden.is_none_or(|hidden| !hidden[i]);
        let numbered = values.iter().enumerate();
        numbered.filter(move |&(i, _)| seen(i)).map(|(_, &v)| v)
    };
    let spread = [257, 256].into_iter().find(|factor| {
        seen().any(|v| v >= 256 && v != u16::MAX)
            && seen().all(|v| v.is_multiple_of(*factor) || v == u16::MAX)
    });
    let narrow = |v: u16| match spread {
        _ if v == u16::MAX => IGNORED,
        Some(factor) => v / factor,
        // 255 means what it means in 8 bits; larger ones are nothing.
        None => v,
    };
    values.iter().map(|&v| narrow(v)).collect()
}

/// The number of each palette position, where the palette's used entries are greys that are numbers:
/// optimisers store a grey mask with a palette in any order.
fn greys(indices: &[u8], palette: &[[u8; 4]], hidden: Option<&[bool]>) -> Option<[u16; 256]> {
    let mut greys = [0u16; 256];
    for (number, entry) in greys.iter_mut().zip(palette) {
        *number = u16::from(entry[0]);
    }
    let mut distinct = [false; 256];
    for index in seen_indices(indices, hidden) {
        let &[red, green, blue, _] = palette.get(usize::from(index))?;
        let number = u16::from(red);
        if red != green || green != blue || !(is_class(number) || number == IGNORED) {
            return None;
        }
        distinct[usize::from(red)] = true;
    }
    // A palette that is black throughout says nothing: then the positions speak.
    (distinct.iter().filter(|used| **used).count() > 1).then_some(greys)
}

fn positions(indices: &[u8], hidden: Option<&[bool]>) -> Option<Vec<u16>> {
    let number = |&index: &u8| u16::from(index);
    seen_indices(indices, hidden)
        .all(|index| is_class(number(&index)) || number(&index) == IGNORED)
        .then(|| indices.iter().map(number).collect())
}

fn seen_indices<'a>(
    indices: &'a [u8],
    hidden: Option<&'a [bool]>,
) -> impl Iterator<Item = u8> + 'a {
    let seen = move |i: usize| hidden.is_none_or(|hidden| !hidden[i]);
    let numbered = indices.iter().enumerate();
    numbered
        .filter(move |&(i, _)| seen(i))
        .map(|(_, &index)| index)
}

/// Whether the used entries of a palette are all greys: then its colours are no class colours.
pub(super) fn is_grey_palette(raster: &Raster) -> bool {
    let Pixels::Indexed { indices, palette } = &raster.pixels else {
        return false;
    };
    indices.iter().all(|&i| {
        palette
            .get(usize::from(i))
            .is_some_and(|&[red, green, blue, alpha]| {
                alpha < 128 || (red == green && green == blue)
            })
    })
}

/// Refuses what is no mask of classes, and mends numbers that were smeared.
///
/// # Errors
/// For a grey picture, and for the mask of a single class.
pub(super) fn checked(values: Vec<u16>, raster: &Raster, path: &Path) -> Result<Numbers> {
    let single = if raster.lossy {
        is_lossy_single_class(&values)
    } else {
        is_single_class(&values, raster)
    };
    if single {
        return Err(single_class(path));
    }
    let share = |counts: &dyn Fn(u16) -> bool| {
        values.iter().filter(|&&value| counts(value)).count() as f64 / values.len().max(1) as f64
    };
    let strange = share(&|value| !is_class(value) && value != IGNORED);
    let bilevel = matches!(raster.pixels, Pixels::Gray { max: 1, .. });
    let ignored = share(&|value| value == IGNORED);
    // White paper with black lines has many pixels of 255, too.
    if strange > MOST_STRANGE || ignored > MOST_IGNORED || bilevel {
        return Err(Error::content(
            path,
            "this is a grey picture, not a class mask: a mask has the numbers 0 to 18 or the nineteen colours",
            "use it as a sketch, or make a mask with `mmface parse`",
        ));
    }
    let mut numbers = Numbers { values, mended: 0 };
    if raster.lossy || is_smeared(&numbers.values, raster.width) {
        numbers.mend(raster.width);
    }
    Ok(numbers)
}

/// Two values, 0 and one that is no class, or a picture of one bit.
fn is_single_class(values: &[u16], raster: &Raster) -> bool {
    let bilevel = matches!(raster.pixels, Pixels::Gray { max: 1, .. });
    let mut other = None;
    for &value in values.iter().filter(|&&value| value != 0) {
        if other.is_some_and(|other| other != value) {
            return false;
        }
        other = Some(value);
    }
    let Some(other) = other else { return false };
    values.contains(&0) && (bilevel || !is_class(other))
}

/// Nearly only black and white, some of each.
fn is_lossy_single_class(values: &[u16]) -> bool {
    let count = |range: std::ops::RangeInclusive<u16>| {
        values.iter().filter(|value| range.contains(value)).count()
    };
    let (black, white) = (count(0..=8), count(247..=u16::MAX));
    white > 0 && black > 0 && (black + white) * 100 >= values.len() * 97
}

fn single_class(path: &Path) -> Error {
    Error::content(
        path,
        "this is the mask of a single class, 0 and one other value, as in CelebAMask-HQ-mask-anno",
        "name the folder that holds those of all classes (00000_hair.png, 00000_skin.png, …), or use a drawing as a sketch",
    )
}

/// Whether many border pixels lie between those beside them: in a mask that nobody interpolated, a
/// border is a step.
fn is_smeared(values: &[u16], width: usize) -> bool {
    let (mut borders, mut between) = (0usize, 0usize);
    let mut look = |before: u16, here: u16, after: u16| {
        borders += usize::from(before != here || here != after);
        let lies_between = before.min(after) < here && here < before.max(after);
        between += usize::from(lies_between && before.abs_diff(after) >= STEP);
    };
    for row in values.chunks_exact(width.max(1)) {
        for triple in row.windows(3) {
            look(triple[0], triple[1], triple[2]);
        }
    }
    for (i, &after) in values.iter().enumerate().skip(2 * width) {
        look(values[i - 2 * width], values[i - width], after);
    }
    between >= ENOUGH_BETWEEN && between as f64 > SMEARED * borders as f64
}

impl Numbers {
    fn mend(&mut self, width: usize) {
        let class = |&value: &u16| is_class(value).then_some(value as u8);
        let mut labels: Vec<Option<u8>> = self.values.iter().map(class).collect();
        let values = &self.values;
        let mut reading = Reading {
            width,
            labels: &mut labels,
            seen: |i: usize| [f32::from(values[i]), 0.0, 0.0],
            place: |class: u8| [f32::from(class), 0.0, 0.0],
            // A little ringing goes beyond both numbers.
            tolerance: 1.0,
            doubt_all: true,
        };
        self.mended = reading.mend();
        for (value, label) in self.values.iter_mut().zip(labels) {
            *value = label.map_or(*value, u16::from);
        }
    }
}
