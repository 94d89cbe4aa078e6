//! The engine: one thread that owns the distributor and turns commits and switches' answers into bytes to send.
//!
//! It runs at its own pace: whatever has arrived is drained, then everything is done in one pass. It never
//! waits: what it sends goes straight into sockets that do not block, and what they do not take is their sessions' to send
//! on, from queues that are bounded.

mod ailments;
mod herald;
mod hush;
mod links;
mod scribe;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use weft_compiler::TunnelId;
use weft_distributor::{
    Answer, Depth, Distributor, Drift, Installed, ReadFrom, ReadId, SessionId, Transmit, Tuning, Worked,
};
use weft_model::{HostId, HostIndex, Key, PhysnetKey, Revision, Snapshot};

use self::ailments::{Ailments, Moment, Signs};
use self::herald::Herald;
pub use self::herald::{PULSES, Pulse};
use self::hush::{Hush, Kind};
use self::links::Links;
use self::scribe::Scribe;
use crate::clock;
use crate::feed::{Commit, Feed};
use crate::metrics::Metrics;
use crate::southbound::datapath::HostTag;
use crate::southbound::line::Link;
use crate::southbound::wish::Pen;
use crate::status::{AuditStatus, Fleet, HostStatus, TunnelNews};

/// How many events are handled between two looks at everything else.
const BATCH: usize = 1024;
/// For how long the engine works before it looks at what else has arrived.
const PASS: Duration = Duration::from_millis(5);

/// What a session of a switch is told to do.
#[derive(Debug)]
pub enum ToSwitch {
    /// Read all flows and groups back, as closely as that.
    Read(ReadId, Depth),
    /// Write these bytes in this order.
    Send(Vec<Bytes>),
}

/// Everything that can happen to the engine.
#[derive(Debug)]
pub enum Event {
    /// A switch finished its handshake.
    SwitchUp {
        /// Whose integration bridge it says it is.
        host: HostIndex,
        /// What it knows of its host's name.
        tag: HostTag,
        /// The connection.
        session: SessionId,
        /// The way to it; letting go of it ends the connection.
        link: Link,
    },
    /// A switch's connection is over.
    SwitchDown {
        /// Whose.
        host: HostIndex,
        /// Which connection.
        session: SessionId,
        /// Why it ended, unless the controller is stopping.
        reason: Option<String>,
        /// What the switch did wrong, if that ended it.
        fault: Option<String>,
    },
    /// A switch's tables.
    Installed {
        /// Which reading.
        from: ReadFrom,
        /// What it has.
        installed: Box<Installed>,
        /// How long it took the session to make that of the switch's answers.
        cost: Duration,
    },
    /// A switch tells of changes that others make to its flows, from now on.
    Watching {
        /// Whose.
        host: HostIndex,
        /// On which connection.
        session: SessionId,
    },
    /// Somebody else changed a switch's flows, groups or meters.
    Suspected {
        /// Whose.
        host: HostIndex,
        /// On which connection.
        session: SessionId,
    },
    /// A switch tells how the other end of one of its tunnels is.
    Pulse {
        /// Whose.
        host: HostIndex,
        /// On which connection.
        session: SessionId,
        /// Which tunnel.
        tunnel: TunnelId,
        /// How it is.
        pulse: Pulse,
    },
    /// A switch's answer to something it was sent.
    Answered {
        /// Whose.
        host: HostIndex,
        /// On which connection.
        session: SessionId,
        /// What it said.
        answer: Answer,
    },
    /// A host's OVSDB session is up and its report is committed.
    OvsdbUp {
        /// Whose.
        host: HostId,
        /// The connection.
        session: SessionId,
        /// Where to put what is wanted of it; the newest wins.
        wanted: Pen,
    },
    /// What a host's OVSDB holds of ours now.
    OvsdbSeen {
        /// Whose.
        host: HostId,
        /// The connection.
        session: SessionId,
        /// The revision of the wish that it fulfils, if it fulfils one.
        fulfils: Option<Revision>,
        /// How its tunnels stand.
        tunnels: TunnelNews,
        /// What is wrong, for people.
        problems: Vec<String>,
        /// The physical networks that it needs and does not reach.
        missing: BTreeSet<PhysnetKey>,
    },
    /// A host's OVSDB session is over.
    OvsdbDown {
        /// Whose.
        host: HostId,
        /// Which connection.
        session: SessionId,
    },
}

