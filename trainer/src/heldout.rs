//! Held-out loss with fixed noise and times, by part of the path: what decides when to stop.

use candle_core::Device;
use mmface_engine::Result;
use mmface_engine::job::Objective;
use mmface_engine::model::dit::Dit;

use crate::data::batches::HeldOut;
use crate::model;
use crate::objective::Target;
use crate::report::HeldOutReport;

/// Measures the unweighted loss of a model after update `step`.
///
/// # Errors
/// When a caption has no features, or a tensor operation fails.
pub fn measure(
    dit: &Dit,
    objective: Objective,
    set: &HeldOut<'_>,
    batch: usize,
    step: u64,
    device: &Device,
) -> Result<HeldOutReport> {
    let mut sums = [vec![0f64; set.buckets], vec![0f64; set.buckets]];
    let mut counts = [vec![0f64; set.buckets], vec![0f64; set.buckets]];
    let mut first = 0;
    while first < set.len() {
        let part = set.get(first, batch, device)?;
        let target = Target::new(objective, None, &part.data, &part.noise, &part.time)?;
        let errors = target
            .sample_errors(&model::predict(dit, &part, &target.noisy)?)?
            .to_vec1::<f32>()?;
        for (offset, error) in errors.iter().enumerate() {
            let (bucket, modality) = set.place(first + offset);
            sums[modality][bucket] += f64::from(*error);
            counts[modality][bucket] += 1.0;
        }
        first += errors.len().max(1);
    }
    let total: f64 = sums.iter().flatten().sum();
    let mean = |modality: usize| {
        sums[modality]
            .iter()
            .zip(&counts[modality])
            .map(|(sum, count)| sum / f64::max(*count, 1.0))
            .collect()
    };
    Ok(HeldOutReport {
        step,
        loss: total / counts.iter().flatten().sum::<f64>().max(1.0),
        mask: mean(0),
        sketch: mean(1),
    })
}
