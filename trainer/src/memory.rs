//! How much memory this process has and may still get, and what to say when that is too little.

use std::path::{Path, PathBuf};

use mmface_engine::{Error, Result};

use crate::config::Config;
use crate::plan::advice;
use crate::report::plain::bytes;

/// Resident memory of this process in bytes; 0 where the system does not tell.
pub fn resident() -> u64 {
    field("/proc/self/status", "VmRSS:").unwrap_or(0)
}

/// The most that was resident so far, in bytes; 0 where the system does not tell.
pub fn peak() -> u64 {
    field("/proc/self/status", "VmHWM:").unwrap_or(0)
}

/// Memory that each of so many processes, of which this is one, can still get, in bytes: its share
/// of what the machine has left and of what its control groups (containers, batch systems) allow,
/// and what its own limit (`ulimit -v`) allows, whichever is least; `None` where the system does not
/// tell.
pub fn available(processes: usize) -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let shared = [
        field("/proc/meminfo", "MemAvailable:"),
        group_room(Path::new("/sys/fs/cgroup"), &groups),
    ];
    share(shared.into_iter().flatten().min(), own_room(), processes)
}

/// What one of so many processes gets of what they share, within what is its own.
fn share(shared: Option<u64>, own: Option<u64>, processes: usize) -> Option<u64> {
    let part = shared.map(|shared| shared / processes.max(1) as u64);
    [part, own].into_iter().flatten().min()
}

/// What is left below the tightest limit of the control groups that `listing` names, in both
/// versions of the interface.
fn group_room(root: &Path, listing: &str) -> Option<u64> {
    let mut least = None;
    for line in listing.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(kinds), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (base, limit, used) = if kinds.is_empty() {
            (root.to_path_buf(), "memory.max", "memory.current")
        } else if kinds.split(',').any(|kind| kind == "memory") {
            let names = ("memory.limit_in_bytes", "memory.usage_in_bytes");
            (root.join("memory"), names.0, names.1)
        } else {
            continue;
        };
        // A limit of a group above holds, too. Inside a container the path may not be visible.
        let own = base.join(path.trim_start_matches('/'));
        for folder in own
            .ancestors()
            .take_while(|folder| folder.starts_with(&base))
        {
            let number = |name: &str| number_in(&folder.join(name));
            if let (Some(limit), Some(used)) = (number(limit), number(used)) {
                let room = limit.saturating_sub(used);
                least = Some(least.map_or(room, |least: u64| least.min(room)));
            }
        }
    }
    least
}

/// The number in a file; `None` for `max` and for what cannot be read.
fn number_in(path: &PathBuf) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// What the limit on the address space leaves.
#[cfg(target_os = "linux")]
fn own_room() -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: getrlimit writes one rlimit, to which the pointer is valid and exclusive.
    let done = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) };
    let size = field("/proc/self/status", "VmSize:")?;
    (done == 0 && limit.rlim_cur != libc::RLIM_INFINITY)
        .then(|| limit.rlim_cur.saturating_sub(size))
}

#[cfg(not(target_os = "linux"))]
fn own_room() -> Option<u64> {
    None
}

fn field(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let kilobytes = text.lines().find_map(|line| {
        let value = line.strip_prefix(name)?.trim().trim_end_matches("kB");
        value.trim().parse::<u64>().ok()
    })?;
    Some(kilobytes * 1024)
}

/// What is missing for so many bytes in each of so many processes on this machine and which
/// settings help, or `None` when they fit or the system does not tell.
pub fn shortage(
    config: &Config,
    needed: u64,
    processes: usize,
    available: Option<u64>,
) -> Option<String> {
    let available = available?;
    let (whose, fewer) = match processes {
        0 | 1 => (String::new(), ""),
        count => (
            format!(" by each of {count} processes on this machine"),
            ", or lower --ranks",
        ),
    };
    (needed > available).then(|| {
        format!(
            "about {} more memory will be needed{whose} and {} are available: {}{fewer}",
            bytes(needed),
            bytes(available),
            advice(config)
        )
    })
}

