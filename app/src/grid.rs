//! A grid of pictures with labels that can be read.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont};
use mmface_engine::job::{Cell, Sweep};
use mmface_engine::picture::read::{MAX_PIXELS, MAX_SIDE};
use mmface_engine::picture::{RgbImage, resize};

/// Space between pictures, and around text.
const GAP: usize = 8;
const PAPER: [u8; 3] = [250, 250, 248];
const INK: [u8; 3] = [30, 30, 34];
/// Most lines of a label.
const LINES: usize = 3;
/// How much narrower the next cell is that is tried where a grid would be larger than we read.
const STEP: usize = 8;

/// The picture under construction.
pub struct Grid {
    picture: RgbImage,
    cell: usize,
    left: usize,
    top: usize,
}

impl Grid {
    /// Paper with the labels of a sweep whose pictures have this side. Where the grid would be larger
    /// than a picture that we read, its cells are smaller than the pictures; the tiles are whole.
    pub fn new(sweep: &Sweep, side: usize) -> Self {
        let mut cell = side;
        loop {
            let (left, top, width, height) = Self::measure(sweep, cell);
            let fits = width.max(height) <= MAX_SIDE && width * height <= MAX_PIXELS;
            if fits || cell <= STEP {
                return Self::with_labels(sweep, cell, (left, top), (width, height));
            }
            cell -= STEP;
        }
    }

    /// Where the cells begin, and the size of the grid.
    fn measure(sweep: &Sweep, cell: usize) -> (usize, usize, usize, usize) {
        let text = Text::new(cell);
        let (rows, columns) = (sweep.rows(), sweep.columns());
        let (row_labels, column_labels) = labels(sweep);
        let left = if row_labels.is_empty() {
            GAP
        } else {
            cell.max(96) * 2 / 5 + 2 * GAP
        };
        let lines = |label: &String, width: usize| text.wrap(label, width).len();
        let most = column_labels
            .iter()
            .map(|label| lines(label, cell))
            .max()
            .unwrap_or(1);
        let top = 2 * GAP + most * text.line_height();
        let width = left + columns * (cell + GAP);
        let height = top + rows * (cell + GAP);
        (left, top, width, height)
    }

    fn with_labels(
        sweep: &Sweep,
        cell: usize,
        (left, top): (usize, usize),
        (width, height): (usize, usize),
    ) -> Self {
        let text = Text::new(cell);
        let (row_labels, column_labels) = labels(sweep);
        let mut grid = Self {
            picture: RgbImage::filled(width, height, PAPER),
            cell,
            left,
            top,
        };
        for (column, label) in column_labels.iter().enumerate() {
            let x = left + column * (cell + GAP);
            text.draw(&mut grid.picture, label, x, GAP, cell);
        }
        for (row, label) in row_labels.iter().enumerate() {
            let y = top + row * (cell + GAP) + GAP;
            text.draw(&mut grid.picture, label, GAP, y, left - 2 * GAP);
        }
        grid
    }

    /// Places a cell's picture.
    pub fn put(&mut self, cell: &Cell, image: &RgbImage) {
        let x = self.left + cell.column * (self.cell + GAP);
        let y = self.top + cell.row * (self.cell + GAP);
        let smaller;
        let image = if image.width.max(image.height) > self.cell {
            smaller = resize::lanczos_rgb(image, self.cell, self.cell);
            &smaller
        } else {
            image
        };
        for row in 0..image.height.min(self.cell) {
            let from = 3 * row * image.width;
            let to = 3 * ((y + row) * self.picture.width + x);
            let length = 3 * image.width.min(self.cell);
            self.picture.pixels[to..to + length]
                .copy_from_slice(&image.pixels[from..from + length]);
        }
    }

    /// The grid.
    pub fn finish(self) -> RgbImage {
        self.picture
    }
}

/// Labels of the rows, where there are two groups, and of the columns.
fn labels(sweep: &Sweep) -> (&[String], &[String]) {
    match sweep.axes.as_slice() {
        [rows, columns] => (rows, columns),
        axes => (&[], axes.last().map_or(&[], Vec::as_slice)),
    }
}

/// Writes a short label on paper into the lower left corner of a picture.
pub fn stamp(picture: &mut RgbImage, label: &str) {
    let mut text = Text::new(picture.width);
    text.size = (picture.width as f32 / 28.0).clamp(10.0, 40.0);
    let width = (text.width(label).ceil() as usize + GAP).min(picture.width);
    let height = (text.line_height() + GAP / 2).min(picture.height);
    let top = picture.height - height;
    for y in top..picture.height {
        let start = 3 * y * picture.width;
        for pixel in picture.pixels[start..start + 3 * width].chunks_exact_mut(3) {
            pixel.copy_from_slice(&PAPER);
        }
    }
    text.draw(picture, label, GAP / 2, top + GAP / 4, width);
}

/// Labels in the bundled font.
struct Text {
    font: Option<FontRef<'static>>,
    size: f32,
}

