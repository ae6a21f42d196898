//! What may be painted over: the paint target and the locks, as one table.

use mmface_engine::labels::{class, palette};
use serde::{Deserialize, Serialize};

use super::classes::ClassSet;

/// Which pixels a stroke may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// All that are not locked.
    #[default]
    Everything,
    /// Background only: what is painted stays. Erasing, which would then do nothing, works as with
    /// `Everything`.
    Background,
    /// Pixels of one class only.
    Class(u8),
}

impl Target {
    /// The next of the three, for one key: a class means the one at hand.
    pub fn next(self, class: u8) -> Self {
        match self {
            Self::Everything => Self::Background,
            Self::Background => Self::Class(class),
            Self::Class(_) => Self::Everything,
        }
    }

    /// The target of the mirrored hand.
    pub fn mirrored(self) -> Self {
        match self {
            Self::Class(class) => Self::Class(palette().mirror(class)),
            other => other,
        }
    }

    /// For people, at the cursor.
    pub fn title(self) -> String {
        match self {
            Self::Everything => "Paints over everything".to_owned(),
            Self::Background => "Paints on background only".to_owned(),
            Self::Class(class) => format!("Paints on {} only", title_of(class)),
        }
    }
}

/// A class's title in lower case, for the middle of a sentence.
pub(super) fn title_of(class: u8) -> String {
    let class = palette().classes.get(usize::from(class));
    class.map_or_else(|| "no class".to_owned(), |class| class.title.to_lowercase())
}

/// Old values that may be replaced, by value.
#[derive(Clone, Copy)]
pub(super) struct Permit {
    pub allowed: [bool; 256],
}

impl Permit {
    /// For painting `paint`; background is what erasing paints.
    pub(super) fn new(target: Target, locked: ClassSet, paint: u8) -> Self {
        let erasing = paint == class::BACKGROUND;
        let mut allowed = [false; 256];
        for (value, allow) in allowed.iter_mut().enumerate() {
            let value = value as u8;
            *allow = !locked.contains(value)
                && match target {
                    Target::Everything => true,
                    Target::Background => erasing || value == class::BACKGROUND,
                    Target::Class(class) => value == class,
                };
        }
        Self { allowed }
    }

    /// For grey values: every pixel.
    pub(super) fn all() -> Self {
        Self {
            allowed: [true; 256],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_stronger_than_targets() {
        let locked: ClassSet = [class::HAIR].into_iter().collect();
        let may =
            |target, paint, over: u8| Permit::new(target, locked, paint).allowed[usize::from(over)];
        assert!(may(Target::Everything, class::SKIN, class::NOSE));
        assert!(!may(Target::Everything, class::SKIN, class::HAIR));
        assert!(!may(Target::Everything, class::BACKGROUND, class::HAIR));
        assert!(!may(Target::Background, class::SKIN, class::NOSE));
        assert!(may(Target::Background, class::SKIN, class::BACKGROUND));
        assert!(may(Target::Background, class::BACKGROUND, class::NOSE));
        assert!(may(Target::Class(class::NOSE), class::SKIN, class::NOSE));
        assert!(!may(Target::Class(class::HAIR), class::SKIN, class::HAIR));
    }

    #[test]
    fn the_key_goes_round() {
        let mut target = Target::Everything;
        for _ in 0..3 {
            target = target.next(class::HAT);
        }
        assert_eq!(target, Target::Everything);
        assert_eq!(
            Target::Class(class::LEFT_EAR).mirrored(),
            Target::Class(class::RIGHT_EAR)
        );
        assert!(Target::Class(class::HAT).title().contains("hat"));
    }
}
