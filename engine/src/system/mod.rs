//! What the machine can give: memory, space on disks, threads; and random numbers that nobody can
//! foresee.

pub mod disk;
pub mod interrupt;
pub mod memory;

/// Processors that this process may use: what a run takes when nobody says how many threads.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// 64 bits of the system's random numbers.
///
/// # Errors
/// When the system has none to give.
pub fn random() -> crate::Result<u64> {
    getrandom::u64().map_err(|error| {
        crate::Error::Device(format!("the system gives no random numbers ({error})"))
    })
}
