//! What a run needs of a process's memory, and which settings need less.

use mmface_engine::kernels::Route;
use mmface_engine::model::dit::DitConfig;
use mmface_run_protocol::plan::MemoryEstimate;

use crate::config::{Checkpointing, Config, Moments};
use crate::optim::adamw::moment_bytes;

/// f32 values that one block keeps for the backward pass, for each token and channel, when its
/// branches are fused: their inputs (2), q k v (3), attention (1), the branches before their gates
/// (2), the MLP's hidden layer (4); less what is freed before the last block is through. Checked
/// against measured memory in the tests.
const VALUES_PER_CHANNEL: f64 = 11.0;
/// The same on the composed route, where every operation stands alone: the normalised inputs, the joined
/// projections, the hidden layer after GELU, and the gradients in flight come on top.
const VALUES_PER_CHANNEL_APART: f64 = 22.0;
/// Memory of a process before it does anything.
const PROCESS: u64 = 32 << 20;

/// Estimates the memory of one of `ranks` processes that run by this route; captions have `tokens`
/// tokens.
pub fn memory_estimate(
    config: &Config,
    ranks: usize,
    tokens: usize,
    route: Route,
) -> MemoryEstimate {
    // Branches of a block are one operation each.
    let fused = route == Route::Fused;
    let dit = config.model.dit();
    let parameters = dit.parameter_count() as u64;
    let part = (config.batch / (ranks * config.accumulation).max(1)).max(1) as f64;
    let grid = config.resolution / 8 / dit.patch;
    let per_token = part * (grid * grid + tokens) as f64 * dit.hidden as f64 * 4.0;
    let block = per_token
        * if fused {
            VALUES_PER_CHANNEL * (7.0 + dit.mlp_ratio) / 11.0
        } else {
            VALUES_PER_CHANNEL_APART * (9.0 + dit.mlp_ratio * 2.0) / 17.0
        };
    let depth = dit.depth as f64;
    let again = |checkpointing: Checkpointing| {
        (0..dit.depth)
            .filter(|&index| checkpointing.again(index, dit.depth))
            .count()
    };
    // Two streams' projections are fused; one for both is not.
    let joined = match (dit.dual_stream, fused) {
        (true, true) => 0,
        (true, false) => 6,
        (false, _) => 3,
    } * dit.hidden
        * dit.hidden
        * 4;
    // Hidden rows and their gradient, and rows of a branch, kept between calls of fused operations.
    let spare = if fused {
        per_token * (2.0 * dit.mlp_ratio + 2.0)
    } else {
        // AdamW by tensor operations makes so many tensors of the largest parameter's size on its way.
        let sizes = dit.tensors().into_iter().map(|(_, shape)| shape);
        let largest = sizes.map(|shape| shape.iter().product::<usize>()).max();
        (8 * 4 * largest.unwrap_or(0)) as f64
    } as u64;
    let plain = (block * depth) as u64;
    // Blocks that keep everything, inputs of all, and one block that is computed again.
    let kept = |checkpointing| {
        let kept = (dit.depth - again(checkpointing)) as f64;
        (kept * block + 2.0 * per_token * depth + block) as u64
    };
    let (selective, checkpointed) = (kept(Checkpointing::Selective), kept(Checkpointing::Full));
    let latent = (part as usize * 3 * dit.channels / 2 * (config.resolution / 8).pow(2) * 4) as u64;
    let text = (part as usize * tokens * dit.text_dim * 4) as u64;
    MemoryEstimate {
        weights: 4 * parameters,
        average: 4 * parameters,
        optimizer: optimizer_bytes(&dit, config.optimizer.moments),
        gradients: 4 * parameters,
        copies: match config.checkpointing {
            Checkpointing::None => (joined * dit.depth) as u64,
            some => (joined * (dit.depth - again(some) + 2).min(dit.depth)) as u64,
        },
        activations: match config.checkpointing {
            Checkpointing::None => plain,
            Checkpointing::Selective => selective.min(plain),
            Checkpointing::Full => checkpointed.min(plain),
        },
        activations_plain: plain,
        activations_selective: selective,
        activations_checkpointed: checkpointed,
        rest: PROCESS + 4 * (latent + text) + spare,
    }
}

