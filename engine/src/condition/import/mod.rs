//! Class masks from elsewhere: other people's numbering, colours, formats and mistakes.
//!
//! A wrong guess gives a plausible wrong face without any error, so every import comes with a
//! report: what the file was taken for, how sure that is, what each class covers, what was changed.

mod colours;
mod guess;
mod scheme;

use std::path::Path;

use crate::labels::{CLASS_COUNT, LabelImage, palette};
use crate::picture::{Pixels, Raster, read};
use crate::{Error, Result};

pub use scheme::MaskScheme;

/// What an import found and did.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportReport {
    /// What the numbers or colours were taken for.
    pub scheme: MaskScheme,
    /// False where another scheme is nearly as plausible: show a preview and ask.
    pub certain: bool,
    /// Pixels of each class after the import.
    pub counts: [usize; CLASS_COUNT],
    /// Pixels of no known colour or number that took the class of most of their neighbours.
    pub snapped_to_neighbours: usize,
    /// Pixels of no known colour, not at a border, that took the class of the nearest colour.
    pub snapped_to_colour: usize,
    /// The left and right classes lie on the wrong sides; [`LabelImage::swap_sides`] mends it.
    pub mirrored: bool,
    /// Sentences for a person.
    pub warnings: Vec<String>,
}

/// Reads a mask from a PNG or JPEG file, guessing what its numbers or colours mean.
pub fn read_mask(path: &Path) -> Result<(LabelImage, ImportReport)> {
    mask_from(&read::read(path)?, None, path)
}

/// A mask from a decoded picture. A given scheme is believed instead of guessed; `path` is only
/// for messages.
pub fn mask_from(
    raster: &Raster,
    scheme: Option<MaskScheme>,
    path: &Path,
) -> Result<(LabelImage, ImportReport)> {
    let by_colour = |scheme| from_colours(raster, scheme, path);
    match scheme {
        Some(scheme) if scheme.is_coloured() => return by_colour(Some(scheme)),
        Some(scheme) => {
            let numbers = raw_numbers(raster).ok_or_else(|| {
                Error::content(
                    path,
                    "the picture has colours, not class numbers",
                    "choose a colour scheme",
                )
            })?;
            return from_numbers(raster, &numbers, Some(scheme), path);
        }
        None => {}
    }
    // Colours decide for palette files: optimisers renumber their palettes.
    if let Pixels::Indexed { .. } = raster.pixels
        && colours::known_share(&raster.to_rgb(), MaskScheme::Colours, raster.lossy) > 0.9
        && !only_background(raster)
    {
        return by_colour(Some(MaskScheme::Colours));
    }
    match raw_numbers(raster) {
        Some(numbers) => from_numbers(raster, &numbers, None, path),
        None => by_colour(None),
    }
}

fn only_background(raster: &Raster) -> bool {
    raster.to_rgb().pixels.iter().all(|&value| value == 0)
}

/// Class numbers of a picture that is grey or has palette positions; `None` for a coloured one.
fn raw_numbers(raster: &Raster) -> Option<Vec<u16>> {
    match &raster.pixels {
        Pixels::Gray { values, .. } => Some(values.clone()),
        Pixels::Indexed { indices, .. } => {
            let small = indices
                .iter()
                .all(|&index| usize::from(index) < CLASS_COUNT);
            small.then(|| indices.iter().map(|&index| u16::from(index)).collect())
        }
        Pixels::Rgba(values) => {
            let grey = values.chunks_exact(4).all(|p| p[0] == p[1] && p[1] == p[2]);
            grey.then(|| values.chunks_exact(4).map(|p| u16::from(p[0])).collect())
        }
    }
}

fn from_numbers(
    raster: &Raster,
    numbers: &[u16],
    scheme: Option<MaskScheme>,
    path: &Path,
) -> Result<(LabelImage, ImportReport)> {
    let is_class = |number: u16| usize::from(number) < CLASS_COUNT;
    let strange = numbers.iter().filter(|&&number| !is_class(number)).count();
    let two_tones = numbers.iter().all(|&number| number <= 1);
    let bilevel = matches!(raster.pixels, Pixels::Gray { max: 1, .. });
    if strange * 20 > numbers.len() || (bilevel && two_tones) {
        return Err(Error::content(
            path,
            "this is a grey picture, not a class mask: a mask has the numbers 0 to 18 or the nineteen colours",
            "use it as a sketch, or make a mask with `mmface parse`",
        ));
    }
    let (scheme, certain) = match scheme {
        Some(scheme) => (scheme, true),
        None => guess::numbering(numbers, raster.width),
    };
    let labels: Vec<Option<u8>> = numbers
        .iter()
        .map(|&number| u8::try_from(number).ok().and_then(|n| scheme.class_of(n)))
        .collect();
    let unknown = labels.iter().filter(|label| label.is_none()).count();
    let (mut labels, left) = colours::fill_from_neighbours(labels, raster.width);
    scheme.split_sides(&mut labels, raster.width);
    let mask = LabelImage::new(raster.width, raster.height, labels)?;
    let mut report = report(&mask, scheme, certain);
    report.snapped_to_neighbours = unknown - left;
    if left > 0 {
        report.warnings.push(format!(
            "{left} pixels have no class number and became background"
        ));
    }
    describe_snapping(&mut report, numbers.len());
    if raster.lossy {
        report
            .warnings
            .push("class numbers in a JPEG are unreliable; use the PNG if there is one".to_owned());
    }
    Ok((mask, report))
}

