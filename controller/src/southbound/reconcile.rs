//! From what a host's OVSDB shows and what is wanted to the one transaction that makes the difference. Pure.
//!
//! Only rows that carry our mark are ever changed or removed, except for the integration bridge itself, which is taken
//! over when it is unmarked but empty.

use std::collections::{BTreeMap, BTreeSet};

use weft_compiler::TunnelPort;
use weft_model::Snapshot;
use weft_ovsdb::vswitch::{Bridge, Controller, DATABASE, Dictionary, Interface, OpenVSwitch, Port};
use weft_ovsdb::{Fresh, Id, Table, Transaction};

use super::datapath::datapath_id;
use super::inventory::{BRIDGE, Integration, Inventory, OURS, OWNER, Plugged};
use crate::engine::Wanted;
use crate::status::TunnelStatus;

/// OpenFlow versions that the integration bridge offers: ours, and those that `ovs-ofctl` speaks unasked.
const PROTOCOLS: [&str; 3] = ["OpenFlow10", "OpenFlow13", "OpenFlow15"];
/// How long a bridge waits at most before it dials the controller again, in milliseconds.
const MAX_BACKOFF_MS: i64 = 1000;
/// How long a bridge's connection may be quiet before it is probed, in milliseconds.
const INACTIVITY_PROBE_MS: i64 = 5000;

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

/// Compares and decides. `target` is what the bridge shall dial, like `tcp:192.0.2.1:6653`.
pub fn reconcile(inventory: &Inventory, wanted: &Wanted, target: &str, snapshot: &Snapshot) -> Verdict {
    let mut transaction = Transaction::on(DATABASE);
    match &inventory.integration {
        None if inventory.elsewhere.contains(BRIDGE) => {
            return Verdict::Foreign(format!(
                "another bridge has a port named {BRIDGE}, so that there can be no bridge of that name"
            ));
        }
        None => create_bridge(inventory, wanted, target, &mut transaction),
        Some(integration) => {
            if let Some(reason) = foreign(integration) {
                return Verdict::Foreign(reason);
            }
            keep_bridge(inventory, integration, &mut transaction);
            keep_identity(integration, wanted, target, &mut transaction);
            let possible = |(name, _): &(&String, &TunnelPort)| !inventory.elsewhere.contains(*name);
            let tunnels = wanted.tunnels.iter().filter(possible).collect();
            keep_tunnels(integration, &tunnels, snapshot, &mut transaction);
        }
    }
    if transaction.is_empty() {
        return Verdict::Settled;
    }
    transaction.comment("weft: integration bridge and tunnels");
    Verdict::Change(Box::new(transaction))
}

/// Why an existing bridge is not ours to use, if it is not.
fn foreign(integration: &Integration) -> Option<String> {
    if integration.bridge.external_ids.get(OWNER).is_some_and(|owner| owner == OURS) {
        return None;
    }
    let others = integration.plugged.keys().filter(|name| *name != BRIDGE).count();
    let managed = !integration.controllers.is_empty();
    (others > 0 || managed).then(|| {
        format!(
            "{BRIDGE} exists and is in use by something else; to hand it over: \
             ovs-vsctl set Bridge {BRIDGE} external_ids:{OWNER}={OURS}"
        )
    })
}

fn marks() -> Dictionary {
    Dictionary::from([(OWNER.to_owned(), OURS.to_owned())])
}

