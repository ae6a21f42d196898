//! A set of face classes.

use mmface_engine::labels::CLASS_COUNT;
use serde::{Deserialize, Serialize};

/// Any of the nineteen classes. In files a list of numbers; unknown numbers are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<u8>", into = "Vec<u8>")]
pub struct ClassSet(u32);

impl ClassSet {
    /// No class.
    pub const NONE: Self = Self(0);
    /// Every class.
    pub const ALL: Self = Self((1 << CLASS_COUNT) - 1);

    /// Whether the class is in the set.
    pub fn contains(self, class: u8) -> bool {
        self.0 & bit(class) != 0
    }

    /// Adds a class; a number that is no class is ignored.
    pub fn insert(&mut self, class: u8) {
        self.0 |= bit(class);
    }

    /// Takes a class out.
    pub fn remove(&mut self, class: u8) {
        self.0 &= !bit(class);
    }

    /// Adds or takes out.
    pub fn toggle(&mut self, class: u8) {
        self.0 ^= bit(class);
    }

    /// Whether it has no class.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The classes in order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..CLASS_COUNT as u8).filter(move |&class| self.contains(class))
    }
}

fn bit(class: u8) -> u32 {
    if usize::from(class) < CLASS_COUNT {
        1 << class
    } else {
        0
    }
}

impl FromIterator<u8> for ClassSet {
    fn from_iter<I: IntoIterator<Item = u8>>(classes: I) -> Self {
        let mut set = Self::NONE;
        for class in classes {
            set.insert(class);
        }
        set
    }
}

impl From<Vec<u8>> for ClassSet {
    fn from(classes: Vec<u8>) -> Self {
        classes.into_iter().collect()
    }
}

impl From<ClassSet> for Vec<u8> {
    fn from(set: ClassSet) -> Self {
        set.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_classes_get_in() {
        let mut set: ClassSet = [18, 3, 200, 3].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [3, 18]);
        set.toggle(3);
        set.toggle(0);
        set.remove(77);
        assert_eq!(Vec::from(set), [0, 18]);
        assert!(!set.is_empty() && ClassSet::ALL.iter().count() == CLASS_COUNT);
    }
}
