//! A weight file mapped into memory, whatever its format, and the models' door to it.
//!
//! Opening costs no memory. Each tensor is converted when a model asks for it, checked for NaN
//! and infinity, and its pages are given back to the system, so that loading needs the model's
//! own memory and one tensor more.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use memmap2::{Mmap, MmapOptions};

use super::convert;
use super::finite;
use super::layout::{Entry, Fault, Format, Layout, recognise, shown};
use super::{gguf, safetensors};
use crate::{Error, Result};

/// A mapped weight file.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    map: Mmap,
    format: Format,
    layout: Layout,
}

impl TensorFile {
    /// Maps a safetensors or GGUF file, told apart by content, and checks its header.
    ///
    /// # Errors
    /// In one sentence, when the file is not what its header says.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_part(path, 0, None)
    }

    /// Maps a stretch of a file, such as an entry that a package stores uncompressed.
    ///
    /// # Errors
    /// As [`TensorFile::open`].
    pub fn open_part(path: &Path, offset: u64, length: Option<u64>) -> Result<Self> {
        let file = File::open(path).map_err(Error::file("open the weights", path))?;
        let meta = file
            .metadata()
            .map_err(Error::file("open the weights", path))?;
        if meta.is_dir() {
            return Err(Error::content(
                path,
                "this is a folder, not a weight file",
                "name the file inside it",
            ));
        }
        let found = meta.len().saturating_sub(offset);
        let length = length.unwrap_or(found);
        if length > found {
            return Err(Self::refuse(
                path,
                Fault::short(offset.saturating_add(length), meta.len()),
            ));
        }
        if length == 0 {
            // An empty mapping is an error of the system's; this one has a better sentence.
            return Err(recognise(&[]).err().map_or_else(
                || Error::Weights("empty file".into()),
                |fault| Self::refuse(path, fault),
            ));
        }
        let length = usize::try_from(length).map_err(|_| {
            Error::content(
                path,
                "the file is too large for this system",
                "use a 64-bit system",
            )
        })?;
        // SAFETY: the map is only read. Another process that shortens the file meanwhile ends
        // ours with a bus error, as with every memory-mapped file; it cannot make us write.
        let map = unsafe { MmapOptions::new().offset(offset).len(length).map(&file) };
        let map = map.map_err(Error::file("map the weights", path))?;
        let read = |bytes: &[u8]| {
            let format = recognise(bytes)?;
            let layout = match format {
                Format::Safetensors => safetensors::parse(bytes)?,
                Format::Gguf => gguf::parse(bytes)?,
                Format::Zip => {
                    return Err(Fault {
                        what: "this is an archive, not a weight file".into(),
                        hint: "name a .safetensors or .gguf file",
                    });
                }
            };
            Ok((format, layout))
        };
        let (format, layout) = read(&map).map_err(|fault| Self::refuse(path, fault))?;
        Ok(Self {
            path: path.to_path_buf(),
            map,
            format,
            layout,
        })
    }

    fn refuse(path: &Path, fault: Fault) -> Error {
        Error::content(path, fault.what, fault.hint)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> u64 {
        self.map.len() as u64
    }

    /// Free text in its header.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.layout.metadata
    }

    /// Its tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, Entry> {
        &self.layout.tensors
    }

    /// Number of parameters.
    pub fn parameter_count(&self) -> u64 {
        self.layout
            .tensors
            .values()
            .map(|entry| entry.count() as u64)
            .sum()
    }

    /// Gives tensors other names, for checkpoints from before a renaming.
    ///
    /// # Errors
    /// When two tensors would have one name.
    pub fn rename(mut self, rename: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for (name, entry) in std::mem::take(&mut self.layout.tensors) {
            let name = rename(&name).unwrap_or(name);
            if tensors.contains_key(&name) {
                return Err(Self::refuse(
                    &self.path,
                    Fault::damaged(format!("two tensors mean `{}`", shown(&name))),
                ));
            }
            tensors.insert(name, entry);
        }
        self.layout.tensors = tensors;
        Ok(self)
    }

    /// The stored bytes of a tensor.
    pub fn raw(&self, entry: &Entry) -> &[u8] {
        &self.map[entry.range.clone()]
    }

    /// Reads one tensor as f32 and gives its pages back.
    ///
    /// # Errors
    /// When it is absent, no weight, or holds NaN or infinity.
    pub fn read(&self, name: &str) -> Result<Vec<f32>> {
        let entry = self.entry(name)?;
        let values = convert::to_f32(entry.element, self.raw(entry));
        let values = values.ok_or_else(|| {
            Error::Weights(format!(
                "`{}` in {} holds {}, not weights",
                shown(name),
                self.path.display(),
                entry.element.name()
            ))
        })?;
        if let Some(fault) = finite::first_fault(&values) {
            return Err(Error::NotFinite(format!(
                "{fault} of tensor `{}` in {}",
                shown(name),
                self.path.display()
            )));
        }
        self.release(entry);
        Ok(values)
    }

    /// Looks at every number without keeping any.
    ///
    /// # Errors
    /// As [`TensorFile::read`], for the first tensor with a fault.
    pub fn check_finite(&self, mut progress: impl FnMut(u64) -> bool) -> Result<()> {
        let mut done = 0;
        for (name, entry) in &self.layout.tensors {
            if matches!(entry.element, super::layout::ElementType::Other(_)) {
                continue;
            }
            self.read(name)?;
            done += entry.range.len() as u64;
            if !progress(done) {
                return Err(Error::Cancelled);
            }
        }
        Ok(())
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        let entry = self.layout.tensors.get(name);
        entry.ok_or_else(|| {
            Error::Weights(format!(
                "{} has no tensor `{}`",
                self.path.display(),
                shown(name)
            ))
        })
    }

    /// Tells the system that a tensor's pages are not needed any more; reading them again works.
    fn release(&self, entry: &Entry) {
        #[cfg(unix)]
        {
            let page = 4096;
            let begin = entry.range.start.next_multiple_of(page);
            let end = entry.range.end / page * page;
            if begin < end {
                // SAFETY: the mapping is a read-only view of a file: dropped pages come back with
                // the same bytes. Failure only costs memory.
                unsafe {
                    self.map.unchecked_advise_range(
                        memmap2::UncheckedAdvice::DontNeed,
                        begin,
                        end - begin,
                    )
                }
                .ok();
            }
        }
        #[cfg(not(unix))]
        let _ = entry;
    }

    /// Builds a model from this file, tensors in f32 on `device`.
    ///
    /// `watch` hears each tensor's name and the fraction of bytes read before it, and stops the
    /// loading by returning false.
    ///
    /// # Errors
    /// By name, for a tensor that is missing, wrongly shaped, or not finite; cancelled when
    /// `watch` said so.
    pub fn load<'a, T, E: Into<Error>>(
        self: &Arc<Self>,
        device: &Device,
        watch: impl Fn(&str, f32) -> bool + Send + Sync + 'a,
        build: impl FnOnce(VarBuilder<'a>) -> std::result::Result<T, E>,
    ) -> Result<T> {
        let fault = Arc::new(Mutex::new(None));
        let backend = Backend {
            file: Arc::clone(self),
            read: AtomicU64::new(0),
            watch: Box::new(watch),
            fault: Arc::clone(&fault),
        };
        let vb = VarBuilder::from_backend(Box::new(backend), DType::F32, device.clone());
        // The tensor library turns errors into text on the way; the first one is kept aside.
        build(vb).map_err(|error| {
            fault
                .lock()
                .ok()
                .and_then(|mut fault| fault.take())
                .unwrap_or_else(|| error.into())
        })
    }

    /// The models' view of the file without supervision, tensors in f32 on `device`.
    pub fn var_builder(self: &Arc<Self>, device: &Device) -> VarBuilder<'static> {
        let backend = Backend {
            file: Arc::clone(self),
            read: AtomicU64::new(0),
            watch: Box::new(|_, _| true),
            fault: Arc::default(),
        };
        VarBuilder::from_backend(Box::new(backend), DType::F32, device.clone())
    }
}

