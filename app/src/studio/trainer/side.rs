//! Short commands of the trainer: its presets, the plan, preparing data, a checkpoint's export.

use std::path::PathBuf;

use mmface_run_protocol::arguments::{flag, subcommand};
use mmface_run_protocol::plan::{Plan, PresetSummary};
use mmface_run_protocol::{Preparing, TrainEvent};

use super::child::{Child, End, Launch, Said};
use super::{Field, ask, is_usable, later, program, wake};
use crate::studio::announcement::Announcement;
use crate::studio::checkpoints;
use crate::studio::command::ModelsCommand;
use crate::studio::dispatcher::Studio;
use crate::studio::settings::training::Form;
use crate::studio::toast::Toast;

/// Lines of a command that are kept; each prints one, or a few.
const LINES: usize = 100;

/// A plan and what it was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The form.
    pub form: Form,
    /// The plan.
    pub plan: Plan,
    /// Why the prepared data could not be used, if so: then samples are assumed.
    pub unprepared: Option<String>,
    /// The speed is being measured.
    pub measuring: bool,
}

/// What a command is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Which presets there are.
    Presets,
    /// The plan; with the reason when the prepared data are left aside.
    Plan(Form, Option<String>),
    /// The plan once more, with measured speed.
    Probe(Form),
    /// Preparing data.
    Latents,
    /// A checkpoint becomes the model of this name.
    Export(String),
}

/// A command under way.
#[derive(Debug)]
pub struct Side {
    /// What it is for.
    pub kind: Kind,
    /// How far it is.
    pub progress: Option<Preparing>,
    /// It ends for the sake of pictures and begins anew after them.
    pub(super) put_off: bool,
    pub(super) arguments: Vec<String>,
    child: Child,
    lines: Vec<String>,
    failure: Option<String>,
}

impl Side {
    /// Asks it to end.
    pub fn stop(&self) {
        self.child.interrupt();
    }

    /// Ends it at once.
    pub(super) fn kill(&self) {
        self.child.kill();
    }

    /// For people.
    pub fn title(&self) -> String {
        match &self.kind {
            Kind::Presets => "Asking for presets".into(),
            Kind::Plan(..) => "Planning".into(),
            Kind::Probe(_) => "Measuring the speed".into(),
            Kind::Latents => "Preparing the data".into(),
            Kind::Export(name) => format!("Making the model {name}"),
        }
    }
}

/// Starts a command.
pub(super) fn start(studio: &mut Studio, kind: Kind, arguments: Vec<String>) {
    let Some(program) = program(studio) else {
        return;
    };
    let launch = Launch {
        program,
        arguments: arguments.clone(),
        log: studio.context.services.folders.cache.join("trainer.log"),
    };
    match Child::start(&launch, wake(studio)) {
        Ok(child) => studio.trainer.sides.push(Side {
            kind,
            progress: None,
            put_off: false,
            arguments,
            child,
            lines: Vec::new(),
            failure: None,
        }),
        Err(why) => studio.trainer.problem = Some(why),
    }
}

/// Whether a command of a kind is under way.
pub(super) fn is_busy(studio: &Studio, of: impl Fn(&Kind) -> bool) -> bool {
    studio.trainer.sides.iter().any(|side| of(&side.kind))
}

/// Asks which presets there are.
pub(super) fn presets(studio: &mut Studio) {
    start(
        studio,
        Kind::Presets,
        vec![subcommand::PRESETS.into(), flag::JSON.into()],
    );
}

/// Asks for the plan of the form.
pub(super) fn plan(studio: &mut Studio) {
    // A run in the folder stops a start, not a plan.
    if !is_usable(studio, &[Field::Out]) {
        return;
    }
    drop_probe(studio);
    studio
        .trainer
        .sides
        .retain(|side| !matches!(side.kind, Kind::Plan(..)) || !end_now(side));
    studio.trainer.problem = None;
    let form = studio.context.settings.trainer.clone();
    let arguments = form.plan(true, false);
    start(studio, Kind::Plan(form, None), arguments);
}

