//! Attention without gradients.

#[cfg(target_arch = "x86_64")]
mod avx512;

use super::features::{Isa, isa};
use super::finish::Target;
use super::pack::Kind;
use super::tokens::Tokens;

/// Largest head width that the blocked kernel takes.
const LARGEST_HEAD: usize = 128;

/// Attention into `out` by the blocked kernel; false where it has none for this head or processor.
pub fn attention(tokens: &Tokens, kind: Kind, out: Target) -> bool {
    if isa() < Isa::Avx512 || tokens.head_dim > LARGEST_HEAD {
        return false;
    }
    #[cfg(target_arch = "x86_64")]
    {
        avx512::attention(tokens, kind, out);
        true
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (kind, out);
        false
    }
}
