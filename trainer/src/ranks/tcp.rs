//! Sums over plain TCP: the first process collects, adds in the order of the ranks, so that the sum
//! has the same bits in each run, and sends the sum back.

use std::io::{BufWriter, Read, Write};
use std::net::TcpStream;

use candle_core::Tensor;
use mmface_engine::Result;

use super::lost;
use crate::optim::Gradients;

/// Values sent at once.
const CHUNK: usize = 1 << 16;

/// Replaces loss and gradients by their sums.
pub(super) fn sum(
    links: &mut [TcpStream],
    first: bool,
    loss: &mut f32,
    gradients: &mut Gradients,
) -> Result<()> {
    let mut values = vec![*loss];
    for gradient in gradients.values() {
        values.extend(gradient.flatten_all()?.to_vec1::<f32>()?);
    }
    if first {
        for (index, link) in links.iter_mut().enumerate() {
            read_values(link, &mut values, |mine, theirs| *mine += theirs)
                .map_err(|error| lost(index + 1, &error))?;
        }
        for (index, link) in links.iter_mut().enumerate() {
            write_values(link, &values).map_err(|error| lost(index + 1, &error))?;
        }
    } else if let Some(link) = links.first_mut() {
        write_values(link, &values)
            .and_then(|()| read_values(link, &mut values, |mine, theirs| *mine = theirs))
            .map_err(|error| lost(0, &error))?;
    }
    *loss = values[0];
    let mut start = 1;
    for gradient in gradients.values_mut() {
        let count = gradient.elem_count();
        let part = values[start..start + count].to_vec();
        *gradient = Tensor::from_vec(part, gradient.shape(), gradient.device())?;
        start += count;
    }
    Ok(())
}

fn write_values(link: &mut TcpStream, values: &[f32]) -> std::io::Result<()> {
    let mut output = BufWriter::with_capacity(4 * CHUNK, link);
    for value in values {
        output.write_all(&value.to_le_bytes())?;
    }
    output.flush()
}

fn read_values(
    link: &mut TcpStream,
    values: &mut [f32],
    take: impl Fn(&mut f32, f32),
) -> std::io::Result<()> {
    let mut bytes = vec![0u8; 4 * CHUNK];
    for chunk in values.chunks_mut(CHUNK) {
        let bytes = &mut bytes[..4 * chunk.len()];
        link.read_exact(bytes)?;
        for (value, four) in chunk.iter_mut().zip(bytes.chunks_exact(4)) {
            take(
                value,
                f32::from_le_bytes([four[0], four[1], four[2], four[3]]),
            );
        }
    }
    Ok(())
}
