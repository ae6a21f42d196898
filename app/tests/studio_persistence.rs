//! Project files, unsaved work, and what a crash leaves, through the real studio.

#[path = "common/studio.rs"]
mod common;

use std::path::Path;
use std::sync::Arc;

use common::{studio, studio_with, wait_for};
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use mmface::paint::{Button, Drawing, Layer, Sample, Tool};
use mmface::project::session;
use mmface::studio::command::CanvasCommand;
use mmface::studio::command::PersistenceCommand;
use mmface::studio::dialogs::Prepared;
use mmface::studio::document::Opacities;
use mmface::studio::document::Request;
use mmface::studio::testing::{FakeBackend, options};
use mmface::studio::toast::Toast;
use mmface::studio::{Options, StudioApp};
use mmface_engine::job::{ConditionKind, Draw};
use mmface_engine::picture::RgbImage;

type Studio = Harness<'static, StudioApp>;

fn saving_to(home: &Path, file: &Path) -> Studio {
    studio_with(Options {
        dialogs: Box::new(Prepared(Some(file.to_owned()))),
        ..options(home, FakeBackend::default())
    })
}

fn paint(studio: &mut Studio, row: usize, class: u8) {
    studio
        .state_mut()
        .studio
        .context
        .document
        .painter
        .edit("Stroke", |drawing| {
            for y in row..row + 30 {
                drawing.mask.fill_row(y, 50..400, class);
                drawing.sketch.fill_row(y, 100..120, 40);
            }
        });
    studio.run_steps(2);
}

fn request() -> Request {
    Request {
        draw: Draw {
            prompt: "a face [old|young]".into(),
            negative: "blurry".into(),
            seed: 77,
            steps: 31,
            ..Draw::default()
        },
        seed_locked: true,
        // Against the layer that is painted on.
        follow: ConditionKind::Mask,
    }
}

fn drawing(studio: &Studio) -> Drawing {
    studio
        .state()
        .studio
        .context
        .document
        .painter
        .drawing()
        .clone()
}

fn ctrl(studio: &mut Studio, key: Key) {
    studio.key_press_modifiers(Modifiers::COMMAND, key);
    studio.run_steps(3);
}

fn click(studio: &mut Studio, label: &str) {
    studio.get_by_label(label).click();
    studio.run_steps(3);
}

/// Clicks the only thing whose name contains a text.
fn click_containing(studio: &mut Studio, text: &str) {
    studio.get_by_label_contains(text).click();
    studio.run_steps(3);
}

/// Until the background work has settled: the journal has begun, nothing is being read.
fn settle(studio: &mut Studio) {
    wait_for(studio, "background work to end", |app| {
        app.studio.context.services.tasks.running().next().is_none()
    });
    studio.run_steps(3);
}

fn errors(studio: &Studio) -> Vec<String> {
    let log = studio.state().studio.context.toasts.log.iter();
    log.filter(|toast| matches!(toast, Toast::Error(_)))
        .map(|toast| toast.text().to_string())
        .collect()
}

#[test]
fn a_project_is_saved_left_and_opened_again() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("face.mmface-project");
    // The ending is added to what a person types.
    let mut studio = saving_to(home.path(), &home.path().join("face"));
    settle(&mut studio);
    assert!(studio.query_by_label("Project Untitled, saved").is_some());
    paint(&mut studio, 100, 13);
    studio
        .state_mut()
        .studio
        .context
        .document
        .painter
        .settings
        .tool = Tool::Lasso;
    studio
        .state_mut()
        .studio
        .context
        .document
        .painter
        .settings
        .layer = Layer::Sketch;
    studio.run_steps(1);
    studio.state_mut().studio.context.document.request = request();
    let under = RgbImage::filled(512, 512, [9, 8, 7]);
    let document = &mut studio.state_mut().studio.context.document;
    document.put_under(Some(Arc::new(under.clone())));
    let set = &mut studio.state_mut().studio.context.document.opacities;
    (set.mask, set.other, set.onion, set.contours) = (0.25, 0.75, 0.5, false);
    studio.run_steps(1);
    assert!(
        studio
            .query_by_label("Project Untitled, not saved")
            .is_some()
    );
    ctrl(&mut studio, Key::S);
    wait_for(&mut studio, "the project to be saved", |app| {
        app.studio.persistence.file.is_some()
    });
    settle(&mut studio);
    assert!(file.exists());
    assert!(studio.query_by_label("Project face, saved").is_some());
    let painted = drawing(&studio);

    ctrl(&mut studio, Key::N);
    assert_eq!(
        drawing(&studio),
        Drawing::new(512),
        "nothing was unsaved, so nothing is asked"
    );
    assert!(studio.query_by_label("Project Untitled, saved").is_some());
    let state = &mut studio.state_mut().studio;
    let document = &mut state.context.document;
    assert!(document.request.draw.prompt.is_empty() && document.under.is_none());
    document.painter.settings.tool = Tool::Brush;
    document.painter.settings.layer = Layer::Mask;
    document.request.draw.steps = 9;
    document.opacities = Opacities::default();

    click(&mut studio, "File");
    click_containing(&mut studio, "Open recent");
    click(&mut studio, "face");
    wait_for(&mut studio, "the project to be opened", |app| {
        app.studio.persistence.file.is_some()
    });
    assert_eq!(drawing(&studio), painted);
    let state = &studio.state().studio;
    assert_eq!(state.context.document.painter.settings.tool, Tool::Lasso);
    assert_eq!(state.context.document.request, request());
    assert_eq!(state.context.document.under.as_deref(), Some(&under));
    let set = state.context.document.opacities;
    assert_eq!(
        (set.mask, set.other, set.onion, set.contours),
        (0.25, 0.75, 0.5, false)
    );
    studio.run_steps(2);
    assert!(studio.query_by_label("Project face, saved").is_some());
    assert_eq!(errors(&studio), [""; 0]);
}

