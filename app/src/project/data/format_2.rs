//! A project as formats 1 and 2 wrote it: the values of the drawing beside the others.

use mmface_engine::job::{ConditionKind, Draw, Guide, Sampler};
use serde::Deserialize;

use super::{FORMAT, Layers, ProjectData, ResultRef};
use crate::paint::ToolSettings;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FlatData {
    #[serde(rename = "format")]
    _format: u32,
    prompt: String,
    negative: String,
    seed: u64,
    seed_locked: bool,
    count: usize,
    size: usize,
    steps: usize,
    sampler: Sampler,
    guidance: f64,
    guidance_interval: (f64, f64),
    guide: Guide,
    follow: ConditionKind,
    side: usize,
    tools: ToolSettings,
    template: Option<String>,
    fork_step: usize,
    onion: Option<f32>,
    layers: Option<Layers>,
    results: Vec<ResultRef>,
    copies: bool,
}

impl Default for FlatData {
    fn default() -> Self {
        let ProjectData {
            format,
            draw,
            seed_locked,
            follow,
            side,
            tools,
            template,
            fork_step,
            onion,
            layers,
            results,
            copies,
        } = ProjectData::default();
        Self {
            _format: format,
            prompt: draw.prompt,
            negative: draw.negative,
            seed: draw.seed,
            seed_locked,
            count: draw.count,
            size: draw.size,
            steps: draw.steps,
            sampler: draw.sampler,
            guidance: draw.guidance,
            guidance_interval: draw.interval,
            guide: draw.guide,
            follow,
            side,
            tools,
            template,
            fork_step,
            onion,
            layers,
            results,
            copies,
        }
    }
}

impl From<FlatData> for ProjectData {
    #[allow(
        clippy::needless_update,
        reason = "values that were added later are as before they could be set"
    )]
    fn from(flat: FlatData) -> Self {
        Self {
            format: FORMAT,
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
                ..Draw::default()
            },
            seed_locked: flat.seed_locked,
            follow: flat.follow,
            side: flat.side,
            tools: flat.tools,
            template: flat.template,
            fork_step: flat.fork_step,
            onion: flat.onion,
            layers: flat.layers,
            results: flat.results,
            copies: flat.copies,
        }
    }
}
