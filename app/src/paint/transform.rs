//! Moves, scales and turns a region of one class.
//!
//! The region is lifted as a set of pixels; what lies beneath becomes the class that most of its
//! border touched. Each step of the gesture puts it down anew by nearest pixel, so that it keeps
//! hard edges and nothing wears off by being turned twice.

use mmface_engine::labels::{CLASS_COUNT, class};

use super::drawing::Drawing;
use super::fill::{Area, flood};
use super::gesture::{Ended, Gesture};
use super::overlay::{Handle, HandleKind, Overlay, OverlayLine};
use super::raster::{Point, Shape};
use super::sample::{Button, Sample};
use super::settings::{Beneath, ToolSettings};
use super::target::{Permit, title_of};
use super::tiles::Tiles;

/// Smallest scale: a region does not vanish under the hand.
const SMALLEST: f64 = 0.02;
/// Largest scale.
const LARGEST: f64 = 50.0;
/// The turning handle stands this many reaches above the box.
const STALK: f64 = 3.0;

/// Where the region is, from where it was.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    centre: Point,
    scale: [f64; 2],
    turn: f64,
}

impl Place {
    /// From the box's own coordinates, centre 0, to the canvas.
    fn out(&self, [x, y]: Point) -> Point {
        let (sin, cos) = self.turn.sin_cos();
        let (x, y) = (x * self.scale[0], y * self.scale[1]);
        [
            self.centre[0] + x * cos - y * sin,
            self.centre[1] + x * sin + y * cos,
        ]
    }

    /// From the canvas to axes that are turned but not scaled.
    fn turned(&self, from: Point, at: Point) -> Point {
        let (sin, cos) = self.turn.sin_cos();
        let (x, y) = (at[0] - from[0], at[1] - from[1]);
        [x * cos + y * sin, y * cos - x * sin]
    }

    fn into(self, at: Point) -> Point {
        let [x, y] = self.turned(self.centre, at);
        [x / self.scale[0], y / self.scale[1]]
    }
}

/// What the hand holds.
#[derive(Clone, Copy, Debug)]
enum Grip {
    Move { from: Point },
    Scale { columns: f64, rows: f64 },
    Turn { from: f64 },
}

/// A lifted region.
pub(super) struct Transform {
    value: u8,
    permit: Permit,
    /// The mask without the region.
    rest: Tiles,
    /// The mask as it was: a region at its old place is put back exactly.
    original: Tiles,
    region: Area,
    first: Place,
    place: Place,
    /// Half sides of its box.
    half: [f64; 2],
    grip: Option<(Grip, Place)>,
}

impl Transform {
    /// Lifts the region under the cursor and takes hold of it.
    ///
    /// # Errors
    /// With a sentence for the person: the cursor is outside, on background, or on a locked class.
    pub(super) fn begin(
        settings: &ToolSettings,
        at: Point,
        drawing: &Drawing,
    ) -> Result<Self, String> {
        let mask = &drawing.mask;
        let inside = |value: f64| value >= 0.0 && value < mask.width() as f64;
        if !inside(at[0]) || !inside(at[1]) {
            return Err("Press on the part that is to be moved.".to_owned());
        }
        let (x, y) = (at[0] as usize, at[1] as usize);
        let value = mask.get(x, y);
        if value == class::BACKGROUND {
            return Err("Background cannot be moved: press on a part of the face.".to_owned());
        }
        if settings.locked.contains(value) {
            return Err(format!("Nothing moved: {} is locked.", title_of(value)));
        }
        let (width, height) = (mask.width(), mask.height());
        let pixels = mask.to_pixels();
        let region = if settings.transform_whole_class {
            let pixels = pixels.iter().map(|&pixel| pixel == value).collect();
            Area {
                width,
                height,
                pixels,
            }
        } else {
            flood(width, height, x, y, |i| pixels[i] == value)
        };
        let beneath = match settings.beneath {
            Beneath::Background => class::BACKGROUND,
            Beneath::Neighbour => neighbour(&region, &pixels, value),
        };
        let mut rest = mask.clone();
        let (mut low, mut high) = ([i32::MAX; 2], [i32::MIN; 2]);
        for run in region.spans() {
            rest.fill_row(run.y as usize, run.from as usize..run.to as usize, beneath);
            low = [low[0].min(run.from), low[1].min(run.y)];
            high = [high[0].max(run.to), high[1].max(run.y + 1)];
        }
        let middle = |i: usize| f64::from(low[i] + high[i]) / 2.0;
        let half = |i: usize| f64::from(high[i] - low[i]) / 2.0;
        let place = Place {
            centre: [middle(0), middle(1)],
            scale: [1.0; 2],
            turn: 0.0,
        };
        Ok(Self {
            value,
            permit: Permit::new(settings.target, settings.locked, value),
            rest,
            original: mask.clone(),
            region,
            first: place,
            place,
            half: [half(0), half(1)],
            grip: Some((Grip::Move { from: at }, place)),
        })
    }

