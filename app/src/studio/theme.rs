//! The look: colours and distances of `assets/theme.ron`, put into egui's style.

use egui::style::{Selection, WidgetVisuals};
use egui::{Color32, CornerRadius, FontFamily, FontId, Stroke, TextStyle, vec2};
use serde::{Deserialize, Deserializer};

/// The theme file, compiled in.
const FILE: &str = include_str!("../../../assets/theme.ron");

/// Both looks and what they share.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Theme {
    /// For dark rooms.
    pub dark: Colours,
    /// For bright ones.
    pub light: Colours,
    /// Distance between widgets, points.
    pub gap: f32,
    /// Corner radius of buttons and fields, points.
    pub rounding: u8,
    /// Size of plain text, points.
    pub text: f32,
}

/// The colours of a look.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Colours {
    /// Around the drawing.
    #[serde(deserialize_with = "colour")]
    pub surround: Color32,
    /// Panels.
    #[serde(deserialize_with = "colour")]
    pub panel: Color32,
    /// Fields that take text, and the ground of lists.
    #[serde(deserialize_with = "colour")]
    pub field: Color32,
    /// Buttons at rest.
    #[serde(deserialize_with = "colour")]
    pub button: Color32,
    /// Buttons under the pointer.
    #[serde(deserialize_with = "colour")]
    pub hovered: Color32,
    /// Lines between things.
    #[serde(deserialize_with = "colour")]
    pub line: Color32,
    /// Text.
    #[serde(deserialize_with = "colour")]
    pub text: Color32,
    /// Text that may be overlooked.
    #[serde(deserialize_with = "colour")]
    pub weak: Color32,
    /// What is chosen.
    #[serde(deserialize_with = "colour")]
    pub chosen: Color32,
    /// The one important button of a panel.
    #[serde(deserialize_with = "colour")]
    pub accent: Color32,
    /// Text on the accent.
    #[serde(deserialize_with = "colour")]
    pub on_accent: Color32,
    /// Warnings.
    #[serde(deserialize_with = "colour")]
    pub warning: Color32,
    /// Errors.
    #[serde(deserialize_with = "colour")]
    pub error: Color32,
    /// Things that went well.
    #[serde(deserialize_with = "colour")]
    pub good: Color32,
}

fn colour<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Color32, D::Error> {
    let text = String::deserialize(deserializer)?;
    Color32::from_hex(&text)
        .map_err(|_| serde::de::Error::custom(format!("`{text}` is no colour such as #1b1c1f")))
}

impl Theme {
    /// The theme that comes with the program.
    #[expect(
        clippy::expect_used,
        reason = "compiled in: no input of a person can make it fail"
    )]
    pub fn bundled() -> Self {
        ron::from_str(FILE).expect("the bundled theme is read by a test")
    }

    /// The colours on screen.
    pub fn colours(&self, ui: &egui::Ui) -> &Colours {
        self.of(ui.visuals().dark_mode)
    }

    /// The colours of a look.
    pub fn of(&self, dark: bool) -> &Colours {
        if dark { &self.dark } else { &self.light }
    }
}

/// Puts the theme into egui's two styles.
pub fn apply(theme: &Theme, ctx: &egui::Context) {
    for (name, colours) in [
        (egui::Theme::Dark, &theme.dark),
        (egui::Theme::Light, &theme.light),
    ] {
        ctx.style_mut_of(name, |style| {
            style.spacing.item_spacing = vec2(theme.gap, theme.gap);
            style.spacing.button_padding = vec2(7.0, 3.0);
            style.spacing.interact_size.y = 22.0;
            style.spacing.slider_width = 110.0;
            for (text_style, size) in [
                (TextStyle::Small, theme.text - 2.0),
                (TextStyle::Body, theme.text),
                (TextStyle::Button, theme.text),
                (TextStyle::Heading, theme.text + 4.0),
            ] {
                style
                    .text_styles
                    .insert(text_style, FontId::new(size, FontFamily::Proportional));
            }
            let visuals = &mut style.visuals;
            visuals.panel_fill = colours.panel;
            visuals.window_fill = colours.panel;
            visuals.window_stroke = Stroke::new(1.0, colours.line);
            visuals.extreme_bg_color = colours.field;
            visuals.text_edit_bg_color = Some(colours.field);
            visuals.faint_bg_color = colours.field;
            visuals.weak_text_color = Some(colours.weak);
            visuals.hyperlink_color = colours.accent;
            visuals.warn_fg_color = colours.warning;
            visuals.error_fg_color = colours.error;
            visuals.selection = Selection {
                bg_fill: colours.chosen,
                stroke: Stroke::new(1.0, colours.text),
            };
            // A blinking cursor would ask for frames for ever.
            visuals.text_cursor.blink = false;
            let rounding = CornerRadius::same(theme.rounding);
            visuals.window_corner_radius = CornerRadius::same(theme.rounding + 3);
            visuals.menu_corner_radius = CornerRadius::same(theme.rounding + 1);
            let widget = |fill: Color32, line: Color32, text: Color32| WidgetVisuals {
                bg_fill: fill,
                weak_bg_fill: fill,
                bg_stroke: Stroke::new(1.0, line),
                corner_radius: rounding,
                fg_stroke: Stroke::new(1.0, text),
                expansion: 0.0,
            };
            visuals.widgets.noninteractive = widget(colours.panel, colours.line, colours.text);
            visuals.widgets.inactive = widget(colours.button, Color32::TRANSPARENT, colours.text);
            visuals.widgets.hovered = widget(colours.hovered, colours.line, colours.text);
            visuals.widgets.active = widget(colours.chosen, colours.line, colours.text);
            visuals.widgets.open = widget(colours.hovered, colours.line, colours.text);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast of two colours (WCAG 2.1): 1 for equal ones, 21 for black on white.
    fn contrast(a: Color32, b: Color32) -> f32 {
        let light = |colour: Color32| {
            let [r, g, b] = [colour.r(), colour.g(), colour.b()].map(|v| {
                let v = f32::from(v) / 255.0;
                if v <= 0.03928 {
                    v / 12.92
                } else {
                    ((v + 0.055) / 1.055).powf(2.4)
                }
            });
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (a, b) = (light(a), light(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_is_readable_on_everything_it_stands_on() {
        let theme = Theme::bundled();
        for colours in [&theme.dark, &theme.light] {
            for ground in [
                colours.panel,
                colours.field,
                colours.button,
                colours.hovered,
                colours.chosen,
            ] {
                assert!(contrast(colours.text, ground) >= 4.5, "text on {ground:?}");
            }
            assert!(
                contrast(colours.weak, colours.panel) >= 4.5,
                "weak text {:?}",
                colours.weak
            );
            assert!(contrast(colours.on_accent, colours.accent) >= 4.5, "accent");
            for sign in [colours.warning, colours.error, colours.good] {
                assert!(contrast(sign, colours.panel) >= 3.0, "{sign:?}");
            }
        }
    }
}
