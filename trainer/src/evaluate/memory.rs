//! How far samples are from the training photos, beside photos that were never trained on.

use std::path::Path;

use mmface_engine::Result;
use mmface_engine::picture::RgbImage;
use mmface_engine::picture::convert::luma;
use mmface_engine::picture::resize::lanczos_rgb;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data::webdataset::{Sample, for_each_sample, shards};

/// Side of the compared pictures.
const SIDE: usize = 32;

/// Distances to the nearest training photo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distance {
    /// Mean over the pictures.
    pub mean: f64,
    /// The nearest of all.
    pub smallest: f64,
}

/// Distances of samples and of held-out photos.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Photos compared with.
    pub training_photos: usize,
    /// Samples of masks.
    pub from_mask: Distance,
    /// Samples of sketches.
    pub from_sketch: Distance,
    /// Photos that were held out.
    pub photos: Distance,
}

/// Small brightness pictures of the training photos and of their mirror pictures.
#[derive(Debug)]
pub struct Thumbnails {
    photos: usize,
    pictures: Vec<Vec<f32>>,
}

impl Thumbnails {
    /// Reads the photos of a split.
    ///
    /// # Errors
    /// When the folder has no such shards, or one cannot be read. Samples that cannot be decoded
    /// are left out.
    pub fn of_shards(data: &Path, prefix: &str) -> Result<Self> {
        let mut pictures = Vec::new();
        for path in shards(data, prefix)? {
            let mut samples: Vec<Sample> = Vec::new();
            for_each_sample(&path, |sample| {
                samples.push(sample);
                Ok(())
            })?;
            let photos: Vec<Vec<f32>> = samples
                .par_iter()
                .filter_map(|sample| sample.pictures().ok())
                .map(|pictures| thumbnail(&pictures.photo))
                .collect();
            pictures.extend(photos);
        }
        let photos = pictures.len();
        let mirrored: Vec<Vec<f32>> = pictures.iter().map(|picture| mirror(picture)).collect();
        pictures.extend(mirrored);
        Ok(Self { photos, pictures })
    }

    /// Distances of pictures to the nearest of these.
    fn nearest(&self, pictures: &[RgbImage]) -> Distance {
        let distances: Vec<f64> = pictures
            .par_iter()
            .map(|picture| {
                let picture = thumbnail(picture);
                let all = self.pictures.iter().map(|other| distance(&picture, other));
                all.fold(f64::INFINITY, f64::min)
            })
            .collect();
        Distance {
            mean: distances.iter().sum::<f64>() / distances.len().max(1) as f64,
            smallest: distances.iter().copied().fold(f64::INFINITY, f64::min),
        }
    }
}

impl Memory {
    /// Measures all distances.
    pub fn measure(
        train: &Thumbnails,
        from_mask: &[RgbImage],
        from_sketch: &[RgbImage],
        photos: &[RgbImage],
    ) -> Self {
        Self {
            training_photos: train.photos,
            from_mask: train.nearest(from_mask),
            from_sketch: train.nearest(from_sketch),
            photos: train.nearest(photos),
        }
    }
}

/// Brightness at 32 × 32, mean 0, standard deviation 1.
fn thumbnail(picture: &RgbImage) -> Vec<f32> {
    let small = lanczos_rgb(picture, SIDE, SIDE);
    let values: Vec<f32> = small
        .pixels
        .chunks_exact(3)
        .map(|pixel| f32::from(luma([pixel[0], pixel[1], pixel[2]])))
        .collect();
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / values.len() as f32;
    let scale = 1.0 / variance.sqrt().max(1e-3);
    values.iter().map(|value| (value - mean) * scale).collect()
}

fn mirror(picture: &[f32]) -> Vec<f32> {
    picture
        .chunks_exact(SIDE)
        .flat_map(|row| row.iter().rev().copied())
        .collect()
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    let sum: f32 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    f64::from(sum / a.len() as f32).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_at_distance_zero_in_any_light_and_mirrored() {
        let pixels = (0..64 * 64)
            .flat_map(|i| [((i % 64) * 2) as u8; 3])
            .collect();
        let picture = RgbImage {
            width: 64,
            height: 64,
            pixels,
        };
        let mut darker = picture.clone();
        darker.pixels.iter_mut().for_each(|value| *value /= 2);
        let (a, b) = (thumbnail(&picture), thumbnail(&darker));
        assert!(distance(&a, &b) < 0.05);
        assert!(distance(&a, &mirror(&a)) > 1.0);
        assert_eq!(mirror(&mirror(&a)), a);
    }
}
