//! How much memory this process has and may still get.

use std::path::Path;

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// Resident memory of this process in bytes; 0 where the system does not tell.
pub fn resident() -> u64 {
    #[cfg(target_os = "linux")]
    let told = field("/proc/self/status", "VmRSS:");
    #[cfg(not(target_os = "linux"))]
    let told = told_by_system();
    told.unwrap_or(0)
}

#[cfg(not(target_os = "linux"))]
fn told_by_system() -> Option<u64> {
    use sysinfo::{ProcessRefreshKind, ProcessesToUpdate};
    let process = sysinfo::get_current_pid().ok()?;
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[process]),
        false,
        ProcessRefreshKind::nothing().with_memory(),
    );
    Some(system.process(process)?.memory())
}

/// The most that was resident so far, in bytes; 0 where the system does not tell.
pub fn peak() -> u64 {
    #[cfg(target_os = "linux")]
    {
        field("/proc/self/status", "VmHWM:").unwrap_or(0)
    }
    #[cfg(all(unix, not(target_os = "linux")))]
    {
        // SAFETY: an all-zero rusage is a valid value, and getrusage only writes to it.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            libc::getrusage(libc::RUSAGE_SELF, &mut usage);
            usage
        };
        let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
        u64::try_from(usage.ru_maxrss).unwrap_or(0) * unit
    }
    #[cfg(not(unix))]
    {
        0
    }
}

/// Memory that this process can still get, in bytes; `None` where the system does not tell.
pub fn available() -> Option<u64> {
    available_to_each(1)
}

/// Memory that each of so many processes, of which this is one, can still get, in bytes: its share
/// of what the machine has left and of what its control groups (containers, batch systems) allow,
/// and what its own limit (`ulimit -v`) allows, whichever is least; `None` where the system does not
/// tell.
pub fn available_to_each(processes: usize) -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let left_in_groups = left_in_groups(Path::new("/sys/fs/cgroup"), &groups);
    let shared = [left_on_machine(), left_in_groups].into_iter().flatten();
    share(shared.min(), left_of_own_limit(), processes)
}

/// What one of so many processes gets of what they share, within what is its own.
fn share(shared: Option<u64>, own: Option<u64>, processes: usize) -> Option<u64> {
    let part = shared.map(|shared| shared / processes.max(1) as u64);
    [part, own].into_iter().flatten().min()
}

fn left_on_machine() -> Option<u64> {
    let ram = MemoryRefreshKind::nothing().with_ram();
    let system = System::new_with_specifics(RefreshKind::nothing().with_memory(ram)).ok()?;
    (system.total_memory() > 0).then(|| system.available_memory())
}

/// What is left below the tightest limit of the control groups that `listing` names, in both
/// versions of the interface.
fn left_in_groups(root: &Path, listing: &str) -> Option<u64> {
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
                let left = limit.saturating_sub(used);
                least = Some(least.map_or(left, |least: u64| least.min(left)));
            }
        }
    }
    least
}

/// The number in a file; `None` for `max` and for what cannot be read.
fn number_in(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// What the limit on the address space leaves.
#[cfg(target_os = "linux")]
fn left_of_own_limit() -> Option<u64> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::As).current?;
    Some(limit.saturating_sub(field("/proc/self/status", "VmSize:")?))
}

#[cfg(not(target_os = "linux"))]
fn left_of_own_limit() -> Option<u64> {
    None
}

#[cfg(target_os = "linux")]
fn field(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let kilobytes = text.lines().find_map(|line| {
        let value = line.strip_prefix(name)?.trim().trim_end_matches("kB");
        value.trim().parse::<u64>().ok()
    })?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_tells() {
        assert!(resident() > 1 << 20 && peak() >= resident() / 2);
        assert!(available().unwrap() > 0);
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
        let left = |listing: &str| left_in_groups(root.path(), listing);
        assert_eq!(left("0::/a/b/c\n"), Some(100));
        assert_eq!(left("0::/elsewhere\n"), None);
        assert_eq!(left("4:cpu,memory:/job\n"), Some(50));
        assert_eq!(left("0::/a/b\n4:memory:/job\n"), Some(50));
        assert_eq!(left("no listing"), None);
    }
}
