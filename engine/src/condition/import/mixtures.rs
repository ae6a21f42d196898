//! Borders that were smoothed by resampling or JPEG: the mixture of two classes can be a third one's
//! colour or number, such as lower lips along the hair. What people do by hand is done here: small
//! false islands along borders get the class of what surrounds them.
//!
//! A class is believed where it fills a pixel's whole neighbourhood (its core). Along borders, a pixel
//! that a mixture of the cores around it explains gets the nearest of those; what nothing around
//! explains, such as a small earring, stays.

use super::fill::neighbours;
use crate::labels::CLASS_COUNT;

/// A colour, or a number on the first axis.
pub(super) type Place = [f32; 3];

/// How far around a pixel cores are looked for: half of the widest smoothed border, and one core.
const REACH: usize = 5;

/// What was read, and what the classes look like.
pub(super) struct Reading<'a, Seen, Known> {
    /// Width of the picture.
    pub width: usize,
    /// Class of each pixel, as read one by one; `None` where it is no class's.
    pub labels: &'a mut [Option<u8>],
    /// What a pixel shows.
    pub seen: Seen,
    /// What a class looks like.
    pub place: Known,
    /// Largest distance of a pixel from a mixture that explains it.
    pub tolerance: f32,
    /// Whether every border pixel is doubted, or only those near to pixels without a class.
    pub doubt_all: bool,
}

impl<Seen: Fn(usize) -> Place, Known: Fn(u8) -> Place> Reading<'_, Seen, Known> {
    /// Mends the borders; returns how many pixels had a class and got another one.
    pub(super) fn mend(&mut self) -> usize {
        let height = self.labels.len() / self.width.max(1);
        let cores = self.cores(height);
        let doubted = self.doubted(&cores, height);
        // First the false classes go, so that what remains of the small parts can stand witness.
        let mut known: Vec<bool> = self.labels.iter().map(Option::is_some).collect();
        let false_ones: Vec<usize> = doubted
            .iter()
            .copied()
            .filter(|&i| {
                let around = self.around(i, &cores, height);
                self.labels[i].is_some_and(|label| {
                    !around.contains(&label) && self.nearest(i, &around).is_some()
                })
            })
            .collect();
        for &i in &false_ones {
            self.labels[i] = None;
            known[i] = false;
        }
        let decided: Vec<(usize, u8)> = doubted
            .into_iter()
            .filter(|&i| !known[i])
            .filter_map(|i| {
                let mut around = self.around(i, &cores, height);
                let near = neighbours(i, self.width, height);
                around.extend(
                    near.flat_map(|near| neighbours(near, self.width, height))
                        .filter_map(|near| self.labels[near]),
                );
                around.sort_unstable();
                around.dedup();
                Some((i, self.nearest(i, &around)?))
            })
            .collect();
        for (i, class) in decided {
            self.labels[i] = Some(class);
        }
        false_ones.len()
    }

    /// Whether a class fills the whole neighbourhood of each pixel.
    fn cores(&self, height: usize) -> Vec<bool> {
        (0..self.labels.len())
            .map(|i| {
                let label = self.labels[i];
                label.is_some()
                    && neighbours(i, self.width, height).all(|near| self.labels[near] == label)
            })
            .collect()
    }

    /// The pixels that may be mixtures.
    fn doubted(&self, cores: &[bool], height: usize) -> Vec<usize> {
        let near_unknown = |i: usize| {
            neighbours(i, self.width, height).any(|near| {
                self.labels[near].is_none()
                    || neighbours(near, self.width, height).any(|far| self.labels[far].is_none())
            })
        };
        (0..self.labels.len())
            .filter(|&i| !cores[i] && (self.doubt_all || near_unknown(i)))
            .collect()
    }

    /// The class nearest to what a pixel shows, where a mixture of two of them explains it.
    fn nearest(&self, i: usize, classes: &[u8]) -> Option<u8> {
        let seen = (self.seen)(i);
        let places: Vec<Place> = classes.iter().map(|&class| (self.place)(class)).collect();
        let mixed = places.iter().enumerate().any(|(n, &first)| {
            places[n..]
                .iter()
                .any(|&second| distance_to_mixtures(seen, first, second) <= self.tolerance)
        });
        let distance = |place: &Place| squared_distance(seen, *place);
        let nearest = classes
            .iter()
            .zip(&places)
            .min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)));
        nearest.filter(|_| mixed).map(|(&class, _)| class)
    }

    /// Classes that have a core near to a pixel, the lowest first.
    fn around(&self, i: usize, cores: &[bool], height: usize) -> Vec<u8> {
        let (x, y) = (i % self.width, i / self.width);
        let mut found = [false; CLASS_COUNT];
        for row in y.saturating_sub(REACH)..=(y + REACH).min(height - 1) {
            let columns = x.saturating_sub(REACH)..=(x + REACH).min(self.width - 1);
            for near in columns.map(|column| row * self.width + column) {
                if cores[near]
                    && let Some(found) =
                        self.labels[near].and_then(|label| found.get_mut(usize::from(label)))
                {
                    *found = true;
                }
            }
        }
        (0..CLASS_COUNT as u8)
            .filter(|&class| found[usize::from(class)])
            .collect()
    }
}

