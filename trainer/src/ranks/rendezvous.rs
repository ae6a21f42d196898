//! How the processes of a run find each other: the first one waits, the others greet it, and when
//! all are there each is told how many of them share its machine.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use mmface_engine::{Error, Result};
use sha2::{Digest, Sha256};

/// First bytes of a greeting.
const MAGIC: &[u8; 8] = b"mmface-2";
/// How long the processes wait for each other at the start.
const MEETING: Duration = Duration::from_secs(60);

/// What a process knows after the meeting.
pub(super) struct Connected {
    /// At the first process one link to each other, in their order; elsewhere the link to the first.
    pub(super) links: Vec<TcpStream>,
    /// Processes of the run on this machine, with this one.
    pub(super) local_ranks: usize,
}

/// Waits as the first of `ranks` processes for the others. `run` names the run, so that strangers
/// are sent away.
pub(super) fn host(ranks: usize, listener: &TcpListener, run: &str) -> Result<Connected> {
    let mut links = wait_for_all(ranks, listener, run)?;
    let failed = |error: std::io::Error| {
        Error::Peer(format!(
            "a process left while the others were awaited ({error}); start all of them again"
        ))
    };
    let ends = links
        .iter()
        .map(|link| Ok((link.peer_addr()?.ip(), link.local_addr()?.ip())))
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(failed)?;
    let sharing = sharing(&ends);
    for (link, count) in links.iter_mut().zip(&sharing[1..]) {
        link.write_all(&(*count as u32).to_le_bytes())
            .map_err(failed)?;
    }
    Ok(Connected {
        links,
        local_ranks: sharing[0],
    })
}

fn wait_for_all(ranks: usize, listener: &TcpListener, run: &str) -> Result<Vec<TcpStream>> {
    let failed = |what: &str| Error::Peer(format!("cannot wait for the other processes: {what}"));
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
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
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
    Ok(links.into_iter().flatten().collect())
}

/// Greets the first process at `address` and waits until all are there.
pub(super) fn join(rank: usize, ranks: usize, address: &str, run: &str) -> Result<Connected> {
    let deadline = Instant::now() + MEETING;
    let mut link = loop {
        match TcpStream::connect(address) {
            Ok(link) => break link,
            Err(error) if Instant::now() > deadline => {
                return Err(Error::Peer(format!(
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
    let mut count = [0u8; 4];
    // The first process itself gives up in time; a machine that fell silent must not hold this one.
    link.write_all(&greeting)
        .and_then(|()| link.set_read_timeout(Some(2 * MEETING)))
        .and_then(|()| link.read_exact(&mut count))
        .and_then(|()| prepare(&link))
        .map_err(|error| {
            Error::Peer(format!(
                "rank {rank} was not let in by the first process at {address} ({error}); start all of them with the same configuration, each with a rank of its own"
            ))
        })?;
    Ok(Connected {
        links: vec![link],
        local_ranks: (u32::from_le_bytes(count) as usize).clamp(1, ranks),
    })
}

/// How many processes share the machine of each, the first one at the head, from the two ends of
/// each link of the first: the other's address and its own. An address is a machine; the loopback
/// and the first's own address are the first's machine. Several machines behind one address count
/// as one, which errs on the safe side.
fn sharing(ends: &[(IpAddr, IpAddr)]) -> Vec<usize> {
    let machines: Vec<Option<IpAddr>> = std::iter::once(None)
        .chain(ends.iter().map(|(theirs, own)| {
            let (theirs, own) = (theirs.to_canonical(), own.to_canonical());
            (!theirs.is_loopback() && theirs != own).then_some(theirs)
        }))
        .collect();
    let mut counts = HashMap::new();
    for machine in &machines {
        *counts.entry(machine).or_insert(0) += 1;
    }
    machines.iter().map(|machine| counts[machine]).collect()
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
        return Err(ErrorKind::InvalidData.into());
    }
    let number =
        |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let mut run = [0u8; 32];
    run.copy_from_slice(&bytes[16..]);
    Ok((number(8) as usize, number(12) as usize, run))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_address_is_a_machine_and_the_loopback_is_the_firsts() {
        let ends = |pairs: &[(&str, &str)]| -> Vec<(IpAddr, IpAddr)> {
            pairs
                .iter()
                .map(|(theirs, own)| (theirs.parse().unwrap(), own.parse().unwrap()))
                .collect()
        };
        assert_eq!(sharing(&[]), [1]);
        let launched = ends(&[("127.0.0.1", "127.0.0.1"), ("::1", "::1")]);
        assert_eq!(sharing(&launched), [3, 3, 3]);
        let spread = ends(&[
            ("10.0.0.1", "10.0.0.1"),
            ("10.0.0.2", "10.0.0.1"),
            ("::ffff:10.0.0.2", "::ffff:10.0.0.1"),
            ("10.0.0.3", "10.0.0.1"),
            ("::ffff:127.0.0.1", "::ffff:127.0.0.1"),
        ]);
        assert_eq!(sharing(&spread), [3, 3, 2, 2, 1, 3]);
    }

    #[test]
    fn a_process_of_another_run_is_not_let_in() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let first = std::thread::spawn(move || {
            host(2, &listener, "run").map(|connected| connected.local_ranks)
        });
        let error = join(1, 2, &address, "another run").err().unwrap();
        assert!(error.to_string().contains("same configuration"), "{error}");
        assert_eq!(join(1, 2, &address, "run").unwrap().local_ranks, 2);
        assert_eq!(first.join().unwrap().unwrap(), 2);
    }
}
