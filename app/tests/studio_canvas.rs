//! Painting on the canvas of the real studio: pointer, keys, classes, view, templates.

#[path = "common/studio.rs"]
mod common;

use common::{drag, studio, wait_for};
use egui::{Event, Key, Modifiers, PointerButton, Pos2, pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use mmface::paint::{Layer, Target, Tool};
use mmface::studio::StudioApp;
use mmface::studio::canvas::Look;
use mmface_engine::condition::class;
use mmface_engine::picture::RgbImage;

type Studio = Harness<'static, StudioApp>;

/// Where a canvas pixel is on screen.
fn at(harness: &Studio, x: f32, y: f32) -> Pos2 {
    let canvas = &harness.state().studio.canvas;
    canvas.camera.to_screen(canvas.rect, pos2(x, y))
}

fn class_of(harness: &Studio, x: f32, y: f32) -> u8 {
    let class = harness.state().studio.painter.class_at(x, y);
    class.expect("a place on the canvas")
}

/// Drags along canvas points.
fn paint(harness: &mut Studio, points: &[(f32, f32)]) {
    let points: Vec<Pos2> = points.iter().map(|&(x, y)| at(harness, x, y)).collect();
    drag(harness, &points);
}

fn button(pos: Pos2, button: PointerButton, pressed: bool, modifiers: Modifiers) -> Event {
    Event::PointerButton {
        pos,
        button,
        pressed,
        modifiers,
    }
}

/// Drags another button, or with modifiers.
fn drag_with(
    harness: &mut Studio,
    which: PointerButton,
    modifiers: Modifiers,
    points: &[(f32, f32)],
) {
    let points: Vec<Pos2> = points.iter().map(|&(x, y)| at(harness, x, y)).collect();
    let (first, last) = (points[0], points[points.len() - 1]);
    harness.event(Event::PointerMoved(first));
    harness.step();
    harness.event_modifiers(button(first, which, true, modifiers), modifiers);
    harness.step();
    for &point in &points {
        harness.event_modifiers(Event::PointerMoved(point), modifiers);
        harness.step();
    }
    harness.event_modifiers(button(last, which, false, modifiers), modifiers);
    harness.step();
}

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
    assert!(!harness.state().studio.painter.busy());
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
    assert!(harness.state().studio.painter.can_undo());
}

#[test]
fn every_point_of_a_fast_hand_counts() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    harness
        .state_mut()
        .studio
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
    assert!(!harness.state().studio.painter.busy());
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
fn keys_choose_tools_classes_and_sizes_unless_a_person_types() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    for (key, tool) in [
        (Key::E, Tool::Eraser),
        (Key::G, Tool::Fill),
        (Key::P, Tool::Polygon),
        (Key::O, Tool::Ellipse),
        (Key::B, Tool::Brush),
    ] {
        harness.key_press(key);
        harness.run();
        assert_eq!(harness.state().studio.painter.settings.tool, tool);
    }
    harness.key_press(Key::Num2);
    harness.key_press_modifiers(Modifiers::ALT, Key::Num3);
    harness.run();
    assert_eq!(harness.state().studio.painter.settings.class, class::HAIR);
    harness.key_press(Key::X);
    harness.run();
    assert_eq!(harness.state().studio.painter.settings.class, class::NOSE);
    let before = harness.state().studio.painter.settings.radius();
    harness.key_press(Key::CloseBracket);
    harness.run();
    assert!(harness.state().studio.painter.settings.radius() > before);
    harness.key_press(Key::K);
    harness.run();
    let target = harness.state().studio.painter.settings.target;
    assert_eq!(target, Target::Background);

    harness.get_by_label("Find a class").focus();
    harness.run();
    harness.key_press(Key::E);
    harness.run();
    assert_eq!(harness.state().studio.painter.settings.tool, Tool::Brush);
}

#[test]
fn the_class_list_is_searched() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    harness.get_by_label("Find a class").focus();
    harness.run();
    harness.get_by_label("Find a class").type_text("brow");
    harness.run();
    assert!(harness.query_by_label("Skin").is_none());
    harness.get_by_label("Left brow").click();
    harness.run();
    assert_eq!(
        harness.state().studio.painter.settings.class,
        class::LEFT_BROW
    );
    harness.get_by_label("Lock left brow").click();
    harness.get_by_label("Hide right brow").click();
    harness.run();
    let settings = &harness.state().studio.painter.settings;
    assert!(settings.locked.contains(class::LEFT_BROW));
    assert!(settings.hidden.contains(class::RIGHT_BROW));
}

#[test]
fn tools_are_chosen_by_name_and_bring_their_layer() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    harness.get_by_label("Pencil").click();
    harness.run();
    assert_eq!(harness.state().studio.painter.settings.layer, Layer::Sketch);
    paint(
        &mut harness,
        &[(100.0, 200.0), (300.0, 210.0), (300.0, 210.0)],
    );
    let sketch = &harness.state().studio.painter.drawing().sketch;
    assert!(sketch.get(200, 205) < 160, "{}", sketch.get(200, 205));
    harness.get_by_label("Mask").click();
    harness.run();
    let settings = &harness.state().studio.painter.settings;
    assert_eq!((settings.layer, settings.tool), (Layer::Mask, Tool::Brush));
}

