//! The photo with the square that is taken: dragged, pulled at its corners, zoomed by the wheel, or
//! moved by the arrow keys.

use egui::{
    Color32, CornerRadius, EventFilter, Key, Pos2, Rect, Role, Sense, Shape, Stroke, StrokeKind,
    TextureHandle, Ui, WidgetInfo, pos2, vec2,
};

use super::crop::Crop;

/// What of the square is held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Grip {
    /// All of it.
    Whole,
    /// A corner: bit 0 right, bit 1 lower.
    Corner(usize),
}

/// How far from a corner it is caught, points.
const CATCH: f32 = 14.0;

/// Draws the photo in a square of `most` points. Returns the new crop, and whether it is held.
pub(super) fn show(
    ui: &mut Ui,
    texture: &TextureHandle,
    photo: (usize, usize),
    crop: Crop,
    grip: &mut Option<Grip>,
    most: f32,
) -> (Crop, bool) {
    let (width, height) = (photo.0.max(1), photo.1.max(1));
    let scale = most / width.max(height) as f32;
    let size = vec2(width as f32 * scale, height as f32 * scale);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    let response = response.on_hover_text(
        "Drag the square or its corners; the wheel zooms; arrow keys move it, plus and minus resize it",
    );
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::labeled(Role::Image, enabled, "Square of the photo"));
    let to_screen = |x: f64, y: f64| {
        pos2(
            rect.left() + x as f32 * scale,
            rect.top() + y as f32 * scale,
        )
    };
    let to_photo = |at: Pos2| {
        (
            f64::from((at.x - rect.left()) / scale),
            f64::from((at.y - rect.top()) / scale),
        )
    };
    let mut new = crop;
    let frame = |crop: Crop| {
        Rect::from_min_max(
            to_screen(crop.left, crop.top),
            to_screen(crop.left + crop.side, crop.top + crop.side),
        )
    };
    let corners = |square: Rect| {
        [
            square.left_top(),
            square.right_top(),
            square.left_bottom(),
            square.right_bottom(),
        ]
    };
    if let Some(at) = response.interact_pointer_pos()
        && response.drag_started()
    {
        let at = ui.input(|input| input.pointer.press_origin()).unwrap_or(at);
        let caught = corners(frame(crop))
            .iter()
            .position(|corner| corner.distance(at) <= CATCH);
        *grip = Some(caught.map_or(Grip::Whole, Grip::Corner));
        response.request_focus();
    }
    if response.dragged()
        && let (Some(held), Some(at)) = (*grip, response.interact_pointer_pos())
    {
        new = match held {
            Grip::Whole => {
                let by = response.drag_delta() / scale;
                crop.moved(f64::from(by.x), f64::from(by.y))
            }
            Grip::Corner(corner) => crop.pulled(corner, to_photo(at), width, height),
        };
    }
    if response.drag_stopped() || !ui.input(|input| input.pointer.any_down()) {
        *grip = None;
    }
    if response.clicked() {
        response.request_focus();
    }
    if let Some(at) = response.hover_pos() {
        let wheel = ui.input(|input| input.smooth_scroll_delta().y);
        if wheel != 0.0 {
            new = new.scaled((-f64::from(wheel) / 300.0).exp(), to_photo(at));
        }
    }
    if response.has_focus() {
        let filter = EventFilter {
            horizontal_arrows: true,
            vertical_arrows: true,
            ..EventFilter::default()
        };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
        let step = (crop.side / 50.0).max(1.0);
        let centre = (crop.left + crop.side / 2.0, crop.top + crop.side / 2.0);
        let pressed = |key: Key| ui.input(|input| f64::from(input.num_presses(key) as u32));
        let across = pressed(Key::ArrowRight) - pressed(Key::ArrowLeft);
        let down = pressed(Key::ArrowDown) - pressed(Key::ArrowUp);
        new = new.moved(across * step, down * step);
        let larger = pressed(Key::Plus) + pressed(Key::Equals) - pressed(Key::Minus);
        if larger != 0.0 {
            new = new.scaled(1.04f64.powf(larger), centre);
        }
    }
    let new = new.inside(width, height);
    draw(
        ui,
        rect,
        frame(new),
        texture,
        response.has_focus(),
        &corners(frame(new)),
    );
    (new, grip.is_some())
}

fn draw(
    ui: &Ui,
    rect: Rect,
    square: Rect,
    texture: &TextureHandle,
    focused: bool,
    corners: &[Pos2],
) {
    let painter = ui.painter_at(rect);
    let all = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    painter.image(texture.id(), rect, all, Color32::WHITE);
    let dim = Color32::from_black_alpha(140);
    for outside in [
        Rect::from_min_max(rect.min, pos2(rect.right(), square.top())),
        Rect::from_min_max(pos2(rect.left(), square.bottom()), rect.max),
        Rect::from_min_max(
            pos2(rect.left(), square.top()),
            pos2(square.left(), square.bottom()),
        ),
        Rect::from_min_max(
            pos2(square.right(), square.top()),
            pos2(rect.right(), square.bottom()),
        ),
    ] {
        painter.rect_filled(outside, CornerRadius::ZERO, dim);
    }
    // Where the models saw faces: an oval a little below the middle.
    let oval: Vec<Pos2> = (0..48)
        .map(|i| {
            let angle = i as f32 / 48.0 * std::f32::consts::TAU;
            square.center()
                + vec2(0.0, 0.07 * square.height())
                + vec2(0.29 * angle.cos(), 0.39 * angle.sin()) * square.size()
        })
        .collect();
    painter.add(Shape::closed_line(
        oval,
        Stroke::new(1.0, Color32::from_white_alpha(110)),
    ));
    let line = if focused { 2.5 } else { 1.5 };
    painter.rect_stroke(
        square,
        CornerRadius::ZERO,
        Stroke::new(line, Color32::WHITE),
        StrokeKind::Inside,
    );
    for corner in corners {
        let handle = Rect::from_center_size(*corner, vec2(9.0, 9.0));
        painter.rect_filled(handle, CornerRadius::same(2), Color32::WHITE);
        painter.rect_stroke(
            handle,
            CornerRadius::same(2),
            Stroke::new(1.0, Color32::from_black_alpha(160)),
            StrokeKind::Outside,
        );
    }
}
