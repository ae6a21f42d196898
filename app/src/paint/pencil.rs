//! The soft pencil and the soft eraser of the sketch.
//!
//! A stroke keeps how much it covers each pixel, the most that any part of it did, and blends its
//! grey over the sketch as it was before. So a stroke that crosses itself gets no darker, and
//! the distance of the samples leaves no beads.

use super::brush::step_seconds;
use super::drawing::Drawing;
use super::gesture::Gesture;
use super::mirror::Axis;
use super::raster::{Dab, Point, Shape};
use super::sample::Sample;
use super::settings::{ToolSettings, bounded};
use super::stabiliser::{SpeedPressure, Steady};
use super::tiles::Tiles;

/// A soft dab.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SoftDab {
    pub at: Point,
    pub radius: f64,
    /// 0..=1.
    pub strength: f64,
}

impl SoftDab {
    fn between(self, other: Self, share: f64) -> Self {
        let mix = |a: f64, b: f64| a + (b - a) * share;
        Self {
            at: [mix(self.at[0], other.at[0]), mix(self.at[1], other.at[1])],
            radius: mix(self.radius, other.radius),
            strength: mix(self.strength, other.strength),
        }
    }
}

/// Puts soft lines on the sketch.
pub(super) struct SoftPen {
    base: Tiles,
    cover: Tiles,
    ink: u8,
    hardness: f64,
    axis: Option<Axis>,
    row: Vec<u8>,
    grey: Vec<u8>,
}

/// A soft edge reaches so far beyond the radius, in pixels.
const EDGE: f64 = 0.5;

impl SoftPen {
    pub(super) fn new(base: &Tiles, ink: u8, hardness: f32, axis: Option<Axis>) -> Self {
        Self {
            base: base.clone(),
            cover: Tiles::filled(base.width(), base.height(), 0),
            ink,
            hardness: f64::from(bounded(hardness, 0.0, 1.0)),
            axis,
            row: Vec::new(),
            grey: Vec::new(),
        }
    }

    /// Draws from one dab to another, and the mirror image.
    pub(super) fn line(&mut self, a: SoftDab, b: SoftDab, picture: &mut Tiles) -> bool {
        let mut changed = self.one_line(a, b, picture);
        if let Some(axis) = self.axis {
            let twin = |dab: SoftDab| SoftDab {
                at: axis.reflect(dab.at),
                ..dab
            };
            changed |= self.one_line(twin(a), twin(b), picture);
        }
        changed
    }

    fn one_line(&mut self, a: SoftDab, b: SoftDab, picture: &mut Tiles) -> bool {
        let outer = |dab: SoftDab| Dab {
            at: dab.at,
            radius: dab.radius + EDGE,
        };
        let spans = Shape::Capsule(outer(a), outer(b)).spans(0..picture.height() as i32);
        let (dx, dy) = (b.at[0] - a.at[0], b.at[1] - a.at[1]);
        let length = dx * dx + dy * dy;
        let hardness = self.hardness;
        let mut changed = false;
        for run in spans {
            let from = run.from.max(0) as usize;
            let to = (run.to.max(0) as usize).min(picture.width());
            let y = run.y as usize;
            if from >= to {
                continue;
            }
            let py = f64::from(run.y) + 0.5;
            self.row.clear();
            self.cover
                .read_row(y, from..to, |_, bytes| self.row.extend_from_slice(bytes));
            for (x, cover) in (from..to).zip(self.row.iter_mut()) {
                let px = x as f64 + 0.5;
                let (ex, ey) = (px - a.at[0], py - a.at[1]);
                let share = if length > 0.0 {
                    ((ex * dx + ey * dy) / length).clamp(0.0, 1.0)
                } else {
                    0.0
                };
                let away = (ex - share * dx).hypot(ey - share * dy);
                let radius = a.radius + (b.radius - a.radius) * share;
                let strength = a.strength + (b.strength - a.strength) * share;
                let amount = (falloff(away, radius, hardness) * strength * 255.0).round() as u8;
                *cover = (*cover).max(amount);
            }
            self.grey.clear();
            self.base
                .read_row(y, from..to, |_, bytes| self.grey.extend_from_slice(bytes));
            for (grey, &cover) in self.grey.iter_mut().zip(&self.row) {
                *grey = blend(*grey, self.ink, cover);
            }
            self.cover.write_row(y, from, &self.row);
            changed |= picture.write_row(y, from, &self.grey);
        }
        changed
    }
}