#[test]
fn a_result_under_the_drawing_is_saved_with_it() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("face.mmface-project");
    let mut studio = saving_to(home.path(), &file);
    settle(&mut studio);
    paint(&mut studio, 100, 13);
    let result = RgbImage::filled(64, 64, [40, 80, 120]);
    studio
        .state_mut()
        .studio
        .emit(CanvasCommand::ShowPicture(Arc::new(result.clone())));
    studio
        .state_mut()
        .studio
        .emit_action("canvas.picture_under");
    studio.run_steps(2);
    ctrl(&mut studio, Key::S);
    settle(&mut studio);
    ctrl(&mut studio, Key::N);
    assert!(studio.state().studio.context.document.under.is_none());
    studio
        .state_mut()
        .studio
        .emit(PersistenceCommand::OpenFile(file));
    studio.run_steps(2);
    settle(&mut studio);
    assert!(studio.state().studio.context.document.under.is_some());
    assert_eq!(
        studio.state().studio.context.document.under.as_deref(),
        Some(&result)
    );
}

#[test]
fn recent_projects_open_from_the_empty_canvas() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("queen.mmface-project");
    let mut studio = saving_to(home.path(), &file);
    settle(&mut studio);
    assert!(studio.query_by_label("Begin with a template").is_some());
    assert!(
        studio
            .query_by_label("No project has been saved yet")
            .is_some()
    );
    paint(&mut studio, 100, 13);
    assert!(studio.query_by_label("Begin with a template").is_none());
    let painted = drawing(&studio);
    ctrl(&mut studio, Key::S);
    settle(&mut studio);
    ctrl(&mut studio, Key::N);
    studio.run_steps(3);
    click(&mut studio, "Open queen");
    settle(&mut studio);
    assert_eq!(drawing(&studio), painted);
    assert_eq!(errors(&studio), [""; 0]);
    ctrl(&mut studio, Key::N);
    click(&mut studio, "Begin with a template");
    settle(&mut studio);
    assert!(studio.query_by_label("Full beard").is_some());
}

#[test]
fn words_alone_are_work_and_settings_are_not() {
    let home = tempfile::tempdir().expect("a folder");
    let mut studio = studio(home.path());
    settle(&mut studio);
    studio
        .state_mut()
        .studio
        .context
        .document
        .request
        .draw
        .steps = 40;
    studio.state_mut().studio.context.document.request.draw.seed = 40;
    studio.run_steps(2);
    assert!(studio.query_by_label("Project Untitled, saved").is_some());
    studio
        .state_mut()
        .studio
        .context
        .document
        .request
        .draw
        .prompt = "a queen".into();
    studio.run_steps(2);
    assert!(
        studio
            .query_by_label("Project Untitled, not saved")
            .is_some()
    );
}

