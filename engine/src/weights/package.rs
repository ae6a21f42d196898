//! A model package: a folder or a `.mmface` archive with `model.ron` and weights.
//!
//! Opening reads the manifest only. A part is checked by header, name and shape before its first
//! number is read; its hash is checked by [`super::verify()`], since that takes a look at every
//! byte.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::Device;

use super::file::TensorFile;
use super::hash;
use super::manifest::{self, PackageManifest, Part};
use super::report::LoadReport;
use crate::file::{self, Overwrite};
use crate::kernels::Route;
use crate::model::LoadOptions;
use crate::model::autoencoder_kl::AutoencoderKl;
use crate::model::autoencoder_tiny::{AutoencoderTiny, AutoencoderTinyConfig};
use crate::model::clip_text::ClipText;
use crate::model::dit::Dit;
use crate::model::face_parser::{FaceParser, FaceParserConfig};
use crate::text::{PromptTokenizer, TextEncoder};
use crate::{Error, Result};

/// File name ending of a package in one file.
pub const EXTENSION: &str = "mmface";

/// Largest text file of a package: tokenizer, card.
const LARGEST_TEXT: u64 = 64 << 20;

const HINT: &str = "import the model again, or take its package from where it was made";

/// An opened package.
#[derive(Debug)]
pub struct Package {
    path: PathBuf,
    manifest: PackageManifest,
    archived: bool,
}

/// Where a part's bytes lie: a whole file, or a stretch of the package's archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// Where the part begins in it.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
}

impl Package {
    /// Opens a folder with a manifest, the manifest itself, or a `.mmface` archive.
    ///
    /// # Errors
    /// When there is no package, or its manifest is malformed.
    pub fn open(path: &Path) -> Result<Self> {
        let path = if path.file_name().is_some_and(|name| name == manifest::FILE) {
            path.parent().unwrap_or(Path::new(".")).to_path_buf()
        } else {
            path.to_path_buf()
        };
        let meta = std::fs::metadata(&path).map_err(Error::file("open the model", &path))?;
        let archived = meta.is_file();
        let text = if archived {
            let mut archive = open_archive(&path)?;
            read_entry(&mut archive, &path, manifest::FILE, manifest::LARGEST)?
        } else {
            let file = path.join(manifest::FILE);
            if !file.is_file() {
                return Err(Error::content(
                    &path,
                    format!("this folder has no {}", manifest::FILE),
                    "import the authors' layout with `mmface models import`",
                ));
            }
            read_bounded(&file, manifest::LARGEST)?
        };
        let malformed = |what: String| {
            Error::content(
                &path,
                format!("{} is not readable: {what}", manifest::FILE),
                HINT,
            )
        };
        let text = String::from_utf8(text).map_err(|_| malformed("it is not text".into()))?;
        let manifest = PackageManifest::parse(&text).map_err(malformed)?;
        if archived && manifest.linked {
            return Err(malformed("an archive cannot refer to files outside".into()));
        }
        Ok(Self {
            path,
            manifest,
            archived,
        })
    }

    /// What the package says about itself.
    pub fn manifest(&self) -> &PackageManifest {
        &self.manifest
    }

    /// The folder or archive.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Hash of the transformer's file, by which recipes name the weights.
    pub fn sha256(&self) -> &str {
        self.manifest
            .files
            .get(&Part::Dit)
            .map_or("", |file| &file.sha256)
    }

