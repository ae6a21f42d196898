//! A photo becomes a mask, a sketch, and a layer to draw over.
//!
//! The photo is cropped to a square by hand. Lines and classes of the crop are computed beside the
//! GUI thread whenever crop or style change, one at a time, the newest wish last; what the person
//! accepts goes into the drawing as one step of undo and is an ordinary drawing from then on.

pub mod crop;
mod crop_view;
pub mod panel;
pub mod work;

use std::path::PathBuf;
use std::sync::Arc;

use egui::ColorImage;
use mmface_engine::labels::LabelImage;
use mmface_engine::picture::xdog::Style;
use mmface_engine::picture::{GrayImage, RgbImage};

use super::actions::Action;
use super::dialogs::{Ask, AskKind};
use super::state::{Studio, Workspace};
use super::toast::Toast;
use crop::Crop;
use work::{ParserCache, Photo};

/// What a product was made of.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Key {
    photo: u64,
    crop: Crop,
    side: usize,
    /// Of sketches only.
    style: Option<Style>,
}

/// A sketch or a mask, and what is going on about it.
#[derive(Debug)]
struct Product<T> {
    made: Option<(Key, Arc<T>)>,
    /// What is being computed.
    pending: Option<Key>,
    /// What could not be computed, and why.
    failed: Option<(Key, String)>,
}

impl<T> Default for Product<T> {
    fn default() -> Self {
        Self {
            made: None,
            pending: None,
            failed: None,
        }
    }
}

impl<T> Product<T> {
    fn of(&self, key: Key) -> Option<&Arc<T>> {
        self.made
            .as_ref()
            .filter(|(made, _)| *made == key)
            .map(|(_, product)| product)
    }

    fn failure(&self, key: Key) -> Option<&str> {
        let failed = self.failed.as_ref();
        failed
            .filter(|(failed, _)| *failed == key)
            .map(|(_, why)| why.as_str())
    }

    /// Whether it has to be computed now.
    fn is_due(&self, key: Key) -> bool {
        self.pending.is_none() && self.of(key).is_none() && self.failure(key).is_none()
    }

    fn end(&mut self, key: Key, result: mmface_engine::Result<T>) {
        self.pending = None;
        match result {
            Ok(product) => self.made = Some((key, Arc::new(product))),
            Err(error) => self.failed = Some((key, error.to_string())),
        }
    }
}

/// What of the photo goes into the drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The parser's classes.
    pub mask: bool,
    /// The lines.
    pub sketch: bool,
    /// The photo itself, under the drawing.
    pub onion: bool,
}

/// The photo at hand.
#[derive(Debug)]
pub struct State {
    /// The photo; the window is open while there is one.
    pub photo: Option<Arc<Photo>>,
    /// The square that is taken.
    pub crop: Crop,
    /// How lines are drawn.
    pub style: Style,
    /// What goes into the drawing.
    pub wanted: Wanted,
    /// A photo is being read.
    pub reading: bool,
    /// The person has accepted; it is put into the drawing as soon as it is computed.
    pub applying: bool,
    /// The photo that lies under the drawing, as large as the drawing.
    pub under: Option<Arc<RgbImage>>,
    /// The crop is being dragged: the mask waits for the end of it.
    dragging: bool,
    number: u64,
    sketch: Product<GrayImage>,
    mask: Product<LabelImage>,
    parser: ParserCache,
    view: panel::View,
}

impl Default for State {
    fn default() -> Self {
        Self {
            photo: None,
            crop: Crop::largest(1, 1),
            style: Style::default(),
            wanted: Wanted {
                mask: true,
                sketch: true,
                onion: true,
            },
            reading: false,
            applying: false,
            under: None,
            dragging: false,
            number: 0,
            sketch: Product::default(),
            mask: Product::default(),
            parser: ParserCache::default(),
            view: panel::View::default(),
        }
    }
}

impl State {
    fn key(&self, side: usize) -> Key {
        Key {
            photo: self.number,
            crop: self.crop,
            side,
            style: None,
        }
    }

