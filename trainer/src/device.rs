//! Which processor trains, for one process and for several.

use candle_core::Device;
use mmface_engine::device::DeviceChoice;
use mmface_engine::system::memory;

/// Reads `cpu`, `cuda` or `cuda:N`. Nothing is chosen by itself: training on a card is
/// type-checked, but has never run.
///
/// # Errors
/// With the words that can be read.
pub fn parse(text: &str) -> Result<DeviceChoice, String> {
    match text.parse() {
        Ok(DeviceChoice::Auto) | Err(_) => Err("the devices are cpu, cuda and cuda:N".into()),
        Ok(choice) => Ok(choice),
    }
}

/// The device of one of the processes that a machine's launcher starts: the first one takes the
/// card that was named, each further one the next.
pub fn of_rank(named: DeviceChoice, rank: usize) -> DeviceChoice {
    match named {
        DeviceChoice::Cuda(first) => DeviceChoice::Cuda(first + rank),
        other => other,
    }
}

/// The choice as [`parse`] reads it.
pub fn argument(choice: DeviceChoice) -> String {
    match choice {
        DeviceChoice::Cuda(number) => format!("cuda:{number}"),
        DeviceChoice::Cpu | DeviceChoice::Auto => "cpu".into(),
    }
}

/// Bytes that each of so many processes on this machine can still get on its device; a card is not
/// shared. `None` where the system does not tell.
pub fn available(device: &Device, processes: usize) -> Option<u64> {
    match device {
        Device::Cpu => memory::available_to_each(processes),
        card => free(card),
    }
}

#[cfg(feature = "cuda")]
fn free(card: &Device) -> Option<u64> {
    let stream = card.as_cuda_device().ok()?.cuda_stream();
    let (free, _) = stream.context().mem_get_info().ok()?;
    Some(free as u64)
}

#[cfg(not(feature = "cuda"))]
fn free(_card: &Device) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rank_takes_its_own_card() {
        let cards = |named: &str| -> Vec<String> {
            let named = parse(named).expect("a device");
            (0..3).map(|rank| argument(of_rank(named, rank))).collect()
        };
        assert_eq!(cards("cuda"), ["cuda:0", "cuda:1", "cuda:2"]);
        assert_eq!(cards("cuda:4"), ["cuda:4", "cuda:5", "cuda:6"]);
        assert_eq!(cards("cpu"), ["cpu"; 3]);
        for wrong in ["auto", "gpu", "cuda:x", ""] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
