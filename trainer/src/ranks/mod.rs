//! Several processes that train one model: each computes its share of the global batch, and the
//! gradients are added over all of them before every update.
//!
//! All processes hold the same weights and make the same update, so nothing but gradients travels.
//! They meet over TCP of the standard library: no collective library in Rust was found that is kept
//! up and needs no MPI installation. On CPUs the sums go the same way, bounded by the wire, 8 bytes
//! a parameter and process. On NVIDIA cards, with the feature `nccl`, NCCL adds between the cards
//! ([`ProcessGroup::connect`]), and only words and check sums are left to TCP.

mod collective;
#[cfg(feature = "nccl")]
mod nccl;
mod rendezvous;
mod tcp;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use candle_core::Device;
use mmface_engine::{Error, Result};
use sha2::{Digest, Sha256};

use self::collective::{Collective, Engine, ID_BYTES};
use crate::optim::Gradients;

/// This process among those that train together.
#[derive(Debug)]
pub struct ProcessGroup {
    rank: usize,
    ranks: usize,
    local_ranks: usize,
    /// At the first process one link to each other, in their order; elsewhere the link to the first.
    links: Vec<TcpStream>,
    /// Adds gradients without the host, where all processes can.
    direct: Option<Box<dyn Collective>>,
}

impl ProcessGroup {
    /// A process that trains alone.
    pub fn single() -> Self {
        Self {
            rank: 0,
            ranks: 1,
            local_ranks: 1,
            links: Vec::new(),
            direct: None,
        }
    }

    /// Waits as the first process for the others. `run` names the run, so that strangers are sent
    /// away.
    ///
    /// # Errors
    /// When somebody does not come in time.
    pub fn host(ranks: usize, listener: &TcpListener, run: &str) -> Result<Self> {
        Ok(Self::connected(
            0,
            ranks,
            rendezvous::host(ranks, listener, run)?,
        ))
    }

    /// Joins the first process, and waits until all are there.
    ///
    /// # Errors
    /// When it cannot be reached, or sends this process away.
    pub fn join(rank: usize, ranks: usize, address: &str, run: &str) -> Result<Self> {
        let connected = rendezvous::join(rank, ranks, address, run)?;
        Ok(Self::connected(rank, ranks, connected))
    }

    fn connected(rank: usize, ranks: usize, connected: rendezvous::Connected) -> Self {
        Self {
            rank,
            ranks,
            local_ranks: connected.local_ranks,
            links: connected.links,
            direct: None,
        }
    }

    /// Lets the gradients travel between the cards when all processes train on one and were built
    /// for it; else they go over TCP.
    ///
    /// # Errors
    /// When a process is gone, or the cards do not find each other.
    pub fn connect(&mut self, device: &Device) -> Result<()> {
        self.connect_by(engine(device).as_deref())
    }

    fn connect_by(&mut self, engine: Option<&dyn Engine>) -> Result<()> {
        if self.ranks == 1 || !self.all_agree(engine.is_some())? {
            return Ok(());
        }
        if let Some(engine) = engine {
            let id = self.broadcast_id(|| engine.id())?;
            self.direct = Some(engine.open(self.rank, self.ranks, id)?);
        }
        Ok(())
    }

    /// Gives the first process's id to all.
    fn broadcast_id(
        &mut self,
        make: impl FnOnce() -> Result<[u8; ID_BYTES]>,
    ) -> Result<[u8; ID_BYTES]> {
        let mut id = [0; ID_BYTES];
        if self.rank == 0 {
            id = make()?;
        }
        self.broadcast_bytes(&mut id)?;
        Ok(id)
    }