/// 1 in the core, falling smoothly to 0 half a pixel beyond the radius.
fn falloff(away: f64, radius: f64, hardness: f64) -> f64 {
    let outer = radius + EDGE;
    let core = (radius * hardness - EDGE).max(0.0);
    let t = ((outer - away) / (outer - core)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

fn blend(old: u8, ink: u8, cover: u8) -> u8 {
    let cover = u32::from(cover);
    ((u32::from(old) * (255 - cover) + u32::from(ink) * cover + 127) / 255) as u8
}

/// One stroke of the pencil or of the sketch's eraser.
pub(super) struct PencilStroke {
    pen: SoftPen,
    rule: PressureRule,
    steady: Steady,
    speed: Option<SpeedPressure>,
    seconds: f32,
    /// The last sample, and how far the curve has been drawn: to the middle of the last two.
    last: SoftDab,
    drawn: SoftDab,
}

/// From pressure to width and strength; the same for the first dab and for all others.
#[derive(Clone, Copy)]
pub(super) struct PressureRule {
    radius: f64,
    opacity: f64,
    width: bool,
    darkness: bool,
}

impl PressureRule {
    /// Of the pencil or of the eraser; `darkens` says whether pressure changes the opacity.
    pub(super) fn new(settings: &ToolSettings, radius: f32, opacity: f32, darkens: bool) -> Self {
        Self {
            radius: f64::from(radius),
            opacity: f64::from(bounded(opacity, 0.0, 1.0)),
            width: settings.pressure && settings.pressure_width,
            darkness: settings.pressure && darkens,
        }
    }

    pub(super) fn dab(&self, at: Point, pressure: f32) -> SoftDab {
        let pressure = f64::from(pressure);
        SoftDab {
            at,
            radius: self.radius
                * if self.width {
                    0.35 + 0.65 * pressure
                } else {
                    1.0
                },
            strength: self.opacity
                * if self.darkness {
                    0.3 + 0.7 * pressure
                } else {
                    1.0
                },
        }
    }
}

impl PencilStroke {
    pub(super) fn begin(
        pen: SoftPen,
        rule: PressureRule,
        settings: &ToolSettings,
        at: &Sample,
        picture: &mut Tiles,
    ) -> Self {
        let speed = at
            .force()
            .is_none()
            .then(|| SpeedPressure::new(picture.width()));
        let pressure = at
            .force()
            .or(speed.as_ref().map(SpeedPressure::first))
            .unwrap_or(1.0);
        let first = rule.dab(at.point(), pressure);
        let mut stroke = Self {
            pen,
            rule,
            steady: Steady::new(settings.stabiliser, at.point()),
            speed,
            seconds: at.seconds,
            last: first,
            drawn: first,
        };
        stroke.pen.line(first, first, picture);
        stroke
    }

    /// Continues to a sample: the curve is drawn to the middle between it and the one before.
    fn follow(&mut self, at: &Sample, picture: &mut Tiles) -> bool {
        let seconds = step_seconds(&mut self.seconds, at.seconds);
        let place = self.steady.follow(at.point(), f64::from(seconds));
        let way = (place[0] - self.last.at[0]).hypot(place[1] - self.last.at[1]) as f32;
        // A pen that leaves out its pressure once keeps the speed's until it tells again.
        let by_speed = self.speed.as_mut().map(|speed| speed.next(way, seconds));
        let pressure = at.force().or(by_speed).unwrap_or(1.0);
        let next = self.rule.dab(place, pressure);
        self.curve_to(next, picture)
    }

    /// Ends the stroke where the hand let go.
    fn finish(&mut self, picture: &mut Tiles) {
        if let Some(place) = self.steady.end() {
            let next = SoftDab {
                at: place,
                ..self.last
            };
            self.curve_to(next, picture);
        }
        self.pen.line(self.drawn, self.last, picture);
    }

    /// A parabola from middle to middle with the last sample as its control point.
    fn curve_to(&mut self, next: SoftDab, picture: &mut Tiles) -> bool {
        let (start, control) = (self.drawn, self.last);
        let end = control.between(next, 0.5);
        self.last = next;
        self.drawn = end;
        let bend = start.between(end, 0.5);
        let sagitta = (control.at[0] - bend.at[0]).hypot(control.at[1] - bend.at[1]) / 2.0;
        // Chords nearer than a tenth of a pixel to the curve, or than a wide pen would show.
        let tolerance = (end.radius * 0.02).max(0.1);
        let pieces = ((sagitta / tolerance).sqrt().ceil() as usize).clamp(1, 32);
        let mut changed = false;
        let mut from = start;
        for i in 1..=pieces {
            let share = i as f64 / pieces as f64;
            let to = start
                .between(control, share)
                .between(control.between(end, share), share);
            changed |= self.pen.line(from, to, picture);
            from = to;
        }
        changed
    }
}

impl Gesture for PencilStroke {
    fn drag(
        &mut self,
        at: &Sample,
        _settings: &mut ToolSettings,
        _before: &Drawing,
        drawing: &mut Drawing,
    ) -> bool {
        self.follow(at, &mut drawing.sketch)
    }

    fn end(&mut self, _settings: &ToolSettings, drawing: &mut Drawing) {
        self.finish(&mut drawing.sketch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> Tiles {
        Tiles::filled(128, 128, 255)
    }

    fn settings() -> ToolSettings {
        ToolSettings {
            stabiliser: super::super::settings::Stabiliser {
                smoothing: 0.0,
                string: 0.0,
            },
            ..ToolSettings::default()
        }
    }

    fn stroke(settings: &ToolSettings, samples: &[Sample]) -> Tiles {
        let mut picture = sheet();
        let pen = SoftPen::new(&picture, 0, settings.hardness, None);
        let rule = PressureRule::new(
            settings,
            settings.radii.pencil,
            settings.opacity,
            settings.pressure_opacity,
        );
        let mut stroke = PencilStroke::begin(pen, rule, settings, &samples[0], &mut picture);
        for sample in &samples[1..] {
            stroke.follow(sample, &mut picture);
        }
        stroke.finish(&mut picture);
        picture
    }

    fn line(pressure: f32) -> Vec<Sample> {
        (0..=40)
            .map(|i| Sample::pen(20.0 + 2.0 * i as f32, 60.0, pressure, i as f32 * 0.01))
            .collect()
    }

    fn column(picture: &Tiles, x: usize) -> u32 {
        (40..80).map(|y| u32::from(255 - picture.get(x, y))).sum()
    }

    #[test]
    fn harder_pressed_is_wider_and_darker() {
        let settings = ToolSettings {
            radii: super::super::settings::Radii {
                pencil: 6.0,
                ..Default::default()
            },
            ..settings()
        };
        let [light, strong] = [0.1, 1.0].map(|pressure| stroke(&settings, &line(pressure)));
        assert!(column(&strong, 60) > 3 * column(&light, 60));
        assert!(strong.get(60, 60) < light.get(60, 60));
        let off = ToolSettings {
            pressure: false,
            ..settings
        };
        assert_eq!(stroke(&off, &line(0.1)), stroke(&off, &line(1.0)));
    }

    #[test]
    fn the_first_dab_is_no_fatter_than_the_stroke() {
        for pressure in [0.2, 0.8, -1.0] {
            let picture = stroke(&settings(), &line(pressure));
            let start = column(&picture, 20);
            let middle = column(&picture, 50);
            assert!(
                start <= middle * 11 / 10,
                "{start} at the start, {middle} in the middle"
            );
        }
    }

    #[test]
    fn crossing_itself_makes_nothing_darker() {
        let settings = ToolSettings {
            opacity: 0.5,
            pressure: false,
            ..settings()
        };
        let mut there_and_back = line(1.0);
        there_and_back.extend(line(1.0).into_iter().rev());
        assert_eq!(
            stroke(&settings, &there_and_back).get(60, 60),
            stroke(&settings, &line(1.0)).get(60, 60)
        );
    }

    #[test]
    fn few_samples_make_a_round_curve_that_reaches_its_end() {
        let corner = [(20.0, 100.0), (64.0, 20.0), (108.0, 100.0)];
        let samples: Vec<Sample> = corner
            .iter()
            .enumerate()
            .map(|(i, &(x, y))| Sample::pen(x, y, 1.0, i as f32 * 0.02))
            .collect();
        let picture = stroke(&settings(), &samples);
        assert_eq!(picture.get(64, 20), 255, "the corner is cut");
        assert!(
            picture.get(64, 40) < 100,
            "the curve passes between corner and chord"
        );
        assert!(
            picture.get(20, 100) < 120 && picture.get(107, 99) < 120,
            "both ends are reached"
        );
    }
}
