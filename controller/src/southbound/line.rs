//! The sending side of a switch's connection: bytes go out where they are ordered, and only what the socket does not
//! take at once waits.
//!
//! One change to a thousand switches is a thousand small writes. Handing each of them to a task of its own costs more
//! than the write itself (see `examples/fanout.rs`), so the engine writes straight into the socket, which never blocks.
//! What does not fit waits here, in order, and the session's task sends it when there is room again.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use weft_distributor::{Depth, ReadId};
use weft_openflow::message::multipart::{FlowFilter, Request};
use weft_openflow::message::{HEADER_LEN, Message};
use weft_openflow::{GroupId, Xid};

use crate::engine::ToSwitch;

/// How many buffers may wait for the socket; more than the distributor's window, so that it never runs full.
const QUEUE: usize = 256;
/// With how many buffers waiting there is no room for answers to packets.
const ANSWERS: usize = 64;
/// How many buffers one system call takes.
const IOV: usize = 64;
/// How many answered bundles show that a switch which owes old ones gets on with them,
const STEADY_ANSWERS: usize = 4;
/// or how many bytes of answered bundles, or of a reading. A bundle of a first sync is longer than that.
const STEADY_BYTES: usize = 16 << 10;
/// How much room of an emptied queue is kept.
const KEPT: usize = 8;
/// The first xid of a read-back: flows; the next one is groups.
pub const READS: u32 = 0x1000;
/// One past the last xid of a read-back.
const READS_END: u32 = 0x00ff_fff0;

/// The line is closed or full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck;

/// A reading that was asked for on the line.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Which one.
    pub read: ReadId,
    /// How closely it looks.
    pub depth: Depth,
    /// The xid of the question for flows.
    pub flows: Xid,
    /// The xid of the question for groups.
    pub groups: Xid,
}

/// The engine's end of a session. Dropping it ends the session.
#[derive(Debug)]
pub struct Link(Arc<Line>);

impl Link {
    /// Hands an order over. What comes first goes out first.
    ///
    /// # Errors
    /// [`Stuck`] when the session has ended, or when the switch has not read for so long that too much waits.
    pub fn order(&self, order: ToSwitch) -> Result<(), Stuck> {
        match order {
            ToSwitch::Send(parcels) => self.0.send(parcels),
            ToSwitch::Read(read, depth) => self.0.read(read, depth),
        }
    }

    /// Has the switch send packets, if there is room: nobody waits for them.
    ///
    /// # Errors
    /// [`Stuck`] when too much waits already.
    pub fn announce(&self, packets: Bytes) -> Result<(), Stuck> {
        self.0.answer(packets)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.wake.notify_one();
    }
}

/// The sending side of one connection, shared by its session and the engine. The lock is held for one write at the most,
/// and writes do not block.
#[derive(Debug)]
pub struct Line {
    socket: OwnedWriteHalf,
    out: Mutex<Outgoing>,
    wake: Notify,
}

/// A bundle that is owed an answer.
#[derive(Debug)]
struct Sent {
    commit: Xid,
    bytes: usize,
    at: Instant,
}

/// What a switch has answered since it last showed that it gets on.
#[derive(Debug)]
struct Progress {
    since: Instant,
    answers: usize,
    bytes: usize,
}

impl Progress {
    fn anew(now: Instant) -> Progress {
        Progress { since: now, answers: 0, bytes: 0 }
    }
}

#[derive(Debug)]
struct Outgoing {
    queue: VecDeque<Bytes>,
    /// The first buffer of the queue is sent in part.
    is_begun: bool,
    /// Bundles whose commits the switch has not answered yet, the oldest first.
    commits: VecDeque<Sent>,
    asked: Option<Asked>,
    asked_at: Instant,
    progress: Progress,
    next_read: u32,
    /// Since when an answer has been waited for: the last one, or the first order after a rest.
    since: Instant,
    closed: bool,
}

impl Line {
    /// A line over the writing half of a connection.
    pub fn new(socket: OwnedWriteHalf) -> Arc<Line> {
        let now = Instant::now();
        let out = Outgoing {
            queue: VecDeque::new(),
            is_begun: false,
            commits: VecDeque::new(),
            asked: None,
            asked_at: now,
            progress: Progress::anew(now),
            next_read: READS,
            since: now,
            closed: false,
        };
        Arc::new(Line { socket, out: Mutex::new(out), wake: Notify::new() })
    }

