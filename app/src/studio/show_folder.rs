//! A look into a folder, with the program that the desktop has for it.

use std::path::PathBuf;

use super::context::Context;
use super::toast::Toast;

/// Shows a folder with the desktop's file manager; makes it when it is not there yet.
pub(super) fn show(cx: &mut Context, folder: PathBuf) {
    cx.spawn_shared("opening the folder", move || {
        let program = match () {
            () if cfg!(windows) => "explorer",
            () if cfg!(target_os = "macos") => "open",
            () => "xdg-open",
        };
        let opened = std::fs::create_dir_all(&folder)
            .and_then(|()| std::process::Command::new(program).arg(&folder).spawn());
        // Waiting keeps the system from remembering an ended child.
        let opened = opened.map(|mut child| child.wait());
        move |cx: &mut Context| {
            if let Err(error) = opened {
                cx.tell(Toast::Warning(format!(
                    "no file manager answers ({error}); the folder is {}",
                    folder.display()
                )));
            }
        }
    });
}
