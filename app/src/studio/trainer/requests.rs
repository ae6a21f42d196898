//! What the short commands are started for, and what comes of them: presets, the plan, preparing data,
//! a checkpoint's export.

use std::path::PathBuf;

use mmface_run_protocol::TrainEvent;
use mmface_run_protocol::arguments::{flag, subcommand};
use mmface_run_protocol::plan::{Plan, PresetSummary};

use super::State;
use super::child::{End, Said};
use super::helper::{Helper, Kind, is_busy, start};
use super::{Field, deferred, device_sharing, is_usable};
use crate::studio::announcement::Announcement;
use crate::studio::checkpoints;
use crate::studio::command::ModelsCommand;
use crate::studio::context::Context;
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

/// Asks which presets there are.
pub(super) fn presets(state: &mut State, cx: &mut Context) {
    start(
        state,
        cx,
        Kind::Presets,
        vec![subcommand::PRESETS.into(), flag::JSON.into()],
    );
}

/// Asks for the plan of the form.
pub(super) fn plan(state: &mut State, cx: &mut Context) {
    // A run in the folder stops a start, not a plan.
    if !is_usable(state, cx, &[Field::Out]) {
        return;
    }
    drop_probe(state);
    state
        .helpers
        .retain(|helper| !matches!(helper.kind, Kind::Plan(..)) || !end_now(helper));
    state.problem = None;
    let form = cx.settings.trainer.clone();
    let arguments = form.plan(true, false);
    start(state, cx, Kind::Plan(form, None), arguments);
}

fn end_now(helper: &Helper) -> bool {
    helper.kill();
    true
}

/// Ends a measurement: a run needs the cores.
pub(super) fn drop_probe(state: &mut State) {
    state
        .helpers
        .retain(|helper| !matches!(helper.kind, Kind::Probe(_)) || !end_now(helper));
    let later = &mut state.deferred;
    later.retain(|later| !matches!(later.kind, Kind::Probe(_)));
    if let Some(planned) = &mut state.plan {
        planned.measuring = false;
    }
}

/// Forgets what waits for pictures.
pub(super) fn drop_later(state: &mut State) {
    state.deferred.clear();
    if let Some(planned) = &mut state.plan
        && !state
            .helpers
            .iter()
            .any(|helper| matches!(helper.kind, Kind::Probe(_)))
    {
        planned.measuring = false;
    }
}

/// Encodes the data of the form, after asking whoever draws.
pub(super) fn prepare(state: &mut State, cx: &mut Context) {
    let busy = is_busy(state, |kind| *kind == Kind::Latents) || deferred::prepares(state);
    if busy || !is_usable(state, cx, &[Field::Out]) {
        return;
    }
    let form = &cx.settings.trainer;
    let needed = [(Field::Data, &form.data), (Field::Weights, &form.weights)];
    let missing = needed.iter().find(|(_, text)| text.trim().is_empty());
    if let Some((field, _)) = missing {
        let text = format!("{}: needed to prepare the data", field.title());
        return cx.tell(Toast::Warning(text));
    }
    if device_sharing::may_prepare(state, cx) {
        start_preparing(state, cx);
    }
}

/// Encodes the data of the form: at once, or when the pictures are drawn.
pub(super) fn start_preparing(state: &mut State, cx: &mut Context) {
    drop_probe(state);
    state.problem = None;
    state.view.tables.clear();
    let arguments = cx.settings.trainer.latents();
    if device_sharing::must_wait(state, cx) {
        deferred::put_off(state, Kind::Latents, arguments);
    } else {
        start(state, cx, Kind::Latents, arguments);
    }
}

