//! A job as recipes of version 1, queues of format 1 and grids of sweeps hold it: its values beside
//! the condition instead of in a [`Draw`] of their own.

use serde::{Deserialize, Serialize};

use super::{Condition, Draw, Fork, Guide, Job, Sampler};

#[derive(Serialize, Deserialize)]
pub(super) struct FlatJob {
    condition: Condition,
    prompt: String,
    negative: String,
    seed: u64,
    count: usize,
    size: usize,
    steps: usize,
    sampler: Sampler,
    guidance: f64,
    guidance_interval: (f64, f64),
    #[serde(default, skip_serializing_if = "Guide::is_default")]
    guide: Guide,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fork: Option<Fork>,
}

impl From<FlatJob> for Job {
    fn from(flat: FlatJob) -> Self {
        Self {
            draw: Draw {
                prompt: flat.prompt,
                negative: flat.negative,
                seed: flat.seed,
                count: flat.count,
                size: flat.size,
                steps: flat.steps,
                sampler: flat.sampler,
                guidance: flat.guidance,
                interval: flat.guidance_interval,
                guide: flat.guide,
            },
            condition: flat.condition,
            fork: flat.fork,
        }
    }
}

impl From<Job> for FlatJob {
    fn from(job: Job) -> Self {
        let Job {
            draw,
            condition,
            fork,
        } = job;
        Self {
            condition,
            prompt: draw.prompt,
            negative: draw.negative,
            seed: draw.seed,
            count: draw.count,
            size: draw.size,
            steps: draw.steps,
            sampler: draw.sampler,
            guidance: draw.guidance,
            guidance_interval: draw.interval,
            guide: draw.guide,
            fork,
        }
    }
}
