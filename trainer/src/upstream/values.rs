//! Values of a file by `section.key`, each checked for its kind.

use std::path::PathBuf;

use mmface_engine::Error;

use super::yaml::Node;

/// What can be wrong beside the keys.
pub(super) enum Wrong {
    Value(String),
    Engine(Error),
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

/// A file whose keys are known.
pub(super) struct File<'a> {
    pub tree: &'a Node,
}

impl File<'_> {
    /// A value by `section.key`; an empty one and `null` count as absent.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        let (section, key) = key.split_once('.')?;
        self.tree.get(section)?.get(key)?.scalar()
    }

    /// # Errors
    /// When the value of the key is not of this kind.
    pub(super) fn value<T: std::str::FromStr>(
        &self,
        key: &str,
        kind: &str,
    ) -> Result<Option<T>, Wrong> {
        self.text(key)
            .map(|text| {
                text.replace('_', "")
                    .parse()
                    .map_err(|_| Wrong::Value(format!("`{key}: {text}` is not {kind}")))
            })
            .transpose()
    }

    /// A whole number, also written as `1e3` or `16.0`.
    ///
    /// # Errors
    /// When the value is no whole number.
    pub(super) fn whole(&self, key: &str) -> Result<Option<u64>, Wrong> {
        let kind = "a whole number from 0";
        if let Ok(value) = self.value(key, kind) {
            return Ok(value);
        }
        let float: Option<f64> = self.value(key, kind)?;
        match float {
            Some(value) if value < 0.0 || value.fract() != 0.0 || value > 1e15 => {
                let text = self.text(key).unwrap_or_default();
                Err(Wrong::Value(format!("`{key}: {text}` is not {kind}")))
            }
            whole => Ok(whole.map(|value| value as u64)),
        }
    }

    /// # Errors
    /// When the value is no number.
    pub(super) fn number(&self, key: &str, default: f64) -> Result<f64, Wrong> {
        Ok(self.value(key, "a number")?.unwrap_or(default))
    }

    /// # Errors
    /// When the value is neither true nor false.
    pub(super) fn switch(&self, key: &str, default: bool) -> Result<bool, Wrong> {
        match self.text(key).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(default),
            Some("true" | "yes" | "on") => Ok(true),
            Some("false" | "no" | "off") => Ok(false),
            Some(other) => Err(Wrong::Value(format!(
                "`{key}: {other}` is neither true nor false"
            ))),
        }
    }

    pub(super) fn path(&self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }
}
