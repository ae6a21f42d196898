//! The grid on screen: labels, pictures, what changed, and the way to files.

use egui::{
    Align2, Button, Color32, ColorImage, CornerRadius, FontId, Label, Rect, RichText, ScrollArea,
    Sense, Stroke, StrokeKind, TextureOptions, Ui, WidgetInfo, Window, pos2, vec2,
};

use super::State;
use super::SweepCommand;
use super::locality::{self, Change};
use super::run::{CellState, Run};
use crate::studio::context::Context;
use crate::studio::theme::Colours;

/// Width of the row labels, points.
const ROW_LABEL: f32 = 92.0;
/// Space between cells, points.
const GAP: f32 = 6.0;
/// The change that fills a bar; a new hair colour is about that large.
const FULL_BAR: f32 = 40.0;

/// Draws the window while it is open.
pub(super) fn show(ui: &mut Ui, state: &mut State, cx: &Context) {
    if !state.open || state.run.is_none() {
        return;
    }
    load_textures(ui, state);
    let mut open = true;
    let room = ui.ctx().content_rect().size();
    let colours = cx.theme.colours(ui).clone();
    let mut commands = Vec::new();
    Window::new("Sweep")
        .open(&mut open)
        .default_size(vec2((room.x * 0.62).max(420.0), (room.y * 0.8).max(320.0)))
        .default_pos(pos2(60.0, 60.0))
        .max_size(room - vec2(40.0, 60.0))
        .resizable(true)
        .collapsible(true)
        .show(ui.ctx(), |ui| {
            let Some(run) = &state.run else {
                return;
            };
            let template = Label::new(RichText::new(&run.sweep.template).weak()).truncate();
            ui.add(template).on_hover_text(&run.sweep.template);
            egui::Panel::bottom("sweep_foot").show(ui, |ui| {
                compared(ui, run, &colours, &mut commands);
                let exporting = state.exporting;
                let mut export = state.export;
                foot(ui, run, exporting, &mut export, &mut commands);
                state.export = export;
            });
            let step = running(cx);
            let Some(run) = &state.run else {
                return;
            };
            ScrollArea::both()
                .auto_shrink(false)
                .show(ui, |ui| grid(ui, run, step, &colours, &mut commands));
        });
    if !open {
        commands.push(SweepCommand::Show);
    }
    for command in commands {
        cx.emit(command);
    }
}

/// The work that is being drawn, and how far it is.
fn running(cx: &Context) -> Option<(crate::studio::document::WorkId, f32)> {
    let running = cx.facts.drawing.running?;
    let (step, steps) = running.step;
    Some((running.work, step as f32 / steps.max(1) as f32))
}

/// Puts new pictures on the GPU.
fn load_textures(ui: &Ui, state: &mut State) {
    let Some(run) = &mut state.run else {
        return;
    };
    for (cell, texture) in run.cells.iter().zip(&mut run.textures) {
        if let CellState::Done {
            small: Some(small), ..
        } = &cell.state
            && texture.is_none()
        {
            let image = ColorImage::from_rgb([small.width, small.height], &small.pixels);
            *texture = Some(ui.ctx().load_texture("cell", image, TextureOptions::LINEAR));
        }
    }
}

