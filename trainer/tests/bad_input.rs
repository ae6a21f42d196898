//! Data as it is found: folders of pictures, tars, the authors' precomputed latents, each with
//! faults in it. A fault is a listed skip or one clear line before the run, never a lost run.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use common::{config, program};
use mmface_engine::labels::LabelImage;
use mmface_engine::model::dit::DitConfig;
use mmface_engine::picture::write::encode_rgb;
use mmface_engine::picture::{GrayImage, RgbImage};
use mmface_run_protocol::{DataTable, TrainEvent};
use mmface_trainer::checkpoint;
use mmface_trainer::config::{Config, Model, Moments};

/// Samples, of which two are held out.
const SAMPLES: usize = 10;
/// Side of the made-up photos, and of what is trained.
const SIDE: usize = 64;

/// The frozen parts of the bundled model in the layout of transformers and diffusers.
fn weights(folder: &Path) -> PathBuf {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models/demo");
    let weights = folder.join("weights");
    let copy = |from: &str, to: &str| {
        let to = weights.join(to);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(model.join(from), to).unwrap();
    };
    copy("text.safetensors", "text/text.safetensors");
    copy("tokenizer.json", "text/tokenizer.json");
    copy("vae.safetensors", "vae/vae.safetensors");
    let text = r#"{"vocab_size": 6369, "hidden_size": 256, "intermediate_size": 1024,
        "num_hidden_layers": 4, "num_attention_heads": 4, "max_position_embeddings": 48,
        "hidden_act": "gelu", "layer_norm_eps": 1e-05, "eos_token_id": 2}"#;
    let vae = r#"{"in_channels": 3, "out_channels": 3, "block_out_channels": [16, 32, 64, 128],
        "layers_per_block": 1, "latent_channels": 16, "norm_num_groups": 4,
        "use_quant_conv": false, "use_post_quant_conv": false, "act_fn": "silu",
        "mid_block_add_attention": true, "scaling_factor": 0.379031, "shift_factor": 0.223095}"#;
    std::fs::write(weights.join("text/config.json"), text).unwrap();
    std::fs::write(weights.join("vae/config.json"), vae).unwrap();
    weights
}

/// Four updates on latents of so many channels.
fn tiny(channels: usize) -> Config {
    let mut config = config(Moments::F32);
    config.model = Model::Custom(DitConfig {
        hidden: 16,
        depth: 2,
        heads: 2,
        channels: 2 * channels,
        ..DitConfig::demo()
    });
    config.resolution = SIDE;
    config.variants = 1;
    config.steps = 4;
    config.every.log = 1;
    config
}

/// Runs `train` on the data; returns what was told and how it ended.
fn run(folder: &Path, config: &Config, data: &Path, more: &[&str]) -> (Vec<TrainEvent>, Output) {
    let path = folder.join("tiny.ron");
    std::fs::write(&path, config.to_ron().unwrap()).unwrap();
    let output = program()
        .args(["train", "--json", "--heldout", "2", "--config"])
        .arg(&path)
        .arg("--data")
        .arg(data)
        .arg("--weights")
        .arg(weights(folder))
        .arg("--work")
        .arg(folder.join("work"))
        .arg("--out")
        .arg(folder.join("run"))
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let events = String::from_utf8(output.stdout.clone())
        .unwrap()
        .lines()
        .map(|line| TrainEvent::from_line(line).unwrap())
        .collect();
    (events, output)
}

/// Everything that was left out.
fn left_out(events: &[TrainEvent]) -> Vec<&String> {
    let tables = events.iter().filter_map(|event| match event {
        TrainEvent::Data(DataTable { left_out, .. }) => Some(left_out),
        _ => None,
    });
    tables.flatten().collect()
}

