//! Choosing the hosts that serve gateways: a short list for each, kept while hosts come, go and change their mappings.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::draft::Draft;
use crate::{
    EncapIps, GATEWAY_HOSTS, Gateway, Host, HostIndex, Network, Record, Router, RouterId, RouterKey,
};

impl Draft<'_> {
    /// Fills a gateway's list from the hosts that have a bridge for its network; what is in it stays.
    pub(super) fn fill_hosts(&self, router: &mut Router, network: &Network) {
        let able = self.able(network);
        self.fill(router, &able);
    }

    /// Brings the lists of gateways up to date with a host that came, changed or is gone.
    pub(super) fn rehost_gateways(&mut self, before: Option<&Host>, after: Option<&Host>) {
        let mappings = |host: Option<&Host>| host.map(|host| (host.index, host.bridge_mappings.clone()));
        if mappings(before) == mappings(after) {
            return;
        }
        let mut networks = BTreeSet::new();
        for name in [before, after].into_iter().flatten().flat_map(|host| host.bridge_mappings.keys()) {
            let Some(physnet) = self.state.physnet_by_name(name) else { continue };
            let external = self.state.networks_of_physnet(physnet.key).filter(|network| network.external);
            networks.extend(external.map(|network| network.id));
        }
        for network in
            networks.into_iter().filter_map(|id| self.state.network(&id).cloned()).collect::<Vec<_>>()
        {
            let able = self.able(&network);
            let index = before.or(after).map(|host| host.index);
            let concerned = self.state.gateways_on(network.id).filter(|router| {
                let hosts = router.gateway.as_ref().map_or(&[][..], |gateway| &gateway.hosts);
                hosts.len() < GATEWAY_HOSTS || index.is_some_and(|index| hosts.contains(&index))
            });
            for router in concerned.map(|router| router.id).collect::<Vec<RouterId>>() {
                self.rehost(router, &able);
            }
        }
    }

    fn rehost(&mut self, router: RouterId, able: &[HostIndex]) {
        let Some(before) = self.state.router(&router).cloned() else { return };
        let mut after = Router::clone(&before);
        if let Some(Gateway { hosts, .. }) = &mut after.gateway {
            hosts.retain(|host| able.binary_search(host).is_ok());
        }
        // What leads is counted in the state, so a host that is out of one list is counted so for the next.
        self.fill(&mut after, able);
        if after != *before {
            // Nothing of it is the tenant's doing, so the router's number stays.
            self.put(Record::Router(Arc::new(after)));
        }
    }

    fn fill(&self, router: &mut Router, able: &[HostIndex]) {
        let key = router.key;
        let Some(Gateway { hosts, .. }) = &mut router.gateway else { return };
        while hosts.len() < GATEWAY_HOSTS {
            let free = able.iter().filter(|host| !hosts.contains(host));
            let free = free.filter(|host| hosts.iter().all(|other| !self.are_apart(**host, *other)));
            let best =
                free.min_by_key(|host| (self.state.gateways_led_by(**host), spread(key, **host), **host));
            match best {
                Some(host) => hosts.push(*host),
                None => return,
            }
        }
    }

    /// True if no tunnel can join two hosts, so that neither would know whether the other serves a gateway: their VTEPs
    /// have addresses of different families. Who has none yet may get any.
    fn are_apart(&self, one: HostIndex, other: HostIndex) -> bool {
        let vtep = |host| self.state.host_by_index(host).map(|host| host.encap_ips).unwrap_or_default();
        let (one, other) = (vtep(one), vtep(other));
        let nothing = EncapIps::default();
        one != nothing && other != nothing && one.towards(&other).is_none()
    }

    /// The hosts that have a bridge for a network, by index.
    fn able(&self, network: &Network) -> Vec<HostIndex> {
        let able = self.state.hosts().filter(|host| self.state.carries(host, network));
        let mut able: Vec<HostIndex> = able.map(|host| host.index).collect();
        able.sort_unstable();
        able
    }
}

/// A number that orders the same hosts differently for every router, the same at all times (SplitMix64's finish).
fn spread(router: RouterKey, host: HostIndex) -> u64 {
    let mut mixed = u64::from(router.get()) << 16 | u64::from(host.get());
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
