#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::Error;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_fails_leaves_the_old_file_and_no_litter() {
    let folder = folder();
    let path = folder.path().join("x");
    write(&path, b"old", Overwrite::Refuse).unwrap();
    let failed = write_with(&path, Overwrite::Replace, |file| {
        file.write_all(b"new")
            .map_err(Error::file("write", &path))?;
        Err(Error::Cancelled)
    });
    assert!(matches!(failed, Err(Error::Cancelled)));
    assert_eq!(fs::read(&path).unwrap(), b"old");
    write(&path, b"new", Overwrite::Replace).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(names(folder.path()), ["x"]);
}

#[test]
fn nothing_is_replaced_that_nobody_named() {
    let folder = folder();
    let path = folder.path().join("x");
    fs::write(&path, "theirs").unwrap();
    for told in [
        write(&path, b"ours", Overwrite::Refuse).unwrap_err(),
        check(&path, Overwrite::Refuse).unwrap_err(),
        Draft::new(&path).unwrap().finish().unwrap_err(),
        FolderInProgress::begin(&path).map(drop).unwrap_err(),
        move_new(folder.path(), &path).unwrap_err(),
    ] {
        let told = told.to_string();
        assert!(told.contains("exists"), "{told}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"theirs");
    check(&path, Overwrite::Replace).unwrap();
    let all = ["x", "y", "z"].map(String::from);
    let made = first_free(folder.path(), all.clone(), b"1").unwrap();
    assert_eq!(made.as_deref(), Some("y"));
    first_free(folder.path(), all.clone(), b"2").unwrap();
    assert_eq!(first_free(folder.path(), all, b"3").unwrap(), None);
    assert_eq!(names(folder.path()), ["x", "y", "z"]);
}

#[test]
fn places_that_cannot_be_written_are_known_before() {
    let folder = folder();
    let here = folder.path();
    fs::create_dir(here.join("taken")).unwrap();
    let long = "n".repeat(300);
    let mut wrong = vec!["none/x", "taken", "new/", "..", &long];
    let protected = here.join("protected");
    fs::write(&protected, "x").unwrap();
    let mut permissions = fs::metadata(&protected).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&protected, permissions).unwrap();
    wrong.push("protected");
    for name in wrong {
        let path = here.join(name);
        let checked = check(&path, Overwrite::Replace).unwrap_err();
        let written = write(&path, b"x", Overwrite::Replace).unwrap_err();
        assert_eq!(checked.to_string(), written.to_string());
    }
    assert!(!here.join("none").exists() && !here.join("new").exists());
    assert_eq!(names(here), ["protected", "taken"]);
    check(&here.join("fine"), Overwrite::Refuse).unwrap();
    assert_eq!(names(here), ["protected", "taken"]);
}

#[test]
fn folders_appear_whole() {
    let root = folder();
    let target = root.path().join("made");
    let draft = FolderInProgress::begin(&target).unwrap();
    fs::write(draft.path().join("a"), "1").unwrap();
    assert!(!target.exists());
    draft.finish().unwrap();
    assert_eq!(names(root.path()), ["made"]);
    assert_eq!(names(&target), ["a"]);
    drop(FolderInProgress::begin(&root.path().join("other")).unwrap());
    assert_eq!(names(root.path()), ["made"]);
}

#[test]
fn pieces_are_appended_whole() {
    let folder = folder();
    let path = folder.path().join("log");
    let mut log = Append::open(&path).unwrap();
    assert!(log.is_empty());
    log.push(b"a\n").unwrap();
    let mut again = Append::open(&path).unwrap();
    again.push(b"b\n").unwrap();
    again.sync().unwrap();
    assert_eq!((log.len(), again.len(), log.is_whole()), (2, 4, true));
    assert_eq!(fs::read(&path).unwrap(), b"a\nb\n");
    assert!(Append::create(&path).is_err());
}

#[test]
fn a_damaged_file_is_kept_aside() {
    let folder = folder();
    let path = folder.path().join("settings.ron");
    for text in ["first", "second"] {
        fs::write(&path, text).unwrap();
        let aside = set_aside(&path);
        assert_eq!(aside, folder.path().join("settings.ron.broken"));
        assert_eq!(fs::read_to_string(aside).unwrap(), text);
    }
    assert_eq!(set_aside(&path), path);
}

#[test]
fn one_holds_a_lock() {
    let folder = folder();
    let path = folder.path().join("lock");
    let Locked::Ours(mut lock) = Lock::take(&path).unwrap() else {
        panic!("nobody else has it");
    };
    lock.note("a longer note\n").unwrap();
    lock.note("4711\n").unwrap();
    assert!(matches!(Lock::take(&path).unwrap(), Locked::Taken));
    assert_eq!(fs::read_to_string(&path).unwrap(), "4711\n");
    drop(lock);
    assert!(matches!(Lock::take(&path).unwrap(), Locked::Ours(_)));
    assert_eq!(fs::read_to_string(&path).unwrap(), "4711\n");
}

proptest! {
    #[test]
    fn the_bytes_are_those_of_the_last_write(writes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 1..4)) {
        let folder = folder();
        let path = folder.path().join("x");
        for bytes in &writes {
            write(&path, bytes, Overwrite::Replace).unwrap();
        }
        prop_assert_eq!(&fs::read(&path).unwrap(), writes.last().unwrap());
        prop_assert_eq!(names(folder.path()).len(), 1);
    }
}

