//! Random gestures with every tool: whatever is drawn, undo, redo and abort are exact.

use mmface_engine::labels::class;
use proptest::prelude::*;

use super::super::*;
use super::{SIDE, at, drag, painter};

/// Settings, a button, samples, and whether the gesture is aborted.
#[derive(Clone, Debug)]
struct Random {
    settings: ToolSettings,
    button: Button,
    samples: Vec<Sample>,
    abort: bool,
}

fn coordinate() -> impl Strategy<Value = f32> {
    prop_oneof![
        12 => -20.0f32..150.0,
        1 => Just(f32::NAN),
        1 => Just(f32::INFINITY),
        1 => Just(-1e30f32),
        1 => Just(3e9f32),
    ]
}

fn sample() -> impl Strategy<Value = Sample> {
    let pressure = prop_oneof![Just(-1.0f32), 0.0f32..1.0, Just(f32::NAN), Just(9.0)];
    let seconds = prop_oneof![4 => 0.0f32..2.0, 1 => Just(f32::NAN)];
    (coordinate(), coordinate(), pressure, seconds).prop_map(|(x, y, pressure, seconds)| Sample {
        x,
        y,
        pressure,
        seconds,
    })
}

/// Of sets of classes those that a mirror leaves alone.
fn mirrored_set() -> impl Strategy<Value = ClassSet> {
    prop_oneof![
        3 => Just(ClassSet::NONE),
        1 => Just([class::HAIR].into_iter().collect()),
        1 => Just([class::LEFT_EYE, class::RIGHT_EYE].into_iter().collect()),
    ]
}

fn settings() -> impl Strategy<Value = ToolSettings> {
    let what = (
        0usize..Tool::ALL.len(),
        any::<bool>(),
        0u8..19,
        0.0f32..30.0,
    );
    let target = prop_oneof![
        3 => Just(Target::Everything),
        1 => Just(Target::Background),
        1 => (0u8..19).prop_map(Target::Class),
    ];
    let mirror = (
        any::<bool>(),
        0.0f32..128.0,
        prop_oneof![Just(0.0f32), -2.0f32..2.0],
    );
    let numbers = (
        0u8..=14,
        0u8..=4,
        0.0f32..1.0,
        0.0f32..30.0,
        any::<[bool; 5]>(),
    );
    (what, target, mirror, mirrored_set(), numbers).prop_map(
        |(
            (tool, sketch, class, radius),
            target,
            (on, x, tilt),
            locked,
            (gap, grow, soft, string, flags),
        )| {
            let mut settings = ToolSettings {
                layer: if sketch { Layer::Sketch } else { Layer::Mask },
                tool: Tool::ALL[tool],
                class,
                target,
                mirror: Mirror { on, x, tilt },
                locked,
                fill_gap: gap,
                fill_grow: grow,
                hardness: soft,
                stabiliser: Stabiliser {
                    smoothing: soft,
                    string,
                },
                constrain: flags[0],
                from_centre: flags[1],
                contour_fill: flags[2],
                transform_whole_class: flags[3],
                pressure: flags[4],
                ..ToolSettings::default()
            };
            settings.set_radius(radius);
            settings
        },
    )
}

fn gesture() -> impl Strategy<Value = Random> {
    let samples = proptest::collection::vec(sample(), 1..8);
    let button = prop_oneof![3 => Just(Button::Primary), 1 => Just(Button::Secondary)];
    (settings(), button, samples, proptest::bool::weighted(0.2)).prop_map(
        |(settings, button, samples, abort)| Random {
            settings,
            button,
            samples,
            abort,
        },
    )
}

