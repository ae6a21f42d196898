//! Pictures of held-out conditions, drawn by the very pipeline that `mmface generate` runs.

use mmface_engine::contract::{Attempt, Backend as _, Cancel, Observer};
use mmface_engine::job::{Condition, Draw, Job};
use mmface_engine::picture::RgbImage;
use mmface_engine::pipeline::Pipeline;
use mmface_engine::system::interrupt;
use mmface_engine::{Error, Result};

/// The job of one sample: the values of the evaluation, with the sample's own prompt and noise.
pub fn job(values: &Draw, condition: Condition, prompt: &str, index: usize) -> Job {
    Job {
        draw: Draw {
            prompt: prompt.to_owned(),
            seed: values.seed.wrapping_add(index as u64),
            count: 1,
            ..values.clone()
        },
        condition,
        fork: None,
    }
}

/// Draws the jobs' pictures in order; each job asks for one.
///
/// # Errors
/// When a job does not fit the model, drawing fails, or somebody asks the program to stop.
pub fn draw(pipeline: &mut Pipeline, jobs: &[Job]) -> Result<Vec<RgbImage>> {
    let cancel = Cancel::new();
    let mut watch = Interrupt(cancel.clone());
    let mut pictures = Vec::with_capacity(jobs.len());
    for job in jobs {
        let drawn = pipeline.run(job, Attempt::default(), &mut watch, &cancel)?;
        let picture = drawn.into_iter().next();
        pictures.push(picture.ok_or(Error::Cancelled)?.image);
    }
    Ok(pictures)
}

/// Ends the drawing between two steps when the program is asked to stop.
struct Interrupt(Cancel);

impl Observer for Interrupt {
    fn step(&mut self, _index: usize, _of: usize, _seconds: f64, _preview: Option<RgbImage>) {
        if interrupt::asked() {
            self.0.raise();
        }
    }

    /// What a caption is cut to is the training's affair: it was cut there, too.
    fn warning(&mut self, _text: String) {}
}
