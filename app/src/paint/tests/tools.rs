//! Tool by tool: what a person sees.

use mmface_engine::labels::class;

use super::super::*;
use super::{SIDE, at, count, drag, painter, stroke};

#[test]
fn one_stroke_is_one_step_and_nothing_is_none() {
    let mut painter = painter();
    painter.settings.class = class::NOSE;
    let revision = painter.revision();
    drag(&mut painter, &[(20.0, 20.0), (60.0, 25.0), (90.0, 80.0)]);
    assert!(painter.revision() > revision && !painter.busy());
    assert_eq!(painter.undo_name(), Some("Brush"));
    assert!(count(&painter, class::NOSE) > 1000);
    // The same again changes nothing and is no step.
    drag(&mut painter, &[(20.0, 20.0), (60.0, 25.0), (90.0, 80.0)]);
    assert!(painter.undo() && !painter.can_undo() && painter.can_redo());
    assert_eq!(painter.drawing(), &Drawing::new(SIDE));
    // A new stroke forgets what was undone.
    drag(&mut painter, &[(5.0, 5.0)]);
    assert!(!painter.can_redo());
}

#[test]
fn the_thinnest_brush_paints_the_pixel_under_the_cursor() {
    let mut painter = painter();
    painter.settings.set_radius(0.5);
    drag(&mut painter, &[(10.9, 10.05)]);
    assert_eq!(painter.drawing().mask.get(10, 10), class::SKIN);
    assert_eq!(count(&painter, class::SKIN), 1);
    drag(&mut painter, &[(20.1, 20.9), (40.9, 31.0)]);
    // A line of single pixels without a gap.
    let heights: Vec<usize> = (20..=40)
        .map(|x| (0..SIDE).find(|&y| painter.drawing().mask.get(x, y) == class::SKIN))
        .map(|y| y.expect("every column has a pixel"))
        .collect();
    assert!(
        heights.windows(2).all(|pair| pair[1] - pair[0] <= 1),
        "{heights:?}"
    );
    assert_eq!((heights[0], heights[20]), (20, 31));
    assert!(count(&painter, class::SKIN) <= 1 + 21 + 4);
}

#[test]
fn the_right_button_erases_with_the_size_of_the_brush() {
    let mut painter = painter();
    painter.settings.set_radius(8.0);
    painter.settings.target = Target::Background;
    drag(&mut painter, &[(30.0, 60.0), (90.0, 60.0)]);
    stroke(
        &mut painter,
        &[(60.0, 40.0), (60.0, 80.0)],
        Button::Secondary,
    );
    let row = |x| painter.drawing().mask.get(x, 60);
    assert_eq!([40, 53, 66, 80].map(row), [class::SKIN, 0, 0, class::SKIN]);
}

#[test]
fn a_pen_presses_the_brush_wider_a_mouse_does_not() {
    let width = |pressure: f32| {
        let mut painter = painter();
        painter.settings.set_radius(20.0);
        painter.press(Sample::pen(64.0, 64.0, pressure, 0.0), Button::Primary);
        painter.release();
        count(&painter, class::SKIN)
    };
    assert!(width(0.2) * 3 < width(1.0));
    assert_eq!(width(-1.0), width(1.0));
}

#[test]
fn a_pulled_string_lets_the_stroke_end_under_the_hand() {
    let mut painter = painter();
    painter.settings.set_radius(2.0);
    painter.settings.stabiliser.string = 30.0;
    painter.press(at(20.0, 64.0), Button::Primary);
    painter.drag(at(100.0, 64.0));
    assert_eq!(
        [60, 95].map(|x| painter.drawing().mask.get(x, 64)),
        [class::SKIN, 0]
    );
    painter.release();
    assert_eq!(painter.drawing().mask.get(99, 64), class::SKIN);
}

#[test]
fn a_polygon_grows_by_clicks_and_closes_at_its_first_corner() {
    let mut painter = painter();
    painter.settings.tool = Tool::Polygon;
    let click = |painter: &mut Painter, x: f32, y: f32| {
        painter.press(at(x, y), Button::Primary);
        painter.release();
        painter.hover(at(x + 3.0, y));
    };
    for (x, y) in [(20.0, 20.0), (100.0, 20.0), (5.0, 5.0)] {
        click(&mut painter, x, y);
    }
    assert!(painter.busy() && painter.overlay().lines[0].points.len() == 4);
    assert!(painter.undo(), "takes the last corner back");
    click(&mut painter, 100.0, 90.0);
    click(&mut painter, 20.0, 90.0);
    click(&mut painter, 22.0, 23.0);
    assert!(!painter.busy());
    assert_eq!(count(&painter, class::SKIN), 80 * 70);
    assert!(painter.undo());
    assert_eq!(count(&painter, class::SKIN), 0);
    // Two corners enclose nothing; the secondary button takes corners away.
    click(&mut painter, 20.0, 20.0);
    click(&mut painter, 90.0, 20.0);
    for _ in 0..2 {
        painter.press(at(0.0, 0.0), Button::Secondary);
        painter.release();
    }
    assert!(!painter.busy() && !painter.can_undo());
}

