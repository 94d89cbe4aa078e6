//! One switch's OpenFlow connection: handshake, pipelined sending, answers matched by xid, echo, read-backs.
//!
//! Nothing is waited for while something else could be sent: the engine decides what may be outstanding, and writes it
//! itself ([`super::line`]). Whatever the switch says reaches somebody: answers and others' changes go to the engine, the
//! rest is counted and logged, as far as it comes at a bearable rate.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::sync::mpsc::Permit;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, trace, warn};
use weft_compiler::{is_learned, tunnel_at};
use weft_distributor::{Answer, ReadFrom, SessionId};
use weft_model::HostIndex;
use weft_openflow::message::multipart::{FlowUpdate, MultipartKind, MultipartReply, Reply};
use weft_openflow::message::{
    BundleCommand, ErrorMessage, Message, MessageKind, PortDesc, PortReason, PortState,
};
use weft_openflow::{DecodeError, Xid};

use super::advertising::{Advertising, Rounds};
use super::crowd::Crowd;
use super::frames::{Filled, Frames};
use super::handshake::{self, LISTEN, MONITOR};
use super::line::{Line, READS, Stuck};
use super::meters::{Inspection, METERS};
use super::questions::{self, Desk, PACKETS};
use super::readback::Reading;

use crate::dns::Resolver;
use crate::engine::{Event, PULSES, Pulse};
use crate::metrics::Metrics;
use crate::notices::Notice;

/// How often the engine is told at the most that somebody changes a switch's tables.
const SUSPICIONS: Duration = Duration::from_millis(50);
/// How many messages that nobody asked for are looked at in one second; more are dropped unread and counted.
const NOTICES: u32 = 500;
/// How many messages of one connection may be unreadable before it is given up.
const UNREADABLE: u32 = 100;
/// How many of them are logged one by one.
const UNREADABLE_TOLD: u32 = 3;
/// How many times a switch's socket is read before other tasks have their turn.
const READS_IN_A_ROW: usize = 8;
/// How many bytes of what a switch said may wait for the engine before no more is read. Probes do not wait: as long as
/// there is room, they are answered however busy the engine is.
const BACKLOG: usize = 256 << 10;
/// How much room of an emptied backlog is kept.
const KEPT: usize = 4;
/// Our echo request's xid.
const ECHO: Xid = Xid(3);

/// What every session needs.
#[derive(Debug, Clone)]
pub struct Context {
    /// The way to the engine.
    pub engine: mpsc::Sender<Event>,
    /// Where everything goes that nobody asked for.
    pub notices: mpsc::Sender<Notice>,
    /// Counters.
    pub metrics: Metrics,
    /// How long is waited for what.
    pub pace: Pace,
    /// All that are connected.
    pub crowd: Crowd,
    /// How ports are told of routers unasked.
    pub advertising: Advertising,
    /// Who is asked for names.
    pub resolver: Option<Resolver>,
    /// Ends the session.
    pub stop: CancellationToken,
}

/// How long a session waits.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// After how much silence a switch is probed, and how long it then has; up to four times as much in a crowd.
    pub quiet: Duration,
    /// How long a switch may owe an answer while it gives none of those that it owes; looked at once in `quiet`. One that
    /// gives hardly any may owe the oldest twice as long.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { quiet: Duration::from_secs(10), patience: Duration::from_secs(30) }
    }
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
    /// It does not read what it is sent.
    #[error("the switch does not read what it is sent")]
    Deaf,
    /// It answers probes, but nothing that matters.
    #[error("the switch has owed answers for {} s and given none", .0.as_secs())]
    Unanswering(Duration),
    /// It answers something now and then, but does not get on.
    #[error("the switch has owed its oldest answer for {} s and hardly gives any", .0.as_secs())]
    Overdue(Duration),
    /// It sends messages, but hardly any that can be read.
    #[error("the switch sends messages that cannot be read")]
    Unreadable,
    /// The engine is gone.
    #[error("the controller is stopping")]
    Stopping,
}

impl From<Stuck> for SessionError {
    fn from(_: Stuck) -> SessionError {
        SessionError::Deaf
    }
}

impl SessionError {
    /// True when the switch does what it should not, which will not pass by itself.
    fn is_fault(&self) -> bool {
        matches!(
            self,
            SessionError::Unanswering(_)
                | SessionError::Overdue(_)
                | SessionError::Unreadable
                | SessionError::Deaf
                | SessionError::ReadBack(_)
                | SessionError::Answer(_)
        )
    }
}

