//! From prompt to features, remembering the prompts of the last jobs.

use std::sync::Mutex;

use candle_core::Tensor;

use super::tokenizer::{Prompt, PromptTokenizer};
use crate::Result;
use crate::model::clip_text::{ClipText, TextFeatures};

/// How many prompts are remembered unless told otherwise: a sweep's worth.
const CAPACITY: usize = 256;

/// Rows that go through the tower at once: enough to keep the cores busy, few enough to keep the
/// attention scores of a large tower small.
const BATCH: usize = 16;

/// Tokenizer and text tower together, with a cache keyed by token ids: prompts that tokenise
/// alike are computed once.
#[derive(Debug)]
pub struct TextEncoder {
    tokenizer: PromptTokenizer,
    tower: ClipText,
    /// Most recently used last.
    cache: Mutex<Vec<(Vec<u32>, TextFeatures)>>,
    capacity: usize,
}

impl TextEncoder {
    /// Joins a tokenizer and a tower.
    pub fn new(tokenizer: PromptTokenizer, tower: ClipText) -> Self {
        Self {
            tokenizer,
            tower,
            cache: Mutex::default(),
            capacity: CAPACITY,
        }
    }

    /// Remembers this many prompts instead of the usual number; 0 remembers none.
    pub fn with_capacity(mut self, prompts: usize) -> Self {
        self.capacity = prompts;
        self
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &PromptTokenizer {
        &self.tokenizer
    }

    /// The text tower.
    pub fn tower(&self) -> &ClipText {
        &self.tower
    }

    /// Tokenises a prompt without computing features.
    ///
    /// # Errors
    /// When the tokenizer fails on a word.
    pub fn prompt(&self, text: &str) -> Result<Prompt> {
        self.tokenizer.prompt(text)
    }

    /// Features of one prompt.
    ///
    /// # Shapes
    /// - sequence: `[1, tokens, width]`, pooled: `[1, width]`
    ///
    /// # Errors
    /// As [`Self::prompt`] and [`Self::features`].
    pub fn encode(&self, text: &str) -> Result<(Prompt, TextFeatures)> {
        let prompt = self.prompt(text)?;
        let features = self.features(std::slice::from_ref(&prompt.ids))?;
        Ok((prompt, features))
    }

    /// Features of several prompts.
    ///
    /// # Shapes
    /// - sequence: `[prompts, tokens, width]`, pooled: `[prompts, width]`
    ///
    /// # Errors
    /// As [`Self::prompt`] and [`Self::features`]; without texts, too.
    pub fn encode_batch(&self, texts: &[&str]) -> Result<(Vec<Prompt>, TextFeatures)> {
        let prompts = texts
            .iter()
            .map(|text| self.prompt(text))
            .collect::<Result<Vec<_>>>()?;
        let ids: Vec<_> = prompts.iter().map(|prompt| prompt.ids.clone()).collect();
        let features = self.features(&ids)?;
        Ok((prompts, features))
    }

    /// Features of token ids, computed once for equal rows.
    ///
    /// # Errors
    /// As [`ClipText::forward`].
    pub fn features(&self, ids: &[Vec<u32>]) -> Result<TextFeatures> {
        let mut found: Vec<Option<TextFeatures>> = ids.iter().map(|row| self.recall(row)).collect();
        let mut missing: Vec<Vec<u32>> = Vec::new();
        for (row, known) in ids.iter().zip(&found) {
            if known.is_none() && !missing.contains(row) {
                missing.push(row.clone());
            }
        }
        for batch in missing.chunks(BATCH) {
            let features = self.tower.forward(batch)?;
            for (index, row) in batch.iter().enumerate() {
                // A copy, so that a remembered prompt does not hold its whole batch in memory.
                let one = TextFeatures {
                    sequence: features.sequence.narrow(0, index, 1)?.force_contiguous()?,
                    pooled: features.pooled.narrow(0, index, 1)?.force_contiguous()?,
                };
                for (slot, _) in found
                    .iter_mut()
                    .zip(ids)
                    .filter(|(_, wanted)| *wanted == row)
                {
                    *slot = Some(one.clone());
                }
                self.remember(row, one);
            }
        }
        let found: Vec<TextFeatures> = found.into_iter().flatten().collect();
        let sequence: Vec<&Tensor> = found.iter().map(|features| &features.sequence).collect();
        let pooled: Vec<&Tensor> = found.iter().map(|features| &features.pooled).collect();
        Ok(TextFeatures {
            sequence: Tensor::cat(&sequence, 0)?,
            pooled: Tensor::cat(&pooled, 0)?,
        })
    }

    /// Forgets all prompts, for instance after the device ran out of memory.
    pub fn forget(&self) {
        self.cache().clear();
    }

    fn recall(&self, ids: &[u32]) -> Option<TextFeatures> {
        let mut cache = self.cache();
        let index = cache.iter().position(|(row, _)| row == ids)?;
        let entry = cache.remove(index);
        let features = entry.1.clone();
        cache.push(entry);
        Some(features)
    }

    fn remember(&self, ids: &[u32], features: TextFeatures) {
        let mut cache = self.cache();
        cache.push((ids.to_vec(), features));
        let surplus = cache.len().saturating_sub(self.capacity);
        cache.drain(..surplus);
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Vec<(Vec<u32>, TextFeatures)>> {
        // Entries are whole or absent, so a panic elsewhere leaves the cache usable.
        self.cache
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::path::{Path, PathBuf};

    use candle_core::Device;

    use super::*;
    use crate::model::LoadOptions;
    use crate::weights::Package;

    fn here(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
    }

    fn demo() -> TextEncoder {
        let package = Package::open(&here("../assets/models/demo")).unwrap();
        package
            .load_text(
                &Device::Cpu,
                LoadOptions::for_device(&Device::Cpu),
                |_, _| true,
            )
            .unwrap()
    }

    /// Largest difference relative to the largest expected value.
    fn error(got: &Tensor, expected: &Tensor) -> f32 {
        let largest = |t: Tensor| {
            t.abs()
                .unwrap()
                .max_all()
                .unwrap()
                .to_scalar::<f32>()
                .unwrap()
        };
        largest((got - expected).unwrap()) / largest(expected.clone())
    }

    #[test]
    fn the_demo_tower_reproduces_its_reference_features() {
        let path = here("tests/data/demo_text.safetensors");
        let expected = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        let prompts = [
            "A portrait of a woman with long blonde hair, smiling.",
            "",
            "older man with eyeglasses and gray hair, serendipitous zebra",
        ];
        let demo = demo();
        let (tokens, features) = demo.encode_batch(&prompts).unwrap();
        let ids: Vec<Vec<i64>> = tokens
            .iter()
            .map(|p| p.ids.iter().map(|&id| i64::from(id)).collect())
            .collect();
        assert_eq!(ids, expected["in.input_ids"].to_vec2::<i64>().unwrap());
        assert!(error(&features.sequence, &expected["out.sequence"]) < 1e-4);
        assert!(error(&features.pooled, &expected["out.pooled"]) < 1e-4);
    }

    #[test]
    fn features_do_not_depend_on_the_number_of_threads() {
        let demo = demo().with_capacity(0);
        let bytes = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let (_, features) = pool
                .install(|| demo.encode("older man, grey beard"))
                .unwrap();
            let values = features
                .sequence
                .flatten_all()
                .unwrap()
                .to_vec1::<f32>()
                .unwrap();
            values.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        assert_eq!(bytes(1), bytes(3));
    }

    #[test]
    fn a_remembered_prompt_is_the_computed_one_and_the_cache_is_bounded() {
        let demo = demo().with_capacity(2);
        let (_, first) = demo.encode("blonde hair").unwrap();
        let (_, again) = demo.encode("Blonde   HAIR").unwrap();
        assert_eq!(demo.cache().len(), 1);
        assert_eq!(error(&first.sequence, &again.sequence), 0.0);
        let (_, batch) = demo
            .encode_batch(&["brown hair", "blonde hair", "brown hair", "grey hair"])
            .unwrap();
        assert_eq!(batch.pooled.dims(), [4, 256]);
        assert_eq!(
            error(&batch.pooled.narrow(0, 1, 1).unwrap(), &first.pooled),
            0.0
        );
        assert_eq!(
            error(
                &batch.pooled.narrow(0, 0, 1).unwrap(),
                &batch.pooled.narrow(0, 2, 1).unwrap()
            ),
            0.0
        );
        assert_eq!(demo.cache().len(), 2);
        demo.forget();
        assert_eq!(demo.cache().len(), 0);
    }
}
