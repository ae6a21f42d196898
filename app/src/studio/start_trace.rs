//! How long the first frame takes: with `MMFACE_TRACE_START` set, the milliseconds since the start
//! of the program stand on stderr when the first frame has been handed to the screen.

use std::sync::OnceLock;
use std::time::Instant;

/// Environment variable that asks for it.
const VARIABLE: &str = "MMFACE_TRACE_START";

static BEGAN: OnceLock<Instant> = OnceLock::new();

/// Remembers now as the start of the program.
pub fn begin() {
    let _ = BEGAN.set(Instant::now());
}

/// Counts frames until the first one is on screen.
#[derive(Debug, Default)]
pub struct StartTrace {
    frames: u32,
}

impl StartTrace {
    /// To be called in each frame: when the second begins, the first has been shown.
    pub fn frame(&mut self, ctx: &egui::Context) {
        if self.frames > 1 || std::env::var_os(VARIABLE).is_none() {
            return;
        }
        self.frames += 1;
        if self.frames == 1 {
            ctx.request_repaint();
        } else if let Some(began) = BEGAN.get() {
            eprintln!("first frame after {} ms", began.elapsed().as_millis());
        }
    }
}
