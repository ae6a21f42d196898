//! Colours of the classes on screen: the model's own, or ones that colour-blind eyes tell apart.
//!
//! Only for the screen. The mask keeps class numbers and the engine its own palette.

use egui::Color32;
use mmface_engine::labels::{CLASS_COUNT, palette};

/// Found by annealing: any two classes keep a distance of 14 in CIELAB for usual eyes and for eyes
/// without red, green or blue cones (the test below measures it). Skin and hair are skin- and
/// hair-like, sides of a pair are related.
const FRIENDLY: [[u8; 3]; CLASS_COUNT] = [
    [34, 38, 46],
    [228, 191, 151],
    [201, 129, 58],
    [255, 236, 106],
    [4, 97, 216],
    [2, 175, 255],
    [74, 50, 120],
    [125, 102, 182],
    [113, 53, 0],
    [162, 80, 17],
    [244, 254, 255],
    [249, 100, 140],
    [175, 52, 52],
    [85, 51, 44],
    [26, 163, 139],
    [254, 120, 203],
    [255, 176, 3],
    [135, 111, 98],
    [108, 149, 89],
];

/// A class's colour on screen; numbers that are no class look like background.
pub fn rgb(friendly: bool, class: u8) -> [u8; 3] {
    if friendly {
        FRIENDLY
            .get(usize::from(class))
            .copied()
            .unwrap_or(FRIENDLY[0])
    } else {
        palette().colour(class)
    }
}

/// A class's colour for egui.
pub fn colour(friendly: bool, class: u8) -> Color32 {
    let [r, g, b] = rgb(friendly, class);
    Color32::from_rgb(r, g, b)
}

/// All colours, for the shader.
pub fn table(friendly: bool) -> [[u8; 4]; CLASS_COUNT] {
    std::array::from_fn(|class| {
        let [r, g, b] = rgb(friendly, class as u8);
        [r, g, b, 255]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulations of Machado, Oliveira and Fernandes (2009) at full severity, on linear RGB.
    const EYES: [(&str, [[f64; 3]; 3]); 4] = [
        ("usual", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
        (
            "protan",
            [
                [0.152286, 1.052583, -0.204868],
                [0.114503, 0.786281, 0.099216],
                [-0.003882, -0.048116, 1.051998],
            ],
        ),
        (
            "deutan",
            [
                [0.367322, 0.860646, -0.227968],
                [0.280085, 0.672501, 0.047413],
                [-0.011820, 0.042940, 0.968881],
            ],
        ),
        (
            "tritan",
            [
                [1.255528, -0.076749, -0.178779],
                [-0.078411, 0.930809, 0.147602],
                [0.004733, 0.691367, 0.303900],
            ],
        ),
    ];

    fn lab(colour: [u8; 3], eyes: &[[f64; 3]; 3]) -> [f64; 3] {
        let linear = colour.map(|v| {
            let v = f64::from(v) / 255.0;
            if v <= 0.04045 {
                v / 12.92
            } else {
                ((v + 0.055) / 1.055).powf(2.4)
            }
        });
        let times = |row: &[f64; 3], v: &[f64; 3]| row.iter().zip(v).map(|(a, b)| a * b).sum();
        let seen = eyes
            .each_ref()
            .map(|row| f64::clamp(times(row, &linear), 0.0, 1.0));
        let x: f64 = times(&[0.4124564, 0.3575761, 0.1804375], &seen);
        let y: f64 = times(&[0.2126729, 0.7151522, 0.0721750], &seen);
        let z: f64 = times(&[0.0193339, 0.1191920, 0.9503041], &seen);
        let f = |t: f64| {
            if t > 0.008856 {
                t.cbrt()
            } else {
                7.787 * t + 16.0 / 116.0
            }
        };
        let (x, y, z) = (f(x / 0.95047), f(y), f(z / 1.08883));
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    fn closest(friendly: bool, eyes: &[[f64; 3]; 3]) -> f64 {
        let seen: Vec<[f64; 3]> = (0..CLASS_COUNT as u8)
            .map(|class| lab(rgb(friendly, class), eyes))
            .collect();
        let mut least = f64::INFINITY;
        for (i, a) in seen.iter().enumerate() {
            for b in &seen[..i] {
                let squares: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
                least = least.min(squares.sqrt());
            }
        }
        least
    }

    #[test]
    fn all_eyes_tell_the_friendly_colours_apart() {
        for (name, eyes) in &EYES {
            let least = closest(true, eyes);
            assert!(least >= 14.0, "{name}: {least:.1}");
        }
        // What it is for: the model's palette falls together.
        assert!(closest(false, &EYES[1].1) < 2.0);
    }

    #[test]
    fn the_model_s_colours_are_the_palette_s() {
        assert_eq!(rgb(false, 13), palette().colour(13));
        assert_eq!(rgb(true, 200), FRIENDLY[0]);
        assert_eq!(table(false)[1], [204, 0, 0, 255]);
    }
}
