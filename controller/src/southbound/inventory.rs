//! What a host's OVSDB shows, as far as Weft cares: who the host is, its integration bridge, and what is plugged into it.
//!
//! The rows stay where they are, in the mirror. The inventory is an index into them that follows change by change: what one
//! port adds to it depends on the rows of that port alone, so a change takes out what the port was and puts in what it is.
//! The law, tested over random histories: the inventory that followed is the inventory made from scratch.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use weft_compiler::{TunnelId, UplinkEnd};
use weft_model::intent::{HostReport, ReportedInterface};
use weft_model::{BridgeMappings, EncapIps, HostId, OfPort, PortId};
use weft_ovsdb::vswitch::{Bridge, Dictionary, Interface, OpenVSwitch, Port};
use weft_ovsdb::{Change, Column, Id, Ids, Mirror, View};

use super::claims::Claims;

/// The name of the integration bridge, as every Open vSwitch tool expects it.
pub const BRIDGE: &str = "br-int";
/// The first of the ofports that Open vSwitch leaves to controllers, and Weft to tunnels. An interface that asked for one
/// of them is not bound: a tunnel's number would then lead to a workload.
pub const FIRST_RESERVED_OFPORT: u16 = 32_768;
/// The key in `external_ids` that marks rows as ours.
pub const OWNER: &str = "weft-owner";
/// Its value.
pub const OURS: &str = "weft";
/// When more rows than this change at once, and a good part of all of them, everything is read again: that is faster.
const MANY: usize = 256;

/// The two rows of one end of an uplink of ours, in whichever bridge it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndRows {
    /// The port.
    pub port: Id<Port>,
    /// Its interface.
    pub interface: Id<Interface>,
}

/// The two rows of one tunnel of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TunnelRows {
    /// The port.
    pub port: Id<Port>,
    /// Its interface.
    pub interface: Id<Interface>,
}

/// Who a host is, and what of it lies in its integration bridge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    bridge: Option<Id<Bridge>>,
    /// Tunnels of ours in the integration bridge.
    pub tunnels: BTreeMap<TunnelId, TunnelRows>,
    /// Ends of uplinks of ours, in any bridge.
    pub ends: BTreeMap<UplinkEnd, EndRows>,
    /// Ports of ours in the integration bridge that are neither: nothing wants them.
    pub surplus: BTreeSet<Id<Port>>,
    /// Tunnels whose name something has that is not a tunnel of ours there, and how many things. A name can be had once.
    strangers: BTreeMap<TunnelId, usize>,
    /// How many things are called like the integration bridge without belonging to it.
    namesakes: usize,
    /// How many ports the integration bridge has beside its own.
    pub others: usize,
    claims: Claims,
    /// Which port an interface belongs to, in the order of the interfaces.
    owners: Vec<(Id<Interface>, Id<Port>)>,
}

/// What is to be looked at after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Everything.
    All,
    /// These tunnels, and the claims to these ports, each with an interface that may make it.
    Some {
        /// Tunnels whose rows changed.
        tunnels: BTreeSet<TunnelId>,
        /// Ports whose claim may be another one.
        ports: BTreeMap<PortId, Option<Id<Interface>>>,
        /// How many ports were read to find that out: the work that the change made.
        read: usize,
    },
}

/// Why a host cannot take part yet, for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// The root row has not come.
    #[error("the Open_vSwitch table is empty: run `ovs-vsctl init`")]
    NoRoot,
    /// `external_ids:system-id` is missing.
    #[error("external_ids:system-id is not set")]
    NoSystemId,
    /// `external_ids:system-id` is not usable.
    #[error("external_ids:system-id {0}")]
    BadSystemId(String),
    /// `external_ids:weft-encap-ip` is missing.
    #[error("external_ids:weft-encap-ip is not set: run the line that `weft host join` prints")]
    NoEncapIp,
    /// `external_ids:weft-encap-ip` is not one or two addresses.
    #[error(
        "external_ids:weft-encap-ip {0:?} is not an address of each family at most, separated by a comma"
    )]
    BadEncapIp(String),
}

/// What one port adds to the inventory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Part {
    is_other: bool,
    tunnel: Option<(TunnelId, TunnelRows)>,
    end: Option<(UplinkEnd, EndRows)>,
    surplus: Option<Id<Port>>,
    claim: Option<(PortId, OfPort)>,
    claimant: Option<Id<Interface>>,
    strangers: Vec<TunnelId>,
    namesakes: usize,
    interfaces: Vec<Id<Interface>>,
}

