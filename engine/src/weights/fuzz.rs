//! Every reader of foreign bytes under mutated files, for as long as one likes:
//!
//! `MMFACE_FUZZ_SECONDS=600 cargo test -p mmface-engine --lib -- --ignored fuzz_`
//!
//! A reader may refuse or accept; it must not panic, and what it accepts lies inside the file.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use super::layout::{Layout, recognise};
use super::manifest::PackageManifest;
use super::{gguf, manifest, pickle, pt, safetensors};

/// Small repeatable random numbers; the seed is printed so that a finding can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// Values that break sums, signs and sizes.
const INTERESTING: [u64; 12] = [
    0,
    1,
    7,
    8,
    0x7f,
    0x80,
    0xff,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 32,
    u64::MAX / 2,
    u64::MAX,
];

/// Changes a file in one of the ways that files are changed: bytes, numbers, cuts, repeats.
fn mutate(random: &mut Random, bytes: &mut Vec<u8>, words: &[&str]) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.next() as u8,
            2 => bytes.truncate(at),
            3 => {
                let value = INTERESTING[random.below(INTERESTING.len())].to_le_bytes();
                let width = [1, 2, 4, 8][random.below(4)];
                let end = (at + width).min(bytes.len());
                bytes[at..end].copy_from_slice(&value[..end - at]);
            }
            4 => {
                let end = (at + random.below(40)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = random.below(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            5 => {
                let end = (at + random.below(40)).min(bytes.len());
                bytes.drain(at..end);
            }
            6 if !words.is_empty() => {
                let word = words[random.below(words.len())].as_bytes();
                bytes.splice(at..at, word.iter().copied());
            }
            _ => {
                let digits = INTERESTING[random.below(INTERESTING.len())].to_string();
                // Replaces a number in text, if there is one behind this place.
                if let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit) {
                    let start = at + start;
                    let length = bytes[start..]
                        .iter()
                        .take_while(|byte| byte.is_ascii_digit())
                        .count();
                    bytes.splice(start..start + length, digits.bytes());
                }
            }
        }
    }
}

/// Throws mutations of `seeds` at a reader until the time is over.
pub(crate) fn fuzz(
    name: &str,
    seeds: &[Vec<u8>],
    words: &[&str],
    read: impl Fn(&[u8]) + std::panic::RefUnwindSafe,
) {
    let seconds = std::env::var("MMFACE_FUZZ_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(5);
    let seed = std::env::var("MMFACE_FUZZ_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1);
    let mut random = Random(seed);
    let started = Instant::now();
    let mut rounds = 0u64;
    while started.elapsed() < Duration::from_secs(seconds) {
        for _ in 0..256 {
            let mut bytes = seeds[random.below(seeds.len())].clone();
            mutate(&mut random, &mut bytes, words);
            let outcome = std::panic::catch_unwind(|| read(&bytes));
            if outcome.is_err() {
                let shown: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                panic!("{name}: round {rounds} of seed {seed} broke the reader with {shown}");
            }
            rounds += 1;
        }
    }
    println!("{name}: {rounds} files in {seconds} s, seed {seed}");
}

fn inside(layout: &Layout, bytes: &[u8]) {
    for (name, entry) in &layout.tensors {
        assert!(
            bytes.get(entry.range.clone()).is_some(),
            "{name} lies outside"
        );
        assert!(
            entry.count() <= bytes.len().max(1) * 32,
            "{name} is larger than its bytes"
        );
    }
}

#[test]
#[ignore = "runs as long as one likes"]
fn fuzz_safetensors() {
    let seeds = [
        safetensors::tests::healthy(),
        safetensors::tests::file("{}", &[]),
    ];
    let words = [
        "\"dtype\":\"F32\",",
        "[",
        "]",
        "{",
        "}",
        "\"__metadata__\":{\"a\":\"b\"},",
        "-",
        "e9",
        "\\u0000",
        "null",
    ];
    fuzz("safetensors", &seeds, &words, |bytes| {
        if recognise(bytes).is_ok()
            && let Ok(layout) = safetensors::parse(bytes)
        {
            inside(&layout, bytes);
        }
    });
}

#[test]
#[ignore = "runs as long as one likes"]
fn fuzz_gguf() {
    fuzz(
        "gguf",
        &[gguf::tests::healthy()],
        &["GGUF", "general.alignment"],
        |bytes| {
            if let Ok(layout) = gguf::parse(bytes) {
                inside(&layout, bytes);
            }
        },
    );
}

#[test]
#[ignore = "runs as long as one likes"]
fn fuzz_manifest() {
    let bundled = include_str!("../../../assets/models/demo/model.ron");
    let seeds = [
        manifest::tests::demo().to_text().unwrap().into_bytes(),
        bundled.as_bytes().to_vec(),
    ];
    let words = [
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "Some(",
        "None",
        "inf",
        "NaN",
        "-1",
        "1e308",
        "\"",
        "#![enable(x)]",
        "../",
        "r#\"",
    ];
    fuzz("model.ron", &seeds, &words, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return;
        };
        if let Ok(manifest) = PackageManifest::parse(text) {
            let again = PackageManifest::parse(&manifest.to_text().unwrap()).unwrap();
            assert_eq!(again, manifest);
        }
    });
}

#[test]
#[ignore = "runs as long as one likes"]
fn fuzz_pt() {
    let description = pt::tests::description("FloatStorage", 1, &[2, 3], &[1, 2]);
    let half = pt::tests::description("HalfStorage", 0, &[4], &[2]);
    let seeds = [pt::tests::archive(&description), pt::tests::archive(&half)];
    fuzz(
        "pt",
        &seeds,
        &["PK\u{1}\u{2}", "data.pkl", "ctorch\n"],
        |bytes| {
            pt::parse(bytes).ok();
        },
    );
}

/// Inside an archive a mutation mostly breaks the checksum; this reaches the pickle itself.
#[test]
#[ignore = "runs as long as one likes"]
fn fuzz_pickle() {
    let description = pt::tests::description("FloatStorage", 1, &[2, 3], &[1, 2]);
    let words = [
        "(",
        "t",
        "R",
        "Q",
        "h\0",
        "q\0",
        ")",
        "ctorch\nFloatStorage\n",
        "]",
        "}",
        "0",
        "2",
    ];
    fuzz(
        "pickle",
        std::slice::from_ref(&description),
        &words,
        |bytes| {
            pickle::read(bytes).ok();
            pt::parse(&pt::tests::archive(bytes)).ok();
        },
    );
}
