//! What a face follows of a drawing, and a condition that becomes a drawing again.

use mmface_engine::job::{Condition, ConditionKind};

use super::{Drawing, Layer};

impl Layer {
    /// The kind of condition that this layer is.
    pub fn kind(self) -> ConditionKind {
        match self {
            Self::Mask => ConditionKind::Mask,
            Self::Sketch => ConditionKind::Sketch,
        }
    }

    /// The layer of a kind of condition; `None` for one that is not drawn.
    pub fn of(kind: ConditionKind) -> Option<Self> {
        match kind {
            ConditionKind::Mask => Some(Self::Mask),
            ConditionKind::Sketch => Some(Self::Sketch),
            ConditionKind::None => None,
        }
    }
}

impl Drawing {
    /// What a face follows of it. An empty layer is nothing to follow.
    pub fn condition(&self, kind: ConditionKind) -> Condition {
        let layer = Layer::of(kind).filter(|&layer| !self.is_empty(layer));
        match layer {
            Some(Layer::Mask) => Condition::Mask(self.label_image()),
            Some(Layer::Sketch) => Condition::Sketch(self.gray_image()),
            None => Condition::None,
        }
    }

    /// Puts a condition on its layer, see [`Self::set_mask`] and [`Self::set_sketch`].
    pub fn set_condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Mask(mask) => self.set_mask(mask),
            Condition::Sketch(sketch) => self.set_sketch(sketch),
            Condition::None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use mmface_engine::job::Named as _;

    use super::*;

    #[test]
    fn what_is_drawn_is_followed_and_comes_back() {
        let mut drawing = Drawing::new(512);
        for &kind in ConditionKind::ALL {
            assert_eq!(drawing.condition(kind), Condition::None, "empty");
            assert!(Layer::of(kind).is_none_or(|layer| layer.kind() == kind));
        }
        drawing.mask.fill_row(100, 0..512, 13);
        drawing.sketch.fill_row(100, 0..512, 7);
        for kind in [ConditionKind::Mask, ConditionKind::Sketch] {
            let condition = drawing.condition(kind);
            assert_eq!(condition.kind(), kind);
            let mut back = Drawing::new(512);
            back.set_condition(&condition);
            assert_eq!(back.condition(kind), condition);
        }
    }
}
