//! A disk that fills up while the studio is at work. A limit on the size of files stands for it: the
//! limit is the whole process's, so this test has a program of its own.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/studio.rs"]
mod common;

use common::{settle, studio_with, told, wait_for};
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use mmface::studio::Options;
use mmface::studio::command::GenerateCommand;
use mmface::studio::dialogs::Prepared;
use mmface::studio::testing::{FakeBackend, options};
use mmface_engine::job::ConditionKind;

/// Lets no file grow beyond so many bytes.
fn limit(bytes: libc::rlim_t) {
    // SAFETY: plain calls; without the signal's default the write fails instead of the process.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        let limit = libc::rlimit {
            rlim_cur: bytes,
            rlim_max: libc::RLIM_INFINITY,
        };
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
    }
}

#[test]
fn nothing_is_lost_on_a_full_disk_and_all_is_saved_once_there_is_room() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("face.mmface-project");
    let mut harness = studio_with(Options {
        dialogs: Box::new(Prepared(Some(file.clone()))),
        ..options(home.path(), FakeBackend::default())
    });
    wait_for(&mut harness, "the model", |app| {
        app.studio.context.facts.model.ready().is_some()
    });
    settle(&mut harness);
    let studio = &mut harness.state_mut().studio;
    studio.context.document.painter.edit("Noise", |drawing| {
        for y in 0..512 {
            for x in 0..512 {
                drawing
                    .mask
                    .fill_row(y, x..x + 1, ((x * 7 + y * 13) % 19) as u8);
            }
        }
    });
    studio.context.document.request.draw.prompt = "a queen".into();
    studio.context.document.request.follow = ConditionKind::Mask;
    studio.context.document.request.draw.size = 64;
    let drawn = studio.context.document.painter.drawing().clone();

    limit(2048);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::S);
    harness.run_steps(3);
    settle(&mut harness);
    assert!(told(&harness, "face.mmface-project") && told(&harness, "free some space"));
    assert!(!file.exists(), "no half file");
    let left: Vec<_> = std::fs::read_dir(home.path())
        .unwrap()
        .map(|item| item.unwrap().file_name())
        .filter(|name| name.to_string_lossy().contains("face"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(
        harness
            .query_by_label("Project Untitled, not saved")
            .is_some()
    );
    assert_eq!(
        *harness.state().studio.context.document.painter.drawing(),
        drawn
    );

    harness.state_mut().studio.emit(GenerateCommand::Start);
    harness.step();
    wait_for(&mut harness, "the failure", |app| {
        app.studio.generate.saver.problem.is_some()
    });
    assert!(told(&harness, "not saved yet"));

    limit(libc::RLIM_INFINITY);
    harness.run_steps(3);
    common::click(&mut harness, "Save again");
    wait_for(&mut harness, "the picture", |app| {
        app.studio.results.strip.listing.entries.len() == 1
    });
    harness.key_press_modifiers(Modifiers::COMMAND, Key::S);
    harness.run_steps(3);
    settle(&mut harness);
    assert_eq!(
        mmface::project::file::load(&file).unwrap().mask,
        drawn.label_image()
    );
}
