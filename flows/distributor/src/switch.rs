//! One switch: what it is subscribed to, what waits for it, what it has not answered yet.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use weft_compiler::{Scope, SeenFlow, SeenGroup};
use weft_model::{HostIndex, Revision};
use weft_openflow::Xid;

use crate::parcel::Parcel;

/// How many parcels a switch may owe an answer for.
const WINDOW_PARCELS: usize = 32;
/// How many bytes a switch may owe an answer for, beyond its first parcel.
const WINDOW_BYTES: usize = 2 << 20;
/// How many bytes of changes may wait for a switch before it is read back instead: the newest state wins over the history.
/// What a read-back found does not count: reading again would only find it again.
const OUTBOX_BYTES: usize = 16 << 20;
/// How many parcels may wait for a switch, likewise.
const OUTBOX_PARCELS: usize = 4096;
/// After how many overtaken audits in a row the switch is read while nothing is sent.
const OVERTAKEN_MAX: u32 = 3;
/// After a switch was read, how soon at the earliest it is read again because somebody else changed its tables.
pub const SUSPICION_PAUSE: Duration = Duration::from_millis(200);
/// The longest time between two attempts at a switch that refuses what it is sent.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// One connection of a switch; a new connection is a new session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// One reading of a switch's tables; an answer to an older one than the newest is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadId(pub u64);

/// What a switch has, as it told us.
#[derive(Debug, Clone, Default)]
pub struct Installed {
    /// All flows of the bridge.
    pub flows: Vec<SeenFlow>,
    /// All groups of the bridge.
    pub groups: Vec<SeenGroup>,
}

/// What a switch said about something it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A bundle is committed; the xid is that of the commit.
    Committed(Xid),
    /// A message was refused, with the error in words.
    Refused(Xid, String),
}

/// What a session must do next.
#[derive(Debug, Clone)]
pub enum Transmit {
    /// Ask the switch for all of its flows and groups and hand the answer to `handle_installed`.
    Read {
        /// Whose.
        host: HostIndex,
        /// On which connection.
        session: SessionId,
        /// Which reading the answer belongs to.
        read: ReadId,
    },
    /// Write these bytes, in this order.
    Send {
        /// To whom.
        host: HostIndex,
        /// On which connection.
        session: SessionId,
        /// What.
        parcels: Vec<Bytes>,
    },
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its tables must be read back as soon as nothing is in flight.
    MustRead,
    /// Its tables are on their way; changes need no queueing, the comparison will be with the newest state.
    Reading,
    /// It has what is wanted once its outbox and window are empty.
    Live,
}

/// Where the regular comparison with the switch's tables stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audit {
    /// Comes when it is due and nothing is outstanding.
    Due(Option<Instant>),
    /// Asked while nothing was outstanding, and nothing was queued since.
    Clean,
    /// Something was queued since it was asked, so the answer cannot be compared.
    Overtaken,
}

/// A parcel that waits. One that is shared by many newcomers may have been encoded long before `revision`.
#[derive(Debug)]
struct Queued {
    parcel: Arc<Parcel>,
    revision: Revision,
    why: Why,
}

/// Why a parcel waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Something changed.
    Change,
    /// A read-back found that the switch differs.
    Repair,
}

/// How much waits of what changed.
#[derive(Debug, Clone, Copy, Default)]
struct Backlog {
    bytes: usize,
    parcels: usize,
}

#[derive(Debug)]
struct InFlight {
    parcel: Arc<Parcel>,
    revision: Revision,
    /// The first error among its messages.
    refused: Option<String>,
}

#[derive(Debug)]
struct Session {
    id: SessionId,
    phase: Phase,
    audit: Audit,
    /// Audits overtaken since the last one that could be compared.
    overtaken: u32,
    /// Somebody else changed the tables, and no reading begun since has shown what.
    suspected: bool,
    /// When it was last read.
    read_at: Option<Instant>,
    last_read: ReadId,
    outbox: VecDeque<Queued>,
    backlog: Backlog,
    in_flight: VecDeque<InFlight>,
    /// How many times in a row something was refused between two read-backs.
    refusals_in_a_row: u32,
    /// Whether anything was refused since the last read-back.
    is_refused: bool,
    /// The oldest revision of which the switch refused something, until the next read-back shows what is still missing.
    missing: Option<Revision>,
}

