//! Files that fall onto the window: each goes where it can be used, or is named.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/studio.rs"]
mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{job, recipe, settle, studio, told, wait_for};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use mmface::project::SweepNote;
use mmface::studio::{StudioApp, Workspace};
use mmface_engine::condition::read_mask;
use mmface_engine::job::{Condition, Draw, Job};
use mmface_engine::labels::{LabelImage, class};
use mmface_engine::picture::{RgbImage, write};
use mmface_engine::provenance;

type Studio = Harness<'static, StudioApp>;

fn ready(home: &Path) -> Studio {
    let mut harness = studio(home);
    wait_for(&mut harness, "the model", |app| {
        app.studio.context.facts.model.ready().is_some()
    });
    settle(&mut harness);
    harness
}

fn let_fall(harness: &mut Studio, path: &Path) {
    common::let_fall(harness, path);
    settle(harness);
}

#[test]
fn dropped_pictures_tell_what_they_know() {
    let home = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut harness = ready(home.path());
    let picture = RgbImage::filled(64, 64, [1, 2, 3]);
    let ours = elsewhere.path().join("ours.png");
    fs::write(
        &ours,
        provenance::encode(&picture, &recipe(job("from afar", 5))).unwrap(),
    )
    .unwrap();
    let_fall(&mut harness, &ours);
    assert_eq!(
        harness.state().studio.context.document.request.draw.prompt,
        "from afar"
    );
    assert_eq!(harness.state().studio.context.document.request.draw.seed, 5);

    let plain = elsewhere.path().join("plain.png");
    fs::write(&plain, write::encode_rgb(&picture).unwrap()).unwrap();
    let_fall(&mut harness, &plain);
    let studio = &harness.state().studio;
    assert_eq!(
        studio.context.document.request.draw.prompt, "from afar",
        "nothing is lost"
    );
    assert!(
        studio.photo.photo.is_some(),
        "a picture without a recipe may be a photo"
    );
    harness.state_mut().studio.photo.photo = None;

    // Another program's text stands behind the header, which is 33 bytes long.
    let text = b"parameters\0a knight\nNegative prompt: helmet\nSteps: 30, Sampler: Euler, CFG scale: 4.5, Seed: 99, Size: 512x512";
    let mut bytes = write::encode_rgb(&picture).unwrap();
    let rest = bytes.split_off(33);
    bytes.extend((text.len() as u32).to_be_bytes());
    let body = [b"tEXt".as_slice(), text].concat();
    bytes.extend(&body);
    let mut sum = flate2::Crc::new();
    sum.update(&body);
    bytes.extend(sum.sum().to_be_bytes());
    bytes.extend(rest);
    let foreign = elsewhere.path().join("foreign.png");
    fs::write(&foreign, bytes).unwrap();
    let_fall(&mut harness, &foreign);
    let request = &harness.state().studio.context.document.request;
    assert_eq!(
        (request.draw.prompt.as_str(), request.draw.negative.as_str()),
        ("a knight", "helmet")
    );
    assert_eq!(
        (request.draw.seed, request.draw.steps, request.draw.guidance),
        (99, 30, 4.5)
    );
    assert!(told(&harness, "taken over from A1111"));

    let broken = elsewhere.path().join("broken.png");
    fs::write(&broken, b"\x89PNG\r\n\x1a\nrubbish").unwrap();
    let_fall(&mut harness, &broken);
    assert!(told(&harness, "broken.png"));
}

/// A template's mask, as somebody else would keep it.
fn mask_file(folder: &Path, name: &str, pack: impl Fn(&LabelImage) -> Vec<u8>) -> PathBuf {
    let templates = mmface::assets::Templates::load().unwrap();
    let template = templates.find(Some("full-beard")).unwrap();
    let mask = read_mask(&templates.path(template)).unwrap().0;
    let path = folder.join(name);
    fs::write(&path, pack(&mask)).unwrap();
    path
}

