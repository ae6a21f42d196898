//! What the processor offers, asked once at run time.

use std::sync::OnceLock;

/// Instruction sets that a kernel of ours is written for, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Isa {
    /// Whatever the compiler's target guarantees.
    Portable,
    /// 256-bit vectors with fused multiply-add.
    Avx2,
    /// 512-bit vectors.
    Avx512,
    /// 512-bit vectors and products of bf16 pairs (`vdpbf16ps`).
    Avx512Bf16,
    /// A tile unit with products of bf16 pairs (AMX) beside all of these.
    Amx,
}

/// Every instruction set by its name in `MMFACE_ISA`, weakest first.
const NAMES: [(&str, Isa); 5] = [
    ("portable", Isa::Portable),
    ("avx2", Isa::Avx2),
    ("avx512", Isa::Avx512),
    ("avx512bf16", Isa::Avx512Bf16),
    ("amx", Isa::Amx),
];

/// The best instruction set of this processor. `MMFACE_ISA=portable|avx2|avx512|avx512bf16`
/// lowers it, to compare kernels or to rule one out.
pub(crate) fn isa() -> Isa {
    static ISA: OnceLock<Isa> = OnceLock::new();
    *ISA.get_or_init(|| {
        let found = detect();
        let wanted = std::env::var("MMFACE_ISA").ok();
        let limit = NAMES
            .iter()
            .find(|(name, _)| wanted.as_deref() == Some(name))
            .map_or(Isa::Amx, |(_, isa)| *isa);
        found.min(limit)
    })
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Isa {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq");
    match (avx2, avx512, is_x86_feature_detected!("avx512bf16")) {
        (true, true, true) if super::amx_permission::available() => Isa::Amx,
        (true, true, true) => Isa::Avx512Bf16,
        (true, true, false) => Isa::Avx512,
        (true, false, _) => Isa::Avx2,
        _ => Isa::Portable,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Isa {
    Isa::Portable
}

/// Bytes of a core's second-level cache; half a megabyte where the processor does not tell.
pub(crate) fn l2_cache_bytes() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    *BYTES.get_or_init(|| match reported_l2_cache_bytes() {
        0 => 512 << 10,
        reported => reported.clamp(256 << 10, 4 << 20),
    })
}

#[cfg(target_arch = "x86_64")]
fn reported_l2_cache_bytes() -> usize {
    use std::arch::x86_64::__cpuid;
    const LEAF: u32 = 0x8000_0006;
    // Miri does not know the instruction.
    if cfg!(miri) || __cpuid(0x8000_0000).eax < LEAF {
        return 0;
    }
    (__cpuid(LEAF).ecx >> 16) as usize * 1024
}

#[cfg(not(target_arch = "x86_64"))]
fn reported_l2_cache_bytes() -> usize {
    0
}

/// Compiles one plain function three times, for AVX-512, AVX2 and the base target, and calls the
/// best copy: the auto-vectoriser does the rest, no intrinsics needed.
macro_rules! multiversion {
    ($(#[$doc:meta])* $vis:vis fn $name:ident $(<$type:ident: $bound:path>)? ($($argument:ident: $kind:ty),* $(,)?) $body:block) => {
        $(#[$doc])*
        $vis fn $name $(<$type: $bound>)? ($($argument: $kind),*) {
            #[inline(always)]
            fn body $(<$type: $bound>)? ($($argument: $kind),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
                fn avx512 $(<$type: $bound>)? ($($argument: $kind),*) {
                    body($($argument),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2 $(<$type: $bound>)? ($($argument: $kind),*) {
                    body($($argument),*)
                }
                let isa = $crate::kernels::cpu::features::isa();
                if isa >= $crate::kernels::cpu::features::Isa::Avx512 {
                    // SAFETY: the processor has these features.
                    return unsafe { avx512($($argument),*) };
                }
                if isa >= $crate::kernels::cpu::features::Isa::Avx2 {
                    // SAFETY: the processor has these features.
                    return unsafe { avx2($($argument),*) };
                }
            }
            body($($argument),*)
        }
    };
}
pub(crate) use multiversion;

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_environment_only_lowers_the_instruction_set() {
        assert!(NAMES.is_sorted_by_key(|(_, isa)| *isa));
        assert!(isa() <= detect());
    }

    #[test]
    #[ignore = "runs the other tests of the kernels once for each weaker instruction set; CI does"]
    fn kernels_pass_their_tests_with_every_instruction_set() {
        let best = detect();
        for (name, isa) in NAMES {
            if isa >= best {
                let why = if isa == best {
                    "the best one here, which the tests take by themselves"
                } else {
                    "this processor does not have it"
                };
                println!("{name}: skipped, {why}");
                continue;
            }
            let program = std::env::current_exe().expect("a test knows its own program");
            let output = Command::new(program)
                .args(["kernels::", "--quiet"])
                .env("MMFACE_ISA", name)
                .output()
                .expect("a test can start its own program");
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{name}: {text}");
            let summary = text.lines().rfind(|line| line.starts_with("test result"));
            println!("{name}: {}", summary.unwrap_or_default());
        }
    }
}
