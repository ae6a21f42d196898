//! Our checkpoints load into the authors' model in PyTorch with `strict=True`, and theirs into ours,
//! and both then answer alike.
//!
//! Ignored, since it needs PyTorch with safetensors, and the model as a Python file:
//! `MMFACE_TORCH_REFERENCE=FILE.py cargo test -p mmface-trainer --test pytorch -- --ignored`, with
//! `MMFACE_PYTHON` where `python3` is another one. The file defines `DitConfig`, a dataclass with the
//! fields that are written below, and `Dit(config)`, a module called with
//! `(x, t, pooled, modality, seq)`.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use candle_core::{DType, Device, Tensor};
use common::{config, data, train, write_data};
use mmface_engine::job::{Named as _, Objective};
use mmface_engine::model::LoadOptions;
use mmface_engine::model::dit::{DitConfig, DitInput};
use mmface_engine::model::rope::TextRope;
use mmface_run_protocol::checkpoint_layout::{EMA_FILE, RAW_FILE};
use mmface_trainer::checkpoint;
use mmface_trainer::config::{Model, Moments};
use mmface_trainer::model;
use mmface_trainer::run::Start;

/// Argument: a folder with `reference.json`, `inputs.safetensors` and the weights `ours-N`; writes
/// `theirs` and all answers.
const SCRIPT: &str = r#"
import importlib.util, json, os, sys, torch
from safetensors.torch import load_file, save_file
folder = sys.argv[1]
spec = importlib.util.spec_from_file_location("reference", os.environ["MMFACE_TORCH_REFERENCE"])
reference = importlib.util.module_from_spec(spec)
sys.modules["reference"] = reference
spec.loader.exec_module(reference)
at = lambda name: os.path.join(folder, name + ".safetensors")
config = reference.DitConfig(**json.load(open(os.path.join(folder, "reference.json"))))
given = load_file(at("inputs"))
answers = {}
def answer(model, name):
    model.eval()
    with torch.no_grad():
        answers[name] = model(*(given[key] for key in ("x", "t", "pooled", "modality", "seq"))).contiguous()
for name in ("ours-raw", "ours-average"):
    model = reference.Dit(config)
    weights = load_file(at(name))
    model.load_state_dict(weights, strict=True)
    answer(model, name)
    weights.popitem()
    try:
        model.load_state_dict(weights, strict=True)
    except RuntimeError:
        continue
    sys.exit("strict=True let a missing tensor pass")
torch.manual_seed(1)
model = reference.Dit(config)
for parameter in model.parameters():
    torch.nn.init.normal_(parameter, std=0.2)
save_file({name: value.contiguous() for name, value in model.state_dict().items()}, at("theirs"))
answer(model, "theirs")
save_file(answers, at("answers"))
"#;

fn reference_config(dit: &DitConfig) -> serde_json::Value {
    serde_json::json!({
        "hidden": dit.hidden,
        "depth": dit.depth,
        "heads": dit.heads,
        "mlp_ratio": dit.mlp_ratio,
        "patch": dit.patch,
        "in_channels": dit.channels,
        "text_dim": dit.text_dim,
        "objective": dit.objective.name(),
        "text_rope": match dit.text_rope {
            TextRope::Zero => "zero",
            TextRope::Sequential => "sequential",
        },
        "modality_embedder": dit.modality_embedder,
        "dual_stream": dit.dual_stream,
        "rope": dit.rope,
        "learn_sigma": dit.learn_sigma,
    })
}

/// Made-up inputs of a batch of two.
fn inputs(dit: &DitConfig) -> HashMap<String, Tensor> {
    let normal = |shape: &[usize]| Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap();
    let times: [f32; 2] = match dit.objective {
        Objective::Flow => [0.1, 0.8],
        Objective::Diffusion => [40.0, 900.0],
    };
    HashMap::from([
        ("x".into(), normal(&[2, dit.channels, 4, 4])),
        ("t".into(), Tensor::new(&times, &Device::Cpu).unwrap()),
        ("pooled".into(), normal(&[2, dit.text_dim])),
        ("seq".into(), normal(&[2, 3, dit.text_dim])),
        (
            "modality".into(),
            Tensor::new(&[0i64, 1], &Device::Cpu).unwrap(),
        ),
    ])
}

/// What our transformer answers with the weights of a file, whose names and shapes must be its own.
fn our_answer(file: &Path, dit: &DitConfig, inputs: &HashMap<String, Tensor>) -> Tensor {
    let weights = checkpoint::read_weights(file, dit, &Device::Cpu).unwrap();
    let tensors = model::tensors(&weights);
    let ours = model::load(
        dit,
        &tensors,
        LoadOptions::for_device(&Device::Cpu),
        &Device::Cpu,
    )
    .unwrap();
    ours.forward(&DitInput {
        latent: &inputs["x"],
        time: &inputs["t"],
        pooled: &inputs["pooled"],
        sequence: &inputs["seq"],
        modality: &inputs["modality"].to_dtype(DType::U32).unwrap(),
    })
    .unwrap()
}

#[test]
#[ignore = "needs PyTorch and MMFACE_TORCH_REFERENCE"]
fn checkpoints_go_to_pytorch_and_back() {
    assert!(
        std::env::var_os("MMFACE_TORCH_REFERENCE").is_some(),
        "MMFACE_TORCH_REFERENCE names the authors' model as a Python file"
    );
    let python = std::env::var_os("MMFACE_PYTHON").unwrap_or_else(|| "python3".into());
    for objective in [Objective::Flow, Objective::Diffusion] {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let mut config = config(Moments::F32);
        let dit = DitConfig {
            objective,
            ..config.model.dit()
        };
        config.model = Model::Custom(dit.clone());
        write_data(here);
        let data = data(&config, here);
        let (trained, _) = train(Start::Fresh(config), &data, &here.join("run"), None);
        for (file, name) in [(RAW_FILE, "raw"), (EMA_FILE, "average")] {
            let to = here.join(format!("ours-{name}.safetensors"));
            std::fs::copy(trained.join(file), to).unwrap();
        }
        let given = inputs(&dit);
        candle_core::safetensors::save(&given, here.join("inputs.safetensors")).unwrap();
        let text = reference_config(&dit).to_string();
        std::fs::write(here.join("reference.json"), text).unwrap();

        let done = Command::new(&python)
            .args(["-c", SCRIPT])
            .arg(here)
            .output()
            .expect("python3, or another one by MMFACE_PYTHON");
        let told = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{objective:?}: {told}");

        let theirs = candle_core::safetensors::load(here.join("answers.safetensors"), &Device::Cpu);
        for (name, answer) in theirs.unwrap() {
            let ours = our_answer(&here.join(format!("{name}.safetensors")), &dit, &given);
            let scale: f32 = answer
                .abs()
                .unwrap()
                .max_all()
                .unwrap()
                .to_scalar()
                .unwrap();
            let error = common::largest_difference(&ours, &answer) / scale;
            println!("{objective:?} {name}: {error:.1e} of {scale:.3}");
            assert!(scale > 1e-3, "{name} answers nothing");
            assert!(error <= 4e-5, "{objective:?} {name} differs by {error}");
        }
    }
}
