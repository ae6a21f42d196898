//! Everything of a project except its pictures: `project.ron` in a project file, and a record of
//! the journal.

mod format_2;

use std::path::Path;

use mmface_engine::job::{ConditionKind, Draw};
use mmface_engine::labels::CLASS_COUNT;
use mmface_engine::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::paint::{MAX_SIDE, TILE, Target, ToolSettings};

/// Version of the project's text: raised when an older program would misread it.
pub const FORMAT: u32 = 3;

/// Longest text that is read, in bytes.
pub const MAX_TEXT: usize = 4 << 20;

/// Most pictures that a project remembers; older ones stay in the library.
pub const MAX_RESULTS: usize = 2000;

/// A project without its pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectData {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// Prompt, seed, steps and the like of the next pictures.
    pub draw: Draw,
    /// The seed stays as it is from one generation to the next.
    pub seed_locked: bool,
    /// What the face follows.
    pub follow: ConditionKind,
    /// Side of the canvas in pixels, see [`is_side`].
    pub side: usize,
    /// The tools' settings, mirror and paint target among them.
    pub tools: ToolSettings,
    /// The starter template that the drawing began with.
    pub template: Option<String>,
    /// Steps that all cells of a sweep share.
    pub fork_step: usize,
    /// There is a picture under the canvas, and it covers this much, 0..=1.
    pub onion: Option<f32>,
    /// How much of the layers is seen; `None` in files before format 2.
    pub layers: Option<Layers>,
    /// The pictures that were made from this project, oldest first.
    pub results: Vec<ResultRef>,
    /// Copies of the results travel in the project file.
    pub copies: bool,
}

/// How much of the layers is seen while somebody draws.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    /// Of the mask over a picture, 0..=1.
    pub mask: f32,
    /// Of the layer that is not painted on, 0..=1.
    pub other: f32,
    /// Lines between classes are drawn over pictures.
    pub contours: bool,
}

/// A finished picture of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultRef {
    /// File name in the library, `/` between folders.
    pub file: String,
    /// The recipe's hash of the pixels: finds the picture after a move.
    pub recipe: String,
    /// A copy lies in the project file as `results/NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<String>,
}

impl Default for ProjectData {
    /// An empty project with the settings of an empty job.
    fn default() -> Self {
        Self {
            format: FORMAT,
            draw: Draw::default(),
            seed_locked: false,
            follow: ConditionKind::Mask,
            side: 512,
            tools: ToolSettings::default(),
            template: None,
            fork_step: 0,
            onion: None,
            layers: None,
            results: Vec::new(),
            copies: false,
        }
    }
}

impl ProjectData {
    /// The text of the project, readable for people.
    ///
    /// # Errors
    /// When a value has no text.
    pub fn to_text(&self) -> Result<String> {
        let pretty = ron::ser::PrettyConfig::default();
        ron::ser::to_string_pretty(self, pretty).map_err(Error::unwritable("the project's text"))
    }

    /// Reads the text; `path` is only for messages.
    ///
    /// # Errors
    /// For a newer format, for damaged text, and for values that nobody can have set.
    pub fn from_text(text: &str, path: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let damaged = |why: String| {
            let why: String = why.replace('\n', " ").chars().take(160).collect();
            Error::content(
                path,
                format!("the project's text is damaged: {why}"),
                "open an older copy; nothing was changed",
            )
        };
        // The format comes first: a newer program may have fields that this one does not know.
        let head: Head = ron::from_str(text).map_err(|error| damaged(error.to_string()))?;
        if head.format > FORMAT {
            return Err(Error::content(
                path,
                format!(
                    "the project was saved by a newer program (format {}, this one reads up to {FORMAT})",
                    head.format
                ),
                "update MMFace Studio to open it",
            ));
        }
        let data = match head.format {
            0 => return Err(damaged("there is no format 0".into())),
            1 | 2 => ron::from_str::<format_2::FlatData>(text).map(Self::from),
            _ => ron::from_str(text),
        };
        let mut data = data.map_err(|error| damaged(error.to_string()))?;
        data.check().map_err(damaged)?;
        data.tools.class = known(data.tools.class);
        if let Target::Class(class) = &mut data.tools.target {
            *class = known(*class);
        }
        Ok(data)
    }

