//! The kernels of inference: packed weights against plain tensors, and results that depend
//! neither on the batch nor on the threads.

#![allow(clippy::unwrap_used, reason = "tests")]

use candle_core::{DType, Device, Result, Tensor};

use super::*;

/// Reproducible values in −1..1.
fn random(dims: &[usize], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let values: Vec<f32> = (0..dims.iter().product())
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect();
    Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor
        .to_dtype(DType::F32)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap()
}

fn error(actual: &Tensor, expected: &Tensor) -> f32 {
    assert_eq!(actual.dims(), expected.dims());
    let (actual, expected) = (flat(actual), flat(expected));
    let top = expected.iter().fold(0f32, |a, b| a.max(b.abs()));
    actual.iter().zip(&expected).fold(0f32, |a, (x, y)| {
        if (x - y).is_nan() {
            f32::NAN
        } else {
            a.max((x - y).abs())
        }
    }) / top
}

fn packed(weight: Tensor, storage: Storage, precision: Precision) -> Result<Weight> {
    Weight::frozen(weight, storage, precision, Route::Fused)
}

fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(work)
}

/// Every storage and arithmetic with the largest error that they may have.
const MODES: [(Storage, Precision, f32); 6] = [
    (Storage::F32, Precision::Exact, 1e-6),
    (Storage::Bf16, Precision::Exact, 5e-3),
    (Storage::Q8_0, Precision::Exact, 1e-2),
    (Storage::F32, Precision::Fast, 1e-2),
    (Storage::Bf16, Precision::Fast, 1e-2),
    (Storage::Q8_0, Precision::Fast, 1.5e-2),
];

#[test]
fn packed_weights_multiply_like_dense_ones() -> Result<()> {
    for (storage, precision, tolerance) in MODES {
        for (n, k) in [(7, 5), (33, 64), (96, 96), (40, 47)] {
            let (w, b, m) = (random(&[n, k], 1), random(&[n], 2), random(&[2, 3 * n], 3));
            let weight = packed(w.clone(), storage, precision)?;
            assert_eq!(weight.outputs(), n);
            let (x, residual) = (random(&[2, 9, k], 4), random(&[2, 9, n], 5));
            let plain = plain::linear(&x, &w, Some(&b))?;
            assert!(
                error(&linear(&x, &weight, Some(&b))?, &plain) < tolerance,
                "{storage:?} {precision:?} {n} {k}"
            );
            let gelu = plain::gelu(&plain)?;
            assert!(error(&linear_gelu(&x, &weight, &b)?, &gelu) < 2.0 * tolerance);
            let gated = plain::gate_residual(&residual, &plain, &m, 2)?;
            assert!(
                error(
                    &linear_gated(&x, &weight, Some(&b), &residual, &m, 2)?,
                    &gated
                ) < tolerance
            );
            for activation in [Activation::GeluErf, Activation::QuickGelu, Activation::None] {
                let expected = plain::activation(&plain, activation)?;
                assert!(
                    error(&linear_activation(&x, &weight, &b, activation)?, &expected)
                        < 2.0 * tolerance
                );
            }
            // A gradient through a frozen weight takes the dense path.
            let leaf = candle_core::Var::from_tensor(&x)?;
            let grads = linear(&leaf, &weight, None)?.sum_all()?.backward()?;
            let expected = w
                .sum_keepdim(0)?
                .unsqueeze(0)?
                .broadcast_as((2, 9, k))?
                .contiguous()?;
            assert!(error(grads.get(&leaf).expect("a gradient"), &expected) < 3.0 * tolerance);
        }
    }
    Ok(())
}

#[test]
fn the_composed_route_keeps_and_multiplies_plain_tensors() -> Result<()> {
    let (w, b, x) = (
        random(&[33, 64], 1),
        random(&[33], 2),
        random(&[2, 9, 64], 3),
    );
    for (storage, precision, _) in MODES {
        let weight = Weight::frozen(w.clone(), storage, precision, Route::Composed)?;
        assert_eq!((weight.outputs(), weight.bytes()), (33, 33 * 64 * 4));
        let expected = plain::linear(&x, &w, Some(&b))?;
        assert_eq!(flat(&linear(&x, &weight, Some(&b))?), flat(&expected));
        let expected = plain::gelu(&expected)?;
        assert_eq!(flat(&linear_gelu(&x, &weight, &b)?), flat(&expected));
    }
    let m = random(&[2, 6 * 64], 4);
    let ours = layer_norm_modulate(&x, &m, 3, 4, Precision::Fast, Route::Composed)?;
    let expected = plain::layer_norm_modulate(&x, &m, 3, 4)?;
    assert_eq!((ours.dtype(), flat(&ours)), (DType::F32, flat(&expected)));
    Ok(())
}

#[test]
fn weights_take_the_bytes_of_their_storage() -> Result<()> {
    let w = random(&[64, 128], 1);
    let bytes = |storage| {
        Ok::<_, candle_core::Error>(packed(w.clone(), storage, Precision::Exact)?.bytes())
    };
    assert_eq!(bytes(Storage::F32)?, 64 * 128 * 4);
    assert_eq!(bytes(Storage::Bf16)?, 64 * 128 * 2);
    assert_eq!(bytes(Storage::Q8_0)?, 64 * 128 / 32 * 34);
    Ok(())
}

#[test]
fn bf16_storage_keeps_bf16_weights_exactly() -> Result<()> {
    let w = random(&[40, 64], 1)
        .to_dtype(DType::BF16)?
        .to_dtype(DType::F32)?;
    let x = random(&[5, 64], 2);
    let exact = linear(
        &x,
        &packed(w.clone(), Storage::F32, Precision::Exact)?,
        None,
    )?;
    let stored = linear(&x, &packed(w, Storage::Bf16, Precision::Exact)?, None)?;
    assert_eq!(flat(&exact), flat(&stored));
    Ok(())
}

