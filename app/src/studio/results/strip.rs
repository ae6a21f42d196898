//! What the filmstrip shows: the library's pictures that a search finds, newest first, the cells of
//! a sweep side by side, and what is selected. No window in here.

use std::collections::BTreeSet;

use crate::project::Listing;
use crate::project::library::Entry;

/// A place of the filmstrip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Place of the picture in the listing.
    pub place: usize,
    /// The sweep that it belongs to, as a place in [`Strip::groups`].
    pub group: Option<usize>,
}

/// Pictures of one sweep side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The sweep's prompt.
    pub template: String,
    /// First of its cells in [`Strip::cells`].
    pub start: usize,
    /// Cells that are shown: one when folded.
    pub cells: usize,
    /// Pictures in it.
    pub pictures: usize,
}

/// The filmstrip's contents and selection.
#[derive(Clone, Debug, Default)]
pub struct Strip {
    /// The library as of the last scan.
    pub listing: Listing,
    /// What is searched for.
    pub search: String,
    /// The picture that is looked at, by file name.
    pub current: Option<String>,
    /// Selected pictures by file name; the current one is among them.
    pub selected: BTreeSet<String>,
    /// Sweeps of which only one picture is shown, by their prompt.
    pub folded: BTreeSet<String>,
    /// Pictures that are about to be deleted.
    pub hidden: BTreeSet<String>,
    /// The current picture shall come into view.
    pub reveal: bool,
    anchor: Option<String>,
    cells: Vec<Cell>,
    groups: Vec<Group>,
    found: usize,
}

impl Strip {
    /// What is shown, left to right.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Sweeps among what is shown.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Pictures that the search finds, those in folded sweeps included.
    pub fn found(&self) -> usize {
        self.found
    }

    /// The picture of a cell.
    pub fn entry(&self, cell: Cell) -> Option<&Entry> {
        self.listing.entries.get(cell.place)
    }

    /// The picture that is looked at.
    pub fn current(&self) -> Option<&Entry> {
        self.current
            .as_deref()
            .and_then(|file| self.listing.get(file))
    }

    /// Takes over a new listing. What is selected stays selected as long as it is there.
    pub fn set_listing(&mut self, listing: Listing) {
        self.listing = listing;
        self.selected
            .retain(|file| self.listing.get(file).is_some());
        if self.current().is_none() {
            self.current = self.selected.first().cloned();
        }
        self.refresh();
    }

    /// Adds a picture that was just saved. A person who looks at the newest picture, or at none,
    /// goes on to this one; the selection of others does not jump.
    pub fn add(&mut self, entry: Entry) {
        let newest = self.cells.first().and_then(|cell| self.entry(*cell));
        let follows = match &self.current {
            None => true,
            Some(file) => {
                newest.is_some_and(|newest| newest.file == *file) && self.selected.len() <= 1
            }
        };
        let file = entry.file.clone();
        self.listing.insert(entry);
        self.refresh();
        if follows {
            self.select(&file);
        }
    }

    /// Lays out the cells again; after any change of listing, search, folding or hiding.
    pub fn refresh(&mut self) {
        let hidden = &self.hidden;
        let mut places = self.listing.search(&self.search);
        places.retain(|place| !hidden.contains(&self.listing.entries[*place].file));
        self.found = places.len();
        self.cells.clear();
        self.groups.clear();
        let template = |place: usize| self.listing.entries[place].about.template.as_ref();
        let mut rest = places.as_slice();
        while let Some(&first) = rest.first() {
            let same = rest
                .iter()
                .take_while(|place| {
                    template(first).is_some() && template(**place) == template(first)
                })
                .count();
            let (run, after) = rest.split_at(same.max(1));
            rest = after;
            let group = (same > 1).then_some(self.groups.len());
            let mut cells = run.len();
            if let (Some(_), Some(template)) = (group, template(first)) {
                if self.folded.contains(template) {
                    cells = 1;
                }
                self.groups.push(Group {
                    template: template.clone(),
                    start: self.cells.len(),
                    cells,
                    pictures: run.len(),
                });
            }
            let run = run.iter().take(cells);
            self.cells.extend(run.map(|&place| Cell { place, group }));
        }
    }

