//! Small pictures for the filmstrip, remembered in the cache.

use std::fs;

use mmface_engine::picture::{self, RgbImage, resize, write};
use mmface_engine::{Error, Result, file};

use super::{Entry, Library, Listing, short_hash};

/// Longest side of a thumbnail in pixels.
pub const SIDE: usize = 192;

impl Library {
    /// The thumbnail of a picture, from the cache when it is there.
    ///
    /// # Errors
    /// When the picture has gone or is damaged.
    pub fn thumbnail(&self, entry: &Entry) -> Result<RgbImage> {
        let small = self.thumbnail_path(entry);
        if let Ok(raster) = picture::read::read(&small)
            && raster.width.max(raster.height) <= SIDE
        {
            return Ok(raster.to_rgb());
        }
        let whole = picture::read::read(&self.path(&entry.file))?.to_rgb();
        let longest = whole.width.max(whole.height);
        if longest <= SIDE {
            return Ok(whole);
        }
        let side = |side: usize| (side * SIDE / longest).max(1);
        let thumbnail = resize::lanczos_rgb(&whole, side(whole.width), side(whole.height));
        // A cache that cannot be written costs time, not pictures.
        self.remember(entry, &thumbnail).ok();
        Ok(thumbnail)
    }

    /// Forgets thumbnails whose pictures are gone.
    ///
    /// # Errors
    /// The system's reason.
    pub fn prune_thumbnails(&self, listing: &Listing) -> Result<()> {
        let wanted: std::collections::HashSet<_> = listing
            .entries
            .iter()
            .map(|entry| self.thumbnail_path(entry))
            .collect();
        let folder = self.thumbnail_folder();
        let items = match fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            items => items.map_err(Error::file("read the thumbnails in", &folder))?,
        };
        for path in items
            .flatten()
            .map(|item| item.path())
            .filter(|path| !wanted.contains(path))
        {
            fs::remove_file(&path).map_err(Error::file("forget the thumbnail", &path))?;
        }
        Ok(())
    }

    fn thumbnail_folder(&self) -> std::path::PathBuf {
        self.cache.join(format!(
            "thumbnails-{}",
            short_hash(self.folder.to_string_lossy().as_bytes())
        ))
    }

    fn thumbnail_path(&self, entry: &Entry) -> std::path::PathBuf {
        let state = format!("{}\n{}\n{}", entry.file, entry.modified, entry.bytes);
        self.thumbnail_folder()
            .join(format!("{}.png", short_hash(state.as_bytes())))
    }

    fn remember(&self, entry: &Entry, thumbnail: &RgbImage) -> Result<()> {
        let png = write::encode_rgb(thumbnail)?;
        file::store(&self.thumbnail_path(entry), &png)
    }
}
