//! Names of the classes on their regions, for eyes to which colours and stripes say little.
//!
//! Where they stand is found beside the GUI thread, once after each change of the mask.

use egui::{FontId, Painter, Pos2, Rect, pos2, vec2};
use mmface_engine::labels::{CLASS_COUNT, palette};

use super::State;
use super::{Look, ink};
use crate::paint::Tiles;
use crate::studio::context::Context;
use crate::studio::document::Mix;

/// Where a name does not fit, letters may.
const LETTERS: [&str; CLASS_COUNT] = [
    "", "Sk", "No", "Gl", "EyL", "EyR", "BrL", "BrR", "EaL", "EaR", "Mo", "LiU", "LiL", "Hr", "Ht",
    "Er", "Nkl", "Nk", "Cl",
];

/// Cells along a side of the grid that is searched.
const CELLS: usize = 256;

/// Most regions that get a name: scattered pixels are not worth one.
const MOST: usize = 96;

/// Height of the names, points.
const HEIGHT: f32 = 11.0;

/// The mask has to be seen so well.
const SEEN: f32 = 0.4;

/// The middle of a region: the centre of the largest square in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// The class.
    pub class: u8,
    /// The centre, canvas pixels.
    pub at: Pos2,
    /// Half of the square's side, canvas pixels.
    pub reach: f32,
}

/// The places, as of a revision of the drawing.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: Option<u64>,
    working: bool,
    places: Vec<Place>,
}

/// A name as it is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The class.
    pub class: u8,
    /// Its name, or letters.
    pub text: String,
    /// The middle on screen.
    pub at: Pos2,
}

/// Looks for the places again after a change. A gesture is waited for: names that jump about under
/// the brush would be no help.
pub(super) fn follow(state: &mut State, cx: &mut Context) {
    let revision = cx.document.painter.drawing_revision();
    let gesture = state.in_gesture() || cx.document.painter.busy();
    let names = &mut state.names;
    if !cx.settings.class_names
        || names.working
        || names.known == Some(revision)
        || gesture && names.known.is_some()
    {
        return;
    }
    names.working = true;
    let mask = cx.document.painter.drawing().mask.clone();
    cx.spawn(&state.inbox, "finding places for names", move || {
        let places = find(&mask);
        move |state: &mut State, _: &mut Context| {
            state.names = Names {
                known: Some(revision),
                working: false,
                places,
            };
        }
    });
}

/// The middles of all regions but the background's, the widest first.
pub fn find(mask: &Tiles) -> Vec<Place> {
    let step = mask.width().max(mask.height()).div_ceil(CELLS).max(1);
    let (width, height) = (mask.width() / step, mask.height() / step);
    let pixels = mask.to_pixels();
    let cell = |i: usize| pixels[i / width * step * mask.width() + i % width * step];
    let cells: Vec<u8> = (0..width * height).map(cell).collect();
    let depth = depths(&cells, width, height);
    let mut seen = vec![false; cells.len()];
    let mut places = Vec::new();
    for start in 0..cells.len() {
        if seen[start] || cells[start] == 0 || usize::from(cells[start]) >= CLASS_COUNT {
            continue;
        }
        let region = region(&cells, width, start, &mut seen);
        let count = region.len() as f32;
        let sum = |value: fn(usize, usize) -> usize| {
            region.iter().map(|&i| value(i, width) as f32).sum::<f32>() / count
        };
        let centre = [sum(|i, width| i % width), sum(|i, width| i / width)];
        // Of many equally wide places the one in the middle.
        let off = |i: usize| {
            let (x, y) = (
                (i % width) as f32 - centre[0],
                (i / width) as f32 - centre[1],
            );
            x * x + y * y
        };
        let best = region.iter().copied().max_by(|&a, &b| {
            let wider = depth[a].cmp(&depth[b]);
            wider.then(off(b).total_cmp(&off(a)))
        });
        places.extend(best.map(|i| {
            let middle = |cell: usize| (cell as f32 + 0.5) * step as f32;
            Place {
                class: cells[i],
                at: pos2(middle(i % width), middle(i / width)),
                reach: f32::from(depth[i]) * step as f32,
            }
        }));
    }
    places.sort_by(|a, b| b.reach.total_cmp(&a.reach));
    places.truncate(MOST);
    places
}

