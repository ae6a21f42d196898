//! A sweep as files: the labelled grid, its tiles, and an index that says which cell is which.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mmface_engine::file::{self, Overwrite};
use mmface_engine::job::{Job, Sweep};
use mmface_engine::picture::RgbImage;
use mmface_engine::picture::write::encode_rgb;
use mmface_engine::{Error, Result};
use serde_json::json;

use super::locality::Change;
use crate::grid::Grid;
use crate::project::{SweepIndex, SweepNote};

/// A finished cell.
#[derive(Clone, Debug)]
pub struct Tile {
    /// The picture.
    pub image: Arc<RgbImage>,
    /// Its file in the library, with its recipe.
    pub file: PathBuf,
    /// How much each region differs from the first cell.
    pub changes: Vec<Change>,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// One picture with labels.
    pub grid: bool,
    /// Each cell as a file of its own: the library's, with its recipe.
    pub tiles: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            grid: true,
            tiles: false,
        }
    }
}

/// Everything that is written about a sweep.
#[derive(Clone, Debug)]
pub struct Export {
    /// Axes and cells.
    pub sweep: Sweep,
    /// The job that all cells share but for the prompt.
    pub base: Job,
    /// Name of the model.
    pub model: String,
    /// Step after which the cells part; 0 when they share the noise only.
    pub fork_step: usize,
    /// The cells in the sweep's order; `None` for those that were not finished.
    pub tiles: Vec<Option<Tile>>,
}

/// Writes grid, tiles and index beside each other. Returns what was written.
///
/// # Errors
/// When nothing is finished, nothing is wanted, or the disk refuses.
pub fn write(export: &Export, target: &Path, options: Options) -> Result<Vec<PathBuf>> {
    let finished = export.tiles.iter().flatten().count();
    if finished == 0 {
        let text = "no cell of the sweep is finished; wait for the first picture";
        return Err(Error::Input(text.into()));
    }
    if !options.grid && !options.tiles {
        let text = "neither grid nor tiles are wanted; choose one of them";
        return Err(Error::Argument(text.into()));
    }
    let mut written = Vec::new();
    let mut grid = Grid::new(&export.sweep, export.base.draw.size);
    let mut cells = Vec::with_capacity(export.sweep.cells.len());
    for (cell, tile) in export.sweep.cells.iter().zip(&export.tiles) {
        let mut name = None;
        if let Some(tile) = tile {
            grid.put(cell, &tile.image);
            if options.tiles {
                let path = beside(
                    target,
                    &format!("-r{}-c{}", cell.row + 1, cell.column + 1),
                    "png",
                );
                // The library's file carries the recipe; a copy keeps it.
                let bytes = match mmface_engine::picture::read::read_bytes(&tile.file) {
                    Ok(bytes) => bytes,
                    Err(_) => encode_rgb(&tile.image)?,
                };
                file::write(&path, &bytes, Overwrite::Replace)?;
                name = path
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned());
                written.push(path);
            }
        }
        let changes = tile.iter().flat_map(|tile| &tile.changes);
        let changes: serde_json::Map<String, serde_json::Value> = changes
            .map(|change| (change.region.to_string(), json!(change.amount)))
            .collect();
        cells.push(json!({
            "row": cell.row, "column": cell.column, "words": cell.words, "prompt": cell.prompt,
            "seed": export.base.draw.seed, "finished": tile.is_some(), "file": name, "changes": changes,
        }));
    }
    let note = SweepNote::new(&export.sweep.template, export.fork_step, &export.base);
    let index = SweepIndex::new(&note, &export.sweep, &export.model, &cells).json()?;
    if options.grid {
        file::write(target, &note.png(&grid.finish())?, Overwrite::Replace)?;
        written.push(target.to_path_buf());
    }
    let path = beside(target, "", "json");
    file::write(&path, &index, Overwrite::Replace)?;
    written.push(path);
    Ok(written)
}

fn beside(target: &Path, suffix: &str, ending: &str) -> PathBuf {
    let stem = target.file_stem().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!("{stem}{suffix}.{ending}"))
}

#[cfg(test)]
mod tests {
    use mmface_engine::job::Draw;

    use super::*;

    fn export(finished: &[bool]) -> Export {
        let sweep = Sweep::parse("[red|grey|black] hair").expect("a group");
        let tile = |done: &bool| {
            done.then(|| Tile {
                image: Arc::new(RgbImage::filled(64, 64, [9, 200, 9])),
                file: PathBuf::from("/nowhere/x.png"),
                changes: vec![Change {
                    region: "hair",
                    amount: 31.0,
                }],
            })
        };
        Export {
            tiles: finished.iter().map(tile).collect(),
            base: Job {
                draw: Draw {
                    size: 64,
                    seed: 7,
                    ..Draw::default()
                },
                ..Job::default()
            },
            model: "demo".into(),
            fork_step: 0,
            sweep,
        }
    }

    #[test]
    fn grid_tiles_and_index_lie_beside_each_other() {
        let home = tempfile::tempdir().expect("a folder");
        let target = home.path().join("hair.png");
        let options = Options {
            grid: true,
            tiles: true,
        };
        let written = write(&export(&[true, false, true]), &target, options).expect("written");
        let names: Vec<_> = written
            .iter()
            .filter_map(|path| path.file_name()?.to_str())
            .collect();
        assert_eq!(
            names,
            ["hair-r1-c1.png", "hair-r1-c3.png", "hair.png", "hair.json"]
        );
        let index = std::fs::read(home.path().join("hair.json")).expect("the index");
        let index: serde_json::Value = serde_json::from_slice(&index).expect("JSON");
        assert_eq!(index["cells"][1]["finished"], false);
        assert_eq!(index["cells"][2]["words"][0], "black");
        assert_eq!(index["cells"][2]["file"], "hair-r1-c3.png");
        assert_eq!(index["cells"][0]["changes"]["hair"], 31.0);
        let grid = mmface_engine::picture::read::read(&target).expect("the grid");
        assert!(grid.width > 3 * 64);
    }

    #[test]
    fn nothing_finished_or_wanted_writes_nothing() {
        let home = tempfile::tempdir().expect("a folder");
        let target = home.path().join("x.png");
        assert!(write(&export(&[false; 3]), &target, Options::default()).is_err());
        let none = Options {
            grid: false,
            tiles: false,
        };
        assert!(write(&export(&[true; 3]), &target, none).is_err());
        let count = std::fs::read_dir(home.path()).expect("a folder").count();
        assert_eq!(count, 0);
    }
}