#[test]
fn unsaved_work_is_asked_about() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("kept.mmface-project");
    let mut studio = saving_to(home.path(), &file);
    settle(&mut studio);
    paint(&mut studio, 100, 1);
    let painted = drawing(&studio);

    ctrl(&mut studio, Key::N);
    assert!(studio.query_by_label("Save Untitled first?").is_some());
    // The other button of this name, behind the question, cancels a job.
    studio
        .get_all_by_label("Cancel")
        .last()
        .expect("a button")
        .click();
    studio.run_steps(3);
    assert!(studio.query_by_label("Save Untitled first?").is_none());
    assert_eq!(drawing(&studio), painted);

    ctrl(&mut studio, Key::N);
    click(&mut studio, "Save");
    wait_for(&mut studio, "the new project", |app| {
        app.studio.context.document.painter.drawing() == &Drawing::new(512)
    });
    assert_eq!(
        mmface::project::file::load(&file).expect("saved").mask,
        painted.label_image()
    );

    paint(&mut studio, 200, 2);
    ctrl(&mut studio, Key::N);
    click(&mut studio, "Don't save");
    assert_eq!(drawing(&studio), Drawing::new(512));
}

#[test]
fn files_that_are_no_projects_are_named_and_the_drawing_stays() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("odd.mmface-project");
    std::fs::write(&file, b"PK\x03\x04 and then nothing").expect("a file");
    let mut studio = saving_to(home.path(), &file);
    settle(&mut studio);
    ctrl(&mut studio, Key::O);
    wait_for(&mut studio, "a message", |app| {
        app.studio
            .context
            .toasts
            .log
            .iter()
            .any(|toast| matches!(toast, Toast::Error(_)))
    });
    let errors = errors(&studio);
    assert!(
        errors[0].contains("damaged or cut off") && errors[0].contains("odd.mmface-project"),
        "{errors:?}"
    );
    assert_eq!(studio.state().studio.persistence.file, None);
}

#[test]
fn projects_that_reach_out_or_are_cut_off_are_refused_and_nothing_changes() {
    use std::io::Write;
    let home = tempfile::tempdir().expect("a folder");
    let whole = home.path().join("whole.mmface-project");
    let mut studio = saving_to(home.path(), &whole);
    settle(&mut studio);
    paint(&mut studio, 100, 13);
    ctrl(&mut studio, Key::S);
    settle(&mut studio);
    let bytes = std::fs::read(&whole).expect("saved");
    let cut = home.path().join("cut.mmface-project");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).expect("a file");
    let sly = home.path().join("sly.mmface-project");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&sly).expect("a file"));
    let plain = zip::write::SimpleFileOptions::default();
    for name in ["project.ron", "../../outside.txt"] {
        zip.start_file(name, plain).expect("an entry");
        zip.write_all(b"(format: 1)").expect("bytes");
    }
    zip.finish().expect("a zip");
    let before = drawing(&studio);
    for (path, wanted) in [
        (cut, "damaged or cut off"),
        (sly, "../../outside.txt` points outside"),
    ] {
        common::let_fall(&mut studio, &path);
        settle(&mut studio);
        let last = errors(&studio).pop().expect("a message");
        assert!(last.contains(wanted), "{last}");
        assert_eq!(drawing(&studio), before);
        assert_eq!(
            studio.state().studio.persistence.file.as_ref(),
            Some(&whole)
        );
    }
    let parent = home.path().parent().expect("a folder");
    assert!(!parent.join("outside.txt").exists());
}

#[test]
fn a_project_that_cannot_be_saved_stays_unsaved() {
    let home = tempfile::tempdir().expect("a folder");
    let mut studio = saving_to(
        home.path(),
        &home
            .path()
            .join("no such folder")
            .join("face.mmface-project"),
    );
    settle(&mut studio);
    paint(&mut studio, 100, 1);
    let painted = drawing(&studio);
    ctrl(&mut studio, Key::N);
    click(&mut studio, "Save");
    wait_for(&mut studio, "a message", |app| {
        app.studio
            .context
            .toasts
            .log
            .iter()
            .any(|toast| matches!(toast, Toast::Error(_)))
    });
    studio.run_steps(2);
    assert_eq!(
        drawing(&studio),
        painted,
        "what could not be saved is not thrown away"
    );
    assert!(
        studio
            .query_by_label("Project Untitled, not saved")
            .is_some()
    );
}

#[test]
fn picking_a_class_from_the_canvas_is_no_work_to_save() {
    let home = tempfile::tempdir().expect("a folder");
    let mut studio = studio(home.path());
    settle(&mut studio);
    let painter = &mut studio.state_mut().studio.context.document.painter;
    painter.settings.tool = Tool::Eyedropper;
    painter.press(Sample::mouse(20.0, 20.0, 0.0), Button::Primary);
    painter.release();
    studio.run_steps(2);
    assert!(
        studio
            .query_by_label("Project Untitled, not saved")
            .is_none()
    );
}

