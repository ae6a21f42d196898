//! `mmface bench`: the speed of single stages, as one JSON object each.

use std::process::Command;

use clap::{Args, ValueEnum};
use mmface_engine::Error;
use mmface_engine::bench::{Preset, Setup, Stage, measure};
use mmface_engine::error::Kind;
use mmface_engine::kernels::{Precision, Storage};
use mmface_run_protocol::arguments::{PROGRAM, flag, subcommand};

use super::args::ComputeArgs;
use super::session::print_line;
use crate::failure::{Failure, Result};

/// Options of `mmface bench`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Which transformer
    #[arg(long, value_enum, default_value_t = Config::Demo)]
    config: Config,
    /// Which stage; train is measured by mmface-trainer
    #[arg(long, value_enum, default_value_t = What::Forward)]
    what: What,
    /// Side in pixels
    #[arg(long, value_name = "N", default_value_t = 256)]
    size: usize,
    /// Pictures at once
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch: usize,
    /// Products in f32, or in bf16 with f32 sums
    #[arg(long, value_enum, default_value_t = Dtype::F32)]
    dtype: Dtype,
    /// How the transformer's weights lie in memory
    #[arg(long, value_enum, default_value_t = Layout::F32)]
    storage: Layout,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    threads: Option<u16>,
    /// Measured runs
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    runs: u32,
    /// Print JSON instead of a sentence
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Config {
    Paper,
    Block,
    Demo,
    Tiny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum What {
    Forward,
    Train,
    VaeDecode,
    VaeEncode,
    DemoDecode,
    DemoEncode,
    TaeDecode,
    TaeEncode,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dtype {
    F32,
    Bf16,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Layout {
    F32,
    Bf16,
    #[value(name = "q8_0")]
    Q8_0,
}

/// Measures one stage.
///
/// # Errors
/// When a value is out of range, or the measurement fails.
pub fn run(arguments: Arguments) -> Result<()> {
    let stage = match arguments.what {
        What::Train => return train(&arguments),
        What::Forward => Stage::Forward,
        What::VaeDecode => Stage::VaeDecode,
        What::VaeEncode => Stage::VaeEncode,
        What::DemoDecode => Stage::DemoDecode,
        What::DemoEncode => Stage::DemoEncode,
        What::TaeDecode => Stage::TaeDecode,
        What::TaeEncode => Stage::TaeEncode,
    };
    ComputeArgs {
        threads: arguments.threads,
        ..ComputeArgs::default()
    }
    .set_threads()?;
    let setup = Setup {
        preset: match arguments.config {
            Config::Paper => Preset::Paper,
            Config::Block => Preset::Block,
            Config::Demo => Preset::Demo,
            Config::Tiny => Preset::Tiny,
        },
        stage,
        size: arguments.size,
        batch: arguments.batch,
        precision: match arguments.dtype {
            Dtype::F32 => Precision::Exact,
            Dtype::Bf16 => Precision::Fast,
        },
        storage: match arguments.storage {
            Layout::F32 => Storage::F32,
            Layout::Bf16 => Storage::Bf16,
            Layout::Q8_0 => Storage::Q8_0,
        },
        runs: arguments.runs as usize,
    };
    let measured = measure(&setup)?;
    if arguments.json {
        let text = serde_json::to_string(&measured);
        print_line(&text.map_err(Error::unwritable("the measurement"))?);
    } else {
        print_line(&format!(
            "{} of {} at {}², batch {}, {}: median {:.4} s, fastest {:.4} s of {} runs on {} threads; {:.0} MiB at most",
            measured.what,
            measured.config,
            measured.size,
            measured.batch,
            measured.dtype,
            measured.median_s,
            measured.min_s,
            measured.runs,
            measured.threads,
            measured.peak_rss_mb,
        ));
    }
    Ok(())
}

/// Training belongs to the trainer: its program must lie beside this one.
fn train(arguments: &Arguments) -> Result<()> {
    let missing = || {
        Failure::content(
            "mmface-trainer is not beside this program; build it with `cargo build -p mmface-trainer`",
        )
    };
    let program = std::env::current_exe().map_err(|_| missing())?;
    let name = format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX);
    let trainer = program.with_file_name(name);
    if !trainer.is_file() {
        return Err(missing());
    }
    let dtype = arguments.dtype.to_possible_value();
    let config = arguments.config.to_possible_value();
    let mut command = Command::new(&trainer);
    command.arg(subcommand::BENCH);
    for (option, value) in [(flag::DTYPE, dtype), (flag::CONFIG, config)] {
        if let Some(value) = value {
            command.args([option, value.get_name()]);
        }
    }
    command.args([
        flag::SIZE,
        &arguments.size.to_string(),
        flag::BATCH,
        &arguments.batch.to_string(),
    ]);
    command.args([flag::RUNS, &arguments.runs.to_string()]);
    if let Some(threads) = arguments.threads {
        command.args([flag::THREADS, &threads.to_string()]);
    }
    if arguments.json {
        command.arg(flag::JSON);
    }
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(
            Kind::Peer,
            format!("mmface-trainer bench failed ({status}); its own message says why"),
        )),
        Err(error) => Err(Failure::new(
            Kind::Peer,
            format!(
                "cannot start mmface-trainer ({}): {error}; build it again",
                trainer.display()
            ),
        )),
    }
}
