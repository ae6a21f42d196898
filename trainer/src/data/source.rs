//! Where samples come from: WebDataset tars, folders, or folders of precomputed latents.

use std::path::{Path, PathBuf};

use mmface_engine::Result;

use super::folders::{Files, Layout, buckets, split};
use super::webdataset::{Sample, for_each_sample, shards};
use crate::report::DataTable;

/// The data of a run.
#[derive(Clone, Debug)]
pub enum Source {
    /// A folder of `train-*.tar` and `heldout-*.tar`.
    Tars(PathBuf),
    /// Data sets in folders; so many of their samples are held out.
    Folders(Vec<Layout>, usize),
}

/// Samples that are read together and make one or more latent files.
#[derive(Clone, Debug)]
pub struct Shard {
    /// First part of the latent files' names.
    pub stem: String,
    from: From,
}

#[derive(Clone, Debug)]
enum From {
    Tar(PathBuf),
    Files(Vec<Files>),
}

impl Source {
    /// Recognises what a folder holds.
    ///
    /// # Errors
    /// When it holds neither tars nor photos.
    pub fn discover(root: &Path, captions: Option<&Path>, heldout: usize) -> Result<Self> {
        if shards(root, "train-").is_ok() {
            return Ok(Self::Tars(root.to_path_buf()));
        }
        Ok(Self::Folders(Layout::discover(root, captions)?, heldout))
    }

    /// The shards of the training and of the held-out split.
    ///
    /// # Errors
    /// When something cannot be listed.
    pub fn shards(&self) -> Result<[Vec<Shard>; 2]> {
        match self {
            Self::Tars(folder) => {
                let tars = |prefix: &str| -> Result<Vec<Shard>> {
                    Ok(shards(folder, prefix)?
                        .into_iter()
                        .map(|path| Shard {
                            stem: path
                                .file_stem()
                                .and_then(|stem| stem.to_str())
                                .unwrap_or("shard")
                                .to_owned(),
                            from: From::Tar(path),
                        })
                        .collect())
                };
                Ok([tars("train-")?, tars("heldout-")?])
            }
            Self::Folders(layouts, heldout) => {
                let mut samples = Vec::new();
                for layout in layouts {
                    samples.extend(layout.samples()?);
                }
                let [train, heldout] = split(samples, *heldout);
                let named = |prefix: &str, files: Vec<Files>| {
                    buckets(files)
                        .into_iter()
                        .map(|(name, files)| Shard {
                            stem: format!("{prefix}{name}"),
                            from: From::Files(files),
                        })
                        .collect()
                };
                Ok([named("train-", train), named("heldout-", heldout)])
            }
        }
    }
}

impl Shard {
    /// Reads all samples.
    ///
    /// # Errors
    /// When a tar is damaged or a file cannot be read.
    pub fn read(&self) -> Result<Vec<Sample>> {
        let mut samples = Vec::new();
        match &self.from {
            From::Tar(path) => for_each_sample(path, |sample| {
                samples.push(sample);
                Ok(())
            })?,
            From::Files(files) => {
                for files in files {
                    samples.push(files.read()?);
                }
            }
        }
        Ok(samples)
    }

    /// Counts what the samples hold and lack, without decoding pictures.
    ///
    /// # Errors
    /// When a tar is damaged or captions cannot be read.
    pub fn survey(&self, table: &mut DataTable) -> Result<()> {
        match &self.from {
            From::Tar(path) => for_each_sample(path, |sample| {
                count(&sample, table);
                Ok(())
            }),
            From::Files(files) => {
                for files in files {
                    count(&files.outline()?, table);
                }
                Ok(())
            }
        }
    }
}

fn count(sample: &Sample, table: &mut DataTable) {
    table.samples += 1;
    table.without_photo += u64::from(sample.photo.is_none());
    table.without_mask += u64::from(sample.mask.is_none());
    table.without_sketch += u64::from(sample.sketch.is_none());
    table.without_captions += u64::from(sample.captions.is_none());
    table.empty_captions +=
        u64::from(sample.captions.is_some() && sample.caption_lines().is_empty());
}

/// What is missing, as a clause, or `None` when every sample has all its parts.
pub fn missing(table: &DataTable) -> Option<String> {
    let parts: Vec<String> = [
        ("photos", table.without_photo),
        ("masks", table.without_mask),
        ("sketches", table.without_sketch),
        ("caption files", table.without_captions),
        ("captions in their files", table.empty_captions),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(name, count)| format!("{count} {name}"))
    .collect();
    (!parts.is_empty()).then(|| {
        format!(
            "of {} {} samples are missing: {}",
            table.samples,
            table.split,
            parts.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn missing_parts_are_counted_before_anything_is_decoded() {
        let root = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &[u8]| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        for index in 0..20 {
            put(&format!("images/{index}.png"), b"no picture");
            put(&format!("masks/{index}.png"), b"x");
            if index > 2 {
                put(&format!("sketches/{index}.png"), b"x");
            }
            put(
                &format!("text/{index}.txt"),
                if index == 7 { b" \n\n" } else { b"a\nb" },
            );
        }
        let source = Source::discover(root.path(), None, 4).unwrap();
        let shards = source.shards().unwrap();
        let mut table = DataTable::default();
        for shard in shards.iter().flatten() {
            shard.survey(&mut table).unwrap();
        }
        assert_eq!(
            (table.samples, table.without_sketch, table.empty_captions),
            (20, 3, 1)
        );
        let text = missing(&table).unwrap();
        assert!(
            text.contains("3 sketches") && text.contains("1 captions"),
            "{text}"
        );
        assert_eq!(missing(&DataTable::default()), None);
        let read: usize = shards[0]
            .iter()
            .map(|shard| shard.read().unwrap().len())
            .sum();
        assert_eq!(read, 16);
    }
}
