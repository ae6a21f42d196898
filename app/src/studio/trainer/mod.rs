//! Training runs: the trainer as a child process, its plan, its curves and samples.
//!
//! The trainer is another program and stays one: `child` starts it and reads what it says, `side`
//! runs its short commands (plan, preparing data, export), `runs` the run itself, `outside` the run
//! of another process, `view` folds the
//! run's events into what is shown. A trainer that crashes is a message and nothing more. `ask`
//! and `closing` are the two questions: who has the device, and what becomes of a run when the
//! window closes; `later` holds what begins anew after the pictures.

pub mod ask;
pub mod child;
pub mod closing;
pub mod curves;
mod form_panel;
mod later;
mod outside;
pub mod panel;
mod plots;
mod run_panel;
mod runs;
pub mod sheets;
pub mod side;
mod table;
pub mod view;
mod words;

use std::path::{Path, PathBuf};
use std::time::Duration;

use mmface_run_protocol::{TrainCommand, plan::PresetSummary, run_folder};

use super::settings::training::{Field, Form, Problems};
pub use runs::Begin;
pub use view::{Phase, View};

use super::announcement::Announcement;
use super::command::{TrainerCommand, Workspace};
use super::dialogs::{Ask, AskKind};
use super::dispatcher::Studio;
use super::toast::Toast;

/// The longest that news of a run wait for their frame: ten frames a second.
const FRAME: Duration = Duration::from_millis(100);

/// The feature's state.
#[derive(Default)]
pub struct State {
    /// The trainer; `None` while it was not found.
    pub program: Option<PathBuf>,
    /// Configurations that the trainer brings.
    pub presets: Vec<PresetSummary>,
    /// Short commands of the trainer that are under way.
    pub sides: Vec<side::Side>,
    /// The newest plan, and the form that it belongs to.
    pub plan: Option<side::Planned>,
    /// Why the last short command failed.
    pub problem: Option<String>,
    /// What is wrong with the form.
    pub problems: Problems,
    /// The run on screen.
    pub view: View,
    /// The last words of a trainer that failed.
    pub last_words: String,
    /// A start that waits until pictures are drawn.
    pub waiting: Option<Begin>,
    /// Who has the device.
    pub sharing: ask::State,
    /// What becomes of the run when the window closes.
    pub closing: closing::State,
    /// The sheets of samples on screen.
    pub sheets: sheets::State,
    later: Vec<later::Later>,
    own: Option<runs::Own>,
    follow: Option<outside::Follow>,
    /// The form that `problems` belongs to, and whether empty fields counted.
    checked: Option<(Form, bool)>,
    /// The person asked for a plan: empty fields are told.
    eager: bool,
    /// The tab was opened once.
    seen: bool,
}

impl State {
    /// Whether a run of this studio's own is under way.
    pub fn has_child(&self) -> bool {
        self.own.is_some()
    }

    /// Whether another process trains in the folder on screen.
    pub fn is_foreign(&self) -> bool {
        self.follow.is_some()
    }

    /// The plan, if it belongs to this form.
    pub fn plan_of(&self, form: &Form) -> Option<&side::Planned> {
        self.plan.as_ref().filter(|planned| planned.form == *form)
    }
}

use TrainerCommand as Do;

/// Does what the command says.
pub fn run(studio: &mut Studio, command: TrainerCommand) {
    match command {
        Do::Plan => {
            studio.context.workspace = Workspace::Trainer;
            side::plan(studio);
        }
        Do::Prepare => {
            studio.context.workspace = Workspace::Trainer;
            side::prepare(studio);
        }
        Do::Start => {
            studio.context.workspace = Workspace::Trainer;
            runs::begin(studio, Begin::Fresh);
        }
        Do::Resume => {
            studio.context.workspace = Workspace::Trainer;
            runs::begin(studio, Begin::Resume);
        }
        Do::DropWaiting => {
            studio.trainer.waiting = None;
            side::drop_later(studio);
        }
        Do::Pause => runs::pause(studio),
        Do::Stop => runs::stop(studio),
        Do::Checkpoint => runs::tell(studio, TrainCommand::Checkpoint),
        Do::Sample => runs::tell(studio, TrainCommand::Sample),
        Do::StopSide(index) => {
            if let Some(side) = studio.trainer.sides.get_mut(index) {
                side.put_off = false;
                side.stop();
            }
        }
        Do::Choose(field) => choose(studio, field),
        Do::Set(field, path) => {
            *studio.context.settings.trainer.text(field) = path.display().to_string();
            if field == Field::Program {
                find_program(studio);
            }
        }
        Do::Find => find_program(studio),
        Do::Open => {
            studio.context.workspace = Workspace::Trainer;
            let ask = Ask {
                title: "The folder of a run".into(),
                kind: AskKind::Folder,
                filter: None,
                name: String::new(),
            };
            studio.ask(&ask, |studio, path| studio.emit(Do::OpenRun(path)));
        }
        Do::OpenRun(path) => runs::open(studio, path),
        Do::Use(step) => side::export(studio, step),
        Do::ShowFolder(path) => super::show_folder::show(&mut studio.context, path),
        Do::Share(answer) => ask::answer(studio, answer),
        Do::SetSharing(choice) => ask::set(studio, choice),
        Do::AskToClose => closing::ask(studio),
        Do::Close(answer) => closing::answer(studio, answer),
    }
}

