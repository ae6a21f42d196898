//! The mask doctor: what is wrong with a mask from elsewhere, in plain sentences, and how to mend
//! it with one click.
//!
//! A mask with a mistake gives a plausible wrong face and no error, so each finding says what the
//! model would make of it.

use std::path::Path;

use mmface_engine::condition::import::mask_from;
use mmface_engine::condition::{CLASS_COUNT, ImportReport, LabelImage, MaskScheme, class, palette};
use mmface_engine::picture::{Pixels, Raster};

use super::islands::{Islands, holes, specks};
use super::raster::{Shape, convex_hull};
use super::target::title_of;

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
    let raster = Raster {
        width: mask.width,
        height: mask.height,
        pixels: Pixels::Gray {
            values: mask.labels.iter().map(|&label| u16::from(label)).collect(),
            max: 255,
        },
        lossy: false,
    };
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

// ---- Left and right ----

/// Left and right classes, and what to call them.
const PAIRS: [(u8, u8, &str); 3] = [
    (class::LEFT_EYE, class::RIGHT_EYE, "eyes"),
    (class::LEFT_BROW, class::RIGHT_BROW, "brows"),
    (class::LEFT_EAR, class::RIGHT_EAR, "ears"),
];

/// Mean column of a class.
fn column_of(mask: &LabelImage, class: u8) -> Option<f64> {
    let (mut sum, mut count) = (0usize, 0usize);
    for row in mask.labels.chunks_exact(mask.width) {
        for (x, &label) in row.iter().enumerate() {
            if label == class {
                sum += x;
                count += 1;
            }
        }
    }
    (count > 0).then(|| sum as f64 / count as f64)
}

fn exchanged(mask: &LabelImage) -> Option<Finding> {
    let pairs: Vec<(u8, &str, bool)> = PAIRS
        .iter()
        .filter_map(|&(left, right, name)| {
            let wrong = column_of(mask, left)? < column_of(mask, right)?;
            Some((left, name, wrong))
        })
        .collect();
    let wrong: Vec<_> = pairs.iter().filter(|(.., wrong)| *wrong).collect();
    if wrong.is_empty() {
        return None;
    }
    let classes: Vec<u8> = wrong.iter().map(|(class, ..)| *class).collect();
    let names: Vec<&str> = wrong.iter().map(|(_, name, _)| *name).collect();
    let names = listed(&names);
    if wrong.len() == pairs.len() {
        return Some(Finding {
            what: What::Mirrored,
            detail: format!(
                "Left and right {names} are exchanged: the person's left belongs on the right-hand side. Either the names were swapped or the picture was mirrored."
            ),
            fix: Some(Fix::ExchangeSides(classes)),
            alternative: Some(Fix::MirrorPicture),
        });
    }
    let detail = format!("Left and right {names} are exchanged, the rest is not.");
    Some(Finding::new(
        What::SwappedSides,
        detail,
        Fix::ExchangeSides(classes),
    ))
}

/// "eyes, brows and ears".
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The column that halves the face.
fn middle(mask: &LabelImage) -> Option<f64> {
    [class::NOSE, class::SKIN]
        .iter()
        .find_map(|&class| column_of(mask, class))
}

fn one_side(mask: &LabelImage) -> Option<Finding> {
    let counts = mask.counts();
    let middle = middle(mask)?;
    let (mut classes, mut names) = (Vec::new(), Vec::new());
    for (left, right, name) in PAIRS {
        let only = match (counts[usize::from(left)], counts[usize::from(right)]) {
            (1.., 0) => left,
            (0, 1..) => right,
            _ => continue,
        };
        let all = counts[usize::from(only)];
        let ours = || positions(mask).filter(|&(_, label)| label == only);
        let off = |x: usize| x as f64 - middle;
        let beyond = ours().filter(|&(x, _)| off(x) < 0.0).count();
        // Two parts share no column with the nose's middle; one that does is a profile's.
        let between = ours().any(|(x, _)| off(x).abs() < 0.02 * mask.width as f64);
        if !between && beyond * 4 > all && beyond * 4 < all * 3 {
            classes.push(only);
            names.push(name);
        }
    }
    (!classes.is_empty()).then(|| {
        let detail = format!("Both {} have the class of one side.", listed(&names));
        Finding::new(What::OneSide, detail, Fix::SplitSides(classes))
    })
}

