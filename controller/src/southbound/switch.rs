//! One switch's OpenFlow connection: handshake, pipelined sending, answers matched by xid, echo, read-backs.
//!
//! Nothing is waited for while something else could be sent: the engine decides what may be outstanding. Whatever the
//! switch says reaches somebody: answers go to the engine, the rest is counted and logged.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::codec::FramedRead;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, trace, warn};
use weft_distributor::{Answer, ReadFrom, ReadId, SessionId};
use weft_model::HostIndex;
use weft_openflow::message::multipart::{MultipartReply, Request};
use weft_openflow::message::{BundleCommand, ErrorCode, ErrorMessage, Hello, Message, VERSION};
use weft_openflow::{DecodeError, GroupId, Xid};

use super::datapath::{HostTag, owner_of};
use super::frames::Frames;
use super::readback::Reading;

use crate::engine::{Event, ToSwitch};
use crate::metrics::Metrics;
use crate::notices::Notice;

/// How long a switch may take for each step of the handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After how much silence a switch is probed, and how long it then has.
const QUIET: Duration = Duration::from_secs(10);
/// How many orders of the engine may wait; more than the distributor's window, so that it never runs full.
const ORDERS: usize = 128;
/// How many batches of bytes may wait for the socket, likewise.
const WRITES: usize = 256;
/// Xids of our own requests: below those of parcels.
const HELLO: Xid = Xid(1);
const FEATURES: Xid = Xid(2);
const ECHO: Xid = Xid(3);
/// The first xid of a read-back: flows; the next one is groups.
const READS: u32 = 0x1000;
/// One past the last xid of a read-back.
const READS_END: u32 = 0x00ff_fff0;

/// What every session needs.
#[derive(Debug, Clone)]
pub struct Context {
    /// The way to the engine.
    pub engine: mpsc::Sender<Event>,
    /// Where everything goes that nobody asked for.
    pub notices: mpsc::Sender<Notice>,
    /// Counters.
    pub metrics: Metrics,
    /// Ends the session.
    pub stop: CancellationToken,
}

