//! From what a host's OVSDB shows and what is wanted to the one transaction that makes the difference. Pure.
//!
//! Only rows that carry our mark are ever changed or removed, except for the integration bridge itself, which is taken
//! over when it is unmarked but empty. The bridge is compared every time, which costs the same on every host; of the
//! tunnels only those that are due, because a host may have a thousand of them and thousands of hosts get one more.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use weft_compiler::{
    Liveness, TunnelId, TunnelPort, TunnelSettings, UplinkEnd, tunnel, tunnel_ids, tunnel_to,
};
use weft_model::{HostId, HostIndex, PhysnetKey, Snapshot};
use weft_ovsdb::vswitch::{Bridge, Controller, DATABASE, Dictionary, Interface, OpenVSwitch, Port};
use weft_ovsdb::{Column, Fresh, Id, Mirror, Table, Transaction, View};

use super::crowd;
use super::datapath::datapath_id;
use super::inventory::{BRIDGE, Inventory, OURS, OWNER, TunnelRows, chosen_datapath_type, marked, root_of};
use super::uplinks::{self, Uplinks};
use super::wish::Concerned;
use crate::status::{TunnelNews, TunnelState};

/// OpenFlow versions that the integration bridge offers: ours, and those that `ovs-ofctl` speaks unasked.
const PROTOCOLS: [&str; 3] = ["OpenFlow10", "OpenFlow13", "OpenFlow15"];
/// How long a bridge waits at most before it dials the controller again, in milliseconds.
const MAX_BACKOFF_MS: i64 = 1000;
/// How long a bridge's connection may be quiet before it is probed: in a small fleet, and in a large one.
const INACTIVITY_PROBE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

/// What is wrong with a watched tunnel whose other end is silent.
const SILENT: &str = "the other end does not answer (BFD is down)";

/// What there is to compare.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// The host's rows.
    pub mirror: &'a Mirror,
    /// The index into them.
    pub inventory: &'a Inventory,
    /// The host.
    pub host: &'a HostId,
    /// Its number.
    pub index: HostIndex,
    /// What the bridge shall dial, like `tcp:192.0.2.1:6653`.
    pub target: &'a str,
    /// What is wanted of all hosts.
    pub snapshot: &'a Snapshot,
    /// How tunnels are made.
    pub settings: &'a TunnelSettings,
}

/// What to do about a host's OVSDB.
#[derive(Debug)]
pub enum Verdict {
    /// Everything is as wanted.
    Settled,
    /// This transaction brings it closer.
    Change(Box<Transaction>),
    /// Somebody else's bridge stands in the way.
    Foreign(String),
}

/// The rows that a transaction inserts, to be waited for: to decide by what the mirror shows before they are there would be
/// to insert them again, which is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inserted {
    tunnels: BTreeSet<TunnelId>,
    ends: BTreeSet<UplinkEnd>,
    bridge: bool,
}

impl Inserted {
    /// Whether the mirror shows all of them.
    pub fn is_shown(&self, sight: &Sight<'_>) -> bool {
        let inventory = sight.inventory;
        let is_there = |id: &TunnelId| inventory.tunnels.contains_key(id) || inventory.is_taken(*id);
        let has_controller = || {
            let bridge = inventory.bridge(sight.mirror);
            bridge.is_some_and(|(_, bridge)| own_controller(sight.mirror, bridge).is_some())
        };
        let has_end = |end: &UplinkEnd| inventory.ends.contains_key(end);
        self.tunnels.iter().all(is_there)
            && self.ends.iter().all(has_end)
            && (!self.bridge || has_controller())
    }

    /// The tunnels among them.
    pub fn into_tunnels(self) -> BTreeSet<TunnelId> {
        self.tunnels
    }
}

/// What one look at a host came to.
#[derive(Debug)]
pub struct Look {
    /// What to do.
    pub verdict: Verdict,
    /// What a transaction inserts, if there is one.
    pub inserted: Inserted,
    /// How the tunnels stand that were looked at.
    pub tunnels: TunnelNews,
}

/// What is known about how far a host has come, between two looks.
#[derive(Debug)]
pub struct Upkeep {
    due: Concerned,
    /// Tunnels that are wanted and that Open vSwitch has not dealt with.
    open: BTreeSet<TunnelId>,
    /// What is wrong with tunnels, for people.
    problems: BTreeMap<TunnelId, String>,
    /// How uplinks stand; they are few, and looked at every time.
    uplinks: Uplinks,
    looked_at: u64,
}