    fn sketch_key(&self, side: usize) -> Key {
        Key {
            style: Some(self.style),
            ..self.key(side)
        }
    }

    /// Makes sure that the crop lies in the photo.
    fn tidy(&mut self) {
        if let Some(photo) = &self.photo {
            self.crop = self.crop.inside(photo.image.width, photo.image.height);
        }
    }
}

/// Actions on photos.
#[derive(Clone, Debug, PartialEq)]
pub enum PhotoCommand {
    /// Asks for a photo.
    Open,
    /// Reads a photo: chosen, dropped, or from anywhere else.
    Read(PathBuf),
    /// Takes a picture of the clipboard.
    Paste(Arc<ColorImage>),
    /// Takes another square.
    Crop(Crop),
    /// Takes the largest square.
    WholeCrop,
    /// The usual lines.
    UsualStyle,
    /// Puts what is wanted into the drawing.
    Apply,
    /// Lets go of the photo.
    Close,
}

/// Named actions.
pub const ACTIONS: &[Action] =
    &[
        Action::new("photo.open", "Draw from a photo", &["Ctrl+Alt+O"], || {
            PhotoCommand::Open.into()
        })
        .in_text(),
    ];

/// Does what the command says.
pub fn run(studio: &mut Studio, command: PhotoCommand) {
    match command {
        PhotoCommand::Open => {
            let ask = Ask {
                title: "A portrait photo".into(),
                kind: AskKind::Open,
                filter: Some((
                    "Photos".into(),
                    ["png", "jpg", "jpeg"].map(String::from).to_vec(),
                )),
                name: String::new(),
            };
            studio.ask(&ask, |studio, path| studio.emit(PhotoCommand::Read(path)));
        }
        PhotoCommand::Read(path) => read(studio, move || work::read_photo(&path)),
        PhotoCommand::Paste(image) => read(studio, move || {
            let image = work::from_clipboard(&image);
            Ok(work::prepare("the clipboard's picture".into(), image))
        }),
        PhotoCommand::Crop(crop) => {
            studio.photo.crop = crop;
            studio.photo.tidy();
        }
        PhotoCommand::WholeCrop => {
            if let Some(photo) = &studio.photo.photo {
                studio.photo.crop = Crop::largest(photo.image.width, photo.image.height);
            }
        }
        PhotoCommand::UsualStyle => studio.photo.style = Style::default(),
        PhotoCommand::Apply => {
            let wanted = studio.photo.wanted;
            if studio.photo.photo.is_some() && (wanted.mask || wanted.sketch || wanted.onion) {
                studio.photo.applying = true;
                advance(studio);
            }
        }
        PhotoCommand::Close => {
            studio.photo.photo = None;
            studio.photo.applying = false;
            studio.photo.view = panel::View::default();
        }
    }
}

fn read(studio: &mut Studio, work: impl FnOnce() -> mmface_engine::Result<Photo> + Send + 'static) {
    if std::mem::replace(&mut studio.photo.reading, true) {
        return;
    }
    studio.services.tasks.spawn("reading the photo", move || {
        let panicked = |_| {
            let text = "the photo could not be read; save it as PNG";
            Err(mmface_engine::Error::Argument(text.into()))
        };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        let result = result.unwrap_or_else(panicked);
        move |studio: &mut Studio| {
            studio.photo.reading = false;
            match result {
                Ok(photo) => {
                    let state = &mut studio.photo;
                    state.number += 1;
                    state.crop = Crop::largest(photo.image.width, photo.image.height);
                    state.photo = Some(Arc::new(photo));
                    state.applying = false;
                    state.view = panel::View::default();
                    studio.workspace = Workspace::Studio;
                }
                Err(error) => studio.tell(Toast::Error(error.to_string())),
            }
        }
    });
}