#[test]
fn the_mirror_paints_both_sides_with_exchanged_classes() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    harness.get_by_label("Right eye").click();
    harness.get_by_label("Mirror strokes").click();
    harness.run();
    paint(&mut harness, &[(180.0, 220.0), (200.0, 220.0)]);
    assert_eq!(class_of(&harness, 190.0, 220.0), class::RIGHT_EYE);
    assert_eq!(class_of(&harness, 512.0 - 190.0, 220.0), class::LEFT_EYE);

    // The axis is moved by its handle at the top.
    paint(&mut harness, &[(256.0, 0.0), (300.0, 0.0), (300.0, 2.0)]);
    let mirror = harness.state().studio.painter.settings.mirror;
    assert!((mirror.x - 300.0).abs() < 2.0, "{}", mirror.x);
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

    let before = harness.state().studio.painter.drawing().clone();
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
    assert_eq!(*harness.state().studio.painter.drawing(), before);
    harness.hover_at(from);
    harness.drop_at(from);
    harness.run();
    assert_eq!(*harness.state().studio.painter.drawing(), before);
}

#[test]
fn a_polygon_is_closed_by_enter() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    harness.key_press(Key::P);
    harness.run();
    for (x, y) in [(100.0, 100.0), (300.0, 100.0), (200.0, 300.0)] {
        paint(&mut harness, &[(x, y)]);
    }
    assert!(harness.state().studio.painter.busy());
    assert_eq!(class_of(&harness, 200.0, 180.0), class::BACKGROUND);
    harness.key_press(Key::Enter);
    harness.run();
    assert_eq!(class_of(&harness, 200.0, 180.0), class::SKIN);
    assert!(!harness.state().studio.painter.busy());
}

#[test]
fn alt_drag_changes_the_size_and_alt_click_picks_a_class() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    paint(&mut harness, &[(100.0, 100.0), (120.0, 100.0)]);
    harness.get_by_label("Hair").click();
    harness.run();
    let before = harness.state().studio.painter.drawing().clone();
    let radius = harness.state().studio.painter.settings.radii.brush;
    drag_with(
        &mut harness,
        PointerButton::Primary,
        Modifiers::ALT,
        &[(200.0, 200.0), (230.0, 200.0)],
    );
    let now = harness.state().studio.painter.settings.radii.brush;
    assert!((now - radius - 30.0).abs() < 1.0, "{radius} became {now}");
    drag_with(
        &mut harness,
        PointerButton::Primary,
        Modifiers::ALT,
        &[(110.0, 100.0)],
    );
    harness.run();
    assert_eq!(harness.state().studio.painter.settings.class, class::SKIN);
    assert_eq!(*harness.state().studio.painter.drawing(), before);
}

#[test]
fn escape_during_a_resize_brings_the_old_size_back() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    let radius = harness.state().studio.painter.settings.radii.brush;
    let (from, to) = (at(&harness, 200.0, 200.0), at(&harness, 240.0, 200.0));
    harness.event(Event::PointerMoved(from));
    harness.step();
    let press = button(from, PointerButton::Primary, true, Modifiers::ALT);
    harness.event_modifiers(press, Modifiers::ALT);
    harness.step();
    harness.event_modifiers(Event::PointerMoved(to), Modifiers::ALT);
    harness.step();
    assert!(harness.state().studio.painter.settings.radii.brush > radius + 30.0);
    harness.key_press(Key::Escape);
    harness.step();
    let now = harness.state().studio.painter.settings.radii.brush;
    assert_eq!(now, radius);
    let release = button(to, PointerButton::Primary, false, Modifiers::NONE);
    harness.event(release);
    harness.run();
    assert_eq!(harness.state().studio.painter.settings.radii.brush, radius);
    assert!(!harness.state().studio.painter.can_undo());
}

/// Clicks twice, faster than a frame of the harness lasts.
fn double_click(harness: &mut Studio, x: f32, y: f32) {
    let place = at(harness, x, y);
    harness.hover_at(place);
    harness.step();
    for pressed in [true, false, true, false] {
        let click = button(place, PointerButton::Primary, pressed, Modifiers::NONE);
        harness.input_mut().events.push(click);
    }
    harness.step();
    harness.run();
}

#[test]
fn a_double_click_within_a_contour_fills_it_and_elsewhere_only_dabs() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    harness.get_by_label("Hair").click();
    harness.run();
    let ring: Vec<(f32, f32)> = (0..=48)
        .map(|i| i as f32 / 48.0 * std::f32::consts::TAU)
        .map(|turn| (200.0 + 100.0 * turn.cos(), 200.0 + 100.0 * turn.sin()))
        .collect();
    paint(&mut harness, &ring);
    assert_eq!(class_of(&harness, 200.0, 160.0), class::BACKGROUND);
    double_click(&mut harness, 200.0, 200.0);
    for (x, y) in [(200.0, 160.0), (150.0, 200.0), (240.0, 240.0)] {
        assert_eq!(class_of(&harness, x, y), class::HAIR, "{x}, {y}");
    }
    assert_eq!(class_of(&harness, 350.0, 350.0), class::BACKGROUND);
    double_click(&mut harness, 400.0, 350.0);
    assert_eq!(class_of(&harness, 400.0, 350.0), class::HAIR, "the dabs");
    assert_eq!(class_of(&harness, 400.0, 250.0), class::BACKGROUND);
    assert!(!common::told(&harness, "No closed contour"));
}