fn choose(studio: &mut Studio, field: Field) {
    let kind = match field {
        Field::Program | Field::Config => AskKind::Open,
        _ => AskKind::Folder,
    };
    let filter = (field == Field::Config).then(|| {
        let endings = ["ron", "yaml", "yml"].map(str::to_owned).to_vec();
        ("Configuration".to_owned(), endings)
    });
    let ask = Ask {
        title: field.title().into(),
        kind,
        filter,
        name: String::new(),
    };
    studio.ask(&ask, move |studio, path| {
        studio.emit(Do::Set(field, path));
    });
}

/// Looks where the trainer is, and asks it what it brings.
fn find_program(studio: &mut Studio) {
    studio.trainer.program = child::find(&studio.context.settings.trainer.program);
    studio.trainer.presets.clear();
    if studio.trainer.program.is_some() {
        side::presets(studio);
    }
}

/// Takes in what the trainer's processes said; called before each frame, whatever is on screen.
pub fn tick(studio: &mut Studio) {
    if studio.context.workspace == Workspace::Trainer
        && !std::mem::replace(&mut studio.trainer.seen, true)
    {
        find_program(studio);
        // A run that was left running, or that ended meanwhile.
        let out = studio.context.settings.trainer.out();
        if let Some(out) = out.filter(|out| run_folder::metrics(out).is_file()) {
            runs::open(studio, out);
        }
    }
    side::tick(studio);
    runs::tick(studio);
    ask::tick(studio);
    closing::tick(studio);
    check_form(studio);
    publish(studio);
}

/// Takes in what has happened elsewhere.
pub fn announced(studio: &mut Studio, announcement: &Announcement) {
    if let Announcement::DeviceWanted = announcement {
        ask::wanted(studio);
    }
}

/// Tells others what training takes: whenever that may have changed.
pub fn publish(studio: &mut Studio) {
    ask::publish(studio);
    closing::publish(studio);
}

/// Looks at the form again when it has changed.
fn check_form(studio: &mut Studio) {
    if studio.context.workspace != Workspace::Trainer {
        return;
    }
    let (form, state) = (&studio.context.settings.trainer, &mut studio.trainer);
    let same = state
        .checked
        .as_ref()
        .is_some_and(|(of, eager)| of == form && *eager == state.eager);
    if !same {
        state.problems = form.problems(state.eager);
        state.checked = Some((form.clone(), state.eager));
    }
}

/// Looks at the whole form now, empty fields too; tells whether it can be used.
fn is_usable(studio: &mut Studio, ignore: &[Field]) -> bool {
    studio.trainer.eager = true;
    studio.trainer.checked = None;
    check_form(studio);
    let problem = studio.context.settings.trainer.problems(true);
    let problem = problem
        .into_iter()
        .find(|(field, _)| !ignore.contains(field));
    match problem {
        Some((field, what)) => {
            studio.tell(Toast::Warning(format!("{}: {what}", field.title())));
            false
        }
        None => true,
    }
}

/// The trainer, or the sentence that says how to get it.
fn program(studio: &mut Studio) -> Option<PathBuf> {
    if studio.trainer.program.is_none() {
        studio.trainer.program = child::find(&studio.context.settings.trainer.program);
    }
    if studio.trainer.program.is_none() {
        studio.tell(Toast::Error(panel::ABSENT.into()));
    }
    studio.trainer.program.clone()
}

/// Asks for a frame soon, from any thread.
fn wake(studio: &Studio) -> impl Fn() + Send + Sync + use<> {
    let ctx = studio.context.ctx.clone();
    move || ctx.request_repaint_after(FRAME)
}

/// Whether two paths name the same place, as far as that can be told without looking far.
fn same_place(a: &Path, b: &Path) -> bool {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute(a) == absolute(b)
}
