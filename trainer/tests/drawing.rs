//! What the trainer draws, in evaluations and in sample sheets, is what a person draws with the
//! same weights: byte for byte.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use candle_core::{Device, Tensor, Var};
use common::{config, frozen};
use mmface_engine::contract::{Cancel, PipelineOptions};
use mmface_engine::device::{DeviceChoice, OpenDevice};
use mmface_engine::job::{Condition, Draw, Job, Named as _, Objective};
use mmface_engine::kernels::Precision;
use mmface_engine::model::LoadOptions;
use mmface_engine::model::dit::DitConfig;
use mmface_engine::picture::{RgbImage, read};
use mmface_engine::pipeline::{Pipeline, Transformer, load_package};
use mmface_engine::weights::{Package, Part};
use mmface_trainer::checkpoint::{self, State};
use mmface_trainer::config::{Config, Model, Moments};
use mmface_trainer::evaluate::{self, Options};
use mmface_trainer::optim::Parameters;
use mmface_trainer::rng::{Purpose, fill_normal, stream};
use mmface_trainer::sheets::{self, PROMPTS};
use mmface_trainer::step::{Settings, Training};
use mmface_trainer::{export, model, package, prepare};

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models/demo")
}

fn small(objective: Objective) -> DitConfig {
    DitConfig {
        hidden: 32,
        depth: 2,
        heads: 2,
        objective,
        ..DitConfig::demo()
    }
}

/// Weights of a size that keeps values near one: an untrained model would predict nothing.
fn weights(dit: &DitConfig) -> Parameters {
    let tensors = dit.tensors().into_iter().enumerate();
    let weight = |(index, (name, shape)): (usize, (String, Vec<usize>))| {
        let mut values = vec![0f32; shape.iter().product()];
        fill_normal(&mut stream(3, Purpose::Init, index as u64), &mut values);
        let inputs: usize = shape.iter().skip(1).product();
        let scale = (inputs as f32).powf(-0.5).min(0.3);
        values.iter_mut().for_each(|value| *value *= scale);
        let weight = Var::from_vec(values, shape, &Device::Cpu).unwrap();
        (name, weight)
    };
    tensors.map(weight).collect()
}

/// A checkpoint of a small transformer for the demo's frozen parts.
fn write_checkpoint(out: &Path, objective: Objective) -> Config {
    let dit = small(objective);
    let mut config = config(Moments::F32);
    config.model = Model::Custom(dit.clone());
    config.resolution = 64;
    let training = Training::new(
        Settings::of(&config, &Device::Cpu),
        weights(&dit),
        &Device::Cpu,
    )
    .unwrap();
    let mut state = State::new(config.clone(), "random weights".into(), (0, 0));
    (state.step, state.samples) = (7, 28);
    checkpoint::save(out, &training, &state).unwrap();
    config
}

/// Gives a package the demo's face parser: without one nothing can be evaluated.
fn add_parser(package: &Path) {
    let mut manifest = Package::open(package).unwrap().manifest().clone();
    let parser = Package::open(&demo()).unwrap().manifest().files[&Part::Parser].clone();
    std::fs::copy(demo().join(&parser.path), package.join(&parser.path)).unwrap();
    manifest.files.insert(Part::Parser, parser);
    std::fs::write(package.join("model.ron"), manifest.to_text().unwrap()).unwrap();
}

fn usual() -> PipelineOptions {
    PipelineOptions {
        device: DeviceChoice::Cpu,
        ..PipelineOptions::default()
    }
}

/// What `evaluate` draws of a mask and of a sketch, and the values that it draws them by.
fn evaluated(package: &Path, checkpoint: Option<&Path>) -> (Vec<Job>, Vec<RgbImage>) {
    let mut model = prepare::load_model(package, checkpoint, None, usual()).unwrap();
    let mut draw = Draw {
        steps: 3,
        seed: 5,
        ..Draw::default()
    };
    model.summary.suggested.apply(&mut draw);
    assert_eq!(draw.size, 64, "what the weights were trained at");
    let options = Options {
        data: PathBuf::new(),
        draw,
        limit: 0,
        sheet: None,
    };
    let conditions = sheets::conditions().unwrap();
    let jobs: Vec<Job> = [0, 2]
        .into_iter()
        .map(|index| evaluate::job(&options.draw, conditions[index].clone(), PROMPTS[0], index))
        .collect();
    let pictures = evaluate::draw(&mut model.pipeline, &jobs).unwrap();
    (jobs, pictures)
}

/// The program `mmface`, which is another package's: `cargo test --workspace` builds it beside the
/// tests. Where it is missing the test says so and goes without, unless `MMFACE_REQUIRE_APP` is set.
fn program() -> Option<PathBuf> {
    let name = format!("mmface{}", std::env::consts::EXE_SUFFIX);
    let test = std::env::current_exe().unwrap();
    let path = test.parent()?.parent()?.join(name);
    if path.is_file() {
        return Some(path);
    }
    let required = std::env::var_os("MMFACE_REQUIRE_APP").is_some();
    assert!(!required, "{} is not there", path.display());
    eprintln!("{} is not built: compared without it", path.display());
    None
}

