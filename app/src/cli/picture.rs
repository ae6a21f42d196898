//! Pictures with the recipe that made them.

use std::path::Path;

use mmface_engine::contract::Picture;
use mmface_engine::file::{self, Overwrite};
use mmface_engine::job::{Draw, Job};
use mmface_engine::provenance::{Recipe, encode};

use super::session::Session;
use crate::failure::Result;

/// Writes a picture whole, with everything that is needed to draw it again alone. `template` is
/// the prompt of a sweep that the job's prompt comes from.
///
/// # Errors
/// When the recipe is too large for a PNG, or the file cannot be written.
pub fn write(
    path: &Path,
    picture: &Picture,
    job: &Job,
    template: Option<&str>,
    session: &Session,
) -> Result<()> {
    let alone = Job {
        draw: Draw {
            seed: picture.seed,
            count: 1,
            ..job.draw.clone()
        },
        ..job.clone()
    };
    let recipe = Recipe {
        template: template.map(str::to_string),
        ..Recipe::new(alone, &session.summary)
    };
    let png = encode(&picture.image, &recipe)?;
    Ok(file::write(path, &png, Overwrite::Replace)?)
}
