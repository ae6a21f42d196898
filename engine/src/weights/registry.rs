//! Where models live, and which are there.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::manifest;
use super::package::{EXTENSION, Package};
use super::verify::{PartState, states};
use crate::{Error, Result};

/// Name of the folder of models in each place.
const FOLDER: &str = "models";

/// The package that is used when none is named.
pub const BUNDLED: &str = "demo";

/// Why a folder is looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// `$MMFACE_HOME/models`.
    Home,
    /// The platform's data directory.
    User,
    /// Beside the program.
    Program,
    /// The source tree that the program was built from.
    Source,
    /// A folder that the person has added.
    Chosen,
}

/// A folder of models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Root {
    /// Where.
    pub path: PathBuf,
    /// Why.
    pub origin: Origin,
}

/// A model that was found.
#[derive(Clone, Debug, Serialize)]
pub struct ListedModel {
    /// Short name; the file's when the manifest cannot be read.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Folder or archive.
    pub path: PathBuf,
    /// Why its folder was looked into.
    pub origin: Origin,
    /// Bytes of all parts.
    pub bytes: u64,
    /// Parts with what is wrong about them, if anything.
    pub parts: Vec<PartState>,
    /// Why it does not load here, if so.
    pub problem: Option<String>,
}

/// The folders of models in the order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    roots: Vec<Root>,
}

impl Registry {
    /// `$MMFACE_HOME/models`, else the platform's data directory; then `assets/models` beside the
    /// program, or in the source tree when there is none.
    pub fn standard() -> Self {
        let mut roots = Vec::new();
        let home = std::env::var_os("MMFACE_HOME").filter(|home| !home.is_empty());
        match (home, directories::ProjectDirs::from("", "", "mmface")) {
            (Some(home), _) => roots.push(Root {
                path: Path::new(&home).join(FOLDER),
                origin: Origin::Home,
            }),
            (None, Some(folders)) => roots.push(Root {
                path: folders.data_dir().join(FOLDER),
                origin: Origin::User,
            }),
            (None, None) => {}
        }
        let program = std::env::current_exe().ok();
        let beside = program
            .as_deref()
            .and_then(Path::parent)
            .map(|folder| folder.join("assets").join(FOLDER));
        if let Some(path) = beside.filter(|path| path.is_dir()) {
            roots.push(Root {
                path,
                origin: Origin::Program,
            });
        }
        // Where the crate was built: `cargo run` works from any folder.
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../assets")
            .join(FOLDER);
        if let Ok(path) = source.canonicalize() {
            roots.push(Root {
                path,
                origin: Origin::Source,
            });
        }
        Self { roots }
    }

    /// Folders of the caller's choice.
    pub fn of(roots: Vec<Root>) -> Self {
        Self { roots }
    }

    /// The same, with folders of the person's choice looked into last.
    pub fn with(mut self, folders: &[PathBuf]) -> Self {
        self.roots.extend(folders.iter().map(|path| Root {
            path: path.clone(),
            origin: Origin::Chosen,
        }));
        self
    }

    /// The folders, for a report of what was looked at.
    pub fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// Where an import goes: the person's own folder.
    ///
    /// # Errors
    /// When neither `MMFACE_HOME` nor a data directory is known.
    pub fn target(&self) -> Result<&Path> {
        let own = self
            .roots
            .iter()
            .find(|root| matches!(root.origin, Origin::Home | Origin::User));
        let unknown = || Error::Argument("no folder for models is known; set MMFACE_HOME".into());
        own.map(|root| root.path.as_path()).ok_or_else(unknown)
    }

    /// Every model, each name once: the first folder wins.
    pub fn list(&self) -> Vec<ListedModel> {
        let mut models: Vec<ListedModel> = Vec::new();
        for root in &self.roots {
            for path in candidates(&root.path) {
                let model = describe(&path, root.origin);
                if models.iter().all(|known| known.name != model.name) {
                    models.push(model);
                }
            }
        }
        models
    }

    /// Opens a model by name, or by the path of a folder or archive.
    ///
    /// # Errors
    /// When there is none; the error lists the names that there are.
    pub fn find(&self, name_or_path: &str) -> Result<Package> {
        let path = Path::new(name_or_path);
        let named = manifest::check_name(name_or_path).is_ok();
        if named {
            for root in &self.roots {
                for path in candidates(&root.path) {
                    let package = Package::open(&path);
                    let is_it = match &package {
                        Ok(package) => package.manifest().name == name_or_path,
                        Err(_) => path.file_stem().is_some_and(|stem| stem == name_or_path),
                    };
                    if is_it {
                        return package;
                    }
                }
            }
        }
        if path.exists() {
            return Package::open(path);
        }
        let names: Vec<String> = self.list().into_iter().map(|model| model.name).collect();
        let known = if names.is_empty() {
            "there are none".into()
        } else {
            format!("there are: {}", names.join(", "))
        };
        Err(Error::NoModel(format!(
            "no model is called `{}`; {known}",
            super::layout::shown(name_or_path)
        )))
    }

    /// The model that is used when none is named: the bundled one, else the first that loads.
    ///
    /// # Errors
    /// When there is no model that loads.
    pub fn default_package(&self) -> Result<Package> {
        let listed = self.list();
        let loads = |model: &&ListedModel| model.problem.is_none();
        let best = listed
            .iter()
            .filter(loads)
            .find(|model| model.name == BUNDLED)
            .or_else(|| listed.iter().find(loads));
        match best {
            Some(model) => Package::open(&model.path),
            None => self.find(BUNDLED),
        }
    }
}

/// Packages in a folder, sorted; links are followed.
fn candidates(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let hidden = |path: &Path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'))
    };
    let is_package = |path: &PathBuf| {
        !hidden(path)
            && (path.join(manifest::FILE).is_file()
                || path.extension().is_some_and(|ext| ext == EXTENSION))
    };
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(is_package)
        .collect();
    paths.sort();
    paths
}

fn describe(path: &Path, origin: Origin) -> ListedModel {
    let stem = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    match Package::open(path) {
        Ok(package) => {
            let parts = states(&package);
            let problem = parts
                .iter()
                .find(|part| part.needed && part.problem.is_some());
            ListedModel {
                name: package.manifest().name.clone(),
                title: package.manifest().title.clone(),
                path: path.to_path_buf(),
                origin,
                bytes: package.bytes(),
                problem: problem.and_then(|part| part.problem.clone()),
                parts,
            }
        }
        Err(error) => ListedModel {
            name: stem,
            title: String::new(),
            path: path.to_path_buf(),
            origin,
            bytes: 0,
            parts: Vec::new(),
            problem: Some(error.to_string()),
        },
    }
}