/// Refuses a run that the system would kill: on Linux a process that asks for too much memory ends
/// without a word. `needed` and `available` are those of one of `processes` on this machine.
///
/// # Errors
/// With the settings to change, unless `ignore` says to try it anyway.
pub fn check_run(
    config: &Config,
    needed: u64,
    processes: usize,
    available: Option<u64>,
    ignore: bool,
) -> Result<Option<String>> {
    match shortage(config, needed, processes, available) {
        Some(what) if !ignore => Err(Error::Argument(format!(
            "{what}; or try it anyway with --ignore-memory"
        ))),
        other => Ok(other),
    }
}

/// Says which settings help when a device ran out of memory; other errors stay as they are.
pub fn name_the_setting(error: Error, config: &Config) -> Error {
    let told = error.to_string();
    let text = told.to_lowercase();
    let exhausted = matches!(error, Error::OutOfMemory { .. })
        || ["out of memory", "out_of_memory", "alloc_failed"]
            .iter()
            .any(|sign| text.contains(sign));
    if !exhausted {
        return error;
    }
    // The tensor library may put a backtrace below the first line.
    let first = told.lines().next().unwrap_or_default();
    Error::Argument(format!(
        "the device ran out of memory ({first}): {}; `resume` goes on from the last checkpoint",
        advice(config)
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn demo() -> Config {
        crate::presets::find("demo").unwrap().config().unwrap()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_tells() {
        assert!(resident() > 1 << 20 && peak() >= resident() / 2);
        assert!(available(1).unwrap() > 0);
    }

    #[test]
    fn processes_share_the_machine_but_not_their_own_limits() {
        assert_eq!(share(Some(900), None, 1), Some(900));
        assert_eq!(share(Some(900), None, 3), Some(300));
        assert_eq!(share(Some(900), Some(400), 2), Some(400));
        assert_eq!(share(Some(900), Some(400), 3), Some(300));
        assert_eq!(share(None, Some(400), 3), Some(400));
        assert_eq!(share(None, None, 3), None);
    }

    #[test]
    fn a_run_of_several_processes_counts_all_of_them() {
        // Two gigabytes for each fit into five, but not three times.
        let check = |processes| {
            let room = share(Some(5_000_000_000), None, processes);
            check_run(&demo(), 2_000_000_000, processes, room, false)
        };
        assert_eq!(check(2).unwrap(), None);
        let told = check(3).unwrap_err().to_string();
        for part in ["each of 3 processes", "2.0 GB", "1.7 GB", "--ranks"] {
            assert!(told.contains(part), "{told}");
        }
        assert!(!told.contains('\n'), "{told}");
    }

    #[test]
    fn the_tightest_group_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |folder: &str, files: &[(&str, &str)]| {
            let folder = root.path().join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            for (name, text) in files {
                std::fs::write(folder.join(name), text).unwrap();
            }
        };
        write(
            "a",
            &[("memory.max", "1000\n"), ("memory.current", "900\n")],
        );
        write(
            "a/b",
            &[("memory.max", "500\n"), ("memory.current", "100\n")],
        );
        write(
            "a/b/c",
            &[("memory.max", "max\n"), ("memory.current", "1\n")],
        );
        write(
            "memory/job",
            &[
                ("memory.limit_in_bytes", "70"),
                ("memory.usage_in_bytes", "20"),
            ],
        );
        let room = |listing: &str| group_room(root.path(), listing);
        assert_eq!(room("0::/a/b/c\n"), Some(100));
        assert_eq!(room("0::/elsewhere\n"), None);
        assert_eq!(room("4:cpu,memory:/job\n"), Some(50));
        assert_eq!(room("0::/a/b\n4:memory:/job\n"), Some(50));
        assert_eq!(room("no listing"), None);
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
        // As CUDA's driver and cuBLAS say it through the tensor library.
        for told in [
            "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")\n   0: backtrace",
            "CublasError(CUBLAS_STATUS_ALLOC_FAILED)",
        ] {
            let error = Error::Tensor(candle_core::Error::Msg(told.into()));
            let text = name_the_setting(error, &demo()).to_string();
            assert!(!text.contains('\n'), "{text}");
            for part in [
                "ran out of memory",
                "accumulation",
                "checkpointing",
                "batch",
            ] {
                assert!(text.contains(part), "{text}");
            }
        }
        let other = name_the_setting(Error::Cancelled, &demo());
        assert!(matches!(other, Error::Cancelled));
    }
}