    /// Bytes of all parts together.
    pub fn bytes(&self) -> u64 {
        self.manifest
            .files
            .values()
            .fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// Whether the manifest names a part.
    pub fn has(&self, part: Part) -> bool {
        self.manifest.files.contains_key(&part)
    }

    /// Finds a part's bytes and compares their number with the manifest.
    ///
    /// # Errors
    /// When the part is not in the package, its file is gone, or has another size.
    pub fn place(&self, part: Part) -> Result<Place> {
        let Some(file) = self.manifest.files.get(&part) else {
            return Err(Error::content(
                &self.path,
                format!("the package lacks {} (`{}`)", part.title(), part.key()),
                HINT,
            ));
        };
        let place = if self.archived {
            self.place_archived(&file.path, file.bytes, &file.sha256)?
        } else {
            // The manifest was checked: a path leads outside only when it says that it is linked.
            let path = self.path.join(&file.path);
            let bytes = std::fs::metadata(&path)
                .map_err(Error::file("open a part of the model", &path))?
                .len();
            Place {
                path,
                offset: 0,
                bytes,
            }
        };
        if place.bytes != file.bytes {
            let what = format!(
                "{} has {} bytes, the package says {}",
                part.title(),
                place.bytes,
                file.bytes
            );
            return Err(Error::content(&place.path, what, HINT));
        }
        Ok(place)
    }

    /// Stored entries are used where they are; compressed ones are unpacked once.
    fn place_archived(&self, name: &str, bytes: u64, sha256: &str) -> Result<Place> {
        let mut archive = open_archive(&self.path)?;
        let entry = find_entry(&mut archive, &self.path, name)?;
        if entry.compression() == zip::CompressionMethod::Stored
            && let Some(offset) = entry.data_start()
        {
            return Ok(Place {
                path: self.path.clone(),
                offset,
                bytes: entry.size(),
            });
        }
        let folder = super::cache::folder().join("packages");
        file::create_folder(&folder)?;
        let path = folder.join(sha256);
        if std::fs::metadata(&path).is_ok_and(|meta| meta.len() == bytes) {
            return Ok(Place {
                path,
                offset: 0,
                bytes,
            });
        }
        file::write_with(&path, Overwrite::Replace, |target| {
            // One byte more than promised is enough to know that the promise is broken.
            let (found, length) = hash::copy_hashed(
                entry.take(bytes + 1),
                target,
                &self.path,
                bytes,
                &mut |_, _| true,
            )?;
            if length != bytes || !found.eq_ignore_ascii_case(sha256) {
                return Err(Error::content(
                    &self.path,
                    format!("`{name}` is not what the manifest says"),
                    HINT,
                ));
            }
            Ok(())
        })?;
        Ok(Place {
            path,
            offset: 0,
            bytes,
        })
    }

    /// Maps the weights of a part and checks header, names and shapes.
    ///
    /// # Errors
    /// In one sentence with the names of the tensors that do not fit.
    pub fn weights(&self, part: Part) -> Result<Arc<TensorFile>> {
        let place = self.place(part)?;
        let file = TensorFile::open_part(&place.path, place.offset, Some(place.bytes))?;
        self.report(part, &file)?.into_result(&file)?;
        Ok(Arc::new(file))
    }

    /// Compares the weights of a part with the model that the manifest describes.
    ///
    /// # Errors
    /// When the manifest's own description is impossible.
    pub fn report(&self, part: Part, file: &TensorFile) -> Result<LoadReport> {
        let manifest = &self.manifest;
        match part {
            Part::Dit => Ok(LoadReport::compare(file, &manifest.dit.tensors())),
            Part::Text => {
                let prefixed = file
                    .tensors()
                    .keys()
                    .any(|name| name.starts_with("text_model."));
                let bare = |(name, shape): (String, Vec<usize>)| {
                    (name.trim_start_matches("text_model.").to_owned(), shape)
                };
                let tensors = manifest.text.tower().tensors();
                let tensors = if prefixed {
                    tensors
                } else {
                    tensors.into_iter().map(bare).collect()
                };
                Ok(LoadReport::compare(file, &tensors))
            }
            Part::Vae => LoadReport::of_model(file, |vb| {
                AutoencoderKl::load(vb, manifest.latent.autoencoder(), Route::Composed)
            }),
            Part::Tiny => {
                let config = self.tiny_config();
                LoadReport::of_model(file, |vb| {
                    AutoencoderTiny::load(vb, &config, Route::Composed)
                })
            }
            Part::Parser => {
                let config = FaceParserConfig::default;
                LoadReport::of_model(file, |vb| FaceParser::load(vb, config(), Route::Composed))
            }
            Part::Tokenizer | Part::Vocabulary | Part::Merges => Ok(LoadReport::default()),
        }
    }

    fn tiny_config(&self) -> AutoencoderTinyConfig {
        AutoencoderTinyConfig {
            latent_channels: self.manifest.latent.channels,
            ..AutoencoderTinyConfig::default()
        }
    }

    /// Loads the transformer; `watch` as in [`TensorFile::load`].
    ///
    /// # Errors
    /// As [`Package::weights`] and [`TensorFile::load`].
    pub fn load_dit<'a>(
        &self,
        device: &Device,
        options: LoadOptions,
        watch: impl Fn(&str, f32) -> bool + Send + Sync + 'a,
    ) -> Result<Dit> {
        let file = self.weights(Part::Dit)?;
        file.load(device, watch, |vb| {
            Dit::load(vb, self.manifest.dit.clone(), options)
        })
    }

