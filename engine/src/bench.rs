//! Timing of single stages on random weights, field for field comparable with a PyTorch reference.

use std::time::Instant;

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use serde::Serialize;

use crate::kernels::{Precision, Route, Storage};
use crate::model::LoadOptions;
use crate::model::autoencoder_kl::{AutoencoderKl, AutoencoderKlConfig};
use crate::model::autoencoder_tiny::{AutoencoderTiny, AutoencoderTinyConfig};
use crate::model::dit::{Block, Dit, DitConfig, DitInput};
use crate::model::rope;
use crate::{Error, Result};

/// Which transformer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// The paper's, 1.345 billion parameters.
    Paper,
    /// One block of the paper's.
    Block,
    /// The bundled one.
    Demo,
    /// As small as the tests like it.
    Tiny,
}

/// Which stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// One evaluation of the transformer.
    Forward,
    /// FLUX's decoder.
    VaeDecode,
    /// FLUX's encoder.
    VaeEncode,
    /// The demo's decoder.
    DemoDecode,
    /// The demo's encoder.
    DemoEncode,
    /// The tiny decoder.
    TaeDecode,
    /// The tiny encoder.
    TaeEncode,
}

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Which transformer, for [`Stage::Forward`].
    pub preset: Preset,
    /// Which stage.
    pub stage: Stage,
    /// Side in pixels.
    pub size: usize,
    /// Pictures at once.
    pub batch: usize,
    /// `Fast` = bf16 products.
    pub precision: Precision,
    /// How the transformer's weights lie in memory.
    pub storage: Storage,
    /// Measured runs, after one that is not.
    pub runs: usize,
}

/// A measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// The stage.
    pub what: &'static str,
    /// The network.
    pub config: &'static str,
    /// Side in pixels.
    pub size: usize,
    /// Pictures at once.
    pub batch: usize,
    /// `f32` or `bf16` products.
    pub dtype: &'static str,
    /// Layout of the transformer's weights.
    pub storage: Storage,
    /// Where.
    pub device: &'static str,
    /// Threads.
    pub threads: usize,
    /// Measured runs.
    pub runs: usize,
    /// Median of the runs in seconds.
    pub median_s: f64,
    /// Fastest run in seconds.
    pub min_s: f64,
    /// Most memory that the process ever held, in MiB.
    pub peak_rss_mb: f64,
    /// Parameters of the network.
    pub params: usize,
}

impl Preset {
    fn config(self) -> (DitConfig, usize) {
        match self {
            Self::Paper => (DitConfig::paper(), 77),
            Self::Block => (
                DitConfig {
                    depth: 1,
                    ..DitConfig::paper()
                },
                77,
            ),
            Self::Demo => (DitConfig::demo(), 48),
            Self::Tiny => (
                DitConfig {
                    hidden: 64,
                    depth: 2,
                    heads: 4,
                    text_dim: 32,
                    channels: 8,
                    ..DitConfig::paper()
                },
                8,
            ),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Block => "block",
            Self::Demo => "demo",
            Self::Tiny => "tiny",
        }
    }
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::VaeDecode => "vae_decode",
            Self::VaeEncode => "vae_encode",
            Self::DemoDecode => "demo_decode",
            Self::DemoEncode => "demo_encode",
            Self::TaeDecode => "tae_decode",
            Self::TaeEncode => "tae_encode",
        }
    }
}

/// Measures on the CPU.
///
/// # Errors
/// When size or batch is out of range, or a tensor operation fails.
pub fn measure(setup: &Setup) -> Result<Measurement> {
    if setup.size == 0
        || !setup.size.is_multiple_of(16)
        || setup.size > 4096
        || !(1..=64).contains(&setup.batch)
    {
        return Err(Error::Argument(format!(
            "size {} and batch {} cannot be measured; sizes are multiples of 16, batches 1 to 64",
            setup.size, setup.batch
        )));
    }
    let (config, params, times) = match setup.stage {
        Stage::Forward => forward(setup)?,
        _ => autoencoder(setup)?,
    };
    let mut sorted = times;
    sorted.sort_by(f64::total_cmp);
    Ok(Measurement {
        what: setup.stage.name(),
        config,
        size: setup.size,
        batch: setup.batch,
        dtype: match setup.precision {
            Precision::Exact => "f32",
            Precision::Fast => "bf16",
        },
        storage: setup.storage,
        device: "cpu",
        threads: rayon::current_num_threads(),
        runs: setup.runs,
        median_s: median(&sorted),
        min_s: sorted.first().copied().unwrap_or(0.0),
        peak_rss_mb: crate::system::memory::peak() as f64 / f64::from(1 << 20),
        params,
    })
}

