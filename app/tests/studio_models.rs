//! The models' workspace: loading, a model that does not load, verifying, importing, the notice.

#![allow(clippy::expect_used, reason = "tests")]

#[path = "common/studio.rs"]
mod common;

use std::path::Path;

use common::{studio, wait_for};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use mmface::studio::command::ModelsCommand;
use mmface::studio::facts::ModelStatus;
use mmface::studio::toast::Toast;
use mmface::studio::{StudioApp, Workspace};
use mmface_engine::weights::Registry;
use mmface_engine::weights::registry::{Origin, Root};

fn write_settings(home: &Path, text: &str) {
    let config = home.join("config");
    std::fs::create_dir_all(&config).expect("a folder");
    std::fs::write(config.join("settings.ron"), text).expect("a file");
}

/// The bundled models, and a folder for imports in `home`.
fn own_models(home: &Path) -> Registry {
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models");
    Registry::of(vec![
        Root {
            path: home.join("models"),
            origin: Origin::Home,
        },
        Root {
            path: bundled.canonicalize().expect("in the source"),
            origin: Origin::Source,
        },
    ])
}

fn show_models(harness: &mut Harness<'_, StudioApp>, home: &Path) {
    wait_for(harness, "the first listing", |app| {
        app.studio.models.listing.is_some()
    });
    let studio = &mut harness.state_mut().studio;
    studio.context.services.registry = own_models(home);
    studio.models.listing = None;
    studio.context.workspace = Workspace::Models;
    studio.emit(ModelsCommand::Refresh);
    wait_for(harness, "the listing", |app| {
        app.studio.models.listing.is_some()
    });
    harness.run();
}

#[test]
fn the_model_loads_at_the_start_and_its_name_is_in_the_bar() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    wait_for(&mut harness, "the model", |app| {
        app.studio.context.facts.model.ready().is_some()
    });
    harness.run();
    harness.get_by_label("Fake model · nowhere").click();
    harness.run();
    assert_eq!(harness.state().studio.context.workspace, Workspace::Models);
}

#[test]
fn a_model_that_does_not_load_is_told_and_another_is_chosen() {
    let home = tempfile::tempdir().expect("a folder");
    write_settings(home.path(), "(notice_read: true, model: \"broken\")");
    let mut harness = studio(home.path());
    wait_for(&mut harness, "the failure", |app| {
        matches!(app.studio.context.facts.model, ModelStatus::Failed(_))
    });
    harness.run_steps(2);
    let told = &harness.state().studio.context.toasts.log;
    assert!(
        told.iter().any(|toast| toast
            .text()
            .contains("the model is broken; choose another in Models")),
        "{told:?}"
    );
    harness.get_by_label("No model").click();
    harness.run_steps(2);
    show_models(&mut harness, home.path());
    harness.get_by_label("Use demo").click();
    wait_for(&mut harness, "the other model", |app| {
        app.studio.context.facts.model.ready().is_some()
    });
    let studio = &harness.state().studio;
    assert_eq!(studio.context.settings.model, "demo");
}

#[test]
fn verifying_hashes_every_part() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    show_models(&mut harness, home.path());
    assert_eq!(harness.query_all_by_label("not checked yet").count(), 5);
    harness.get_by_label("Verify demo").click();
    harness.step();
    wait_for(&mut harness, "the hashes", |app| {
        !app.studio.models.verified.is_empty()
    });
    harness.run();
    let checked = harness.query_all_by_label("as in the package").count();
    assert_eq!(checked, 5, "five parts of the demo model");
}

