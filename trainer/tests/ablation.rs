//! The ablation trains its rows one after the other, and continues where it was stopped.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::Path;

use common::{Recorded, config, data, write_data};
use mmface_trainer::ablate::{Material, Outcome, ablate, order};
use mmface_trainer::config::{Config, Moments};
use mmface_trainer::prepare;
use mmface_trainer::report::TrainEvent;

fn three_updates() -> Config {
    Config {
        steps: 3,
        accumulation: 1,
        ..config(Moments::F32)
    }
}

#[test]
fn four_rows_at_tiny_scale_and_again_without_training() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let base = three_updates();
    let data = data(&base, folder.path());
    let out = folder.path().join("rows");
    let material = Material {
        first: &data,
        second: None,
        note: "A note.".into(),
    };
    let mut measured = Vec::new();
    let mut round = |recorded: &mut Recorded| {
        ablate(
            &base,
            &material,
            &out,
            recorded,
            &mut || false,
            &mut |row, checkpoint| {
                assert!(checkpoint.join("complete").exists());
                measured.push(row.number);
                Ok(Some(0.1 * row.number as f64))
            },
        )
        .unwrap()
    };
    let mut first = Recorded::default();
    let outcomes = round(&mut first);
    assert_eq!(outcomes.len(), 4);
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.heldout.is_finite() && outcome.steps == 3)
    );
    assert!(outcomes[0].parameters < outcomes[2].parameters);
    let mut second = Recorded::default();
    assert_eq!(round(&mut second), outcomes);
    assert!(
        !second
            .0
            .iter()
            .any(|event| matches!(event, TrainEvent::Step(_)))
    );
    assert_eq!(measured, [1, 2, 3, 4, 1, 2, 3, 4]);
    assert!(order(&outcomes).contains("By mIoU rows 1, 2, 3, 4 stand"));
    let table = std::fs::read_to_string(out.join("ablation.md")).unwrap();
    assert!(
        table.contains("| 5 | ✓ | ✓ | ✓ | second | not run"),
        "{table}"
    );
    assert!(table.contains("A note."), "{table}");
    let json = std::fs::read(out.join("ablation.json")).unwrap();
    let written: Vec<Outcome> = serde_json::from_slice(&json).unwrap();
    for (a, b) in written.iter().zip(&outcomes) {
        assert_eq!((a.number, a.steps), (b.number, b.steps));
        assert!((a.heldout - b.heldout).abs() < 1e-12);
    }
}

#[test]
fn a_stopped_row_goes_on_and_the_last_row_sees_all_channels() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let base = three_updates();
    let whole = data(&base, folder.path());
    let coarse = folder.path().join("coarse");
    let (_, reduced) = prepare::coarsen(&base, folder.path(), &coarse, 2).unwrap();
    let material = Material {
        first: &reduced,
        second: Some(&whole),
        note: String::new(),
    };
    let run = |out: &Path, control: &mut dyn FnMut() -> bool| {
        let mut recorded = Recorded::default();
        let mut control = control;
        let outcomes = ablate(
            &base,
            &material,
            out,
            &mut recorded,
            &mut control,
            &mut |_, _| Ok(None),
        );
        (outcomes, recorded)
    };
    let straight = folder.path().join("straight");
    let (outcomes, _) = run(&straight, &mut || false);
    let outcomes = outcomes.unwrap();
    assert_eq!(outcomes.len(), 5);
    assert!(outcomes[4].parameters > outcomes[3].parameters);

    // Stopped in the second row, after its first update.
    let broken = folder.path().join("broken");
    let mut updates = 0;
    let (stopped, _) = run(&broken, &mut || {
        updates += 1;
        updates == 4
    });
    assert!(stopped.is_err());
    let table = std::fs::read_to_string(broken.join("ablation.md")).unwrap();
    assert!(
        table.contains("| 2 | ✓ | – | – | first | not run yet"),
        "{table}"
    );
    let (again, recorded) = run(&broken, &mut || false);
    let begun: Vec<u64> = recorded
        .0
        .iter()
        .filter_map(|event| match event {
            TrainEvent::Started(started) => Some(started.step),
            _ => None,
        })
        .collect();
    assert_eq!(begun, [1, 0, 0, 0], "row 1 is done, row 2 continues");
    for (a, b) in outcomes.iter().zip(again.unwrap()) {
        assert_eq!(
            (a.number, a.steps, a.heldout),
            (b.number, b.steps, b.heldout)
        );
    }
}