/// Computes what is due, and puts it into the drawing when that was asked for.
pub fn advance(studio: &mut Studio) {
    let Some(photo) = studio.photo.photo.clone() else {
        return;
    };
    studio.photo.tidy();
    let side = studio.painter.drawing().side();
    let wanted = studio.photo.wanted;
    let state = &mut studio.photo;
    let key = state.sketch_key(side);
    if wanted.sketch && state.sketch.is_due(key) {
        state.sketch.pending = Some(key);
        let photo = Arc::clone(&photo);
        studio.services.tasks.spawn("drawing the lines", move || {
            let result = guarded(|| {
                let square = work::square(&photo.image, key.crop, side)?;
                Ok(work::sketch(&square, key.style.unwrap_or_default()))
            });
            move |studio: &mut Studio| {
                studio.photo.sketch.end(key, result);
                advance(studio);
            }
        });
    }
    let state = &mut studio.photo;
    let key = state.key(side);
    if wanted.mask && !state.dragging && state.mask.is_due(key) {
        state.mask.pending = Some(key);
        let photo = Arc::clone(&photo);
        let parser = state.parser.clone();
        let registry = super::models::registry(studio);
        studio
            .services
            .tasks
            .spawn("finding the face's parts", move || {
                let result = guarded(|| parser.parse(&registry, &photo.image, key.crop, side));
                move |studio: &mut Studio| {
                    studio.photo.mask.end(key, result);
                    advance(studio);
                }
            });
    }
    if studio.photo.applying {
        apply(studio, &photo, side);
    }
}

fn guarded<T>(work: impl FnOnce() -> mmface_engine::Result<T>) -> mmface_engine::Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(mmface_engine::Error::Panic(
            "the photo could not be worked on".into(),
        ))
    })
}

/// Puts everything that is wanted into the drawing, once all of it is there.
fn apply(studio: &mut Studio, photo: &Photo, side: usize) {
    let state = &mut studio.photo;
    let (mask_key, sketch_key) = (state.key(side), state.sketch_key(side));
    let why = [
        state.mask.failure(mask_key).filter(|_| state.wanted.mask),
        state
            .sketch
            .failure(sketch_key)
            .filter(|_| state.wanted.sketch),
    ];
    let why = why.into_iter().flatten().next().map(String::from);
    if let Some(why) = why {
        studio.photo.applying = false;
        studio.tell(Toast::Error(why));
        return;
    }
    let mask = state
        .mask
        .of(mask_key)
        .filter(|_| state.wanted.mask)
        .cloned();
    let sketch = state
        .sketch
        .of(sketch_key)
        .filter(|_| state.wanted.sketch)
        .cloned();
    if mask.is_some() != state.wanted.mask || sketch.is_some() != state.wanted.sketch {
        return;
    }
    if mask.is_some() || sketch.is_some() {
        studio.painter.edit("Photo", |drawing| {
            if let Some(mask) = &mask {
                drawing.set_mask(mask);
            }
            if let Some(sketch) = &sketch {
                drawing.set_sketch(sketch);
            }
        });
    }
    if studio.photo.wanted.onion {
        match work::square(&photo.image, studio.photo.crop, side) {
            Ok(square) => show_under(studio, Some(Arc::new(square))),
            Err(error) => studio.tell(Toast::Error(error.to_string())),
        }
    }
    let parts = [
        (mask.is_some(), "mask"),
        (sketch.is_some(), "sketch"),
        (studio.photo.wanted.onion, "photo under the drawing"),
    ];
    let parts: Vec<&str> = parts
        .iter()
        .filter(|part| part.0)
        .map(|part| part.1)
        .collect();
    let text = format!("{}: {}", photo.name, parts.join(", "));
    studio.tell(Toast::Success(text));
    run(studio, PhotoCommand::Close);
}

/// Puts a photo under the drawing, or takes it away.
pub fn show_under(studio: &mut Studio, square: Option<Arc<RgbImage>>) {
    match &square {
        Some(square) => {
            let ctx = studio.ctx.clone();
            studio.canvas.show_onion(&ctx, square);
        }
        None => studio.canvas.clear_onion(),
    }
    studio.photo.under = square;
}