impl Text {
    fn new(cell: usize) -> Self {
        let font = FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT).ok();
        Self {
            font,
            size: (cell as f32 / 12.0).clamp(14.0, 40.0),
        }
    }

    fn line_height(&self) -> usize {
        (self.size * 1.25).ceil() as usize
    }

    fn width(&self, text: &str) -> f32 {
        let Some(font) = &self.font else { return 0.0 };
        let font = font.as_scaled(PxScale::from(self.size));
        text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum()
    }

    /// Lines that fit the width; what does not fit the last one ends in an ellipsis.
    fn wrap(&self, text: &str, width: usize) -> Vec<String> {
        let text = text.trim();
        let text = if text.is_empty() { "(nothing)" } else { text };
        let mut lines: Vec<String> = vec![String::new()];
        for word in text.split_whitespace() {
            let last = lines.last().map_or("", String::as_str);
            let joined = if last.is_empty() {
                word.to_string()
            } else {
                format!("{last} {word}")
            };
            if last.is_empty() || self.width(&joined) <= width as f32 {
                lines.pop();
                lines.push(joined);
            } else {
                lines.push(word.to_string());
            }
        }
        let cut = lines.len() > LINES;
        lines.truncate(LINES);
        let count = lines.len();
        for (number, line) in lines.iter_mut().enumerate() {
            let ellipsis = cut && number + 1 == count;
            if !ellipsis && self.width(line) <= width as f32 {
                continue;
            }
            while !line.is_empty() && self.width(&format!("{line}…")) > width as f32 {
                line.pop();
            }
            line.push('…');
        }
        lines
    }

    fn draw(&self, picture: &mut RgbImage, text: &str, x: usize, y: usize, width: usize) {
        let Some(font) = &self.font else { return };
        let scaled = font.as_scaled(PxScale::from(self.size));
        for (number, line) in self.wrap(text, width).iter().enumerate() {
            let mut pen = x as f32;
            let base = (y + number * self.line_height()) as f32 + scaled.ascent();
            for c in line.chars() {
                let id = scaled.glyph_id(c);
                let glyph = id.with_scale_and_position(self.size, ab_glyph::point(pen, base));
                pen += scaled.h_advance(id);
                let Some(outline) = font.outline_glyph(glyph) else {
                    continue;
                };
                let corner = outline.px_bounds().min;
                outline.draw(|dx, dy, cover| {
                    blend(
                        picture,
                        corner.x as i64 + i64::from(dx),
                        corner.y as i64 + i64::from(dy),
                        cover,
                    );
                });
            }
        }
    }
}

fn blend(picture: &mut RgbImage, x: i64, y: i64, cover: f32) {
    let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else {
        return;
    };
    if x >= picture.width || y >= picture.height {
        return;
    }
    let start = 3 * (y * picture.width + x);
    for (value, ink) in picture.pixels[start..start + 3].iter_mut().zip(INK) {
        let mixed = f32::from(*value) * (1.0 - cover) + f32::from(ink) * cover;
        *value = mixed.clamp(0.0, 255.0) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_cells_land_where_they_belong() {
        let sweep = Sweep::parse("[young|old] [blonde|brown|black] hair").expect("two groups");
        let mut grid = Grid::new(&sweep, 64);
        let (left, top) = (grid.left, grid.top);
        let ink = |picture: &RgbImage, xs: std::ops::Range<usize>, ys: std::ops::Range<usize>| {
            ys.flat_map(|y| xs.clone().map(move |x| (x, y)))
                .any(|(x, y)| picture.pixel(x, y)[0] < 100)
        };
        assert!(
            ink(&grid.picture, left..left + 64, 0..top),
            "a label over the first column"
        );
        assert!(
            ink(&grid.picture, 0..left - GAP, top..top + 64),
            "a label beside the first row"
        );
        grid.put(&sweep.cells[4], &RgbImage::filled(64, 64, [255, 0, 0]));
        let picture = grid.finish();
        assert_eq!(
            picture.pixel(left + 64 + GAP + 5, top + 64 + GAP + 5),
            [255, 0, 0]
        );
        assert_eq!(picture.pixel(left + 5, top + 5), PAPER);
    }

    #[test]
    fn a_grid_is_never_larger_than_what_is_read() {
        let words: Vec<String> = (0..64).map(|word| format!("w{word}")).collect();
        let sweep = Sweep::parse(&format!("[{}]", words.join("|"))).expect("a sweep");
        let mut grid = Grid::new(&sweep, 1024);
        let cell = sweep.cells[63].clone();
        grid.put(&cell, &RgbImage::filled(1024, 1024, [10, 20, 30]));
        let grid = grid.finish();
        assert!(grid.width <= MAX_SIDE && grid.width > MAX_SIDE * 9 / 10);
        let inside = grid.pixel(grid.width - 2 * GAP, grid.height - 2 * GAP);
        assert_eq!(inside, [10, 20, 30]);
    }

    #[test]
    fn a_stamp_stays_in_its_corner() {
        for side in [64, 512] {
            let before = RgbImage::filled(side, side, [90, 0, 0]);
            let mut after = before.clone();
            stamp(&mut after, "AI generated");
            assert_ne!(after.pixel(0, side - 1), [90, 0, 0]);
            assert!(
                after
                    .pixels
                    .chunks_exact(3)
                    .any(|pixel| pixel[1] > 20 && pixel[1] < 120)
            );
            assert_eq!(
                after.pixels[..3 * side * side / 2],
                before.pixels[..3 * side * side / 2]
            );
        }
        let mut tiny = RgbImage::filled(3, 3, [9; 3]);
        stamp(&mut tiny, "AI generated");
    }

    #[test]
    fn long_labels_are_wrapped_and_cut() {
        let text = Text::new(128);
        let lines = text.wrap(
            "a very long label that never ends and goes on and on for many more words",
            128,
        );
        assert_eq!(lines.len(), LINES);
        assert!(lines[2].ends_with('…'));
        assert!(lines.iter().all(|line| text.width(line) <= 128.0));
        assert_eq!(text.wrap("", 128), ["(nothing)"]);
        assert_eq!(text.wrap("short", 128), ["short"]);
    }
}