fn from_colours(
    raster: &Raster,
    scheme: Option<MaskScheme>,
    path: &Path,
) -> Result<(LabelImage, ImportReport)> {
    let picture = raster.to_rgb();
    let scheme = scheme.unwrap_or_else(|| {
        let share = |scheme| colours::known_share(&picture, scheme, raster.lossy);
        if share(MaskScheme::SwappedColours) > share(MaskScheme::Colours) {
            MaskScheme::SwappedColours
        } else {
            MaskScheme::Colours
        }
    });
    if colours::known_share(&picture, scheme, raster.lossy) < 0.5
        || colours::known_share_of_bright(&picture, scheme, raster.lossy) < 0.5
    {
        return Err(Error::content(
            path,
            "almost none of its colours are class colours: this looks like a photo or another palette",
            "make a mask from a photo with `mmface parse`, or recolour it with the colours of assets/palette.ron",
        ));
    }
    let snapped = colours::snap(&picture, scheme, raster.lossy);
    let mask = LabelImage::new(raster.width, raster.height, snapped.labels)?;
    let mut report = report(&mask, scheme, scheme == MaskScheme::Colours);
    report.snapped_to_neighbours = snapped.to_neighbours;
    report.snapped_to_colour = snapped.to_colour;
    for (colour, count, class) in snapped.strangers {
        let [red, green, blue] = colour;
        let title = palette()
            .classes
            .get(usize::from(class))
            .map_or("", |class| class.title.as_str());
        report.warnings.push(format!(
            "{count} pixels of the unknown colour {red}, {green}, {blue} were taken for {}",
            title.to_lowercase()
        ));
    }
    describe_snapping(&mut report, raster.width * raster.height);
    if scheme == MaskScheme::SwappedColours {
        report
            .warnings
            .push("red and blue were exchanged in this file".to_owned());
    }
    Ok((mask, report))
}

fn report(mask: &LabelImage, scheme: MaskScheme, certain: bool) -> ImportReport {
    let counts = mask.counts();
    let mut report = ImportReport {
        scheme,
        certain,
        counts,
        snapped_to_neighbours: 0,
        snapped_to_colour: 0,
        mirrored: is_mirrored(mask),
        warnings: Vec::new(),
    };
    if !certain {
        report.warnings.push(format!(
            "the classes were guessed to be {}; check the preview",
            scheme.title()
        ));
    }
    if report.mirrored {
        report.warnings.push(
            "the left and right classes lie on the wrong sides (left is the person's own left); exchange them"
                .to_owned(),
        );
    }
    if counts.iter().skip(1).all(|&count| count == 0) {
        report
            .warnings
            .push("the mask is background only".to_owned());
    }
    report
}

fn describe_snapping(report: &mut ImportReport, pixels: usize) {
    let snapped = report.snapped_to_neighbours + report.snapped_to_colour;
    if snapped > 0 {
        let share = 100.0 * snapped as f64 / pixels.max(1) as f64;
        report.warnings.insert(
            0,
            format!("{snapped} pixels ({share:.2} %) had no class and took the nearest one"),
        );
    }
}

/// Whether the person's left parts lie left of the right ones in the picture: the palette's `l_`
/// belongs on the right-hand side.
pub fn is_mirrored(mask: &LabelImage) -> bool {
    let centres = guess::centres(&mask.labels, mask.width);
    let pairs = [(4, 5), (6, 7), (8, 9)];
    let votes: i32 = pairs
        .iter()
        .filter_map(|&(left, right): &(usize, usize)| Some((centres[left]?, centres[right]?)))
        .map(|(left, right)| if left.x < right.x { 1 } else { -1 })
        .sum();
    votes > 0
}

#[cfg(test)]
mod tests;
