//! The run itself: started, steered, heard.

use std::path::PathBuf;

use mmface_run_protocol::{Holder, RunInputs, TrainCommand, TrainEvent, lock, mailbox, run_folder};

use super::child::{self, Child, Launch, Said};
use super::outside::{self, Follow};
use super::view::{self, Phase, View};
use super::{Field, ask, program, same_place, wake};
use crate::studio::announcement::Announcement;
use crate::studio::command::Workspace;
use crate::studio::dispatcher::Studio;
use crate::studio::toast::Toast;

/// How a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// The run of the form, from its start.
    Fresh,
    /// The run on screen, from its last checkpoint.
    Resume,
}

/// A run of this studio's own.
#[derive(Debug)]
pub(super) struct Own {
    pub child: Child,
    /// It was asked to pause and has not said yet that it does.
    pub pausing: bool,
}

/// Starts or goes on, after asking whoever draws.
pub(super) fn begin(studio: &mut Studio, begin: Begin) {
    if studio.trainer.own.is_some() {
        let text = "a run is under way; stop it before another one starts";
        return studio.tell(Toast::Warning(text.into()));
    }
    let usable = match begin {
        Begin::Fresh => super::is_usable(studio, &[]),
        Begin::Resume => super::is_usable(
            studio,
            &[
                Field::Config,
                Field::Data,
                Field::Weights,
                Field::Out,
                Field::InitFrom,
            ],
        ),
    };
    if !usable {
        return;
    }
    if begin == Begin::Fresh {
        let form = &studio.context.settings.trainer;
        let ready = studio
            .trainer
            .plan_of(form)
            .map(|planned| planned.unprepared.is_none());
        match ready {
            Some(true) => {}
            Some(false) => {
                let text = "prepare the data first; the plan says how much there is to do";
                return studio.tell(Toast::Warning(text.into()));
            }
            // Nothing starts that was not seen.
            None => return super::side::plan(studio),
        }
    }
    if ask::may_begin(studio, begin) {
        launch(studio, begin);
    }
}

/// Starts the process.
pub(super) fn launch(studio: &mut Studio, begin: Begin) {
    let Some(program) = program(studio) else {
        return;
    };
    super::side::drop_probe(studio);
    let form = studio.context.settings.trainer.clone();
    let state = &mut studio.trainer;
    let (arguments, out) = match begin {
        Begin::Fresh => {
            let Some(out) = form.out() else { return };
            state.view = View::new(&out);
            state.sheets = super::sheets::State::default();
            (form.train(), out)
        }
        Begin::Resume => (form.resume(&state.view.out), state.view.out.clone()),
    };
    state.view.phase = Phase::Starting;
    state.view.preparing = None;
    state.last_words.clear();
    state.follow = None;
    let launch = Launch {
        program,
        arguments,
        log: run_folder::log(&out),
    };
    match Child::start(&launch, wake(studio)) {
        Ok(child) => {
            studio.trainer.own = Some(Own {
                child,
                pausing: false,
            });
        }
        Err(why) => fail(studio, why),
    }
}

/// Sends a command to the run on screen: this studio's own, or another process's.
pub(super) fn tell(studio: &mut Studio, command: TrainCommand) {
    let Some(own) = &mut studio.trainer.own else {
        return match studio.trainer.follow {
            Some(follow) => outside::tell(studio, follow, command),
            None => studio.tell(Toast::Info("no run is under way here".into())),
        };
    };
    if !own.child.tell(command) {
        let text = "the trainer does not listen any more; it may be about to end";
        studio.tell(Toast::Warning(text.into()));
    }
}

/// Pauses, or goes on.
pub(super) fn pause(studio: &mut Studio) {
    // What the person does by hand is not undone by the end of a drawing.
    studio.trainer.sharing.forget_pause();
    if matches!(studio.trainer.view.phase, Phase::Paused(_)) {
        return tell(studio, TrainCommand::Resume);
    }
    if let Some(own) = &mut studio.trainer.own {
        own.pausing = true;
    }
    if let Some(follow) = &mut studio.trainer.follow {
        follow.pausing = true;
    }
    tell(studio, TrainCommand::Pause);
}

/// Ends the run after a checkpoint.
pub(super) fn stop(studio: &mut Studio) {
    let there = studio.trainer.has_child() || studio.trainer.is_foreign();
    tell(studio, TrainCommand::Stop);
    if there {
        studio.trainer.view.phase = Phase::Stopping;
    }
}

/// Shows the run in a folder; the work is done beside the GUI thread.
pub(super) fn open(studio: &mut Studio, out: PathBuf) {
    if studio.trainer.own.is_some() {
        let text = "a run is under way; stop it before another one is opened";
        return studio.tell(Toast::Warning(text.into()));
    }
    studio.spawn("reading the run", move || {
        let (view, at) = View::read(&out);
        let holder = lock::holder(&out);
        let inputs = view::inputs(&out);
        let listens = mailbox::listens(&out);
        move |studio: &mut Studio| {
            let follow = match holder {
                Holder::Process(id) => Some(Follow::new(id, listens, at, studio.context.now)),
                Holder::Nobody => None,
            };
            if opened(studio, view, follow) {
                take_inputs(studio, inputs.unwrap_or_default());
            }
        }
    });
}