impl Default for Upkeep {
    /// Nothing is known.
    fn default() -> Self {
        let (open, problems, uplinks) = Default::default();
        Upkeep { due: Concerned::All, open, problems, uplinks, looked_at: 0 }
    }
}

impl Upkeep {
    /// These tunnels are to be looked at.
    pub fn concern(&mut self, tunnels: impl IntoIterator<Item = TunnelId>) {
        self.due.add(tunnels);
    }

    /// What a wish concerns is to be looked at.
    pub fn concern_with(&mut self, concerned: Concerned) {
        match concerned {
            Concerned::All => self.due = Concerned::All,
            Concerned::Only(tunnels) => self.due.add(tunnels),
        }
    }

    /// How many tunnels were looked at since this was last asked: the work that changes made.
    pub fn take_looked_at(&mut self) -> u64 {
        std::mem::take(&mut self.looked_at)
    }

    /// Everything is to be looked at.
    pub fn concern_all(&mut self) {
        self.due = Concerned::All;
    }

    /// True once Open vSwitch has dealt with every wanted tunnel and uplink, well or badly, as far as anybody has looked.
    pub fn is_settled(&self) -> bool {
        self.due.is_none() && self.open.is_empty() && !self.uplinks.is_open
    }

    /// What is wrong with uplinks and tunnels, the first of them.
    pub fn problems(&self, most: usize) -> impl Iterator<Item = &String> {
        self.uplinks.problems.iter().chain(self.problems.values()).take(most)
    }

    /// The physical networks that the host needs and does not reach.
    pub fn missing(&self) -> &BTreeSet<PhysnetKey> {
        &self.uplinks.missing
    }

    /// Compares what is due and decides.
    pub fn look(&mut self, sight: &Sight<'_>) -> Look {
        let mut look =
            Look { verdict: Verdict::Settled, inserted: Inserted::default(), tunnels: TunnelNews::default() };
        let mut transaction = Transaction::on(DATABASE);
        match sight.inventory.bridge(sight.mirror) {
            None if sight.inventory.is_bridge_name_taken() => {
                look.verdict = Verdict::Foreign(format!(
                    "another bridge has a port named {BRIDGE}, so that there can be no bridge of that name"
                ));
                return look;
            }
            None => {
                look.inserted.bridge = true;
                create_bridge(sight, &mut transaction);
            }
            Some((id, bridge)) => {
                if let Some(reason) = foreign(sight, bridge) {
                    look.verdict = Verdict::Foreign(reason);
                    return look;
                }
                keep_bridge(sight, (id, bridge), &mut transaction);
                look.inserted.bridge = keep_identity(sight, (id, bridge), &mut transaction);
                look.tunnels = self.keep_tunnels(sight, id, &mut look.inserted.tunnels, &mut transaction);
                let ends = &mut look.inserted.ends;
                self.uplinks = uplinks::keep(sight, (id, bridge), ends, &mut transaction);
            }
        }
        if !transaction.is_empty() {
            transaction.comment("weft: integration bridge, tunnels and uplinks");
            look.verdict = Verdict::Change(Box::new(transaction));
        }
        look
    }

    fn keep_tunnels(
        &mut self,
        sight: &Sight<'_>,
        bridge: Id<Bridge>,
        inserted: &mut BTreeSet<TunnelId>,
        transaction: &mut Transaction,
    ) -> TunnelNews {
        let due = std::mem::take(&mut self.due);
        let is_all = due == Concerned::All;
        let wanted = self.wanted(sight, due);
        let mut surplus: Vec<Id<Port>> = sight.inventory.surplus.iter().copied().collect();
        let (mut added, mut states) = (Vec::new(), BTreeMap::new());
        self.looked_at += wanted.len() as u64;
        for (id, tunnel) in wanted {
            let rows = sight.inventory.tunnels.get(&id).copied();
            match (&tunnel, rows) {
                (None, Some(rows)) => surplus.push(rows.port),
                (Some(tunnel), Some(rows)) => correct_tunnel(sight, rows, tunnel, transaction),
                (Some(tunnel), None) if !sight.inventory.is_taken(id) => {
                    added.push(add_tunnel(tunnel, sight.snapshot, transaction));
                    inserted.insert(id);
                }
                // Somebody else's interface has the name; the state says so.
                (Some(_), None) | (None, None) => {}
            }
            let state = tunnel.map_or(TunnelState::Absent, |tunnel| state(sight, id, &tunnel));
            self.note(id, &state, sight);
            states.insert(id, state);
        }
        if !surplus.is_empty() {
            transaction.mutate(bridge, Bridge::ports().delete(surplus));
        }
        if !added.is_empty() {
            transaction.mutate(bridge, Bridge::ports().insert(added));
        }
        if is_all { TunnelNews::All(states) } else { TunnelNews::Some(states) }
    }