#[test]
fn what_does_not_fit_the_memory_is_said_beside_the_button() {
    let home = tempfile::tempdir().expect("a folder");
    write_settings(home.path(), "(notice_read: true, model: \"demo\")");
    let mut harness = studio(home.path());
    show_models(&mut harness, home.path());
    wait_for(&mut harness, "the model", |app| {
        app.studio.context.facts.model.ready().is_some()
    });
    let free = |harness: &mut Harness<'_, StudioApp>,
                bytes: mmface::studio::services::FreeMemory| {
        let studio = &mut harness.state_mut().studio;
        studio.context.workspace = Workspace::Studio;
        studio.context.services.free_memory = bytes;
        // What was asked is good for two seconds.
        let later = harness.ctx.input(|input| input.time) + 10.0;
        harness.input_mut().time = Some(later);
        harness.step();
        harness.input_mut().time = None;
        harness.run_steps(3);
        harness
            .get_by_role_and_label(egui::Role::Button, "Generate")
            .rect()
    };
    harness
        .state_mut()
        .studio
        .context
        .document
        .request
        .draw
        .size = 1024;
    let place = free(&mut harness, || Some(64 << 30));
    assert!(harness.query_by_label_contains("needed").is_none());
    harness
        .get_by_role_and_label(egui::Role::Button, "Generate")
        .hover();
    harness.run_steps(60);
    harness.get_by_label_contains("Memory: decoding 1024 px takes about");
    let again = free(&mut harness, || Some(100 << 20));
    harness.get_by_label_contains("needed, 104.9 MB free:");
    assert_eq!(place, again, "nothing jumps");
    free(&mut harness, || Some(1));
    harness.get_by_label_contains("of memory needed, 1 B free");
    free(&mut harness, || None);
    assert!(harness.query_by_label_contains("needed").is_none());
}

#[test]
fn a_damaged_package_is_refused_and_leaves_nothing() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("cut.mmface");
    std::fs::write(&file, b"PK\x03\x04 not much more").expect("a file");
    let mut harness = studio(home.path());
    show_models(&mut harness, home.path());
    harness
        .state_mut()
        .studio
        .emit(ModelsCommand::Install(file));
    harness.step();
    wait_for(&mut harness, "the refusal", |app| {
        let mut log = app.studio.context.toasts.log.iter();
        log.any(|toast| toast.text().contains("cut.mmface"))
    });
    assert!(!home.path().join("models").exists(), "nothing was made");
    assert!(harness.state().studio.models.work.is_none());
}

#[test]
fn a_package_in_one_file_is_installed_and_selected() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("copied.mmface");
    pack_demo(&file, "second");
    let mut harness = studio(home.path());
    show_models(&mut harness, home.path());
    harness
        .state_mut()
        .studio
        .emit(ModelsCommand::Install(file));
    harness.step();
    wait_for(&mut harness, "the model in the list", |app| {
        let listing = app.studio.models.listing.as_ref();
        listing.is_some_and(|listing| {
            listing
                .entries
                .iter()
                .any(|entry| entry.listed.name == "second")
        })
    });
    harness.run_steps(3);
    harness.get_by_label("Use second");
    assert!(home.path().join("models/second.mmface").is_file());
}

#[test]
fn a_package_without_room_is_refused_before_anything_is_copied() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("copied.mmface");
    pack_demo(&file, "second");
    let mut harness = studio(home.path());
    show_models(&mut harness, home.path());
    let studio = &mut harness.state_mut().studio;
    studio.context.services.free_space = |_| Some(1 << 20);
    studio.emit(ModelsCommand::Install(file));
    harness.step();
    wait_for(&mut harness, "the shortfall", |app| {
        let mut log = app.studio.context.toasts.log.iter();
        log.any(|toast| {
            toast.text().contains("1.0 MB are free") && toast.text().contains("MB are missing")
        })
    });
    let left = std::fs::read_dir(home.path().join("models"))
        .into_iter()
        .flatten();
    assert_eq!(left.count(), 0, "nothing was begun");
}

