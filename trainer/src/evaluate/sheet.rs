//! A contact sheet: photo, mask and its sample, sketch and its sample, and the hair colours.

use mmface_engine::picture::RgbImage;
use mmface_engine::{Error, Result};

use super::{Item, coloured};
use crate::sheets::grid;

/// Side of a cell.
const CELL: usize = 160;

/// Draws a row for each item.
///
/// # Errors
/// When there is no item.
pub(super) fn draw(
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
    if rows.is_empty() {
        return Err(Error::Input("there is nothing to show".into()));
    }
    Ok(grid(&rows, CELL))
}