/// What the engine is made of.
#[derive(Debug)]
pub struct Parts {
    /// The state that was loaded.
    pub loaded: Snapshot,
    /// Where commits come from.
    pub feed: Feed,
    /// Rung after every commit.
    pub bell: Arc<Notify>,
    /// Where everything else comes from.
    pub events: mpsc::Receiver<Event>,
    /// Where the state of the fleet is written.
    pub board: watch::Sender<Fleet>,
    /// How the distributor is tuned.
    pub tuning: Tuning,
    /// Counters.
    pub metrics: Metrics,
}

/// Runs until `stop`. Meant to be the only thing its thread does.
pub async fn run(parts: Parts, stop: CancellationToken) {
    let Parts { loaded, feed, bell, mut events, board, tuning, metrics } = parts;
    let mut engine = Engine::new(loaded, board, tuning, metrics);
    let mut batch = Vec::new();
    loop {
        let due = engine.poll_timeout().map(tokio::time::Instant::from_std);
        let is_busy = engine.distributor.has_work();
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            received = events.recv_many(&mut batch, BATCH) => if received == 0 { break },
            () = bell.notified() => {}
            () = std::future::ready(()), if is_busy => {}
            () = sleep_until(due) => {}
        }
        // Commits first: an event may speak of a host that the newest commit introduced.
        if let Some(commit) = feed.take() {
            engine.take_in(commit);
        }
        batch.drain(..).for_each(|event| engine.handle(event));
        engine.pass();
    }
    debug!("engine stopped");
}

