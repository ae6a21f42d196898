//! Checkpoints change hands with the PyTorch reference: what its `state_dict` holds loads here, and
//! what is saved here is what `load_state_dict(strict=True)` accepts: the same names, the same
//! shapes, nothing missing, nothing more.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "golden/shapes.rs"]
mod shapes;

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device};
use common::{config, train, write_data_of};
use mmface_engine::model::dit::DitConfig;
use mmface_run_protocol::checkpoint_layout::{EMA_FILE, RAW_FILE};
use mmface_tests::golden::{Fixture, folder};
use mmface_trainer::checkpoint::{read_initial, read_weights};
use mmface_trainer::config::{Config, Model, Moments};
use mmface_trainer::run::Start;

/// Names, shapes and numbers' types.
type Layout = BTreeMap<String, (Vec<usize>, DType)>;

/// The transformers of the reference whose whole `state_dict` is a fixture.
fn references() -> Vec<(String, DitConfig, Fixture)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("dit_forward__") {
            let fixture = Fixture::read(&path).unwrap();
            let dit = shapes::dit_config(fixture.config()).unwrap();
            found.push((name, dit, fixture));
        }
    }
    assert!(found.len() >= 10, "{} fixtures", found.len());
    found
}

fn layout(path: &Path) -> Layout {
    candle_core::safetensors::load(path, &Device::Cpu)
        .unwrap()
        .into_iter()
        .map(|(name, tensor)| (name, (tensor.dims().to_vec(), tensor.dtype())))
        .collect()
}

#[test]
fn the_references_weights_load_to_the_last_bit() {
    let folder = tempfile::tempdir().unwrap();
    for (name, dit, fixture) in references() {
        // As the authors' scripts leave it: one file of averaged weights in a folder.
        let path = folder.path().join(EMA_FILE);
        candle_core::safetensors::save(&fixture.weights(), &path).unwrap();
        let config = Config {
            model: Model::Custom(dit.clone()),
            ..config(Moments::F32)
        };
        let loaded = read_initial(folder.path(), &config, &Device::Cpu).unwrap();
        assert_eq!(loaded.len(), fixture.weights().len(), "{name}");
        for (tensor, value) in fixture.weights() {
            assert_eq!(
                common::largest_difference(&value, loaded[&tensor].as_tensor()),
                0.0,
                "{name}: {tensor}"
            );
        }
        // One tensor missing, one too many, one of another shape: each is refused by name.
        let weights = fixture.weights();
        let victim = "x_embedder.proj.bias";
        for change in 0..3 {
            let mut wrong = weights.clone();
            let tensor = wrong.remove(victim).unwrap();
            if change == 1 {
                wrong.insert(victim.into(), tensor.clone());
                wrong.insert("pos_embed".into(), tensor);
            } else if change == 2 {
                wrong.insert(victim.into(), tensor.unsqueeze(0).unwrap());
            }
            let path = folder.path().join("wrong.safetensors");
            candle_core::safetensors::save(&wrong, &path).unwrap();
            let error = read_weights(&path, &dit, &Device::Cpu).unwrap_err();
            let named = if change == 1 { "pos_embed" } else { victim };
            assert!(error.to_string().contains(named), "{name}: {error}");
        }
    }
}

#[test]
fn a_saved_checkpoint_has_the_references_names_and_shapes() {
    for (name, dit, fixture) in references() {
        let wanted: Layout = fixture
            .weights()
            .into_iter()
            .map(|(name, tensor)| (name, (tensor.dims().to_vec(), DType::F32)))
            .collect();
        let folder = tempfile::tempdir().unwrap();
        // The updates that a run makes must not add or lose anything, so one is made.
        let config = Config {
            model: Model::Custom(dit.clone()),
            resolution: 64,
            steps: 1,
            batch: 2,
            accumulation: 1,
            ..config(Moments::Bits8)
        };
        write_data_of(folder.path(), dit.channels / 2, 8, dit.text_dim);
        let data = common::data(&config, folder.path());
        let out = folder.path().join("run");
        let (checkpoint, _) = train(Start::Fresh(config), &data, &out, None);
        for file in [EMA_FILE, RAW_FILE] {
            let saved = layout(&checkpoint.join(file));
            assert_eq!(saved, wanted, "{name}: {file}");
        }
    }
}