/// What `mmface generate` draws of a condition, told nothing but what a person would say.
fn generated(program: &Path, package: &Path, job: &Job, folder: &Path) -> RgbImage {
    let (kind, bytes) = match &job.condition {
        Condition::Mask(mask) => ("--mask", mask.to_png().unwrap()),
        Condition::Sketch(sketch) => ("--sketch", sketch.to_png().unwrap()),
        other => panic!("evaluations follow mask or sketch, not {}", other.summary()),
    };
    let (condition, out) = (folder.join("condition.png"), folder.join("drawn.png"));
    std::fs::write(&condition, bytes).unwrap();
    let status = Command::new(program)
        .arg("generate")
        .arg(kind)
        .arg(&condition)
        .args(["--prompt", &job.draw.prompt])
        .args(["--seed", &job.draw.seed.to_string()])
        .args(["--steps", &job.draw.steps.to_string()])
        .args(["--device", "cpu", "--quiet"])
        .arg("--model")
        .arg(package)
        .arg("--out")
        .arg(&out)
        .env("MMFACE_HOME", folder.join("home"))
        .status()
        .unwrap();
    assert!(status.success());
    read::read(&out).unwrap().to_rgb()
}

#[test]
fn an_evaluation_draws_what_a_person_draws() {
    for objective in Objective::ALL.iter().copied() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        write_checkpoint(&run, objective);
        let package = folder.path().join("models/run-7");
        package::create(&run, &frozen(folder.path()), &package).unwrap();
        export::export(&run, &package, None).unwrap();
        add_parser(&package);

        let (jobs, pictures) = evaluated(&package, None);
        assert_eq!(jobs[0].draw.sampler, objective.default_sampler());
        assert_ne!(pictures[0], pictures[1]);
        let (_, before) = evaluated(&package, Some(&run));
        assert!(
            pictures == before,
            "{objective:?}: the checkpoint differs from its package"
        );
        let Some(program) = program() else { continue };
        for (job, picture) in jobs.iter().zip(&pictures) {
            let drawn = generated(&program, &package, job, folder.path());
            assert!(drawn == *picture, "{objective:?}: generate differs");
        }
    }
}

#[test]
fn a_sheet_shows_what_a_person_draws() {
    for objective in Objective::ALL.iter().copied() {
        let folder = tempfile::tempdir().unwrap();
        let dit = small(objective);
        let tensors: BTreeMap<String, Tensor> = model::tensors(&weights(&dit));
        let transformer = |trainable| {
            let options = LoadOptions {
                trainable,
                ..LoadOptions::for_device(&Device::Cpu)
            };
            model::load(&dit, &tensors, options, &Device::Cpu).unwrap()
        };
        let config = Config {
            model: Model::Custom(dit.clone()),
            resolution: 64,
            ..config(Moments::F32)
        };
        let probes = prepare::probes(&config, &frozen(folder.path()), &Device::Cpu).unwrap();
        // Also of the very weights that are being trained.
        let rows = [false, true].map(|trainable| probes.row(&transformer(trainable), 1).unwrap());

        let (device, options) = (
            OpenDevice::cpu(),
            PipelineOptions {
                precision: Precision::Exact,
                ..usual()
            },
        );
        let (parts, _) = load_package(
            &Package::open(&demo()).unwrap(),
            Transformer::Other(Box::new(transformer(false))),
            &device,
            &options,
            &mut |_, _| (),
            &Cancel::new(),
        )
        .unwrap();
        let values = |index| Draw {
            prompt: PROMPTS[1].into(),
            ..probes.values(&parts.dit, index)
        };
        let conditions = sheets::conditions().unwrap();
        let jobs: Vec<Job> = conditions
            .into_iter()
            .enumerate()
            .map(|(index, condition)| Job {
                draw: values(index),
                condition,
                fork: None,
            })
            .collect();
        let mut pipeline = Pipeline::with_parts(options, parts);
        let drawn = evaluate::draw(&mut pipeline, &jobs).unwrap();
        for (index, picture) in drawn.iter().enumerate() {
            assert!(*picture == rows[0][index], "{objective:?} {index}");
            let largest = difference(picture, &rows[1][index]);
            assert!(largest <= 1, "{objective:?} {index}: {largest} levels");
        }
    }
}

/// The largest difference of two pictures in levels: weights in training are not packed, so their
/// sums have another order.
fn difference(a: &RgbImage, b: &RgbImage) -> u8 {
    let pairs = a.pixels.iter().zip(&b.pixels);
    pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}
