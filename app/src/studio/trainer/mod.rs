//! Training runs: the trainer as a child process, its plan, its curves and samples.
//!
//! The trainer is another program and stays one: `child` starts it and reads what it says, `helper`
//! starts its short commands, `requests` says what for (plan, preparing data, export), `runs` is the run
//! itself, `remote_run` and `run_tail` steer and follow the run of another process, `view` folds the run's events into what is shown. A trainer that crashes is a message and nothing more. `device_sharing`
//! and `closing` are the two questions: who has the device, and what becomes of a run when the
//! window closes; `deferred` holds what begins anew after the pictures.

pub mod child;
pub mod closing;
pub mod curves;
mod deferred;
pub mod device_sharing;
mod form_panel;
mod format;
pub mod helper;
pub mod panel;
mod plots;
mod remote_run;
pub mod requests;
mod run_panel;
mod run_tail;
mod runs;
pub mod sheets;
mod table;
pub mod view;

use std::path::{Path, PathBuf};
use std::time::Duration;

use mmface_run_protocol::{TrainCommand, plan::PresetSummary, run_folder};

use super::settings::training::{Field, Form, Problems};
pub use view::{Phase, View};

use super::announcement::Announcement;
use super::command::{Begin, TrainerCommand, Workspace};
use super::context::{Context, Inbox};
use super::dialogs::{Ask, AskKind};
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
    pub helpers: Vec<helper::Helper>,
    /// The newest plan, and the form that it belongs to.
    pub plan: Option<requests::Planned>,
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
    pub sharing: device_sharing::DeviceSharing,
    /// What becomes of the run when the window closes.
    pub closing: closing::Closing,
    /// The sheets of samples on screen.
    pub sheets: sheets::Sheets,
    deferred: Vec<deferred::Deferred>,
    own: Option<runs::Own>,
    follow: Option<remote_run::Follow>,
    /// The form that `problems` belongs to, and whether empty fields counted.
    checked: Option<(Form, bool)>,
    /// The person asked for a plan: empty fields are told.
    eager: bool,
    /// The tab was opened once.
    seen: bool,
    /// What came of slow work.
    pub inbox: Inbox<State>,
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
    pub fn plan_of(&self, form: &Form) -> Option<&requests::Planned> {
        self.plan.as_ref().filter(|planned| planned.form == *form)
    }
}

use TrainerCommand as Do;

/// Does what the command says.
pub fn handle(state: &mut State, command: TrainerCommand, cx: &mut Context) {
    act(state, command, cx);
    publish(state, cx);
}

fn act(state: &mut State, command: TrainerCommand, cx: &mut Context) {
    match command {
        Do::Plan => {
            cx.workspace = Workspace::Trainer;
            requests::plan(state, cx);
        }
        Do::Prepare => {
            cx.workspace = Workspace::Trainer;
            requests::prepare(state, cx);
        }
        Do::Start => {
            cx.workspace = Workspace::Trainer;
            runs::begin(state, cx, Begin::Fresh);
        }
        Do::Resume => {
            cx.workspace = Workspace::Trainer;
            runs::begin(state, cx, Begin::Resume);
        }
        Do::DropWaiting => {
            state.waiting = None;
            requests::drop_later(state);
        }
        Do::Launch(begin) => runs::launch(state, cx, begin),
        Do::PrepareNow => requests::start_preparing(state, cx),
        Do::GoOn => runs::tell(state, cx, TrainCommand::Resume),
        Do::Pause => runs::pause(state, cx),
        Do::Stop => runs::stop(state, cx),
        Do::Checkpoint => runs::tell(state, cx, TrainCommand::Checkpoint),
        Do::Sample => runs::tell(state, cx, TrainCommand::Sample),
        Do::StopHelper(index) => {
            if let Some(helper) = state.helpers.get_mut(index) {
                helper.put_off = false;
                helper.stop();
            }
        }
        Do::Choose(field) => choose(state, cx, field),
        Do::Set(field, path) => {
            *cx.settings.trainer.text(field) = path.display().to_string();
            if field == Field::Program {
                find_program(state, cx);
            }
        }
        Do::Form(form) => cx.settings.trainer = *form,
        Do::Find => find_program(state, cx),
        Do::Open => {
            cx.workspace = Workspace::Trainer;
            let ask = Ask {
                title: "The folder of a run".into(),
                kind: AskKind::Folder,
                filter: None,
                name: String::new(),
            };
            cx.ask(&state.inbox, &ask, |_: &mut State, cx, path| {
                cx.emit(Do::OpenRun(path))
            });
        }
        Do::OpenRun(path) => runs::open(state, cx, path),
        Do::Use(step) => requests::export(state, cx, step),
        Do::ReadSheet(path) => sheets::load(state, cx, path),
        Do::ShowFolder(path) => super::show_folder::show(cx, path),
        Do::Share(answer) => device_sharing::answer(state, cx, answer),
        Do::SetSharing(choice) => device_sharing::set(state, cx, choice),
        Do::AskToClose => closing::ask(state),
        Do::Close(answer) => closing::answer(state, cx, answer),
    }
}

