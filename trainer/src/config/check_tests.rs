//! Every number of a configuration: what is refused, what is taken, what is told.
#![allow(clippy::unwrap_used, reason = "tests")]

use mmface_engine::job::Objective;
use mmface_engine::model::dit::DitConfig;
use proptest::prelude::*;

use super::{Config, Model, TimeSampling, parse_ron};

fn good() -> Config {
    parse_ron("(name: \"good\", model: Demo, resolution: 128, batch: 4, steps: 300)").unwrap()
}

/// Changes a setting.
type Change = Box<dyn Fn(&mut Config)>;

/// Sets a float anywhere in the configuration.
type Set = fn(&mut Config, f64);

/// Every float, its name in the error, and values that are refused besides NaN and infinities.
const FLOATS: [(&str, Set, &[f64]); 13] = [
    ("beta1", |c, x| c.optimizer.beta1 = x, &[-0.1, 1.0, 1.5]),
    ("beta2", |c, x| c.optimizer.beta2 = x, &[-0.1, 1.0, 1.5]),
    (
        "epsilon",
        |c, x| c.optimizer.epsilon = x,
        &[-1.0, 0.0, 1e-300, 2.0],
    ),
    (
        "weight_decay",
        |c, x| c.optimizer.weight_decay = x,
        &[-5.0, 1e9],
    ),
    (
        "max_grad_norm",
        |c, x| c.optimizer.max_grad_norm = Some(x),
        &[-1.0, -1e-9],
    ),
    ("rate.base", |c, x| c.rate.base = x, &[-1.0, 0.0, 50.0]),
    ("ema_decay", |c, x| c.ema_decay = x, &[-0.5, 1.0, 2.0]),
    (
        "mean",
        |c, x| {
            c.time = TimeSampling::LogitNormal {
                mean: x as f32,
                deviation: 1.0,
            };
        },
        &[-100.0, 100.0],
    ),
    (
        "deviation",
        |c, x| {
            c.time = TimeSampling::LogitNormal {
                mean: 0.0,
                deviation: x as f32,
            };
        },
        &[-1.0, 0.0, 1e6],
    ),
    (
        "min_snr_gamma",
        |c, x| c.min_snr_gamma = Some(x),
        &[-5.0, 0.0],
    ),
    (
        "dropout.condition",
        |c, x| c.dropout.condition = x as f32,
        &[-0.1, 1.1],
    ),
    (
        "dropout.text",
        |c, x| c.dropout.text = x as f32,
        &[-0.1, 1.1],
    ),
    (
        "dropout.pooled",
        |c, x| c.dropout.pooled = x as f32,
        &[-0.1, 1.1],
    ),
];