/// The demo model as one file, under another name.
fn pack_demo(target: &Path, name: &str) {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models/demo");
    let mut archive = zip::ZipWriter::new(std::fs::File::create(target).expect("a file"));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for entry in std::fs::read_dir(demo).expect("the demo") {
        let path = entry.expect("an entry").path();
        let file = path.file_name().expect("a name").to_string_lossy();
        let mut bytes = std::fs::read(&path).expect("a part");
        if file == "model.ron" {
            let text = String::from_utf8(bytes).expect("text");
            bytes = text
                .replace("name: \"demo\"", &format!("name: \"{name}\""))
                .into_bytes();
        }
        archive.start_file(file, stored).expect("an entry");
        std::io::Write::write_all(&mut archive, &bytes).expect("bytes");
    }
    archive.finish().expect("an archive");
}

#[test]
fn the_notice_is_shown_once() {
    let home = tempfile::tempdir().expect("a folder");
    write_settings(home.path(), "()");
    let mut harness = studio(home.path());
    harness.run();
    harness.get_by_label("Never for identification");
    harness.get_by_label("I have read this").click();
    harness.run();
    assert!(harness.query_by_label("I have read this").is_none());
    assert!(harness.state().studio.context.settings.notice_read);
    let file = home.path().join("config/settings.ron");
    wait_for(&mut harness, "the settings to be kept", |_| {
        std::fs::read_to_string(&file).is_ok_and(|text| text.contains("notice_read: true"))
    });
}

#[test]
fn about_names_both_licences_and_the_privacy() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    wait_for(&mut harness, "the model", |app| {
        app.studio.context.facts.model.ready().is_some()
    });
    harness.state_mut().studio.emit_action("models.about");
    harness.run();
    assert!(
        harness
            .query_all_by_label_contains("CelebAMask-HQ")
            .next()
            .is_some()
    );
    harness.get_by_label_contains("MIT licence");
    harness.get_by_label_contains("opens no network connection");
}

/// What was copied in the frame at hand.
fn copied(harness: &Harness<'_, StudioApp>) -> Option<String> {
    let commands = &harness.output().platform_output.commands;
    commands.iter().find_map(|command| match command {
        egui::OutputCommand::CopyText(text) => Some(text.clone()),
        _ => None,
    })
}

#[test]
fn a_report_keeps_secrets_unless_ticked() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    harness.set_size(egui::vec2(1280.0, 1400.0));
    wait_for(&mut harness, "the model", |app| {
        app.studio.context.facts.model.ready().is_some()
    });
    let person = directories::UserDirs::new().expect("a person");
    let place = person.home_dir().join("secret.png").display().to_string();
    let studio = &mut harness.state_mut().studio;
    studio.context.document.request.draw.prompt = "my neighbour as a pirate".into();
    studio.context.tell(Toast::Error(format!(
        "“my neighbour as a pirate” was not written to {place}"
    )));
    studio.emit_action("models.about");
    harness.run_steps(4);
    let report = |harness: &mut Harness<'_, StudioApp>| {
        harness.get_by_label("Copy report").scroll_to_me();
        harness.run_steps(10);
        harness.get_by_label("Copy report").click();
        (0..6)
            .find_map(|_| {
                harness.step();
                copied(harness)
            })
            .expect("a report")
    };
    let told = report(&mut harness);
    assert!(told.contains("MMFace Studio") && told.contains("Model: fake"));
    assert!(told.contains("was not written to ~"), "{told}");
    assert!(!told.contains("pirate") && !told.contains(&place), "{told}");
    harness
        .get_by_label("With the name of my folders and my prompts")
        .click();
    harness.run_steps(2);
    let told = report(&mut harness);
    assert!(told.contains("pirate") && told.contains(&place), "{told}");
}

#[test]
fn the_privacy_page_is_two_clicks_away() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    harness.set_size(egui::vec2(1280.0, 1400.0));
    harness.state_mut().studio.emit_action("models.about");
    harness.run_steps(4);
    harness
        .get_by_label("What is kept, and what leaves…")
        .click();
    harness.run_steps(4);
    assert!(harness.query_by_label("What leaves your machine").is_some());
    harness.get_by_label_contains("There is no telemetry");
}