impl Inventory {
    /// Reads all rows.
    pub fn of(mirror: &Mirror) -> Inventory {
        let bridge = bridge_of(mirror);
        let mut inventory = Inventory { bridge, ..Inventory::default() };
        let (plugged, mut claims) = (ports_of(mirror, bridge), Vec::new());
        for (id, port) in mirror.views::<Port>() {
            let mut part = Part::of(mirror, plugged, (id, port));
            claims.extend(part.claim.take());
            inventory.owners.extend(part.interfaces.drain(..).map(|interface| (interface, id)));
            inventory.add(id, part, &mut BTreeMap::new());
        }
        inventory.claims.extend(claims);
        inventory.owners.sort_unstable();
        inventory.owners.shrink_to_fit();
        inventory
    }

    /// Follows from one state of the mirror to the next.
    pub fn follow(&mut self, before: &Mirror, after: &Mirror, changes: &[Change]) -> News {
        if bridge_of(after) != self.bridge || (changes.len() > MANY && changes.len() > after.len() / 8) {
            *self = Inventory::of(after);
            return News::All;
        }
        let (was, is) = (ports_of(before, self.bridge), ports_of(after, self.bridge));
        let mut concerned: BTreeSet<Id<Port>> = BTreeSet::new();
        for change in changes {
            concerned.extend(change.id_in::<Port>());
            concerned.extend(change.id_in::<Interface>().and_then(|interface| self.owner(interface)));
            let is_ours = |id: Id<Bridge>| Some(id) == self.bridge;
            if change.id_in::<Bridge>().is_some_and(is_ours) {
                concerned.extend(was.difference(is));
            }
        }
        let (mut tunnels, mut ports) = (BTreeSet::new(), BTreeMap::new());
        let mut part = |mirror: &Mirror, plugged, id| {
            let part = mirror.view(id).map(|port| Part::of(mirror, plugged, (id, port))).unwrap_or_default();
            tunnels.extend(part.tunnel.map(|(tunnel, _)| tunnel));
            tunnels.extend(part.strangers.iter().copied());
            part
        };
        // All of what was goes before any of what is: a name or a number may pass from one port to another.
        let concerned = concerned.into_iter().map(|id| (id, part(before, was, id), part(after, is, id)));
        let concerned: Vec<(Id<Port>, Part, Part)> = concerned.collect();
        let (read, mut coming) = (concerned.len(), Vec::with_capacity(concerned.len()));
        for (id, old, new) in concerned {
            self.remove(id, old, &mut ports);
            coming.push((id, new));
        }
        for (id, mut new) in coming {
            for interface in new.interfaces.drain(..) {
                let at = self.owners.partition_point(|owner| *owner < (interface, id));
                self.owners.insert(at, (interface, id));
            }
            self.add(id, new, &mut ports);
        }
        News::Some { tunnels, ports, read }
    }

    fn add(&mut self, id: Id<Port>, part: Part, ports: &mut BTreeMap<PortId, Option<Id<Interface>>>) {
        self.others += usize::from(part.is_other);
        self.namesakes += part.namesakes;
        self.tunnels.extend(part.tunnel);
        self.ends.extend(part.end);
        self.surplus.extend(part.surplus.map(|_| id));
        for tunnel in part.strangers {
            *self.strangers.entry(tunnel).or_default() += 1;
        }
        if let Some((port, number)) = part.claim {
            for other in self.claims.add(port, number) {
                ports.entry(other).or_default();
            }
            ports.insert(port, part.claimant);
        }
    }

    fn remove(&mut self, id: Id<Port>, part: Part, ports: &mut BTreeMap<PortId, Option<Id<Interface>>>) {
        self.others -= usize::from(part.is_other);
        self.namesakes -= part.namesakes;
        if let Some((tunnel, rows)) = part.tunnel {
            // Another port may have the name meanwhile.
            if self.tunnels.get(&tunnel) == Some(&rows) {
                self.tunnels.remove(&tunnel);
            }
        }
        if let Some((end, rows)) = part.end
            && self.ends.get(&end) == Some(&rows)
        {
            self.ends.remove(&end);
        }
        self.surplus.remove(&id);
        for tunnel in part.strangers {
            if let Some(count) = self.strangers.get_mut(&tunnel) {
                *count -= 1;
                if *count == 0 {
                    self.strangers.remove(&tunnel);
                }
            }
        }
        for interface in part.interfaces {
            if let Ok(at) = self.owners.binary_search(&(interface, id)) {
                self.owners.remove(at);
            }
        }
        if let Some((port, number)) = part.claim {
            for other in self.claims.remove(port, number) {
                ports.entry(other).or_default();
            }
        }
    }

    fn owner(&self, interface: Id<Interface>) -> Option<Id<Port>> {
        let at = self.owners.partition_point(|(id, _)| *id < interface);
        self.owners.get(at).filter(|(id, _)| *id == interface).map(|(_, port)| *port)
    }