async fn sleep_until(due: Option<tokio::time::Instant>) {
    match due {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

struct Engine {
    distributor: Distributor,
    switches: BTreeMap<HostIndex, (SessionId, Link)>,
    links: Links,
    scribe: Scribe,
    ailments: Ailments,
    herald: Herald,
    hush: Hush,
    metrics: Metrics,
}

impl Engine {
    fn new(loaded: Snapshot, board: watch::Sender<Fleet>, tuning: Tuning, metrics: Metrics) -> Engine {
        let scribe = Scribe::new(board, &loaded);
        let links = Links::new(&loaded);
        let distributor = Distributor::new(loaded, tuning);
        let (switches, ailments, herald, hush) = Default::default();
        Engine { distributor, switches, links, scribe, ailments, herald, hush, metrics }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let others = [self.ailments.poll_timeout(), self.herald.poll_timeout()];
        self.distributor.poll_timeout().into_iter().chain(others.into_iter().flatten()).min()
    }

    /// Takes a commit in.
    fn take_in(&mut self, commit: Commit) {
        let concerned = self.distributor.handle_commit(commit.snapshot, &commit.touched);
        self.links.handle_links(&concerned.links, self.distributor.snapshot());
        self.links.handle_uplinks(&concerned.uplinks, self.distributor.snapshot());
        let snapshot = self.distributor.snapshot();
        for (host, said) in self.herald.handle_owners(&concerned.owners, Instant::now(), snapshot) {
            self.announce(host, said);
        }
        self.follow_hosts(&commit.touched);
    }

    fn handle(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::SwitchUp { host, tag, session, link } => self.switch_up((host, tag), session, link, now),
            Event::SwitchDown { host, session, reason, fault } => {
                let is_current = self.switches.get(&host).is_some_and(|(current, _)| *current == session);
                if let Some(reason) = reason.as_ref().filter(|_| is_current) {
                    self.ailments.ended(host, reason);
                }
                self.switch_down(host, session, now);
                let record = self.distributor.snapshot().host_by_index(host).filter(|_| is_current);
                if let (Some(fault), Some(record)) = (fault, record) {
                    if let Some(left_out) = self.hush.admit(host, Kind::Fault, now) {
                        warn!(host = %host, fault, left_out, "OpenFlow session ended by the switch's fault");
                    }
                    self.scribe.blame(host, &record.id, &fault);
                }
            }
            Event::Installed { from, installed, cost } => {
                self.distributor.handle_installed(from, *installed, cost);
            }
            Event::Watching { host, session } => {
                if self.switches.get(&host).is_some_and(|(current, _)| *current == session) {
                    self.update_audit(host, |audit| audit.monitored = true);
                }
            }
            Event::Pulse { host, session, tunnel, pulse } => {
                if self.switches.get(&host).is_some_and(|(current, _)| *current == session) {
                    let said = self.herald.handle_pulse(host, (tunnel, pulse), self.distributor.snapshot());
                    self.announce(host, said.unwrap_or_default());
                }
            }
            Event::Suspected { host, session } => self.distributor.handle_suspicion(host, session, now),
            Event::Answered { host, session, answer } => {
                if let Answer::Refused(xid, error) = &answer {
                    self.metrics.refused.inc();
                    if let Some(left_out) = self.hush.admit(host, Kind::Refused, now) {
                        warn!(host = %host, xid = xid.0, error, left_out, "switch refused a message");
                    }
                }
                self.distributor.handle_answer(host, session, answer, now);
            }
            Event::OvsdbUp { host, session, wanted } => {
                if self.links.handle_up(&host, session, wanted, self.distributor.snapshot()) {
                    self.update_status(&host, |status| status.ovsdb_connected = true);
                }
            }
            Event::OvsdbSeen { host, session, fulfils, tunnels, problems, missing } => {
                if self.links.handle_seen(&host, session, fulfils) {
                    self.update_status(&host, |status| {
                        status.tunnels.follow(tunnels);
                        status.findings = problems;
                        status.missing = missing;
                    });
                }
            }
            Event::OvsdbDown { host, session } => {
                if self.links.handle_down(&host, session) {
                    self.update_status(&host, |status| status.ovsdb_connected = false);
                }
            }
        }
    }

    fn switch_up(&mut self, (host, tag): (HostIndex, HostTag), session: SessionId, link: Link, now: Instant) {
        let known = self.distributor.snapshot().host_by_index(host);
        if known.is_none_or(|record| HostTag::of(&record.id) != tag) {
            // Its OVSDB session will give it the right datapath id; letting go of the link ends this one.
            if let Some(left_out) = self.hush.admit(host, Kind::Stranger, now) {
                warn!(host = %host, left_out, "a bridge dialled in with the number of another host");
            }
            return;
        }
        if let Some(left_out) = self.hush.admit(host, Kind::Connected, now) {
            info!(host = %host, session = session.0, left_out, "switch connected");
        }
        self.switches.insert(host, (session, link));
        self.distributor.handle_connected(host, session);
    }

    fn switch_down(&mut self, host: HostIndex, session: SessionId, now: Instant) {
        if self.switches.get(&host).is_some_and(|(current, _)| *current == session) {
            if let Some(left_out) = self.hush.admit(host, Kind::Disconnected, now) {
                info!(host = %host, session = session.0, left_out, "switch disconnected");
            }
            self.switches.remove(&host);
            self.herald.forget(host);
        }
        self.distributor.handle_disconnected(host, session);
    }

    /// Everything that follows from what was handled: bytes to sessions, news to the board.
    fn pass(&mut self) {
        self.work();
        self.look_at_the_late(Instant::now());
        while let Some(drift) = self.distributor.poll_drift() {
            self.tell_drift(drift);
        }
        while let Some(host) = self.distributor.poll_changed() {
            self.report(host);
        }
        while let Some(host) = self.links.poll_changed() {
            self.report(host);
        }
        self.metrics.take_work(self.distributor.work_done());
        self.scribe.publish(self.distributor.distributed());
    }

    /// Distributes and compares for a while, and sends what comes of it at once: what is ready first is served first.
    fn work(&mut self) {
        let start = Instant::now();
        self.distributor.handle_timeout(start);
        self.send_all(start);
        let mut now = start;
        while now - start < PASS {
            let Some(worked) = self.distributor.work(now) else { break };
            let begun = std::mem::replace(&mut now, Instant::now());
            if let Worked::Audit { reading } = worked {
                let cost = now - begun + reading;
                self.distributor.handle_audit_cost(cost, now);
                self.metrics.audited(cost);
            }
            self.send_all(now);
        }
    }

    fn send_all(&mut self, now: Instant) {
        while let Some(transmit) = self.distributor.poll_transmit(now) {
            self.transmit(transmit);
        }
    }

    fn transmit(&mut self, transmit: Transmit) {
        let (host, session, order) = match transmit {
            Transmit::Read { host, session, read, depth } => (host, session, ToSwitch::Read(read, depth)),
            Transmit::Send { host, session, parcels } => (host, session, ToSwitch::Send(parcels)),
        };
        let Some((_, link)) = self.switches.get(&host).filter(|(current, _)| *current == session) else {
            return;
        };
        if link.order(order).is_err() {
            // The session's task is gone or stuck; its end closes the connection and the switch dials again.
            self.ailments.ended(host, "the switch does not read what it is sent");
            self.switch_down(host, session, Instant::now());
        }
    }

    /// Has a switch send packets that nobody asked for. A switch that is not there or does not read does without.
    fn announce(&self, host: HostIndex, packets: Bytes) {
        if let Some((_, link)) = self.switches.get(&host).filter(|_| !packets.is_empty()) {
            debug!(%host, bytes = packets.len(), "external addresses are announced");
            if link.announce(packets).is_err() {
                debug!(%host, "the switch has no room for announcements");
            }
        }
    }

    /// Shows who has owed something for too long by now, and lets speak who has heard nothing for long enough.
    fn look_at_the_late(&mut self, now: Instant) {
        if self.ailments.poll_timeout().is_some_and(|due| due <= now) {
            for host in self.ailments.handle_timeout(Moment { instant: now, wall: clock::now() }) {
                self.show_ailments(host);
            }
        }
        if self.herald.poll_timeout().is_some_and(|due| due <= now) {
            for (host, said) in self.herald.handle_timeout(now, self.distributor.snapshot()) {
                self.announce(host, said);
            }
        }
    }

    fn show_ailments(&mut self, index: HostIndex) {
        let Some(record) = self.distributor.snapshot().host_by_index(index) else { return };
        self.scribe.show(&record.id, self.ailments.of(index));
    }

    fn report(&mut self, index: HostIndex) {
        let Some(record) = self.distributor.snapshot().host_by_index(index) else {
            return self.ailments.forget(index);
        };
        let report = self.distributor.report(index);
        let (of_switch, of_links) = (report.as_ref().and_then(|r| r.owed), self.links.owed(&record.id));
        let owed = of_switch.into_iter().chain(of_links).min();
        let openflow = report.as_ref().is_some_and(|report| report.connected);
        if openflow && of_switch.is_none() {
            let said = self.herald.greet(index, Instant::now(), self.distributor.snapshot());
            self.announce(index, said.unwrap_or_default());
        }
        let signs = Signs { openflow, ovsdb: self.links.is_up(&record.id), owed };
        let now = Moment { instant: Instant::now(), wall: clock::now() };
        if let Some(report) = report {
            self.scribe.report(index, &record.id, report, owed);
        }
        if self.ailments.observe(index, signs, now) {
            self.show_ailments(index);
        }
    }

    /// Logs what an audit found different, and keeps it for whoever asks about the host.
    fn tell_drift(&mut self, drift: Drift) {
        let Drift { host, found, first } = drift;
        if let Some(left_out) = self.hush.admit(host, Kind::Drift, Instant::now()) {
            warn!(%host, found, ?first, left_out, "a switch differed from what is wanted; it is being put right");
        }
        self.update_audit(host, |audit| audit.last_difference = first.into());
    }

    fn update_audit(&mut self, index: HostIndex, change: impl FnOnce(&mut AuditStatus)) {
        let Some(record) = self.distributor.snapshot().host_by_index(index) else { return };
        self.scribe.change_audit(&record.id, change);
        self.report(index);
    }

    fn update_status(&mut self, host: &HostId, change: impl FnOnce(&mut HostStatus)) {
        // A session may outlive what is known of its host.
        let Some(record) = self.distributor.snapshot().host(host) else { return };
        let index = record.index;
        self.scribe.change(host, change);
        self.report(index);
    }

    /// Drops what is kept of hosts that are no longer known, and tells those that came back under another number.
    fn follow_hosts(&mut self, touched: &BTreeSet<Key>) {
        for key in touched {
            let Key::Host(id) = key else { continue };
            let snapshot = self.distributor.snapshot();
            match snapshot.host(id).map(|record| record.index) {
                None => {
                    if let Some(index) = self.scribe.index(id) {
                        self.ailments.forget(index);
                    }
                    self.links.forget(id);
                    self.scribe.forget(id);
                }
                Some(index) => self.links.handle_touched(id, index, snapshot),
            }
        }
    }
}

#[cfg(test)]
mod tests;
