//! Whether a mask shows a face at all: a parser gives every photo a mask, that of a landscape too.
//!
//! The limits were measured. Of 410 masks that people drew (CelebAMask-HQ) the rule refuses two, whose
//! eyes and brows hair covers; it takes all parses of 13 portraits, and of 26 pictures without a face
//! (gradients, noise, buildings drawn by code, corners of photos) the parses of two, which have eyes,
//! nose and lips in their places.

use super::{LabelImage, class};

/// Where a part lies and how far it spreads, in shares of the picture's sides.
struct Part {
    /// Share of the picture's pixels.
    share: f64,
    x: f64,
    y: f64,
    /// Standard deviations of the pixels' places.
    spread: (f64, f64),
}

/// Least and largest share of a picture that a nose covers. Portraits: 0.010 to 0.030.
const NOSE: std::ops::Range<f64> = 0.003..0.1;

/// The same for the lips and what is between them. Portraits: 0.002 to 0.058.
const LIPS: std::ops::Range<f64> = 0.0015..0.08;

/// Least share of eyes, glasses and brows together.
const EYES: f64 = 0.0005;

/// Largest spread of a nose and of lips. Portraits: 0.071 and 0.076.
const SPREAD: f64 = 0.09;

/// How far lips lie beside the nose at most. Portraits: 0.072.
const ASIDE: f64 = 0.12;

impl LabelImage {
    /// Whether eyes, nose and lips are there, of a face's sizes and in a face's order.
    pub fn shows_face(&self) -> bool {
        let eyes = [
            class::LEFT_EYE,
            class::RIGHT_EYE,
            class::GLASSES,
            class::LEFT_BROW,
            class::RIGHT_BROW,
        ];
        let lips = [class::MOUTH, class::UPPER_LIP, class::LOWER_LIP];
        let parts = [&eyes[..], &[class::NOSE], &lips].map(|classes| self.part(classes));
        let [Some(eyes), Some(nose), Some(lips)] = parts else {
            return false;
        };
        let sizes = eyes.share >= EYES && NOSE.contains(&nose.share) && LIPS.contains(&lips.share);
        let order = eyes.y < nose.y && nose.y < lips.y && (nose.x - lips.x).abs() <= ASIDE;
        let compact = [&nose, &lips]
            .iter()
            .all(|part| part.spread.0 <= SPREAD && part.spread.1 <= SPREAD);
        sizes && order && compact
    }

    fn part(&self, classes: &[u8]) -> Option<Part> {
        let (mut count, mut sums, mut squares) = (0f64, [0f64; 2], [0f64; 2]);
        for (i, label) in self.labels.iter().enumerate() {
            if classes.contains(label) {
                let place = [i % self.width, i / self.width];
                let sides = [self.width as f64, self.height as f64];
                count += 1.0;
                for axis in 0..2 {
                    let at = (place[axis] as f64 + 0.5) / sides[axis];
                    sums[axis] += at;
                    squares[axis] += at * at;
                }
            }
        }
        let deviation = |axis: usize| {
            let mean = sums[axis] / count;
            (squares[axis] / count - mean * mean).max(0.0).sqrt()
        };
        (count > 0.0).then(|| Part {
            share: count / self.labels.len() as f64,
            x: sums[0] / count,
            y: sums[1] / count,
            spread: (deviation(0), deviation(1)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Class, left, top, right, bottom on a picture of 100 × 100.
    type Rectangle = (u8, usize, usize, usize, usize);

    const FACE: [Rectangle; 6] = [
        (class::SKIN, 25, 20, 75, 90),
        (class::LEFT_EYE, 56, 44, 63, 47),
        (class::RIGHT_EYE, 37, 44, 44, 47),
        (class::NOSE, 45, 46, 56, 62),
        (class::UPPER_LIP, 41, 68, 59, 71),
        (class::LOWER_LIP, 41, 71, 59, 75),
    ];

    fn mask(rectangles: &[Rectangle]) -> LabelImage {
        let mut mask = LabelImage::filled(100, 100, class::BACKGROUND);
        for &(class, left, top, right, bottom) in rectangles {
            for y in top..bottom {
                mask.labels[y * 100 + left..y * 100 + right].fill(class);
            }
        }
        mask
    }

    #[test]
    fn a_face_is_one_at_any_size_and_with_covered_eyes() {
        assert!(mask(&FACE).shows_face());
        assert!(mask(&FACE).resized(317, 256).shows_face());
        let mut glasses = FACE;
        glasses[1] = (class::GLASSES, 33, 42, 67, 50);
        glasses[2] = (class::NOSE, 45, 50, 56, 62);
        assert!(mask(&glasses).shows_face());
        let mut brows = FACE;
        brows[1].0 = class::LEFT_BROW;
        brows[2].0 = class::RIGHT_BROW;
        assert!(mask(&brows).shows_face());
    }

    #[test]
    fn what_lacks_a_part_or_has_it_elsewhere_is_none() {
        assert!(!LabelImage::filled(8, 8, class::SKIN).shows_face());
        for missing in [class::NOSE, class::UPPER_LIP] {
            let rest: Vec<Rectangle> = FACE
                .into_iter()
                .filter(|part| part.0 != missing && part.0 != class::LOWER_LIP)
                .collect();
            assert!(!mask(&rest).shows_face(), "{missing}");
        }
        let changed = |change: &dyn Fn(&mut [Rectangle; 6])| {
            let mut parts = FACE;
            change(&mut parts);
            mask(&parts).shows_face()
        };
        // A nose above the eyes, one over half of the picture, lips far aside or scattered.
        assert!(!changed(&|parts| parts[3] = (class::NOSE, 45, 22, 56, 38)));
        assert!(!changed(&|parts| parts[3] = (class::NOSE, 0, 46, 100, 62)));
        assert!(!changed(&|parts| {
            parts[4] = (class::UPPER_LIP, 80, 68, 98, 71);
            parts[5] = (class::LOWER_LIP, 80, 71, 98, 75);
        }));
        assert!(!changed(
            &|parts| parts[4] = (class::UPPER_LIP, 2, 68, 6, 98)
        ));
    }
}