#[test]
fn lines_and_ellipses_follow_the_hand_and_its_modifiers() {
    let mut painter = painter();
    painter.settings.tool = Tool::Ellipse;
    drag(&mut painter, &[(20.0, 30.0), (60.0, 90.0), (100.0, 70.0)]);
    let area = std::f64::consts::PI * 40.0 * 20.0;
    assert!((count(&painter, class::SKIN) as f64 - area).abs() < area * 0.01);
    painter.undo();
    painter.settings.constrain = true;
    painter.settings.from_centre = true;
    drag(&mut painter, &[(64.0, 64.0), (94.0, 70.0)]);
    let mask = &painter.drawing().mask;
    assert_eq!(
        [(64, 35), (64, 93), (35, 64), (93, 64), (43, 43)].map(|(x, y)| mask.get(x, y)),
        [1; 5]
    );
    painter.undo();
    painter.settings.tool = Tool::Line;
    drag(&mut painter, &[(20.0, 64.0), (100.0, 70.0)]);
    assert_eq!(
        painter.drawing().mask.get(99, 64),
        class::SKIN,
        "snapped to level"
    );
}

#[test]
fn a_large_fill_asks_first() {
    let mut painter = painter();
    painter.settings.tool = Tool::Fill;
    let preview = painter.fill_preview(5.0, 5.0).expect("all of the canvas");
    assert!(preview.share == 1.0 && preview.area.get(100, 100) == 1);
    drag(&mut painter, &[(5.0, 5.0)]);
    assert!(
        painter
            .take_notice()
            .is_some_and(|notice| notice.contains("100 %"))
    );
    assert!(painter.drawing().is_empty(Layer::Mask) && painter.take_notice().is_none());
    drag(&mut painter, &[(50.0, 80.0)]);
    assert_eq!(count(&painter, class::SKIN), SIDE * SIDE);
    assert!(
        painter.fill_preview(5.0, 5.0).is_none(),
        "nothing would change"
    );
    // What is locked or no target says so.
    painter.settings.class = class::HAIR;
    painter.settings.target = Target::Background;
    drag(&mut painter, &[(5.0, 5.0)]);
    assert!(
        painter
            .take_notice()
            .is_some_and(|notice| notice.contains("skin") && notice.contains("background only"))
    );
}

#[test]
fn a_fill_stops_at_lines_and_grows_under_them() {
    let mut painter = painter();
    painter.settings.tool = Tool::Line;
    painter.settings.class = class::HAIR;
    painter.settings.radii.line = 2.0;
    // A triangle with a gap of about three pixels at its top.
    drag(&mut painter, &[(62.0, 20.0), (30.0, 100.0)]);
    drag(&mut painter, &[(30.0, 100.0), (100.0, 100.0)]);
    drag(&mut painter, &[(100.0, 100.0), (69.0, 20.0)]);
    painter.settings.tool = Tool::Fill;
    painter.settings.class = class::SKIN;
    painter.settings.fill_gap = 6;
    let area = painter
        .fill_preview(64.0, 70.0)
        .expect("the triangle")
        .share;
    assert!((0.12..0.2).contains(&area), "{area}");
    drag(&mut painter, &[(64.0, 70.0)]);
    assert_eq!(
        [(64, 95), (64, 10), (34, 96)].map(|(x, y)| painter.drawing().mask.get(x, y)),
        [1, 0, 1]
    );
    painter.undo();
    painter.settings.fill_grow = 2;
    assert!(
        painter
            .fill_preview(64.0, 70.0)
            .expect("the triangle")
            .share
            > area
    );
    painter.settings.fill_gap = 0;
    assert!(painter.fill_preview(64.0, 70.0).expect("leaks").share > 0.7);
}

