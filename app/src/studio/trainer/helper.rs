//! Short commands of the trainer as processes: what they are for, and how one is started.

use mmface_run_protocol::Preparing;

use super::State;
use super::child::{Child, Launch};
use super::{program, wake};
use crate::studio::context::Context;
use crate::studio::settings::training::Form;

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
pub struct Helper {
    /// What it is for.
    pub kind: Kind,
    /// How far it is.
    pub progress: Option<Preparing>,
    /// It ends for the sake of pictures and begins anew after them.
    pub(super) put_off: bool,
    pub(super) arguments: Vec<String>,
    pub(super) child: Child,
    pub(super) lines: Vec<String>,
    pub(super) failure: Option<String>,
}

impl Helper {
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
pub(super) fn start(state: &mut State, cx: &mut Context, kind: Kind, arguments: Vec<String>) {
    let Some(program) = program(state, cx) else {
        return;
    };
    let launch = Launch {
        program,
        arguments: arguments.clone(),
        log: cx.services.folders.cache.join("trainer.log"),
    };
    match Child::start(&launch, wake(cx)) {
        Ok(child) => state.helpers.push(Helper {
            kind,
            progress: None,
            put_off: false,
            arguments,
            child,
            lines: Vec::new(),
            failure: None,
        }),
        Err(why) => state.problem = Some(why),
    }
}

/// Whether a command of a kind is under way.
pub(super) fn is_busy(state: &State, of: impl Fn(&Kind) -> bool) -> bool {
    state.helpers.iter().any(|helper| of(&helper.kind))
}