/// The run came to its end with this one sample left out, and said why.
fn finished_without(folder: &Path, run: &(Vec<TrainEvent>, Output), key: &str, reason: &str) {
    let (events, output) = run;
    assert!(output.status.success(), "{events:?}");
    let told = left_out(events);
    assert!(
        matches!(told.as_slice(), [one] if one.contains(key) && one.contains(reason)),
        "{told:?}"
    );
    let started = events.iter().find_map(|event| match event {
        TrainEvent::Started(started) => Some(started.samples + started.heldout_samples),
        _ => None,
    });
    assert_eq!(started, Some(SAMPLES as u64 - 1));
    assert!(matches!(events.last(), Some(TrainEvent::Finished { .. })));
    let end = checkpoint::find(&folder.join("run")).unwrap();
    let loss = checkpoint::read_state(&end).unwrap().heldout.unwrap().loss;
    assert!(loss.is_finite() && loss > 0.0, "{loss}");
}

/// The run did not begin, and one line says why.
fn refused(folder: &Path, run: &(Vec<TrainEvent>, Output), parts: &[&str]) {
    let (events, output) = run;
    assert!(!output.status.success());
    let Some(TrainEvent::Failed { error, .. }) = events.last() else {
        panic!("{events:?}");
    };
    for part in parts {
        assert!(error.contains(part), "{error}");
    }
    assert!(!error.contains('\n'), "{error}");
    assert!(checkpoint::find(&folder.join("run")).is_err());
}

/// What `torch.save` makes of one tensor of these numbers: a zip of a pickle and a storage.
fn torch_save(values: &[f32], shape: &[usize]) -> Vec<u8> {
    let int = |number: usize| {
        let mut bytes = vec![b'J'];
        bytes.extend((number as i32).to_le_bytes());
        bytes
    };
    let tuple = |items: &[usize]| {
        let items: Vec<u8> = items.iter().flat_map(|&item| int(item)).collect();
        [&b"("[..], &items, b"t"].concat()
    };
    let strides: Vec<usize> = (0..shape.len())
        .map(|axis| shape[axis + 1..].iter().product())
        .collect();
    let description = [
        &b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu"[..],
        &int(values.len()),
        b"tQ",
        &int(0),
        &tuple(shape),
        &tuple(&strides),
        b"\x89ccollections\nOrderedDict\n)RtR.",
    ]
    .concat();
    let storage: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in [
        ("latent/data.pkl", description.as_slice()),
        ("latent/byteorder", b"little"),
        ("latent/data/0", &storage),
        ("latent/version", b"3\n"),
    ] {
        writer.start_file(name, stored).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A set of latents in the authors' folders (docs/reference.md section 5).
fn write_latents(root: &Path, channels: usize) {
    let side = SIDE / 8;
    let set = root.join("CelebA-HQ");
    for kind in ["image_latents", "mask_latents", "sketch_latents", "text"] {
        std::fs::create_dir_all(set.join(kind)).unwrap();
    }
    for sample in 0..SAMPLES {
        for (index, kind) in ["image_latents", "mask_latents", "sketch_latents"]
            .iter()
            .enumerate()
        {
            let values: Vec<f32> = (0..channels * side * side)
                .map(|i| ((i * 7 + sample * 3 + index) % 13) as f32 / 6.0 - 1.0)
                .collect();
            let bytes = torch_save(&values, &[1, channels, side, side]);
            std::fs::write(set.join(kind).join(format!("{sample}.pt")), bytes).unwrap();
        }
        let text = format!("a face, number {sample}\n");
        std::fs::write(set.join("text").join(format!("{sample}.txt")), text).unwrap();
    }
}

#[test]
fn the_authors_latents_train_and_a_truncated_one_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("latents_64");
    write_latents(&data, 4);
    let victim = data.join("CelebA-HQ/mask_latents/6.pt");
    let bytes = std::fs::read(&victim).unwrap();
    std::fs::write(&victim, &bytes[..bytes.len() / 2]).unwrap();
    let run = run(folder.path(), &tiny(4), &data, &[]);
    finished_without(folder.path(), &run, "CelebA-HQ/6", "mask latent");
}

#[test]
fn a_latent_that_is_not_finite_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("latents_64");
    write_latents(&data, 4);
    let mut values = vec![0.5; 4 * 64];
    values[77] = f32::NAN;
    let bytes = torch_save(&values, &[1, 4, 8, 8]);
    std::fs::write(data.join("CelebA-HQ/image_latents/3.pt"), bytes).unwrap();
    let run = run(folder.path(), &tiny(4), &data, &[]);
    finished_without(folder.path(), &run, "CelebA-HQ/3", "not finite");
}

