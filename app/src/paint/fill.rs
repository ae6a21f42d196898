//! Fill: the region under the cursor, with small gaps closed.
//!
//! Where gaps are to be closed, the region is first eaten away at its borders by half the gap.
//! What remains falls apart exactly where the gaps are. The parts then grow back at the same
//! speed, and each pixel goes to the part that reaches it first: corners fill up, and at a gap the
//! two sides meet in the opening. A part only grows as far as it was eaten, plus corners.

use super::raster::Span;

/// A set of pixels of a canvas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<bool>,
}

impl Area {
    pub(super) fn empty(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            pixels: vec![false; width * height],
        }
    }

    pub(super) fn get(&self, x: usize, y: usize) -> bool {
        x < self.width && y < self.height && self.pixels[y * self.width + x]
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.pixels.iter().filter(|&&inside| inside).count()
    }

    /// As runs, sorted.
    pub(super) fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for (y, row) in self.pixels.chunks_exact(self.width.max(1)).enumerate() {
            let mut x = 0;
            while x < row.len() {
                let Some(skip) = row[x..].iter().position(|&inside| inside) else {
                    break;
                };
                let from = x + skip;
                let length = row[from..].iter().position(|&inside| !inside);
                x = length.map_or(row.len(), |length| from + length);
                spans.push(Span {
                    y: y as i32,
                    from: from as i32,
                    to: x as i32,
                });
            }
        }
        spans
    }

    /// The pixels within `radius` of this area.
    pub(super) fn grown(&self, radius: f32) -> Self {
        let outside = Self {
            pixels: self.pixels.iter().map(|&inside| !inside).collect(),
            ..*self
        };
        let mut shrunk = outside.shrunk(radius, false);
        for pixel in &mut shrunk.pixels {
            *pixel = !*pixel;
        }
        shrunk
    }

    /// The pixels farther than `radius` from every pixel outside of the area. `edge`: whether what
    /// lies beyond the canvas is outside.
    pub(super) fn shrunk(&self, radius: f32, edge: bool) -> Self {
        let reach = radius.floor().max(0.0) as usize;
        let far = reach + 1;
        let (width, height) = (self.width, self.height);
        // Distance to the nearest outside pixel of the same column, up to `far`.
        let mut column = vec![far as u8; width * height];
        let beyond = if edge { 0 } else { far as u8 };
        let mut pass = |rows: &mut dyn Iterator<Item = usize>| {
            let mut last = vec![beyond; width];
            for y in rows {
                let row = y * width..(y + 1) * width;
                let distances = column[row.clone()].iter_mut().zip(&self.pixels[row]);
                for ((distance, &inside), last) in distances.zip(&mut last) {
                    *last = if inside {
                        (*last + 1).min(far as u8)
                    } else {
                        0
                    };
                    *distance = (*distance).min(*last);
                }
            }
        };
        pass(&mut (0..height));
        pass(&mut (0..height).rev());
        // For each step to the side, the column distance that is too near.
        let limits: Vec<u8> = (0..=reach)
            .map(|dx| (radius * radius - (dx * dx) as f32).max(0.0).sqrt().floor() as u8)
            .collect();
        let mut shrunk = Self::empty(width, height);
        for (y, row) in column.chunks_exact(width.max(1)).enumerate() {
            for x in 0..width {
                if row[x] <= limits[0] {
                    continue;
                }
                let near_edge = edge && (x < reach || x + reach >= width);
                let near = (1..=reach).any(|dx| {
                    let limit = limits[dx];
                    (x >= dx && row[x - dx] <= limit) || (x + dx < width && row[x + dx] <= limit)
                });
                shrunk.pixels[y * width + x] = !near && !near_edge;
            }
        }
        shrunk
    }
}

/// The connected pixels that `same` says belong to the one at `x`, `y`; steps go sideways and up
/// or down, so that a diagonal line of pixels holds.
pub(super) fn flood(
    width: usize,
    height: usize,
    x: usize,
    y: usize,
    same: impl Fn(usize) -> bool,
) -> Area {
    let mut area = Area::empty(width, height);
    flood_into(&mut area, x, y, same);
    area
}

/// Adds the connected pixels to an area and returns them; what is in the area already is a border.
pub(super) fn flood_into(
    area: &mut Area,
    x: usize,
    y: usize,
    same: impl Fn(usize) -> bool,
) -> Vec<Span> {
    let (width, height) = (area.width, area.height);
    let mut runs = Vec::new();
    if x >= width || y >= height {
        return runs;
    }
    let free = |area: &Area, i: usize| !area.pixels[i] && same(i);
    let mut open = vec![(x, y)];
    while let Some((x, y)) = open.pop() {
        let row = y * width;
        if !free(area, row + x) {
            continue;
        }
        let mut from = x;
        while from > 0 && free(area, row + from - 1) {
            from -= 1;
        }
        let mut to = x + 1;
        while to < width && free(area, row + to) {
            to += 1;
        }
        area.pixels[row + from..row + to].fill(true);
        runs.push(Span {
            y: y as i32,
            from: from as i32,
            to: to as i32,
        });
        for next in [y.wrapping_sub(1), y + 1] {
            if next >= height {
                continue;
            }
            let mut running = false;
            for x in from..to {
                let matches = free(area, next * width + x);
                if matches && !running {
                    open.push((x, next));
                }
                running = matches;
            }
        }
    }
    runs
}