    /// What is wanted of the tunnels that are due.
    fn wanted(&self, sight: &Sight<'_>, due: Concerned) -> BTreeMap<TunnelId, Option<TunnelPort>> {
        let Sight { index, snapshot, settings, .. } = *sight;
        let only = match due {
            Concerned::Only(only) => only,
            Concerned::All => {
                let known = sight.inventory.tunnels.keys().chain(&self.open).chain(self.problems.keys());
                let mut wanted: BTreeMap<_, _> = known.map(|id| (*id, None)).collect();
                let own = snapshot.host_by_index(index);
                let shared = own.map(|own| (own, tunnel_ids(index, snapshot)));
                for (own, id) in
                    shared.into_iter().flat_map(|(own, ids)| ids.into_iter().map(move |id| (own, id)))
                {
                    wanted.extend(tunnel_to(own, id, snapshot, settings).map(|port| (id, Some(port))));
                }
                return wanted;
            }
        };
        only.into_iter().map(|id| (id, tunnel(id.link(index), snapshot, settings))).collect()
    }

    fn note(&mut self, id: TunnelId, state: &TunnelState, sight: &Sight<'_>) {
        self.open.remove(&id);
        self.problems.remove(&id);
        let TunnelState::Odd { ofport, error } = state else { return };
        let name = id.name();
        let problem = match (ofport, error) {
            (_, Some(error)) => {
                let peer = sight.snapshot.host_by_index(id.peer).map(|host| host.id.to_string());
                format!("tunnel {name} to {}: {error}", peer.unwrap_or_default())
            }
            (Some(number), None) => {
                let wanted = weft_compiler::tunnel_ofport(id.encap, id.peer).unwrap_or_default();
                format!("tunnel {name} has ofport {number}, wanted {wanted}: the number is taken")
            }
            (None, None) => {
                self.open.insert(id);
                return;
            }
        };
        self.problems.insert(id, problem);
    }
}

/// How a wanted tunnel stands.
fn state(sight: &Sight<'_>, id: TunnelId, tunnel: &TunnelPort) -> TunnelState {
    let odd = |ofport, error| TunnelState::Odd { ofport, error };
    let rows = sight.inventory.tunnels.get(&id);
    let row = rows.and_then(|rows| sight.mirror.view(rows.interface));
    let Some(row) = row else {
        let taken = || format!("an interface {} exists and is not Weft's", tunnel.name);
        return odd(None, sight.inventory.is_taken(id).then(taken));
    };
    let error = row.maybe_text(Interface::error()).map(|error| error.into_owned());
    match (row.maybe_integer(Interface::ofport()), error) {
        (Some(number), None) if number == i64::from(tunnel.ofport) => {
            let silent = tunnel.liveness == Liveness::Bfd
                && row.entry(Interface::bfd_status(), "forwarding").is_some_and(|alive| alive == "false");
            if silent { odd(Some(number), Some(SILENT.to_owned())) } else { TunnelState::Right }
        }
        (number, error) => odd(number, error),
    }
}

/// Why an existing bridge is not ours to use, if it is not.
fn foreign(sight: &Sight<'_>, bridge: View<'_, Bridge>) -> Option<String> {
    if marked(bridge, Bridge::external_ids()) {
        return None;
    }
    let managed = !bridge.ids(Bridge::controller()).is_empty();
    (sight.inventory.others > 0 || managed).then(|| {
        format!(
            "{BRIDGE} exists and is in use by something else; to hand it over: \
             ovs-vsctl set Bridge {BRIDGE} external_ids:{OWNER}={OURS}"
        )
    })
}

/// Our mark.
pub(super) fn marks() -> Dictionary {
    Dictionary::from([(OWNER.to_owned(), OURS.to_owned())])
}

fn bridge_settings(sight: &Sight<'_>) -> Dictionary {
    Dictionary::from([
        ("datapath-id".to_owned(), format!("{:016x}", datapath_id(sight.index, sight.host))),
        ("disable-in-band".to_owned(), "true".to_owned()),
    ])
}

fn protocols() -> BTreeSet<String> {
    PROTOCOLS.map(str::to_owned).into()
}

