//! The mask doctor: what is wrong with a mask from elsewhere, in plain sentences, and how to mend
//! it with one click.
//!
//! A mask with a mistake gives a plausible wrong face and no error, so each finding says what the
//! model would make of it.

mod sides;

use std::path::Path;

use mmface_engine::condition::import::mask_from;
use mmface_engine::condition::{ImportReport, MaskScheme};
use mmface_engine::labels::{CLASS_COUNT, LabelImage, class, palette};
use mmface_engine::picture::{Pixels, Raster};

use super::islands::{Islands, holes, specks};
use super::raster::{Shape, convex_hull};
use super::target::title_of;
use sides::{exchanged, listed, one_side, split_sides};

/// What kind of mistake it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The class numbers have another order.
    OtherOrder,
    /// Pixels had no class of their own: smoothed edges, JPEG noise, strange colours.
    UnknownColours,
    /// All left and right parts are exchanged: the picture was mirrored, or the names were.
    Mirrored,
    /// Some left and right parts are exchanged.
    SwappedSides,
    /// Both eyes, brows or ears have one side's class.
    OneSide,
    /// Background inside of the face.
    Holes,
    /// Tiny islands of a class.
    Specks,
    /// A face without skin.
    MissingSkin,
    /// Nothing but background.
    Empty,
}

/// How a mistake is mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fix {
    /// Reads the numbers in this order.
    Renumber(MaskScheme),
    /// Exchanges these classes with their twins.
    ExchangeSides(Vec<u8>),
    /// Mirrors the picture and leaves the names: for a mirrored photo's mask.
    MirrorPicture,
    /// Gives the half beyond the middle of the face to the twin class.
    SplitSides(Vec<u8>),
    /// Fills background that is enclosed.
    FillHoles,
    /// Gives islands to the class around them.
    RemoveSpecks,
    /// Paints skin under and around the parts of the face.
    AddSkin,
}

impl Fix {
    /// For a button.
    pub fn title(&self) -> &'static str {
        match self {
            Self::Renumber(_) => "Renumber the classes",
            Self::ExchangeSides(_) => "Exchange left and right",
            Self::MirrorPicture => "Mirror the picture",
            Self::SplitSides(_) => "Split left and right",
            Self::FillHoles => "Fill the holes",
            Self::RemoveSpecks => "Remove the specks",
            Self::AddSkin => "Paint the skin",
        }
    }

    /// The mended mask.
    pub fn apply(&self, mask: &LabelImage) -> LabelImage {
        if mask.check().is_err() {
            return mask.clone();
        }
        match self {
            Self::Renumber(scheme) => {
                reread(mask, Some(*scheme)).map_or(mask.clone(), |read| read.0)
            }
            Self::ExchangeSides(classes) => {
                let mut mended = mask.clone();
                for label in &mut mended.labels {
                    let twin = palette().mirror(*label);
                    if classes.contains(label) || classes.contains(&twin) {
                        *label = twin;
                    }
                }
                mended
            }
            Self::MirrorPicture => {
                let mut mended = mask.flipped();
                mended.swap_sides();
                mended
            }
            Self::SplitSides(classes) => split_sides(mask, classes),
            Self::FillHoles => refill(mask, &holes(mask)),
            Self::RemoveSpecks => refill(mask, &specks(mask)),
            Self::AddSkin => add_skin(mask),
        }
    }
}

/// One thing that the doctor found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub what: What,
    /// A sentence for the person.
    pub detail: String,
    /// What one click does; `None` where the finding is only to be known.
    pub fix: Option<Fix>,
    /// Another way to mend it, where two are as likely.
    pub alternative: Option<Fix>,
}

impl Finding {
    fn new(what: What, detail: String, fix: Fix) -> Self {
        Self {
            what,
            detail,
            fix: Some(fix),
            alternative: None,
        }
    }

    fn note(what: What, detail: String) -> Self {
        Self {
            what,
            detail,
            fix: None,
            alternative: None,
        }
    }

    /// The mask with this mended; the same where there is nothing to mend.
    pub fn apply(&self, mask: &LabelImage) -> LabelImage {
        let fix = self.fix.as_ref();
        fix.map_or_else(|| mask.clone(), |fix| fix.apply(mask))
    }
}