fn bridge_settings(wanted: &Wanted) -> Dictionary {
    Dictionary::from([
        ("datapath-id".to_owned(), format!("{:016x}", datapath_id(wanted.index, &wanted.host))),
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

fn create_bridge(inventory: &Inventory, wanted: &Wanted, target: &str, transaction: &mut Transaction) {
    transaction.expect_row(inventory.root_id);
    transaction.expect_none::<Bridge>(weft_ovsdb::Target::all_of([Bridge::name().equals(BRIDGE)]));
    let controller = new_controller(target, transaction);
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
            .set(Bridge::datapath_type(), inventory.datapath_type())
            .set(Bridge::fail_mode(), Some("secure".to_owned()))
            .set(Bridge::protocols(), protocols())
            .set(Bridge::other_config(), bridge_settings(wanted))
            .set(Bridge::external_ids(), marks())
            .set(Bridge::controller(), [controller])
            .set(Bridge::ports(), [port]),
    );
    transaction.mutate(inventory.root_id, OpenVSwitch::bridges().insert([bridge]));
}

/// Puts right what somebody changed about the bridge, column by column, and follows a newly chosen datapath type.
fn keep_bridge(inventory: &Inventory, integration: &Integration, transaction: &mut Transaction) {
    let bridge = &integration.bridge;
    let mut record = Bridge::record();
    let mut differs = false;
    if bridge.fail_mode.as_deref() != Some("secure") {
        record = record.set(Bridge::fail_mode(), Some("secure".to_owned()));
        differs = true;
    }
    if !PROTOCOLS.iter().all(|protocol| bridge.protocols.contains(*protocol)) {
        record = record.set(Bridge::protocols(), protocols());
        differs = true;
    }
    if let Some(chosen) = inventory.chosen_datapath_type().filter(|chosen| **chosen != bridge.datapath_type) {
        record = record.set(Bridge::datapath_type(), chosen.as_str());
        differs = true;
    }
    if differs {
        transaction.update(integration.id, record);
    }
}

/// The bridge carries its datapath id, our mark and our controller.
fn keep_identity(integration: &Integration, wanted: &Wanted, target: &str, transaction: &mut Transaction) {
    let Integration { id, bridge, controllers, .. } = integration;
    let settings = bridge_settings(wanted);
    if settings.iter().any(|(key, value)| bridge.other_config.get(key) != Some(value)) {
        transaction.mutate(*id, Bridge::other_config().put(settings));
    }
    if !super::inventory::is_ours(&bridge.external_ids) {
        transaction.mutate(*id, Bridge::external_ids().put(marks()));
    }
    keep_controller(*id, controllers, target, transaction);
}

/// One controller row with our mark and target. The inactivity probe is set when the row already exists: Open vSwitch
/// ignores it in the transaction that creates the row. Replacing a target in place keeps the flows; removing the last
/// controller row would flush them.
fn keep_controller(
    bridge: Id<Bridge>,
    rows: &[(Id<Controller>, Controller)],
    target: &str,
    transaction: &mut Transaction,
) {
    let ours = rows.iter().find(|(_, row)| super::inventory::is_ours(&row.external_ids));
    match ours {
        None => {
            let controller = new_controller(target, transaction);
            transaction.mutate(bridge, Bridge::controller().insert([controller]));
        }
        Some((id, row)) => {
            let same = row.target == target
                && row.inactivity_probe == Some(INACTIVITY_PROBE_MS)
                && row.max_backoff == Some(MAX_BACKOFF_MS);
            if !same {
                let record = Controller::record()
                    .set(Controller::target(), target)
                    .set(Controller::max_backoff(), Some(MAX_BACKOFF_MS))
                    .set(Controller::inactivity_probe(), Some(INACTIVITY_PROBE_MS));
                transaction.update(*id, record);
            }
        }
    }
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

fn keep_tunnels(
    integration: &Integration,
    wanted: &BTreeMap<&String, &TunnelPort>,
    snapshot: &Snapshot,
    transaction: &mut Transaction,
) {
    let ours = |name: &String, plugged: &Plugged| name != BRIDGE && plugged.ours;
    let surplus = integration
        .plugged
        .iter()
        .filter(|(name, plugged)| ours(name, plugged) && !wanted.contains_key(*name));
    let surplus: Vec<Id<Port>> = surplus.map(|(_, plugged)| plugged.port_id).collect();
    if !surplus.is_empty() {
        transaction.mutate(integration.id, Bridge::ports().delete(surplus));
    }
    let mut added = Vec::new();
    for (name, tunnel) in wanted {
        match integration.plugged.get(*name) {
            None => added.push(add_tunnel(tunnel, snapshot, transaction)),
            Some(plugged) if plugged.ours => correct_tunnel(plugged, tunnel, transaction),
            // Somebody else's interface has the name; the status says so.
            Some(_) => {}
        }
    }
    if !added.is_empty() {
        transaction.mutate(integration.id, Bridge::ports().insert(added));
    }
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

fn correct_tunnel(plugged: &Plugged, tunnel: &TunnelPort, transaction: &mut Transaction) {
    let interface = &plugged.interface;
    let same = interface.kind == tunnel.encap.name()
        && interface.options == options(tunnel)
        && interface.ofport_request == Some(i64::from(tunnel.ofport));
    if !same {
        let record = Interface::record()
            .set(Interface::kind(), tunnel.encap.name())
            .set(Interface::options(), options(tunnel))
            .set(Interface::ofport_request(), Some(i64::from(tunnel.ofport)));
        transaction.update(plugged.interface_id, record);
    }
}

/// True if every row is there that [`reconcile`] would insert, whatever is in it.
pub fn has_rows(inventory: &Inventory, wanted: &Wanted) -> bool {
    let Some(integration) = &inventory.integration else { return false };
    let is_there = |name| integration.plugged.contains_key(name) || inventory.elsewhere.contains(name);
    let mut controllers = integration.controllers.iter();
    controllers.any(|(_, row)| super::inventory::is_ours(&row.external_ids))
        && wanted.tunnels.keys().all(is_there)
}

/// The tunnels as they stand, and what is wrong with them.
pub fn tunnel_status(
    inventory: &Inventory,
    wanted: &Wanted,
    snapshot: &Snapshot,
) -> (Vec<TunnelStatus>, Vec<String>) {
    let mut problems = Vec::new();
    let mut found = Vec::new();
    for (name, tunnel) in &wanted.tunnels {
        let plugged = inventory.integration.as_ref().and_then(|integration| integration.plugged.get(name));
        let Some(peer) = snapshot.host_by_index(tunnel.peer).map(|host| host.id.clone()) else { continue };
        let (ofport, error) = match plugged {
            Some(plugged) if plugged.ours => (plugged.interface.ofport, plugged.interface.error.clone()),
            None if !inventory.elsewhere.contains(name) => (None, None),
            _ => (None, Some(format!("an interface {name} exists and is not Weft's"))),
        };
        match (ofport, &error) {
            (_, Some(error)) => problems.push(format!("tunnel {name} to {peer}: {error}")),
            (Some(number), _) if number != i64::from(tunnel.ofport) => {
                problems.push(format!(
                    "tunnel {name} has ofport {number}, wanted {}: the number is taken",
                    tunnel.ofport
                ));
            }
            _ => {}
        }
        let remote_ip = tunnel.remote_ip.to_string();
        found.push(TunnelStatus { name: name.clone(), encap: tunnel.encap, peer, remote_ip, ofport, error });
    }
    (found, problems)
}

/// True once Open vSwitch has dealt with every wanted tunnel, well or badly.
pub fn is_fulfilled(tunnels: &[TunnelStatus], wanted: &Wanted) -> bool {
    tunnels.len() == wanted.tunnels.len() && tunnels.iter().all(|t| t.ofport.is_some() || t.error.is_some())
}

#[cfg(test)]
mod tests;