/// Performs a gesture; each new step's drawing goes to `states`.
fn perform(painter: &mut Painter, random: &Random, states: &mut Vec<Drawing>) {
    let mut steps = painter.steps().0;
    let mut call = |painter: &mut Painter, action: &dyn Fn(&mut Painter)| {
        action(painter);
        if painter.steps().0 != steps {
            steps += 1;
            assert_eq!(painter.steps().0, steps, "two steps at once");
            states.push(painter.drawing().clone());
        }
    };
    painter.settings = random.settings.clone();
    let corners = random.settings.acting_tool() == Tool::Polygon;
    for (i, &sample) in random.samples.iter().enumerate() {
        // A large fill asks first: press twice.
        if i == 0 || corners || random.settings.tool == Tool::Fill {
            call(painter, &|painter| painter.press(sample, random.button));
            painter.hover(sample);
        } else {
            painter.drag(sample);
        }
        if corners || random.settings.tool == Tool::Fill {
            call(painter, &|painter| painter.release());
        }
    }
    call(painter, &|painter| painter.release());
    // A lifted region is turned and stretched as well.
    for handle in painter.overlay().handles.into_iter().take(3) {
        call(painter, &|painter| {
            painter.press(at(handle.at[0], handle.at[1]), Button::Primary)
        });
        painter.drag(at(handle.at[0] + 9.0, handle.at[1] - 14.0));
        call(painter, &|painter| painter.release());
    }
    if random.abort {
        painter.abort();
    }
    call(painter, &|painter| painter.confirm());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn undo_and_redo_give_every_byte_back(gestures in proptest::collection::vec(gesture(), 1..12)) {
        let mut painter = painter();
        drag(&mut painter, &[(30.0, 30.0), (90.0, 90.0)]);
        let mut states = vec![painter.drawing().clone()];
        for random in &gestures {
            perform(&mut painter, random, &mut states);
            prop_assert!(!painter.busy());
            prop_assert_eq!(painter.drawing(), states.last().expect("begins with one"), "a change without a step");
            prop_assert!(painter.drawing().label_image().check().is_ok());
        }
        for expected in states.iter().rev().skip(1) {
            prop_assert!(painter.undo());
            prop_assert_eq!(painter.drawing(), expected);
        }
        for expected in states.iter().skip(1) {
            prop_assert!(painter.redo());
            prop_assert_eq!(painter.drawing(), expected);
        }
        prop_assert!(!painter.can_redo());
    }

    #[test]
    fn abort_gives_every_byte_back(first in gesture(), second in gesture()) {
        let mut painter = painter();
        drag(&mut painter, &[(40.0, 64.0), (80.0, 64.0)]);
        perform(&mut painter, &first, &mut Vec::new());
        let (before, steps) = (painter.drawing().clone(), painter.steps());
        painter.settings = second.settings.clone();
        painter.press(second.samples[0], second.button);
        for &sample in &second.samples[1..] {
            painter.drag(sample);
        }
        painter.abort();
        prop_assert_eq!(painter.drawing(), &before);
        prop_assert_eq!(painter.steps(), steps);
        prop_assert!(!painter.busy() && painter.overlay().is_empty());
    }

    #[test]
    fn a_central_mirror_makes_both_halves_alike(gestures in proptest::collection::vec(gesture(), 1..8)) {
        let mut painter = painter();
        for mut random in gestures {
            random.settings.mirror = Mirror { on: true, x: SIDE as f32 / 2.0, tilt: 0.0 };
            if random.settings.tool == Tool::Transform {
                continue; // Moves one region, on purpose.
            }
            perform(&mut painter, &random, &mut Vec::new());
            let drawing = painter.drawing();
            prop_assert_eq!(&drawing.flipped(), drawing, "after {:?}", random.settings.tool);
        }
    }

    #[test]
    fn a_lasso_is_the_same_at_every_zoom(
        corners in proptest::collection::vec((-200i32..1200, -200i32..1200), 3..20), zoom in 0.07f32..40.0,
        origin in (-300.0f32..300.0, -300.0f32..300.0),
    ) {
        let draw = |zoom: f32, origin: (f32, f32)| {
            let mut painter = painter();
            painter.settings.tool = Tool::Lasso;
            // On the screen and back, as a view does it.
            let place = |&(x, y): &(i32, i32)| {
                let (x, y) = (x as f32 / 8.0, y as f32 / 8.0);
                let screen = ((x - origin.0) * zoom, (y - origin.1) * zoom);
                (screen.0 / zoom + origin.0, screen.1 / zoom + origin.1)
            };
            drag(&mut painter, &corners.iter().map(place).collect::<Vec<_>>());
            painter.drawing().clone()
        };
        prop_assert_eq!(draw(1.0, (0.0, 0.0)), draw(zoom, origin));
    }

    #[test]
    fn locked_classes_are_never_painted_over(gestures in proptest::collection::vec(gesture(), 1..6)) {
        let mut painter = painter();
        painter.settings.class = class::HAIR;
        drag(&mut painter, &[(20.0, 40.0), (100.0, 50.0)]);
        let hair = painter.drawing().mask.to_pixels();
        for mut random in gestures {
            random.settings.locked.insert(class::HAIR);
            perform(&mut painter, &random, &mut Vec::new());
            let now = painter.drawing().mask.to_pixels();
            let lost = hair.iter().zip(&now).filter(|&(&old, &new)| old == class::HAIR && new != old).count();
            prop_assert_eq!(lost, 0);
        }
    }
}
