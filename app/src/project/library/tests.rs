#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, SystemTime};

use mmface_engine::contract::ModelSummary;
use mmface_engine::job::{Condition, Draw, Job};
use mmface_engine::labels::{LabelImage, class};

use super::*;

fn library() -> (tempfile::TempDir, Library) {
    let home = tempfile::tempdir().unwrap();
    let library =
        Library::new(home.path().join("results"), home.path().join("cache")).with_own_trash();
    (home, library)
}

fn recipe(prompt: &str, seed: u64) -> Recipe {
    let mask = LabelImage::filled(64, 64, class::HAT);
    let job = Job {
        draw: Draw {
            prompt: prompt.into(),
            seed,
            ..Draw::default()
        },
        condition: Condition::Mask(mask),
        ..Job::default()
    };
    Recipe::new(
        job,
        &ModelSummary {
            name: "demo".into(),
            ..ModelSummary::default()
        },
    )
}

fn picture(value: u8) -> RgbImage {
    let mut picture = RgbImage::filled(256, 256, [value, 10, 200]);
    picture.pixels[300] ^= 0x55;
    picture
}

#[test]
fn saved_pictures_are_found_with_their_recipes() {
    let (_home, library) = library();
    assert_eq!(
        library.scan(&Listing::default()).unwrap(),
        Listing::default()
    );
    let first = library.save(&picture(1), &recipe("a pirate", 7)).unwrap();
    let second = library.save(&picture(2), &recipe("a pirate", 7)).unwrap();
    let cell = library
        .save_in("sweep: a/b", &picture(3), &recipe("a queen", 8))
        .unwrap();
    assert_ne!(first.file, second.file);
    assert!(cell.file.starts_with("sweep- a-b/"), "{}", cell.file);
    assert!(first.file.contains("-seed7") && (first.width, first.height) == (256, 256));
    let listing = library.scan(&Listing::default()).unwrap();
    assert_eq!(listing.entries.len(), 3);
    for entry in [&first, &second, &cell] {
        assert_eq!(
            listing.get(&entry.file),
            Some(entry),
            "a scan says what saving said"
        );
    }
    assert_eq!(listing.search("pirate class:hat").len(), 2);
    assert_eq!(
        listing.bytes(),
        [first.bytes, second.bytes, cell.bytes].iter().sum::<u64>()
    );
    let whole = library.recipe(&cell.file).unwrap();
    assert_eq!(whole.job, recipe("a queen", 8).job);
    assert_eq!(whole.made(&picture(3)), Some(true));
    assert_eq!(
        library.cached(),
        listing,
        "the next start knows them at once"
    );
}

#[test]
fn scans_follow_what_other_programs_do() {
    let (_home, library) = library();
    let gone = library.save(&picture(1), &recipe("gone", 1)).unwrap();
    let moved = library.save(&picture(2), &recipe("moved", 2)).unwrap();
    fs::write(
        library.path("holiday.png"),
        mmface_engine::picture::write::encode_rgb(&picture(9)).unwrap(),
    )
    .unwrap();
    fs::write(library.path("notes.txt"), "no picture").unwrap();
    fs::write(library.path("broken.png"), b"\x89PNG\r\n\x1a\nrubbish").unwrap();
    let before = library.scan(&library.cached()).unwrap();
    assert_eq!((before.entries.len(), before.others.len()), (2, 2));
    fs::remove_file(library.path(&gone.file)).unwrap();
    fs::create_dir(library.path("best")).unwrap();
    fs::rename(library.path(&moved.file), library.path("best/face.png")).unwrap();
    let after = library.scan(&before).unwrap();
    assert_eq!(after.entries.len(), 1);
    assert_eq!(after.entries[0].file, "best/face.png");
    assert_eq!(after.entries[0].about, moved.about);
    // A known file is not read again: what the caller knows of it stands.
    let mut known = after.clone();
    known.entries[0].about.draw.prompt = "remembered".into();
    assert_eq!(
        library.scan(&known).unwrap().entries[0].about.draw.prompt,
        "remembered"
    );
    let path = library.path("best/face.png");
    fs::write(
        &path,
        provenance::encode(&picture(5), &recipe("redrawn", 3)).unwrap(),
    )
    .unwrap();
    // A disk's clock may be coarser than the time between the two.
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(1))
        .unwrap();
    assert_eq!(
        library.scan(&known).unwrap().entries[0].about.draw.prompt,
        "redrawn"
    );
}

