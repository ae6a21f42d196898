//! Pixels without a class take that of their neighbours, ring by ring.

use crate::labels::CLASS_COUNT;

/// Rings of unknown pixels that are given the class of their neighbours: a smoothed border is at
/// most a few pixels wide, anything thicker is a thing of its own.
pub(super) const RINGS: usize = 3;

/// A pixel and its neighbours inside of the picture.
pub(super) fn neighbours(i: usize, width: usize, height: usize) -> impl Iterator<Item = usize> {
    let (x, y) = (i % width, i / width);
    let rows = y.saturating_sub(1)..=(y + 1).min(height - 1);
    rows.flat_map(move |ny| {
        (x.saturating_sub(1)..=(x + 1).min(width - 1)).map(move |nx| ny * width + nx)
    })
}

/// Gives unknown pixels the class of most of their eight neighbours, ring by ring, so many rings; the
/// lowest class on a tie. Only those that `open` says take part.
pub(super) fn fill(
    labels: &mut [Option<u8>],
    width: usize,
    rings: usize,
    open: impl Fn(usize) -> bool,
) {
    let height = labels.len() / width.max(1);
    let waits = |labels: &[Option<u8>], i: usize| labels[i].is_none() && open(i);
    let mut front: Vec<usize> = (0..labels.len())
        .filter(|&i| {
            waits(labels, i) && neighbours(i, width, height).any(|near| labels[near].is_some())
        })
        .collect();
    for _ in 0..rings {
        if front.is_empty() {
            break;
        }
        let decided: Vec<(usize, u8)> = front
            .iter()
            .filter_map(|&i| Some((i, majority(labels, i, width, height)?)))
            .collect();
        for &(i, label) in &decided {
            labels[i] = Some(label);
        }
        front = decided
            .iter()
            .flat_map(|&(i, _)| neighbours(i, width, height))
            .filter(|&i| waits(labels, i))
            .collect();
        front.sort_unstable();
        front.dedup();
    }
}

/// The class of most of the known neighbours.
fn majority(labels: &[Option<u8>], i: usize, width: usize, height: usize) -> Option<u8> {
    let mut votes = [0u8; CLASS_COUNT];
    for label in neighbours(i, width, height).filter_map(|near| labels[near]) {
        if let Some(vote) = votes.get_mut(usize::from(label)) {
            *vote += 1;
        }
    }
    let most = *votes.iter().max()?;
    (most > 0).then(|| votes.iter().position(|&vote| vote == most).unwrap_or(0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_end_where_they_should_and_only_the_open_take_part() {
        let mut labels = vec![Some(7); 2];
        labels.resize(12, None);
        fill(&mut labels, 12, 3, |i| i != 3);
        assert_eq!(labels[..5], [Some(7), Some(7), Some(7), None, None]);
        fill(&mut labels, 12, usize::MAX, |_| true);
        assert!(labels.iter().all(|label| *label == Some(7)));
        let mut nothing = vec![None; 9];
        fill(&mut nothing, 3, usize::MAX, |_| true);
        assert_eq!(nothing, [None; 9]);
    }
}
