//! Checkpoints that are either whole or not there.
//!
//! [`checkpoint_layout`] says what lies where. A checkpoint is written as a hidden folder, flushed,
//! given its marker, and renamed; `OUT/latest` names the newest one after that.

mod state;
mod weights;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use mmface_engine::file::{self, Overwrite};
use mmface_engine::weights::{ElementType, TensorFile};
use mmface_engine::{Error, Result};
use mmface_run_protocol::checkpoint_layout::{
    self, EMA_FILE, Leftover, MARKER, OPTIMIZER_FILE, RAW_FILE, STATE_FILE, folder, is_complete,
};

use crate::config::Config;
use crate::optim::Ema;
use crate::optim::adamw::{AdamW, Moment, Slot, StoredMoment, is_quantised, moment_bytes};
use crate::optim::adamw8bit::{BLOCK, Quantised};
use crate::step::{Settings, Training};
use crate::tensors::{self, Blob, U8, bytes, f32_values};
pub use state::{FORMAT, State, read_state};
pub use weights::{check_initial, read_initial, read_weights};

/// Writes `OUT/checkpoint-N` and then points `latest` at it; returns its folder.
///
/// # Errors
/// When a file or folder cannot be written or moved, or weights cannot be read from the device. The
/// checkpoint then does not count as complete, and an older one stays.
pub fn save(out: &Path, training: &Training, state: &State) -> Result<PathBuf> {
    fs::create_dir_all(out).map_err(Error::file("create the run folder", out))?;
    let target = folder(out, state.step);
    let part = checkpoint_layout::partial(out, state.step);
    remove_folder(&part)?;
    fs::create_dir(&part).map_err(Error::file("create the checkpoint", &part))?;

    let metadata = [
        ("format", "pt".to_owned()),
        ("step", state.step.to_string()),
    ];
    let ema = blobs(&training.ema.tensors())?;
    tensors::write(&part.join(EMA_FILE), &ema, &metadata)?;
    let raw = blobs(
        &training
            .parameters
            .iter()
            .map(|(name, var)| (name.clone(), var.as_detached_tensor()))
            .collect(),
    )?;
    tensors::write(&part.join(RAW_FILE), &raw, &metadata)?;
    write_optimizer(&part.join(OPTIMIZER_FILE), &training.optimizer)?;
    let text = ron::ser::to_string_pretty(state, ron::ser::PrettyConfig::default())
        .map_err(Error::unwritable("the training state"))?;
    file::write(&part.join(STATE_FILE), text.as_bytes(), Overwrite::Refuse)?;
    file::write(&part.join(MARKER), b"", Overwrite::Refuse)?;
    file::sync_folder(&part)?;

    // An older checkpoint of the same update stays within reach until the new one is in place.
    let old = checkpoint_layout::replaced(out, state.step);
    remove_folder(&old)?;
    if target.exists() {
        file::move_new(&target, &old)
            .map_err(|error| error.doing("put the old checkpoint aside"))?;
    }
    file::move_new(&part, &target).map_err(|error| error.doing("finish the checkpoint"))?;
    file::sync_folder(out)?;
    file::write(
        &checkpoint_layout::latest(out),
        format!("{}\n", checkpoint_layout::name(state.step)).as_bytes(),
        Overwrite::Replace,
    )?;
    remove_folder(&old)?;
    Ok(target)
}

/// Puts right what a crash left: half written checkpoints go, and one that was put aside for a
/// newer one of the same update comes back if the newer one did not get there.
///
/// # Errors
/// When the folder cannot be listed, or a leftover cannot be deleted or moved.
pub fn recover(out: &Path) -> Result<()> {
    for entry in fs::read_dir(out).map_err(Error::file("list the run folder", out))? {
        let entry = entry.map_err(Error::file("list the run folder", out))?;
        match Leftover::of(&entry.file_name()) {
            None => {}
            Some(Leftover::Partial) => remove_folder(&entry.path())?,
            Some(Leftover::Replaced(step)) => {
                let target = folder(out, step);
                if is_complete(&target) {
                    remove_folder(&entry.path())?;
                } else {
                    remove_folder(&target)?;
                    file::move_new(&entry.path(), &target)
                        .map_err(|error| error.doing("bring the checkpoint back"))?;
                }
            }
        }
    }
    Ok(())
}

/// Deletes all but the newest `keep` checkpoints and the one with the lowest held-out loss, and what
/// a crash left half written.
///
/// # Errors
/// As [`recover`], and when a checkpoint cannot be deleted.
pub fn prune(out: &Path, keep: usize) -> Result<()> {
    recover(out)?;
    let mut steps = complete(out)?;
    let best = best(out, &steps);
    let kept = steps.split_off(steps.len().saturating_sub(keep.max(1)));
    for step in steps {
        if Some(step) != best && !kept.contains(&step) {
            remove_folder(&folder(out, step))?;
        }
    }
    Ok(())
}

/// The step whose checkpoint has the lowest held-out loss; the older of equals.
fn best(out: &Path, steps: &[u64]) -> Option<u64> {
    steps
        .iter()
        .filter_map(|&step| {
            let loss = read_state(&folder(out, step)).ok()?.heldout?.loss;
            loss.is_finite().then_some((loss, step))
        })
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, step)| step)
}

/// Bytes that a checkpoint of this configuration takes, without its small files.
pub fn expected_bytes(config: &Config) -> u64 {
    let mut bytes = 0;
    for (_, shape) in config.model.dit().tensors() {
        let count: usize = shape.iter().product();
        // Raw and averaged weights are f32.
        bytes += (8 * count + moment_bytes(config.optimizer.moments, count)) as u64;
    }
    bytes
}

