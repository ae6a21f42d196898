#![allow(clippy::unwrap_used, reason = "tests")]

use mmface_engine::job::Draw;
use proptest::prelude::*;

use super::*;
use crate::project::ResultRef;

fn document() -> Document {
    let mut mask = LabelImage::filled(512, 512, 0);
    let mut sketch = GrayImage::filled(512, 512, 255);
    for i in 0..4000 {
        mask.labels[i * 61 % (512 * 512)] = (i % 19) as u8;
        sketch.pixels[i * 37 % (512 * 512)] = (i % 256) as u8;
    }
    let data = ProjectData {
        draw: Draw {
            prompt: "a face, \"quoted\"".into(),
            seed: 42,
            ..Draw::default()
        },
        fork_step: 7,
        onion: Some(0.25),
        results: vec![
            ResultRef {
                file: "kept.png".into(),
                recipe: "aa".into(),
                copy: None,
            },
            ResultRef {
                file: "sweep/there.png".into(),
                recipe: "bb".into(),
                copy: None,
            },
        ],
        ..ProjectData::default()
    };
    Document {
        data,
        mask,
        sketch,
        onion: Some(RgbImage::filled(300, 200, [1, 2, 3])),
    }
}

fn path() -> &'static Path {
    Path::new("my.mmface-project")
}

fn refused(bytes: &[u8]) -> String {
    let error = load_bytes(bytes, path())
        .expect_err("must be refused")
        .to_string();
    assert!(
        !error.contains('\n') && error.contains("my.mmface-project") && error.contains("; "),
        "{error}"
    );
    error
}

/// A zip of these entries.
fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The entries of a sound project; `change` may take some out or put others in.
fn changed(change: impl FnOnce(&mut Vec<(String, Vec<u8>)>)) -> Vec<u8> {
    let bytes = encode(&document(), &[]).unwrap();
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let names: Vec<String> = archive
        .file_names()
        .map(|name| name.unwrap().to_string())
        .collect();
    let mut entries = Vec::new();
    for name in names {
        let bytes = entry(&mut archive, &name, MAX_PICTURE, path())
            .unwrap()
            .unwrap();
        entries.push((name, bytes));
    }
    change(&mut entries);
    let entries: Vec<(&str, &[u8])> = entries
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    zip_of(&entries)
}

fn replace(name: &str, bytes: Vec<u8>) -> Vec<u8> {
    changed(|entries| {
        entries
            .iter_mut()
            .filter(|(other, _)| other == name)
            .for_each(|(_, old)| *old = bytes.clone())
    })
}

#[test]
fn a_project_comes_back_as_it_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("face.mmface-project");
    save(&file, &document(), &[]).unwrap();
    assert_eq!(load(&file).unwrap(), document());
    let plain = Document {
        onion: None,
        ..document()
    };
    save(&file, &plain, &[]).unwrap();
    let back = load(&file).unwrap();
    assert_eq!((back.onion, back.data.onion), (None, None));
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no litter"
    );
}

#[test]
fn copies_travel_and_those_that_are_gone_stay_references() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("face.mmface-project");
    let source = folder.path().join("there.png");
    std::fs::write(&source, b"picture bytes").unwrap();
    let copies = [
        ("kept.png".to_string(), folder.path().join("gone.png")),
        ("sweep/there.png".to_string(), source),
    ];
    save(&file, &document(), &copies).unwrap();
    let back = load(&file).unwrap();
    assert_eq!(back.data.results[0].copy, None);
    assert_eq!(back.data.results[1].copy.as_deref(), Some("there.png"));
    assert_eq!(read_copy(&file, "there.png").unwrap(), b"picture bytes");
    assert!(read_copy(&file, "kept.png").is_err());
}

#[test]
fn a_failed_save_leaves_the_old_project() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("face.mmface-project");
    save(&file, &document(), &[]).unwrap();
    let wrong = Document {
        mask: LabelImage::filled(64, 64, 0),
        ..document()
    };
    assert!(
        save(&file, &wrong, &[])
            .unwrap_err()
            .to_string()
            .contains("mask is 64 x 64")
    );
    assert_eq!(load(&file).unwrap(), document());
    assert!(save(&folder.path().join("none/face"), &document(), &[]).is_err());
}

