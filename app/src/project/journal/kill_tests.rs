//! A process that draws is killed at random moments: what it drew until a second before must be in
//! its journal, whole.
//!
//! The process is this test program itself, started once more for [`a_child_that_draws`] alone.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use mmface_engine::job::Draw;

use super::*;
use crate::project::session::{Claim, Session};

/// Names the recovery folder for the child.
const FOLDER: &str = "MMFACE_TEST_JOURNAL";
/// Names the kind of strokes.
const NOISY: &str = "MMFACE_TEST_NOISY";

/// Strokes that a kill may take: those of the last second.
const LOSS: Duration = Duration::from_secs(1);

/// The drawing after a number of strokes. Noisy strokes do not pack, so that the journal is
/// written anew every other second.
fn draw(drawing: &mut Drawing, stroke: u64, noisy: bool) {
    let side = drawing.side();
    let y = stroke as usize * 7 % side;
    drawing.mask.fill_row(y, 0..side, (stroke % 19) as u8);
    drawing
        .sketch
        .fill_row(side - 1 - y, 0..side / 2, (stroke % 251) as u8);
    if noisy {
        let noise = |i: u64| ((i + stroke).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
        let pixels: Vec<u8> = (0..(side * side) as u64).map(noise).collect();
        drawing.sketch = Tiles::from_pixels(side, side, &pixels);
    }
}

#[test]
#[ignore = "the child of the test below"]
fn a_child_that_draws() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let noisy = std::env::var_os(NOISY).is_some();
    let session = Session::start(Path::new(&folder)).unwrap();
    let journal = Journal::start(session.folder(), |report| panic!("{report:?}")).unwrap();
    let mut drawing = Drawing::new(512);
    for stroke in 1.. {
        draw(&mut drawing, stroke, noisy);
        journal.put(Frame {
            drawing: drawing.clone(),
            data: Arc::new(ProjectData {
                draw: Draw {
                    seed: stroke,
                    ..Draw::default()
                },
                ..ProjectData::default()
            }),
            onion: None,
            file: None,
            unsaved: true,
        });
        println!("stroke {stroke}");
        std::io::stdout().flush().unwrap();
        std::thread::sleep(Duration::from_millis(if noisy { 60 } else { 8 }));
    }
}

/// Starts a child, kills it after a time, and looks at what is left.
fn kill_after(time: Duration, noisy: bool) {
    let recovery = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "project::journal::kill_tests::a_child_that_draws",
        "--exact",
        "--ignored",
        "--nocapture",
    ]);
    command
        .env(FOLDER, recovery.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if noisy {
        command.env(NOISY, "1");
    }
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, strokes) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in lines.map_while(std::io::Result::ok) {
            if let Some(number) = line
                .strip_prefix("stroke ")
                .and_then(|number| number.parse::<u64>().ok())
            {
                sender.send((number, Instant::now())).unwrap();
            }
        }
    });
    let first = strokes
        .recv_timeout(Duration::from_secs(60))
        .expect("a first stroke");
    std::thread::sleep(time);
    let killed = Instant::now();
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    let seen: Vec<(u64, Instant)> = std::iter::once(first).chain(strokes).collect();
    let folders: Vec<PathBuf> = fs::read_dir(recovery.path())
        .unwrap()
        .map(|item| item.unwrap().path())
        .collect();
    assert_eq!(folders.len(), 1);
    let found = Claim::take(&folders[0])
        .expect("the lock went with the process")
        .read()
        .expect("a whole state");
    let kept = found.frame.data.draw.seed;
    let old = seen
        .iter()
        .rev()
        .find(|(_, when)| *when + LOSS <= killed)
        .map_or(0, |(number, _)| *number);
    let newest = seen.last().unwrap().0;
    assert!(
        kept >= old,
        "stroke {kept} is kept, but {old} was drawn a second before the kill (of {newest})"
    );
    let mut expected = Drawing::new(512);
    for stroke in 1..=kept {
        // Only the newest noise is seen.
        draw(&mut expected, stroke, noisy && stroke == kept);
    }
    assert!(
        found.frame.drawing == expected,
        "the drawing is not that of stroke {kept}"
    );
}

#[test]
fn a_kill_at_any_moment_loses_at_most_the_last_second() {
    // Moments spread over the pace of writing and over the syncs, not round numbers of either.
    let moments = (0..20u64).map(|i| Duration::from_millis(1050 + i * 377 % 1400));
    let moments: Vec<(usize, Duration)> = moments.enumerate().collect();
    std::thread::scope(|scope| {
        for some in moments.chunks(5) {
            scope.spawn(move || {
                some.iter()
                    .for_each(|(i, time)| kill_after(*time, i % 4 == 3))
            });
        }
    });
}
