//! Painting on the canvas of the real studio: strokes, view, templates, foreign masks.

#[path = "common/canvas.rs"]
mod canvas;
#[path = "common/studio.rs"]
mod common;

use std::sync::Arc;

use canvas::{Studio, at, button, class_of, drag_with, paint};
use common::{studio, wait_for};
use egui::{Event, Key, Modifiers, PointerButton, Pos2, pos2, vec2};
use egui_kittest::kittest::Queryable;
use mmface::studio::canvas::names;
use mmface::studio::command::CanvasCommand;
use mmface::studio::document::Look;
use mmface_engine::labels::class;
use mmface_engine::picture::RgbImage;

#[test]
fn a_stroke_that_fits_into_one_slow_frame_is_painted() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    harness.get_by_label("Hair").click();
    harness.run();
    let points: Vec<Pos2> = [100.0, 200.0, 300.0]
        .map(|x| at(&harness, x, 250.0))
        .to_vec();
    let plain = Modifiers::NONE;
    let events = &mut harness.input_mut().events;
    events.push(Event::PointerMoved(points[0]));
    events.push(button(points[0], PointerButton::Primary, true, plain));
    events.extend(points.iter().map(|point| Event::PointerMoved(*point)));
    events.push(button(points[2], PointerButton::Primary, false, plain));
    harness.step();
    for x in [100.0, 200.0, 300.0] {
        assert_eq!(class_of(&harness, x, 250.0), class::HAIR, "at {x}");
    }
    assert!(!harness.state().studio.context.document.painter.busy());
}

#[test]
fn a_stroke_is_painted_undone_and_done_again() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    let canvas = harness.get_by_label("Canvas").rect();
    assert!(
        canvas.width() > 300.0 && canvas.height() > 300.0,
        "{canvas}"
    );
    harness.get_by_label("Hair").click();
    harness.run();
    paint(
        &mut harness,
        &[(100.0, 100.0), (200.0, 140.0), (300.0, 100.0)],
    );
    for (x, y) in [(100.0, 100.0), (200.0, 138.0), (300.0, 100.0)] {
        assert_eq!(class_of(&harness, x, y), class::HAIR, "{x}, {y}");
    }
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    harness.run();
    assert_eq!(class_of(&harness, 200.0, 138.0), class::BACKGROUND);
    harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    harness.run();
    assert_eq!(class_of(&harness, 200.0, 138.0), class::HAIR);
    assert!(harness.state().studio.context.document.painter.can_undo());
}

#[test]
fn every_point_of_a_fast_hand_counts() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    harness
        .state_mut()
        .studio
        .context
        .document
        .painter
        .settings
        .stabiliser
        .smoothing = 0.0;
    let way = [(60.0, 60.0), (250.0, 400.0), (440.0, 60.0)].map(|(x, y)| at(&harness, x, y));
    harness.event(Event::PointerMoved(way[0]));
    harness.step();
    // Press, way and release arrive in one frame.
    harness.event(button(
        way[0],
        PointerButton::Primary,
        true,
        Modifiers::NONE,
    ));
    harness.step();
    for place in way {
        harness.event(Event::PointerMoved(place));
    }
    harness.event(button(
        way[2],
        PointerButton::Primary,
        false,
        Modifiers::NONE,
    ));
    harness.step();
    assert_eq!(
        class_of(&harness, 250.0, 398.0),
        class::SKIN,
        "the corner was cut"
    );
    assert!(!harness.state().studio.context.document.painter.busy());
}

#[test]
fn a_press_and_release_in_one_frame_is_a_dab() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    let place = at(&harness, 128.0, 128.0);
    harness.event(Event::PointerMoved(place));
    harness.step();
    harness.event(button(place, PointerButton::Primary, true, Modifiers::NONE));
    harness.event(button(
        place,
        PointerButton::Primary,
        false,
        Modifiers::NONE,
    ));
    harness.step();
    harness.run();
    assert_eq!(class_of(&harness, 128.0, 128.0), class::SKIN);
    assert!(!harness.state().studio.canvas.in_gesture());
}