fn end_now(side: &Side) -> bool {
    side.kill();
    true
}

/// Ends a measurement: a run needs the cores.
pub(super) fn drop_probe(studio: &mut Studio) {
    studio
        .trainer
        .sides
        .retain(|side| !matches!(side.kind, Kind::Probe(_)) || !end_now(side));
    let later = &mut studio.trainer.later;
    later.retain(|later| !matches!(later.kind, Kind::Probe(_)));
    if let Some(planned) = &mut studio.trainer.plan {
        planned.measuring = false;
    }
}

/// Forgets what waits for pictures.
pub(super) fn drop_later(studio: &mut Studio) {
    studio.trainer.later.clear();
    if let Some(planned) = &mut studio.trainer.plan
        && !studio
            .trainer
            .sides
            .iter()
            .any(|side| matches!(side.kind, Kind::Probe(_)))
    {
        planned.measuring = false;
    }
}

/// Encodes the data of the form, after asking whoever draws.
pub(super) fn prepare(studio: &mut Studio) {
    let busy = is_busy(studio, |kind| *kind == Kind::Latents) || later::prepares(studio);
    if busy || !is_usable(studio, &[Field::Out]) {
        return;
    }
    let form = &studio.context.settings.trainer;
    let needed = [(Field::Data, &form.data), (Field::Weights, &form.weights)];
    let missing = needed.iter().find(|(_, text)| text.trim().is_empty());
    if let Some((field, _)) = missing {
        let text = format!("{}: needed to prepare the data", field.title());
        return studio.tell(Toast::Warning(text));
    }
    if ask::may_prepare(studio) {
        start_preparing(studio);
    }
}

/// Encodes the data of the form: at once, or when the pictures are drawn.
pub(super) fn start_preparing(studio: &mut Studio) {
    drop_probe(studio);
    studio.trainer.problem = None;
    studio.trainer.view.tables.clear();
    let arguments = studio.context.settings.trainer.latents();
    if ask::must_wait(studio) {
        later::put_off(studio, Kind::Latents, arguments);
    } else {
        start(studio, Kind::Latents, arguments);
    }
}

/// Makes a model of a checkpoint.
pub(super) fn export(studio: &mut Studio, step: u64) {
    let weights = studio.context.settings.trainer.weights.trim().to_owned();
    if weights.is_empty() {
        studio.trainer.eager = true;
        let text = "name the folder of the frozen parts: a model needs the autoencoder and text tower that it was trained with";
        return studio.tell(Toast::Warning(text.into()));
    }
    let view = &studio.trainer.view;
    let Some(checkpoint) = view.checkpoints.list.iter().find(|one| one.step == step) else {
        return;
    };
    let name = checkpoints::package_name(&view.out, step);
    let checkpoint = checkpoint.path.display().to_string();
    let target: PathBuf = match studio.context.registry().target() {
        Ok(into) => into.join(&name),
        Err(error) => return studio.tell(Toast::Error(error.to_string())),
    };
    let arguments = [
        subcommand::EXPORT,
        flag::CHECKPOINT,
        &checkpoint,
        flag::WEIGHTS,
        &weights,
        flag::OUT,
    ];
    let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
    arguments.push(target.display().to_string());
    start(studio, Kind::Export(name), arguments);
}

