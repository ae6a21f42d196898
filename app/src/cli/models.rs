//! `mmface models`: what is installed, bringing in the authors' checkpoints, and checking files.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use mmface_engine::Error;
use mmface_engine::format::bytes as size;
use mmface_engine::job::{self, Objective};
use mmface_engine::model::rope::TextRope;
use mmface_engine::system::interrupt;
use mmface_engine::weights::import::{ImportOptions, import};
use mmface_engine::weights::package::Package;
use mmface_engine::weights::registry::Registry;
use mmface_engine::weights::upstream::Hints;
use mmface_engine::weights::verify::{PartState, verify};
use serde_json::json;

use super::args::OutputArgs;
use super::session::{print_line, say, warn};
use crate::failure::{Failure, Result};

/// Options of `mmface models`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Name, size, place, and whether it loads here
    List {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Make a package of a checkpoint in the authors' layout
    Import(Box<Import>),
    /// Check every hash, shape and number of a model
    Verify {
        /// Name or path; all models when absent
        model: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
}

/// Options of `mmface models import`.
#[derive(Debug, Args)]
struct Import {
    /// The authors' folder, or the transformer's weights
    source: PathBuf,
    /// Name of the new package
    #[arg(long)]
    name: Option<String>,
    /// Copy the files instead of referring to them
    #[arg(long)]
    copy: bool,
    /// Store the transformer in 8 bits (GGUF Q8_0)
    #[arg(long)]
    quantise: bool,
    /// Side in pixels that the model was trained for
    #[arg(long, value_name = "N")]
    resolution: Option<usize>,
    /// Folder of the autoencoder
    #[arg(long, value_name = "DIR")]
    vae: Option<PathBuf>,
    /// Folder of the text tower
    #[arg(long, value_name = "DIR")]
    text: Option<PathBuf>,
    /// Folder of the tokenizer
    #[arg(long, value_name = "DIR")]
    tokenizer: Option<PathBuf>,
    /// Attention heads, when the weights do not tell
    #[arg(long, value_name = "N")]
    heads: Option<usize>,
    /// What the transformer predicts
    #[arg(long, value_parser = job::parser::<Objective>())]
    objective: Option<Objective>,
    /// Where text tokens stand
    #[arg(long, value_enum)]
    text_rope: Option<TextRopeArg>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TextRopeArg {
    Zero,
    Sequential,
}

/// Runs the command.
///
/// # Errors
/// When a model is not found, cannot be read or written, or is damaged.
pub fn run(arguments: Arguments) -> Result<()> {
    interrupt::listen();
    match arguments.command {
        Command::List { output } => list(output),
        Command::Import(arguments) => bring_in(*arguments),
        Command::Verify { model, output } => check(model.as_deref(), output),
    }
}

fn list(output: OutputArgs) -> Result<()> {
    let registry = Registry::standard();
    let models = registry.list();
    for model in &models {
        if output.json {
            print_json(&serde_json::to_value(model))?;
            continue;
        }
        let state = model.problem.as_deref().unwrap_or("loads here");
        say(
            output,
            &format!(
                "{}  {}  {}  {state}",
                model.name,
                size(model.bytes),
                model.path.display()
            ),
        );
    }
    if models.is_empty() {
        let places: Vec<String> = registry
            .roots()
            .iter()
            .map(|root| root.path.display().to_string())
            .collect();
        warn(
            output,
            &format!("there is no model in {}", places.join(", ")),
        );
    }
    Ok(())
}

fn bring_in(arguments: Import) -> Result<()> {
    let registry = Registry::standard();
    let output = arguments.output;
    let options = ImportOptions {
        source: arguments.source,
        into: registry.target()?.to_path_buf(),
        name: arguments.name,
        resolution: arguments.resolution,
        hints: Hints {
            heads: arguments.heads,
            objective: arguments.objective,
            text_rope: arguments.text_rope.map(|rope| match rope {
                TextRopeArg::Zero => TextRope::Zero,
                TextRopeArg::Sequential => TextRope::Sequential,
            }),
        },
        vae: arguments.vae,
        text: arguments.text,
        tokenizer: arguments.tokenizer,
        copy: arguments.copy,
        quantise: arguments.quantise,
    };
    let bar = Progress::new(output);
    let imported = import(&options, &mut |what, done, of| bar.tell(what, done, of));
    bar.clear();
    let imported = imported?;
    let manifest = imported.package.manifest();
    let path = imported.package.path();
    if !imported.missing.is_empty() {
        let missing = imported.missing.join(", ");
        warn(
            output,
            &format!(
                "{missing} were not found; import again with --vae, --text, --tokenizer to draw with it"
            ),
        );
    }
    if output.json {
        let object = json!({
            "event": "imported", "name": manifest.name, "path": path, "missing": imported.missing,
            "parameters": manifest.dit.parameter_count(), "bytes": imported.package.bytes(),
        });
        print_line(&object.to_string());
    }
    let parameters = manifest.dit.parameter_count();
    say(
        output,
        &format!(
            "{} ({parameters} parameters) in {}",
            manifest.name,
            path.display()
        ),
    );
    Ok(())
}

fn check(model: Option<&str>, output: OutputArgs) -> Result<()> {
    let registry = Registry::standard();
    let packages = match model {
        Some(name) => vec![registry.find(name)?],
        None => registry
            .list()
            .iter()
            .map(|model| Package::open(&model.path))
            .collect::<Result<_, _>>()?,
    };
    if packages.is_empty() {
        return Err(Failure::content(
            "there is no model to verify; import one with `mmface models import`",
        ));
    }
    let mut faults = Vec::new();
    for package in &packages {
        let bar = Progress::new(output);
        let states = verify(package, &mut |part, done, of| {
            bar.tell(part.title(), done, of)
        });
        bar.clear();
        let name = &package.manifest().name;
        for state in &states? {
            if state.problem.is_none() && !state.hash_checked {
                continue;
            }
            tell_state(name, state, output);
            faults.extend(
                state
                    .problem
                    .iter()
                    .map(|problem| format!("{name}: {problem}")),
            );
        }
    }
    match faults.as_slice() {
        [] => Ok(()),
        [first, rest @ ..] => {
            let more = if rest.is_empty() {
                String::new()
            } else {
                format!(" (and {} more)", rest.len())
            };
            Err(Failure::content(format!("{first}{more}")))
        }
    }
}

fn tell_state(model: &str, state: &PartState, output: OutputArgs) {
    let verdict = state.problem.as_deref().unwrap_or("as the manifest says");
    if output.json {
        let object = json!({
            "event": "part", "model": model, "part": state.part, "path": state.path, "bytes": state.bytes,
            "ok": state.problem.is_none(), "problem": state.problem,
        });
        print_line(&object.to_string());
    }
    say(
        output,
        &format!(
            "{model}  {}  {}  {verdict}",
            state.part.title(),
            size(state.bytes)
        ),
    );
}

/// Prints an object, whose serialisation cannot fail but may.
fn print_json(value: &serde_json::Result<serde_json::Value>) -> Result<()> {
    match value {
        Ok(value) => {
            print_line(&value.to_string());
            Ok(())
        }
        Err(error) => Err(Error::unwritable("JSON")(error).into()),
    }
}

/// A bar of bytes on a terminal.
struct Progress(Option<indicatif::ProgressBar>);

impl Progress {
    fn new(output: OutputArgs) -> Self {
        let visible = !output.quiet && !output.json && std::io::stderr().is_terminal();
        Self(visible.then(|| {
            let bar = indicatif::ProgressBar::new(0);
            if let Ok(style) = indicatif::ProgressStyle::with_template(
                "{msg} {wide_bar} {bytes}/{total_bytes} ETA {eta}",
            ) {
                bar.set_style(style);
            }
            bar
        }))
    }

    /// False asks the work to stop.
    fn tell(&self, what: &str, done: u64, of: u64) -> bool {
        if let Some(bar) = &self.0 {
            bar.set_message(what.to_string());
            bar.set_length(of);
            bar.set_position(done);
        }
        !interrupt::asked()
    }

    fn clear(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
