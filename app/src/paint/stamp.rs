//! Puts runs of pixels on the mask, with the mirror and the rules of what may be painted over.

use super::classes::ClassSet;
use super::mirror::{Axis, twin};
use super::raster::{Shape, Span};
use super::target::{Permit, Target};
use super::tiles::Tiles;

/// What a hand paints: fixed when its gesture begins.
#[derive(Clone, Copy)]
pub(super) struct Paint {
    value: u8,
    permit: Permit,
    /// The mirrored hand's axis, value and permit.
    mirrored: Option<(Axis, u8, Permit)>,
}

impl Paint {
    /// Painting a class on the mask.
    pub(super) fn class(class: u8, target: Target, locked: ClassSet, axis: Option<Axis>) -> Self {
        let other = twin(class);
        let mirrored =
            axis.map(|axis| (axis, other, Permit::new(target.mirrored(), locked, other)));
        Self {
            value: class,
            permit: Permit::new(target, locked, class),
            mirrored,
        }
    }

    /// Painting a grey on the sketch.
    pub(super) fn grey(value: u8, axis: Option<Axis>) -> Self {
        Self {
            value,
            permit: Permit::all(),
            mirrored: axis.map(|axis| (axis, value, Permit::all())),
        }
    }

    /// Fills a shape and its mirror image. Returns whether a pixel changed.
    pub(super) fn shape(&self, picture: &mut Tiles, shape: &Shape) -> bool {
        let rows = 0..picture.height() as i32;
        let spans = shape.spans(rows.clone());
        let Some((axis, ..)) = &self.mirrored else {
            return self.write(picture, &spans);
        };
        let reflected = match axis.exact() {
            Some(sum) => reflect_runs(&spans, sum),
            None => shape.reflected(axis).spans(rows),
        };
        self.both(picture, &spans, &reflected, axis.is_left(shape.middle()))
    }

    /// Fills two sets of runs, the second with the mirrored hand. Where both hands meet, each
    /// keeps its own side of the axis. `left`: the first hand's side.
    pub(super) fn both(
        &self,
        picture: &mut Tiles,
        own: &[Span],
        other: &[Span],
        left: bool,
    ) -> bool {
        let Some((axis, value, permit)) = &self.mirrored else {
            return self.write(picture, own);
        };
        if *value == self.value && permit.allowed == self.permit.allowed {
            let first = self.write(picture, own);
            return write(picture, other, *value, permit) || first;
        }
        let clash = intersect(own, other);
        let side = |keep_left: bool| -> Vec<Span> {
            let cut = clash.iter().map(|run| {
                let split = axis.split(run.y);
                // What is taken from a hand is its part of the clash beyond the axis.
                if keep_left {
                    Span {
                        from: run.from.max(split),
                        ..*run
                    }
                } else {
                    Span {
                        to: run.to.min(split),
                        ..*run
                    }
                }
            });
            cut.filter(|run| run.from < run.to).collect()
        };
        let first = self.write(picture, &subtract(own, &side(left)));
        write(picture, &subtract(other, &side(!left)), *value, permit) || first
    }

    /// Fills runs with the first hand only.
    pub(super) fn write(&self, picture: &mut Tiles, spans: &[Span]) -> bool {
        write(picture, spans, self.value, &self.permit)
    }
}

fn write(picture: &mut Tiles, spans: &[Span], value: u8, permit: &Permit) -> bool {
    let mut changed = false;
    for run in spans {
        let (Ok(y), Ok(to)) = (usize::try_from(run.y), usize::try_from(run.to)) else {
            continue;
        };
        let from = usize::try_from(run.from).unwrap_or(0);
        changed |= picture.fill_row_where(y, from..to, value, &permit.allowed);
    }
    changed
}

/// Runs mirrored at an upright axis; `sum` is a column's left edge plus its twin's right edge.
pub(super) fn reflect_runs(spans: &[Span], sum: i32) -> Vec<Span> {
    let mut reflected: Vec<Span> = spans
        .iter()
        .map(|run| Span {
            y: run.y,
            from: sum - run.to,
            to: sum - run.from,
        })
        .collect();
    // Several runs of one row come out in reverse.
    reflected.sort_unstable();
    reflected
}

/// Pixels in both of two sorted sets of runs.
fn intersect(a: &[Span], b: &[Span]) -> Vec<Span> {
    let (mut i, mut j, mut both) = (0, 0, Vec::new());
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        if x.y == y.y {
            let (from, to) = (x.from.max(y.from), x.to.min(y.to));
            if from < to {
                both.push(Span { y: x.y, from, to });
            }
        }
        if (x.y, x.to) <= (y.y, y.to) {
            i += 1
        } else {
            j += 1
        }
    }
    both
}

