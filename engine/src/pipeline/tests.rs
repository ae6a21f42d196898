//! The pipeline on the bundled text tower and autoencoder and a small random transformer.

#![allow(clippy::unwrap_used, reason = "tests")]

mod out_of_memory;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use super::run::Memory;
use super::*;
use crate::Error;
use crate::contract::{PreviewPolicy, Trail, TrailStep};
use crate::job::{Condition, Draw, Fork, Guide, Objective, Sampler};
use crate::kernels::Route;
use crate::labels::{LabelImage, class};
use crate::model::LoadOptions;
use crate::model::autoencoder_kl::{AutoencoderKl, AutoencoderKlConfig};
use crate::model::clip_text::{ClipText, ClipTextConfig};
use crate::model::dit::{Dit, DitConfig, DitInput};
use crate::picture::GrayImage;
use crate::picture::RgbImage;
use crate::sampling::{LinearPreview, NoiseSchedule, Walk, guidance, torch_randn};
use crate::text::{PromptTokenizer, TextEncoder};
use crate::weights::file::TensorFile;

fn demo(file: &str) -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../assets/models/demo"
    ))
    .join(file)
}

fn bundled(file: &str) -> VarBuilder<'static> {
    Arc::new(TensorFile::open(&demo(file)).unwrap()).var_builder(&Device::Cpu)
}

fn small(objective: Objective) -> DitConfig {
    DitConfig {
        hidden: 64,
        depth: 2,
        heads: 4,
        objective,
        ..DitConfig::demo()
    }
}

/// Random weights of a size that keeps values near one; `poison` becomes NaN.
fn random_dit(config: DitConfig, poison: Option<&str>) -> Dit {
    let mut weights = HashMap::new();
    for (number, (name, shape)) in config.tensors().into_iter().enumerate() {
        let inputs: usize = shape.iter().skip(1).product();
        let scale = if shape.len() > 1 {
            (inputs as f64).powf(-0.5)
        } else {
            0.1
        };
        let scale = if poison == Some(name.as_str()) {
            f64::NAN
        } else {
            scale
        };
        let values = torch_randn(number as u64, shape, &Device::Cpu).unwrap();
        weights.insert(name, (values * scale).unwrap());
    }
    let vb = VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
    Dit::load(vb, config, LoadOptions::for_device(&Device::Cpu)).unwrap()
}

fn parts_of(objective: Objective, poison: Option<&str>) -> Parts {
    let config = ClipTextConfig {
        width: 256,
        layers: 4,
        heads: 4,
        tokens: 48,
        vocabulary: 6369,
        inner: 1024,
        ..ClipTextConfig::sd21()
    };
    let tower = ClipText::load(
        bundled("text.safetensors"),
        config,
        LoadOptions::for_device(&Device::Cpu),
    )
    .unwrap();
    let vae = AutoencoderKl::load(
        bundled("vae.safetensors"),
        AutoencoderKlConfig::demo(),
        Route::Fused,
    )
    .unwrap();
    let tokenizer = PromptTokenizer::from_json(&demo("tokenizer.json"), 48, 0).unwrap();
    Parts {
        dit: random_dit(small(objective), poison),
        text: TextEncoder::new(tokenizer, tower),
        codec: LatentCodec {
            linear: Some(LinearPreview {
                factors: vec![[0.1, 0.0, -0.1]; 16],
                ..LinearPreview::default()
            }),
            ..LatentCodec::new(vae, Device::Cpu)
        },
        schedule: NoiseSchedule::default(),
    }
}

fn parts() -> Parts {
    parts_of(Objective::Flow, None)
}

fn mask() -> Condition {
    let mut mask = LabelImage::filled(32, 32, class::BACKGROUND);
    mask.labels[300..700].fill(class::SKIN);
    mask.labels[100..300].fill(class::HAIR);
    Condition::Mask(mask)
}

fn job() -> Job {
    Job {
        draw: Draw {
            prompt: "a man with brown hair".into(),
            seed: 7,
            size: 64,
            steps: 4,
            guidance: 3.0,
            ..Draw::default()
        },
        condition: mask(),
        ..Job::default()
    }
}

#[derive(Default)]
struct Listener {
    steps: Vec<(usize, usize)>,
    previews: Vec<RgbImage>,
    warnings: Vec<String>,
    /// Raise the flag after this step.
    cancel_after: Option<(usize, Cancel)>,
    trail_steps: usize,
    trails: Vec<Trail>,
}

impl Observer for Listener {
    fn step(&mut self, index: usize, of: usize, _seconds: f64, preview: Option<RgbImage>) {
        self.steps.push((index, of));
        self.previews.extend(preview);
        if let Some((at, cancel)) = &self.cancel_after
            && *at == index
        {
            cancel.raise();
        }
    }

