//! Several processes that train one model: each computes its share of the global batch, and the
//! gradients are added over all of them before every update.
//!
//! All processes hold the same weights and make the same update, so nothing but gradients travels,
//! over TCP of the standard library: no collective library in Rust was found that is kept up and
//! needs no MPI installation. It is bounded by the wire, 8 bytes a parameter and process.

mod meeting;
mod tcp;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use mmface_engine::{Error, Result};
use sha2::{Digest, Sha256};

use crate::optim::Gradients;

/// This process among those that train together.
#[derive(Debug)]
pub struct Team {
    rank: usize,
    ranks: usize,
    neighbours: usize,
    /// At the first process one link to each other, in their order; elsewhere the link to the first.
    links: Vec<TcpStream>,
}

impl Team {
    /// A process that trains alone.
    pub fn alone() -> Self {
        Self {
            rank: 0,
            ranks: 1,
            neighbours: 1,
            links: Vec::new(),
        }
    }

    /// Waits as the first process for the others. `run` names the run, so that strangers are sent
    /// away.
    ///
    /// # Errors
    /// When somebody does not come in time.
    pub fn host(ranks: usize, listener: &TcpListener, run: &str) -> Result<Self> {
        Ok(Self::met(0, ranks, meeting::host(ranks, listener, run)?))
    }

    /// Joins the first process, and waits until all are there.
    ///
    /// # Errors
    /// When it cannot be reached, or sends this process away.
    pub fn join(rank: usize, ranks: usize, address: &str, run: &str) -> Result<Self> {
        let met = meeting::join(rank, ranks, address, run)?;
        Ok(Self::met(rank, ranks, met))
    }

    fn met(rank: usize, ranks: usize, met: meeting::Met) -> Self {
        Self {
            rank,
            ranks,
            neighbours: met.neighbours,
            links: met.links,
        }
    }

    /// Position of this process, from 0.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Processes in all.
    pub fn ranks(&self) -> usize {
        self.ranks
    }

    /// Processes of the run that share this machine and its memory, with this one.
    pub fn neighbours(&self) -> usize {
        self.neighbours
    }

    /// Replaces loss and gradients by their sums over all processes.
    ///
    /// # Errors
    /// When a process is gone, or has gradients of other tensors.
    pub fn sum(&mut self, loss: &mut f32, gradients: &mut Gradients) -> Result<()> {
        if self.ranks == 1 {
            return Ok(());
        }
        self.compare(gradients)?;
        tcp::sum(&mut self.links, self.rank == 0, loss, gradients)
    }

    /// Makes sure that all have gradients of the same tensors, and that all are still there.
    fn compare(&mut self, gradients: &Gradients) -> Result<()> {
        let mut own = Sha256::new();
        for (name, gradient) in gradients {
            own.update(name.as_bytes());
            own.update([0]);
            own.update((gradient.elem_count() as u64).to_le_bytes());
        }
        let own: [u8; 32] = own.finalize().into();
        if let (true, Some(link)) = (self.rank > 0, self.links.first_mut()) {
            return link.write_all(&own).map_err(|error| lost(0, &error));
        }
        for (index, link) in self.links.iter_mut().enumerate() {
            let mut theirs = [0u8; 32];
            link.read_exact(&mut theirs)
                .map_err(|error| lost(index + 1, &error))?;
            if theirs != own {
                return Err(Error::Argument(format!(
                    "process {} has gradients of other tensors; start all processes with one version and configuration",
                    index + 1
                )));
            }
        }
        Ok(())
    }

    /// Whether all processes say yes.
    ///
    /// # Errors
    /// When a process is gone.
    pub fn agree(&mut self, yes: bool) -> Result<bool> {
        let mut all = yes;
        if self.rank == 0 {
            for (index, link) in self.links.iter_mut().enumerate() {
                let mut word = [0];
                link.read_exact(&mut word)
                    .map_err(|error| lost(index + 1, &error))?;
                all &= word[0] != 0;
            }
        } else if let Some(link) = self.links.first_mut() {
            link.write_all(&[u8::from(yes)])
                .map_err(|error| lost(0, &error))?;
        }
        Ok(self.follow(u8::from(all))? != 0)
    }

    /// Gives the first process's word to all.
    ///
    /// # Errors
    /// When a process is gone.
    pub fn follow(&mut self, word: u8) -> Result<u8> {
        let mut word = [word];
        for (index, link) in self.links.iter_mut().enumerate() {
            if self.rank == 0 {
                link.write_all(&word)
            } else {
                link.read_exact(&mut word)
            }
            .map_err(|error| lost(if self.rank == 0 { index + 1 } else { 0 }, &error))?;
        }
        Ok(word[0])
    }
}

fn lost(rank: usize, error: &std::io::Error) -> Error {
    Error::Argument(format!(
        "process {rank} of the run is gone ({error}); `resume` goes on from the last checkpoint"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::{Device, Tensor};

    use super::*;

    fn gradients(value: f32) -> Gradients {
        Gradients::from([
            (
                "a".to_owned(),
                Tensor::full(value, (2, 3), &Device::Cpu).unwrap(),
            ),
            (
                "b".to_owned(),
                Tensor::new(&[value, -value], &Device::Cpu).unwrap(),
            ),
        ])
    }

    #[test]
    fn three_processes_hold_the_sum_and_hear_the_first() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        // A stranger comes first and is sent away.
        let mut stranger = TcpStream::connect(&address).unwrap();
        stranger.write_all(&[7; 48]).unwrap();
        let others: Vec<_> = [2usize, 1]
            .into_iter()
            .map(|rank| {
                let address = address.clone();
                std::thread::spawn(move || {
                    let mut team = Team::join(rank, 3, &address, "run").unwrap();
                    let (mut loss, mut own) = (rank as f32, gradients(10f32.powi(rank as i32)));
                    team.sum(&mut loss, &mut own).unwrap();
                    assert!(team.agree(true).unwrap());
                    assert!(!team.agree(rank == 1).unwrap());
                    assert_eq!((team.rank(), team.neighbours()), (rank, 3));
                    (
                        loss,
                        own["b"].to_vec1::<f32>().unwrap(),
                        team.follow(0).unwrap(),
                    )
                })
            })
            .collect();
        let mut team = Team::host(3, &listener, "run").unwrap();
        let (mut loss, mut own) = (0.0, gradients(1.0));
        team.sum(&mut loss, &mut own).unwrap();
        assert_eq!(own["a"].to_vec2::<f32>().unwrap(), [[111.0; 3]; 2]);
        assert!(team.agree(true).unwrap());
        assert!(!team.agree(true).unwrap());
        assert_eq!(team.neighbours(), 3);
        assert_eq!(team.follow(9).unwrap(), 9);
        for other in others {
            assert_eq!(other.join().unwrap(), (3.0, vec![111.0, -111.0], 9));
        }
        let mut gone = gradients(1.0);
        let error = team.sum(&mut loss, &mut gone).unwrap_err().to_string();
        assert!(
            error.contains("process 1") && error.contains("resume"),
            "{error}"
        );
    }
}
