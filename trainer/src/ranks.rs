//! Several processes that train one model: each computes its share of the global batch, and the
//! gradients are added over all of them before every update.
//!
//! All processes hold the same weights and make the same update, so nothing but gradients travels.
//! The first process collects, adds in the order of the ranks (so that the sum has the same bits in
//! each run), and sends the sum back, over TCP of the standard library: no collective library in
//! Rust was found that is kept up and needs no MPI installation. On GPUs with a fast link between
//! them NCCL would be the engine; this one is for CPUs, and for a few cards at small batches it is
//! bounded by the wire, 8 bytes a parameter and process.

use std::io::{BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use candle_core::Tensor;
use mmface_engine::{Error, Result};
use sha2::{Digest, Sha256};

use crate::optim::Gradients;

/// First bytes of a greeting.
const MAGIC: &[u8; 8] = b"mmface-1";
/// How long the processes wait for each other at the start.
const MEETING: Duration = Duration::from_secs(60);
/// Values sent at once.
const CHUNK: usize = 1 << 16;

/// This process among those that train together.
#[derive(Debug)]
pub struct Team {
    rank: usize,
    ranks: usize,
    /// At the first process one link to each other, in their order; elsewhere the link to the first.
    links: Vec<TcpStream>,
}

impl Team {
    /// A process that trains alone.
    pub fn alone() -> Self {
        Self {
            rank: 0,
            ranks: 1,
            links: Vec::new(),
        }
    }

    /// Waits as the first process for the others. `run` names the run, so that strangers are sent
    /// away.
    ///
    /// # Errors
    /// When somebody does not come in time.
    pub fn host(ranks: usize, listener: &TcpListener, run: &str) -> Result<Self> {
        let failed =
            |what: &str| Error::Argument(format!("cannot wait for the other processes: {what}"));
        listener
            .set_nonblocking(true)
            .map_err(|error| failed(&error.to_string()))?;
        let mut links: Vec<Option<TcpStream>> = (1..ranks).map(|_| None).collect();
        let deadline = Instant::now() + MEETING;
        while links.iter().any(Option::is_none) {
            match listener.accept() {
                Ok((mut link, _)) => {
                    // A stranger that says nothing must not hold the meeting up.
                    let greeted = link
                        .set_nonblocking(false)
                        .and_then(|()| link.set_read_timeout(Some(Duration::from_secs(5))))
                        .and_then(|()| read_greeting(&mut link));
                    if let Ok((rank, of, theirs)) = greeted
                        && theirs == digest(run)
                        && of == ranks
                        && let Some(place @ None) =
                            rank.checked_sub(1).and_then(|index| links.get_mut(index))
                    {
                        prepare(&link).map_err(|error| failed(&error.to_string()))?;
                        *place = Some(link);
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    if Instant::now() > deadline {
                        let missing: Vec<usize> = (1..ranks)
                            .filter(|rank| links[rank - 1].is_none())
                            .collect();
                        return Err(failed(&format!(
                            "no answer from rank {missing:?} within {} seconds; start all of them with the same configuration",
                            MEETING.as_secs()
                        )));
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(error) => return Err(failed(&error.to_string())),
            }
        }
        Ok(Self {
            rank: 0,
            ranks,
            links: links.into_iter().flatten().collect(),
        })
    }

    /// Joins the first process.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn join(rank: usize, ranks: usize, address: &str, run: &str) -> Result<Self> {
        let deadline = Instant::now() + MEETING;
        let mut link = loop {
            match TcpStream::connect(address) {
                Ok(link) => break link,
                Err(error) if Instant::now() > deadline => {
                    return Err(Error::Argument(format!(
                        "rank {rank} cannot reach the first process at {address}: {error}"
                    )));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        let mut greeting = MAGIC.to_vec();
        greeting.extend((rank as u32).to_le_bytes());
        greeting.extend((ranks as u32).to_le_bytes());
        greeting.extend(digest(run));
        link.write_all(&greeting)
            .and_then(|()| prepare(&link))
            .map_err(|error| lost(0, &error))?;
        Ok(Self {
            rank,
            ranks,
            links: vec![link],
        })
    }

    /// Position of this process, from 0.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Processes in all.
    pub fn ranks(&self) -> usize {
        self.ranks
    }

    /// Replaces loss and gradients by their sums over all processes.
    ///
    /// # Errors
    /// When a process is gone, or has gradients of other tensors.
    pub fn sum(&mut self, loss: &mut f32, gradients: &mut Gradients) -> Result<()> {
        if self.ranks == 1 {
            return Ok(());
        }
        let mut values = vec![*loss];
        let mut names = Sha256::new();
        for (name, gradient) in gradients.iter() {
            names.update(name.as_bytes());
            names.update([0]);
            values.extend(gradient.flatten_all()?.to_vec1::<f32>()?);
        }
        let names: [u8; 32] = names.finalize().into();
        if self.rank == 0 {
            for (index, link) in self.links.iter_mut().enumerate() {
                let gone = |error: std::io::Error| lost(index + 1, &error);
                let mut theirs = [0u8; 32];
                link.read_exact(&mut theirs).map_err(gone)?;
                if theirs != names {
                    return Err(Error::Argument(format!(
                        "process {} has gradients of other tensors; start all processes with one version and configuration",
                        index + 1
                    )));
                }
                read_values(link, &mut values, |mine, theirs| *mine += theirs).map_err(gone)?;
            }
            for (index, link) in self.links.iter_mut().enumerate() {
                write_values(link, &values).map_err(|error| lost(index + 1, &error))?;
            }
        } else if let Some(link) = self.links.first_mut() {
            link.write_all(&names)
                .and_then(|()| write_values(link, &values))
                .and_then(|()| read_values(link, &mut values, |mine, theirs| *mine = theirs))
                .map_err(|error| lost(0, &error))?;
        }
        *loss = values[0];
        let mut start = 1;
        for gradient in gradients.values_mut() {
            let count = gradient.elem_count();
            let part = values[start..start + count].to_vec();
            *gradient = Tensor::from_vec(part, gradient.shape(), gradient.device())?;
            start += count;
        }
        Ok(())
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

fn digest(run: &str) -> [u8; 32] {
    Sha256::digest(run.as_bytes()).into()
}

/// Sets a link up for the run: no delay for small messages, and no limit on waiting, since the
/// first process may pause.
fn prepare(link: &TcpStream) -> std::io::Result<()> {
    link.set_nodelay(true)?;
    link.set_read_timeout(None)
}

fn read_greeting(link: &mut TcpStream) -> std::io::Result<(usize, usize, [u8; 32])> {
    let mut bytes = [0u8; 48];
    link.read_exact(&mut bytes)?;
    if &bytes[..8] != MAGIC {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let number =
        |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let mut run = [0u8; 32];
    run.copy_from_slice(&bytes[16..]);
    Ok((number(8) as usize, number(12) as usize, run))
}

fn write_values(link: &mut TcpStream, values: &[f32]) -> std::io::Result<()> {
    let mut output = BufWriter::with_capacity(4 * CHUNK, link);
    for value in values {
        output.write_all(&value.to_le_bytes())?;
    }
    output.flush()
}

fn read_values(
    link: &mut TcpStream,
    values: &mut [f32],
    take: impl Fn(&mut f32, f32),
) -> std::io::Result<()> {
    let mut bytes = vec![0u8; 4 * CHUNK];
    for chunk in values.chunks_mut(CHUNK) {
        let bytes = &mut bytes[..4 * chunk.len()];
        link.read_exact(bytes)?;
        for (value, four) in chunk.iter_mut().zip(bytes.chunks_exact(4)) {
            take(
                value,
                f32::from_le_bytes([four[0], four[1], four[2], four[3]]),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;

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
