//! The real program on a machine whose graphics cannot draw: one line, and nobody's work is touched.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/display.rs"]
mod display;
#[path = "common/studio.rs"]
mod studio;

use display::Display;
use mmface::project::session;

#[test]
fn without_an_adapter_the_program_ends_with_one_line_and_lost_work_stays() {
    let Some(display) = Display::start(640, 480) else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    {
        let mut harness = studio::studio(home.path());
        studio::settle(&mut harness);
        harness
            .state_mut()
            .studio
            .context
            .document
            .painter
            .edit("Stroke", |drawing| {
                drawing.mask.fill_row(9, 50..400, 13);
            });
        harness.run_steps(2);
        studio::settle(&mut harness);
        // Gone without a word, as by a power cut.
    }
    let recovery = home.path().join("recovery");
    assert_eq!(session::left(&recovery).unwrap().len(), 1);
    let output = display
        .command(env!("CARGO_BIN_EXE_mmface"))
        .env("MMFACE_HOME", home.path())
        .env("WGPU_BACKEND", "vulkan")
        .env("VK_DRIVER_FILES", "/nonexistent.json")
        .env("VK_ICD_FILENAMES", "/nonexistent.json")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    let lines: Vec<&str> = said.lines().filter(|l| l.starts_with("error: ")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert!(
        lines[0].contains("the studio cannot draw") && lines[0].contains("mmface generate"),
        "{said}"
    );
    assert_eq!(
        session::left(&recovery).unwrap().len(),
        1,
        "it is still offered"
    );
}
