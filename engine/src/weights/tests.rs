//! Packages, the registry and the import, with a small transformer on the bundled frozen parts.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use tempfile::TempDir;

use super::import::{ImportOptions, import};
use super::registry::{Origin, Root};
use super::verify::{seal, states};
use super::*;
use crate::job::Objective;
use crate::kernels::Route;
use crate::model::LoadOptions;
use crate::model::dit::{DitConfig, DitInput};
use crate::{Error, Result};

fn bundled() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models/demo")
}

fn small() -> DitConfig {
    DitConfig {
        hidden: 16,
        depth: 2,
        heads: 2,
        ..DitConfig::demo()
    }
}

/// Repeatable weights of a transformer.
fn tensors(config: &DitConfig) -> Vec<(String, Tensor)> {
    let mut state = 7u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 8) as f32 / (1 << 24) as f32 - 0.5) * 0.2
    };
    let mut tensor = |shape: Vec<usize>| {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    };
    config
        .tensors()
        .into_iter()
        .map(|(name, shape)| (name, tensor(shape)))
        .collect()
}

fn save(path: &Path, config: &DitConfig, metadata: &[(&str, &str)]) {
    let metadata = metadata
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    write_safetensors(path, tensors(config), ElementType::F32, &metadata).unwrap();
}

/// A whole package in a folder `models/small`.
fn package() -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("small");
    std::fs::create_dir(&folder).unwrap();
    for name in [
        "vae.safetensors",
        "text.safetensors",
        "tokenizer.json",
        "README.md",
    ] {
        std::fs::copy(bundled().join(name), folder.join(name)).unwrap();
    }
    save(&folder.join("dit.safetensors"), &small(), &[]);
    let mut manifest = Package::open(&bundled()).unwrap().manifest().clone();
    manifest.name = "small".into();
    manifest.dit = small();
    manifest.files.retain(|part, _| *part != Part::Parser);
    verify::write_manifest(&folder, &manifest).unwrap();
    seal(&folder, &[(Part::Dit, "dit.safetensors")]).unwrap();
    (root, folder)
}

fn problem(states: &[PartState], part: Part) -> String {
    states
        .iter()
        .find(|state| state.part == part)
        .and_then(|state| state.problem.clone())
        .unwrap_or_default()
}

fn one_line(result: Result<impl Sized>) -> String {
    let Err(error) = result else {
        panic!("expected an error")
    };
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

/// The bundled files are those that the manifest was sealed with, and hold healthy numbers of the
/// right shapes.
#[test]
fn the_bundled_package_is_whole() {
    let package = Package::open(&bundled()).unwrap();
    let states = verify(&package, &mut |_, _, _| true).unwrap();
    for state in states
        .iter()
        .filter(|state| state.part != Part::Dit || package.has(Part::Dit))
    {
        assert_eq!(
            (state.problem.as_deref(), state.hash_checked),
            (None, true),
            "{state:?}"
        );
    }
    assert!(package.card().unwrap().contains("non-commercial"));
    assert!(package.manifest().latent.preview.is_some());
    package.load_parser(&Device::Cpu).unwrap();
}

#[test]
fn a_package_loads_from_a_folder_and_from_an_archive() {
    let (root, folder) = package();
    let archive = root.path().join("small.mmface");
    for method in [
        zip::CompressionMethod::Stored,
        zip::CompressionMethod::Deflated,
    ] {
        let mut writer = zip::ZipWriter::new(std::fs::File::create(&archive).unwrap());
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            writer
                .start_file(entry.file_name().to_string_lossy(), options)
                .unwrap();
            writer
                .write_all(&std::fs::read(entry.path()).unwrap())
                .unwrap();
        }
        writer.finish().unwrap();
        if method == zip::CompressionMethod::Stored {
            let place = Package::open(&archive).unwrap().place(Part::Dit).unwrap();
            assert_eq!(place.path, archive);
        }
        let sums: Vec<f32> = [&folder, &archive]
            .map(|path| run(&Package::open(path).unwrap()))
            .to_vec();
        assert_eq!(sums[0].to_bits(), sums[1].to_bits());
        assert!(sums[0] != 0.0 && sums[0].is_finite());
    }
}

