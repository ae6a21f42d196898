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
use super::dispatcher::Studio;
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
    pub gallery: gallery::State,
    /// The prompt of the template that was opened last: the next one replaces it where it still
    /// stands in the field.
    pub template_prompt: Option<String>,
    /// The mask that is being imported.
    pub import: Option<import::Import>,
}

/// The action that takes a class.
pub fn class_action(class: u8) -> String {
    let name = palette().classes.get(usize::from(class));
    format!("tools.class.{}", name.map_or("", |class| &class.name))
}

/// Does what the command says.
pub fn run(studio: &mut Studio, command: ToolsCommand) {
    let settings = &mut studio.context.document.painter.settings;
    match command {
        ToolsCommand::Undo => {
            studio.context.document.painter.undo();
        }
        ToolsCommand::Redo => {
            studio.context.document.painter.redo();
        }
        ToolsCommand::Choose(tool) => choose(studio, tool),
        ToolsCommand::Class(class) if usize::from(class) < CLASS_COUNT => {
            if settings.class != class {
                studio.context.document.last_class = std::mem::replace(&mut settings.class, class);
            }
            let waits = matches!(settings.tool, Tool::Eraser | Tool::Eyedropper);
            if settings.layer == Layer::Sketch {
                set_layer(studio, Layer::Mask);
            } else if waits {
                // Who picks a class wants to paint with it.
                choose(studio, Tool::Brush);
            }
        }
        ToolsCommand::Class(_) => {}
        ToolsCommand::SwapClasses => {
            let last = studio.context.document.last_class;
            studio.context.document.last_class = std::mem::replace(&mut settings.class, last);
        }
        ToolsCommand::StepSize(up) => settings.step_radius(up),
        ToolsCommand::Layer(layer) => set_layer(studio, layer),
        ToolsCommand::ToggleLayer => {
            let other = match settings.layer {
                Layer::Mask => Layer::Sketch,
                Layer::Sketch => Layer::Mask,
            };
            set_layer(studio, other);
        }
        ToolsCommand::Target(target) => settings.target = target,
        ToolsCommand::NextTarget => {
            let hover = studio.context.facts.canvas.hover;
            let under = hover.and_then(|at| studio.context.document.painter.class_at(at.x, at.y));
            let settings = &mut studio.context.document.painter.settings;
            settings.target = settings.target.next(under.unwrap_or(settings.class));
        }
        ToolsCommand::ToggleMirror => settings.mirror.on ^= true,
        ToolsCommand::CentreMirror => {
            let middle = studio.context.document.painter.drawing().side() as f32 / 2.0;
            let mirror = &mut studio.context.document.painter.settings.mirror;
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
        ToolsCommand::Clear => studio
            .context
            .document
            .painter
            .clear(studio.context.document.painter.settings.layer),
        ToolsCommand::Flip => studio.context.document.painter.flip(),
        ToolsCommand::Resize(side) => studio.context.document.painter.resize(side),
        ToolsCommand::FillContour => {
            if let Some(at) = studio.context.facts.canvas.hover {
                studio.context.document.painter.fill_contour(at.x, at.y);
            }
            if let Some(notice) = studio.context.document.painter.take_notice() {
                studio.tell(Toast::Info(notice));
            }
        }
        ToolsCommand::ToggleTemplates => gallery::toggle(studio),
        ToolsCommand::Template(name) => gallery::open(studio, &name),
        ToolsCommand::ImportMask => import::ask_for_mask(studio),
        ToolsCommand::ReadMask(path) => import::open(studio, path),
        ToolsCommand::ImportSketch => files::import_sketch(studio),
        ToolsCommand::MendImport(finding, other) => import::mend(studio, finding, other),
        ToolsCommand::MendAllOfImport => import::mend_all(studio),
        ToolsCommand::EndImport(take) => import::end(studio, take),
        ToolsCommand::ExportMask => files::export(studio, Layer::Mask),
        ToolsCommand::ExportSketch => files::export(studio, Layer::Sketch),
    }
}

/// Takes a tool. A waiting polygon of another tool is finished first, as by a press with it.
fn choose(studio: &mut Studio, tool: Tool) {
    let settings = &mut studio.context.document.painter.settings;
    let changed = settings.tool != tool;
    settings.tool = tool;
    if !tool.works_on(settings.layer) && settings.acting_tool() == tool {
        settings.layer = match settings.layer {
            Layer::Mask => Layer::Sketch,
            Layer::Sketch => Layer::Mask,
        };
    }
    match tool {
        Tool::Brush => settings.layer = Layer::Mask,
        Tool::Pencil | Tool::SketchEraser => settings.layer = Layer::Sketch,
        _ => {}
    }
    match settings.layer {
        Layer::Mask => studio.tools.mask_tool = tool,
        Layer::Sketch => studio.tools.sketch_tool = Some(tool),
    }
    if changed && studio.context.document.painter.busy() {
        studio.context.document.painter.confirm();
    }
}

/// Paints on a layer, with the tool that was last used there.
fn set_layer(studio: &mut Studio, layer: Layer) {
    let settings = &mut studio.context.document.painter.settings;
    if settings.layer == layer {
        return;
    }
    match settings.layer {
        Layer::Mask => studio.tools.mask_tool = settings.tool,
        Layer::Sketch => studio.tools.sketch_tool = Some(settings.tool),
    }
    settings.layer = layer;
    settings.tool = match layer {
        Layer::Mask => studio.tools.mask_tool,
        Layer::Sketch => studio.tools.sketch_tool.unwrap_or(Tool::Pencil),
    };
    if studio.context.document.painter.busy() {
        studio.context.document.painter.confirm();
    }
}

/// Takes over the settings.
pub fn start(studio: &mut Studio) {
    studio.context.document.painter.settings.pressure = studio.context.settings.pressure;
}