/// For each cell the cells to the nearest one of another class, along rows, columns and diagonals.
fn depths(cells: &[u8], width: usize, height: usize) -> Vec<u16> {
    let mut depth = vec![0u16; cells.len()];
    let least = |depth: &[u16], i: usize, ways: [(isize, isize); 4]| {
        let (x, y) = (i % width, i / width);
        let at = ways.map(|(across, down)| {
            let x = x.checked_add_signed(across).filter(|&x| x < width);
            let y = y.checked_add_signed(down).filter(|&y| y < height);
            let there = x.zip(y).map(|(x, y)| y * width + x);
            there.map_or(0, |there| match cells[there] == cells[i] {
                true => depth[there],
                false => 0,
            })
        });
        at.into_iter().min().unwrap_or(0)
    };
    for i in 0..cells.len() {
        depth[i] = least(&depth, i, [(-1, 0), (-1, -1), (0, -1), (1, -1)]) + 1;
    }
    for i in (0..cells.len()).rev() {
        let back = least(&depth, i, [(1, 0), (1, 1), (0, 1), (-1, 1)]) + 1;
        depth[i] = depth[i].min(back);
    }
    depth
}

/// The cells that hang together with one.
fn region(cells: &[u8], width: usize, start: usize, seen: &mut [bool]) -> Vec<usize> {
    let mut region = vec![start];
    seen[start] = true;
    let mut next = 0;
    while let Some(&i) = region.get(next) {
        next += 1;
        let x = i % width;
        let around = [
            (x > 0).then(|| i - 1),
            (x + 1 < width).then_some(i + 1),
            i.checked_sub(width),
            (i + width < cells.len()).then_some(i + width),
        ];
        for there in around.into_iter().flatten() {
            if !seen[there] && cells[there] == cells[start] {
                seen[there] = true;
                region.push(there);
            }
        }
    }
    region
}

/// The names that have room on screen as it is now.
pub fn labels(state: &State, cx: &Context) -> Vec<Label> {
    let canvas = state;
    let settings = &cx.document.painter.settings;
    if !cx.settings.class_names {
        return Vec::new();
    }
    let (picture, onion) = (canvas.has_picture(), cx.document.under.is_some());
    let mix = Mix::new(
        cx.document.look,
        settings.layer,
        picture,
        onion,
        &cx.document.opacities,
    );
    if mix.mask < SEEN {
        return Vec::new();
    }
    let side = cx.document.painter.drawing().side() as f32;
    let end = match cx.document.look {
        Look::Split if picture => canvas.split * side,
        _ => side,
    };
    let places = canvas.names.places.iter();
    let places = places.filter(|place| place.at.x <= end && !settings.hidden.contains(place.class));
    places
        .filter_map(|place| {
            let class = usize::from(place.class);
            let room = place.reach * canvas.camera.zoom;
            let title = palette().classes.get(class)?.title.as_str();
            // A name may be wider than the square: regions seldom are squares.
            let fits = |text: &&str| {
                let width = text.chars().count() as f32 * HEIGHT * 0.5;
                room >= HEIGHT * 0.5 && width * 0.5 <= room * 1.5
            };
            let text = [title, LETTERS[class]].into_iter().find(fits)?;
            Some(Label {
                class: place.class,
                text: text.to_owned(),
                at: canvas.camera.to_screen(canvas.rect, place.at),
            })
        })
        .collect()
}

/// Draws them.
pub(super) fn show(painter: &Painter, state: &State, cx: &Context) {
    for label in labels(state, cx) {
        let font = FontId::proportional(HEIGHT);
        let galley = painter.layout_no_wrap(label.text, font, ink::LIGHT);
        let ground = Rect::from_center_size(label.at, galley.size());
        painter.rect_filled(ground.expand2(vec2(3.0, 0.0)), 3.0, ink::DARK);
        painter.galley(ground.min, galley, ink::LIGHT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_widest_part_of_each_region() {
        let mut mask = Tiles::filled(512, 512, 0);
        for y in 100..200 {
            mask.fill_row(y, 50..150, 13);
        }
        // A thin arm on the right moves nothing.
        for y in 148..152 {
            mask.fill_row(y, 150..400, 13);
        }
        for y in 300..340 {
            mask.fill_row(y, 300..340, 13);
            mask.fill_row(y, 340..380, 1);
        }
        let places = find(&mask);
        let classes: Vec<u8> = places.iter().map(|place| place.class).collect();
        assert_eq!(places.len(), 3, "{places:?}");
        assert_eq!(classes[0], 13);
        assert!((places[0].at - pos2(100.0, 150.0)).length() < 6.0);
        assert!((places[0].reach - 50.0).abs() < 4.0, "{places:?}");
        assert!(classes[1..].contains(&1) && classes[1..].contains(&13));
        assert!(find(&Tiles::filled(512, 512, 0)).is_empty());
    }

    #[test]
    fn letters_tell_all_classes_apart() {
        let mut letters = LETTERS.to_vec();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!(letters.len(), CLASS_COUNT);
    }
}
