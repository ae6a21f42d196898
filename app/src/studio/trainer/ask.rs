//! Training and drawing share the device: whoever comes second asks first.
//!
//! Everything that is drawn passes [`may_draw`] on its way to the engine, and every run passes
//! `may_begin`; the question stands here and nowhere else. The answer holds for the session.

use egui::{Id, Modal, Ui};
use mmface_engine::train_event::TrainCommand;

use super::TrainerCommand;
use super::runs::{self, Begin};
use super::view::Phase;
use crate::studio::generate::flow;
use crate::studio::state::Studio;
use crate::studio::toast::Toast;

/// How training and drawing share the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Training waits while pictures are drawn.
    Pause,
    /// Both at once; both are slower.
    Beside,
}

/// The person's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Share like this from now on.
    Share(Sharing),
    /// Do not do what was asked for.
    Cancel,
}

/// What waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Pictures.
    Draw,
    /// A run.
    Begin(Begin),
}

/// Who has the device.
#[derive(Debug, Default)]
pub struct State {
    /// The answer of this session.
    pub choice: Option<Sharing>,
    /// What waits for an answer.
    pub question: Option<Question>,
    /// Training was asked to pause for pictures, and goes on after them.
    paused: bool,
}

impl State {
    /// The pause is the person's own from now on.
    pub(super) fn forget_pause(&mut self) {
        self.paused = false;
    }

    /// Whether training pauses, or is about to, for pictures.
    pub fn pauses(&self) -> bool {
        self.paused
    }
}

/// Whether a picture may be drawn now. If not, it was asked for, and [`flow::start_next`] is called
/// when it may.
pub fn may_draw(studio: &mut Studio) -> bool {
    let state = &mut studio.trainer;
    let Some(own) = &mut state.own else {
        return true;
    };
    if !matches!(state.view.phase, Phase::Starting | Phase::Running) {
        return true;
    }
    match state.sharing.choice {
        Some(Sharing::Beside) => true,
        Some(Sharing::Pause) => {
            if !std::mem::replace(&mut state.sharing.paused, true) {
                own.pausing = true;
                if !own.child.tell(TrainCommand::Pause) {
                    // It is about to end; then there is nothing to wait for.
                    return true;
                }
                let text = "training pauses first; the picture begins after its checkpoint";
                studio.tell(Toast::Info(text.into()));
            }
            false
        }
        None => {
            state.sharing.question.get_or_insert(Question::Draw);
            false
        }
    }
}

fn is_drawing(studio: &Studio) -> bool {
    studio.generate.is_busy() || studio.generate.live.on
}

/// Whether a run may begin now. If not, it was asked for or it waits.
pub(super) fn may_begin(studio: &mut Studio, begin: Begin) -> bool {
    if !is_drawing(studio) {
        return true;
    }
    let state = &mut studio.trainer;
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

/// Does what the person answered.
pub(super) fn answer(studio: &mut Studio, answer: Answer) {
    let Some(question) = studio.trainer.sharing.question.take() else {
        return;
    };
    match (answer, question) {
        (Answer::Share(choice), Question::Draw) => {
            studio.trainer.sharing.choice = Some(choice);
            flow::start_next(studio);
        }
        (Answer::Share(choice), Question::Begin(begin)) => {
            studio.trainer.sharing.choice = Some(choice);
            if may_begin(studio, begin) {
                runs::launch(studio, begin);
            }
        }
        (Answer::Cancel, Question::Draw) => {
            if studio.generate.live.on {
                flow::stop_live(studio);
            }
            if studio.generate.works.next().is_some() {
                studio.generate.works.queue.paused = true;
                let text =
                    "the queue is paused, so that training goes on; press Resume in it to draw";
                studio.tell(Toast::Info(text.into()));
            }
        }
        (Answer::Cancel, Question::Begin(_)) => {}
    }
}

/// Changes the answer of this session.
pub(super) fn set(studio: &mut Studio, choice: Option<Sharing>) {
    studio.trainer.sharing.choice = choice;
    flow::start_next(studio);
}

/// Lets training go on, or begin, when the last picture is drawn.
pub(super) fn tick(studio: &mut Studio) {
    if is_drawing(studio) {
        return;
    }
    let state = &mut studio.trainer;
    if state.sharing.paused {
        match state.view.phase {
            Phase::Paused(_) => {
                state.sharing.paused = false;
                runs::tell(studio, TrainCommand::Resume);
            }
            Phase::Starting | Phase::Running => {}
            _ => state.sharing.paused = false,
        }
    }
    if let Some(begin) = studio.trainer.waiting.take() {
        runs::launch(studio, begin);
    }
}

/// Draws the question when it is due.
pub fn show(ui: &Ui, studio: &mut Studio) {
    let Some(question) = studio.trainer.sharing.question else {
        return;
    };
    let (title, pause, beside) = match question {
        Question::Draw => (
            "Training uses this device",
            "Pause training while I generate",
            "Generate beside it",
        ),
        Question::Begin(_) => (
            "Pictures are being drawn on this device",
            "Pause training while I generate",
            "Train beside it",
        ),
    };
    let mut said = None;
    let modal = Modal::new(Id::unique("who has the device")).show(ui.ctx(), |ui| {
        ui.set_width(420.0);
        ui.heading(title);
        ui.add_space(4.0);
        ui.label(match question {
            Question::Draw => {
                "Training can wait: it writes a checkpoint, and goes on by itself when the queue is empty. Beside each other, both are slower."
            }
            Question::Begin(_) => {
                "Training can begin when the queue is empty and live mode is off, and pause for later pictures. Beside each other, both are slower."
            }
        });
        ui.add_space(2.0);
        ui.weak("Asked once; the trainer tab changes it.");
        ui.add_space(10.0);
        ui.horizontal(|ui| {
            let first = ui.button(pause);
            if ui.memory(|memory| memory.focused().is_none()) {
                first.request_focus();
            }
            if first.clicked() {
                said = Some(Answer::Share(Sharing::Pause));
            }
            if ui.button(beside).clicked() {
                said = Some(Answer::Share(Sharing::Beside));
            }
            if ui.button("Cancel").clicked() {
                said = Some(Answer::Cancel);
            }
        });
    });
    if modal.should_close() {
        said = Some(Answer::Cancel);
    }
    if let Some(answer) = said {
        studio.emit(TrainerCommand::Share(answer));
    }
}
