//! What happens between press and release, tool by tool.

use mmface_engine::labels::{CLASS_COUNT, class};

use super::brush::BrushStroke;
use super::drawing::{Drawing, Layer, PAPER};
use super::figure::{Figure, Pen};
use super::outline::Outline;
use super::overlay::{Handle, HandleKind, Overlay, OverlayLine};
use super::pencil::{PencilStroke, PressureRule, SoftPen};
use super::sample::{Button, Sample};
use super::settings::{Tool, ToolSettings};
use super::stamp::Paint;
use super::target::{Target, title_of};
use super::transform::Transform;

/// A gesture at hand.
pub(super) enum Gesture {
    Brush(Box<BrushStroke>),
    Pencil(Box<PencilStroke>),
    Outline(Outline, Layer, u8),
    Figure(Box<Figure>, Layer),
    Transform(Box<Transform>),
    /// The eyedropper.
    Pick,
    /// All was done by the press.
    Done,
}

/// What a press did to a gesture that waited for it.
pub(super) enum Ended {
    No,
    /// It is to be finished.
    Yes,
    /// Nothing is left of it.
    Dropped,
    /// It is to be finished, and the press begins the next.
    AndAnother,
}

impl ToolSettings {
    /// The class at hand; a number that is no class counts as background.
    pub(super) fn class_at_hand(&self) -> u8 {
        if usize::from(self.class) < CLASS_COUNT {
            self.class
        } else {
            class::BACKGROUND
        }
    }

    /// What a tool paints with this button.
    pub(super) fn value_for(&self, button: Button) -> u8 {
        if button == Button::Secondary || self.acting_tool() == Tool::Eraser {
            class::BACKGROUND
        } else {
            self.class_at_hand()
        }
    }

    fn paint(&self, value: u8, side: usize) -> Paint {
        Paint::class(value, self.target, self.locked, self.mirror.active(side))
    }

    /// Why nothing was painted over this class.
    pub(super) fn why_nothing(&self, over: u8) -> String {
        let class = title_of(over);
        if self.locked.contains(over) {
            return format!("Nothing changed: {class} is locked.");
        }
        match self.target {
            Target::Everything => "Nothing changed: all of it is locked.".to_owned(),
            target => format!(
                "Nothing changed on {class}: the target is set to \"{}\".",
                target.title()
            ),
        }
    }
}

impl Gesture {
    /// Begins; an error is a sentence for the person.
    ///
    /// # Errors
    /// With a sentence for the person, as [`Transform::begin`].
    pub(super) fn begin(
        tool: Tool,
        button: Button,
        settings: &ToolSettings,
        at: &Sample,
        drawing: &mut Drawing,
    ) -> Result<Self, String> {
        let side = drawing.side();
        let value = settings.value_for(button);
        let axis = settings.mirror.active(side);
        let on_sketch = settings.layer == Layer::Sketch;
        let soft = |tool: Tool| {
            let erases = tool == Tool::SketchEraser || button == Button::Secondary;
            let ink = if erases { PAPER } else { 0 };
            let hardness = if tool == Tool::SketchEraser {
                settings.eraser_hardness
            } else {
                settings.hardness
            };
            (PressureRule::new(settings, tool), ink, hardness)
        };
        Ok(match tool {
            Tool::Brush | Tool::Eraser => {
                let paint = settings.paint(value, side);
                let radius = settings.radius_of(tool);
                let stroke = BrushStroke::begin(paint, radius, settings, at, &mut drawing.mask);
                Self::Brush(Box::new(stroke))
            }
            Tool::Pencil | Tool::SketchEraser => {
                let (rule, ink, hardness) = soft(tool);
                let pen = SoftPen::new(&drawing.sketch, ink, hardness, axis);
                Self::Pencil(Box::new(PencilStroke::begin(
                    pen,
                    rule,
                    settings,
                    at,
                    &mut drawing.sketch,
                )))
            }
            Tool::Lasso | Tool::Polygon => {
                let value = if on_sketch { PAPER } else { value };
                Self::Outline(
                    Outline::begin(tool == Tool::Polygon, at.point()),
                    settings.layer,
                    value,
                )
            }
            Tool::Line | Tool::Ellipse => {
                let pen = if on_sketch {
                    let (rule, ink, hardness) = soft(Tool::Pencil);
                    Pen::Soft {
                        rule,
                        ink,
                        hardness,
                        axis,
                    }
                } else {
                    Pen::Hard(Box::new(settings.paint(value, side)))
                };
                let figure = Figure {
                    ellipse: tool == Tool::Ellipse,
                    radius: f64::from(settings.radius_of(Tool::Line)),
                    pen,
                    start: at.point(),
                    end: at.point(),
                };
                Self::Figure(Box::new(figure), settings.layer)
            }
            Tool::Transform => {
                Self::Transform(Box::new(Transform::begin(settings, at.point(), drawing)?))
            }
            Tool::Eyedropper => Self::Pick,
            Tool::Fill => Self::Done,
        })
    }

