//! `models import`: makes a package of the authors' files, referring to them where they are,
//! copying them, or quantising the transformer.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::convert;
use super::file::TensorFile;
use super::gguf;
use super::hash;
use super::layout::{ElementType, Format};
use super::manifest::{self, FORMAT, PackageFile, PackageManifest, Part};
use super::package::Package;
use super::report::LoadReport;
use super::safetensors::Output;
use super::upstream::{self, Hints};
use super::verify::write_manifest;
use crate::file::{self, FolderInProgress, Overwrite};
use crate::job::{Guide, Named as _};
use crate::system::disk;
use crate::{Error, Result};

/// What to import, and how.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The authors' folder, or the transformer's weights.
    pub source: PathBuf,
    /// Folder of models that the package is made in.
    pub into: PathBuf,
    /// Name of the package; the source's when absent.
    pub name: Option<String>,
    /// Side in pixels that the model was trained for; 512 when absent.
    pub resolution: Option<usize>,
    /// What the weights do not say.
    pub hints: Hints,
    /// Folder of the autoencoder when it is not `VAE` or `vae` in the source.
    pub vae: Option<PathBuf>,
    /// Folder of the text tower when it is not `text_encoder` in the source.
    pub text: Option<PathBuf>,
    /// Folder of the tokenizer when it is not `tokenizer` in the source.
    pub tokenizer: Option<PathBuf>,
    /// Copies the files instead of referring to them.
    pub copy: bool,
    /// Writes the transformer as GGUF Q8_0, a quarter of its f32 size.
    pub quantise: bool,
}

/// A package that was made.
#[derive(Debug)]
pub struct Imported {
    /// The package.
    pub package: Package,
    /// Parts that were not found, as people call them.
    pub missing: Vec<&'static str>,
}

/// Hears what is being done and how far; returning false stops the import.
pub type Progress<'a> = &'a mut dyn FnMut(&str, u64, u64) -> bool;

/// Makes a package. It appears whole or not at all.
///
/// # Errors
/// When the source is no model, parts do not belong together, the name is taken, or the disk
/// refuses.
pub fn import(options: &ImportOptions, progress: Progress<'_>) -> Result<Imported> {
    let dit_path = upstream::find_dit(&options.source)?;
    let dit_file = Arc::new(TensorFile::open(&dit_path)?);
    let dit = upstream::dit_config(&dit_file, options.hints)?;
    LoadReport::compare(&dit_file, &dit.tensors()).into_result(&dit_file)?;
    let found = Found::search(options)?;
    let pad = found.pad();
    let manifest = PackageManifest {
        format: FORMAT,
        name: name(options)?,
        title: String::new(),
        licence: "as stated by the authors of the weights".into(),
        objective: dit.objective,
        resolution: options.resolution.unwrap_or(512),
        guidance: manifest::paper_guidance(),
        guide: Guide::default(),
        latent: upstream::latent_config(dit.channels / 2, found.config(Part::Vae).as_deref())?,
        text: upstream::text_config(dit.text_dim, found.config(Part::Text).as_deref(), pad)?,
        dit,
        files: BTreeMap::new(),
        linked: !options.copy,
        card: String::new(),
    };
    let target = options.into.join(&manifest.name);
    if target.exists() {
        return Err(Error::content(
            &target,
            "a model of this name is already there",
            "choose another with --name, or remove it",
        ));
    }
    file::create_folder(&options.into)?;
    let needed = space(options, &dit_file, &found);
    let free = disk::free(&options.into);
    disk::check("the model does not fit", &options.into, needed, free)?;
    let building = FolderInProgress::begin(&target)?;
    let missing = build(
        options,
        manifest,
        building.path(),
        dit_file,
        found,
        progress,
    )?;
    building.finish()?;
    Ok(Imported {
        package: Package::open(&target)?,
        missing,
    })
}

/// Bytes that the import writes, rounded up generously for the quantised transformer.
fn space(options: &ImportOptions, dit: &TensorFile, found: &Found) -> u64 {
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |meta| meta.len());
    let parts: u64 = if options.copy {
        found.files.values().map(size).sum()
    } else {
        0
    };
    let transformer = match (options.quantise, options.copy) {
        (true, _) => dit.parameter_count() / 32 * 34 * 5 / 4,
        (false, true) => dit.bytes(),
        (false, false) => 0,
    };
    parts.saturating_add(transformer)
}

