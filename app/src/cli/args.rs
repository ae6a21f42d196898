//! Arguments that several commands share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mmface_engine::contract::{ModelRef, PipelineOptions, PreviewPolicy};
use mmface_engine::device::DeviceChoice;
use mmface_engine::error::Kind;
use mmface_engine::job::{
    self, Draw, DrawChanges, Guide, MAX_COUNT, MAX_GUIDANCE, MAX_STEPS, SIZE_STEP, SIZES, Sampler,
};
use mmface_engine::kernels::{Precision, Storage};

use crate::failure::{Failure, Result};

/// Which model computes, and how.
#[derive(Clone, Debug, Default, Args)]
pub struct ModelArgs {
    /// Name of a model, or the path of a package [default: the best bundled one]
    #[arg(long, value_name = "NAME|DIR")]
    pub model: Option<String>,
    /// Device, threads, numbers
    #[command(flatten)]
    pub compute: ComputeArgs,
}

/// How to compute.
#[derive(Clone, Debug, Default, Args)]
pub struct ComputeArgs {
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,
    /// Threads on the CPU [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub threads: Option<u16>,
    /// fast: bf16 products where the CPU has them; exact: f32
    #[arg(long, value_enum, default_value_t)]
    pub precision: PrecisionArg,
    /// low: keep the weights in 8 bits; slower, slightly other pictures
    #[arg(long, value_enum, default_value_t)]
    pub memory: MemoryArg,
}

/// `--precision`.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum PrecisionArg {
    /// f32 products.
    Exact,
    /// bf16 products: on 50 held-out masks their pictures differ less than a hundredth as much as
    /// those of two seeds (BENCHMARKS.md).
    #[default]
    Fast,
}

/// `--memory`.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum MemoryArg {
    /// As the weights are stored.
    #[default]
    Auto,
    /// Q8_0.
    Low,
}

/// What is said where.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct OutputArgs {
    /// Print one JSON object a line on stdout
    #[arg(long)]
    pub json: bool,
    /// Print nothing but errors
    #[arg(long)]
    pub quiet: bool,
}

/// How to sample; `None` is what the model's objective and the defaults say.
#[derive(Clone, Debug, Default, Args)]
pub struct SampleArgs {
    /// What to move away from
    #[arg(long, value_name = "P", default_value = "")]
    pub negative: String,
    /// Seed of the first picture [default: the template's, else 0]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Side in pixels, a multiple of 16 from 64 to 1024 [default: the model's]
    #[arg(long, value_name = "N", value_parser = parse_size)]
    pub size: Option<usize>,
    /// Sampling steps
    #[arg(long, value_name = "N", value_parser = parse_steps, default_value_t = Draw::default().steps)]
    pub steps: usize,
    /// How to walk from noise to picture [default: what suits the model]
    #[arg(long, value_parser = job::parser::<Sampler>())]
    pub sampler: Option<Sampler>,
    /// How strictly to follow the prompt; 1 = not more than the model does by itself [default: the
    /// model's]
    #[arg(long, value_name = "W", value_parser = parse_guidance)]
    pub guidance: Option<f64>,
    /// Part of the sampling in which guidance acts, as two fractions
    #[arg(long, value_name = "FROM:TO", value_parser = parse_interval, default_value = "0:1")]
    pub guidance_interval: (f64, f64),
    /// What guidance strengthens [default: what suits the model]
    #[arg(long, value_parser = job::parser::<Guide>())]
    pub guide: Option<Guide>,
}

impl SampleArgs {
    /// What they say.
    pub fn changes(&self) -> DrawChanges {
        DrawChanges {
            // The commands' own.
            prompt: None,
            count: None,
            negative: Some(self.negative.clone()),
            seed: self.seed,
            size: self.size,
            steps: Some(self.steps),
            sampler: self.sampler,
            guidance: self.guidance,
            interval: Some(self.guidance_interval),
            guide: self.guide,
        }
    }
}

impl ModelArgs {
    /// What to load.
    pub fn model(&self) -> ModelRef {
        self.model
            .clone()
            .map_or(ModelRef::Bundled, ModelRef::Named)
    }
}

