//! The trainer as a child process: found, started, read, told, outlived.
//!
//! Reading and waiting happen on threads of their own; the GUI thread only takes what they left.
//! What the child says on stderr goes into a file and not into a pipe, so that a child that is left
//! running can go on saying it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use mmface_engine::file::{self, Append};
use mmface_run_protocol::arguments::PROGRAM;
use mmface_run_protocol::{TrainCommand, TrainEvent};
use shared_child::SharedChild;

/// Longest line that is read; longer ones are cut.
const LINE: u64 = 1 << 20;
/// Time between two looks whether the last lines have come.
const LOOK: Duration = Duration::from_millis(10);
/// How long after the child's end its last lines are waited for.
const GRACE: Duration = Duration::from_millis(500);
/// Bytes at the end of the log that an error message is made from.
const TAIL: u64 = 4096;

/// Finds the trainer: the path that the person chose, beside this program, on the PATH.
pub fn find(chosen: &str) -> Option<PathBuf> {
    let chosen = chosen.trim();
    if !chosen.is_empty() {
        return Some(PathBuf::from(chosen)).filter(|path| path.is_file());
    }
    let name = format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok();
    let beside = beside.as_deref().and_then(Path::parent).map(Path::to_owned);
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    beside
        .into_iter()
        .chain(std::env::split_paths(&on_path))
        .map(|folder| folder.join(&name))
        .find(|path| path.is_file())
}

/// What is to be started.
#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The file that takes what it says on stderr; it is lengthened, never emptied.
    pub log: PathBuf,
}

/// Something from a child.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// An event of the run.
    Event(TrainEvent),
    /// A line that is no event.
    Line(String),
    /// It has ended; nothing comes after this.
    Ended(End),
}

/// How a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// It says that all went well.
    pub well: bool,
    /// "exit code 3", "signal 9".
    pub how: String,
    /// The last lines that it said on stderr.
    pub tail: String,
}

/// A running child. Letting go of it leaves the child running: its standard input ends, which the
/// trainer takes to mean that nobody steers it any more.
#[derive(Debug)]
pub struct Child {
    process: Arc<SharedChild>,
    input: Option<ChildStdin>,
    said: Receiver<Said>,
    /// Its process id.
    pub id: u32,
}

impl Child {
    /// Starts a program. `wake` is called, from another thread, when there is something to take.
    ///
    /// # Errors
    /// One line: what could not be started, and why.
    pub fn start(launch: &Launch, wake: impl Fn() + Send + Sync + 'static) -> Result<Self, String> {
        let log = file::create_folder(file::parent_folder(&launch.log))
            .and_then(|()| Append::open(&launch.log))
            .map_err(|error| error.to_string())?;
        let before = log.len();
        let mut command = Command::new(&launch.program);
        command
            .args(&launch.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.into_file());
        apart(&mut command);
        let process = SharedChild::spawn(&mut command).map_err(|error| {
            format!(
                "{} does not start: {error}; choose another program",
                launch.program.display()
            )
        })?;
        let id = process.id();
        let input = process.take_stdin();
        let output = process.take_stdout();
        let (sender, said) = unbounded();
        let process = Arc::new(process);
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(wake);
        let (lines, wake_lines) = (sender.clone(), Arc::clone(&wake));
        let reader = output
            .map(|output| std::thread::spawn(move || read(output, &lines, wake_lines.as_ref())));
        let (waited, path) = (Arc::clone(&process), launch.log.clone());
        std::thread::spawn(move || {
            let status = waited.wait();
            // A grandchild may hold the pipe open; the last lines of the child itself come soon.
            let until = Instant::now() + GRACE;
            while reader.as_ref().is_some_and(|reader| !reader.is_finished())
                && Instant::now() < until
            {
                std::thread::sleep(LOOK);
            }
            let tail = tail(&path, before);
            // The studio may be gone by now; then there is nobody to tell.
            sender.send(Said::Ended(end(status, tail))).ok();
            wake();
        });
        Ok(Self {
            process,
            input,
            said,
            id,
        })
    }

    /// All that came since the last call.
    pub fn said(&self) -> Vec<Said> {
        self.said.try_iter().collect()
    }

    /// Sends a command; false when nobody listens any more.
    pub fn tell(&mut self, command: TrainCommand) -> bool {
        let Some(input) = &mut self.input else {
            return false;
        };
        // A line is far shorter than the pipe's buffer, so this does not wait.
        let told = command.to_line().is_ok_and(|line| {
            writeln!(input, "{line}")
                .and_then(|()| input.flush())
                .is_ok()
        });
        if !told {
            self.input = None;
        }
        told
    }

    /// Asks the child to end at the next good moment, where the system can ask, else ends it.
    pub fn interrupt(&self) {
        if !signal(self.id) {
            self.kill();
        }
    }

    /// Ends the child at once.
    pub fn kill(&self) {
        // An error means that it has ended already.
        drop(self.process.kill());
    }
}