/// Serves one connection until either side ends it.
pub async fn serve(stream: TcpStream, session: SessionId, context: Context) {
    let (reader, writer) = stream.into_split();
    let (mut frames, line) = (Frames::new(reader), Line::new(writer));
    let outcome = tokio::select! {
        outcome = converse(&mut frames, &line, session, &context) => outcome,
        () = context.stop.cancelled() => Err(SessionError::Stopping),
    };
    match outcome {
        Ok(()) | Err(SessionError::Stopping) => debug!("OpenFlow session closed"),
        Err(error @ SessionError::Stranger(_)) => warn!(%error, "connection refused"),
        // The engine tells of it, at a bearable rate.
        Err(error) if error.is_fault() => debug!(%error, "OpenFlow session ended by the switch's fault"),
        Err(error) => info!(error = &error as &dyn std::error::Error, "OpenFlow session ended"),
    }
}

async fn converse(
    frames: &mut Frames,
    line: &Arc<Line>,
    id: SessionId,
    context: &Context,
) -> Result<(), SessionError> {
    // On the heap, so that what the handshake needs is gone when it is over.
    let (host, tag) = Box::pin(handshake::shake(frames, line)).await?;
    Box::pin(handshake::provide_meters(frames, line)).await?;
    line.say(handshake::watch())?;
    let up = Event::SwitchUp { host, tag, session: id, link: line.link() };
    context.engine.send(up).await.map_err(|_| SessionError::Stopping)?;
    context.metrics.openflow_sessions.inc();
    let _place = context.crowd.join();
    let now = Instant::now();
    let mut session = Session {
        host,
        id,
        line: line.clone(),
        context,
        reading: None,
        heard: now,
        is_probed: false,
        told: None,
        is_suspect: false,
        allowance: Allowance { since: now, left: NOTICES },
        desk: Desk::new(now, context.resolver.clone()),
        rounds: Rounds::new(host, context.advertising.clone(), now),
        inspection: None,
        unreadable: 0,
        backlog: VecDeque::new(),
        backlog_bytes: 0,
    };
    let outcome = session.run(frames).await;
    let error = outcome.as_ref().err().filter(|error| !matches!(error, SessionError::Stopping));
    let fault = error.filter(|error| error.is_fault()).map(ToString::to_string);
    let reason = error.map(ToString::to_string);
    drop(context.engine.send(Event::SwitchDown { host, session: id, reason, fault }).await);
    outcome
}

struct Session<'a> {
    host: HostIndex,
    id: SessionId,
    line: Arc<Line>,
    context: &'a Context,
    /// The read-back under way; a newer one replaces it.
    reading: Option<Reading>,
    /// When the switch said something last.
    heard: Instant,
    /// It was asked whether it is still there.
    is_probed: bool,
    /// When the engine was told last that somebody else changes the tables.
    told: Option<Instant>,
    /// Somebody else changed them, and the engine does not know it yet.
    is_suspect: bool,
    allowance: Allowance,
    /// Answers what its ports ask.
    desk: Desk,
    /// Tells them what they need not ask.
    rounds: Rounds,
    /// A look at its meters under way.
    inspection: Option<Inspection>,
    unreadable: u32,
    /// What it said that the engine has had no room for.
    backlog: VecDeque<Bytes>,
    backlog_bytes: usize,
}

/// How many more messages that nobody asked for are looked at until a second is over.
struct Allowance {
    since: Instant,
    left: u32,
}