    fn warning(&mut self, text: String) {
        self.warnings.push(text);
    }

    fn trail_steps(&self) -> usize {
        self.trail_steps
    }

    fn trail(&mut self, trail: Trail) {
        self.trails.push(trail);
    }
}

fn run_with(
    parts: &Parts,
    policy: PreviewPolicy,
    job: &Job,
    listener: &mut Listener,
) -> Result<Vec<Picture>> {
    let cancel = listener
        .cancel_after
        .as_ref()
        .map_or_else(Cancel::new, |(_, cancel)| cancel.clone());
    run::run(
        parts,
        &mut Memory::default(),
        policy,
        job,
        Attempt::default(),
        listener,
        &cancel,
    )
}

fn draw(parts: &Parts, job: &Job) -> Vec<Picture> {
    run_with(parts, PreviewPolicy::Off, job, &mut Listener::default()).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bytes_in_any_company() {
    let parts = parts();
    let alone = draw(
        &parts,
        &Job {
            draw: Draw {
                seed: 9,
                ..job().draw
            },
            ..job()
        },
    )
    .remove(0);
    let four = draw(
        &parts,
        &Job {
            draw: Draw {
                seed: 7,
                count: 4,
                ..job().draw
            },
            ..job()
        },
    );
    assert_eq!(four[2], alone, "seed 9 is the third from 7");
    assert_ne!(
        four[0].image, four[1].image,
        "each picture has its own noise"
    );
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let again = pool.install(|| {
            draw(
                &parts,
                &Job {
                    draw: Draw {
                        seed: 9,
                        ..job().draw
                    },
                    ..job()
                },
            )
        });
        assert_eq!(again[0], alone, "{threads} threads");
    }
    for policy in [
        PreviewPolicy::Linear,
        PreviewPolicy::Vae,
        PreviewPolicy::Auto,
    ] {
        let again = run_with(
            &parts,
            policy,
            &Job {
                draw: Draw {
                    seed: 9,
                    ..job().draw
                },
                ..job()
            },
            &mut Listener::default(),
        )
        .unwrap();
        assert_eq!(again[0], alone, "{policy:?}");
    }
}

#[test]
fn steps_count_over_all_pictures_and_previews_come() {
    let mut listener = Listener::default();
    let job = Job {
        draw: Draw {
            count: 2,
            ..job().draw
        },
        ..job()
    };
    run_with(&parts(), PreviewPolicy::Linear, &job, &mut listener).unwrap();
    let expected: Vec<(usize, usize)> = (1..=8).map(|index| (index, 8)).collect();
    assert_eq!(listener.steps, expected);
    assert!(!listener.previews.is_empty());
    assert!(
        listener.previews.iter().all(|preview| preview.width == 8),
        "linear previews have the latent's size"
    );
}

/// The loop with its modulation table against one plain evaluation after the other.
#[test]
fn computing_all_modulation_at_once_changes_nothing() {
    let parts = parts();
    let job = Job {
        draw: Draw {
            interval: (0.2, 0.9),
            ..job().draw
        },
        ..job()
    };
    let (_, cond) = parts.text.encode(&job.draw.prompt).unwrap();
    let (_, uncond) = parts.text.encode("").unwrap();
    let condition = parts.codec.encode(&job.condition, job.draw.size).unwrap();
    let noise = torch_randn(job.draw.seed, (1, 16, 8, 8), &Device::Cpu).unwrap();
    let mut walk = Walk::new(job.draw.sampler, job.draw.steps, &parts.schedule, noise).unwrap();
    while let Some(evaluation) = walk.next() {
        let latent = Tensor::cat(&[walk.input(), &condition], 1).unwrap();
        let predict = |features: &crate::model::clip_text::TextFeatures| {
            let input = DitInput {
                latent: &latent,
                time: &Tensor::new(&[evaluation.time as f32], &Device::Cpu).unwrap(),
                pooled: &features.pooled,
                sequence: &features.sequence,
                modality: &Tensor::new(&[0u32], &Device::Cpu).unwrap(),
            };
            parts.dit.forward(&input).unwrap()
        };
        let mut output = predict(&cond);
        if job.draw.guides(evaluation.step) {
            output = guidance::combine(&predict(&uncond), &output, job.draw.guidance).unwrap();
        }
        walk.advance(&output).unwrap();
    }
    let plain: Vec<f32> = walk.latent().flatten_all().unwrap().to_vec1().unwrap();
    let table = draw(&parts, &job).remove(0).latent;
    let largest = plain.iter().fold(0f32, |most, value| most.max(value.abs()));
    for (a, b) in table.iter().zip(&plain) {
        assert!((a - b).abs() <= 2e-5 * largest, "{a} {b}");
    }
}