/// One evaluation of a package's transformer on a prompt.
fn run(package: &Package) -> f32 {
    let device = Device::Cpu;
    let dit = package
        .load_dit(&device, LoadOptions::for_device(&Device::Cpu), |_, _| true)
        .unwrap();
    let text = package
        .load_text(&device, LoadOptions::for_device(&Device::Cpu), |_, _| true)
        .unwrap();
    package
        .load_autoencoder(&device, Route::Fused, |_, _| true)
        .unwrap();
    let (_, features) = text.encode("blonde hair").unwrap();
    let input = DitInput {
        latent: &Tensor::ones((1, 32, 8, 8), DType::F32, &device).unwrap(),
        time: &Tensor::new(&[0.5f32], &device).unwrap(),
        pooled: &features.pooled,
        sequence: &features.sequence,
        modality: &Tensor::new(&[0u32], &device).unwrap(),
    };
    dit.forward(&input)
        .unwrap()
        .sum_all()
        .unwrap()
        .to_scalar()
        .unwrap()
}

#[test]
fn faults_of_parts_are_named_part_by_part() {
    let (_root, folder) = package();
    let dit = folder.join("dit.safetensors");
    let healthy = std::fs::read(&dit).unwrap();
    let package = Package::open(&folder).unwrap();
    assert!(states(&package).iter().all(|state| state.problem.is_none()));

    std::fs::write(&dit, &healthy[..healthy.len() - 4]).unwrap();
    assert!(problem(&states(&package), Part::Dit).contains("bytes, the package says"));
    assert_eq!(problem(&states(&package), Part::Vae), "");

    let mut changed = healthy.clone();
    let last = changed.len() - 4;
    changed[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&dit, &changed).unwrap();
    assert_eq!(problem(&states(&package), Part::Dit), "");
    let text = one_line(package.load_dit(
        &Device::Cpu,
        LoadOptions::for_device(&Device::Cpu),
        |_, _| true,
    ));
    assert!(text.contains("NaN") && text.contains("tensor `"), "{text}");
    let checked = verify(&package, &mut |_, _, _| true).unwrap();
    assert!(problem(&checked, Part::Dit).contains("other bytes"));
    assert!(matches!(
        verify(&package, &mut |_, _, _| false),
        Err(Error::Cancelled)
    ));

    std::fs::remove_file(&dit).unwrap();
    assert!(problem(&states(&package), Part::Dit).contains("cannot open"));

    save(
        &dit,
        &DitConfig {
            depth: 3,
            ..small()
        },
        &[],
    );
    seal(&folder, &[]).unwrap();
    let package = Package::open(&folder).unwrap();
    let text = one_line(package.load_dit(
        &Device::Cpu,
        LoadOptions::for_device(&Device::Cpu),
        |_, _| true,
    ));
    assert!(text.contains("unknown to the model: `blocks.2."), "{text}");

    save(
        &dit,
        &DitConfig {
            hidden: 24,
            ..small()
        },
        &[],
    );
    seal(&folder, &[]).unwrap();
    let package = Package::open(&folder).unwrap();
    let text = one_line(package.load_dit(
        &Device::Cpu,
        LoadOptions::for_device(&Device::Cpu),
        |_, _| true,
    ));
    assert!(
        text.contains("of another shape: `") && text.contains("[16"),
        "{text}"
    );
}

#[test]
fn loading_stops_between_tensors() {
    let (_root, folder) = package();
    let package = Package::open(&folder).unwrap();
    let seen = std::sync::atomic::AtomicUsize::new(0);
    let watch = |_: &str, _: f32| seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 3;
    let result = package.load_dit(&Device::Cpu, LoadOptions::for_device(&Device::Cpu), watch);
    assert!(matches!(result, Err(Error::Cancelled)));
    assert_eq!(seen.into_inner(), 4);
}

#[test]
fn the_registry_lists_finds_and_prefers() {
    let (root, folder) = package();
    let hidden = root.path().join(".import-x");
    std::fs::create_dir(&hidden).unwrap();
    std::fs::copy(folder.join("model.ron"), hidden.join("model.ron")).unwrap();
    std::fs::write(root.path().join("broken.mmface"), "no archive").unwrap();
    let roots = [
        (root.path().to_path_buf(), Origin::Home),
        (bundled().join(".."), Origin::Source),
    ];
    let registry = Registry::of(roots.map(|(path, origin)| Root { path, origin }).to_vec());
    let listed = registry.list();
    let names: Vec<_> = listed
        .iter()
        .map(|model| (model.name.as_str(), model.problem.is_some()))
        .collect();
    assert_eq!(names[..2], [("broken", true), ("small", false)]);
    assert_eq!(names[2].0, "demo");
    assert!(listed[1].bytes > 30_000_000);
    assert_eq!(registry.find("small").unwrap().path(), folder);
    assert_eq!(
        registry
            .find(folder.to_str().unwrap())
            .unwrap()
            .manifest()
            .name,
        "small"
    );
    assert!(one_line(registry.find("none")).contains("there are: broken, small, demo"));
    assert!(one_line(registry.find("broken")).contains("not a model package"));
    assert_eq!(registry.target().unwrap(), root.path());
    assert!(
        Registry::standard()
            .list()
            .iter()
            .any(|model| model.name == "demo")
    );
}

