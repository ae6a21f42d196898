//! A photo becomes a mask, a sketch, and a layer to draw over.
//!
//! The photo is cropped to a square by hand. Lines and classes of the crop are computed beside the
//! GUI thread whenever crop or style change, one at a time, the newest wish last; what the person
//! accepts goes into the drawing as one step of undo and is an ordinary drawing from then on.

pub mod crop;
mod crop_view;
pub mod panel;
pub mod work;

use std::sync::Arc;

use mmface_engine::labels::LabelImage;
use mmface_engine::picture::xdog::Style;
use mmface_engine::picture::{EXTENSIONS, GrayImage};

use super::command::{PhotoCommand, Workspace};
use super::context::{Context, Inbox};
use super::dialogs::{Ask, AskKind};
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
    /// The crop is being dragged: the mask waits for the end of it.
    dragging: bool,
    number: u64,
    sketch: Product<GrayImage>,
    mask: Product<LabelImage>,
    parser: ParserCache,
    view: panel::View,
    /// What came of slow work.
    pub inbox: Inbox<State>,
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
            dragging: false,
            number: 0,
            sketch: Product::default(),
            mask: Product::default(),
            parser: ParserCache::default(),
            view: panel::View::default(),
            inbox: Inbox::default(),
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

/// Does what the command says.
pub fn handle(state: &mut State, command: PhotoCommand, cx: &mut Context) {
    match command {
        PhotoCommand::Open => {
            let ask = Ask {
                title: "A portrait photo".into(),
                kind: AskKind::Open,
                filter: Some(("Photos".into(), EXTENSIONS.map(String::from).to_vec())),
                name: String::new(),
            };
            cx.ask(&state.inbox, &ask, |_: &mut State, cx, path| {
                cx.emit(PhotoCommand::Read(path))
            });
        }
        PhotoCommand::Read(path) => read(state, cx, move || work::read_photo(&path)),
        PhotoCommand::Paste(image) => read(state, cx, move || {
            let image = work::from_clipboard(&image);
            Ok(work::prepare("the clipboard's picture".into(), image))
        }),
        PhotoCommand::WholeCrop => {
            if let Some(photo) = &state.photo {
                state.crop = Crop::largest(photo.image.width, photo.image.height);
            }
        }
        PhotoCommand::UsualStyle => state.style = Style::default(),
        PhotoCommand::Apply => {
            let wanted = state.wanted;
            if state.photo.is_some() && (wanted.mask || wanted.sketch || wanted.onion) {
                state.applying = true;
                tick(state, cx);
            }
        }
        PhotoCommand::Close => close(state),
    }
}

fn close(state: &mut State) {
    state.photo = None;
    state.applying = false;
    state.view = panel::View::default();
}

fn read(
    state: &mut State,
    cx: &mut Context,
    work: impl FnOnce() -> mmface_engine::Result<Photo> + Send + 'static,
) {
    if std::mem::replace(&mut state.reading, true) {
        return;
    }
    cx.spawn(&state.inbox, "reading the photo", move || {
        let panicked = |_| {
            let text = "the photo could not be read; save it as PNG";
            Err(mmface_engine::Error::Input(text.into()))
        };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        let result = result.unwrap_or_else(panicked);
        move |state: &mut State, cx: &mut Context| {
            state.reading = false;
            match result {
                Ok(photo) => {
                    for note in &photo.notes {
                        cx.tell(Toast::Warning(note.clone()));
                    }
                    state.number += 1;
                    state.crop = Crop::largest(photo.image.width, photo.image.height);
                    state.photo = Some(Arc::new(photo));
                    state.applying = false;
                    state.view = panel::View::default();
                    cx.workspace = Workspace::Studio;
                }
                Err(error) => cx.tell(Toast::Error(error.to_string())),
            }
        }
    });
}

