//! One switch: what it is subscribed to, what waits for it, what it has not answered yet.
//!
//! A switch that takes what it is sent gets parcels, in order. For one that does not, only a little waits as parcels; of
//! every scope that changes further it is noted since when it is *late* (see [`crate::late`]), and that becomes bytes,
//! shared with all that are late in the same way, when there is room again. So a stuck switch costs a few references, a
//! change that was undone is never sent, and whatever happened meanwhile, catching up costs what differs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use weft_compiler::{Scope, SeenFlow, SeenGroup, Tallies};
use weft_model::{HostIndex, Revision};
use weft_openflow::Xid;

use crate::late::LateId;
use crate::parcel::Parcel;

/// What a switch may owe answers for, and what may wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many parcels it may owe an answer for.
    pub window: u16,
    /// How many parcels of one scope may wait: one that changes again and again is worth sending only once.
    pub waiting: u16,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { window: 32, waiting: 8 }
    }
}

/// How many bytes a switch may owe an answer for, beyond its first parcel.
const WINDOW_BYTES: usize = 2 << 20;
/// How many bytes of changes may wait for a switch as parcels; what does not fit makes it late.
const OUTBOX_BYTES: usize = 1 << 20;
/// How many parcels of changes may wait, likewise.
const OUTBOX_PARCELS: usize = 256;
/// How many parcels of scopes that a switch joins and leaves may wait before it is read back instead. What a read-back
/// found does not count: reading again would only find it again.
const JOINS_PARCELS: usize = 4096;
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

/// How closely a switch's tables are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Added up while they come in: shows which scopes differ, and costs no memory.
    Tallies,
    /// Every flow and group: shows what differs.
    Tables,
}

/// What a switch has, as it told us.
#[derive(Debug, Clone)]
pub enum Installed {
    /// The answer to [`Depth::Tallies`].
    Tallies(Tallies),
    /// The answer to [`Depth::Tables`].
    Tables {
        /// All flows of the bridge.
        flows: Vec<SeenFlow>,
        /// All groups of the bridge.
        groups: Vec<SeenGroup>,
    },
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
        /// What the answer must hold.
        depth: Depth,
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
    /// The scope that it changes; `None` for a difference that a read-back found.
    scope: Option<Scope>,
    revision: Revision,
}

/// Parcels for one switch.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// Of which scope; `None` when they are what a read-back found.
    pub scope: Option<Scope>,
    /// What to send.
    pub parcels: &'a [Arc<Parcel>],
    /// The oldest revision that is confirmed with them.
    pub revision: Revision,
}

/// What became of parcels that a switch was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// They are queued.
    Taken,
    /// It is away or about to be compared with the newest state anyway.
    NotNeeded,
    /// It is late with this scope already.
    Absorbed,
    /// There is no room: from now on it is late with this scope.
    NoRoom,
}

/// What a switch wants to happen now.
#[derive(Debug)]
pub enum Wish {
    /// This is to be sent.
    Send(Transmit),
    /// Its tables are to be read, see [`Switch::begin_read`].
    Read(Why),
    /// There is room again for a scope that it is late with.
    CatchUp(Scope, LateId),
}

/// Why a switch is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It cannot be brought up to date before it is.
    Resync,
    /// Somebody else changed it, or an audit began that must be finished.
    Suspicion,
    /// A regular audit was due at that time.
    Audit(Instant),
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
    /// How closely the next reading looks.
    depth: Depth,
    /// When it was last read.
    read_at: Option<Instant>,
    last_read: ReadId,
    outbox: VecDeque<Queued>,
    backlog: Backlog,
    /// Scopes that it is late with, since when, and in which group.
    late: BTreeMap<Scope, (LateId, Revision)>,
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
    /// How often a scope that it has was not what compiling from scratch gives.
    pub self_check_failed: u64,
    /// What it last refused, in words; cleared when it takes everything again.
    pub refusal: Option<String>,
    /// The oldest revision that it has not confirmed.
    owed: Option<Revision>,
    /// Groups of late switches that it is no longer one of, for the distributor to note.
    left: Vec<(Scope, LateId)>,
    limits: Limits,
    /// It waits for its turn to be polled.
    pub is_ready: bool,
    session: Option<Session>,
}

