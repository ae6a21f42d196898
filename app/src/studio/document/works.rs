//! Work that waits, runs or failed: the queue's file knows the jobs, this knows whose they are.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use mmface_engine::job::{Draw, Job};

use crate::project::{Queue, Waiting};

/// Names one piece of work for the life of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkId(pub u64);

/// Who asked for work, and is told how it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// The Generate button.
    #[default]
    Generate,
    /// A cell of a sweep, by a number of the sweep's own.
    Sweep(u64),
    /// A branch from a step of a result.
    Branch,
    /// The live preview, when a person keeps its picture.
    Live,
}

/// Something to draw: one job, perhaps of several pictures.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// What is to be drawn.
    pub job: Job,
    /// Who asks.
    pub owner: Owner,
    /// The sweep's prompt that the job's prompt was resolved from.
    pub template: Option<String>,
}

/// Work that failed and can be tried again.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The work.
    pub work: WorkId,
    /// Its job, without the pictures that are done.
    pub job: Arc<Job>,
    /// As in [`Work`].
    pub template: Option<String>,
    /// Who asked.
    pub owner: Owner,
    /// One line: what happened and what to do.
    pub why: String,
    /// A smaller side to try, when memory ran out.
    pub smaller: Option<usize>,
}

/// What is remembered of a job beside the queue.
#[derive(Clone, Copy, Debug, Default)]
struct Note {
    owner: Owner,
    /// Pictures that the engine has finished.
    drawn: usize,
    /// Pictures that are on disk.
    saved: usize,
}

/// All work that is not done.
#[derive(Clone, Debug, Default)]
pub struct Works {
    /// Waiting and running jobs, as their file has them.
    pub queue: Queue,
    /// Failed work, oldest first.
    pub failures: Vec<Failure>,
    /// Jobs of the last session that nobody has agreed to yet.
    held: BTreeSet<u64>,
    notes: HashMap<u64, Note>,
}

impl Works {
    /// Adds work at the end; `None` when the queue is full.
    pub fn push(&mut self, work: Work) -> Option<WorkId> {
        let title = title(&work.job.draw.prompt);
        let id = self.queue.push(Arc::new(work.job), work.template, &title)?;
        let note = Note {
            owner: work.owner,
            ..Note::default()
        };
        self.notes.insert(id, note);
        Some(WorkId(id))
    }

    /// Adds the jobs of the last session; they are held until a person agrees.
    pub fn restore(&mut self, old: Queue) -> usize {
        let known: BTreeSet<u64> = self.queue.jobs().iter().map(|job| job.id).collect();
        let count = self.queue.append(old);
        let ids = self.queue.jobs().iter().map(|job| job.id);
        self.held.extend(ids.filter(|id| !known.contains(id)));
        count
    }

    /// Number of jobs that are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Whether a job is held.
    pub fn is_held(&self, id: WorkId) -> bool {
        self.held.contains(&id.0)
    }

    /// Lets the held jobs run.
    pub fn release(&mut self) {
        self.held.clear();
    }

    /// Drops the held jobs.
    pub fn discard_held(&mut self) {
        for id in std::mem::take(&mut self.held) {
            self.queue.remove(id);
            self.notes.remove(&id);
        }
    }

    /// The next job to start.
    pub fn next(&self) -> Option<&Waiting> {
        let free = |job: &&Waiting| !job.running && !self.held.contains(&job.id);
        self.queue
            .jobs()
            .iter()
            .find(free)
            .filter(|_| !self.queue.paused)
    }

    /// The job that draws the next picture of a work alone, and its place among the pictures of the
    /// work; `None` when all are drawn.
    pub fn next_picture(&self, id: WorkId) -> Option<(Job, usize)> {
        let waiting = self.queue.get(id.0)?;
        let note = self.notes.get(&id.0).copied().unwrap_or_default();
        // The file's job loses a picture as soon as it is saved, so that a crash repeats none.
        let ahead = note.drawn.saturating_sub(note.saved);
        (ahead < waiting.job.draw.count).then(|| {
            let job = Job {
                draw: Draw {
                    seed: waiting.job.draw.seed.saturating_add(ahead as u64),
                    count: 1,
                    ..waiting.job.draw.clone()
                },
                ..(*waiting.job).clone()
            };
            (job, note.drawn)
        })
    }

    /// Pictures of a work: drawn already, and all.
    pub fn pictures(&self, id: WorkId) -> (usize, usize) {
        let note = self.notes.get(&id.0).copied().unwrap_or_default();
        let left = self
            .queue
            .get(id.0)
            .map_or(0, |waiting| waiting.job.draw.count);
        (note.drawn, note.saved + left)
    }

    /// Who asked for a work.
    pub fn owner(&self, id: WorkId) -> Owner {
        self.notes
            .get(&id.0)
            .map_or(Owner::Generate, |note| note.owner)
    }

    /// Notes that the engine finished a picture.
    pub fn drawn(&mut self, id: WorkId) {
        if self.queue.get(id.0).is_some() {
            self.notes.entry(id.0).or_default().drawn += 1;
        }
    }

    /// Notes that a picture is on disk; the work is over with its last. Returns whether it is.
    pub fn saved(&mut self, id: WorkId) -> bool {
        let Some(waiting) = self.queue.get(id.0) else {
            return true;
        };
        self.notes.entry(id.0).or_default().saved += 1;
        if waiting.job.draw.count <= 1 {
            self.remove(id);
            return true;
        }
        let rest = Job {
            draw: Draw {
                seed: waiting.job.draw.seed.saturating_add(1),
                count: waiting.job.draw.count - 1,
                ..waiting.job.draw.clone()
            },
            ..(*waiting.job).clone()
        };
        self.queue.replace(id.0, Arc::new(rest));
        false
    }

