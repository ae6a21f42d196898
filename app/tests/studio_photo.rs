//! A photo becomes mask and sketch: cropped by hand, computed beside the window, one step of undo.

#![allow(clippy::expect_used, reason = "tests")]

#[path = "common/studio.rs"]
mod common;

use std::path::{Path, PathBuf};

use common::{drag, studio, studio_with, wait_for};
use egui::{Key, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use mmface::paint::Layer;
use mmface::studio::StudioApp;
use mmface::studio::command::PhotoCommand;
use mmface::studio::dialogs::Prepared;
use mmface::studio::testing::{FakeBackend, options};
use mmface_engine::picture::RgbImage;
use mmface_engine::picture::write::encode_rgb;

/// A face of ovals before a blue wall, wider than high.
fn write_photo(folder: &Path) -> PathBuf {
    let (width, height) = (320usize, 256usize);
    let mut photo = RgbImage::filled(width, height, [70, 90, 130]);
    let oval = |photo: &mut RgbImage, cx: f64, cy: f64, rx: f64, ry: f64, colour: [u8; 3]| {
        for y in 0..height {
            for x in 0..width {
                let (dx, dy) = ((x as f64 - cx) / rx, (y as f64 - cy) / ry);
                if dx * dx + dy * dy <= 1.0 {
                    photo.pixels[3 * (y * width + x)..][..3].copy_from_slice(&colour);
                }
            }
        }
    };
    oval(&mut photo, 160.0, 115.0, 88.0, 105.0, [60, 40, 30]);
    oval(&mut photo, 160.0, 240.0, 110.0, 60.0, [50, 60, 50]);
    oval(&mut photo, 160.0, 135.0, 66.0, 88.0, [225, 180, 155]);
    for x in [133.0, 187.0] {
        oval(&mut photo, x, 120.0, 13.0, 7.0, [250, 250, 250]);
        oval(&mut photo, x, 120.0, 6.0, 6.0, [40, 30, 20]);
        oval(&mut photo, x, 102.0, 16.0, 4.0, [70, 45, 35]);
    }
    oval(&mut photo, 160.0, 148.0, 9.0, 18.0, [205, 155, 130]);
    oval(&mut photo, 160.0, 185.0, 24.0, 8.0, [180, 80, 80]);
    let path = folder.join("portrait.png");
    std::fs::write(&path, encode_rgb(&photo).expect("a PNG")).expect("a file");
    path
}

fn open(harness: &mut Harness<'_, StudioApp>, path: PathBuf) {
    harness.state_mut().studio.emit(PhotoCommand::Read(path));
    harness.step();
    wait_for(harness, "the photo", |app| app.studio.photo.photo.is_some());
    harness.run_steps(2);
}

#[test]
fn a_photo_becomes_mask_and_sketch_in_one_step_of_undo() {
    let home = tempfile::tempdir().expect("a folder");
    let path = write_photo(home.path());
    let mut options = options(home.path(), FakeBackend::default());
    options.dialogs = Box::new(Prepared(Some(path)));
    let mut harness = studio_with(options);
    harness.get_by_label("Draw from a photo").click();
    harness.step();
    wait_for(&mut harness, "the photo", |app| {
        app.studio.photo.photo.is_some()
    });
    harness.run_steps(2);
    harness.get_by_label("Put into the drawing").click();
    harness.step();
    wait_for(&mut harness, "the drawing", |app| {
        !app.studio
            .context
            .document
            .painter
            .drawing()
            .is_empty(Layer::Mask)
    });
    let painter = &mut harness.state_mut().studio.context.document.painter;
    let mask = painter.drawing().label_image();
    let (side, counts) = (mask.width, mask.counts());
    assert_eq!(side, painter.drawing().side());
    let skin = counts[1] as f64 / (side * side) as f64;
    assert!(
        (0.05..0.8).contains(&skin),
        "skin covers {skin}: {counts:?}"
    );
    let sketch = painter.drawing().gray_image();
    let ink = sketch.pixels.iter().filter(|v| **v < 128).count() as f64;
    let ink = ink / sketch.pixels.len() as f64;
    assert!((0.001..0.3).contains(&ink), "ink covers {ink}");
    assert!(painter.undo());
    assert!(painter.drawing().is_empty(Layer::Mask) && painter.drawing().is_empty(Layer::Sketch));
    assert!(!painter.can_undo(), "one step holds both");
    assert!(painter.redo());
    harness.run_steps(2);
    let photo = &harness.state().studio.photo;
    assert!(photo.photo.is_none(), "the window has closed");
    assert_eq!(
        harness
            .state()
            .studio
            .context
            .document
            .under
            .as_ref()
            .map(|under| under.width),
        Some(side)
    );
}

#[test]
fn the_square_is_moved_by_hand_and_by_keys() {
    let home = tempfile::tempdir().expect("a folder");
    let path = write_photo(home.path());
    let mut harness = studio(home.path());
    open(&mut harness, path);
    let crop = harness.state().studio.photo.crop;
    assert_eq!(crop.pixels(320, 256), (32, 0, 256));
    let rect = harness.get_by_label("Square of the photo").rect();
    let scale = rect.width() / 320.0;
    // The lower right corner, pulled inwards by 56 photo pixels.
    let corner = rect.min + vec2(288.0, 256.0) * scale - vec2(3.0, 3.0);
    drag(&mut harness, &[corner, corner - vec2(56.0, 56.0) * scale]);
    harness.run_steps(2);
    let (left, top, side) = harness.state().studio.photo.crop.pixels(320, 256);
    assert_eq!((left, top), (32, 0), "the opposite corner stays");
    assert!((195..=205).contains(&side), "side {side}");
    // The middle, moved to the right.
    let middle = rect.min + vec2(120.0, 100.0) * scale;
    drag(&mut harness, &[middle, middle + vec2(40.0, 0.0) * scale]);
    harness.run_steps(2);
    let (moved, ..) = harness.state().studio.photo.crop.pixels(320, 256);
    assert!((68..=76).contains(&moved), "left {moved}");
    harness.key_press(Key::ArrowDown);
    harness.run_steps(2);
    let (_, down, _) = harness.state().studio.photo.crop.pixels(320, 256);
    assert!(down > top, "the arrow key moves it");
}

#[test]
fn lines_follow_the_style_and_the_mask_can_be_left_out() {
    let home = tempfile::tempdir().expect("a folder");
    let path = write_photo(home.path());
    let mut harness = studio(home.path());
    open(&mut harness, path);
    let ink_with = |harness: &mut Harness<'_, StudioApp>, ink: f32| {
        let photo = &mut harness.state_mut().studio.photo;
        photo.wanted.mask = false;
        photo.wanted.onion = false;
        photo.style.ink = ink;
        harness.state_mut().studio.emit(PhotoCommand::Apply);
        harness.step();
        wait_for(harness, "the drawing", |app| {
            app.studio.photo.photo.is_none()
        });
        let drawing = harness.state().studio.context.document.painter.drawing();
        assert!(drawing.is_empty(Layer::Mask));
        let sketch = drawing.gray_image();
        let ink = sketch.pixels.iter().map(|v| u64::from(255 - v));
        ink.sum::<u64>()
    };
    let dark = ink_with(&mut harness, 1.0);
    let path = home.path().join("portrait.png");
    open(&mut harness, path);
    let pale = ink_with(&mut harness, 0.3);
    assert!(pale < dark, "{pale} of {dark}");
    assert!(harness.state().studio.context.document.under.is_none());
}

