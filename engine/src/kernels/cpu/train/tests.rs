//! Every operation against its plain twin, forward and backward.

#![allow(clippy::unwrap_used, reason = "tests")]

use candle_core::{DType, Device, Result, Tensor, Var};

use super::*;
use crate::kernels::plain;
use crate::kernels::types::RopeTable;
use crate::precision::Precision;

/// Reproducible values in −1..1.
fn random(shape: impl Into<Shape>, seed: u64) -> Tensor {
    let shape = shape.into();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let values: Vec<f32> = (0..shape.elem_count())
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn leaf(shape: impl Into<Shape>, seed: u64) -> Var {
    Var::from_tensor(&random(shape, seed)).unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Largest difference over the largest expected value.
fn error(actual: &Tensor, expected: &Tensor) -> f32 {
    assert_eq!(actual.dims(), expected.dims());
    let (actual, expected) = (flat(actual), flat(expected));
    let top = expected.iter().fold(0f32, |a, b| a.max(b.abs()));
    let difference = actual.iter().zip(&expected).fold(0f32, |a, (x, y)| {
        if (x - y).is_nan() {
            f32::NAN
        } else {
            a.max((x - y).abs())
        }
    });
    difference / top
}

/// Result and gradients of a weighted sum of the result.
fn run(arguments: &[&Var], operation: impl Fn() -> Result<Tensor>) -> Vec<Tensor> {
    let y = operation().unwrap();
    let weights = random(y.shape(), 99);
    let grads = (&y * &weights)
        .unwrap()
        .sum_all()
        .unwrap()
        .backward()
        .unwrap();
    let mut all = vec![y.detach()];
    all.extend(
        arguments
            .iter()
            .map(|argument| grads.get(argument).expect("a gradient").clone()),
    );
    all
}

/// Compares result and gradients with the plain twin, and bytes for one and two threads.
fn check(
    name: &str,
    tolerance: f32,
    arguments: &[&Var],
    ours: impl Fn() -> Result<Tensor> + Sync,
    plain: impl Fn() -> Result<Tensor>,
) {
    let threads = |n: usize| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(n)
            .build()
            .unwrap()
    };
    let two = threads(2).install(|| run(arguments, &ours));
    let one = threads(1).install(|| run(arguments, &ours));
    for (index, ((one, two), expected)) in
        one.iter().zip(&two).zip(run(arguments, plain)).enumerate()
    {
        assert_eq!(
            flat(one),
            flat(two),
            "{name}: tensor {index} depends on the threads"
        );
        let error = error(one, &expected);
        assert!(
            error < tolerance,
            "{name}: tensor {index} is off by {error}"
        );
    }
}

const MODES: [(Precision, f32); 2] = [(Precision::Exact, 1e-5), (Precision::Fast, 1.5e-2)];

#[test]
fn linear_equals_plain() {
    for (precision, tolerance) in MODES {
        for (rows, k, n) in [
            (1, 12, 20),
            (5, 48, 33),
            (29, 47, 64),
            (112, 256, 96),
            (40, 20, 7),
        ] {
            let (x, w, b) = (leaf((2, rows, k), 1), leaf((n, k), 2), leaf(n, 3));
            check(
                "linear",
                tolerance,
                &[&x, &w, &b],
                || linear(&x, &w, Some(&b), precision),
                || plain::linear(&x, &w, Some(&b)),
            );
            check(
                "linear without bias",
                tolerance,
                &[&x, &w],
                || linear(&x, &w, None, precision),
                || plain::linear(&x, &w, None),
            );
        }
    }
}

#[test]
fn linear_reads_strided_input() {
    let (x, w) = (leaf((2, 9, 40), 1), leaf((32, 24), 2));
    check(
        "narrowed input",
        1e-5,
        &[&x, &w],
        || linear(&x.narrow(2, 8, 24)?, &w, None, Precision::Exact),
        || plain::linear(&x.narrow(2, 8, 24)?, &w, None),
    );
    check(
        "transposed weight",
        1e-5,
        &[&x, &w],
        || linear(&x.narrow(2, 0, 32)?, &w.t()?, None, Precision::Exact),
        || plain::linear(&x.narrow(2, 0, 32)?, &w.t()?.contiguous()?, None),
    );
}

#[test]
fn gelu_equals_plain() {
    let x = Var::from_tensor(&(random((3, 7, 50), 4) * 6.0).unwrap()).unwrap();
    check("gelu", 1e-5, &[&x], || gelu(&x), || plain::gelu(&x));
}

#[test]
fn layer_norm_and_gate_equal_plain() {
    for (batch, tokens, width) in [(1, 1, 4), (3, 5, 48), (2, 33, 256), (2, 3, 1152)] {
        let (x, y, m) = (
            leaf((batch, tokens, width), 1),
            leaf((batch, tokens, width), 2),
            leaf((batch, 6 * width), 3),
        );
        check(
            "layer norm",
            2e-5,
            &[&x, &m],
            || layer_norm_modulate(&x, &m, 3, 4),
            || plain::layer_norm_modulate(&x, &m, 3, 4),
        );
        check(
            "gate",
            1e-5,
            &[&x, &y, &m],
            || gate_residual(&x, &y, &m, 5),
            || plain::gate_residual(&x, &y, &m, 5),
        );
    }
    assert!(layer_norm_modulate(&random((1, 2, 8), 1), &random((1, 16), 2), 1, 2).is_err());
}

fn rope(tokens: usize, half: usize) -> RopeTable {
    let angles = (random((tokens, half), 8) * 3.0).unwrap();
    RopeTable {
        cos: angles.cos().unwrap(),
        sin: angles.sin().unwrap(),
    }
}

#[test]
fn attention_equals_plain() {
    for (precision, tolerance) in MODES {
        for (batch, image, text, heads, head_dim) in [
            (1, 4, 3, 2, 4),
            (2, 16, 5, 3, 72),
            (1, 33, 16, 2, 64),
            (2, 7, 1, 1, 20),
        ] {
            let triple = 3 * heads * head_dim;
            let (a, t) = (
                leaf((batch, image, triple), 1),
                leaf((batch, text, triple), 2),
            );
            let table = rope(image + text, head_dim / 2);
            for table in [Some(&table), None] {
                check(
                    "joint attention",
                    tolerance,
                    &[&a, &t],
                    || joint_attention(&a, Some(&t), heads, table, precision),
                    || plain::joint_attention(&a, Some(&t), heads, table),
                );
            }
            check(
                "attention of one stream",
                tolerance,
                &[&a],
                || joint_attention(&a, None, heads, None, precision),
                || plain::joint_attention(&a, None, heads, None),
            );
        }
    }
}

#[test]
fn untracked_arguments_get_no_gradient() {
    let (x, w) = (random((1, 4, 8), 1), leaf((8, 8), 2));
    let y = linear(&x, &w, None, Precision::Exact).unwrap();
    let grads = y.sum_all().unwrap().backward().unwrap();
    assert!(grads.get(&w).is_some());
    assert!(grads.get(&x).is_none());
    assert_eq!(y.dtype(), DType::F32);
}

/// Like [`run`], with the gradients of weights that fused operations leave.
fn run_fused(
    arguments: &[&Var],
    weights: &[&Var],
    leaves: &fused::LeafGradients,
    operation: impl Fn() -> Result<Tensor>,
) -> Vec<Tensor> {
    let mut all = run(arguments, operation);
    let left = |weight: &&Var| leaves.take(weight).expect("a gradient");
    all.extend(weights.iter().map(left));
    all
}

/// Compares a fused branch with the composed one, and its bytes for one and two threads.
fn check_fused(
    name: &str,
    tolerance: f32,
    (arguments, weights): (&[&Var], &[&Var]),
    ours: impl Fn(&fused::LeafGradients) -> Result<Tensor> + Sync,
    composed: impl Fn() -> Result<Tensor>,
) {
    let all: Vec<&Var> = arguments.iter().chain(weights).copied().collect();
    let expected = run(&all, composed);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let leaves = fused::LeafGradients::default();
        pool.install(|| run_fused(arguments, weights, &leaves, || ours(&leaves)))
    };
    let (one, two) = (on(1), on(2));
    for (index, ((one, two), expected)) in one.iter().zip(&two).zip(&expected).enumerate() {
        assert_eq!(
            flat(one),
            flat(two),
            "{name}: tensor {index} depends on the threads"
        );
        let error = error(one, expected);
        assert!(
            error < tolerance,
            "{name}: tensor {index} is off by {error}"
        );
    }
}

