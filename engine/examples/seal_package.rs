//! Writes sizes and hashes of a model package's files into its `model.ron`, after a part was
//! replaced or added:
//!
//! `cargo run --release -p mmface-engine --example seal_package -- assets/models/demo dit=dit.safetensors`

use std::path::Path;
use std::process::ExitCode;

use mmface_engine::weights::{Part, verify};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((folder, added)) = arguments.split_first() else {
        eprintln!("usage: seal_package FOLDER [PART=PATH ...]");
        return ExitCode::from(2);
    };
    let mut parts = Vec::new();
    for argument in added {
        let pair = argument.split_once('=');
        let Some((Ok(part), path)) = pair.map(|(key, path)| (Part::try_from(key.to_owned()), path))
        else {
            eprintln!("`{argument}` is not PART=PATH with a part of a package");
            return ExitCode::from(2);
        };
        parts.push((part, path));
    }
    match verify::seal(Path::new(folder), &parts) {
        Ok(manifest) => {
            println!("{} parts of {} sealed", manifest.files.len(), manifest.name);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
