//! What to say when a run has too little memory.

use mmface_engine::{Error, Result};

use crate::config::Config;
use crate::plan::advice;

/// Compares what a run needs with what there is: on Linux a process that asks for too much memory
/// ends without a word. `needed` and `available` are those of one of `processes` on this machine;
/// `None` for what the system does not tell.
///
/// # Errors
/// With the settings to change. When `ignore` says to try it anyway, that is a warning.
pub fn check_run(
    config: &Config,
    needed: u64,
    processes: usize,
    available: Option<u64>,
    ignore: bool,
) -> Result<Option<String>> {
    if available.is_none_or(|available| needed <= available) {
        return Ok(None);
    }
    let advice = advice(config);
    let hint = match processes {
        0 | 1 => advice,
        count => format!(
            "that is for each of {count} processes on this machine; {advice}, or lower --ranks"
        ),
    };
    let short = |hint| Error::OutOfMemory {
        needed: Some(needed),
        available,
        hint,
    };
    if ignore {
        return Ok(Some(short(hint).to_string()));
    }
    Err(short(format!(
        "{hint}; or try it anyway with --ignore-memory"
    )))
}

/// Says which settings help when the device ran out of memory; other errors stay as they are.
/// `available` is what it has left.
pub fn name_the_setting(error: Error, config: &Config, available: Option<u64>) -> Error {
    match error {
        Error::OutOfMemory {
            needed,
            available: told,
            ..
        } => Error::OutOfMemory {
            needed,
            available: told.or(available),
            hint: format!(
                "{}; `resume` continues from the last checkpoint",
                advice(config)
            ),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn demo() -> Config {
        crate::presets::find("demo").unwrap().config().unwrap()
    }

    #[test]
    fn a_run_of_several_processes_counts_all_of_them() {
        // Two gigabytes for each fit into five, but not three times.
        let check = |processes| {
            let part = Some(5_000_000_000 / processes as u64);
            check_run(&demo(), 2_000_000_000, processes, part, false)
        };
        assert_eq!(check(2).unwrap(), None);
        let told = check(3).unwrap_err().to_string();
        for part in ["each of 3 processes", "2.0 GB", "1.7 GB", "--ranks"] {
            assert!(told.contains(part), "{told}");
        }
        assert!(!told.contains('\n'), "{told}");
    }

    #[test]
    fn too_little_memory_is_refused_unless_ignored() {
        let error = check_run(&demo(), 3_000_000_000, 1, Some(2_000_000_000), false).unwrap_err();
        let text = error.to_string();
        for part in ["3.0 GB", "2.0 GB", "accumulation", "--ignore-memory"] {
            assert!(text.contains(part), "{text}");
        }
        let warning = check_run(&demo(), 3, 1, Some(2), true).unwrap().unwrap();
        assert!(warning.contains("checkpointing"), "{warning}");
        assert_eq!(check_run(&demo(), 3, 1, Some(3), false).unwrap(), None);
        assert_eq!(check_run(&demo(), 3, 1, None, false).unwrap(), None);
    }

    #[test]
    fn a_devices_error_becomes_one_line_with_a_setting() {
        // As cuBLAS says it through the tensor library.
        let told = "CublasError(CUBLAS_STATUS_ALLOC_FAILED)\n   0: backtrace";
        let error = Error::from(candle_core::Error::Msg(told.into()));
        let text = name_the_setting(error, &demo(), Some(5_000_000)).to_string();
        assert!(!text.contains('\n'), "{text}");
        for part in [
            "out of memory",
            "5.0 MB",
            "accumulation",
            "checkpointing",
            "batch",
            "resume",
        ] {
            assert!(text.contains(part), "{text}");
        }
        let other = name_the_setting(Error::Cancelled, &demo(), None);
        assert!(matches!(other, Error::Cancelled));
    }
}