/// What a mask suffers from, gravest first: fixes are meant to be applied in this order. `report`
/// is that of its import, if it comes from a file.
pub fn examine(mask: &LabelImage, report: Option<&ImportReport>) -> Vec<Finding> {
    if let Err(error) = mask.check() {
        return vec![Finding::note(
            What::Empty,
            format!("This is no mask: {error}."),
        )];
    }
    let counts = mask.counts();
    if counts.iter().skip(1).all(|&count| count == 0) {
        let detail = "The mask is background only: there is no face to draw.";
        return vec![Finding::note(What::Empty, detail.to_owned())];
    }
    let mut findings = Vec::new();
    findings.extend(order(mask, report));
    findings.extend(report.and_then(unknown_colours));
    findings.extend(one_side(mask));
    findings.extend(exchanged(mask));
    findings.extend(missing_skin(&counts));
    findings.extend(islands(What::Holes, &holes(mask)));
    findings.extend(islands(What::Specks, &specks(mask)));
    findings
}

/// Applies fix after fix until nothing is left to mend; with the findings that were mended.
pub fn fix_all(mask: &LabelImage) -> (LabelImage, Vec<Finding>) {
    let (mut mask, mut mended) = (mask.clone(), Vec::<Finding>::new());
    // A fix can uncover the next mistake, but no kind of it twice.
    loop {
        let new = |finding: &Finding| {
            finding.fix.is_some() && mended.iter().all(|done| done.what != finding.what)
        };
        let Some(finding) = examine(&mask, None).into_iter().find(new) else {
            return (mask, mended);
        };
        mask = finding.apply(&mask);
        mended.push(finding);
    }
}

/// A class's pixels before and after a fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassRow {
    /// The class.
    pub class: u8,
    /// Its title.
    pub title: String,
    /// Pixels before.
    pub before: usize,
    /// Pixels after.
    pub after: usize,
}

/// The classes that one of two masks has, for a preview before accepting.
pub fn table(before: &LabelImage, after: &LabelImage) -> Vec<ClassRow> {
    let counts = before.counts().into_iter().zip(after.counts());
    counts
        .zip(&palette().classes)
        .zip(0u8..)
        .filter(|(((before, after), _), _)| before + after > 0)
        .map(|(((before, after), entry), class)| ClassRow {
            class,
            title: entry.title.clone(),
            before,
            after,
        })
        .collect()
}

// ---- Numbering and colours ----

/// Reads the labels as an importer would read the file.
fn reread(mask: &LabelImage, scheme: Option<MaskScheme>) -> Option<(LabelImage, ImportReport)> {
    let pixels = Pixels::Gray {
        values: mask.labels.iter().map(|&label| u16::from(label)).collect(),
        max: 255,
        alpha: None,
    };
    let raster = Raster::new(mask.width, mask.height, pixels);
    mask_from(&raster, scheme, Path::new("mask")).ok()
}

/// Fewer classes say too little about their order.
const ENOUGH_CLASSES: usize = 6;

fn order(mask: &LabelImage, report: Option<&ImportReport>) -> Option<Finding> {
    if let Some(report) = report {
        let scheme = report.scheme;
        let translated = match scheme {
            MaskScheme::Colours | MaskScheme::Numbers if report.certain => return None,
            MaskScheme::Numbers | MaskScheme::Colours => {
                format!(
                    "The classes were read as {}, but that is not certain",
                    scheme.title()
                )
            }
            _ => format!("The file had {} and was translated", scheme.title()),
        };
        let check = if report.certain {
            ""
        } else {
            ": compare the preview with the picture that it belongs to"
        };
        return Some(Finding::note(
            What::OtherOrder,
            format!("{translated}{check}."),
        ));
    }
    let classes = mask.counts().iter().filter(|&&count| count > 0).count();
    let (_, guess) = (classes >= ENOUGH_CLASSES).then(|| reread(mask, None))??;
    if guess.scheme == MaskScheme::Numbers || !guess.certain {
        return None;
    }
    let detail = format!(
        "The classes seem to be {}: as they are, the parts of the face lie where no face has them.",
        guess.scheme.title()
    );
    Some(Finding::new(
        What::OtherOrder,
        detail,
        Fix::Renumber(guess.scheme),
    ))
}

