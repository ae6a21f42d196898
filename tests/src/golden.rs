//! The golden fixtures: each file is a safetensors file with `in.*`, `w.*` and `out.*` tensors and
//! metadata (kind, case, config as JSON, tolerance). Every package runs the kinds that it owns.
//!
//! `MMFACE_FIXTURES=DIR cargo test --workspace --test golden` runs another folder.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use candle_core::{DType, Device, Tensor};

/// Kinds owned by `mmface-engine`.
pub const ENGINE_KINDS: &[&str] = &[
    "dit_forward",
    "dit_block",
    "rope",
    "timestep_embedding",
    "guidance",
    "clip_text",
    "face_parser",
    "autoencoder_kl",
    "autoencoder_tiny",
    "samplers",
    "noise_schedule",
    "torch_randn",
    "pt_latent",
    "resize",
    "palette",
    "end_to_end",
    "gradients",
];

/// Kinds owned by `mmface-trainer`.
pub const TRAINER_KINDS: &[&str] = &["train_steps", "adamw", "adamw8bit", "lr_schedule", "ema"];

/// Runs one fixture and records each compared tensor in the report.
pub type Runner = fn(&Fixture, &mut Report) -> anyhow::Result<()>;

/// One fixture file in memory.
#[derive(Debug)]
pub struct Fixture {
    /// Folder of the file, for fixtures that name a neighbour.
    pub dir: PathBuf,
    /// File name.
    pub file: String,
    /// What it tests.
    pub kind: String,
    /// Allowed error: max|a−b| / max|b| per tensor; 0 = exact.
    pub tolerance: f64,
    config: serde_json::Value,
    tensors: BTreeMap<String, Tensor>,
}

impl Fixture {
    /// Reads a fixture.
    ///
    /// # Errors
    /// When the file is not a safetensors file or lacks the metadata.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = std::fs::read(path)?;
        let (_, header) =
            safetensors::SafeTensors::read_metadata(&bytes).context("not a safetensors file")?;
        let meta = header.metadata().clone().context("no metadata")?;
        let get = |key: &str| {
            meta.get(key)
                .with_context(|| format!("metadata lacks {key}"))
        };
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?;
        Ok(Self {
            dir: path.parent().unwrap_or(Path::new(".")).to_path_buf(),
            file: path
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default(),
            kind: get("kind")?.clone(),
            tolerance: get("tolerance")?
                .parse()
                .context("tolerance is not a number")?,
            config: serde_json::from_str(get("config")?).context("config is not JSON")?,
            tensors: tensors.into_iter().collect(),
        })
    }

    /// The case's parameters.
    pub fn config(&self) -> &serde_json::Value {
        &self.config
    }

    /// Tensor `in.{name}`.
    ///
    /// # Shapes
    /// - result: as the fixture stores it
    ///
    /// # Errors
    /// When the fixture has no such tensor.
    pub fn input(&self, name: &str) -> anyhow::Result<Tensor> {
        self.tensor("in", name)
    }

    /// Tensor `out.{name}`.
    ///
    /// # Shapes
    /// - result: as the fixture stores it
    ///
    /// # Errors
    /// When the fixture has no such tensor.
    pub fn output(&self, name: &str) -> anyhow::Result<Tensor> {
        self.tensor("out", name)
    }

    /// Names after `{group}.`, such as all of `out`.
    pub fn names(&self, group: &str) -> Vec<String> {
        let prefix = format!("{group}.");
        self.tensors
            .keys()
            .filter_map(|name| name.strip_prefix(&prefix))
            .map(str::to_owned)
            .collect()
    }

    /// All `w.*` tensors by their checkpoint names.
    ///
    /// # Shapes
    /// - results: as the checkpoint stores them
    pub fn weights(&self) -> HashMap<String, Tensor> {
        self.tensors
            .iter()
            .filter_map(|(name, tensor)| {
                Some((name.strip_prefix("w.")?.to_owned(), tensor.clone()))
            })
            .collect()
    }

    fn tensor(&self, group: &str, name: &str) -> anyhow::Result<Tensor> {
        self.tensors
            .get(&format!("{group}.{name}"))
            .cloned()
            .with_context(|| format!("no tensor {group}.{name}"))
    }
}

