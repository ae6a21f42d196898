//! Which implementation of an operation runs.

use candle_core::{Device, Result, Tensor};
use serde::{Deserialize, Serialize};

/// Which implementation of every operation runs. It is chosen once, where a network or an optimizer
/// is built, and carried by its weights; nothing below asks a tensor for its device to decide this.
///
/// Results of the two agree within rounding, not bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Route {
    /// Our own kernels: packed weights, and branches that are one operation each. They exist for f32
    /// on the CPU.
    Fused,
    /// Operations of the tensor library, one after the other: what a card runs, and what the CPU
    /// can run as well to repeat it.
    Composed,
}

impl Route {
    /// What a device runs when nobody asks for another route.
    pub fn of(device: &Device) -> Self {
        if device.is_cpu() {
            Self::Fused
        } else {
            Self::Composed
        }
    }

    /// Refuses a route that has no kernels for a device.
    ///
    /// # Errors
    /// When the fused kernels are asked for on anything but the CPU.
    pub fn check(self, device: &Device) -> Result<()> {
        if self == Self::Fused && !device.is_cpu() {
            candle_core::bail!(
                "the fused kernels exist for the CPU only; choose the route `Composed` on {:?}",
                device.location()
            );
        }
        Ok(())
    }

    /// Whether the kernels without a backward pass are to run: on the fused route, where no operand
    /// leads to a variable.
    ///
    /// # Shapes
    /// - operands: any
    pub(crate) fn infers(self, operands: &[&Tensor]) -> bool {
        self == Self::Fused && operands.iter().all(|operand| !operand.track_op())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_runs_either_route_and_fused_by_default() {
        assert_eq!(Route::of(&Device::Cpu), Route::Fused);
        for route in [Route::Fused, Route::Composed] {
            assert!(route.check(&Device::Cpu).is_ok());
        }
    }
}
