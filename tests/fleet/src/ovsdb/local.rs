//! What an operator or container plumbing does to the database of its own host, as `ovs-vsctl` would do it.

use std::collections::BTreeSet;

use super::LocalChange;
use super::columns::{
    BRIDGE_EXTERNAL_IDS, BRIDGE_NAME, BRIDGES, DATAPATH_TYPE, EXTERNAL_IDS, INTERFACES, KIND, NAME, NEXT_CFG,
    OPTIONS, PORT_NAME, PORTS,
};
use super::draft::{Draft, Place};
use super::row::{Row, pack_cell};
use super::schema::Table;
use super::value::{Atom, Datum};

/// The bridge that workloads are plugged into.
const BRIDGE: &str = "br-int";

/// Writes a change into a draft; false if `ovs-vsctl` would refuse it.
pub(super) fn write(draft: &mut Draft<'_>, change: &LocalChange) -> bool {
    let is_done = match change {
        LocalChange::AddBridge { bridge, datapath_type, external_ids } => {
            add_bridge(draft, bridge, datapath_type, external_ids)
        }
        LocalChange::PlugInterface { name, iface_id } => plug(draft, [(name.as_str(), iface_id.as_str())]),
        LocalChange::Unplug { name } => unplug(draft, name),
        LocalChange::SetOption { name, key, value } => set_option(draft, name, key, value),
        LocalChange::RemoveBridge { bridge } => remove_bridge(draft, bridge),
    };
    is_done.is_some()
}

/// Whether there is a bridge to plug workloads into.
pub(super) fn has_bridge(draft: &Draft<'_>) -> bool {
    named(draft, Table::Bridge, BRIDGE_NAME, BRIDGE).is_some()
}

/// Plugs workloads, each with its name and the tenant's port, except those whose name is taken.
pub(super) fn plug<'a>(
    draft: &mut Draft<'_>,
    workloads: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Option<()> {
    let bridge = named(draft, Table::Bridge, BRIDGE_NAME, BRIDGE)?;
    let mut taken = BTreeSet::new();
    let mut ports = members(draft, bridge, PORTS);
    let ids = draft.ids();
    let before = ports.len();
    for (name, iface_id) in workloads {
        // Of those that this very transaction plugs, `taken` knows.
        let is_taken = |table, column| {
            let packed = pack_cell(table, column, &Datum::text(name), ids);
            draft.store.find(table, column, &packed).is_some()
        };
        if !taken.insert(name) || is_taken(Table::Port, PORT_NAME) || is_taken(Table::Interface, NAME) {
            continue;
        }
        let interface = (Table::Interface, draft.fresh());
        let mut row = Row::new();
        row.set(interface.0, NAME, Datum::text(name));
        row.set(interface.0, EXTERNAL_IDS, Datum::dictionary([("iface-id", iface_id)]));
        draft.insert(interface, row);
        let port = (Table::Port, draft.fresh());
        let mut row = Row::new();
        row.set(port.0, PORT_NAME, Datum::text(name));
        row.set(port.0, INTERFACES, Datum::one(Atom::Uuid(ids.id(interface.1))));
        draft.insert(port, row);
        ports.push(Atom::Uuid(ids.id(port.1)));
    }
    if ports.len() == before {
        return None;
    }
    draft.set(bridge, PORTS, Datum::set_of(ports));
    ask_for_acknowledgement(draft)
}

fn unplug(draft: &mut Draft<'_>, name: &str) -> Option<()> {
    let port = named(draft, Table::Port, PORT_NAME, name)?;
    let id = Atom::Uuid(draft.ids().id(port.1));
    for number in draft.numbers(Table::Bridge) {
        let mut ports = members(draft, (Table::Bridge, number), PORTS);
        if let Ok(at) = ports.binary_search(&id) {
            ports.remove(at);
            draft.set((Table::Bridge, number), PORTS, Datum::Set(ports));
        }
    }
    ask_for_acknowledgement(draft)
}

