//! Jobs of older files: recipes of version 1, queues of format 1 and grids of sweeps from then hold
//! the values beside the condition instead of in a [`Draw`] of their own.

use serde::{Deserialize, Deserializer};

use super::{Condition, Draw, Fork, Guide, Job, Sampler};

/// A job as it is written now, or as it was.
#[derive(Deserialize)]
pub(super) struct EitherJob {
    condition: Condition,
    #[serde(default)]
    fork: Option<Fork>,
    #[serde(default, deserialize_with = "there")]
    draw: Option<Draw>,
    #[serde(default, deserialize_with = "there")]
    prompt: Option<String>,
    #[serde(default, deserialize_with = "there")]
    negative: Option<String>,
    #[serde(default, deserialize_with = "there")]
    seed: Option<u64>,
    #[serde(default, deserialize_with = "there")]
    count: Option<usize>,
    #[serde(default, deserialize_with = "there")]
    size: Option<usize>,
    #[serde(default, deserialize_with = "there")]
    steps: Option<usize>,
    #[serde(default, deserialize_with = "there")]
    sampler: Option<Sampler>,
    #[serde(default, deserialize_with = "there")]
    guidance: Option<f64>,
    #[serde(default, deserialize_with = "there")]
    guidance_interval: Option<(f64, f64)>,
    #[serde(default)]
    guide: Guide,
}

/// A field that is there is written without `Some`.
fn there<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl TryFrom<EitherJob> for Job {
    type Error = String;

    #[allow(
        clippy::needless_update,
        reason = "values that were added later are as before they could be set"
    )]
    fn try_from(job: EitherJob) -> Result<Self, String> {
        let draw = match job.draw {
            Some(draw) => draw,
            None => {
                let missing = |name: &str| format!("missing field `{name}`");
                Draw {
                    prompt: job.prompt.ok_or_else(|| missing("prompt"))?,
                    negative: job.negative.ok_or_else(|| missing("negative"))?,
                    seed: job.seed.ok_or_else(|| missing("seed"))?,
                    count: job.count.ok_or_else(|| missing("count"))?,
                    size: job.size.ok_or_else(|| missing("size"))?,
                    steps: job.steps.ok_or_else(|| missing("steps"))?,
                    sampler: job.sampler.ok_or_else(|| missing("sampler"))?,
                    guidance: job.guidance.ok_or_else(|| missing("guidance"))?,
                    interval: job
                        .guidance_interval
                        .ok_or_else(|| missing("guidance_interval"))?,
                    guide: job.guide,
                    ..Draw::default()
                }
            }
        };
        Ok(Self {
            draw,
            condition: job.condition,
            fork: job.fork,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Job, String> {
        ron::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read_back() {
        let job = Job {
            draw: Draw {
                prompt: "a face".into(),
                guide: Guide::WordsAndDrawing,
                ..Draw::default()
            },
            fork: Some(Fork {
                step: 3,
                latent: vec![0.5, -1.0],
            }),
            ..Job::default()
        };
        let text = ron::to_string(&job).expect("plain data");
        assert!(text.contains("draw:("), "{text}");
        assert_eq!(read(&text), Ok(job));
    }

    #[test]
    fn older_jobs_are_read_and_damaged_ones_say_what_is_missing() {
        let old = "(condition:None,prompt:\"x\",negative:\"\",seed:7,count:2,size:128,steps:9,\
                   sampler:Heun,guidance:2.5,guidance_interval:(0.2,0.8),guide:WordsAndDrawing)";
        let draw = read(old).expect("reads").draw;
        assert_eq!((draw.prompt.as_str(), draw.negative.as_str()), ("x", ""));
        assert_eq!(
            (draw.seed, draw.count, draw.size, draw.steps),
            (7, 2, 128, 9)
        );
        assert_eq!(
            (draw.sampler, draw.guide),
            (Sampler::Heun, Guide::WordsAndDrawing)
        );
        assert_eq!((draw.guidance, draw.interval), (2.5, (0.2, 0.8)));
        let error = read(&old.replace("seed:7,", "")).expect_err("no seed");
        assert!(error.contains("missing field `seed`"), "{error}");
        let error = read("(condition:None)").expect_err("nothing");
        assert!(error.contains("prompt"), "{error}");
    }
}
