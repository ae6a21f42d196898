//! How the engine computes: which processor, how many threads, which numbers, which previews. A
//! change takes effect at once: the engine begins anew, the queue stays.

use egui::{ComboBox, Slider, Ui};
use mmface_engine::Error;
use mmface_engine::contract::PreviewPolicy;
use mmface_engine::device::{self, DeviceChoice};
use mmface_engine::kernels::Precision;
use serde::{Deserialize, Serialize};

use super::SettingsCommand;
use crate::studio::engine_link::Setup;
use crate::studio::state::Studio;
use crate::studio::toast::Toast;
use crate::studio::{generate, models};

/// Cards that can be chosen by number.
const CARDS: usize = 4;

/// What computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Processor {
    /// The first usable card, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// An NVIDIA card, by number.
    Cuda(usize),
}

impl Processor {
    fn choice(self) -> DeviceChoice {
        match self {
            Self::Auto => DeviceChoice::Auto,
            Self::Cpu => DeviceChoice::Cpu,
            Self::Cuda(number) => DeviceChoice::Cuda(number),
        }
    }

    /// For people.
    pub fn title(self) -> String {
        match self {
            Self::Auto => "Automatic".into(),
            Self::Cpu => "CPU".into(),
            Self::Cuda(number) => format!("CUDA card {number}"),
        }
    }
}

/// Everything that the engine is started with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EngineSettings {
    /// What computes.
    pub processor: Processor,
    /// Threads of the CPU; 0 for all.
    pub threads: usize,
    /// `fast` or `exact`.
    pub precision: Precision,
    /// Previews while a picture is made.
    pub previews: PreviewPolicy,
}

impl EngineSettings {
    /// What the settings say.
    pub fn of(settings: &super::Settings) -> Self {
        Self {
            processor: settings.processor,
            threads: settings.threads,
            precision: settings.precision,
            previews: settings.previews,
        }
    }

    /// For the engine.
    pub fn setup(&self) -> Setup {
        Setup {
            options: mmface_engine::contract::PipelineOptions {
                device: self.processor.choice(),
                precision: self.precision,
                previews: self.previews,
                ..Default::default()
            },
            threads: (self.threads > 0).then_some(self.threads),
        }
    }
}

/// What the engine is started with now: the settings, but the CPU in place of a card that did not
/// answer.
pub fn setup(studio: &Studio) -> Setup {
    let mut settings = EngineSettings::of(&studio.settings);
    if studio.settings_window.no_card.is_some() {
        settings.processor = Processor::Cpu;
    }
    settings.setup()
}

/// A card that was chosen earlier does not answer at the start: the CPU computes in its place, so
/// that there is a model to draw with. The choice stays for the next start. False when the error
/// is another one.
pub fn fall_back(studio: &mut Studio, error: &Error) -> bool {
    let (Error::Device(why), Processor::Cuda(_)) = (error, studio.settings.processor) else {
        return false;
    };
    if studio.settings_window.no_card.is_some() {
        return false;
    }
    let why = why.strip_suffix(device::ADVICE).unwrap_or(why);
    let card = studio.settings.processor.title();
    studio.tell(Toast::Warning(format!(
        "{why}; the CPU computes instead, {card} is tried again at the next start"
    )));
    studio.settings_window.no_card = Some(why.to_owned());
    begin_anew(studio);
    true
}

/// Asks the chosen card once more.
pub(super) fn try_again(studio: &mut Studio) {
    if studio.settings_window.no_card.take().is_some() {
        begin_anew(studio);
    }
}

/// Threads that this machine runs at once.
pub fn most_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Takes on other settings. The processor is asked first, beside the GUI thread: a choice that
/// cannot be used changes nothing.
pub(super) fn take(studio: &mut Studio, wanted: EngineSettings) {
    if wanted == EngineSettings::of(&studio.settings) {
        return;
    }
    let other = wanted.processor != studio.settings.processor;
    studio
        .services
        .tasks
        .spawn("asking the processor", move || {
            let opened = match other {
                true => device::open(wanted.processor.choice()).map(|_| ()),
                false => Ok(()),
            };
            move |studio: &mut Studio| match opened {
                Ok(()) => {
                    let settings = &mut studio.settings;
                    settings.processor = wanted.processor;
                    settings.threads = wanted.threads;
                    settings.precision = wanted.precision;
                    settings.previews = wanted.previews;
                    if other {
                        studio.settings_window.no_card = None;
                    }
                    begin_anew(studio);
                }
                Err(error) => {
                    studio.tell(Toast::Error(format!("{error}; nothing was changed")));
                }
            }
        });
}

/// Starts another engine and loads the model in it. Waiting work stays; the picture at hand is
/// drawn anew.
fn begin_anew(studio: &mut Studio) {
    if let Some(old) = studio.restart_engine() {
        // It ends its step first: nobody waits for that.
        studio
            .services
            .tasks
            .spawn("ending the engine before", move || {
                drop(old);
                |_: &mut Studio| {}
            });
    }
    generate::engine_replaced(studio);
    models::engine_replaced(studio);
}

/// Draws the part of the settings window.
pub(super) fn show(ui: &mut Ui, studio: &mut Studio) {
    let now = EngineSettings::of(&studio.settings);
    let mut wanted = now;
    ComboBox::from_label("Computes on")
        .selected_text(now.processor.title())
        .show_ui(ui, |ui| {
            let cards = (0..CARDS).map(Processor::Cuda);
            for processor in [Processor::Auto, Processor::Cpu].into_iter().chain(cards) {
                ui.selectable_value(&mut wanted.processor, processor, processor.title());
            }
        });
    ui.add(egui::Label::new(egui::RichText::new(reason(studio)).weak()).wrap());
    if studio.settings_window.no_card.is_some() {
        let text = format!("Try {} again", now.processor.title());
        if ui.button(text).clicked() {
            studio.emit(SettingsCommand::TryCard);
        }
    }
    threads(ui, studio, &mut wanted);
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
        studio.emit(SettingsCommand::Engine(wanted));
    }
}

fn threads(ui: &mut Ui, studio: &mut Studio, wanted: &mut EngineSettings) {
    let most = most_threads();
    let held = &mut studio.settings_window.threads;
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

/// What computes, and why.
pub fn reason(studio: &Studio) -> String {
    let chosen = studio.settings.processor;
    match &studio.models.status {
        models::Status::Ready(model) => {
            let fallen = studio.settings_window.no_card.as_ref();
            if let Some(why) = fallen {
                let card = chosen.title();
                return format!(
                    "At work on {}, because {why}; {card} is tried again at the next start",
                    model.device
                );
            }
            let why = match (&model.note, chosen) {
                (Some(note), _) => note.clone(),
                (None, Processor::Auto) if model.device.starts_with("cuda") => {
                    "the first NVIDIA card that answered".into()
                }
                (None, Processor::Auto) if cfg!(feature = "cuda") => "no card is asked for".into(),
                (None, Processor::Auto) => "this program was built without CUDA".into(),
                (None, _) => "as chosen".into(),
            };
            format!("At work on {}: {why}", model.device)
        }
        models::Status::Failed(why) => format!("Not at work: {why}"),
        _ => "The engine is starting…".into(),
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
