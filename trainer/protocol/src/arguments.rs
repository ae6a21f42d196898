//! The part of the trainer's command line that other programs use.
//!
//! The trainer declares its flags by these names, so the two cannot differ.

/// Name of the program, without the ending of the platform.
pub const PROGRAM: &str = "mmface-trainer";

/// Subcommands.
pub mod subcommand {
    /// Prints what a run will take ([`Plan`](crate::plan::Plan)).
    pub const PLAN: &str = "plan";
    /// Lists the configurations that come with the program
    /// ([`PresetSummary`](crate::plan::PresetSummary)).
    pub const PRESETS: &str = "presets";
    /// Prepares data.
    pub const LATENTS: &str = "latents";
    /// Starts a run.
    pub const TRAIN: &str = "train";
    /// Continues a run.
    pub const RESUME: &str = "resume";
    /// Makes a model package of a checkpoint.
    pub const EXPORT: &str = "export";
    /// Times a training step.
    pub const BENCH: &str = "bench";
}

/// Flags, with their dashes.
pub mod flag {
    /// Print JSON on standard output.
    pub const JSON: &str = "--json";
    /// Take commands from somewhere: [`STDIN`](super::STDIN).
    pub const CONTROL: &str = "--control";
    /// Name of a bundled configuration.
    pub const PRESET: &str = "--preset";
    /// A configuration file (RON).
    pub const CONFIG: &str = "--config";
    /// A configuration file of the authors (YAML).
    pub const CONFIG_PATH: &str = "--config_path";
    /// Measure the speed for the plan.
    pub const PROBE: &str = "--probe";
    /// Folder of the data.
    pub const DATA: &str = "--data";
    /// Folder of the frozen networks ([`frozen_parts`](crate::frozen_parts)).
    pub const WEIGHTS: &str = "--weights";
    /// Folder of prepared data.
    pub const WORK: &str = "--work";
    /// Folder of the run; for an export, the package.
    pub const OUT: &str = "--out";
    /// Run, checkpoint or file whose weights a run starts from.
    pub const INIT_FROM: &str = "--init-from";
    /// Leave out samples that lack parts instead of refusing the data.
    pub const ALLOW_MISSING: &str = "--allow-missing";
    /// Number of threads.
    pub const THREADS: &str = "--threads";
    /// The checkpoint to export.
    pub const CHECKPOINT: &str = "--checkpoint";
    /// Side of the pictures of a timed step, in pixels.
    pub const SIZE: &str = "--size";
    /// Samples of a timed step.
    pub const BATCH: &str = "--batch";
    /// Arithmetic of a timed step.
    pub const DTYPE: &str = "--dtype";
    /// Steps to time.
    pub const RUNS: &str = "--runs";
}

/// Which flags other programs pass to which subcommand.
pub const USED: [(&str, &[&str]); 7] = {
    use flag::*;
    [
        (subcommand::PRESETS, &[JSON]),
        (
            subcommand::PLAN,
            &[JSON, PRESET, CONFIG, CONFIG_PATH, PROBE, WORK, THREADS],
        ),
        (
            subcommand::LATENTS,
            &[
                JSON,
                PRESET,
                CONFIG,
                CONFIG_PATH,
                ALLOW_MISSING,
                DATA,
                WEIGHTS,
                WORK,
                THREADS,
            ],
        ),
        (
            subcommand::TRAIN,
            &[
                JSON,
                CONTROL,
                PRESET,
                CONFIG,
                CONFIG_PATH,
                WEIGHTS,
                WORK,
                OUT,
                INIT_FROM,
                THREADS,
            ],
        ),
        (
            subcommand::RESUME,
            &[JSON, CONTROL, WEIGHTS, WORK, OUT, THREADS],
        ),
        (subcommand::EXPORT, &[CHECKPOINT, WEIGHTS, OUT]),
        (
            subcommand::BENCH,
            &[JSON, CONFIG, SIZE, BATCH, DTYPE, RUNS, THREADS],
        ),
    ]
};

/// Value of [`flag::CONTROL`]: commands come on standard input, one JSON line each.
pub const STDIN: &str = "stdin";

/// A flag's name as argument parsers declare it: without its dashes.
pub const fn name(flag: &'static str) -> &'static str {
    flag.split_at(2).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_declared_without_its_dashes() {
        assert_eq!(name(flag::INIT_FROM), "init-from");
    }
}
