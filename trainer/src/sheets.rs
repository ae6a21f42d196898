//! Sample sheets during training: fixed masks, sketches, prompts and noise, so that sheets of
//! different updates compare.
//!
//! The conditions are the project's own templates; no photo of the data set is shown.

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use mmface_engine::condition::{self, mask_from, sketch_from};
use mmface_engine::file::{self, Overwrite};
use mmface_engine::job::{Condition, Draw, Job};
use mmface_engine::model::autoencoder_kl::AutoencoderKl;
use mmface_engine::model::clip_text::TextFeatures;
use mmface_engine::model::dit::Dit;
use mmface_engine::picture::convert::from_tensor;
use mmface_engine::picture::resize::lanczos_rgb;
use mmface_engine::picture::{Raster, RgbImage, read, write};
use mmface_engine::pipeline::LatentCodec;
use mmface_engine::pipeline::sample::{self, Conditioning};
use mmface_engine::sampling::NoiseSchedule;
use mmface_engine::text::TextEncoder;
use mmface_engine::{Error, Result};
use mmface_run_protocol::{Weights, run_folder};

use crate::run::Sheets;

/// Sampling steps of a sheet.
const STEPS: usize = 20;
/// Guidance of a sheet.
const GUIDANCE: f64 = 3.0;
/// Largest side of a cell.
const CELL: usize = 256;

/// One of the project's own drawings.
#[derive(Clone, Copy)]
struct Template {
    name: &'static str,
    bytes: &'static [u8],
    /// What the picture is taken for.
    read: fn(&Raster, &Path) -> Result<Condition>,
}

macro_rules! template {
    ($name:literal, $read:ident) => {
        Template {
            name: $name,
            bytes: include_bytes!(concat!("../../assets/templates/", $name, ".png")),
            read: $read,
        }
    };
}

const TEMPLATES: [Template; 4] = [
    template!("long-waves", mask),
    template!("full-beard", mask),
    template!("bob-fringe-sketch", sketch),
    template!("glasses-sketch", sketch),
];

fn mask(raster: &Raster, name: &Path) -> Result<Condition> {
    Ok(Condition::Mask(mask_from(raster, None, name)?.0))
}

fn sketch(raster: &Raster, _name: &Path) -> Result<Condition> {
    Ok(Condition::Sketch(sketch_from(raster).0))
}

impl Template {
    fn condition(&self) -> Result<Condition> {
        let name = Path::new(self.name);
        (self.read)(&read::decode(self.bytes, name)?, name)
    }
}

/// The conditions of the sheets, in order.
///
/// # Errors
/// When a template is damaged.
pub fn conditions() -> Result<Vec<Condition>> {
    TEMPLATES.iter().map(Template::condition).collect()
}

/// Prompts, one row of the sheet each.
pub const PROMPTS: [&str; 2] = [
    "A portrait of a smiling person with blonde hair.",
    "A portrait of a serious person with black hair.",
];

/// One condition of the sheets.
struct Probe {
    /// Its latent, `[1, channels, side, side]`.
    latent: Tensor,
    modality: u32,
}

/// Everything that the sheets of one run share.
pub struct Probes {
    codec: LatentCodec,
    schedule: NoiseSchedule,
    /// Conditions as pictures, for the sheet's first row.
    shown: Vec<RgbImage>,
    probes: Vec<Probe>,
    /// Features of the empty prompt, and of each prompt.
    negative: TextFeatures,
    prompts: Vec<TextFeatures>,
    resolution: usize,
}

impl Probes {
    /// Encodes conditions and prompts once.
    ///
    /// # Errors
    /// When autoencoder or text tower do not fit.
    pub fn new(
        autoencoder: AutoencoderKl,
        text: &TextEncoder,
        resolution: usize,
        device: &Device,
    ) -> Result<Self> {
        let codec = LatentCodec::new(autoencoder, device.clone());
        let (mut shown, mut probes) = (Vec::new(), Vec::new());
        for template in TEMPLATES {
            let condition = template.condition()?;
            if let Some(picture) = condition::tensor(&condition, resolution, device)? {
                shown.push(from_tensor(&picture)?);
            }
            probes.push(Probe {
                latent: codec.encode(&condition, resolution)?,
                modality: condition.kind().modality(),
            });
        }
        let features = |prompt: &str| -> Result<TextFeatures> {
            let (_, features) = text.encode(prompt)?;
            Ok(TextFeatures {
                sequence: features.sequence.to_device(device)?,
                pooled: features.pooled.to_device(device)?,
            })
        };
        Ok(Self {
            codec,
            schedule: NoiseSchedule::default(),
            shown,
            probes,
            negative: features("")?,
            prompts: PROMPTS.into_iter().map(features).collect::<Result<_>>()?,
            resolution,
        })
    }

