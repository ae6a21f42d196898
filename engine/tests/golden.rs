//! Golden fixtures of the kinds that the engine owns; `mmface_tests::golden` is the harness.

use std::process::ExitCode;

#[path = "golden/dit.rs"]
mod dit;

fn main() -> ExitCode {
    mmface_tests::golden::run(&[
        ("dit_forward", dit::forward),
        ("dit_block", dit::block),
        ("rope", dit::rope),
        ("timestep_embedding", dit::timestep_embedding),
        ("gradients", dit::gradients),
    ])
}
