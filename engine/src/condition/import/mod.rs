//! Class masks from elsewhere: other people's numbering, colours, formats and mistakes.
//!
//! A wrong guess gives a plausible wrong face without any error, so every import comes with a
//! report: what the file was taken for, how sure that is, what each class covers, what was changed.

mod centres;
mod colours;
mod fill;
mod guess;
mod mixtures;
mod numbers;
mod parts;
mod scheme;

use std::path::Path;

use self::colours::Coloured;
use self::numbers::{IGNORED, Numbers};
use crate::labels::{CLASS_COUNT, LabelImage, palette};
use crate::picture::{Pixels, Raster, read};
use crate::{Error, Result};

pub use parts::{PartFiles, part_of};
pub use scheme::MaskScheme;

/// Opacity from which a pixel of a mask shows its colour; below it is background.
const OPAQUE: u8 = 128;

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
    /// Pixels along smoothed borders whose class was the mixture of two others and that took one of
    /// those.
    pub mended: usize,
    /// The left and right classes lie on the wrong sides; [`LabelImage::swap_sides`] mends it.
    pub mirrored: bool,
    /// Sentences for a person.
    pub warnings: Vec<String>,
}

/// Reads a mask, guessing what its numbers or colours mean. The path is a picture, a folder with the
/// masks of one picture's classes (`00000_hair.png`, …), or `FOLDER/00000` where the folder holds
/// those of several pictures.
///
/// # Errors
/// When nothing can be read there, or what is read is no mask.
pub fn read_mask(path: &Path) -> Result<(LabelImage, ImportReport)> {
    match PartFiles::at(path)? {
        Some(parts) => parts.read(),
        None => mask_from(&read::read(path)?, None, path),
    }
}

/// A mask from a decoded picture. A given scheme is believed instead of guessed; what is transparent
/// is background; `path` is only for messages.
///
/// # Errors
/// When the picture is no mask.
pub fn mask_from(
    raster: &Raster,
    scheme: Option<MaskScheme>,
    path: &Path,
) -> Result<(LabelImage, ImportReport)> {
    let hidden = hidden(raster);
    let hidden = hidden.as_deref();
    let picture;
    let coloured = |picture| Coloured {
        picture,
        hidden,
        lossy: raster.lossy,
    };
    if scheme.is_none_or(|scheme| !scheme.is_coloured()) {
        // Colours decide for palette files: optimisers renumber their palettes.
        let by_palette = if scheme.is_none() && matches!(raster.pixels, Pixels::Indexed { .. }) {
            picture = raster.to_opaque_rgb();
            palette_colours(raster, coloured(&picture)).map(|scheme| (scheme, &picture))
        } else {
            None
        };
        if let Some((scheme, picture)) = by_palette {
            return from_colours(raster, coloured(picture), Some(scheme), path);
        }
        match (numbers::of(raster, hidden), scheme) {
            (Some(values), _) => {
                return from_numbers(raster, numbers::checked(values, raster, path)?, scheme);
            }
            (None, Some(_)) => {
                return Err(Error::content(
                    path,
                    "the picture has colours, not class numbers",
                    "choose a colour scheme",
                ));
            }
            (None, None) => {}
        }
    }
    let picture = raster.to_opaque_rgb();
    from_colours(raster, coloured(&picture), scheme, path)
}

/// Transparent pixels, where there are some and others too: a mask of which nothing would be seen has
/// an alpha channel that means nothing.
fn hidden(raster: &Raster) -> Option<Vec<bool>> {
    let hidden: Vec<bool> = raster
        .opacity()?
        .iter()
        .map(|&alpha| alpha < OPAQUE)
        .collect();
    (hidden.contains(&true) && hidden.contains(&false)).then_some(hidden)
}

/// The colours that a palette file is to be read by, where they are class colours.
fn palette_colours(raster: &Raster, mask: Coloured<'_>) -> Option<MaskScheme> {
    if numbers::is_grey_palette(raster) || mask.is_black() {
        return None;
    }
    [MaskScheme::Colours, MaskScheme::SwappedColours]
        .into_iter()
        .find(|&scheme| mask.known_share(scheme) > 0.9 && mask.known_share_of_bright(scheme) > 0.9)
}

