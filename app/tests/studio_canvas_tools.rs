//! Tools and classes in the real studio: chosen by key, name and click, and what each paints.

#[path = "common/canvas.rs"]
mod canvas;
#[path = "common/studio.rs"]
mod common;

use canvas::{Studio, at, button, class_of, drag_with, paint};
use common::studio;
use egui::{Event, Key, Modifiers, PointerButton};
use egui_kittest::kittest::Queryable;
use mmface::paint::{Layer, Target, Tool, ToolOption};
use mmface_engine::labels::class;

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
        assert_eq!(
            harness
                .state()
                .studio
                .context
                .document
                .painter
                .settings
                .tool,
            tool
        );
    }
    harness.key_press(Key::Num2);
    harness.key_press_modifiers(Modifiers::ALT, Key::Num3);
    harness.run();
    assert_eq!(
        harness
            .state()
            .studio
            .context
            .document
            .painter
            .settings
            .class,
        class::HAIR
    );
    harness.key_press(Key::X);
    harness.run();
    assert_eq!(
        harness
            .state()
            .studio
            .context
            .document
            .painter
            .settings
            .class,
        class::NOSE
    );
    let before = harness
        .state()
        .studio
        .context
        .document
        .painter
        .settings
        .radius();
    harness.key_press(Key::CloseBracket);
    harness.run();
    assert!(
        harness
            .state()
            .studio
            .context
            .document
            .painter
            .settings
            .radius()
            > before
    );
    harness.key_press(Key::K);
    harness.run();
    let target = harness
        .state()
        .studio
        .context
        .document
        .painter
        .settings
        .target;
    assert_eq!(target, Target::Background);

    harness.get_by_label("Find a class").focus();
    harness.run();
    harness.key_press(Key::E);
    harness.run();
    assert_eq!(
        harness
            .state()
            .studio
            .context
            .document
            .painter
            .settings
            .tool,
        Tool::Brush
    );
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
        harness
            .state()
            .studio
            .context
            .document
            .painter
            .settings
            .class,
        class::LEFT_BROW
    );
    harness.get_by_label("Lock left brow").click();
    harness.get_by_label("Hide right brow").click();
    harness.run();
    let settings = &harness.state().studio.context.document.painter.settings;
    assert!(settings.locked.contains(class::LEFT_BROW));
    assert!(settings.hidden.contains(class::RIGHT_BROW));
}

#[test]
fn tools_are_chosen_by_name_and_bring_their_layer() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    harness.get_by_label("Pencil").click();
    harness.run();
    assert_eq!(
        harness
            .state()
            .studio
            .context
            .document
            .painter
            .settings
            .layer,
        Layer::Sketch
    );
    paint(
        &mut harness,
        &[(100.0, 200.0), (300.0, 210.0), (300.0, 210.0)],
    );
    let sketch = &harness
        .state()
        .studio
        .context
        .document
        .painter
        .drawing()
        .sketch;
    assert!(sketch.get(200, 205) < 160, "{}", sketch.get(200, 205));
    harness.get_by_label("Mask").click();
    harness.run();
    let settings = &harness.state().studio.context.document.painter.settings;
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
    let mirror = harness
        .state()
        .studio
        .context
        .document
        .painter
        .settings
        .mirror;
    assert!((mirror.x - 300.0).abs() < 2.0, "{}", mirror.x);
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
    assert!(harness.state().studio.context.document.painter.busy());
    assert_eq!(class_of(&harness, 200.0, 180.0), class::BACKGROUND);
    harness.key_press(Key::Enter);
    harness.run();
    assert_eq!(class_of(&harness, 200.0, 180.0), class::SKIN);
    assert!(!harness.state().studio.context.document.painter.busy());
}