#[test]
fn latents_of_another_autoencoder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("latents_64");
    write_latents(&data, 4);
    let run = run(folder.path(), &tiny(16), &data, &[]);
    refused(folder.path(), &run, &["4 channels", "takes 16"]);
}

/// Photos, masks, sketches and captions side by side.
fn write_folders(root: &Path) {
    for folder in ["images", "masks", "sketches", "text"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    for index in 0..SAMPLES {
        let parts = parts(index);
        for (folder, bytes) in ["images", "masks", "sketches"].iter().zip(parts) {
            std::fs::write(root.join(folder).join(format!("{index}.png")), bytes).unwrap();
        }
        let text = format!("a face, number {index}\n");
        std::fs::write(root.join("text").join(format!("{index}.txt")), text).unwrap();
    }
}

/// Photo, index mask, sketch.
fn parts(index: usize) -> [Vec<u8>; 3] {
    let photo = RgbImage::filled(SIDE, SIDE, [20 * index as u8, 100, 200]);
    let mut mask = LabelImage::filled(SIDE, SIDE, 1);
    mask.labels[..SIDE * 20].fill(13);
    let grey = GrayImage {
        width: SIDE,
        height: SIDE,
        pixels: mask.labels,
    };
    [
        encode_rgb(&photo).unwrap(),
        grey.to_png().unwrap(),
        GrayImage::filled(SIDE, SIDE, 255).to_png().unwrap(),
    ]
}

#[test]
fn a_mask_of_another_shape_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("faces");
    write_folders(&data);
    let wide = RgbImage::filled(2 * SIDE, SIDE, [204, 0, 0]);
    std::fs::write(data.join("masks/4.png"), encode_rgb(&wide).unwrap()).unwrap();
    let run = run(folder.path(), &tiny(16), &data, &[]);
    finished_without(folder.path(), &run, "faces/4", "another shape");
}

#[test]
fn a_folder_without_captions_needs_leave() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("faces");
    write_folders(&data);
    std::fs::remove_dir_all(data.join("text")).unwrap();
    let without = run(folder.path(), &tiny(16), &data, &[]);
    let parts = ["caption files", "--allow-missing"];
    refused(folder.path(), &without, &parts);
    let (events, output) = run(folder.path(), &tiny(16), &data, &["--allow-missing"]);
    assert!(output.status.success(), "{events:?}");
    assert!(matches!(events.last(), Some(TrainEvent::Finished { .. })));
}

/// Two tars; returns the bytes of the one for training.
fn write_tars(root: &Path, spoil: &mut dyn FnMut(usize, &mut [Vec<u8>; 3])) {
    std::fs::create_dir_all(root).unwrap();
    for (name, samples) in [("train-0.tar", 0..8), ("heldout-0.tar", 8..SAMPLES)] {
        let mut builder = tar::Builder::new(std::fs::File::create(root.join(name)).unwrap());
        for index in samples {
            let mut pictures = parts(index);
            spoil(index, &mut pictures);
            let [photo, mask, sketch] = pictures;
            let text = format!("a face, number {index}\n").into_bytes();
            for (extension, bytes) in [
                ("png", photo),
                ("mask.png", mask),
                ("sketch.png", sketch),
                ("txt", text),
            ] {
                let mut header = tar::Header::new_ustar();
                header.set_size(bytes.len() as u64);
                header.set_mode(0o644);
                let name = format!("f{index}.{extension}");
                builder
                    .append_data(&mut header, name, bytes.as_slice())
                    .unwrap();
            }
        }
        builder.finish().unwrap();
    }
}

