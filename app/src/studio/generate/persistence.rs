//! The files of this feature: the queue, so that a crash loses no job, and the prompt history. Both
//! are read and written beside the GUI thread.

use std::path::{Path, PathBuf};

use crossbeam_channel::{Receiver, Sender, unbounded};
use mmface_engine::file::{self, Lock, Locked};

use super::State;
use super::history::{self, Used};
use crate::project::writer::Writer;
use crate::project::{Queue, QueueFile, QueueKeeper, Report};
use crate::studio::context::Context;
use crate::studio::toast::Toast;

/// Studios that may run side by side, each with a queue file of its own.
const SLOTS: usize = 8;

/// Keeps the files up to date. Without one (still being read, no folder) nothing is written.
#[derive(Default)]
pub struct Files {
    queue: Option<QueueKeeper>,
    history: Option<Writer<Vec<Used>>>,
    reports: Option<Receiver<(&'static str, Report)>>,
    /// Held for as long as the queue's file is ours.
    _lock: Option<Lock>,
}

/// What was found at the start.
struct Found {
    lock: Option<Lock>,
    path: Option<PathBuf>,
    queue: Queue,
    history: Vec<Used>,
    problems: Vec<String>,
}

/// Reads both files and begins to keep them.
pub fn start(state: &mut State, cx: &mut Context) {
    let config = cx.services.folders.config.clone();
    cx.spawn(&state.inbox, "reading the queue", move || {
        let found = find(&config);
        move |state: &mut State, cx: &mut Context| take_in(state, cx, found, config)
    });
}

fn find(config: &Path) -> Found {
    let mut problems = Vec::new();
    let history = history::load(&config.join(history::FILE)).unwrap_or_else(|error| {
        problems.push(error.to_string());
        Vec::new()
    });
    let slot = lock(config);
    if slot.is_none() {
        let folder = config.display();
        problems.push(format!(
            "the queue is not kept in {folder}, a crash would lose it; check the folder's rights"
        ));
    }
    let (lock, path) = slot.unzip();
    let loaded = path.as_deref().map(QueueFile::load);
    let queue = match loaded {
        Some(Ok((queue, lost))) => {
            problems.extend(lost);
            queue
        }
        Some(Err(error)) => {
            // The next change would write over what somebody may still repair.
            if let Some(path) = &path {
                file::set_aside(path);
            }
            problems.push(error.to_string());
            Queue::default()
        }
        None => Queue::default(),
    };
    Found {
        lock,
        path,
        queue,
        history,
        problems,
    }
}

/// The first queue file that no running studio uses.
fn lock(config: &Path) -> Option<(Lock, PathBuf)> {
    file::create_folder(config).ok()?;
    (1..=SLOTS).find_map(|slot| {
        let name = match slot {
            1 => "queue".to_string(),
            _ => format!("queue-{slot}"),
        };
        match Lock::take(&config.join(format!("{name}.lock"))).ok()? {
            Locked::Ours(lock) => Some((lock, config.join(format!("{name}.ron")))),
            Locked::Taken => None,
        }
    })
}

fn take_in(state: &mut State, cx: &mut Context, found: Found, config: PathBuf) {
    for problem in found.problems {
        cx.tell(Toast::Warning(problem));
    }
    let (sender, reports) = unbounded();
    let report = |what: &'static str, sender: &Sender<(&'static str, Report)>| {
        let (sender, ctx) = (sender.clone(), cx.ctx.clone());
        move |report| {
            // The studio may be gone by now; then there is nobody to tell.
            sender.send((what, report)).ok();
            ctx.request_repaint();
        }
    };
    let queue = found
        .path
        .map(|path| QueueKeeper::start(path, report("queue", &sender)));
    let history_path = config.join(history::FILE);
    let history = Writer::start(
        "prompts",
        report("prompt history", &sender),
        move |entries: &Vec<Used>| history::store(&history_path, entries),
    );
    let mut failed = Vec::new();
    state.files = Files {
        queue: queue.and_then(|keeper| keeper.map_err(|error| failed.push(error)).ok()),
        history: history.map_err(|error| failed.push(error)).ok(),
        reports: Some(reports),
        _lock: found.lock,
    };
    state.history.take_in(found.history);
    let used = state.history.entries().iter();
    cx.facts.used_prompts = used.map(|used| used.prompt.clone()).collect();
    let waiting = cx.document.works.restore(found.queue);
    save_queue(state, cx);
    if waiting > 0 {
        cx.tell(Toast::Info(format!(
            "{waiting} jobs were waiting when the program last ended; the queue offers to go on"
        )));
    }
    for error in failed {
        cx.tell(Toast::Warning(error.to_string()));
    }
}

/// Passes the queue on to its file.
pub fn save_queue(state: &State, cx: &Context) {
    if let Some(keeper) = &state.files.queue {
        keeper.put(&cx.document.works.queue);
    }
}

/// Passes the prompt history on to its file.
pub fn save_history(state: &State, cx: &mut Context) {
    let used = state.history.entries().iter();
    cx.facts.used_prompts = used.map(|used| used.prompt.clone()).collect();
    if let Some(keeper) = &state.files.history {
        keeper.put(state.history.entries().to_vec());
    }
}

/// Tells what the writers report.
pub fn tick(state: &mut State, cx: &mut Context) {
    let reports: Vec<_> = match &state.files.reports {
        Some(reports) => reports.try_iter().collect(),
        None => return,
    };
    for (what, report) in reports {
        cx.tell(match report {
            Report::Failed(why) => Toast::Warning(format!("the {what} is not kept: {why}")),
            Report::Recovered => Toast::Info(format!("the {what} is kept again")),
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn two_studios_keep_two_queues() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        let second = lock(folder.path()).unwrap();
        assert_ne!(first.1, second.1);
        drop(first);
        assert!(lock(folder.path()).unwrap().1.ends_with("queue.ron"));
    }
}
