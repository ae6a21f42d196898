//! How much each region of the face changed between two pictures: the mean CIELAB difference over
//! the region's pixels. 2 is just visible, 30 is another hair colour.

use std::sync::LazyLock;

use mmface_engine::labels::{LabelImage, palette};
use mmface_engine::picture::RgbImage;

/// Regions as people speak of them, and their class names.
const REGIONS: [(&str, &[&str]); 10] = [
    ("hair", &["hair"]),
    ("skin", &["skin"]),
    ("eyes", &["l_eye", "r_eye", "eye_g"]),
    ("brows", &["l_brow", "r_brow"]),
    ("nose", &["nose"]),
    ("mouth", &["mouth", "u_lip", "l_lip"]),
    ("ears", &["l_ear", "r_ear", "ear_r"]),
    ("neck", &["neck", "neck_l"]),
    ("clothes", &["cloth", "hat"]),
    ("background", &["background"]),
];

/// A region and how much it changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The region.
    pub region: &'static str,
    /// Mean CIELAB difference.
    pub amount: f32,
}

/// Compares two pictures of one size region by region, the largest change first. Regions without a
/// pixel are left out; without a mask there is one region, the whole picture.
pub fn changes(from: &RgbImage, to: &RgbImage, mask: Option<&LabelImage>) -> Vec<Change> {
    if (from.width, from.height) != (to.width, to.height) || from.pixels.len() != to.pixels.len() {
        return Vec::new();
    }
    let mask = mask.map(|mask| mask.resized(from.width, from.height));
    let region_of = region_of();
    let mut sums = [(0f64, 0usize); REGIONS.len() + 1];
    let pixels = from.pixels.chunks_exact(3).zip(to.pixels.chunks_exact(3));
    for (at, (a, b)) in pixels.enumerate() {
        let region = match &mask {
            Some(mask) => {
                let class = mask.labels.get(at).copied().unwrap_or(0);
                region_of.get(usize::from(class)).copied().unwrap_or(0)
            }
            None => REGIONS.len(),
        };
        let difference = if a == b { 0.0 } else { distance(a, b) };
        sums[region].0 += f64::from(difference);
        sums[region].1 += 1;
    }
    let name = |i: usize| REGIONS.get(i).map_or("picture", |(name, _)| name);
    let mut changes: Vec<Change> = sums
        .iter()
        .enumerate()
        .filter(|(_, (_, count))| *count > 0)
        .map(|(i, (sum, count))| Change {
            region: name(i),
            amount: (sum / *count as f64) as f32,
        })
        .collect();
    changes.sort_by(|a, b| b.amount.total_cmp(&a.amount));
    changes
}

/// The region of each class.
fn region_of() -> Vec<usize> {
    let of = |name: &str| {
        REGIONS
            .iter()
            .position(|(_, classes)| classes.contains(&name))
    };
    let background = REGIONS.len() - 1;
    let classes = palette().classes.iter();
    classes
        .map(|class| of(&class.name).unwrap_or(background))
        .collect()
}

/// The changes in a line: "hair 31, skin 4, background 1".
pub fn words(changes: &[Change]) -> String {
    let parts: Vec<String> = changes
        .iter()
        .map(|change| format!("{} {:.0}", change.region, change.amount))
        .collect();
    parts.join(", ")
}

fn distance(a: &[u8], b: &[u8]) -> f32 {
    let (a, b) = (lab(a), lab(b));
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).powi(2))
        .sum::<f32>()
        .sqrt()
}

/// sRGB's curve, for every byte.
static LINEAR: LazyLock<[f32; 256]> = LazyLock::new(|| {
    std::array::from_fn(|value| {
        let v = value as f32 / 255.0;
        if v <= 0.04045 {
            v / 12.92
        } else {
            ((v + 0.055) / 1.055).powf(2.4)
        }
    })
});

/// CIELAB of an sRGB colour under D65.
fn lab(rgb: &[u8]) -> [f32; 3] {
    let [r, g, b] = [0, 1, 2].map(|i| LINEAR[usize::from(rgb.get(i).copied().unwrap_or(0))]);
    let x = (0.412_456 * r + 0.357_576 * g + 0.180_438 * b) / 0.950_47;
    let y = 0.212_673 * r + 0.715_152 * g + 0.072_175 * b;
    let z = (0.019_334 * r + 0.119_192 * g + 0.950_304 * b) / 1.088_83;
    let f = |t: f32| {
        if t > 216.0 / 24389.0 {
            t.cbrt()
        } else {
            (24389.0 / 27.0 * t + 16.0) / 116.0
        }
    };
    let (x, y, z) = (f(x), f(y), f(z));
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_have_their_known_coordinates() {
        for (rgb, wanted) in [
            ([255u8, 255, 255], [100.0, 0.0, 0.0]),
            ([255, 0, 0], [53.24, 80.09, 67.20]),
            ([0, 0, 255], [32.30, 79.19, -107.86]),
        ] {
            let lab = lab(&rgb);
            let off = lab.iter().zip(wanted).map(|(a, b): (_, f32)| (a - b).abs());
            assert!(off.fold(0.0, f32::max) < 0.1, "{rgb:?}: {lab:?}");
        }
    }

    #[test]
    fn the_region_that_changed_comes_first() {
        let hair = palette().find("hair").expect("a class");
        let skin = palette().find("skin").expect("a class");
        let labels = [vec![hair; 8], vec![skin; 8]].concat();
        let mask = LabelImage::new(4, 4, labels).expect("classes");
        let from = RgbImage::filled(8, 8, [120, 80, 60]);
        let mut to = from.clone();
        to.pixels[..3 * 32].copy_from_slice(&[200u8, 180, 120].repeat(32));
        let changes = changes(&from, &to, Some(&mask));
        assert_eq!(changes.len(), 2, "{changes:?}");
        assert_eq!(changes[0].region, "hair");
        assert!(changes[0].amount > 30.0 && changes[1].amount == 0.0);
        assert!(words(&changes).starts_with("hair ") && words(&changes).ends_with("skin 0"));
    }

    #[test]
    fn unequal_sizes_say_nothing_and_no_mask_is_one_region() {
        let small = RgbImage::filled(2, 2, [0; 3]);
        let large = RgbImage::filled(3, 3, [0; 3]);
        assert!(changes(&small, &large, None).is_empty());
        let white = RgbImage::filled(2, 2, [255; 3]);
        let all = changes(&small, &white, None);
        assert_eq!(all.len(), 1);
        assert!((all[0].amount - 100.0).abs() < 0.1);
    }

    #[test]
    fn every_class_belongs_to_a_region() {
        let named: usize = REGIONS.iter().map(|(_, classes)| classes.len()).sum();
        assert_eq!(named, palette().classes.len());
        for (_, classes) in REGIONS {
            for class in classes {
                assert!(palette().find(class).is_some(), "{class}");
            }
        }
    }
}
