//! What samples of held-out conditions look like in numbers: do they follow the condition and the
//! prompt, and how near are they to the training photos?

mod agreement;
mod draw;
mod memory;
mod sheet;

use std::path::{Path, PathBuf};

use candle_core::Device;
use mmface_engine::contract::ModelSummary;
use mmface_engine::file::{self, Overwrite};
use mmface_engine::job::{Condition, Draw, Guide, Job, Named as _, Sampler};
use mmface_engine::labels::LabelImage;
use mmface_engine::model::face_parser::FaceParser;
use mmface_engine::picture::convert::{luma, to_tensor};
use mmface_engine::picture::resize::lanczos_rgb;
use mmface_engine::picture::{GrayImage, RgbImage, write};
use mmface_engine::pipeline::Pipeline;
use mmface_engine::precision::Precision;
use mmface_engine::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::data::webdataset::{Pictures, for_each_sample, shards};
pub use agreement::Agreement;
use agreement::Confusion;
pub use draw::{draw, job};
pub use memory::Memory;
use memory::Thumbnails;

/// Prompts whose hair must come out in this order, brightest first.
const HAIR: [&str; 3] = ["blonde", "brown", "black"];
/// Class of the hair.
const HAIR_CLASS: u8 = mmface_engine::labels::class::HAIR;
/// Least share of hair in a mask for its brightness to mean anything.
const LEAST_HAIR: f64 = 0.01;
/// Side at which the parser was trained.
const PARSER_SIDE: usize = 256;

/// What to evaluate, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder of the WebDataset tars.
    pub data: PathBuf,
    /// How the samples are drawn. Each has the prompt of its photo, and a seed of its own: the first
    /// one's is this.
    pub draw: Draw,
    /// Held-out samples to use.
    pub limit: usize,
    /// Contact sheet; stays outside the repository, since it shows photos of the data set.
    pub sheet: Option<PathBuf>,
}

/// A model as people run it, and what judges its pictures.
pub struct Model {
    /// Draws.
    pub pipeline: Pipeline,
    /// What was loaded.
    pub summary: ModelSummary,
    /// Tells what a picture shows.
    pub parser: FaceParser,
}

/// How often the hair's brightness followed the prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HairOrder {
    /// Masks with enough hair.
    pub masks: usize,
    /// Masks with blonde brighter than brown brighter than black.
    pub ordered: usize,
    /// Mean brightness of each colour, 0 to 255, in the order blonde, brown, black.
    pub brightness: [f64; 3],
}

/// All figures of one evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Side of the samples.
    pub size: usize,
    /// Sampling steps.
    pub steps: usize,
    /// Guidance weight.
    pub guidance: f64,
    /// What guidance strengthened.
    #[serde(default)]
    pub guide: Guide,
    /// How the samples were walked to.
    #[serde(default)]
    pub sampler: Sampler,
    /// Arithmetic of the products; before it was named it was exact.
    #[serde(default)]
    pub precision: Precision,
    /// Seed of the first sample.
    pub seed: u64,
    /// Held-out samples used.
    pub samples: usize,
    /// Real photos under the parser against their masks.
    pub photos: Agreement,
    /// Samples of masks.
    pub from_mask: Agreement,
    /// Samples of sketches, against the mask of the same photo.
    pub from_sketch: Agreement,
    /// Order of hair brightness by prompt.
    pub hair: HairOrder,
    /// Distance to the training photos.
    pub memory: Memory,
}

/// How far samples of held-out masks keep to them, by the parser.
///
/// # Errors
/// When data cannot be read or sampling fails.
pub fn mask_agreement(model: &mut Model, options: &Options) -> Result<Agreement> {
    let items = read_items(&options.data, options.limit)?;
    let jobs = items.iter().enumerate().map(|(index, item)| {
        let mask = Condition::Mask(item.pictures.mask.clone());
        job(&options.draw, mask, &item.caption, index)
    });
    let jobs: Vec<Job> = jobs.collect();
    let pictures = draw(&mut model.pipeline, &jobs)?;
    agree(&model.parser, &items, &pictures)
}

