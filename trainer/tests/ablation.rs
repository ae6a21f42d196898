//! The ablation trains its rows one after the other, and goes on where it was stopped.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Heard, config, data, write_data};
use mmface_trainer::ablate::{ablate, order, table};
use mmface_trainer::config::{Config, Moments};
use mmface_trainer::report::TrainEvent;

#[test]
fn four_rows_at_tiny_scale_and_again_without_training() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let base = Config {
        steps: 3,
        accumulation: 1,
        ..config(Moments::F32)
    };
    let data = data(&base, folder.path());
    let out = folder.path().join("rows");
    let mut measured = Vec::new();
    let mut round = |heard: &mut Heard| {
        ablate(
            &base,
            &data,
            None,
            &out,
            heard,
            &mut || false,
            &mut |row, checkpoint| {
                assert!(checkpoint.join("complete").exists());
                measured.push(row.number);
                Ok(Some(0.1 * row.number as f64))
            },
        )
        .unwrap()
    };
    let mut first = Heard::default();
    let outcomes = round(&mut first);
    assert_eq!(outcomes.len(), 4);
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.heldout.is_finite() && outcome.steps == 3)
    );
    assert!(outcomes[0].parameters < outcomes[2].parameters);
    let mut second = Heard::default();
    assert_eq!(round(&mut second), outcomes);
    assert!(
        !second
            .0
            .iter()
            .any(|event| matches!(event, TrainEvent::Step(_)))
    );
    assert_eq!(measured, [1, 2, 3, 4, 1, 2, 3, 4]);
    assert!(order(&outcomes).contains("By mIoU rows 1, 2, 3, 4 stand"));
    assert!(table(&base, 5, &outcomes).contains("| 5 | ✓ | ✓ | ✓ | second | not run"));
}
