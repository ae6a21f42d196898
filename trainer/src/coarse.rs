//! A poorer autoencoder for the ablation's first rows: the same latents with fewer channels.
//!
//! The paper's rows 1 to 4 use an autoencoder of 4 channels and its last row one of 16. At demo
//! scale there is one autoencoder, so its latents are reduced to their principal components, which
//! is the best that a linear map can keep, and are restored before decoding.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use mmface_engine::pipeline::LatentMap;
use mmface_engine::{Error, Result};

use crate::data::latents::KINDS;
use crate::data::store::{Kind, LatentStore};
use crate::tensors::{self, Blob};

/// Sweeps of the eigenvalue search; symmetric matrices of this size need fewer than ten.
const SWEEPS: usize = 30;

/// The map between all channels and their principal components, each scaled to variance 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Coarse {
    /// Mean of each channel.
    mean: Vec<f64>,
    /// Unit vectors of the components, the strongest first.
    components: Vec<Vec<f64>>,
    /// Standard deviation along each component.
    deviations: Vec<f64>,
    /// Share of the variance that the components hold, 0 to 1.
    pub kept: f64,
}

impl Coarse {
    /// Principal components of the photos' latents.
    ///
    /// # Errors
    /// When more channels are asked for than there are, or none.
    pub fn fit(store: &LatentStore, channels: usize) -> Result<Self> {
        if channels == 0 || channels >= store.channels {
            return Err(Error::Argument(format!(
                "a coarse autoencoder needs 1 to {} channels, not {channels}",
                store.channels - 1
            )));
        }
        let (full, plane) = (store.channels, store.side * store.side);
        let mut sums = vec![0.0; full];
        let mut products = vec![vec![0.0; full]; full];
        let mut buffer = Vec::new();
        for sample in 0..store.len() {
            buffer.clear();
            store.push(sample, 0, Kind::Photo, &mut buffer);
            for pixel in 0..plane {
                for row in 0..full {
                    let value = f64::from(buffer[row * plane + pixel]);
                    sums[row] += value;
                    for column in 0..=row {
                        products[row][column] += value * f64::from(buffer[column * plane + pixel]);
                    }
                }
            }
        }
        let count = (store.len() * plane) as f64;
        let mean: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
        let covariance = (0..full)
            .map(|row| {
                (0..full)
                    .map(|column| {
                        products[row.max(column)][row.min(column)] / count
                            - mean[row] * mean[column]
                    })
                    .collect()
            })
            .collect();
        let (values, vectors) = eigen(covariance);
        let mut order: Vec<usize> = (0..full).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        let strongest = &order[..channels];
        Ok(Self {
            mean,
            components: strongest
                .iter()
                .map(|&index| vectors.iter().map(|row| row[index]).collect())
                .collect(),
            deviations: strongest
                .iter()
                .map(|&index| values[index].max(1e-12).sqrt())
                .collect(),
            kept: strongest.iter().map(|&index| values[index]).sum::<f64>()
                / values.iter().sum::<f64>(),
        })
    }