/// Puts the child into a group of its own, so that Ctrl+C on the studio's terminal does not reach it.
fn apart(command: &mut Command) {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        command.process_group(0);
    }
    #[cfg(windows)]
    {
        use std::os::windows::process::CommandExt;
        // CREATE_NO_WINDOW and CREATE_NEW_PROCESS_GROUP.
        command.creation_flags(0x0800_0000 | 0x0000_0200);
    }
    let _ = command;
}

/// Asks a process to end; false where the system has no such thing.
pub fn signal(id: u32) -> bool {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process};
        // 1 is the system's first process: nobody trains there.
        let id = i32::try_from(id).ok().filter(|&id| id > 1);
        id.and_then(Pid::from_raw)
            .is_some_and(|id| kill_process(id, Signal::TERM).is_ok())
    }
    #[cfg(not(unix))]
    {
        let _ = id;
        false
    }
}

/// Reads lines until the pipe ends.
fn read(output: impl Read, lines: &Sender<Said>, wake: &(dyn Fn() + Send + Sync)) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match output.by_ref().take(LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        let said = match TrainEvent::from_line(text) {
            Ok(event) => Said::Event(event),
            Err(_) => Said::Line(text.to_owned()),
        };
        if lines.send(said).is_err() {
            // The studio let go: keep reading, or the child would stand still at a full pipe.
            continue;
        }
        wake();
    }
}

fn end(status: std::io::Result<ExitStatus>, tail: String) -> End {
    let (well, how) = match status {
        Ok(status) => (status.success(), how(status)),
        Err(error) => (false, format!("for an unknown reason ({error})")),
    };
    End { well, how, tail }
}

fn how(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            return match signal {
                9 => "killed (signal 9; the system does this when memory runs out)".into(),
                signal => format!("killed by signal {signal}"),
            };
        }
    }
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => "no exit code".into(),
    }
}

/// The last lines of the log after a place in it.
fn tail(path: &Path, after: u64) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(after.max(length.saturating_sub(TAIL))))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(6)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn shell(folder: &Path, script: &str) -> Child {
        let launch = Launch {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            log: folder.join("log"),
        };
        Child::start(&launch, || {}).expect("a shell")
    }

    #[cfg(unix)]
    fn until_end(child: &Child) -> Vec<Said> {
        let mut all = Vec::new();
        let until = Instant::now() + Duration::from_secs(60);
        while !matches!(all.last(), Some(Said::Ended(_))) {
            assert!(Instant::now() < until, "it does not end: {all:?}");
            all.extend(child.said());
            std::thread::sleep(Duration::from_millis(5));
        }
        all
    }

    #[test]
    #[cfg(unix)]
    fn events_and_other_lines_come_in_order_and_the_end_last() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("log"), "of the run before\n").expect("a file");
        let script = r#"echo '{"event":"resumed","step":3}'; echo rubbish; echo why >&2; exit 3"#;
        let said = until_end(&shell(folder.path(), script));
        assert_eq!(said[0], Said::Event(TrainEvent::Resumed { step: 3 }));
        assert_eq!(said[1], Said::Line("rubbish".into()));
        let Said::Ended(end) = &said[2] else {
            panic!("{said:?}")
        };
        assert_eq!((end.well, end.how.as_str()), (false, "exit code 3"));
        assert_eq!(end.tail, "why", "only what this child said");
    }

    #[test]
    #[cfg(unix)]
    fn commands_arrive_and_a_killed_child_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = shell(folder.path(), "read line; echo \"$line\"; exec sleep 60");
        assert!(child.tell(TrainCommand::Pause));
        let until = Instant::now() + Duration::from_secs(60);
        let mut said = Vec::new();
        while said.is_empty() {
            assert!(Instant::now() < until, "the command did not arrive");
            said = child.said();
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(said, [Said::Line(r#"{"command":"pause"}"#.into())]);
        child.kill();
        let said = until_end(&child);
        assert!(matches!(&said[..], [Said::Ended(end)] if end.how.contains("signal 9")));
    }

    #[test]
    #[cfg(unix)]
    fn a_child_that_was_let_go_lives_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let mark = folder.path().join("mark");
        let script = format!(
            "cat >/dev/null; echo x; echo y >&2; echo z > {}",
            mark.display()
        );
        drop(shell(folder.path(), &script));
        let until = Instant::now() + Duration::from_secs(60);
        while !mark.exists() {
            assert!(Instant::now() < until, "it did not live on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_one_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let launch = Launch {
            program: folder.path().join("none"),
            arguments: Vec::new(),
            log: folder.path().join("log"),
        };
        let why = Child::start(&launch, || {}).expect_err("nothing to start");
        assert!(why.contains("none does not start"), "{why}");
        assert_eq!(
            find(&folder.path().join("none").display().to_string()),
            None
        );
    }
}
