//! The curves on screen.

use egui::{Color32, Rangef, Stroke, Ui, Vec2, vec2};
use egui_plot::{Corner, HoverPosition, Legend, Line, Plot, PlotPoints, Points};

use super::format;
use super::view::View;
use crate::studio::theme::Colours;

/// Room for the numbers beside a curve, so that it does not move when they grow.
const NUMBERS: f32 = 46.0;

fn base<'a>(name: &'a str, size: Vec2, line: Color32) -> Plot<'a> {
    Plot::new(name)
        .grid_color(line)
        .grid_spacing(Rangef::new(18.0, 40.0))
        .width(size.x)
        .height(size.y)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .show_background(true)
        .y_axis_min_width(NUMBERS)
        .set_margin_fraction(vec2(0.01, 0.08))
        .x_axis_formatter(|mark, _| {
            if mark.value < 0.0 || mark.value.fract() != 0.0 {
                return String::new();
            }
            format::grouped(mark.value as u64)
        })
        .y_axis_formatter(|mark, _| format::short(mark.value))
        .label_formatter(|position| match position {
            HoverPosition::NearDataPoint {
                plot_name,
                position,
                ..
            } => Some(format!(
                "{plot_name}\nupdate {}\n{}",
                format::grouped(position.x.max(0.0) as u64),
                format::short(position.y)
            )),
            HoverPosition::Elsewhere { .. } => None,
        })
}

/// Name of a plot for those who do not see it, with its newest value.
fn describe(ui: &mut Ui, response: &egui::Response, name: &str, value: Option<f64>) {
    let enabled = ui.is_enabled();
    let text = match value {
        Some(value) => format!("Curve of {name}, now {}", format::short(value)),
        None => format!("Curve of {name}"),
    };
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, enabled, &text));
}

/// Draws loss and held-out loss.
pub(super) fn loss(ui: &mut Ui, view: &View, colours: &Colours, size: Vec2) {
    let faint = colours.weak.gamma_multiply(0.45);
    let legend = Legend::default()
        .position(Corner::RightTop)
        .background_alpha(0.6)
        .follow_insertion_order(true);
    let shown = base("trainer_loss", size, colours.line)
        .legend(legend)
        .show(ui, |plot| {
            plot.line(
                Line::new("loss", PlotPoints::Borrowed(view.loss.points()))
                    .stroke(Stroke::new(1.0, faint)),
            );
            plot.line(
                Line::new("smoothed", PlotPoints::Borrowed(view.smooth.points()))
                    .stroke(Stroke::new(1.8, colours.accent)),
            );
            plot.line(
                Line::new("held out", PlotPoints::Borrowed(view.heldout_loss.points()))
                    .stroke(Stroke::new(1.5, colours.good)),
            );
            // A line needs two points; the first measurement is seen as well.
            if view.heldout_loss.points().len() < 40 {
                plot.points(
                    Points::new("held out", PlotPoints::Borrowed(view.heldout_loss.points()))
                        .radius(2.5)
                        .color(colours.good),
                );
            }
        });
    describe(
        ui,
        &shown.response,
        "loss",
        view.last.as_ref().map(|last| last.smooth),
    );
}

/// Draws one curve under its name.
pub(super) fn small(
    ui: &mut Ui,
    name: &'static str,
    curve: &super::curves::Curve,
    (colour, grid): (Color32, Color32),
    size: Vec2,
) {
    // From zero: a constant curve has no height of its own.
    let shown = base(name, size, grid).include_y(0.0).show(ui, |plot| {
        plot.line(
            Line::new(name, PlotPoints::Borrowed(curve.points())).stroke(Stroke::new(1.2, colour)),
        );
    });
    let last = curve.points().last().map(|point| point.y);
    describe(ui, &shown.response, name, last);
}

/// Draws the learning rate that a plan promises.
pub(super) fn plan_rate(ui: &mut Ui, rates: &[(u64, f64)], colour: Color32) {
    let points: Vec<[f64; 2]> = rates.iter().map(|(at, rate)| [*at as f64, *rate]).collect();
    let top = rates.iter().fold(0.0f64, |top, (_, rate)| top.max(*rate));
    ui.horizontal(|ui| {
        let shown = Plot::new("trainer_plan_rate")
            .width((ui.available_width() - 92.0).max(60.0))
            .height(34.0)
            .show_axes(false)
            .show_grid(false)
            .show_x(false)
            .show_y(false)
            .allow_zoom(false)
            .allow_drag(false)
            .allow_scroll(false)
            .allow_boxed_zoom(false)
            .allow_double_click_reset(false)
            .include_y(0.0)
            .set_margin_fraction(vec2(0.02, 0.12))
            .label_formatter(|_| None)
            .show(ui, |plot| {
                plot.line(
                    Line::new("rate", PlotPoints::from(points))
                        .stroke(Stroke::new(1.5, colour))
                        .fill(0.0)
                        .fill_alpha(0.15),
                );
            });
        describe(ui, &shown.response, "the planned learning rate", Some(top));
        ui.weak(format!("up to {top:.0e}"));
    });
}
