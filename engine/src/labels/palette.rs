//! The nineteen face classes: names, the model's colours, and what a flip exchanges.
//!
//! Source: `assets/palette.ron` (docs/reference.md section 3). The file is compiled in, so that the
//! colours at the model's door can never be missing or edited by accident.

use std::sync::LazyLock;

use serde::Deserialize;

/// Number of classes.
pub const CLASS_COUNT: usize = 19;

/// Class numbers that code refers to. [`palette`] has them all, by name.
pub mod class {
    /// Everything that is no class of its own.
    pub const BACKGROUND: u8 = 0;
    /// Face skin.
    pub const SKIN: u8 = 1;
    /// Nose.
    pub const NOSE: u8 = 2;
    /// Glasses.
    pub const GLASSES: u8 = 3;
    /// The person's left eye, on the right-hand side of the picture.
    pub const LEFT_EYE: u8 = 4;
    /// The person's right eye.
    pub const RIGHT_EYE: u8 = 5;
    /// The person's left brow.
    pub const LEFT_BROW: u8 = 6;
    /// The person's right brow.
    pub const RIGHT_BROW: u8 = 7;
    /// The person's left ear.
    pub const LEFT_EAR: u8 = 8;
    /// The person's right ear.
    pub const RIGHT_EAR: u8 = 9;
    /// Inside of the mouth, with teeth.
    pub const MOUTH: u8 = 10;
    /// Upper lip.
    pub const UPPER_LIP: u8 = 11;
    /// Lower lip.
    pub const LOWER_LIP: u8 = 12;
    /// Hair.
    pub const HAIR: u8 = 13;
    /// Hat.
    pub const HAT: u8 = 14;
    /// Earring.
    pub const EARRING: u8 = 15;
    /// Necklace.
    pub const NECKLACE: u8 = 16;
    /// Neck.
    pub const NECK: u8 = 17;
    /// Clothing.
    pub const CLOTH: u8 = 18;
}

/// One face class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// CelebAMask-HQ's name: `l_brow`.
    pub name: String,
    /// For people: "Left brow".
    pub title: String,
    /// The colour that the model was trained on.
    pub colour: [u8; 3],
    /// The class that a left-right flip turns this one into; itself where there is no side.
    pub mirror: u8,
}

/// The classes in order: the position is the class number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette {
    /// The classes.
    pub classes: Vec<Class>,
}

impl Palette {
    /// Reads `palette.ron`; the message says what is wrong with it.
    fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Entry {
            index: usize,
            name: String,
            title: String,
            rgb: (u8, u8, u8),
        }
        let entries: Vec<Entry> = ron::from_str(text).map_err(|e| e.to_string())?;
        if entries.len() != CLASS_COUNT {
            return Err(format!(
                "{} classes instead of {CLASS_COUNT}",
                entries.len()
            ));
        }
        let mut classes = Vec::with_capacity(CLASS_COUNT);
        for (number, entry) in entries.iter().enumerate() {
            if entry.index != number {
                return Err(format!("{} stands at place {number}", entry.name));
            }
            let twin = mirrored_name(&entry.name);
            let mirror = entries
                .iter()
                .position(|other| Some(&other.name) == twin.as_ref());
            let (red, green, blue) = entry.rgb;
            classes.push(Class {
                name: entry.name.clone(),
                title: entry.title.clone(),
                colour: [red, green, blue],
                mirror: mirror.unwrap_or(number) as u8,
            });
        }
        Ok(Self { classes })
    }

    /// The class of this name.
    pub fn find(&self, name: &str) -> Option<u8> {
        self.classes
            .iter()
            .position(|class| class.name == name)
            .map(|number| number as u8)
    }

    /// The model's colour of a class; classes that do not exist are black like the background.
    pub fn colour(&self, class: u8) -> [u8; 3] {
        self.classes
            .get(usize::from(class))
            .map_or([0; 3], |class| class.colour)
    }

    /// What a left-right flip turns a class into.
    pub fn mirror(&self, class: u8) -> u8 {
        self.classes
            .get(usize::from(class))
            .map_or(class, |entry| entry.mirror)
    }

    /// The class whose colour is closest (squared RGB distance, the lowest class on a tie), and
    /// that distance.
    pub fn nearest(&self, colour: [u8; 3]) -> (u8, u32) {
        let mut best = (0, u32::MAX);
        for (number, class) in self.classes.iter().enumerate() {
            let distance = squared_distance(class.colour, colour);
            if distance < best.1 {
                best = (number as u8, distance);
            }
        }
        best
    }
}

/// `l_eye` for `r_eye` and back. `l_lip` gives `r_lip`, which is no class: the lower lip has no twin.
fn mirrored_name(name: &str) -> Option<String> {
    let swap = |from, to| name.strip_prefix(from).map(|part| format!("{to}{part}"));
    swap("l_", "r_").or_else(|| swap("r_", "l_"))
}

/// Squared Euclidean distance of two colours.
pub(crate) fn squared_distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    a.iter()
        .zip(b)
        .map(|(&x, y)| u32::from(x.abs_diff(y)).pow(2))
        .sum()
}

/// The palette of the product.
pub fn palette() -> &'static Palette {
    #[expect(
        clippy::expect_used,
        reason = "compiled in: no input of a person can make it fail"
    )]
    static PALETTE: LazyLock<Palette> = LazyLock::new(|| {
        Palette::parse(include_str!("../../../assets/palette.ron"))
            .expect("assets/palette.ron is compiled in and read by the tests")
    });
    &PALETTE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_and_file_agree() {
        let named = [
            ("background", class::BACKGROUND),
            ("skin", class::SKIN),
            ("nose", class::NOSE),
            ("eye_g", class::GLASSES),
            ("l_eye", class::LEFT_EYE),
            ("r_eye", class::RIGHT_EYE),
            ("l_brow", class::LEFT_BROW),
            ("r_brow", class::RIGHT_BROW),
            ("l_ear", class::LEFT_EAR),
            ("r_ear", class::RIGHT_EAR),
            ("mouth", class::MOUTH),
            ("u_lip", class::UPPER_LIP),
            ("l_lip", class::LOWER_LIP),
            ("hair", class::HAIR),
            ("hat", class::HAT),
            ("ear_r", class::EARRING),
            ("neck_l", class::NECKLACE),
            ("neck", class::NECK),
            ("cloth", class::CLOTH),
        ];
        assert_eq!(palette().classes.len(), CLASS_COUNT);
        for (name, number) in named {
            assert_eq!(palette().find(name), Some(number), "{name}");
        }
    }

    #[test]
    fn mirror_is_its_own_inverse_and_swaps_sides_only() {
        for number in 0..CLASS_COUNT as u8 {
            let twin = palette().mirror(number);
            assert_eq!(palette().mirror(twin), number);
            let name = &palette().classes[usize::from(number)].name;
            let sided = ["_eye", "_brow", "_ear"]
                .iter()
                .any(|part| name.ends_with(part));
            assert_eq!(twin != number, sided, "{name}");
        }
    }

    #[test]
    fn every_colour_is_its_own_nearest() {
        for (number, class) in palette().classes.iter().enumerate() {
            assert_eq!(
                palette().nearest(class.colour),
                (number as u8, 0),
                "{}",
                class.name
            );
        }
    }

    #[test]
    fn a_broken_file_is_named() {
        assert!(Palette::parse("[]").is_err_and(|e| e.contains("0 classes")));
        let text = include_str!("../../../assets/palette.ron");
        let exchanged = text.replace("index: 3", "index: 4");
        assert!(Palette::parse(&exchanged).is_err_and(|e| e.contains("eye_g")));
    }
}
