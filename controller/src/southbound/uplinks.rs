//! Keeping a host's uplinks: pairs of patch ports between the integration bridge and the bridges that the host's owner
//! mapped to physical networks. Pure. Nothing of a mapped bridge is touched but the port that Weft put there itself.

use std::collections::{BTreeMap, BTreeSet};

use weft_compiler::{UplinkEnd, uplink_ofport, uplinks};
use weft_model::PhysnetKey;
use weft_ovsdb::vswitch::{Bridge, Dictionary, Interface, OpenVSwitch, Port};
use weft_ovsdb::{Id, Mirror, Table, Transaction, View};

use super::inventory::{BRIDGE, EndRows, mappings, root_of};
use super::reconcile::{Sight, marks};

/// How a host's uplinks stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uplinks {
    /// What is wrong, for people.
    pub problems: Vec<String>,
    /// The physical networks that the host needs and does not reach.
    pub missing: BTreeSet<PhysnetKey>,
    /// Open vSwitch has not dealt with all of them yet.
    pub is_open: bool,
}

/// Where both ends of an uplink belong.
struct Place {
    inner: Id<Bridge>,
    outer: Id<Bridge>,
}

impl Place {
    fn of(&self, end: UplinkEnd) -> Id<Bridge> {
        match end {
            UplinkEnd::Inner(_) => self.inner,
            UplinkEnd::Outer(_) => self.outer,
        }
    }
}

