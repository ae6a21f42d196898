//! Ctrl-C, the system's request to end, and the end of the terminal: the first one asks the work
//! under way to stop, the second one ends the program as usual.
//!
//! A program with work that cannot stop by itself calls [`end_at_once`]: then the first one ends it,
//! except while something that can keep what it has done holds a [`Deferred`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Once};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// What a signal finds and leaves.
#[derive(Default)]
struct State {
    /// Somebody asked to stop.
    asked: Arc<AtomicBool>,
    /// The next signal ends the program.
    at_once: Arc<AtomicBool>,
    /// So does the first one, outside of what is deferred.
    never_ask: AtomicBool,
}

static STATE: LazyLock<State> = LazyLock::new(State::default);

/// Begins to listen. A system that does not let us leaves the signals as they are: then the first
/// one ends the program. SIGHUP is left alone where the program was started to outlive its terminal
/// (`nohup`).
pub fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mut signals = vec![SIGINT, SIGTERM];
        #[cfg(unix)]
        if !is_ignored(signal_hook::consts::SIGHUP) {
            signals.push(signal_hook::consts::SIGHUP);
        }
        for signal in signals {
            // The order matters: the second signal finds the flag raised and ends the program.
            let again = flag::register_conditional_default(signal, Arc::clone(&STATE.at_once));
            let raised = again.and_then(|_| flag::register(signal, Arc::clone(&STATE.at_once)));
            drop(raised.and_then(|_| flag::register(signal, Arc::clone(&STATE.asked))));
        }
    });
}

/// Whether the process was started with the signal switched off.
#[cfg(unix)]
fn is_ignored(signal: libc::c_int) -> bool {
    let mut current = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: no new action is given, and the old one is written to a place of its type.
    let known = unsafe { libc::sigaction(signal, std::ptr::null(), current.as_mut_ptr()) } == 0;
    // SAFETY: the structure is plain data, of which all bytes are initialised.
    known && unsafe { current.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// From now on the first signal ends the program, except while something [`defer`]s it.
pub fn end_at_once() {
    STATE.never_ask.store(true, Ordering::SeqCst);
    STATE.at_once.store(true, Ordering::SeqCst);
}

/// While it lives, the first signal only asks; see [`asked`].
#[derive(Debug)]
#[must_use = "the first signal ends the program again as soon as it is dropped"]
pub struct Deferred(());

/// Defers the first signal: whoever holds this calls [`asked`] between two steps.
pub fn defer() -> Deferred {
    STATE.at_once.store(asked(), Ordering::SeqCst);
    Deferred(())
}

impl Drop for Deferred {
    fn drop(&mut self) {
        let never_ask = STATE.never_ask.load(Ordering::SeqCst);
        STATE.at_once.store(never_ask || asked(), Ordering::SeqCst);
    }
}

/// Whether somebody asked to stop.
pub fn asked() -> bool {
    STATE.asked.load(Ordering::SeqCst)
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