    /// The integration bridge.
    pub fn bridge<'a>(&self, mirror: &'a Mirror) -> Option<(Id<Bridge>, View<'a, Bridge>)> {
        Some((self.bridge?, mirror.view(self.bridge?)?))
    }

    /// Whether something that is not a tunnel of ours in the integration bridge has the tunnel's name.
    pub fn is_taken(&self, tunnel: TunnelId) -> bool {
        self.strangers.contains_key(&tunnel) && !self.tunnels.contains_key(&tunnel)
    }

    /// Whether something has the integration bridge's name, so that there can be none.
    pub fn is_bridge_name_taken(&self) -> bool {
        self.namesakes > 0
    }

    /// The interfaces that claim ports, by port. Reads the rows of all ports.
    pub fn interfaces(&self, mirror: &Mirror) -> Vec<ReportedInterface> {
        let plugged = ports_of(mirror, self.bridge);
        let mut found: BTreeMap<PortId, ReportedInterface> = BTreeMap::new();
        for port in plugged.iter().filter_map(|id| Some((id, mirror.view(id)?))) {
            let part = Part::of(mirror, plugged, port);
            let (Some((port, ofport)), Some(interface)) = (part.claim, part.claimant) else { continue };
            if self.claims.in_force(port) != Some(ofport) {
                continue;
            }
            let name = name_of(mirror, interface);
            let smaller = found.get(&port).is_none_or(|other| name < other.name);
            if smaller {
                found.insert(port, ReportedInterface { port, name, ofport });
            }
        }
        found.into_values().collect()
    }

    /// The interface whose claim to the port is in force. `likely` is looked at first; if it is not that one, the rows of
    /// all ports are read.
    pub fn claimant(
        &self,
        mirror: &Mirror,
        port: PortId,
        likely: Option<Id<Interface>>,
    ) -> Option<ReportedInterface> {
        let ofport = self.claims.in_force(port)?;
        let makes_it = |id: &Id<Interface>| {
            mirror.view(*id).and_then(claim) == Some((port, ofport)) && self.claims.is_single(port, ofport)
        };
        if let Some(id) = likely.filter(makes_it) {
            return Some(ReportedInterface { port, name: name_of(mirror, id), ofport });
        }
        self.interfaces(mirror).into_iter().find(|interface| interface.port == port)
    }

    /// What the controller stores of the host itself; the interfaces are left out.
    ///
    /// # Errors
    /// [`NotReady`] says which setting is missing or unusable.
    pub fn identity(&self, mirror: &Mirror) -> Result<HostReport, NotReady> {
        let (_, root) = root_of(mirror).ok_or(NotReady::NoRoot)?;
        let external: Dictionary =
            root.pairs(OpenVSwitch::external_ids()).map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
        let id = external.get("system-id").ok_or(NotReady::NoSystemId)?;
        let id: HostId = id.parse().map_err(|e| NotReady::BadSystemId(format!("{e}")))?;
        let encap_ips = encap_ips(&external)?;
        let hostname = external.get("hostname").cloned().unwrap_or_else(|| id.to_string());
        let ovs_version = root.maybe_text(OpenVSwitch::ovs_version()).unwrap_or_default().into_owned();
        let datapath_type = self.datapath_type(mirror);
        let bridge_mappings = mappings(root).bridges;
        let interfaces = Vec::new();
        Ok(HostReport { id, hostname, encap_ips, ovs_version, datapath_type, bridge_mappings, interfaces })
    }

    /// The datapath type of the integration bridge: what it has, or what it should be created with.
    pub fn datapath_type(&self, mirror: &Mirror) -> String {
        if let Some((_, bridge)) = self.bridge(mirror) {
            return bridge.text(Bridge::datapath_type()).into_owned();
        }
        let Some((_, root)) = root_of(mirror) else { return String::new() };
        if let Some(chosen) = chosen_datapath_type(root) {
            return chosen;
        }
        let offered: BTreeSet<_> = root.texts(OpenVSwitch::datapath_types()).collect();
        let preferred = ["system", "netdev"].into_iter().find(|kind| offered.contains(*kind));
        let any = || offered.first().map(|kind| kind.clone().into_owned());
        preferred.map(str::to_owned).or_else(any).unwrap_or_default()
    }
}