fn choose(state: &mut State, cx: &mut Context, field: Field) {
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
    cx.ask(&state.inbox, &ask, move |_: &mut State, cx, path| {
        cx.emit(Do::Set(field, path));
    });
}

/// Looks where the trainer is, and asks it what it brings.
fn find_program(state: &mut State, cx: &mut Context) {
    state.program = child::find(&cx.settings.trainer.program);
    state.presets.clear();
    if state.program.is_some() {
        requests::presets(state, cx);
    }
}

/// Takes in what the trainer's processes said; called before each frame, whatever is on screen.
pub fn tick(state: &mut State, cx: &mut Context) {
    if cx.workspace == Workspace::Trainer && !std::mem::replace(&mut state.seen, true) {
        find_program(state, cx);
        // A run that was left running, or that ended meanwhile.
        let out = cx.settings.trainer.out();
        if let Some(out) = out.filter(|out| run_folder::metrics(out).is_file()) {
            runs::open(state, cx, out);
        }
    }
    requests::tick(state, cx);
    runs::tick(state, cx);
    run_tail::tick(state, cx);
    device_sharing::tick(state, cx);
    closing::tick(state, cx);
    check_form(state, cx);
    publish(state, cx);
}

/// Takes in what has happened elsewhere.
pub fn announced(state: &mut State, announcement: &Announcement, cx: &mut Context) {
    if let Announcement::DeviceWanted = announcement {
        device_sharing::wanted(state, cx);
    }
}

/// Tells others what training takes: whenever that may have changed.
fn publish(state: &mut State, cx: &mut Context) {
    device_sharing::publish(state, cx);
    closing::publish(state, cx);
}

/// Looks at the form again when it has changed.
fn check_form(state: &mut State, cx: &mut Context) {
    if cx.workspace != Workspace::Trainer {
        return;
    }
    let (form, state) = (&cx.settings.trainer, state);
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
fn is_usable(state: &mut State, cx: &mut Context, ignore: &[Field]) -> bool {
    state.eager = true;
    state.checked = None;
    check_form(state, cx);
    let problem = cx.settings.trainer.problems(true);
    let problem = problem
        .into_iter()
        .find(|(field, _)| !ignore.contains(field));
    match problem {
        Some((field, what)) => {
            cx.tell(Toast::Warning(format!("{}: {what}", field.title())));
            false
        }
        None => true,
    }
}

/// The trainer, or the sentence that says how to get it.
fn program(state: &mut State, cx: &mut Context) -> Option<PathBuf> {
    if state.program.is_none() {
        state.program = child::find(&cx.settings.trainer.program);
    }
    if state.program.is_none() {
        cx.tell(Toast::Error(panel::ABSENT.into()));
    }
    state.program.clone()
}

/// Asks for a frame soon, from any thread.
fn wake(cx: &Context) -> impl Fn() + Send + Sync + use<> {
    let ctx = cx.ctx.clone();
    move || ctx.request_repaint_after(FRAME)
}

/// Whether two paths name the same place, as far as that can be told without looking far.
fn same_place(a: &Path, b: &Path) -> bool {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute(a) == absolute(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studio::command::{ClosingAnswer, Sharing};
    use crate::studio::outbox::Message;
    use crate::studio::testing;

    #[test]
    fn a_start_with_an_empty_form_says_what_is_missing() {
        let home = tempfile::tempdir().expect("a folder");
        let mut cx = testing::context(home.path());
        let mut state = State::default();
        let form = Form {
            program: "no such trainer".into(),
            ..Form::default()
        };
        handle(&mut state, Do::Form(Box::new(form.clone())), &mut cx);
        assert_eq!(cx.settings.trainer, form);
        handle(&mut state, Do::Start, &mut cx);
        assert_eq!(cx.workspace, Workspace::Trainer);
        assert!(!state.has_child());
        assert!(state.problems.iter().any(|(field, _)| *field == Field::Out));
    }

    #[test]
    fn without_a_run_nothing_holds_the_device_or_the_window() {
        let home = tempfile::tempdir().expect("a folder");
        let mut cx = testing::context(home.path());
        let mut state = State::default();
        let pause = Do::SetSharing(Some(Sharing::Pause));
        handle(&mut state, pause, &mut cx);
        announced(&mut state, &Announcement::DeviceWanted, &mut cx);
        assert!(!cx.facts.training.uses_device && !cx.facts.training.holds_window);
        let sent = testing::sent(&cx);
        let free =
            |message: &Message| matches!(message, Message::Announcement(Announcement::DeviceFree));
        assert!(!sent.is_empty() && sent.iter().all(free), "{sent:?}");
        handle(&mut state, Do::AskToClose, &mut cx);
        assert_eq!(state.closing, closing::Closing::Asking);
        handle(&mut state, Do::Close(ClosingAnswer::Cancel), &mut cx);
        assert_eq!(state.closing, closing::Closing::Nothing);
    }
}