/// Errors of the tensors of one fixture.
#[derive(Debug)]
pub struct Report {
    tolerance: f64,
    compared: Vec<(String, f64, f64)>,
}

impl Report {
    /// Records max|a−b| / max|b| of one tensor against the fixture's tolerance.
    ///
    /// # Shapes
    /// - actual, expected: any, equal
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn compare(
        &mut self,
        name: &str,
        actual: &Tensor,
        expected: &Tensor,
    ) -> anyhow::Result<()> {
        self.compare_within(name, actual, expected, self.tolerance)
    }

    /// As [`Report::compare`] with another tolerance, for fixtures whose note asks for one.
    ///
    /// # Shapes
    /// - actual, expected: any, equal
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn compare_within(
        &mut self,
        name: &str,
        actual: &Tensor,
        expected: &Tensor,
        tolerance: f64,
    ) -> anyhow::Result<()> {
        ensure!(
            actual.dims() == expected.dims(),
            "{name}: shape {:?}, expected {:?}",
            actual.dims(),
            expected.dims()
        );
        let values = |t: &Tensor| -> anyhow::Result<Vec<f64>> {
            Ok(t.to_device(&Device::Cpu)?
                .to_dtype(DType::F64)?
                .flatten_all()?
                .to_vec1()?)
        };
        let (actual, expected) = (values(actual)?, values(expected)?);
        let scale = expected.iter().fold(0f64, |m, v| m.max(v.abs()));
        let mut worst = 0f64;
        for (a, e) in actual.iter().zip(&expected) {
            let difference = (a - e).abs();
            // A NaN must count as an error, and max() drops it.
            worst = if difference.is_finite() {
                worst.max(difference)
            } else {
                f64::INFINITY
            };
            if worst.is_infinite() {
                break;
            }
        }
        let error = if worst == 0.0 {
            0.0
        } else if scale == 0.0 {
            worst
        } else {
            worst / scale
        };
        self.compared.push((name.to_owned(), error, tolerance));
        Ok(())
    }

    fn worst(&self) -> Option<&(String, f64, f64)> {
        let excess = |c: &(String, f64, f64)| if c.2 == 0.0 { c.1 * 1e30 } else { c.1 / c.2 };
        self.compared
            .iter()
            .max_by(|a, b| excess(a).total_cmp(&excess(b)))
    }
}

/// The folder of fixtures: `MMFACE_FIXTURES`, else `tests/golden/fixtures` of the checkout.
pub fn folder() -> PathBuf {
    match std::env::var_os("MMFACE_FIXTURES") {
        // cargo runs tests in the package's folder, a person names a folder from the workspace's.
        Some(dir) => {
            let dir = PathBuf::from(dir);
            let from_workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(&dir);
            if dir.is_relative() && !dir.exists() {
                from_workspace
            } else {
                dir
            }
        }
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/fixtures"),
    }
}

