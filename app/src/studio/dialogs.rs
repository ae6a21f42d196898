//! Asking for files. The desktop's own dialogs where there are any; tests answer for themselves.

use std::path::PathBuf;

use crossbeam_channel::{Receiver, bounded};

/// What a dialog asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Title of the dialog.
    pub title: String,
    /// What is picked.
    pub kind: AskKind,
    /// Name of the file kind and its endings: ("Project", ["mmface-project"]); empty for any.
    pub filter: Option<(String, Vec<String>)>,
    /// A file name to start with.
    pub name: String,
}

/// What a dialog picks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskKind {
    /// A file that exists.
    Open,
    /// A file to write.
    Save,
    /// A folder.
    Folder,
}

/// Gives an answer once: a path, or `None` for cancelled or no dialog service.
pub type Answer = Receiver<Option<PathBuf>>;

/// Asks for files without stopping the GUI thread.
pub trait Dialogs {
    /// Starts asking; `wake` is called when the answer is there.
    fn ask(&self, ask: &Ask, wake: Box<dyn Fn() + Send>) -> Answer;
}

/// The desktop's dialogs, through the portal or zenity.
#[derive(Debug, Default)]
pub struct Desktop;

impl Dialogs for Desktop {
    fn ask(&self, ask: &Ask, wake: Box<dyn Fn() + Send>) -> Answer {
        let (sender, answer) = bounded(1);
        let mut dialog = rfd::AsyncFileDialog::new()
            .set_title(&ask.title)
            .set_file_name(&ask.name);
        if let Some((name, endings)) = &ask.filter {
            dialog = dialog.add_filter(name, endings);
        }
        // The future is made here, as one desktop demands the main thread for it.
        type Picked = Option<rfd::FileHandle>;
        let future: std::pin::Pin<Box<dyn Future<Output = Picked> + Send>> = match ask.kind {
            AskKind::Open => Box::pin(dialog.pick_file()),
            AskKind::Save => Box::pin(dialog.save_file()),
            AskKind::Folder => Box::pin(dialog.pick_folder()),
        };
        std::thread::spawn(move || {
            let picked = pollster::block_on(future).map(|file| file.path().to_owned());
            // The studio may be gone by now; then nobody waits for the answer.
            sender.send(picked).ok();
            wake();
        });
        answer
    }
}

/// Answers at once with what it was given.
#[derive(Debug, Default)]
pub struct Prepared(pub Option<PathBuf>);

impl Dialogs for Prepared {
    fn ask(&self, _ask: &Ask, wake: Box<dyn Fn() + Send>) -> Answer {
        let (sender, answer) = bounded(1);
        // The other end is held below, and there is room for one answer.
        sender.send(self.0.clone()).ok();
        wake();
        answer
    }
}