fn grey(mask: &LabelImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let (width, height) = (mask.width as u32, mask.height as u32);
    image::GrayImage::from_raw(width, height, mask.labels.clone())
        .unwrap()
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

fn coloured(mask: &LabelImage) -> Vec<u8> {
    let colours = mask.labels.iter();
    let colours = colours.flat_map(|&class| mmface_engine::labels::palette().colour(class));
    let picture = RgbImage {
        width: mask.width,
        height: mask.height,
        pixels: colours.collect(),
    };
    write::encode_rgb(&picture).unwrap()
}

#[test]
fn masks_in_numbers_and_colours_are_looked_at_before_they_are_taken() {
    let home = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut harness = ready(home.path());
    let index = mask_file(elsewhere.path(), "index.png", grey);
    let palette = mask_file(elsewhere.path(), "palette.png", |mask| {
        mask.to_png().unwrap()
    });
    let colours = mask_file(elsewhere.path(), "colours.png", coloured);
    for path in [index, palette, colours] {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let_fall(&mut harness, &path);
        assert!(harness.state().studio.photo.photo.is_none(), "{name}");
        // The guess, the preview and the table of classes.
        assert!(
            harness.query_all_by_label("Import a mask").next().is_some(),
            "{name}"
        );
        assert!(
            harness.query_all_by_label("As a mask").next().is_some(),
            "{name}"
        );
        assert!(
            harness.query_all_by_label("Read as").next().is_some(),
            "{name}"
        );
        harness.get_by_label(&name);
        let before = harness
            .state()
            .studio
            .context
            .document
            .painter
            .drawing()
            .clone();
        harness.get_by_label("Use this mask").click();
        harness.run_steps(3);
        let counts = harness
            .state()
            .studio
            .context
            .document
            .painter
            .drawing()
            .mask
            .counts();
        assert!(counts[usize::from(class::HAIR)] > 10_000, "{name}");
        harness.state_mut().studio.context.document.painter.undo();
        assert_eq!(
            *harness.state().studio.context.document.painter.drawing(),
            before,
            "{name}"
        );
        harness.run_steps(2);
    }
}

#[test]
fn a_photo_and_a_dark_picture_are_no_masks() {
    let home = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut harness = ready(home.path());
    let photo = image::RgbImage::from_fn(96, 128, |x, y| {
        image::Rgb([(90 + x) as u8, (40 + y) as u8, (200 - x) as u8])
    });
    let black = image::RgbImage::new(64, 64);
    for (name, picture) in [
        ("photo.jpg", &photo),
        ("photo.png", &photo),
        ("black.png", &black),
    ] {
        let path = elsewhere.path().join(name);
        picture.save(&path).unwrap();
        let_fall(&mut harness, &path);
        let studio = &mut harness.state_mut().studio;
        assert!(studio.tools.import.is_none(), "{name}");
        assert!(studio.photo.photo.take().is_some(), "{name}");
        harness.run_steps(2);
    }
}

#[test]
fn a_grid_and_its_index_bring_the_sweep_back() {
    let home = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut harness = ready(home.path());
    let mut labels = vec![0; 512 * 512];
    labels[512 * 200..512 * 300].fill(class::HAIR);
    let mask = LabelImage::new(512, 512, labels).unwrap();
    let base = Job {
        draw: Draw {
            steps: 12,
            ..job("a red hat", 31).draw
        },
        condition: Condition::Mask(mask.clone()),
        ..job("a red hat", 31)
    };
    let grid = elsewhere.path().join("grid.png");
    let note = SweepNote::new("a [red|green] hat", 4, &base);
    fs::write(&grid, note.png(&RgbImage::filled(40, 20, [9; 3])).unwrap()).unwrap();
    let_fall(&mut harness, &grid);
    let studio = &harness.state().studio;
    let request = &studio.context.document.request;
    assert_eq!(request.draw.prompt, "a [red|green] hat");
    assert_eq!(
        (
            request.draw.seed,
            request.draw.steps,
            studio.context.document.fork_step
        ),
        (31, 12, 4)
    );
    assert_eq!(
        studio.context.document.painter.drawing().label_image(),
        mask
    );
    harness.run_steps(3);
    harness.get_by_label("Alternatives: red | green");
    harness.get_by_label_contains("2 pictures");

    let index = elsewhere.path().join("other.json");
    let text =
        r#"{"template": "a [wise|silly] queen", "seed": 8, "size": 64, "steps": 9, "axes": []}"#;
    fs::write(&index, text).unwrap();
    let_fall(&mut harness, &index);
    let studio = &harness.state().studio;
    assert_eq!(
        studio.context.document.request.draw.prompt,
        "a [wise|silly] queen"
    );
    assert_eq!(
        (
            studio.context.document.request.draw.seed,
            studio.context.document.fork_step
        ),
        (8, 0)
    );
    assert_eq!(
        studio.context.document.painter.drawing().label_image(),
        mask,
        "it has no drawing to bring"
    );

    fs::write(&index, "{\"cells\": 3}").unwrap();
    let_fall(&mut harness, &index);
    assert!(told(&harness, "no index of a sweep"));
    assert_eq!(harness.state().studio.context.document.request.draw.seed, 8);
}

#[test]
fn what_nobody_can_use_is_named_and_a_package_is_installed() {
    let home = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut harness = ready(home.path());
    let text = elsewhere.path().join("letter.docx");
    fs::write(&text, "x").unwrap();
    let_fall(&mut harness, &text);
    assert!(told(
        &harness,
        "letter.docx cannot be opened here; drop a picture"
    ));
    let package = elsewhere.path().join("new.mmface");
    fs::write(&package, "no package").unwrap();
    let_fall(&mut harness, &package);
    assert_eq!(harness.state().studio.context.workspace, Workspace::Models);
    assert!(told(&harness, "new.mmface"));
}
