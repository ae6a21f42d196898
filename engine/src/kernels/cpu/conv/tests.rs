#![allow(clippy::unwrap_used, reason = "tests")]

use candle_core::{Device, Tensor};

use crate::kernels::conv::{Conv, ConvShape, Fused, Padding, conv2d, upsample_concat};
use crate::kernels::group_norm::GroupNorm;
use crate::route::Route;

fn draw(shape: &[usize]) -> Tensor {
    Tensor::randn(0f32, 1., shape, &Device::Cpu).unwrap()
}

/// max |a − b| / max |b|
fn error(a: &Tensor, b: &Tensor) -> f32 {
    let max = |t: &Tensor| {
        t.abs()
            .unwrap()
            .max_all()
            .unwrap()
            .to_scalar::<f32>()
            .unwrap()
    };
    max(&(a - b).unwrap()) / max(b)
}

fn pair(shape: ConvShape) -> (Conv, Conv) {
    let weight = draw(&[shape.outputs, shape.inputs, shape.kernel, shape.kernel]);
    let bias = draw(&[shape.outputs]);
    (
        Conv::new(weight.clone(), Some(bias.clone()), shape, Route::Fused).unwrap(),
        Conv::new(weight, Some(bias), shape, Route::Composed).unwrap(),
    )
}

#[test]
fn agrees_with_the_plain_twin() {
    let shapes = [
        (ConvShape::same3(3, 16), 20, 33),
        (ConvShape::same3(8, 8), 9, 5),
        (ConvShape::same3(16, 3), 70, 18),
        (ConvShape::same3(16, 16), 32, 64),
        (ConvShape::same3(24, 40), 13, 35),
        (ConvShape::same3(48, 19), 6, 3),
        (ConvShape::same3(128, 144), 12, 12),
        (ConvShape::pointwise(24, 48), 7, 66),
        (ConvShape::halving(16, 20, Padding::after(1)), 16, 18),
        (ConvShape::halving(3, 24, Padding::all(1)), 17, 32),
    ];
    for (shape, height, width) in shapes {
        let (packed, dense) = pair(shape);
        let x = draw(&[2, shape.inputs, height, width]);
        let norm = GroupNorm {
            weight: draw(&[shape.inputs]),
            bias: draw(&[shape.inputs]),
            groups: 1,
            eps: 1e-6,
        };
        let run = |conv: &Conv, fused| conv2d(&x, conv, fused).unwrap();
        let plain = run(&dense, Fused::default());
        assert!(
            error(&run(&packed, Fused::default()), &plain) < 3e-5,
            "{shape:?}"
        );
        let residual = draw(plain.dims());
        let around = Fused {
            norm_silu: Some(&norm),
            residual: Some(&residual),
            relu: true,
            ..Fused::default()
        };
        assert!(
            error(&run(&packed, around), &run(&dense, around)) < 3e-5,
            "{shape:?} with all around it"
        );
        let doubled = Fused {
            upsample: true,
            ..Fused::default()
        };
        assert!(
            error(&run(&packed, doubled), &run(&dense, doubled)) < 3e-5,
            "{shape:?} upsampled"
        );
    }
}

#[test]
fn channels_last_input_gives_the_same_bytes() {
    let (packed, _) = pair(ConvShape::same3(32, 32));
    let x = draw(&[1, 32, 21, 40]);
    let last = x
        .permute((0, 2, 3, 1))
        .unwrap()
        .contiguous()
        .unwrap()
        .permute((0, 3, 1, 2))
        .unwrap();
    let run = |x: &Tensor| {
        conv2d(x, &packed, Fused::default())
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap()
    };
    assert_eq!(run(&x), run(&last));
}

#[test]
fn bytes_depend_neither_on_the_batch_nor_on_the_threads() {
    for shape in [
        ConvShape::same3(32, 48),
        ConvShape::same3(8, 24),
        ConvShape::pointwise(32, 20),
    ] {
        let (packed, _) = pair(shape);
        let x = draw(&[3, shape.inputs, 40, 72]);
        let norm = GroupNorm {
            weight: draw(&[shape.inputs]),
            bias: draw(&[shape.inputs]),
            groups: 4,
            eps: 1e-6,
        };
        let fused = Fused {
            norm_silu: Some(&norm),
            ..Fused::default()
        };
        let run = |x: &Tensor| {
            conv2d(x, &packed, fused)
                .unwrap()
                .flatten_all()
                .unwrap()
                .to_vec1::<f32>()
                .unwrap()
        };
        let one_thread = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        let three = rayon::ThreadPoolBuilder::new()
            .num_threads(3)
            .build()
            .unwrap();
        let whole = one_thread.install(|| run(&x));
        assert!(
            whole == three.install(|| run(&x)),
            "{shape:?} with three threads"
        );
        let last = run(&x.narrow(0, 2, 1).unwrap());
        assert!(whole[whole.len() - last.len()..] == last, "{shape:?} alone");
    }
}

#[test]
fn concatenation_agrees_with_the_plain_twin() {
    let (x, skip) = (draw(&[2, 5, 3, 4]), draw(&[2, 7, 6, 8]));
    let plain = Tensor::cat(&[&x.upsample_nearest2d(6, 8).unwrap(), &skip], 1).unwrap();
    assert_eq!(
        error(&upsample_concat(&x, &skip, Route::Fused).unwrap(), &plain),
        0.0
    );
    assert!(upsample_concat(&x, &draw(&[2, 7, 6, 7]), Route::Fused).is_err());
}

#[test]
fn pictures_that_do_not_fit_are_errors() {
    let (packed, _) = pair(ConvShape::same3(16, 16));
    assert!(conv2d(&draw(&[1, 8, 4, 4]), &packed, Fused::default()).is_err());
    let wrong = draw(&[1, 16, 4, 5]);
    let fused = Fused {
        residual: Some(&wrong),
        ..Fused::default()
    };
    assert!(conv2d(&draw(&[1, 16, 4, 4]), &packed, fused).is_err());
}
