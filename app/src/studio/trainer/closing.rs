//! What becomes of a run when the window closes.

use egui::{Id, Modal, Ui};

use super::{TrainerCommand, runs};
use crate::studio::command::{ClosingAnswer, PersistenceCommand};
use crate::studio::dispatcher::Studio;

/// The question, and what was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing was asked.
    #[default]
    Nothing,
    /// The person is being asked.
    Asking,
    /// The window closes when the run has ended.
    Ending,
    /// The window may close with the run going on.
    Left,
}

/// Asks what becomes of the run, which is to be known before the window closes.
pub(super) fn ask(studio: &mut Studio) {
    let state = &mut studio.trainer;
    if state.closing == State::Nothing {
        state.closing = State::Asking;
    }
}

/// Tells others whether the run has to be asked about before the window closes: whenever that may
/// have changed.
pub(super) fn publish(studio: &mut Studio) {
    let state = &studio.trainer;
    let holds = state.own.is_some() && state.closing != State::Left;
    studio.context.facts.training.holds_window = holds;
}

/// Does what the person answered.
pub(super) fn answer(studio: &mut Studio, answer: ClosingAnswer) {
    match answer {
        ClosingAnswer::KeepRunning => {
            studio.trainer.closing = State::Left;
            publish(studio);
            // A run that waits and hears nobody any more leaves; it is meant to go on.
            if matches!(studio.trainer.view.phase, super::Phase::Paused(_)) {
                runs::pause(studio);
            }
            studio.emit(PersistenceCommand::Quit);
        }
        ClosingAnswer::Stop => {
            studio.trainer.closing = State::Ending;
            runs::stop(studio);
        }
        ClosingAnswer::Cancel => studio.trainer.closing = State::Nothing,
    }
}

/// Closes the window once the run has ended.
pub(super) fn tick(studio: &mut Studio) {
    if studio.trainer.own.is_some() {
        return;
    }
    if std::mem::take(&mut studio.trainer.closing) == State::Ending {
        studio.emit(PersistenceCommand::Quit);
    }
}

/// Draws the question when it is due.
pub fn show(ui: &Ui, studio: &mut Studio) {
    let state = studio.trainer.closing;
    if !matches!(state, State::Asking | State::Ending) {
        return;
    }
    let mut said = None;
    let modal = Modal::new(Id::unique("a run is under way")).show(ui.ctx(), |ui| {
        ui.set_width(420.0);
        if state == State::Ending {
            ui.heading("Training writes a checkpoint");
            ui.add_space(4.0);
            ui.label("It ends between two updates; then the window closes.");
        } else {
            ui.heading("Training is under way");
            ui.add_space(4.0);
            ui.label("It can go on without the studio; open its folder later to see its curves.");
        }
        ui.add_space(10.0);
        ui.horizontal(|ui| {
            let keep = ui.button("Keep it running");
            if ui.memory(|memory| memory.focused().is_none()) {
                keep.request_focus();
            }
            if keep.clicked() {
                said = Some(ClosingAnswer::KeepRunning);
            }
            if state == State::Asking && ui.button("Stop after a checkpoint").clicked() {
                said = Some(ClosingAnswer::Stop);
            }
            if ui.button("Cancel").clicked() {
                said = Some(ClosingAnswer::Cancel);
            }
        });
    });
    if modal.should_close() {
        said = Some(ClosingAnswer::Cancel);
    }
    if let Some(answer) = said {
        studio.emit(TrainerCommand::Close(answer));
    }
}
