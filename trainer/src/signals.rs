//! SIGINT and SIGTERM ask a run to write a checkpoint and leave.

use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

extern "C" fn note(signal: libc::c_int) {
    ASKED.store(true, Ordering::Relaxed);
    // Who asks twice means it: the second signal ends the process as usual.
    // SAFETY: `signal` may be called in a signal handler.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
    }
}

/// Starts listening. A limit on the size of files (`ulimit -f`) becomes an error of the write, which
/// pauses a run, instead of the end of the process.
pub fn listen() {
    let handler: extern "C" fn(libc::c_int) = note;
    // SAFETY: the handler only stores to an atomic and calls `signal`; both are allowed in a signal handler.
    unsafe {
        libc::signal(libc::SIGINT, handler as libc::sighandler_t);
        libc::signal(libc::SIGTERM, handler as libc::sighandler_t);
        #[cfg(unix)]
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// Whether somebody asked to stop.
pub fn asked_to_stop() -> bool {
    ASKED.load(Ordering::Relaxed)
}