fn squared_distance(a: Place, b: Place) -> f32 {
    (0..3).map(|axis| (a[axis] - b[axis]).powi(2)).sum()
}

/// Distance of a place from the straight line between two others, its ends included.
fn distance_to_mixtures(seen: Place, first: Place, second: Place) -> f32 {
    let length = squared_distance(first, second);
    let along: f32 = (0..3)
        .map(|axis| (seen[axis] - first[axis]) * (second[axis] - first[axis]))
        .sum();
    let share = if length > 0.0 {
        (along / length).clamp(0.0, 1.0)
    } else {
        0.0
    };
    let nearest = std::array::from_fn(|axis| first[axis] + share * (second[axis] - first[axis]));
    squared_distance(seen, nearest).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mend(numbers: &[u8], width: usize) -> (Vec<Option<u8>>, usize) {
        let mut labels: Vec<Option<u8>> = numbers.iter().map(|&n| (n < 19).then_some(n)).collect();
        let mut reading = Reading {
            width,
            labels: &mut labels,
            seen: |i: usize| [f32::from(numbers[i]), 0.0, 0.0],
            place: |class: u8| [f32::from(class), 0.0, 0.0],
            tolerance: 0.0,
            doubt_all: true,
        };
        let changed = reading.mend();
        (labels, changed)
    }

    #[test]
    fn a_ramp_between_two_classes_becomes_a_border() {
        let row = [0, 0, 0, 0, 3, 6, 10, 13, 13, 13, 13];
        let (labels, changed) = mend(&row.repeat(6), row.len());
        let expected = [0, 0, 0, 0, 0, 0, 13, 13, 13, 13, 13].map(Some);
        assert_eq!(labels[22..33], expected);
        assert_eq!(changed, 18);
    }

    #[test]
    fn what_no_mixture_explains_stays() {
        // An earring of two pixels in the skin, between nothing.
        let mut face = vec![1u8; 12 * 12];
        face[5 * 12 + 5] = 15;
        face[5 * 12 + 6] = 15;
        let (labels, changed) = mend(&face, 12);
        assert_eq!((labels[5 * 12 + 5], changed), (Some(15), 0));
    }

    #[test]
    fn distances_stop_at_the_ends() {
        let (black, blue) = ([0.0; 3], [0.0, 0.0, 204.0]);
        assert_eq!(distance_to_mixtures([0.0, 0.0, 153.0], black, blue), 0.0);
        assert_eq!(distance_to_mixtures([0.0, 30.0, 100.0], black, blue), 30.0);
        assert_eq!(distance_to_mixtures([0.0, 0.0, 254.0], black, blue), 50.0);
        assert_eq!(distance_to_mixtures([3.0, 4.0, 0.0], black, black), 5.0);
    }
}