#[test]
fn a_fill_of_most_of_the_canvas_is_seen_first_and_asked_about() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    harness.key_press(Key::G);
    harness.run();
    let place = at(&harness, 100.0, 100.0);
    harness.hover_at(place);
    harness.run();
    let painter = &mut harness.state_mut().studio.painter;
    let preview = painter.fill_preview(100.0, 100.0).expect("all of it");
    assert_eq!(preview.share, 1.0);
    paint(&mut harness, &[(100.0, 100.0)]);
    assert_eq!(class_of(&harness, 300.0, 300.0), class::BACKGROUND);
    assert!(common::told(&harness, "would change 100 % of the canvas"));
    paint(&mut harness, &[(100.0, 100.0)]);
    assert_eq!(class_of(&harness, 300.0, 300.0), class::SKIN);
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
    let ctx = harness.ctx.clone();
    let image = RgbImage::filled(64, 64, [90, 120, 150]);
    harness.state_mut().studio.canvas.show_picture(&ctx, &image);
    harness.run();
    assert_eq!(harness.state().studio.canvas.look, Look::Picture);
    paint(&mut harness, &[(120.0, 200.0), (160.0, 200.0)]);
    assert_eq!(harness.state().studio.canvas.look, Look::Overlay);
    harness.get_by_label("Drawing beside picture").click();
    harness.run();
    paint(&mut harness, &[(256.0, 100.0), (128.0, 100.0)]);
    let split = harness.state().studio.canvas.split;
    assert!((split - 0.25).abs() < 0.02, "{split}");
    harness.key_press(Key::V);
    harness.run();
    assert_eq!(harness.state().studio.canvas.look, Look::Drawing);
}

#[test]
fn a_template_opens_as_one_step_with_its_prompt() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    harness.get_by_label("Start from a template").click();
    harness.step();
    wait_for(&mut harness, "the templates", |app| {
        app.studio.services.tasks.running().count() == 0
    });
    harness.run();
    harness.get_by_label("Full beard").click();
    harness.step();
    harness.step();
    wait_for(&mut harness, "the template", |app| {
        app.studio.painter.can_undo()
    });
    harness.run();
    let counts = harness.state().studio.painter.drawing().mask.counts();
    assert!(counts[usize::from(class::SKIN)] > 10_000);
    let prompt = &harness.state().studio.generate.request.prompt;
    assert!(prompt.contains("beard"), "{prompt}");
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    harness.run();
    let counts = harness.state().studio.painter.drawing().mask.counts();
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
    let sides_are_right = |mask: &mmface_engine::condition::LabelImage| {
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
    assert!(sides_are_right(&studio.painter.drawing().label_image()));
}

#[test]
fn names_stand_on_the_regions_that_have_room() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    let paint = |harness: &mut Studio, rows: std::ops::Range<usize>, class: u8| {
        harness.state_mut().studio.painter.edit("Box", |drawing| {
            for y in rows {
                drawing.mask.fill_row(y, 100..300, class);
            }
        });
        harness.step();
        common::settle(harness);
    };
    let told = |harness: &Studio| {
        let labels = mmface::studio::canvas::names::labels(&harness.state().studio);
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
    let labels = mmface::studio::canvas::names::labels(&harness.state().studio);
    let canvas = &harness.state().studio.canvas;
    let middle = canvas.camera.to_screen(canvas.rect, pos2(200.0, 150.0));
    assert!((labels[0].at - middle).length() < 20.0, "{labels:?}");

    paint(&mut harness, 200..220, class::UPPER_LIP);
    assert_eq!(
        told(&harness),
        ["Hair", "LiU"],
        "letters where a name has no room"
    );
    harness
        .state_mut()
        .studio
        .emit(mmface::studio::canvas::CanvasCommand::Zoom(0.1));
    harness.run_steps(3);
    assert!(told(&harness).is_empty(), "nothing is readable so small");
    harness
        .state_mut()
        .studio
        .emit(mmface::studio::canvas::CanvasCommand::Zoom(40.0));
    harness.run_steps(3);
    assert_eq!(told(&harness), ["Hair", "Upper lip"], "near enough");
    harness
        .state_mut()
        .studio
        .painter
        .settings
        .hidden
        .toggle(class::HAIR);
    assert_eq!(told(&harness), ["Upper lip"]);
    harness.state_mut().studio.painter.undo();
    harness.step();
    common::settle(&mut harness);
    assert!(told(&harness).is_empty(), "undone and hidden");
}
