//! What lies on the disk, and how much of it is kept: finished pictures stay until a person deletes
//! them, the steps on the way to them are a cache with a limit.

use std::path::Path;

use egui::{ComboBox, Label, RichText, Slider, Ui};

use super::SettingsCommand;
use crate::studio::results::trail;
use crate::studio::state::Studio;
use crate::studio::toast::Toast;

/// Most steps of a picture that can be kept.
pub const MOST_STEPS: usize = 64;
/// Largest limit, megabytes.
pub const MOST_MEGABYTES: u64 = 1 << 20;
/// Limits to choose from, megabytes.
const LIMITS: [u64; 6] = [128, 256, 512, 1024, 4096, 16384];
/// What a step takes about, for pictures of 256 pixels a side, bytes.
const STEP_BYTES: u64 = 64 << 10;
/// Folders in folders are followed this deep.
const DEEPEST: usize = 8;

/// What is known of the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What was measured last.
    pub used: Option<Used>,
    measuring: bool,
}

/// What lies on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Bytes of finished pictures, and their number.
    pub results: (u64, usize),
    /// Bytes of kept steps, and of how many pictures.
    pub steps: (u64, usize),
}

/// Measures, beside the GUI thread.
pub(super) fn measure(studio: &mut Studio) {
    let state = &mut studio.settings_window.storage;
    if std::mem::replace(&mut state.measuring, true) {
        return;
    }
    let folders = &studio.services.folders;
    let (results, cache) = (folders.results.clone(), folders.cache.clone());
    studio.services.tasks.spawn("measuring the disk", move || {
        let used = Used {
            results: files_in(&results, "png", DEEPEST),
            steps: trail::size(&cache),
        };
        move |studio: &mut Studio| {
            let state = &mut studio.settings_window.storage;
            state.measuring = false;
            state.used = Some(used);
        }
    });
}

/// Bytes and number of the files with an ending below a folder.
pub fn files_in(folder: &Path, ending: &str, depth: usize) -> (u64, usize) {
    let mut sum = (0, 0);
    for item in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(about) = item.metadata() else { continue };
        let path = item.path();
        if about.is_dir() && depth > 0 {
            let inside = files_in(&path, ending, depth - 1);
            sum = (sum.0 + inside.0, sum.1 + inside.1);
        } else if about.is_file() && path.extension().is_some_and(|end| end == ending) {
            sum = (sum.0 + about.len(), sum.1 + 1);
        }
    }
    sum
}

/// Keeps so many steps of each new picture.
pub(super) fn keep_steps(studio: &mut Studio, steps: usize) {
    studio.settings.trail_steps = steps.min(MOST_STEPS);
    crate::studio::results::keep_trails(studio);
}

/// Sets the limit, and makes room at once when it is lower than what is there.
pub(super) fn keep_megabytes(studio: &mut Studio, most: u64) {
    studio.settings.trail_megabytes = most.clamp(1, MOST_MEGABYTES);
    make_room(studio, studio.settings.trail_megabytes << 20);
}

/// Removes all kept steps.
pub(super) fn forget_steps(studio: &mut Studio) {
    make_room(studio, 0);
}

fn make_room(studio: &mut Studio, most: u64) {
    let cache = studio.services.folders.cache.clone();
    studio.services.tasks.spawn("making room", move || {
        let before = trail::size(&cache).0;
        trail::make_room(&cache, most);
        let freed = before.saturating_sub(trail::size(&cache).0);
        move |studio: &mut Studio| {
            if freed > 0 {
                let text = format!("{} of kept steps are removed", bytes(freed));
                studio.tell(Toast::Info(text));
            }
            measure(studio);
        }
    });
}

