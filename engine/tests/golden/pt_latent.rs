//! The authors' saved latents; the fixture names its `.pt` neighbour.

use anyhow::Context as _;
use candle_core::Device;
use mmface_engine::weights::read_latent;
use mmface_tests::golden::{Fixture, Report};

/// Runs one fixture.
pub(crate) fn run(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let file = fixture.config()["file"]
        .as_str()
        .context("config lacks file")?;
    let latent = read_latent(&fixture.dir.join(file), &Device::Cpu)?;
    report.compare("value", &latent, &fixture.output("value")?)
}
