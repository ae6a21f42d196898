//! `mmface inspect`: what a picture, a model or a checkpoint is.

use std::path::{Path, PathBuf};

use clap::Args;
use mmface_engine::Error;
use mmface_engine::format::bytes as size;
use mmface_engine::job::Named as _;
use mmface_engine::picture::{Format, read};
use mmface_engine::provenance::{parameters, read_bytes};
use mmface_engine::weights::TensorFile;
use mmface_engine::weights::package::Package;
use mmface_engine::weights::registry::Registry;
use mmface_engine::weights::upstream::{Hints, dit_config};
use mmface_engine::weights::verify::states;
use serde_json::{Value, json};

use super::session::print_line;
use crate::failure::Result;
use crate::project::SweepNote;

/// Options of `mmface inspect`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A PNG, a model's name or folder, or a file of weights
    what: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Says what it is.
///
/// # Errors
/// When it is no picture of ours and no model, or cannot be read.
pub fn run(arguments: Arguments) -> Result<()> {
    let path = &arguments.what;
    let (object, text) = if path.is_file() {
        file(path)?
    } else {
        model(path)?
    };
    print_line(&if arguments.json {
        object.to_string()
    } else {
        text
    });
    Ok(())
}

type Answer = (Value, String);

fn file(path: &Path) -> Result<Answer> {
    let is_package = path.file_name().is_some_and(|name| name == "model.ron")
        || path
            .extension()
            .is_some_and(|extension| extension == "mmface");
    if is_package {
        return package(&Package::open(path)?);
    }
    let weights = path
        .extension()
        .is_some_and(|extension| extension == "safetensors" || extension == "gguf");
    if weights {
        checkpoint(path)
    } else {
        picture(path)
    }
}

fn model(path: &Path) -> Result<Answer> {
    let name = path.to_string_lossy();
    package(&Registry::standard().find(&name)?)
}

fn picture(path: &Path) -> Result<Answer> {
    let bytes = read::read_bytes(path)?;
    let picture = read::decode(&bytes, path)?;
    let (width, height) = (picture.width, picture.height);
    let format = Format::of(&bytes).map_or("picture", Format::name);
    if format != Format::Png.name() {
        let text = format!("{width} x {height} {format}: it has no recipe");
        return Ok((
            json!({ "kind": "picture", "width": width, "height": height, "recipe": null }),
            text,
        ));
    }
    let found = read_bytes(&bytes, path)?;
    let texts: Vec<Value> = found
        .texts
        .iter()
        .map(|(key, text)| json!({ "keyword": key, "text": text }))
        .collect();
    let recipe = found.recipe.as_ref().map(serde_json::to_value).transpose();
    let recipe = recipe.map_err(Error::unwritable("the recipe as JSON"))?;
    let object = json!({
        "kind": "picture", "width": width, "height": height, "recipe": recipe, "problem": found.problem,
        "marked_synthetic": found.marked_synthetic, "signed": found.signed, "texts": texts,
    });
    let mut lines = vec![format!("{width} x {height} PNG")];
    let sweep = SweepNote::of(&found, path).map(|note| match note {
        Ok(note) => format!("Grid of the sweep: {}", note.template),
        Err(error) => error.to_string(),
    });
    match (&found.recipe, &found.problem) {
        (Some(recipe), _) => {
            lines.push(parameters(recipe));
            lines.push(format!("Follows: {}", recipe.job.condition.summary()));
            lines.extend(
                recipe
                    .template
                    .iter()
                    .map(|template| format!("Sweep: {template}")),
            );
            lines.push(format!(
                "Computed on: {}, {:?} products, {:?} weights",
                recipe.device, recipe.precision, recipe.storage
            ));
            lines.push(format!("Weights: {} (SHA-256)", recipe.sha256));
        }
        (None, Some(problem)) => lines.push(problem.clone()),
        (None, None) if sweep.is_some() => lines.extend(sweep),
        (None, None) => {
            lines.push("no recipe of mmface".into());
            lines.extend(
                found
                    .texts
                    .iter()
                    .map(|(key, text)| format!("{key}: {text}")),
            );
        }
    }
    lines.push(
        if found.marked_synthetic {
            "Marked as made by a trained algorithm"
        } else {
            "Not marked as synthetic"
        }
        .into(),
    );
    if found.signed {
        lines.push("Signed (C2PA): saving it anew would break the signature".into());
    }
    Ok((object, lines.join("\n")))
}

fn package(package: &Package) -> Result<Answer> {
    let manifest = package.manifest();
    let parts = states(package);
    let parameters = manifest.dit.parameter_count();
    let described: Vec<Value> = parts
        .iter()
        .map(|state| {
            json!({
                "part": state.part, "path": state.path, "bytes": state.bytes, "needed": state.needed,
                "problem": state.problem,
            })
        })
        .collect();
    let object = json!({
        "kind": "model", "name": manifest.name, "title": manifest.title, "licence": manifest.licence,
        "objective": manifest.objective, "resolution": manifest.resolution, "parameters": parameters,
        "dit": manifest.dit, "latent": manifest.latent, "text": manifest.text, "parts": described,
        "path": package.path(), "sha256": package.sha256(),
    });
    let dit = &manifest.dit;
    let mut lines = vec![
        format!("{}: {}", manifest.name, manifest.title),
        format!("Path: {}", package.path().display()),
        format!("Licence: {}", manifest.licence),
        format!(
            "Transformer: {parameters} parameters, {} wide, {} blocks, {} heads, {}, for {}²",
            dit.hidden,
            dit.depth,
            dit.heads,
            manifest.objective.name(),
            manifest.resolution
        ),
    ];
    for state in &parts {
        let verdict = match (&state.problem, state.needed) {
            (Some(problem), true) => problem.as_str(),
            (Some(_), false) => "not there (not needed)",
            (None, _) => "fits",
        };
        lines.push(format!(
            "{}: {}, {verdict}",
            state.part.key(),
            size(state.bytes)
        ));
    }
    Ok((object, lines.join("\n")))
}

fn checkpoint(path: &Path) -> Result<Answer> {
    let file = TensorFile::open(path)?;
    let tensors: Vec<Value> = file
        .tensors()
        .iter()
        .map(|(name, entry)| json!({ "name": name, "shape": entry.shape, "dtype": entry.element.name() }))
        .collect();
    let parameters = file.parameter_count();
    let config = dit_config(&file, Hints::default()).ok();
    // Shapes tell everything but the number of heads.
    let assumed = Hints {
        heads: Some(1),
        ..Hints::default()
    };
    let shapes = dit_config(&file, assumed).ok();
    let object = json!({
        "kind": "checkpoint", "bytes": file.bytes(), "parameters": parameters, "metadata": file.metadata(),
        "dit": config, "tensors": tensors,
    });
    let heads = match &config {
        Some(dit) => format!("{} heads", dit.heads),
        None => "heads not said".into(),
    };
    let what = match &shapes {
        Some(dit) => format!(
            "an MMFace transformer: {} wide, {} blocks, {heads}",
            dit.hidden, dit.depth
        ),
        None => "no MMFace transformer".into(),
    };
    let mut lines = vec![format!(
        "{}, {parameters} parameters in {} tensors: {what}",
        size(file.bytes()),
        tensors.len()
    )];
    lines.extend(
        file.metadata()
            .iter()
            .map(|(key, text)| format!("{key}: {text}")),
    );
    lines.extend(
        file.tensors()
            .iter()
            .map(|(name, entry)| format!("{name}  {:?}  {}", entry.shape, entry.element.name())),
    );
    Ok((object, lines.join("\n")))
}
