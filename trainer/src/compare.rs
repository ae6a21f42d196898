//! Two runs beside each other: their losses at the same updates.

use std::collections::BTreeMap;
use std::path::Path;

use mmface_engine::{Error, Result};
use mmface_run_protocol::run_folder;
use serde::Serialize;

use crate::report::TrainEvent;

/// Losses of a run by update.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// Mean training loss since the line before.
    pub training: BTreeMap<u64, f64>,
    /// Held-out loss of the averaged weights.
    pub heldout: BTreeMap<u64, f64>,
}

impl Curve {
    /// Reads `RUN/metrics.jsonl`.
    ///
    /// # Errors
    /// When the file cannot be read or tells of no loss.
    pub fn read(run: &Path) -> Result<Self> {
        let path = run_folder::metrics(run);
        let text =
            std::fs::read_to_string(&path).map_err(Error::file("read the metrics", &path))?;
        let mut curve = Self::default();
        for line in text.lines() {
            // A line that a crash cut off tells nothing.
            match TrainEvent::from_line(line) {
                Ok(TrainEvent::Step(step)) => {
                    curve.training.insert(step.step, step.loss);
                }
                Ok(TrainEvent::HeldOut(report)) => {
                    curve.heldout.insert(report.step, report.loss);
                }
                _ => {}
            }
        }
        if curve.training.is_empty() && curve.heldout.is_empty() {
            return Err(Error::content(
                &path,
                "no loss was written yet",
                "name the folder of a run that made some updates",
            ));
        }
        Ok(curve)
    }
}

/// One kind of loss of two runs at the same updates.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Pairs {
    /// Update, first run, second run.
    pub points: Vec<(u64, f64, f64)>,
    /// Second against first at the last common update, in per cent of the first.
    pub last_percent: Option<f64>,
    /// The largest such difference by amount, with its sign.
    pub largest_percent: Option<f64>,
    /// Mean of the second against mean of the first, in per cent.
    pub mean_percent: Option<f64>,
}

impl Pairs {
    fn new(first: &BTreeMap<u64, f64>, second: &BTreeMap<u64, f64>) -> Self {
        let points: Vec<(u64, f64, f64)> = first
            .iter()
            .filter_map(|(step, a)| Some((*step, *a, *second.get(step)?)))
            .collect();
        let differences: Vec<f64> = points
            .iter()
            .map(|point| percent(point.1, point.2))
            .collect();
        let sum = |part: fn(&(u64, f64, f64)) -> f64| points.iter().map(part).sum::<f64>();
        Self {
            last_percent: differences.last().copied(),
            largest_percent: differences
                .iter()
                .copied()
                .max_by(|a, b| a.abs().total_cmp(&b.abs())),
            mean_percent: (!points.is_empty())
                .then(|| percent(sum(|point| point.1), sum(|point| point.2))),
            points,
        }
    }
}

fn percent(first: f64, second: f64) -> f64 {
    100.0 * (second / first - 1.0)
}

/// Two runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Held-out losses.
    pub heldout: Pairs,
    /// Training losses. Runs of one seed and batch saw the same samples, noise and times.
    pub training: Pairs,
}

impl Comparison {
    /// Pairs the losses of two runs.
    ///
    /// # Errors
    /// When they have no update in common.
    pub fn new(first: &Curve, second: &Curve) -> Result<Self> {
        let comparison = Self {
            heldout: Pairs::new(&first.heldout, &second.heldout),
            training: Pairs::new(&first.training, &second.training),
        };
        if comparison.heldout.points.is_empty() && comparison.training.points.is_empty() {
            return Err(Error::Input(
                "the two runs told no loss at the same update: give both the same `every`".into(),
            ));
        }
        Ok(comparison)
    }

    /// The held-out losses as a table, and what they come to.
    pub fn table(&self) -> String {
        let mut text = String::from("  update   first    second   difference (held-out loss)\n");
        for (step, first, second) in &self.heldout.points {
            text += &format!(
                "{step:8} {first:8.5} {second:8.5} {:+9.2} %\n",
                percent(*first, *second)
            );
        }
        let figure = |value: Option<f64>| {
            value.map_or_else(|| "not known".into(), |value| format!("{value:+.2} %"))
        };
        for (name, pairs) in [("held-out", &self.heldout), ("training", &self.training)] {
            text += &format!(
                "{name} loss of the second run: at the end {}, largest difference {}, mean {}\n",
                figure(pairs.last_percent),
                figure(pairs.largest_percent),
                figure(pairs.mean_percent)
            );
        }
        text
    }

    /// Whether the last held-out losses differ by at most so many per cent.
    pub fn within(&self, limit: f64) -> bool {
        self.heldout
            .last_percent
            .is_some_and(|difference| difference.abs() <= limit)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn run(folder: &Path, factor: f64) -> Curve {
        let mut text = String::new();
        for step in [10u64, 20, 30] {
            let loss = factor / step as f64;
            text += &format!("{{\"event\":\"step\",\"step\":{step},\"loss\":{loss}}}\n");
        }
        for (step, loss) in [(20u64, 2.0), (30, factor)] {
            text += &format!(
                "{{\"event\":\"held_out\",\"step\":{step},\"loss\":{loss},\"mask\":[],\"sketch\":[]}}\n"
            );
        }
        text += "{\"event\":\"held_out\",\"st";
        std::fs::write(run_folder::metrics(folder), text).unwrap();
        Curve::read(folder).unwrap()
    }

    #[test]
    fn differences_are_those_of_the_common_updates() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (run(folder.path(), 1.0), run(folder.path(), 0.97));
        let comparison = Comparison::new(&first, &second).unwrap();
        assert_eq!(comparison.heldout.points.len(), 2);
        let near = |value: Option<f64>, wanted: f64| (value.unwrap() - wanted).abs() < 1e-9;
        assert!(near(comparison.heldout.last_percent, -3.0));
        assert!(near(comparison.heldout.largest_percent, -3.0));
        assert!(near(comparison.heldout.mean_percent, -1.0));
        assert!(near(comparison.training.mean_percent, -3.0));
        assert!(comparison.within(3.1) && !comparison.within(2.9));
        assert!(comparison.table().contains("-3.00 %"));
    }

    #[test]
    fn runs_without_common_updates_are_refused() {
        let mut first = Curve::default();
        first.training.insert(3, 1.0);
        let mut second = Curve::default();
        second.training.insert(4, 1.0);
        assert!(Comparison::new(&first, &second).is_err());
        assert!(Curve::read(Path::new("/nowhere")).is_err());
    }
}
