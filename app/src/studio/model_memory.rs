//! What a model takes while it works, part by part, against what the machine has free.

use mmface_engine::format::bytes as size;
use mmface_engine::model::autoencoder_kl::AutoencoderKlConfig;
use mmface_engine::pipeline::decode_bytes;
use mmface_engine::weights::Part;
use mmface_engine::weights::manifest::PackageManifest;

/// Bytes that a model takes while it works, about.
#[derive(Clone, Debug)]
pub struct Memory {
    transformer: u64,
    text: u64,
    autoencoder: u64,
    decoder: AutoencoderKlConfig,
}

/// Whether a model runs on this machine, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runs {
    /// It does.
    Yes(String),
    /// It may, but memory is short.
    Tight(String),
    /// It does not.
    No(String),
}

impl Memory {
    /// Of a package.
    pub fn of(manifest: &PackageManifest) -> Self {
        let file = |part: Part| manifest.files.get(&part).map_or(0, |file| file.bytes);
        Self {
            // Weights are widened to f32 when they are loaded.
            transformer: (manifest.dit.parameter_count() as u64).saturating_mul(4),
            text: file(Part::Text),
            autoencoder: file(Part::Vae),
            decoder: manifest.latent.autoencoder(),
        }
    }

    /// Decoding a picture of so many pixels a side, at its peak.
    pub fn decoding(&self, side: usize) -> u64 {
        decode_bytes(&self.decoder, side)
    }

    /// All weights, as they lie in memory.
    pub fn weights(&self) -> u64 {
        self.transformer
            .saturating_add(self.text)
            .saturating_add(self.autoencoder)
    }

    fn total(&self, side: usize) -> u64 {
        self.weights().saturating_add(self.decoding(side))
    }

    /// All of it in words, with a decode at `side` pixels.
    pub fn words(&self, side: usize) -> String {
        format!(
            "about {}: transformer {}, text {}, autoencoder {}, decoding at {side} px {}",
            size(self.total(side)),
            size(self.transformer),
            size(self.text),
            size(self.autoencoder),
            size(self.decoding(side))
        )
    }

    /// Whether it runs here with pictures of `side` pixels.
    pub fn runs(&self, side: usize, free: Option<u64>) -> Runs {
        let total = self.total(side);
        let needed = size(total);
        match free {
            Some(free) if total > free => Runs::Tight(format!(
                "memory is short: about {needed} are needed, {} are free; close other programs, or draw smaller pictures",
                size(free)
            )),
            Some(free) => Runs::Yes(format!(
                "runs on this machine: about {needed} of {} free memory",
                size(free)
            )),
            None => Runs::Yes(format!(
                "runs on this machine if {needed} of memory are free"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_memory_is_said_in_numbers() {
        let memory = Memory {
            transformer: 3_000_000_000,
            text: 0,
            autoencoder: 0,
            decoder: AutoencoderKlConfig::flux(),
        };
        let decoding = memory.decoding(512);
        assert_eq!(decoding, 4 * 512 * 512 * 256 * 4);
        let Runs::Tight(why) = memory.runs(512, Some(2_000_000_000)) else {
            panic!("4 GB do not fit into 2")
        };
        assert!(why.contains("4.1 GB") && why.contains("2.0 GB"), "{why}");
        assert!(matches!(
            memory.runs(512, Some(5_000_000_000)),
            Runs::Yes(_)
        ));
        assert!(memory.words(512).contains("decoding at 512 px 1.1 GB"));
    }
}
