//! Sessions: each running studio has a folder of its own with a lock, so that two of them never
//! fight over one journal. A folder whose lock is free was left by a crash.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use mmface_engine::file::{self, Lock, Locked, Overwrite};
use mmface_engine::picture::RgbImage;
use mmface_engine::{Error, Result};

use super::clock;
use super::journal::{self, Recovered};

const LOCK: &str = "lock";
const CLOSED: &str = "closed";
const PREFIX: &str = "session-";

/// Sessions that are kept for recovery; older ones are pruned.
pub const KEPT: usize = 10;
/// Side of the preview of a session that was left.
pub const PREVIEW: usize = 96;
/// A folder without anything in it may belong to a session that is just starting.
const STARTING: Duration = Duration::from_secs(600);

/// The session of this studio.
#[derive(Debug)]
pub struct Session {
    folder: PathBuf,
    // The lock goes with the process, however it ends.
    lock: Lock,
}

impl Session {
    /// Makes the folder of a new session and locks it.
    ///
    /// # Errors
    /// The system's reason: without a folder nothing can be recovered.
    pub fn start(recovery: &Path) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let stamp = clock::stamp(SystemTime::now());
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = recovery.join(format!("{PREFIX}{stamp}-{}-{count}", std::process::id()));
        let failed = |error: Error| error.doing("start keeping the work in");
        file::create_folder(&folder).map_err(failed)?;
        match Lock::take(&folder.join(LOCK)).map_err(failed)? {
            Locked::Ours(lock) => Ok(Self { folder, lock }),
            Locked::Taken => Err(in_use(&folder)),
        }
    }

    /// The folder, for [`Journal::start`](super::Journal::start).
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends the session as it should: nothing of it is offered again. The journal must have
    /// ended before.
    ///
    /// # Errors
    /// The system's reason; the next start then offers the session as after a crash.
    pub fn close(self) -> Result<()> {
        let Self { folder, lock } = self;
        close(&folder)?;
        drop(lock);
        Ok(())
    }
}

fn close(folder: &Path) -> Result<()> {
    let failed = |error| Error::file("end the session in", folder)(error);
    if !folder.exists() {
        return Ok(());
    }
    // Marked first: when removing it fails half-way, it is not offered all the same.
    file::write(&folder.join(CLOSED), b"", Overwrite::Replace)?;
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    }
}

/// A session that ended abnormally and left work that is in no project file.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    /// Its folder: what names it.
    pub folder: PathBuf,
    /// When its last state was written.
    pub time: SystemTime,
    /// The project file that it had open.
    pub file: Option<PathBuf>,
    /// Its prompt.
    pub prompt: String,
    /// What was drawn, [`PREVIEW`] pixels a side.
    pub preview: RgbImage,
}

/// The sessions that ended abnormally and left something that is in no project file, newest first.
/// Those that left nothing are removed on the way; so are all but the newest [`KEPT`].
///
/// # Errors
/// When the folder cannot be read. A missing one is empty.
pub fn left(recovery: &Path) -> Result<Vec<Left>> {
    let items = match fs::read_dir(recovery) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        items => items.map_err(Error::file("look for lost work in", recovery))?,
    };
    let mut found = Vec::new();
    for item in items.flatten() {
        let ours = item
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX));
        let Some(claim) = ours.then(|| Claim::take(&item.path()).ok()).flatten() else {
            continue;
        };
        match claim.look() {
            Some(left) => found.push(left),
            None if claim.is_starting() => {}
            // What cannot be removed now is looked at again by the next start.
            None => drop(claim.discard()),
        }
    }
    found.sort_by(|a, b| (b.time, &b.folder).cmp(&(a.time, &a.folder)));
    for old in found.drain(KEPT.min(found.len())..) {
        if let Ok(claim) = Claim::take(&old.folder) {
            drop(claim.discard());
        }
    }
    Ok(found)
}

/// The right to a session that was left: as long as it is held no other studio restores or
/// discards it.
#[derive(Debug)]
pub struct Claim {
    folder: PathBuf,
    lock: Option<Lock>,
}

impl Claim {
    /// Takes the lock of a session that was left.
    ///
    /// # Errors
    /// When the session still runs, another studio has claimed it, or it is gone.
    pub fn take(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::content(
                folder,
                "the session is gone",
                "another window has restored or discarded it",
            ));
        }
        match Lock::take(&folder.join(LOCK))? {
            Locked::Ours(lock) => Ok(Self {
                folder: folder.to_owned(),
                lock: Some(lock),
            }),
            Locked::Taken => Err(in_use(folder)),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its last state.
    ///
    /// # Errors
    /// As [`journal::read`].
    pub fn read(&self) -> Result<Recovered> {
        journal::read(&self.folder)
    }

    /// Removes the session: after its state is safe elsewhere, or the person has discarded it.
    ///
    /// # Errors
    /// The system's reason.
    pub fn discard(mut self) -> Result<()> {
        // Some systems do not remove a file that is open.
        self.lock = None;
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file("discard the session in", &self.folder)(error))
            }
            _ => Ok(()),
        }
    }

    /// What the session left; `None` for nothing that anybody would miss.
    fn look(&self) -> Option<Left> {
        if self.folder.join(CLOSED).exists() {
            return None;
        }
        let Recovered { frame, time, .. } = self.read().ok().filter(|found| found.frame.unsaved)?;
        Some(Left {
            folder: self.folder.clone(),
            time,
            preview: journal::preview(&frame.drawing, PREVIEW),
            prompt: frame.data.draw.prompt.clone(),
            file: frame.file,
        })
    }

    /// Whether the folder may belong to a studio that has made it but not locked it yet.
    fn is_starting(&self) -> bool {
        let made = fs::metadata(&self.folder).and_then(|about| about.modified());
        let young = made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age < STARTING));
        young && !self.folder.join(journal::NAME).exists() && !self.folder.join(CLOSED).exists()
    }
}

