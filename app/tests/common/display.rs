//! The real program in a real window: a virtual X display, and a hand that moves its mouse.
//!
//! Needs Xvfb, xdotool and a Vulkan or OpenGL driver (lavapipe will do). Where they are missing
//! the tests say so and pass, unless `MMFACE_REQUIRE_DISPLAY` is set, as `.ci/run` does.

#![allow(dead_code, reason = "every test file uses another part of it")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A virtual display; ends with the value.
pub(crate) struct Display {
    server: Child,
    name: String,
    runtime: tempfile::TempDir,
}

impl Display {
    /// Starts a display; `None` where the tools are missing.
    pub(crate) fn start(width: u32, height: u32) -> Option<Self> {
        let missing: Vec<&str> = ["Xvfb", "xdotool"]
            .into_iter()
            .filter(|tool| !on_path(tool))
            .collect();
        if !missing.is_empty() {
            assert!(
                std::env::var_os("MMFACE_REQUIRE_DISPLAY").is_none(),
                "missing: {missing:?}"
            );
            eprintln!("skipped: {} not installed", missing.join(" and "));
            return None;
        }
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0"])
            .arg(format!("{width}x{height}x24"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Some(Self {
            server,
            name: format!(":{}", line.trim()),
            runtime: tempfile::tempdir().unwrap(),
        })
    }

    /// Starts a program on this display.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("DISPLAY", &self.name)
            .env("XDG_RUNTIME_DIR", self.runtime.path())
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("WAYLAND_SOCKET");
        command
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

fn on_path(tool: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(tool).is_file())
}

/// The studio in a window; killed with the value.
pub(crate) struct Window<'a> {
    /// The program.
    pub program: Child,
    display: &'a Display,
    id: String,
}

impl<'a> Window<'a> {
    /// Starts the studio with everything kept under `home`, and waits for its window.
    pub(crate) fn open(display: &'a Display, home: &Path, arguments: &[&str]) -> Self {
        let program = display
            .command(env!("CARGO_BIN_EXE_mmface"))
            .args(arguments)
            .env("MMFACE_HOME", home)
            .env("MMFACE_TRACE_START", "1")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let found = display
            .command("xdotool")
            .args([
                "search",
                "--sync",
                "--onlyvisible",
                "--name",
                "MMFace Studio",
            ])
            .output()
            .unwrap();
        let id = String::from_utf8(found.stdout).unwrap();
        let id = id.lines().next().unwrap_or_default().to_string();
        assert!(!id.is_empty(), "no window appeared");
        let window = Self {
            program,
            display,
            id,
        };
        window.hand(&["windowmove", &window.id, "0", "0"]);
        window.hand(&["windowfocus", "--sync", &window.id]);
        window
    }

    /// Moves mouse and keys as xdotool says.
    pub(crate) fn hand(&self, arguments: &[&str]) {
        let status = self
            .display
            .command("xdotool")
            .args(arguments)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "xdotool {arguments:?}");
    }

    /// Presses a key, as X11 names it: `ctrl+Return`.
    pub(crate) fn key(&self, key: &str) {
        self.hand(&["key", "--clearmodifiers", key]);
    }

    /// Types a text.
    pub(crate) fn text(&self, text: &str) {
        self.hand(&["type", "--delay", "60", text]);
    }

    /// One stroke through points of the window, `pause` seconds apart.
    pub(crate) fn stroke(&self, points: &[(i32, i32)], pause: f64) {
        let pause = pause.to_string();
        let text: Vec<[String; 2]> = points
            .iter()
            .map(|(x, y)| [x.to_string(), y.to_string()])
            .collect();
        let mut arguments = Vec::new();
        for (index, [x, y]) in text.iter().enumerate() {
            arguments.extend(["mousemove", "--window", &self.id, x, y, "sleep", &pause]);
            if index == 0 {
                arguments.extend(["mousedown", "1", "sleep", &pause]);
            }
        }
        arguments.extend(["mouseup", "1"]);
        self.hand(&arguments);
    }

    /// Writes what is on screen, where ImageMagick is at hand: for people, never for a verdict.
    pub(crate) fn picture(&self, path: &Path) {
        if on_path("import") {
            self.display
                .command("import")
                .args(["-window", &self.id])
                .arg(path)
                .status()
                .ok();
        }
    }

    /// Ends the program and gives what it said on stderr.
    pub(crate) fn end(mut self) -> String {
        self.program.kill().unwrap();
        self.program.wait().unwrap();
        let mut said = String::new();
        let mut stderr = self.program.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        said
    }

    /// The power goes out.
    pub(crate) fn kill(mut self) {
        self.program.kill().unwrap();
        self.program.wait().unwrap();
    }
}

impl Drop for Window<'_> {
    fn drop(&mut self) {
        self.program.kill().ok();
        self.program.wait().ok();
    }
}

/// Waits until a folder holds a file with an ending, and gives it.
pub(crate) fn wait_for_file(folder: &Path, ending: &str, longest: Duration) -> PathBuf {
    let end = Instant::now() + longest;
    loop {
        let found = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|this| this == ending));
        if let Some(path) = found {
            return path;
        }
        assert!(
            Instant::now() < end,
            "no .{ending} appeared in {}",
            folder.display()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}
