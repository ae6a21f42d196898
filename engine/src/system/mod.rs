//! What the machine can give: memory, space on disks, threads; and random numbers that nobody can
//! foresee.

pub mod disk;
pub mod interrupt;
pub mod memory;

use std::time::SystemTime;

/// Processors that this process may use: what a run takes when nobody says how many threads.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// 64 bits that nobody can foresee, for seeds that nobody chose. A system that has no random
/// numbers to give has a clock.
pub fn random() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| since.as_nanos() as u64)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn random_numbers_differ() {
        assert_ne!(super::random(), super::random());
        assert!(super::threads() > 0);
    }
}
