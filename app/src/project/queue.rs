//! Jobs that wait, kept in a file so that a crash loses none.
//!
//! The file has one line for the queue and one a job, conditions included: a damaged line costs
//! one job. It is rewritten whole by [`QueueKeeper`]'s thread after every change.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mmface_engine::job::Job;
use mmface_engine::{Error, Result, file};
use serde::{Deserialize, Serialize};

use super::writer::{Report, Writer};

/// Version of the file. Format 1 had the values of a job beside its condition.
const FORMAT: u32 = 2;
/// Longest file that is read, in bytes.
const MAX_FILE: u64 = 256 << 20;
/// Most jobs of a queue.
pub const MAX_JOBS: usize = 2000;

/// A job that waits or runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// Names it in its queue; never used twice.
    pub id: u64,
    /// What is to be drawn.
    pub job: Arc<Job>,
    /// The sweep that it is a cell of, as its prompt was typed.
    pub template: Option<String>,
    /// Words for the list, when the prompt alone does not say it.
    pub title: String,
    /// The engine had it when the file was written: after a crash it begins again.
    pub running: bool,
}

/// Waiting jobs in their order; what runs stands first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Queue {
    /// Nothing new is started.
    pub paused: bool,
    jobs: Vec<Waiting>,
    last: u64,
}

impl Queue {
    /// The jobs in their order.
    pub fn jobs(&self) -> &[Waiting] {
        &self.jobs
    }

    /// Whether nothing waits or runs.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// A job by its id.
    pub fn get(&self, id: u64) -> Option<&Waiting> {
        self.jobs.iter().find(|waiting| waiting.id == id)
    }

    /// Adds a job at the end and names it; `None` when the queue is full.
    pub fn push(&mut self, job: Arc<Job>, template: Option<String>, title: &str) -> Option<u64> {
        if self.jobs.len() >= MAX_JOBS {
            return None;
        }
        self.last += 1;
        let title = title.to_string();
        self.jobs.push(Waiting {
            id: self.last,
            job,
            template,
            title,
            running: false,
        });
        Some(self.last)
    }

    /// Takes a job out: it is done, failed or cancelled.
    pub fn remove(&mut self, id: u64) -> Option<Waiting> {
        let index = self.jobs.iter().position(|waiting| waiting.id == id)?;
        Some(self.jobs.remove(index))
    }

    /// Gives a job another content: some of its pictures are done. Returns whether there is one.
    pub fn replace(&mut self, id: u64, job: Arc<Job>) -> bool {
        let found = self.jobs.iter_mut().find(|waiting| waiting.id == id);
        found.map(|waiting| waiting.job = job).is_some()
    }

    /// Moves a waiting job to a place in the order, from 0; never before one that runs. Returns
    /// whether anything changed.
    pub fn move_to(&mut self, id: u64, place: usize) -> bool {
        let Some(index) = self
            .jobs
            .iter()
            .position(|waiting| waiting.id == id && !waiting.running)
        else {
            return false;
        };
        let running = self
            .jobs
            .iter()
            .take_while(|waiting| waiting.running)
            .count();
        let place = place.clamp(running, self.jobs.len() - 1);
        let waiting = self.jobs.remove(index);
        self.jobs.insert(place, waiting);
        place != index
    }

    /// Notes that the engine has the job; it moves behind those that run already.
    pub fn start(&mut self, id: u64) {
        if let Some(index) = self.jobs.iter().position(|waiting| waiting.id == id) {
            let mut waiting = self.jobs.remove(index);
            waiting.running = true;
            let place = self
                .jobs
                .iter()
                .take_while(|waiting| waiting.running)
                .count();
            self.jobs.insert(place, waiting);
        }
    }

    /// Adds another queue's jobs at the end under new names: a crashed session's. Returns how many
    /// had room.
    pub fn append(&mut self, other: Self) -> usize {
        let jobs = other.jobs.into_iter();
        jobs.map_while(|waiting| self.push(waiting.job, waiting.template, &waiting.title))
            .count()
    }
}

/// The first line of the file.
#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    paused: bool,
}

/// A queue's file. Encoded jobs are remembered, so that rewriting a long queue stays cheap.
#[derive(Debug)]
pub struct QueueFile {
    path: PathBuf,
    lines: HashMap<u64, (Arc<Job>, String)>,
}