#[test]
fn floats_out_of_range_are_refused_by_name() {
    for (name, set, bad) in FLOATS {
        let never = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        for &value in bad.iter().chain(&never) {
            let mut config = good();
            set(&mut config, value);
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(name), "{name} {value}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}

#[test]
fn whole_numbers_out_of_range_are_refused_by_name() {
    let shape = |change: fn(&mut DitConfig)| {
        let mut dit = DitConfig::demo();
        change(&mut dit);
        move |c: &mut Config| c.model = Model::Custom(dit.clone())
    };
    let cases: Vec<(&str, Change)> = vec![
        ("hidden", Box::new(shape(|dit| dit.hidden = 30))),
        ("hidden", Box::new(shape(|dit| dit.hidden = 0))),
        ("heads", Box::new(shape(|dit| dit.heads = 0))),
        ("heads", Box::new(shape(|dit| dit.heads = 7))),
        ("depth", Box::new(shape(|dit| dit.depth = 0))),
        ("depth", Box::new(shape(|dit| dit.depth = usize::MAX))),
        ("patch", Box::new(shape(|dit| dit.patch = 0))),
        ("channels", Box::new(shape(|dit| dit.channels = 31))),
        ("channels", Box::new(shape(|dit| dit.channels = 0))),
        ("mlp_ratio", Box::new(shape(|dit| dit.mlp_ratio = -1.0))),
        ("mlp_ratio", Box::new(shape(|dit| dit.mlp_ratio = f64::NAN))),
        ("resolution", Box::new(|c| c.resolution = 0)),
        ("resolution", Box::new(|c| c.resolution = 130)),
        ("resolution", Box::new(|c| c.resolution = 1 << 40)),
        ("batch", Box::new(|c| c.batch = 0)),
        ("batch", Box::new(|c| c.batch = usize::MAX)),
        ("accumulation", Box::new(|c| c.accumulation = 3)),
        ("accumulation", Box::new(|c| c.accumulation = 0)),
        ("variants", Box::new(|c| c.variants = 0)),
        ("variants", Box::new(|c| c.variants = 65)),
        ("steps", Box::new(|c| c.steps = 0)),
        ("steps", Box::new(|c| c.steps = u64::MAX)),
        ("epochs", Box::new(|c| c.epochs = Some(0))),
        ("warmup", Box::new(|c| c.rate.warmup = u64::MAX)),
        ("cooldown", Box::new(|c| c.rate.cooldown = Some((2, 0)))),
        (
            "cooldown",
            Box::new(|c| c.rate.cooldown = Some((u64::MAX, 2))),
        ),
        (
            "cooldown",
            Box::new(|c| c.rate.cooldown = Some((2, u64::MAX))),
        ),
        ("every", Box::new(|c| c.every.log = 0)),
        ("every", Box::new(|c| c.every.heldout = 0)),
        ("every", Box::new(|c| c.every.checkpoint = 0)),
        ("every", Box::new(|c| c.every.sample = Some(0))),
        ("every", Box::new(|c| c.every.keep = 0)),
        ("every.keep", Box::new(|c| c.every.keep = usize::MAX)),
    ];
    for (name, change) in cases {
        let mut config = good();
        change(&mut config);
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains(name), "{name}: {error}");
    }
}

#[test]
fn values_that_switch_something_off_are_taken() {
    for change in [
        |c: &mut Config| c.optimizer.max_grad_norm = Some(0.0),
        |c: &mut Config| c.optimizer.max_grad_norm = None,
        |c: &mut Config| c.optimizer.weight_decay = 0.0,
        |c: &mut Config| c.min_snr_gamma = None,
        |c: &mut Config| c.ema_decay = 0.0,
        |c: &mut Config| c.rate.warmup = 0,
        |c: &mut Config| c.dropout.text = 0.0,
    ] {
        let mut config = good();
        change(&mut config);
        config.check().unwrap();
        assert!(config.warnings().is_empty());
    }
}

#[test]
fn what_was_hardly_meant_is_told() {
    for (change, part) in [
        (
            (|c: &mut Config| c.rate.warmup = 300) as fn(&mut Config),
            "warm-up of 300",
        ),
        (|c| c.rate.cooldown = Some((300, 5)), "begins at update 300"),
        (
            |c| {
                c.time = TimeSampling::LogitNormal {
                    mean: 0.0,
                    deviation: 1.0,
                };
                c.model = Model::Custom(DitConfig {
                    objective: Objective::Diffusion,
                    ..DitConfig::demo()
                });
            },
            "no effect",
        ),
    ] {
        let mut config = good();
        change(&mut config);
        config.check().unwrap();
        let told = config.warnings();
        assert!(told.len() == 1 && told[0].contains(part), "{told:?}");
    }
    // Epochs are not counted yet.
    let mut config = good();
    (config.steps, config.epochs) = (0, Some(3));
    assert!(config.warnings().is_empty());
}

proptest! {
    /// Whatever a float is: it is refused, or the run's arithmetic stays finite and moves
    /// towards smaller weights.
    #[test]
    fn what_is_accepted_gives_finite_updates(
        index in 0..FLOATS.len(),
        value in prop_oneof![any::<f64>(), -2.0..2.0f64],
    ) {
        let mut config = good();
        FLOATS[index].1(&mut config, value);
        if config.check().is_ok() {
            let optimizer = &config.optimizer;
            let epsilon = optimizer.epsilon as f32;
            let keep = 1.0 - config.rate.base * optimizer.weight_decay;
            prop_assert!(epsilon > 0.0 && (0.0..=1.0).contains(&keep));
            prop_assert!((1.0 - optimizer.beta1).recip().is_finite());
            prop_assert!((1.0 - optimizer.beta2).recip().is_finite());
            prop_assert!(optimizer.max_grad_norm.is_none_or(f64::is_finite));
        }
    }
}

#[test]
fn a_batch_is_divided_over_all_processes() {
    let mut config = good();
    config.accumulation = 2;
    for (ranks, fits) in [(1, true), (2, true), (0, false), (3, false), (4, false)] {
        assert_eq!(config.check_ranks(ranks).is_ok(), fits, "{ranks}");
    }
    config.check_ranks(usize::MAX).unwrap_err();
}

#[test]
fn epochs_become_updates() {
    let mut config = good();
    (config.steps, config.epochs) = (0, Some(3));
    config.count_steps(9).unwrap();
    assert_eq!(config.steps, 9);
    config.epochs = Some(u64::MAX);
    let error = config.count_steps(9).unwrap_err().to_string();
    assert!(error.contains("steps"), "{error}");
}
