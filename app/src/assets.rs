//! The bundled templates: masks and sketches drawn for this project.

use std::path::{Path, PathBuf};

use mmface_engine::job::ConditionKind;
use mmface_engine::{Error, picture};
use serde::Deserialize;

use crate::failure::{Failure, Result};

/// A picture to start from.
#[derive(Clone, Debug, Deserialize)]
pub struct Template {
    /// What `--template` takes.
    pub name: String,
    /// For people.
    pub title: String,
    /// What the picture is.
    pub kind: ConditionKind,
    /// The file beside `templates.ron`.
    pub file: String,
    /// A prompt that fits.
    pub prompt: String,
    /// A seed that looks well with it.
    pub seed: u64,
}

/// All templates, with their folder.
pub struct Templates {
    folder: PathBuf,
    /// In the order of the file.
    pub list: Vec<Template>,
}

impl Templates {
    /// Reads the bundled list.
    ///
    /// # Errors
    /// When the program's folder is not found, or its list is missing or damaged.
    pub fn load() -> Result<Self> {
        let folder = folder()?.join("templates");
        let path = folder.join("templates.ron");
        let bytes = picture::read::read_bytes(&path)?;
        let damaged =
            |what: String| Failure::from(Error::content(&path, what, "install the program again"));
        let text = String::from_utf8(bytes)
            .map_err(|_| damaged("the list of templates is no text".into()))?;
        let list: Vec<Template> = ron::from_str(&text)
            .map_err(|error| damaged(format!("the list of templates is damaged: {error}")))?;
        Ok(Self { folder, list })
    }

    /// The template of a name; without a name the first one.
    ///
    /// # Errors
    /// When no template has that name; the sentence names those there are.
    pub fn find(&self, name: Option<&str>) -> Result<&Template> {
        let found = match name {
            Some(name) => self.list.iter().find(|template| template.name == name),
            None => self.list.first(),
        };
        found.ok_or_else(|| {
            let known = |template: &Template| format!("{} ({})", template.name, template.title);
            let names: Vec<String> = self.list.iter().map(known).collect();
            Failure::usage(format!(
                "there is no template `{}`; the templates are {}",
                name.unwrap_or_default(),
                names.join(", ")
            ))
        })
    }

    /// Where a template's picture is.
    pub fn path(&self, template: &Template) -> PathBuf {
        self.folder.join(&template.file)
    }
}

/// The assets folder: beside the program, or above it when it runs from a build folder.
fn folder() -> Result<PathBuf> {
    let program = std::env::current_exe()
        .ok()
        .and_then(|path| path.canonicalize().ok());
    let above = program
        .iter()
        .flat_map(|path| path.ancestors().skip(1).take(4));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    above
        .chain(source)
        .map(|place| place.join("assets"))
        .find(|assets| assets.join("templates/templates.ron").is_file())
        .ok_or_else(|| {
            Failure::content(
                "the folder `assets` is missing beside the program; install the program again",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_has_its_picture() {
        let templates = Templates::load().expect("bundled");
        assert!(
            templates
                .list
                .iter()
                .filter(|template| template.kind == ConditionKind::Mask)
                .count()
                >= 4
        );
        assert!(
            templates
                .list
                .iter()
                .filter(|template| template.kind == ConditionKind::Sketch)
                .count()
                >= 4
        );
        for template in &templates.list {
            assert!(templates.path(template).is_file(), "{}", template.name);
            assert!(
                !template.title.is_empty() && !template.prompt.is_empty(),
                "{}",
                template.name
            );
        }
        assert!(templates.find(Some("nobody")).is_err());
    }
}
