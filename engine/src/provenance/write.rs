//! A picture with its recipe as PNG bytes.

use std::path::Path;

use super::chunks::{MANIFEST, SIGNATURE, TEXT_BUDGET, chunks, keyword, text_chunk, texts};
use super::{DIGITAL_SOURCE_TYPE, KEYWORD, PARAMETERS, Recipe, SOFTWARE, XMP, pixel_hash};
use crate::format::one_line;
use crate::job::Named as _;
use crate::picture::{RgbImage, write};
use crate::{Error, Result};

/// How much a picture tells about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Everything that is needed to draw it again, condition and prompts included.
    #[default]
    Recipe,
    /// Only that a trained algorithm made it, and which program: for sharing.
    Mark,
    /// Only that a trained algorithm made it.
    Minimum,
}

/// The picture as PNG with everything that is needed to draw it again.
///
/// # Errors
/// As [`encode_as`] at [`Level::Recipe`].
pub fn encode(picture: &RgbImage, recipe: &Recipe) -> Result<Vec<u8>> {
    encode_as(picture, recipe, Level::Recipe)
}

/// The picture as PNG, telling as much as the level says.
///
/// # Errors
/// When the recipe is too large for a PNG, or the picture's values are not those of its size.
pub fn encode_as(picture: &RgbImage, recipe: &Recipe, level: Level) -> Result<Vec<u8>> {
    let mut added = Vec::new();
    if level == Level::Recipe {
        let recipe = Recipe {
            pixels: pixel_hash(picture),
            ..recipe.clone()
        };
        let text = ron::to_string(&recipe).map_err(Error::unwritable("the recipe"))?;
        let parameters = parameters(&recipe);
        if text.len() + parameters.len() > TEXT_BUDGET / 2 {
            return Err(Error::Input(
                "the recipe is too large for a PNG; use a smaller condition picture".to_owned(),
            ));
        }
        added.extend(text_chunk(KEYWORD, &text, true));
        added.extend(text_chunk(PARAMETERS, &parameters, false));
    }
    if level != Level::Minimum {
        added.extend(text_chunk(
            SOFTWARE,
            &format!("MMFace Studio {}", recipe.version),
            false,
        ));
    }
    added.extend(text_chunk(XMP, &xmp(None), true));
    let bare = write::encode_rgb(picture)?;
    insert(&bare, &added, |_| true)
}

/// The picture as PNG with the marks of a trained algorithm and of the program, and with texts of
/// one's own by keyword: for what is put together from several pictures.
///
/// # Errors
/// When the texts are too large for a PNG, or the picture's values are not those of its size.
pub fn encode_with(picture: &RgbImage, own: &[(&str, &str)]) -> Result<Vec<u8>> {
    let length: usize = own.iter().map(|(_, text)| text.len()).sum();
    if length > TEXT_BUDGET / 2 {
        return Err(Error::Input(
            "the texts are too large for a PNG; use a smaller condition picture".to_owned(),
        ));
    }
    let mut added = Vec::new();
    for (keyword, text) in own {
        added.extend(text_chunk(keyword, text, true));
    }
    let software = format!("MMFace Studio {}", env!("CARGO_PKG_VERSION"));
    added.extend(text_chunk(SOFTWARE, &software, false));
    added.extend(text_chunk(XMP, &xmp(None), true));
    insert(&write::encode_rgb(picture)?, &added, |_| true)
}

/// Another level of telling for a PNG, whoever made it; pixels, colour profiles and unknown chunks
/// stay as they are. [`Level::Mark`] and [`Level::Minimum`] remove every text (a foreign one may
/// hold the prompt too) and leave the mark; [`Level::Recipe`] keeps all texts and only sees that the
/// mark is there. A C2PA manifest is left out: it signs the file as it was and would be found broken.
///
/// # Errors
/// When the bytes are no PNG with a whole header.
pub fn relabel(png: &[u8], level: Level, path: &Path) -> Result<Vec<u8>> {
    let found = chunks(png);
    if !png.starts_with(SIGNATURE) || found.first().is_none_or(|chunk| &chunk.kind != b"IHDR") {
        return Err(Error::content(
            path,
            "the file is no whole PNG",
            "choose a picture that mmface wrote",
        ));
    }
    let old = texts(&found);
    let old_text = |wanted: &str| {
        old.iter()
            .find(|(keyword, _)| keyword == wanted)
            .map(|(_, text)| text.as_str())
    };
    let mut added = Vec::new();
    match level {
        Level::Mark | Level::Minimum => {
            if level == Level::Mark {
                let software = old_text(SOFTWARE).filter(|name| name.starts_with("MMFace Studio"));
                let ours = format!("MMFace Studio {}", env!("CARGO_PKG_VERSION"));
                added.extend(text_chunk(SOFTWARE, software.unwrap_or(&ours), false));
            }
            added.extend(text_chunk(XMP, &xmp(None), true));
            // eXIf may repeat the prompt; time and texts go with it.
            insert(png, &added, |chunk| {
                !chunk.is_text() && !matches!(&chunk.kind, b"eXIf" | b"tIME")
            })
        }
        Level::Recipe => {
            added.extend(text_chunk(XMP, &xmp(old_text(XMP)), true));
            insert(png, &added, |chunk| {
                !(chunk.is_text() && keyword(chunk).as_deref() == Some(XMP))
            })
        }
    }
}

/// Adds chunks behind the header and keeps those of the others that are wanted.
fn insert(
    png: &[u8],
    added: &[u8],
    keep: impl Fn(&super::chunks::Chunk<'_>) -> bool,
) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(png.len() + added.len());
    bytes.extend(SIGNATURE);
    for (i, chunk) in chunks(png).iter().enumerate() {
        if i == 0 || &chunk.kind != MANIFEST && keep(chunk) {
            bytes.extend(chunk.whole);
        }
        if i == 0 {
            bytes.extend(added);
        }
    }
    Ok(bytes)
}

/// The recipe in the form that A1111-style galleries read.
pub fn parameters(recipe: &Recipe) -> String {
    let draw = &recipe.job.draw;
    let negative = match draw.negative.is_empty() {
        true => String::new(),
        false => format!("Negative prompt: {}\n", one_line(&draw.negative)),
    };
    // Galleries show the first ten digits of the weights' hash.
    let hash: String = recipe.sha256.chars().take(10).collect();
    format!(
        "{}\n{negative}Steps: {}, Sampler: {}, CFG scale: {}, Seed: {}, Size: {}x{}, Model hash: {hash}, Model: {}, Version: MMFace Studio {}",
        one_line(&draw.prompt),
        draw.steps,
        draw.sampler.title(),
        draw.guidance,
        draw.seed,
        draw.size,
        draw.size,
        recipe.model,
        recipe.version,
    )
}

/// XMP with the mark; what another program wrote stays in it.
fn xmp(old: Option<&str>) -> String {
    let mark = format!(
        "<rdf:Description rdf:about=\"\" xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\">\
         <Iptc4xmpExt:DigitalSourceType>{DIGITAL_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType></rdf:Description>"
    );
    if let Some(old) = old {
        if old.to_lowercase().contains("trainedalgorithmicmedia") {
            return old.to_owned();
        }
        if let Some((before, after)) = old.rsplit_once("</rdf:RDF>") {
            return format!("{before}{mark}</rdf:RDF>{after}");
        }
    }
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
         {mark}</rdf:RDF></x:xmpmeta><?xpacket end=\"w\"?>"
    )
}
