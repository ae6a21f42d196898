#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::sync::mpsc;

use mmface_engine::job::Draw;
use proptest::prelude::*;

use super::*;
use crate::paint::TILE;

fn frame(side: usize) -> Frame {
    Frame {
        drawing: Drawing::new(side),
        data: Arc::new(ProjectData {
            draw: Draw {
                prompt: "a face".into(),
                ..Draw::default()
            },
            side,
            ..ProjectData::default()
        }),
        onion: None,
        file: None,
        unsaved: false,
    }
}

/// Paints a bar of a class: crosses several tiles.
fn paint(frame: &mut Frame, y: usize, class: u8) {
    let side = frame.drawing.side();
    for row in y..y + 20 {
        frame.drawing.mask.fill_row(row, 30..side - 30, class);
        frame.drawing.sketch.fill_row(row, 100..200, class * 10);
    }
    frame.unsaved = true;
}

fn journal(folder: &Path) -> (Journal, mpsc::Receiver<Report>) {
    let (sender, reports) = mpsc::channel();
    (
        Journal::start(folder, move |report| sender.send(report).unwrap()).unwrap(),
        reports,
    )
}

#[test]
fn a_session_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, reports) = journal(folder.path());
    let mut state = frame(1024);
    for (step, class) in (1..9).enumerate() {
        paint(&mut state, 100 * step + 50, class);
        journal.put(state.clone());
        assert!(journal.flush(Duration::from_secs(60)));
        assert_eq!(
            read(folder.path()).unwrap().frame,
            state,
            "after step {step}"
        );
    }
    state.onion = Some(Arc::new(RgbImage::filled(100, 80, [1, 2, 3])));
    state.file = Some("/somewhere/face.mmface-project".into());
    state.data = Arc::new(ProjectData {
        draw: Draw {
            prompt: "another".into(),
            seed: 9,
            ..state.data.draw.clone()
        },
        ..(*state.data).clone()
    });
    state.unsaved = false;
    journal.put(state.clone());
    assert!(journal.flush(Duration::from_secs(60)));
    let back = read(folder.path()).unwrap();
    assert_eq!(back.frame, state);
    assert_eq!(back.torn, 0);
    assert!(SystemTime::now().duration_since(back.time).unwrap() < Duration::from_secs(60));
    state.onion = None;
    journal.put(state.clone());
    drop(journal);
    assert_eq!(
        read(folder.path()).unwrap().frame,
        state,
        "ending writes what was put last"
    );
    assert!(reports.try_recv().is_err());
}

#[test]
fn only_what_changed_is_written_and_nothing_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::new(folder.path());
    let length = || fs::metadata(folder.path().join(NAME)).unwrap().len();
    let mut state = frame(1024);
    log.write(&state).unwrap();
    let empty = length();
    assert!(empty < 2000, "an empty canvas takes {empty} bytes");
    log.write(&state.clone()).unwrap();
    assert_eq!(length(), empty);
    state.drawing.mask.set(500, 500, 3);
    log.write(&state).unwrap();
    let one = length() - empty;
    assert!(one < 200, "one pixel takes {one} bytes");
    // A tile that was painted and undone has another pointer but the same bytes.
    let mut same = state.clone();
    same.drawing.mask.set(500, 500, 4);
    same.drawing.mask.set(500, 500, 3);
    log.write(&same).unwrap();
    assert_eq!(length(), empty + one);
}

#[test]
fn a_long_journal_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::new(folder.path());
    let mut state = frame(512);
    let mut longest = 0;
    // Noise does not pack: every round is 512 KB.
    for round in 0..40u32 {
        let noise: Vec<u8> = (0..512 * 512u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> (8 + round % 8)) as u8)
            .collect();
        state.drawing.sketch = Tiles::from_pixels(512, 512, &noise);
        log.write(&state).unwrap();
        longest = longest.max(fs::metadata(folder.path().join(NAME)).unwrap().len());
    }
    assert!(longest < LONG + (2 << 20), "{longest} bytes");
    assert_eq!(read(folder.path()).unwrap().frame, state);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no litter");
    state.drawing = Drawing::new(1024);
    state.data = Arc::new(ProjectData {
        side: 1024,
        ..ProjectData::default()
    });
    log.write(&state).unwrap();
    assert_eq!(
        read(folder.path()).unwrap().frame,
        state,
        "another canvas begins a new file"
    );
}