/// Compares the uplinks with what is wanted. Ends that are inserted are added to `inserted`.
pub fn keep(
    sight: &Sight<'_>,
    bridge: (Id<Bridge>, View<'_, Bridge>),
    inserted: &mut BTreeSet<UplinkEnd>,
    transaction: &mut Transaction,
) -> Uplinks {
    let mut found = Uplinks::default();
    if let Some((_, root)) = root_of(sight.mirror) {
        found.problems = mappings(root).faults;
    }
    let mut wanted = BTreeMap::new();
    for (physnet, mapped) in uplinks(sight.index, sight.snapshot) {
        match place(sight, bridge, physnet, mapped) {
            Ok(place) => drop(wanted.insert(physnet, place)),
            Err(problem) => {
                found.problems.push(problem);
                found.missing.insert(physnet);
            }
        }
    }
    for (end, rows) in &sight.inventory.ends {
        if !wanted.contains_key(&end.physnet()) {
            remove(sight.mirror, rows.port, transaction);
        }
    }
    for (physnet, place) in &wanted {
        for end in [UplinkEnd::Inner(*physnet), UplinkEnd::Outer(*physnet)] {
            match sight.inventory.ends.get(&end) {
                Some(rows) => correct(sight, (end, *rows), place, transaction),
                None => {
                    add(end, place, transaction);
                    inserted.insert(end);
                }
            }
            judge(sight, end, &mut found);
        }
    }
    found
}

/// Where an uplink belongs, or why there cannot be one.
fn place(
    sight: &Sight<'_>,
    (inner, integration): (Id<Bridge>, View<'_, Bridge>),
    physnet: PhysnetKey,
    mapped: Option<String>,
) -> Result<Place, String> {
    let name = sight.snapshot.physnet(physnet).map(|physnet| physnet.name.clone()).unwrap_or_default();
    let Some(mapped) = mapped else {
        return Err(format!(
            "networks on physical network {name} are needed here, and external_ids:weft-bridge-mappings has no bridge \
             for it"
        ));
    };
    let Some((outer, row)) = bridge_named(sight.mirror, &mapped) else {
        return Err(format!("physical network {name} is mapped to bridge {mapped}, which does not exist"));
    };
    let (ours, theirs) = (integration.text(Bridge::datapath_type()), row.text(Bridge::datapath_type()));
    if kind(&ours) != kind(&theirs) {
        return Err(format!(
            "physical network {name} is mapped to bridge {mapped}, whose datapath_type is not that of {BRIDGE}: {:?} and \
             {:?}",
            kind(&theirs),
            kind(&ours)
        ));
    }
    for end in [UplinkEnd::Inner(physnet), UplinkEnd::Outer(physnet)] {
        if !sight.inventory.ends.contains_key(&end) && is_taken(sight.mirror, &end.name()) {
            return Err(format!("an interface {} exists and is not Weft's", end.name()));
        }
    }
    Ok(Place { inner, outer })
}

/// A bridge that names no type has the system's.
fn kind(datapath_type: &str) -> &str {
    if datapath_type.is_empty() { "system" } else { datapath_type }
}

fn bridge_named<'a>(mirror: &'a Mirror, name: &str) -> Option<(Id<Bridge>, View<'a, Bridge>)> {
    let (_, root) = root_of(mirror)?;
    let mut bridges = root.ids(OpenVSwitch::bridges()).iter().filter_map(|id| Some((id, mirror.view(id)?)));
    bridges.find(|(_, row): &(_, View<'_, Bridge>)| row.text(Bridge::name()) == name)
}

/// Whether something has the name. Reads all rows, and is asked only before something is inserted.
fn is_taken(mirror: &Mirror, name: &str) -> bool {
    mirror.views::<Port>().any(|(_, row)| row.text(Port::name()) == name)
        || mirror.views::<Interface>().any(|(_, row)| row.text(Interface::name()) == name)
}

/// The bridges that have the port: one, unless somebody is at it.
fn holders(mirror: &Mirror, port: Id<Port>) -> Vec<Id<Bridge>> {
    let has_it = |(_, row): &(Id<Bridge>, View<'_, Bridge>)| row.ids(Bridge::ports()).contains(port);
    mirror.views::<Bridge>().filter(has_it).map(|(id, _)| id).collect()
}

fn remove(mirror: &Mirror, port: Id<Port>, transaction: &mut Transaction) {
    for holder in holders(mirror, port) {
        transaction.mutate(holder, Bridge::ports().delete([port]));
    }
}

fn options(end: UplinkEnd) -> Dictionary {
    Dictionary::from([("peer".to_owned(), end.peer().name())])
}

/// The pinned number of the end that flows name; the other may have any.
fn number(end: UplinkEnd) -> Option<i64> {
    match end {
        UplinkEnd::Inner(physnet) => Some(i64::from(uplink_ofport(physnet))),
        UplinkEnd::Outer(_) => None,
    }
}

fn add(end: UplinkEnd, place: &Place, transaction: &mut Transaction) {
    let name = end.name();
    let interface = transaction.insert(
        Interface::record()
            .set(Interface::name(), name.as_str())
            .set(Interface::kind(), "patch")
            .set(Interface::options(), options(end))
            .set(Interface::ofport_request(), number(end))
            .set(Interface::external_ids(), marks()),
    );
    let port = transaction.insert(
        Port::record()
            .set(Port::name(), name.as_str())
            .set(Port::interfaces(), [interface])
            .set(Port::external_ids(), marks()),
    );
    transaction.mutate(place.of(end), Bridge::ports().insert([port]));
}

fn correct(
    sight: &Sight<'_>,
    (end, rows): (UplinkEnd, EndRows),
    place: &Place,
    transaction: &mut Transaction,
) {
    let wanted = place.of(end);
    let holders = holders(sight.mirror, rows.port);
    for other in holders.iter().filter(|holder| **holder != wanted) {
        transaction.mutate(*other, Bridge::ports().delete([rows.port]));
    }
    if !holders.contains(&wanted) {
        transaction.mutate(wanted, Bridge::ports().insert([rows.port]));
    }
    let Some(row) = sight.mirror.view(rows.interface) else { return };
    let same = row.text(Interface::kind()) == "patch"
        && row.maybe_integer(Interface::ofport_request()) == number(end)
        && row.pairs(Interface::options()).count() == 1
        && row.entry(Interface::options(), "peer").is_some_and(|peer| peer == end.peer().name().as_str());
    if !same {
        let record = Interface::record()
            .set(Interface::kind(), "patch")
            .set(Interface::ofport_request(), number(end))
            .set(Interface::options(), options(end));
        transaction.update(rows.interface, record);
    }
}

/// What Open vSwitch has made of an end that is wanted.
fn judge(sight: &Sight<'_>, end: UplinkEnd, found: &mut Uplinks) {
    let rows = sight.inventory.ends.get(&end);
    let row = rows.and_then(|rows| sight.mirror.view(rows.interface));
    let error = row.and_then(|row| row.maybe_text(Interface::error()));
    let problem = match (row.and_then(|row| row.maybe_integer(Interface::ofport())), error) {
        (_, Some(error)) => format!("uplink {}: {error}", end.name()),
        (None, None) => {
            found.is_open = true;
            found.missing.insert(end.physnet());
            return;
        }
        (Some(given), None) => match number(end) {
            Some(wanted) if wanted != given => {
                format!("uplink {} has ofport {given}, wanted {wanted}: the number is taken", end.name())
            }
            _ => return,
        },
    };
    found.problems.push(problem);
    found.missing.insert(end.physnet());
}

#[cfg(test)]
mod tests;