/// Hears of each tensor, and may stop the loading.
type Watch<'a> = Box<dyn Fn(&str, f32) -> bool + Send + Sync + 'a>;

struct Backend<'a> {
    file: Arc<TensorFile>,
    read: AtomicU64,
    watch: Watch<'a>,
    fault: Arc<Mutex<Option<Error>>>,
}

impl Backend<'_> {
    fn tensor(
        &self,
        shape: Option<&Shape>,
        name: &str,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let entry = self.file.entry(name)?;
        if let Some(shape) = shape.filter(|shape| shape.dims() != entry.shape) {
            return Err(Error::Weights(format!(
                "tensor `{}` in {} has shape {:?}, the model asks for {:?}",
                shown(name),
                self.file.path.display(),
                entry.shape,
                shape.dims()
            )));
        }
        let before = self
            .read
            .fetch_add(entry.range.len() as u64, Ordering::Relaxed);
        if !(self.watch)(name, before as f32 / self.file.bytes() as f32) {
            return Err(Error::Cancelled);
        }
        let values = self.file.read(name)?;
        Ok(Tensor::from_vec(values, entry.shape.as_slice(), device)?.to_dtype(dtype)?)
    }

    fn keep(&self, error: Error) -> candle_core::Error {
        match error {
            Error::Tensor(error) => error,
            error => {
                let text = candle_core::Error::msg(&error);
                if let Ok(mut fault) = self.fault.lock() {
                    fault.get_or_insert(error);
                }
                text
            }
        }
    }
}

