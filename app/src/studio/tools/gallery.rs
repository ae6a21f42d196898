//! "Start from a template": masks and sketches that come with the program, as pictures to choose.

use egui::{
    Align2, Color32, ColorImage, Rect, Role, ScrollArea, Sense, TextureHandle, TextureOptions, Ui,
    WidgetInfo, Window, pos2, vec2,
};
use mmface_engine::condition::{self, FitMode};
use mmface_engine::job::{Condition, ConditionKind, Named as _};

use super::State;
use super::ToolsCommand;
use crate::assets::{Template, Templates};
use crate::paint::Layer;
use crate::studio::class_colours as colours;
use crate::studio::context::Context;
use crate::studio::document::Look;
use crate::studio::toast::Toast;

/// Side of a thumbnail, pixels.
const THUMB: usize = 128;

/// The window of templates.
#[derive(Default)]
pub struct Gallery {
    /// It is open.
    pub open: bool,
    loading: bool,
    entries: Vec<Entry>,
    /// The colours that the textures were made with.
    friendly: Option<bool>,
    kind: ConditionKind,
}

struct Entry {
    template: Template,
    /// As small as it is shown.
    condition: Condition,
    texture: Option<TextureHandle>,
}

/// What a template's picture looks like.
fn image(condition: &Condition, friendly: bool) -> ColorImage {
    let pixels: Vec<Color32> = match condition {
        Condition::Mask(mask) => {
            let colour = |&class: &u8| colours::colour(friendly, class);
            mask.labels.iter().map(colour).collect()
        }
        Condition::Sketch(sketch) => {
            let grey = |&value: &u8| Color32::from_gray(value);
            sketch.pixels.iter().map(grey).collect()
        }
        Condition::None => Vec::new(),
    };
    let (width, height) = condition.dimensions().unwrap_or_default();
    ColorImage::new([width, height], pixels)
}

fn read(templates: &Templates, template: &Template) -> Result<Condition, String> {
    let read = condition::read(&templates.path(template), template.kind, FitMode::default());
    read.map(|(condition, _)| condition)
        .map_err(|error| error.to_string())
}

/// Opens or closes the window; the first time, the thumbnails are read beside the GUI thread.
pub(super) fn toggle(state: &mut State, cx: &mut Context) {
    let gallery = &mut state.gallery;
    gallery.open ^= true;
    if !gallery.open || gallery.loading || !gallery.entries.is_empty() {
        return;
    }
    gallery.loading = true;
    cx.spawn(&state.inbox, "reading the templates", || {
        let read = Templates::load()
            .map_err(|failure| failure.to_string())
            .and_then(|templates| {
                let list = templates.list.iter().map(|template| {
                    Ok(Entry {
                        template: template.clone(),
                        condition: read(&templates, template)?.resized(THUMB, THUMB),
                        texture: None,
                    })
                });
                list.collect::<Result<Vec<_>, String>>()
            });
        move |state: &mut State, cx: &mut Context| {
            state.gallery.loading = false;
            match read {
                Ok(entries) => state.gallery.entries = entries,
                Err(why) => {
                    state.gallery.open = false;
                    cx.tell(Toast::Error(why));
                }
            }
        }
    });
}

/// Puts a template on its layer as one step of undo, and its prompt into the field.
pub(super) fn open(state: &mut State, cx: &mut Context, name: &str) {
    let name = name.to_owned();
    state.gallery.open = false;
    cx.spawn(&state.inbox, "opening the template", move || {
        let result = Templates::load()
            .and_then(|templates| {
                let template = templates.find(Some(&name))?.clone();
                Ok((read(&templates, &template), template))
            })
            .map_err(|failure| failure.to_string())
            .and_then(|(condition, template)| Ok((condition?, template)));
        move |state: &mut State, cx: &mut Context| match result {
            Ok((condition, template)) => put(state, cx, &condition, template),
            Err(why) => cx.tell(Toast::Error(why)),
        }
    });
}

