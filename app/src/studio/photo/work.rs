//! From a photo to a square, lines and classes, beside the GUI thread.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::Device;
use mmface_engine::labels::{LabelImage, palette};
use mmface_engine::model::face_parser::FaceParser;
use mmface_engine::picture::resize::{lanczos_rgb, within};
use mmface_engine::picture::{GrayImage, RgbImage, WORKING_SIDE, convert, read, xdog};
use mmface_engine::weights::registry::BUNDLED;
use mmface_engine::weights::{Package, Part, Registry};
use mmface_engine::{Error, Result};

use super::crop::Crop;

/// Longest side of the photo on screen.
const SCREEN_SIDE: usize = 1024;

/// A photo that was read.
#[derive(Clone, Debug)]
pub struct Photo {
    /// Its name, for people.
    pub name: String,
    /// The photo, scaled down to [`WORKING_SIDE`].
    pub image: RgbImage,
    /// The same for the screen.
    pub small: RgbImage,
    /// What a person should know about the file.
    pub notes: Vec<String>,
}

/// Reads a photo.
///
/// # Errors
/// When the photo cannot be read.
pub fn read_photo(path: &Path) -> Result<Photo> {
    let raster = read::read(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(Photo {
        notes: raster.notes.clone(),
        ..prepare(name.into_owned(), raster.to_rgb())
    })
}

/// Makes a photo of a picture.
pub fn prepare(name: String, image: RgbImage) -> Photo {
    let image = within(image, WORKING_SIDE);
    let small = within(image.clone(), SCREEN_SIDE);
    Photo {
        name,
        image,
        small,
        notes: Vec::new(),
    }
}

/// The crop as a square of `side` pixels.
///
/// # Errors
/// When the crop leaves the photo.
pub fn square(photo: &RgbImage, crop: Crop, side: usize) -> Result<RgbImage> {
    let (left, top, width) = crop.pixels(photo.width, photo.height);
    let square = photo
        .cropped(left, top, width, width)
        .ok_or_else(|| Error::Argument("the crop leaves the photo; move it back".into()))?;
    Ok(lanczos_rgb(&square, side, side))
}

/// The lines of a square photo.
pub fn sketch(square: &RgbImage, style: xdog::Style) -> GrayImage {
    xdog::sketch_with(square, style)
}

/// The face parser, loaded once.
#[derive(Clone, Default)]
pub struct ParserCache(Arc<Mutex<Option<FaceParser>>>);

impl std::fmt::Debug for ParserCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ParserCache")
    }
}

impl ParserCache {
    /// The classes of a photo's crop, as a square of `side` pixels.
    ///
    /// # Errors
    /// When the parser cannot be loaded, and as [`square`].
    pub fn parse(
        &self,
        registry: &Registry,
        photo: &RgbImage,
        crop: Crop,
        side: usize,
    ) -> Result<LabelImage> {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let parser = match &mut *cached {
            Some(parser) => parser,
            empty => empty.insert(load_parser(registry)?),
        };
        let input = square(photo, crop, parser.config().size)?;
        let parsed = parser.parse(&convert::to_tensor(&input, &Device::Cpu)?)?;
        Ok(enlarge(&parsed, side))
    }
}

/// The bundled parser, else the first that a model has.
fn load_parser(registry: &Registry) -> Result<FaceParser> {
    let bundled = registry.find(BUNDLED).ok();
    let package = bundled
        .filter(|package| package.has(Part::Parser))
        .or_else(|| {
            let models = registry.list().into_iter();
            let mut packages = models.filter_map(|model| Package::open(&model.path).ok());
            packages.find(|package| package.has(Part::Parser))
        });
    match package {
        Some(package) => package.load_parser(&Device::Cpu),
        None => Err(Error::NoModel(
            "no installed model has a face parser; install the demo model, or take the sketch only"
                .into(),
        )),
    }
}

