//! Where the classes of a mask lie.

use crate::labels::CLASS_COUNT;

/// Where a class lies and how much of the picture it covers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Centre {
    pub x: f64,
    pub y: f64,
    pub share: f64,
}

/// Centre of each class; `None` where it does not occur.
pub(super) fn centres(labels: &[u8], width: usize) -> [Option<Centre>; CLASS_COUNT] {
    let mut sums = [(0f64, 0f64, 0usize); CLASS_COUNT];
    for (i, &label) in labels.iter().enumerate() {
        if let Some((x, y, count)) = sums.get_mut(usize::from(label)) {
            *x += (i % width.max(1)) as f64;
            *y += (i / width.max(1)) as f64;
            *count += 1;
        }
    }
    sums.map(|(x, y, count)| {
        let area = count as f64;
        (count > 0).then(|| Centre {
            x: x / area,
            y: y / area,
            share: area / labels.len() as f64,
        })
    })
}
