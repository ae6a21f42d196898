//! How much memory a decode needs and how much there is: running out is an ordinary error with
//! numbers, not a crash.

use candle_core::Device;

use crate::model::autoencoder_kl::AutoencoderKlConfig;
use crate::{Error, Result, system};

const HINT: &str = "choose a smaller --size, --memory low, or another --device";

/// Full-resolution activations that a decoder holds at once: input, output and two in between.
const LIVE_ACTIVATIONS: u64 = 4;

/// About the bytes that decoding to a square of `side` pixels holds at its peak: the last level
/// works at full resolution with the width of the level below.
pub fn decode_bytes(config: &AutoencoderKlConfig, side: usize) -> u64 {
    let width = config
        .block_out_channels
        .iter()
        .take(2)
        .max()
        .copied()
        .unwrap_or(0) as u64;
    let pixels = (side as u64).saturating_mul(side as u64);
    LIVE_ACTIVATIONS
        .saturating_mul(pixels)
        .saturating_mul(width)
        .saturating_mul(4)
}

/// Asks for the free bytes of a device; `None` where it does not say.
pub type Free = fn(&Device) -> Option<u64>;

/// What the system says. The tensors of a device lie in its own memory, and only the host's is known.
pub(super) fn free_on(device: &Device) -> Option<u64> {
    device.is_cpu().then(system::memory::available).flatten()
}

/// Fails when that does not fit. Devices that do not say how much is free are believed to have it.
///
/// # Errors
/// [`Error::OutOfMemory`] with both numbers and the settings that need less.
pub(super) fn check(needed: u64, free: Option<u64>) -> Result<()> {
    match free {
        Some(available) if needed > available => Err(Error::OutOfMemory {
            needed: Some(needed),
            available: Some(available),
            hint: HINT.into(),
        }),
        _ => Ok(()),
    }
}

/// Adds what is known here to an error of a device that is full: what it has left, and the
/// settings that help. Other errors stay as they are.
pub(super) fn complete(error: Error, free: Option<u64>) -> Error {
    match error {
        Error::OutOfMemory {
            needed, available, ..
        } => Error::OutOfMemory {
            needed,
            available: available.or(free),
            hint: HINT.into(),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_decode_is_refused_with_numbers() {
        let flux = AutoencoderKlConfig::flux();
        assert_eq!(decode_bytes(&flux, 1024), 4 * 1024 * 1024 * 256 * 4);
        let error = check(u64::MAX, free_on(&Device::Cpu));
        if system::memory::available().is_some() {
            let error = error.expect_err("nobody has that much");
            assert!(matches!(
                error,
                Error::OutOfMemory {
                    needed: Some(u64::MAX),
                    available: Some(_),
                    ..
                }
            ));
        }
        assert!(check(1, free_on(&Device::Cpu)).is_ok() && check(u64::MAX, None).is_ok());
    }

    #[test]
    fn a_full_device_is_told_with_what_it_has_left() {
        let told = candle_core::Error::Msg("CUDA_ERROR_OUT_OF_MEMORY".into());
        let error = complete(told.into(), Some(12));
        assert!(matches!(
            error,
            Error::OutOfMemory {
                needed: None,
                available: Some(12),
                ..
            }
        ));
        assert!(error.to_string().contains("--size"), "{error}");
        assert!(matches!(complete(Error::Cancelled, None), Error::Cancelled));
    }
}
