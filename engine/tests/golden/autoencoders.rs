//! Autoencoders and the face parser.

use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use mmface_engine::kernels::Route;
use mmface_engine::model::autoencoder_kl::{AutoencoderKl, AutoencoderKlConfig};
use mmface_engine::model::autoencoder_tiny::{AutoencoderTiny, AutoencoderTinyConfig};
use mmface_engine::model::face_parser::{FaceParser, FaceParserConfig};
use mmface_tests::golden::{Fixture, Report};

fn builder(fixture: &Fixture) -> VarBuilder<'static> {
    VarBuilder::from_tensors(fixture.weights(), DType::F32, &Device::Cpu)
}

/// Either route must give the reference's numbers.
const ROUTES: [Route; 2] = [Route::Fused, Route::Composed];

pub(crate) fn kl(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let config: AutoencoderKlConfig = serde_json::from_value(fixture.config().clone())?;
    let scale = config.scaling_factor;
    for route in ROUTES {
        let autoencoder = AutoencoderKl::load(builder(fixture), config.clone(), route)?;
        let posterior = autoencoder.encode(&fixture.input("x")?)?;
        report.compare("mean", &posterior.mean, &fixture.output("mean")?)?;
        report.compare("logvar", &posterior.logvar, &fixture.output("logvar")?)?;
        let sample = posterior.sample(&fixture.input("eps")?)?;
        report.compare("sample", &sample, &fixture.output("sample")?)?;
        // The authors scale without the shift.
        let scaled = (posterior.mode() * scale)?;
        report.compare("scaled_mean", &scaled, &fixture.output("scaled_mean")?)?;
        report.compare(
            "y",
            &autoencoder.decode(&fixture.input("z")?)?,
            &fixture.output("y")?,
        )?;
    }
    Ok(())
}

pub(crate) fn tiny(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let config: AutoencoderTinyConfig = serde_json::from_value(fixture.config().clone())?;
    for route in ROUTES {
        let autoencoder = AutoencoderTiny::load(builder(fixture), &config, route)?;
        report.compare(
            "latents",
            &autoencoder.encode(&fixture.input("x")?)?,
            &fixture.output("latents")?,
        )?;
        report.compare(
            "y",
            &autoencoder.decode(&fixture.input("z")?)?,
            &fixture.output("y")?,
        )?;
    }
    Ok(())
}

pub(crate) fn face_parser(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let config: FaceParserConfig = serde_json::from_value(fixture.config().clone())?;
    for route in ROUTES {
        let parser = FaceParser::load(builder(fixture), config.clone(), route)?;
        report.compare(
            "logits",
            &parser.forward(&fixture.input("x")?)?,
            &fixture.output("logits")?,
        )?;
    }
    Ok(())
}
