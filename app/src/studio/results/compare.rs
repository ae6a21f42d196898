//! Two results beside or over each other, and where they differ.

use std::sync::Arc;

use egui::{
    Align2, Color32, Key, Pos2, Rect, Role, Sense, Stroke, TextureHandle, Ui, Vec2, WidgetInfo,
    pos2, vec2,
};
use egui_material_icons::icons;
use mmface_engine::picture::{RgbImage, resize};

use super::State;
use super::pictures::with_picture;
use crate::project::library::About;
use crate::studio::command::{CompareMode, ResultsCommand};
use crate::studio::context::Context;
use crate::studio::texture::texture;
use crate::studio::toast::Toast;
use crate::studio::widgets::icon_button;

/// One of the two.
pub struct Side {
    /// Its name in the library.
    pub file: String,
    about: About,
    picture: Option<Arc<RgbImage>>,
    texture: Option<TextureHandle>,
}

/// How much two pictures differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Brighter where the difference is larger.
    pub map: RgbImage,
    /// Mean difference of a colour value, 0..=255.
    pub mean: f64,
    /// Share of the pixels that look different at all.
    pub changed: f64,
}

/// The comparison on screen.
pub struct Compare {
    /// Left, and seen first.
    pub left: Side,
    /// Right, and seen second.
    pub right: Side,
    /// The way of comparing.
    pub mode: CompareMode,
    /// Where the line is, 0..=1.
    pub split: f32,
    /// The second one is seen.
    pub blinking: bool,
    difference: Option<(Difference, TextureHandle)>,
    asked: bool,
}

impl Compare {
    /// How much they differ, once it was asked for and computed.
    pub fn difference(&self) -> Option<&Difference> {
        self.difference.as_ref().map(|(difference, _)| difference)
    }
}

/// Opens the comparison of the two selected pictures, or closes the one that is open. With one
/// picture selected, its older neighbour is the other.
pub fn toggle(state: &mut State, cx: &mut Context) {
    if state.compare.take().is_some() {
        return;
    }
    let strip = &state.strip;
    let chosen = strip.chosen();
    let pair = match chosen.as_slice() {
        [newer, .., older] => Some(((*older).clone(), (*newer).clone())),
        [one] => {
            let at = strip
                .cells()
                .iter()
                .position(|cell| strip.entry(*cell) == Some(*one));
            let neighbour = at.and_then(|at| {
                let after = strip.cells().get(at + 1);
                after.or_else(|| strip.cells().get(at.checked_sub(1)?))
            });
            neighbour
                .and_then(|cell| strip.entry(*cell))
                .map(|other| (other.clone(), (*one).clone()))
        }
        [] => None,
    };
    let Some((left, right)) = pair else {
        cx.tell(Toast::Info(
            "choose two pictures in the filmstrip: click one, Ctrl-click the other".into(),
        ));
        return;
    };
    let side = |entry: crate::project::library::Entry| Side {
        file: entry.file,
        about: entry.about,
        picture: None,
        texture: None,
    };
    let (left, right) = (side(left), side(right));
    let files = [left.file.clone(), right.file.clone()];
    state.compare = Some(Compare {
        left,
        right,
        mode: CompareMode::default(),
        split: 0.5,
        blinking: false,
        difference: None,
        asked: false,
    });
    for file in files {
        with_picture(state, cx, &file.clone(), move |state, cx, picture| {
            arrived(state, cx, &file, &picture);
        });
    }
}

fn arrived(state: &mut State, cx: &mut Context, file: &str, picture: &Arc<RgbImage>) {
    let ctx = cx.ctx.clone();
    if let Some(compare) = &mut state.compare {
        for side in [&mut compare.left, &mut compare.right] {
            if side.file == file && side.texture.is_none() {
                side.texture = Some(texture(&ctx, file, picture));
                side.picture = Some(Arc::clone(picture));
            }
        }
    }
    ask_difference(state, cx);
}