#[test]
fn alt_drag_changes_the_size_and_alt_click_picks_a_class() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    paint(&mut harness, &[(100.0, 100.0), (120.0, 100.0)]);
    harness.get_by_label("Hair").click();
    harness.run();
    let before = harness
        .state()
        .studio
        .context
        .document
        .painter
        .drawing()
        .clone();
    let radius = harness
        .state()
        .studio
        .context
        .document
        .painter
        .settings
        .radii
        .brush;
    drag_with(
        &mut harness,
        PointerButton::Primary,
        Modifiers::ALT,
        &[(200.0, 200.0), (230.0, 200.0)],
    );
    let now = harness
        .state()
        .studio
        .context
        .document
        .painter
        .settings
        .radii
        .brush;
    assert!((now - radius - 30.0).abs() < 1.0, "{radius} became {now}");
    drag_with(
        &mut harness,
        PointerButton::Primary,
        Modifiers::ALT,
        &[(110.0, 100.0)],
    );
    harness.run();
    assert_eq!(
        harness
            .state()
            .studio
            .context
            .document
            .painter
            .settings
            .class,
        class::SKIN
    );
    assert_eq!(
        *harness.state().studio.context.document.painter.drawing(),
        before
    );
}

#[test]
fn escape_during_a_resize_brings_the_old_size_back() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    let radius = harness
        .state()
        .studio
        .context
        .document
        .painter
        .settings
        .radii
        .brush;
    let (from, to) = (at(&harness, 200.0, 200.0), at(&harness, 240.0, 200.0));
    harness.event(Event::PointerMoved(from));
    harness.step();
    let press = button(from, PointerButton::Primary, true, Modifiers::ALT);
    harness.event_modifiers(press, Modifiers::ALT);
    harness.step();
    harness.event_modifiers(Event::PointerMoved(to), Modifiers::ALT);
    harness.step();
    assert!(
        harness
            .state()
            .studio
            .context
            .document
            .painter
            .settings
            .radii
            .brush
            > radius + 30.0
    );
    harness.key_press(Key::Escape);
    harness.step();
    let now = harness
        .state()
        .studio
        .context
        .document
        .painter
        .settings
        .radii
        .brush;
    assert_eq!(now, radius);
    let release = button(to, PointerButton::Primary, false, Modifiers::NONE);
    harness.event(release);
    harness.run();
    assert_eq!(
        harness
            .state()
            .studio
            .context
            .document
            .painter
            .settings
            .radii
            .brush,
        radius
    );
    assert!(!harness.state().studio.context.document.painter.can_undo());
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
    let painter = &mut harness.state_mut().studio.context.document.painter;
    let preview = painter.fill_preview(100.0, 100.0).expect("all of it");
    assert_eq!(preview.share, 1.0);
    paint(&mut harness, &[(100.0, 100.0)]);
    assert_eq!(class_of(&harness, 300.0, 300.0), class::BACKGROUND);
    assert!(common::told(&harness, "would change 100 % of the canvas"));
    paint(&mut harness, &[(100.0, 100.0)]);
    assert_eq!(class_of(&harness, 300.0, 300.0), class::SKIN);
}

#[test]
fn every_tool_of_the_list_is_in_the_strip_and_shows_its_options() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    harness.run();
    for tool in Tool::ALL {
        let info = tool.info();
        harness
            .get_by_role_and_label(egui::Role::Button, info.action)
            .click();
        harness.run();
        let settings = &harness.state().studio.context.document.painter.settings;
        assert_eq!(settings.acting_tool(), tool);
        assert!(tool.works_on(settings.layer), "{tool:?}");
        if info.size.is_some() {
            harness.get_by_role_and_label(egui::Role::Slider, "Size");
        }
        for option in info.options {
            match *option {
                ToolOption::Pixels { name, .. }
                | ToolOption::Percent { name, .. }
                | ToolOption::Switch { name, .. }
                | ToolOption::Choice { name, .. } => {
                    assert!(harness.query_all_by_label(name).next().is_some(), "{name}");
                }
                ToolOption::Stroke => {
                    harness.get_by_label("Stroke");
                }
                ToolOption::Hint(text) => {
                    harness.get_by_label(text);
                }
            }
        }
    }
}
