//! "Start from a template": masks and sketches that come with the program, as pictures to choose.

use egui::{
    Align2, Color32, ColorImage, Context, Rect, Role, ScrollArea, Sense, TextureHandle,
    TextureOptions, Ui, WidgetInfo, Window, pos2, vec2,
};
use mmface_engine::condition::{read_mask, read_sketch};
use mmface_engine::job::ConditionKind;
use mmface_engine::labels::LabelImage;
use mmface_engine::picture::GrayImage;

use super::ToolsCommand;
use crate::assets::{Kind, Template, Templates};
use crate::paint::Layer;
use crate::studio::canvas::{Look, colours};
use crate::studio::state::Studio;
use crate::studio::toast::Toast;

/// Side of a thumbnail, pixels.
const THUMB: usize = 128;

/// The window of templates.
#[derive(Default)]
pub struct State {
    /// It is open.
    pub open: bool,
    loading: bool,
    entries: Vec<Entry>,
    /// The colours that the textures were made with.
    friendly: Option<bool>,
    kind: Shown,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Shown {
    #[default]
    Masks,
    Sketches,
}

struct Entry {
    template: Template,
    picture: Picture,
    texture: Option<TextureHandle>,
}

/// What a template puts on its layer.
#[derive(Clone)]
enum Picture {
    Mask(LabelImage),
    Sketch(GrayImage),
}

impl Picture {
    fn small(&self) -> Self {
        match self {
            Self::Mask(mask) => Self::Mask(mask.resized(THUMB, THUMB)),
            Self::Sketch(sketch) => Self::Sketch(sketch.resized(THUMB, THUMB)),
        }
    }

    fn image(&self, friendly: bool) -> ColorImage {
        let (size, pixels): (_, Vec<Color32>) = match self {
            Self::Mask(mask) => (
                [mask.width, mask.height],
                mask.labels
                    .iter()
                    .map(|&class| colours::colour(friendly, class))
                    .collect(),
            ),
            Self::Sketch(sketch) => (
                [sketch.width, sketch.height],
                sketch
                    .pixels
                    .iter()
                    .map(|&v| Color32::from_gray(v))
                    .collect(),
            ),
        };
        ColorImage::new(size, pixels)
    }
}

fn read(templates: &Templates, template: &Template) -> Result<Picture, String> {
    let path = templates.path(template);
    let picture = match template.kind {
        Kind::Mask => read_mask(&path).map(|(mask, _)| Picture::Mask(mask)),
        Kind::Sketch => read_sketch(&path).map(|(sketch, _)| Picture::Sketch(sketch)),
    };
    picture.map_err(|error| error.to_string())
}

/// Opens or closes the window; the first time, the thumbnails are read beside the GUI thread.
pub(super) fn toggle(studio: &mut Studio) {
    let gallery = &mut studio.tools.gallery;
    gallery.open ^= true;
    if !gallery.open || gallery.loading || !gallery.entries.is_empty() {
        return;
    }
    gallery.loading = true;
    studio.services.tasks.spawn("reading the templates", || {
        let read = Templates::load()
            .map_err(|failure| failure.to_string())
            .and_then(|templates| {
                let list = templates.list.iter().map(|template| {
                    Ok(Entry {
                        template: template.clone(),
                        picture: read(&templates, template)?.small(),
                        texture: None,
                    })
                });
                list.collect::<Result<Vec<_>, String>>()
            });
        move |studio: &mut Studio| {
            studio.tools.gallery.loading = false;
            match read {
                Ok(entries) => studio.tools.gallery.entries = entries,
                Err(why) => {
                    studio.tools.gallery.open = false;
                    studio.tell(Toast::Error(why));
                }
            }
        }
    });
}

/// Puts a template on its layer as one step of undo, and its prompt into the field.
pub(super) fn open(studio: &mut Studio, name: &str) {
    let name = name.to_owned();
    studio.tools.gallery.open = false;
    studio
        .services
        .tasks
        .spawn("opening the template", move || {
            let result = Templates::load()
                .and_then(|templates| {
                    let template = templates.find(Some(&name))?.clone();
                    Ok((read(&templates, &template), template))
                })
                .map_err(|failure| failure.to_string())
                .and_then(|(picture, template)| Ok((picture?, template)));
            move |studio: &mut Studio| match result {
                Ok((picture, template)) => put(studio, picture, template),
                Err(why) => studio.tell(Toast::Error(why)),
            }
        });
}

fn put(studio: &mut Studio, picture: Picture, template: Template) {
    let name = format!("Template {}", template.title);
    let layer = match &picture {
        Picture::Mask(_) => Layer::Mask,
        Picture::Sketch(_) => Layer::Sketch,
    };
    studio.painter.edit(&name, |drawing| match &picture {
        Picture::Mask(mask) => drawing.set_mask(mask),
        Picture::Sketch(sketch) => drawing.set_sketch(sketch),
    });
    studio.emit(ToolsCommand::Layer(layer));
    studio.canvas.look = Look::Drawing;
    let prompt = &mut studio.generate.request.draw.prompt;
    // Words that a person wrote stay; those of the template before go with it.
    if prompt.trim().is_empty() || studio.tools.template_prompt.as_ref() == Some(prompt) {
        prompt.clone_from(&template.prompt);
    }
    studio.generate.request.follow = match layer {
        Layer::Mask => ConditionKind::Mask,
        Layer::Sketch => ConditionKind::Sketch,
    };
    studio.tools.template_prompt = Some(template.prompt);
    studio.keeping.template = Some(template.name);
}

/// Draws the window when it is open.
pub(super) fn show(ctx: &Context, studio: &mut Studio) {
    if !studio.tools.gallery.open {
        return;
    }
    let friendly = studio.settings.friendly_colours;
    if studio.tools.gallery.friendly != Some(friendly) {
        studio.tools.gallery.friendly = Some(friendly);
        for entry in &mut studio.tools.gallery.entries {
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
                let kind = &mut studio.tools.gallery.kind;
                ui.selectable_value(kind, Shown::Masks, "Masks");
                ui.selectable_value(kind, Shown::Sketches, "Sketches");
                ui.weak("Replaces the layer and the prompt; undo brings the layer back.");
            });
            ui.separator();
            ScrollArea::vertical()
                .auto_shrink(false)
                .show(ui, |ui| entries(ui, studio, friendly));
        });
    if ctx.input(|i| i.key_pressed(egui::Key::Escape)) {
        open = false;
    }
    studio.tools.gallery.open &= open;
}

fn entries(ui: &mut Ui, studio: &mut Studio, friendly: bool) {
    if studio.tools.gallery.loading {
        ui.spinner();
        return;
    }
    let wanted = match studio.tools.gallery.kind {
        Shown::Masks => Kind::Mask,
        Shown::Sketches => Kind::Sketch,
    };
    let mut chosen = None;
    let theme = studio.theme.colours(ui).clone();
    ui.horizontal_wrapped(|ui| {
        for entry in &mut studio.tools.gallery.entries {
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
                let image = entry.picture.image(friendly);
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
        studio.emit(ToolsCommand::Template(name));
    }
}
