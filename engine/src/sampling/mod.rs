//! From noise to latent: noise, schedules, samplers and guidance.
//!
//! A [`Walk`] is one sampling run as plain data: it names the times of all model evaluations up
//! front, says what the model must look at next, and takes the model's answers one by one. Who
//! calls the model, previews, cancels or branches is the caller's business:
//!
//! ```no_run
//! # use mmface_engine::{job::Sampler, sampling::{NoiseSchedule, Walk, torch_randn}};
//! # use candle_core::{Device, Tensor};
//! # fn model(latent: &Tensor, time: f64) -> mmface_engine::Result<Tensor> { Ok(latent.clone()) }
//! # fn main() -> mmface_engine::Result<()> {
//! let noise = torch_randn(0, (1, 16, 32, 32), &Device::Cpu)?;
//! let mut walk = Walk::new(Sampler::Euler, 50, &NoiseSchedule::default(), noise)?;
//! while let Some(evaluation) = walk.next() {
//!     let output = model(walk.input(), evaluation.time)?;
//!     walk.advance(&output)?;
//! }
//! let latent = walk.latent();
//! # Ok(()) }
//! ```

pub mod guidance;
mod noise;
pub mod preview;
mod schedule;
mod solver;
mod walk;

use candle_core::Tensor;

pub use noise::{TorchGenerator, torch_randn};
pub use preview::LinearPreview;
pub use schedule::NoiseSchedule;
pub use walk::{Evaluation, Walk};

use crate::Result;

/// Weighted sum of tensors of one shape, added up from left to right.
fn combine(terms: &[(f64, &Tensor)]) -> Result<Tensor> {
    let mut sum: Option<Tensor> = None;
    for &(weight, tensor) in terms {
        let term = if weight == 1.0 {
            tensor.clone()
        } else {
            tensor.affine(weight, 0.0)?
        };
        sum = Some(match sum {
            Some(sum) => (sum + term)?,
            None => term,
        });
    }
    sum.ok_or_else(|| crate::Error::Internal("a sum without terms".to_owned()))
}