#[test]
fn a_damaged_member_of_a_tar_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("tars");
    write_tars(&data, &mut |index, pictures| {
        if index == 5 {
            let middle = pictures[0].len() / 2;
            pictures[0].truncate(middle);
        }
    });
    let run = run(folder.path(), &tiny(16), &data, &[]);
    finished_without(folder.path(), &run, "f5", "photo");
}

#[test]
fn a_damaged_header_of_a_tar_is_told_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("tars");
    write_tars(&data, &mut |_, _| {});
    let path = data.join("train-0.tar");
    let mut bytes = std::fs::read(&path).unwrap();
    // The second member's header: its name no longer fits the sum.
    let second = bytes
        .windows(11)
        .position(|window| window == b"f0.mask.png")
        .unwrap();
    bytes[second] = b'X';
    std::fs::write(&path, &bytes).unwrap();
    let run = run(folder.path(), &tiny(16), &data, &[]);
    refused(folder.path(), &run, &["damaged tar", "train-0.tar"]);
}

#[test]
fn a_configuration_with_a_typo_is_told_with_line_and_suggestion() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("typo.ron");
    let text = tiny(16).to_ron().unwrap().replace("ema_decay", "ema_decya");
    std::fs::write(&path, text).unwrap();
    let start = |more: &[&str]| {
        let output = program()
            .args(["plan", "--config"])
            .arg(&path)
            .args(more)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let told = start(&[]);
    assert!(told.contains("did you mean `ema_decay`?"), "{told}");
    assert!(
        told.contains("line ") && told.contains("typo.ron"),
        "{told}"
    );
    std::fs::write(&path, tiny(16).to_ron().unwrap()).unwrap();
    let told = start(&["--set", "rate.bsae=1"]);
    assert!(told.contains("did you mean `base`?"), "{told}");
}

#[test]
fn a_checkpoint_of_another_shape_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("latents_64");
    write_latents(&data, 4);
    let (_, output) = run(folder.path(), &tiny(4), &data, &[]);
    assert!(output.status.success());
    let first = folder.path().join("first");
    std::fs::rename(folder.path().join("run"), &first).unwrap();
    let mut wider = tiny(4);
    wider.model = Model::Custom(DitConfig {
        hidden: 32,
        ..tiny(4).model.dit()
    });
    let from = first.to_str().unwrap();
    let run = run(folder.path(), &wider, &data, &["--init-from", from]);
    let parts = ["do not fit", "blocks.0", "[16", "instead of [32"];
    refused(folder.path(), &run, &parts);
}

#[test]
#[cfg(target_os = "linux")]
fn too_little_memory_is_told_before_the_run_with_the_setting_to_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = common::prepare(folder.path(), &config(Moments::F32));
    let start = |more: &[&str]| {
        let output = std::process::Command::new("sh")
            .args(["-c", "ulimit -v 3000000; exec \"$0\" \"$@\""])
            .arg(env!("CARGO_BIN_EXE_mmface-trainer"))
            .args(["train", "--config"])
            .arg(&path)
            .arg("--work")
            .arg(folder.path())
            .arg("--out")
            .arg(folder.path().join("run"))
            .args(more)
            .env("RAYON_NUM_THREADS", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let large = ["--set", "batch=400000"];
    let (done, told) = start(&large);
    assert!(!done);
    for part in ["out of memory", "accumulation", "checkpointing", "batch"] {
        assert!(told.contains(part), "{told}");
    }
    // The same batch in small parts fits.
    let small = ["--set", "batch=4", "--set", "steps=2"];
    let (done, told) = start(&small);
    assert!(done, "{told}");
}
