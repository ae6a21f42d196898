//! What becomes of a run when the window closes.

use egui::{Id, Modal, Ui};

use super::State;
use super::{TrainerCommand, runs};
use crate::studio::command::{ClosingAnswer, PersistenceCommand};
use crate::studio::context::Context;

/// The question, and what was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closing {
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
pub(super) fn ask(state: &mut State) {
    if state.closing == Closing::Nothing {
        state.closing = Closing::Asking;
    }
}

/// Tells others whether the run has to be asked about before the window closes: whenever that may
/// have changed.
pub(super) fn publish(state: &mut State, cx: &mut Context) {
    let holds = state.own.is_some() && state.closing != Closing::Left;
    cx.facts.training.holds_window = holds;
}

/// Does what the person answered.
pub(super) fn answer(state: &mut State, cx: &mut Context, answer: ClosingAnswer) {
    match answer {
        ClosingAnswer::KeepRunning => {
            state.closing = Closing::Left;
            publish(state, cx);
            // A run that waits and hears nobody any more leaves; it is meant to go on.
            if matches!(state.view.phase, super::Phase::Paused(_)) {
                runs::pause(state, cx);
            }
            cx.emit(PersistenceCommand::Quit);
        }
        ClosingAnswer::Stop => {
            state.closing = Closing::Ending;
            runs::stop(state, cx);
        }
        ClosingAnswer::Cancel => state.closing = Closing::Nothing,
    }
}

/// Closes the window once the run has ended.
pub(super) fn tick(state: &mut State, cx: &mut Context) {
    if state.own.is_some() {
        return;
    }
    if std::mem::take(&mut state.closing) == Closing::Ending {
        cx.emit(PersistenceCommand::Quit);
    }
}

/// Draws the question when it is due.
pub fn show(ui: &Ui, state: &State, cx: &Context) {
    let state = state.closing;
    if !matches!(state, Closing::Asking | Closing::Ending) {
        return;
    }
    let mut said = None;
    let modal = Modal::new(Id::unique("a run is under way")).show(ui.ctx(), |ui| {
        ui.set_width(420.0);
        if state == Closing::Ending {
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
            if state == Closing::Asking && ui.button("Stop after a checkpoint").clicked() {
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
        cx.emit(TrainerCommand::Close(answer));
    }
}
