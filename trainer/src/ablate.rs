//! The paper's ablation (its table 3) at whatever scale the data and the machine allow.
//!
//! Each row switches one more part on: modality embedder, dual stream, rotary positions, the better
//! autoencoder. What the switches replace is our own definition (docs/reference.md section 1),
//! since the authors published no ablation code.

use std::path::{Path, PathBuf};

use mmface_engine::file::{self, Overwrite};
use mmface_engine::format::{duration, grouped};
use mmface_engine::model::dit::DitConfig;
use mmface_engine::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::checkpoint;
use crate::config::{Config, Model};
use crate::control::Control;
use crate::data::prepared::PreparedData;
use crate::report::Sink;
use crate::run::{self, Changes, RunContext, Start};

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Number in the paper's table.
    pub number: usize,
    /// Tell mask from sketch by an embedding.
    pub modality: bool,
    /// Separate weights for image and text tokens.
    pub dual: bool,
    /// Rotary positions.
    pub rope: bool,
    /// The better autoencoder.
    pub second: bool,
    /// FID and mIoU in the paper.
    pub paper: (f64, f64),
}

/// The rows in the paper's order.
pub const ROWS: [Row; 5] = [
    row(1, false, false, false, false, (44.52, 44.86)),
    row(2, true, false, false, false, (40.49, 46.34)),
    row(3, true, true, false, false, (35.61, 48.91)),
    row(4, true, true, true, false, (33.77, 50.05)),
    row(5, true, true, true, true, (27.95, 49.16)),
];

const fn row(
    number: usize,
    modality: bool,
    dual: bool,
    rope: bool,
    second: bool,
    paper: (f64, f64),
) -> Row {
    Row {
        number,
        modality,
        dual,
        rope,
        second,
        paper,
    }
}

impl Row {
    /// The base configuration with this row's switches. `channels` is the number of latent channels
    /// of the row's autoencoder.
    pub fn config(&self, base: &Config, channels: usize) -> Config {
        let dit = DitConfig {
            modality_embedder: self.modality,
            dual_stream: self.dual,
            rope: self.rope,
            channels: 2 * channels,
            ..base.model.dit()
        };
        Config {
            name: format!("{}-row-{}", base.name, self.number),
            model: Model::Custom(dit),
            ..base.clone()
        }
    }
}

/// What a row came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Number in the paper's table.
    pub number: usize,
    /// Trained parameters.
    pub parameters: usize,
    /// Updates.
    pub steps: u64,
    /// Held-out loss of the averaged weights after the last update. Rows with different autoencoders
    /// do not compare.
    pub heldout: f64,
    /// Mean intersection over union of the parsed samples with their masks, if measured.
    pub miou: Option<f64>,
    /// Seconds of training.
    pub seconds: f64,
}

/// The data of the rows.
#[derive(Debug)]
pub struct Material<'a> {
    /// Latents of the first four rows' autoencoder.
    pub first: &'a PreparedData,
    /// Latents of the last row's better autoencoder; without it that row is left out.
    pub second: Option<&'a PreparedData>,
    /// What the two autoencoders are, a sentence for the table.
    pub note: String,
}

/// Measures a finished row: the mIoU of its checkpoint.
pub type Measure<'a> = dyn FnMut(&Row, &Path) -> Result<Option<f64>> + 'a;

/// Trains the rows below `out`, one after the other; a row that is finished is not trained again,
/// one that was stopped continues. `out/ablation.md` and `out/ablation.json` hold the rows so far.
///
/// # Errors
/// When a run fails or is stopped.
pub fn ablate(
    base: &Config,
    material: &Material<'_>,
    out: &Path,
    sink: &mut dyn Sink,
    control: &mut dyn Control,
    measure: &mut Measure<'_>,
) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for row in ROWS {
        let data = match (row.second, material.second) {
            (false, _) => material.first,
            (true, Some(data)) => data,
            (true, None) => continue,
        };
        let config = row.config(base, data.train.channels);
        let checkpoint = train(&config, data, &folder(out, &row), sink, control)?;
        let state = checkpoint::read_state(&checkpoint)?;
        if state.step < state.config.steps {
            return Err(Error::Cancelled);
        }
        outcomes.push(Outcome {
            number: row.number,
            parameters: config.model.dit().parameter_count(),
            steps: state.step,
            heldout: state
                .heldout
                .as_ref()
                .map_or(f64::NAN, |report| report.loss),
            miou: measure(&row, &checkpoint)?,
            seconds: state.seconds,
        });
        let text = table(base, material, &outcomes);
        file::write(
            &out.join("ablation.md"),
            text.as_bytes(),
            Overwrite::Replace,
        )?;
        let json =
            serde_json::to_string_pretty(&outcomes).map_err(Error::unwritable("the outcomes"))?;
        file::write(
            &out.join("ablation.json"),
            json.as_bytes(),
            Overwrite::Replace,
        )?;
    }
    Ok(outcomes)
}

/// Folder of a row's run.
pub fn folder(out: &Path, row: &Row) -> PathBuf {
    out.join(format!("row-{}", row.number))
}

fn train(
    config: &Config,
    data: &PreparedData,
    out: &Path,
    sink: &mut dyn Sink,
    control: &mut dyn Control,
) -> Result<PathBuf> {
    let start = match checkpoint::find(out) {
        Ok(checkpoint) => {
            let state = checkpoint::read_state(&checkpoint)?;
            let mut wanted = config.clone();
            wanted.count_steps(data.train.len())?;
            if state.config != wanted {
                return Err(Error::content(
                    out,
                    "the folder holds a row of another configuration",
                    "name another --out",
                ));
            }
            if state.step >= state.config.steps {
                return Ok(checkpoint);
            }
            Start::Checkpoint(checkpoint)
        }
        Err(_) => Start::Fresh(config.clone()),
    };
    run::run(
        start,
        Changes::default(),
        RunContext::new(data, out, sink, control),
    )
}

