//! `compare`: the losses of two runs beside each other.

use std::path::PathBuf;

use clap::Args;
use mmface_engine::{Error, Result};
use mmface_trainer::compare::{Comparison, Curve};

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Folder of the first run
    first: PathBuf,
    /// Folder of the second run
    second: PathBuf,
    /// Fail when the last held-out losses differ by more than so many per cent
    #[arg(long, value_name = "PERCENT")]
    within: Option<f64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints the comparison.
///
/// # Errors
/// When a curve cannot be read, the two have nothing in common, or they differ by more than
/// `--within`.
pub(crate) fn execute(args: &CompareArgs) -> Result<()> {
    let comparison = Comparison::new(&Curve::read(&args.first)?, &Curve::read(&args.second)?)?;
    if args.json {
        let text = serde_json::to_string(&comparison);
        println!("{}", text.map_err(Error::unwritable("the comparison"))?);
    } else {
        print!("{}", comparison.table());
    }
    match args.within {
        Some(limit) if !comparison.within(limit) => Err(Error::Input(format!(
            "the last held-out losses differ by more than {limit} %"
        ))),
        _ => Ok(()),
    }
}