/// Column and label of each pixel.
fn positions(mask: &LabelImage) -> impl Iterator<Item = (usize, u8)> + '_ {
    mask.labels
        .iter()
        .enumerate()
        .map(|(i, &label)| (i % mask.width, label))
}

fn split_sides(mask: &LabelImage, classes: &[u8]) -> LabelImage {
    let Some(middle) = middle(mask) else {
        return mask.clone();
    };
    let mut mended = mask.clone();
    for (i, label) in mended.labels.iter_mut().enumerate() {
        let Some(&(left, right, _)) = PAIRS
            .iter()
            .find(|(left, right, _)| left == label || right == label)
        else {
            continue;
        };
        if classes.contains(label) {
            *label = if ((i % mask.width) as f64) < middle {
                right
            } else {
                left
            };
        }
    }
    mended
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
mod tests {
    use super::*;

    const SIDE: usize = 256;

    /// Class, left, top, right, bottom.
    #[rustfmt::skip]
    const PARTS: [(u8, usize, usize, usize, usize); 15] = [
        (class::HAIR, 50, 16, 206, 110), (class::CLOTH, 20, 220, 236, 256), (class::NECK, 100, 180, 156, 224),
        (class::RIGHT_EAR, 54, 104, 70, 140), (class::LEFT_EAR, 186, 104, 202, 140), (class::SKIN, 70, 60, 186, 204),
        (class::RIGHT_BROW, 82, 88, 116, 96), (class::LEFT_BROW, 140, 88, 174, 96), (class::RIGHT_EYE, 86, 104, 112, 116),
        (class::LEFT_EYE, 144, 104, 170, 116), (class::NOSE, 116, 110, 140, 146), (class::UPPER_LIP, 106, 160, 150, 165),
        (class::MOUTH, 106, 165, 150, 170), (class::LOWER_LIP, 106, 170, 150, 180), (class::EARRING, 190, 140, 193, 142),
    ];

    fn face() -> LabelImage {
        let mut mask = LabelImage::filled(SIDE, SIDE, class::BACKGROUND);
        for (class, left, top, right, bottom) in PARTS {
            for y in top..bottom {
                mask.labels[y * SIDE + left..y * SIDE + right].fill(class);
            }
        }
        mask
    }

    fn kinds(findings: &[Finding]) -> Vec<What> {
        findings.iter().map(|finding| finding.what).collect()
    }

    /// The doctor finds exactly this, and its fix gives the face back.
    fn cured(mask: &LabelImage, what: What) -> Finding {
        let findings = examine(mask, None);
        assert_eq!(kinds(&findings), [what], "{findings:?}");
        assert_eq!(findings[0].apply(mask), face(), "{}", findings[0].detail);
        assert_eq!(fix_all(mask), (face(), findings.clone()));
        findings[0].clone()
    }

    #[test]
    fn a_healthy_face_is_left_alone() {
        assert_eq!(examine(&face(), None), []);
        assert_eq!(fix_all(&face()), (face(), vec![]));
    }

    #[test]
    fn face_parsing_numbers_are_put_in_our_order() {
        // Our class at each number of that order.
        let order = [
            0u8, 1, 6, 7, 4, 5, 3, 8, 9, 15, 2, 10, 11, 12, 17, 16, 18, 13, 14,
        ];
        let mut mask = face();
        for label in &mut mask.labels {
            *label = order
                .iter()
                .position(|class| class == label)
                .expect("all are there") as u8;
        }
        let findings = examine(&mask, None);
        assert_eq!(findings[0].what, What::OtherOrder, "{findings:?}");
        assert_eq!(findings[0].apply(&mask), face());
        assert_eq!(fix_all(&mask).0, face());
    }

    #[test]
    fn exchanged_sides_are_mended_all_or_some() {
        let mut swapped = face();
        swapped.swap_sides();
        let finding = cured(&swapped, What::Mirrored);
        assert!(
            finding.detail.contains("eyes, brows and ears"),
            "{}",
            finding.detail
        );
        // A mirrored picture with the names of the original.
        let mirrored = Fix::MirrorPicture.apply(&face());
        let finding = examine(&mirrored, None).remove(0);
        assert_eq!(
            finding
                .alternative
                .expect("could be either")
                .apply(&mirrored),
            face()
        );
        let some = Fix::ExchangeSides(vec![class::LEFT_EAR]).apply(&face());
        assert!(cured(&some, What::SwappedSides).detail.contains("ears are"));
    }

    #[test]
    fn both_eyes_in_one_class_are_split() {
        let mut mask = face();
        for label in &mut mask.labels {
            if *label == class::RIGHT_EYE {
                *label = class::LEFT_EYE;
            }
        }
        cured(&mask, What::OneSide);
        // A profile has one eye: nothing to split.
        let mut profile = face();
        for label in &mut profile.labels {
            if matches!(
                *label,
                class::RIGHT_EYE | class::RIGHT_BROW | class::RIGHT_EAR
            ) {
                *label = class::SKIN;
            }
        }
        assert_eq!(examine(&profile, None), []);
        // Seen so far from the side that it lies across the nose's middle.
        for y in 104..116 {
            for x in 118..150 {
                profile.labels[y * SIDE + x] = class::LEFT_EYE;
            }
            profile.labels[y * SIDE + 150..y * SIDE + 170].fill(class::SKIN);
        }
        assert_eq!(examine(&profile, None), []);
    }

    #[test]
    fn holes_and_specks_take_the_class_around_them() {
        let mut mask = face();
        for (x, y) in [(90, 150), (91, 150), (100, 70)] {
            mask.labels[y * SIDE + x] = class::BACKGROUND;
        }
        assert!(
            cured(&mask, What::Holes)
                .detail
                .contains("2 holes (3 pixels)")
        );
        let mut mask = face();
        mask.labels[10 * SIDE + 10] = class::HAIR;
        mask.labels[150 * SIDE + 90] = class::NOSE;
        let finding = cured(&mask, What::Specks);
        assert!(
            finding
                .detail
                .contains("2 specks (2 pixels) of nose and hair"),
            "{}",
            finding.detail
        );
    }

    #[test]
    fn a_face_without_skin_gets_some() {
        let mut mask = face();
        for label in &mut mask.labels {
            if *label == class::SKIN {
                *label = class::BACKGROUND;
            }
        }
        let findings = examine(&mask, None);
        assert_eq!(findings[0].what, What::MissingSkin);
        let mended = findings[0].apply(&mask);
        let skin = |mask: &LabelImage| mask.counts()[usize::from(class::SKIN)];
        assert!(skin(&mended) > skin(&face()) / 2, "{}", skin(&mended));
        for (got, &was) in mended.labels.iter().zip(&mask.labels) {
            assert!(*got == was || was == class::BACKGROUND, "parts stay");
        }
    }

    #[test]
    fn the_report_of_an_import_is_told() {
        let rgb = face().to_rgb();
        let raster = Raster {
            width: SIDE,
            height: SIDE,
            pixels: Pixels::Rgba(
                rgb.pixels
                    .chunks_exact(3)
                    .flat_map(|p| [p[0], p[1], p[2].max(40), 255])
                    .collect(),
            ),
            lossy: true,
        };
        let (mask, mut report) = mask_from(&raster, None, Path::new("mask.jpg")).expect("reads");
        report.snapped_to_neighbours = 812;
        report.scheme = MaskScheme::SwappedColours;
        let findings = examine(&mask, Some(&report));
        assert_eq!(
            kinds(&findings)[..2],
            [What::OtherOrder, What::UnknownColours]
        );
        assert!(findings[1].detail.starts_with("812 pixels"));
        assert_eq!(findings[1].apply(&mask), mask);
    }

    #[test]
    fn nothing_and_nonsense_are_said() {
        let empty = LabelImage::filled(64, 64, class::BACKGROUND);
        assert_eq!(kinds(&examine(&empty, None)), [What::Empty]);
        let broken = LabelImage {
            width: 8,
            height: 8,
            labels: vec![99],
        };
        assert_eq!(kinds(&examine(&broken, None)), [What::Empty]);
        for fix in [
            Fix::FillHoles,
            Fix::AddSkin,
            Fix::Renumber(MaskScheme::Eight),
            Fix::SplitSides(vec![4]),
        ] {
            assert_eq!(fix.apply(&broken), broken);
        }
        assert_eq!(fix_all(&empty), (empty, vec![]));
    }

    #[test]
    fn the_table_shows_what_a_fix_changes() {
        let mut swapped = face();
        swapped.labels[0] = class::HAT;
        let rows = table(&swapped, &face());
        let hat = rows
            .iter()
            .find(|row| row.class == class::HAT)
            .expect("is listed");
        assert_eq!((hat.title.as_str(), hat.before, hat.after), ("Hat", 1, 0));
        assert!(
            rows.iter().all(|row| row.class != class::NECKLACE),
            "neither has it"
        );
    }
}