/// What a read-back is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadBack {
    /// First contact or recovery: compare and send the difference; none of it is drift.
    Resync,
    /// A regular audit: every difference is drift.
    Audit,
    /// Overtaken or unasked: do not compare.
    Useless,
}

/// One switch, connected or not.
#[derive(Debug)]
pub struct Switch {
    /// Whose integration bridge it is.
    pub host: HostIndex,
    /// The scopes whose flows it should have.
    pub subscriptions: BTreeSet<Scope>,
    /// How many flows that is, as far as the scopes are compiled.
    pub flows: usize,
    /// Flow and group messages sent to it.
    pub messages_sent: u64,
    /// Audits whose reading could be compared.
    pub audits: u64,
    /// Flows and groups found different by audits and put right.
    pub drift_repaired: u64,
    /// What it last refused, in words; cleared when it takes everything again.
    pub refusal: Option<String>,
    /// The oldest revision that it has not confirmed.
    owed: Option<Revision>,
    session: Option<Session>,
}

impl Switch {
    /// A switch that is known but not connected, and owes everything up to `revision`.
    pub fn unseen(host: HostIndex) -> Switch {
        Switch {
            host,
            subscriptions: BTreeSet::new(),
            flows: 0,
            messages_sent: 0,
            audits: 0,
            drift_repaired: 0,
            refusal: None,
            owed: None,
            session: None,
        }
    }

    /// True while it has a session.
    pub fn is_connected(&self) -> bool {
        self.session.is_some()
    }

    /// True if `session` is its present one.
    pub fn is_session(&self, session: SessionId) -> bool {
        self.session.as_ref().is_some_and(|s| s.id == session)
    }

    /// The oldest revision that it has not confirmed.
    pub fn owed(&self) -> Option<Revision> {
        self.owed
    }

    /// A new connection: nothing is known about its tables.
    pub fn connect(&mut self, session: SessionId, revision: Revision) {
        self.owe(revision);
        self.session = Some(Session {
            id: session,
            phase: Phase::MustRead,
            audit: Audit::Due(None),
            overtaken: 0,
            suspected: false,
            read_at: None,
            last_read: ReadId(0),
            outbox: VecDeque::new(),
            backlog: Backlog::default(),
            in_flight: VecDeque::new(),
            refusals_in_a_row: 0,
            is_refused: false,
            missing: None,
        });
    }

    /// The connection is gone; what was outstanding stays owed.
    pub fn disconnect(&mut self) {
        self.session = None;
    }

    /// Notes that a change of `revision` concerns the switch.
    pub fn owe(&mut self, revision: Revision) {
        let oldest = self.owed.map_or(revision, |owed| owed.min(revision));
        self.owed = Some(oldest);
    }

    /// Queues parcels that bring the switch to `revision`. A switch that is being read needs none, and one whose outbox
    /// is full is read back later instead.
    pub fn enqueue(&mut self, parcels: &[Arc<Parcel>], revision: Revision) {
        if parcels.is_empty() {
            return;
        }
        self.owe(revision);
        let Some(session) = &mut self.session else { return };
        if session.phase != Phase::Live {
            return;
        }
        if session.audit == Audit::Clean {
            session.audit = Audit::Overtaken;
        }
        session.push(parcels, revision, Why::Change);
        let Backlog { bytes, parcels } = session.backlog;
        if bytes > OUTBOX_BYTES || parcels > OUTBOX_PARCELS {
            session.read_again();
        }
    }

