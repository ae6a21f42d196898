//! Sample sheets during training: fixed masks, sketches, prompts and noise, so that sheets of
//! different updates compare.
//!
//! The conditions are the project's own templates; no photo of the data set is shown.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use mmface_engine::condition::import::mask_from;
use mmface_engine::condition::sketch_from;
use mmface_engine::file::{self, Overwrite};
use mmface_engine::model::autoencoder_kl::AutoencoderKl;
use mmface_engine::model::dit::{Dit, DitInput};
use mmface_engine::picture::convert::from_tensor;
use mmface_engine::picture::resize::lanczos_rgb;
use mmface_engine::picture::{RgbImage, read, write};
use mmface_engine::sampling::{NoiseSchedule, Walk, guidance, torch_randn};
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

/// Template, whether it is a sketch, bytes of its picture.
const TEMPLATES: [(&str, bool, &[u8]); 4] = [
    (
        "long-waves",
        false,
        include_bytes!("../../assets/templates/long-waves.png"),
    ),
    (
        "full-beard",
        false,
        include_bytes!("../../assets/templates/full-beard.png"),
    ),
    (
        "bob-fringe-sketch",
        true,
        include_bytes!("../../assets/templates/bob-fringe-sketch.png"),
    ),
    (
        "glasses-sketch",
        true,
        include_bytes!("../../assets/templates/glasses-sketch.png"),
    ),
];

/// Prompts, one row of the sheet each.
pub const PROMPTS: [&str; 2] = [
    "A portrait of a smiling person with blonde hair.",
    "A portrait of a serious person with black hair.",
];

/// Everything that the sheets of one run share.
pub struct Probes {
    autoencoder: AutoencoderKl,
    /// Conditions as pictures, for the sheet's first row.
    shown: Vec<RgbImage>,
    /// `[templates, channels, side, side]`.
    condition: Tensor,
    noise: Tensor,
    modality: Vec<u32>,
    /// Features of the empty prompt and of each prompt: sequence `[1, tokens, width]`, pooled `[1, width]`.
    texts: Vec<(Tensor, Tensor)>,
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
        let (mut shown, mut conditions, mut noise, mut modality) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (index, (name, is_sketch, bytes)) in TEMPLATES.into_iter().enumerate() {
            let raster = read::decode(bytes, Path::new(name))?;
            let picture = if is_sketch {
                let (sketch, _) = sketch_from(&raster);
                let tensor = mmface_engine::condition::sketch_tensor(&sketch, resolution, device)?;
                shown.push(from_tensor(&tensor)?);
                tensor
            } else {
                let (mask, _) = mask_from(&raster, None, Path::new(name))?;
                shown.push(mask.to_rgb());
                mmface_engine::condition::mask_tensor(&mask, resolution, device)?
            };
            let latent = autoencoder.to_model_space(autoencoder.encode(&picture)?.mode())?;
            noise.push(torch_randn(index as u64 + 1, latent.dims(), device)?);
            conditions.push(latent);
            modality.push(u32::from(is_sketch));
        }
        let mut texts = Vec::new();
        for prompt in std::iter::once("").chain(PROMPTS) {
            let (_, features) = text.encode_batch(&[prompt])?;
            texts.push((
                features.sequence.to_device(device)?,
                features.pooled.to_device(device)?,
            ));
        }
        Ok(Self {
            autoencoder,
            shown,
            condition: Tensor::cat(&conditions, 0)?,
            noise: Tensor::cat(&noise, 0)?,
            modality,
            texts,
            resolution,
        })
    }

    /// The pictures of one prompt, in the order of the templates.
    fn row(&self, dit: &Dit, prompt: usize) -> Result<Vec<RgbImage>> {
        let count = self.modality.len();
        let device = self.noise.device();
        let sampler = dit.config().objective.default_sampler();
        let schedule = NoiseSchedule::default();
        let spread = |pick: &dyn Fn(&(Tensor, Tensor)) -> Tensor| -> Result<Tensor> {
            let (empty, full) = (pick(&self.texts[0]), pick(&self.texts[prompt + 1]));
            let rows = [vec![&empty; count], vec![&full; count]].concat();
            Ok(Tensor::cat(&rows, 0)?)
        };
        let sequence = spread(&|text| text.0.clone())?;
        let pooled = spread(&|text| text.1.clone())?;
        let modality = Tensor::from_vec(self.modality.repeat(2), 2 * count, device)?;
        let mut walk = Walk::new(sampler, STEPS, &schedule, self.noise.clone())?;
        while let Some(evaluation) = walk.next() {
            let time = Tensor::full(evaluation.time as f32, 2 * count, device)?;
            let one = Tensor::cat(&[walk.input(), &self.condition], 1)?;
            let output = dit.forward(&DitInput {
                latent: &Tensor::cat(&[&one, &one], 0)?,
                time: &time,
                pooled: &pooled,
                sequence: &sequence,
                modality: &modality,
            })?;
            // Further channels predict a variance, which no sampler here uses.
            let output = output.narrow(1, 0, dit.config().channels / 2)?;
            walk.advance(&guidance::combine_halves(&output, GUIDANCE)?)?;
        }
        (0..count)
            .map(|index| {
                let latent = walk.latent().narrow(0, index, 1)?.to_dtype(DType::F32)?;
                let latent = self.autoencoder.from_model_space(&latent)?;
                from_tensor(&self.autoencoder.decode(&latent)?)
            })
            .collect()
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

    #[test]
    fn the_templates_are_what_they_are_taken_for() {
        for (name, is_sketch, bytes) in TEMPLATES {
            let raster = read::decode(bytes, Path::new(name)).unwrap();
            if is_sketch {
                let (sketch, report) = sketch_from(&raster);
                assert!(!report.inverted && sketch.width >= 512, "{name}");
            } else {
                let (mask, _) = mask_from(&raster, None, Path::new(name)).unwrap();
                // Skin and hair.
                assert!(mask.counts()[1] > 5000 && mask.counts()[13] > 500, "{name}");
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
