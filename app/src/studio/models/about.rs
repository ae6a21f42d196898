//! What this program is, what it may be used for, and the notice of the first start.

use egui::{Grid, Id, Label, Modal, RichText, ScrollArea, Ui, Window};

use super::ModelsCommand;
use super::State;
use crate::studio::context::Context;
use crate::studio::widgets::heading;

/// What may be done with pictures of faces: notice and About window say the same.
const RULES: [(&str, &str); 3] = [
    (
        "Ask first",
        "Do not make or share the likeness of a real person without their consent. A mask or a sketch traced from a photo can be a likeness.",
    ),
    (
        "Expect bias",
        "The models learned from photos of celebrities: mostly young, light-skinned, made-up faces. Other faces come out worse or are pulled towards these.",
    ),
    (
        "Never for identification",
        "The pictures show nobody. Do not use them to recognise, judge or describe an actual person.",
    ),
];

const PRIVACY: &str = "Everything happens on this machine: drawings, prompts and pictures are sent nowhere, and the program opens no network connection.";

/// The whole page, as it lies in the repository.
const PAGE: &str = include_str!("../../../../PRIVACY.md");

const MARKS: &str = "Every picture that is saved says in its file that it was made by a program, and by which model.";

/// What draws the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// The card and its driver.
    pub name: String,
    /// Vulkan, Metal, Dx12, Gl.
    pub backend: String,
    /// The processor draws, for want of a card.
    pub software: bool,
}

impl Adapter {
    /// From what the driver says.
    pub fn of(info: &wgpu::AdapterInfo) -> Self {
        let driver = format!("{} {}", info.driver, info.driver_info);
        Self {
            name: format!("{} ({})", info.name, driver.trim()),
            backend: format!("{:?}", info.backend),
            software: info.device_type == wgpu::DeviceType::Cpu,
        }
    }
}

/// Draws the notice of the first start and the About window, when they are due.
pub fn show_windows(ui: &mut Ui, state: &mut State, cx: &Context) {
    if !cx.settings.notice_read {
        notice(ui, cx);
    }
    let room = ui.ctx().content_rect().height() - 120.0;
    let mut open = state.about_open;
    if open {
        Window::new("About MMFace Studio")
            .open(&mut open)
            .collapsible(false)
            .default_size([470.0, room])
            .pivot(egui::Align2::CENTER_CENTER)
            .default_pos(ui.ctx().content_rect().center())
            .show(ui.ctx(), |ui| {
                ScrollArea::vertical()
                    .max_height(room)
                    .show(ui, |ui| about(ui, state, cx));
            });
        state.about_open &= open;
    }
    let mut open = state.privacy_open;
    if open {
        Window::new("Privacy")
            .open(&mut open)
            .collapsible(false)
            .default_size([480.0, 440.0])
            .pivot(egui::Align2::CENTER_CENTER)
            .default_pos(ui.ctx().content_rect().center())
            .show(ui.ctx(), |ui| page(ui, PAGE));
        state.privacy_open &= open;
    }
}

/// Draws a page of headings, paragraphs and lists.
fn page(ui: &mut Ui, text: &str) {
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        // The page's own title is the window's.
        let lines = text.lines().filter(|line| !line.starts_with("# "));
        for line in lines.filter(|line| !line.is_empty()) {
            let plain = line.replace('`', "");
            if let Some(title) = plain.strip_prefix("## ") {
                heading(ui, title);
            } else if let Some(item) = plain.strip_prefix("- ") {
                ui.horizontal_top(|ui| {
                    ui.label("•");
                    ui.add(Label::new(item).wrap());
                });
            } else {
                ui.add(Label::new(plain).wrap());
            }
        }
    });
}

fn notice(ui: &mut Ui, cx: &Context) {
    let mut read = false;
    Modal::new(Id::unique("notice")).show(ui.ctx(), |ui| {
        ui.set_width(460.0);
        ui.heading("Before you draw a face");
        ui.add_space(4.0);
        rules(ui);
        ui.add(Label::new(PRIVACY).wrap());
        ui.add_space(8.0);
        read = ui.button("I have read this").clicked();
    });
    if read {
        cx.emit(ModelsCommand::ReadNotice);
    }
}

fn rules(ui: &mut Ui) {
    for (title, text) in RULES {
        ui.label(RichText::new(title).strong());
        ui.add(Label::new(text).wrap());
        ui.add_space(4.0);
    }
}

fn about(ui: &mut Ui, state: &mut State, cx: &Context) {
    let warning = cx.theme.colours(ui).warning;
    let mut rows = vec![
        (
            "Program",
            format!("MMFace Studio {}", env!("CARGO_PKG_VERSION")),
        ),
        (
            "Licence",
            format!(
                "{} (of the program, not of models)",
                env!("CARGO_PKG_LICENSE")
            ),
        ),
        (
            "Method",
            "MMFace-DiT; the authors' code is under the MIT licence".to_string(),
        ),
    ];
    match cx.facts.model.ready() {
        Some(model) => {
            rows.push(("Model", format!("{} ({})", model.title, model.name)));
            rows.push(("Its licence", model.licence.clone()));
            rows.push(("Computes on", model.device.clone()));
        }
        None => rows.push(("Model", "none is loaded".into())),
    }
    rows.push((
        "Training data",
        "CelebAMask-HQ allows non-commercial research only, and so do all weights that learned from it, the bundled demo among them"
            .into(),
    ));
    match &state.adapter {
        Some(adapter) => {
            rows.push(("Window drawn by", adapter.name.clone()));
            rows.push(("Graphics", adapter.backend.clone()));
        }
        None => rows.push(("Window drawn by", "unknown".into())),
    }
    Grid::new("about")
        .num_columns(2)
        .spacing([14.0, 4.0])
        .show(ui, |ui| {
            for (name, value) in rows {
                ui.weak(name);
                ui.scope(|ui| {
                    ui.set_max_width(330.0);
                    ui.add(Label::new(value).wrap());
                });
                ui.end_row();
            }
        });
    if state
        .adapter
        .as_ref()
        .is_some_and(|adapter| adapter.software)
    {
        ui.add(
            Label::new(
                RichText::new("The processor draws the window, as no graphics card answered: large canvases will feel slow. Install the card's driver.")
                    .color(warning),
            )
            .wrap(),
        );
    }
    heading(ui, "Privacy");
    ui.add(Label::new(PRIVACY).wrap());
    ui.add(Label::new(MARKS).wrap());
    if ui.button("What is kept, and what leaves…").clicked() {
        cx.emit(ModelsCommand::Privacy);
    }
    heading(ui, "Faces");
    rules(ui);
    heading(ui, "Something is wrong?");
    ui.add(Label::new("Copy a report and paste it where you tell of it. Nothing is sent.").wrap());
    ui.checkbox(
        &mut state.whole_report,
        "With the name of my folders and my prompts",
    );
    if ui.button("Copy report").clicked() {
        cx.emit(ModelsCommand::CopyReport);
    }
}
