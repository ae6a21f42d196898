//! What the trainer says when it cannot work: one line, each cause once.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::process::Stdio;

#[test]
fn a_cause_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("broken.ron"), "(batch: ").unwrap();
    for (arguments, wanted) in [
        (vec!["plan", "--config", "none.ron"], "none.ron"),
        (vec!["plan", "--config", "broken.ron"], "broken.ron"),
        (vec!["plan", "--config_path", "none.yaml"], "none.yaml"),
        (vec!["resume", "--out", "none", "--work", "."], "none"),
        (
            vec!["train", "--preset", "demo", "--work", "none", "--out", "r"],
            "none",
        ),
        #[cfg(not(feature = "cuda"))]
        (
            "train --preset demo --work none --out r --device cuda:1"
                .split(' ')
                .collect(),
            "CUDA is not usable here",
        ),
        (
            vec!["latents", "--preset", "demo", "--work", ".", "--data", "no"],
            "no",
        ),
        (
            vec!["export", "--checkpoint", "none", "--out", "none.mmface"],
            "none",
        ),
        (vec!["evaluate", "--model", "none", "--data", "."], "none"),
    ] {
        let output = common::program()
            .args(&arguments)
            .current_dir(here)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
        let line = told.trim_end();
        assert!(!line.contains('\n'), "one line, not: {told}");
        assert!(line.contains(wanted), "{arguments:?}: {told}");
        let mut parts: Vec<&str> = line.split(": ").collect();
        parts.dedup();
        assert_eq!(parts.join(": "), line, "a cause is told twice");
        assert!(line.matches("(os error").count() <= 1, "{line}");
    }
}