    /// Queues all that a read-back found to be different. What the switch has owed from before, it owes until that is
    /// confirmed.
    pub fn repair(&mut self, parcels: &[Arc<Parcel>], revision: Revision) {
        let oldest = self.owed.map_or(revision, |owed| owed.min(revision));
        if let Some(session) = &mut self.session {
            session.push(parcels, oldest, Why::Repair);
        }
        self.update_owed();
    }

    /// True when the switch lately refused something, so that what it is sent should be told apart as finely as possible:
    /// a bundle is all or nothing, and what is refused must not hold up the rest.
    pub fn is_picky(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.refusals_in_a_row > 0)
    }

    /// Somebody else changed the tables: the next audit is due now, or as soon as one may follow the last reading.
    pub fn suspect(&mut self, now: Instant) {
        let Some(session) = &mut self.session else { return };
        session.suspected = true;
        let earliest = session.read_at.map_or(now, |read| now.max(read + SUSPICION_PAUSE));
        if let Audit::Due(Some(time)) = session.audit {
            session.audit = Audit::Due(Some(time.min(earliest)));
        }
    }

    /// What the session must do now, if anything.
    pub fn poll(&mut self, now: Instant) -> Option<Transmit> {
        let (host, session) = (self.host, self.session.as_mut()?);
        match session.phase {
            Phase::Reading => None,
            Phase::MustRead => {
                if !session.in_flight.is_empty() {
                    return None;
                }
                session.phase = Phase::Reading;
                Some(session.read(host))
            }
            Phase::Live => {
                let parcels = session.fill_window(&mut self.messages_sent);
                if !parcels.is_empty() {
                    return Some(Transmit::Send { host, session: session.id, parcels });
                }
                let due = matches!(session.audit, Audit::Due(Some(time)) if time <= now);
                if !due || !session.in_flight.is_empty() {
                    return None;
                }
                session.audit = Audit::Clean;
                Some(session.read(host))
            }
        }
    }

    /// When [`Switch::poll`] will have something to do that it cannot do yet.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let session = self.session.as_ref()?;
        let time = match (session.phase, session.audit) {
            (Phase::Live, Audit::Due(time)) => time,
            _ => None,
        };
        // What is overdue waits for an answer of the switch, not for the clock.
        time.filter(|time| *time > now)
    }

    /// A read-back has come; says what it is good for, readies the session to take the difference, and sets the time of
    /// the next audit: a regular one, or soon if somebody else changed the tables meanwhile.
    pub fn read_back(&mut self, read: ReadId, now: Instant, regular: Duration) -> ReadBack {
        let Some(session) = self.session.as_mut().filter(|s| s.last_read == read) else {
            return ReadBack::Useless;
        };
        session.read_at = Some(now);
        let next_audit = now + if session.suspected { SUSPICION_PAUSE } else { regular };
        let audit = std::mem::replace(&mut session.audit, Audit::Due(Some(next_audit)));
        match (session.phase, audit) {
            (Phase::Reading, _) => {
                session.phase = Phase::Live;
                session.begin_round();
                ReadBack::Resync
            }
            (Phase::Live, Audit::Clean) => match session.begin_round() {
                None => ReadBack::Audit,
                Some(_) => ReadBack::Resync,
            },
            (Phase::Live, Audit::Overtaken) => {
                session.overtaken += 1;
                // On a switch that never rests, stop sending for the time of one reading.
                if session.overtaken >= OVERTAKEN_MAX {
                    session.read_again();
                }
                ReadBack::Useless
            }
            _ => ReadBack::Useless,
        }
    }

    /// Takes a switch's answer to one of its messages.
    pub fn answer(&mut self, answer: Answer, now: Instant) {
        let Some(session) = &mut self.session else { return };
        match answer {
            Answer::Committed(xid) => {
                let Some(at) = session.in_flight.iter().position(|f| f.parcel.commit == xid.0) else {
                    return;
                };
                if let Some(settled) = session.in_flight.remove(at) {
                    self.settle(settled, now);
                }
            }
            Answer::Refused(xid, error) => {
                let Some(at) = session.in_flight.iter().position(|f| f.parcel.carries(xid)) else { return };
                session.in_flight[at].refused.get_or_insert(error);
                if session.in_flight[at].parcel.commit == xid.0
                    && let Some(settled) = session.in_flight.remove(at)
                {
                    self.settle(settled, now);
                }
            }
        }
    }

    /// Forgets what is owed when nothing is outstanding any more; else owes what the oldest outstanding parcel brings.
    pub fn update_owed(&mut self) {
        let Some(session) = &self.session else { return };
        if session.phase != Phase::Live {
            return;
        }
        let flying = session.in_flight.iter().map(|f| f.revision);
        let waiting = session.outbox.iter().map(|queued| queued.revision);
        self.owed = flying.chain(waiting).chain(session.missing).min();
        if self.owed.is_none() {
            self.refusal = None;
        }
    }

    fn settle(&mut self, settled: InFlight, now: Instant) {
        let Some(session) = &mut self.session else { return };
        if let Some(error) = settled.refused {
            self.refusal = Some(error);
            session.refused(settled.revision, now);
        }
        self.update_owed();
    }
}

