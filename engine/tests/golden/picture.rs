//! Picture kinds: PIL's resampling and conversions, and the class palette.

use anyhow::{Context as _, bail, ensure};
use candle_core::{DType, Device, Tensor};
use mmface_engine::labels::{LabelImage, palette};
use mmface_engine::picture::{RgbImage, convert, resize};
use mmface_tests::golden::{Fixture, Report};

fn rgb(tensor: &Tensor) -> anyhow::Result<RgbImage> {
    let (height, width, channels) = tensor.dims3()?;
    ensure!(channels == 3, "not a colour picture");
    Ok(RgbImage {
        width,
        height,
        pixels: tensor.flatten_all()?.to_vec1()?,
    })
}

fn bytes(pixels: Vec<u8>, shape: &[usize]) -> anyhow::Result<Tensor> {
    Ok(Tensor::from_vec(pixels, shape, &Device::Cpu)?)
}

/// Lanczos, the crop of latent precomputing, grey, and decoder output.
pub(crate) fn resize(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let config = fixture.config();
    let expected = fixture.output("dst")?;
    let size = |key: &str| config[key].as_u64().map(|value| value as usize);
    let actual = if let Some(side) = size("resolution") {
        let square = resize::fit_square(&rgb(&fixture.input("src")?)?, side)?;
        let tensor = convert::to_tensor(&square, &Device::Cpu)?.squeeze(0)?;
        report.compare("tensor", &tensor, &fixture.output("tensor")?)?;
        square.pixels
    } else if let (Some(width), Some(height)) = (size("width"), size("height")) {
        let source = fixture.input("src")?;
        let channels = if source.rank() == 3 {
            source.dim(2)?
        } else {
            1
        };
        let (rows, columns) = (source.dim(0)?, source.dim(1)?);
        let pixels: Vec<u8> = source.flatten_all()?.to_vec1()?;
        resize::lanczos(&pixels, columns, rows, channels, width, height)
    } else if let Ok(decoded) = fixture.input("y") {
        convert::from_tensor(&decoded)?.pixels
    } else if expected.rank() == 2 {
        convert::to_gray(&rgb(&fixture.input("src")?)?).pixels
    } else {
        bail!("cannot tell what {} wants", fixture.file);
    };
    let actual = bytes(actual, expected.dims())?;
    report.compare_within("dst", &actual, &expected, 0.0)
}

/// Names, colours, a coloured mask, and the nearest class of noisy colours.
pub(crate) fn classes(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let names = fixture.config()["classes"]
        .as_array()
        .context("no class names")?;
    let ours: Vec<&str> = palette()
        .classes
        .iter()
        .map(|class| class.name.as_str())
        .collect();
    let equal = names
        .iter()
        .map(|name| name.as_str().unwrap_or_default())
        .eq(ours);
    ensure!(equal, "the class names differ");

    let expected = fixture.output("palette")?;
    let colours = palette()
        .classes
        .iter()
        .flat_map(|class| class.colour)
        .collect();
    report.compare("palette", &bytes(colours, expected.dims())?, &expected)?;

    let labels = fixture.input("labels")?;
    let (height, width) = labels.dims2()?;
    let classes = labels
        .flatten_all()?
        .to_vec1::<i64>()?
        .iter()
        .map(|&class| class as u8)
        .collect();
    let picture = LabelImage::new(width, height, classes)?.to_rgb();
    report.compare(
        "rgb",
        &bytes(picture.pixels, &[height, width, 3])?,
        &fixture.output("rgb")?,
    )?;

    let noisy: Vec<u8> = fixture.input("noisy")?.flatten_all()?.to_vec1()?;
    let nearest: Vec<u8> = noisy
        .chunks_exact(3)
        .map(|c| palette().nearest([c[0], c[1], c[2]]).0)
        .collect();
    let nearest = bytes(nearest, &[height, width])?.to_dtype(DType::F32)?;
    let expected = fixture.output("nearest")?.to_dtype(DType::F32)?;
    report.compare("nearest", &nearest, &expected)
}
