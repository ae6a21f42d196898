//! What computes, in one sentence.

use super::context::Context;
use super::facts::ModelStatus;
use super::settings::Processor;

/// What computes, and why.
pub(super) fn reason(cx: &Context) -> String {
    let chosen = cx.settings.processor;
    match &cx.facts.model {
        ModelStatus::Ready(model) => {
            let fallen = cx.facts.no_card.as_ref();
            if let Some(why) = fallen {
                let card = chosen.title();
                return format!(
                    "At work on {}, because {why}; {card} is tried again at the next start",
                    model.device
                );
            }
            let why = match (&model.note, chosen) {
                (Some(note), _) => note.clone(),
                (None, Processor::Auto) if model.device.starts_with("cuda") => {
                    "the first NVIDIA card that answered".into()
                }
                (None, Processor::Auto) if cfg!(feature = "cuda") => "no card is asked for".into(),
                (None, Processor::Auto) => "this program was built without CUDA".into(),
                (None, _) => "as chosen".into(),
            };
            format!("At work on {}: {why}", model.device)
        }
        ModelStatus::Failed(why) => format!("Not at work: {why}"),
        _ => "The engine is starting…".into(),
    }
}