impl Switch {
    /// A switch that is known but not connected, and owes everything up to `revision`.
    pub fn unseen(host: HostIndex, limits: Limits) -> Switch {
        Switch {
            host,
            subscriptions: BTreeSet::new(),
            flows: 0,
            messages_sent: 0,
            audits: 0,
            drift_repaired: 0,
            self_check_failed: 0,
            refusal: None,
            owed: None,
            left: Vec::new(),
            limits,
            is_ready: false,
            session: None,
        }
    }

    /// True while it has a session.
    pub fn is_connected(&self) -> bool {
        self.session.is_some()
    }

    /// Its present session.
    pub fn session(&self) -> Option<SessionId> {
        Some(self.session.as_ref()?.id)
    }

    /// True if that is the newest reading of its tables.
    pub fn is_last_read(&self, read: ReadId) -> bool {
        self.session.as_ref().is_some_and(|session| session.last_read == read)
    }

    /// What it should have grew by so many flows.
    pub fn count(&mut self, flows: i64) {
        let flows = isize::try_from(flows).unwrap_or_default();
        self.flows = self.flows.saturating_add_signed(flows);
    }

    /// True if `session` is its present one.
    pub fn is_session(&self, session: SessionId) -> bool {
        self.session.as_ref().is_some_and(|s| s.id == session)
    }

    /// The oldest revision that it has not confirmed.
    pub fn owed(&self) -> Option<Revision> {
        self.owed
    }

