//! A sweep while it is drawn: its cells as work of the queue, and what comes of them.

use std::sync::Arc;

use mmface_engine::contract::Trail;
use mmface_engine::job::{Draw, Fork, Job, Sweep};
use mmface_engine::labels::LabelImage;
use mmface_engine::picture::RgbImage;
use mmface_engine::picture::resize::lanczos_rgb;

use super::State;
use super::export::{Export, Tile};
use super::{MANY, locality};
use crate::project::Library;
use crate::studio::announcement::{Announcement, Finished};
use crate::studio::command::GenerateCommand;
use crate::studio::command::ResultsCommand;
use crate::studio::context::Context;
use crate::studio::document::{Owner, Work, WorkId};
use crate::studio::facts::ModelStatus;
use crate::studio::submit::{submit as hand_in, tell_if_empty, tell_if_waiting};
use crate::studio::toast::Toast;

/// Side of a cell's picture in the grid on screen, pixels.
pub const SMALL: usize = 224;

/// Cells of one sweep are told apart by the lower bits of the owner's number.
const CELL_BITS: u32 = 16;

/// A sweep.
pub struct Run {
    /// Tells it from other sweeps of the session.
    pub number: u64,
    /// Axes and cells.
    pub sweep: Sweep,
    /// The job that all cells share but for the prompt.
    pub base: Job,
    /// Name of the model.
    pub model: String,
    /// Steps that all cells share.
    pub fork_step: usize,
    /// The cells in the sweep's order.
    pub cells: Vec<Cell>,
    /// The cell that is looked at.
    pub selected: Option<usize>,
    /// The regions by which changes are measured.
    mask: Option<Arc<LabelImage>>,
    /// Where the other cells go on from, once the first has come by.
    pub(super) fork: Option<Fork>,
    /// The person has heard that it is over.
    told: bool,
    pub(super) textures: Vec<Option<egui::TextureHandle>>,
}

/// A cell of the sweep.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// Its work, once it is submitted.
    pub work: Option<WorkId>,
    /// What has become of it.
    pub state: CellState,
}

/// What has become of a cell.
#[derive(Clone, Debug, Default)]
pub enum CellState {
    /// Waits, or is being drawn.
    #[default]
    Waiting,
    /// Is drawn and saved.
    Done {
        /// The picture.
        tile: Tile,
        /// The picture for the grid, and whether its changes are known.
        small: Option<Arc<RgbImage>>,
    },
    /// Could not be drawn, and why.
    Failed(String),
    /// Was not drawn.
    Cancelled,
}

impl Cell {
    /// The finished picture.
    pub fn tile(&self) -> Option<&Tile> {
        match &self.state {
            CellState::Done { tile, .. } => Some(tile),
            _ => None,
        }
    }

    fn waits(&self) -> bool {
        matches!(self.state, CellState::Waiting)
    }
}

impl Run {
    /// Whether cells are still to be drawn.
    pub fn is_busy(&self) -> bool {
        self.cells.iter().any(Cell::waits)
    }

    /// Cells that are drawn.
    pub fn finished(&self) -> usize {
        self.cells
            .iter()
            .filter(|cell| cell.tile().is_some())
            .count()
    }

    /// The job of a cell: seed, size and condition are the base's, so the noise is the same.
    pub fn job(&self, cell: usize) -> Job {
        let prompt = self.sweep.cells.get(cell).map(|cell| cell.prompt.clone());
        let fork = if cell == 0 { None } else { self.fork.clone() };
        Job {
            draw: Draw {
                prompt: prompt.unwrap_or_default(),
                ..self.base.draw.clone()
            },
            fork,
            ..self.base.clone()
        }
    }

    pub(super) fn owner(&self, cell: usize) -> Owner {
        Owner::Sweep(self.number << CELL_BITS | cell as u64)
    }

    /// Everything that an export needs.
    pub fn export(&self) -> Export {
        Export {
            sweep: self.sweep.clone(),
            base: self.base.clone(),
            model: self.model.clone(),
            fork_step: self.fork.as_ref().map_or(0, |fork| fork.step),
            tiles: self.cells.iter().map(|cell| cell.tile().cloned()).collect(),
        }
    }

