//! Single settings of a configuration changed by name, as `--set rate.base=3e-4` asks.

use mmface_engine::format::similar;
use mmface_engine::kernels::Route;
use mmface_engine::{Error, Result};
use serde_json::Value;

use crate::config::Config;

/// Changes one setting; `assignment` is `KEY=VALUE`, the key with dots as the configuration nests.
///
/// Values are numbers, `true`, `false`, `None`, names of choices (`Fast`, `Bits8`), or JSON where a
/// setting has parts.
///
/// # Errors
/// When there is no such key (the nearest is named), or the value does not suit it.
pub fn set(config: &mut Config, assignment: &str) -> Result<()> {
    let fail = |what: String| Err(Error::Argument(format!("--set {assignment}: {what}")));
    let Some((key, text)) = assignment.split_once('=') else {
        return fail("expected KEY=VALUE, as in `rate.base=3e-4`".into());
    };
    let (key, text) = (key.trim(), text.trim());
    let mut tree = as_tree(config)?;
    let known = as_tree(&complete(config))?;
    if let Err(what) = check_path(&known, key) {
        return fail(what);
    }
    put(&mut tree, key, value(text));
    let mut changed = serde_json::from_value(tree.clone());
    if changed.is_err() {
        // What looks like a number or a word of JSON may be a name: `name=123`, `checkpointing=None`.
        put(&mut tree, key, Value::String(text.into()));
        changed = serde_json::from_value(tree).or(changed);
    }
    match changed {
        Ok(changed) => {
            *config = changed;
            if key == "steps" {
                // Whoever asks for updates does not want them counted from epochs.
                config.epochs = None;
            }
            Ok(())
        }
        Err(error) => fail(error.to_string()),
    }
}

/// The configuration with every setting that may be left out, so that all keys can be seen.
fn complete(config: &Config) -> Config {
    let mut config = config.clone();
    config.epochs.get_or_insert(1);
    config.every.sample.get_or_insert(1);
    config.route.get_or_insert(Route::Fused);
    config
}

fn as_tree(config: &Config) -> Result<Value> {
    serde_json::to_value(config).map_err(Error::unwritable("the configuration"))
}

/// Follows the key down; below a value without parts nothing is checked here.
fn check_path(known: &Value, key: &str) -> std::result::Result<(), String> {
    let mut node = known;
    for part in key.split('.') {
        let Some(fields) = node.as_object() else {
            return Err(format!("`{key}` goes deeper than the setting has parts"));
        };
        let names: Vec<&str> = fields.keys().map(String::as_str).collect();
        node = fields
            .get(part)
            .ok_or_else(|| match similar(part, &names) {
                Some(near) => format!("unknown key `{part}`: did you mean `{near}`?"),
                None => format!("unknown key `{part}`: there are {}", names.join(", ")),
            })?;
    }
    Ok(())
}

fn put(tree: &mut Value, key: &str, value: Value) {
    let mut node = tree;
    for part in key.split('.') {
        if !node.is_object() {
            *node = Value::Object(serde_json::Map::new());
        }
        node = &mut node[part];
    }
    *node = value;
}

fn value(text: &str) -> Value {
    if ["None", "none"].contains(&text) {
        return Value::Null;
    }
    number(text)
        .or_else(|| serde_json::from_str(text).ok())
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// A number as people write it: `1000`, `1_000`, `1e3`, `.5`.
fn number(text: &str) -> Option<Value> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return None;
    }
    let plain = text.replace('_', "");
    let whole = plain.parse::<u64>().map(Value::from);
    whole
        .or_else(|_| plain.parse::<i64>().map(Value::from))
        .ok()
        // JSON's reader may miss a fraction by its last bit.
        .or_else(|| plain.parse::<f64>().ok().map(Value::from))
        // A number that is not finite has no JSON; the configuration's check tells of other words.
        .filter(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use mmface_engine::kernels::Precision;

    use super::*;
    use crate::config::{Checkpointing, Moments, TimeSampling};

    fn demo() -> Config {
        crate::presets::find("demo").unwrap().config().unwrap()
    }

    #[test]
    fn settings_of_every_kind_are_changed_and_the_others_stay() {
        let mut config = demo();
        for assignment in [
            "steps=500",
            "name=other",
            "precision=Exact",
            "route=Composed",
            "optimizer.moments=Bits8",
            "optimizer.max_grad_norm=None",
            "rate.base = 3e-4",
            "rate.cooldown=[400,100]",
            "dropout.text=0.2",
            "every.sample=None",
            "epochs=2",
            "checkpointing=Full",
            "checkpointing=None",
            "time={\"LogitNormal\":{\"mean\":0,\"deviation\":1}}",
        ] {
            set(&mut config, assignment).unwrap();
        }
        let mut wanted = demo();
        (wanted.steps, wanted.name) = (500, "other".into());
        (wanted.precision, wanted.route) = (Precision::Exact, Some(Route::Composed));
        wanted.optimizer.moments = Moments::Bits8;
        wanted.optimizer.max_grad_norm = None;
        (wanted.rate.base, wanted.rate.cooldown) = (3e-4, Some((400, 100)));
        wanted.dropout.text = 0.2;
        (wanted.every.sample, wanted.epochs) = (None, Some(2));
        wanted.time = TimeSampling::LogitNormal {
            mean: 0.0,
            deviation: 1.0,
        };
        assert_eq!(config, wanted);
    }

    #[test]
    fn values_are_taken_as_people_write_them() {
        let mut config = demo();
        for assignment in [
            "steps=1e3",
            "seed=1_000",
            "batch=16.0",
            "name=123",
            "checkpointing=true",
            "optimizer.max_grad_norm=none",
            "rate.base=.5",
            "rate.cooldown=[1e2, 50]",
        ] {
            set(&mut config, assignment).unwrap();
        }
        assert_eq!((config.steps, config.seed, config.batch), (1000, 1000, 16));
        assert_eq!((config.name.as_str(), config.rate.base), ("123", 0.5));
        assert_eq!(config.checkpointing, Checkpointing::Full);
        assert_eq!(config.optimizer.max_grad_norm, None);
        assert_eq!(config.rate.cooldown, Some((100, 50)));
        set(&mut config, "name=true").unwrap();
        assert_eq!(config.name, "true");
    }

    #[test]
    fn what_does_not_fit_is_named_and_changes_nothing() {
        for (assignment, part) in [
            ("stesp=5", "did you mean `steps`"),
            ("optimizer.moment=Bits8", "did you mean `moments`"),
            ("rate.base.low=1", "goes deeper"),
            ("steps", "KEY=VALUE"),
            ("steps=many", "many"),
            ("precision=Fats", "Fast"),
            ("route=Card", "Composed"),
            ("model=Huge", "Paper"),
            ("every.zebra=1", "checkpoint"),
            ("steps=1.5", "whole number from 0"),
            ("seed=-1", "whole number from 0"),
            ("steps=", "whole number from 0"),
            ("precision=fast", "Fast"),
            ("optimizer.moments=bits8", "Bits8"),
            ("rate.base=1e999", "1e999"),
        ] {
            let mut config = demo();
            let error = set(&mut config, assignment).unwrap_err().to_string();
            assert!(
                error.contains(part) && error.contains(assignment),
                "{error}"
            );
            assert_eq!(config, demo());
        }
    }
}