    /// Whether this could be read back.
    ///
    /// # Errors
    /// What is out of its range.
    pub(super) fn check(&self) -> Result<(), String> {
        if !is_side(self.side) {
            return Err(format!("there is no canvas of {} pixels a side", self.side));
        }
        if self
            .onion
            .is_some_and(|cover| !(0.0..=1.0).contains(&cover))
        {
            return Err(
                "the picture under the canvas covers less than nothing or more than all".into(),
            );
        }
        let shares = self.layers.iter().flat_map(|set| [set.mask, set.other]);
        if shares
            .into_iter()
            .any(|share| !(0.0..=1.0).contains(&share))
        {
            return Err("a layer covers less than nothing or more than all".into());
        }
        self.draw.validate().map_err(|error| error.to_string())
    }
}

/// Whether a canvas can have this side in pixels.
pub fn is_side(side: usize) -> bool {
    (TILE..=MAX_SIDE).contains(&side) && side.is_multiple_of(TILE)
}

/// A class that there is.
fn known(class: u8) -> u8 {
    if usize::from(class) < CLASS_COUNT {
        class
    } else {
        ToolSettings::default().class
    }
}

#[cfg(test)]
mod tests {
    use mmface_engine::job::Sampler;

    use super::*;

    fn read(text: &str) -> Result<ProjectData, String> {
        ProjectData::from_text(text, Path::new("a.mmface-project"))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn text_keeps_everything() {
        let data = ProjectData {
            draw: Draw {
                prompt: "a \"quoted\" face\nwith two lines, ünïcode".into(),
                seed: u64::MAX - 7,
                steps: 33,
                sampler: Sampler::Heun,
                guidance: 2.25,
                ..Draw::default()
            },
            seed_locked: true,
            side: 1024,
            template: Some("curly".into()),
            fork_step: 7,
            onion: Some(0.25),
            layers: Some(Layers {
                mask: 0.75,
                other: 0.125,
                contours: false,
            }),
            results: vec![ResultRef {
                file: "a.png".into(),
                recipe: "00ff".into(),
                copy: None,
            }],
            ..ProjectData::default()
        };
        assert_eq!(read(&data.to_text().expect("text")), Ok(data));
    }

    #[test]
    fn classes_that_do_not_exist_are_not_painted_with() {
        let data = read("(format: 1, tools: (class: 77, target: Class(200)))").expect("reads");
        let class = ToolSettings::default().class;
        assert_eq!(
            (data.tools.class, data.tools.target),
            (class, Target::Class(class))
        );
    }

    #[test]
    fn files_before_the_layers_are_read() {
        let data = read("(format: 1, prompt: \"x\", onion: Some(0.5))").expect("reads");
        assert_eq!((data.layers, data.onion), (None, Some(0.5)));
    }

    #[test]
    fn newer_formats_and_nonsense_are_named() {
        let newer = read("(format: 4, draw: (prompt: \"x\"), aura: (glow: 3))").expect_err("newer");
        assert!(
            newer.contains("newer program (format 4") && newer.contains("update"),
            "{newer}"
        );
        for (text, part) in [
            ("(format: 1, aura: 3)", "aura"),
            ("(format: 3, aura: 3)", "aura"),
            ("(format: 3, draw: (aura: 3))", "aura"),
            ("(format: 3, draw: (steps: 0))", "0 steps"),
            ("(prompt: \"x\")", "format"),
            ("(format: 1, side: 700)", "700 pixels"),
            ("(format: 1, steps: 0)", "0 steps"),
            ("(format: 1, guidance: NaN)", "guidance"),
            ("(format: 1, onion: Some(7.0))", "covers"),
            (
                "(format: 2, layers: Some((mask: NaN, other: 0.5, contours: true)))",
                "layer covers",
            ),
            ("(format: 1, prompt: \"cut o", "damaged"),
            ("", "damaged"),
        ] {
            let error = read(text).expect_err(text);
            assert!(
                error.contains(part) && !error.contains('\n'),
                "{text}: {error}"
            );
        }
    }
}