impl Session<'_> {
    async fn run(&mut self, frames: &mut Frames) -> Result<(), SessionError> {
        let mut timer = Box::pin(tokio::time::sleep_until(self.due()));
        let (line, engine) = (self.line.clone(), &self.context.engine);
        loop {
            tokio::select! {
                ready = frames.readable(), if self.backlog_bytes < BACKLOG => {
                    ready?;
                    self.take_in(frames).await?;
                    if self.is_suspect {
                        self.hurry(&mut timer);
                    }
                }
                permit = engine.reserve(), if !self.backlog.is_empty() => {
                    self.hear_next(permit.map_err(|_| SessionError::Stopping)?)?;
                    self.hear_all()?;
                }
                ready = line.writable(), if line.is_waiting() => {
                    ready?;
                    line.flush()?;
                }
                // Something waits for the socket now, or the engine let go.
                () = line.woken() => if line.is_closed() { return Ok(()) },
                () = timer.as_mut() => {
                    // What has come already counts, however late we are with it.
                    self.take_in(frames).await?;
                    self.watch_the_clock()?;
                    self.rounds.turn(&self.line, Instant::now());
                    timer.as_mut().reset(self.due());
                }
            }
        }
    }

    /// Reads what has come and hears it. One that never stops talking has its turns like everybody else.
    async fn take_in(&mut self, frames: &mut Frames) -> Result<(), SessionError> {
        for _ in 0..READS_IN_A_ROW {
            if self.backlog_bytes >= BACKLOG {
                return Ok(());
            }
            match frames.fill().await? {
                Filled::Some => {}
                Filled::Nothing => return Ok(()),
                Filled::End => return Err(SessionError::Closed),
            }
            while let Some(frame) = frames.cut()? {
                (self.heard, self.is_probed) = (Instant::now(), false);
                self.receive(frame)?;
            }
            self.hear_all()?;
        }
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Answers a probe or a port's question at once, drops what is too much, and keeps the rest to be heard in order.
    fn receive(&mut self, frame: Bytes) -> Result<(), SessionError> {
        if questions::is_question(&frame) {
            self.desk.serve(&frame, &self.line, self.heard, &self.context.metrics);
            return Ok(());
        }
        if is_notice(&frame) && !self.allowance.take(self.heard) {
            self.context.metrics.notices_dropped.inc();
            return Ok(());
        }
        if let (true, Ok((header, Message::EchoRequest(data)))) = (is_probe(&frame), Message::decode(&frame))
        {
            return Ok(self.line.reply(Message::EchoReply(data).encode(header.xid))?);
        }
        self.backlog_bytes += frame.len();
        self.backlog.push_back(frame);
        Ok(())
    }

    /// Hears what waits, as far as the engine has room.
    fn hear_all(&mut self) -> Result<(), SessionError> {
        let engine = &self.context.engine;
        while !self.backlog.is_empty() {
            match engine.try_reserve() {
                Ok(permit) => self.hear_next(permit)?,
                Err(TrySendError::Full(())) => return Ok(()),
                Err(TrySendError::Closed(())) => return Err(SessionError::Stopping),
            }
        }
        if self.backlog.capacity() > KEPT {
            self.backlog = VecDeque::new();
        }
        Ok(())
    }

    fn hear_next(&mut self, engine: Permit<'_, Event>) -> Result<(), SessionError> {
        let Some(frame) = self.backlog.pop_front() else { return Ok(()) };
        self.backlog_bytes -= frame.len();
        self.hear(&frame, engine)
    }

    fn quiet(&self) -> Duration {
        self.context.crowd.stretch(self.context.pace.quiet)
    }

    /// When the clock must be looked at next.
    fn due(&self) -> Instant {
        let probe = self.heard + self.quiet() * if self.is_probed { 2 } else { 1 };
        let suspicion = self.told.filter(|_| self.is_suspect).map(|told| told + SUSPICIONS);
        [suspicion, self.rounds.due()].into_iter().flatten().fold(probe, Instant::min)
    }

    /// The timer is only set back when it fires; a suspicion may be due sooner.
    fn hurry(&self, timer: &mut Pin<Box<Sleep>>) {
        let due = self.due();
        if due < timer.deadline() {
            timer.as_mut().reset(due);
        }
    }

    fn watch_the_clock(&mut self) -> Result<(), SessionError> {
        let now = Instant::now();
        if self.is_suspect {
            self.told = Some(now);
            match self.context.engine.try_reserve() {
                Ok(engine) => self.tell_suspicion(now, engine),
                Err(TrySendError::Full(())) => {}
                Err(TrySendError::Closed(())) => return Err(SessionError::Stopping),
            }
        }
        if !self.backlog.is_empty() {
            // Its answers may be among what we have not heard.
            return Ok(());
        }
        let (quiet, patience) = (self.quiet(), self.context.pace.patience);
        if let Some(owing) = self.line.owing(now.into_std()).filter(|since| *since > patience) {
            return Err(SessionError::Unanswering(owing));
        }
        if let Some(age) = self.line.overdue(now.into_std()).filter(|age| *age > 2 * patience) {
            return Err(SessionError::Overdue(age));
        }
        if now < self.heard + quiet {
            return Ok(());
        }
        if self.is_probed {
            return if now >= self.heard + 2 * quiet { Err(SessionError::Silent) } else { Ok(()) };
        }
        self.is_probed = true;
        Ok(self.line.say(Message::EchoRequest(Bytes::new()).encode(ECHO))?)
    }

    /// Each message makes one event at the most.
    fn hear(&mut self, frame: &Bytes, engine: Permit<'_, Event>) -> Result<(), SessionError> {
        let (header, message) = match Message::decode(frame) {
            Ok(decoded) => decoded,
            // It will not be said again, so waiting for it would never end: the next connection starts afresh.
            Err(error) if is_awaited(frame) => return Err(SessionError::Answer(error)),
            Err(error) => return self.unreadable(error, frame.len()),
        };
        trace!(xid = %header.xid, kind = ?message.kind(), "from the switch");
        match message {
            Message::EchoReply(_) | Message::BarrierReply => Ok(()),
            Message::BundleControl(control) => match control.command {
                BundleCommand::CommitReply => {
                    self.answered(Answer::Committed(header.xid), engine);
                    Ok(())
                }
                _ => Ok(()),
            },
            Message::Error(error) => self.refused(header.xid, &error, engine),
            Message::MultipartReply(part) if part.kind == MultipartKind::FlowMonitor => {
                self.flows_changed(header.xid, &part, engine);
                Ok(())
            }
            Message::MultipartReply(part) if header.xid == METERS => self.meters(part),
            Message::MultipartReply(part) if header.xid == PULSES => {
                self.ports_described(&part, engine);
                Ok(())
            }
            Message::MultipartReply(part) => self.part((header.xid, frame.len()), &part, engine),
            Message::RequestForward(forwarded) => {
                debug!(host = %self.host, kind = ?forwarded.request.kind(), "somebody else changed groups or meters");
                self.suspect(engine);
                self.inspect_meters()
            }
            Message::PortStatus(status) => {
                if status.reason == PortReason::Modify {
                    self.pulse(&status.port, engine);
                }
                self.notice(Message::PortStatus(status))
            }
            message => self.notice(message),
        }
    }

    /// The answer to a question about a tunnel.
    fn ports_described(&self, part: &MultipartReply, engine: Permit<'_, Event>) {
        if let Ok(Reply::PortDesc(ports)) = part.decode()
            && let [port] = ports.as_slice()
        {
            self.pulse(port, engine);
        }
    }

    /// Tells the engine how the other end of a tunnel is.
    fn pulse(&self, port: &PortDesc, engine: Permit<'_, Event>) {
        let Some(tunnel) = tunnel_at(port.port.0) else { return };
        let pulse = if port.state.contains(PortState::LIVE) { Pulse::Alive } else { Pulse::Dead };
        engine.send(Event::Pulse { host: self.host, session: self.id, tunnel, pulse });
    }

    /// Somebody else may have changed its meters.
    fn inspect_meters(&mut self) -> Result<(), SessionError> {
        if self.inspection.is_none() {
            self.inspection = Some(Inspection::default());
            self.line.say(Inspection::ask())?;
        }
        Ok(())
    }

    fn meters(&mut self, part: MultipartReply) -> Result<(), SessionError> {
        let Some(changes) = self.inspection.as_mut().and_then(|inspection| inspection.take(part)) else {
            return Ok(());
        };
        self.inspection = None;
        Ok(self.line.say(changes)?)
    }

    /// The stream is still in step; a strange message is no reason to give up the switch, many are.
    fn unreadable(&mut self, error: DecodeError, length: usize) -> Result<(), SessionError> {
        self.context.metrics.unreadable.inc();
        self.unreadable += 1;
        if self.unreadable <= UNREADABLE_TOLD {
            warn!(host = %self.host, %error, length, "a message of the switch cannot be read");
        }
        if self.unreadable > UNREADABLE { Err(SessionError::Unreadable) } else { Ok(()) }
    }

    /// Hands on what nobody asked for. Nobody waits for it, so it is dropped rather than let anything wait.
    fn notice(&self, message: Message) -> Result<(), SessionError> {
        match self.context.notices.try_send(Notice { host: self.host, message }) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                self.context.metrics.notices_dropped.inc();
                Ok(())
            }
            Err(TrySendError::Closed(_)) => Err(SessionError::Stopping),
        }
    }

    fn refused(
        &mut self,
        xid: Xid,
        error: &ErrorMessage,
        engine: Permit<'_, Event>,
    ) -> Result<(), SessionError> {
        if self.line.asked(xid).is_some() {
            return Err(SessionError::ReadBack(error.code.to_string()));
        }
        if xid == MONITOR || xid == LISTEN {
            info!(host = %self.host, code = %error.code, "the switch does not tell of others' changes: audits find them");
            return Ok(());
        }
        if xid == METERS || xid == PACKETS || xid == PULSES {
            self.inspection = None;
            debug!(host = %self.host, code = %error.code, "the switch refuses a meter or an answer to a packet");
            return Ok(());
        }
        self.answered(Answer::Refused(xid, error.code.to_string()), engine);
        Ok(())
    }

    fn answered(&self, answer: Answer, engine: Permit<'_, Event>) {
        let (Answer::Committed(xid) | Answer::Refused(xid, _)) = &answer;
        self.line.settle(*xid, self.heard.into_std());
        engine.send(Event::Answered { host: self.host, session: self.id, answer });
    }

    /// A part of a reading, with the xid and the length of its message.
    fn part(
        &mut self,
        (xid, length): (Xid, usize),
        part: &MultipartReply,
        engine: Permit<'_, Event>,
    ) -> Result<(), SessionError> {
        let Some(asked) = self.line.asked(xid) else { return Ok(()) };
        self.line.progressed(length, self.heard.into_std());
        if self.reading.as_ref().is_none_or(|reading| !reading.is_about(xid)) {
            self.reading = Some(Reading::new((asked.read, asked.depth), asked.flows, asked.groups));
        }
        let Some(reading) = &mut self.reading else { return Ok(()) };
        let complete = reading.take(xid, part).map_err(|error| SessionError::ReadBack(error.to_string()))?;
        let Some(installed) = complete else { return Ok(()) };
        let (from, cost) =
            (ReadFrom { host: self.host, session: self.id, read: reading.id() }, reading.cost());
        self.reading = None;
        self.line.answered(from.read);
        engine.send(Event::Installed { from, installed: Box::new(installed), cost });
        Ok(())
    }

    /// The answer to the request for a monitor, or what it tells. That the tables were changed by us is no news, nor what the
    /// switch learns by itself; neither
    /// is a pause once it is over, but it hid what happened meanwhile.
    fn flows_changed(&mut self, xid: Xid, part: &MultipartReply, engine: Permit<'_, Event>) {
        if xid == MONITOR {
            return engine.send(Event::Watching { host: self.host, session: self.id });
        }
        let Ok(Reply::FlowMonitor(updates)) = part.decode() else {
            // Whatever it is, it says that something happened.
            return self.suspect(engine);
        };
        let is_news = |update: &FlowUpdate| match update {
            FlowUpdate::Own(_) | FlowUpdate::Resumed => false,
            FlowUpdate::Flow(_, flow) => !is_learned(flow.table, flow.cookie, flow.hard_timeout),
            _ => true,
        };
        if updates.iter().any(is_news) {
            self.suspect(engine);
        }
    }

    fn suspect(&mut self, engine: Permit<'_, Event>) {
        self.is_suspect = true;
        let now = self.heard;
        if self.told.is_none_or(|told| now >= told + SUSPICIONS) {
            self.tell_suspicion(now, engine);
        }
    }

    fn tell_suspicion(&mut self, now: Instant, engine: Permit<'_, Event>) {
        (self.is_suspect, self.told) = (false, Some(now));
        self.context.metrics.suspicions.inc();
        engine.send(Event::Suspected { host: self.host, session: self.id });
    }
}

impl Allowance {
    fn take(&mut self, now: Instant) -> bool {
        if now.duration_since(self.since) >= Duration::from_secs(1) {
            *self = Allowance { since: now, left: NOTICES };
        }
        let is_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_left
    }
}

/// True for a message of a kind that a switch sends unasked, and that nothing depends on.
fn is_notice(frame: &[u8]) -> bool {
    let kinds =
        [MessageKind::PacketIn, MessageKind::FlowRemoved, MessageKind::PortStatus, MessageKind::Experimenter];
    frame.get(1).is_some_and(|kind| kinds.contains(&MessageKind::from_wire(*kind)))
}

/// True for the question whether we are still there.
fn is_probe(frame: &[u8]) -> bool {
    frame.get(1).is_some_and(|kind| MessageKind::from_wire(*kind) == MessageKind::EchoRequest)
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