#[test]
fn a_closed_contour_is_filled_on_release_or_by_double_click() {
    let ring: Vec<(f32, f32)> = (0..=40)
        .map(|i| i as f32 / 40.0 * std::f32::consts::TAU)
        .map(|turn| (64.0 + 40.0 * turn.cos(), 64.0 + 40.0 * turn.sin()))
        .collect();
    let mut painter = painter();
    painter.settings.set_radius(3.0);
    drag(&mut painter, &ring);
    assert_eq!(painter.drawing().mask.get(64, 64), 0);
    assert!(!painter.fill_contour(5.0, 5.0), "outside of the ring");
    assert!(
        painter
            .take_notice()
            .is_some_and(|notice| notice.contains("skin"))
    );
    // The clicks of a double click paint a dab first.
    drag(&mut painter, &[(70.0, 60.0)]);
    assert!(painter.fill_contour(70.0, 60.0));
    assert!(count(&painter, class::SKIN) > 5400);
    for _ in 0..3 {
        painter.undo();
    }
    painter.settings.contour_fill = true;
    drag(&mut painter, &ring);
    assert_eq!(painter.drawing().mask.get(64, 64), class::SKIN);
    assert!(
        painter.undo() && painter.drawing().is_empty(Layer::Mask),
        "one step"
    );
    drag(&mut painter, &ring[..25]);
    assert_eq!(
        painter.drawing().mask.get(64, 64),
        0,
        "an open stroke encloses nothing"
    );
}

#[test]
fn the_eyedropper_takes_the_class_and_leaves_no_step() {
    let mut painter = painter();
    painter.settings.class = class::HAT;
    drag(&mut painter, &[(40.0, 40.0)]);
    painter.settings.class = class::SKIN;
    painter.settings.tool = Tool::Eyedropper;
    drag(&mut painter, &[(100.0, 100.0), (40.0, 40.0), (900.0, 40.0)]);
    assert_eq!(
        (painter.settings.class, painter.class_at(40.0, 40.0)),
        (class::HAT, Some(class::HAT))
    );
    painter.undo();
    assert!(painter.drawing().is_empty(Layer::Mask));
}

/// A skin-coloured canvas with an eye of 20 by 10 pixels.
fn eye() -> Painter {
    let mut painter = painter();
    painter.edit("Begin", |drawing| {
        for y in 0..SIDE {
            drawing.mask.fill_row(y, 0..SIDE, class::SKIN);
        }
        for y in 40..50 {
            drawing.mask.fill_row(y, 30..50, class::LEFT_EYE);
        }
    });
    painter.settings.tool = Tool::Transform;
    painter
}

#[test]
fn a_region_moves_and_its_neighbour_closes_the_hole() {
    let mut painter = eye();
    drag(&mut painter, &[(35.0, 45.0), (45.0, 60.0), (65.3, 75.2)]);
    assert!(painter.busy());
    let mask = &painter.drawing().mask;
    assert_eq!(
        [(40, 45), (59, 70), (60, 70), (79, 79), (80, 79)].map(|(x, y)| mask.get(x, y)),
        [1, 1, 4, 4, 1]
    );
    assert_eq!(count(&painter, class::LEFT_EYE), 200);
    painter.confirm();
    assert!(!painter.busy() && painter.undo_name() == Some("Transform"));
    assert!(painter.undo());
    assert_eq!(painter.drawing(), eye().drawing());
}

#[test]
fn handles_scale_from_the_opposite_side_and_turn() {
    let mut painter = eye();
    drag(&mut painter, &[(35.0, 45.0)]);
    let handle = |painter: &Painter, kind| {
        let handles = painter.overlay().handles;
        let [x, y] = handles
            .iter()
            .find(|handle| handle.kind == kind)
            .expect("has it")
            .at;
        (x, y)
    };
    assert_eq!(handle(&painter, HandleKind::Scale(1, 1)), (50.0, 50.0));
    painter.settings.reach = 3.0;
    drag(&mut painter, &[(50.0, 50.0), (70.0, 60.0)]);
    assert_eq!(count(&painter, class::LEFT_EYE), 800);
    assert_eq!(
        painter.drawing().mask.get(30, 40),
        class::LEFT_EYE,
        "this corner stays"
    );
    let (x, y) = handle(&painter, HandleKind::Rotate);
    painter.settings.constrain = true;
    // A quarter turn about the centre at 50, 50.
    drag(&mut painter, &[(x, y), (50.0 - (y - 50.0), 50.0)]);
    let mask = &painter.drawing().mask;
    assert_eq!(
        [(50, 31), (50, 69), (31, 50), (69, 50)].map(|(x, y)| mask.get(x, y)),
        [4, 4, 1, 1]
    );
    assert!(count(&painter, class::LEFT_EYE).abs_diff(800) < 30);
    // A press beside the box puts it down; undo brings all of it back.
    painter.press(at(120.0, 120.0), Button::Primary);
    assert_eq!(painter.undo_name(), Some("Transform"));
    painter.abort();
    painter.undo();
    assert_eq!(painter.drawing(), eye().drawing());
}

