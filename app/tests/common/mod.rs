//! Starts the real program in a home of its own, with a small random model.

#![allow(dead_code, reason = "every test file uses another part of it")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use candle_core::{Device, Tensor};
use mmface_engine::model::dit::DitConfig;
use mmface_engine::weights::layout::ElementType;
use mmface_engine::weights::manifest::{PackageManifest, Part};
use mmface_engine::weights::verify::{describe_file, write_manifest};
use mmface_engine::weights::write_safetensors;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// A model folder and a working folder that vanish afterwards.
pub(crate) struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    /// A home whose model `tiny` draws noise-like pictures quickly: a random transformer between
    /// the bundled text tower and autoencoder.
    pub(crate) fn new() -> Self {
        let home = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir_all(home.work()).unwrap();
        home.add_model("tiny", None);
        home
    }

    /// Adds a model; the tensor `poison` becomes NaN after the checks of the writer.
    pub(crate) fn add_model(&self, name: &str, poison: Option<&str>) -> PathBuf {
        let folder = self.models().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let demo = root().join("assets/models/demo");
        let text = std::fs::read_to_string(demo.join("model.ron")).unwrap();
        let mut manifest = PackageManifest::parse(&text).unwrap();
        manifest.dit = DitConfig {
            hidden: 64,
            depth: 2,
            heads: 4,
            ..DitConfig::demo()
        };
        manifest.name = name.into();
        manifest.resolution = 64;
        manifest.linked = true;
        manifest.card = String::new();
        write_random_dit(&folder.join("dit.safetensors"), &manifest.dit);
        if let Some(tensor) = poison {
            poison_tensor(&folder.join("dit.safetensors"), tensor);
        }
        let mut paths: Vec<(Part, String)> = vec![(Part::Dit, "dit.safetensors".into())];
        for (part, file) in &manifest.files {
            if *part != Part::Dit {
                paths.push((*part, demo.join(&file.path).to_string_lossy().into_owned()));
            }
        }
        for (part, path) in paths {
            let file = describe_file(&folder, &path, &mut |_, _| true).unwrap();
            manifest.files.insert(part, file);
        }
        write_manifest(&folder, &manifest).unwrap();
        folder
    }

    /// Where models are.
    pub(crate) fn models(&self) -> PathBuf {
        self.folder.path().join("home/models")
    }

    /// Where the program runs and writes.
    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// A path in the working folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.work().join(name)
    }

    /// The program in this home, with the small model for commands that draw.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mmface"));
        command
            .current_dir(self.work())
            .env("MMFACE_HOME", self.folder.path().join("home"))
            .args(arguments);
        if matches!(arguments.first(), Some(&("generate" | "sweep")))
            && !arguments.contains(&"--model")
        {
            command.args(["--model", "tiny"]);
        }
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs the program, which must succeed; returns its stdout.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Names in the working folder, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.work()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Bytes of a file in the working folder.
    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Pixels of a picture in the working folder.
    pub(crate) fn pixels(&self, name: &str) -> Vec<u8> {
        image::open(self.path(name)).unwrap().into_rgb8().into_raw()
    }
}

/// Asserts that a run failed with one helpful line and left no file behind.
pub(crate) fn assert_fails(
    home: &Home,
    output: &Output,
    code: i32,
    wanted: &str,
    files: &[String],
) {
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = errors
        .lines()
        .filter(|line| !line.starts_with("warning: "))
        .collect();
    assert_eq!(lines.len(), 1, "one line, not: {errors}");
    assert!(lines[0].starts_with("error: "), "{errors}");
    assert!(lines[0].contains(wanted), "`{wanted}` is not in: {errors}");
    let mut parts: Vec<&str> = lines[0].split(": ").collect();
    parts.dedup();
    assert_eq!(parts.join(": "), lines[0], "a cause is told twice");
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert_eq!(home.files(), files, "no file is left behind");
}

fn write_random_dit(path: &Path, config: &DitConfig) {
    let tensors = config
        .tensors()
        .into_iter()
        .enumerate()
        .map(|(number, (name, shape))| {
            let inputs: usize = shape.iter().skip(1).product();
            let scale = if shape.len() > 1 {
                (inputs as f64).powf(-0.5)
            } else {
                0.1
            };
            (name, random(number as u64, &shape, scale))
        });
    write_safetensors(path, tensors, ElementType::F32, &BTreeMap::new()).unwrap();
}

fn random(seed: u64, shape: &[usize], scale: f64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (((state >> 40) as f64 / 8_388_608.0 - 1.0) * 1.7 * scale) as f32
        })
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Overwrites a tensor's first number with NaN.
fn poison_tensor(path: &Path, tensor: &str) {
    let mut bytes = std::fs::read(path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let json: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let begin = json[tensor]["data_offsets"][0].as_u64().unwrap() as usize;
    bytes[8 + header + begin..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(path, bytes).unwrap();
}
