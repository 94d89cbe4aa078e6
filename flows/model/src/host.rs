//! Hosts: machines with an Open vSwitch that joined.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ids::{HostId, HostIndex, PhysnetKey};
use crate::stamp::Timestamp;

/// The addresses under which other hosts reach a host's VTEP; at least one in practice, both in dual stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct EncapIps {
    /// The IPv4 address of the VTEP.
    pub v4: Option<Ipv4Addr>,
    /// The IPv6 address of the VTEP.
    pub v6: Option<Ipv6Addr>,
}

impl EncapIps {
    /// The address that `self` should send to in order to reach `peer`: IPv4 where both have it, else IPv6.
    pub fn towards(&self, peer: &EncapIps) -> Option<IpAddr> {
        match (self.v4, peer.v4, self.v6, peer.v6) {
            (Some(_), Some(ip), _, _) => Some(IpAddr::V4(ip)),
            (_, _, Some(_), Some(ip)) => Some(IpAddr::V6(ip)),
            _ => None,
        }
    }
}

/// A machine with an Open vSwitch that joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its `external_ids:system-id`.
    pub id: HostId,
    /// Its small number; tunnel ports towards it are pinned by it; never changes while it is known.
    pub index: HostIndex,
    /// Its `external_ids:hostname`, for people.
    pub hostname: String,
    /// Where its VTEP is (`external_ids:weft-encap-ip`).
    pub encap_ips: EncapIps,
    /// The version its `Open_vSwitch` row states.
    pub ovs_version: String,
    /// The datapath type its integration bridge uses: `system` or `netdev`.
    pub datapath_type: String,
    /// By which of its bridges it reaches physical networks, by their names (`external_ids:weft-bridge-mappings`).
    pub bridge_mappings: BTreeMap<String, String>,
    /// When it first joined.
    pub joined: Timestamp,
}

/// What `external_ids:weft-bridge-mappings` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BridgeMappings {
    /// Bridges by the names of the physical networks that they lead to.
    pub bridges: BTreeMap<String, String>,
    /// What of it cannot be taken, for people.
    pub faults: Vec<String>,
}

impl BridgeMappings {
    /// Reads `physnet1:br-ex,physnet2:br-data`. What is ambiguous is left out, all of it: two physical networks on one
    /// bridge would be one layer 2, and their VLANs would mix.
    pub fn read(text: &str) -> BridgeMappings {
        let mut read = BridgeMappings::default();
        let (mut pairs, mut names, mut bridges) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            match entry.split_once(':').map(|(name, bridge)| (name.trim(), bridge.trim())) {
                Some((name, bridge)) if is_physnet_name(name) && is_bridge_name(bridge) => {
                    *names.entry(name).or_insert(0) += 1;
                    *bridges.entry(bridge).or_insert(0) += 1;
                    pairs.push((name, bridge));
                }
                _ => read.fault(format!("{:?} is not a physical network and a bridge", clip(entry))),
            }
        }
        for (name, bridge) in pairs {
            if names[name] > 1 {
                read.fault(format!("physical network {name} is there twice"));
            } else if bridges[bridge] > 1 {
                read.fault(format!("bridge {bridge} is there twice"));
            } else if read.bridges.len() == usize::from(PhysnetKey::MAX) {
                read.fault(format!("there are more than {}", PhysnetKey::MAX));
            } else {
                read.bridges.insert(name.to_owned(), bridge.to_owned());
            }
        }
        read
    }

    fn fault(&mut self, what: String) {
        let fault = format!("external_ids:weft-bridge-mappings: {what}");
        if self.faults.len() < FAULTS_MAX && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }
}

/// How many faults of mappings are told.
const FAULTS_MAX: usize = 8;
/// How much of an entry that makes no sense is told, in characters.
const ENTRY_MAX: usize = 60;

fn clip(text: &str) -> String {
    text.chars().take(ENTRY_MAX).collect()
}

/// True for what a physical network may be called: 1 to 64 characters that can stand in a mapping.
pub(crate) fn is_physnet_name(name: &str) -> bool {
    (1..=64).contains(&name.chars().count()) && !name.chars().any(is_separator)
}

/// True for what a bridge may be called; the integration bridge leads to no physical network.
fn is_bridge_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name != "br-int" && !name.chars().any(is_separator)
}

fn is_separator(c: char) -> bool {
    matches!(c, ',' | ':') || c.is_whitespace() || c.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, bridges: &[(&str, &str)], faults: &[&str]) {
        let read = BridgeMappings::read(text);
        let expected = bridges.iter().map(|(name, bridge)| ((*name).to_owned(), (*bridge).to_owned()));
        assert_eq!(read.bridges, expected.collect());
        let prefix = "external_ids:weft-bridge-mappings: ";
        assert_eq!(read.faults, faults.iter().map(|fault| format!("{prefix}{fault}")).collect::<Vec<_>>());
    }

    #[test]
    fn mappings_are_read_and_what_is_ambiguous_is_left_out() {
        check("", &[], &[]);
        check("a:br-ex", &[("a", "br-ex")], &[]);
        check(" a : br-ex ,, b:br-data,", &[("a", "br-ex"), ("b", "br-data")], &[]);
        check("a,b:br", &[("b", "br")], &["\"a\" is not a physical network and a bridge"]);
        check("a:br-int", &[], &["\"a:br-int\" is not a physical network and a bridge"]);
        check("a:x,a:y,b:z", &[("b", "z")], &["physical network a is there twice"]);
        check("a:x,b:x,c:y", &[("c", "y")], &["bridge x is there twice"]);
        let many: Vec<String> = (0..200).map(|n| format!("p{n}:b{n}")).collect();
        let read = BridgeMappings::read(&many.join(","));
        assert_eq!((read.bridges.len(), read.faults.len()), (178, 1));
    }
}
