//! Text features of every caption, computed once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use mmface_engine::file::{self, Overwrite};
use mmface_engine::format::hex;
use mmface_engine::text::TextEncoder;
use mmface_engine::weights::{ElementType, TensorFile};
use mmface_engine::{Error, Result};
use sha2::{Digest, Sha256};

use super::captions::mirrored;
use super::store::LatentStore;
use crate::tensors::{self, Blob, bytes, f16_values, f32_values};

/// Captions that go through the tower at once.
const BATCH: usize = 16;

/// Features of all captions of a data set, and of the empty one.
#[derive(Debug)]
pub struct TextStore {
    file: TensorFile,
    index: HashMap<String, usize>,
    /// Tokens of a sequence.
    pub tokens: usize,
    /// Width of the features.
    pub width: usize,
}

/// Every caption that training or the held-out loss may ask for.
pub fn captions(stores: &[&LatentStore]) -> BTreeSet<String> {
    let mut all = BTreeSet::from([String::new()]);
    for store in stores {
        for sample in 0..store.len() {
            for caption in &store.entry(sample).captions {
                all.insert(mirrored(caption));
                all.insert(caption.clone());
            }
        }
    }
    all
}

/// Brings the feature file up to date and opens it. `progress` hears of captions done and in all.
///
/// # Errors
/// When a caption cannot be encoded, or the files cannot be written or read.
pub fn prepare(
    path: &Path,
    captions: &BTreeSet<String>,
    encoder: &TextEncoder,
    encoder_hash: &str,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<TextStore> {
    let mut hash = Sha256::new();
    hash.update(encoder_hash);
    for caption in captions {
        hash.update(caption.as_bytes());
        hash.update([0]);
    }
    let key = hex(&hash.finalize());
    if !TensorFile::open(path).is_ok_and(|file| file.metadata().get("cache_key") == Some(&key)) {
        encode(path, captions, encoder, key, progress)?;
    }
    TextStore::open(path)
}

fn encode(
    path: &Path,
    captions: &BTreeSet<String>,
    encoder: &TextEncoder,
    key: String,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<()> {
    let texts: Vec<&str> = captions.iter().map(String::as_str).collect();
    let (mut sequence, mut pooled) = (Vec::new(), Vec::new());
    let (mut tokens, mut width) = (0, 0);
    for batch in texts.chunks(BATCH) {
        let (_, features) = encoder.encode_batch(batch)?;
        (_, tokens, width) = features.sequence.dims3()?;
        sequence.extend(features.sequence.flatten_all()?.to_vec1::<f32>()?);
        pooled.extend(features.pooled.flatten_all()?.to_vec1::<f32>()?);
        progress(pooled.len() / width.max(1), texts.len());
    }
    if sequence
        .iter()
        .chain(&pooled)
        .any(|value| !value.is_finite())
    {
        return Err(Error::NotFinite("a text feature".into()));
    }
    let list = serde_json::to_string(&texts).map_err(Error::unwritable("the list of captions"))?;
    let blobs = BTreeMap::from([
        (
            "sequence".to_string(),
            Blob::f16(&[texts.len(), tokens, width], &sequence),
        ),
        (
            "pooled".to_string(),
            Blob::f32(&[texts.len(), width], &pooled),
        ),
    ]);
    // The list of captions may be longer than a safetensors header likes: it stands beside.
    let list_path = list_path(path);
    file::write(&list_path, list.as_bytes(), Overwrite::Replace)?;
    tensors::write(
        path,
        &blobs,
        &[
            ("cache_key", key),
            ("list_sha256", hex(&Sha256::digest(list.as_bytes()))),
        ],
    )
}

fn list_path(path: &Path) -> std::path::PathBuf {
    path.with_extension("captions.json")
}

impl TextStore {
    /// Opens a feature file with its list of captions.
    ///
    /// # Errors
    /// When a file cannot be read, is damaged, or features and list of captions do not belong
    /// together.
    pub fn open(path: &Path) -> Result<Self> {
        let damaged = |what: &str| {
            Error::content(
                path,
                what,
                "delete it and run `mmface-trainer latents` again",
            )
        };
        let file = TensorFile::open(path)?;
        let list_path = list_path(path);
        let list = std::fs::read(&list_path)
            .map_err(Error::file("read the list of captions", &list_path))?;
        if file.metadata().get("list_sha256") != Some(&hex(&Sha256::digest(&list))) {
            return Err(damaged("the list of captions belongs to other features"));
        }
        let texts: Vec<String> = serde_json::from_slice(&list)
            .map_err(|_| damaged("the list of captions is damaged"))?;
        let (shape, _) = bytes(&file, "sequence", ElementType::F16)
            .ok_or_else(|| damaged("no f16 tensor sequence"))?;
        let &[count, tokens, width] = shape else {
            return Err(damaged("sequence has not three dimensions"));
        };
        let pooled = bytes(&file, "pooled", ElementType::F32).map(|(shape, _)| shape.to_vec());
        if count != texts.len() || pooled != Some(vec![count, width]) {
            return Err(damaged(
                "the number of features is not that of the captions",
            ));
        }
        let index = texts
            .into_iter()
            .enumerate()
            .map(|(index, text)| (text, index))
            .collect();
        Ok(Self {
            file,
            index,
            tokens,
            width,
        })
    }

    /// Appends the features of a caption; an unknown caption is an error.
    ///
    /// # Errors
    /// When the caption has no features.
    pub fn push(
        &self,
        caption: &str,
        sequence: &mut Vec<f32>,
        pooled: &mut Vec<f32>,
    ) -> Result<()> {
        let index = *self.index.get(caption).ok_or_else(|| {
            Error::Input(format!(
                "no text features of caption {caption:?}; run `mmface-trainer latents` again"
            ))
        })?;
        let part = |name, element, size: usize| {
            let raw = bytes(&self.file, name, element)
                .map(|(_, bytes)| bytes)
                .unwrap_or_default();
            raw.get(index * size..(index + 1) * size)
                .unwrap_or_default()
        };
        sequence.extend(f16_values(part(
            "sequence",
            ElementType::F16,
            2 * self.tokens * self.width,
        )));
        pooled.extend(f32_values(part("pooled", ElementType::F32, 4 * self.width)));
        Ok(())
    }
}
