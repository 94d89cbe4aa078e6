//! The floor of the day: a raw writer that hands the same pre-encoded bytes to N sockets, nothing else.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::{Events, Interest, Poll, Token};
use weft_fleet::{Answers, Condition, Fleet, FleetSpec, Hosts, OpenFlowSource, Sign};
use weft_openflow::Xid;
use weft_openflow::message::{Hello, Message};

use crate::numbers::{milliseconds, own_cpu};

/// How long a round may take.
const ROUND: Duration = Duration::from_secs(60);

/// One writer thread, one reader thread, N connections over loopback TCP.
#[derive(Debug)]
pub struct RawFanout {
    writers: Vec<TcpStream>,
    rounds: Sender<usize>,
    stamps: Receiver<Result<Stamps>>,
}

/// When the reader had read the whole message on the first and on the last connection.
#[derive(Debug)]
struct Stamps {
    first: Instant,
    last: Instant,
}

/// What one round took.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// From before the first write to after the last read.
    pub total: Duration,
    /// From the first connection complete to the last complete, at the reader.
    pub spread: Duration,
}

/// Some rounds of one message.
#[derive(Debug)]
pub struct Rounds {
    /// One by one.
    pub rounds: Vec<Round>,
    /// Processor time of the writer per message, in microseconds.
    pub cpu_us: f64,
}

impl RawFanout {
    /// Opens `count` connections.
    pub fn open(count: usize) -> Result<RawFanout> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (mut writers, mut readers) = (Vec::new(), Vec::new());
        for _ in 0..count {
            // One after the other: the backlog never fills.
            readers.push(TcpStream::connect(address).context("a connection of the raw writer")?);
            let (writer, _) = listener.accept()?;
            writer.set_nodelay(true)?;
            writer.set_nonblocking(true)?;
            writers.push(writer);
        }
        let (rounds, orders) = channel();
        let (results, stamps) = channel();
        let mut reader = Reader::new(readers)?;
        std::thread::Builder::new().name("raw-reader".into()).spawn(move || {
            // It ends when the writer's half is dropped.
            for bytes in orders {
                if results.send(reader.round(bytes)).is_err() {
                    break;
                }
            }
        })?;
        Ok(RawFanout { writers, rounds, stamps })
    }

    /// Writes `message` to all connections and waits until it is read on all.
    pub fn round(&mut self, message: &[u8]) -> Result<Round> {
        self.rounds.send(message.len()).context("the reader has ended")?;
        let begin = Instant::now();
        let mut blocked: Vec<(usize, usize)> = Vec::new();
        for (index, writer) in self.writers.iter_mut().enumerate() {
            let sent = send(writer, message)?;
            if sent < message.len() {
                blocked.push((index, sent));
            }
        }
        while !blocked.is_empty() {
            ensure!(begin.elapsed() < ROUND, "{} connections take nothing more", blocked.len());
            for (index, sent) in &mut blocked {
                *sent += send(&mut self.writers[*index], &message[*sent..])?;
            }
            blocked.retain(|(_, sent)| *sent < message.len());
            std::thread::yield_now();
        }
        let stamps = self.stamps.recv_timeout(ROUND).context("the reader has not read everything")??;
        Ok(Round { total: stamps.last - begin, spread: stamps.last - stamps.first })
    }

    /// The rounds of a measurement, after a few that warm up.
    pub fn rounds(&mut self, message: &[u8], count: usize) -> Result<Rounds> {
        for _ in 0..3 {
            self.round(message)?;
        }
        // Over all rounds at once: the kernel's account of a running thread is behind by up to a tick.
        let before = own_cpu()?;
        let rounds = (0..count).map(|_| self.round(message)).collect::<Result<Vec<Round>>>()?;
        let cpu = own_cpu()?.saturating_sub(before);
        let messages = (count * self.writers.len()).max(1);
        Ok(Rounds { rounds, cpu_us: milliseconds(cpu) * 1000.0 / messages as f64 })
    }
}

/// A raw writer whose bytes are read by simulated switches: the same receivers as the controller's.
#[derive(Debug)]
pub struct RawIntoFleet {
    fleet: Fleet,
    writers: Vec<TcpStream>,
}