#[test]
fn every_sampler_draws_and_wrong_ones_are_named() {
    for (objective, samplers, wrong) in [
        (
            Objective::Flow,
            vec![Sampler::Euler, Sampler::Heun],
            Sampler::Ddim,
        ),
        (
            Objective::Diffusion,
            vec![Sampler::DpmPp2M, Sampler::Ddim, Sampler::UniPc],
            Sampler::Euler,
        ),
    ] {
        let parts = parts_of(objective, None);
        for sampler in samplers {
            let pictures = draw(
                &parts,
                &Job {
                    draw: Draw {
                        sampler,
                        ..job().draw
                    },
                    ..job()
                },
            );
            assert_eq!(pictures[0].image.pixels.len(), 64 * 64 * 3, "{sampler:?}");
        }
        let wrong = Job {
            draw: Draw {
                sampler: wrong,
                ..job().draw
            },
            ..job()
        };
        let error =
            run_with(&parts, PreviewPolicy::Off, &wrong, &mut Listener::default()).unwrap_err();
        assert!(error.to_string().contains("does not solve"), "{error}");
    }
}

#[test]
fn sketches_masks_prompts_and_guidance_all_matter() {
    let parts = parts();
    let plain = draw(&parts, &job()).remove(0).latent;
    let sketch = Condition::Sketch(GrayImage::filled(20, 20, 200));
    for (what, other) in [
        (
            "sketch",
            Job {
                condition: sketch,
                ..job()
            },
        ),
        (
            "no condition",
            Job {
                condition: Condition::None,
                ..job()
            },
        ),
        (
            "prompt",
            Job {
                draw: Draw {
                    prompt: "an old woman".into(),
                    ..job().draw
                },
                ..job()
            },
        ),
        (
            "negative",
            Job {
                draw: Draw {
                    negative: "glasses".into(),
                    ..job().draw
                },
                ..job()
            },
        ),
        (
            "guidance",
            Job {
                draw: Draw {
                    guidance: 1.0,
                    ..job().draw
                },
                ..job()
            },
        ),
        (
            "interval",
            Job {
                draw: Draw {
                    interval: (0.5, 1.0),
                    ..job().draw
                },
                ..job()
            },
        ),
    ] {
        assert_ne!(draw(&parts, &other).remove(0).latent, plain, "{what}");
    }
    let unguided = |negative: &str| Job {
        draw: Draw {
            guidance: 1.0,
            negative: negative.into(),
            ..job().draw
        },
        ..job()
    };
    assert_eq!(
        draw(&parts, &unguided("")),
        draw(&parts, &unguided("glasses")),
        "no guidance, no negative prompt"
    );
}

#[test]
fn guiding_words_and_drawing_moves_away_from_the_empty_condition() {
    let parts = parts();
    let one = |condition: Condition, prompt: &str, guidance: f64| {
        let job = Job {
            draw: Draw {
                prompt: prompt.into(),
                guidance,
                guide: Guide::WordsAndDrawing,
                steps: 1,
                ..job().draw
            },
            condition,
            ..job()
        };
        draw(&parts, &job).remove(0).latent
    };
    let prompt = job().draw.prompt;
    let without = one(Condition::None, "", 1.0);
    let with = one(mask(), &prompt, 1.0);
    let guided = one(mask(), &prompt, 3.0);
    // One Euler step is linear in the velocity, and so is guidance.
    let largest = guided
        .iter()
        .fold(0f32, |most, value| most.max(value.abs()));
    for ((u, c), got) in without.iter().zip(&with).zip(&guided) {
        let expected = u + 3.0 * (c - u);
        assert!((got - expected).abs() < 1e-4 * largest, "{got} {expected}");
    }
    let words = Job {
        draw: Draw {
            steps: 1,
            ..job().draw
        },
        ..job()
    };
    assert_ne!(draw(&parts, &words).remove(0).latent, guided);
}

#[test]
fn a_fork_from_the_middle_ends_in_the_same_bytes() {
    let parts = parts();
    let (_, cond) = parts.text.encode(&job().draw.prompt).unwrap();
    let (_, uncond) = parts.text.encode("").unwrap();
    let condition = parts.codec.encode(&job().condition, 64).unwrap();
    let conditioning = sample::Conditioning {
        latent: &condition,
        modality: 0,
        prompt: &cond,
        negative: &uncond,
    };
    let noise = torch_randn(7, (1, 16, 8, 8), &Device::Cpu).unwrap();
    let mut walk = Walk::new(Sampler::Euler, 4, &parts.schedule, noise).unwrap();
    let mut evaluator = sample::Evaluator::new(&parts.dit, &conditioning, &job(), &walk).unwrap();
    let mut middle = Vec::new();
    sample::sample(&mut evaluator, &mut walk, &Cancel::new(), |walk| {
        if walk.step() == 2 {
            middle = walk.latent().flatten_all()?.to_vec1()?;
        }
        Ok(())
    })
    .unwrap();
    let fork = Job {
        fork: Some(Fork {
            step: 2,
            latent: middle,
        }),
        ..job()
    };
    let mut listener = Listener::default();
    let forked = run_with(&parts, PreviewPolicy::Off, &fork, &mut listener).unwrap();
    assert_eq!(listener.steps, [(1, 2), (2, 2)]);
    assert_eq!(forked[0].image, draw(&parts, &job())[0].image);
    let short = Job {
        fork: Some(Fork {
            step: 2,
            latent: vec![0.0; 3],
        }),
        ..job()
    };
    assert!(run_with(&parts, PreviewPolicy::Off, &short, &mut listener).is_err());
}