impl ComputeArgs {
    /// Sets the number of threads; must come before the first computation.
    ///
    /// # Errors
    /// When the system gives no such threads.
    pub fn set_threads(&self) -> Result<()> {
        let Some(threads) = self.threads else {
            return Ok(());
        };
        // SAFETY: no other thread runs yet. The matrix products of candle read this variable.
        unsafe { std::env::set_var("RAYON_NUM_THREADS", threads.to_string()) };
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.into())
            .build_global()
            .map_err(|error| {
                Failure::new(
                    Kind::Resources,
                    format!("cannot start {threads} threads: {error}; ask for fewer"),
                )
            })
    }

    /// Arithmetic of the products.
    pub fn precision(&self) -> Precision {
        match self.precision {
            PrecisionArg::Exact => Precision::Exact,
            PrecisionArg::Fast => Precision::Fast,
        }
    }

    /// The pipeline's options; the command line shows no previews.
    pub fn options(&self, previews: PreviewPolicy) -> PipelineOptions {
        PipelineOptions {
            device: self.device,
            route: None,
            precision: self.precision(),
            storage: match self.memory {
                MemoryArg::Auto => Storage::F32,
                MemoryArg::Low => Storage::Q8_0,
            },
            previews,
        }
    }
}

/// A path that a command writes to.
pub fn default_path(path: Option<PathBuf>, name: &str) -> PathBuf {
    path.unwrap_or_else(|| PathBuf::from(name))
}

/// Reads a number within a range, for values that clap has no ranged parser for.
fn parse_in<T: std::str::FromStr + PartialOrd + std::fmt::Display>(
    text: &str,
    range: std::ops::RangeInclusive<T>,
    what: &str,
) -> Result<T, String> {
    match text.parse() {
        Ok(value) if range.contains(&value) => Ok(value),
        _ => Err(format!(
            "{what} from {} to {} is needed",
            range.start(),
            range.end()
        )),
    }
}

fn parse_size(text: &str) -> Result<usize, String> {
    let what = format!("a multiple of {SIZE_STEP}");
    let size: usize = parse_in(text, SIZES, &what)?;
    if size.is_multiple_of(SIZE_STEP) {
        return Ok(size);
    }
    let lower = size / SIZE_STEP * SIZE_STEP;
    Err(format!(
        "{what} is needed: {lower} or {}",
        lower + SIZE_STEP
    ))
}

fn parse_steps(text: &str) -> Result<usize, String> {
    parse_in(text, 1..=MAX_STEPS, "a whole number")
}

/// `--num-samples`.
///
/// # Errors
/// When the text is no whole number within 1..=[`MAX_COUNT`].
pub fn parse_count(text: &str) -> Result<usize, String> {
    parse_in(text, 1..=MAX_COUNT, "a whole number")
}

fn parse_guidance(text: &str) -> Result<f64, String> {
    parse_in(text, 0.0..=MAX_GUIDANCE, "a number")
}

fn parse_interval(text: &str) -> Result<(f64, f64), String> {
    let wrong = || "two fractions such as 0.2:0.8 are needed".to_string();
    let (from, to) = text.split_once(':').ok_or_else(wrong)?;
    let from = parse_in(from, 0.0..=1.0, "a fraction")?;
    let to = parse_in(to, 0.0..=1.0, "a fraction")?;
    if from <= to {
        Ok((from, to))
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_chosen_is_the_engines_own_choice() {
        // What the trainer measures is drawn with the same.
        let usual = PipelineOptions::default();
        assert_eq!(ComputeArgs::default().options(usual.previews), usual);
    }

    #[test]
    fn sizes_name_their_neighbours() {
        assert_eq!(parse_size("256"), Ok(256));
        assert_eq!(
            parse_size("130"),
            Err("a multiple of 16 is needed: 128 or 144".into())
        );
        assert!(parse_size("2048").is_err_and(|text| text.contains("from 64 to 1024")));
        assert!(parse_size("-1").is_err());
    }

    #[test]
    fn intervals_and_weights() {
        assert_eq!(parse_interval("0.2:0.8"), Ok((0.2, 0.8)));
        for wrong in ["0.8:0.2", "1", "a:b", "0:2", "nan:1"] {
            assert!(parse_interval(wrong).is_err(), "{wrong}");
        }
        assert!(parse_guidance("nan").is_err());
        assert!(parse_steps("0").is_err());
        assert!(parse_count("1001").is_err());
    }
}