impl RawIntoFleet {
    /// Lets so many simulated switches dial in.
    pub fn open(count: u32) -> Result<RawIntoFleet> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let openflow = OpenFlowSource::Static {
            controller: listener.local_addr()?,
            datapath_id: |host| u64::from(host) + 1,
        };
        let fleet = Fleet::start(FleetSpec { hosts: count, openflow, ..FleetSpec::default() })?;
        fleet.set_answers(Answers::WhenAllIsRead);
        let hello = Message::Hello(Hello::ours()).encode(Xid(1));
        let mut writers = Vec::new();
        for _ in 0..count {
            let (mut writer, _) = listener.accept()?;
            writer.set_nodelay(true)?;
            writer.write_all(&hello)?;
            writers.push(writer);
        }
        Ok(RawIntoFleet { fleet, writers })
    }

    /// Rounds of one bundle, after a few that warm up. What the switches answer stays in the sockets: it is little.
    pub fn rounds(&mut self, bundle: &[u8], count: usize) -> Result<Vec<Round>> {
        let rounds = (0..count + 3).map(|_| self.round(bundle)).skip(3);
        rounds.collect()
    }

    fn round(&mut self, bundle: &[u8]) -> Result<Round> {
        let committed = self.fleet.expect(Hosts::All, Condition::Sees(Sign::Committed));
        let begin = Instant::now();
        for writer in &mut self.writers {
            writer.write_all(bundle)?;
        }
        let met = committed.wait(ROUND);
        ensure!(met.is_complete(), "{} switches have not read the raw writer's bundle", met.missing);
        let (first, last) = met.first().zip(met.last()).context("there are switches")?;
        Ok(Round {
            total: last.saturating_duration_since(begin),
            spread: last.saturating_duration_since(first),
        })
    }
}

/// As much as the connection takes at once.
fn send(writer: &mut TcpStream, bytes: &[u8]) -> Result<usize> {
    match writer.write(bytes) {
        Ok(count) => Ok(count),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
        Err(error) => Err(error).context("the raw writer"),
    }
}

struct Reader {
    streams: Vec<mio::net::TcpStream>,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
}

impl Reader {
    fn new(streams: Vec<TcpStream>) -> Result<Reader> {
        let poll = Poll::new()?;
        let mut registered = Vec::new();
        for (index, stream) in streams.into_iter().enumerate() {
            stream.set_nonblocking(true)?;
            let mut stream = mio::net::TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(index), Interest::READABLE)?;
            registered.push(stream);
        }
        let buffer = vec![0; 256 << 10];
        Ok(Reader { streams: registered, poll, events: Events::with_capacity(1024), buffer })
    }

    /// Reads `bytes` from each connection.
    fn round(&mut self, bytes: usize) -> Result<Stamps> {
        let mut left = vec![bytes; self.streams.len()];
        let mut open = left.len();
        let (mut first, mut last) = (None, Instant::now());
        while open > 0 {
            self.poll.poll(&mut self.events, Some(ROUND))?;
            ensure!(!self.events.is_empty(), "{open} connections have got nothing for {ROUND:?}");
            for event in &self.events {
                let index = event.token().0;
                let count = drain(&mut self.streams[index], &mut self.buffer)?;
                ensure!(count <= left[index], "more bytes than were sent");
                left[index] -= count;
                if left[index] == 0 && count > 0 {
                    open -= 1;
                    last = Instant::now();
                    first.get_or_insert(last);
                }
            }
        }
        Ok(Stamps { first: first.unwrap_or(last), last })
    }
}

/// Reads until nothing is there (the events are edges). A short read means that: one call less.
fn drain(stream: &mut mio::net::TcpStream, buffer: &mut [u8]) -> Result<usize> {
    let mut total = 0;
    loop {
        match stream.read(buffer) {
            Ok(0) => bail!("the raw writer closed a connection"),
            Ok(count) => {
                total += count;
                if count < buffer.len() {
                    return Ok(total);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(total),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("the raw reader"),
        }
    }
}

/// The rate at which messages went out in a round, in messages per second, as the reader saw it.
pub fn rate(messages: usize, spread: Duration) -> f64 {
    messages.saturating_sub(1) as f64 / spread.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simulated_switches_take_the_raw_writers_bundle() {
        let rounds = RawIntoFleet::open(5).unwrap().rounds(&crate::fanout::bundle(), 2).unwrap();
        assert_eq!(rounds.len(), 2);
    }

    #[test]
    fn every_connection_gets_every_byte() {
        let mut raw = RawFanout::open(20).unwrap();
        // More than a socket buffer holds, so that writes block.
        let large = vec![7; 8 << 20];
        for message in [&large[..600], &large[..], &large[..1]] {
            let round = raw.round(message).unwrap();
            assert!(round.spread <= round.total);
        }
    }
}