impl SimpleBackend for Backend<'_> {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.tensor(Some(&shape), name, dtype, device)
            .map_err(|error| self.keep(error))
    }

    fn get_unchecked(
        &self,
        name: &str,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.tensor(None, name, dtype, device)
            .map_err(|error| self.keep(error))
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.file.layout.tensors.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::weights::LoadReport;
    use crate::weights::safetensors::tests::{file, healthy};

    fn saved(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn refusal(bytes: &[u8]) -> String {
        let (_folder, path) = saved(bytes);
        let error = TensorFile::open(&path).unwrap_err().to_string();
        assert!(
            !error.contains('\n') && error.contains("x.safetensors"),
            "{error}"
        );
        error
    }

    #[test]
    fn tensors_of_each_kind_are_read_as_f32() {
        let (_folder, path) = saved(&healthy());
        let file = TensorFile::open(&path).unwrap();
        assert_eq!(file.read("a").unwrap(), [1.0, 2.0]);
        assert_eq!(file.read("b").unwrap(), [1.0, -2.0]);
        assert_eq!(file.read("a").unwrap(), [1.0, 2.0]);
        assert!(
            file.read("c")
                .unwrap_err()
                .to_string()
                .contains("no tensor `c`")
        );
        assert_eq!(file.parameter_count(), 4);
    }

    #[test]
    fn things_that_people_mistake_for_weights_are_named() {
        assert!(refusal(b"").contains("empty"));
        assert!(
            refusal(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
                .contains("git lfs pull")
        );
        assert!(refusal(b"\n<!DOCTYPE html><html>").contains("web page"));
        assert!(refusal(b"PK\x03\x04\0\0\0\0").contains("archive"));
        assert!(refusal(b"\x80\x02c__main__\nx\n").contains("pickle"));
        let mut cut = healthy();
        cut.pop();
        assert!(refusal(&cut).contains("cut short"));
        let folder = tempfile::tempdir().unwrap();
        assert!(
            TensorFile::open(folder.path())
                .unwrap_err()
                .to_string()
                .contains("folder")
        );
        assert!(
            TensorFile::open(&folder.path().join("none"))
                .unwrap_err()
                .to_string()
                .contains("open the weights")
        );
    }

    #[test]
    fn a_nan_is_named_when_a_model_loads() {
        let header = r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
        let (_folder, path) = saved(&file(header, &[0, 0, 128, 63, 0, 0, 192, 127]));
        let opened = Arc::new(TensorFile::open(&path).unwrap());
        let error = opened
            .load(&Device::Cpu, |_, _| true, |vb| vb.get(2, "w"))
            .unwrap_err();
        assert!(
            matches!(&error, Error::NotFinite(text) if text.contains("NaN at element 1 of tensor `w`")),
            "{error}"
        );
        assert!(opened.check_finite(|_| true).is_err());
    }

    #[test]
    fn shapes_names_and_cancelling_are_the_engines_errors() {
        let (_folder, path) = saved(&healthy());
        let file = Arc::new(TensorFile::open(&path).unwrap());
        let load = |shape: usize, name: &'static str, go: bool| {
            file.load(
                &Device::Cpu,
                move |_, _| go,
                |vb| vb.get(shape, name).map(|_| ()),
            )
        };
        assert!(load(2, "a", true).is_ok());
        assert!(matches!(load(2, "a", false), Err(Error::Cancelled)));
        assert!(
            load(3, "a", true)
                .unwrap_err()
                .to_string()
                .contains("has shape [2], the model asks for [3]")
        );
        assert!(matches!(load(3, "c", true), Err(Error::Weights(_))));
    }

    #[test]
    fn the_report_names_what_differs() {
        let (_folder, path) = saved(&healthy());
        let file = TensorFile::open(&path).unwrap();
        let fits = [("a".to_owned(), vec![2]), ("b".to_owned(), vec![2, 1])];
        LoadReport::compare(&file, &fits)
            .into_result(&file)
            .unwrap();
        let other = [("a".to_owned(), vec![3]), ("c".to_owned(), vec![1])];
        let report = LoadReport::compare(&file, &other);
        assert_eq!(
            report.to_string(),
            "1 missing: `c`; 1 of another shape: `a` is [2], not [3]; 1 unknown to the model: `b`"
        );
        assert!(report.into_result(&file).is_err());
        let renamed = file
            .rename(|name| (name == "a").then(|| "c".to_owned()))
            .unwrap();
        assert_eq!(renamed.read("c").unwrap(), [1.0, 2.0]);
        assert!(renamed.rename(|_| Some("same".to_owned())).is_err());
    }
}