    /// The engine's end.
    pub fn link(self: &Arc<Line>) -> Link {
        Link(self.clone())
    }

    /// Sends messages of the session's own.
    ///
    /// # Errors
    /// [`Stuck`] when too much waits. That the connection broke shows when it is read, or to whom it wakes.
    pub fn say(&self, messages: Bytes) -> Result<(), Stuck> {
        let mut out = self.lock();
        if out.queue.len() >= QUEUE {
            return Err(Stuck);
        }
        drop(self.put(&mut out, [messages]));
        Ok(())
    }

    /// Answers a probe: before everything that waits, because the switch lets go of us if it waits too long.
    ///
    /// # Errors
    /// As [`Line::say`].
    pub fn reply(&self, message: Bytes) -> Result<(), Stuck> {
        let mut out = self.lock();
        if out.queue.len() >= QUEUE {
            return Err(Stuck);
        }
        if out.queue.is_empty() {
            drop(self.put(&mut out, [message]));
        } else {
            let place = usize::from(out.is_begun);
            out.queue.insert(place, message);
        }
        Ok(())
    }

    /// Answers a packet, which nobody minds much if it is lost: only while little waits.
    ///
    /// # Errors
    /// [`Stuck`] when more waits.
    pub fn answer(&self, message: Bytes) -> Result<(), Stuck> {
        let mut out = self.lock();
        if out.closed || out.queue.len() >= ANSWERS {
            return Err(Stuck);
        }
        self.put(&mut out, [message]).map_err(|_| Stuck)
    }