    /// Selects one picture alone.
    pub fn select(&mut self, file: &str) {
        self.current = Some(file.to_string());
        self.anchor = self.current.clone();
        self.selected = BTreeSet::from([file.to_string()]);
        self.reveal = true;
    }

    /// Adds a picture to the selection, or takes it out.
    pub fn toggle(&mut self, file: &str) {
        if self.selected.remove(file) {
            if self.current.as_deref() == Some(file) {
                self.current = self.selected.first().cloned();
            }
        } else {
            self.selected.insert(file.to_string());
            self.current = Some(file.to_string());
        }
        self.anchor = self.current.clone();
    }

    /// Selects everything from where the selection began to this picture.
    pub fn select_to(&mut self, file: &str) {
        let from = self.anchor.as_deref().or(self.current.as_deref());
        let (Some(from), Some(to)) = (from.and_then(|file| self.find(file)), self.find(file))
        else {
            return self.select(file);
        };
        let files = self.cells[from.min(to)..=from.max(to)]
            .iter()
            .filter_map(|cell| self.entry(*cell));
        self.selected = files.map(|entry| entry.file.clone()).collect();
        self.current = Some(file.to_string());
        self.reveal = true;
    }

    /// Moves by places, to the right for positive numbers; `extend` lets the selection grow.
    pub fn step(&mut self, by: isize, extend: bool) {
        let Some(last) = self.cells.len().checked_sub(1) else {
            return;
        };
        let now = self.current.as_deref().and_then(|file| self.find(file));
        let to = match now {
            Some(now) => now.saturating_add_signed(by).min(last),
            None if by < 0 => last,
            None => 0,
        };
        let Some(file) = self.entry(self.cells[to]).map(|entry| entry.file.clone()) else {
            return;
        };
        if extend {
            self.select_to(&file);
        } else {
            self.select(&file);
        }
    }

    /// The pictures that a command is about: the selected ones, newest first.
    pub fn chosen(&self) -> Vec<&Entry> {
        let entries = self.listing.entries.iter();
        entries
            .filter(|entry| {
                self.selected.contains(&entry.file) && !self.hidden.contains(&entry.file)
            })
            .collect()
    }

    /// Hides the selected pictures; the one after them becomes the current one. Returns their names.
    pub fn hide_chosen(&mut self) -> Vec<String> {
        let files: Vec<String> = self
            .chosen()
            .iter()
            .map(|entry| entry.file.clone())
            .collect();
        let gone = |cell: &Cell| {
            self.entry(*cell)
                .is_none_or(|entry| files.contains(&entry.file))
        };
        let last = self.cells.iter().rposition(gone);
        let after = last.and_then(|last| self.cells.get(last + 1).copied());
        let before = || self.cells.iter().rev().find(|cell| !gone(cell)).copied();
        let next = after.or_else(before);
        let next = next
            .and_then(|cell| self.entry(cell))
            .map(|entry| entry.file.clone());
        self.hidden.extend(files.iter().cloned());
        self.selected.clear();
        self.current = None;
        self.refresh();
        if let Some(next) = next {
            self.select(&next);
        }
        files
    }

    /// Shows hidden pictures again and selects them.
    pub fn unhide(&mut self, files: &[String]) {
        for file in files {
            self.hidden.remove(file);
        }
        self.refresh();
        if let Some(first) = files.first() {
            self.select(first);
        }
        self.selected.extend(files.iter().cloned());
    }

    /// Folds or unfolds a sweep.
    pub fn fold(&mut self, template: &str) {
        if !self.folded.remove(template) {
            self.folded.insert(template.to_string());
        }
        self.refresh();
    }

    fn find(&self, file: &str) -> Option<usize> {
        let is = |cell: &Cell| self.entry(*cell).is_some_and(|entry| entry.file == file);
        self.cells.iter().position(is)
    }
}

#[cfg(test)]
mod tests {
    use mmface_engine::job::Draw;

    use super::*;
    use crate::project::library::About;

