//! What is installed, read beside the GUI thread: models with their parts, what they need, and the
//! folders that were looked into.

use std::path::{Path, PathBuf};

use mmface_engine::format::bytes as size;
use mmface_engine::job::Named as _;
use mmface_engine::system;
use mmface_engine::weights::registry::{Origin, Root};
use mmface_engine::weights::upstream::find_dit;
use mmface_engine::weights::{ListedModel, Package, Registry};

use super::card::{self, Block};
use crate::studio::model_memory::{Memory, Runs};

/// Folders looked at for weights that are no package yet.
const MOST_FOLDERS: usize = 200;

/// A model and everything that is shown of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Name, place, parts.
    pub listed: ListedModel,
    /// Rows of facts: what, and how much.
    pub facts: Vec<(&'static str, String)>,
    /// The licence in the manifest.
    pub licence: String,
    /// Whether it runs here.
    pub runs: Runs,
    /// What it takes while it works; `None` when it cannot be read.
    pub memory: Option<Memory>,
    /// The card.
    pub card: Vec<Block>,
}

impl Entry {
    /// How it is asked for: by name, or by path where the engine does not look by itself.
    pub fn reference(&self) -> String {
        match self.listed.origin {
            Origin::Chosen => self.listed.path.display().to_string(),
            _ => self.listed.name.clone(),
        }
    }

    /// Title, or the name where there is none.
    pub fn title(&self) -> &str {
        if self.listed.title.is_empty() {
            &self.listed.name
        } else {
            &self.listed.title
        }
    }
}

/// A folder that was looked into.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// The folder.
    pub root: Root,
    /// Whether it exists.
    pub exists: bool,
    /// Models in it.
    pub models: usize,
    /// Folders in it that hold weights in the authors' layout, which can be imported.
    pub importable: Vec<PathBuf>,
}

/// Everything that was found.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The models, the preferred folder first.
    pub entries: Vec<Entry>,
    /// The folders.
    pub scanned: Vec<Scanned>,
}

/// Looks into all folders. Reads manifests and headers, not weights.
pub fn read(registry: &Registry) -> Listing {
    let entries: Vec<Entry> = registry.list().into_iter().map(entry).collect();
    let scan = |root: &Root| Scanned {
        exists: root.path.is_dir(),
        models: entries
            .iter()
            .filter(|entry| entry.listed.path.starts_with(&root.path))
            .count(),
        importable: importable(&root.path),
        root: root.clone(),
    };
    Listing {
        scanned: registry.roots().iter().map(scan).collect(),
        entries,
    }
}

/// Folders in `root`, and `root` itself, that are the authors' layout. The cache of a model hub
/// keeps each version of a model in `snapshots` of its folder.
fn importable(root: &Path) -> Vec<PathBuf> {
    let folders = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        paths
            .filter(|path| path.is_dir())
            .take(MOST_FOLDERS)
            .collect()
    };
    let inside = folders(root).into_iter().flat_map(|folder| {
        let versions = folders(&folder.join("snapshots"));
        std::iter::once(folder).chain(versions)
    });
    let mut found: Vec<PathBuf> = inside
        .take(MOST_FOLDERS)
        .chain([root.to_path_buf()])
        .filter(|path| !path.join("model.ron").exists() && find_dit(path).is_ok())
        .collect();
    found.sort();
    found
}

fn entry(listed: ListedModel) -> Entry {
    let unreadable = |listed: ListedModel, why: String| Entry {
        listed,
        facts: Vec::new(),
        licence: "unknown".into(),
        runs: Runs::No(why),
        memory: None,
        card: Vec::new(),
    };
    let package = match Package::open(&listed.path) {
        Ok(package) => package,
        Err(error) => return unreadable(listed, error.to_string()),
    };
    let manifest = package.manifest();
    let card = match package.card() {
        Ok(text) => card::parse(&text),
        Err(error) => vec![Block::Text(error.to_string())],
    };
    let memory = Memory::of(manifest);
    let runs = match &listed.problem {
        Some(problem) => Runs::No(problem.clone()),
        None => memory.runs(manifest.resolution, system::memory::available()),
    };
    let objective = manifest.objective.name();
    let facts = vec![
        ("Name", manifest.name.clone()),
        ("Where", listed.path.display().to_string()),
        ("On disk", size(listed.bytes)),
        (
            "Trained for",
            format!("{0} × {0} pixels, {objective}", manifest.resolution),
        ),
        (
            "Transformer",
            format!(
                "{:.1} million parameters",
                manifest.dit.parameter_count() as f64 / 1e6
            ),
        ),
        ("Memory", memory.words(manifest.resolution)),
    ];
    Entry {
        facts,
        licence: manifest.licence.clone(),
        runs,
        memory: Some(memory),
        card,
        listed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_model_is_listed_with_facts_and_card() {
        let listing = read(&Registry::standard());
        let demo = listing
            .entries
            .iter()
            .find(|entry| entry.listed.name == "demo")
            .expect("comes with the source");
        assert!(demo.licence.contains("CelebAMask-HQ"), "{}", demo.licence);
        assert!(matches!(demo.card.first(), Some(Block::Heading(_))));
        assert!(demo.facts.iter().any(|(_, value)| value.contains("256")));
        assert!(!matches!(demo.runs, Runs::No(_)), "{:?}", demo.runs);
    }

    #[test]
    fn a_missing_folder_is_reported_as_such() {
        let home = tempfile::tempdir().expect("a folder");
        let registry = Registry::of(vec![Root {
            path: home.path().join("gone"),
            origin: Origin::Chosen,
        }]);
        let listing = read(&registry);
        assert!(listing.entries.is_empty());
        assert!(!listing.scanned[0].exists);
    }
}
