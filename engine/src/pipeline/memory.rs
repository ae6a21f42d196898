//! How much memory a decode needs and how much there is: running out is an ordinary error with
//! numbers, not a crash.

use candle_core::Device;

use crate::model::autoencoder_kl::AutoencoderKlConfig;
use crate::{Error, Result};

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

/// What the system says; only the CPU's memory is known.
pub fn free_on(device: &Device) -> Option<u64> {
    device.is_cpu().then(free_memory).flatten()
}

/// Fails when that does not fit. Devices that do not say how much is free are believed to have it.
pub fn check(needed: u64, free: Option<u64>) -> Result<()> {
    match free {
        Some(available) if needed > available => Err(out_of_memory(needed, available)),
        _ => Ok(()),
    }
}

/// The error, with the settings that help.
pub fn out_of_memory(needed: u64, available: u64) -> Error {
    Error::OutOfMemory {
        needed,
        available,
        hint: "choose a smaller --size, --memory low, or another --device".into(),
    }
}

/// Whether a tensor error is the device's way of saying that its memory is full.
pub fn is_exhausted(error: &candle_core::Error) -> bool {
    let text = error.to_string().to_ascii_lowercase();
    text.contains("out_of_memory") || text.contains("out of memory")
}

/// Bytes that the system would give, where it says so.
pub fn free_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_decode_is_refused_with_numbers() {
        let flux = AutoencoderKlConfig::flux();
        assert_eq!(decode_bytes(&flux, 1024), 4 * 1024 * 1024 * 256 * 4);
        let error = check(u64::MAX, free_on(&Device::Cpu));
        if free_memory().is_some() {
            let text = error.expect_err("nobody has that much").to_string();
            assert!(
                text.contains("bytes needed") && text.contains("--size"),
                "{text}"
            );
        }
        assert!(check(1, free_on(&Device::Cpu)).is_ok() && check(u64::MAX, None).is_ok());
    }

    #[test]
    fn the_words_of_devices_are_known() {
        for text in [
            "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")",
            "Out of memory",
        ] {
            assert!(
                is_exhausted(&candle_core::Error::Msg(text.into())),
                "{text}"
            );
        }
        assert!(!is_exhausted(&candle_core::Error::Msg(
            "shape mismatch".into()
        )));
    }
}
