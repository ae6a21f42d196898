//! Golden fixtures of the kinds that the trainer owns; `mmface_tests::golden` is the harness.

use std::process::ExitCode;

#[path = "golden/optimizer.rs"]
mod optimizer;
#[path = "golden/schedules.rs"]
mod schedules;
#[path = "golden/shapes.rs"]
mod shapes;
#[path = "golden/train_steps.rs"]
mod train_steps;

fn main() -> ExitCode {
    mmface_tests::golden::run(
        mmface_tests::golden::TRAINER_KINDS,
        &[
            ("train_steps", train_steps::run),
            ("adamw", optimizer::adamw),
            ("adamw8bit", optimizer::adamw8bit),
            ("lr_schedule", schedules::lr_schedule),
            ("ema", schedules::ema),
        ],
    )
}