fn optimizer_bytes(dit: &DitConfig, moments: Moments) -> u64 {
    dit.tensors()
        .iter()
        .map(|(_, shape)| moment_bytes(moments, shape.iter().product()))
        .sum::<usize>() as u64
}

/// Which settings of this configuration would need less memory, the cheapest first, as a clause.
pub fn advice(config: &Config) -> String {
    let mut ways = Vec::new();
    let mut double = config.accumulation * 2;
    while double < config.batch && !config.batch.is_multiple_of(double) {
        double += 1;
    }
    if config.accumulation < config.batch && config.batch.is_multiple_of(double) {
        ways.push(format!(
            "raise `accumulation` to {double} (the same batch in smaller parts)"
        ));
    }
    match config.checkpointing {
        Checkpointing::None => ways.push("set `checkpointing: Selective` or `Full`".into()),
        Checkpointing::Selective => ways.push("set `checkpointing: Full`".into()),
        Checkpointing::Full => {}
    }
    if config.optimizer.moments == Moments::F32 {
        ways.push("set `optimizer.moments: Bits8`".into());
    }
    ways.push("lower `batch` or `resolution`".into());
    ways.join(", or ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::presets;

    #[test]
    fn memory_items_follow_the_settings() {
        let preset = presets::find("paper-256-flow").unwrap();
        let config = preset.config().unwrap();
        let estimate = memory_estimate(&config, 2, 77, Route::Fused);
        assert_eq!(estimate.weights, 4 * 1_345_298_624);
        // Two bytes a value, and a scale for each of 256 twice.
        let share = estimate.optimizer as f64 / 1_345_298_624.0;
        assert!((2.03..2.05).contains(&share), "{share}");
        let full = Config {
            optimizer: crate::config::OptimizerConfig {
                moments: Moments::F32,
                ..config.optimizer.clone()
            },
            checkpointing: Checkpointing::None,
            ..config.clone()
        };
        let apart = memory_estimate(&full, 2, 77, Route::Composed);
        let full = memory_estimate(&full, 2, 77, Route::Fused);
        assert_eq!(full.optimizer, 8 * 1_345_298_624);
        assert_eq!(full.activations, estimate.activations_plain);
        assert!(apart.activations > 5 * apart.activations_checkpointed);
        assert!(full.activations > 4 * estimate.activations_checkpointed);
        assert!(full.activations > estimate.activations_selective);
        assert!(estimate.activations_selective > 2 * estimate.activations_checkpointed);
        let halved = memory_estimate(
            &Config {
                accumulation: 2,
                ..config
            },
            2,
            77,
            Route::Fused,
        );
        assert!(halved.activations * 10 < estimate.activations * 6);
    }

    #[test]
    fn estimates_are_near_what_was_measured() {
        // BENCHMARKS.md, Memory of training: side, batch, checkpointing, largest resident megabytes.
        use Checkpointing::{Full, None};
        for (resolution, batch, checkpointing, measured) in [
            (128, 4, None, 325.0),
            (128, 16, None, 400.1),
            (128, 16, Full, 358.1),
            (256, 8, None, 471.5),
            (256, 8, Full, 400.1),
        ] {
            let config = Config {
                resolution,
                batch,
                checkpointing,
                ..presets::find("demo").unwrap().config().unwrap()
            };
            let ratio =
                memory_estimate(&config, 1, 48, Route::Fused).total() as f64 / 1e6 / measured;
            assert!(
                (0.98..1.2).contains(&ratio),
                "{resolution} {batch}: {ratio}"
            );
        }
    }

    #[test]
    fn advice_names_only_what_is_left_to_change() {
        let mut config = presets::find("demo").unwrap().config().unwrap();
        let text = advice(&config);
        for part in ["`accumulation` to 2", "Selective", "Bits8", "`batch`"] {
            assert!(text.contains(part), "{text}");
        }
        config.checkpointing = Checkpointing::Full;
        config.optimizer.moments = Moments::Bits8;
        config.accumulation = config.batch;
        assert_eq!(advice(&config), "lower `batch` or `resolution`");
    }
}
