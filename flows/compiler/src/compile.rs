//! The one door from snapshot to flows: which functions write which owner's sheet.

use weft_model::{HostIndex, PortKey, Snapshot, Vni};
use weft_openflow::PortNo;

use crate::flow::Compiled;
use crate::group_id::{members_of, shards_of};
use crate::owner::Owner;
use crate::sheet::Sheet;
use crate::subscribe::way_to;
use crate::tables::{Local, address_security, arp_nd, classify, drops, flood, l2, port_security};

/// Everything that an owner has in a snapshot; empty when the owner has no reason to exist.
///
/// A reference that leads nowhere (a claim to a port that is gone, a port whose network is gone) gives nothing, never
/// an error: what is not known does not communicate.
pub fn compile(owner: Owner, snapshot: &Snapshot) -> Compiled {
    let mut sheet = Sheet::new(owner);
    // `None` means that something the owner needs is not there; whatever has been written by then stays empty.
    let _ = match owner {
        Owner::Flood(vni, shard) => flood_to(&mut sheet, snapshot, vni, shard),
        Owner::Network(vni) => network(&mut sheet, snapshot, vni),
        Owner::Port(vni, key) => port(&mut sheet, snapshot, vni, key),
        Owner::HostBase(host) => host_base(&mut sheet, snapshot, host),
        Owner::LocalPort(host, key) => local_port(&mut sheet, snapshot, host, key),
        Owner::LocalFlood(host, vni) => local_flood(&mut sheet, snapshot, host, vni),
    };
    sheet.finish()
}

fn network(sheet: &mut Sheet, snapshot: &Snapshot, vni: Vni) -> Option<()> {
    let network = snapshot.network_by_vni(vni)?;
    classify::network(sheet, network);
    if network.admin_up {
        flood::network(sheet, network, shards_of(network.id, snapshot));
    }
    Some(())
}

fn flood_to(sheet: &mut Sheet, snapshot: &Snapshot, vni: Vni, shard: u8) -> Option<()> {
    let network = snapshot.network_by_vni(vni).filter(|network| network.admin_up)?;
    let mut members = members_of(shard, network.id, snapshot).peekable();
    members.peek()?;
    flood::shard(sheet, network, shard, members);
    Some(())
}

fn port(sheet: &mut Sheet, snapshot: &Snapshot, vni: Vni, key: PortKey) -> Option<()> {
    let network = snapshot.network_by_vni(vni)?;
    let port = snapshot.port_by_key(key).filter(|port| port.network == network.id)?;
    let tunnel = way_to(network, port, snapshot)?;
    l2::port(sheet, network, port, PortNo(u32::from(tunnel)));
    if port.admin_up {
        arp_nd::port(sheet, network, port);
    }
    Some(())
}

fn host_base(sheet: &mut Sheet, snapshot: &Snapshot, host: HostIndex) -> Option<()> {
    snapshot.host_by_index(host)?;
    classify::host(sheet);
    address_security::host(sheet);
    arp_nd::host(sheet);
    l2::host(sheet);
    drops::host(sheet);
    Some(())
}

fn local_port(sheet: &mut Sheet, snapshot: &Snapshot, host: HostIndex, key: PortKey) -> Option<()> {
    let port = snapshot.port_by_key(key)?;
    let network = snapshot.network(&port.network)?;
    snapshot.bound_host(port.id).filter(|bound| bound.index == host)?;
    let ofport = snapshot.binding(port.id)?.ofport;
    let local = Local { network, port, ofport };
    classify::local_port(sheet, &local);
    if local.is_up() {
        port_security::local_port(sheet, &local);
        address_security::local_port(sheet, &local);
        arp_nd::local_port(sheet, &local);
        l2::local_port(sheet, &local);
    }
    Some(())
}

fn local_flood(sheet: &mut Sheet, snapshot: &Snapshot, host: HostIndex, vni: Vni) -> Option<()> {
    let network = snapshot.network_by_vni(vni).filter(|network| network.admin_up)?;
    let mut ports = snapshot.local_ports_at(network.id, host).filter(|port| port.admin_up).peekable();
    ports.peek()?;
    flood::local(sheet, network, ports.map(AsRef::as_ref));
    Some(())
}