/// One held-out sample.
struct Item {
    pictures: Pictures,
    caption: String,
}

/// Samples, parses, and compares. `tell` hears what is continuing.
///
/// # Errors
/// When data cannot be read or sampling fails.
pub fn evaluate(
    model: &mut Model,
    options: &Options,
    tell: &mut dyn FnMut(&str),
) -> Result<Evaluation> {
    let Model {
        pipeline,
        summary,
        parser,
    } = model;
    let values = &options.draw;
    let items = read_items(&options.data, options.limit)?;
    tell("parsing the held-out photos");
    let photos: Vec<RgbImage> = items.iter().map(|item| scaled(item, values.size)).collect();
    let photo_agreement = agree(parser, &items, &photos)?;

    let mut sample = |name: &str, make: &dyn Fn(&Item) -> (Condition, String)| {
        let jobs = items.iter().enumerate().map(|(index, item)| {
            let (condition, prompt) = make(item);
            job(values, condition, &prompt, index)
        });
        let jobs: Vec<Job> = jobs.collect();
        tell(&format!("drawing {} pictures: {name}", jobs.len()));
        draw(pipeline, &jobs)
    };
    let mask = |item: &Item| Condition::Mask(item.pictures.mask.clone());
    let sketch = |item: &Item| Condition::Sketch(item.pictures.sketch.clone());
    let from_mask = sample("masks", &|item| (mask(item), item.caption.clone()))?;
    let from_sketch = sample("sketches", &|item| (sketch(item), item.caption.clone()))?;
    let mut by_colour = Vec::new();
    for colour in HAIR {
        let prompt = format!("A portrait of a person with {colour} hair.");
        by_colour.push(sample(colour, &|item| (mask(item), prompt.clone()))?);
    }
    tell("parsing the samples");
    let mask_agreement = agree(parser, &items, &from_mask)?;
    let sketch_agreement = agree(parser, &items, &from_sketch)?;
    tell("comparing with the training photos");
    let train = Thumbnails::of_shards(&options.data, "train-")?;
    let memory = Memory::measure(&train, &from_mask, &from_sketch, &photos);
    if let Some(path) = &options.sheet {
        let rows = items.len().min(12);
        let picture = sheet::draw(
            &items[..rows],
            &photos,
            &from_mask,
            &from_sketch,
            &by_colour,
        )?;
        file::write(path, &write::encode_rgb(&picture)?, Overwrite::Replace)?;
    }
    Ok(Evaluation {
        size: values.size,
        steps: values.steps,
        guidance: values.guidance,
        guide: values.guide,
        sampler: values.sampler,
        precision: summary.precision,
        seed: values.seed,
        samples: items.len(),
        photos: photo_agreement,
        from_mask: mask_agreement,
        from_sketch: sketch_agreement,
        hair: hair_order(&items, &by_colour),
        memory,
    })
}

fn read_items(data: &Path, limit: usize) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    for path in shards(data, "heldout-")? {
        for_each_sample(&path, |sample| {
            if items.len() < limit {
                let pictures = sample.pictures().map_err(|reason| {
                    Error::content(
                        &path,
                        format!("{}: {reason}", sample.key),
                        "copy the shard again",
                    )
                })?;
                let lines = sample.caption_lines();
                let caption = lines
                    .get(items.len() % lines.len().max(1))
                    .cloned()
                    .unwrap_or_default();
                items.push(Item { pictures, caption });
            }
            Ok(())
        })?;
    }
    Ok(items)
}

fn scaled(item: &Item, size: usize) -> RgbImage {
    lanczos_rgb(&item.pictures.photo, size, size)
}

/// Parses pictures at the parser's own size and compares with the masks there.
fn agree(parser: &FaceParser, items: &[Item], pictures: &[RgbImage]) -> Result<Agreement> {
    let mut confusion = Confusion::default();
    for (item, picture) in items.iter().zip(pictures) {
        let picture = lanczos_rgb(picture, PARSER_SIDE, PARSER_SIDE);
        let parsed = parser.parse(&to_tensor(&picture, &Device::Cpu)?)?;
        let mask = item.pictures.mask.resized(PARSER_SIDE, PARSER_SIDE);
        confusion.add(&parsed.labels, &mask.labels);
    }
    Ok(confusion.agreement())
}

