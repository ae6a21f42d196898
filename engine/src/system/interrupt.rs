//! Ctrl-C and the system's request to end: the first one asks the work at hand to stop, the second
//! one ends the program as usual.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Begins to listen. A system that does not let us leaves the signals as they are: then the first
/// one ends the program.
pub fn listen() {
    ASKED.get_or_init(|| {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // The order matters: the second signal finds the flag raised and ends the program.
            let again = flag::register_conditional_default(signal, Arc::clone(&asked));
            drop(again.and_then(|_| flag::register(signal, Arc::clone(&asked))));
        }
        asked
    });
}

/// Whether somebody asked to stop.
pub fn asked() -> bool {
    ASKED
        .get()
        .is_some_and(|asked| asked.load(Ordering::Relaxed))
}

/// Makes a limit on the size of files (`ulimit -f`) an error of the write instead of the end of the
/// process.
pub fn survive_file_limit() {
    #[cfg(unix)]
    drop(flag::register(
        signal_hook::consts::SIGXFSZ,
        Arc::new(AtomicBool::new(false)),
    ));
}
