//! From prompt to features: tokenizer and text tower.