/// Steps of the complete checkpoints, rising.
///
/// # Errors
/// When the folder cannot be listed.
pub fn complete(out: &Path) -> Result<Vec<u64>> {
    checkpoint_layout::complete(out).map_err(Error::file("list the run folder", out))
}

/// The checkpoint to continue from: `given` itself if it is one, else the newest complete one in it.
///
/// # Errors
/// When there is none, or the folder cannot be listed.
pub fn find(given: &Path) -> Result<PathBuf> {
    if given.join(STATE_FILE).exists() {
        return Ok(given.to_path_buf());
    }
    match complete(given)?.last() {
        Some(&step) => Ok(folder(given, step)),
        None => Err(Error::content(
            given,
            "no complete checkpoint here",
            "start with `mmface-trainer train`",
        )),
    }
}

/// Says of an error of a checkpoint which older one the run still has.
pub fn name_older(error: Error, checkpoint: &Path) -> Error {
    let older = || {
        let out = checkpoint.parent()?;
        let step = checkpoint_layout::step(checkpoint.file_name()?)?;
        let steps = checkpoint_layout::complete(out).ok()?;
        let older = steps.into_iter().rfind(|other| *other < step)?;
        Some(folder(out, older))
    };
    let Some(older) = older() else {
        return error;
    };
    let hint = format!("resume from the one before with --out {}", older.display());
    match error {
        Error::Content { what, path, .. } => Error::Content { what, path, hint },
        Error::File {
            action,
            path,
            cause,
        } => Error::Content {
            what: format!("cannot {action}: {cause}"),
            path,
            hint,
        },
        Error::Weights(what) => Error::Weights(format!("{what}; {hint}")),
        other => other,
    }
}

/// Restores weights, average and optimizer.
///
/// # Errors
/// When a file cannot be read, or names, shapes or the number of updates are not those of the
/// state.
pub fn load(checkpoint: &Path, state: &State, device: &Device) -> Result<Training> {
    let raw = read_weights(
        &checkpoint.join(RAW_FILE),
        &state.config.model.dit(),
        device,
    )?;
    let average = read_weights(
        &checkpoint.join(EMA_FILE),
        &state.config.model.dit(),
        device,
    )?;
    let mut training = Training::new(Settings::of(&state.config, device), raw, device)?;
    let (decay, calls) = (state.config.ema_decay, state.ema_calls);
    training.ema = Ema::restore(decay, calls, average, training.route());
    read_optimizer(&checkpoint.join(OPTIMIZER_FILE), &mut training, state)?;
    Ok(training)
}

fn blobs(tensors: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Blob<'static>>> {
    tensors
        .iter()
        .map(|(name, tensor)| Ok((name.clone(), Blob::tensor(tensor)?)))
        .collect()
}

fn write_optimizer(path: &Path, optimizer: &AdamW) -> Result<()> {
    let moments = optimizer
        .slots
        .iter()
        .map(|(name, slot)| Ok((name, slot.moment.stored()?)))
        .collect::<Result<Vec<_>>>()?;
    let mut blobs = BTreeMap::new();
    for (name, moment) in &moments {
        let mut put = |part: &str, blob| blobs.insert(format!("{part}.{name}"), blob);
        match moment {
            StoredMoment::Values { first, second } => {
                put("first", Blob::f32(&[first.len()], first));
                put("second", Blob::f32(&[second.len()], second));
            }
            StoredMoment::Codes(codes) => {
                put("first", Blob::u8(&[codes.first.len()], &codes.first));
                put("second", Blob::u8(&[codes.second.len()], &codes.second));
                for (part, scale) in [
                    ("first_scale", &codes.first_scale),
                    ("second_scale", &codes.second_scale),
                ] {
                    put(part, Blob::f32(&[scale.len()], scale));
                }
            }
        }
    }
    tensors::write(path, &blobs, &[("format", "mmface-adamw-1".to_string())])
}

fn read_optimizer(path: &Path, training: &mut Training, state: &State) -> Result<()> {
    let damaged = |name: &str| {
        Error::content(
            path,
            format!("moments of {name} are missing or of another size"),
            "resume from another checkpoint",
        )
    };
    let file = TensorFile::open(path)?;
    for (name, &updates) in &state.updates {
        let parameter = training.parameters.get(name).ok_or_else(|| damaged(name))?;
        let count = parameter.elem_count();
        let floats = |part: &str, count: usize| -> Result<Vec<f32>> {
            let (_, bytes) = bytes(&file, &format!("{part}.{name}"), ElementType::F32)
                .ok_or_else(|| damaged(name))?;
            if bytes.len() == 4 * count {
                Ok(f32_values(bytes).collect())
            } else {
                Err(damaged(name))
            }
        };
        let codes = |part: &str| -> Result<Vec<u8>> {
            let (_, bytes) =
                bytes(&file, &format!("{part}.{name}"), U8).ok_or_else(|| damaged(name))?;
            if bytes.len() == count {
                Ok(bytes.to_vec())
            } else {
                Err(damaged(name))
            }
        };
        let stored = if is_quantised(state.config.optimizer.moments, count) {
            let blocks = count.div_ceil(BLOCK);
            StoredMoment::Codes(Cow::Owned(Quantised {
                first: codes("first")?,
                second: codes("second")?,
                first_scale: floats("first_scale", blocks)?,
                second_scale: floats("second_scale", blocks)?,
            }))
        } else {
            StoredMoment::Values {
                first: floats("first", count)?.into(),
                second: floats("second", count)?.into(),
            }
        };
        let moment = Moment::restore(stored, parameter, training.route())?;
        training
            .optimizer
            .slots
            .insert(name.clone(), Slot { updates, moment });
    }
    Ok(())
}

fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file("delete", path)(error))
        }
        _ => Ok(()),
    }
}