#[test]
fn bad_photos_are_told_in_one_line_and_change_nothing() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    let revision = harness.state().studio.context.document.painter.revision();
    let huge = {
        let mut bytes = Vec::new();
        let encoder = png::Encoder::new(&mut bytes, 20_000, 20_000);
        drop(encoder.write_header().expect("a header"));
        bytes
    };
    for (name, bytes, wanted) in [
        ("empty.png", Vec::new(), "the file is empty"),
        ("huge.png", huge, "20000 x 20000"),
        ("cut.png", b"\x89PNG\r\n\x1a\n\0\0".to_vec(), "damaged"),
        ("text.jpg", b"hello".to_vec(), "no picture that is known"),
    ] {
        let path = home.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        harness.state_mut().studio.emit(PhotoCommand::Read(path));
        harness.step();
        wait_for(&mut harness, name, |app| !app.studio.photo.reading);
        let told = harness
            .state()
            .studio
            .context
            .toasts
            .log
            .last()
            .expect("a message");
        let text = told.text();
        assert!(
            text.contains(name) && text.contains(wanted) && !text.contains('\n'),
            "{text}"
        );
        assert!(harness.state().studio.photo.photo.is_none());
    }
    assert_eq!(
        harness.state().studio.context.document.painter.revision(),
        revision
    );
}

#[test]
fn a_picture_of_the_clipboard_is_a_photo() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    let image = egui::ColorImage::filled([80, 60], egui::Color32::from_rgb(200, 170, 150));
    harness.event(egui::Event::PasteImage(image.into()));
    harness.step();
    wait_for(&mut harness, "the photo", |app| {
        app.studio.photo.photo.is_some()
    });
    harness.run_steps(2);
    harness.get_by_label("Never mind").click();
    harness.run_steps(3);
    assert!(harness.state().studio.photo.photo.is_none());
    assert!(harness.query_by_label("Put into the drawing").is_none());
}