    /// What is asked of the picture of a template.
    pub fn values(&self, dit: &Dit, template: usize) -> Draw {
        Draw {
            seed: template as u64 + 1,
            size: self.resolution,
            steps: STEPS,
            sampler: dit.config().objective.default_sampler(),
            guidance: GUIDANCE,
            ..Draw::default()
        }
    }

    /// The pictures of one prompt, in the order of the templates, as the pipeline draws them.
    ///
    /// # Errors
    /// When sampling or decoding fails.
    pub fn row(&self, dit: &Dit, prompt: usize) -> Result<Vec<RgbImage>> {
        let pictures = self.probes.iter().enumerate().map(|(index, probe)| {
            let conditioning = Conditioning {
                latent: &probe.latent,
                modality: probe.modality,
                prompt: &self.prompts[prompt],
                negative: &self.negative,
            };
            let job = Job {
                draw: self.values(dit, index),
                ..Job::default()
            };
            let latent = sample::latent(dit, &self.schedule, &conditioning, &job)?;
            self.codec.decode(&latent, false)
        });
        pictures.collect()
    }
}

impl Sheets for Probes {
    fn draw(&mut self, dit: &Dit, step: u64, weights: Weights, out: &Path) -> Result<PathBuf> {
        let mut rows = vec![self.shown.clone()];
        for prompt in 0..PROMPTS.len() {
            rows.push(self.row(dit, prompt)?);
        }
        let folder = run_folder::samples(out);
        std::fs::create_dir_all(&folder)
            .map_err(Error::file("create the folder of samples", &folder))?;
        let path = run_folder::sheet(out, step, weights);
        let sheet = grid(&rows, self.resolution.min(CELL));
        file::write(&path, &write::encode_rgb(&sheet)?, Overwrite::Replace)?;
        Ok(path)
    }
}

/// Pictures in rows, each brought to the cell's side.
pub fn grid(rows: &[Vec<RgbImage>], cell: usize) -> RgbImage {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut sheet = RgbImage::filled(columns * cell, rows.len() * cell, [255; 3]);
    for (y, row) in rows.iter().enumerate() {
        for (x, picture) in row.iter().enumerate() {
            let small = lanczos_rgb(picture, cell, cell);
            for (line, pixels) in small.pixels.chunks_exact(3 * cell).enumerate() {
                let start = 3 * ((y * cell + line) * sheet.width + x * cell);
                sheet.pixels[start..start + 3 * cell].copy_from_slice(pixels);
            }
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use mmface_engine::labels::class;

    #[test]
    fn the_templates_are_what_they_are_taken_for() {
        for template in TEMPLATES {
            let name = template.name;
            match template.condition().unwrap() {
                Condition::Sketch(sketch) => {
                    let raster = read::decode(template.bytes, Path::new(name)).unwrap();
                    assert!(
                        !sketch_from(&raster).1.inverted && sketch.width >= 512,
                        "{name}"
                    );
                }
                Condition::Mask(mask) => {
                    let counts = mask.counts();
                    let of = |class: u8| counts[usize::from(class)];
                    assert!(of(class::SKIN) > 5000 && of(class::HAIR) > 500, "{name}");
                }
                other => panic!("{name} is {}", other.summary()),
            }
        }
    }

    #[test]
    fn a_grid_places_every_picture() {
        let red = RgbImage::filled(8, 8, [255, 0, 0]);
        let blue = RgbImage::filled(4, 4, [0, 0, 255]);
        let sheet = grid(&[vec![red.clone(), blue.clone()], vec![blue]], 4);
        assert_eq!((sheet.width, sheet.height), (8, 8));
        assert_eq!(sheet.pixel(0, 0), [255, 0, 0]);
        assert_eq!(sheet.pixel(7, 0), [0, 0, 255]);
        assert_eq!(sheet.pixel(7, 7), [255; 3]);
    }
}