fn new_controller(target: &str, transaction: &mut Transaction) -> Fresh<Controller> {
    transaction.insert(
        Controller::record()
            .set(Controller::target(), target)
            .set(Controller::connection_mode(), Some("out-of-band".to_owned()))
            .set(Controller::max_backoff(), Some(MAX_BACKOFF_MS))
            .set(Controller::external_ids(), marks()),
    )
}

fn create_bridge(sight: &Sight<'_>, transaction: &mut Transaction) {
    let Some((root, _)) = root_of(sight.mirror) else { return };
    transaction.expect_row(root);
    transaction.expect_none::<Bridge>(weft_ovsdb::Target::all_of([Bridge::name().equals(BRIDGE)]));
    let controller = new_controller(sight.target, transaction);
    let interface = transaction.insert(
        Interface::record()
            .set(Interface::name(), BRIDGE)
            .set(Interface::kind(), "internal")
            .set(Interface::external_ids(), marks()),
    );
    let port = transaction.insert(
        Port::record()
            .set(Port::name(), BRIDGE)
            .set(Port::interfaces(), [interface])
            .set(Port::external_ids(), marks()),
    );
    let bridge = transaction.insert(
        Bridge::record()
            .set(Bridge::name(), BRIDGE)
            .set(Bridge::datapath_type(), sight.inventory.datapath_type(sight.mirror))
            .set(Bridge::fail_mode(), Some("secure".to_owned()))
            .set(Bridge::protocols(), protocols())
            .set(Bridge::other_config(), bridge_settings(sight))
            .set(Bridge::external_ids(), marks())
            .set(Bridge::controller(), [controller])
            .set(Bridge::ports(), [port]),
    );
    transaction.mutate(root, OpenVSwitch::bridges().insert([bridge]));
}