    /// True while it is told of changes as they come.
    pub fn is_live(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.phase == Phase::Live)
    }

    /// How many parcels wait or are unanswered, and how many scopes it is late with.
    pub fn load(&self) -> (usize, usize) {
        self.session.as_ref().map_or((0, 0), |s| (s.outbox.len() + s.in_flight.len(), s.late.len()))
    }

    /// The groups of late switches that it left without catching up.
    pub fn take_left(&mut self) -> Vec<(Scope, LateId)> {
        std::mem::take(&mut self.left)
    }

    /// A new connection: nothing is known about its tables.
    pub fn connect(&mut self, session: SessionId, revision: Revision) {
        self.disconnect();
        self.owe(revision);
        self.session = Some(Session {
            id: session,
            phase: Phase::MustRead,
            audit: Audit::Due(None),
            overtaken: 0,
            suspected: false,
            depth: Depth::Tallies,
            read_at: None,
            last_read: ReadId(0),
            outbox: VecDeque::new(),
            backlog: Backlog::default(),
            late: BTreeMap::new(),
            in_flight: VecDeque::new(),
            refusals_in_a_row: 0,
            is_refused: false,
            missing: None,
        });
    }

    /// The connection is gone; what was outstanding stays owed.
    pub fn disconnect(&mut self) {
        let late = self.session.take().into_iter().flat_map(|session| session.late);
        self.left.extend(late.map(|(scope, (group, _))| (scope, group)));
    }

    /// Notes that a change of `revision` concerns the switch.
    pub fn owe(&mut self, revision: Revision) {
        let oldest = self.owed.map_or(revision, |owed| owed.min(revision));
        self.owed = Some(oldest);
    }

    /// Offers parcels with what changed in a scope. They go to a switch that has room; one that has not is late from now
    /// on, and one that will be compared with the newest state needs none.
    pub fn offer(&mut self, load: Load<'_>) -> Offer {
        let (Load { scope, parcels, revision }, limits) = (load, self.limits);
        if parcels.is_empty() {
            return Offer::NotNeeded;
        }
        self.owe(revision);
        let Some(session) = self.session.as_mut().filter(|s| s.phase == Phase::Live) else {
            return Offer::NotNeeded;
        };
        session.overtake();
        if scope.is_some_and(|scope| session.late.contains_key(&scope)) {
            return Offer::Absorbed;
        }
        if !session.has_room(scope, limits) {
            return Offer::NoRoom;
        }
        session.push(load);
        Offer::Taken
    }

    /// Notes that it is late with a scope, from `revision` on, as one of a group.
    pub fn set_late(&mut self, scope: Scope, group: LateId, revision: Revision) {
        if let Some(session) = &mut self.session {
            session.late.insert(scope, (group, revision));
        }
    }

    /// The group in which it is late with a scope, if it is.
    pub fn late(&self, scope: Scope) -> Option<LateId> {
        Some(self.session.as_ref()?.late.get(&scope)?.0)
    }

    /// It has been late with a scope and these parcels bring it up to date.
    pub fn catch_up(&mut self, scope: Scope, parcels: &[Arc<Parcel>]) {
        let Some(session) = &mut self.session else { return };
        if let Some((_, revision)) = session.late.remove(&scope) {
            session.push(Load { scope: Some(scope), parcels, revision });
        }
        self.update_owed();
    }

    /// Queues all of a scope that it joins, or the removal of one that it leaves. If too much waits already, the switch is
    /// read back instead.
    pub fn move_over(&mut self, load: Load<'_>) {
        self.owe(load.revision);
        let Some(session) = self.session.as_mut().filter(|s| s.phase == Phase::Live) else { return };
        session.overtake();
        session.push(load);
        if session.backlog.parcels > JOINS_PARCELS {
            self.read_again();
        }
    }

    /// Queues all that a read-back found to be different. What the switch has owed from before, it owes until that is
    /// confirmed.
    pub fn repair(&mut self, parcels: &[Arc<Parcel>], revision: Revision) {
        let oldest = self.owed.map_or(revision, |owed| owed.min(revision));
        if let Some(session) = &mut self.session {
            session.push(Load { scope: None, parcels, revision: oldest });
        }
        self.update_owed();
    }

    /// Whatever waits is dropped; the switch is compared with the newest state as soon as nothing is in flight.
    pub fn read_again(&mut self) {
        let Some(session) = &mut self.session else { return };
        let late = session.read_again();
        self.left.extend(late.into_iter().map(|(scope, (group, _))| (scope, group)));
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

    /// What must happen now, if anything.
    pub fn poll(&mut self, now: Instant) -> Option<Wish> {
        let (host, session) = (self.host, self.session.as_mut()?);
        match session.phase {
            Phase::Reading => None,
            Phase::MustRead => session.in_flight.is_empty().then_some(Wish::Read(Why::Resync)),
            Phase::Live => {
                // A host's own scope comes last in order and goes first.
                if session.outbox.is_empty()
                    && session.has_window(self.limits)
                    && let Some((scope, (group, _))) = session.late.last_key_value()
                {
                    return Some(Wish::CatchUp(*scope, *group));
                }
                let parcels = session.fill_window(self.limits, &mut self.messages_sent);
                if !parcels.is_empty() {
                    return Some(Wish::Send(Transmit::Send { host, session: session.id, parcels }));
                }
                let due = match session.audit {
                    Audit::Due(Some(time)) if time <= now => time,
                    _ => return None,
                };
                if !session.in_flight.is_empty() || !session.late.is_empty() {
                    return None;
                }
                Some(Wish::Read(match (session.refusals_in_a_row, session.suspected, session.depth) {
                    (0, false, Depth::Tallies) => Why::Audit(due),
                    (0, _, _) => Why::Suspicion,
                    _ => Why::Resync,
                }))
            }
        }
    }

    /// The reading that it wished for begins.
    pub fn begin_read(&mut self) -> Option<Transmit> {
        let is_picky = self.is_picky();
        let (host, session) = (self.host, self.session.as_mut()?);
        match session.phase {
            Phase::MustRead => session.phase = Phase::Reading,
            Phase::Live => session.audit = Audit::Clean,
            Phase::Reading => return None,
        }
        session.last_read = ReadId(session.last_read.0 + 1);
        session.suspected = false;
        if is_picky {
            session.depth = Depth::Tables;
        }
        Some(Transmit::Read { host, session: session.id, read: session.last_read, depth: session.depth })
    }

    /// The tallies show that something differs: the same reading is wanted again, of everything. What was to become of
    /// the reading (`read`) stays so.
    pub fn look_closer(&mut self, read: ReadBack, now: Instant) {
        let Some(session) = &mut self.session else { return };
        session.depth = Depth::Tables;
        match read {
            ReadBack::Resync => {
                session.phase = Phase::MustRead;
                session.audit = Audit::Due(None);
            }
            ReadBack::Audit => session.audit = Audit::Due(Some(now)),
            ReadBack::Useless => {}
        }
    }

    /// The tables were compared: what was refused or found earlier is over.
    pub fn compared(&mut self) -> Option<Revision> {
        let session = self.session.as_mut()?;
        session.depth = Depth::Tallies;
        session.begin_round()
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
                ReadBack::Resync
            }
            (Phase::Live, Audit::Clean) if session.missing.is_none() => ReadBack::Audit,
            (Phase::Live, Audit::Clean) => ReadBack::Resync,
            (Phase::Live, Audit::Overtaken) => {
                session.overtaken += 1;
                // On a switch that never rests, stop sending for the time of one reading.
                if session.overtaken >= OVERTAKEN_MAX {
                    self.read_again();
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
        let late = session.late.values().map(|(_, revision)| *revision);
        let mut oldest: Option<Revision> = None;
        for revision in session.missing.into_iter().chain(flying).chain(late).chain(waiting) {
            if self.owed.is_some_and(|owed| revision <= owed) {
                // What is owed never gets older by something being settled, so the rest need not be looked at.
                return;
            }
            oldest = Some(oldest.map_or(revision, |oldest| oldest.min(revision)));
        }
        self.owed = oldest;
        if self.owed.is_none() {
            self.refusal = None;
        }
    }

    fn settle(&mut self, settled: InFlight, now: Instant) {
        let Some(session) = &mut self.session else { return };
        if let Some(error) = settled.refused {
            self.refusal = Some(error);
            if session.refused(settled.revision, now) {
                self.read_again();
            }
        }
        self.update_owed();
    }
}

impl Session {
    /// An audit that is under way cannot be compared any more.
    fn overtake(&mut self) {
        if self.audit == Audit::Clean {
            self.audit = Audit::Overtaken;
        }
    }

    /// True if a change of the scope may wait as a parcel.
    fn has_room(&self, scope: Option<Scope>, limits: Limits) -> bool {
        let Backlog { bytes, parcels } = self.backlog;
        if bytes > OUTBOX_BYTES || parcels >= OUTBOX_PARCELS {
            return false;
        }
        let most = usize::from(limits.waiting);
        self.outbox.len() < most || self.outbox.iter().filter(|queued| queued.scope == scope).count() < most
    }

    fn has_window(&self, limits: Limits) -> bool {
        let bytes: usize = self.in_flight.iter().map(|f| f.parcel.bytes.len()).sum();
        self.in_flight.is_empty()
            || (self.in_flight.len() < usize::from(limits.window) && bytes < WINDOW_BYTES)
    }

    /// Moves parcels from the outbox into the window, as far as there is room.
    fn fill_window(&mut self, limits: Limits, messages_sent: &mut u64) -> Vec<Bytes> {
        let mut parcels = Vec::new();
        while self.has_window(limits) {
            let Some(Queued { parcel, scope, revision }) = self.outbox.pop_front() else { break };
            if scope.is_some() {
                self.backlog.bytes -= parcel.bytes.len();
                self.backlog.parcels -= 1;
            }
            *messages_sent += parcel.messages as u64;
            parcels.push(parcel.bytes.clone());
            self.in_flight.push_back(InFlight { parcel, revision, refused: None });
        }
        parcels
    }

    fn push(&mut self, load: Load<'_>) {
        let Load { scope, parcels, revision } = load;
        self.outbox.extend(parcels.iter().map(|parcel| Queued { parcel: parcel.clone(), scope, revision }));
        if scope.is_some() {
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

    /// The first refusal leads to a read-back at once (true): a message may have met something that somebody had changed by
    /// hand. If what that finds is refused as well, everything else goes on, and what is missing is tried ever more rarely.
    fn refused(&mut self, revision: Revision, now: Instant) -> bool {
        if self.phase != Phase::Live {
            return false;
        }
        self.missing = Some(self.missing.map_or(revision, |missing| missing.min(revision)));
        if std::mem::replace(&mut self.is_refused, true) {
            return false;
        }
        let before = self.refusals_in_a_row;
        self.refusals_in_a_row = before.saturating_add(1);
        if before > 0 {
            let pause = Duration::from_secs(1 << before.min(6)).min(BACKOFF_MAX);
            self.audit = Audit::Due(Some(now + pause));
        }
        before == 0
    }

    fn read_again(&mut self) -> BTreeMap<Scope, (LateId, Revision)> {
        self.phase = Phase::MustRead;
        self.audit = Audit::Due(None);
        self.overtaken = 0;
        self.outbox.clear();
        self.backlog = Backlog::default();
        std::mem::take(&mut self.late)
    }
}

#[cfg(test)]
mod tests;