#[test]
fn rows_do_not_depend_on_their_number_or_the_threads() -> Result<()> {
    for (storage, precision, _) in MODES {
        let weight = packed(random(&[100, 96], 1), storage, precision)?;
        let (x, b) = (random(&[43, 96], 2), random(&[100], 3));
        let all = flat(&on_threads(2, || linear_gelu(&x, &weight, &b))?);
        assert_eq!(all, flat(&on_threads(1, || linear_gelu(&x, &weight, &b))?));
        for m in 1..=40 {
            let part = flat(&linear_gelu(&x.narrow(0, 2, m)?, &weight, &b)?);
            assert_eq!(
                part,
                all[200..][..m * 100],
                "{m} rows, {storage:?} {precision:?}"
            );
        }
    }
    Ok(())
}

fn rope(tokens: usize, half: usize) -> RopeTable {
    let angles = (random(&[tokens, half], 8) * 3.0).unwrap();
    RopeTable {
        cos: angles.cos().unwrap(),
        sin: angles.sin().unwrap(),
    }
}

#[test]
fn attention_equals_plain_and_ignores_batch_and_threads() -> Result<()> {
    for (precision, tolerance) in [(Precision::Exact, 2e-6), (Precision::Fast, 1.5e-2)] {
        for (image, text, heads, head_dim) in [
            (1, 1, 1, 4),
            (16, 5, 2, 72),
            (37, 16, 3, 64),
            (64, 7, 1, 128),
            (9, 2, 2, 132),
        ] {
            let triple = 3 * heads * head_dim;
            let (a, t) = (
                random(&[3, image, triple], 1),
                random(&[3, text, triple], 2),
            );
            let table = rope(image + text, head_dim / 2);
            let ours = |a: &Tensor, t: &Tensor| {
                joint_attention(a, Some(t), heads, Some(&table), precision, Route::Fused)
            };
            let all = on_threads(2, || ours(&a, &t))?;
            let name = format!("{image}+{text} tokens, {heads} heads of {head_dim}, {precision:?}");
            assert!(
                error(
                    &all,
                    &plain::joint_attention(&a, Some(&t), heads, Some(&table))?
                ) < tolerance,
                "{name}"
            );
            assert_eq!(flat(&all), flat(&on_threads(1, || ours(&a, &t))?), "{name}");
            let one = ours(&a.narrow(0, 1, 1)?, &t.narrow(0, 1, 1)?)?;
            assert_eq!(flat(&all.narrow(0, 1, 1)?), flat(&one), "{name}");
            let single = joint_attention(&a, None, heads, None, precision, Route::Fused)?;
            assert!(
                error(&single, &plain::joint_attention(&a, None, heads, None)?) < tolerance,
                "{name}"
            );
        }
    }
    Ok(())
}

#[test]
fn tokens_of_a_longer_sequence_are_read_in_place() -> Result<()> {
    for precision in [Precision::Exact, Precision::Fast] {
        let weight = packed(random(&[32, 48], 1), Storage::F32, precision)?;
        let x = random(&[3, 10, 48], 2);
        let part = x.narrow(1, 4, 5)?;
        let expected = linear(&part.contiguous()?, &weight, None)?;
        assert_eq!(flat(&linear(&part, &weight, None)?), flat(&expected));
        let narrow_channels = random(&[3, 10, 60], 3).narrow(2, 6, 48)?;
        let expected = linear(&narrow_channels.contiguous()?, &weight, None)?;
        assert_eq!(
            flat(&linear(&narrow_channels, &weight, None)?),
            flat(&expected)
        );
    }
    Ok(())
}

#[test]
fn layer_norms_equal_plain() -> Result<()> {
    let (x, m) = (random(&[2, 9, 72], 1), random(&[2, 432], 2));
    for (precision, tolerance) in [(Precision::Exact, 2e-6), (Precision::Fast, 5e-3)] {
        let ours = layer_norm_modulate(&x, &m, 3, 4, precision, Route::Fused)?;
        assert!(error(&ours, &plain::layer_norm_modulate(&x, &m, 3, 4)?) < tolerance);
    }
    let (w, b) = (random(&[72], 3), random(&[72], 4));
    assert!(
        error(
            &layer_norm(&x, &w, &b, 1e-5, Route::Fused)?,
            &plain::layer_norm(&x, &w, &b, 1e-5)?
        ) < 2e-6
    );
    Ok(())
}

#[test]
fn wrong_shapes_are_errors() -> Result<()> {
    let weight = packed(random(&[8, 16], 1), Storage::F32, Precision::Exact)?;
    assert!(linear(&random(&[2, 15], 2), &weight, None).is_err());
    assert!(linear(&random(&[2, 16], 2), &weight, Some(&random(&[9], 3))).is_err());
    let (residual, x) = (random(&[2, 3, 8], 4), random(&[2, 3, 16], 5));
    assert!(linear_gated(&x, &weight, None, &residual, &random(&[2, 16], 6), 2).is_err());
    assert!(linear_gated(&x, &weight, None, &residual, &random(&[3, 24], 6), 2).is_err());
    assert!(
        joint_attention(
            &random(&[1, 4, 20], 1),
            None,
            2,
            None,
            Precision::Exact,
            Route::Fused
        )
        .is_err()
    );
    assert!(packed(random(&[8], 1), Storage::F32, Precision::Exact).is_err());
    Ok(())
}