    /// Takes hold of a handle or of the region; false when the press is beside both.
    fn take_hold(&mut self, at: Point, settings: &ToolSettings) -> bool {
        let reach = f64::from(settings.reach).max(1.0);
        let near = |handle: &Handle| {
            let [x, y] = handle.at.map(f64::from);
            (x - at[0]).hypot(y - at[1])
        };
        let handles = self.handles(settings);
        let nearest = handles.iter().min_by(|a, b| near(a).total_cmp(&near(b)));
        let grip = match nearest
            .filter(|handle| near(handle) <= reach)
            .map(|handle| handle.kind)
        {
            Some(HandleKind::Scale(columns, rows)) => Some(Grip::Scale {
                columns: f64::from(columns),
                rows: f64::from(rows),
            }),
            Some(HandleKind::Rotate) => Some(Grip::Turn {
                from: self.angle_to(at),
            }),
            _ => {
                let [x, y] = self.place.into(at);
                let inside = x.abs() <= self.half[0] && y.abs() <= self.half[1];
                inside.then_some(Grip::Move { from: at })
            }
        };
        self.grip = grip.map(|grip| (grip, self.place));
        self.grip.is_some()
    }

    /// Moves what the hand holds. Returns whether something is held.
    fn move_to(&mut self, at: Point, settings: &ToolSettings, drawing: &mut Drawing) -> bool {
        let Some((grip, start)) = self.grip else {
            return false;
        };
        self.place = match grip {
            Grip::Move { from } => {
                let mut way = [at[0] - from[0], at[1] - from[1]];
                if settings.constrain {
                    let other = usize::from(way[0].abs() >= way[1].abs());
                    way[other] = 0.0;
                }
                // Whole pixels: a moved region keeps its outline to the pixel.
                let centre = [
                    start.centre[0] + way[0].round(),
                    start.centre[1] + way[1].round(),
                ];
                Place { centre, ..start }
            }
            Grip::Turn { from } => {
                let mut turn = start.turn + self.angle_to(at) - from;
                if settings.constrain {
                    let step = std::f64::consts::PI / 12.0;
                    turn = (turn / step).round() * step;
                }
                Place { turn, ..start }
            }
            Grip::Scale { columns, rows } => self.scaled(start, [columns, rows], at, settings),
        };
        drawing.mask = self.put_down();
        true
    }

    /// The opposite corner or edge stays where it is.
    fn scaled(&self, start: Place, sides: [f64; 2], at: Point, settings: &ToolSettings) -> Place {
        let fixed = start.out([-sides[0] * self.half[0], -sides[1] * self.half[1]]);
        let reached = start.turned(fixed, at);
        let mut scale = start.scale;
        for i in 0..2 {
            if sides[i] != 0.0 {
                let wanted = reached[i] * sides[i] / (2.0 * self.half[i]);
                scale[i] = wanted.clamp(SMALLEST, LARGEST);
            }
        }
        if settings.constrain {
            let factor = (0..2)
                .filter(|&i| sides[i] != 0.0)
                .map(|i| scale[i] / start.scale[i])
                .fold(0.0, f64::max);
            scale = start
                .scale
                .map(|old| (old * factor).clamp(SMALLEST, LARGEST));
        }
        let place = Place { scale, ..start };
        // Where the fixed point would go, and back by as much.
        let moved = place.out([-sides[0] * self.half[0], -sides[1] * self.half[1]]);
        let centre = [
            start.centre[0] + fixed[0] - moved[0],
            start.centre[1] + fixed[1] - moved[1],
        ];
        Place { centre, ..place }
    }