/// Classes at another size: each pixel takes the class that weighs most around it, which rounds
/// the stairs that nearest neighbours leave.
fn enlarge(mask: &LabelImage, side: usize) -> LabelImage {
    if mask.width != mask.height || mask.width >= side || mask.width == 0 {
        return mask.resized(side, side);
    }
    const REACH: isize = 2;
    const SOFTNESS: f32 = 0.75;
    let from = mask.width as isize;
    let scale = from as f32 / side as f32;
    let mut labels = Vec::with_capacity(side * side);
    // Along an axis all rows share their places and weights.
    let taps: Vec<(isize, [f32; 5])> = (0..side)
        .map(|at| {
            let centre = (at as f32 + 0.5) * scale - 0.5;
            let near = centre.round() as isize;
            let weight = |i: usize| {
                let distance = (near - REACH + i as isize) as f32 - centre;
                (-0.5 * (distance / SOFTNESS).powi(2)).exp()
            };
            (near - REACH, std::array::from_fn(weight))
        })
        .collect();
    for (top, rows) in &taps {
        for (left, columns) in &taps {
            let mut votes = [0f32; 32];
            for (dy, row) in rows.iter().enumerate() {
                let y = (top + dy as isize).clamp(0, from - 1) as usize;
                for (dx, column) in columns.iter().enumerate() {
                    let x = (left + dx as isize).clamp(0, from - 1) as usize;
                    let label = mask.labels[y * mask.width + x];
                    votes[usize::from(label % 32)] += row * column;
                }
            }
            let best = (1..votes.len()).fold(0, |best, class| {
                if votes[class] > votes[best] {
                    class
                } else {
                    best
                }
            });
            labels.push(best as u8);
        }
    }
    LabelImage {
        width: side,
        height: side,
        labels,
    }
}

/// A mask in the model's colours, to look at.
pub fn coloured(mask: &LabelImage) -> RgbImage {
    let colour = |label: &u8| {
        palette()
            .classes
            .get(usize::from(*label))
            .map_or([0; 3], |class| class.colour)
    };
    RgbImage {
        width: mask.width,
        height: mask.height,
        pixels: mask.labels.iter().flat_map(colour).collect(),
    }
}

/// A picture of the clipboard; what is transparent shows white.
pub fn from_clipboard(image: &egui::ColorImage) -> RgbImage {
    let over_white = |pixel: &egui::Color32| {
        let white = 255 - pixel.a();
        [pixel.r(), pixel.g(), pixel.b()].map(|value| value.saturating_add(white))
    };
    RgbImage {
        width: image.size[0],
        height: image.size[1],
        pixels: image.pixels.iter().flat_map(over_white).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_photos_are_scaled_down_once() {
        let photo = prepare("x".into(), RgbImage::filled(5000, 100, [1, 2, 3]));
        assert_eq!((photo.image.width, photo.image.height), (4096, 81));
        assert_eq!((photo.small.width, photo.small.height), (1024, 20));
        assert_eq!(photo.image.pixel(9, 9), [1, 2, 3]);
    }

    #[test]
    fn enlarging_keeps_areas_and_rounds_stairs() {
        let side = 64;
        let labels = (0..side * side).map(|i| u8::from(i % side + i / side < side) * 13);
        let mask = LabelImage::new(side, side, labels.collect()).expect("classes");
        let large = enlarge(&mask, 256);
        assert_eq!((large.width, large.labels.len()), (256, 256 * 256));
        let share = |mask: &LabelImage| mask.counts()[13] as f64 / mask.labels.len() as f64;
        assert!((share(&mask) - share(&large)).abs() < 0.01);
        // Along the diagonal, stairs of four pixels become stairs of at most two.
        let edge = |y: usize| (0..256).find(|x| large.labels[y * 256 + x] == 0);
        let edges: Vec<usize> = (60..200).filter_map(edge).collect();
        assert!(edges.windows(2).all(|pair| pair[0].abs_diff(pair[1]) <= 2));
    }

    #[test]
    fn transparent_clipboard_pixels_are_white() {
        let image = egui::ColorImage::new(
            [2, 1],
            vec![
                egui::Color32::TRANSPARENT,
                egui::Color32::from_rgb(10, 20, 30),
            ],
        );
        assert_eq!(from_clipboard(&image).pixels, [255, 255, 255, 10, 20, 30]);
    }
}
