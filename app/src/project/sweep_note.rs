//! What a grid of a sweep says about the sweep: a text in its PNG, and the index beside it.

use std::path::Path;

use mmface_engine::job::{Draw, DrawChanges, Job, Sweep};
use mmface_engine::picture::RgbImage;
use mmface_engine::provenance::{self, Provenance};
use mmface_engine::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Keyword of the text in a grid's PNG.
const KEYWORD: &str = "mmface-sweep";
/// Longest index that is read, bytes.
pub const MAX_INDEX: u64 = 16 << 20;

/// Version of the text: raised when an older program would misread it. Version 1 did not say it, and
/// had the values of a job beside its condition.
const FORMAT: u32 = 2;

/// A sweep, to be drawn again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepNote {
    #[serde(default)]
    format: u32,
    /// The prompt with its groups of alternatives.
    pub template: String,
    /// Steps that all cells shared; 0 when they shared the noise only.
    #[serde(default)]
    pub fork_step: usize,
    /// The job that all cells shared but for the prompt.
    pub job: Job,
    /// The job's condition is known: an index does not hold it.
    #[serde(skip)]
    pub whole: bool,
}

impl SweepNote {
    /// Of a sweep whose cells share a job.
    pub fn new(template: &str, fork_step: usize, base: &Job) -> Self {
        Self {
            format: FORMAT,
            template: template.into(),
            fork_step,
            // The fork's numbers are those of one picture, and many.
            job: Job {
                draw: Draw {
                    prompt: String::new(),
                    count: 1,
                    ..base.draw.clone()
                },
                fork: None,
                ..base.clone()
            },
            whole: true,
        }
    }

    /// The grid as PNG with the sweep in it, marked as made by a trained algorithm.
    ///
    /// # Errors
    /// When the condition is too large for a PNG's text.
    pub fn png(&self, grid: &RgbImage) -> Result<Vec<u8>> {
        let text = ron::to_string(self).map_err(Error::unwritable("the sweep"))?;
        provenance::encode_with(grid, &[(KEYWORD, &text)])
    }

    /// The sweep that a PNG's texts tell of, if they do. `path` is only for messages.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn of(texts: &Provenance, path: &Path) -> Option<Result<Self>> {
        let text = texts.texts.iter().find(|(keyword, _)| keyword == KEYWORD);
        text.map(|(_, text)| {
            #[derive(Deserialize)]
            struct Head {
                #[serde(default)]
                format: u32,
            }
            let head: Head = ron::from_str(text).map_err(|_| damaged(path))?;
            if head.format > FORMAT {
                return Err(Error::content(
                    path,
                    "the grid was written by a newer program",
                    "update MMFace Studio to draw its sweep again",
                ));
            }
            let note: Self = ron::from_str(text).map_err(|_| damaged(path))?;
            Self {
                format: FORMAT,
                whole: true,
                ..note
            }
            .checked(path)
        })
    }

    /// The sweep of an index beside a grid.
    ///
    /// # Errors
    /// When it is none.
    pub fn of_index(text: &[u8], path: &Path) -> Result<Self> {
        /// What is read of it; older indices lack some.
        #[derive(Deserialize)]
        struct Index {
            template: String,
            #[serde(default)]
            fork_step: usize,
            #[serde(flatten)]
            values: DrawChanges,
        }
        let none = || {
            let what = "this JSON is no index of a sweep";
            Error::content(path, what, "drop the file beside an exported grid")
        };
        let index: Index = serde_json::from_slice(text).map_err(|_| none())?;
        index.values.seed.ok_or_else(none)?;
        let mut job = Job::default();
        index.values.apply(&mut job.draw);
        Self {
            whole: false,
            ..Self::new(&index.template, index.fork_step, &job)
        }
        .checked(path)
    }

    fn checked(self, path: &Path) -> Result<Self> {
        Sweep::parse(self.template.trim()).map_err(|_| damaged(path))?;
        self.job.validate().map_err(|_| damaged(path))?;
        Ok(self)
    }
}

/// The index beside a grid, for other programs.
#[derive(Debug, Serialize)]
pub struct SweepIndex<'a> {
    template: &'a str,
    axes: &'a [Vec<String>],
    rows: usize,
    columns: usize,
    model: &'a str,
    fork_step: usize,
    #[serde(flatten)]
    values: Draw,
    cells: &'a [Value],
}

impl<'a> SweepIndex<'a> {
    /// Of the sweep that a note tells of; `cells` are in the sweep's order.
    pub fn new(note: &'a SweepNote, sweep: &'a Sweep, model: &'a str, cells: &'a [Value]) -> Self {
        Self {
            template: &note.template,
            axes: &sweep.axes,
            rows: sweep.rows(),
            columns: sweep.columns(),
            model,
            fork_step: note.fork_step,
            values: note.job.draw.clone(),
            cells,
        }
    }

    /// The index as JSON.
    ///
    /// # Errors
    /// When a value has no text.
    pub fn json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self).map_err(Error::unwritable("the index"))
    }
}

fn damaged(path: &Path) -> Error {
    let what = "what the grid says of its sweep makes no sense";
    Error::content(path, what, "drop one of its single pictures instead")
}

#[cfg(test)]
mod tests {
    use mmface_engine::job::Condition;
    use mmface_engine::labels::LabelImage;

    use super::*;

    fn note() -> SweepNote {
        let mask = LabelImage::new(2, 1, vec![1, 13]).expect("a mask");
        let job = Job {
            draw: Draw {
                seed: 7,
                steps: 11,
                ..Draw::default()
            },
            condition: Condition::Mask(mask),
            ..Job::default()
        };
        SweepNote::new("[red|grey] hair", 3, &job)
    }

    #[test]
    fn a_grid_tells_its_sweep_and_that_it_is_synthetic() {
        let path = Path::new("grid.png");
        let png = note()
            .png(&RgbImage::filled(8, 8, [1, 2, 3]))
            .expect("packs");
        let texts = provenance::read_bytes(&png, path).expect("a PNG");
        assert!(texts.marked_synthetic && texts.recipe.is_none());
        let read = SweepNote::of(&texts, path).expect("there").expect("whole");
        assert_eq!(read, note());
    }

    #[test]
    fn an_index_tells_all_but_the_drawing_and_other_json_is_named() {
        let path = Path::new("grid.json");
        let text = br#"{"template": "[a|b]", "seed": 5, "size": 256, "steps": 9, "fork_step": 2, "cells": []}"#;
        let read = SweepNote::of_index(text, path).expect("an index of the first version");
        assert_eq!(
            (read.job.draw.seed, read.job.draw.steps, read.fork_step),
            (5, 9, 2)
        );
        assert!(!read.whole);
        let sweep = Sweep::parse("[red|grey] hair").expect("a group");
        let index = SweepIndex::new(&note(), &sweep, "demo", &[])
            .json()
            .expect("plain data");
        let expected = SweepNote {
            job: Job {
                condition: Condition::None,
                ..note().job
            },
            whole: false,
            ..note()
        };
        assert_eq!(
            SweepNote::of_index(&index, path).expect("an index"),
            expected
        );
        for text in [
            &br#"{"seed": 5}"#[..],
            b"no",
            br#"{"template": "no group", "seed": 1}"#,
            br#"{"template": "[a|b]", "seed": 1, "steps": 0}"#,
        ] {
            let error = SweepNote::of_index(text, path).expect_err("none");
            assert!(error.to_string().contains("grid.json"), "{error}");
        }
    }
}
