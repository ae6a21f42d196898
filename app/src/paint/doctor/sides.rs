//! Left and right: the person's left parts belong on the right-hand side of the picture.

use mmface_engine::labels::{LabelImage, class};

use super::{Finding, Fix, What};

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

pub(super) fn exchanged(mask: &LabelImage) -> Option<Finding> {
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
pub(super) fn listed(names: &[&str]) -> String {
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

pub(super) fn one_side(mask: &LabelImage) -> Option<Finding> {
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

pub(super) fn split_sides(mask: &LabelImage, classes: &[u8]) -> LabelImage {
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
