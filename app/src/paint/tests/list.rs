//! Every tool of the list: its data, and that a gesture with it does something.

use std::collections::BTreeSet;

use mmface_engine::labels::class;

use super::*;

/// A square of hair in the middle of the mask, a grey sketch, and skin to paint with.
fn prepared(tool: Tool, layer: Layer) -> Painter {
    let inside = |i: usize| [i % SIDE, i / SIDE].iter().all(|v| (40..90).contains(v));
    let mask = (0..SIDE * SIDE).map(|i| if inside(i) { class::HAIR } else { 0 });
    let mut painter = painter();
    painter.edit("Prepare", |drawing| {
        drawing.mask = Tiles::from_pixels(SIDE, SIDE, &mask.collect::<Vec<u8>>());
        drawing.sketch = Tiles::filled(SIDE, SIDE, 128);
    });
    painter.settings.class = class::SKIN;
    painter.settings.layer = layer;
    painter.settings.tool = tool;
    painter
}

/// A stroke inside of the square; where the tool waits for more, two corners and Enter.
fn gesture(painter: &mut Painter) {
    drag(painter, &[(60.0, 60.0), (64.0, 64.0), (70.0, 66.0)]);
    if painter.busy() {
        drag(painter, &[(70.0, 75.0)]);
        drag(painter, &[(55.0, 75.0)]);
        painter.confirm();
    }
}

#[test]
fn every_tool_has_a_working_gesture_on_each_of_its_layers() {
    for tool in Tool::ALL {
        let layers = tool.info().layers;
        assert!(!layers.is_empty(), "{tool:?} works nowhere");
        for &layer in layers {
            let mut painter = prepared(tool, layer);
            let before = painter.drawing().clone();
            let acting = painter.settings.acting_tool();
            gesture(&mut painter);
            assert_eq!(painter.take_notice(), None, "{tool:?} on {layer:?}");
            assert!(!painter.busy(), "{tool:?} on {layer:?} does not end");
            if painter.drawing() == &before {
                let picked = painter.settings.class == class::HAIR;
                assert!(picked, "{tool:?} does nothing on {layer:?}");
                continue;
            }
            assert_eq!(painter.undo_name(), Some(acting.title()));
            let other = match layer {
                Layer::Mask => Layer::Sketch,
                Layer::Sketch => Layer::Mask,
            };
            assert_eq!(painter.drawing().layer(other), before.layer(other));
            painter.undo();
            assert_eq!(painter.drawing(), &before, "undoing {tool:?}");
        }
    }
}

#[test]
fn ids_titles_keys_and_icons_are_unique() {
    let count = Tool::ALL.len();
    let infos = Tool::ALL.map(Tool::info);
    let ids: BTreeSet<_> = infos.iter().map(|info| info.id).collect();
    assert_eq!(ids.len(), count);
    assert!(ids.iter().all(|id| id.starts_with("tools.")));
    let titles: BTreeSet<_> = infos.iter().map(|info| info.title).collect();
    assert_eq!(titles.len(), count);
    let icons: BTreeSet<_> = infos.iter().map(|info| info.icon).collect();
    assert_eq!(icons.len(), count);
    let keys: Vec<_> = infos.iter().flat_map(|info| info.keys).collect();
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
    for info in infos {
        assert!(
            !info.action.is_empty() && !info.about.is_empty(),
            "{info:?}"
        );
    }
}

#[test]
fn a_counterpart_works_on_the_layer_that_it_stands_in_for() {
    for tool in Tool::ALL {
        for layer in [Layer::Mask, Layer::Sketch] {
            let settings = ToolSettings {
                tool,
                layer,
                ..ToolSettings::default()
            };
            let acting = settings.acting_tool();
            assert!(acting == tool || acting.works_on(layer), "{tool:?}");
        }
    }
}

#[test]
fn options_and_sizes_change_what_they_read() {
    for tool in Tool::ALL {
        let mut settings = ToolSettings::default();
        if let Some(size) = tool.info().size {
            (size.set)(&mut settings, 33.0);
            assert_eq!((size.get)(&settings), 33.0, "{tool:?}");
        }
        for option in tool.info().options {
            match *option {
                ToolOption::Pixels { max, get, set, .. } => {
                    set(&mut settings, max);
                    assert_eq!(get(&settings), max, "{option:?}");
                }
                ToolOption::Percent { get, set, .. } => {
                    set(&mut settings, 0.125);
                    assert_eq!(get(&settings), 0.125, "{option:?}");
                }
                ToolOption::Switch { get, set, .. } => {
                    let on = !get(&settings);
                    set(&mut settings, on);
                    assert_eq!(get(&settings), on, "{option:?}");
                }
                ToolOption::Choice {
                    choices, get, set, ..
                } => {
                    for i in 0..choices.len() {
                        set(&mut settings, i);
                        assert_eq!(get(&settings), i, "{option:?}");
                    }
                }
                ToolOption::Stroke | ToolOption::Hint(_) => {}
            }
        }
    }
}
