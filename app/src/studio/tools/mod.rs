//! Tools, classes, mirror, paint target: how the pen acts on the drawing.

mod classes;
pub mod files;
pub mod gallery;
pub mod import;
mod options;
pub mod panel;
mod strip;

use mmface_engine::labels::{CLASS_COUNT, palette};

use super::command::ToolsCommand;
use super::context::{Context, Inbox};
use super::toast::Toast;
use crate::paint::{Layer, Tool};

/// The feature's state.
#[derive(Default)]
pub struct State {
    /// What the class list is searched for.
    pub search: String,
    /// The class on whose row the pointer is in this frame.
    pub lit: Option<u8>,
    /// The tool to go back to on each layer.
    mask_tool: Tool,
    sketch_tool: Option<Tool>,
    /// The window of templates.
    pub gallery: gallery::Gallery,
    /// The prompt of the template that was opened last: the next one replaces it where it still
    /// stands in the field.
    pub template_prompt: Option<String>,
    /// The mask that is being imported.
    pub import: Option<import::Import>,
    /// What came of slow work.
    pub inbox: Inbox<State>,
}

/// The action that takes a class.
pub fn class_action(class: u8) -> String {
    let name = palette().classes.get(usize::from(class));
    format!("tools.class.{}", name.map_or("", |class| &class.name))
}

/// Does what the command says.
pub fn handle(state: &mut State, command: ToolsCommand, cx: &mut Context) {
    let settings = &mut cx.document.painter.settings;
    match command {
        ToolsCommand::Settings(settings) => cx.document.painter.settings = *settings,
        ToolsCommand::ReadAs(scheme) => import::read_as(state, cx, scheme),
        ToolsCommand::Undo => {
            cx.document.painter.undo();
        }
        ToolsCommand::Redo => {
            cx.document.painter.redo();
        }
        ToolsCommand::Choose(tool) => choose(state, cx, tool),
        ToolsCommand::Class(class) if usize::from(class) < CLASS_COUNT => {
            if settings.class != class {
                cx.document.last_class = std::mem::replace(&mut settings.class, class);
            }
            let info = settings.tool.info();
            if settings.layer == Layer::Sketch {
                set_layer(state, cx, Layer::Mask);
            } else if info.class_takes_brush {
                // Who picks a class wants to paint with it.
                choose(state, cx, Tool::Brush);
            }
        }
        ToolsCommand::Class(_) => {}
        ToolsCommand::SwapClasses => {
            let last = cx.document.last_class;
            cx.document.last_class = std::mem::replace(&mut settings.class, last);
        }
        ToolsCommand::StepSize(up) => settings.step_radius(up),
        ToolsCommand::Layer(layer) => set_layer(state, cx, layer),
        ToolsCommand::ToggleLayer => {
            let other = match settings.layer {
                Layer::Mask => Layer::Sketch,
                Layer::Sketch => Layer::Mask,
            };
            set_layer(state, cx, other);
        }
        ToolsCommand::Target(target) => settings.target = target,
        ToolsCommand::NextTarget => {
            let hover = cx.facts.canvas.hover;
            let under = hover.and_then(|at| cx.document.painter.class_at(at.x, at.y));
            let settings = &mut cx.document.painter.settings;
            settings.target = settings.target.next(under.unwrap_or(settings.class));
        }
        ToolsCommand::ToggleMirror => settings.mirror.on ^= true,
        ToolsCommand::CentreMirror => {
            let middle = cx.document.painter.drawing().side() as f32 / 2.0;
            let mirror = &mut cx.document.painter.settings.mirror;
            (mirror.x, mirror.tilt) = (middle, 0.0);
        }
        ToolsCommand::ToggleHidden(class) => settings.hidden.toggle(class),
        ToolsCommand::ToggleLocked(class) => settings.locked.toggle(class),
        ToolsCommand::FreeAll => {
            settings.hidden = Default::default();
            settings.locked = Default::default();
        }
        ToolsCommand::HideCurrent => settings.hidden.toggle(settings.class),
        ToolsCommand::LockCurrent => settings.locked.toggle(settings.class),
        ToolsCommand::Clear => cx
            .document
            .painter
            .clear(cx.document.painter.settings.layer),
        ToolsCommand::Flip => cx.document.painter.flip(),
        ToolsCommand::Resize(side) => cx.document.painter.resize(side),
        ToolsCommand::FillContour => {
            if let Some(at) = cx.facts.canvas.hover {
                cx.document.painter.fill_contour(at.x, at.y);
            }
            if let Some(notice) = cx.document.painter.take_notice() {
                cx.tell(Toast::Info(notice));
            }
        }
        ToolsCommand::ToggleTemplates => gallery::toggle(state, cx),
        ToolsCommand::Template(name) => gallery::open(state, cx, &name),
        ToolsCommand::ImportMask => import::ask_for_mask(state, cx),
        ToolsCommand::ReadMask(path) => import::open(state, cx, path),
        ToolsCommand::ImportSketch => files::import_sketch(state, cx),
        ToolsCommand::MendImport(finding, other) => import::mend(state, cx, finding, other),
        ToolsCommand::MendAllOfImport => import::mend_all(state, cx),
        ToolsCommand::EndImport(take) => import::end(state, cx, take),
        ToolsCommand::ExportMask => files::export(state, cx, Layer::Mask),
        ToolsCommand::ExportSketch => files::export(state, cx, Layer::Sketch),
    }
}

/// Takes a tool. A waiting polygon of another tool is finished first, as by a press with it.
fn choose(state: &mut State, cx: &mut Context, tool: Tool) {
    let settings = &mut cx.document.painter.settings;
    let changed = settings.tool != tool;
    settings.tool = tool;
    if !tool.works_on(settings.layer)
        && let Some(&layer) = tool.info().layers.first()
    {
        settings.layer = layer;
    }
    match settings.layer {
        Layer::Mask => state.mask_tool = tool,
        Layer::Sketch => state.sketch_tool = Some(tool),
    }
    if changed && cx.document.painter.busy() {
        cx.document.painter.confirm();
    }
}

/// Paints on a layer, with the tool that was last used there.
fn set_layer(state: &mut State, cx: &mut Context, layer: Layer) {
    let settings = &mut cx.document.painter.settings;
    if settings.layer == layer {
        return;
    }
    match settings.layer {
        Layer::Mask => state.mask_tool = settings.tool,
        Layer::Sketch => state.sketch_tool = Some(settings.tool),
    }
    settings.layer = layer;
    settings.tool = match layer {
        Layer::Mask => state.mask_tool,
        Layer::Sketch => state.sketch_tool.unwrap_or(Tool::Pencil),
    };
    if cx.document.painter.busy() {
        cx.document.painter.confirm();
    }
}

/// Takes over the settings.
pub fn start(cx: &mut Context) {
    cx.document.painter.settings.pressure = cx.settings.pressure;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studio::testing;

    #[test]
    fn each_layer_gets_back_the_tool_that_was_used_there() {
        let home = tempfile::tempdir().expect("a folder");
        let mut cx = testing::context(home.path());
        let mut state = State::default();
        for command in [
            ToolsCommand::Choose(Tool::Lasso),
            ToolsCommand::Layer(Layer::Sketch),
            ToolsCommand::Layer(Layer::Mask),
        ] {
            handle(&mut state, command, &mut cx);
        }
        let settings = &cx.document.painter.settings;
        assert_eq!((settings.layer, settings.tool), (Layer::Mask, Tool::Lasso));
        handle(&mut state, ToolsCommand::ToggleLayer, &mut cx);
        assert_eq!(cx.document.painter.settings.tool, Tool::Pencil);
    }
}
