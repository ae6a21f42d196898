//! `mmface parse`: a photo becomes a class mask, and a sketch.

use std::path::{Path, PathBuf};

use candle_core::Device;
use clap::Args;
use mmface_engine::file::{self, Overwrite};
use mmface_engine::labels::palette;
use mmface_engine::picture::resize::{lanczos_rgb, within};
use mmface_engine::picture::{WORKING_SIDE, convert, read, xdog};
use mmface_engine::weights::registry::{BUNDLED, Registry};
use serde_json::json;

use super::args::{OutputArgs, default_path};
use super::output;
use super::session::{print_line, say, warn};
use crate::failure::{Failure, Result};

/// Side of the parser's input.
const PARSER_SIDE: usize = 256;

/// Options of `mmface parse`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A portrait photo: JPEG, PNG, WebP, TIFF, BMP or GIF
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

/// Two files cannot have one name, and the photo is somebody's own.
fn check_different(photo: &Path, mask: &Path, sketch: Option<&Path>) -> Result<()> {
    let same = |a: &Path, b: &Path| match (resolved(a), resolved(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    };
    if let Some(sketch) = sketch.filter(|sketch| same(mask, sketch)) {
        return Err(Failure::usage(format!(
            "mask and sketch would be the same file ({}); name two",
            sketch.display()
        )));
    }
    let replaced = [Some(mask), sketch].into_iter().flatten();
    match replaced.into_iter().find(|target| same(photo, target)) {
        Some(target) => Err(Failure::usage(format!(
            "the photo itself would be replaced ({}); name another file",
            target.display()
        ))),
        None => Ok(()),
    }
}

/// The place of a file that may not exist yet, whatever names lead there.
fn resolved(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok().or_else(|| {
        let folder = file::parent_folder(path).canonicalize().ok()?;
        Some(folder.join(path.file_name()?))
    })
}

/// Parses the photo.
///
/// # Errors
/// When a target cannot be written or is the photo itself, or photo or parser cannot be read.
pub fn run(arguments: Arguments) -> Result<()> {
    let target = default_path(arguments.out, "mask.png");
    output::check_writable(&target)?;
    if let Some(sketch) = &arguments.sketch {
        output::check_writable(sketch)?;
    }
    check_different(&arguments.photo, &target, arguments.sketch.as_deref())?;
    let raster = read::read(&arguments.photo)?;
    let tell = |text: &str| {
        let text = format!("{text} ({})", arguments.photo.display());
        warn(arguments.output, &text);
    };
    for note in &raster.notes {
        tell(note);
    }
    let photo = within(raster.to_rgb(), WORKING_SIDE);
    if (photo.width, photo.height) != (raster.width, raster.height) {
        tell(&format!(
            "the photo is {} x {}: it was scaled down to {} x {}, which is more than a drawing needs",
            raster.width, raster.height, photo.width, photo.height
        ));
    }
    drop(raster);
    let registry = Registry::standard();
    let package = match &arguments.model {
        Some(name) => registry.find(name)?,
        None => registry.find(BUNDLED)?,
    };
    let parser = package.load_parser(&Device::Cpu)?;
    let (width, height) = (photo.width, photo.height);
    let input = convert::to_tensor(&lanczos_rgb(&photo, PARSER_SIDE, PARSER_SIDE), &Device::Cpu)?;
    let parsed = parser.parse(&input)?;
    let face = parsed.shows_face();
    if !face {
        tell(
            "no face was found in the photo: its mask is a guess; name a portrait, or cut the face out first",
        );
    }
    let mask = parsed.resized(width, height);
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
            "classes": classes, "face": face,
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