    /// Whether it goes on after the button is up.
    pub(super) fn waits(&self) -> bool {
        match self {
            Self::Outline(outline, ..) => outline.by_corners,
            Self::Transform(_) => true,
            _ => false,
        }
    }

    /// Whether it changes pixels as it goes; an outline only does when it is closed.
    pub(super) fn draws(&self) -> bool {
        !matches!(self, Self::Outline(..) | Self::Pick)
    }

    /// A press while it waits.
    pub(super) fn press(&mut self, at: &Sample, button: Button, settings: &ToolSettings) -> Ended {
        match self {
            Self::Outline(outline, ..) => {
                if button == Button::Secondary {
                    return if outline.remove_corner() {
                        Ended::No
                    } else {
                        Ended::Dropped
                    };
                }
                if outline.closes_at(at.point(), f64::from(settings.reach)) {
                    return Ended::Yes;
                }
                outline.add_corner(at.point());
                Ended::No
            }
            Self::Transform(transform) => {
                if transform.press(at.point(), settings) {
                    Ended::No
                } else {
                    Ended::AndAnother
                }
            }
            _ => Ended::No,
        }
    }

    /// Goes on. Returns whether something visible changed.
    pub(super) fn drag(
        &mut self,
        at: &Sample,
        settings: &ToolSettings,
        before: &Drawing,
        drawing: &mut Drawing,
    ) -> bool {
        match self {
            Self::Brush(stroke) => stroke.follow(at, &mut drawing.mask),
            Self::Pencil(stroke) => stroke.follow(at, &mut drawing.sketch),
            Self::Outline(outline, ..) => {
                outline.follow(at.point());
                true
            }
            Self::Figure(figure, layer) => {
                figure.end = at.point();
                let picture = figure.draw(
                    before.layer(*layer),
                    settings.constrain,
                    settings.from_centre,
                );
                *drawing.layer_mut(*layer) = picture;
                true
            }
            Self::Transform(transform) => transform.drag(at.point(), settings, drawing),
            Self::Pick | Self::Done => false,
        }
    }

    /// Moves a rubber band. Returns whether there is one.
    pub(super) fn hover(&mut self, at: &Sample) -> bool {
        match self {
            Self::Outline(outline, ..) if outline.by_corners => {
                outline.hover(at.point());
                true
            }
            _ => false,
        }
    }

    /// The button goes up while it waits on.
    pub(super) fn release(&mut self) {
        if let Self::Transform(transform) = self {
            transform.release();
        }
    }

    /// Takes back the last part of it; false when nothing is left.
    pub(super) fn step_back(&mut self) -> bool {
        match self {
            Self::Outline(outline, ..) => outline.remove_corner(),
            _ => false,
        }
    }

    /// Puts the last of it on the drawing.
    pub(super) fn end(&mut self, settings: &ToolSettings, drawing: &mut Drawing) {
        match self {
            Self::Brush(stroke) => stroke.end(&mut drawing.mask),
            Self::Pencil(stroke) => stroke.end(&mut drawing.sketch),
            Self::Outline(outline, layer, value) => {
                let Some(shape) = outline.shape() else {
                    return;
                };
                let axis = settings.mirror.active(drawing.side());
                let paint = match layer {
                    Layer::Mask => settings.paint(*value, drawing.side()),
                    Layer::Sketch => Paint::grey(*value, axis),
                };
                paint.shape(drawing.layer_mut(*layer), &shape);
            }
            Self::Figure(..) | Self::Transform(_) | Self::Pick | Self::Done => {}
        }
    }

    /// What the view draws over the canvas.
    pub(super) fn overlay(&self, settings: &ToolSettings) -> Overlay {
        match self {
            Self::Outline(outline, ..) => {
                let points: Vec<[f32; 2]> = outline
                    .line()
                    .map(|p| p.map(|value| value as f32))
                    .collect();
                let first = points.first().copied().filter(|_| outline.by_corners);
                let handles = first.map(|at| Handle {
                    at,
                    kind: HandleKind::Close,
                });
                Overlay {
                    lines: vec![OverlayLine {
                        points,
                        closed: !outline.by_corners,
                    }],
                    handles: handles.into_iter().collect(),
                }
            }
            Self::Transform(transform) => transform.overlay(settings),
            _ => Overlay::default(),
        }
    }
}