impl Part {
    fn of(mirror: &Mirror, plugged: Ids<'_, Port>, (id, port): (Id<Port>, View<'_, Port>)) -> Part {
        let name = port.text(Port::name());
        let interfaces = port.ids(Port::interfaces());
        let first = interfaces.first().and_then(|id| Some((id, mirror.view::<Interface>(id)?)));
        let mut part = Part { interfaces: interfaces.iter().collect(), ..Part::default() };
        part.end = first.and_then(|(interface_id, interface)| {
            let ours = marked(port, Port::external_ids()) && marked(interface, Interface::external_ids());
            let rows = EndRows { port: id, interface: interface_id };
            UplinkEnd::of_name(&name).filter(|_| ours).map(|end| (end, rows))
        });
        let mut is_known = false;
        if let Some((interface_id, interface)) = first.filter(|_| plugged.contains(id)) {
            is_known = true;
            part.is_other = name != BRIDGE;
            let ours = marked(port, Port::external_ids()) && marked(interface, Interface::external_ids());
            let tunnel = TunnelId::of_name(&name);
            match (ours, tunnel) {
                (true, Some(tunnel)) => {
                    part.tunnel = Some((tunnel, TunnelRows { port: id, interface: interface_id }));
                }
                (true, None) => part.surplus = (part.is_other && part.end.is_none()).then_some(id),
                (false, tunnel) => {
                    part.strangers.extend(tunnel);
                    part.claim = claim(interface);
                    part.claimant = part.claim.map(|_| interface_id);
                }
            }
        }
        // Names that are had elsewhere, by the port itself or by an interface that is not called like its port.
        let own = (!is_known).then(|| name.clone());
        let inner = part.interfaces.iter().filter_map(|id| mirror.view(*id));
        let inner = inner.map(|row: View<'_, Interface>| row.text(Interface::name()));
        let elsewhere: Vec<_> = own.into_iter().chain(inner.filter(|other| *other != name)).collect();
        part.strangers.extend(elsewhere.iter().filter_map(|name| TunnelId::of_name(name)));
        part.namesakes = elsewhere.iter().filter(|name| **name == BRIDGE).count();
        part
    }
}

/// The root row.
pub fn root_of(mirror: &Mirror) -> Option<(Id<OpenVSwitch>, View<'_, OpenVSwitch>)> {
    mirror.views().next()
}

/// By which bridges the host's owner leads to physical networks.
pub fn mappings(root: View<'_, OpenVSwitch>) -> BridgeMappings {
    let text = root.entry(OpenVSwitch::external_ids(), "weft-bridge-mappings");
    BridgeMappings::read(&text.unwrap_or_default())
}

/// The datapath type that the host's owner chose.
pub fn chosen_datapath_type(root: View<'_, OpenVSwitch>) -> Option<String> {
    root.entry(OpenVSwitch::external_ids(), "weft-datapath-type").map(|chosen| chosen.into_owned())
}

/// True if the marks say that Weft made the row.
pub fn marked<T>(row: View<'_, T>, external_ids: Column<T, Dictionary>) -> bool {
    row.entry(external_ids, OWNER).is_some_and(|owner| owner == OURS)
}

fn bridge_of(mirror: &Mirror) -> Option<Id<Bridge>> {
    let (_, root) = root_of(mirror)?;
    let is_it = |id: &Id<Bridge>| mirror.view(*id).is_some_and(|row| row.text(Bridge::name()) == BRIDGE);
    root.ids(OpenVSwitch::bridges()).iter().find(is_it)
}

fn ports_of(mirror: &Mirror, bridge: Option<Id<Bridge>>) -> Ids<'_, Port> {
    bridge.and_then(|id| mirror.view(id)).map_or(Ids::none(), |bridge| bridge.ids(Bridge::ports()))
}

fn name_of(mirror: &Mirror, interface: Id<Interface>) -> String {
    mirror.view(interface).map(|row| row.text(Interface::name()).into_owned()).unwrap_or_default()
}

/// The claim to a port that an interface makes, once Open vSwitch has given it a number.
fn claim(interface: View<'_, Interface>) -> Option<(PortId, OfPort)> {
    let port = interface.entry(Interface::external_ids(), "iface-id")?.parse().ok()?;
    let ofport = OfPort::new(interface.maybe_integer(Interface::ofport())?)?;
    (ofport.get() < FIRST_RESERVED_OFPORT).then_some((port, ofport))
}

fn encap_ips(external: &Dictionary) -> Result<EncapIps, NotReady> {
    let text = external.get("weft-encap-ip").ok_or(NotReady::NoEncapIp)?;
    let bad = || NotReady::BadEncapIp(text.clone());
    let mut ips = EncapIps::default();
    for part in text.split(',').map(str::trim) {
        let before = match part.parse().map_err(|_| bad())? {
            IpAddr::V4(ip) => ips.v4.replace(ip).map(IpAddr::V4),
            IpAddr::V6(ip) => ips.v6.replace(ip).map(IpAddr::V6),
        };
        if before.is_some() {
            return Err(bad());
        }
    }
    Ok(ips)
}

#[cfg(test)]
mod tests;
