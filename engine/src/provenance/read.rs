//! What a picture says about how it was made.

use std::path::Path;

use serde::Deserialize;

use super::chunks::{MANIFEST, SIGNATURE, chunks, texts};
use super::{Foreign, KEYWORD, RECIPE_VERSION, Recipe, XMP};
use crate::picture;
use crate::{Error, Result};

/// The texts of a picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Provenance {
    /// Our recipe, when there is one.
    pub recipe: Option<Recipe>,
    /// Why there is a recipe that cannot be used, if so.
    pub problem: Option<String>,
    /// Whether XMP says that a trained algorithm made the picture.
    pub marked_synthetic: bool,
    /// Whether a C2PA manifest is inside: changing the file breaks its signature.
    pub signed: bool,
    /// What another program's texts say, when there is no recipe.
    pub foreign: Option<Foreign>,
    /// Every other text by keyword, as other programs wrote it.
    pub texts: Vec<(String, String)>,
}

/// Reads a PNG file's texts.
///
/// # Errors
/// When the file cannot be read, and as [`read_bytes`].
pub fn read(path: &Path) -> Result<Provenance> {
    read_bytes(&picture::read::read_bytes(path)?, path)
}

/// Reads a PNG's texts; `path` is only for messages. The pixels are not looked at: a picture that
/// is cut off still tells what stands before the cut.
///
/// # Errors
/// When the bytes are no PNG, or not even its header is whole. A recipe that cannot be read is no
/// error, but [`Provenance::problem`].
pub fn read_bytes(bytes: &[u8], path: &Path) -> Result<Provenance> {
    if !bytes.starts_with(SIGNATURE) {
        return Err(Error::content(
            path,
            "the file is no PNG, so it has no recipe",
            "choose a PNG that mmface wrote",
        ));
    }
    let chunks = chunks(bytes);
    if chunks.first().is_none_or(|chunk| &chunk.kind != b"IHDR") {
        return Err(Error::content(
            path,
            "the PNG is damaged or cut off",
            "save or copy it again",
        ));
    }
    let mut found = Provenance {
        signed: chunks.iter().any(|chunk| &chunk.kind == MANIFEST),
        ..Provenance::default()
    };
    for (keyword, text) in texts(&chunks) {
        match keyword.as_str() {
            KEYWORD => match parse(&text) {
                Ok(recipe) => found.recipe = Some(recipe),
                Err(problem) => found.problem = Some(problem),
            },
            // "compositeWithTrainedAlgorithmicMedia" is the other mark for synthetic parts.
            XMP => {
                found.marked_synthetic |= text.to_lowercase().contains("trainedalgorithmicmedia")
            }
            _ => found.texts.push((keyword, text)),
        }
    }
    if found.recipe.is_none() {
        found.foreign = Foreign::find(&found.texts);
    }
    Ok(found)
}

/// Whether a PNG or JPEG carries a C2PA manifest: a chunk of its own, or JUMBF boxes in APP11.
pub fn is_signed(bytes: &[u8]) -> bool {
    if bytes.starts_with(SIGNATURE) {
        return chunks(bytes).iter().any(|chunk| &chunk.kind == MANIFEST);
    }
    let Some(mut rest) = bytes.strip_prefix(b"\xff\xd8") else {
        return false;
    };
    // Segments up to the start of the scan: a marker, then a length that counts itself.
    while let [0xff, marker, high, low, ..] = *rest {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (Some(body), Some(next)) = (rest.get(4..2 + length), rest.get(2 + length..)) else {
            return false;
        };
        let is_jumbf = marker == 0xeb && body.starts_with(b"JP");
        if is_jumbf && body.windows(4).any(|word| word == b"c2pa") {
            return true;
        }
        if marker == 0xda || length < 2 {
            return false;
        }
        rest = next;
    }
    false
}

/// A recipe from its text; the message says why it cannot be used.
fn parse(text: &str) -> Result<Recipe, String> {
    #[derive(Deserialize)]
    struct Head {
        recipe: u32,
        #[serde(default)]
        version: String,
    }
    // The RON reader stops at 128 levels of nesting, so that a hostile text cannot use up the stack.
    let unreadable = |error: ron::error::SpannedError| {
        // The place is of use, the quoted text may be as long as the recipe.
        let message: String = error
            .to_string()
            .replace('\n', " ")
            .chars()
            .take(200)
            .collect();
        format!("the recipe cannot be read: {message}")
    };
    // The version comes first: a newer program may write what this one cannot read.
    let head: Head = ron::from_str(text).map_err(unreadable)?;
    if head.recipe > RECIPE_VERSION {
        return Err(format!(
            "the recipe has version {}, made by a newer program ({}); this one knows version {RECIPE_VERSION}",
            head.recipe, head.version
        ));
    }
    let mut recipe: Recipe = ron::from_str(text).map_err(unreadable)?;
    // However old it was, this is what it says now.
    recipe.recipe = RECIPE_VERSION;
    recipe
        .job
        .validate()
        .map_err(|error| format!("the recipe makes no sense: {error}"))?;
    Ok(recipe)
}