type Outcome = (&'static str, usize, Vec<f64>);

fn forward(setup: &Setup) -> Result<Outcome> {
    let (config, text_tokens) = setup.preset.config();
    let options = LoadOptions {
        storage: setup.storage,
        precision: setup.precision,
        ..LoadOptions::for_device(&Device::Cpu)
    };
    let side = setup.size / 8;
    let random = |seed, shape: &[usize]| random(seed, shape, 1.0);
    let sequence = random(1, &[setup.batch, text_tokens, config.text_dim])?;
    if setup.preset == Preset::Block {
        let block = Block::load(&weights().pp("blocks.0"), &config, options)?;
        let grid = side / config.patch;
        let image = random(2, &[setup.batch, grid * grid, config.hidden])?;
        let text = random(3, &[setup.batch, text_tokens, config.hidden])?;
        let condition = random(4, &[setup.batch, config.hidden])?;
        let table = rope::table(
            &rope::positions(grid, text_tokens, config.text_rope),
            config.head_dim(),
            &Device::Cpu,
        )?;
        let params = config
            .tensors()
            .iter()
            .filter(|(name, _)| name.starts_with("blocks.0."))
            .map(size_of)
            .sum();
        let times = time(setup.runs, || {
            let modulation = block.modulation(&condition)?;
            Ok(block
                .forward(&image, &text, &modulation, Some(&table))
                .map(drop)?)
        })?;
        return Ok((setup.preset.name(), params, times));
    }
    let params = config.parameter_count();
    let latent = random(2, &[setup.batch, config.channels, side, side])?;
    let pooled = random(3, &[setup.batch, config.text_dim])?;
    let times: Vec<f32> = (0..setup.batch)
        .map(|row| row as f32 / setup.batch as f32)
        .collect();
    let moment = Tensor::from_vec(times, setup.batch, &Device::Cpu)?;
    let modality: Vec<u32> = (0..setup.batch).map(|row| row as u32 % 2).collect();
    let modality = Tensor::from_vec(modality, setup.batch, &Device::Cpu)?;
    let dit = Dit::load(weights(), config, options)?;
    let input = DitInput {
        latent: &latent,
        time: &moment,
        pooled: &pooled,
        sequence: &sequence,
        modality: &modality,
    };
    let times = time(setup.runs, || Ok(dit.forward(&input).map(drop)?))?;
    Ok((setup.preset.name(), params, times))
}

fn size_of((_, shape): &(String, Vec<usize>)) -> usize {
    shape.iter().product()
}

fn autoencoder(setup: &Setup) -> Result<Outcome> {
    let side = setup.size / 8;
    let latent = random(1, &[setup.batch, 16, side, side], 1.0)?;
    let picture = random(2, &[setup.batch, 3, setup.size, setup.size], 1.0)?;
    if matches!(setup.stage, Stage::TaeDecode | Stage::TaeEncode) {
        let counted = Counted::default();
        let tiny = AutoencoderTiny::load(
            counted.builder(),
            &AutoencoderTinyConfig::taef1(),
            Route::Fused,
        )?;
        let times = match setup.stage {
            Stage::TaeDecode => time(setup.runs, || tiny.decode(&latent).map(drop))?,
            _ => time(setup.runs, || tiny.encode(&picture).map(drop))?,
        };
        return Ok(("taef1", counted.parameters(), times));
    }
    let (name, config) = match setup.stage {
        Stage::DemoDecode | Stage::DemoEncode => ("demo_vae", AutoencoderKlConfig::demo()),
        _ => ("flux_vae", AutoencoderKlConfig::flux()),
    };
    let counted = Counted::default();
    let vae = AutoencoderKl::load(counted.builder(), config, Route::Fused)?;
    let times = match setup.stage {
        Stage::DemoDecode | Stage::VaeDecode => time(setup.runs, || vae.decode(&latent).map(drop))?,
        _ => time(setup.runs, || vae.encode(&picture).map(drop))?,
    };
    Ok((name, counted.parameters(), times))
}

/// Seconds of each run, after one that warms up.
fn time(runs: usize, mut work: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
    work()?;
    (0..runs.max(1))
        .map(|_| {
            let began = Instant::now();
            work()?;
            Ok(began.elapsed().as_secs_f64())
        })
        .collect()
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted {
        [] => 0.0,
        _ if sorted.len().is_multiple_of(2) => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    }
}

/// Uniform values of about this standard deviation; quick, since billions are needed.
fn random(seed: u64, shape: &[usize], deviation: f32) -> candle_core::Result<Tensor> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // The upper 24 bits as -1..1, scaled to the deviation of a uniform distribution.
            ((state >> 40) as f32 / 8_388_608.0 - 1.0) * 1.732 * deviation
        })
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu)
}

fn weights() -> VarBuilder<'static> {
    Counted::default().builder()
}

/// Makes up any tensor that a network asks for, and counts the parameters.
#[derive(Clone, Default)]
struct Counted(std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl Counted {
    fn builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), DType::F32, Device::Cpu)
    }

    fn parameters(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl SimpleBackend for Counted {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: candle_nn::Init,
        _: DType,
        _: &Device,
    ) -> candle_core::Result<Tensor> {
        let count = shape.elem_count();
        self.0
            .fetch_add(count, std::sync::atomic::Ordering::Relaxed);
        random(count as u64 + name.len() as u64, shape.dims(), 0.02)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        candle_core::bail!("`{name}` has no known shape")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(stage: Stage, preset: Preset) -> Setup {
        let (precision, storage) = (Precision::Exact, Storage::F32);
        Setup {
            preset,
            stage,
            size: 32,
            batch: 1,
            precision,
            storage,
            runs: 2,
        }
    }

    #[test]
    fn a_measurement_has_the_reference_fields() {
        let measured = measure(&setup(Stage::Forward, Preset::Tiny)).expect("measures");
        assert!(measured.min_s > 0.0 && measured.min_s <= measured.median_s);
        let json = serde_json::to_value(&measured).expect("plain data");
        for field in [
            "what",
            "config",
            "size",
            "batch",
            "dtype",
            "threads",
            "runs",
            "median_s",
            "min_s",
            "peak_rss_mb",
            "params",
        ] {
            assert!(json.get(field).is_some(), "{field}");
        }
        assert!(
            measure(&Setup {
                size: 130,
                ..setup(Stage::Forward, Preset::Tiny)
            })
            .is_err()
        );
    }

    #[test]
    fn autoencoders_have_their_known_sizes() {
        assert_eq!(
            measure(&setup(Stage::DemoDecode, Preset::Tiny))
                .expect("measures")
                .params,
            2_767_027
        );
        assert_eq!(
            measure(&setup(Stage::TaeEncode, Preset::Tiny))
                .expect("measures")
                .params,
            2_458_899
        );
    }
}