#[test]
fn fused_branches_equal_the_composed_ones() {
    for precision in [Precision::Exact, Precision::Fast] {
        // The same operations in the same order: only sums of two gradients may be rounded elsewhere.
        let tolerance = 2e-6;
        for (batch, tokens, width) in [(2, 5, 32), (3, 19, 48), (1, 33, 64)] {
            let (x, m) = (leaf((batch, tokens, width), 1), leaf((batch, 6 * width), 2));
            let residual = leaf((batch, tokens, width), 3);
            let mixed = leaf((batch, tokens + 7, width), 11);
            let square = |seed| leaf((width, width), seed);
            let (q, k, v) = (square(4), square(5), square(6));
            let parts = [&q, &k, &v].map(|part| part.as_tensor().clone());
            check_fused(
                "projection",
                tolerance,
                (&[&x, &m], &[&q, &k, &v]),
                |leaves| fused::project(&x, &m, [0, 1], &parts, precision, leaves),
                || {
                    let joined = Tensor::cat(&parts, 0)?;
                    linear(
                        &layer_norm_modulate(&x, &m, 0, 1)?,
                        &joined,
                        None,
                        precision,
                    )
                },
            );
            check_fused(
                "end of attention",
                tolerance,
                (&[&mixed, &residual, &m], &[&q]),
                |leaves| fused::attended(&mixed, 3, &residual, &m, 2, &q, precision, leaves),
                || {
                    let own = mixed.narrow(1, 3, tokens)?;
                    gate_residual(&residual, &linear(&own, &q, None, precision)?, &m, 2)
                },
            );
            let inner = 3 * width;
            let (rise, fall) = (leaf((inner, width), 7), leaf((width, inner), 8));
            let (rise_bias, fall_bias) = (leaf(inner, 9), leaf(width, 10));
            let layers = fused::Layers {
                rise: (rise.as_tensor().clone(), rise_bias.as_tensor().clone()),
                fall: (fall.as_tensor().clone(), fall_bias.as_tensor().clone()),
            };
            check_fused(
                "MLP",
                tolerance,
                (&[&x, &m], &[&rise, &rise_bias, &fall, &fall_bias]),
                |leaves| fused::mlp(&x, &m, [3, 4, 5], layers.clone(), precision, leaves),
                || {
                    let normalised = layer_norm_modulate(&x, &m, 3, 4)?;
                    let wide = linear(&normalised, &rise, Some(&rise_bias), precision)?;
                    let branch = linear(&gelu(&wide)?, &fall, Some(&fall_bias), precision)?;
                    gate_residual(&x, &branch, &m, 5)
                },
            );
        }
    }
}

#[test]
fn gradients_of_a_weight_used_twice_add_up() {
    let (x, m, w) = (leaf((2, 3, 16), 1), leaf((2, 16), 2), leaf((16, 16), 3));
    let leaves = fused::LeafGradients::default();
    let once = || fused::attended(&x, 0, &x, &m, 0, &w, Precision::Exact, &leaves).unwrap();
    let gradient = |y: Tensor| {
        y.sum_all().unwrap().backward().unwrap();
        leaves.take(&w).expect("a gradient")
    };
    let single = gradient(once());
    let double = gradient((once() + once()).unwrap());
    assert!(error(&double, &(single * 2.0).unwrap()) < 1e-6);
    assert!(leaves.take(&w).is_none());
}

#[test]
fn a_second_backward_pass_is_an_error() {
    let (x, m, w) = (leaf((2, 3, 16), 1), leaf((2, 16), 2), leaf((16, 16), 3));
    let leaves = fused::LeafGradients::default();
    let y = fused::attended(&x, 0, &x, &m, 0, &w, Precision::Exact, &leaves).unwrap();
    let loss = y.sum_all().unwrap();
    assert!(loss.backward().is_ok());
    assert!(loss.backward().is_err());
}