/// Compares in another way.
pub fn set_mode(state: &mut State, cx: &mut Context, mode: CompareMode) {
    if let Some(compare) = &mut state.compare {
        compare.mode = mode;
    }
    ask_difference(state, cx);
}

/// Exchanges left and right.
pub fn swap(state: &mut State) {
    if let Some(compare) = &mut state.compare {
        std::mem::swap(&mut compare.left, &mut compare.right);
    }
}

/// Computes the difference, once, when it is wanted and both are there.
fn ask_difference(state: &mut State, cx: &mut Context) {
    let Some(compare) = &mut state.compare else {
        return;
    };
    let (Some(left), Some(right)) = (&compare.left.picture, &compare.right.picture) else {
        return;
    };
    if compare.mode != CompareMode::Difference || compare.asked {
        return;
    }
    compare.asked = true;
    let (left, right) = (Arc::clone(left), Arc::clone(right));
    let files = [compare.left.file.clone(), compare.right.file.clone()];
    let ctx = cx.ctx.clone();
    cx.spawn(&state.inbox, "comparing two pictures", move || {
        let found = difference(&left, &right);
        move |state: &mut State, _: &mut Context| {
            if let Some(compare) = &mut state.compare
                && files.contains(&compare.left.file)
                && files.contains(&compare.right.file)
            {
                let texture = texture(&ctx, "difference", &found.map);
                compare.difference = Some((found, texture));
            }
        }
    });
}

/// Where two pictures differ: black for equal colours, then blue, red, yellow, white. The second is
/// brought to the first one's size.
pub fn difference(a: &RgbImage, b: &RgbImage) -> Difference {
    let scaled;
    let b = if (a.width, a.height) == (b.width, b.height) {
        b
    } else {
        scaled = resize::lanczos_rgb(b, a.width, a.height);
        &scaled
    };
    let mut map = RgbImage::filled(a.width, a.height, [0; 3]);
    let (mut sum, mut changed) = (0u64, 0usize);
    let pixels = a.pixels.chunks_exact(3).zip(b.pixels.chunks_exact(3));
    for ((a, b), out) in pixels.zip(map.pixels.chunks_exact_mut(3)) {
        let apart = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b));
        sum += apart.clone().map(u64::from).sum::<u64>();
        let most = apart.max().unwrap_or(0);
        // Less than that nobody sees.
        changed += usize::from(most > 4);
        out.copy_from_slice(&heat(most));
    }
    let count = (a.width * a.height).max(1) as f64;
    Difference {
        map,
        mean: sum as f64 / (3.0 * count),
        changed: changed as f64 / count,
    }
}

/// A colour for a difference; a quarter of the range is already bright.
fn heat(difference: u8) -> [u8; 3] {
    let x = (f32::from(difference) / 255.0).sqrt() * 4.0;
    let ramp = [
        [0, 0, 0],
        [40, 30, 160],
        [215, 40, 60],
        [255, 200, 40],
        [255, 255, 255],
    ];
    let at = (x as usize).min(3);
    let share = x - at as f32;
    std::array::from_fn(|i| {
        let (from, to): (i32, i32) = (ramp[at][i], ramp[at + 1][i]);
        (from as f32 + share * (to - from) as f32)
            .round()
            .clamp(0.0, 255.0) as u8
    })
}

/// What two recipes differ in, for people.
pub fn differences(a: &About, b: &About) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |name: &str, a: String, b: String| {
        if a != b {
            found.push(format!("{name}: {a} | {b}"));
        }
    };
    for (a, b) in a.draw.values().into_iter().zip(b.draw.values()) {
        compare(a.title, a.shown, b.shown);
    }
    compare("Model", a.model.clone(), b.model.clone());
    found
}