fn put(state: &mut State, cx: &mut Context, condition: &Condition, template: Template) {
    let name = format!("Template {}", template.title);
    cx.document
        .painter
        .edit(&name, |drawing| drawing.set_condition(condition));
    if let Some(layer) = Layer::of(condition.kind()) {
        cx.emit(ToolsCommand::Layer(layer));
    }
    cx.document.look = Look::Drawing;
    let prompt = &mut cx.document.request.draw.prompt;
    // Words that a person wrote stay; those of the template before go with it.
    if prompt.trim().is_empty() || state.template_prompt.as_ref() == Some(prompt) {
        prompt.clone_from(&template.prompt);
    }
    cx.document.request.follow = condition.kind();
    state.template_prompt = Some(template.prompt);
    cx.document.template = Some(template.name);
}

/// Draws the window when it is open.
pub(super) fn show(ctx: &egui::Context, state: &mut State, cx: &Context) {
    if !state.gallery.open {
        return;
    }
    let friendly = cx.settings.friendly_colours;
    if state.gallery.friendly != Some(friendly) {
        state.gallery.friendly = Some(friendly);
        for entry in &mut state.gallery.entries {
            entry.texture = None;
        }
    }
    let mut open = true;
    Window::new("Start from a template")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0))
        .fixed_size(vec2(620.0, 430.0))
        .show(ctx, |ui| {
            ui.horizontal(|ui| {
                let gallery = &mut state.gallery;
                for &kind in ConditionKind::ALL {
                    let mut templates = gallery.entries.iter().map(|entry| entry.template.kind);
                    if templates.any(|there| there == kind) {
                        ui.selectable_value(&mut gallery.kind, kind, kind.plural());
                    }
                }
                ui.weak("Replaces the layer and the prompt; undo brings the layer back.");
            });
            ui.separator();
            ScrollArea::vertical()
                .auto_shrink(false)
                .show(ui, |ui| entries(ui, state, cx, friendly));
        });
    if ctx.input(|i| i.key_pressed(egui::Key::Escape)) {
        open = false;
    }
    state.gallery.open &= open;
}

fn entries(ui: &mut Ui, state: &mut State, cx: &Context, friendly: bool) {
    if state.gallery.loading {
        ui.spinner();
        return;
    }
    let wanted = state.gallery.kind;
    let mut chosen = None;
    let theme = cx.theme.colours(ui).clone();
    ui.horizontal_wrapped(|ui| {
        for entry in &mut state.gallery.entries {
            if entry.template.kind != wanted {
                continue;
            }
            let size = vec2(THUMB as f32 + 12.0, THUMB as f32 + 32.0);
            let (rect, response) = ui.allocate_exact_size(size, Sense::click());
            let title = &entry.template.title;
            response.widget_info(|| WidgetInfo::labeled(Role::Button, true, title));
            let fill = if response.hovered() || response.has_focus() {
                theme.hovered
            } else {
                theme.button
            };
            ui.painter().rect_filled(rect, 5.0, fill);
            let texture = entry.texture.get_or_insert_with(|| {
                let name = format!("template {}", entry.template.name);
                let image = image(&entry.condition, friendly);
                ui.ctx().load_texture(name, image, TextureOptions::LINEAR)
            });
            let picture =
                Rect::from_min_size(rect.min + vec2(6.0, 6.0), vec2(THUMB as f32, THUMB as f32));
            let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            ui.painter()
                .image(texture.id(), picture, whole, Color32::WHITE);
            let mut job = egui::text::LayoutJob::simple_singleline(
                title.clone(),
                egui::TextStyle::Small.resolve(ui.style()),
                theme.text,
            );
            job.wrap = egui::text::TextWrapping::truncate_at_width(THUMB as f32);
            let galley = ui.painter().layout_job(job);
            let at = pos2(rect.center().x - galley.size().x / 2.0, picture.max.y + 5.0);
            ui.painter().galley(at, galley, theme.text);
            let prompt = &entry.template.prompt;
            if response
                .on_hover_text(format!("{title}\n{prompt}"))
                .clicked()
            {
                chosen = Some(entry.template.name.clone());
            }
        }
    });
    if let Some(name) = chosen {
        cx.emit(ToolsCommand::Template(name));
    }
}