/// The authors' layout with all parts.
fn authors_layout() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    };
    save(
        &make("checkpoint-100").join("model.safetensors"),
        &DitConfig {
            depth: 1,
            ..small()
        },
        &[],
    );
    save(
        &make("checkpoint-200").join("dit_model_weights_ema.safetensors"),
        &small(),
        &[],
    );
    let (vae, text, tokenizer) = (make("VAE"), make("text_encoder"), make("tokenizer"));
    std::fs::copy(
        bundled().join("vae.safetensors"),
        vae.join("diffusion_pytorch_model.safetensors"),
    )
    .unwrap();
    let config = r#"{"block_out_channels":[16,32,64,128],"layers_per_block":1,"latent_channels":16,"norm_num_groups":4,
        "use_quant_conv":false,"use_post_quant_conv":false,"scaling_factor":0.3611,"shift_factor":0.1159}"#;
    std::fs::write(vae.join("config.json"), config).unwrap();
    std::fs::copy(
        bundled().join("text.safetensors"),
        text.join("model.safetensors"),
    )
    .unwrap();
    let config = r#"{"vocab_size":6369,"hidden_size":256,"intermediate_size":1024,"num_hidden_layers":4,
        "num_attention_heads":4,"max_position_embeddings":48,"hidden_act":"gelu","eos_token_id":2,"pad_token_id":1}"#;
    std::fs::write(text.join("config.json"), config).unwrap();
    std::fs::copy(
        bundled().join("tokenizer.json"),
        tokenizer.join("tokenizer.json"),
    )
    .unwrap();
    std::fs::write(
        tokenizer.join("special_tokens_map.json"),
        r#"{"pad_token":{"content":"<|endoftext|>"}}"#,
    )
    .unwrap();
    folder
}

fn options(source: &Path, into: &Path) -> ImportOptions {
    let hints = upstream::Hints {
        heads: Some(2),
        ..upstream::Hints::default()
    };
    ImportOptions {
        source: source.into(),
        into: into.into(),
        name: Some("theirs".into()),
        hints,
        ..Default::default()
    }
}

#[test]
fn the_authors_layout_is_imported_by_reference_and_by_copy() {
    let source = authors_layout();
    let models = tempfile::tempdir().unwrap();
    for copy in [false, true] {
        let options = ImportOptions {
            copy,
            name: Some(format!("copy-{copy}")),
            ..options(source.path(), models.path())
        };
        let imported = import(&options, &mut |_, _, _| true).unwrap();
        let manifest = imported.package.manifest();
        assert!(imported.missing.is_empty());
        let expected = DitConfig {
            text_rope: crate::model::rope::TextRope::Zero,
            ..small()
        };
        assert_eq!((&manifest.dit, manifest.linked), (&expected, !copy));
        assert_eq!(
            (manifest.latent.scale, manifest.latent.shift),
            (0.3611, 0.0)
        );
        assert!((manifest.latent.tiny_shift - 0.041_851_49).abs() < 1e-8);
        assert_eq!(
            (manifest.text.pad, manifest.objective),
            (6368, Objective::Flow)
        );
        let states = verify(&imported.package, &mut |_, _, _| true).unwrap();
        assert!(states.iter().all(|state| state.hash_checked), "{states:?}");
        assert!(one_line(import(&options, &mut |_, _, _| true)).contains("already there"));
    }
    let moved = models.path().join("copy-true");
    assert!(moved.join("dit.safetensors").is_file());
}