/// The form takes on what the run was started with, so that it can go on. What the person has
/// chosen for the run of the form stays.
fn take_inputs(studio: &mut Studio, inputs: RunInputs) {
    let out = &studio.trainer.view.out;
    let form = &mut studio.context.settings.trainer;
    let same = form.out().is_some_and(|of| same_place(&of, out));
    let noted = !inputs.work.as_os_str().is_empty();
    if noted && (!same || form.work.trim().is_empty()) {
        form.work = inputs.work.display().to_string();
    }
    let weights = inputs.weights.filter(|weights| weights.is_dir());
    if let (true, Some(weights)) = (!same || form.weights.trim().is_empty(), weights) {
        form.weights = weights.display().to_string();
    }
    form.out = out.display().to_string();
}

/// Shows a run; false when there is none.
fn opened(studio: &mut Studio, view: View, follow: Option<Follow>) -> bool {
    if studio.trainer.own.is_some() {
        return false;
    }
    if view.started.is_none() && view.checkpoints.list.is_empty() && follow.is_none() {
        let text = format!(
            "{} holds no run; choose a folder that was named as Run or --out",
            view.out.display()
        );
        studio.tell(Toast::Warning(text));
        return false;
    }
    let state = &mut studio.trainer;
    state.view = view;
    state.sheets = super::sheets::State::default();
    state.last_words.clear();
    state.follow = follow;
    if follow.is_none() {
        settle(&mut state.view);
    }
    true
}

/// A run that nobody has any more does not run, whatever its last line says.
pub(super) fn settle(view: &mut View) {
    if view.phase.is_active() || matches!(view.phase, Phase::Paused(_) | Phase::None) {
        let why = "its process has ended; the last checkpoint is kept";
        view.phase = Phase::Stopped(why.into());
    }
}

/// Takes in what came.
pub(super) fn tick(studio: &mut Studio) {
    let said = match &studio.trainer.own {
        Some(own) => own.child.said(),
        None => Vec::new(),
    };
    for said in said {
        match said {
            Said::Event(event) => hear(studio, event),
            Said::Line(line) => {
                let short: String = line.chars().take(200).collect();
                studio.trainer.view.note(format!("not an event: {short}"));
            }
            Said::Ended(end) => ended(studio, &end),
        }
    }
    outside::tick(studio);
}

pub(super) fn hear(studio: &mut Studio, event: TrainEvent) {
    let look = matches!(
        event,
        TrainEvent::Checkpoint { .. } | TrainEvent::Started(_)
    );
    let paused = matches!(event, TrainEvent::Paused { .. });
    if let TrainEvent::Warning { message, .. } = &event {
        news(studio, Toast::Warning(format!("training: {message}")));
    }
    let state = &mut studio.trainer;
    let stopping = state.view.phase == Phase::Stopping;
    if matches!(
        event,
        TrainEvent::Paused { .. } | TrainEvent::Resumed { .. }
    ) {
        let own = state.own.as_mut().map(|own| &mut own.pausing);
        let other = state.follow.as_mut().map(|follow| &mut follow.pausing);
        for pausing in own.into_iter().chain(other) {
            *pausing = false;
        }
    }
    state.view.hear(event);
    if stopping && state.view.phase == Phase::Running {
        state.view.phase = Phase::Stopping;
    }
    if look {
        look_for_checkpoints(studio);
    }
    if paused {
        // Pictures may have waited for this.
        studio.context.announce(Announcement::DeviceFree);
    }
}

fn ended(studio: &mut Studio, end: &child::End) {
    studio.trainer.own = None;
    studio.trainer.last_words = end.tail.clone();
    match studio.trainer.view.phase.clone() {
        Phase::Finished => {
            studio.trainer.last_words.clear();
            news(studio, Toast::Success("training is finished".into()));
        }
        Phase::Stopped(_) => studio.trainer.last_words.clear(),
        Phase::Failed(why) => fail(studio, why),
        _ if end.well => {
            let why = "the trainer ended without a word; the last checkpoint is kept";
            studio.trainer.view.phase = Phase::Stopped(why.into());
        }
        _ => fail(
            studio,
            format!("the trainer ended unexpectedly: {}", end.how),
        ),
    }
    look_for_checkpoints(studio);
    studio.context.announce(Announcement::DeviceFree);
}

/// Tells who looks elsewhere; the tab itself shows it in its place.
fn news(studio: &mut Studio, toast: Toast) {
    if studio.context.workspace != Workspace::Trainer {
        studio.tell(toast);
    }
}

fn fail(studio: &mut Studio, why: String) {
    let text = format!("training failed: {why}");
    news(studio, Toast::Error(text));
    studio.trainer.view.phase = Phase::Failed(why);
}

pub(super) fn look_for_checkpoints(studio: &mut Studio) {
    let out = studio.trainer.view.out.clone();
    studio.spawn("looking for checkpoints", move || {
        let list = crate::studio::checkpoints::on_disk(&out);
        move |studio: &mut Studio| {
            if same_place(&studio.trainer.view.out, &out) {
                studio.trainer.view.checkpoints.list = list;
            }
        }
    });
}