impl Session {
    fn read(&mut self, host: HostIndex) -> Transmit {
        self.last_read = ReadId(self.last_read.0 + 1);
        self.suspected = false;
        Transmit::Read { host, session: self.id, read: self.last_read }
    }

    /// Moves parcels from the outbox into the window, as far as there is room.
    fn fill_window(&mut self, messages_sent: &mut u64) -> Vec<Bytes> {
        let mut parcels = Vec::new();
        let mut bytes: usize = self.in_flight.iter().map(|f| f.parcel.bytes.len()).sum();
        while self.in_flight.len() < WINDOW_PARCELS && (bytes < WINDOW_BYTES || self.in_flight.is_empty()) {
            let Some(Queued { parcel, revision, why }) = self.outbox.pop_front() else { break };
            bytes += parcel.bytes.len();
            if why == Why::Change {
                self.backlog.bytes -= parcel.bytes.len();
                self.backlog.parcels -= 1;
            }
            *messages_sent += parcel.messages as u64;
            parcels.push(parcel.bytes.clone());
            self.in_flight.push_back(InFlight { parcel, revision, refused: None });
        }
        parcels
    }

    fn push(&mut self, parcels: &[Arc<Parcel>], revision: Revision, why: Why) {
        self.outbox.extend(parcels.iter().map(|parcel| Queued { parcel: parcel.clone(), revision, why }));
        if why == Why::Change {
            self.backlog.bytes += parcels.iter().map(|p| p.bytes.len()).sum::<usize>();
            self.backlog.parcels += parcels.len();
        }
    }

    /// The tables are known and will be compared: gives the revision of which something was missing, if it was.
    fn begin_round(&mut self) -> Option<Revision> {
        self.overtaken = 0;
        if !std::mem::take(&mut self.is_refused) {
            self.refusals_in_a_row = 0;
        }
        self.missing.take()
    }

    /// The first refusal leads to a read-back at once: a message may have met something that somebody had changed by hand.
    /// If what that finds is refused as well, everything else goes on, and what is missing is tried ever more rarely.
    fn refused(&mut self, revision: Revision, now: Instant) {
        if self.phase != Phase::Live {
            return;
        }
        self.missing = Some(self.missing.map_or(revision, |missing| missing.min(revision)));
        if std::mem::replace(&mut self.is_refused, true) {
            return;
        }
        match self.refusals_in_a_row {
            0 => self.read_again(),
            n => {
                let pause = Duration::from_secs(1 << n.min(6)).min(BACKOFF_MAX);
                self.audit = Audit::Due(Some(now + pause));
            }
        }
        self.refusals_in_a_row = self.refusals_in_a_row.saturating_add(1);
    }

    fn read_again(&mut self) {
        self.phase = Phase::MustRead;
        self.audit = Audit::Due(None);
        self.overtaken = 0;
        self.outbox.clear();
        self.backlog = Backlog::default();
    }
}

#[cfg(test)]
mod tests;
