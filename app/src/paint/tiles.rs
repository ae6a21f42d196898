//! A picture of bytes in copy-on-write tiles.
//!
//! A clone shares every tile: a snapshot before each gesture costs some reference counts, the
//! history keeps only tiles that a gesture replaced, and a view uploads only tiles whose pointer
//! differs from the one it holds.

use std::ops::Range;
use std::sync::Arc;

/// Side of a tile in pixels.
pub const TILE: usize = 64;

/// The bytes of one tile, row-major.
pub type Tile = [u8; TILE * TILE];

/// One byte a pixel (a class number or a grey value) in copy-on-write tiles.
#[derive(Clone, Debug)]
pub struct Tiles {
    width: usize,
    height: usize,
    columns: usize,
    tiles: Vec<Arc<Tile>>,
}

impl Tiles {
    /// One value everywhere; all tiles share their bytes. Sides are rounded up to multiples of
    /// [`TILE`].
    pub fn filled(width: usize, height: usize, value: u8) -> Self {
        let (columns, rows) = (width.max(1).div_ceil(TILE), height.max(1).div_ceil(TILE));
        let tile = Arc::new([value; TILE * TILE]);
        Self {
            width: columns * TILE,
            height: rows * TILE,
            columns,
            tiles: vec![tile; columns * rows],
        }
    }

    /// From row-major bytes. Sides that are no multiples of [`TILE`] are rounded up; pixels that
    /// `pixels` does not have are 0.
    pub fn from_pixels(width: usize, height: usize, pixels: &[u8]) -> Self {
        let mut picture = Self::filled(width, height, 0);
        if width == 0 {
            return picture;
        }
        for (y, row) in pixels.chunks(width).take(height).enumerate() {
            for (column, bytes) in row.chunks(TILE).enumerate() {
                picture.write(y, column * TILE, bytes);
            }
        }
        picture
    }

    /// The bytes, row-major, `width · height` of them.
    pub fn to_pixels(&self) -> Vec<u8> {
        let mut pixels = vec![0; self.width * self.height];
        for (y, row) in pixels.chunks_exact_mut(self.width).enumerate() {
            for (column, bytes) in row.chunks_exact_mut(TILE).enumerate() {
                let tile = &self.tiles[y / TILE * self.columns + column];
                bytes.copy_from_slice(&tile[y % TILE * TILE..][..TILE]);
            }
        }
        pixels
    }

    /// Width in pixels, a multiple of [`TILE`].
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels, a multiple of [`TILE`].
    pub fn height(&self) -> usize {
        self.height
    }

    /// Tiles in a row of tiles.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The tiles, row by row. Equal pointers mean equal bytes: a picture never writes into a tile
    /// that somebody else holds.
    pub fn tiles(&self) -> &[Arc<Tile>] {
        &self.tiles
    }

    /// The value of a pixel; 0 outside of the picture.
    pub fn get(&self, x: usize, y: usize) -> u8 {
        if x >= self.width || y >= self.height {
            return 0;
        }
        self.tiles[self.tile_of(x, y)][offset(x, y)]
    }

    /// Sets a pixel; nothing happens outside of the picture.
    pub fn set(&mut self, x: usize, y: usize, value: u8) {
        self.fill_row(y, x..x.saturating_add(1), value);
    }

    /// Sets a part of a row; what lies outside of the picture is ignored. Returns whether a pixel
    /// changed.
    pub fn fill_row(&mut self, y: usize, range: Range<usize>, value: u8) -> bool {
        self.change_row(
            y,
            range,
            |bytes| bytes.iter().any(|&old| old != value),
            |bytes| bytes.fill(value),
        )
    }

    /// Sets the pixels of a row whose old value is allowed. Returns whether a pixel changed.
    pub fn fill_row_where(
        &mut self,
        y: usize,
        range: Range<usize>,
        value: u8,
        allowed: &[bool; 256],
    ) -> bool {
        self.change_row(
            y,
            range,
            |bytes| {
                bytes
                    .iter()
                    .any(|&old| old != value && allowed[usize::from(old)])
            },
            |bytes| {
                for byte in bytes {
                    if allowed[usize::from(*byte)] {
                        *byte = value;
                    }
                }
            },
        )
    }

    /// Replaces a piece of a row that begins at column `x`. Returns whether a pixel changed.
    pub fn write_row(&mut self, y: usize, x: usize, bytes: &[u8]) -> bool {
        let mut changed = false;
        let end = x.saturating_add(bytes.len()).min(self.width);
        let mut from = x;
        while y < self.height && from < end {
            let stop = ((from / TILE + 1) * TILE).min(end);
            changed |= self.write(y, from, &bytes[from - x..stop - x]);
            from = stop;
        }
        changed
    }

    /// Calls `read` with pieces of a row from left to right: the first column and the bytes.
    pub fn read_row(&self, y: usize, range: Range<usize>, mut read: impl FnMut(usize, &[u8])) {
        if y >= self.height {
            return;
        }
        let (mut x, end) = (range.start, range.end.min(self.width));
        while x < end {
            let stop = ((x / TILE + 1) * TILE).min(end);
            let start = offset(x, y);
            read(x, &self.tiles[self.tile_of(x, y)][start..start + stop - x]);
            x = stop;
        }
    }