#[test]
fn the_other_button_erases_and_escape_takes_a_stroke_back() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    paint(&mut harness, &[(100.0, 100.0), (200.0, 100.0)]);
    drag_with(
        &mut harness,
        PointerButton::Secondary,
        Modifiers::NONE,
        &[(150.0, 60.0), (150.0, 140.0)],
    );
    assert_eq!(class_of(&harness, 150.0, 100.0), class::BACKGROUND);
    assert_eq!(class_of(&harness, 100.0, 100.0), class::SKIN);

    let before = harness
        .state()
        .studio
        .context
        .document
        .painter
        .drawing()
        .clone();
    let (from, to) = (at(&harness, 300.0, 300.0), at(&harness, 400.0, 300.0));
    harness.hover_at(from);
    harness.step();
    harness.drag_at(from);
    harness.step();
    harness.hover_at(to);
    harness.step();
    assert_eq!(class_of(&harness, 330.0, 300.0), class::SKIN);
    harness.key_press(Key::Escape);
    harness.step();
    assert_eq!(
        *harness.state().studio.context.document.painter.drawing(),
        before
    );
    harness.hover_at(from);
    harness.drop_at(from);
    harness.run();
    assert_eq!(
        *harness.state().studio.context.document.painter.drawing(),
        before
    );
}

#[test]
fn zooming_keeps_the_point_under_the_cursor_and_panning_moves_it() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    let cursor = at(&harness, 100.0, 400.0);
    harness.hover_at(cursor);
    harness.step();
    harness.event(Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: vec2(0.0, 120.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    });
    harness.run();
    let zoom = harness.state().studio.canvas.camera.zoom;
    let place = at(&harness, 100.0, 400.0);
    assert!(place.distance(cursor) < 0.5, "{place} instead of {cursor}");
    assert!(!harness.state().studio.canvas.camera.fitted);
    drag_with(
        &mut harness,
        PointerButton::Middle,
        Modifiers::NONE,
        &[(100.0, 400.0), (130.0, 380.0)],
    );
    let moved = at(&harness, 100.0, 400.0) - cursor;
    let expected = vec2(30.0, -20.0) * zoom;
    assert!(
        (moved - expected).length() < 1.0,
        "{moved} instead of {expected}"
    );
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Num0);
    harness.run();
    assert!(harness.state().studio.canvas.camera.fitted);
}

#[test]
fn strokes_go_where_the_hand_is_in_a_turned_and_mirrored_view() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    harness.get_by_label("Mirror the view").click();
    harness.key_press_modifiers(Modifiers::COMMAND, Key::CloseBracket);
    harness.run();
    let camera = harness.state().studio.canvas.camera;
    assert!(camera.mirrored && camera.angle != 0.0);
    paint(&mut harness, &[(120.0, 200.0), (160.0, 200.0)]);
    assert_eq!(class_of(&harness, 140.0, 200.0), class::SKIN);
}

#[test]
fn a_picture_is_shown_and_a_stroke_shows_what_is_painted() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    let image = RgbImage::filled(64, 64, [90, 120, 150]);
    harness
        .state_mut()
        .studio
        .emit(CanvasCommand::ShowPicture(Arc::new(image.clone())));
    harness.run();
    assert_eq!(harness.state().studio.context.document.look, Look::Picture);
    paint(&mut harness, &[(120.0, 200.0), (160.0, 200.0)]);
    assert_eq!(harness.state().studio.context.document.look, Look::Overlay);
    harness.get_by_label("Drawing beside picture").click();
    harness.run();
    paint(&mut harness, &[(256.0, 100.0), (128.0, 100.0)]);
    let split = harness.state().studio.canvas.split;
    assert!((split - 0.25).abs() < 0.02, "{split}");
    harness.key_press(Key::V);
    harness.run();
    assert_eq!(harness.state().studio.context.document.look, Look::Drawing);
}

#[test]
fn a_template_opens_as_one_step_with_its_prompt() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    harness.get_by_label("Start from a template").click();
    harness.step();
    wait_for(&mut harness, "the templates", |app| {
        app.studio.context.services.tasks.running().count() == 0
    });
    harness.run();
    harness.get_by_label("Full beard").click();
    harness.step();
    harness.step();
    wait_for(&mut harness, "the template", |app| {
        app.studio.context.document.painter.can_undo()
    });
    harness.run();
    let counts = harness
        .state()
        .studio
        .context
        .document
        .painter
        .drawing()
        .mask
        .counts();
    assert!(counts[usize::from(class::SKIN)] > 10_000);
    let prompt = &harness.state().studio.context.document.request.draw.prompt;
    assert!(prompt.contains("beard"), "{prompt}");
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    harness.run();
    let counts = harness
        .state()
        .studio
        .context
        .document
        .painter
        .drawing()
        .mask
        .counts();
    assert_eq!(counts[usize::from(class::SKIN)], 0);
}

