//! The tunnel ports that a host needs: one per peer and encapsulation, only towards hosts that share a network.

use std::collections::BTreeMap;
use std::net::IpAddr;

use weft_model::{Encap, Host, HostId, HostIndex, Snapshot};

/// What every tunnel port of the deployment has in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TunnelSettings {
    /// UDP destination port of VXLAN (RFC 7348: 4789).
    pub vxlan_port: u16,
    /// UDP destination port of Geneve (RFC 8926: 6081).
    pub geneve_port: u16,
}

impl Default for TunnelSettings {
    fn default() -> Self {
        TunnelSettings { vxlan_port: 4789, geneve_port: 6081 }
    }
}

/// One tunnel port as it shall stand in a host's OVSDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelPort {
    /// The interface's name; the same on every host for the same peer.
    pub name: String,
    /// The interface's type.
    pub encap: Encap,
    /// The host at the other end.
    pub peer: HostIndex,
    /// Where its VTEP is.
    pub remote_ip: IpAddr,
    /// Where our VTEP is, in the same address family.
    pub local_ip: Option<IpAddr>,
    /// The pinned OpenFlow port number (`ofport_request`), see [`tunnel_ofport`].
    pub ofport: u16,
    /// The UDP destination port; GRE has none.
    pub dst_port: Option<u16>,
}

/// The OpenFlow port number of the tunnel to a host: the same on every switch, so that flows can be too.
/// 15,000 numbers per encapsulation: VXLAN from 10000, Geneve from 25000, GRE from 40000.
pub fn tunnel_ofport(encap: Encap, peer: HostIndex) -> u16 {
    let base = match encap {
        Encap::Vxlan => 10_000,
        Encap::Geneve => 25_000,
        Encap::Gre => 40_000,
    };
    base + peer.get()
}

/// The name of the tunnel port to a host; at most 8 characters, fit for a Linux interface name.
pub fn tunnel_name(encap: Encap, peer: HostIndex) -> String {
    let prefix = match encap {
        Encap::Vxlan => "wv",
        Encap::Geneve => "wg",
        Encap::Gre => "wr",
    };
    format!("{prefix}-{peer}")
}

/// The tunnel ports that a host needs, by name: towards every other host that shares a network with it, in that
/// network's encapsulation, if the two have VTEP addresses of the same family.
pub fn tunnels(
    host: &HostId,
    snapshot: &Snapshot,
    settings: &TunnelSettings,
) -> BTreeMap<String, TunnelPort> {
    let Some(own) = snapshot.host(host) else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    for network in snapshot.networks_on(host) {
        for peer in snapshot.member_hosts(network.id).filter(|peer| peer.id != *host) {
            let port = tunnel(own, peer, network.encap, settings);
            found.extend(port.map(|port| (port.name.clone(), port)));
        }
    }
    found
}

fn tunnel(own: &Host, peer: &Host, encap: Encap, settings: &TunnelSettings) -> Option<TunnelPort> {
    let remote_ip = own.encap_ips.towards(&peer.encap_ips)?;
    let local_ip = match remote_ip {
        IpAddr::V4(_) => own.encap_ips.v4.map(IpAddr::V4),
        IpAddr::V6(_) => own.encap_ips.v6.map(IpAddr::V6),
    };
    let dst_port = match encap {
        Encap::Vxlan => Some(settings.vxlan_port),
        Encap::Geneve => Some(settings.geneve_port),
        Encap::Gre => None,
    };
    let (name, ofport) = (tunnel_name(encap, peer.index), tunnel_ofport(encap, peer.index));
    Some(TunnelPort { name, encap, peer: peer.index, remote_ip, local_ip, ofport, dst_port })
}

/// True for the OpenFlow port numbers that tunnels are pinned at.
pub(crate) fn is_tunnel_ofport(ofport: u32) -> bool {
    (10_001..=54_999).contains(&ofport)
}