/// Makes a model of a checkpoint.
pub(super) fn export(state: &mut State, cx: &mut Context, step: u64) {
    let weights = cx.settings.trainer.weights.trim().to_owned();
    if weights.is_empty() {
        state.eager = true;
        let text = "name the folder of the frozen parts: a model needs the autoencoder and text tower that it was trained with";
        return cx.tell(Toast::Warning(text.into()));
    }
    let view = &state.view;
    let Some(checkpoint) = view.checkpoints.list.iter().find(|one| one.step == step) else {
        return;
    };
    let name = checkpoints::package_name(&view.out, step);
    let checkpoint = checkpoint.path.display().to_string();
    let target: PathBuf = match cx.registry().target() {
        Ok(into) => into.join(&name),
        Err(error) => return cx.tell(Toast::Error(error.to_string())),
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
    start(state, cx, Kind::Export(name), arguments);
}

/// Takes in what the commands said.
pub(super) fn tick(state: &mut State, cx: &mut Context) {
    let mut over = Vec::new();
    let tables = &mut state.view;
    for (index, helper) in state.helpers.iter_mut().enumerate() {
        for said in helper.child.said() {
            match said {
                Said::Event(TrainEvent::Preparing(progress)) => helper.progress = Some(progress),
                Said::Event(TrainEvent::Failed { error, .. }) => helper.failure = Some(error),
                Said::Event(event @ TrainEvent::Data(_)) => tables.on_event(event),
                Said::Event(_) => {}
                Said::Line(line) => {
                    if helper.lines.len() < LINES {
                        helper.lines.push(line);
                    }
                }
                Said::Ended(end) => over.push((index, end)),
            }
        }
    }
    for (index, end) in over.into_iter().rev() {
        let helper = state.helpers.remove(index);
        let heavy = deferred::is_heavy(&helper.kind);
        if !deferred::ended(state, &helper) {
            ended(state, cx, helper, &end);
        }
        if heavy {
            // Pictures may have waited for this.
            cx.announce(Announcement::DeviceFree);
        }
    }
}

/// The trainer's last line without its own word for it.
fn reason(helper: &Helper, end: &End) -> String {
    let last = end.tail.lines().last().unwrap_or_default();
    let last = last.strip_prefix("error: ").unwrap_or(last);
    match (&helper.failure, last) {
        (Some(why), _) => why.clone(),
        (None, "") => format!("the trainer ended with {}", end.how),
        (None, last) => last.to_owned(),
    }
}

fn ended(state: &mut State, cx: &mut Context, helper: Helper, end: &End) {
    let json = helper
        .lines
        .iter()
        .rev()
        .find(|line| line.starts_with('{') || line.starts_with('['));
    match &helper.kind {
        Kind::Presets => {
            let read = json.and_then(|line| serde_json::from_str::<Vec<PresetSummary>>(line).ok());
            state.presets = read.unwrap_or_default();
            let form = &mut cx.settings.trainer;
            let first = state.presets.first().map(|preset| &preset.name);
            if let (true, Some(first)) = (form.preset.is_empty(), first) {
                form.preset = first.clone();
            }
        }
        Kind::Plan(form, unprepared) => {
            let read = json.and_then(|line| serde_json::from_str::<Plan>(line).ok());
            match (read.filter(|_| end.well), unprepared) {
                (Some(plan), _) => {
                    let measuring = plan.seconds.is_none();
                    state.plan = Some(Planned {
                        form: form.clone(),
                        plan,
                        unprepared: unprepared.clone(),
                        measuring,
                    });
                    if measuring && state.own.is_none() {
                        let arguments = form.plan(unprepared.is_none(), true);
                        // Beside pictures it would tell a time that is too long.
                        if device_sharing::must_wait(state, cx) {
                            deferred::put_off(state, Kind::Probe(form.clone()), arguments);
                        } else {
                            start(state, cx, Kind::Probe(form.clone()), arguments);
                        }
                    }
                }
                // Perhaps only the data are not prepared; the configuration may still be planned.
                (None, None) => {
                    let why = reason(&helper, end);
                    let arguments = form.plan(false, false);
                    start(state, cx, Kind::Plan(form.clone(), Some(why)), arguments);
                }
                (None, Some(_)) => {
                    state.plan = None;
                    state.problem = Some(format!("no plan: {}", reason(&helper, end)));
                }
            }
        }
        Kind::Probe(form) => {
            let read = json.and_then(|line| serde_json::from_str::<Plan>(line).ok());
            if let Some(planned) = &mut state.plan
                && planned.form == *form
            {
                planned.measuring = false;
                if let Some(plan) = read.filter(|_| end.well) {
                    planned.plan = plan;
                }
            }
        }
        Kind::Latents if end.well => {
            cx.tell(Toast::Success("the data is prepared".into()));
            plan(state, cx);
        }
        Kind::Latents => {
            let why = format!("the data is not prepared: {}", reason(&helper, end));
            state.problem = Some(why);
        }
        Kind::Export(name) if end.well => {
            cx.emit(ModelsCommand::Refresh);
            cx.emit(ModelsCommand::Use(name.clone()));
        }
        Kind::Export(_) => cx.tell(Toast::Error(format!(
            "the checkpoint did not become a model: {}",
            reason(&helper, end)
        ))),
    }
}
