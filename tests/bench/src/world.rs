//! The system that is measured in: how many hosts, networks, bound ports and tunnels.

use std::collections::{BTreeMap, BTreeSet};

use weft_controller::populate::{NETWORKS_PER_TENANT, Population, Size as Numbers};

use crate::size::System;

/// How many ports share a network.
pub const PORTS_PER_NETWORK: u32 = 20;

/// Who is where in a system of that size.
pub fn population(system: System) -> Population {
    let System { ports, hosts, wide } = system;
    Population::new(Numbers { hosts, networks: ports.div_ceil(PORTS_PER_NETWORK), ports, wide })
}

/// The same number of ports and hosts where all is one tenant's: the narrow networks are few, and large.
pub fn of_one_tenant(system: System) -> Population {
    let System { ports, hosts, wide } = system;
    // The wide network comes after the others, and is the tenant's as well.
    Population::new(Numbers { hosts, networks: NETWORKS_PER_TENANT - 1, ports, wide })
}

/// How many tunnel ports all hosts have together: one to every other host that shares a network.
pub fn tunnels(population: &Population) -> u64 {
    let mut members: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for port in 0..population.ports() {
        members.entry(population.network_of(port)).or_default().insert(population.place_of(port).0);
    }
    let hosts = population.size().hosts as usize;
    // A bit per pair: hosts share many networks, and count once.
    let mut peers = vec![vec![0_u64; hosts.div_ceil(64)]; hosts];
    for (host, peer) in
        members.values().flat_map(|hosts| hosts.iter().flat_map(|a| hosts.iter().map(|b| (*a, *b))))
    {
        if host != peer {
            peers[host as usize][peer as usize / 64] |= 1 << (peer % 64);
        }
    }
    peers.iter().flatten().map(|bits| u64::from(bits.count_ones())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_on_all_hosts_makes_a_full_mesh() {
        assert_eq!(tunnels(&population(System { ports: 20, hosts: 10, wide: 10 })), 90);
        assert!(tunnels(&population(System { ports: 20, hosts: 10, wide: 0 })) < 90);
    }
}