/// The region of the pixel at `x`, `y` that a fill takes, gaps up to `gap` pixels closed.
pub(super) fn region(
    pixels: &[u8],
    width: usize,
    height: usize,
    x: usize,
    y: usize,
    gap: u8,
) -> Area {
    let Some(&seed) = pixels
        .get(y * width + x)
        .filter(|_| x < width && y < height)
    else {
        return Area::empty(width, height);
    };
    let whole = flood(width, height, x, y, |i| pixels[i] == seed);
    close_gaps(whole, x, y, gap)
}

/// What of a connected region belongs to the place `x`, `y` when gaps up to `gap` pixels are shut.
pub(super) fn close_gaps(whole: Area, x: usize, y: usize, gap: u8) -> Area {
    let mut gap = gap;
    while gap > 0 {
        // A pixel in the middle of the widest gap that is to be shut is this near to its ends.
        let radius = f32::from(gap) / 2.0 + 1.0;
        let parts = Parts::of(&whole, whole.shrunk(radius, true), radius);
        if let Some(area) = parts.containing(x, y) {
            return area;
        }
        // All around the place is narrower than the gap: then only smaller gaps can be shut.
        gap -= 1;
    }
    whole
}

/// A region as parts, each grown from what remained of it.
struct Parts {
    width: usize,
    height: usize,
    /// Number of the part, 0 for none, or [`NOBODY`].
    owner: Vec<u32>,
}

/// Costs of a straight and of a diagonal step while growing.
const STRAIGHT: usize = 5;
const DIAGONAL: usize = 7;
/// Owner of pixels where two parts meet.
const NOBODY: u32 = u32::MAX;

impl Parts {
    fn of(whole: &Area, core: Area, radius: f32) -> Self {
        let (width, height) = (whole.width, whole.height);
        let mut owner = vec![0u32; width * height];
        let mut count = 0;
        let mut seen = Area::empty(width, height);
        // Each round holds the pixels that are reached at one cost; a corner of 40 degrees lies
        // three times as far from its core as the border does.
        let limit = (radius * 3.0 * STRAIGHT as f32) as usize + DIAGONAL;
        let mut rounds: Vec<Vec<(usize, u32)>> = vec![Vec::new(); limit + DIAGONAL + 1];
        for i in 0..owner.len() {
            if !core.pixels[i] || owner[i] != 0 {
                continue;
            }
            count += 1;
            let free = |j: usize| core.pixels[j];
            for run in flood_into(&mut seen, i % width, i / width, free) {
                let row = run.y as usize * width;
                owner[row + run.from as usize..row + run.to as usize].fill(count);
            }
        }
        for i in 0..owner.len() {
            if owner[i] != 0 && beside(i, width, height).any(|j| owner[j] == 0) {
                rounds[0].push((i, owner[i]));
            }
        }
        for cost in 0..=limit {
            let mut reached = std::mem::take(&mut rounds[cost]);
            reached.sort_unstable();
            reached.dedup();
            for (at, &(i, part)) in reached.iter().enumerate() {
                if cost > 0 {
                    if owner[i] != 0 {
                        continue;
                    }
                    // Two parts at once: the pixel is the border between them and nobody's, so
                    // that the result does not hang on the order of the pixels.
                    let contested = reached.get(at + 1).is_some_and(|next| next.0 == i);
                    owner[i] = if contested { NOBODY } else { part };
                    if contested {
                        continue;
                    }
                }
                let mut reach = |j: usize, step: usize| {
                    if owner[j] == 0 {
                        rounds[cost + step].push((j, part));
                    }
                };
                let (x, y) = ((i % width) as isize, (i / width) as isize);
                let inside =
                    |x: isize, y: isize| x >= 0 && y >= 0 && whole.get(x as usize, y as usize);
                let index = |x: isize, y: isize| y as usize * width + x as usize;
                for (dx, dy) in [(1, 0), (-1, 0), (0, 1), (0, -1)] {
                    if inside(x + dx, y + dy) {
                        reach(index(x + dx, y + dy), STRAIGHT);
                    }
                }
                for (dx, dy) in [(1, 1), (1, -1), (-1, 1), (-1, -1)] {
                    // Not through a diagonal line.
                    let open = inside(x + dx, y) || inside(x, y + dy);
                    if open && inside(x + dx, y + dy) {
                        reach(index(x + dx, y + dy), DIAGONAL);
                    }
                }
            }
        }
        Self {
            width,
            height,
            owner,
        }
    }

