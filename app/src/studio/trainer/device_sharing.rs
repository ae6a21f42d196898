//! Training and drawing share the device: whoever comes second asks first.
//!
//! Everything that is drawn passes `may_draw` on its way to the engine, every run passes
//! `may_begin`, and the preparation of data `may_prepare`; the question stands here and nowhere
//! else. The answer holds for the session.

use egui::{Id, Modal, Ui};
use mmface_run_protocol::TrainCommand;

use super::State;
use super::helper::{self, Kind};
use super::view::Phase;
use super::{TrainerCommand, deferred};
use crate::studio::announcement::Announcement;
use crate::studio::command::{Begin, GenerateCommand, Sharing, SharingAnswer};
use crate::studio::context::Context;
use crate::studio::toast::Toast;

/// What waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Pictures.
    Draw,
    /// A run.
    Begin(Begin),
    /// The preparation of data.
    Prepare,
}

/// Who has the device.
#[derive(Debug, Default)]
pub struct DeviceSharing {
    /// The answer of this session.
    pub choice: Option<Sharing>,
    /// What waits for an answer.
    pub question: Option<Question>,
    /// The device is given to pictures although training has not ended yet.
    given: bool,
    /// Training was asked to pause for pictures, and goes on after them.
    paused: bool,
}

impl DeviceSharing {
    /// The pause is the person's own from now on.
    pub(super) fn forget_pause(&mut self) {
        self.paused = false;
    }

    /// Whether training pauses, or is about to, for pictures.
    pub fn pauses(&self) -> bool {
        self.paused
    }
}

/// Who of the trainer's processes has the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum User {
    Run,
    Preparing,
    Measuring,
}

fn user(state: &State) -> Option<User> {
    if state.own.is_some() && matches!(state.view.phase, Phase::Starting | Phase::Running) {
        return Some(User::Run);
    }
    if helper::is_busy(state, |kind| *kind == Kind::Latents) {
        return Some(User::Preparing);
    }
    helper::is_busy(state, deferred::is_heavy).then_some(User::Measuring)
}

/// Pictures are to be drawn: asks the person, or makes room.
pub(super) fn wanted(state: &mut State, cx: &mut Context) {
    if may_draw(state, cx) {
        // The run is about to end: there is nothing to wait for.
        state.sharing.given = user(state).is_some();
        publish(state, cx);
        cx.announce(Announcement::DeviceFree);
    }
}

/// Tells others whether training uses the device: whenever that may have changed.
pub(super) fn publish(state: &mut State, cx: &mut Context) {
    let used = user(state).is_some();
    let sharing = &mut state.sharing;
    sharing.given &= used;
    let beside = sharing.choice == Some(Sharing::Beside);
    cx.facts.training.uses_device = used && !beside && !sharing.given;
}

/// Whether a picture may be drawn now. If not, it was asked for, and the device is announced to be
/// free when it may.
fn may_draw(state: &mut State, cx: &mut Context) -> bool {
    let Some(user) = user(state) else {
        return true;
    };
    match state.sharing.choice {
        Some(Sharing::Beside) => true,
        Some(Sharing::Pause) => {
            let room = deferred::make_room(state);
            let waits = user == User::Run && pause(state, cx);
            room && !waits
        }
        None => {
            let question = &mut state.sharing.question;
            question.get_or_insert(Question::Draw);
            false
        }
    }
}

/// Asks the run to pause for pictures; false when it is about to end, so that there is nothing to
/// wait for.
fn pause(state: &mut State, cx: &mut Context) -> bool {
    let Some(own) = &mut state.own else {
        return false;
    };
    if !std::mem::replace(&mut state.sharing.paused, true) {
        own.pausing = true;
        if !own.child.tell(TrainCommand::Pause) {
            return false;
        }
        let text = "training pauses first; the picture begins after its checkpoint";
        cx.tell(Toast::Info(text.into()));
    }
    true
}

fn is_drawing(cx: &Context) -> bool {
    cx.is_drawing()
}

/// Whether a run may begin now. If not, it was asked for or it waits.
pub(super) fn may_begin(state: &mut State, cx: &mut Context, begin: Begin) -> bool {
    if !is_drawing(cx) {
        return true;
    }
    match state.sharing.choice {
        Some(Sharing::Beside) => true,
        Some(Sharing::Pause) => {
            state.waiting = Some(begin);
            false
        }
        None => {
            state.sharing.question = Some(Question::Begin(begin));
            false
        }
    }
}

/// Whether the data may be prepared now, or when the pictures are drawn. If not, it was asked for.
pub(super) fn may_prepare(state: &mut State, cx: &mut Context) -> bool {
    let sharing = &state.sharing;
    let known = sharing.choice.is_some() || !is_drawing(cx);
    if !known {
        state.sharing.question = Some(Question::Prepare);
    }
    known
}

/// Whether what is to begin of itself waits for pictures.
pub(super) fn must_wait(state: &State, cx: &Context) -> bool {
    is_drawing(cx) && state.sharing.choice != Some(Sharing::Beside)
}

