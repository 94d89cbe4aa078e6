//! The engine's side of hosts' OVSDB sessions: which tunnels each host shall have, and what it still owes.

use std::collections::{BTreeMap, BTreeSet};

use weft_compiler::Link;
use weft_distributor::SessionId;
use weft_model::{HostId, HostIndex, Revision, Snapshot};

use crate::southbound::wish::Pen;

struct OvsdbLink {
    session: SessionId,
    pen: Pen,
}

/// All OVSDB sessions that the engine knows.
pub(super) struct Links {
    sessions: BTreeMap<HostId, OvsdbLink>,
    /// The oldest revision of which a host's OVSDB owes something; 0 while it is not known what it holds.
    owed: BTreeMap<HostId, Revision>,
    /// Hosts that owe something new since [`Links::poll_changed`] last named them.
    changed: BTreeSet<HostIndex>,
}

impl Links {
    /// No sessions, and nothing known of what the hosts hold.
    pub(super) fn new(snapshot: &Snapshot) -> Links {
        let owed = snapshot.hosts().map(|host| (host.id.clone(), Revision(0))).collect();
        Links { sessions: BTreeMap::new(), owed, changed: BTreeSet::new() }
    }

    /// The oldest revision of which the host's OVSDB owes something.
    pub(super) fn owed(&self, host: &HostId) -> Option<Revision> {
        self.owed.get(host).copied()
    }

    /// Whether a host's OVSDB has a session.
    pub(super) fn is_up(&self, host: &HostId) -> bool {
        self.sessions.contains_key(host)
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
        pen: Pen,
        snapshot: &Snapshot,
    ) -> bool {
        let Some(record) = snapshot.host(host) else { return false };
        self.sessions.insert(host.clone(), OvsdbLink { session, pen });
        self.want_all(record.index, host, snapshot.revision());
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
        let newest = link.pen.newest().map(|(_, revision)| revision);
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

    /// Tells hosts' OVSDB sessions about the tunnels that a commit may have changed; it costs what changed. What is wanted
    /// of them, each session reads from the newest snapshot.
    pub(super) fn handle_links(&mut self, links: &BTreeSet<Link>, snapshot: &Snapshot) {
        let mut links = links.iter().peekable();
        while let Some(first) = links.peek().copied() {
            let index = first.host;
            let mine = std::iter::from_fn(|| links.next_if(|link| link.host == index));
            let tunnels: Vec<_> = mine.map(|link| link.tunnel()).collect();
            let Some(host) = snapshot.host_by_index(index) else { continue };
            if let Some(session) = self.sessions.get(&host.id) {
                session.pen.want(index, snapshot.revision(), tunnels);
            }
            // Without a session it gets all of them when it is back.
            self.owe(index, &host.id, snapshot.revision());
        }
    }

    /// Tells hosts' OVSDB sessions that their uplinks may differ; they look at all of them every time.
    pub(super) fn handle_uplinks(&mut self, hosts: &BTreeSet<HostIndex>, snapshot: &Snapshot) {
        for index in hosts {
            let Some(host) = snapshot.host_by_index(*index) else { continue };
            if let Some(session) = self.sessions.get(&host.id) {
                session.pen.want(*index, snapshot.revision(), []);
            }
            self.owe(*index, &host.id, snapshot.revision());
        }
    }

    /// A commit touched a host that is still known: it may have come back under another number.
    pub(super) fn handle_touched(&mut self, host: &HostId, index: HostIndex, snapshot: &Snapshot) {
        let had = self.sessions.get(host).and_then(|session| session.pen.newest());
        if had.is_some_and(|(had, _)| had != index) {
            self.want_all(index, host, snapshot.revision());
        }
    }

    /// Drops what is kept of a host. If it still has a session, that ends, and the host joins anew.
    pub(super) fn forget(&mut self, host: &HostId) {
        self.sessions.remove(host);
        self.owed.remove(host);
    }

    /// Has a host's OVSDB session look at everything.
    fn want_all(&mut self, index: HostIndex, id: &HostId, revision: Revision) {
        let Some(session) = self.sessions.get(id) else { return };
        session.pen.want_all(index, revision);
        self.owe(index, id, revision);
    }

    /// Notes that a host's OVSDB owes something of `revision`, or still owes something older.
    fn owe(&mut self, index: HostIndex, id: &HostId, revision: Revision) {
        self.owed.entry(id.clone()).or_insert(revision);
        self.changed.insert(index);
    }
}