fn build(
    options: &ImportOptions,
    mut manifest: PackageManifest,
    folder: &Path,
    dit: Arc<TensorFile>,
    found: Found,
    progress: Progress<'_>,
) -> Result<Vec<&'static str>> {
    manifest.title = format!(
        "{} ({}, {} px)",
        manifest.name,
        manifest.objective.name(),
        manifest.resolution
    );
    let file = if options.quantise {
        quantise(&dit, &folder.join("dit.gguf"), &manifest.name, progress)?;
        hashed(folder, "dit.gguf", "hashing the transformer", progress)?
    } else {
        let name = if dit.format() == Format::Gguf {
            "dit.gguf"
        } else {
            "dit.safetensors"
        };
        take(options, dit.path(), folder, name, progress)?
    };
    manifest.files.insert(Part::Dit, file);
    for (part, path) in &found.files {
        let file = take(options, path, folder, stored_name(*part), progress)?;
        manifest.files.insert(*part, file);
    }
    let has = |part: Part| manifest.files.contains_key(&part);
    let tokenizer = has(Part::Tokenizer) || (has(Part::Vocabulary) && has(Part::Merges));
    let parts = [
        (Part::Vae, has(Part::Vae)),
        (Part::Text, has(Part::Text)),
        (Part::Tokenizer, tokenizer),
    ];
    let missing = parts
        .iter()
        .filter(|(_, there)| !there)
        .map(|(part, _)| part.title())
        .collect();
    write_manifest(folder, &manifest)?;
    // Parts of other shapes are refused here, by name, rather than when they are first needed.
    let package = Package::open(folder)?;
    for part in [Part::Vae, Part::Text, Part::Tiny] {
        if package.has(part) {
            package.weights(part)?;
        }
    }
    Ok(missing)
}

fn stored_name(part: Part) -> &'static str {
    match part {
        Part::Dit => "dit.safetensors",
        Part::Vae => "vae.safetensors",
        Part::Text => "text.safetensors",
        Part::Tokenizer => "tokenizer.json",
        Part::Vocabulary => "vocab.json",
        Part::Merges => "merges.txt",
        Part::Tiny => "tiny.safetensors",
        Part::Parser => "parser.safetensors",
    }
}

/// Copies or refers to a file, and hashes it.
fn take(
    options: &ImportOptions,
    from: &Path,
    folder: &Path,
    name: &str,
    progress: Progress<'_>,
) -> Result<PackageFile> {
    if !options.copy {
        let path = std::path::absolute(from).map_err(Error::file("find", from))?;
        let text = path
            .to_str()
            .ok_or_else(|| Error::content(from, "this path is not text", "import with --copy"))?;
        let (sha256, bytes) = hash::sha256_file(from, &mut |done, of| {
            progress("hashing the files", done, of)
        })?;
        return Ok(PackageFile {
            path: text.to_owned(),
            sha256,
            bytes,
        });
    }
    let file = File::open(from).map_err(Error::file("read", from))?;
    let total = file.metadata().map_err(Error::file("read", from))?.len();
    let mut copied = (String::new(), 0);
    file::write_with(&folder.join(name), Overwrite::Refuse, |to| {
        copied = hash::copy_hashed(file, to, from, total, &mut |done, of| {
            progress("copying the files", done, of)
        })?;
        Ok(())
    })?;
    Ok(PackageFile {
        path: name.to_owned(),
        sha256: copied.0,
        bytes: copied.1,
    })
}

fn hashed(folder: &Path, name: &str, what: &str, progress: Progress<'_>) -> Result<PackageFile> {
    let path = folder.join(name);
    let (sha256, bytes) = hash::sha256_file(&path, &mut |done, of| progress(what, done, of))?;
    // A linked package keeps absolute paths; this file moves with the package and stays relative.
    Ok(PackageFile {
        path: name.to_owned(),
        sha256,
        bytes,
    })
}

/// Writes the matrices of the blocks in Q8_0 and everything else in f32: it is small.
fn quantise(
    file: &Arc<TensorFile>,
    target: &Path,
    name: &str,
    progress: Progress<'_>,
) -> Result<()> {
    let total = file
        .tensors()
        .values()
        .map(|entry| entry.count() as u64)
        .sum();
    let done = std::cell::Cell::new(0);
    let progress = std::cell::RefCell::new(progress);
    let output = |(tensor, entry): (&String, &super::layout::Entry)| {
        let rows_fit = entry
            .shape
            .last()
            .is_some_and(|row| row.is_multiple_of(super::layout::Q8_0_BLOCK));
        let matrix = tensor.starts_with("blocks.") && entry.shape.len() == 2 && rows_fit;
        let element = if matrix {
            ElementType::Q8_0
        } else {
            ElementType::F32
        };
        let (count, label) = (entry.count() as u64, tensor.clone());
        let (done, progress) = (&done, &progress);
        let bytes = move || {
            let values = file.read(&label)?;
            done.set(done.get() + count);
            if !(progress.borrow_mut())("quantising the transformer", done.get(), total) {
                return Err(Error::Cancelled);
            }
            convert::from_f32(element, &values)
                .ok_or_else(|| Error::Weights(format!("`{label}` cannot be quantised")))
        };
        Output {
            name: tensor.clone(),
            element,
            shape: entry.shape.clone(),
            bytes: Box::new(bytes),
        }
    };
    let outputs = file.tensors().iter().map(output).collect();
    let mut metadata = file.metadata().clone();
    metadata.insert("general.architecture".into(), "mmface-dit".into());
    metadata.insert("general.name".into(), name.into());
    gguf::write_outputs(target, outputs, &metadata)
}

