//! AdamW by tensor operations, with moments on the parameter's device: what a card runs, and what the
//! CPU runs on the composed route. The 8-bit moments have the format of [`adamw8bit`](super::adamw8bit),
//! so that a checkpoint of one route goes on by the other.

use std::sync::LazyLock;

use candle_core::{DType, Device, Result, Tensor, Var};
use mmface_engine::kernels::AdamWStep;

use super::adamw8bit::{BLOCK, Quantised, SIGNED, SIGNED_ZERO, UNSIGNED, bounds};

/// Factors of one update that the settings and the number of the update give.
struct Factors {
    /// Of the parameter, for its decay.
    keep: f64,
    /// Of the first moment, in the change.
    size: f64,
    /// Divides the root of the second moment.
    root: f64,
}

impl Factors {
    fn new(step: &AdamWStep) -> Self {
        let correction = |beta: f64| 1.0 - beta.powf(step.step as f64);
        Self {
            keep: 1.0 - step.learning_rate * step.weight_decay,
            size: step.learning_rate / correction(step.beta1),
            root: correction(step.beta2).sqrt(),
        }
    }
}

/// The moments after this gradient, and the values after the update by them.
///
/// # Shapes
/// - values, gradient, first, second and the three results: alike
fn advance(
    values: &Tensor,
    gradient: &Tensor,
    first: &Tensor,
    second: &Tensor,
    step: &AdamWStep,
) -> Result<(Tensor, Tensor, Tensor)> {
    let factors = Factors::new(step);
    let gradient = (gradient * step.gradient_scale)?;
    let first = ((first * step.beta1)? + (&gradient * (1.0 - step.beta1))?)?;
    let fresh = ((&gradient * (1.0 - step.beta2))? * &gradient)?;
    let second = ((second * step.beta2)? + fresh)?;
    let root = ((second.sqrt()? / factors.root)? + step.epsilon)?;
    let change = ((&first * factors.size)? / root)?;
    let values = ((values * factors.keep)? - change)?;
    Ok((first, second, values))
}

/// Both moments in f32.
#[derive(Clone, Debug)]
pub struct Floats {
    /// Average of the gradient, of the parameter's shape.
    pub first: Tensor,
    /// Average of its square, of the parameter's shape.
    pub second: Tensor,
}

impl Floats {
    /// Moments before the first update.
    ///
    /// # Shapes
    /// - parameter: any; the moments are of its shape
    ///
    /// # Errors
    /// When the device has no memory for them.
    pub fn zeros(parameter: &Var) -> Result<Self> {
        Ok(Self {
            first: parameter.zeros_like()?,
            second: parameter.zeros_like()?,
        })
    }

    /// One update of the parameter.
    ///
    /// # Shapes
    /// - gradient: the parameter's
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn update(&mut self, parameter: &Var, gradient: &Tensor, step: &AdamWStep) -> Result<()> {
        let (first, second, values) = advance(
            parameter.as_tensor(),
            gradient,
            &self.first,
            &self.second,
            step,
        )?;
        (self.first, self.second) = (first, second);
        parameter.set(&values)
    }
}

/// Both moments as 8-bit codes, in blocks whose last one is filled up with zeros.
#[derive(Clone, Debug)]
pub struct Codes {
    /// Values of the parameter.
    count: usize,
    /// Codes of the first moment, u8 `[blocks, 256]`.
    first: Tensor,
    /// Codes of the second moment, u8 `[blocks, 256]`.
    second: Tensor,
    /// Largest magnitude of each block of the first moment, `[blocks, 1]`.
    first_scale: Tensor,
    /// Largest value of each block of the second moment, `[blocks, 1]`.
    second_scale: Tensor,
}

impl Codes {
    /// Brings moments onto a device.
    ///
    /// # Errors
    /// When the device has no memory for them.
    pub fn from_host(moments: &Quantised, device: &Device) -> Result<Self> {
        let (count, blocks) = (moments.first.len(), moments.first_scale.len());
        let codes = |codes: &[u8], zero: u8| {
            let mut codes = codes.to_vec();
            codes.resize(blocks * BLOCK, zero);
            Tensor::from_vec(codes, (blocks, BLOCK), device)
        };
        let scales = |scales: &[f32]| Tensor::from_slice(scales, (blocks, 1), device);
        Ok(Self {
            count,
            first: codes(&moments.first, SIGNED_ZERO)?,
            second: codes(&moments.second, 0)?,
            first_scale: scales(&moments.first_scale)?,
            second_scale: scales(&moments.second_scale)?,
        })
    }

    /// The moments in the host's memory.
    ///
    /// # Errors
    /// When the device fails.
    pub fn to_host(&self) -> Result<Quantised> {
        let codes = |codes: &Tensor| codes.flatten_all()?.narrow(0, 0, self.count)?.to_vec1();
        let scales = |scales: &Tensor| scales.flatten_all()?.to_vec1();
        Ok(Quantised {
            first: codes(&self.first)?,
            second: codes(&self.second)?,
            first_scale: scales(&self.first_scale)?,
            second_scale: scales(&self.second_scale)?,
        })
    }