#[test]
fn a_folder_that_vanishes_is_made_again_and_one_that_cannot_be_is_reported_once() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("session");
    let (journal, reports) = journal(&folder);
    let mut state = frame(512);
    journal.put(state.clone());
    assert!(journal.flush(Duration::from_secs(60)));
    fs::remove_dir_all(&folder).unwrap();
    paint(&mut state, 10, 3);
    journal.put(state.clone());
    assert!(journal.flush(Duration::from_secs(60)));
    assert_eq!(read(&folder).unwrap().frame, state);
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, b"in the way").unwrap();
    for y in [100, 200, 300] {
        paint(&mut state, y, 4);
        journal.put(state.clone());
    }
    let Report::Failed(why) = reports.recv_timeout(Duration::from_secs(60)).unwrap() else {
        panic!("a failure")
    };
    assert!(
        why.starts_with("cannot write the recovery journal"),
        "{why}"
    );
    fs::remove_file(&folder).unwrap();
    assert_eq!(
        reports.recv_timeout(Duration::from_secs(60)).unwrap(),
        Report::Recovered
    );
    assert_eq!(read(&folder).unwrap().frame, state, "nothing is missing");
    assert!(reports.try_recv().is_err());
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_leaves_what_was_written_and_heals() {
    // /dev/full takes no byte: the open file is exchanged for it as if the disk had filled up.
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::new(folder.path());
    let mut state = frame(512);
    paint(&mut state, 10, 3);
    log.write(&state).unwrap();
    let before = state.clone();
    paint(&mut state, 100, 4);
    let full = Append::open(Path::new("/dev/full")).unwrap();
    let file = std::mem::replace(&mut log.open.as_mut().unwrap().file, full);
    assert!(log.write(&state).is_err());
    assert_eq!(read(folder.path()).unwrap().frame, before);
    drop(file);
    log.write(&state).unwrap();
    assert_eq!(read(folder.path()).unwrap().frame, state);
}

#[test]
fn of_many_states_the_newest_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _reports) = journal(folder.path());
    let mut state = frame(1024);
    for i in 0..300 {
        state.drawing.mask.set(i, i, 5);
        journal.put(state.clone());
    }
    assert!(journal.flush(Duration::from_secs(60)));
    assert_eq!(read(folder.path()).unwrap().frame, state);
}

/// A journal of many states, and the states.
fn states() -> (Vec<u8>, Vec<Frame>) {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::new(folder.path());
    let mut state = frame(512);
    let mut states = Vec::new();
    for step in 0..8 {
        paint(&mut state, 50 * step, step as u8 + 1);
        state.data = Arc::new(ProjectData {
            draw: Draw {
                seed: step as u64,
                ..state.data.draw.clone()
            },
            ..(*state.data).clone()
        });
        log.write(&state).unwrap();
        states.push(state.clone());
    }
    (fs::read(folder.path().join(NAME)).unwrap(), states)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn cut_or_damaged_journals_give_an_earlier_whole_state(at in any::<prop::sample::Index>(), flip in prop::option::of(1u8..)) {
        let (mut bytes, states) = states();
        let at = at.index(bytes.len());
        match flip {
            Some(flip) => bytes[at] ^= flip,
            None => bytes.truncate(at),
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NAME), &bytes).unwrap();
        if let Ok(back) = read(folder.path()) {
            prop_assert!(states.contains(&back.frame), "half a state");
            prop_assert!(back.frame.drawing.side() % TILE == 0);
        }
    }
}
