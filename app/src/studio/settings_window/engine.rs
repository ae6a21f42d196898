//! How the engine computes: which processor, how many threads, which numbers, which previews. A
//! change takes effect at once: the engine begins anew, the queue stays.

use egui::{ComboBox, Slider, Ui};
use mmface_engine::contract::PreviewPolicy;
use mmface_engine::device;
use mmface_engine::kernels::Precision;

use super::State;
use crate::studio::announcement::Announcement;
use crate::studio::command::SettingsCommand;
use crate::studio::context::Context;
use crate::studio::processor;
use crate::studio::settings::engine::most_threads;
use crate::studio::settings::{EngineSettings, Processor};
use crate::studio::toast::Toast;

/// Cards that can be chosen by number.
const CARDS: usize = 4;

/// A card that was chosen earlier does not answer at the start: the CPU computes in its place, so
/// that there is a model to draw with. The choice stays for the next start.
pub(super) fn fall_back(cx: &mut Context, why: String) {
    let card = cx.settings.processor.title();
    cx.tell(Toast::Warning(format!(
        "{why}; the CPU computes instead, {card} is tried again at the next start"
    )));
    cx.facts.no_card = Some(why);
    begin_anew(cx);
}

/// Asks the chosen card once more.
pub(super) fn try_again(cx: &mut Context) {
    if cx.facts.no_card.take().is_some() {
        begin_anew(cx);
    }
}

/// Takes on other settings. The processor is asked first, beside the GUI thread: a choice that
/// cannot be used changes nothing.
pub(super) fn take(cx: &mut Context, wanted: EngineSettings) {
    if wanted == EngineSettings::of(&cx.settings) {
        return;
    }
    let other = wanted.processor != cx.settings.processor;
    cx.spawn_shared("asking the processor", move || {
        let opened = match other {
            true => device::open(wanted.processor.choice()).map(|_| ()),
            false => Ok(()),
        };
        move |cx: &mut Context| match opened {
            Ok(()) => {
                let settings = &mut cx.settings;
                settings.processor = wanted.processor;
                settings.threads = wanted.threads;
                settings.precision = wanted.precision;
                settings.previews = wanted.previews;
                if other {
                    cx.facts.no_card = None;
                }
                begin_anew(cx);
            }
            Err(error) => {
                cx.tell(Toast::Error(format!("{error}; nothing was changed")));
            }
        }
    });
}

/// Starts another engine and loads the model in it. Waiting work stays; the picture at hand is
/// drawn anew.
fn begin_anew(cx: &mut Context) {
    if let Some(old) = cx.restart_engine() {
        // It ends its step first: nobody waits for that.
        cx.spawn_shared("ending the engine before", move || {
            drop(old);
            |_: &mut Context| {}
        });
    }
    cx.announce(Announcement::EngineReplaced);
}

/// Draws the part of the settings window.
pub(super) fn show(ui: &mut Ui, state: &mut State, cx: &Context) {
    let now = EngineSettings::of(&cx.settings);
    let mut wanted = now;
    ComboBox::from_label("Computes on")
        .selected_text(now.processor.title())
        .show_ui(ui, |ui| {
            let cards = (0..CARDS).map(Processor::Cuda);
            for processor in [Processor::Auto, Processor::Cpu].into_iter().chain(cards) {
                ui.selectable_value(&mut wanted.processor, processor, processor.title());
            }
        });
    ui.add(egui::Label::new(egui::RichText::new(processor::reason(cx)).weak()).wrap());
    if cx.facts.no_card.is_some() {
        let text = format!("Try {} again", now.processor.title());
        if ui.button(text).clicked() {
            cx.emit(SettingsCommand::TryCard);
        }
    }
    threads(ui, state, &mut wanted);
    ComboBox::from_label("Previews")
        .selected_text(preview_name(now.previews))
        .show_ui(ui, |ui| {
            for policy in [
                PreviewPolicy::Auto,
                PreviewPolicy::Linear,
                PreviewPolicy::Tiny,
                PreviewPolicy::Vae,
                PreviewPolicy::Off,
            ] {
                ui.selectable_value(&mut wanted.previews, policy, preview_name(policy));
            }
        });
    ui.horizontal(|ui| {
        ui.label("Numbers");
        ui.selectable_value(&mut wanted.precision, Precision::Fast, "Fast")
            .on_hover_text(
                "bf16 products: twice as fast, pictures differ by less than a grey level",
            );
        ui.selectable_value(&mut wanted.precision, Precision::Exact, "Exact")
            .on_hover_text("f32, as the reference");
    });
    ui.weak("A change starts the engine anew; the queue stays.");
    if wanted != now {
        cx.emit(SettingsCommand::Engine(wanted));
    }
}

fn threads(ui: &mut Ui, state: &mut State, wanted: &mut EngineSettings) {
    let most = most_threads();
    let held = &mut state.threads;
    let mut threads = held.unwrap_or(match wanted.threads {
        0 => most,
        threads => threads.min(most),
    });
    let slider = Slider::new(&mut threads, 1..=most).text("CPU threads");
    let response = ui
        .add_enabled(most > 1, slider)
        .on_hover_text("Fewer leave room for other programs; the pictures stay the same");
    // A dragged slider is one change, at its end.
    if response.dragged() {
        *held = Some(threads);
    } else if response.changed() || held.is_some() {
        *held = None;
        wanted.threads = if threads == most { 0 } else { threads };
    }
}

fn preview_name(policy: PreviewPolicy) -> &'static str {
    match policy {
        PreviewPolicy::Off => "Off",
        PreviewPolicy::Auto => "Automatic",
        PreviewPolicy::Linear => "Coarse",
        PreviewPolicy::Tiny => "Small decoder",
        PreviewPolicy::Vae => "Full decoder",
    }
}