#[test]
fn entries_that_leave_the_folder_are_refused() {
    for name in [
        "../evil.png",
        "/etc/passwd",
        "results/../../evil",
        "a\\b.png",
        "C:evil",
        "results/..",
        "x\u{7}y",
    ] {
        let error = refused(&changed(|entries| entries.push((name.into(), vec![1]))));
        assert!(
            error.contains("outside of the project") && error.contains("do not trust"),
            "{name}: {error}"
        );
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink(
        "results/link.png",
        "/etc/passwd",
        SimpleFileOptions::default(),
    )
    .unwrap();
    assert!(refused(&zip.finish().unwrap().into_inner()).contains("outside of the project"));
    // What another zip program adds does no harm.
    let extra = changed(|entries| entries.push(("__MACOSX/._mask.png".into(), vec![1])));
    assert_eq!(load_bytes(&extra, path()).unwrap(), document());
}

#[test]
fn missing_and_foreign_entries_are_named() {
    for name in [MASK, SKETCH, ONION] {
        let error = refused(&changed(|entries| {
            entries.retain(|(other, _)| other != name)
        }));
        assert!(error.contains(&format!("has no {name}")), "{error}");
    }
    assert!(refused(&zip_of(&[("a.txt", b"x")])).contains("no MMFace project"));
    assert!(refused(b"").contains("damaged"));
    assert!(refused(b"\x89PNG, not a zip at all").contains("damaged"));
    let copies = ResultRef {
        file: "x.png".into(),
        recipe: String::new(),
        copy: Some("x.png".into()),
    };
    let data = ProjectData {
        results: vec![copies],
        ..document().data
    };
    let error = refused(&replace(TEXT, data.to_text().unwrap().into_bytes()));
    assert!(error.contains("has no results/x.png"), "{error}");
}

#[test]
fn pictures_of_the_wrong_kind_are_named() {
    let small = LabelImage::filled(64, 64, 0).to_png().unwrap();
    assert!(refused(&replace(MASK, small)).contains("mask.png is 64 x 64"));
    let colour = write::encode_rgb(&RgbImage::filled(512, 512, [1, 2, 3])).unwrap();
    assert!(refused(&replace(SKETCH, colour)).contains("sketch.png is not 8-bit grey"));
    let classes = GrayImage::filled(512, 512, 77).to_png().unwrap();
    assert!(refused(&replace(MASK, classes)).contains("class 77"));
    assert!(refused(&replace(MASK, b"no png".to_vec())).contains("mask.png is no PNG"));
    let png = document().mask.to_png().unwrap();
    assert!(refused(&replace(MASK, png[..png.len() / 2].to_vec())).contains("mask.png: "));
    // A header that promises a huge picture is refused before anything is decoded.
    let mut huge = document().sketch.to_png().unwrap();
    huge[16..20].copy_from_slice(&20_000u32.to_be_bytes());
    assert!(refused(&replace(ONION, huge)).contains("20000 x 512"));
    assert!(
        refused(&replace(TEXT, b"(format: 9, colour: Red)".to_vec())).contains("newer program")
    );
    assert!(refused(&replace(TEXT, vec![0xff, 0xfe, 0])).contains("text is damaged"));
}

#[test]
fn a_bomb_is_stopped_at_its_bound() {
    let zeros = vec![b' '; MAX_TEXT + 5];
    let error = refused(&replace(TEXT, zeros));
    assert!(error.contains("unpacks to more than 4 MB"), "{error}");
}

#[test]
fn folders_empty_files_and_nothing_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.mmface-project");
    std::fs::write(&empty, b"").unwrap();
    for (path, part) in [
        (folder.path(), "a folder"),
        (&empty, "is empty"),
        (&folder.path().join("no"), "cannot open"),
    ] {
        let error = load(path).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn cut_off_files_never_load_half(share in 0.0..1.0f64) {
        let bytes = encode(&document(), &[]).unwrap();
        let length = (bytes.len() as f64 * share) as usize;
        refused(&bytes[..length.min(bytes.len() - 1)]);
    }

    #[test]
    fn changed_bytes_never_load_something_else(changes in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4)) {
        let mut bytes = encode(&document(), &[]).unwrap();
        for (index, change) in changes {
            let at = index.index(bytes.len());
            bytes[at] ^= change;
        }
        // Times and other details of the zip may change unseen; the project may not.
        if let Ok(loaded) = load_bytes(&bytes, path()) {
            prop_assert_eq!(loaded, document());
        }
    }
}
