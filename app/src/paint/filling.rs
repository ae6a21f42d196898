//! What a fill at a place would do: computed once, shown while hovering, used by the click.

use super::fill::{Area, region};
use super::mirror::{Axis, Mirror};
use super::settings::{MAX_FILL_GAP, MAX_FILL_GROW, ToolSettings};
use super::stamp::Paint;
use super::tiles::Tiles;

/// A fill that changes more than this share of the canvas asks first.
pub const LARGE_FILL: f32 = 0.4;

/// What a fill would change.
#[derive(Clone, Debug, PartialEq)]
pub struct FillPreview {
    /// 1 for each pixel that would change, else 0.
    pub area: Tiles,
    /// Share of the canvas that would change, 0..=1.
    pub share: f32,
}

/// A computed fill.
pub(super) struct Filling {
    asked: Asked,
    region: Area,
    /// Where the mirrored hand fills, and the mirror image of a place.
    twin: Option<(Axis, Area)>,
    /// The mask after the fill.
    pub result: Tiles,
    pub preview: FillPreview,
    /// The person has been told that it is large.
    pub warned: bool,
}

/// What a fill depends on, besides the place.
#[derive(PartialEq)]
struct Asked {
    value: u8,
    settings: (
        super::target::Target,
        super::classes::ClassSet,
        Mirror,
        u8,
        u8,
    ),
    mask: Tiles,
}

impl Asked {
    fn new(mask: &Tiles, settings: &ToolSettings, value: u8) -> Self {
        Self {
            value,
            settings: (
                settings.target,
                settings.locked,
                settings.mirror,
                settings.fill_gap.min(MAX_FILL_GAP),
                settings.fill_grow.min(MAX_FILL_GROW),
            ),
            mask: mask.clone(),
        }
    }
}

impl Filling {
    /// What a fill at this place would do: the one that is kept, or a new one that is kept then.
    pub(super) fn kept<'a>(
        kept: &'a mut Option<Self>,
        mask: &Tiles,
        settings: &ToolSettings,
        value: u8,
        x: usize,
        y: usize,
    ) -> &'a mut Self {
        let last = kept
            .take()
            .filter(|last| last.fits(mask, settings, value, x, y));
        kept.insert(last.unwrap_or_else(|| Self::new(mask, settings, value, x, y)))
    }

    /// Whether it still is what a fill at this place would do.
    fn fits(&self, mask: &Tiles, settings: &ToolSettings, value: u8, x: usize, y: usize) -> bool {
        // With a mirror another place of the region may have its twin in another region.
        let same_twin = self.twin.as_ref().is_none_or(|(axis, area)| {
            let [x, y] = axis.reflect(centre(x, y)).map(f64::floor);
            x >= 0.0 && y >= 0.0 && area.get(x as usize, y as usize)
        });
        self.region.get(x, y) && same_twin && self.asked == Asked::new(mask, settings, value)
    }

    fn new(mask: &Tiles, settings: &ToolSettings, value: u8, x: usize, y: usize) -> Self {
        let asked = Asked::new(mask, settings, value);
        let (.., gap, grow) = asked.settings;
        let (width, height) = (mask.width(), mask.height());
        let axis = settings.mirror.active(width);
        let paint = Paint::class(value, settings.target, settings.locked, axis);
        let pixels = mask.to_pixels();
        let own = region(&pixels, width, height, x, y, gap);
        let spans = |area: &Area| {
            if grow > 0 {
                area.grown(f32::from(grow)).spans()
            } else {
                area.spans()
            }
        };
        let mut result = mask.clone();
        let twin = axis.map(|axis| {
            let [x, y] = axis.reflect(centre(x, y)).map(f64::floor);
            let inside = x >= 0.0 && y >= 0.0;
            let area = if inside {
                region(&pixels, width, height, x as usize, y as usize, gap)
            } else {
                Area::empty(width, height)
            };
            (axis, area)
        });
        match &twin {
            Some((axis, other)) => {
                let left = axis.is_left(centre(x, y));
                paint.both(&mut result, &spans(&own), &spans(other), left)
            }
            None => paint.write(&mut result, &spans(&own)),
        };
        let (area, changed) = difference(mask, &result);
        Self {
            asked,
            region: own,
            twin,
            result,
            preview: FillPreview {
                area,
                share: changed as f32 / (width * height) as f32,
            },
            warned: false,
        }
    }
}

fn centre(x: usize, y: usize) -> [f64; 2] {
    [x as f64 + 0.5, y as f64 + 0.5]
}

/// 1 where two pictures differ, and how often they do.
fn difference(a: &Tiles, b: &Tiles) -> (Tiles, usize) {
    let pairs = a.to_pixels().into_iter().zip(b.to_pixels());
    let pixels: Vec<u8> = pairs.map(|(a, b)| u8::from(a != b)).collect();
    let count = pixels.iter().filter(|&&differs| differs == 1).count();
    (Tiles::from_pixels(a.width(), a.height(), &pixels), count)
}
