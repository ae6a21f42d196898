//! Which numbering a mask uses, by what a face looks like: brows above eyes, hair above neck, small
//! parts small.

use super::MaskScheme;
use super::centres::{Centre, centres};
use crate::labels::{CLASS_COUNT, class};

/// The more plausible numbering, and whether it is clearly so.
pub(super) fn numbering(numbers: &[u16], width: usize) -> (MaskScheme, bool) {
    let highest = numbers
        .iter()
        .copied()
        .filter(|&number| usize::from(number) < CLASS_COUNT)
        .max()
        .unwrap_or(0);
    let mut best = (MaskScheme::Numbers, i32::MIN);
    let mut second = i32::MIN;
    for scheme in [
        MaskScheme::Numbers,
        MaskScheme::FaceParsing,
        MaskScheme::Eight,
    ] {
        if scheme == MaskScheme::Eight && highest > 7 {
            continue;
        }
        let labels: Vec<u8> = numbers
            .iter()
            .map(|&number| {
                u8::try_from(number)
                    .ok()
                    .and_then(|n| scheme.class_of(n))
                    .unwrap_or(0)
            })
            .collect();
        let score = plausibility(&centres(&labels, width));
        if score > best.1 {
            second = best.1;
            best = (scheme, score);
        } else {
            second = second.max(score);
        }
    }
    (best.0, best.1 > second)
}

/// Points for what lies as in a face, minus points for what does not.
fn plausibility(centres: &[Option<Centre>; CLASS_COUNT]) -> i32 {
    let at = |class: u8| centres[usize::from(class)];
    // The first of each pair lies above the second.
    let above = [
        (class::LEFT_BROW, class::LEFT_EYE),
        (class::RIGHT_BROW, class::RIGHT_EYE),
        (class::LEFT_BROW, class::NOSE),
        (class::RIGHT_BROW, class::NOSE),
        (class::LEFT_EYE, class::NOSE),
        (class::RIGHT_EYE, class::NOSE),
        (class::GLASSES, class::NOSE),
        (class::NOSE, class::UPPER_LIP),
        (class::NOSE, class::LOWER_LIP),
        (class::NOSE, class::MOUTH),
        (class::UPPER_LIP, class::LOWER_LIP),
        (class::HAIR, class::UPPER_LIP),
        (class::SKIN, class::NECK),
        (class::LOWER_LIP, class::NECK),
        (class::HAIR, class::NECK),
        (class::HAIR, class::CLOTH),
        (class::HAT, class::NOSE),
        (class::SKIN, class::CLOTH),
    ];
    let order: i32 = above
        .iter()
        .filter_map(|&(upper, lower)| Some((at(upper)?, at(lower)?)))
        .map(|(upper, lower)| if upper.y < lower.y { 1 } else { -2 })
        .sum();
    // Parts that never cover much of a portrait, and their largest share.
    let small = [
        (class::LEFT_EYE, 0.02),
        (class::RIGHT_EYE, 0.02),
        (class::LEFT_BROW, 0.03),
        (class::RIGHT_BROW, 0.03),
        (class::UPPER_LIP, 0.03),
        (class::LOWER_LIP, 0.04),
        (class::MOUTH, 0.05),
        (class::NOSE, 0.08),
        (class::LEFT_EAR, 0.04),
        (class::RIGHT_EAR, 0.04),
        (class::EARRING, 0.04),
        (class::NECKLACE, 0.05),
    ];
    let size: i32 = small
        .iter()
        .filter_map(|&(class, limit)| Some((at(class)?, limit)))
        .map(|(centre, limit)| if centre.share <= limit { 1 } else { -3 })
        .sum();
    // Pairs lie at the same height; other numberings pair up unlike parts.
    let pairs = [
        (class::LEFT_EYE, class::RIGHT_EYE),
        (class::LEFT_BROW, class::RIGHT_BROW),
        (class::LEFT_EAR, class::RIGHT_EAR),
    ];
    let level: i32 = pairs
        .iter()
        .filter_map(|&(left, right)| Some((at(left)?, at(right)?)))
        .map(|(left, right)| {
            let alike = left.share.max(right.share) < 4.0 * left.share.min(right.share);
            if alike && (left.y - right.y).abs() < (left.x - right.x).abs() {
                2
            } else {
                -1
            }
        })
        .sum();
    order + size + level
}