    fn put_down(&self) -> Tiles {
        if self.place == self.first {
            return self.original.clone();
        }
        let mut mask = self.rest.clone();
        let frame = Shape::Polygon(self.corners().to_vec());
        let (left, top) = (self.first.centre[0], self.first.centre[1]);
        for run in frame.spans(0..mask.height() as i32) {
            let to = run.to.min(mask.width() as i32);
            let mut start = None;
            for x in run.from.max(0)..=to {
                let inside = x < to && {
                    let [u, v] = self
                        .place
                        .into([f64::from(x) + 0.5, f64::from(run.y) + 0.5]);
                    let (u, v) = (u + left, v + top);
                    u >= 0.0 && v >= 0.0 && self.region.get(u as usize, v as usize)
                };
                match (inside, start) {
                    (true, None) => start = Some(x),
                    (false, Some(from)) => {
                        let columns = from as usize..x as usize;
                        mask.fill_row_where(
                            run.y as usize,
                            columns,
                            self.value,
                            &self.permit.allowed,
                        );
                        start = None;
                    }
                    _ => {}
                }
            }
        }
        mask
    }

    fn angle_to(&self, at: Point) -> f64 {
        (at[1] - self.place.centre[1]).atan2(at[0] - self.place.centre[0])
    }

    fn corners(&self) -> [Point; 4] {
        let [x, y] = self.half;
        [[-x, -y], [x, -y], [x, y], [-x, y]].map(|corner| self.place.out(corner))
    }

    fn handles(&self, settings: &ToolSettings) -> Vec<Handle> {
        let float = |p: Point| p.map(|value| value as f32);
        let mut handles = Vec::with_capacity(9);
        for rows in [-1i8, 0, 1] {
            for columns in [-1i8, 0, 1] {
                if (columns, rows) != (0, 0) {
                    let local = [
                        f64::from(columns) * self.half[0],
                        f64::from(rows) * self.half[1],
                    ];
                    handles.push(Handle {
                        at: float(self.place.out(local)),
                        kind: HandleKind::Scale(columns, rows),
                    });
                }
            }
        }
        let stalk = STALK * f64::from(settings.reach).max(1.0) / self.place.scale[1];
        handles.push(Handle {
            at: float(self.place.out([0.0, -self.half[1] - stalk])),
            kind: HandleKind::Rotate,
        });
        handles
    }
}

impl Gesture for Transform {
    fn waits(&self) -> bool {
        true
    }

    fn press(&mut self, at: &Sample, _button: Button, settings: &ToolSettings) -> Ended {
        if self.take_hold(at.point(), settings) {
            Ended::No
        } else {
            Ended::AndAnother
        }
    }

    fn drag(
        &mut self,
        at: &Sample,
        settings: &mut ToolSettings,
        _before: &Drawing,
        drawing: &mut Drawing,
    ) -> bool {
        self.move_to(at.point(), settings, drawing)
    }

    fn release(&mut self) {
        self.grip = None;
    }

    /// Box and handles.
    fn overlay(&self, settings: &ToolSettings) -> Overlay {
        let float = |p: Point| p.map(|value| value as f32);
        let frame = OverlayLine {
            points: self.corners().map(float).to_vec(),
            closed: true,
        };
        let handles = self.handles(settings);
        let at = |wanted| {
            handles
                .iter()
                .find(|handle| handle.kind == wanted)
                .map(|handle| handle.at)
        };
        let ends = [at(HandleKind::Scale(0, -1)), at(HandleKind::Rotate)];
        let stalk = OverlayLine {
            points: ends.into_iter().flatten().collect(),
            closed: false,
        };
        Overlay {
            lines: vec![frame, stalk],
            handles,
        }
    }
}

/// The class that most of a region's border touches.
fn neighbour(region: &Area, pixels: &[u8], value: u8) -> u8 {
    let mut votes = [0usize; CLASS_COUNT];
    let mut vote = |x: usize, y: usize| {
        let inside = x < region.width && y < region.height && !region.get(x, y);
        if let Some(&other) = pixels
            .get(y.wrapping_mul(region.width).wrapping_add(x))
            .filter(|_| inside)
            && other != value
            && let Some(count) = votes.get_mut(usize::from(other))
        {
            *count += 1;
        }
    };
    for run in region.spans() {
        let (y, from, to) = (run.y as usize, run.from as usize, run.to as usize);
        vote(from.wrapping_sub(1), y);
        vote(to, y);
        for x in from..to {
            vote(x, y.wrapping_sub(1));
            vote(x, y + 1);
        }
    }
    let most = votes.iter().copied().max().unwrap_or(0);
    votes
        .iter()
        .position(|&count| count == most && count > 0)
        .unwrap_or(0) as u8
}