    /// Sends what waits, as far as the socket takes it.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn flush(&self) -> io::Result<()> {
        let mut out = self.lock();
        self.drain(&mut out)
    }

    /// True while something waits for the socket.
    pub fn is_waiting(&self) -> bool {
        !self.lock().queue.is_empty()
    }

    /// True when the engine has let go of the session.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits until the socket may take more.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }

    /// Waits until something began to wait or the engine let go.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// The switch has answered a commit, or said that it failed. False when that is no commit that was waited for.
    pub fn settle(&self, commit: Xid, now: Instant) -> bool {
        let mut out = self.lock();
        let Some(at) = out.commits.iter().position(|sent| sent.commit == commit) else { return false };
        let bytes = out.commits.remove(at).map_or(0, |sent| sent.bytes);
        out.credit(1, bytes, now);
        if out.commits.is_empty() && out.commits.capacity() > KEPT {
            out.commits = VecDeque::new();
        }
        true
    }

    /// A part of a reading has come, of so many bytes.
    pub fn progressed(&self, bytes: usize, now: Instant) {
        self.lock().credit(0, bytes, now);
    }

    /// The reading that was asked for last, if the xid is one of its questions'.
    pub fn asked(&self, xid: Xid) -> Option<Asked> {
        self.lock().asked.filter(|asked| xid == asked.flows || xid == asked.groups)
    }

    /// The reading is complete.
    pub fn answered(&self, read: ReadId) {
        let mut out = self.lock();
        if out.asked.is_some_and(|asked| asked.read == read) {
            out.asked = None;
        }
    }

    /// For how long the switch has owed an answer, if it owes one.
    pub fn owing(&self, now: Instant) -> Option<Duration> {
        let out = self.lock();
        let owes = !out.commits.is_empty() || out.asked.is_some();
        owes.then(|| now.saturating_duration_since(out.since))
    }

    /// How old the oldest thing is that the switch owes an answer for, if it owes one; counted from when it last showed
    /// that it gets on, by a number of answered bundles or a good part of a reading. What it says besides does not count.
    pub fn overdue(&self, now: Instant) -> Option<Duration> {
        let out = self.lock();
        let bundle = out.commits.front().map(|sent| sent.at);
        let reading = out.asked.map(|_| out.asked_at);
        let oldest = bundle.into_iter().chain(reading).min()?;
        Some(now.saturating_duration_since(oldest.max(out.progress.since)))
    }

    fn send(&self, parcels: Vec<Bytes>) -> Result<(), Stuck> {
        let mut out = self.lock();
        if out.closed || out.queue.len() + parcels.len() > QUEUE {
            return Err(Stuck);
        }
        let at = out.begins();
        let sent = |parcel: &Bytes| Some(Sent { commit: commit_of(parcel)?, bytes: parcel.len(), at });
        out.commits.extend(parcels.iter().filter_map(sent));
        self.put(&mut out, parcels).map_err(|_| Stuck)
    }

    /// Asks for all flows and all groups. The answers describe the tables after everything sent before.
    fn read(&self, read: ReadId, depth: Depth) -> Result<(), Stuck> {
        let mut out = self.lock();
        if out.closed || out.queue.len() >= QUEUE {
            return Err(Stuck);
        }
        out.asked_at = out.begins();
        let (flows, groups) = (Xid(out.next_read), Xid(out.next_read + 1));
        out.next_read = if out.next_read + 2 >= READS_END { READS } else { out.next_read + 2 };
        out.asked = Some(Asked { read, depth, flows, groups });
        let ask = |request: Request, xid| Message::MultipartRequest((&request).into()).encode(xid);
        let questions =
            [ask(Request::FlowDesc(FlowFilter::all()), flows), ask(Request::GroupDesc(GroupId::ALL), groups)];
        self.put(&mut out, questions).map_err(|_| Stuck)
    }

    fn put(&self, out: &mut Outgoing, buffers: impl IntoIterator<Item = Bytes>) -> io::Result<()> {
        let waits = !out.queue.is_empty();
        out.queue.extend(buffers.into_iter().filter(|buffer| !buffer.is_empty()));
        if waits {
            // The session sends it after what waits already.
            return Ok(());
        }
        self.drain(out)?;
        if !out.queue.is_empty() {
            self.wake.notify_one();
        }
        Ok(())
    }

    fn drain(&self, out: &mut Outgoing) -> io::Result<()> {
        while !out.queue.is_empty() {
            match self.write(&out.queue) {
                Ok(0) => return Err(self.broken(out, io::ErrorKind::WriteZero.into())),
                Ok(written) => out.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(self.broken(out, error)),
            }
        }
        if out.queue.capacity() > KEPT {
            out.queue = VecDeque::new();
        }
        Ok(())
    }

    fn write(&self, queue: &VecDeque<Bytes>) -> io::Result<usize> {
        if let ([only], []) = queue.as_slices() {
            return self.socket.try_write(only);
        }
        let mut slices = [IoSlice::new(&[]); IOV];
        let count = queue.len().min(IOV);
        for (slice, buffer) in slices.iter_mut().zip(queue) {
            *slice = IoSlice::new(buffer);
        }
        self.socket.try_write_vectored(&slices[..count])
    }

    fn broken(&self, out: &mut Outgoing, error: io::Error) -> io::Error {
        out.closed = true;
        out.queue = VecDeque::new();
        self.wake.notify_one();
        error
    }

    fn lock(&self) -> MutexGuard<'_, Outgoing> {
        // Whoever panicked with it has left the queue whole: it is changed by single steps.
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outgoing {
    /// An answer is waited for from now on, unless one is already.
    fn begins(&mut self) -> Instant {
        let now = Instant::now();
        if self.commits.is_empty() && self.asked.is_none() {
            (self.since, self.progress) = (now, Progress::anew(now));
        }
        now
    }

    /// The switch has answered something.
    fn credit(&mut self, answers: usize, bytes: usize, now: Instant) {
        self.since = now;
        self.progress.answers += answers;
        self.progress.bytes += bytes;
        if self.progress.answers >= STEADY_ANSWERS || self.progress.bytes >= STEADY_BYTES {
            self.progress = Progress::anew(now);
        }
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(front) = self.queue.front_mut().filter(|_| written > 0) {
            let part = written.min(front.len());
            written -= part;
            front.advance(part);
            self.is_begun = !front.is_empty();
            if !self.is_begun {
                self.queue.pop_front();
            }
        }
    }
}

/// How long a bundle's commit is: it is the last message of a parcel (OpenFlow 1.5 section 7.3.9.1, without properties).
const COMMIT_LEN: usize = HEADER_LEN + 8;

/// The xid of a parcel's commit.
fn commit_of(parcel: &Bytes) -> Option<Xid> {
    let commit = parcel.len().checked_sub(COMMIT_LEN).and_then(|start| parcel.get(start..))?;
    let xid = commit.get(4..HEADER_LEN)?.try_into().ok()?;
    Some(Xid(u32::from_be_bytes(xid)))
}

#[cfg(test)]
mod tests;