fn grid(
    ui: &mut Ui,
    run: &Run,
    step: Option<(crate::studio::document::WorkId, f32)>,
    colours: &Colours,
    commands: &mut Vec<SweepCommand>,
) {
    let (rows, columns) = (run.sweep.rows(), run.sweep.columns());
    let two = run.sweep.axes.len() == 2;
    let left = if two { ROW_LABEL } else { 0.0 };
    let line = 18.0;
    let wide = (ui.available_width() - left) / columns.max(1) as f32 - GAP;
    let high = (ui.available_height() - line - GAP) / rows.max(1) as f32 - line - GAP;
    // A grid is compared as a whole; below this side it scrolls instead.
    let least = wide.clamp(92.0, 160.0);
    let side = wide
        .min(high)
        .clamp(least, (super::run::SMALL as f32).max(least));
    let size = vec2(
        left + columns as f32 * (side + GAP),
        line + GAP + rows as f32 * (side + line + GAP),
    );
    let (area, _) = ui.allocate_exact_size(size, Sense::hover());
    let named = |words: &str| match words.is_empty() {
        true => "(nothing)".to_string(),
        false => words.to_string(),
    };
    if let Some(axis) = run.sweep.axes.last() {
        for (column, words) in axis.iter().enumerate() {
            let at = area.min + vec2(left + column as f32 * (side + GAP), 0.0);
            let rect = Rect::from_min_size(at, vec2(side, line));
            let label = Label::new(RichText::new(named(words)).strong()).truncate();
            ui.put(rect, label).on_hover_text(words);
        }
    }
    for (index, cell) in run.sweep.cells.iter().enumerate() {
        let x = left + cell.column as f32 * (side + GAP);
        let y = line + GAP + cell.row as f32 * (side + line + GAP);
        if two && cell.column == 0 {
            let rect = Rect::from_min_size(area.min + vec2(0.0, y), vec2(ROW_LABEL - GAP, side));
            let words = run.sweep.axes[0].get(cell.row).map_or("", String::as_str);
            ui.put(
                rect,
                Label::new(RichText::new(named(words)).strong()).wrap(),
            );
        }
        let rect = Rect::from_min_size(area.min + vec2(x, y), vec2(side, side));
        let words: Vec<String> = cell.words.iter().map(|words| named(words)).collect();
        let name = format!("Cell {}: {}", index + 1, words.join(", "));
        let progress = step
            .filter(|(work, _)| run.cells[index].work == Some(*work))
            .map(|(_, share)| share);
        if picture(ui, rect, run, index, &name, progress, colours) {
            commands.push(SweepCommand::Select(index));
        }
        let under = Rect::from_min_size(rect.left_bottom(), vec2(side, line));
        if let Some(change) = run.cells[index]
            .tile()
            .and_then(|tile| tile.changes.first())
        {
            let text = format!("{} {:.0}", change.region, change.amount);
            let label = Label::new(RichText::new(text).small().weak()).truncate();
            ui.put(under, label)
                .on_hover_text("Where it differs most from the first picture");
        }
    }
}

/// One cell; true when it is clicked.
fn picture(
    ui: &mut Ui,
    rect: Rect,
    run: &Run,
    index: usize,
    name: &str,
    progress: Option<f32>,
    colours: &Colours,
) -> bool {
    let cell = &run.cells[index];
    let done = cell.tile().is_some();
    let sense = if done { Sense::click() } else { Sense::hover() };
    let response = ui.interact(rect, ui.scope_id().with(("cell", index)), sense);
    let selected = run.selected == Some(index);
    response.widget_info(|| WidgetInfo::selected(egui::Role::Button, done, selected, name));
    let painter = ui.painter();
    painter.rect_filled(rect, CornerRadius::same(3), colours.field);
    let text = match &cell.state {
        CellState::Done { .. } => None,
        CellState::Waiting if progress.is_some() => Some("drawing"),
        CellState::Waiting => Some("waiting"),
        CellState::Failed(_) => Some("failed"),
        CellState::Cancelled => Some("cancelled"),
    };
    if let Some(texture) = run.textures.get(index).and_then(Option::as_ref) {
        let all = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        painter.image(texture.id(), rect, all, Color32::WHITE);
    } else if let Some(text) = text {
        let colour = match &cell.state {
            CellState::Failed(_) => colours.error,
            _ => colours.weak,
        };
        painter.text(
            rect.center(),
            Align2::CENTER_CENTER,
            text,
            FontId::proportional(12.0),
            colour,
        );
    }
    if let Some(share) = progress {
        let bar = Rect::from_min_max(
            pos2(rect.left(), rect.bottom() - 4.0),
            pos2(rect.left() + rect.width() * share, rect.bottom()),
        );
        painter.rect_filled(bar, CornerRadius::ZERO, colours.accent);
    }
    if selected || response.has_focus() || response.hovered() && done {
        let width = if selected { 3.0 } else { 1.5 };
        painter.rect_stroke(
            rect,
            CornerRadius::same(3),
            Stroke::new(width, colours.accent),
            StrokeKind::Outside,
        );
    }
    let clicked = response.clicked();
    match &cell.state {
        CellState::Failed(why) => response.on_hover_text(why),
        _ => response.on_hover_text(&run.sweep.cells[index].prompt),
    };
    clicked
}

