//! What the trainer says when it cannot work: one line, each cause once.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::process::Stdio;

#[test]
fn a_cause_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("broken.ron"), "(batch: ").unwrap();
    for (arguments, code, wanted) in [
        (vec!["plan", "--config", "none.ron"], 1, "none.ron"),
        (vec!["plan", "--config", "broken.ron"], 1, "broken.ron"),
        (vec!["plan", "--config_path", "none.yaml"], 1, "none.yaml"),
        (vec!["resume", "--out", "none", "--work", "."], 1, "none"),
        (
            vec!["train", "--preset", "demo", "--work", "none", "--out", "r"],
            1,
            "none",
        ),
        #[cfg(not(feature = "cuda"))]
        (
            "train --preset demo --work none --out r --device cuda:1"
                .split(' ')
                .collect(),
            4,
            "CUDA is not usable here",
        ),
        (
            vec!["latents", "--preset", "demo", "--work", ".", "--data", "no"],
            1,
            "no",
        ),
        (
            vec!["export", "--checkpoint", "none", "--out", "none.mmface"],
            1,
            "none",
        ),
        (
            vec!["evaluate", "--model", "none", "--data", "."],
            1,
            "none",
        ),
        (
            vec!["plan", "--preset", "demo", "--set", "batsh=3"],
            2,
            "batch",
        ),
        (vec!["plan", "--preset", "demonstration"], 2, "demo"),
        (
            vec!["latents", "--preset", "demo", "--work", "."],
            2,
            "--data",
        ),
    ] {
        let output = common::program()
            .args(&arguments)
            .current_dir(here)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        let line = told.trim_end();
        assert!(!line.contains('\n'), "one line, not: {told}");
        assert!(line.contains(wanted), "{arguments:?}: {told}");
        let mut parts: Vec<&str> = line.split(": ").collect();
        parts.dedup();
        assert_eq!(parts.join(": "), line, "a cause is told twice");
        assert!(line.matches("(os error").count() <= 1, "{line}");
    }
}
