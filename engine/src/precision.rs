//! In which arithmetic products are computed and how weights lie in memory: what a person chooses
//! and a recipe names.

use serde::{Deserialize, Serialize};

/// Arithmetic of the products on the CPU; named in every recipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precision {
    /// f32 throughout: the golden tests run in it.
    #[default]
    Exact,
    /// bf16 products with f32 sums where the processor has them.
    Fast,
}

/// How a weight matrix lies in memory on the CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Storage {
    /// Four bytes a weight.
    #[default]
    F32,
    /// Two bytes a weight, exact for checkpoints stored in bf16.
    Bf16,
    /// 34 bytes for 32 weights, GGUF's Q8_0.
    Q8_0,
}
