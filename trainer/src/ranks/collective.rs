//! Sums that are made where the tensors lie, in a few large flat buckets: a call for each tensor
//! would cost more than it moves.

use std::fmt::Debug;
use std::ops::Range;

use candle_core::Tensor;
use mmface_engine::{Error, Result};

use crate::optim::Gradients;

/// Values of a bucket; a larger tensor has one of its own.
const BUCKET: usize = 1 << 25;
/// Bytes of the id by which the processes of a collective find each other.
pub(super) const ID_BYTES: usize = 128;

/// The way into a collective.
pub(super) trait Engine {
    /// A new id; only the first process makes one.
    fn id(&self) -> Result<[u8; ID_BYTES]>;

    /// Joins the others that hold this id; all have to do it at the same time.
    fn open(&self, rank: usize, ranks: usize, id: [u8; ID_BYTES]) -> Result<Box<dyn Collective>>;
}

/// Processes that add tensors without the host in between.
pub(super) trait Collective: Debug {
    /// The sum of all processes' flat tensors, which have one length.
    fn sum(&self, flat: &Tensor) -> Result<Tensor>;
}

/// Replaces loss and gradients by their sums.
pub(super) fn sum(
    collective: &dyn Collective,
    loss: &mut f32,
    gradients: &mut Gradients,
) -> Result<()> {
    sum_in(collective, BUCKET, loss, gradients)
}

fn sum_in(
    collective: &dyn Collective,
    most: usize,
    loss: &mut f32,
    gradients: &mut Gradients,
) -> Result<()> {
    let mut tensors: Vec<&mut Tensor> = gradients.values_mut().collect();
    let Some(device) = tensors.first().map(|tensor| tensor.device().clone()) else {
        return Err(Error::Internal("there are no gradients to add".into()));
    };
    // The loss travels at the head of the first bucket, and is read last: reading waits for the device.
    let mut head = Some(Tensor::new(&[*loss], &device)?);
    let mut total = None;
    let counts: Vec<usize> = tensors.iter().map(|tensor| tensor.elem_count()).collect();
    for range in buckets(&counts, most) {
        let members = &mut tensors[range];
        let mut parts: Vec<Tensor> = head.take().into_iter().collect();
        let mut start = parts.len();
        for member in members.iter() {
            parts.push(member.flatten_all()?);
        }
        let added = collective.sum(&Tensor::cat(&parts, 0)?)?;
        if start > 0 {
            total = Some(added.narrow(0, 0, 1)?);
        }
        for member in members {
            let count = member.elem_count();
            **member = added.narrow(0, start, count)?.reshape(member.shape())?;
            start += count;
        }
    }
    if let Some(total) = total {
        *loss = total.squeeze(0)?.to_scalar()?;
    }
    Ok(())
}

/// Neighbours that fit into a bucket of `most` values together; each bucket has at least one.
fn buckets(counts: &[usize], most: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut filled = 0;
    for (index, &count) in counts.iter().enumerate() {
        match ranges.last_mut() {
            Some(last) if filled + count <= most => {
                last.end = index + 1;
                filled += count;
            }
            _ => {
                ranges.push(index..index + 1);
                filled = count;
            }
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::cell::RefCell;

    use candle_core::Device;

    use super::*;

    #[test]
    fn buckets_hold_neighbours_and_every_tensor_once() {
        assert!(buckets(&[], 10).is_empty());
        assert_eq!(
            buckets(&[3, 4, 3, 1, 20, 2, 2], 10),
            [0..3, 3..4, 4..5, 5..7]
        );
        assert_eq!(buckets(&[20, 1], 10), [0..1, 1..2]);
    }

    /// As if a second process had ten times the values; keeps the lengths that it was given.
    #[derive(Debug, Default)]
    struct TenTimes(RefCell<Vec<usize>>);

    impl Collective for TenTimes {
        fn sum(&self, flat: &Tensor) -> Result<Tensor> {
            self.0.borrow_mut().push(flat.dims1()?);
            Ok((flat * 11.0)?)
        }
    }

    #[test]
    fn every_gradient_comes_back_in_its_place_and_shape() {
        let shapes: [&[usize]; 5] = [&[2, 3], &[4], &[1], &[5, 1, 3], &[2, 2]];
        let mut next = 0.0f32;
        let mut gradients = Gradients::new();
        for (index, shape) in shapes.into_iter().enumerate() {
            let count: usize = shape.iter().product();
            let values: Vec<f32> = (0..count).map(|at| next + at as f32).collect();
            next += count as f32;
            // Every second one is not contiguous, as gradients of transposed products are.
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
            let tensor = match (index, shape) {
                (0, _) => tensor.t().unwrap(),
                _ => tensor,
            };
            gradients.insert(format!("{index}"), tensor);
        }
        let expected: Vec<(Vec<usize>, Vec<f32>)> = gradients
            .values()
            .map(|tensor| {
                let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                (
                    tensor.dims().to_vec(),
                    values.iter().map(|value| 11.0 * value).collect(),
                )
            })
            .collect();
        for (most, lengths) in [
            (11, vec![12, 15, 4]),
            (1000, vec![31]),
            (1, vec![7, 4, 1, 15, 4]),
        ] {
            let (mut own, mut loss) = (gradients.clone(), 3.0);
            let collective = TenTimes::default();
            sum_in(&collective, most, &mut loss, &mut own).unwrap();
            assert_eq!(loss, 33.0);
            assert_eq!(collective.0.into_inner(), lengths);
            for (tensor, (dims, values)) in own.values().zip(&expected) {
                assert_eq!(tensor.dims(), dims);
                assert_eq!(
                    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
                    *values
                );
            }
        }
        assert!(sum(&TenTimes::default(), &mut 1.0, &mut Gradients::new()).is_err());
    }
}