/// Runs all fixtures of [`folder`] of the kinds that a package owns, prints each file with its
/// error, and fails on an unknown kind, on an empty folder, when an owned kind has no file, and
/// when the package has no runner for a kind that it owns.
pub fn run(kinds: &[&str], runners: &[(&str, Runner)]) -> ExitCode {
    let orphan = kinds
        .iter()
        .find(|kind| !runners.iter().any(|(name, _)| name == *kind));
    if let Some(kind) = orphan {
        println!("golden fixtures: no runner for kind {kind}");
        return ExitCode::FAILURE;
    }
    match run_folder(&folder(), runners) {
        Ok((passed, 0)) => {
            println!("{passed} passed, 0 failed");
            ExitCode::SUCCESS
        }
        Ok((passed, failed)) => {
            println!("{passed} passed, {failed} failed");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("golden fixtures: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// As [`run`] on one folder; returns how many files passed and failed.
///
/// # Errors
/// On an unreadable or empty folder, an unknown kind, and a missing owned kind.
pub fn run_folder(dir: &Path, owned: &[(&str, Runner)]) -> anyhow::Result<(usize, usize)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .with_context(|| format!("cannot open the folder {}", dir.display()))?
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
        .collect();
    files.sort();
    ensure!(!files.is_empty(), "no fixtures in {}", dir.display());
    let mut seen: BTreeMap<&str, usize> = owned.iter().map(|(kind, _)| (*kind, 0)).collect();
    let (mut passed, mut failed) = (0, 0);
    for path in &files {
        let fixture = Fixture::read(path).with_context(|| path.display().to_string())?;
        let Some((kind, runner)) = owned.iter().find(|(kind, _)| *kind == fixture.kind) else {
            if ENGINE_KINDS.contains(&fixture.kind.as_str())
                || TRAINER_KINDS.contains(&fixture.kind.as_str())
            {
                continue;
            }
            bail!("{}: unknown kind {:?}", path.display(), fixture.kind);
        };
        *seen.entry(kind).or_default() += 1;
        if run_one(&fixture, *runner) {
            passed += 1
        } else {
            failed += 1
        }
    }
    let missing: Vec<_> = seen
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(kind, _)| *kind)
        .collect();
    ensure!(
        missing.is_empty(),
        "no fixture of kind {} in {}",
        missing.join(", "),
        dir.display()
    );
    Ok((passed, failed))
}

fn run_one(fixture: &Fixture, runner: Runner) -> bool {
    let mut report = Report {
        tolerance: fixture.tolerance,
        compared: Vec::new(),
    };
    let outcome = runner(fixture, &mut report);
    let line = match (&outcome, report.worst()) {
        (Err(error), _) => format!("FAILED  {error:#}"),
        (Ok(()), None) => "FAILED  nothing was compared".to_owned(),
        (Ok(()), Some((name, error, tolerance))) => {
            let verdict = if error <= tolerance {
                "ok    "
            } else {
                "FAILED"
            };
            format!(
                "{verdict}  error {error:.2e} (tolerance {tolerance:.0e}, worst of {}: {name})",
                report.compared.len()
            )
        }
    };
    println!("{:<52} {line}", fixture.file);
    line.starts_with("ok")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn nothing(_: &Fixture, _: &mut Report) -> anyhow::Result<()> {
        Ok(())
    }

    #[test]
    fn each_kind_has_one_owner() {
        for kind in ENGINE_KINDS {
            assert!(!TRAINER_KINDS.contains(kind), "{kind} has two owners");
        }
    }

    #[test]
    fn a_missing_folder_fails() {
        assert!(run_folder(Path::new("does/not/exist"), &[]).is_err());
    }

    #[test]
    fn an_owned_kind_without_file_fails() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/fixtures");
        let error = run_folder(&dir, &[("no_such_kind", nothing)]).unwrap_err();
        assert!(error.to_string().contains("no_such_kind"), "{error}");
    }

    #[test]
    fn a_fixture_that_compares_nothing_fails() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/fixtures");
        let (passed, failed) = run_folder(&dir, &[("ema", nothing)]).unwrap();
        assert_eq!(
            (passed, failed > 0),
            (0, true),
            "an empty comparison passed"
        );
    }

    #[test]
    fn nan_is_an_error() {
        let mut report = Report {
            tolerance: 1.0,
            compared: Vec::new(),
        };
        let nan = Tensor::new(&[f32::NAN], &Device::Cpu).unwrap();
        let one = Tensor::new(&[1f32], &Device::Cpu).unwrap();
        report.compare("y", &nan, &one).unwrap();
        assert!(report.worst().unwrap().1.is_infinite(), "NaN passed");
    }
}
