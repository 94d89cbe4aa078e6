//! The tunnel ports that a host needs: one per peer and encapsulation, only towards hosts that share a network or routers between networks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use weft_model::{Encap, Host, HostId, HostIndex, Snapshot};

use crate::failover;
use crate::gateways::entries;
use crate::realms::{has_way, one_each, ways};

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
    /// Whether its ends watch each other.
    pub liveness: Liveness,
}

/// Whether the two ends of a tunnel watch each other, so that fast-failover groups know which are alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Liveness {
    /// Nobody asks; the tunnel counts as alive.
    Unwatched,
    /// By bidirectional forwarding detection (RFC 5880), see [`Liveness::settings`].
    Bfd,
}

/// How often each end of a watched tunnel speaks, in milliseconds.
pub const BFD_INTERVAL_MS: u32 = 200;
/// After how many missing packets the other end counts as dead.
pub const BFD_MULTIPLIER: u32 = 3;

impl Liveness {
    /// What stands in an interface's column `bfd` (ovs-vswitchd.conf.db(5)).
    ///
    /// `check_tnl_key` is what keeps tenants out of it: without it Open vSwitch would take every UDP packet to port 3784
    /// that comes out of the tunnel for one of BFD's, whoever sent it; with it only those of tunnel key 0, which no
    /// network has.
    pub fn settings(self) -> BTreeMap<String, String> {
        let interval = BFD_INTERVAL_MS.to_string();
        let multiplier = BFD_MULTIPLIER.to_string();
        let settings = [
            ("enable", "true"),
            ("min_rx", &interval),
            ("min_tx", &interval),
            ("mult", &multiplier),
            ("check_tnl_key", "true"),
        ];
        match self {
            Liveness::Unwatched => BTreeMap::new(),
            Liveness::Bfd => settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        }
    }
}

/// The largest host index that a tunnel can be pinned for: three ranges of this size fit into the upper half of Open
/// vSwitch's port numbers (32768 to 65279), which it leaves to controllers. The lower half it hands out itself, one
/// after the other, to interfaces that ask for none: a tunnel pinned there might find its number taken by a workload,
/// and flows would hand one tenant's frames to another.
pub const MAX_TUNNEL_INDEX: u16 = 10_700;

/// Where the numbers of an encapsulation's tunnels begin; the peer's index is added.
pub const fn tunnel_base(encap: Encap) -> u16 {
    match encap {
        Encap::Vxlan => 33_000,
        Encap::Geneve => 43_700,
        Encap::Gre => 54_400,
    }
}

/// The OpenFlow port number of the tunnel to a host: the same on every switch, so that flows can be too. `None` for an
/// index beyond [`MAX_TUNNEL_INDEX`]: such a host is not reachable.
pub fn tunnel_ofport(encap: Encap, peer: HostIndex) -> Option<u16> {
    (peer.get() <= MAX_TUNNEL_INDEX).then(|| tunnel_base(encap) + peer.get())
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

/// One direction between two hosts in one encapsulation: what a tunnel port is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// The host that has the tunnel port.
    pub host: HostIndex,
    /// The host that it leads to.
    pub peer: HostIndex,
    /// In which encapsulation.
    pub encap: Encap,
}

impl Link {
    /// What its tunnel port is among those of its host.
    pub fn tunnel(self) -> TunnelId {
        TunnelId { encap: self.encap, peer: self.peer }
    }
}

/// One tunnel port among those of a host: small, where a name would be kept a million times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TunnelId {
    /// Its encapsulation.
    pub encap: Encap,
    /// The host that it leads to.
    pub peer: HostIndex,
}

impl TunnelId {
    /// The tunnel that has this interface name, if one can have it: see [`tunnel_name`].
    pub fn of_name(name: &str) -> Option<TunnelId> {
        let encap = match name.get(..3)? {
            "wv-" => Encap::Vxlan,
            "wg-" => Encap::Geneve,
            "wr-" => Encap::Gre,
            _ => return None,
        };
        let digits = &name[3..];
        let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
        let peer = digits.parse().ok().filter(|_| is_plain).and_then(HostIndex::new)?;
        Some(TunnelId { encap, peer })
    }

    /// The name of its interface.
    pub fn name(self) -> String {
        tunnel_name(self.encap, self.peer)
    }

    /// As one of a host's links.
    pub fn link(self, host: HostIndex) -> Link {
        Link { host, peer: self.peer, encap: self.encap }
    }
}

/// The tunnels that a host may need, each once however many networks it shares with the peer. Those between hosts without
/// addresses of a common family are among them; [`tunnel`] gives nothing for these.
pub fn tunnel_ids(host: HostIndex, snapshot: &Snapshot) -> BTreeSet<TunnelId> {
    let mut found = Vec::new();
    for network in one_each(entries(host, snapshot), snapshot) {
        ways(host, network, snapshot, |peer, encap| found.push(TunnelId { encap, peer }));
    }
    found.into_iter().collect()
}

