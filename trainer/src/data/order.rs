//! Which sample comes when: a fresh permutation each epoch, a function of seed and position alone.

use crate::rng::{Purpose, permutation, stream};

/// Deterministic order over a fixed number of samples.
#[derive(Clone, Debug)]
pub struct Order {
    seed: u64,
    count: usize,
    epoch: u64,
    permutation: Vec<u32>,
}

impl Order {
    /// Order of `count` samples, which must not be 0.
    pub fn new(seed: u64, count: usize) -> Self {
        Self {
            seed,
            count,
            epoch: 0,
            permutation: permutation(&mut stream(seed, Purpose::Order, 0), count),
        }
    }

    /// The sample at a position of the endless sequence. Any position can be asked for; asking in
    /// rising order is cheap.
    pub fn sample(&mut self, position: u64) -> usize {
        let epoch = position / self.count as u64;
        if epoch != self.epoch {
            self.permutation =
                permutation(&mut stream(self.seed, Purpose::Order, epoch), self.count);
            self.epoch = epoch;
        }
        self.permutation[(position % self.count as u64) as usize] as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_epoch_visits_every_sample_once_in_its_own_order() {
        let mut order = Order::new(5, 13);
        let epochs: Vec<Vec<usize>> = (0..3)
            .map(|epoch| (0..13).map(|i| order.sample(epoch * 13 + i)).collect())
            .collect();
        for epoch in &epochs {
            let mut sorted = epoch.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..13).collect::<Vec<_>>());
        }
        assert_ne!(epochs[0], epochs[1]);
        assert_ne!(epochs[1], epochs[2]);
        // Jumping straight to a position gives the same sample as walking there.
        assert_eq!(Order::new(5, 13).sample(30), epochs[2][4]);
    }
}