/// The table in Markdown, with the paper's figures beside ours and what the order says.
pub fn table(base: &Config, material: &Material<'_>, outcomes: &[Outcome]) -> String {
    let text = rows(base, material.first.train.len(), outcomes);
    format!("{text}\n{}\n{}\n", order(outcomes), material.note)
}

fn rows(base: &Config, samples: usize, outcomes: &[Outcome]) -> String {
    let mark = |on: bool| if on { "✓" } else { "–" };
    let mut text = format!(
        "{} samples at {}², batch {}, {} updates a row, seed {}.\n\n\
        | row | modality embedder | dual stream | RoPE | autoencoder | parameters | held-out loss | mIoU | time | paper: FID | paper: mIoU |\n\
        | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        grouped(samples as u64),
        base.resolution,
        base.batch,
        outcomes.first().map_or(base.steps, |outcome| outcome.steps),
        base.seed
    );
    for row in ROWS {
        let head = format!(
            "| {} | {} | {} | {} | {} |",
            row.number,
            mark(row.modality),
            mark(row.dual),
            mark(row.rope),
            if row.second { "second" } else { "first" }
        );
        let paper = format!("| {:.2} | {:.2} |\n", row.paper.0, row.paper.1);
        text += &head;
        text += &match outcomes.iter().find(|outcome| outcome.number == row.number) {
            Some(outcome) => format!(
                " {:.2} M | {:.5} | {} | {} {paper}",
                outcome.parameters as f64 / 1e6,
                outcome.heldout,
                outcome.miou.map_or_else(
                    || "not measured".into(),
                    |miou| format!("{:.2}", 100.0 * miou)
                ),
                duration(outcome.seconds)
            ),
            None if row.second => {
                format!(" not run: it needs a second autoencoder | | | | {paper}")
            }
            None => format!(" not run yet | | | | {paper}"),
        };
    }
    text
}

/// Whether the rows that compare stand in the paper's order.
pub fn order(outcomes: &[Outcome]) -> String {
    let compared: Vec<&Outcome> = outcomes
        .iter()
        .filter(|outcome| {
            ROWS.iter()
                .any(|row| row.number == outcome.number && !row.second)
        })
        .collect();
    let verdict = |name: &str, better: &dyn Fn(&Outcome, &Outcome) -> bool| {
        let broken: Vec<String> = compared
            .windows(2)
            .filter(|pair| !better(pair[1], pair[0]))
            .map(|pair| {
                format!(
                    "row {} is not better than row {}",
                    pair[1].number, pair[0].number
                )
            })
            .collect();
        if broken.is_empty() {
            format!(
                "By {name} rows {} stand in the paper's order.",
                numbers(&compared)
            )
        } else {
            format!(
                "By {name} the paper's order does not show: {}.",
                broken.join(", ")
            )
        }
    };
    let mut text = verdict("held-out loss", &|new, old| new.heldout < old.heldout);
    if compared.iter().all(|outcome| outcome.miou.is_some()) && !compared.is_empty() {
        text += " ";
        text += &verdict("mIoU", &|new, old| new.miou > old.miou);
    }
    text
}

fn numbers(outcomes: &[&Outcome]) -> String {
    let numbers: Vec<String> = outcomes
        .iter()
        .map(|outcome| outcome.number.to_string())
        .collect();
    numbers.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn rows_switch_one_more_part_on_each() {
        let base = crate::presets::find("demo").unwrap().config().unwrap();
        let configs: Vec<Config> = ROWS.iter().map(|row| row.config(&base, 16)).collect();
        for config in &configs {
            config.check().unwrap();
        }
        let names = |config: &Config| -> Vec<String> {
            config
                .model
                .dit()
                .tensors()
                .into_iter()
                .map(|(name, _)| name)
                .collect()
        };
        assert!(
            !names(&configs[0])
                .iter()
                .any(|name| name.contains("modality"))
        );
        assert!(
            names(&configs[1])
                .iter()
                .any(|name| name.contains("modality"))
        );
        assert!(
            !names(&configs[1])
                .iter()
                .any(|name| name.contains("to_q_t"))
        );
        assert!(
            names(&configs[2])
                .iter()
                .any(|name| name.contains("to_q_t"))
        );
        assert_eq!(configs[3].model.dit(), base.model.dit());
    }

    #[test]
    fn the_table_says_what_the_order_says() {
        let base = crate::presets::find("demo").unwrap().config().unwrap();
        let mut outcomes: Vec<Outcome> = (1..=4)
            .map(|number| Outcome {
                number,
                parameters: 1_000_000,
                steps: 10,
                heldout: 1.0 / number as f64,
                miou: Some(0.1 * number as f64),
                seconds: 60.0,
            })
            .collect();
        let text = rows(&base, 900, &outcomes) + &order(&outcomes);
        assert!(
            text.contains("By held-out loss rows 1, 2, 3, 4 stand in the paper's order"),
            "{text}"
        );
        assert!(
            text.contains("By mIoU rows") && text.contains("not run"),
            "{text}"
        );
        outcomes[2].heldout = 0.9;
        let text = order(&outcomes);
        assert!(text.contains("row 3 is not better than row 2"), "{text}");
    }
}