fn name(options: &ImportOptions) -> Result<String> {
    let given = options.name.clone();
    let derived = || {
        let absolute = std::path::absolute(&options.source).ok()?;
        let stem = absolute.file_stem()?.to_str()?;
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') {
                c
            } else {
                '-'
            }
        };
        Some(
            stem.trim_start_matches('.')
                .chars()
                .map(plain)
                .take(64)
                .collect::<String>(),
        )
    };
    let name = given.or_else(derived).unwrap_or_default();
    manifest::check_name(&name)
        .map_err(|what| Error::Argument(format!("{what}; choose one with --name")))?;
    Ok(name)
}

/// The parts beside the transformer.
struct Found {
    files: BTreeMap<Part, PathBuf>,
    tokenizer: Option<PathBuf>,
}

impl Found {
    fn search(options: &ImportOptions) -> Result<Self> {
        let beside = if options.source.is_dir() {
            options.source.clone()
        } else {
            options
                .source
                .parent()
                .unwrap_or(Path::new("."))
                .to_path_buf()
        };
        let folder = |given: &Option<PathBuf>, names: &[&str]| -> Result<Option<PathBuf>> {
            match given {
                Some(path) if path.is_dir() => Ok(Some(path.clone())),
                Some(path) => Err(Error::content(
                    path,
                    "this is not a folder",
                    "name the part's folder",
                )),
                None => Ok(names
                    .iter()
                    .map(|name| beside.join(name))
                    .find(|path| path.is_dir())),
            }
        };
        let vae = folder(&options.vae, &["VAE", "vae"])?;
        let text = folder(&options.text, &["text_encoder", "text"])?;
        let tokenizer = folder(&options.tokenizer, &["tokenizer"])?;
        let tokenizer = tokenizer.or_else(|| text.clone());
        let mut files = BTreeMap::new();
        let mut add = |part: Part, folder: &Option<PathBuf>, names: &[&str]| {
            let paths = folder
                .iter()
                .flat_map(|folder| names.iter().map(move |name| folder.join(name)));
            if let Some(path) = paths.into_iter().find(|path| path.is_file()) {
                files.insert(part, path);
            }
        };
        add(
            Part::Vae,
            &vae,
            &[
                "diffusion_pytorch_model.safetensors",
                "vae.safetensors",
                "model.safetensors",
            ],
        );
        add(
            Part::Text,
            &text,
            &["model.safetensors", "text.safetensors"],
        );
        add(Part::Tokenizer, &tokenizer, &["tokenizer.json"]);
        if !tokenizer
            .as_ref()
            .is_some_and(|folder| folder.join("tokenizer.json").is_file())
        {
            let mut add = |part: Part, name: &str| {
                let path = tokenizer.as_ref().map(|folder| folder.join(name));
                if let Some(path) = path.filter(|path| path.is_file()) {
                    files.insert(part, path);
                }
            };
            add(Part::Vocabulary, "vocab.json");
            add(Part::Merges, "merges.txt");
        }
        Ok(Self { files, tokenizer })
    }

    /// The configuration beside a part's weights.
    fn config(&self, part: Part) -> Option<PathBuf> {
        self.files
            .get(&part)
            .map(|path| path.with_file_name("config.json"))
            .filter(|path| path.is_file())
    }

    /// The id that the tokenizer pads with: Stable Diffusion 2 has `!`, id 0; older towers the
    /// end token. The tower's own configuration is no guide.
    fn pad(&self) -> u32 {
        let read = |name: &str| -> Option<serde_json::Value> {
            let path = self.tokenizer.as_ref()?.join(name);
            let small = std::fs::metadata(&path).ok()?.len() < 64 << 20;
            if small {
                serde_json::from_slice(&std::fs::read(path).ok()?).ok()
            } else {
                None
            }
        };
        let pad = || -> Option<u32> {
            let map = read("special_tokens_map.json").or_else(|| read("tokenizer_config.json"))?;
            let token = map.get("pad_token")?;
            let token = token
                .as_str()
                .or_else(|| token.get("content")?.as_str())?
                .to_owned();
            let added = read("tokenizer.json");
            let listed = added.as_ref().and_then(|json| {
                let added = json
                    .get("added_tokens")?
                    .as_array()?
                    .iter()
                    .find(|entry| entry["content"] == token)?;
                added.get("id")?.as_u64()
            });
            let vocabulary = || read("vocab.json")?.get(&token)?.as_u64();
            let inner = || {
                added
                    .as_ref()?
                    .get("model")?
                    .get("vocab")?
                    .get(&token)?
                    .as_u64()
            };
            u32::try_from(listed.or_else(inner).or_else(vocabulary)?).ok()
        };
        pad().unwrap_or(0)
    }
}