/// Puts right what somebody changed about the bridge, column by column, and follows a newly chosen datapath type.
fn keep_bridge(
    sight: &Sight<'_>,
    (id, bridge): (Id<Bridge>, View<'_, Bridge>),
    transaction: &mut Transaction,
) {
    let mut record = Bridge::record();
    let mut differs = false;
    if bridge.maybe_text(Bridge::fail_mode()).as_deref() != Some("secure") {
        record = record.set(Bridge::fail_mode(), Some("secure".to_owned()));
        differs = true;
    }
    let offered: BTreeSet<_> = bridge.texts(Bridge::protocols()).collect();
    if !PROTOCOLS.iter().all(|protocol| offered.contains(*protocol)) {
        record = record.set(Bridge::protocols(), protocols());
        differs = true;
    }
    let chosen = root_of(sight.mirror).and_then(|(_, root)| chosen_datapath_type(root));
    if let Some(chosen) = chosen.filter(|chosen| *chosen != bridge.text(Bridge::datapath_type())) {
        record = record.set(Bridge::datapath_type(), chosen.as_str());
        differs = true;
    }
    if differs {
        transaction.update(id, record);
    }
}

/// The bridge carries its datapath id, our mark and our controller. True if a row is inserted.
fn keep_identity(
    sight: &Sight<'_>,
    (id, bridge): (Id<Bridge>, View<'_, Bridge>),
    transaction: &mut Transaction,
) -> bool {
    let settings = bridge_settings(sight);
    let is_set = |(key, value): (&String, &String)| {
        bridge.entry(Bridge::other_config(), key).is_some_and(|found| found == value.as_str())
    };
    if !settings.iter().all(is_set) {
        transaction.mutate(id, Bridge::other_config().put(settings));
    }
    if !marked(bridge, Bridge::external_ids()) {
        transaction.mutate(id, Bridge::external_ids().put(marks()));
    }
    keep_controller(sight, (id, bridge), transaction)
}

fn own_controller<'a>(
    mirror: &'a Mirror,
    bridge: View<'_, Bridge>,
) -> Option<(Id<Controller>, View<'a, Controller>)> {
    let mut rows = bridge.ids(Bridge::controller()).iter().filter_map(|id| Some((id, mirror.view(id)?)));
    rows.find(|(_, row)| marked(*row, Controller::external_ids()))
}

/// One controller row with our mark and target. The inactivity probe is set when the row already exists: Open vSwitch
/// ignores it in the transaction that creates the row. Replacing a target in place keeps the flows; removing the last
/// controller row would flush them.
fn keep_controller(
    sight: &Sight<'_>,
    (bridge_id, bridge): (Id<Bridge>, View<'_, Bridge>),
    transaction: &mut Transaction,
) -> bool {
    let (target, probe) = (sight.target, inactivity_probe(sight.snapshot.host_count()));
    let Some((id, row)) = own_controller(sight.mirror, bridge) else {
        let controller = new_controller(target, transaction);
        transaction.mutate(bridge_id, Bridge::controller().insert([controller]));
        return true;
    };
    let same = row.text(Controller::target()) == target
        && row.maybe_integer(Controller::inactivity_probe()).is_some_and(|found| is_near(found, probe))
        && row.maybe_integer(Controller::max_backoff()) == Some(MAX_BACKOFF_MS);
    if !same {
        let record = Controller::record()
            .set(Controller::target(), target)
            .set(Controller::max_backoff(), Some(MAX_BACKOFF_MS))
            .set(Controller::inactivity_probe(), Some(probe));
        transaction.update(id, record);
    }
    false
}

/// After how many milliseconds of quiet a bridge probes, in a fleet of so many hosts.
fn inactivity_probe(hosts: usize) -> i64 {
    let wait = crowd::wait(u32::try_from(hosts).unwrap_or(u32::MAX), INACTIVITY_PROBE);
    i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)
}

/// What a host was given at its first contact stays until the fleet is quite another: a host more or less must not be a
/// transaction on every other.
fn is_near(found: i64, wanted: i64) -> bool {
    found <= wanted.saturating_mul(2) && wanted <= found.saturating_mul(2)
}

fn options(tunnel: &TunnelPort) -> Dictionary {
    let mut options = Dictionary::from([
        ("key".to_owned(), "flow".to_owned()),
        ("remote_ip".to_owned(), tunnel.remote_ip.to_string()),
    ]);
    options.extend(tunnel.local_ip.map(|ip| ("local_ip".to_owned(), ip.to_string())));
    options.extend(tunnel.dst_port.map(|port| ("dst_port".to_owned(), port.to_string())));
    options
}

fn add_tunnel(tunnel: &TunnelPort, snapshot: &Snapshot, transaction: &mut Transaction) -> Fresh<Port> {
    let mut marks = marks();
    marks.extend(
        snapshot.host_by_index(tunnel.peer).map(|peer| ("weft-peer".to_owned(), peer.id.to_string())),
    );
    let interface = transaction.insert(
        Interface::record()
            .set(Interface::name(), tunnel.name.as_str())
            .set(Interface::kind(), tunnel.encap.name())
            .set(Interface::options(), options(tunnel))
            .set(Interface::bfd(), tunnel.liveness.settings())
            .set(Interface::ofport_request(), Some(i64::from(tunnel.ofport)))
            .set(Interface::external_ids(), marks.clone()),
    );
    transaction.insert(
        Port::record()
            .set(Port::name(), tunnel.name.as_str())
            .set(Port::interfaces(), [interface])
            .set(Port::external_ids(), marks),
    )
}

/// True if a dictionary of a row has these entries and no others.
fn is_exactly(row: View<'_, Interface>, column: Column<Interface, Dictionary>, wanted: &Dictionary) -> bool {
    let has_wanted = |(key, value): (Cow<'_, str>, Cow<'_, str>)| {
        wanted.get(key.as_ref()).is_some_and(|wanted| *wanted == value)
    };
    row.pairs(column).count() == wanted.len() && row.pairs(column).all(has_wanted)
}

fn correct_tunnel(sight: &Sight<'_>, rows: TunnelRows, tunnel: &TunnelPort, transaction: &mut Transaction) {
    let Some(row) = sight.mirror.view(rows.interface) else { return };
    let wanted = options(tunnel);
    let same = row.text(Interface::kind()) == tunnel.encap.name()
        && row.maybe_integer(Interface::ofport_request()) == Some(i64::from(tunnel.ofport))
        && is_exactly(row, Interface::options(), &wanted);
    // By itself, so that nothing of a tunnel that carries traffic changes when its ends begin to watch each other.
    let probing = tunnel.liveness.settings();
    if !is_exactly(row, Interface::bfd(), &probing) {
        transaction.update(rows.interface, Interface::record().set(Interface::bfd(), probing));
    }
    if !same {
        let record = Interface::record()
            .set(Interface::kind(), tunnel.encap.name())
            .set(Interface::options(), wanted)
            .set(Interface::ofport_request(), Some(i64::from(tunnel.ofport)));
        transaction.update(rows.interface, record);
    }
}

#[cfg(test)]
mod tests;
