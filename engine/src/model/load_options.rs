//! How a network's weights are kept and multiplied.

use candle_core::Device;

use crate::kernels::{Precision, Route, Storage};

/// How a network's weights are kept and multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// Which implementation of every operation runs.
    pub route: Route,
    /// Bytes per weight of frozen networks on the fused route; the composed one keeps plain tensors.
    pub storage: Storage,
    /// Arithmetic of the products on the fused route.
    pub precision: Precision,
    /// Keep plain tensors through which gradients reach the variables of the `VarBuilder`.
    pub trainable: bool,
}

impl LoadOptions {
    /// Frozen f32 weights with exact products, by the route of the device that holds them.
    pub fn for_device(device: &Device) -> Self {
        Self::frozen(Route::of(device))
    }

    /// Frozen f32 weights with exact products, by this route.
    pub fn frozen(route: Route) -> Self {
        Self {
            route,
            storage: Storage::F32,
            precision: Precision::Exact,
            trainable: false,
        }
    }

    /// Trainable weights with exact products, by this route.
    pub fn trainable(route: Route) -> Self {
        Self {
            trainable: true,
            ..Self::frozen(route)
        }
    }
}