/// Draws the part of the settings window.
pub(super) fn show(ui: &mut Ui, studio: &mut Studio) {
    let used = studio.settings_window.storage.used;
    let text = match used {
        Some(used) => format!(
            "{} finished pictures take {}. They stay until you delete them.",
            used.results.1,
            bytes(used.results.0)
        ),
        None => "Finished pictures stay until you delete them.".into(),
    };
    ui.add(Label::new(text).wrap());
    ui.horizontal(|ui| {
        if ui.button("Open the folder").clicked() {
            studio.emit_action("results.folder");
        }
    });
    let mut keep = studio.settings.trail_steps > 0;
    let name = "Keep steps of each new picture";
    let tip = "To look at how a picture came to be, and to draw on from any of its steps";
    if ui.checkbox(&mut keep, name).on_hover_text(tip).changed() {
        let steps = if keep {
            super::Settings::default().trail_steps
        } else {
            0
        };
        studio.emit(SettingsCommand::KeepSteps(steps));
    }
    if keep {
        let mut steps = studio.settings.trail_steps.max(1);
        let slider = Slider::new(&mut steps, 1..=MOST_STEPS)
            .logarithmic(true)
            .text("Steps of a picture");
        if ui.add(slider).changed() {
            studio.emit(SettingsCommand::KeepSteps(steps));
        }
        ui.add(Label::new(RichText::new(each(studio, used)).weak()).wrap());
    }
    ui.horizontal(|ui| {
        let now = studio.settings.trail_megabytes;
        let mut most = now;
        ComboBox::from_label("for the steps of all pictures")
            .selected_text(format!("At most {}", bytes(now << 20)))
            .show_ui(ui, |ui| {
                for limit in LIMITS {
                    let text = format!("At most {}", bytes(limit << 20));
                    ui.selectable_value(&mut most, limit, text);
                }
            });
        if most != now {
            studio.emit(SettingsCommand::KeepMegabytes(most));
        }
    });
    if let Some(Used { steps, .. }) = used.filter(|used| used.steps.1 > 0) {
        ui.horizontal(|ui| {
            ui.label(format!("Now {}, of {} pictures", bytes(steps.0), steps.1));
            if ui.button("Forget them").clicked() {
                studio.emit(SettingsCommand::ForgetSteps);
            }
        });
    }
}

/// What the steps of a picture take, and for how many there is room.
fn each(studio: &Studio, used: Option<Used>) -> String {
    let (size, steps) = (
        studio.generate.request.draw.size,
        studio.settings.trail_steps,
    );
    let guess = STEP_BYTES * steps as u64 * (size * size) as u64 / (256 * 256);
    let known = used.filter(|used| used.steps.1 > 0);
    let one = match known {
        Some(used) => used.steps.0 / used.steps.1 as u64,
        None => guess,
    }
    .max(1);
    format!(
        "About {} a picture; room for {} pictures, then the oldest steps go.",
        bytes(one),
        (studio.settings.trail_megabytes << 20) / one
    )
}

/// A size for people: gigabytes where they count, else megabytes or kilobytes.
pub fn bytes(count: u64) -> String {
    const MEGABYTE: f64 = 1024.0 * 1024.0;
    let count = count as f64;
    match count / MEGABYTE {
        share if share >= 102.4 => format!("{:.1} GB", share / 1024.0),
        share if share >= 0.95 => format!("{share:.1} MB"),
        share => format!("{:.0} KB", share * 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short_and_in_gigabytes_where_these_count() {
        let sizes = [0, 70_000, 3 << 20, 512 << 20, 4 << 30].map(bytes);
        assert_eq!(sizes, ["0 KB", "68 KB", "3.0 MB", "0.5 GB", "4.0 GB"]);
    }

    #[test]
    fn only_files_of_the_ending_count_in_folders_too() {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(home.path().join("sweep")).expect("a folder");
        for (name, length) in [("a.png", 10), ("sweep/b.png", 5), ("c.txt", 100)] {
            std::fs::write(home.path().join(name), vec![0; length]).expect("a file");
        }
        assert_eq!(files_in(home.path(), "png", 3), (15, 2));
        assert_eq!(files_in(&home.path().join("none"), "png", 3), (0, 0));
    }
}
