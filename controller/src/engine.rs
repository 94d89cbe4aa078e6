//! The engine: one thread that owns the distributor and turns commits and switches' answers into bytes to send.
//!
//! It runs at its own pace: whatever has arrived is drained, then everything is done in one pass. It performs no I/O
//! itself; sessions do, at the ends of bounded channels.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use weft_compiler::tunnels::tunnel_name;
use weft_compiler::{Link, TunnelPort, TunnelSettings, tunnel, tunnels};
use weft_distributor::{Answer, Distributor, Installed, ReadFrom, ReadId, SessionId, Transmit, Tuning};
use weft_model::{HostId, HostIndex, Key, Revision, Snapshot};

use crate::feed::{Commit, Feed};
use crate::metrics::Metrics;
use crate::southbound::datapath::HostTag;
use crate::status::{Fleet, HostStatus, TunnelStatus};

/// How many events are handled between two looks at everything else.
const BATCH: usize = 1024;

/// What a session of a switch is told to do.
#[derive(Debug)]
pub enum ToSwitch {
    /// Read all flows and groups back.
    Read(ReadId),
    /// Write these bytes in this order.
    Send(Vec<Bytes>),
}

/// What a host's OVSDB should hold of ours, beside the bridge itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The host.
    pub host: HostId,
    /// The revision since which it is wanted.
    pub revision: Revision,
    /// The host's number.
    pub index: HostIndex,
    /// Its tunnel ports by interface name.
    pub tunnels: BTreeMap<String, TunnelPort>,
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
        /// The way to it. Its capacity must exceed the distributor's window.
        link: mpsc::Sender<ToSwitch>,
    },
    /// A switch's connection is over.
    SwitchDown {
        /// Whose.
        host: HostIndex,
        /// Which connection.
        session: SessionId,
    },
    /// A switch's tables.
    Installed {
        /// Which reading.
        from: ReadFrom,
        /// What it has.
        installed: Box<Installed>,
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
        wanted: watch::Sender<Option<Arc<Wanted>>>,
    },
    /// What a host's OVSDB holds of ours now.
    OvsdbSeen {
        /// Whose.
        host: HostId,
        /// The connection.
        session: SessionId,
        /// The revision of the [`Wanted`] that it fulfils, if it fulfils one.
        fulfils: Option<Revision>,
        /// Its tunnels.
        tunnels: Vec<TunnelStatus>,
        /// What is wrong, for people.
        problems: Vec<String>,
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
    /// How tunnels are made.
    pub tunnels: TunnelSettings,
    /// Counters.
    pub metrics: Metrics,
}

