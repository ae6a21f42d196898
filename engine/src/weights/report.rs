//! Whether a file's tensors are the model's, said by name before anything is read.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use serde::Serialize;

use super::file::TensorFile;
use super::layout::{ElementType, shown};
use crate::{Error, Result};

/// How many names an error lists; the rest is a number.
const NAMES: usize = 3;

/// A tensor of another shape than the model's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrongShape {
    /// The tensor.
    pub name: String,
    /// The model's shape.
    pub expected: Vec<usize>,
    /// The file's shape.
    pub found: Vec<usize>,
}

/// Differences between a file and the model that it should hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LoadReport {
    /// Tensors of the model that the file lacks.
    pub missing: Vec<String>,
    /// Tensors of the file that the model does not know.
    pub extra: Vec<String>,
    /// Tensors of another shape.
    pub wrong_shape: Vec<WrongShape>,
    /// Tensors whose numbers are no weights, with their type.
    pub wrong_type: Vec<(String, &'static str)>,
}

impl LoadReport {
    /// Compares a file with the tensors of a model.
    pub fn compare(file: &TensorFile, expected: &[(String, Vec<usize>)]) -> Self {
        let mut report = Self::default();
        for (name, shape) in expected {
            let Some(entry) = file.tensors().get(name) else {
                report.missing.push(name.clone());
                continue;
            };
            if entry.shape != *shape {
                let (expected, found) = (shape.clone(), entry.shape.clone());
                report.wrong_shape.push(WrongShape {
                    name: name.clone(),
                    expected,
                    found,
                });
            } else if let ElementType::Other(kind) = entry.element {
                report.wrong_type.push((name.clone(), kind));
            }
        }
        let known: HashSet<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
        let extra = file
            .tensors()
            .keys()
            .filter(|name| !known.contains(name.as_str()) && !is_buffer(name));
        report.extra = extra.cloned().collect();
        report
    }

    /// Compares a file with the tensors that a model asks for when it is loaded, for models that
    /// do not list theirs: the model is built of zeros that cost no memory, and every request is
    /// noted.
    ///
    /// # Errors
    /// When the model's configuration is impossible.
    pub fn of_model<T, E: Into<Error>>(
        file: &TensorFile,
        build: impl FnOnce(VarBuilder<'static>) -> std::result::Result<T, E>,
    ) -> Result<Self> {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let recorder = Recorder {
            present: file.tensors().keys().cloned().collect(),
            asked: Arc::clone(&asked),
        };
        let vb = VarBuilder::from_backend(Box::new(recorder), DType::F32, Device::Cpu);
        build(vb).map_err(Into::into)?;
        let asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Self::compare(file, &asked))
    }

    /// Whether the file holds exactly the model.
    pub fn fits(&self) -> bool {
        *self == Self::default()
    }

    /// The report as an error, unless the file fits.
    ///
    /// # Errors
    /// When the file does not fit.
    pub fn into_result(self, file: &TensorFile) -> Result<()> {
        if self.fits() {
            Ok(())
        } else {
            Err(Error::Weights(format!("{}: {self}", file.path().display())))
        }
    }
}

/// Names and shapes.
type Asked = Vec<(String, Vec<usize>)>;

/// Answers every request with zeros, and remembers it.
struct Recorder {
    present: HashSet<String>,
    asked: Arc<Mutex<Asked>>,
}

impl SimpleBackend for Recorder {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push((name.to_owned(), shape.dims().to_vec()));
        Tensor::zeros((), dtype, device)?.broadcast_as(shape)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        candle_core::bail!("`{name}` is asked for without a shape")
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.present.contains(name)
    }
}

/// Old text towers carry a row of position numbers that is computed today.
fn is_buffer(name: &str) -> bool {
    name.ends_with("position_ids")
}

impl fmt::Display for LoadReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: Vec<String>, what: &str| {
            let more = names.len().saturating_sub(NAMES);
            let tail = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let few = names.len().min(NAMES);
            (!names.is_empty())
                .then(|| format!("{} {what}: {}{tail}", names.len(), names[..few].join(", ")))
        };
        let quoted = |name: &String| format!("`{}`", shown(name));
        let shapes = |wrong: &WrongShape| {
            format!(
                "{} is {:?}, not {:?}",
                quoted(&wrong.name),
                wrong.found,
                wrong.expected
            )
        };
        let kinds = |(name, kind): &(String, &str)| format!("{} ({kind})", quoted(name));
        let parts = [
            list(self.missing.iter().map(quoted).collect(), "missing"),
            list(
                self.wrong_shape.iter().map(shapes).collect(),
                "of another shape",
            ),
            list(
                self.wrong_type.iter().map(kinds).collect(),
                "of a type that is no weight",
            ),
            list(
                self.extra.iter().map(quoted).collect(),
                "unknown to the model",
            ),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        formatter.write_str(if parts.is_empty() {
            "all tensors fit"
        } else {
            ""
        })?;
        formatter.write_str(&parts.join("; "))
    }
}
