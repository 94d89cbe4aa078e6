//! What a host's OVSDB shows, in one piece: who the host is, its integration bridge, and what is plugged into it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use weft_model::intent::{HostReport, ReportedInterface};
use weft_model::{EncapIps, HostId, OfPort};
use weft_ovsdb::vswitch::{Bridge, Controller, Dictionary, Interface, OpenVSwitch, Port};
use weft_ovsdb::{Id, Mirror};

/// The name of the integration bridge, as every Open vSwitch tool expects it.
pub const BRIDGE: &str = "br-int";
/// The first of the ofports that Open vSwitch leaves to controllers, and Weft to tunnels. An interface that asked for one
/// of them is not bound: a tunnel's number would then lead to a workload.
pub const FIRST_RESERVED_OFPORT: u16 = 32_768;
/// The key in `external_ids` that marks rows as ours.
pub const OWNER: &str = "weft-owner";
/// Its value.
pub const OURS: &str = "weft";

/// One port of the integration bridge with its first interface (Weft makes and binds no bonds).
#[derive(Debug, Clone)]
pub struct Plugged {
    /// The row of the port.
    pub port_id: Id<Port>,
    /// The row of the interface.
    pub interface_id: Id<Interface>,
    /// The interface.
    pub interface: Interface,
    /// Whether both rows carry our mark.
    pub ours: bool,
}

/// The integration bridge and what is plugged into it.
#[derive(Debug, Clone)]
pub struct Integration {
    /// Its row.
    pub id: Id<Bridge>,
    /// The bridge.
    pub bridge: Bridge,
    /// Its ports by name.
    pub plugged: BTreeMap<String, Plugged>,
    /// Its controllers.
    pub controllers: Vec<(Id<Controller>, Controller)>,
}

/// A host as its OVSDB shows it.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// The root row.
    pub root_id: Id<OpenVSwitch>,
    /// The root row's content.
    pub root: OpenVSwitch,
    /// The integration bridge, if there is one.
    pub integration: Option<Integration>,
    /// Names that ports and interfaces have which are not ports of the integration bridge. A name can be had only once.
    pub elsewhere: BTreeSet<String>,
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

impl Inventory {
    /// Reads the mirror.
    ///
    /// # Errors
    /// When the root row is not there yet.
    pub fn of(mirror: &Mirror) -> Result<Inventory, NotReady> {
        let (root_id, root) = mirror.rows::<OpenVSwitch>().next().ok_or(NotReady::NoRoot)?;
        let bridge = root
            .bridges
            .iter()
            .find_map(|id| mirror.get(*id).filter(|b: &Bridge| b.name == BRIDGE).map(|b| (*id, b)));
        let integration = bridge.map(|(id, bridge)| integration(id, bridge, mirror));
        let plugged = |name: &String| integration.as_ref().is_some_and(|i| i.plugged.contains_key(name));
        let ports = mirror.rows::<Port>().map(|(_, port)| port.name);
        let interfaces = mirror.rows::<Interface>().map(|(_, interface)| interface.name);
        let elsewhere = ports.chain(interfaces).filter(|name| !plugged(name)).collect();
        Ok(Inventory { root_id, root, integration, elsewhere })
    }

    /// What the controller stores of the host.
    ///
    /// # Errors
    /// [`NotReady`] says which setting is missing or unusable.
    pub fn report(&self) -> Result<HostReport, NotReady> {
        let external = &self.root.external_ids;
        let id = external.get("system-id").ok_or(NotReady::NoSystemId)?;
        let id: HostId = id.parse().map_err(|e| NotReady::BadSystemId(format!("{e}")))?;
        let encap_ips = encap_ips(external)?;
        let hostname = external.get("hostname").cloned().unwrap_or_else(|| id.to_string());
        Ok(HostReport {
            id,
            hostname,
            encap_ips,
            ovs_version: self.root.ovs_version.clone().unwrap_or_default(),
            datapath_type: self.datapath_type(),
            interfaces: self.interfaces(),
        })
    }