/// Runs until `stop`. Meant to be the only thing its thread does.
pub async fn run(parts: Parts, stop: CancellationToken) {
    let Parts { loaded, feed, bell, mut events, board, tuning, tunnels, metrics } = parts;
    let mut engine = Engine::new(loaded, board, tuning, tunnels, metrics);
    let mut batch = Vec::new();
    loop {
        let due = engine.distributor.poll_timeout().map(tokio::time::Instant::from_std);
        tokio::select! {
            () = stop.cancelled() => break,
            () = bell.notified() => {}
            received = events.recv_many(&mut batch, BATCH) => if received == 0 { break },
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

struct OvsdbLink {
    session: SessionId,
    wanted: watch::Sender<Option<Arc<Wanted>>>,
}

struct Engine {
    distributor: Distributor,
    tunnels: TunnelSettings,
    links: BTreeMap<HostIndex, (SessionId, mpsc::Sender<ToSwitch>)>,
    ovsdb: BTreeMap<HostId, OvsdbLink>,
    /// The oldest revision of which a host's OVSDB owes something; 0 while it is not known what it holds.
    ovsdb_owed: BTreeMap<HostId, Revision>,
    fleet: Fleet,
    board: watch::Sender<Fleet>,
    metrics: Metrics,
}

impl Engine {
    fn new(
        loaded: Snapshot,
        board: watch::Sender<Fleet>,
        tuning: Tuning,
        tunnels: TunnelSettings,
        metrics: Metrics,
    ) -> Engine {
        let mut fleet = Fleet { distributed: loaded.revision(), started: true, ..Fleet::default() };
        let mut ovsdb_owed = BTreeMap::new();
        for host in loaded.hosts() {
            fleet.hosts.insert_mut(host.id.clone(), HostStatus::default());
            fleet.owed.insert_mut(host.id.clone(), Revision(0));
            ovsdb_owed.insert(host.id.clone(), Revision(0));
        }
        board.send_replace(fleet.clone());
        let distributor = Distributor::new(loaded, tuning);
        let (links, ovsdb) = (BTreeMap::new(), BTreeMap::new());
        Engine { distributor, tunnels, links, ovsdb, ovsdb_owed, fleet, board, metrics }
    }

    /// Takes a commit in.
    fn take_in(&mut self, commit: Commit) {
        let concerned = self.distributor.handle_commit(commit.snapshot, &commit.touched);
        self.change_tunnels(&concerned.links);
        self.follow_hosts(&commit.touched);
    }

    fn handle(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::SwitchUp { host, tag, session, link } => {
                let known = self.distributor.snapshot().host_by_index(host);
                if known.is_none_or(|record| HostTag::of(&record.id) != tag) {
                    // Its OVSDB session will give it the right datapath id; letting go of the link ends this one.
                    warn!(host = %host, "a bridge dialled in with the number of another host");
                    return;
                }
                info!(host = %host, session = session.0, "switch connected");
                self.links.insert(host, (session, link));
                self.distributor.handle_connected(host, session);
            }
            Event::SwitchDown { host, session } => self.switch_down(host, session),
            Event::Installed { from, installed } => {
                self.distributor.handle_installed(from, *installed, now);
            }
            Event::Answered { host, session, answer } => {
                if let Answer::Refused(xid, error) = &answer {
                    self.metrics.refused.inc();
                    warn!(host = %host, xid = xid.0, error, "switch refused a message");
                }
                self.distributor.handle_answer(host, session, answer, now);
            }
            Event::OvsdbUp { host, session, wanted } => {
                // A host that was forgotten meanwhile: without its way to us the session ends, and the host joins anew.
                let Some(record) = self.distributor.snapshot().host(&host) else { return };
                let index = record.index;
                if self.ovsdb.insert(host.clone(), OvsdbLink { session, wanted }).is_some() {
                    // After a host lost its power this happens once; two of one name take turns for ever.
                    warn!(%host, "a second OVSDB session of this system-id ends the first: do two hosts have the same?");
                }
                self.want_tunnels(index);
                self.update_status(&host, |status| status.ovsdb_connected = true);
            }
            Event::OvsdbSeen { host, session, fulfils, tunnels, problems } => {
                let Some(link) = self.ovsdb.get(&host).filter(|link| link.session == session) else { return };
                let newest = link.wanted.borrow().as_ref().map(|wanted| wanted.revision);
                match fulfils {
                    Some(_) if fulfils >= newest => drop(self.ovsdb_owed.remove(&host)),
                    Some(older) => {
                        let rest = Revision(older.0 + 1);
                        self.ovsdb_owed.entry(host.clone()).and_modify(|owed| *owed = rest.max(*owed));
                    }
                    None => {}
                }
                self.update_status(&host, |status| (status.tunnels, status.problems) = (tunnels, problems));
            }
            Event::OvsdbDown { host, session } => {
                if self.ovsdb.get(&host).is_some_and(|link| link.session == session) {
                    self.ovsdb.remove(&host);
                    self.update_status(&host, |status| status.ovsdb_connected = false);
                }
            }
        }
    }

    fn switch_down(&mut self, host: HostIndex, session: SessionId) {
        if self.links.get(&host).is_some_and(|(current, _)| *current == session) {
            info!(host = %host, session = session.0, "switch disconnected");
            self.links.remove(&host);
        }
        self.distributor.handle_disconnected(host, session);
    }

    /// Everything that follows from what was handled: bytes to sessions, news to the board.
    fn pass(&mut self) {
        let now = Instant::now();
        self.distributor.handle_timeout(now);
        while let Some(transmit) = self.distributor.poll_transmit(now) {
            self.transmit(transmit);
        }
        while let Some(host) = self.distributor.poll_changed() {
            self.report(host);
        }
        self.fleet.distributed = self.distributor.snapshot().revision();
        self.metrics.take_work(self.distributor.work());
        self.board.send_replace(self.fleet.clone());
    }

    fn transmit(&mut self, transmit: Transmit) {
        let (host, session, order) = match transmit {
            Transmit::Read { host, session, read } => (host, session, ToSwitch::Read(read)),
            Transmit::Send { host, session, parcels } => (host, session, ToSwitch::Send(parcels)),
        };
        let Some((_, link)) = self.links.get(&host).filter(|(current, _)| *current == session) else {
            return;
        };
        if link.try_send(order).is_err() {
            // The session's task is gone or stuck; its end closes the connection and the switch dials again.
            self.switch_down(host, session);
        }
    }

    fn report(&mut self, index: HostIndex) {
        let Some(id) = self.distributor.snapshot().host_by_index(index).map(|host| host.id.clone()) else {
            return;
        };
        let Some(report) = self.distributor.report(index) else { return };
        let owed = report.owed.into_iter().chain(self.ovsdb_owed.get(&id).copied()).min();
        match owed {
            Some(revision) => self.fleet.owed.insert_mut(id.clone(), revision),
            None => drop(self.fleet.owed.remove_mut(&id)),
        }
        let mut status = self.fleet.hosts.get(&id).cloned().unwrap_or_default();
        status.openflow_connected = report.connected;
        status.flows = report.flows;
        status.drift_repaired = report.drift_repaired;
        status.flow_messages_sent = report.messages_sent;
        status.problems.retain(|problem| !problem.starts_with(REFUSED));
        status.problems.extend(report.refusal.map(|error| format!("{REFUSED}{error}")));
        self.fleet.hosts.insert_mut(id, status);
    }

    fn update_status(&mut self, host: &HostId, change: impl FnOnce(&mut HostStatus)) {
        // A session may outlive what is known of its host.
        let Some(record) = self.distributor.snapshot().host(host) else { return };
        let index = record.index;
        let mut status = self.fleet.hosts.get(host).cloned().unwrap_or_default();
        change(&mut status);
        self.fleet.hosts.insert_mut(host.clone(), status);
        self.report(index);
    }

    /// Tells a host's new OVSDB session which tunnels it should have.
    fn want_tunnels(&mut self, index: HostIndex) {
        let snapshot = self.distributor.snapshot();
        let Some(id) = snapshot.host_by_index(index).map(|host| host.id.clone()) else { return };
        let wanted = tunnels(&id, snapshot, &self.tunnels);
        self.want(index, &id, wanted);
    }

    /// Tells hosts' OVSDB sessions about the tunnels that a commit may have changed; it costs what changed.
    fn change_tunnels(&mut self, links: &BTreeSet<Link>) {
        let mut by_host: BTreeMap<HostIndex, Vec<Link>> = BTreeMap::new();
        for link in links {
            by_host.entry(link.host).or_default().push(*link);
        }
        for (index, links) in by_host {
            let snapshot = self.distributor.snapshot();
            let Some(id) = snapshot.host_by_index(index).map(|host| host.id.clone()) else { continue };
            let Some(session) = self.ovsdb.get(&id) else {
                // It gets all of them when it is back.
                self.owe_tunnels(&id, snapshot.revision());
                self.report(index);
                continue;
            };
            let had = session.wanted.borrow().clone();
            let Some(had) = had.filter(|had| had.index == index) else {
                // A host that came back under another number.
                self.want_tunnels(index);
                continue;
            };
            let mut wanted = had.tunnels.clone();
            for link in links {
                match tunnel(link, snapshot, &self.tunnels) {
                    Some(port) => drop(wanted.insert(port.name.clone(), port)),
                    None => drop(wanted.remove(&tunnel_name(link.encap, link.peer))),
                }
            }
            self.want(index, &id, wanted);
        }
    }

    /// Hands a host's OVSDB session what is wanted, if that is news. The newest wins.
    fn want(&mut self, index: HostIndex, id: &HostId, tunnels: BTreeMap<String, TunnelPort>) {
        let Some(session) = self.ovsdb.get(id) else { return };
        let had = session.wanted.borrow().clone();
        if had.is_some_and(|had| had.tunnels == tunnels && had.index == index) {
            return;
        }
        let revision = self.distributor.snapshot().revision();
        session.wanted.send_replace(Some(Arc::new(Wanted { host: id.clone(), revision, index, tunnels })));
        self.owe_tunnels(id, revision);
        self.report(index);
    }

    /// Notes that a host's OVSDB owes something of `revision`, or still owes something older.
    fn owe_tunnels(&mut self, id: &HostId, revision: Revision) {
        self.ovsdb_owed.entry(id.clone()).or_insert(revision);
    }

    /// Drops what is kept of hosts that are no longer known, and tells those that came back under another number.
    fn follow_hosts(&mut self, touched: &BTreeSet<Key>) {
        for key in touched {
            let Key::Host(id) = key else { continue };
            let index = self.distributor.snapshot().host(id).map(|record| record.index);
            match index {
                None => self.forget(id),
                Some(index) => {
                    let had = self.ovsdb.get(id).and_then(|session| session.wanted.borrow().clone());
                    if had.is_some_and(|had| had.index != index) {
                        self.want_tunnels(index);
                    }
                }
            }
        }
    }

    /// If the host still has an OVSDB session, that ends, and the host joins anew.
    fn forget(&mut self, id: &HostId) {
        self.ovsdb.remove(id);
        self.ovsdb_owed.remove(id);
        self.fleet.hosts.remove_mut(id);
        self.fleet.owed.remove_mut(id);
    }
}

/// How a refusal begins in a host's list of problems.
const REFUSED: &str = "switch refused a flow or group: ";

#[cfg(test)]
mod tests;