    /// One update of the parameter; moments are read back, used, and rounded again. `maps` lie on the
    /// parameter's device.
    ///
    /// # Shapes
    /// - gradient: the parameter's
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn update(
        &mut self,
        parameter: &Var,
        gradient: &Tensor,
        step: &AdamWStep,
        maps: &Maps,
    ) -> Result<()> {
        let Maps { signed, unsigned } = maps;
        let (first, second, values) = advance(
            &self.blocks(parameter.as_tensor())?,
            &self.blocks(gradient)?,
            &signed.values(&self.first, &self.first_scale)?,
            &unsigned.values(&self.second, &self.second_scale)?,
            step,
        )?;
        (self.first, self.first_scale) = signed.codes(&first)?;
        (self.second, self.second_scale) = unsigned.codes(&second)?;
        let values = values.flatten_all()?.narrow(0, 0, self.count)?;
        parameter.set(&values.reshape(parameter.shape())?)
    }

    /// The values as blocks, the last one filled up with zeros.
    ///
    /// # Shapes
    /// - result: `[blocks, 256]`
    fn blocks(&self, tensor: &Tensor) -> Result<Tensor> {
        let blocks = self.first.dim(0)?;
        tensor
            .flatten_all()?
            .pad_with_zeros(0, 0, blocks * BLOCK - self.count)?
            .reshape((blocks, BLOCK))
    }
}

/// Both maps between codes and values on a device.
#[derive(Clone, Debug)]
pub struct Maps {
    /// Of the first moment.
    signed: Map,
    /// Of the second moment.
    unsigned: Map,
}

impl Maps {
    /// Brings the maps onto a device.
    ///
    /// # Errors
    /// When the device fails.
    pub fn on(device: &Device) -> Result<Self> {
        static SIGNED_BOUNDS: LazyLock<[f32; 255]> = LazyLock::new(|| bounds(&SIGNED));
        static UNSIGNED_BOUNDS: LazyLock<[f32; 255]> = LazyLock::new(|| bounds(&UNSIGNED));
        let map = |entries: &[f32; 256], bounds: &[f32; 255]| -> Result<Map> {
            Ok(Map {
                entries: Tensor::from_slice(entries, 256, device)?,
                bounds: Tensor::from_slice(bounds, 255, device)?,
            })
        };
        Ok(Self {
            signed: map(&SIGNED, &SIGNED_BOUNDS)?,
            unsigned: map(&UNSIGNED, &UNSIGNED_BOUNDS)?,
        })
    }
}

/// One map between codes and values.
#[derive(Clone, Debug)]
struct Map {
    /// The value of each code, rising.
    entries: Tensor,
    /// The largest value that each code but the last stands for.
    bounds: Tensor,
}

impl Map {
    /// What codes stand for.
    ///
    /// # Shapes
    /// - codes: u8 `[blocks, 256]`, scale: `[blocks, 1]`, result: `[blocks, 256]`
    fn values(&self, codes: &Tensor, scale: &Tensor) -> Result<Tensor> {
        // As u8, code 255 would be taken for an index that stands for nothing.
        let indices = codes.flatten_all()?.to_dtype(DType::U32)?;
        self.entries
            .index_select(&indices, 0)?
            .reshape(codes.shape())?
            .broadcast_mul(scale)
    }

