//! What lies on the disk, and how much of it is kept: finished pictures stay until a person deletes
//! them, the steps on the way to them are a cache with a limit.

use egui::{ComboBox, Label, RichText, Slider, Ui};
use mmface_engine::format::bytes;

use super::State as Window;
use crate::project::disk::files_in;
use crate::project::trail;
use crate::studio::command::SettingsCommand;
use crate::studio::context::Context;
use crate::studio::settings::{MEGABYTE, MOST_MEGABYTES, MOST_STEPS, Settings};
use crate::studio::toast::Toast;

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
pub(super) fn measure(state: &mut Window, cx: &mut Context) {
    let storage = &mut state.storage;
    if std::mem::replace(&mut storage.measuring, true) {
        return;
    }
    let folders = &cx.services.folders;
    let (results, cache) = (folders.results.clone(), folders.cache.clone());
    cx.spawn(&state.inbox, "measuring the disk", move || {
        let used = Used {
            results: files_in(&results, "png", DEEPEST),
            steps: trail::size(&cache),
        };
        move |state: &mut Window, _: &mut Context| {
            let storage = &mut state.storage;
            storage.measuring = false;
            storage.used = Some(used);
        }
    });
}

/// Keeps so many steps of each new picture.
pub(super) fn keep_steps(cx: &mut Context, steps: usize) {
    cx.settings.trail_steps = steps.min(MOST_STEPS);
    cx.keep_trails(0);
}

/// Sets the limit, and makes room at once when it is lower than what is there.
pub(super) fn keep_megabytes(state: &mut Window, cx: &mut Context, most: u64) {
    cx.settings.trail_megabytes = most.clamp(1, MOST_MEGABYTES);
    make_room(state, cx, cx.settings.trail_bytes());
}

/// Removes all kept steps.
pub(super) fn forget_steps(state: &mut Window, cx: &mut Context) {
    make_room(state, cx, 0);
}

fn make_room(state: &mut Window, cx: &mut Context, most: u64) {
    let cache = cx.services.folders.cache.clone();
    cx.spawn(&state.inbox, "making room", move || {
        let before = trail::size(&cache).0;
        trail::make_room(&cache, most);
        let freed = before.saturating_sub(trail::size(&cache).0);
        move |state: &mut Window, cx: &mut Context| {
            if freed > 0 {
                let text = format!("{} of kept steps are removed", bytes(freed));
                cx.tell(Toast::Info(text));
            }
            measure(state, cx);
        }
    });
}

/// Draws the part of the settings window.
pub(super) fn show(ui: &mut Ui, state: &State, cx: &Context) {
    let used = state.used;
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
            cx.emit_action("results.folder");
        }
    });
    let mut keep = cx.settings.trail_steps > 0;
    let name = "Keep steps of each new picture";
    let tip = "To look at how a picture came to be, and to draw on from any of its steps";
    if ui.checkbox(&mut keep, name).on_hover_text(tip).changed() {
        let steps = if keep {
            Settings::default().trail_steps
        } else {
            0
        };
        cx.emit(SettingsCommand::KeepSteps(steps));
    }
    if keep {
        let mut steps = cx.settings.trail_steps.max(1);
        let slider = Slider::new(&mut steps, 1..=MOST_STEPS)
            .logarithmic(true)
            .text("Steps of a picture");
        if ui.add(slider).changed() {
            cx.emit(SettingsCommand::KeepSteps(steps));
        }
        ui.add(Label::new(RichText::new(each(cx, used)).weak()).wrap());
    }
    ui.horizontal(|ui| {
        let now = cx.settings.trail_megabytes;
        let mut most = now;
        ComboBox::from_label("for the steps of all pictures")
            .selected_text(format!("At most {}", bytes(now * MEGABYTE)))
            .show_ui(ui, |ui| {
                for limit in LIMITS {
                    let text = format!("At most {}", bytes(limit * MEGABYTE));
                    ui.selectable_value(&mut most, limit, text);
                }
            });
        if most != now {
            cx.emit(SettingsCommand::KeepMegabytes(most));
        }
    });
    if let Some(Used { steps, .. }) = used.filter(|used| used.steps.1 > 0) {
        ui.horizontal(|ui| {
            ui.label(format!("Now {}, of {} pictures", bytes(steps.0), steps.1));
            if ui.button("Forget them").clicked() {
                cx.emit(SettingsCommand::ForgetSteps);
            }
        });
    }
}

/// What the steps of a picture take, and for how many there is room.
fn each(cx: &Context, used: Option<Used>) -> String {
    let (size, steps) = (cx.document.request.draw.size, cx.settings.trail_steps);
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
        cx.settings.trail_bytes() / one
    )
}
