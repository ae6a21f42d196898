//! From prompt to features: tokenizer and text tower.

pub mod features;
pub mod tokenizer;

pub use features::TextEncoder;
pub use tokenizer::{Prompt, PromptTokenizer};
