//! What the studio tells a person in passing: one line at the lower right, never in the way.

use std::time::Duration;

/// A message and how much it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Toast {
    /// Good to know.
    Info(String),
    /// Something was done.
    Success(String),
    /// Something needs a look.
    Warning(String),
    /// Something failed: what, where, what to do. Stays until it is closed.
    Error(String),
}

impl Toast {
    /// The text.
    pub fn text(&self) -> &str {
        match self {
            Self::Info(text) | Self::Success(text) | Self::Warning(text) | Self::Error(text) => {
                text
            }
        }
    }
}

/// The messages on screen, and the last ones said.
pub struct Toasts {
    shown: egui_notify::Toasts,
    /// All that was said, newest last, bounded.
    pub log: Vec<Toast>,
}

/// Messages that are remembered.
const LOG: usize = 200;

impl Default for Toasts {
    fn default() -> Self {
        Self {
            shown: egui_notify::Toasts::default()
                .with_anchor(egui_notify::Anchor::BottomRight)
                // Beside the panel with the Generate button: a message never covers it.
                .with_margin(egui::vec2(306.0, 36.0)),
            log: Vec::new(),
        }
    }
}

impl Toasts {
    /// Shows a message.
    pub fn tell(&mut self, toast: Toast) {
        let lasting = Some(Duration::from_secs(6));
        match &toast {
            Toast::Info(text) => self.shown.info(text).duration(lasting),
            Toast::Success(text) => self.shown.success(text).duration(lasting),
            Toast::Warning(text) => self
                .shown
                .warning(text)
                .duration(Some(Duration::from_secs(10))),
            Toast::Error(text) => self.shown.error(text).duration(None),
        }
        .show_progress_bar(false);
        if self.log.len() == LOG {
            self.log.remove(0);
        }
        self.log.push(toast);
    }

    /// Draws the messages.
    pub fn show(&mut self, ctx: &egui::Context) {
        self.shown.show(ctx);
    }
}
