//! `mmface parse`: a photo becomes a class mask, and a sketch.

use std::path::PathBuf;

use candle_core::Device;
use clap::Args;
use mmface_engine::file::{self, Overwrite};
use mmface_engine::labels::palette;
use mmface_engine::picture::resize::lanczos_rgb;
use mmface_engine::picture::{convert, read, xdog};
use mmface_engine::weights::registry::{BUNDLED, Registry};
use serde_json::json;

use super::args::{OutputArgs, default_path};
use super::output;
use super::session::{print_line, say};
use crate::failure::Result;

/// Side of the parser's input.
const PARSER_SIDE: usize = 256;

/// Options of `mmface parse`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A portrait photo, PNG or JPEG
    photo: PathBuf,
    /// Where the class mask goes [default: mask.png]
    #[arg(long, value_name = "F")]
    out: Option<PathBuf>,
    /// Also write a sketch
    #[arg(long, value_name = "F")]
    sketch: Option<PathBuf>,
    /// The model whose face parser is used
    #[arg(long, value_name = "NAME|DIR")]
    model: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Parses the photo.
pub fn run(arguments: Arguments) -> Result<()> {
    let target = default_path(arguments.out, "mask.png");
    output::check_writable(&target)?;
    if let Some(sketch) = &arguments.sketch {
        output::check_writable(sketch)?;
    }
    let photo = read::read(&arguments.photo)?.to_rgb();
    let registry = Registry::standard();
    let package = match &arguments.model {
        Some(name) => registry.find(name)?,
        None => registry.find(BUNDLED)?,
    };
    let parser = package.load_parser(&Device::Cpu)?;
    let (width, height) = (photo.width, photo.height);
    let input = convert::to_tensor(&lanczos_rgb(&photo, PARSER_SIDE, PARSER_SIDE), &Device::Cpu)?;
    let mask = parser.parse(&input)?.resized(width, height);
    file::write(&target, &mask.to_png()?, Overwrite::Replace)?;
    if let Some(path) = &arguments.sketch {
        file::write(path, &xdog::sketch(&photo).to_png()?, Overwrite::Replace)?;
    }
    let classes: Vec<&str> = mask
        .counts()
        .iter()
        .zip(&palette().classes)
        .filter(|(count, _)| **count > 0)
        .map(|(_, class)| class.name.as_str())
        .collect();
    if arguments.output.json {
        let object = json!({
            "event": "parsed", "mask": target, "sketch": arguments.sketch, "width": width, "height": height,
            "classes": classes,
        });
        print_line(&object.to_string());
    }
    say(
        arguments.output,
        &format!("{}: {}", target.display(), classes.join(", ")),
    );
    if let Some(path) = &arguments.sketch {
        say(arguments.output, &format!("{}", path.display()));
    }
    Ok(())
}