    /// Rounds values to codes of the nearest entries, and says each block's scale.
    ///
    /// # Shapes
    /// - values: `[blocks, 256]`, results: u8 `[blocks, 256]` and `[blocks, 1]`
    fn codes(&self, values: &Tensor) -> Result<(Tensor, Tensor)> {
        let scale = values.abs()?.max_keepdim(1)?;
        let inverse = scale
            .gt(0f32)?
            .where_cond(&scale.recip()?, &scale.zeros_like()?)?;
        let shares = values.broadcast_mul(&inverse)?.flatten_all()?;
        // A code is the number of bounds below the value: found bit by bit, the highest first.
        let mut codes = Tensor::zeros(shares.elem_count(), DType::U32, shares.device())?;
        for bit in [128u32, 64, 32, 16, 8, 4, 2, 1] {
            let probed = (&codes + f64::from(bit - 1))?;
            let above = self.bounds.index_select(&probed, 0)?.lt(&shares)?;
            codes = (codes + (above.to_dtype(DType::U32)? * f64::from(bit))?)?;
        }
        let codes = codes.to_dtype(DType::U8)?.reshape(values.shape())?;
        Ok((codes, scale))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::adamw8bit::quantise_block;
    use super::*;

    /// Reproducible values of both signs over many magnitudes, with zeros among them.
    fn values(count: usize) -> Vec<f32> {
        (0..count)
            .map(|i| {
                let x = (i as f32 * 0.731).sin();
                if i % 17 == 0 {
                    0.0
                } else {
                    x * 10f32.powi(-((i % 7) as i32))
                }
            })
            .collect()
    }

    #[test]
    fn codes_are_those_of_the_host() {
        let maps = Maps::on(&Device::Cpu).unwrap();
        for (map, entries) in [(&maps.signed, &SIGNED), (&maps.unsigned, &UNSIGNED)] {
            let unsigned = entries[0] == 0.0;
            // Every entry, its neighbours in f32, every midpoint, and a spread of other values.
            let mut all: Vec<f32> = entries.iter().copied().collect();
            for pair in entries.windows(2) {
                let middle = pair[0] + (pair[1] - pair[0]) / 2.0;
                all.extend([middle, middle.next_up(), middle.next_down()]);
                all.extend([pair[0].next_up(), pair[1].next_down()]);
            }
            all.extend(values(4096));
            if unsigned {
                all.iter_mut().for_each(|value| *value = value.abs());
            }
            // Each block holds a 1, so that its values are taken as they are.
            let blocks: Vec<Vec<f32>> = all
                .chunks(BLOCK - 1)
                .map(|part| {
                    let mut block = part.to_vec();
                    block.resize(BLOCK - 1, 0.0);
                    block.push(1.0);
                    block
                })
                .collect();
            let tensor = Tensor::new(blocks.clone(), &Device::Cpu).unwrap();
            let (codes, scale) = map.codes(&tensor).unwrap();
            assert!(
                scale
                    .flatten_all()
                    .unwrap()
                    .to_vec1::<f32>()
                    .unwrap()
                    .iter()
                    .all(|&s| s == 1.0)
            );
            let back = map.values(&codes, &scale).unwrap();
            let rows = codes.to_vec2::<u8>().unwrap().into_iter();
            let rows = rows.zip(back.to_vec2::<f32>().unwrap());
            for ((codes, back), block) in rows.zip(&blocks) {
                let mut expected = [0u8; BLOCK];
                quantise_block(entries, block, &mut expected);
                assert_eq!(codes, expected);
                assert_eq!(back, expected.map(|code| entries[usize::from(code)]));
            }
        }
    }

    #[test]
    fn a_block_of_zeros_keeps_a_scale_of_zero() {
        let maps = Maps::on(&Device::Cpu).unwrap();
        let zeros = Tensor::zeros((1, BLOCK), DType::F32, &Device::Cpu).unwrap();
        let (codes, scale) = maps.signed.codes(&zeros).unwrap();
        assert_eq!(scale.to_vec2::<f32>().unwrap(), [[0.0]]);
        let back = maps.signed.values(&codes, &scale).unwrap();
        assert!(back.to_vec2::<f32>().unwrap()[0].iter().all(|&v| v == 0.0));
    }

    #[test]
    fn updates_agree_with_those_of_the_host() {
        // Blocks that are not whole; the last one is filled up on the device only.
        let count = 17 * BLOCK + 91;
        let start = values(count);
        let parameter = Var::from_vec(start.clone(), (3, count / 3), &Device::Cpu).unwrap();
        let (mut host, mut host_values) = (Quantised::zeros(count), start);
        let mut codes = Codes::from_host(&host, &Device::Cpu).unwrap();
        let maps = Maps::on(&Device::Cpu).unwrap();
        for update in 1..=5u64 {
            let gradient: Vec<f32> = values(count)
                .iter()
                .enumerate()
                .map(|(i, v)| v * ((i as u64 * 7 + update) % 11) as f32)
                .collect();
            let step = AdamWStep {
                learning_rate: 1e-3,
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
                weight_decay: 0.01,
                step: update,
                gradient_scale: 0.5,
            };
            host.update(&mut host_values, &gradient, &step);
            let gradient = Tensor::from_vec(gradient, (3, count / 3), &Device::Cpu).unwrap();
            codes.update(&parameter, &gradient, &step, &maps).unwrap();
        }
        let back = codes.to_host().unwrap();
        let differing = |a: &[u8], b: &[u8]| a.iter().zip(b).filter(|(a, b)| a != b).count();
        // A quotient may be rounded another way, and so may the code of a value near a bound.
        assert!(differing(&back.first, &host.first) * 1000 <= count);
        assert!(differing(&back.second, &host.second) * 1000 <= count);
        let values = parameter.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (a, b) in values.iter().zip(&host_values) {
            assert!((a - b).abs() <= 2e-6 * b.abs().max(1e-3), "{a} against {b}");
        }
        let again = Codes::from_host(&back, &Device::Cpu).unwrap();
        assert_eq!(again.to_host().unwrap(), back);
    }
}