    fn containing(&self, x: usize, y: usize) -> Option<Area> {
        let part = self.owner[y * self.width + x];
        let pixels = self.owner.iter().map(|&owner| owner == part).collect();
        (part != 0 && part != NOBODY).then_some(Area {
            width: self.width,
            height: self.height,
            pixels,
        })
    }
}

fn beside(i: usize, width: usize, height: usize) -> impl Iterator<Item = usize> {
    let (x, y) = (i % width, i / width);
    [
        (x > 0).then(|| i - 1),
        (x + 1 < width).then_some(i + 1),
        (y > 0).then(|| i - width),
        (y + 1 < height).then_some(i + width),
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIDE: usize = 128;

    /// A closed room with walls of one pixel or more and a gap in one of them.
    fn room(left: usize, top: usize, right: usize, bottom: usize, thick: usize) -> Vec<u8> {
        let mut pixels = vec![0; SIDE * SIDE];
        for y in top - thick..bottom + thick {
            for x in left - thick..right + thick {
                let inside = (left..right).contains(&x) && (top..bottom).contains(&y);
                pixels[y * SIDE + x] = u8::from(!inside);
            }
        }
        pixels
    }

    #[test]
    fn without_gaps_all_of_the_room_is_filled() {
        let pixels = room(30, 40, 90, 100, 1);
        for gap in [0, 1, 5, 12] {
            assert_eq!(
                region(&pixels, SIDE, SIDE, 50, 50, gap).count(),
                60 * 60,
                "gap {gap}"
            );
        }
        assert_eq!(region(&pixels, SIDE, SIDE, SIDE, 5, 3).count(), 0);
    }

    #[test]
    fn a_diagonal_line_of_single_pixels_holds() {
        let mut pixels = vec![0; SIDE * SIDE];
        for i in 0..SIDE {
            pixels[i * SIDE + i] = 1;
        }
        for gap in [0, 4] {
            let area = region(&pixels, SIDE, SIDE, 100, 20, gap);
            assert!(!area.get(20, 100) && area.get(127, 0));
        }
    }

    #[test]
    fn a_gap_wider_than_the_setting_lets_through() {
        let mut pixels = room(30, 40, 90, 100, 1);
        for x in 50..60 {
            pixels[39 * SIDE + x] = 0;
        }
        assert!(region(&pixels, SIDE, SIDE, 60, 60, 3).get(5, 5));
        assert!(region(&pixels, SIDE, SIDE, 60, 60, 0).get(5, 5));
        assert!(!region(&pixels, SIDE, SIDE, 60, 60, 10).get(5, 5));
    }

    #[test]
    fn narrow_places_are_filled_when_clicked() {
        // A slit of two pixels, with a gap setting far above.
        let pixels = room(30, 60, 90, 62, 3);
        assert_eq!(region(&pixels, SIDE, SIDE, 50, 60, 12).count(), 2 * 60);
    }

    #[test]
    fn growing_is_round_and_shrinking_undoes_it() {
        let mut dot = Area::empty(SIDE, SIDE);
        dot.pixels[64 * SIDE + 64] = true;
        let grown = dot.grown(3.0);
        assert!(grown.get(67, 64) && grown.get(66, 66) && !grown.get(67, 67));
        assert_eq!(grown.count(), 29);
        assert_eq!(grown.shrunk(3.0, false).count(), 1);
        assert_eq!(dot.grown(0.0), dot);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn nothing_leaks_through_gaps_up_to_the_setting(
            gap in 1u8..=12, narrower in 0u8..12, at in 0usize..200, wall in 0usize..4,
            thick in 1usize..4, seed in (0usize..60, 0usize..60),
        ) {
            let (left, top, right, bottom) = (34, 34, 94, 94);
            let mut pixels = room(left, top, right, bottom, thick);
            let opening = usize::from(gap - narrower.min(gap - 1));
            let start = 34 + at % (60 - opening);
            for i in start..start + opening {
                for depth in 1..=thick {
                    let (x, y) = match wall {
                        0 => (i, top - depth),
                        1 => (i, bottom - 1 + depth),
                        2 => (left - depth, i),
                        _ => (right - 1 + depth, i),
                    };
                    pixels[y * SIDE + x] = 0;
                }
            }
            let area = region(&pixels, SIDE, SIDE, left + seed.0, top + seed.1, gap);
            let inside: usize = (top..bottom).map(|y| (left..right).filter(|&x| area.get(x, y)).count()).sum();
            // The opening itself may be filled, nothing beyond it.
            prop_assert!(area.count() - inside <= opening * thick, "{} leaked", area.count() - inside);
            for y in 0..SIDE {
                for x in 0..SIDE {
                    let room = (left - thick..right + thick).contains(&x) && (top - thick..bottom + thick).contains(&y);
                    prop_assert!(room || !area.get(x, y), "leak at {x}, {y}");
                }
            }
            prop_assert!(inside * 100 >= 60 * 60 * 99, "only {inside} pixels were filled");
        }
    }
}