fn in_use(folder: &Path) -> Error {
    Error::content(
        folder,
        "the session is in use",
        "look for another window of MMFace Studio",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use mmface_engine::job::Draw;

    use super::*;
    use crate::paint::Drawing;
    use crate::project::{Frame, Journal, ProjectData};

    fn frame(prompt: &str, unsaved: bool) -> Frame {
        let mut drawing = Drawing::new(512);
        drawing.mask.fill_row(100, 0..512, 13);
        let data = Arc::new(ProjectData {
            draw: Draw {
                prompt: prompt.into(),
                ..Draw::default()
            },
            ..ProjectData::default()
        });
        Frame {
            drawing,
            data,
            onion: None,
            file: Some("/x/face.mmface-project".into()),
            unsaved,
        }
    }

    /// A session that ends as if killed: the lock goes, nothing else happens.
    fn crash(recovery: &Path, frame: Frame) -> PathBuf {
        let session = Session::start(recovery).unwrap();
        let journal = Journal::start(session.folder(), |_| {}).unwrap();
        journal.put(frame);
        drop(journal);
        session.folder().to_owned()
    }

    #[test]
    fn a_crash_leaves_what_a_proper_end_does_not() {
        let home = tempfile::tempdir().unwrap();
        let recovery = home.path().join("recovery");
        assert!(left(&recovery).unwrap().is_empty());
        let running = Session::start(&recovery).unwrap();
        let journal = Journal::start(running.folder(), |_| {}).unwrap();
        journal.put(frame("running", true));
        assert!(journal.flush(Duration::from_secs(60)));
        assert!(
            left(&recovery).unwrap().is_empty(),
            "a running session is not lost"
        );
        assert!(
            Claim::take(running.folder())
                .unwrap_err()
                .to_string()
                .contains("in use")
        );

        let crashed = crash(&recovery, frame("crashed", true));
        let saved = crash(&recovery, frame("saved", false));
        let found = left(&recovery).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (&found[0].folder, found[0].prompt.as_str()),
            (&crashed, "crashed")
        );
        assert!(found[0].file.is_some());
        assert_eq!(found[0].preview.width, PREVIEW);
        assert!(!saved.exists(), "a session that left nothing is removed");

        let claim = Claim::take(&crashed).unwrap();
        assert!(left(&recovery).unwrap().is_empty(), "claimed by a window");
        assert_eq!(claim.read().unwrap().frame, frame("crashed", true));
        drop(claim);
        assert_eq!(
            left(&recovery).unwrap().len(),
            1,
            "the claim's window has crashed as well"
        );
        Claim::take(&crashed).unwrap().discard().unwrap();
        assert!(left(&recovery).unwrap().is_empty() && Claim::take(&crashed).is_err());

        drop(journal);
        let folder = running.folder().to_owned();
        running.close().unwrap();
        assert!(!folder.exists());
    }

    #[test]
    fn a_session_that_ended_properly_is_not_offered_even_if_it_is_still_there() {
        let home = tempfile::tempdir().unwrap();
        let folder = crash(home.path(), frame("x", true));
        fs::write(folder.join(CLOSED), b"").unwrap();
        assert!(left(home.path()).unwrap().is_empty());
        assert!(!folder.exists());
    }

    #[test]
    fn the_newest_are_kept_and_damage_is_passed_over() {
        let home = tempfile::tempdir().unwrap();
        for i in 0..KEPT + 2 {
            crash(home.path(), frame(&format!("{i}"), true));
            // Ages are told apart by milliseconds.
            let now = || clock::milliseconds(SystemTime::now());
            let before = now();
            while now() == before {
                std::thread::yield_now();
            }
        }
        fs::create_dir(home.path().join("not a session")).unwrap();
        let found = left(home.path()).unwrap();
        assert_eq!(found.len(), KEPT);
        assert_eq!(found[0].prompt, format!("{}", KEPT + 1), "newest first");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), KEPT + 1);
        let broken = home.path().join("session-broken");
        fs::create_dir(&broken).unwrap();
        fs::write(broken.join(journal::NAME), b"rubbish").unwrap();
        assert_eq!(left(home.path()).unwrap().len(), KEPT);
        let starting = Session::start(home.path()).unwrap();
        let folder = starting.folder().to_owned();
        drop(starting);
        left(home.path()).unwrap();
        assert!(
            folder.exists(),
            "a folder that is just being made is left alone"
        );
    }
}