#[test]
fn a_folder_that_is_gone_is_named_and_comes_back_with_the_next_picture() {
    let (_home, library) = library();
    library.save(&picture(1), &recipe("x", 1)).unwrap();
    let listing = library.scan(&Listing::default()).unwrap();
    fs::remove_dir_all(library.folder()).unwrap();
    let error = library.scan(&listing).unwrap_err().to_string();
    assert!(
        error.contains("is gone") && error.contains("made again"),
        "{error}"
    );
    library.save(&picture(2), &recipe("y", 2)).unwrap();
    assert_eq!(library.scan(&listing).unwrap().entries.len(), 1);
}

#[test]
fn a_save_that_fails_leaves_nothing_behind() {
    let (home, library) = library();
    fs::write(home.path().join("results"), b"a file is in the way").unwrap();
    let error = library
        .save(&picture(1), &recipe("x", 1))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("results") && !error.contains('\n'),
        "{error}"
    );
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
}

#[test]
fn deleted_pictures_lie_in_the_trash_until_it_is_emptied() {
    let (_home, library) = library();
    let entry = library.save(&picture(1), &recipe("x", 1)).unwrap();
    let Deleted::Folder(trashed) = library.delete(&entry.file).unwrap() else {
        panic!("own trash")
    };
    let listing = library.scan(&Listing::default()).unwrap();
    assert!(listing.entries.is_empty() && listing.trash_bytes == entry.bytes);
    assert!(
        library
            .delete(&entry.file)
            .unwrap_err()
            .to_string()
            .contains("gone already")
    );
    library.undelete(&entry.file, &trashed).unwrap();
    assert_eq!(
        library.scan(&listing).unwrap().entries,
        std::slice::from_ref(&entry)
    );
    library.delete(&entry.file).unwrap();
    assert_eq!(library.empty_trash().unwrap(), entry.bytes);
    assert_eq!(library.empty_trash().unwrap(), 0);
    for outside in ["../x.png", "/etc/passwd", "", "a/../../x"] {
        assert!(library.delete(outside).is_err(), "{outside}");
    }
}

#[test]
fn thumbnails_are_small_remembered_and_pruned() {
    let (home, library) = library();
    let entry = library.save(&picture(200), &recipe("x", 1)).unwrap();
    let thumbnail = library.thumbnail(&entry).unwrap();
    assert_eq!(
        (thumbnail.width, thumbnail.height),
        (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    );
    assert_eq!(thumbnail.pixel(100, 100), [200, 10, 200]);
    fs::remove_file(library.path(&entry.file)).unwrap();
    assert_eq!(
        library.thumbnail(&entry).unwrap(),
        thumbnail,
        "from the cache"
    );
    library.prune_thumbnails(&Listing::default()).unwrap();
    assert!(library.thumbnail(&entry).is_err());
    let files = |name: &str| {
        fs::read_dir(home.path().join("cache").join(name))
            .unwrap()
            .count()
    };
    let folder = fs::read_dir(home.path().join("cache"))
        .unwrap()
        .flatten()
        .find(|item| item.path().is_dir())
        .unwrap();
    assert_eq!(files(&folder.file_name().to_string_lossy()), 0);
}

#[test]
fn copies_come_in_under_their_name_and_strangers_do_not() {
    let (_home, library) = library();
    let bytes = provenance::encode(&picture(1), &recipe("x", 1)).unwrap();
    assert_eq!(
        library.import("../../evil.png", &bytes).unwrap().file,
        "evil.png"
    );
    assert_eq!(
        library.import("evil.png", &bytes).unwrap().file,
        "evil-2.png"
    );
    let bare = mmface_engine::picture::write::encode_rgb(&picture(1)).unwrap();
    assert!(
        library
            .import("bare.png", &bare)
            .unwrap_err()
            .to_string()
            .contains("no recipe")
    );
}

#[test]
fn a_recipe_behind_the_pixels_or_cut_off_is_no_entry_but_no_failure() {
    let (_home, library) = library();
    let entry = library.save(&picture(1), &recipe("x", 1)).unwrap();
    let bytes = fs::read(library.path(&entry.file)).unwrap();
    for length in [0, 8, 20, 33, 60, 200] {
        fs::write(library.path("cut.png"), &bytes[..length]).unwrap();
        let listing = library.scan(&Listing::default()).unwrap();
        assert_eq!(listing.entries.len(), 1, "cut after {length} bytes");
    }
}
