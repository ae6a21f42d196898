//! What a contour of one class encloses.

use super::fill::{Area, close_gaps, flood};
use super::mirror::twin;
use super::settings::{MAX_FILL_GAP, ToolSettings};
use super::stamp::Paint;
use super::tiles::Tiles;

/// The mask with the inside of the contour around `x`, `y` filled, for the class at hand and, with
/// a mirror, for its twin on the other side; `None` where no closed contour is around it. The
/// clicks themselves may have painted a dab there: then the inside is looked for up to `reach`
/// pixels away.
pub(super) fn fill_enclosed(
    mask: &Tiles,
    settings: &ToolSettings,
    x: usize,
    y: usize,
    reach: usize,
) -> Option<Tiles> {
    let class = settings.chosen_class();
    let gap = settings.fill_gap.min(MAX_FILL_GAP);
    let axis = settings.mirror.active(mask.width());
    let paint = Paint::class(class, settings.target, settings.locked, axis);
    let own = enclosed(mask, class, x, y, reach, gap)?.spans();
    let mut result = mask.clone();
    let changed = match axis {
        Some(axis) => {
            let place = [x as f64 + 0.5, y as f64 + 0.5];
            let other = axis.reflect(place).map(f64::floor);
            let other = (other[0] >= 0.0 && other[1] >= 0.0)
                .then(|| {
                    enclosed(
                        mask,
                        twin(class),
                        other[0] as usize,
                        other[1] as usize,
                        reach,
                        gap,
                    )
                })
                .flatten()
                .map_or_else(Vec::new, |area| area.spans());
            paint.both(&mut result, &own, &other, axis.is_left(place))
        }
        None => paint.write(&mut result, &own),
    };
    changed.then_some(result)
}

/// The region around a place that a contour of this class closes off from the canvas's edge.
fn enclosed(mask: &Tiles, class: u8, x: usize, y: usize, reach: usize, gap: u8) -> Option<Area> {
    let pixels = mask.to_pixels();
    let (width, height) = (mask.width(), mask.height());
    if x >= width || y >= height {
        return None;
    }
    let (left, top) = (x.saturating_sub(reach), y.saturating_sub(reach));
    let mut places: Vec<(usize, usize)> = (top..(y + reach + 1).min(height))
        .flat_map(|y| (left..(x + reach + 1).min(width)).map(move |x| (x, y)))
        .filter(|&(px, py)| pixels[py * width + px] != class)
        .collect();
    places.sort_by_key(|&(px, py)| px.abs_diff(x).pow(2) + py.abs_diff(y).pow(2));
    if pixels[y * width + x] != class {
        places.truncate(1);
    }
    let mut seen = Area::empty(width, height);
    for (px, py) in places {
        if seen.get(px, py) {
            continue;
        }
        let whole = flood(width, height, px, py, |i| pixels[i] != class);
        let inside = close_gaps(whole, px, py, gap);
        if !touches_edge(&inside) {
            return Some(inside);
        }
        for (seen, inside) in seen.pixels.iter_mut().zip(&inside.pixels) {
            *seen |= inside;
        }
    }
    None
}

fn touches_edge(area: &Area) -> bool {
    let (right, bottom) = (area.width - 1, area.height - 1);
    (0..area.width).any(|x| area.get(x, 0) || area.get(x, bottom))
        || (0..area.height).any(|y| area.get(0, y) || area.get(right, y))
}
