//! What is written into a picture so that it can be drawn again, recognised as synthetic, and read
//! by other people's galleries.
//!
//! Four texts: iTXt `mmface` holds the [`Recipe`] as RON, condition picture included; `parameters`
//! says the same in the form that A1111-style galleries read; `Software` names the program; XMP
//! marks the picture as made by a trained algorithm (IPTC `DigitalSourceType`). [`Foreign`] is what
//! other programs' texts say.

mod chunks;
mod foreign;
mod read;
mod write;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use foreign::Foreign;
pub use read::{Provenance, is_signed, read, read_bytes};
pub use write::{Level, encode, encode_as, encode_with, parameters, relabel};

use crate::contract::ModelSummary;
use crate::job::Job;
use crate::picture::RgbImage;
use crate::precision::{Precision, Storage};

/// Version of the recipe: raised when an older program would misread it or draw other pixels. Version
/// 1 is version 2 with the job's values beside its condition.
pub const RECIPE_VERSION: u32 = 2;

/// Keyword of the recipe's text.
pub const KEYWORD: &str = "mmface";
/// Keyword of the text for galleries.
pub const PARAMETERS: &str = "parameters";
/// Keyword of the program's name.
pub const SOFTWARE: &str = "Software";
/// Keyword of XMP.
pub const XMP: &str = "XML:com.adobe.xmp";
/// IPTC's word for pictures that a trained algorithm made.
pub const DIGITAL_SOURCE_TYPE: &str =
    "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";

/// Everything that is needed to draw a picture again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// [`RECIPE_VERSION`] of the program that made it.
    pub recipe: u32,
    /// What was asked for; one picture.
    pub job: Job,
    /// The model's name.
    pub model: String,
    /// SHA-256 of the transformer's weights.
    pub sha256: String,
    /// Version of the program.
    pub version: String,
    /// Where it was computed.
    pub device: String,
    /// Arithmetic of the products.
    pub precision: Precision,
    /// How the weights lay in memory.
    pub storage: Storage,
    /// Which picture of its job or grid it was, from 0.
    #[serde(default)]
    pub index: usize,
    /// The sweep's prompt that `job.draw.prompt` was resolved from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// [`pixel_hash`] of the picture; filled in when it is encoded.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pixels: String,
}

impl Recipe {
    /// The recipe of one picture of a job on a loaded model.
    pub fn new(job: Job, model: &ModelSummary) -> Self {
        Self {
            recipe: RECIPE_VERSION,
            job,
            model: model.name.clone(),
            sha256: model.sha256.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            device: model.device.clone(),
            precision: model.precision,
            storage: model.storage,
            index: 0,
            template: None,
            pixels: String::new(),
        }
    }

    /// Whether these are the pixels that were drawn; `None` where the recipe does not say.
    pub fn made(&self, picture: &RgbImage) -> Option<bool> {
        (!self.pixels.is_empty()).then(|| self.pixels == pixel_hash(picture))
    }
}

/// SHA-256 over width, height (32 bits each, little-endian) and the RGB bytes, as hexadecimal digits.
pub fn pixel_hash(picture: &RgbImage) -> String {
    let mut hash = Sha256::new();
    for side in [picture.width, picture.height] {
        hash.update((side as u32).to_le_bytes());
    }
    hash.update(&picture.pixels);
    crate::format::hex(&hash.finalize())
}

#[cfg(test)]
mod tests;