/// Keys of the open comparison, before any other feature sees them.
pub fn take_keys(state: &mut State, cx: &Context, ctx: &egui::Context) {
    if ctx.text_edit_focused() {
        return;
    }
    let Some(compare) = &mut state.compare else {
        return;
    };
    let none = egui::Modifiers::NONE;
    let modes = [Key::Num1, Key::Num2, Key::Num3, Key::Num4];
    let (close, swap, mode, blinking) = ctx.input_mut(|input| {
        let chosen = modes.iter().position(|key| input.consume_key(none, *key));
        // Held keys repeat: none of the presses belongs to the canvas below.
        while input.consume_key(none, Key::Space) {}
        (
            input.consume_key(none, Key::Escape),
            input.consume_key(none, Key::X),
            chosen.map(|at| CompareMode::ALL[at]),
            input.key_down(Key::Space),
        )
    });
    compare.blinking = blinking;
    if let Some(mode) = mode {
        cx.emit(ResultsCommand::CompareAs(mode));
    }
    if swap {
        cx.emit(ResultsCommand::Swap);
    }
    if close {
        cx.emit(ResultsCommand::Compare);
    }
}

/// Draws the comparison.
pub fn show_window(ctx: &egui::Context, state: &mut State, cx: &Context) {
    let Some(compare) = &mut state.compare else {
        return;
    };
    let mut open = true;
    let screen = ctx.content_rect().size();
    egui::Window::new("Compare")
        .open(&mut open)
        .default_size(vec2(screen.x * 0.7, screen.y * 0.75))
        .default_pos((screen * vec2(0.15, 0.1)).to_pos2())
        .min_size(vec2(420.0, 360.0))
        .collapsible(false)
        .show(ctx, |ui| contents(ui, cx, compare));
    if !open {
        cx.emit(ResultsCommand::Compare);
    }
}

fn contents(ui: &mut Ui, cx: &Context, compare: &mut Compare) {
    ui.horizontal_wrapped(|ui| {
        for (number, mode) in CompareMode::ALL.into_iter().enumerate() {
            let tip = format!("{}  ({})", mode.title(), number + 1);
            let button = ui.selectable_label(compare.mode == mode, mode.title());
            if button.on_hover_text(tip).clicked() {
                cx.emit(ResultsCommand::CompareAs(mode));
            }
        }
        ui.separator();
        if icon_button(ui, icons::ICON_SWAP_HORIZ, "Swap the two pictures").clicked() {
            cx.emit(ResultsCommand::Swap);
        }
        match compare.mode {
            CompareMode::Slider => {
                let slider = egui::Slider::new(&mut compare.split, 0.0..=1.0).show_value(false);
                let label = ui.label("Split");
                ui.add(slider).labelled_by(label.id);
            }
            CompareMode::Blink => {
                let held = ui
                    .button("Hold to see the second")
                    .on_hover_text("Or hold Space");
                compare.blinking |= held.is_pointer_button_down_on();
            }
            CompareMode::Difference => {
                if let Some(found) = compare.difference() {
                    ui.label(format!(
                        "{:.1} of 255 on average, {:.0} % of the pixels differ visibly",
                        found.mean,
                        100.0 * found.changed
                    ));
                }
            }
            CompareMode::SideBySide => {}
        }
    });
    let captions = differences(&compare.left.about, &compare.right.about);
    let lines = captions.len().clamp(1, 4) as f32;
    let below =
        lines * (ui.text_style_height(&egui::TextStyle::Body) + ui.spacing().item_spacing.y);
    let size = (ui.available_size() - vec2(0.0, below)).max(Vec2::splat(120.0));
    let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    response.widget_info(|| {
        WidgetInfo::labeled(
            Role::Image,
            true,
            format!("Comparison, {}", compare.mode.title()),
        )
    });
    if compare.mode == CompareMode::Slider
        && let Some(at) = response.interact_pointer_pos()
    {
        let square = square(rect);
        compare.split = ((at.x - square.left()) / square.width()).clamp(0.0, 1.0);
    }
    pictures(ui, cx, compare, rect);
    match captions.is_empty() {
        true => {
            ui.label("Both have the same recipe");
        }
        false => {
            for line in captions.iter().take(4) {
                ui.add(egui::Label::new(line).truncate());
            }
        }
    }
}

