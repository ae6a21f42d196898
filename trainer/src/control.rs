//! What whoever started a run asks of it: signals, commands on standard input, a closure in tests.
//! Other processes ask through its [`mailbox`](mmface_run_protocol::mailbox).

use std::io::BufRead;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use mmface_engine::system::interrupt;
use mmface_run_protocol::TrainCommand;

/// Asked between two updates, and again and again during a pause.
pub trait Control {
    /// The next request, if there is one.
    fn next_request(&mut self) -> Option<TrainCommand>;

    /// Whether no further request can come, so that nobody could end a pause.
    fn is_closed(&self) -> bool {
        false
    }
}

/// A closure that says when to stop.
impl<F: FnMut() -> bool> Control for F {
    fn next_request(&mut self) -> Option<TrainCommand> {
        self().then_some(TrainCommand::Stop)
    }
}

/// SIGINT, SIGTERM, and commands on standard input.
#[derive(Debug)]
pub struct Console {
    commands: Option<Receiver<TrainCommand>>,
    gone: bool,
}

impl Console {
    /// Listens to signals only.
    pub fn signals() -> Self {
        Self {
            commands: None,
            gone: false,
        }
    }

    /// Listens to signals and to JSON lines on standard input. When standard input ends, the run
    /// continues; a signal still reaches it.
    pub fn stdin() -> Self {
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines() {
                let Ok(line) = line else { break };
                if line.trim().is_empty() {
                    continue;
                }
                match TrainCommand::from_line(&line) {
                    Ok(command) => {
                        if sender.send(command).is_err() {
                            break;
                        }
                    }
                    Err(error) => eprintln!("warning: not a command: {} ({error})", line.trim()),
                }
            }
        });
        Self {
            commands: Some(receiver),
            gone: false,
        }
    }
}

impl Control for Console {
    fn next_request(&mut self) -> Option<TrainCommand> {
        if interrupt::asked() {
            return Some(TrainCommand::Stop);
        }
        match self.commands.as_ref()?.try_recv() {
            Ok(command) => Some(command),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.gone = true;
                None
            }
        }
    }

    fn is_closed(&self) -> bool {
        self.gone
    }
}