fn set_option(draft: &mut Draft<'_>, name: &str, key: &str, value: &str) -> Option<()> {
    let interface = named(draft, Table::Interface, NAME, name)?;
    let mut pairs = match draft.cell(interface, OPTIONS) {
        Some(Datum::Map(pairs)) => pairs,
        _ => Vec::new(),
    };
    pairs.retain(|(held, _)| *held != Atom::text(key));
    pairs.push((Atom::text(key), Atom::text(value)));
    draft.set(interface, OPTIONS, Datum::map_of(pairs));
    ask_for_acknowledgement(draft)
}

/// A bridge with its own interface, as `ovs-vsctl add-br` makes it.
fn add_bridge(
    draft: &mut Draft<'_>,
    name: &str,
    datapath_type: &str,
    external_ids: &[(String, String)],
) -> Option<()> {
    if named(draft, Table::Bridge, BRIDGE_NAME, name).is_some() {
        return None;
    }
    let (root, ids) = (root(draft)?, draft.ids());
    let interface =
        insert(draft, Table::Interface, [(NAME, Datum::text(name)), (KIND, Datum::text("internal"))]);
    let interface = Datum::one(Atom::Uuid(ids.id(interface)));
    let port = insert(draft, Table::Port, [(PORT_NAME, Datum::text(name)), (INTERFACES, interface)]);
    let external_ids = external_ids.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let cells = [
        (BRIDGE_NAME, Datum::text(name)),
        (DATAPATH_TYPE, Datum::text(datapath_type)),
        (BRIDGE_EXTERNAL_IDS, Datum::dictionary(external_ids)),
        (PORTS, Datum::one(Atom::Uuid(ids.id(port)))),
    ];
    let bridge = insert(draft, Table::Bridge, cells);
    let mut bridges = members(draft, root, BRIDGES);
    bridges.push(Atom::Uuid(ids.id(bridge)));
    draft.set(root, BRIDGES, Datum::set_of(bridges));
    ask_for_acknowledgement(draft)
}

fn insert<const N: usize>(draft: &mut Draft<'_>, table: Table, cells: [(u8, Datum); N]) -> u32 {
    let (number, mut row) = (draft.fresh(), Row::new());
    for (column, datum) in cells {
        row.set(table, column, datum);
    }
    draft.insert((table, number), row);
    number
}

fn remove_bridge(draft: &mut Draft<'_>, name: &str) -> Option<()> {
    let bridge = named(draft, Table::Bridge, BRIDGE_NAME, name)?;
    let root = root(draft)?;
    let mut bridges = members(draft, root, BRIDGES);
    bridges.retain(|id| *id != Atom::Uuid(draft.ids().id(bridge.1)));
    draft.set(root, BRIDGES, Datum::Set(bridges));
    ask_for_acknowledgement(draft)
}

/// `ovs-vsctl` counts `next_cfg` up, to see when ovs-vswitchd has done what it wrote.
fn ask_for_acknowledgement(draft: &mut Draft<'_>) -> Option<()> {
    let root = root(draft)?;
    let next = draft.cell(root, NEXT_CFG).and_then(|datum| datum.as_integer()).unwrap_or(0);
    draft.set(root, NEXT_CFG, Datum::integer(next.wrapping_add(1)));
    Some(())
}

fn root(draft: &Draft<'_>) -> Option<Place> {
    draft.numbers(Table::OpenVSwitch).first().map(|number| (Table::OpenVSwitch, *number))
}

fn members(draft: &Draft<'_>, place: Place, column: u8) -> Vec<Atom> {
    match draft.cell(place, column) {
        Some(Datum::Set(atoms)) => atoms,
        _ => Vec::new(),
    }
}

fn named(draft: &Draft<'_>, table: Table, column: u8, name: &str) -> Option<Place> {
    draft.find(table, column, &Datum::text(name))
}
