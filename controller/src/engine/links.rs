//! The engine's side of hosts' OVSDB sessions: which tunnels each host shall have, and what it still owes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::watch;
use tracing::warn;
use weft_compiler::tunnels::tunnel_name;
use weft_compiler::{Link, TunnelPort, TunnelSettings, tunnel, tunnels};
use weft_distributor::SessionId;
use weft_model::{HostId, HostIndex, Revision, Snapshot};

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

/// The engine's end of one host's OVSDB session; the newest wish wins.
pub(super) type Pen = watch::Sender<Option<Arc<Wanted>>>;

struct OvsdbLink {
    session: SessionId,
    wanted: Pen,
}

/// All OVSDB sessions that the engine knows.
pub(super) struct Links {
    settings: TunnelSettings,
    sessions: BTreeMap<HostId, OvsdbLink>,
    /// The oldest revision of which a host's OVSDB owes something; 0 while it is not known what it holds.
    owed: BTreeMap<HostId, Revision>,
    /// Hosts that owe something new since [`Links::poll_changed`] last named them.
    changed: BTreeSet<HostIndex>,
}

impl Links {
    /// No sessions, and nothing known of what the hosts hold.
    pub(super) fn new(settings: TunnelSettings, snapshot: &Snapshot) -> Links {
        let owed = snapshot.hosts().map(|host| (host.id.clone(), Revision(0))).collect();
        Links { settings, sessions: BTreeMap::new(), owed, changed: BTreeSet::new() }
    }

    /// The oldest revision of which the host's OVSDB owes something.
    pub(super) fn owed(&self, host: &HostId) -> Option<Revision> {
        self.owed.get(host).copied()
    }

    /// The next host that owes something new.
    pub(super) fn poll_changed(&mut self) -> Option<HostIndex> {
        self.changed.pop_first()
    }

    /// A host's OVSDB session is up. False if the host is not known: then the session is let go, and the host joins anew.
    pub(super) fn handle_up(
        &mut self,
        host: &HostId,
        session: SessionId,
        wanted: Pen,
        snapshot: &Snapshot,
    ) -> bool {
        let Some(record) = snapshot.host(host) else { return false };
        let index = record.index;
        if self.sessions.insert(host.clone(), OvsdbLink { session, wanted }).is_some() {
            // After a host lost its power this happens once; two of one name take turns for ever.
            warn!(%host, "a second OVSDB session of this system-id ends the first: do two hosts have the same?");
        }
        self.want_tunnels(index, snapshot);
        true
    }

    /// What a host's OVSDB holds now fulfils this wish, if it fulfils one. False if the session is not the current one.
    pub(super) fn handle_seen(
        &mut self,
        host: &HostId,
        session: SessionId,
        fulfils: Option<Revision>,
    ) -> bool {
        let Some(link) = self.sessions.get(host).filter(|link| link.session == session) else {
            return false;
        };
        let newest = link.wanted.borrow().as_ref().map(|wanted| wanted.revision);
        match fulfils {
            Some(_) if fulfils >= newest => drop(self.owed.remove(host)),
            Some(older) => {
                let rest = Revision(older.0 + 1);
                self.owed.entry(host.clone()).and_modify(|owed| *owed = rest.max(*owed));
            }
            None => {}
        }
        true
    }

    /// A session is over. False if it is not the current one.
    pub(super) fn handle_down(&mut self, host: &HostId, session: SessionId) -> bool {
        let is_current = self.sessions.get(host).is_some_and(|link| link.session == session);
        if is_current {
            self.sessions.remove(host);
        }
        is_current
    }

    /// Tells hosts' OVSDB sessions about the tunnels that a commit may have changed; it costs what changed.
    pub(super) fn handle_links(&mut self, links: &BTreeSet<Link>, snapshot: &Snapshot) {
        let mut by_host: BTreeMap<HostIndex, Vec<Link>> = BTreeMap::new();
        for link in links {
            by_host.entry(link.host).or_default().push(*link);
        }
        for (index, links) in by_host {
            let Some(id) = snapshot.host_by_index(index).map(|host| host.id.clone()) else { continue };
            let Some(session) = self.sessions.get(&id) else {
                // It gets all of them when it is back.
                self.owe_tunnels(index, &id, snapshot.revision());
                continue;
            };
            let had = session.wanted.borrow().clone();
            let Some(had) = had.filter(|had| had.index == index) else {
                // A host that came back under another number.
                self.want_tunnels(index, snapshot);
                continue;
            };
            let mut wanted = had.tunnels.clone();
            for link in links {
                match tunnel(link, snapshot, &self.settings) {
                    Some(port) => drop(wanted.insert(port.name.clone(), port)),
                    None => drop(wanted.remove(&tunnel_name(link.encap, link.peer))),
                }
            }
            self.want(index, &id, wanted, snapshot.revision());
        }
    }

    /// A commit touched a host that is still known: it may have come back under another number.
    pub(super) fn handle_touched(&mut self, host: &HostId, index: HostIndex, snapshot: &Snapshot) {
        let had = self.sessions.get(host).and_then(|session| session.wanted.borrow().clone());
        if had.is_some_and(|had| had.index != index) {
            self.want_tunnels(index, snapshot);
        }
    }

    /// Drops what is kept of a host. If it still has a session, that ends, and the host joins anew.
    pub(super) fn forget(&mut self, host: &HostId) {
        self.sessions.remove(host);
        self.owed.remove(host);
    }

    /// Tells a host's new OVSDB session which tunnels it should have.
    fn want_tunnels(&mut self, index: HostIndex, snapshot: &Snapshot) {
        let Some(id) = snapshot.host_by_index(index).map(|host| host.id.clone()) else { return };
        let wanted = tunnels(&id, snapshot, &self.settings);
        self.want(index, &id, wanted, snapshot.revision());
    }

    /// Hands a host's OVSDB session what is wanted, if that is news. The newest wins.
    fn want(
        &mut self,
        index: HostIndex,
        id: &HostId,
        tunnels: BTreeMap<String, TunnelPort>,
        revision: Revision,
    ) {
        let Some(session) = self.sessions.get(id) else { return };
        let had = session.wanted.borrow().clone();
        if had.is_some_and(|had| had.tunnels == tunnels && had.index == index) {
            return;
        }
        session.wanted.send_replace(Some(Arc::new(Wanted { host: id.clone(), revision, index, tunnels })));
        self.owe_tunnels(index, id, revision);
    }

    /// Notes that a host's OVSDB owes something of `revision`, or still owes something older.
    fn owe_tunnels(&mut self, index: HostIndex, id: &HostId, revision: Revision) {
        self.owed.entry(id.clone()).or_insert(revision);
        self.changed.insert(index);
    }
}