#[test]
fn a_waiting_region_goes_back_by_undo_and_locked_ones_stay() {
    let mut painter = eye();
    drag(&mut painter, &[(35.0, 45.0), (90.0, 90.0)]);
    assert!(painter.undo() && !painter.busy());
    assert_eq!(painter.drawing(), eye().drawing());
    painter.settings.locked.insert(class::LEFT_EYE);
    drag(&mut painter, &[(35.0, 45.0), (90.0, 90.0)]);
    assert!(
        painter
            .take_notice()
            .is_some_and(|notice| notice.contains("locked"))
    );
    assert_eq!(painter.drawing(), eye().drawing());
}

#[test]
fn tools_of_the_other_layer_say_so() {
    let mut painter = painter();
    painter.settings.layer = Layer::Sketch;
    painter.settings.tool = Tool::Fill;
    drag(&mut painter, &[(35.0, 45.0)]);
    assert!(
        painter
            .take_notice()
            .is_some_and(|notice| notice.contains("mask"))
    );
    // A brush on the sketch is a pencil.
    painter.settings.tool = Tool::Brush;
    drag(&mut painter, &[(35.0, 45.0), (80.0, 45.0)]);
    assert!(painter.drawing().is_empty(Layer::Mask) && painter.drawing().sketch.get(60, 45) < 100);
    stroke(
        &mut painter,
        &[(35.0, 45.0), (80.0, 45.0)],
        Button::Secondary,
    );
    assert!(painter.drawing().sketch.get(60, 45) > 180);
}

#[test]
fn edits_are_steps_and_replacing_forgets_them() {
    let mut painter = painter();
    drag(&mut painter, &[(64.0, 64.0)]);
    painter.clear(Layer::Mask);
    assert!(painter.drawing().is_empty(Layer::Mask) && painter.undo_name() == Some("Clear"));
    painter.undo();
    painter.flip();
    painter.resize(256);
    assert_eq!(
        (painter.drawing().side(), painter.settings.mirror.x),
        (256, 128.0)
    );
    painter.undo();
    assert_eq!(
        (painter.drawing().side(), painter.settings.mirror.x),
        (SIDE, 64.0)
    );
    // Layers of unequal size would break every view.
    let before = painter.drawing().clone();
    painter.edit("Nonsense", |drawing| {
        drawing.mask = Tiles::filled(64, 128, 0)
    });
    assert_eq!(painter.drawing(), &before);
    painter.replace(Drawing::new(512));
    assert!(!painter.can_undo() && !painter.can_redo() && painter.history_bytes() == 0);
    assert_eq!(painter.settings.mirror.x, 256.0);
}

#[test]
fn only_pixels_count_for_the_drawing_s_revision() {
    let mut painter = painter();
    painter.settings.tool = Tool::Lasso;
    painter.press(at(20.0, 20.0), Button::Primary);
    painter.drag(at(60.0, 20.0));
    painter.drag(at(60.0, 60.0));
    let before = (painter.revision(), painter.drawing_revision());
    painter.drag(at(20.0, 60.0));
    assert!(painter.revision() > before.0 && painter.drawing_revision() == before.1);
    painter.release();
    assert!(painter.drawing_revision() > before.1);
    let before = painter.drawing_revision();
    painter.undo();
    assert!(painter.drawing_revision() > before);
}

#[test]
fn an_edit_in_the_middle_of_a_stroke_keeps_the_stroke() {
    let mut painter = painter();
    painter.press(at(64.0, 64.0), Button::Primary);
    painter.edit("Hat", |drawing| drawing.mask.set(0, 0, class::HAT));
    painter.drag(at(90.0, 64.0));
    painter.release();
    assert_eq!(painter.steps(), (2, 0));
    painter.undo();
    assert_eq!(
        (painter.class_at(64.0, 64.0), painter.class_at(0.0, 0.0)),
        (Some(class::SKIN), Some(0))
    );
}

#[test]
fn the_history_of_a_long_session_stays_within_its_bytes() {
    let mut painter = Painter::new(Drawing::new(512));
    painter.set_history_limit(2 << 20);
    for i in 0..120u8 {
        painter.settings.class = i % 18 + 1;
        let y = f32::from(i) * 4.0;
        drag(&mut painter, &[(10.0, y), (500.0, y)]);
        assert!(painter.history_bytes() <= 2 << 20);
    }
    assert!(painter.steps().0 > 20);
}
