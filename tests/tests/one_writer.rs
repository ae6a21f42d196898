//! `mmface_engine::file` is the only writer of files: a folder's rights, links, devices, half
//! written files and files of other people are thought of in one place.

#![allow(clippy::expect_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

/// What writes, replaces or renames files, and what makes temporary ones.
const WRITES: [&str; 14] = [
    "File::create",
    "File::options",
    "OpenOptions",
    "fs::write",
    "fs::copy",
    "fs::rename",
    "fs::hard_link",
    "fs::set_permissions",
    ".set_permissions(",
    "tempfile::",
    "NamedTempFile",
    ".persist(",
    ".persist_noclobber(",
    "fs::symlink(",
];

/// Who may, and why.
const ALLOWED: [(&str, &str); 1] = [("engine/src/file/", "it is the writer")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests lie in the workspace")
        .to_path_buf()
}

/// All shipped Rust sources, as path within the repository and text without its tests.
fn shipped() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = ["app", "engine", "trainer", "trainer/protocol"]
        .map(|package| root().join(package).join("src"))
        .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                if name != "tests" {
                    folders.push(path);
                }
            } else if name.ends_with(".rs")
                && !(name.ends_with("tests.rs") || name == "fuzz.rs" || name == "testing.rs")
            {
                let text = fs::read_to_string(&path).expect("a source");
                let inside = path.strip_prefix(root()).expect("below the root");
                let inside = inside.to_string_lossy().replace('\\', "/");
                found.push((inside, without_tests(&text)));
            }
        }
    }
    found.sort();
    found
}

/// The text before the module of tests that ends a file, without comments.
fn without_tests(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| {
        pair[0] == "#[cfg(test)]" && pair[1].contains("mod ") && pair[1].ends_with('{')
    });
    lines[..tests.unwrap_or(lines.len())]
        .iter()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [*line, "\n"])
        .collect()
}

#[test]
fn nobody_else_writes_files() {
    let sources = shipped();
    assert!(sources.len() > 200, "{} sources", sources.len());
    let mut wrong = Vec::new();
    for (path, text) in &sources {
        if ALLOWED.iter().any(|(place, _)| path.starts_with(place)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            for what in WRITES.iter().filter(|what| line.contains(**what)) {
                wrong.push(format!("{path} (about line {}): {what}", number + 1));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "write with mmface_engine::file, or say here why not:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_search_sees_what_it_should() {
    let text = "fn a() {\n    // fs::write is not called\n    fs::copy(a, b);\n}\n\n#[cfg(test)]\nmod tests {\n    fs::write(a, b);\n}\n";
    let kept = without_tests(text);
    assert!(
        kept.contains("fs::copy") && !kept.contains("fs::write"),
        "{kept}"
    );
    for (place, reason) in ALLOWED {
        assert!(root().join(place).exists() && !reason.is_empty(), "{place}");
    }
}