/// Does what the person answered.
pub(super) fn answer(state: &mut State, cx: &mut Context, answer: SharingAnswer) {
    let Some(question) = state.sharing.question.take() else {
        return;
    };
    match (answer, question) {
        (SharingAnswer::Share(choice), Question::Draw) => {
            state.sharing.choice = Some(choice);
            cx.announce(Announcement::DeviceFree);
        }
        (SharingAnswer::Share(choice), Question::Begin(begin)) => {
            state.sharing.choice = Some(choice);
            if may_begin(state, cx, begin) {
                cx.emit(TrainerCommand::Launch(begin));
            }
        }
        (SharingAnswer::Share(choice), Question::Prepare) => {
            state.sharing.choice = Some(choice);
            cx.emit(TrainerCommand::PrepareNow);
        }
        (SharingAnswer::Cancel, Question::Draw) => {
            let user = user(state);
            cx.emit(GenerateCommand::StopLive);
            if cx.document.works.next().is_some() {
                cx.emit(GenerateCommand::Pause);
                let what = match user {
                    Some(User::Preparing) => "the preparation",
                    Some(User::Measuring) => "the measurement",
                    Some(User::Run) | None => "training",
                };
                let text = format!(
                    "the queue is paused, so that {what} goes on; press Resume in it to draw"
                );
                cx.tell(Toast::Info(text));
            }
        }
        (SharingAnswer::Cancel, Question::Begin(_) | Question::Prepare) => {}
    }
}

/// Changes the answer of this session.
pub(super) fn set(state: &mut State, cx: &mut Context, choice: Option<Sharing>) {
    state.sharing.choice = choice;
    cx.announce(Announcement::DeviceFree);
}

/// Lets training go on, or begin, when the last picture is drawn.
pub(super) fn tick(state: &mut State, cx: &mut Context) {
    if state.sharing.question == Some(Question::Draw) && user(state).is_none() {
        // It ended before the person answered.
        state.sharing.question = None;
        cx.announce(Announcement::DeviceFree);
    }
    if is_drawing(cx) {
        return;
    }
    if state.sharing.paused {
        match state.view.phase {
            Phase::Paused(_) => {
                state.sharing.paused = false;
                cx.emit(TrainerCommand::GoOn);
            }
            Phase::Starting | Phase::Running => {}
            _ => state.sharing.paused = false,
        }
    }
    if let Some(begin) = state.waiting.take() {
        cx.emit(TrainerCommand::Launch(begin));
    }
    deferred::begin(state, cx);
}

/// What the question says.
struct Words {
    title: &'static str,
    text: &'static str,
    pause: &'static str,
    beside: &'static str,
}

fn words(question: Question, user: Option<User>) -> Words {
    let drawn = "Pictures are being drawn on this device";
    match (question, user) {
        (Question::Draw, Some(User::Preparing)) => Words {
            title: "Preparing the data uses this device",
            text: "It can wait: what is encoded is kept, and it goes on by itself when the queue is empty. Beside each other, both are slower.",
            pause: "Pause it while I generate",
            beside: "Generate beside it",
        },
        (Question::Draw, Some(User::Measuring)) => Words {
            title: "The speed is being measured on this device",
            text: "The measurement can wait: it begins anew when the queue is empty. Beside pictures it tells a time that is too long.",
            pause: "Pause it while I generate",
            beside: "Generate beside it",
        },
        (Question::Draw, Some(User::Run) | None) => Words {
            title: "Training uses this device",
            text: "Training can wait: it writes a checkpoint, and goes on by itself when the queue is empty. Beside each other, both are slower.",
            pause: "Pause training while I generate",
            beside: "Generate beside it",
        },
        (Question::Begin(_), _) => Words {
            title: drawn,
            text: "Training can begin when the queue is empty and live mode is off, and pause for later pictures. Beside each other, both are slower.",
            pause: "Pause training while I generate",
            beside: "Train beside it",
        },
        (Question::Prepare, _) => Words {
            title: drawn,
            text: "The data can be prepared when the queue is empty and live mode is off, and wait for later pictures. Beside each other, both are slower.",
            pause: "Prepare after the pictures",
            beside: "Prepare beside them",
        },
    }
}

/// Draws the question when it is due.
pub fn show(ui: &Ui, state: &State, cx: &Context) {
    let Some(question) = state.sharing.question else {
        return;
    };
    let words = words(question, user(state));
    let mut said = None;
    let modal = Modal::new(Id::unique("who has the device")).show(ui.ctx(), |ui| {
        ui.set_width(420.0);
        ui.heading(words.title);
        ui.add_space(4.0);
        ui.label(words.text);
        ui.add_space(2.0);
        ui.weak("Asked once; the trainer tab changes it.");
        ui.add_space(10.0);
        ui.horizontal(|ui| {
            let first = ui.button(words.pause);
            if ui.memory(|memory| memory.focused().is_none()) {
                first.request_focus();
            }
            if first.clicked() {
                said = Some(SharingAnswer::Share(Sharing::Pause));
            }
            if ui.button(words.beside).clicked() {
                said = Some(SharingAnswer::Share(Sharing::Beside));
            }
            if ui.button("Cancel").clicked() {
                said = Some(SharingAnswer::Cancel);
            }
        });
    });
    if modal.should_close() {
        said = Some(SharingAnswer::Cancel);
    }
    if let Some(answer) = said {
        cx.emit(TrainerCommand::Share(answer));
    }
}
