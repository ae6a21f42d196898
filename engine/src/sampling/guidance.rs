//! Classifier-free guidance: away from what the negative prompt gives, towards the prompt.
//!
//! docs/reference.md section 4. Both branches keep the condition latent and the modality; only the
//! text differs. The batch order is [unconditional, conditional]. When guidance acts is the job's
//! to say ([`crate::job::Draw::guides`]); with weight 1 the unconditional branch cancels out and is
//! not computed.

use candle_core::Tensor;

use crate::{Error, Result};

/// u + w·(c − u).
///
/// # Shapes
/// - unconditional, conditional, result: any, equal
///
/// # Errors
/// When the shapes differ.
pub fn combine(unconditional: &Tensor, conditional: &Tensor, weight: f64) -> Result<Tensor> {
    let difference = (conditional - unconditional)?;
    super::combine(&[(1.0, unconditional), (weight, &difference)])
}

/// [`combine`] of a batch that holds both branches, unconditional first.
///
/// # Shapes
/// - both: `[2·B, ...]`
/// - result: `[B, ...]`
///
/// # Errors
/// When the batch is odd.
pub fn combine_halves(both: &Tensor, weight: f64) -> Result<Tensor> {
    let batch = both.dim(0)?;
    if !batch.is_multiple_of(2) {
        return Err(Error::Internal(format!(
            "a guided batch has two halves, not {batch} entries"
        )));
    }
    let half = batch / 2;
    combine(
        &both.narrow(0, 0, half)?,
        &both.narrow(0, half, half)?,
        weight,
    )
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn halves_are_unconditional_first() {
        let both = Tensor::new(&[[1f32, 2.0], [3.0, 6.0]], &Device::Cpu).expect("tensor");
        let guided = combine_halves(&both, 2.0)
            .and_then(|t| Ok(t.to_vec2::<f32>()?))
            .expect("guided");
        assert_eq!(guided, [[5.0, 10.0]]);
        assert!(combine_halves(&guided_odd(), 2.0).is_err());
    }

    fn guided_odd() -> Tensor {
        Tensor::new(&[[1f32], [2.0], [3.0]], &Device::Cpu).expect("tensor")
    }
}