    /// The datapath type of the integration bridge: what it has, or what it should be created with.
    pub fn datapath_type(&self) -> String {
        if let Some(integration) = &self.integration {
            return integration.bridge.datapath_type.clone();
        }
        if let Some(chosen) = self.chosen_datapath_type() {
            return chosen.clone();
        }
        let offered: &BTreeSet<String> = &self.root.datapath_types;
        let preferred = ["system", "netdev"].into_iter().find(|kind| offered.contains(*kind));
        preferred.map(str::to_owned).or_else(|| offered.first().cloned()).unwrap_or_default()
    }

    /// The datapath type that the host's owner chose.
    pub fn chosen_datapath_type(&self) -> Option<&String> {
        self.root.external_ids.get("weft-datapath-type")
    }

    fn interfaces(&self) -> Vec<ReportedInterface> {
        let plugged = self.integration.iter().flat_map(|integration| integration.plugged.values());
        let claims = plugged.filter(|plugged| !plugged.ours).filter_map(|plugged| claim(&plugged.interface));
        // Open vSwitch never gives two interfaces one number, but rows may show it for a moment while numbers move.
        let distinct: BTreeMap<OfPort, ReportedInterface> =
            claims.map(|claim| (claim.ofport, claim)).collect();
        let mut claims: Vec<ReportedInterface> = distinct.into_values().collect();
        claims.sort_by_key(|claim| (claim.port, claim.ofport));
        claims
    }
}

fn integration(id: Id<Bridge>, bridge: Bridge, mirror: &Mirror) -> Integration {
    let mut plugged = BTreeMap::new();
    for port_id in &bridge.ports {
        let Some(port) = mirror.get::<Port>(*port_id) else { continue };
        let Some(interface_id) = port.interfaces.first().copied() else { continue };
        let Some(interface) = mirror.get::<Interface>(interface_id) else { continue };
        let ours = is_ours(&port.external_ids) && is_ours(&interface.external_ids);
        plugged.insert(port.name, Plugged { port_id: *port_id, interface_id, interface, ours });
    }
    let controllers =
        bridge.controller.iter().filter_map(|id| mirror.get(*id).map(|row| (*id, row))).collect();
    Integration { id, bridge, plugged, controllers }
}

/// True if the marks say that Weft made the row.
pub fn is_ours(external_ids: &Dictionary) -> bool {
    external_ids.get(OWNER).is_some_and(|owner| owner == OURS)
}

/// The claim to a port that an interface makes, once Open vSwitch has given it a number.
fn claim(interface: &Interface) -> Option<ReportedInterface> {
    let port = interface.external_ids.get("iface-id")?.parse().ok()?;
    let ofport = OfPort::new(interface.ofport?).filter(|ofport| ofport.get() < FIRST_RESERVED_OFPORT)?;
    Some(ReportedInterface { port, name: interface.name.clone(), ofport })
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
mod tests {
    use super::*;

    fn joined(text: &str) -> Result<EncapIps, NotReady> {
        encap_ips(&Dictionary::from([("weft-encap-ip".to_owned(), text.to_owned())]))
    }

    #[test]
    fn encap_addresses_are_one_of_each_family_at_most() {
        let both = joined("192.0.2.11, 2001:db8::11").unwrap();
        assert_eq!((both.v4, both.v6), ("192.0.2.11".parse().ok(), "2001:db8::11".parse().ok()));
        assert_eq!(
            joined("192.0.2.11,192.0.2.12"),
            Err(NotReady::BadEncapIp("192.0.2.11,192.0.2.12".into()))
        );
        assert_eq!(joined(""), Err(NotReady::BadEncapIp(String::new())));
        assert_eq!(encap_ips(&Dictionary::new()), Err(NotReady::NoEncapIp));
    }
}
