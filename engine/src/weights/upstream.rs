//! What the authors' checkpoints say about themselves, and where their files lie
//! (docs/reference.md sections 1 to 3 and 5).
//!
//! A checkpoint is a bare list of tensors: size and most switches follow from their shapes. Heads,
//! objective and rotary positions leave no trace; they come from the file's metadata, from the
//! caller, or from the published values.

use std::path::{Path, PathBuf};

use super::file::TensorFile;
use super::manifest::{LatentConfig, LatentPreview, TextConfig};
use crate::job::{Named as _, Objective};
use crate::model::autoencoder_kl::AutoencoderKlConfig;
use crate::model::clip_text::ClipTextConfig;
use crate::model::dit::DitConfig;
use crate::model::rope::TextRope;
use crate::{Error, Result};

/// Names of the transformer's weights in the order of preference.
const NAMES: [&str; 4] = [
    "dit_model_weights_ema.safetensors",
    "ema_model_final/dit_model_weights_ema_final.safetensors",
    "dit_model_weights_final.safetensors",
    "model.safetensors",
];

/// A tensor that only the transformer has.
const MARK: &str = "x_embedder.proj.weight";

/// Width of a head in every published model.
const HEAD_DIM: usize = 72;

/// FLUX's own shift of latents, which the authors' latents do not subtract.
const FLUX_SHIFT: f64 = 0.1159;

/// SD3's own shift of latents.
const SD3_SHIFT: f64 = 0.0609;

/// What the caller knows about a checkpoint and its tensors do not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Attention heads.
    pub heads: Option<usize>,
    /// What the transformer predicts.
    pub objective: Option<Objective>,
    /// Where text tokens stand.
    pub text_rope: Option<TextRope>,
}

/// Finds the transformer's weights: the file itself, a known name in the folder, the newest
/// checkpoint, or the only weight file of the folder.
///
/// # Errors
/// When there is no transformer, or more than one.
pub fn find_dit(source: &Path) -> Result<PathBuf> {
    if source.is_file() {
        return Ok(source.to_path_buf());
    }
    let entries = std::fs::read_dir(source).map_err(Error::file("open the folder", source))?;
    let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let known = |folder: &Path| {
        NAMES
            .iter()
            .map(|name| folder.join(name))
            .find(|path| path.is_file())
    };
    let step = |path: &PathBuf| {
        path.file_name()?
            .to_str()?
            .strip_prefix("checkpoint-")?
            .parse::<u64>()
            .ok()
    };
    let mut checkpoints: Vec<(u64, &PathBuf)> = paths
        .iter()
        .filter_map(|path| Some((step(path)?, path)))
        .collect();
    checkpoints.sort();
    let newest = checkpoints
        .iter()
        .rev()
        .find_map(|(_, folder)| known(folder));
    if let Some(path) = known(source).or(newest) {
        return Ok(path);
    }
    let weights = |path: &&PathBuf| {
        path.extension()
            .is_some_and(|ext| ext == "safetensors" || ext == "gguf")
    };
    let is_dit = |path: &&PathBuf| {
        TensorFile::open(path).is_ok_and(|file| file.tensors().contains_key(MARK))
    };
    let found: Vec<&PathBuf> = paths.iter().filter(weights).filter(is_dit).collect();
    let what = match found.as_slice() {
        [only] => return Ok((*only).clone()),
        [] => "no transformer weights are here",
        _ => "several transformers are here",
    };
    Err(Error::content(
        source,
        what,
        format!(
            "name the file itself; expected {} or checkpoint-N",
            NAMES[0]
        ),
    ))
}