/// Takes in what the commands said.
pub(super) fn tick(studio: &mut Studio) {
    let mut over = Vec::new();
    let tables = &mut studio.trainer.view;
    for (index, side) in studio.trainer.sides.iter_mut().enumerate() {
        for said in side.child.said() {
            match said {
                Said::Event(TrainEvent::Preparing(progress)) => side.progress = Some(progress),
                Said::Event(TrainEvent::Failed { error, .. }) => side.failure = Some(error),
                Said::Event(event @ TrainEvent::Data(_)) => tables.hear(event),
                Said::Event(_) => {}
                Said::Line(line) => {
                    if side.lines.len() < LINES {
                        side.lines.push(line);
                    }
                }
                Said::Ended(end) => over.push((index, end)),
            }
        }
    }
    for (index, end) in over.into_iter().rev() {
        let side = studio.trainer.sides.remove(index);
        let heavy = later::is_heavy(&side.kind);
        if !later::ended(studio, &side) {
            ended(studio, side, &end);
        }
        if heavy {
            // Pictures may have waited for this.
            studio.context.announce(Announcement::DeviceFree);
        }
    }
}

/// The trainer's last line without its own word for it.
fn reason(side: &Side, end: &End) -> String {
    let last = end.tail.lines().last().unwrap_or_default();
    let last = last.strip_prefix("error: ").unwrap_or(last);
    match (&side.failure, last) {
        (Some(why), _) => why.clone(),
        (None, "") => format!("the trainer ended with {}", end.how),
        (None, last) => last.to_owned(),
    }
}

fn ended(studio: &mut Studio, side: Side, end: &End) {
    let json = side
        .lines
        .iter()
        .rev()
        .find(|line| line.starts_with('{') || line.starts_with('['));
    match &side.kind {
        Kind::Presets => {
            let read = json.and_then(|line| serde_json::from_str::<Vec<PresetSummary>>(line).ok());
            studio.trainer.presets = read.unwrap_or_default();
            let form = &mut studio.context.settings.trainer;
            let first = studio.trainer.presets.first().map(|preset| &preset.name);
            if let (true, Some(first)) = (form.preset.is_empty(), first) {
                form.preset = first.clone();
            }
        }
        Kind::Plan(form, unprepared) => {
            let read = json.and_then(|line| serde_json::from_str::<Plan>(line).ok());
            match (read.filter(|_| end.well), unprepared) {
                (Some(plan), _) => {
                    let measuring = plan.seconds.is_none();
                    studio.trainer.plan = Some(Planned {
                        form: form.clone(),
                        plan,
                        unprepared: unprepared.clone(),
                        measuring,
                    });
                    if measuring && studio.trainer.own.is_none() {
                        let arguments = form.plan(unprepared.is_none(), true);
                        // Beside pictures it would tell a time that is too long.
                        if ask::must_wait(studio) {
                            later::put_off(studio, Kind::Probe(form.clone()), arguments);
                        } else {
                            start(studio, Kind::Probe(form.clone()), arguments);
                        }
                    }
                }
                // Perhaps only the data are not prepared; the configuration may still be planned.
                (None, None) => {
                    let why = reason(&side, end);
                    let arguments = form.plan(false, false);
                    start(studio, Kind::Plan(form.clone(), Some(why)), arguments);
                }
                (None, Some(_)) => {
                    studio.trainer.plan = None;
                    studio.trainer.problem = Some(format!("no plan: {}", reason(&side, end)));
                }
            }
        }
        Kind::Probe(form) => {
            let read = json.and_then(|line| serde_json::from_str::<Plan>(line).ok());
            if let Some(planned) = &mut studio.trainer.plan
                && planned.form == *form
            {
                planned.measuring = false;
                if let Some(plan) = read.filter(|_| end.well) {
                    planned.plan = plan;
                }
            }
        }
        Kind::Latents if end.well => {
            studio.tell(Toast::Success("the data is prepared".into()));
            plan(studio);
        }
        Kind::Latents => {
            let why = format!("the data is not prepared: {}", reason(&side, end));
            studio.trainer.problem = Some(why);
        }
        Kind::Export(name) if end.well => {
            studio.emit(ModelsCommand::Refresh);
            studio.emit(ModelsCommand::Use(name.clone()));
        }
        Kind::Export(_) => studio.tell(Toast::Error(format!(
            "the checkpoint did not become a model: {}",
            reason(&side, end)
        ))),
    }
}