#[test]
fn a_lone_transformer_is_imported_with_its_parts_missing() {
    let source = tempfile::tempdir().unwrap();
    let models = tempfile::tempdir().unwrap();
    let file = source.path().join("random.safetensors");
    save(
        &file,
        &small(),
        &[(
            "config",
            r#"{"heads":4,"objective":"diffusion","text_rope":"sequential"}"#,
        )],
    );
    let lone = ImportOptions {
        hints: upstream::Hints::default(),
        ..options(source.path(), models.path())
    };
    let imported = import(&lone, &mut |_, _, _| true).unwrap();
    assert_eq!(
        imported.missing,
        ["the autoencoder", "the text tower", "the tokenizer"]
    );
    let dit = &imported.package.manifest().dit;
    assert_eq!((dit.heads, dit.objective), (4, Objective::Diffusion));
    assert!(problem(&states(&imported.package), Part::Vae).contains("lacks the autoencoder"));
    let file = ImportOptions {
        name: None,
        ..options(&file, models.path())
    };
    assert_eq!(
        import(&file, &mut |_, _, _| true)
            .unwrap()
            .package
            .manifest()
            .name,
        "random"
    );
}

#[test]
fn a_quantised_transformer_stays_close() {
    let source = authors_layout();
    let models = tempfile::tempdir().unwrap();
    let wide = DitConfig {
        hidden: 32,
        heads: 2,
        ..small()
    };
    save(
        &source.path().join("dit_model_weights_ema.safetensors"),
        &wide,
        &[],
    );
    let sums = [false, true].map(|quantise| {
        let options = ImportOptions {
            quantise,
            name: Some(format!("q-{quantise}")),
            ..options(source.path(), models.path())
        };
        let package = import(&options, &mut |_, _, _| true).unwrap().package;
        verify(&package, &mut |_, _, _| true)
            .unwrap()
            .iter()
            .for_each(|state| assert!(state.hash_checked));
        (run(&package), package.bytes())
    });
    assert!(sums[1].1 < sums[0].1);
    assert!(
        (sums[0].0 - sums[1].0).abs() < 0.02 * sums[0].0.abs(),
        "{sums:?}"
    );
}

#[test]
fn what_is_no_model_is_not_imported_and_leaves_nothing() {
    let source = authors_layout();
    let models = tempfile::tempdir().unwrap();
    let fails = |change: &dyn Fn(&mut ImportOptions)| {
        let mut options = options(source.path(), models.path());
        change(&mut options);
        let text = one_line(import(&options, &mut |_, _, _| true));
        assert_eq!(
            std::fs::read_dir(models.path()).unwrap().count(),
            0,
            "{text}"
        );
        text
    };
    assert!(fails(&|o| o.hints.heads = None).contains("--heads"));
    assert!(fails(&|o| o.hints.heads = Some(3)).contains("3 heads"));
    assert!(
        fails(&|o| o.source = source
            .path()
            .join("VAE/diffusion_pytorch_model.safetensors"))
        .contains("no MMFace-DiT")
    );
    assert!(
        fails(&|o| o.source = source.path().join("tokenizer")).contains("no transformer weights")
    );
    assert!(fails(&|o| o.source = source.path().join("nowhere")).contains("open the folder"));
    assert!(fails(&|o| o.name = Some("a/b".into())).contains("--name"));
    assert!(fails(&|o| o.vae = Some(source.path().join("nowhere"))).contains("not a folder"));
    assert!(fails(&|o| o.resolution = Some(100)).contains("resolution"));
    let mut options = options(source.path(), models.path());
    options.copy = true;
    assert!(matches!(
        import(&options, &mut |_, _, _| false),
        Err(Error::Cancelled)
    ));
    // A text tower that does not belong to the transformer is refused by its shapes.
    let config = source.path().join("text_encoder/config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        text.replace("\"num_hidden_layers\":4", "\"num_hidden_layers\":5"),
    )
    .unwrap();
    assert!(fails(&|_| ()).contains("layers.4"));
    std::fs::write(
        &config,
        text.replace("\"hidden_size\":256", "\"hidden_size\":128"),
    )
    .unwrap();
    assert!(fails(&|_| ()).contains("width 128"));
}

#[test]
fn an_archive_cannot_reach_out() {
    let (root, folder) = package();
    let text = std::fs::read_to_string(folder.join("model.ron")).unwrap();
    let archive = root.path().join("evil.mmface");
    for (hostile, expected) in [
        (
            text.replace("\"dit.safetensors\"", "\"../dit.safetensors\""),
            "leads out",
        ),
        (
            text.replace("\"dit.safetensors\"", "\"/dit.safetensors\""),
            "leads out",
        ),
        (text.replace("card:", "linked: true, card:"), "outside"),
    ] {
        let mut writer = zip::ZipWriter::new(std::fs::File::create(&archive).unwrap());
        writer
            .start_file("model.ron", zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(hostile.as_bytes()).unwrap();
        writer.finish().unwrap();
        let text = one_line(Package::open(&archive));
        assert!(text.contains(expected), "{text}");
    }
}