#[test]
fn a_dropped_project_opens() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("dropped.mmface-project");
    let mut studio = saving_to(home.path(), &file);
    settle(&mut studio);
    paint(&mut studio, 60, 5);
    let painted = drawing(&studio);
    ctrl(&mut studio, Key::S);
    settle(&mut studio);
    ctrl(&mut studio, Key::N);
    common::let_fall(&mut studio, &file);
    studio.run_steps(2);
    wait_for(&mut studio, "the project to be opened", |app| {
        app.studio.persistence.file.is_some()
    });
    assert_eq!(drawing(&studio), painted);
}

/// A studio that is gone from one moment to the next after some painting.
fn crash(home: &Path) -> Drawing {
    let mut studio = studio(home);
    settle(&mut studio);
    studio.state_mut().studio.context.document.template = Some("curly".into());
    paint(&mut studio, 100, 13);
    studio.state_mut().studio.context.document.request = request();
    paint(&mut studio, 300, 4);
    drawing(&studio)
}

#[test]
fn a_crash_is_followed_by_an_offer_and_a_proper_end_is_not() {
    let home = tempfile::tempdir().expect("a folder");
    let painted = crash(home.path());
    {
        let mut studio = studio(home.path());
        wait_for(&mut studio, "an offer", |app| {
            app.studio.persistence.offering
        });
        studio.run_steps(3);
        assert!(studio.query_by_label("Work that was not saved").is_some());
        click_containing(&mut studio, "Restore Untitled");
        wait_for(&mut studio, "the drawing", |app| {
            app.studio.context.document.painter.drawing() == &painted
        });
        settle(&mut studio);
        assert_eq!(
            studio.state().studio.context.document.template.as_deref(),
            Some("curly")
        );
        assert!(studio.query_by_label("Work that was not saved").is_none());
        assert!(
            studio
                .query_by_label("Project Untitled, not saved")
                .is_some()
        );
        // The restored work crashes as well: it is this session's now, and the only one.
    }
    let left = session::left(&home.path().join("recovery")).expect("a list");
    assert_eq!(left.len(), 1);
    {
        let mut studio = studio(home.path());
        wait_for(&mut studio, "an offer", |app| {
            app.studio.persistence.offering
        });
        studio.run_steps(3);
        click(&mut studio, "Decide later");
        assert!(studio.query_by_label("Work that was not saved").is_none());
        click(&mut studio, "File");
        click_containing(&mut studio, "Recover lost work");
        wait_for(&mut studio, "the offer again", |app| {
            app.studio.persistence.offering
        });
        studio.run_steps(3);
        click_containing(&mut studio, "Discard Untitled");
        settle(&mut studio);
        assert!(
            session::left(&home.path().join("recovery"))
                .expect("a list")
                .is_empty()
        );
        // Nothing is unsaved: this ends as it should.
        eframe::App::on_exit(studio.state_mut());
    }
    let folders = std::fs::read_dir(home.path().join("recovery"))
        .expect("a folder")
        .count();
    assert_eq!(folders, 0, "a session that ended properly leaves nothing");
    let mut studio = studio(home.path());
    settle(&mut studio);
    assert!(!studio.state().studio.persistence.offering);
}

#[test]
fn two_studios_do_not_take_each_others_work() {
    let home = tempfile::tempdir().expect("a folder");
    let mut first = studio(home.path());
    settle(&mut first);
    paint(&mut first, 100, 3);
    let mut second = studio(home.path());
    settle(&mut second);
    assert!(
        !second.state().studio.persistence.offering,
        "the first still runs"
    );
    paint(&mut second, 200, 4);
    let (one, two) = (drawing(&first), drawing(&second));
    drop((first, second));
    let left = session::left(&home.path().join("recovery")).expect("a list");
    let kept: Vec<Drawing> = left
        .iter()
        .map(|left| {
            session::Claim::take(&left.folder)
                .and_then(|claim| claim.read())
                .expect("whole")
                .frame
                .drawing
        })
        .collect();
    assert!(kept.len() == 2 && kept.contains(&one) && kept.contains(&two));
}

#[test]
fn nothing_is_drawn_when_nothing_happens() {
    let home = tempfile::tempdir().expect("a folder");
    let mut studio = studio(home.path());
    settle(&mut studio);
    paint(&mut studio, 100, 3);
    settle(&mut studio);
    for _ in 0..20 {
        studio.step();
    }
    let output = studio.output();
    let delay = output
        .viewport_output
        .values()
        .map(|viewport| viewport.repaint_delay)
        .min();
    assert!(
        delay.is_none_or(|delay| delay.as_millis() > 200),
        "asks for a frame in {delay:?}"
    );
}
