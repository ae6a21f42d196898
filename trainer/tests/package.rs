//! A checkpoint becomes a model package of its own, with the frozen parts that it was trained with.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::Path;

use candle_core::Device;
use common::{config, frozen};
use mmface_engine::model::dit::DitConfig;
use mmface_engine::weights::Package;
use mmface_trainer::checkpoint::{self, State};
use mmface_trainer::config::{Config, Model, Moments};
use mmface_trainer::step::{Settings, Training};
use mmface_trainer::{export, model, package};

/// A checkpoint of a small transformer for the demo's frozen parts.
fn checkpoint(out: &Path) -> Config {
    let dit = DitConfig {
        hidden: 16,
        depth: 1,
        heads: 2,
        ..DitConfig::demo()
    };
    let mut config = config(Moments::F32);
    config.model = Model::Custom(dit.clone());
    config.resolution = 64;
    let parameters = model::initialise(&dit, 1, &Device::Cpu).unwrap();
    let training = Training::new(
        Settings::of(&config, &Device::Cpu),
        parameters,
        &Device::Cpu,
    )
    .unwrap();
    let mut state = State::new(config.clone(), "random weights".into(), (0, 0));
    (state.step, state.samples) = (7, 28);
    checkpoint::save(out, &training, &state).unwrap();
    config
}

#[test]
fn a_checkpoint_becomes_a_package_that_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let config = checkpoint(&run);
    let weights = frozen(folder.path());
    let out = folder.path().join("models/run-7");
    package::create(&run, &weights, &out).unwrap();
    export::export(&run, &out, None).unwrap();

    let made = Package::open(&out).unwrap();
    let manifest = made.manifest();
    assert_eq!(
        manifest.dit,
        config.model.dit(),
        "also what shapes do not tell"
    );
    assert_eq!((manifest.name.as_str(), manifest.resolution), ("run-7", 64));
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models/demo");
    let demo = Package::open(&demo).unwrap().manifest().clone();
    // The latents were shifted as the autoencoder says, unlike the authors'.
    assert_eq!(
        (manifest.latent.scale, manifest.latent.shift),
        (demo.latent.scale, demo.latent.shift)
    );
    assert_eq!(manifest.text, demo.text);
    let card = std::fs::read_to_string(out.join("README.md")).unwrap();
    assert!(
        card.contains("data that is not named here") && !card.contains("CelebA"),
        "{card}"
    );

    // Once more into the same package: only the transformer changes.
    package::create(&run, Path::new("/nowhere"), &out).unwrap();
}

#[test]
fn without_all_frozen_parts_no_half_package_stays() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    checkpoint(&run);
    let weights = frozen(folder.path());
    std::fs::remove_file(weights.join("text/tokenizer.json")).unwrap();
    let out = folder.path().join("models/run-7");
    let error = package::create(&run, &weights, &out)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("tokenizer") && !error.contains('\n'),
        "{error}"
    );
    assert!(!out.exists());
}
