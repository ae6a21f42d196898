//! Pictures in memory: thumbnails as textures, and the last whole pictures. Both are bounded; what
//! is missing is read beside the GUI thread.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::studio::texture::texture;
use egui::TextureHandle;
use mmface_engine::picture::{RgbImage, read};

use super::State;
use super::library;
use crate::project::library::Entry;
use crate::studio::context::Context;
use crate::studio::toast::Toast;

/// Most thumbnails on the GPU: 192² in RGBA are 150 kB each.
const MOST_THUMBNAILS: usize = 240;
/// Most thumbnails that are read at once.
const MOST_READING: usize = 4;
/// Whole pictures that are remembered.
const MOST_PICTURES: usize = 8;

struct Thumbnail {
    modified: u64,
    /// `None`: it could not be read.
    texture: Option<TextureHandle>,
    used: u64,
}

/// Thumbnails on the GPU; those that were not seen for longest go first.
#[derive(Default)]
pub struct Thumbnails {
    known: BTreeMap<String, Thumbnail>,
    reading: BTreeSet<String>,
    wanted: Vec<Entry>,
    frame: u64,
}

/// What is known of a thumbnail.
pub enum Known {
    /// It is here.
    Here(TextureHandle),
    /// It is being read.
    Coming,
    /// It cannot be read.
    Damaged,
}

impl Thumbnails {
    /// A frame begins.
    pub fn begin_frame(&mut self) {
        self.frame += 1;
    }

    /// Thumbnails on the GPU.
    pub fn count(&self) -> usize {
        self.known.len()
    }

    fn put(&mut self, file: String, modified: u64, texture: Option<TextureHandle>) {
        self.reading.remove(&file);
        let thumbnail = Thumbnail {
            modified,
            texture,
            used: self.frame,
        };
        self.known.insert(file, thumbnail);
        while self.known.len() > MOST_THUMBNAILS {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.used);
            let Some(file) = oldest.map(|(file, _)| file.clone()) else {
                break;
            };
            self.known.remove(&file);
        }
    }
}

/// The thumbnail of a picture that is on screen; when it is not here it is noted as wanted, and
/// [`read_wanted`] reads it.
pub fn thumbnail(thumbs: &mut Thumbnails, entry: &Entry, cx: &Context) -> Known {
    let frame = thumbs.frame;
    if let Some(known) = thumbs.known.get_mut(&entry.file)
        && known.modified == entry.modified
    {
        known.used = frame;
        return match &known.texture {
            Some(texture) => Known::Here(texture.clone()),
            None => Known::Damaged,
        };
    }
    if thumbs.reading.len() < MOST_READING && thumbs.reading.insert(entry.file.clone()) {
        thumbs.wanted.push(entry.clone());
        cx.ctx.request_repaint();
    }
    Known::Coming
}

/// Reads the thumbnails that the last frame could not show.
pub fn read_wanted(state: &mut State, cx: &mut Context) {
    for entry in std::mem::take(&mut state.thumbnails.wanted) {
        let (library, ctx) = (library(state, cx), cx.ctx.clone());
        cx.spawn(&state.inbox, "reading a thumbnail", move || {
            let picture = library.thumbnail(&entry).ok();
            move |state: &mut State, _: &mut Context| {
                let texture = picture.map(|picture| texture(&ctx, &entry.file, &picture));
                let thumbs = &mut state.thumbnails;
                thumbs.put(entry.file, entry.modified, texture);
            }
        });
    }
}

/// The last whole pictures that were looked at.
#[derive(Default)]
pub struct Pictures(VecDeque<(String, Arc<RgbImage>)>);

impl Pictures {
    /// A picture that is in memory.
    pub fn get(&self, file: &str) -> Option<Arc<RgbImage>> {
        let known = self.0.iter().find(|(known, _)| known == file);
        known.map(|(_, picture)| Arc::clone(picture))
    }

    /// Remembers a picture.
    pub fn put(&mut self, file: &str, picture: Arc<RgbImage>) {
        self.0.retain(|(known, _)| known != file);
        self.0.push_front((file.to_string(), picture));
        self.0.truncate(MOST_PICTURES);
    }

    /// Forgets what may have changed on the disk.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Hands a whole picture to `then`: at once when it is in memory, else when it is read.
pub fn with_picture(
    state: &mut State,
    cx: &mut Context,
    file: &str,
    then: impl FnOnce(&mut State, &mut Context, Arc<RgbImage>) + Send + 'static,
) {
    if let Some(picture) = state.pictures.get(file) {
        return then(state, cx, picture);
    }
    let (path, file) = (library(state, cx).path(file), file.to_string());
    cx.spawn(&state.inbox, "reading the picture", move || {
        let picture = read::read(&path).map(|raster| Arc::new(raster.to_rgb()));
        move |state: &mut State, cx: &mut Context| match picture {
            Ok(picture) => {
                state.pictures.put(&file, Arc::clone(&picture));
                then(state, cx, picture);
            }
            Err(error) => {
                cx.tell(Toast::Error(error.to_string()));
                // The file may be gone: the next scan says so.
                super::scan(state, cx);
            }
        }
    });
}