    /// A file name for the grid, of the varied words.
    pub fn file_name(&self) -> String {
        let words = self.sweep.axes.iter().flatten();
        let plain: String = words
            .take(4)
            .flat_map(|word| word.chars().chain(['-']))
            .map(|c| if c.is_alphanumeric() { c } else { '-' })
            .take(48)
            .collect();
        format!("sweep-{}.png", plain.trim_matches('-'))
    }
}

/// Pictures of a prompt's sweep; an error in one line when it is none.
///
/// # Errors
/// As [`Sweep::parse`].
pub fn count(prompt: &str) -> Result<(usize, usize), String> {
    Sweep::parse(prompt.trim())
        .map(|sweep| (sweep.rows(), sweep.columns()))
        .map_err(|error| error.to_string())
}

/// Seconds that so many cells take, as far as the last steps tell.
pub fn estimate(cx: &Context, cells: usize) -> Option<f64> {
    let steps = cx.document.request.draw.steps;
    let shared = cx.document.fork_step.min(steps.saturating_sub(1));
    let all = (steps * cells).saturating_sub(shared * cells.saturating_sub(1));
    Some(cx.facts.drawing.step_seconds? * all as f64)
}

/// Starts the sweep of the prompt.
pub fn start(state: &mut State, cx: &mut Context, confirmed: bool) {
    state.asking = None;
    if state.is_busy() {
        let text = "the sweep at hand is still being drawn; wait for it, or cancel it";
        return cx.tell(Toast::Warning(text.into()));
    }
    cx.document.request.tidy();
    if let ModelStatus::Failed(why) = &cx.facts.model {
        let text = format!("there is no model to draw with: {why}");
        return cx.tell(Toast::Error(text));
    }
    let condition = cx.document.condition();
    let request = &cx.document.request;
    let mut base = request.job(condition);
    base.draw.count = 1;
    let sweep = match Sweep::parse(&base.draw.prompt) {
        Ok(sweep) => sweep,
        Err(error) => return cx.tell(Toast::Error(error.to_string())),
    };
    let count = sweep.cells.len();
    if count > MANY && !confirmed {
        state.asking = Some(count);
        return;
    }
    let prompt = request.draw.prompt.clone();
    // Other conditions have no regions; those that are painted beside them may serve.
    let mask = base.condition.mask().cloned();
    let mask = mask.unwrap_or_else(|| cx.document.painter.drawing().label_image());
    let mask = Some(mask).filter(|mask| mask.labels.iter().any(|class| *class != 0));
    let fork_step = cx.document.fork_step.min(base.draw.steps.saturating_sub(1));
    state.last += 1;
    let run = Run {
        number: state.last,
        model: cx
            .facts
            .model
            .ready()
            .map_or_else(String::new, |model| model.name.clone()),
        cells: vec![Cell::default(); count],
        selected: None,
        mask: mask.map(Arc::new),
        fork: None,
        told: false,
        textures: vec![None; count],
        fork_step,
        sweep,
        base,
    };
    tell_if_empty(cx, &run.base.condition);
    cx.emit(GenerateCommand::Used(prompt, run.base.draw.seed));
    cx.document.request.next_seed();
    state.run = Some(run);
    state.open = true;
    // With a fork the others wait for the first to show the way.
    let first = if fork_step > 0 { 1 } else { count };
    if fork_step > 0 {
        cx.keep_trails(cx.document.request.draw.steps);
    }
    submit(state, cx, 0..first);
    tell_if_waiting(cx);
}

fn submit(state: &mut State, cx: &mut Context, cells: std::ops::Range<usize>) {
    for cell in cells {
        let Some(run) = &state.run else {
            return;
        };
        if !run.cells.get(cell).is_some_and(Cell::waits) {
            continue;
        }
        let work = Work {
            job: run.job(cell),
            owner: run.owner(cell),
            template: Some(run.sweep.template.clone()),
        };
        let work = hand_in(cx, work);
        let Some(run) = &mut state.run else {
            return;
        };
        match work {
            Some(work) => run.cells[cell].work = Some(work),
            None => {
                for cell in run.cells.iter_mut().skip(cell).filter(|cell| cell.waits()) {
                    cell.state = CellState::Failed("the queue took no more work".into());
                }
                return over(state, cx);
            }
        }
    }
}