    /// Pixels with each value.
    pub fn counts(&self) -> [usize; 256] {
        let mut counts = [0; 256];
        for tile in &self.tiles {
            for &value in tile.iter() {
                counts[usize::from(value)] += 1;
            }
        }
        counts
    }

    /// Bytes of tiles that this picture does not share with `other`; all of them where the sizes
    /// differ.
    pub fn unshared_bytes(&self, other: &Self) -> usize {
        if !self.same_size(other) {
            return self.tiles.len() * TILE * TILE;
        }
        let differ = |(a, b): &(&Arc<Tile>, &Arc<Tile>)| !Arc::ptr_eq(a, b);
        let pairs = self.tiles.iter().zip(&other.tiles);
        pairs.filter(differ).count() * TILE * TILE
    }

    /// Whether both pictures have the same width and height.
    pub fn same_size(&self, other: &Self) -> bool {
        (self.width, self.height) == (other.width, other.height)
    }

    /// Puts another tile in a place and returns the old one. For the history.
    pub(super) fn exchange(&mut self, index: usize, tile: Arc<Tile>) -> Option<Arc<Tile>> {
        let place = self.tiles.get_mut(index)?;
        Some(std::mem::replace(place, tile))
    }

    fn tile_of(&self, x: usize, y: usize) -> usize {
        y / TILE * self.columns + x / TILE
    }

    /// Into one tile.
    fn write(&mut self, y: usize, x: usize, bytes: &[u8]) -> bool {
        let (index, start) = (self.tile_of(x, y), offset(x, y));
        let place = start..start + bytes.len();
        let differs = self.tiles[index][place.clone()] != *bytes;
        if differs {
            Arc::make_mut(&mut self.tiles[index])[place].copy_from_slice(bytes);
        }
        differs
    }

    /// A tile is only copied when `matters` says that its piece of the row will change.
    fn change_row(
        &mut self,
        y: usize,
        range: Range<usize>,
        matters: impl Fn(&[u8]) -> bool,
        change: impl Fn(&mut [u8]),
    ) -> bool {
        if y >= self.height {
            return false;
        }
        let mut changed = false;
        let (mut x, end) = (range.start, range.end.min(self.width));
        while x < end {
            let stop = ((x / TILE + 1) * TILE).min(end);
            let (index, start) = (self.tile_of(x, y), offset(x, y));
            let place = start..start + stop - x;
            if matters(&self.tiles[index][place.clone()]) {
                change(&mut Arc::make_mut(&mut self.tiles[index])[place]);
                changed = true;
            }
            x = stop;
        }
        changed
    }
}

impl PartialEq for Tiles {
    fn eq(&self, other: &Self) -> bool {
        self.same_size(other)
            && self
                .tiles
                .iter()
                .zip(&other.tiles)
                .all(|(a, b)| Arc::ptr_eq(a, b) || a == b)
    }
}

impl Eq for Tiles {}

fn offset(x: usize, y: usize) -> usize {
    y % TILE * TILE + x % TILE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_go_in_and_come_out() {
        let pixels: Vec<u8> = (0..128 * 192).map(|i| (i % 251) as u8).collect();
        let picture = Tiles::from_pixels(128, 192, &pixels);
        assert_eq!(
            (picture.width(), picture.height(), picture.columns()),
            (128, 192, 2)
        );
        assert_eq!(picture.to_pixels(), pixels);
        assert_eq!(picture.get(100, 150), pixels[150 * 128 + 100]);
        assert_eq!(picture.get(128, 0), 0);
    }

    #[test]
    fn odd_sizes_and_short_data_are_padded() {
        let picture = Tiles::from_pixels(70, 3, &[7; 150]);
        assert_eq!((picture.width(), picture.height()), (128, 64));
        assert_eq!((picture.get(69, 1), picture.get(70, 1)), (7, 0));
        assert_eq!((picture.get(9, 2), picture.get(10, 2)), (7, 0));
    }

    #[test]
    fn a_write_copies_only_what_it_changes() {
        let before = Tiles::filled(256, 256, 1);
        let mut after = before.clone();
        assert!(!after.fill_row(10, 0..256, 1));
        assert_eq!(after.unshared_bytes(&before), 0);
        assert!(after.fill_row(10, 60..70, 2));
        assert_eq!(after.unshared_bytes(&before), 2 * TILE * TILE);
        assert_eq!(before.get(65, 10), 1);
        assert_ne!(after, before);
        assert!(after.fill_row(10, 0..usize::MAX, 1));
        assert_eq!(after, before);
        assert!(!after.fill_row(usize::MAX, 0..5, 3));
    }

    #[test]
    fn only_allowed_values_are_replaced() {
        let mut picture = Tiles::filled(64, 64, 0);
        picture.set(5, 5, 3);
        let mut allowed = [true; 256];
        allowed[3] = false;
        assert!(picture.fill_row_where(5, 0..64, 9, &allowed));
        assert_eq!([4, 5, 6].map(|x| picture.get(x, 5)), [9, 3, 9]);
        assert!(picture.write_row(5, 5, &[4, 9]) && !picture.write_row(5, 5, &[4, 9]));
        assert_eq!(picture.get(5, 5), 4);
    }
}
