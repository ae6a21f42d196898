//! What a resumed run reads: what is given, else what its folder notes.

use std::path::{Path, PathBuf};

use mmface_engine::{Error, Result};
use mmface_run_protocol::{RunInputs, run_folder};

/// What a run continues with: what is given, else what its folder notes. Frozen networks that were
/// noted and are gone are left out, since a run can do without them; prepared data it cannot.
///
/// # Errors
/// With one line that says to pass `--work`, when the data is neither given nor noted, or is gone.
pub fn resolve(out: &Path, work: Option<&Path>, weights: Option<&Path>) -> Result<RunInputs> {
    let path = run_folder::inputs(out);
    let noted = RunInputs::read(out);
    let noted_weights = noted
        .as_ref()
        .ok()
        .and_then(|noted| noted.weights.clone())
        .filter(|weights| weights.is_dir());
    let work = match (work, noted) {
        (Some(work), _) => work.to_path_buf(),
        (None, Ok(noted)) => noted_work(&path, noted.work)?,
        (None, Err(what)) => return Err(unknown(&path, &what)),
    };
    Ok(RunInputs {
        work,
        weights: weights.map(Path::to_path_buf).or(noted_weights),
    })
}

fn noted_work(path: &Path, work: PathBuf) -> Result<PathBuf> {
    if work.as_os_str().is_empty() {
        return Err(unknown(path, "it names no folder"));
    }
    if !work.is_dir() {
        let what = format!("{} is gone", work.display());
        return Err(unknown(path, &what));
    }
    Ok(work)
}

fn unknown(path: &Path, what: &str) -> Error {
    Error::content(
        path,
        format!("it does not lead to the prepared data ({what})"),
        "name the data's folder with --work",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_given_comes_before_what_is_noted() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path();
        let inputs = RunInputs {
            work: out.join("data"),
            weights: Some(out.join("frozen")),
        };
        for there in [&inputs.work, inputs.weights.as_ref().unwrap()] {
            std::fs::create_dir(there).unwrap();
        }
        inputs.write(out).unwrap();
        assert_eq!(resolve(out, None, None).unwrap(), inputs);
        // What is given is taken as it is: whoever opens it says what is wrong with it.
        let given = resolve(out, Some(Path::new("w")), Some(Path::new("f"))).unwrap();
        assert_eq!(
            (given.work, given.weights),
            ("w".into(), Some(PathBuf::from("f")))
        );
        std::fs::remove_dir(out.join("frozen")).unwrap();
        assert_eq!(resolve(out, None, None).unwrap().weights, None);
    }

    #[test]
    fn data_that_is_not_known_or_gone_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path();
        let gone = format!("{{\"work\":{:?}}}", out.join("gone"));
        for (note, part) in [
            (None, "no such file"),
            (Some("{"), "EOF"),
            (Some("{}"), "names no folder"),
            (Some(gone.as_str()), "is gone"),
        ] {
            if let Some(text) = note {
                std::fs::write(run_folder::inputs(out), text).unwrap();
            }
            let told = resolve(out, None, None).unwrap_err().to_string();
            for part in [part, "inputs.json", "--work"] {
                assert!(told.contains(part), "{told}");
            }
            assert!(!told.contains('\n'), "{told}");
            assert_eq!(
                resolve(out, Some(out), None).unwrap().work,
                out,
                "{note:?} does not matter then"
            );
        }
    }
}