    /// Writes the reduced latents of a split as one file, which [`LatentStore::open`] reads.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, store: &LatentStore, folder: &Path, prefix: &str) -> Result<()> {
        std::fs::create_dir_all(folder)
            .map_err(Error::file("create the folder of coarse latents", folder))?;
        let (count, variants, side) = (store.len(), store.variants, store.side);
        let shape = [count, variants, self.channels(), side, side];
        let mut reduced: [Vec<f32>; 3] = Default::default();
        let mut buffer = Vec::new();
        for (kind, values) in [Kind::Photo, Kind::Mask, Kind::Sketch]
            .into_iter()
            .zip(&mut reduced)
        {
            for sample in 0..count {
                buffer.clear();
                for variant in 0..variants {
                    store.push(sample, variant, kind, &mut buffer);
                }
                let full = Tensor::from_slice(
                    &buffer,
                    (variants, store.channels, side, side),
                    &Device::Cpu,
                )?;
                values.extend(self.reduce(&full)?.flatten_all()?.to_vec1::<f32>()?);
            }
        }
        let blobs: BTreeMap<String, Blob<'_>> = KINDS
            .iter()
            .zip(&reduced)
            .map(|(name, values)| ((*name).to_owned(), Blob::f16(&shape, values)))
            .collect();
        let entries: Vec<_> = (0..count).map(|sample| store.entry(sample)).collect();
        let entries =
            serde_json::to_string(&entries).map_err(Error::unwritable("what the latents are"))?;
        let path = folder.join(format!("{prefix}coarse.safetensors"));
        tensors::write(&path, &blobs, &[("samples", entries)])
    }

    fn means(&self, device: &Device) -> Result<Tensor> {
        let mean: Vec<f32> = self.mean.iter().map(|&value| value as f32).collect();
        Ok(Tensor::from_vec(mean, (1, self.mean.len(), 1, 1), device)?)
    }
}

impl LatentMap for Coarse {
    /// Channels of a reduced latent.
    fn channels(&self) -> usize {
        self.components.len()
    }

    /// # Shapes
    /// - latent: `[batch, all channels, height, width]`, result: `[batch, components, height, width]`
    ///
    /// # Errors
    /// When the latent has another number of channels.
    fn reduce(&self, latent: &Tensor) -> Result<Tensor> {
        let full = self.mean.len();
        let weights = self
            .components
            .iter()
            .zip(&self.deviations)
            .flat_map(|(vector, deviation)| {
                vector.iter().map(move |value| (value / deviation) as f32)
            })
            .collect();
        let mean = self.means(latent.device())?;
        let centred = latent.broadcast_sub(&mean)?;
        mix(&centred, weights, self.channels(), full)
    }

    /// The nearest latent with all channels: the inverse of [`Self::reduce`] on what it keeps.
    ///
    /// # Shapes
    /// - latent: `[batch, components, height, width]`, result: `[batch, all channels, height, width]`
    ///
    /// # Errors
    /// When the latent has another number of channels.
    fn restore(&self, latent: &Tensor) -> Result<Tensor> {
        let full = self.mean.len();
        let weights = (0..full)
            .flat_map(|channel| {
                self.components
                    .iter()
                    .zip(&self.deviations)
                    .map(move |(vector, deviation)| (vector[channel] * deviation) as f32)
            })
            .collect();
        let mixed = mix(latent, weights, full, self.channels())?;
        Ok(mixed.broadcast_add(&self.means(latent.device())?)?)
    }
}

/// Multiplies the channels of each pixel by a matrix of `outputs` × `inputs`.
fn mix(latent: &Tensor, weights: Vec<f32>, outputs: usize, inputs: usize) -> Result<Tensor> {
    let (batch, channels, height, width) = latent.dims4()?;
    if channels != inputs {
        return Err(Error::Internal(format!(
            "a latent of {channels} channels does not fit a map of {inputs}"
        )));
    }
    let weights = Tensor::from_vec(weights, (1, outputs, inputs), latent.device())?;
    let pixels = latent
        .contiguous()?
        .reshape((batch, inputs, height * width))?;
    let weights = weights
        .broadcast_as((batch, outputs, inputs))?
        .contiguous()?;
    Ok(weights
        .matmul(&pixels)?
        .reshape((batch, outputs, height, width))?)
}