/// Derives size and switches from shapes, metadata and hints.
///
/// # Errors
/// When the file is no transformer of ours, or the heads cannot be known.
pub fn dit_config(file: &TensorFile, hints: Hints) -> Result<DitConfig> {
    let shape = |name: &str| {
        let found = file.tensors().get(name).map(|entry| entry.shape.as_slice());
        found.ok_or_else(|| {
            let what = format!("this is no MMFace-DiT: it has no tensor `{name}`");
            Error::content(file.path(), what, "name the transformer's weights")
        })
    };
    let wrong = |name: &str, shape: &[usize]| {
        let what = format!("this is no MMFace-DiT: `{name}` has shape {shape:?}");
        Error::content(file.path(), what, "name the transformer's weights")
    };
    let &[hidden, channels, patch, _] = shape(MARK)? else {
        return Err(wrong(MARK, shape(MARK)?));
    };
    let &[_, text_dim] = shape("clip_seq_proj.weight")? else {
        return Err(wrong(
            "clip_seq_proj.weight",
            shape("clip_seq_proj.weight")?,
        ));
    };
    let mlp = *shape("blocks.0.mlp_i.0.weight")?.first().unwrap_or(&0);
    let output = *shape("final_layer.linear.weight")?.first().unwrap_or(&0);
    let block = |name: &String| {
        name.strip_prefix("blocks.")?
            .split('.')
            .next()?
            .parse::<usize>()
            .ok()
    };
    let depth = file
        .tensors()
        .keys()
        .filter_map(block)
        .max()
        .map_or(0, |last| last.saturating_add(1));
    let written = file
        .metadata()
        .get("config")
        .and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    let written = |key: &str| written.as_ref().and_then(|config| config.get(key));
    let heads = hints
        .heads
        .or_else(|| usize::try_from(written("heads")?.as_u64()?).ok());
    let heads = heads.or_else(|| hidden.is_multiple_of(HEAD_DIM).then_some(hidden / HEAD_DIM));
    let objective = written("objective").and_then(serde_json::Value::as_str);
    let objective = objective.and_then(Objective::find).unwrap_or_default();
    let text_rope = match written("text_rope").and_then(serde_json::Value::as_str) {
        Some("sequential") => TextRope::Sequential,
        _ => TextRope::Zero,
    };
    let config = DitConfig {
        hidden,
        depth,
        heads: heads.ok_or_else(|| {
            let what = format!(
                "the number of attention heads cannot be seen in weights of width {hidden}"
            );
            Error::content(file.path(), what, "say it with --heads")
        })?,
        mlp_ratio: mlp as f64 / hidden.max(1) as f64,
        patch,
        channels,
        text_dim,
        objective: hints.objective.unwrap_or(objective),
        text_rope: hints.text_rope.unwrap_or(text_rope),
        modality_embedder: file.tensors().contains_key("modality_embedder.weight"),
        dual_stream: file.tensors().contains_key("blocks.0.attn.to_q_t.weight"),
        rope: written("rope")
            .and_then(serde_json::Value::as_bool)
            .unwrap_or(true),
        learn_sigma: output == patch.saturating_mul(patch).saturating_mul(channels / 2 * 2),
    };
    let impossible = |what| Error::content(file.path(), what, "name the transformer's weights");
    config.check().map_err(impossible)?;
    Ok(config)
}

/// The latent space of the authors' checkpoints: their scripts scale latents and never shift them.
/// The autoencoder's own configuration is read when it is there; else the published one of its
/// number of channels is taken.
///
/// # Errors
/// When the configuration is malformed or has another number of channels.
pub fn latent_config(channels: usize, config: Option<&Path>) -> Result<LatentConfig> {
    let autoencoder = match config {
        Some(path) => {
            let hint = "name the folder of a diffusers AutoencoderKL";
            let text = read_config(path)?;
            let config: AutoencoderKlConfig = serde_json::from_slice(&text)
                .map_err(|error| Error::content(path, error.to_string(), hint))?;
            if config.latent_channels != channels {
                let what = format!(
                    "this autoencoder has {} channels, the transformer wants {channels}",
                    config.latent_channels
                );
                return Err(Error::content(
                    path,
                    what,
                    "name the autoencoder that the transformer was trained with",
                ));
            }
            config
        }
        None if channels == 16 => AutoencoderKlConfig::flux(),
        None => AutoencoderKlConfig {
            latent_channels: channels,
            ..AutoencoderKlConfig::sd2()
        },
    };
    let mut latent = LatentConfig::from_autoencoder(&autoencoder.without_shift());
    let (preview, shift) = known_preview(channels, latent.scale);
    latent.preview = preview.map(|preview| unshifted(preview, shift));
    latent.tiny_shift = shift;
    Ok(latent)
}

/// The text tower: transformers' configuration when it is there, else Stable Diffusion 2.1's.
///
/// # Errors
/// When the configuration is malformed, or of another width than the transformer reads.
pub fn text_config(width: usize, config: Option<&Path>, pad: u32) -> Result<TextConfig> {
    let tower = match config {
        Some(path) => {
            let hint = "name the folder of a transformers CLIPTextModel";
            let text = read_config(path)?;
            let value = serde_json::from_slice(&text)
                .map_err(|error| Error::content(path, error.to_string(), hint))?;
            ClipTextConfig::from_transformers(&value, pad)
                .map_err(|what| Error::content(path, what, hint))?
        }
        None if width == ClipTextConfig::sd21().width => ClipTextConfig::sd21(),
        // A stand-in of the right width: the part is missing, and the package says so.
        None => ClipTextConfig {
            width,
            heads: 1,
            inner: width.saturating_mul(4),
            ..ClipTextConfig::sd21()
        },
    };
    if tower.width != width {
        let what = format!(
            "this text tower has width {}, the transformer reads {width}",
            tower.width
        );
        let path = config.unwrap_or(Path::new("config.json"));
        return Err(Error::content(
            path,
            what,
            "name the text tower that the transformer was trained with",
        ));
    }
    Ok(TextConfig::from_tower(&tower))
}