    /// Drops the pictures of a work that are not drawn yet. Returns whether nothing is left of it.
    pub fn end_early(&mut self, id: WorkId) -> bool {
        let Some(waiting) = self.queue.get(id.0) else {
            return true;
        };
        let note = self.notes.get(&id.0).copied().unwrap_or_default();
        let unsaved = note.drawn.saturating_sub(note.saved);
        if unsaved == 0 {
            self.remove(id);
            return true;
        }
        let rest = Job {
            draw: Draw {
                count: unsaved.min(waiting.job.draw.count),
                ..waiting.job.draw.clone()
            },
            ..(*waiting.job).clone()
        };
        self.queue.replace(id.0, Arc::new(rest));
        false
    }

    /// Takes a work out.
    pub fn remove(&mut self, id: WorkId) -> Option<Waiting> {
        self.held.remove(&id.0);
        self.notes.remove(&id.0);
        self.queue.remove(id.0)
    }

    /// Moves a failed work out of the queue into the list of failures.
    pub fn fail(&mut self, id: WorkId, why: String, smaller: Option<usize>) {
        let owner = self.owner(id);
        if let Some(waiting) = self.remove(id) {
            self.failures.push(Failure {
                work: id,
                job: waiting.job,
                template: waiting.template,
                owner,
                why,
                smaller,
            });
        }
    }

    /// Takes a failure out, to try it again or to forget it.
    pub fn take_failure(&mut self, id: WorkId) -> Option<Failure> {
        let place = self.failures.iter().position(|at| at.work == id)?;
        Some(self.failures.remove(place))
    }

    /// Moves a waiting job by places, up for negative numbers. Returns whether anything changed.
    pub fn shift(&mut self, id: WorkId, by: isize) -> bool {
        let place = self.queue.jobs().iter().position(|job| job.id == id.0);
        place.is_some_and(|place| self.queue.move_to(id.0, place.saturating_add_signed(by)))
    }
}

/// A prompt in a few words, for a list.
pub fn title(prompt: &str) -> String {
    let words = prompt.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        return "No prompt".into();
    }
    match words.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn work(prompt: &str, count: usize) -> Work {
        Work {
            job: Job {
                draw: Draw {
                    prompt: prompt.into(),
                    seed: 10,
                    count,
                    ..Draw::default()
                },
                ..Job::default()
            },
            ..Work::default()
        }
    }

    #[test]
    fn pictures_are_drawn_one_by_one_and_a_crash_repeats_only_unsaved_ones() {
        let mut works = Works::default();
        let id = works.push(work("a", 3)).unwrap();
        let seed = |works: &Works| {
            works
                .next_picture(id)
                .map(|(job, index)| (job.draw.seed, index))
        };
        assert_eq!(seed(&works), Some((10, 0)));
        works.drawn(id);
        assert_eq!(seed(&works), Some((11, 1)), "drawn but not saved");
        assert_eq!(
            works.queue.jobs()[0].job.draw.seed,
            10,
            "a crash would draw it again"
        );
        assert!(!works.saved(id));
        assert_eq!(works.queue.jobs()[0].job.draw.seed, 11);
        assert_eq!(seed(&works), Some((11, 1)));
        assert_eq!(works.pictures(id), (1, 3));
        works.drawn(id);
        works.drawn(id);
        assert_eq!(seed(&works), None);
        assert!(!works.saved(id) && works.saved(id));
        assert!(works.queue.is_empty());
    }

    #[test]
    fn ending_early_keeps_what_is_drawn_until_it_is_saved() {
        let mut works = Works::default();
        let id = works.push(work("a", 5)).unwrap();
        works.drawn(id);
        assert!(!works.end_early(id));
        assert_eq!(works.next_picture(id), None);
        assert!(works.saved(id) && works.queue.is_empty());
        let id = works.push(work("b", 5)).unwrap();
        assert!(works.end_early(id) && works.queue.is_empty());
    }

    #[test]
    fn jobs_of_the_last_session_wait_for_a_person() {
        let mut old = Works::default();
        old.push(work("old", 1)).unwrap();
        let mut works = Works::default();
        let new = works.push(work("new", 1)).unwrap();
        assert_eq!(works.restore(old.queue.clone()), 1);
        assert_eq!(works.next().unwrap().id, new.0);
        works.remove(new);
        assert!(works.next().is_none());
        works.release();
        assert_eq!(works.next().unwrap().job.draw.prompt, "old");
        works.restore(old.queue);
        works.discard_held();
        assert_eq!(works.queue.jobs().len(), 1);
    }

    #[test]
    fn failures_can_be_tried_again() {
        let mut works = Works::default();
        let id = works.push(work("a", 2)).unwrap();
        works.drawn(id);
        works.saved(id);
        works.fail(id, "no memory".into(), Some(96));
        assert!(works.queue.is_empty());
        let failure = works.take_failure(id).unwrap();
        assert_eq!((failure.job.draw.count, failure.job.draw.seed), (1, 11));
        assert!(works.take_failure(id).is_none());
    }

    #[test]
    fn titles_are_one_short_line() {
        assert_eq!(title(" a\n face "), "a face");
        assert_eq!(title(""), "No prompt");
        assert_eq!(title(&"é".repeat(100)).chars().count(), 81);
    }
}
