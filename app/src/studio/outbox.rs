//! What features and panels want done: a queue that the dispatcher empties. Whoever pushes does not
//! wait and sees no effect before the next turn.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::announcement::Announcement;
use super::command::Command;

/// What the dispatcher routes.
#[derive(Clone, Debug)]
pub enum Message {
    /// To the one feature that understands it.
    Command(Command),
    /// To all features.
    Announcement(Announcement),
}

/// Messages in the order in which they were pushed.
///
/// Pushing needs no exclusive access, so that a panel that may only read can still ask.
#[derive(Debug, Default)]
pub struct Outbox(RefCell<VecDeque<Message>>);

impl Outbox {
    /// Adds a command at the end.
    pub fn command(&self, command: impl Into<Command>) {
        self.0
            .borrow_mut()
            .push_back(Message::Command(command.into()));
    }

    /// Adds an announcement at the end.
    pub fn announce(&self, announcement: Announcement) {
        self.0
            .borrow_mut()
            .push_back(Message::Announcement(announcement));
    }

    /// Takes the oldest message.
    pub fn next(&self) -> Option<Message> {
        self.0.borrow_mut().pop_front()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}
