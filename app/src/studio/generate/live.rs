//! When the live preview draws again: quick models follow every change, slow ones wait for a pause
//! of the hand, but never long. No engine here.

use mmface_engine::contract::JobId;
use mmface_engine::job::{ConditionKind, Draw};

use crate::studio::document::Request;

/// Above this average a render counts as slow, seconds.
const SLOW: f64 = 1.5;
/// How long the hand must rest before a slow render begins, seconds.
const REST: f64 = 0.25;
/// The longest that a change is held back, seconds.
const LONGEST: f64 = 3.0;
/// Steps of a live picture unless a person chooses others.
const STEPS: usize = 8;

/// What a live picture depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The painter's revision; zero when the drawing is not followed.
    revision: u64,
    request: Request,
}

impl Input {
    /// What the next live picture would be drawn from.
    pub fn new(revision: u64, request: &Request) -> Self {
        Self {
            revision: match request.follow == ConditionKind::None {
                true => 0,
                false => revision,
            },
            request: Request {
                draw: Draw {
                    count: 1,
                    steps: 1,
                    ..request.draw.clone()
                },
                seed_locked: true,
                ..request.clone()
            },
        }
    }
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Due {
    /// Nothing, until something changes.
    Nothing,
    /// Draw.
    Now,
    /// Ask again at this time.
    At(f64),
}

/// The live preview.
#[derive(Clone, Debug)]
pub struct Live {
    /// It follows the drawing.
    pub on: bool,
    /// Steps of a live picture.
    pub steps: usize,
    seen: Option<Input>,
    /// The first and the last change that no picture was drawn of.
    changed: Option<(f64, f64)>,
    flight: Option<(JobId, f64)>,
    average: Option<f64>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            on: false,
            steps: STEPS,
            seen: None,
            changed: None,
            flight: None,
            average: None,
        }
    }
}

impl Live {
    /// Notes what there is to draw; a change is due sooner or later.
    pub fn look(&mut self, input: Input, now: f64) {
        if self.on && self.seen.as_ref() != Some(&input) {
            self.seen = Some(input);
            let first = self.changed.map_or(now, |(first, _)| first);
            self.changed = Some((first, now));
        }
    }

    /// What to do now.
    pub fn due(&self, now: f64) -> Due {
        let (true, Some((first, last))) = (self.on, self.changed) else {
            return Due::Nothing;
        };
        if self.average.is_some_and(|average| average > SLOW) {
            let at = (last + REST).min(first + LONGEST);
            return if now >= at { Due::Now } else { Due::At(at) };
        }
        match self.flight {
            None => Due::Now,
            // A quick render ends in a moment; one that turns out slow gives way.
            Some((_, began)) => {
                let at = (began + SLOW).max((last + REST).min(first + LONGEST));
                if now >= at { Due::Now } else { Due::At(at) }
            }
        }
    }

    /// Notes that a picture of the newest input is on its way.
    pub fn started(&mut self, job: JobId, now: f64) {
        self.flight = Some((job, now));
        self.changed = None;
    }

    /// The job on its way.
    pub fn job(&self) -> Option<JobId> {
        self.flight.map(|(job, _)| job)
    }

    /// Notes the end of the job on its way; `whole` when its picture was finished.
    pub fn ended(&mut self, whole: bool, now: f64) {
        if let Some((_, began)) = self.flight.take().filter(|_| whole) {
            let took = now - began;
            let average = self
                .average
                .map_or(took, |average| average * 0.7 + took * 0.3);
            self.average = Some(average);
        }
    }

    /// Makes a picture due though nothing has changed: the one on its way was lost.
    pub fn again(&mut self, now: f64) {
        if self.on && self.seen.is_some() {
            let first = self.changed.map_or(now, |(first, _)| first);
            self.changed = Some((first, now));
        }
    }

    /// Ends live mode; what is returned must be cancelled.
    pub fn stop(&mut self) -> Option<JobId> {
        self.on = false;
        self.seen = None;
        self.changed = None;
        self.flight.take().map(|(job, _)| job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(revision: u64) -> Input {
        Input::new(revision, &Request::default())
    }

    fn on(average: Option<f64>) -> Live {
        Live {
            on: true,
            average,
            ..Live::default()
        }
    }

    #[test]
    fn quick_models_follow_at_once_with_one_job_in_flight() {
        let mut live = on(Some(0.3));
        assert_eq!(live.due(0.0), Due::Nothing);
        live.look(input(1), 1.0);
        assert_eq!(live.due(1.0), Due::Now);
        live.started(JobId(1), 1.0);
        assert_eq!(live.due(1.0), Due::Nothing);
        live.look(input(1), 1.1);
        assert_eq!(live.due(1.1), Due::Nothing, "nothing changed");
        live.look(input(2), 1.2);
        assert!(
            matches!(live.due(1.2), Due::At(_)),
            "the first is on its way"
        );
        live.ended(true, 1.3);
        assert_eq!(live.due(1.3), Due::Now);
    }

    #[test]
    fn slow_models_wait_for_a_rest_but_never_three_seconds() {
        let mut live = on(Some(4.0));
        let mut now = 10.0;
        for revision in 0..29 {
            live.look(input(revision), now);
            assert!(matches!(live.due(now), Due::At(_)), "{now}");
            now += 0.1;
        }
        assert_eq!(live.due(now), Due::At(13.0), "the longest wait");
        assert_eq!(live.due(13.0), Due::Now);
        live.started(JobId(1), 13.0);
        live.look(input(99), 14.0);
        assert_eq!(live.due(14.1), Due::At(14.25));
        assert_eq!(live.due(14.25), Due::Now, "the newest wins");
    }

    #[test]
    fn a_first_render_that_turns_out_slow_gives_way() {
        let mut live = on(None);
        live.look(input(1), 0.0);
        live.started(JobId(1), 0.0);
        live.look(input(2), 0.5);
        assert_eq!(live.due(1.0), Due::At(1.5));
        assert_eq!(live.due(1.5), Due::Now);
    }

    #[test]
    fn off_means_off() {
        let mut live = on(Some(0.1));
        live.look(input(1), 0.0);
        live.started(JobId(3), 0.0);
        live.look(input(2), 0.1);
        assert_eq!(live.stop(), Some(JobId(3)));
        live.look(input(3), 0.2);
        assert_eq!((live.due(9.0), live.job()), (Due::Nothing, None));
    }

    #[test]
    fn only_what_changes_the_picture_counts() {
        let request = Request {
            follow: ConditionKind::None,
            ..Request::default()
        };
        assert_eq!(Input::new(1, &request), Input::new(2, &request));
        assert_ne!(input(1), input(2));
        let more = Request {
            draw: Draw {
                count: 4,
                ..Draw::default()
            },
            ..Request::default()
        };
        assert_eq!(Input::new(1, &more), input(1));
    }
}
