//! Ctrl-C: the first one cancels the work at hand, the second one ends the program.

use std::sync::atomic::{AtomicBool, Ordering};

static PRESSED: AtomicBool = AtomicBool::new(false);

/// Begins to listen.
pub fn listen() {
    // SAFETY: the handler only stores to an atomic and resets a signal, both of which are allowed
    // in a signal handler.
    unsafe {
        let handler = on_signal as extern "C" fn(libc::c_int);
        libc::signal(libc::SIGINT, handler as libc::sighandler_t);
        libc::signal(libc::SIGTERM, handler as libc::sighandler_t);
    }
}

/// Whether the person wants to stop.
pub fn pressed() -> bool {
    PRESSED.load(Ordering::Relaxed)
}

extern "C" fn on_signal(signal: libc::c_int) {
    PRESSED.store(true, Ordering::Relaxed);
    // SAFETY: as in `listen`.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
    }
}
