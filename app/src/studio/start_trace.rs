//! How long the first frame takes: with `MMFACE_TRACE_START` set, the milliseconds since the start
//! of the program stand on stderr when the first frame has been handed to the screen.

use std::sync::OnceLock;
use std::time::Instant;

/// Environment variable that asks for it.
const VARIABLE: &str = "MMFACE_TRACE_START";

static BEGAN: OnceLock<Instant> = OnceLock::new();

/// Remembers now as the start of the program.
pub fn begin() {
    // The first call counts.
    BEGAN.set(Instant::now()).ok();
}

/// Counts frames until the first one is on screen.
#[derive(Debug)]
pub struct StartTrace {
    /// Frames that are still to be counted.
    left: u32,
}

impl Default for StartTrace {
    fn default() -> Self {
        let wanted = std::env::var_os(VARIABLE).is_some();
        Self {
            left: if wanted { 2 } else { 0 },
        }
    }
}

impl StartTrace {
    /// To be called in each frame: when the second begins, the first has been shown.
    pub fn frame(&mut self, ctx: &egui::Context) {
        match self.left {
            0 => return,
            2 => ctx.request_repaint(),
            _ => {
                if let Some(began) = BEGAN.get() {
                    eprintln!("first frame after {} ms", began.elapsed().as_millis());
                }
            }
        }
        self.left -= 1;
    }
}