#[test]
fn an_idle_canvas_asks_for_no_frames() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    paint(&mut harness, &[(120.0, 200.0), (160.0, 200.0)]);
    // Panics when something asks for frames for ever.
    harness.run();
    assert!(harness.try_run_realtime().is_ok());
}

#[test]
fn a_foreign_mask_is_looked_at_mended_and_taken() {
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("mask.png");
    let drawn = {
        use mmface_engine::condition::read_mask;
        let templates = mmface::assets::Templates::load().expect("templates");
        let template = templates.find(Some("full-beard")).expect("a template");
        read_mask(&templates.path(template)).expect("a mask").0
    };
    // Left and right by the viewer, not by the person.
    let mut swapped = drawn.clone();
    swapped.swap_sides();
    std::fs::write(&path, swapped.to_png().expect("packs")).expect("writes");
    let mut options = mmface::studio::testing::options(home.path(), Default::default());
    options.dialogs = Box::new(mmface::studio::dialogs::Prepared(Some(path)));
    let mut harness = common::studio_with(options);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::I);
    harness.step();
    wait_for(&mut harness, "the mask", |app| {
        app.studio.tools.import.is_some()
    });
    harness.run();
    assert!(harness.query_by_label("Exchange left and right").is_some());
    harness.get_by_label("Mend all").click();
    harness.step();
    // The person's left eye is on the right-hand side of the picture.
    let sides_are_right = |mask: &mmface_engine::labels::LabelImage| {
        let middle = |class: u8| {
            let places = mask.labels.iter().enumerate();
            let columns: Vec<usize> = places
                .filter(|(_, label)| **label == class)
                .map(|(i, _)| i % mask.width)
                .collect();
            columns.iter().sum::<usize>() / columns.len().max(1)
        };
        middle(class::LEFT_EYE) > middle(class::RIGHT_EYE)
    };
    assert!(!sides_are_right(&swapped));
    wait_for(&mut harness, "the doctor", |app| {
        let import = app.studio.tools.import.as_ref();
        import.is_some_and(|import| sides_are_right(import.mask()))
    });
    harness.run();
    harness.get_by_label("Use this mask").click();
    harness.run();
    let studio = &harness.state().studio;
    assert!(studio.tools.import.is_none());
    assert!(sides_are_right(
        &studio.context.document.painter.drawing().label_image()
    ));
}

#[test]
fn names_stand_on_the_regions_that_have_room() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    let paint = |harness: &mut Studio, rows: std::ops::Range<usize>, class: u8| {
        harness
            .state_mut()
            .studio
            .context
            .document
            .painter
            .edit("Box", |drawing| {
                for y in rows {
                    drawing.mask.fill_row(y, 100..300, class);
                }
            });
        harness.step();
        common::settle(harness);
    };
    let told = |harness: &Studio| {
        let studio = &harness.state().studio;
        let labels = names::labels(&studio.canvas, &studio.context);
        let mut texts: Vec<String> = labels.into_iter().map(|label| label.text).collect();
        texts.sort_unstable();
        texts
    };
    paint(&mut harness, 100..200, class::HAIR);
    assert!(told(&harness).is_empty(), "only for those who ask");
    harness.state_mut().studio.emit_action("canvas.names");
    harness.step();
    common::settle(&mut harness);
    assert_eq!(told(&harness), ["Hair"]);
    let studio = &harness.state().studio;
    let labels = names::labels(&studio.canvas, &studio.context);
    let canvas = &studio.canvas;
    let middle = canvas.camera.to_screen(canvas.rect, pos2(200.0, 150.0));
    assert!((labels[0].at - middle).length() < 20.0, "{labels:?}");

    paint(&mut harness, 200..220, class::UPPER_LIP);
    assert_eq!(
        told(&harness),
        ["Hair", "LiU"],
        "letters where a name has no room"
    );
    harness.state_mut().studio.emit(CanvasCommand::Zoom(0.1));
    harness.run_steps(3);
    assert!(told(&harness).is_empty(), "nothing is readable so small");
    harness.state_mut().studio.emit(CanvasCommand::Zoom(40.0));
    harness.run_steps(3);
    assert_eq!(told(&harness), ["Hair", "Upper lip"], "near enough");
    harness
        .state_mut()
        .studio
        .context
        .document
        .painter
        .settings
        .hidden
        .toggle(class::HAIR);
    assert_eq!(told(&harness), ["Upper lip"]);
    harness.state_mut().studio.context.document.painter.undo();
    harness.step();
    common::settle(&mut harness);
    assert!(told(&harness).is_empty(), "undone and hidden");
}