    /// Loads the text tower with its tokenizer; `watch` as in [`TensorFile::load`].
    ///
    /// # Errors
    /// As [`Package::weights`] and [`TensorFile::load`], and when there is no tokenizer.
    pub fn load_text<'a>(
        &self,
        device: &Device,
        options: LoadOptions,
        watch: impl Fn(&str, f32) -> bool + Send + Sync + 'a,
    ) -> Result<TextEncoder> {
        let tokenizer = self.load_tokenizer()?;
        let file = self.weights(Part::Text)?;
        let tower = file.load(device, watch, |vb| {
            ClipText::load(vb, self.manifest.text.tower(), options)
        })?;
        Ok(TextEncoder::new(tokenizer, tower))
    }

    /// Loads the tokenizer alone.
    ///
    /// # Errors
    /// When there is none, or it is malformed.
    pub fn load_tokenizer(&self) -> Result<PromptTokenizer> {
        let (length, pad) = (self.manifest.text.tokens, self.manifest.text.pad);
        if self.has(Part::Tokenizer) || !self.has(Part::Vocabulary) {
            let (bytes, path) = self.text(Part::Tokenizer)?;
            return PromptTokenizer::from_json_bytes(&bytes, &path, length, pad);
        }
        let (vocabulary, path) = self.text(Part::Vocabulary)?;
        let (merges, _) = self.text(Part::Merges)?;
        PromptTokenizer::from_vocabulary_bytes(&vocabulary, &merges, &path, length, pad)
    }

    /// Loads the autoencoder; `watch` as in [`TensorFile::load`].
    ///
    /// # Errors
    /// As [`Package::weights`] and [`TensorFile::load`].
    pub fn load_autoencoder<'a>(
        &self,
        device: &Device,
        route: Route,
        watch: impl Fn(&str, f32) -> bool + Send + Sync + 'a,
    ) -> Result<AutoencoderKl> {
        let config = self.manifest.latent.autoencoder();
        self.weights(Part::Vae)?
            .load(device, watch, |vb| AutoencoderKl::load(vb, config, route))
    }

    /// Loads the preview decoder, where the package has one.
    ///
    /// # Errors
    /// As [`Package::weights`] and [`TensorFile::load`].
    pub fn load_tiny(&self, device: &Device, route: Route) -> Result<Option<AutoencoderTiny>> {
        if !self.has(Part::Tiny) {
            return Ok(None);
        }
        let config = self.tiny_config();
        self.weights(Part::Tiny)?
            .load(
                device,
                |_, _| true,
                |vb| AutoencoderTiny::load(vb, &config, route),
            )
            .map(Some)
    }

    /// Loads the face parser, by the route of the device.
    ///
    /// # Errors
    /// As [`Package::weights`] and [`TensorFile::load`].
    pub fn load_parser(&self, device: &Device) -> Result<FaceParser> {
        self.weights(Part::Parser)?.load(
            device,
            |_, _| true,
            |vb| FaceParser::load(vb, FaceParserConfig::default(), Route::of(device)),
        )
    }

    /// The model's card, empty when there is none.
    ///
    /// # Errors
    /// When the card is named but cannot be read.
    pub fn card(&self) -> Result<String> {
        if self.manifest.card.is_empty() {
            return Ok(String::new());
        }
        let bytes = if self.archived {
            read_entry(
                &mut open_archive(&self.path)?,
                &self.path,
                &self.manifest.card,
                LARGEST_TEXT,
            )?
        } else {
            read_bounded(&self.path.join(&self.manifest.card), LARGEST_TEXT)?
        };
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A part that is text, and the path that errors name.
    fn text(&self, part: Part) -> Result<(Vec<u8>, PathBuf)> {
        let place = self.place(part)?;
        if place.bytes > LARGEST_TEXT {
            return Err(Error::content(
                &place.path,
                format!("{} has {} bytes", part.title(), place.bytes),
                HINT,
            ));
        }
        let mut file = File::open(&place.path).map_err(Error::file("read", &place.path))?;
        let mut bytes = Vec::new();
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(place.offset))
            .and_then(|_| file.take(place.bytes).read_to_end(&mut bytes))
            .map_err(Error::file("read", &place.path))?;
        Ok((bytes, place.path))
    }
}

type Archive = zip::ZipArchive<std::io::BufReader<File>>;

fn open_archive(path: &Path) -> Result<Archive> {
    let file = File::open(path).map_err(Error::file("open the model", path))?;
    zip::ZipArchive::new(std::io::BufReader::new(file)).map_err(|error| {
        Error::content(path, format!("this is not a model package: {error}"), HINT)
    })
}

fn find_entry<'a>(
    archive: &'a mut Archive,
    path: &Path,
    name: &str,
) -> Result<zip::read::ZipFile<'a, std::io::BufReader<File>>> {
    let missing =
        |error| Error::content(path, format!("the package lacks `{name}`: {error}"), HINT);
    archive.by_name(name).map_err(missing)
}

fn read_entry(archive: &mut Archive, path: &Path, name: &str, limit: u64) -> Result<Vec<u8>> {
    let entry = find_entry(archive, path, name)?;
    read_limited(entry, path, name, limit)
}

fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::file("read", path))?;
    read_limited(file, path, "the file", limit)
}

fn read_limited(from: impl Read, path: &Path, name: &str, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(Error::file("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(Error::content(
            path,
            format!("{name} is larger than {limit} bytes"),
            HINT,
        ));
    }
    Ok(bytes)
}