/// Pixels of `a` that are not in `b`; both sorted.
fn subtract(a: &[Span], b: &[Span]) -> Vec<Span> {
    let (mut left, mut j) = (Vec::with_capacity(a.len()), 0);
    for run in a {
        let mut rest = *run;
        while b
            .get(j)
            .is_some_and(|cut| (cut.y, cut.to) <= (rest.y, rest.from))
        {
            j += 1;
        }
        for cut in b[j..]
            .iter()
            .take_while(|cut| (cut.y, cut.from) < (rest.y, rest.to))
        {
            if cut.from > rest.from {
                left.push(Span {
                    to: cut.from,
                    ..rest
                });
            }
            rest.from = rest.from.max(cut.to);
        }
        if rest.from < rest.to {
            left.push(rest);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use mmface_engine::labels::class;
    use proptest::prelude::*;

    use super::super::mirror::Mirror;
    use super::super::raster::Dab;
    use super::*;

    fn paint(class: u8, target: Target, mirror: Mirror) -> Paint {
        Paint::class(class, target, ClassSet::NONE, mirror.active(128))
    }

    fn runs() -> impl Strategy<Value = Vec<Span>> {
        // A bitmap as runs is sorted and without overlap.
        proptest::collection::vec(any::<u16>(), 4).prop_map(|rows| {
            let mut spans = Vec::new();
            for (y, bits) in rows.iter().enumerate() {
                for x in 0..16 {
                    if bits >> x & 1 == 1 {
                        match spans.last_mut() {
                            Some(Span { y: row, to, .. }) if *row == y as i32 && *to == x => {
                                *to += 1
                            }
                            _ => spans.push(Span {
                                y: y as i32,
                                from: x,
                                to: x + 1,
                            }),
                        }
                    }
                }
            }
            spans
        })
    }

    fn holds(spans: &[Span], x: i32, y: i32) -> bool {
        spans
            .iter()
            .any(|run| run.y == y && run.from <= x && x < run.to)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn set_operations(a in runs(), b in runs()) {
            let (both, less) = (intersect(&a, &b), subtract(&a, &b));
            for y in 0..4 {
                for x in 0..16 {
                    prop_assert_eq!(holds(&both, x, y), holds(&a, x, y) && holds(&b, x, y));
                    prop_assert_eq!(holds(&less, x, y), holds(&a, x, y) && !holds(&b, x, y));
                }
            }
        }
    }

    #[test]
    fn hands_that_meet_keep_their_sides_even_on_background_only() {
        for target in [Target::Everything, Target::Background] {
            let mirror = Mirror {
                on: true,
                x: 64.0,
                tilt: 0.0,
            };
            let mut picture = Tiles::filled(128, 128, class::BACKGROUND);
            let dab = Dab {
                at: [60.0, 50.0],
                radius: 20.0,
            };
            assert!(
                paint(class::RIGHT_EYE, target, mirror)
                    .shape(&mut picture, &Shape::Capsule(dab, dab))
            );
            assert_eq!(
                [63, 64].map(|x| picture.get(x, 50)),
                [class::RIGHT_EYE, class::LEFT_EYE]
            );
            for x in 0..64 {
                let twin = twin(picture.get(x, 50));
                assert_eq!(picture.get(127 - x, 50), twin, "column {x}");
            }
        }
    }

    #[test]
    fn a_tilted_axis_mirrors_too() {
        let mirror = Mirror {
            on: true,
            x: 64.0,
            tilt: 0.3,
        };
        let mut picture = Tiles::filled(128, 128, class::BACKGROUND);
        let dab = Dab {
            at: [30.0, 40.0],
            radius: 9.0,
        };
        paint(class::RIGHT_BROW, Target::Everything, mirror)
            .shape(&mut picture, &Shape::Capsule(dab, dab));
        let [x, y] = mirror.axis(128).reflect([30.0, 40.0]);
        assert_eq!(picture.get(x as usize, y as usize), class::LEFT_BROW);
        assert_eq!(picture.get(30, 40), class::RIGHT_BROW);
        let counts = picture.counts();
        let pair = [class::LEFT_BROW, class::RIGHT_BROW].map(|class| counts[usize::from(class)]);
        assert!(pair[0].abs_diff(pair[1]) < 12, "{pair:?}");
    }
}