impl QueueFile {
    /// Names the file; it need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            lines: HashMap::new(),
        }
    }

    /// Writes the queue whole; an empty one removes the file.
    ///
    /// # Errors
    /// The system's reason; the old file is then as it was.
    pub fn store(&mut self, queue: &Queue) -> Result<()> {
        if queue.is_empty() && !queue.paused {
            self.lines.clear();
            return match std::fs::remove_file(&self.path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(Error::file("clear the queue", &self.path)(error))
                }
                _ => Ok(()),
            };
        }
        let failed = Error::unwritable::<ron::Error>("the queue");
        let mut text = ron::to_string(&Head {
            format: FORMAT,
            paused: queue.paused,
        })
        .map_err(&failed)?;
        text.push('\n');
        for waiting in queue.jobs() {
            // Encoding the condition is what takes time; the rest of the line may change.
            let job = match self.lines.get(&waiting.id) {
                Some((job, line)) if Arc::ptr_eq(job, &waiting.job) => line.clone(),
                _ => ron::to_string(&*waiting.job).map_err(&failed)?,
            };
            let line = Line {
                id: waiting.id,
                template: waiting.template.clone(),
                title: waiting.title.clone(),
                running: waiting.running,
            };
            let line = ron::to_string(&line).map_err(&failed)?;
            text.push_str(&format!("{line}\t{job}\n"));
            self.lines
                .insert(waiting.id, (Arc::clone(&waiting.job), job));
        }
        self.lines.retain(|id, _| queue.get(*id).is_some());
        file::store(&self.path, text.as_bytes())
    }

    /// Reads the queue of a session that ended; without a file it is empty. What ran then waits
    /// again. The sentences say which jobs could not be read.
    ///
    /// # Errors
    /// The system's reason, and a file that is no queue of this program's.
    pub fn load(path: &Path) -> Result<(Queue, Vec<String>)> {
        let text = match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok((Queue::default(), Vec::new()));
            }
            Err(error) => return Err(Error::file("read the queue", path)(error)),
            Ok(about) if about.len() > MAX_FILE => {
                return Err(Error::content(
                    path,
                    "the queue is larger than 256 MB",
                    "move the file away to begin a new one",
                ));
            }
            Ok(_) => std::fs::read(path).map_err(Error::file("read the queue", path))?,
        };
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.split('\n').filter(|line| !line.is_empty());
        let head = lines
            .next()
            .and_then(|line| ron::from_str::<Head>(line).ok());
        let head = head.ok_or_else(|| {
            Error::content(
                path,
                "the file of waiting jobs is damaged",
                "move it away to begin a new one",
            )
        })?;
        if head.format > FORMAT {
            return Err(Error::content(
                path,
                "the queue was written by a newer program",
                "update MMFace Studio to go on with it",
            ));
        }
        let mut queue = Queue {
            paused: head.paused,
            ..Queue::default()
        };
        let mut problems = Vec::new();
        for (number, line) in lines.take(MAX_JOBS).enumerate() {
            match read_line(line) {
                Ok(waiting) if queue.get(waiting.id).is_none() => {
                    queue.last = queue.last.max(waiting.id);
                    queue.jobs.push(waiting);
                }
                Ok(_) => problems.push(format!(
                    "waiting job {} stands twice in the queue; one is kept",
                    number + 1
                )),
                Err(why) => problems.push(format!(
                    "waiting job {} is lost: {why}; generate it again",
                    number + 1
                )),
            }
        }
        Ok((queue, problems))
    }
}

/// A line of the file before its job.
#[derive(Serialize, Deserialize)]
struct Line {
    id: u64,
    template: Option<String>,
    title: String,
    running: bool,
}

fn read_line(text: &str) -> Result<Waiting, String> {
    let damaged = |_| "its line is damaged".to_string();
    // A tab within a text is written as an escape, so the first tab separates.
    let (line, job) = text.split_once('\t').ok_or("its line is cut off")?;
    let line: Line = ron::from_str(line).map_err(damaged)?;
    let job: Job = ron::from_str(job).map_err(damaged)?;
    job.validate().map_err(|error| error.to_string())?;
    if line.id >= u64::MAX / 2 {
        return Err("its number is out of range".into());
    }
    Ok(Waiting {
        id: line.id,
        job: Arc::new(job),
        template: line.template,
        title: line.title,
        running: false,
    })
}

/// Writes the queue after every change on a thread of its own.
pub struct QueueKeeper {
    writer: Writer<Queue>,
}

