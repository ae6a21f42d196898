//! What the next picture takes of the memory, against what is free: said before it is begun.

use mmface_engine::format::bytes as size;

use super::State;
use crate::studio::context::Context;
use crate::studio::document::request::smaller_size;
use crate::studio::model_memory::Memory;

/// How long an answer of the system is good for, seconds.
const FRESH: f64 = 2.0;

/// What is free, and when it was asked.
#[derive(Default)]
pub(super) struct Asked(Option<(f64, Option<u64>)>);

/// The memory of the next picture. The weights of the loaded model are there already: what is
/// still to be taken is the decode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Room {
    side: usize,
    decoding: u64,
    model: u64,
    free: Option<u64>,
    /// The largest smaller side that fits, when this one does not.
    fits: Option<usize>,
}

/// Of the loaded model; `None` while its numbers are not known.
pub(super) fn next(state: &mut State, cx: &Context) -> Option<Room> {
    let model = cx.facts.model.ready()?;
    // What a card has free is not known; what is too large for it is decoded in tiles.
    let on_card = model.device.starts_with("cuda");
    let memory = cx.facts.model_memory.clone()?;
    let side = cx.document.request.draw.size;
    let free = if on_card { None } else { free(state, cx) };
    Some(Room::new(&memory, side, free))
}

fn free(state: &mut State, cx: &Context) -> Option<u64> {
    let (now, ask) = (cx.now, cx.services.free_memory);
    let asked = &mut state.view.free.0;
    match *asked {
        Some((at, free)) if now - at < FRESH => free,
        _ => {
            let free = ask();
            *asked = Some((now, free));
            free
        }
    }
}

impl Room {
    fn new(memory: &Memory, side: usize, free: Option<u64>) -> Self {
        let fits = |side: usize| free.is_none_or(|free| memory.decoding(side) <= free);
        let smaller = std::iter::successors(smaller_size(side), |&side| smaller_size(side));
        Self {
            side,
            decoding: memory.decoding(side),
            model: memory.weights(),
            free,
            fits: smaller.into_iter().find(|&side| fits(side)),
        }
    }

    /// For the button's tooltip.
    pub(super) fn words(&self) -> String {
        let free = match self.free {
            Some(free) => format!("{} are free", size(free)),
            None => "what is free is not known".into(),
        };
        format!(
            "Memory: decoding {} px takes about {}, {free}; the model itself holds about {}",
            self.side,
            size(self.decoding),
            size(self.model)
        )
    }

    /// When it does not fit: one short line, and what can be done.
    pub(super) fn warning(&self) -> Option<(String, String)> {
        let free = self.free.filter(|free| self.decoding > *free)?;
        let (needed, free) = (size(self.decoding), size(free));
        let (short, choose) = match self.fits {
            Some(side) => (
                format!("{needed} needed, {free} free: {side} px fit"),
                format!("choose {side} px, or close other programs"),
            ),
            None => (
                format!("{needed} of memory needed, {free} free"),
                "close other programs".into(),
            ),
        };
        let whole = format!(
            "Decoding {} px takes about {needed} of memory, {free} are free: {choose}. Otherwise it is tried again with a decode in tiles, which takes longer.",
            self.side
        );
        Some((short, whole))
    }
}
