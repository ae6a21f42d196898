//! Small connected pieces of a mask: specks of a class and holes in the face.

use std::collections::BTreeSet;

use mmface_engine::labels::{CLASS_COUNT, LabelImage, class};

/// A piece this small, on a canvas of 512 by 512, is an accident of the hand or of a program.
const SPECK_PIXELS: f64 = 12.0;

/// A larger hole may be meant, such as a loop of hair.
const HOLE_PIXELS: f64 = 1200.0;

/// One piece.
struct Island {
    class: u8,
    pixels: Vec<usize>,
    /// The class that most of its border touches.
    around: u8,
    at_edge: bool,
}

/// Pieces that do not belong.
pub(super) struct Islands(Vec<Island>);

impl Islands {
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn pixels(&self) -> usize {
        self.0.iter().map(|island| island.pixels.len()).sum()
    }

    /// Their classes, in order, each once.
    pub(super) fn classes(&self) -> impl Iterator<Item = u8> {
        let classes: BTreeSet<u8> = self.0.iter().map(|island| island.class).collect();
        classes.into_iter()
    }

    /// Gives each piece to the class around it.
    pub(super) fn fill(&self, labels: &mut [u8]) {
        for island in &self.0 {
            for &i in &island.pixels {
                if let Some(label) = labels.get_mut(i) {
                    *label = island.around;
                }
            }
        }
    }
}

/// A number of pixels of a 512 canvas on a canvas of this size.
fn scaled(pixels: f64, mask: &LabelImage) -> usize {
    (pixels * (mask.width * mask.height) as f64 / (512.0 * 512.0)).max(2.0) as usize
}

/// Tiny pieces of any class but background.
pub(super) fn specks(mask: &LabelImage) -> Islands {
    let most = scaled(SPECK_PIXELS, mask);
    let found = pieces(mask, most, |class| class != class::BACKGROUND);
    // A part that is all specks is meant, such as an earring of a few pixels.
    let counts = mask.counts();
    let mut lost = [0usize; CLASS_COUNT];
    for island in &found {
        lost[usize::from(island.class)] += island.pixels.len();
    }
    let meant = |class: u8| lost[usize::from(class)] * 2 > counts[usize::from(class)];
    Islands(
        found
            .into_iter()
            .filter(|island| !meant(island.class))
            .collect(),
    )
}

/// Background that the face encloses.
pub(super) fn holes(mask: &LabelImage) -> Islands {
    let most = scaled(HOLE_PIXELS, mask);
    let found = pieces(mask, most, |class| class == class::BACKGROUND);
    Islands(found.into_iter().filter(|island| !island.at_edge).collect())
}

/// Connected pieces of up to `most` pixels. Classes hang together across corners, so that a strand
/// of hair is one piece; background does not, so that a diagonal line encloses it.
fn pieces(mask: &LabelImage, most: usize, wanted: impl Fn(u8) -> bool) -> Vec<Island> {
    let (width, height) = (mask.width, mask.height);
    let mut seen = vec![false; mask.labels.len()];
    let mut found = Vec::new();
    let mut open = Vec::new();
    for start in 0..mask.labels.len() {
        let class = mask.labels[start];
        if seen[start] || !wanted(class) {
            continue;
        }
        let across = class != class::BACKGROUND;
        let mut votes = [0usize; CLASS_COUNT];
        let mut island = Island {
            class,
            pixels: Vec::new(),
            around: class,
            at_edge: false,
        };
        let mut size = 0;
        seen[start] = true;
        open.push(start);
        while let Some(i) = open.pop() {
            size += 1;
            if size <= most {
                island.pixels.push(i);
            }
            let (x, y) = (i % width, i / width);
            island.at_edge |= x == 0 || y == 0 || x + 1 == width || y + 1 == height;
            for ny in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for nx in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    let corner = nx != x && ny != y;
                    let j = ny * width + nx;
                    if mask.labels[j] == class {
                        if (across || !corner) && !seen[j] {
                            seen[j] = true;
                            open.push(j);
                        }
                    } else if !corner
                        && let Some(count) = votes.get_mut(usize::from(mask.labels[j]))
                    {
                        *count += 1;
                    }
                }
            }
        }
        if size <= most {
            let top = votes.iter().copied().max().unwrap_or(0);
            if top > 0 {
                island.around = votes.iter().position(|&count| count == top).unwrap_or(0) as u8;
            }
            found.push(island);
        }
    }
    found
}