fn read_config(path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::metadata(path)
        .map_err(Error::file("read the configuration", path))?
        .len();
    if bytes > 1 << 20 {
        return Err(Error::content(
            path,
            format!("a configuration of {bytes} bytes is none"),
            "name a diffusers folder",
        ));
    }
    std::fs::read(path).map_err(Error::file("read the configuration", path))
}

/// Public linear maps of known latent spaces, with the shift in model space that they expect to be
/// subtracted first.
fn known_preview(channels: usize, scale: f64) -> (Option<LatentPreview>, f64) {
    let near = |other: f64| (scale - other).abs() < 1e-4;
    match channels {
        16 if near(0.3611) => (
            Some(preview(&FLUX, [-0.0329, -0.0718, -0.0851])),
            FLUX_SHIFT * scale,
        ),
        16 if near(1.5305) => (
            Some(preview(&SD3, [0.2394, 0.2135, 0.1925])),
            SD3_SHIFT * scale,
        ),
        4 if near(0.13025) => (Some(preview(&SDXL, [0.1084, -0.0175, -0.0011])), 0.0),
        4 => (Some(preview(&SD2, [0.0; 3])), 0.0),
        _ => (None, 0.0),
    }
}

fn preview(factors: &[[f32; 3]], bias: [f32; 3]) -> LatentPreview {
    LatentPreview {
        factors: factors.to_vec(),
        bias,
    }
}

/// The same map on latents from which the shift was not subtracted.
fn unshifted(mut preview: LatentPreview, shift: f64) -> LatentPreview {
    for (colour, bias) in preview.bias.iter_mut().enumerate() {
        let sum: f64 = preview
            .factors
            .iter()
            .map(|row| f64::from(row[colour]))
            .sum();
        *bias = (f64::from(*bias) - shift * sum) as f32;
    }
    preview
}

/// docs/reference.md section 3.
const FLUX: [[f32; 3]; 16] = [
    [-0.0346, 0.0244, 0.0681],
    [0.0034, 0.0210, 0.0687],
    [0.0275, -0.0668, -0.0433],
    [-0.0174, 0.0160, 0.0617],
    [0.0859, 0.0721, 0.0329],
    [0.0004, 0.0383, 0.0115],
    [0.0405, 0.0861, 0.0915],
    [-0.0236, -0.0185, -0.0259],
    [-0.0245, 0.0250, 0.1180],
    [0.1008, 0.0755, -0.0421],
    [-0.0515, 0.0201, 0.0011],
    [0.0428, -0.0012, -0.0036],
    [0.0817, 0.0765, 0.0749],
    [-0.1264, -0.0522, -0.1103],
    [-0.0280, -0.0881, -0.0499],
    [-0.1262, -0.0982, -0.0778],
];

/// docs/reference.md section 3.
const SD3: [[f32; 3]; 16] = [
    [-0.0922, -0.0175, 0.0749],
    [0.0311, 0.0633, 0.0954],
    [0.1994, 0.0927, 0.0458],
    [0.0856, 0.0339, 0.0902],
    [0.0587, 0.0272, -0.0496],
    [-0.0006, 0.1104, 0.0309],
    [0.0978, 0.0306, 0.0427],
    [-0.0042, 0.1038, 0.1358],
    [-0.0194, 0.0020, 0.0669],
    [-0.0488, 0.0130, -0.0268],
    [0.0922, 0.0988, 0.0951],
    [-0.0278, 0.0524, -0.0542],
    [0.0332, 0.0456, 0.0895],
    [-0.0069, -0.0030, -0.0810],
    [-0.0596, -0.0465, -0.0293],
    [-0.1448, -0.1463, -0.1189],
];

/// docs/reference.md section 3.
const SDXL: [[f32; 3]; 4] = [
    [0.3651, 0.4232, 0.4341],
    [-0.2533, -0.0042, 0.1068],
    [0.1076, 0.1111, -0.0362],
    [-0.3165, -0.2492, -0.2188],
];

/// docs/reference.md section 3.
const SD2: [[f32; 3]; 4] = [
    [0.3512, 0.2297, 0.3227],
    [0.3250, 0.4974, 0.2350],
    [-0.2829, 0.1762, 0.2721],
    [-0.2120, -0.2616, -0.7177],
];
