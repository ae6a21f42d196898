//! Golden fixtures of the kinds that the engine owns; `mmface_tests::golden` is the harness.

use std::process::ExitCode;

#[path = "golden/clip_text.rs"]
mod clip_text;
#[path = "golden/dit.rs"]
mod dit;
#[path = "golden/pt_latent.rs"]
mod pt_latent;

fn main() -> ExitCode {
    mmface_tests::golden::run(&[
        ("dit_forward", dit::forward),
        ("dit_block", dit::block),
        ("rope", dit::rope),
        ("timestep_embedding", dit::timestep_embedding),
        ("gradients", dit::gradients),
        ("clip_text", clip_text::run),
        ("pt_latent", pt_latent::run),
    ])
}
