//! Which processor computes: the choice, a real probe, and one clear sentence about the outcome.

use std::str::FromStr;

use candle_core::Device;

use crate::{Error, Result};

/// What was asked for: `auto`, `cpu`, `cuda` or `cuda:N`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first usable GPU, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A certain GPU; an error when it cannot be used.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "auto" => Ok(Self::Auto),
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "cuda" => Ok(Self::Cuda(0)),
            Some(("cuda", number)) => number
                .parse()
                .map(Self::Cuda)
                .map_err(|_| format!("`{number}` is no device number")),
            _ => Err("the devices are auto, cpu, cuda and cuda:N".into()),
        }
    }
}

/// A device that answered.
#[derive(Clone, Debug)]
pub struct OpenDevice {
    /// The device.
    pub device: Device,
    /// Its name as it is written into recipes: `cpu` or `cuda:0`.
    pub name: String,
    /// Why `auto` did not take a GPU, when this build could have.
    pub note: Option<String>,
}

impl OpenDevice {
    /// The CPU, which is always there.
    pub fn cpu() -> Self {
        Self {
            device: Device::Cpu,
            name: "cpu".into(),
            note: None,
        }
    }
}

/// How the sentence about a card that cannot be used ends.
pub const ADVICE: &str = "; choose the CPU (--device cpu)";

/// Opens the device, after asking for every library and for the card itself.
///
/// # Errors
/// When CUDA is asked for by number and this build, the driver, a library or the card does not
/// allow it. The CPU and [`DeviceChoice::Auto`] always open.
pub fn open(choice: DeviceChoice) -> Result<OpenDevice> {
    match choice {
        DeviceChoice::Cpu => Ok(OpenDevice::cpu()),
        DeviceChoice::Cuda(number) => match probe(number) {
            Ok(device) => Ok(OpenDevice {
                device,
                name: format!("cuda:{number}"),
                note: None,
            }),
            Err(why) => Err(Error::Device(format!(
                "CUDA is not usable here: {why}{ADVICE}"
            ))),
        },
        DeviceChoice::Auto => match probe(0) {
            Ok(device) => Ok(OpenDevice {
                device,
                name: "cuda:0".into(),
                note: None,
            }),
            Err(why) => Ok(OpenDevice {
                note: cfg!(feature = "cuda")
                    .then(|| format!("CUDA is not usable here: {why}; running on the CPU")),
                ..OpenDevice::cpu()
            }),
        },
    }
}

#[cfg(not(feature = "cuda"))]
fn probe(_number: usize) -> Result<Device, String> {
    Err("this program was built without it (cargo build --features cuda)".into())
}

/// Asks before the first call into a CUDA library: cudarc panics when one is missing.
#[cfg(feature = "cuda")]
fn probe(number: usize) -> Result<Device, String> {
    use candle_core::cuda_backend::cudarc;

    let found = std::panic::catch_unwind(|| {
        let count =
            cudarc::driver::CudaContext::device_count().map_err(|error| error.to_string())?;
        if usize::try_from(count).is_ok_and(|count| count > number) {
            return Ok(());
        }
        Err(format!(
            "{count} CUDA devices were found, number {number} was asked for"
        ))
    });
    found.unwrap_or_else(|_| Err("the NVIDIA driver was not found".into()))?;
    let device =
        std::panic::catch_unwind(|| Device::new_cuda(number).map_err(|error| error.to_string()))
            .unwrap_or_else(|_| Err("cuBLAS or cuRAND was not found".into()))?;
    let context = device
        .as_cuda_device()
        .map_err(|error| error.to_string())?
        .cuda_stream();
    let (major, minor) = context
        .context()
        .compute_capability()
        .map_err(|error| error.to_string())?;
    if major < 8 {
        return Err(format!(
            "the card's compute capability {major}.{minor} is below 8.0"
        ));
    }
    Ok(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_parsed() {
        assert_eq!("auto".parse(), Ok(DeviceChoice::Auto));
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert_eq!("cuda:3".parse(), Ok(DeviceChoice::Cuda(3)));
        for wrong in ["", "gpu", "cuda:", "cuda:x", "cpu:0"] {
            assert!(wrong.parse::<DeviceChoice>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn auto_always_finds_a_device() {
        assert!(open(DeviceChoice::Auto).is_ok());
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_so() {
        let error = open(DeviceChoice::Cuda(0))
            .expect_err("no such feature")
            .to_string();
        assert!(
            error.contains("built without it") && error.contains("--device cpu"),
            "{error}"
        );
    }
}