#[cfg(unix)]
mod unix {
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn new_files_have_the_rights_of_any_new_file() {
        let folder = folder();
        let there = |name: &str| folder.path().join(name);
        fs::write(there("plain"), "").unwrap();
        fs::create_dir(there("folder")).unwrap();
        write(&there("x"), b"", Overwrite::Refuse).unwrap();
        first_free(folder.path(), ["y".to_string()], b"").unwrap();
        Draft::new(&there("z")).unwrap().finish().unwrap();
        FolderInProgress::begin(&there("made"))
            .unwrap()
            .finish()
            .unwrap();
        for name in ["x", "y", "z"] {
            assert_eq!(mode(&there(name)), mode(&there("plain")), "{name}");
        }
        assert_eq!(mode(&there("made")), mode(&there("folder")));
    }

    #[test]
    fn a_replaced_file_keeps_mode_and_owner() {
        let folder = folder();
        let path = folder.path().join("x");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        // Only root can try the owner.
        let given = chown(&path, Some(4711), Some(4712)).is_ok();
        write(&path, b"new", Overwrite::Replace).unwrap();
        let about = fs::metadata(&path).unwrap();
        assert_eq!(about.mode() & 0o777, 0o640);
        if given {
            assert_eq!((about.uid(), about.gid()), (4711, 4712));
        }
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn links_stay_links() {
        let folder = folder();
        let here = folder.path();
        fs::create_dir(here.join("real")).unwrap();
        fs::write(here.join("real/x"), "old").unwrap();
        symlink("real/x", here.join("link")).unwrap();
        symlink("link", here.join("second")).unwrap();
        symlink("real/new", here.join("dangling")).unwrap();
        symlink("circle", here.join("circle")).unwrap();
        symlink("none/x", here.join("nowhere")).unwrap();
        write(&here.join("second"), b"1", Overwrite::Replace).unwrap();
        write(&here.join("dangling"), b"2", Overwrite::Refuse).unwrap();
        assert_eq!(fs::read(here.join("real/x")).unwrap(), b"1");
        assert_eq!(fs::read(here.join("real/new")).unwrap(), b"2");
        for link in ["link", "second", "dangling"] {
            assert!(here.join(link).symlink_metadata().unwrap().is_symlink());
        }
        assert_eq!(names(&here.join("real")), ["new", "x"]);
        assert!(write(&here.join("link"), b"3", Overwrite::Refuse).is_err());
        assert!(check(&here.join("circle"), Overwrite::Replace).is_err());
        assert!(check(&here.join("nowhere"), Overwrite::Replace).is_err());
    }

    #[test]
    fn devices_and_pipes_take_the_bytes_and_stay() {
        let null = Path::new("/dev/null");
        check(null, Overwrite::Refuse).unwrap();
        write(null, b"x", Overwrite::Refuse).unwrap();
        assert!(fs::metadata(null).unwrap().file_type().is_char_device());

        let folder = folder();
        let pipe: PathBuf = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).unwrap()
        });
        write(&pipe, b"through", Overwrite::Refuse).unwrap();
        assert_eq!(reader.join().unwrap(), b"through");
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
        assert_eq!(names(folder.path()), ["pipe"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn descriptors_and_full_devices() {
        let folder = folder();
        let path = folder.path().join("x");
        let mut open = fs::File::options()
            .create(true)
            .append(true)
            .read(true)
            .open(&path)
            .unwrap();
        open.write_all(b"first ").unwrap();
        let descriptor = PathBuf::from(format!("/dev/fd/{}", open.as_raw_fd()));
        write(&descriptor, b"second", Overwrite::Refuse).unwrap();
        let mut text = String::new();
        fs::File::open(&path)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "first second");
        assert_eq!(names(folder.path()), ["x"]);

        let full = Path::new("/dev/full");
        let told = write(full, b"x", Overwrite::Replace).unwrap_err();
        assert!(
            matches!(&told, Error::File { cause, .. } if cause.kind() == std::io::ErrorKind::StorageFull),
            "{told}"
        );
        let mut log = Append::open(full).unwrap();
        assert!(log.push(b"x").is_err() && !log.is_whole());
    }
}