impl QueueKeeper {
    /// Starts the thread. `report` is called from it when writing fails, once until it works again.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(
        path: impl Into<PathBuf>,
        report: impl Fn(Report) + Send + 'static,
    ) -> Result<Self> {
        let mut file = QueueFile::new(path);
        let writer = Writer::start("queue", report, move |queue: &Queue| file.store(queue))?;
        Ok(Self { writer })
    }

    /// Passes the queue on as it is now. Never waits.
    pub fn put(&self, queue: &Queue) {
        self.writer.put(queue.clone());
    }

    /// Waits until what was put is written, at most this long; returns whether it is.
    pub fn flush(&self, most: std::time::Duration) -> bool {
        self.writer.flush(most)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use mmface_engine::job::{Condition, Draw};
    use mmface_engine::labels::LabelImage;

    use super::*;

    fn job(prompt: &str) -> Arc<Job> {
        let mut mask = LabelImage::filled(512, 512, 1);
        mask.labels[prompt.len()] = 13;
        Arc::new(Job {
            draw: Draw {
                prompt: prompt.into(),
                ..Draw::default()
            },
            condition: Condition::Mask(mask),
            ..Job::default()
        })
    }

    fn three() -> Queue {
        let mut queue = Queue::default();
        for prompt in ["a", "b\twith a tab\nand a line", "c"] {
            queue
                .push(job(prompt), Some("[a|b|c]".into()), "sweep")
                .unwrap();
        }
        queue
    }

    fn ids(queue: &Queue) -> Vec<u64> {
        queue.jobs().iter().map(|waiting| waiting.id).collect()
    }

    #[test]
    fn order_pause_and_what_runs() {
        let mut queue = three();
        assert!(queue.move_to(3, 0) && !queue.move_to(3, 0) && !queue.move_to(9, 0));
        assert_eq!(ids(&queue), [3, 1, 2]);
        queue.start(1);
        assert_eq!(ids(&queue), [1, 3, 2]);
        assert!(queue.move_to(2, 0), "to the front of those that wait");
        assert_eq!(ids(&queue), [1, 2, 3]);
        assert!(!queue.move_to(1, 2), "what runs does not move");
        assert_eq!(
            queue.push(job("d"), None, ""),
            Some(4),
            "names are not used twice"
        );
        assert!(queue.replace(1, job("shorter")) && !queue.replace(9, job("x")));
        assert_eq!(queue.get(1).unwrap().job, job("shorter"));
        assert!(queue.remove(1).is_some() && queue.remove(1).is_none());
    }

    #[test]
    fn the_file_brings_everything_back_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session").join("queue.ron");
        let mut queue = three();
        queue.start(2);
        queue.paused = true;
        let mut file = QueueFile::new(&path);
        file.store(&queue).unwrap();
        queue.move_to(3, 1);
        file.store(&queue).unwrap();
        let (mut back, problems) = QueueFile::load(&path).unwrap();
        assert!(problems.is_empty() && back.paused);
        assert_eq!(ids(&back), [2, 3, 1]);
        assert!(back.jobs().iter().all(|waiting| !waiting.running));
        assert_eq!(back.get(2).unwrap().job, job("b\twith a tab\nand a line"));
        assert_eq!(back.push(job("d"), None, ""), Some(4));
        let mut other = Queue::default();
        other.push(job("x"), None, "").unwrap();
        assert_eq!(other.append(back), 4);
        assert_eq!(ids(&other), [1, 2, 3, 4, 5]);
        file.store(&Queue::default()).unwrap();
        assert!(!path.exists());
        assert!(QueueFile::load(&path).unwrap().0.is_empty());
    }

    #[test]
    fn a_damaged_line_costs_one_job() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.ron");
        QueueFile::new(&path).store(&three()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("size:256", "size:257", 1)).unwrap();
        let (queue, problems) = QueueFile::load(&path).unwrap();
        assert_eq!(ids(&queue), [2, 3]);
        assert!(
            problems[0].contains("job 1 is lost: size 257"),
            "{problems:?}"
        );
        std::fs::write(&path, &text[..text.len() - 40]).unwrap();
        assert_eq!(ids(&QueueFile::load(&path).unwrap().0), [1, 2]);
        for text in ["rubbish", "(format:3,paused:false)\n"] {
            std::fs::write(&path, text).unwrap();
            let error = QueueFile::load(&path).unwrap_err().to_string();
            assert!(
                error.contains("queue.ron") && !error.contains('\n'),
                "{error}"
            );
        }
    }

    #[test]
    fn the_keeper_writes_the_newest_and_reports_a_failure_once() {
        let folder = tempfile::tempdir().unwrap();
        let (sender, reports) = crossbeam_channel::unbounded();
        let path = folder.path().join("q").join("queue.ron");
        let keeper = QueueKeeper::start(&path, move |report| sender.send(report).unwrap()).unwrap();
        let mut queue = three();
        for place in 0..20 {
            queue.move_to(1, place % 3);
            keeper.put(&queue);
        }
        assert!(keeper.flush(Duration::from_secs(60)));
        assert_eq!(ids(&QueueFile::load(&path).unwrap().0), ids(&queue));
        // A file where the folder should be: writing fails until it is gone.
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path.parent().unwrap(), b"in the way").unwrap();
        keeper.put(&queue);
        assert!(matches!(
            reports.recv_timeout(Duration::from_secs(60)).unwrap(),
            Report::Failed(_)
        ));
        std::fs::remove_file(path.parent().unwrap()).unwrap();
        assert_eq!(
            reports.recv_timeout(Duration::from_secs(60)).unwrap(),
            Report::Recovered
        );
        assert!(path.exists() && reports.is_empty());
    }
}