fn hair_order(items: &[Item], by_colour: &[Vec<RgbImage>]) -> HairOrder {
    let mut order = HairOrder::default();
    for (index, item) in items.iter().enumerate() {
        let brightness: Vec<f64> = by_colour
            .iter()
            .filter_map(|pictures| hair_brightness(&pictures[index], &item.pictures.mask))
            .collect();
        let &[blonde, brown, black] = brightness.as_slice() else {
            continue;
        };
        order.masks += 1;
        order.ordered += usize::from(blonde > brown && brown > black);
        for (sum, value) in order.brightness.iter_mut().zip([blonde, brown, black]) {
            *sum += value;
        }
    }
    for sum in &mut order.brightness {
        *sum /= order.masks.max(1) as f64;
    }
    order
}

/// Mean brightness where the mask has hair; `None` where it has next to none.
fn hair_brightness(picture: &RgbImage, mask: &LabelImage) -> Option<f64> {
    let mask = mask.resized(picture.width, picture.height);
    let (mut sum, mut count) = (0.0, 0.0);
    for (pixel, &class) in picture.pixels.chunks_exact(3).zip(&mask.labels) {
        if class == HAIR_CLASS {
            sum += f64::from(luma([pixel[0], pixel[1], pixel[2]]));
            count += 1.0;
        }
    }
    (count >= LEAST_HAIR * mask.labels.len() as f64).then(|| sum / count)
}

impl Evaluation {
    /// Share of the photos' mIoU that samples of masks reach.
    pub fn relative_miou(&self) -> f64 {
        self.from_mask.miou / self.photos.miou.max(f64::MIN_POSITIVE)
    }

    /// The figures as a part of the model's card.
    pub fn card(&self) -> String {
        let row = |name: &str, agreement: &Agreement| {
            format!(
                "| {name} | {:.3} | {:.3} | {:.2} |\n",
                agreement.accuracy,
                agreement.miou,
                agreement.miou / self.photos.miou.max(f64::MIN_POSITIVE)
            )
        };
        let memory = |name: &str, distance: &memory::Distance| {
            format!(
                "| {name} | {:.3} | {:.3} |\n",
                distance.mean, distance.smallest
            )
        };
        format!(
            "Measured on {} held-out conditions at {}², {} {} steps, guidance {}{}, parsed by the bundled face parser:\n\n\
            | | pixel accuracy | mIoU (19 classes) | of the photos' mIoU |\n| --- | --- | --- | --- |\n{}{}{}\n\
            `[blonde|brown|black] hair` orders the hair's brightness on {} of {} masks (means {:.0}, {:.0}, {:.0} of 255).\n\n\
            ### Memorisation\n\nRMS distance of 32 × 32 brightness pictures (mean 0, deviation 1) to the nearest of the {} training photos and their\n\
            mirror pictures; photos that the model never saw are the yardstick:\n\n| | mean | smallest |\n| --- | --- | --- |\n{}{}{}",
            self.samples,
            self.size,
            self.steps,
            self.sampler.title(),
            self.guidance,
            match self.guide {
                Guide::Words => "",
                Guide::WordsAndDrawing => " of words and drawing",
            },
            row("held-out photos", &self.photos),
            row("samples of masks", &self.from_mask),
            row("samples of sketches", &self.from_sketch),
            self.hair.ordered,
            self.hair.masks,
            self.hair.brightness[0],
            self.hair.brightness[1],
            self.hair.brightness[2],
            self.memory.training_photos,
            memory("samples of masks", &self.memory.from_mask),
            memory("samples of sketches", &self.memory.from_sketch),
            memory("held-out photos", &self.memory.photos),
        )
    }
}

/// A grey picture as colour.
fn coloured(picture: &GrayImage) -> RgbImage {
    RgbImage {
        width: picture.width,
        height: picture.height,
        pixels: picture
            .pixels
            .iter()
            .flat_map(|&value| [value; 3])
            .collect(),
    }
}