/// The tunnel ports that a host needs, by name: towards every other host with which it shares a network, or networks that
/// routers join, in these networks' encapsulations, if the two have VTEP addresses of the same family.
pub fn tunnels(
    host: &HostId,
    snapshot: &Snapshot,
    settings: &TunnelSettings,
) -> BTreeMap<String, TunnelPort> {
    let Some(own) = snapshot.host(host) else { return BTreeMap::new() };
    let ids = tunnel_ids(own.index, snapshot).into_iter();
    let ports = ids.filter_map(|id| tunnel_to(own, id, snapshot, settings));
    ports.map(|port| (port.name.clone(), port)).collect()
}

/// The tunnel port of one link, if the two hosts share a realm and one of them has a network in that encapsulation. Its cost does not depend on how
/// many hosts there are.
pub fn tunnel(link: Link, snapshot: &Snapshot, settings: &TunnelSettings) -> Option<TunnelPort> {
    let (own, peer) = (snapshot.host_by_index(link.host)?, snapshot.host_by_index(link.peer)?);
    if !has_way(link.host, link.peer, link.encap, snapshot) {
        return None;
    }
    tunnel_port(own, peer, link.encap, snapshot, settings)
}

/// The tunnel port to a peer that is known to share a network with the host, as those of [`tunnel_ids`] are.
pub fn tunnel_to(
    own: &Host,
    id: TunnelId,
    snapshot: &Snapshot,
    settings: &TunnelSettings,
) -> Option<TunnelPort> {
    tunnel_port(own, snapshot.host_by_index(id.peer)?, id.encap, snapshot, settings)
}

fn tunnel_port(
    own: &Host,
    peer: &Host,
    encap: Encap,
    snapshot: &Snapshot,
    settings: &TunnelSettings,
) -> Option<TunnelPort> {
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
    let (name, ofport) = (tunnel_name(encap, peer.index), tunnel_ofport(encap, peer.index)?);
    let liveness = failover::liveness(Link { host: own.index, peer: peer.index, encap }, snapshot);
    Some(TunnelPort { name, encap, peer: peer.index, remote_ip, local_ip, ofport, dst_port, liveness })
}

/// The tunnel that is pinned at an OpenFlow port number, if it is one of a tunnel.
pub fn tunnel_at(ofport: u32) -> Option<TunnelId> {
    Encap::ALL.into_iter().find_map(|encap| {
        let peer = ofport.checked_sub(u32::from(tunnel_base(encap)))?;
        let peer = HostIndex::new(peer).filter(|peer| peer.get() <= MAX_TUNNEL_INDEX)?;
        Some(TunnelId { encap, peer })
    })
}

/// True for the OpenFlow port numbers that tunnels are pinned at.
pub(crate) fn is_tunnel_ofport(ofport: u32) -> bool {
    let first = u32::from(tunnel_base(Encap::Vxlan)) + 1;
    (first..=u32::from(tunnel_base(Encap::Gre) + MAX_TUNNEL_INDEX)).contains(&ofport)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_touch_nothing() {
        let ends = Encap::ALL.map(|encap| (tunnel_base(encap) + 1, tunnel_base(encap) + MAX_TUNNEL_INDEX));
        assert!(ends[0].0 >= 32_768, "Open vSwitch hands out the lower half itself");
        assert!(ends.windows(2).all(|pair| pair[0].1 < pair[1].0));
        assert!(ends[2].1 <= 65_279, "the largest port number");
        assert!(
            ends.iter().all(
                |(first, last)| is_tunnel_ofport(u32::from(*first)) && is_tunnel_ofport(u32::from(*last))
            )
        );
        assert!(!is_tunnel_ofport(32_767) && !is_tunnel_ofport(65_280));
    }

    #[test]
    fn names_fit_an_interface() {
        for encap in Encap::ALL {
            assert!(tunnel_name(encap, HostIndex::MAX).len() <= 15);
            for peer in [1, MAX_TUNNEL_INDEX] {
                let id = TunnelId { encap, peer: HostIndex::new(peer.into()).expect("in range") };
                assert_eq!(tunnel_at(u32::from(tunnel_base(encap) + peer)), Some(id));
            }
            let id = TunnelId { encap, peer: HostIndex::MAX };
            assert_eq!(TunnelId::of_name(&id.name()), Some(id));
        }
        for other in ["wv-", "wv-0", "wv-07", "wv-+7", "wx-7", "wv-7x", "wv7", "", "wv-99999999999", "wé-1"]
        {
            assert_eq!(TunnelId::of_name(other), None, "{other}");
        }
    }
}
