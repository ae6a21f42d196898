//! How far two class maps agree, over many pictures together.

use mmface_engine::labels::CLASS_COUNT;
use serde::{Deserialize, Serialize};

/// Pixel accuracy and mean intersection over union.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Share of equal pixels.
    pub accuracy: f64,
    /// Mean over the classes that occur, each over all pictures together.
    pub miou: f64,
}

/// Counts of pixels by found and wanted class.
#[derive(Clone, Debug, Default)]
pub(super) struct Confusion([[u64; CLASS_COUNT]; CLASS_COUNT]);

impl Confusion {
    /// Adds one picture.
    pub(super) fn add(&mut self, found: &[u8], wanted: &[u8]) {
        for (&found, &wanted) in found.iter().zip(wanted) {
            let row = self.0.get_mut(usize::from(found));
            if let Some(count) = row.and_then(|row| row.get_mut(usize::from(wanted))) {
                *count += 1;
            }
        }
    }

    /// The figures.
    pub(super) fn agreement(&self) -> Agreement {
        let (mut equal, mut all) = (0, 0);
        let (mut sum, mut classes) = (0.0, 0.0);
        for class in 0..CLASS_COUNT {
            let both = self.0[class][class];
            let found: u64 = self.0[class].iter().sum();
            let wanted: u64 = self.0.iter().map(|row| row[class]).sum();
            equal += both;
            all += found;
            let union = found + wanted - both;
            if union > 0 {
                sum += both as f64 / union as f64;
                classes += 1.0;
            }
        }
        Agreement {
            accuracy: equal as f64 / u64::max(all, 1) as f64,
            miou: sum / f64::max(classes, 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_small_case() {
        let mut confusion = Confusion::default();
        confusion.add(&[0, 0, 1, 1], &[0, 1, 1, 1]);
        let agreement = confusion.agreement();
        assert_eq!(agreement.accuracy, 0.75);
        assert!((agreement.miou - (0.5 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
    }
}