    fn entry(number: u64, template: Option<&str>) -> Entry {
        let about = About {
            draw: Draw {
                prompt: format!("face {number}"),
                seed: number,
                ..Draw::default()
            },
            template: template.map(str::to_string),
            ..About::default()
        };
        Entry::new(format!("{number}.png"), number, 100, (64, 64), about)
    }

    /// Newest first: 6 5 (4 3 2) 1, the three in the middle are one sweep.
    fn strip() -> Strip {
        let mut strip = Strip::default();
        let mut listing = Listing::default();
        for number in 1..=6 {
            let sweep = (2..=4).contains(&number).then_some("face [a|b|c]");
            listing.insert(entry(number, sweep));
        }
        strip.set_listing(listing);
        strip
    }

    fn shown(strip: &Strip) -> Vec<u64> {
        let entries = strip.cells().iter().filter_map(|cell| strip.entry(*cell));
        entries.map(|entry| entry.about.draw.seed).collect()
    }

    fn selected(strip: &Strip) -> Vec<u64> {
        strip
            .chosen()
            .iter()
            .map(|entry| entry.about.draw.seed)
            .collect()
    }

    #[test]
    fn sweeps_are_grouped_and_folded() {
        let mut strip = strip();
        assert_eq!(shown(&strip), [6, 5, 4, 3, 2, 1]);
        let [group] = strip.groups() else {
            panic!("one sweep")
        };
        assert_eq!((group.start, group.cells, group.pictures), (2, 3, 3));
        strip.fold("face [a|b|c]");
        assert_eq!(shown(&strip), [6, 5, 4, 1]);
        assert_eq!((strip.found(), strip.groups()[0].pictures), (6, 3));
        strip.search = "seed:3".into();
        strip.refresh();
        assert_eq!(shown(&strip), [3], "one picture is no group");
        assert!(strip.groups().is_empty());
    }

    #[test]
    fn selection_walks_grows_and_stays() {
        let mut strip = strip();
        strip.step(1, false);
        assert_eq!(selected(&strip), [6]);
        strip.step(1, false);
        strip.step(1, true);
        strip.step(1, true);
        assert_eq!(selected(&strip), [5, 4, 3]);
        strip.step(-1, true);
        assert_eq!(selected(&strip), [5, 4]);
        strip.toggle("1.png");
        assert_eq!(selected(&strip), [5, 4, 1]);
        strip.toggle("1.png");
        strip.step(-99, false);
        assert_eq!(selected(&strip), [6]);
        strip.step(99, false);
        assert_eq!(selected(&strip), [1]);
        strip.add(entry(7, None));
        assert_eq!(selected(&strip), [1], "an older picture stays selected");
        strip.step(-99, false);
        strip.add(entry(8, None));
        assert_eq!(selected(&strip), [8], "who looks at the newest goes on");
    }

    #[test]
    fn deleted_pictures_hide_and_come_back() {
        let mut strip = strip();
        strip.select("4.png");
        strip.select_to("3.png");
        assert_eq!(strip.hide_chosen(), ["4.png", "3.png"]);
        assert_eq!(shown(&strip), [6, 5, 2, 1]);
        assert_eq!(selected(&strip), [2], "the next one");
        strip.select("1.png");
        strip.hide_chosen();
        assert_eq!(selected(&strip), [2], "the last one that is left");
        strip.unhide(&["4.png".into(), "3.png".into()]);
        assert_eq!(selected(&strip), [4, 3]);
        assert_eq!(shown(&strip), [6, 5, 4, 3, 2]);
    }

    #[test]
    fn what_is_gone_is_no_longer_selected() {
        let mut strip = strip();
        strip.select("4.png");
        let mut listing = strip.listing.clone();
        listing.remove("4.png");
        strip.set_listing(listing);
        assert!(strip.current().is_none() && strip.chosen().is_empty());
        strip.step(1, false);
        assert_eq!(selected(&strip), [6]);
        let mut empty = Strip::default();
        empty.step(1, false);
        assert!(empty.hide_chosen().is_empty() && empty.current().is_none());
    }
}
