//! How much memory this process has and the system can give.

/// Resident memory of this process in bytes; 0 where the system does not tell.
pub fn resident() -> u64 {
    field("/proc/self/status", "VmRSS:")
}

/// The most that was resident so far, in bytes; 0 where the system does not tell.
pub fn peak() -> u64 {
    field("/proc/self/status", "VmHWM:")
}

/// Memory that the system can still give, in bytes; 0 where it does not tell.
pub fn available() -> u64 {
    field("/proc/meminfo", "MemAvailable:")
}

fn field(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let kilobytes = text.lines().find_map(|line| {
        let value = line.strip_prefix(name)?.trim().trim_end_matches("kB");
        value.trim().parse::<u64>().ok()
    });
    kilobytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_tells() {
        assert!(resident() > 1 << 20 && peak() >= resident() / 2 && available() > 0);
    }
}