/// Why a session ended.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The connection broke.
    #[error("reading from or writing to the switch")]
    Connection(#[from] io::Error),
    /// The switch closed the connection.
    #[error("the switch closed the connection")]
    Closed,
    /// The switch said nothing for too long.
    #[error("the switch is silent")]
    Silent,
    /// A message of the handshake cannot be read.
    #[error("a message of the handshake cannot be read")]
    Handshake(#[source] DecodeError),
    /// The switch does not speak OpenFlow 1.5.
    #[error("the switch does not speak OpenFlow 1.5")]
    Version,
    /// The datapath is not an integration bridge of ours.
    #[error("datapath {0} is not a Weft integration bridge")]
    Stranger(String),
    /// A read-back cannot be used.
    #[error("the switch's tables cannot be read: {0}")]
    ReadBack(String),
    /// An answer that somebody waits for cannot be read.
    #[error("an answer of the switch cannot be read")]
    Answer(#[source] DecodeError),
    /// The engine is gone.
    #[error("the controller is stopping")]
    Stopping,
}

/// Serves one connection until either side ends it.
pub async fn serve(stream: TcpStream, session: SessionId, context: Context) {
    let (reader, writer) = stream.into_split();
    let (writes, queue) = mpsc::channel(WRITES);
    let writing = tokio::spawn(write_all(writer, queue));
    let mut frames = FramedRead::new(reader, Frames);
    let outcome = tokio::select! {
        outcome = converse(&mut frames, writes, session, &context) => outcome,
        () = context.stop.cancelled() => Err(SessionError::Stopping),
    };
    writing.abort();
    match outcome {
        Ok(()) | Err(SessionError::Stopping) => debug!("OpenFlow session closed"),
        Err(error @ SessionError::Stranger(_)) => warn!(%error, "connection refused"),
        Err(error) => info!(error = &error as &dyn std::error::Error, "OpenFlow session ended"),
    }
}

/// Writes whatever is queued, many buffers to a system call.
async fn write_all(mut socket: OwnedWriteHalf, mut queue: mpsc::Receiver<Vec<Bytes>>) -> io::Result<()> {
    use tokio::io::AsyncWriteExt;
    let mut batches = Vec::new();
    while queue.recv_many(&mut batches, WRITES).await > 0 {
        let mut buffers = std::collections::VecDeque::from_iter(batches.drain(..).flatten());
        while !buffers.is_empty() {
            let slices: Vec<io::IoSlice<'_>> =
                buffers.iter().take(IOV).map(|b| io::IoSlice::new(b)).collect();
            let mut written = socket.write_vectored(&slices).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            while let Some(front) = buffers.front_mut().filter(|_| written > 0) {
                let part = written.min(front.len());
                written -= part;
                bytes::Buf::advance(front, part);
                if front.is_empty() {
                    buffers.pop_front();
                }
            }
        }
    }
    socket.shutdown().await
}

/// How many buffers one system call takes (Linux: UIO_MAXIOV is 1024).
const IOV: usize = 256;

type Incoming = FramedRead<OwnedReadHalf, Frames>;

async fn converse(
    frames: &mut Incoming,
    writes: mpsc::Sender<Vec<Bytes>>,
    id: SessionId,
    context: &Context,
) -> Result<(), SessionError> {
    let (host, tag) = handshake(frames, &writes).await?;
    let (link, mut orders) = mpsc::channel(ORDERS);
    let up = Event::SwitchUp { host, tag, session: id, link };
    context.engine.send(up).await.map_err(|_| SessionError::Stopping)?;
    context.metrics.openflow_sessions.inc();
    let mut session = Session { host, id, writes, context, reading: None, next_read: READS };
    let outcome = session.run(frames, &mut orders).await;
    drop(context.engine.send(Event::SwitchDown { host, session: id }).await);
    outcome
}

/// Agrees on the version and learns whose switch it is.
async fn handshake(
    frames: &mut Incoming,
    writes: &mpsc::Sender<Vec<Bytes>>,
) -> Result<(HostIndex, HostTag), SessionError> {
    send(writes, Message::Hello(Hello::ours()).encode(HELLO)).await?;
    loop {
        match next(frames, HANDSHAKE).await? {
            (_, Message::Hello(hello)) if hello.speaks(VERSION) => break,
            (xid, Message::Hello(_)) => {
                let code = ErrorCode::HELLO_INCOMPATIBLE;
                let data = Bytes::from_static(b"Weft speaks OpenFlow 1.5");
                send(writes, Message::Error(ErrorMessage { code, data }).encode(xid)).await?;
                return Err(SessionError::Version);
            }
            (xid, Message::EchoRequest(data)) => send(writes, Message::EchoReply(data).encode(xid)).await?,
            (_, other) => debug!(kind = ?other.kind(), "message before hello"),
        }
    }
    send(writes, Message::FeaturesRequest.encode(FEATURES)).await?;
    loop {
        match next(frames, HANDSHAKE).await? {
            (_, Message::FeaturesReply(features)) => {
                let id = features.datapath_id;
                return owner_of(id.0).ok_or_else(|| SessionError::Stranger(id.to_string()));
            }
            (xid, Message::EchoRequest(data)) => send(writes, Message::EchoReply(data).encode(xid)).await?,
            (_, other) => debug!(kind = ?other.kind(), "message before the features"),
        }
    }
}

async fn next(frames: &mut Incoming, within: Duration) -> Result<(Xid, Message), SessionError> {
    let frame = timeout(within, frames.next()).await.map_err(|_| SessionError::Silent)?;
    let frame = frame.ok_or(SessionError::Closed)??;
    let (header, message) = Message::decode(&frame).map_err(SessionError::Handshake)?;
    Ok((header.xid, message))
}

async fn send(writes: &mpsc::Sender<Vec<Bytes>>, message: Bytes) -> Result<(), SessionError> {
    writes.send(vec![message]).await.map_err(|_| SessionError::Closed)
}

struct Session<'a> {
    host: HostIndex,
    id: SessionId,
    writes: mpsc::Sender<Vec<Bytes>>,
    context: &'a Context,
    /// The read-back under way; a newer one replaces it.
    reading: Option<Reading>,
    next_read: u32,
}

impl Session<'_> {
    async fn run(
        &mut self,
        frames: &mut Incoming,
        orders: &mut mpsc::Receiver<ToSwitch>,
    ) -> Result<(), SessionError> {
        let mut heard = Instant::now();
        let mut probed = false;
        loop {
            tokio::select! {
                frame = frames.next() => {
                    let frame = frame.ok_or(SessionError::Closed)??;
                    (heard, probed) = (Instant::now(), false);
                    self.hear(&frame).await?;
                }
                order = orders.recv() => match order {
                    Some(ToSwitch::Send(parcels)) => self.writes.send(parcels).await.map_err(|_| SessionError::Closed)?,
                    Some(ToSwitch::Read(read)) => self.read(read).await?,
                    None => return Ok(()),
                },
                () = tokio::time::sleep_until(heard + QUIET * if probed { 2 } else { 1 }) => {
                    if probed {
                        return Err(SessionError::Silent);
                    }
                    probed = true;
                    send(&self.writes, Message::EchoRequest(Bytes::new()).encode(ECHO)).await?;
                }
            }
        }
    }

    /// Asks for all flows and all groups. The answers describe the tables after everything sent before.
    async fn read(&mut self, read: ReadId) -> Result<(), SessionError> {
        let (flows, groups) = (Xid(self.next_read), Xid(self.next_read + 1));
        self.next_read = if self.next_read + 2 >= READS_END { READS } else { self.next_read + 2 };
        self.reading = Some(Reading::new(read, flows, groups));
        let ask = |request: Request, xid| Message::MultipartRequest((&request).into()).encode(xid);
        let all_flows = ask(Request::FlowDesc(weft_openflow::message::multipart::FlowFilter::all()), flows);
        let all_groups = ask(Request::GroupDesc(GroupId::ALL), groups);
        self.writes.send(vec![all_flows, all_groups]).await.map_err(|_| SessionError::Closed)
    }

    async fn hear(&mut self, frame: &Bytes) -> Result<(), SessionError> {
        let (header, message) = match Message::decode(frame) {
            Ok(decoded) => decoded,
            // It will not be said again, so waiting for it would never end: the next connection starts afresh.
            Err(error) if is_awaited(frame) => return Err(SessionError::Answer(error)),
            Err(error) => {
                // The stream is still in step; one strange message is no reason to give up the switch.
                warn!(%error, length = frame.len(), "a message of the switch cannot be read");
                self.context.metrics.unreadable.inc();
                return Ok(());
            }
        };
        trace!(xid = %header.xid, kind = ?message.kind(), "from the switch");
        match message {
            Message::EchoRequest(data) => {
                send(&self.writes, Message::EchoReply(data).encode(header.xid)).await
            }
            Message::EchoReply(_) | Message::BarrierReply => Ok(()),
            Message::BundleControl(control) => match control.command {
                BundleCommand::CommitReply => self.answered(Answer::Committed(header.xid)).await,
                _ => Ok(()),
            },
            Message::Error(error) => self.refused(header.xid, &error).await,
            Message::MultipartReply(part) => self.part(header.xid, &part).await,
            message => {
                let notice = Notice { host: self.host, message };
                self.context.notices.send(notice).await.map_err(|_| SessionError::Stopping)
            }
        }
    }

    async fn refused(&mut self, xid: Xid, error: &ErrorMessage) -> Result<(), SessionError> {
        if self.reading.as_ref().is_some_and(|reading| reading.is_about(xid)) {
            return Err(SessionError::ReadBack(error.code.to_string()));
        }
        self.answered(Answer::Refused(xid, error.code.to_string())).await
    }

    async fn answered(&self, answer: Answer) -> Result<(), SessionError> {
        let event = Event::Answered { host: self.host, session: self.id, answer };
        self.context.engine.send(event).await.map_err(|_| SessionError::Stopping)
    }

    async fn part(&mut self, xid: Xid, part: &MultipartReply) -> Result<(), SessionError> {
        let Some(reading) = self.reading.as_mut().filter(|reading| reading.is_about(xid)) else {
            return Ok(());
        };
        let complete = reading.take(xid, part).map_err(|error| SessionError::ReadBack(error.to_string()))?;
        let Some(installed) = complete else { return Ok(()) };
        let from = ReadFrom { host: self.host, session: self.id, read: reading.id() };
        self.reading = None;
        let event = Event::Installed { from, installed: Box::new(installed) };
        self.context.engine.send(event).await.map_err(|_| SessionError::Stopping)
    }
}

/// True for a message with the xid of a reading's request or of a parcel's message.
fn is_awaited(frame: &[u8]) -> bool {
    let xid = frame.get(4..8).and_then(|xid| xid.try_into().ok()).map(u32::from_be_bytes);
    xid.is_some_and(|xid| xid >= READS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_cannot_be_read_ends_the_session_and_small_talk_does_not() {
        // A multipart reply that ends after its header.
        let broken = |xid: u32| [&[6, 19, 0, 8][..], &xid.to_be_bytes()].concat();
        assert!(Message::decode(&Bytes::from(broken(READS))).is_err());
        assert!(is_awaited(&broken(READS)) && is_awaited(&broken(0x0100_0007)));
        assert!(!is_awaited(&broken(0)) && !is_awaited(&broken(ECHO.0)));
        assert!(!is_awaited(&[6, 19]));
    }
}
