//! Installed models, and the one that is loaded.

pub mod panel;

use std::sync::Arc;

use mmface_engine::Error;
use mmface_engine::pipeline::ModelSummary;
use mmface_engine::worker::{Event, LoadId, ModelRef};

use super::actions::Action;
use super::state::Studio;
use super::toast::Toast;

/// What the engine says of its model.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Status {
    /// Nothing was asked for.
    #[default]
    Nothing,
    /// It is being loaded.
    Loading {
        /// How much is done, 0..=1.
        fraction: f32,
        /// The part at hand.
        what: String,
    },
    /// Jobs run on it.
    Ready(Arc<ModelSummary>),
    /// It could not be loaded: why, and what to do.
    Failed(String),
}

/// The feature's state.
#[derive(Debug, Default)]
pub struct State {
    /// The model of the engine.
    pub status: Status,
    /// The load that was asked for last; events of older ones mean nothing any more.
    load: Option<LoadId>,
}

impl State {
    /// The loaded model.
    pub fn ready(&self) -> Option<&Arc<ModelSummary>> {
        match &self.status {
            Status::Ready(summary) => Some(summary),
            _ => None,
        }
    }
}

/// The feature's actions.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelsCommand {
    /// Loads a model in place of the one before.
    Load(ModelRef),
}

/// Named actions.
pub const ACTIONS: &[Action] = &[];

/// Does what the command says.
pub fn run(studio: &mut Studio, command: ModelsCommand) {
    match command {
        ModelsCommand::Load(model) => {
            studio.models.load = studio.load_model(model);
            studio.models.status = match (&studio.models.load, &studio.services.engine) {
                (None, Err(why)) => Status::Failed(format!("the engine did not start: {why}")),
                _ => Status::Loading {
                    fraction: 0.0,
                    what: "model".into(),
                },
            };
        }
    }
}

/// Loads the model of the settings.
pub fn start(studio: &mut Studio) {
    let model = match studio.settings.model.as_str() {
        "" => ModelRef::Bundled,
        name => ModelRef::Named(name.into()),
    };
    run(studio, ModelsCommand::Load(model));
}

/// Takes in an event of loading.
pub fn on_event(studio: &mut Studio, event: Event) {
    let mine = studio.models.load;
    match event {
        Event::Loading {
            load,
            fraction,
            what,
        } if Some(load) == mine => {
            studio.models.status = Status::Loading { fraction, what };
        }
        Event::Ready { load, summary } if Some(load) == mine => {
            studio.models.status = Status::Ready(summary.into());
        }
        Event::LoadFailed { load, error } if Some(load) == mine => {
            let why = match error {
                Error::Cancelled => "loading was given up; load a model in Models".to_string(),
                error => error.to_string(),
            };
            studio.tell(Toast::Error(format!(
                "the model could not be loaded: {why}"
            )));
            studio.models.status = Status::Failed(why);
        }
        _ => {}
    }
}
