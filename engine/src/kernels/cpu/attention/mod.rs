//! Attention without gradients.

#[cfg(target_arch = "x86_64")]
mod avx512;

use super::features::{Isa, isa};
use super::output::Slot;
use super::pack::Kind;
use super::tokens::Tokens;

/// Largest head width that the blocked kernel takes.
const LARGEST_HEAD: usize = 128;

/// Attention into `out`, `[batch, tokens, width]`, by the blocked kernel, which writes every element;
/// false where it has none for this head or processor.
pub(crate) fn attention<S: Slot>(tokens: &Tokens, kind: Kind, out: &mut [S]) -> bool {
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
