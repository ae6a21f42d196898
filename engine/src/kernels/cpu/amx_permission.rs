//! Whether the tile unit may be used: the processor has it, and the system saves its registers.

#![cfg(target_arch = "x86_64")]

use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

/// Whether the processor has tiles with bf16 products, and the system lets this process use them.
pub(crate) fn available() -> bool {
    const BF16_AND_TILES: u32 = 1 << 22 | 1 << 24;
    const OSXSAVE: u32 = 1 << 27;
    const TILE_STATE: u64 = 0b11 << 17;

    #[target_feature(enable = "xsave")]
    fn saved_state() -> u64 {
        // SAFETY: register 0 exists wherever the instruction does.
        unsafe { _xgetbv(0) }
    }

    __cpuid(0).eax >= 7
        && __cpuid(1).ecx & OSXSAVE != 0
        && __cpuid_count(7, 0).edx & BF16_AND_TILES == BF16_AND_TILES
        // SAFETY: the system has turned the instruction on (OSXSAVE).
        && unsafe { saved_state() } & TILE_STATE == TILE_STATE
        && permitted()
}

/// Asks the system for the tiles' 8 KiB in each thread's saved state: Linux wants to be asked.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const TILE_DATA: libc::c_long = 18;
    // SAFETY: the call takes two numbers and changes nothing but this permission.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0 }
}

/// Other systems either save the tiles without being asked or leave their bit unset above.
#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    true
}