/// Computes what is due, and puts it into the drawing when that was asked for: once a frame.
pub fn tick(state: &mut State, cx: &mut Context) {
    cx.facts.photo_open = state.photo.is_some();
    let Some(photo) = state.photo.clone() else {
        return;
    };
    state.tidy();
    let side = cx.document.painter.drawing().side();
    let wanted = state.wanted;
    let key = state.sketch_key(side);
    if wanted.sketch && state.sketch.is_due(key) {
        state.sketch.pending = Some(key);
        let photo = Arc::clone(&photo);
        cx.spawn(&state.inbox, "drawing the lines", move || {
            let result = guarded(|| {
                let square = work::square(&photo.image, key.crop, side)?;
                Ok(work::sketch(&square, key.style.unwrap_or_default()))
            });
            move |state: &mut State, cx: &mut Context| {
                state.sketch.end(key, result);
                tick(state, cx);
            }
        });
    }
    let key = state.key(side);
    if wanted.mask && !state.dragging && state.mask.is_due(key) {
        state.mask.pending = Some(key);
        let photo = Arc::clone(&photo);
        let parser = state.parser.clone();
        let registry = cx.registry();
        cx.spawn(&state.inbox, "finding the face's parts", move || {
            let result = guarded(|| parser.parse(&registry, &photo.image, key.crop, side));
            move |state: &mut State, cx: &mut Context| {
                state.mask.end(key, result);
                tick(state, cx);
            }
        });
    }
    if state.applying {
        apply(state, cx, &photo, side);
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
fn apply(state: &mut State, cx: &mut Context, photo: &Photo, side: usize) {
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
        state.applying = false;
        cx.tell(Toast::Error(why));
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
        cx.document.painter.edit("Photo", |drawing| {
            if let Some(mask) = &mask {
                drawing.set_mask(mask);
            }
            if let Some(sketch) = &sketch {
                drawing.set_sketch(sketch);
            }
        });
    }
    if state.wanted.onion {
        match work::square(&photo.image, state.crop, side) {
            Ok(square) => cx.document.put_under(Some(Arc::new(square))),
            Err(error) => cx.tell(Toast::Error(error.to_string())),
        }
    }
    let parts = [
        (mask.is_some(), "mask"),
        (sketch.is_some(), "sketch"),
        (state.wanted.onion, "photo under the drawing"),
    ];
    let parts: Vec<&str> = parts
        .iter()
        .filter(|part| part.0)
        .map(|part| part.1)
        .collect();
    let text = format!("{}: {}", photo.name, parts.join(", "));
    cx.tell(Toast::Success(text));
    close(state);
}

#[cfg(test)]
mod tests {
    use mmface_engine::picture::RgbImage;
    use mmface_engine::picture::write::encode_rgb;

    use super::*;
    use crate::studio::testing;

    #[test]
    fn the_lines_of_a_photo_become_one_step_of_the_drawing() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("photo.png");
        let mut image = RgbImage::filled(64, 64, [230; 3]);
        for row in image.pixels.chunks_exact_mut(64 * 3) {
            row[..32 * 3].fill(20);
        }
        std::fs::write(&path, encode_rgb(&image).expect("a picture")).expect("a file");
        let mut cx = testing::context(home.path());
        let mut state = State::default();
        handle(&mut state, PhotoCommand::Read(path), &mut cx);
        testing::finish(&mut state, |state| &state.inbox, &mut cx);
        assert!(state.photo.is_some());
        state.wanted = Wanted {
            mask: false,
            sketch: true,
            onion: true,
        };
        handle(&mut state, PhotoCommand::Apply, &mut cx);
        testing::finish(&mut state, |state| &state.inbox, &mut cx);
        assert!(state.photo.is_none(), "the window has closed");
        assert!(cx.document.under.is_some());
        assert!(cx.document.painter.can_undo());
        let sketch = cx.document.painter.drawing().gray_image();
        assert!(sketch.pixels.iter().any(|grey| *grey < 200), "lines");
    }
}