fn from_numbers(
    raster: &Raster,
    numbers: Numbers,
    scheme: Option<MaskScheme>,
) -> Result<(LabelImage, ImportReport)> {
    let width = raster.width;
    let Numbers { values, mended } = numbers;
    let (scheme, certain) = match scheme {
        Some(scheme) => (scheme, true),
        None => guess::numbering(&values, width),
    };
    let class_of = |&number: &u16| u8::try_from(number).ok().and_then(|n| scheme.class_of(n));
    let mut labels: Vec<Option<u8>> = values.iter().map(class_of).collect();
    let count = |labels: &[Option<u8>]| labels.iter().filter(|label| label.is_none()).count();
    let unknown = count(&labels);
    let ignored = values.iter().filter(|&&value| value == IGNORED).count();
    fill::fill(&mut labels, width, fill::RINGS, |_| true);
    // What a data set ignores has a class that nobody noted; what has a strange number has none.
    fill::fill(&mut labels, width, usize::MAX, |i| values[i] == IGNORED);
    let left = count(&labels);
    let mut labels: Vec<u8> = labels.into_iter().map(Option::unwrap_or_default).collect();
    scheme.split_sides(&mut labels, width);
    let mask = LabelImage::new(width, raster.height, labels)?;
    let mut report = report(&mask, raster.notes.clone(), scheme, certain);
    report.snapped_to_neighbours = unknown - left;
    report.mended = mended;
    if ignored > 0 {
        report.warnings.push(format!(
            "{ignored} pixels are marked as ignored (255) and took the class of their neighbours"
        ));
    }
    if left > 0 {
        report.warnings.push(format!(
            "{left} pixels have no class number and became background"
        ));
    }
    describe_snapping(&mut report, values.len());
    if raster.lossy {
        report
            .warnings
            .push("class numbers in a JPEG are unreliable; use the PNG if there is one".to_owned());
    }
    Ok((mask, report))
}

fn from_colours(
    raster: &Raster,
    mask: Coloured<'_>,
    scheme: Option<MaskScheme>,
    path: &Path,
) -> Result<(LabelImage, ImportReport)> {
    let scheme = scheme.unwrap_or_else(|| {
        let share = |scheme| mask.known_share(scheme);
        if share(MaskScheme::SwappedColours) > share(MaskScheme::Colours) {
            MaskScheme::SwappedColours
        } else {
            MaskScheme::Colours
        }
    });
    if mask.known_share(scheme) < 0.5 || mask.known_share_of_bright(scheme) < 0.5 {
        return Err(Error::content(
            path,
            "almost none of its colours are class colours: this looks like a photo or another palette",
            "make a mask from a photo with `mmface parse`, or recolour it with the colours of assets/palette.ron",
        ));
    }
    let snapped = colours::snap(mask, scheme);
    let mask = LabelImage::new(raster.width, raster.height, snapped.labels)?;
    let mut report = report(
        &mask,
        raster.notes.clone(),
        scheme,
        scheme == MaskScheme::Colours,
    );
    report.snapped_to_neighbours = snapped.to_neighbours;
    report.snapped_to_colour = snapped.to_colour;
    report.mended = snapped.mended;
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
    if raster.lossy {
        report.warnings.push(
            "the colours of a mask are only roughly kept in this format; use the PNG if there is one"
                .to_owned(),
        );
    }
    if scheme == MaskScheme::SwappedColours {
        report
            .warnings
            .push("red and blue were exchanged in this file".to_owned());
    }
    Ok((mask, report))
}

fn report(
    mask: &LabelImage,
    notes: Vec<String>,
    scheme: MaskScheme,
    certain: bool,
) -> ImportReport {
    let counts = mask.counts();
    let mut report = ImportReport {
        scheme,
        certain,
        counts,
        snapped_to_neighbours: 0,
        snapped_to_colour: 0,
        mended: 0,
        mirrored: is_mirrored(mask),
        warnings: notes,
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
    let share = |count: usize| 100.0 * count as f64 / pixels.max(1) as f64;
    let mended = report.mended;
    if mended > 0 {
        report.warnings.insert(
            0,
            format!(
                "{mended} pixels ({:.2} %) along smoothed borders had a class between two others and took one of those",
                share(mended)
            ),
        );
    }
    let snapped = report.snapped_to_neighbours + report.snapped_to_colour;
    if snapped > 0 {
        report.warnings.insert(
            0,
            format!(
                "{snapped} pixels ({:.2} %) had no class and took the nearest one",
                share(snapped)
            ),
        );
    }
}

/// Whether the person's left parts lie left of the right ones in the picture: the palette's `l_`
/// belongs on the right-hand side.
pub fn is_mirrored(mask: &LabelImage) -> bool {
    let centres = centres::centres(&mask.labels, mask.width);
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
