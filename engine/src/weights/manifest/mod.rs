//! `model.ron`: what a model package says about itself.

mod networks;
mod part;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use networks::{LatentConfig, LatentKind, LatentPreview, TextConfig, TextKind};
pub use part::{PackageFile, Part};

use crate::job::{DrawChanges, Guide, MAX_GUIDANCE, Objective, SIZE_STEP, SIZES, near_size};
use crate::model::dit::DitConfig;

/// The only format so far.
pub const FORMAT: u32 = 1;

/// The manifest's file name.
pub const FILE: &str = "model.ron";

/// Longest manifest that is read; ours have 3 KB.
pub const LARGEST: u64 = 1 << 20;

/// Deepest nesting of a manifest that is read; ours nest four deep.
const DEPTH: usize = 16;

/// Optional fields are written bare: a value stands there, or the field is left out.
fn options() -> ron::Options {
    ron::Options::default()
        .with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME)
        .with_recursion_limit(DEPTH)
}

/// The weight of the paper's figures (docs/reference.md section 4).
pub fn paper_guidance() -> f64 {
    7.5
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_paper_guidance(weight: &f64) -> bool {
    *weight == paper_guidance()
}

/// Everything that `model.ron` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageManifest {
    /// Format of this file; see [`FORMAT`].
    pub format: u32,
    /// Short name, as `--model` takes it.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Licence of the weights.
    pub licence: String,
    /// What the transformer predicts; stands above the transformer's own field.
    pub objective: Objective,
    /// Side in pixels that it was trained for.
    pub resolution: usize,
    /// Guidance weight that suits it when nobody says otherwise; the paper's unless it says.
    #[serde(default = "paper_guidance", skip_serializing_if = "is_paper_guidance")]
    pub guidance: f64,
    /// What guidance strengthens when nobody says otherwise; the authors' way unless it says.
    #[serde(default, skip_serializing_if = "Guide::is_default")]
    pub guide: Guide,
    /// The transformer.
    pub dit: DitConfig,
    /// The latent space.
    pub latent: LatentConfig,
    /// The text tower.
    pub text: TextConfig,
    /// Files by part; a package may lack some, and says so when it is loaded.
    pub files: BTreeMap<Part, PackageFile>,
    /// The files may lie anywhere on this computer: an import without copying.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub linked: bool,
    /// The card, beside the manifest.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub card: String,
}

impl PackageManifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// In a clause, when it is malformed or contradicts itself.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() as u64 > LARGEST {
            return Err(format!("a manifest of {} bytes is none", text.len()));
        }
        let mut manifest: Self = options()
            .from_str(text)
            .map_err(|error| error.to_string().replace('\n', " "))?;
        manifest.dit.objective = manifest.objective;
        manifest.check()?;
        Ok(manifest)
    }

    /// The manifest as text.
    ///
    /// # Errors
    /// When it contradicts itself.
    pub fn to_text(&self) -> Result<String, String> {
        self.check()?;
        let pretty = ron::ser::PrettyConfig::new()
            .struct_names(false)
            .depth_limit(3)
            .compact_arrays(true);
        let text = options()
            .to_string_pretty(self, pretty)
            .map_err(|error| error.to_string())?;
        Ok(text + "\n")
    }

    /// The values to take when nobody says otherwise.
    pub fn suggested(&self) -> DrawChanges {
        DrawChanges {
            size: Some(near_size(self.resolution)),
            sampler: Some(self.objective.default_sampler()),
            guidance: Some(self.guidance),
            guide: Some(self.guide),
            ..DrawChanges::default()
        }
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!(
                "package format {} is not known to this version",
                self.format
            ));
        }
        check_name(&self.name)?;
        self.dit.check()?;
        self.latent
            .autoencoder()
            .check()
            .map_err(|error| error.to_string())?;
        self.text.tower().check()?;
        if !(0.0..=MAX_GUIDANCE).contains(&self.guidance) {
            return Err(format!(
                "guidance is {}, expected 0 to {MAX_GUIDANCE}",
                self.guidance
            ));
        }
        if !SIZES.contains(&self.resolution) || !self.resolution.is_multiple_of(SIZE_STEP) {
            return Err(format!(
                "resolution is {}, expected a multiple of {SIZE_STEP} from {} to {}",
                self.resolution,
                SIZES.start(),
                SIZES.end()
            ));
        }
        if self.dit.channels != 2 * self.latent.channels {
            return Err(format!(
                "the transformer takes {} channels, latent and condition have {} each: they do not belong together",
                self.dit.channels, self.latent.channels
            ));
        }
        let latent = &self.latent;
        let preview = latent
            .preview
            .iter()
            .flat_map(|map| map.factors.iter().chain([&map.bias]).flatten());
        let numbers = preview
            .map(|&number| f64::from(number))
            .chain([latent.shift, latent.tiny_shift]);
        if !(latent.scale.is_finite() && latent.scale > 0.0)
            || numbers.into_iter().any(|number| !number.is_finite())
        {
            return Err("scale, shift and preview of the latent space must be finite numbers, the scale positive".into());
        }
        if self.dit.text_dim != self.text.width {
            return Err(format!(
                "the transformer reads text of width {}, the text tower gives {}: they do not belong together",
                self.dit.text_dim, self.text.width
            ));
        }
        if let Some(preview) = &self.latent.preview
            && preview.factors.len() != self.latent.channels
        {
            return Err(format!(
                "the preview has {} factors for {} channels",
                preview.factors.len(),
                self.latent.channels
            ));
        }
        for (part, file) in &self.files {
            if file.sha256.len() != 64 || !file.sha256.bytes().all(|byte| byte.is_ascii_hexdigit())
            {
                return Err(format!(
                    "the sha256 of {} is not 64 hexadecimal digits",
                    part.key()
                ));
            }
            if !self.linked {
                inside(&file.path).ok_or_else(|| {
                    format!("the path of {} leads out of the package", part.key())
                })?;
            }
        }
        if !self.card.is_empty() {
            inside(&self.card).ok_or("the path of the card leads out of the package")?;
        }
        Ok(())
    }
}