/// Eigenvalues and eigenvectors (the columns) of a small symmetric matrix, by Jacobi rotations.
fn eigen(mut matrix: Vec<Vec<f64>>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let size = matrix.len();
    let mut vectors: Vec<Vec<f64>> = (0..size)
        .map(|row| {
            (0..size)
                .map(|column| f64::from(u8::from(row == column)))
                .collect()
        })
        .collect();
    for _ in 0..SWEEPS {
        for p in 0..size {
            for q in p + 1..size {
                if matrix[p][q].abs() < 1e-300 {
                    continue;
                }
                let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
                let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                let sine = tangent * cosine;
                for row in matrix.iter_mut().chain(&mut vectors) {
                    let (a, b) = (row[p], row[q]);
                    row[p] = cosine * a - sine * b;
                    row[q] = sine * a + cosine * b;
                }
                let (above, below) = matrix.split_at_mut(q);
                for (a, b) in above[p].iter_mut().zip(&mut below[0]) {
                    (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
                }
            }
        }
    }
    let values = (0..size).map(|index| matrix[index][index]).collect();
    (values, vectors)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::data::latents::Entry;

    /// Four channels of which two carry nearly everything.
    fn store(folder: &Path) -> LatentStore {
        let (count, variants, side) = (6, 2, 4);
        let plane = side * side;
        let mut values = Vec::new();
        for index in 0..count * variants {
            let at = |channel: usize, pixel: usize| {
                let phase = (index * plane + pixel) as f32;
                let (a, b) = ((0.7 * phase).sin(), (1.3 * phase).cos());
                match channel {
                    0 => 3.0 + 2.0 * a,
                    1 => b - 1.0,
                    2 => a + b,
                    _ => 0.5 * a - b,
                }
            };
            for channel in 0..4 {
                values.extend((0..plane).map(|pixel| at(channel, pixel)));
            }
        }
        let shape = [count, variants, 4, side, side];
        let blobs = KINDS
            .iter()
            .map(|name| ((*name).to_owned(), Blob::f16(&shape, &values)))
            .collect();
        let entries: Vec<Entry> = (0..count)
            .map(|index| Entry {
                key: format!("sample-{index}"),
                captions: vec!["a face".into()],
            })
            .collect();
        let entries = serde_json::to_string(&entries).unwrap();
        tensors::write(
            &folder.join("train-0.safetensors"),
            &blobs,
            &[("samples", entries)],
        )
        .unwrap();
        LatentStore::open(folder, "train-").unwrap()
    }

    #[test]
    fn two_components_hold_what_two_sources_made() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let coarse = Coarse::fit(&store, 2).unwrap();
        assert!(coarse.kept > 0.999, "kept {}", coarse.kept);

        let out = folder.path().join("coarse");
        coarse.write(&store, &out, "train-").unwrap();
        let reduced = LatentStore::open(&out, "train-").unwrap();
        assert_eq!((reduced.channels, reduced.len()), (2, store.len()));
        assert_eq!(reduced.entry(3), store.entry(3));

        let (mut full, mut small) = (Vec::new(), Vec::new());
        store.push(4, 1, Kind::Mask, &mut full);
        reduced.push(4, 1, Kind::Mask, &mut small);
        let small = Tensor::from_vec(small, (1, 2, 4, 4), &Device::Cpu).unwrap();
        let back = coarse.restore(&small).unwrap();
        let back = back.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (one, other) in full.iter().zip(back) {
            assert!((one - other).abs() < 0.01, "{one} against {other}");
        }
    }

    #[test]
    fn reduced_photos_have_variance_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let coarse = Coarse::fit(&store, 2).unwrap();
        coarse.write(&store, folder.path(), "coarse-").unwrap();
        let reduced = LatentStore::open(folder.path(), "coarse-").unwrap();
        let mut values = Vec::new();
        for sample in 0..reduced.len() {
            reduced.push(sample, 0, Kind::Photo, &mut values);
        }
        let mean_square = values.iter().map(|value| value * value).sum::<f32>();
        let variance = mean_square / values.len() as f32;
        assert!((variance - 1.0).abs() < 0.01, "variance {variance}");
    }

    #[test]
    fn as_many_channels_as_before_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        assert!(Coarse::fit(&store, 4).is_err() && Coarse::fit(&store, 0).is_err());
    }
}