    /// Whether gradients travel between the cards.
    pub fn is_direct(&self) -> bool {
        self.direct.is_some()
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
    pub fn local_ranks(&self) -> usize {
        self.local_ranks
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
        if self.direct.is_some() {
            // A card would wait for ever for one whose process has left; a word over TCP does not.
            self.broadcast(0)?;
        }
        match &self.direct {
            Some(direct) => collective::sum(direct.as_ref(), loss, gradients),
            None => tcp::sum(&mut self.links, self.rank == 0, loss, gradients),
        }
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
                return Err(Error::Peer(format!(
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
    pub fn all_agree(&mut self, yes: bool) -> Result<bool> {
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
        Ok(self.broadcast(u8::from(all))? != 0)
    }

    /// Gives the first process's word to all.
    ///
    /// # Errors
    /// When a process is gone.
    pub fn broadcast(&mut self, word: u8) -> Result<u8> {
        let mut word = [word];
        self.broadcast_bytes(&mut word)?;
        Ok(word[0])
    }

    /// Gives the first process's bytes to all.
    fn broadcast_bytes(&mut self, bytes: &mut [u8]) -> Result<()> {
        for (index, link) in self.links.iter_mut().enumerate() {
            if self.rank == 0 {
                link.write_all(bytes)
            } else {
                link.read_exact(bytes)
            }
            .map_err(|error| lost(if self.rank == 0 { index + 1 } else { 0 }, &error))?;
        }
        Ok(())
    }
}

#[cfg(feature = "nccl")]
fn engine(device: &Device) -> Option<Box<dyn Engine>> {
    nccl::engine(device)
}

#[cfg(not(feature = "nccl"))]
fn engine(_device: &Device) -> Option<Box<dyn Engine>> {
    None
}

fn lost(rank: usize, error: &std::io::Error) -> Error {
    Error::Peer(format!(
        "process {rank} of the run is gone ({error}); `resume` continues from the last checkpoint"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Tensor;

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
                    let mut group = ProcessGroup::join(rank, 3, &address, "run").unwrap();
                    let (mut loss, mut own) = (rank as f32, gradients(10f32.powi(rank as i32)));
                    group.sum(&mut loss, &mut own).unwrap();
                    assert!(group.all_agree(true).unwrap());
                    assert!(!group.all_agree(rank == 1).unwrap());
                    assert_eq!((group.rank(), group.local_ranks()), (rank, 3));
                    (
                        loss,
                        own["b"].to_vec1::<f32>().unwrap(),
                        group.broadcast(0).unwrap(),
                    )
                })
            })
            .collect();
        let mut group = ProcessGroup::host(3, &listener, "run").unwrap();
        let (mut loss, mut own) = (0.0, gradients(1.0));
        group.sum(&mut loss, &mut own).unwrap();
        assert_eq!(own["a"].to_vec2::<f32>().unwrap(), [[111.0; 3]; 2]);
        assert!(group.all_agree(true).unwrap());
        assert!(!group.all_agree(true).unwrap());
        assert_eq!(group.local_ranks(), 3);
        assert_eq!(group.broadcast(9).unwrap(), 9);
        for other in others {
            assert_eq!(other.join().unwrap(), (3.0, vec![111.0, -111.0], 9));
        }
        let mut gone = gradients(1.0);
        let error = group.sum(&mut loss, &mut gone).unwrap_err().to_string();
        assert!(
            error.contains("process 1") && error.contains("resume"),
            "{error}"
        );
    }

    /// Makes ids of its own byte; what it opens adds a thousand for each byte of the id.
    #[derive(Clone, Copy, Debug)]
    struct Fake(u8);

    impl Engine for Fake {
        fn id(&self) -> Result<[u8; ID_BYTES]> {
            Ok(std::array::from_fn(|index| {
                self.0.wrapping_add(index as u8)
            }))
        }

        fn open(
            &self,
            rank: usize,
            ranks: usize,
            id: [u8; ID_BYTES],
        ) -> Result<Box<dyn Collective>> {
            assert_eq!(
                id,
                Fake(7).id()?,
                "the id of rank 0 came to rank {rank} of {ranks}"
            );
            Ok(Box::new(*self))
        }
    }

    impl Collective for Fake {
        fn sum(&self, flat: &Tensor) -> Result<Tensor> {
            Ok((flat + 1000.0)?)
        }
    }

    /// Lets three processes connect by these engines and add once; returns whether each is direct,
    /// and its loss.
    fn connected(engines: [Option<Fake>; 3]) -> Vec<(bool, f32)> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let work = |mut group: ProcessGroup| {
            let engine = engines[group.rank()];
            group
                .connect_by(engine.as_ref().map(|engine| engine as &dyn Engine))
                .unwrap();
            let (mut loss, mut own) = (1.0, gradients(1.0));
            group.sum(&mut loss, &mut own).unwrap();
            (group.is_direct(), loss)
        };
        std::thread::scope(|scope| {
            let others = [1, 2].map(|rank| {
                let (work, address) = (&work, &address);
                scope.spawn(move || work(ProcessGroup::join(rank, 3, address, "run").unwrap()))
            });
            let mut results = vec![work(ProcessGroup::host(3, &listener, "run").unwrap())];
            results.extend(others.map(|other| other.join().unwrap()));
            results
        })
    }

    #[test]
    fn the_first_ones_id_reaches_all_and_sums_go_the_direct_way() {
        let engines = [7, 8, 9].map(|byte| Some(Fake(byte)));
        assert_eq!(connected(engines), [(true, 1001.0); 3]);
    }

    #[test]
    fn one_process_without_a_card_keeps_all_on_the_wire() {
        let engines = [Some(Fake(7)), None, Some(Fake(9))];
        assert_eq!(connected(engines), [(false, 3.0); 3]);
        assert!(engine(&Device::Cpu).is_none());
    }

    #[test]
    fn a_process_with_other_tensors_is_told_of_by_the_first() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let other = std::thread::spawn(move || {
            let mut group = ProcessGroup::join(1, 2, &address, "run").unwrap();
            group.connect_by(Some(&Fake(8))).unwrap();
            let mut own = gradients(1.0);
            own.remove("b");
            group.sum(&mut 1.0, &mut own).unwrap_err().to_string()
        });
        let mut group = ProcessGroup::host(2, &listener, "run").unwrap();
        group.connect_by(Some(&Fake(7))).unwrap();
        let told = group.sum(&mut 1.0, &mut gradients(1.0)).unwrap_err();
        assert!(told.to_string().contains("other tensors"), "{told}");
        // The other one is not left waiting for a sum.
        drop(group);
        let told = other.join().unwrap();
        assert!(told.contains("process 0"), "{told}");
    }
}