fn pictures(ui: &Ui, cx: &Context, compare: &Compare, rect: Rect) {
    let colours = cx.theme.colours(ui);
    let painter = ui.painter().with_clip_rect(rect);
    let draw = |texture: &Option<TextureHandle>, place: Rect, clip: Rect| match texture {
        Some(texture) => {
            let uv = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
            let within = painter.with_clip_rect(clip);
            within.image(texture.id(), place, uv, Color32::WHITE);
        }
        None => {
            let font = egui::TextStyle::Body.resolve(ui.style());
            painter.text(
                place.center(),
                Align2::CENTER_CENTER,
                "Reading …",
                font,
                colours.weak,
            );
        }
    };
    let place = square(rect);
    match compare.mode {
        CompareMode::SideBySide => {
            let (a, b) = rect.split_left_right_at_fraction(0.5);
            draw(&compare.left.texture, square(a.shrink(2.0)), a);
            draw(&compare.right.texture, square(b.shrink(2.0)), b);
        }
        CompareMode::Slider => {
            let x = place.left() + compare.split * place.width();
            draw(&compare.left.texture, place, rect.with_max_x(x));
            draw(&compare.right.texture, place, rect.with_min_x(x));
            painter.vline(
                x,
                place.y_range(),
                Stroke::new(3.0, Color32::from_black_alpha(140)),
            );
            painter.vline(x, place.y_range(), Stroke::new(1.0, Color32::WHITE));
        }
        CompareMode::Blink => {
            let side = match compare.blinking {
                true => &compare.right,
                false => &compare.left,
            };
            draw(&side.texture, place, rect);
        }
        CompareMode::Difference => {
            let map = compare
                .difference
                .as_ref()
                .map(|(_, texture)| texture.clone());
            draw(&map, place, rect);
        }
    }
}

/// The largest square in the middle of a rectangle.
fn square(rect: Rect) -> Rect {
    Rect::from_center_size(rect.center(), Vec2::splat(rect.width().min(rect.height())))
}

#[cfg(test)]
mod tests {
    use mmface_engine::job::Draw;

    use super::*;

    #[test]
    fn differences_are_counted_and_drawn() {
        let a = RgbImage::filled(4, 2, [100, 100, 100]);
        let same = difference(&a, &a);
        assert_eq!((same.mean, same.changed), (0.0, 0.0));
        assert!(same.map.pixels.iter().all(|value| *value == 0));
        let mut b = a.clone();
        b.pixels[..3].copy_from_slice(&[130, 100, 100]);
        let found = difference(&a, &b);
        assert_eq!(found.changed, 1.0 / 8.0);
        assert!((found.mean - 30.0 / 24.0).abs() < 1e-9);
        assert!(found.map.pixel(0, 0) != [0; 3] && found.map.pixel(1, 0) == [0; 3]);
        let large = RgbImage::filled(8, 4, [100, 100, 100]);
        assert_eq!(difference(&a, &large).map.width, 4, "sizes may differ");
    }

    #[test]
    fn heat_grows_and_stays_in_range() {
        let light = |value: u8| heat(value).iter().map(|v| u32::from(*v)).sum::<u32>();
        assert_eq!(heat(0), [0; 3]);
        assert_eq!(heat(255), [255; 3]);
        assert!(
            [0u8, 20, 60, 120, 255]
                .windows(2)
                .all(|pair| light(pair[0]) < light(pair[1]))
        );
    }

    #[test]
    fn only_what_differs_is_said() {
        let draw = |prompt: &str| Draw {
            prompt: prompt.into(),
            seed: 1,
            ..Draw::default()
        };
        let a = About {
            draw: draw("young"),
            ..About::default()
        };
        let b = About {
            draw: draw("old"),
            ..a.clone()
        };
        assert_eq!(differences(&a, &b), ["Prompt: young | old"]);
        assert!(differences(&a, &a).is_empty());
    }
}
