//! A contact sheet: photo, mask and its sample, sketch and its sample, and the hair colours.

use mmface_engine::picture::RgbImage;
use mmface_engine::picture::resize::lanczos_rgb;
use mmface_engine::{Error, Result};

use super::{Item, coloured};

/// Side of a cell.
const CELL: usize = 160;

/// Draws a row for each item.
pub fn draw(
    items: &[Item],
    photos: &[RgbImage],
    from_mask: &[RgbImage],
    from_sketch: &[RgbImage],
    by_colour: &[Vec<RgbImage>],
) -> Result<RgbImage> {
    let rows: Vec<Vec<RgbImage>> = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let mut row = vec![
                photos[index].clone(),
                item.pictures.mask.to_rgb(),
                from_mask[index].clone(),
                coloured(&item.pictures.sketch),
                from_sketch[index].clone(),
            ];
            row.extend(by_colour.iter().map(|pictures| pictures[index].clone()));
            row
        })
        .collect();
    let columns = rows.first().map_or(0, Vec::len);
    if columns == 0 {
        return Err(Error::Input("there is nothing to show".into()));
    }
    let mut sheet = RgbImage::filled(columns * CELL, rows.len() * CELL, [255; 3]);
    for (y, row) in rows.iter().enumerate() {
        for (x, picture) in row.iter().enumerate() {
            let small = lanczos_rgb(picture, CELL, CELL);
            for (line, pixels) in small.pixels.chunks_exact(3 * CELL).enumerate() {
                let start = 3 * ((y * CELL + line) * sheet.width + x * CELL);
                sheet.pixels[start..start + 3 * CELL].copy_from_slice(pixels);
            }
        }
    }
    Ok(sheet)
}