/// Draws no more cells. The one that is being drawn ends within a step.
pub fn cancel(state: &mut State, cx: &mut Context) {
    let Some(run) = &mut state.run else {
        return;
    };
    let mut works = Vec::new();
    for cell in run.cells.iter_mut().filter(|cell| cell.waits()) {
        match cell.work {
            Some(work) => works.push(work),
            None => cell.state = CellState::Cancelled,
        }
    }
    // From the end, so that no cell begins only to be cancelled.
    for work in works.into_iter().rev() {
        cx.emit(GenerateCommand::Remove(work));
    }
    over(state, cx);
}

/// Looks at a cell: its picture is shown on the canvas and chosen in the filmstrip.
pub fn select(state: &mut State, cx: &mut Context, cell: usize) {
    let Some(file) = file(state, cx, cell) else {
        return;
    };
    if let Some(run) = &mut state.run {
        run.selected = Some(cell);
    }
    cx.emit(ResultsCommand::Select(file));
}

/// Compares the cell that is looked at with the first, as any two results.
pub fn compare_large(state: &mut State, cx: &mut Context) {
    let selected = state.run.as_ref().and_then(|run| run.selected);
    let files = selected.and_then(|cell| Some((file(state, cx, 0)?, file(state, cx, cell)?)));
    match files {
        Some((first, other)) if first != other => {
            cx.emit(ResultsCommand::Select(first));
            cx.emit(ResultsCommand::Toggle(other));
            cx.emit(ResultsCommand::CompareChosen);
        }
        _ => {
            let text = "click a finished picture of the sweep other than the first";
            cx.tell(Toast::Info(text.into()));
        }
    }
}

/// The name of a finished cell's file in the library.
fn file(state: &State, cx: &Context, cell: usize) -> Option<String> {
    let run = state.run.as_ref()?;
    let tile = run.cells.get(cell)?.tile()?;
    let name = tile.file.strip_prefix(&cx.services.folders.results).ok()?;
    Some(name.to_string_lossy().replace('\\', "/"))
}