/// The selected cell beside the first, with bars of what changed.
fn compared(ui: &mut Ui, run: &Run, colours: &Colours, commands: &mut Vec<SweepCommand>) {
    let Some(index) = run.selected else {
        return;
    };
    let texture = |index: usize| run.textures.get(index).and_then(Option::as_ref);
    let (Some(first), Some(chosen)) = (texture(0), texture(index)) else {
        return;
    };
    ui.add_space(4.0);
    ui.horizontal_top(|ui| {
        let size = vec2(110.0, 110.0);
        for (texture, cell) in [(first, 0), (chosen, index)] {
            ui.vertical(|ui| {
                let words = run.sweep.cells[cell].words.join(", ");
                let image = egui::Image::new(egui::load::SizedTexture::from_handle(texture))
                    .fit_to_exact_size(size)
                    .alt_text(&words);
                ui.add(image);
                ui.add_sized(
                    vec2(size.x, 16.0),
                    Label::new(RichText::new(words).small()).truncate(),
                );
            });
        }
        ui.vertical(|ui| {
            match run.cells[index].tile() {
                Some(tile) if index > 0 && !tile.changes.is_empty() => {
                    bars(ui, &tile.changes, colours);
                }
                _ if index == 0 => {
                    ui.weak("The others are compared with this picture.");
                }
                _ => {}
            }
            if index > 0 && ui.button("Compare large").clicked() {
                commands.push(SweepCommand::Compare);
            }
        });
    });
}

fn bars(ui: &mut Ui, changes: &[Change], colours: &Colours) {
    let line = ui.weak("Change by region (CIELAB)");
    line.on_hover_text(locality::words(changes));
    egui::Grid::new("locality")
        .num_columns(2)
        .spacing([8.0, 2.0])
        .show(ui, |ui| {
            for change in changes.iter().take(6) {
                let text = format!("{} {:.0}", change.region, change.amount);
                ui.add_sized(
                    vec2(100.0, 14.0),
                    Label::new(RichText::new(text).small()).truncate(),
                );
                let (rect, _) = ui.allocate_exact_size(vec2(150.0, 10.0), Sense::hover());
                let share = (change.amount / FULL_BAR).clamp(0.0, 1.0);
                ui.painter().rect_filled(rect, 2.0, colours.field);
                let bar = Rect::from_min_size(rect.min, vec2(rect.width() * share, rect.height()));
                ui.painter().rect_filled(bar, 2.0, colours.accent);
                ui.end_row();
            }
        });
}

fn foot(
    ui: &mut Ui,
    run: &Run,
    exporting: bool,
    export: &mut super::export::Options,
    commands: &mut Vec<SweepCommand>,
) {
    ui.add_space(4.0);
    ui.horizontal_wrapped(|ui| {
        ui.label(format!(
            "{} of {} pictures, seed {}",
            run.finished(),
            run.cells.len(),
            run.base.draw.seed
        ));
        if run.is_busy() && ui.button("Cancel").clicked() {
            commands.push(SweepCommand::Cancel);
        }
        ui.checkbox(&mut export.grid, "One labelled picture");
        ui.checkbox(&mut export.tiles, "Single pictures");
        let ready = run.finished() > 0 && !exporting && (export.grid || export.tiles);
        if ui
            .add_enabled(ready, Button::new("Export…"))
            .on_hover_text("With an index file that says which picture is which")
            .clicked()
        {
            commands.push(SweepCommand::AskExport);
        }
    });
}
