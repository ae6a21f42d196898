//! The run itself: started, steered, heard.

use std::path::PathBuf;

use mmface_run_protocol::{Holder, RunInputs, TrainCommand, TrainEvent, lock, mailbox, run_folder};

use super::State;
use super::child::{self, Child, Launch, Said};
use super::remote_run::{self, Follow};
use super::view::{self, Phase, View};
use super::{Field, device_sharing, program, requests, same_place, wake};
use crate::studio::announcement::Announcement;
use crate::studio::command::Begin;
use crate::studio::command::Workspace;
use crate::studio::context::Context;
use crate::studio::toast::Toast;

/// A run of this studio's own.
#[derive(Debug)]
pub(super) struct Own {
    pub child: Child,
    /// It was asked to pause and has not said yet that it does.
    pub pausing: bool,
}

/// Starts or goes on, after asking whoever draws.
pub(super) fn begin(state: &mut State, cx: &mut Context, begin: Begin) {
    if state.own.is_some() {
        let text = "a run is under way; stop it before another one starts";
        return cx.tell(Toast::Warning(text.into()));
    }
    let usable = match begin {
        Begin::Fresh => super::is_usable(state, cx, &[]),
        Begin::Resume => super::is_usable(
            state,
            cx,
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
        let form = &cx.settings.trainer;
        let ready = state
            .plan_of(form)
            .map(|planned| planned.unprepared.is_none());
        match ready {
            Some(true) => {}
            Some(false) => {
                let text = "prepare the data first; the plan says how much there is to do";
                return cx.tell(Toast::Warning(text.into()));
            }
            // Nothing starts that was not seen.
            None => return requests::plan(state, cx),
        }
    }
    if device_sharing::may_begin(state, cx, begin) {
        launch(state, cx, begin);
    }
}

/// Starts the process.
pub(super) fn launch(state: &mut State, cx: &mut Context, begin: Begin) {
    let Some(program) = program(state, cx) else {
        return;
    };
    requests::drop_probe(state);
    let form = cx.settings.trainer.clone();
    let (arguments, out) = match begin {
        Begin::Fresh => {
            let Some(out) = form.out() else { return };
            state.view = View::new(&out);
            state.sheets = super::sheets::Sheets::default();
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
    match Child::start(&launch, wake(cx)) {
        Ok(child) => {
            state.own = Some(Own {
                child,
                pausing: false,
            });
        }
        Err(why) => fail(state, cx, why),
    }
}

/// Sends a command to the run on screen: this studio's own, or another process's.
pub(super) fn tell(state: &mut State, cx: &mut Context, command: TrainCommand) {
    let Some(own) = &mut state.own else {
        return match state.follow {
            Some(follow) => remote_run::tell(state, cx, follow, command),
            None => cx.tell(Toast::Info("no run is under way here".into())),
        };
    };
    if !own.child.tell(command) {
        let text = "the trainer does not listen any more; it may be about to end";
        cx.tell(Toast::Warning(text.into()));
    }
}

/// Pauses, or goes on.
pub(super) fn pause(state: &mut State, cx: &mut Context) {
    // What the person does by hand is not undone by the end of a drawing.
    state.sharing.forget_pause();
    if matches!(state.view.phase, Phase::Paused(_)) {
        return tell(state, cx, TrainCommand::Resume);
    }
    if let Some(own) = &mut state.own {
        own.pausing = true;
    }
    if let Some(follow) = &mut state.follow {
        follow.pausing = true;
    }
    tell(state, cx, TrainCommand::Pause);
}

/// Ends the run after a checkpoint.
pub(super) fn stop(state: &mut State, cx: &mut Context) {
    let there = state.has_child() || state.is_foreign();
    tell(state, cx, TrainCommand::Stop);
    if there {
        state.view.phase = Phase::Stopping;
    }
}

/// Shows the run in a folder; the work is done beside the GUI thread.
pub(super) fn open(state: &mut State, cx: &mut Context, out: PathBuf) {
    if state.own.is_some() {
        let text = "a run is under way; stop it before another one is opened";
        return cx.tell(Toast::Warning(text.into()));
    }
    cx.spawn(&state.inbox, "reading the run", move || {
        let (view, at) = View::read(&out);
        let holder = lock::holder(&out);
        let inputs = view::inputs(&out);
        let listens = mailbox::listens(&out);
        move |state: &mut State, cx: &mut Context| {
            let follow = match holder {
                Holder::Process(id) => Some(Follow::new(id, listens, at, cx.now)),
                Holder::Nobody => None,
            };
            if opened(state, cx, view, follow) {
                take_inputs(state, cx, inputs.unwrap_or_default());
            }
        }
    });
}

/// The form takes on what the run was started with, so that it can go on. What the person has
/// chosen for the run of the form stays.
fn take_inputs(state: &mut State, cx: &mut Context, inputs: RunInputs) {
    let out = &state.view.out;
    let form = &mut cx.settings.trainer;
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
fn opened(state: &mut State, cx: &mut Context, view: View, follow: Option<Follow>) -> bool {
    if state.own.is_some() {
        return false;
    }
    if view.started.is_none() && view.checkpoints.list.is_empty() && follow.is_none() {
        let text = format!(
            "{} holds no run; choose a folder that was named as Run or --out",
            view.out.display()
        );
        cx.tell(Toast::Warning(text));
        return false;
    }
    state.view = view;
    state.sheets = super::sheets::Sheets::default();
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
pub(super) fn tick(state: &mut State, cx: &mut Context) {
    let said = match &state.own {
        Some(own) => own.child.said(),
        None => Vec::new(),
    };
    for said in said {
        match said {
            Said::Event(event) => on_event(state, cx, event),
            Said::Line(line) => {
                let short: String = line.chars().take(200).collect();
                state.view.note(format!("not an event: {short}"));
            }
            Said::Ended(end) => ended(state, cx, &end),
        }
    }
}

pub(super) fn on_event(state: &mut State, cx: &mut Context, event: TrainEvent) {
    let look = matches!(
        event,
        TrainEvent::Checkpoint { .. } | TrainEvent::Started(_)
    );
    let paused = matches!(event, TrainEvent::Paused { .. });
    if let TrainEvent::Warning { message, .. } = &event {
        news(cx, Toast::Warning(format!("training: {message}")));
    }
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
    state.view.on_event(event);
    if stopping && state.view.phase == Phase::Running {
        state.view.phase = Phase::Stopping;
    }
    if look {
        look_for_checkpoints(state, cx);
    }
    if paused {
        // Pictures may have waited for this.
        cx.announce(Announcement::DeviceFree);
    }
}

fn ended(state: &mut State, cx: &mut Context, end: &child::End) {
    state.own = None;
    state.last_words = end.tail.clone();
    match state.view.phase.clone() {
        Phase::Finished => {
            state.last_words.clear();
            news(cx, Toast::Success("training is finished".into()));
        }
        Phase::Stopped(_) => state.last_words.clear(),
        Phase::Failed(why) => fail(state, cx, why),
        _ if end.well => {
            let why = "the trainer ended without a word; the last checkpoint is kept";
            state.view.phase = Phase::Stopped(why.into());
        }
        _ => fail(
            state,
            cx,
            format!("the trainer ended unexpectedly: {}", end.how),
        ),
    }
    look_for_checkpoints(state, cx);
    cx.announce(Announcement::DeviceFree);
}

/// Tells who looks elsewhere; the tab itself shows it in its place.
fn news(cx: &mut Context, toast: Toast) {
    if cx.workspace != Workspace::Trainer {
        cx.tell(toast);
    }
}

fn fail(state: &mut State, cx: &mut Context, why: String) {
    let text = format!("training failed: {why}");
    news(cx, Toast::Error(text));
    state.view.phase = Phase::Failed(why);
}

pub(super) fn look_for_checkpoints(state: &mut State, cx: &mut Context) {
    let out = state.view.out.clone();
    cx.spawn(&state.inbox, "looking for checkpoints", move || {
        let list = crate::studio::checkpoints::on_disk(&out);
        move |state: &mut State, _: &mut Context| {
            if same_place(&state.view.out, &out) {
                state.view.checkpoints.list = list;
            }
        }
    });
}