/// How a picture or a whole work of a sweep ended.
enum Outcome<'a> {
    Saved(&'a Finished),
    Failed(&'a str),
    Cancelled,
}

/// Takes in how a picture or a whole work of a sweep ended.
pub fn announced(state: &mut State, announcement: &Announcement, cx: &mut Context) {
    let (owner, work, outcome) = match announcement {
        Announcement::PictureSaved(finished) => {
            (finished.owner, finished.work, Outcome::Saved(finished))
        }
        Announcement::WorkFailed { work, owner, why } => (*owner, *work, Outcome::Failed(why)),
        Announcement::WorkCancelled { work, owner } => (*owner, *work, Outcome::Cancelled),
        _ => return,
    };
    if let Owner::Sweep(number) = owner {
        ended(state, cx, number, work, &outcome);
    }
}

fn ended(state: &mut State, cx: &mut Context, number: u64, work: WorkId, outcome: &Outcome<'_>) {
    let folders = &cx.services.folders;
    let library = Library::new(&folders.results, &folders.cache);
    let Some(run) = &mut state.run else {
        return;
    };
    let index = (number & ((1 << CELL_BITS) - 1)) as usize;
    if number >> CELL_BITS != run.number {
        return; // Of an earlier sweep: its pictures are in the library.
    }
    let Some(cell) = run.cells.get_mut(index) else {
        return;
    };
    cell.work = Some(work);
    match outcome {
        Outcome::Saved(finished) => {
            cell.state = CellState::Done {
                tile: Tile {
                    image: Arc::clone(&finished.picture),
                    file: library.path(&finished.entry.file),
                    changes: Vec::new(),
                },
                small: None,
            };
            if index == 0 {
                go_on(state, cx);
            }
            compare(state, cx);
        }
        Outcome::Failed(why) => {
            cell.state = CellState::Failed((*why).to_owned());
            if index == 0 {
                go_on(state, cx);
            }
        }
        // A cell that was saved before the rest of its work was dropped stays.
        Outcome::Cancelled if cell.waits() => {
            cell.state = CellState::Cancelled;
            if index == 0 {
                give_up(state, cx);
            }
        }
        Outcome::Cancelled => {}
    }
    over(state, cx);
}

/// The first cell is done: the others begin where it came by.
fn go_on(state: &mut State, cx: &mut Context) {
    let Some(run) = &state.run else {
        return;
    };
    if run.fork_step == 0 {
        return;
    }
    let count = run.cells.len();
    cx.keep_trails(0);
    let Some(run) = &state.run else {
        return;
    };
    if run.fork.is_none() {
        let text = "the first cell left no step to go on from; the cells share the noise only";
        cx.tell(Toast::Warning(text.into()));
    }
    submit(state, cx, 1..count);
}

/// Hears of the way to a picture: where the first cell came by, the others begin.
pub fn on_trail(state: &mut State, trail: &Trail, cx: &Context) {
    let drawn = cx.facts.drawing.running.map(|running| running.work);
    let Some(run) = &mut state.run else {
        return;
    };
    let first = run.cells.first().and_then(|cell| cell.work);
    if run.fork_step == 0 || first.is_none() || first != drawn {
        return;
    }
    // The latest point that is not beyond the wanted one; the engine may keep fewer.
    let points = trail.steps.iter().map(|step| &step.fork);
    let usable = points.filter(|fork| fork.step <= run.fork_step);
    run.fork = usable.max_by_key(|fork| fork.step).cloned();
}

/// The first cell was cancelled: cells that wait for it are not drawn either.
fn give_up(state: &mut State, cx: &mut Context) {
    cx.keep_trails(0);
    if let Some(run) = &mut state.run {
        let unsent = |cell: &&mut Cell| cell.waits() && cell.work.is_none();
        for cell in run.cells.iter_mut().filter(unsent) {
            cell.state = CellState::Cancelled;
        }
    }
}

/// Measures what changed in cells that are new, beside the GUI thread.
fn compare(state: &mut State, cx: &mut Context) {
    let Some(run) = &state.run else {
        return;
    };
    let number = run.number;
    let first = run.cells.first().and_then(Cell::tile);
    let first = first.map(|tile| Arc::clone(&tile.image));
    let mask = run.mask.clone();
    let mut due: Vec<(usize, Arc<RgbImage>)> = Vec::new();
    for (index, cell) in run.cells.iter().enumerate() {
        if let CellState::Done { tile, small } = &cell.state {
            let unmeasured = index > 0 && first.is_some() && tile.changes.is_empty();
            if small.is_none() || unmeasured {
                due.push((index, Arc::clone(&tile.image)));
            }
        }
    }
    if due.is_empty() {
        return;
    }
    cx.spawn(&state.inbox, "comparing the cells", move || {
        let measured: Vec<_> = due
            .into_iter()
            .map(|(index, image)| {
                let changes = match &first {
                    Some(first) if index > 0 => locality::changes(first, &image, mask.as_deref()),
                    _ => Vec::new(),
                };
                let side = SMALL.min(image.width.max(1));
                (index, changes, Arc::new(lanczos_rgb(&image, side, side)))
            })
            .collect();
        move |state: &mut State, _: &mut Context| {
            let run = state.run.as_mut();
            let Some(run) = run.filter(|run| run.number == number) else {
                return;
            };
            for (index, changes, picture) in measured {
                if let Some(CellState::Done { tile, small }) =
                    run.cells.get_mut(index).map(|cell| &mut cell.state)
                {
                    if !changes.is_empty() {
                        tile.changes = changes;
                    }
                    small.get_or_insert(picture);
                }
            }
        }
    });
}

/// Tells the person once that nothing more comes.
fn over(state: &mut State, cx: &mut Context) {
    let Some(run) = &mut state.run else {
        return;
    };
    if run.is_busy() || std::mem::replace(&mut run.told, true) {
        return;
    }
    let (finished, all) = (run.finished(), run.cells.len());
    cx.tell(if finished == all {
        Toast::Success(format!("the sweep is complete: {all} pictures"))
    } else {
        Toast::Info(format!(
            "{finished} of {all} pictures of the sweep are drawn"
        ))
    });
}