/// Names are folder names on every system.
///
/// # Errors
/// With the rule, in one clause.
pub fn check_name(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.bytes().all(plain) {
        return Err(
            "a model's name has 1 to 64 letters, digits, or - _ . and does not begin with a dot"
                .into(),
        );
    }
    Ok(())
}

/// A relative path that stays below its folder; `None` for any other.
pub fn inside(path: &str) -> Option<PathBuf> {
    let plain = !path.is_empty() && !path.contains(['\\', ':', '\0']);
    let normal = |part: Component| matches!(part, Component::Normal(_) | Component::CurDir);
    (plain && Path::new(path).components().all(normal)).then(|| PathBuf::from(path))
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;
    use crate::model::autoencoder_kl::AutoencoderKlConfig;
    use crate::model::clip_text::ClipTextConfig;

    /// The demo model without files.
    pub(crate) fn demo() -> PackageManifest {
        let text = ClipTextConfig {
            width: 256,
            layers: 4,
            heads: 4,
            tokens: 48,
            vocabulary: 6369,
            inner: 1024,
            ..ClipTextConfig::sd21()
        };
        PackageManifest {
            format: FORMAT,
            name: "demo".into(),
            title: "Demo".into(),
            licence: "non-commercial".into(),
            objective: Objective::Flow,
            resolution: 256,
            guidance: paper_guidance(),
            guide: Guide::default(),
            dit: DitConfig::demo(),
            latent: LatentConfig::from_autoencoder(&AutoencoderKlConfig::demo()),
            text: TextConfig::from_tower(&text),
            files: BTreeMap::new(),
            linked: false,
            card: "README.md".into(),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut manifest = demo();
        manifest.latent.preview = Some(LatentPreview {
            factors: vec![[0.5, -0.25, 1.0]; 16],
            bias: [0.0; 3],
        });
        let file = PackageFile {
            path: "a/b.safetensors".into(),
            sha256: "0f".repeat(32),
            bytes: 7,
        };
        manifest.files.insert(Part::Dit, file);
        let text = manifest.to_text().unwrap();
        assert_eq!(PackageManifest::parse(&text).unwrap(), manifest, "{text}");
        assert_eq!(manifest.latent.autoencoder(), AutoencoderKlConfig::demo());
    }

    #[test]
    fn the_objective_of_the_package_is_the_transformers() {
        let mut manifest = demo();
        manifest.objective = Objective::Diffusion;
        assert_eq!(
            PackageManifest::parse(&manifest.to_text().unwrap())
                .unwrap()
                .dit
                .objective,
            Objective::Diffusion
        );
    }

    #[test]
    fn contradictions_are_named() {
        let wrong = |change: fn(&mut PackageManifest)| {
            let mut manifest = demo();
            change(&mut manifest);
            manifest.to_text().unwrap_err()
        };
        assert!(wrong(|m| m.format = 2).contains("format 2"));
        assert!(wrong(|m| m.name = "../x".into()).contains("name"));
        assert!(wrong(|m| m.dit.channels = 8).contains("do not belong together"));
        assert!(wrong(|m| m.text.width = 512).contains("do not belong together"));
        assert!(wrong(|m| m.resolution = 100).contains("resolution"));
        assert!(wrong(|m| m.guidance = f64::NAN).contains("guidance"));
        assert!(wrong(|m| m.dit.heads = 0).contains("heads"));
        assert!(wrong(|m| m.card = "/etc/passwd".into()).contains("leads out"));
        assert!(wrong(|m| m.latent.scale = 0.0).contains("scale"));
        assert!(wrong(|m| m.latent.tiny_shift = f64::NAN).contains("finite"));
        let preview = |m: &mut PackageManifest| {
            m.latent.preview = Some(LatentPreview {
                factors: vec![],
                bias: [0.0; 3],
            })
        };
        assert!(wrong(preview).contains("0 factors"));
    }

    #[test]
    fn paths_out_of_the_package_are_refused() {
        for path in ["../x", "/x", "a/../../x", "C:\\x", "a\\b", "", "x\0"] {
            assert_eq!(inside(path), None, "{path}");
        }
        assert!(inside("a/b.safetensors").is_some() && inside("./b").is_some());
    }

    #[test]
    fn hostile_manifests_are_refused() {
        for text in [
            "",
            "(",
            "()",
            &"(".repeat(100_000),
            &"[".repeat(100_000),
            &" ".repeat(2 << 20),
            "(format:1e999)",
        ] {
            let error = PackageManifest::parse(text).unwrap_err();
            assert!(!error.contains('\n'), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn a_changed_manifest_is_read_or_refused(
            changes in prop::collection::vec((any::<prop::sample::Index>(), "[ -~]"), 1..4), cut in any::<prop::sample::Index>()
        ) {
            let mut text = demo().to_text().unwrap();
            for (index, character) in changes {
                let index = index.index(text.len());
                text.replace_range(index..index + 1, &character);
            }
            PackageManifest::parse(&text).ok();
            PackageManifest::parse(&text[..cut.index(text.len())]).ok();
        }
    }
}