fn unknown_colours(report: &ImportReport) -> Option<Finding> {
    let (edges, strange) = (report.snapped_to_neighbours, report.snapped_to_colour);
    let detail = match (edges, strange) {
        (0, 0) => return None,
        (edges, 0) => format!(
            "{edges} pixels of smoothed edges or noise had no class and took that of their neighbours."
        ),
        (0, strange) => format!(
            "{strange} pixels had a colour of no class and took the class of the nearest colour."
        ),
        (edges, strange) => format!(
            "{edges} pixels of smoothed edges or noise took the class of their neighbours, {strange} pixels of unknown colours that of the nearest colour."
        ),
    };
    Some(Finding::note(What::UnknownColours, detail))
}

// ---- Holes, specks, skin ----

fn islands(what: What, islands: &Islands) -> Option<Finding> {
    let (count, pixels) = (islands.count(), islands.pixels());
    if count == 0 {
        return None;
    }
    let number = |many: usize, one: &str| match many {
        1 => format!("1 {one}"),
        many => format!("{many} {one}s"),
    };
    let all = format!(
        "{} ({})",
        number(count, if what == What::Holes { "hole" } else { "speck" }),
        number(pixels, "pixel")
    );
    Some(if what == What::Holes {
        let detail = format!("The face has {all} of background inside.");
        Finding::new(what, detail, Fix::FillHoles)
    } else {
        let names: Vec<String> = islands.classes().map(title_of).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let detail = format!("The mask has {all} of {}.", listed(&names));
        Finding::new(what, detail, Fix::RemoveSpecks)
    })
}

fn refill(mask: &LabelImage, islands: &Islands) -> LabelImage {
    let mut mended = mask.clone();
    islands.fill(&mut mended.labels);
    mended
}

/// Parts that lie on skin.
const ON_SKIN: [u8; 9] = [
    class::NOSE,
    class::LEFT_EYE,
    class::RIGHT_EYE,
    class::LEFT_BROW,
    class::RIGHT_BROW,
    class::MOUTH,
    class::UPPER_LIP,
    class::LOWER_LIP,
    class::GLASSES,
];

fn missing_skin(counts: &[usize; CLASS_COUNT]) -> Option<Finding> {
    let parts = ON_SKIN
        .iter()
        .filter(|&&class| counts[usize::from(class)] > 0)
        .count();
    let missing = counts[usize::from(class::SKIN)] == 0 && parts >= 2;
    missing.then(|| {
        let detail = "The face has parts but no skin: they would float on the background.";
        Finding::new(What::MissingSkin, detail.to_owned(), Fix::AddSkin)
    })
}

/// Paints background around the parts with skin: their hull, widened to cheeks, forehead and chin.
fn add_skin(mask: &LabelImage) -> LabelImage {
    let mut places = Vec::new();
    for (i, label) in mask.labels.iter().enumerate() {
        if ON_SKIN.contains(label) {
            places.push([(i % mask.width) as f64 + 0.5, (i / mask.width) as f64 + 0.5]);
        }
    }
    let hull = convex_hull(places);
    let count = hull.len().max(1) as f64;
    let middle = hull.iter().fold([0.0; 2], |sum, p| {
        [sum[0] + p[0] / count, sum[1] + p[1] / count]
    });
    let wider = |p: &[f64; 2]| {
        [
            middle[0] + (p[0] - middle[0]) * 1.35,
            middle[1] + (p[1] - middle[1]) * 1.5,
        ]
    };
    let shape = Shape::Polygon(hull.iter().map(wider).collect());
    let mut mended = mask.clone();
    for run in shape.spans(0..mask.height as i32) {
        let columns = run.from.max(0) as usize..(run.to.max(0) as usize).min(mask.width);
        let row = run.y as usize * mask.width;
        for x in columns {
            if let Some(label) = mended.labels.get_mut(row + x)
                && *label == class::BACKGROUND
            {
                *label = class::SKIN;
            }
        }
    }
    mended
}

#[cfg(test)]
mod tests;
