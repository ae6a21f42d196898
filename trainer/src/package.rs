//! A package for a checkpoint to be exported into, made from the frozen parts that it was trained
//! with.

use std::path::Path;

use mmface_engine::file::{self, Overwrite};
use mmface_engine::model::autoencoder_kl::AutoencoderKlConfig;
use mmface_engine::weights::import::{ImportOptions, import};
use mmface_engine::weights::upstream::Hints;
use mmface_engine::weights::{LatentConfig, manifest};
use mmface_engine::{Error, Result};
use mmface_run_protocol::checkpoint_layout::EMA_FILE;
use mmface_run_protocol::frozen_parts;

use crate::checkpoint;

/// Makes the package at `out` from the transformer of a checkpoint and the frozen parts in
/// `weights` (`vae/`, `text/`), unless there is one already.
///
/// # Errors
/// When parts are missing or do not belong together, or a file cannot be written.
pub fn create(from: &Path, weights: &Path, out: &Path) -> Result<()> {
    let manifest_path = out.join(manifest::FILE);
    if manifest_path.exists() {
        return Ok(());
    }
    let checkpoint = checkpoint::find(from)?;
    let config = checkpoint::read_state(&checkpoint)?.config;
    let dit = config.model.dit();
    let out = std::path::absolute(out).map_err(Error::file("find", out))?;
    let (Some(into), Some(name)) = (out.parent(), out.file_name().and_then(|name| name.to_str()))
    else {
        return Err(Error::Argument(format!(
            "{} is no name for a package; name another with --out",
            out.display()
        )));
    };
    let vae = frozen_parts::autoencoder(weights);
    let options = ImportOptions {
        source: checkpoint.join(EMA_FILE),
        into: into.to_path_buf(),
        name: Some(name.to_owned()),
        resolution: Some(config.resolution),
        hints: Hints {
            heads: Some(dit.heads),
            objective: Some(dit.objective),
            text_rope: Some(dit.text_rope),
        },
        vae: Some(vae.clone()),
        text: Some(frozen_parts::text(weights)),
        copy: true,
        ..ImportOptions::default()
    };
    let imported = import(&options, &mut |_, _, _| true)?;
    if !imported.missing.is_empty() {
        // Half a package would be taken for a whole one the next time.
        std::fs::remove_dir_all(&out).ok();
        return Err(Error::content(
            weights,
            format!("{} not found", imported.missing.join(", ")),
            "name the folder with vae/ and text/ that the data was prepared with",
        ));
    }
    let mut manifest = imported.package.manifest().clone();
    manifest.dit = dit;
    manifest.licence = "not stated: it depends on the data of the training".into();
    // An import takes latents as the authors scale them; ours were prepared with the autoencoder's
    // own shift.
    let path = vae.join("config.json");
    let text = std::fs::read(&path).map_err(Error::file("read the configuration", &path))?;
    let autoencoder: AutoencoderKlConfig = serde_json::from_slice(&text)
        .map_err(|error| Error::content(&path, error.to_string(), "name another autoencoder"))?;
    let latent = LatentConfig::from_autoencoder(&autoencoder);
    if latent.shift != 0.0 {
        manifest.latent = latent;
    }
    let text = manifest
        .to_text()
        .map_err(|what| Error::content(&manifest_path, what, "check the checkpoint's shape"))?;
    file::write(&manifest_path, text.as_bytes(), Overwrite::Replace)
}