#[test]
fn a_fork_from_any_point_of_a_trail_ends_in_the_same_bytes() {
    let cases = [
        (Objective::Flow, Sampler::Euler),
        (Objective::Flow, Sampler::Heun),
        (Objective::Diffusion, Sampler::Ddim),
    ];
    for (objective, sampler) in cases {
        let parts = parts_of(objective, None);
        let job = Job {
            draw: Draw {
                sampler,
                count: 2,
                ..job().draw
            },
            ..job()
        };
        let plain = draw(&parts, &job);
        let mut listener = Listener {
            trail_steps: 8,
            ..Listener::default()
        };
        let traced = run_with(&parts, PreviewPolicy::Off, &job, &mut listener).unwrap();
        assert_eq!(traced, plain, "remembering changes nothing");
        assert!(listener.previews.is_empty());
        assert_eq!(listener.trails.len(), 2);
        for (picture, trail) in traced.iter().zip(&listener.trails) {
            assert_eq!(trail.pixels, crate::provenance::pixel_hash(&picture.image));
            let steps: Vec<usize> = trail.steps.iter().map(|step| step.fork.step).collect();
            assert_eq!(steps, [1, 2, 3]);
            for TrailStep { fork, preview } in &trail.steps {
                assert_eq!(preview.as_ref().map(|small| small.width), Some(8));
                let branch = Job {
                    draw: Draw {
                        seed: picture.seed,
                        count: 1,
                        ..job.draw.clone()
                    },
                    fork: Some(fork.clone()),
                    ..job.clone()
                };
                assert_eq!(draw(&parts, &branch)[0], *picture, "{sampler:?}");
            }
            let other = Job {
                draw: Draw {
                    prompt: "a woman with blond hair".into(),
                    seed: picture.seed,
                    count: 1,
                    ..job.draw.clone()
                },
                fork: Some(trail.steps[0].fork.clone()),
                ..job.clone()
            };
            assert_ne!(draw(&parts, &other)[0].image, picture.image);
        }
    }
}

#[test]
fn cancel_acts_before_the_next_step() {
    let mut listener = Listener {
        cancel_after: Some((2, Cancel::new())),
        ..Listener::default()
    };
    let result = run_with(&parts(), PreviewPolicy::Off, &job(), &mut listener);
    assert!(matches!(result, Err(Error::Cancelled)));
    assert_eq!(listener.steps.len(), 2);
}

#[test]
fn values_that_are_no_numbers_are_reported_with_their_stage() {
    let parts = parts_of(Objective::Flow, Some("final_layer.linear.weight"));
    let error = run_with(&parts, PreviewPolicy::Off, &job(), &mut Listener::default()).unwrap_err();
    assert!(
        error.to_string().contains("the latent after step 1"),
        "{error}"
    );
}

#[test]
fn a_long_prompt_is_cut_with_a_warning() {
    let prompt = (0..5000)
        .map(|word| format!("word{word}"))
        .collect::<Vec<_>>()
        .join(" ");
    let mut listener = Listener::default();
    run_with(
        &parts(),
        PreviewPolicy::Off,
        &Job {
            draw: Draw {
                prompt,
                steps: 1,
                ..job().draw
            },
            ..job()
        },
        &mut listener,
    )
    .unwrap();
    assert_eq!(listener.warnings.len(), 1);
    assert!(
        listener.warnings[0].contains("word"),
        "{}",
        listener.warnings[0]
    );
}

#[test]
fn tiles_give_nearly_the_same_picture() {
    let parts = parts();
    let latent = torch_randn(1, (1, 16, 48, 48), &Device::Cpu).unwrap();
    let latent = (latent * 0.3).unwrap();
    let (whole, tiled) = (
        parts.codec.decode(&latent, false).unwrap(),
        parts.codec.decode(&latent, true).unwrap(),
    );
    let mean = |a: &[u8], b: &[u8]| {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(a.abs_diff(*b)))
            .sum::<f64>()
            / a.len() as f64
    };
    let difference = mean(&whole.pixels, &tiled.pixels);
    assert!(difference < 6.0, "{difference} levels");
}
