//! Opening the window.

use std::path::PathBuf;

use eframe::{NativeOptions, Renderer};
use egui::ViewportBuilder;
use mmface_engine::error::Kind;

use super::app::StudioApp;
use super::services::Options;
use crate::failure::{Failure, Result};

/// Opens the studio and returns when the person closes it.
///
/// # Errors
/// When there is no such project, or no window can be opened.
pub fn open(project: Option<PathBuf>) -> Result<()> {
    if let Some(project) = &project
        && !project.exists()
    {
        return Err(Failure::usage(format!(
            "no command and no project is called `{}`; see `mmface --help`",
            project.display()
        )));
    }
    let options = NativeOptions {
        viewport: ViewportBuilder::default()
            .with_title("MMFace Studio")
            .with_app_id("mmface")
            .with_inner_size([1280.0, 800.0])
            .with_min_inner_size([960.0, 600.0]),
        renderer: Renderer::Wgpu,
        dithering: false,
        ..NativeOptions::default()
    };
    let services = Options::standard(project);
    eframe::run_native(
        "mmface",
        options,
        Box::new(|cc| Ok(Box::new(StudioApp::new(cc, services)))),
    )
    .map_err(|error| Failure::new(Kind::Resources, explain(&error)))
}

/// What to do about a window that cannot open.
fn explain(error: &eframe::Error) -> String {
    match error {
        eframe::Error::Wgpu(_) => format!(
            "the studio cannot draw: no Vulkan, Metal, DirectX or OpenGL driver answers ({error}); install the graphics driver (on Debian and Ubuntu: mesa-vulkan-drivers), or use `mmface generate`"
        ),
        eframe::Error::WinitEventLoop(_) => format!(
            "the studio cannot open a window: {error}; start it from a desktop session, or use `mmface generate`"
        ),
        other => {
            format!("the studio cannot start: {other}; `mmface generate` works without a window")
        }
    }
}
