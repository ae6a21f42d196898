//! Golden fixtures of the kinds that the engine owns; `mmface_tests::golden` is the harness.

use std::process::ExitCode;

#[path = "golden/autoencoders.rs"]
mod autoencoders;
#[path = "golden/clip_text.rs"]
mod clip_text;
#[path = "golden/dit.rs"]
mod dit;
#[path = "golden/end_to_end.rs"]
mod end_to_end;
#[path = "golden/guidance.rs"]
mod guidance;
#[path = "golden/noise.rs"]
mod noise;
#[path = "golden/picture.rs"]
mod picture;
#[path = "golden/pt_latent.rs"]
mod pt_latent;
#[path = "golden/samplers.rs"]
mod samplers;

fn main() -> ExitCode {
    mmface_tests::golden::run(
        mmface_tests::golden::ENGINE_KINDS,
        &[
            ("dit_forward", dit::forward),
            ("dit_block", dit::block),
            ("rope", dit::rope),
            ("timestep_embedding", dit::timestep_embedding),
            ("gradients", dit::gradients),
            ("clip_text", clip_text::run),
            ("pt_latent", pt_latent::run),
            ("guidance", guidance::run),
            ("samplers", samplers::run),
            ("noise_schedule", noise::schedule),
            ("torch_randn", noise::torch),
            ("resize", picture::resize),
            ("palette", picture::classes),
            ("end_to_end", end_to_end::end_to_end),
            ("autoencoder_kl", autoencoders::kl),
            ("autoencoder_tiny", autoencoders::tiny),
            ("face_parser", autoencoders::face_parser),
        ],
    )
}
