//! Names in a snapshot: which addresses a name leads to and which name an address has, as seen from one network.
//!
//! A network sees its own names and those of the networks that routers join with it, as far as they are the same tenant's.
//! Nothing else can be asked for here, so no tenant learns of another.

use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

use super::{Map, Snapshot, hashed};
use crate::names::{below, full_name, made_from};
use crate::{Network, NetworkId, Port, PortId};

/// Most networks of a realm that a name is looked for in.
const NETWORKS: usize = 256;
/// Most ports of one name that are told.
const PORTS: usize = 64;

/// Ports that have a name, by a hash of it in small letters.
pub(super) type ByName = Map<(NetworkId, u64, PortId), ()>;

/// The entry of a port in the index by name.
pub(super) fn name_key(port: &Port) -> Option<(NetworkId, u64, PortId)> {
    let name = port.dns_name.trim_end_matches('.');
    (!name.is_empty()).then(|| (port.network, hashed(&name.to_ascii_lowercase()), port.id))
}

/// What a name or an address comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// The name is there, in this domain, with these addresses; a domain itself has none.
    Addresses {
        /// The domain, without a dot at the end.
        domain: String,
        /// All addresses, of both families.
        addresses: Vec<IpAddr>,
    },
    /// The address has this name.
    Name(String),
    /// It would be in this domain, or in one of the subnets, but it is not.
    Nothing {
        /// The domain that does not have it, when a name was asked for.
        domain: Option<String>,
    },
    /// It is none of the tenant's.
    Elsewhere,
}

impl Snapshot {
    /// What a name, without a dot at the end, leads to from a network.
    pub fn addresses_of_name(&self, from: NetworkId, name: &str) -> Named {
        let mut longest: Option<&str> = None;
        let (mut found, mut within) = (Vec::new(), None);
        for network in self.visible_from(from) {
            let domain = network.domain();
            // A name of one label is a host of the asker's own network.
            let is_short = !name.contains('.') && network.id == from && !name.is_empty();
            let host = below(name, domain).or_else(|| is_short.then_some(name));
            if host.is_none() && !name.eq_ignore_ascii_case(domain) {
                continue;
            }
            longest = longest.filter(|known| known.len() >= domain.len()).or(Some(domain));
            let Some(host) = host else { continue };
            let addresses = self.addresses_of_host(network, host);
            if !addresses.is_empty() {
                within = within.or(Some(domain.to_owned()));
                found.extend(addresses);
            }
            // The asker's own network goes before all others.
            if network.id == from && !found.is_empty() {
                break;
            }
        }
        match (within, longest) {
            (Some(domain), _) => {
                found.sort_unstable();
                found.dedup();
                Named::Addresses { domain, addresses: found }
            }
            (None, Some(domain)) if name.eq_ignore_ascii_case(domain) => {
                Named::Addresses { domain: domain.to_owned(), addresses: Vec::new() }
            }
            // One label is below the root, for which no domain of ours speaks.
            (None, Some(domain)) => {
                let domain = name.contains('.').then(|| domain.to_owned());
                Named::Nothing { domain }
            }
            (None, None) => Named::Elsewhere,
        }
    }

    /// What an address is called, seen from a network.
    pub fn name_of_address(&self, from: NetworkId, address: IpAddr) -> Named {
        let mut is_ours = false;
        for network in self.visible_from(from) {
            for subnet in self.subnets_of(network.id).filter(|subnet| subnet.cidr.contains(&address)) {
                if let Some(port) = self.port_by_address(subnet.id, address) {
                    return Named::Name(full_name(network, port, address));
                }
                is_ours = true;
            }
        }
        if is_ours { Named::Nothing { domain: None } } else { Named::Elsewhere }
    }

    /// The network itself, then those of the same tenant that routers join with it.
    fn visible_from(&self, from: NetworkId) -> impl Iterator<Item = &Arc<Network>> {
        let own = self.network(&from);
        let others = own.into_iter().flat_map(move |own| {
            self.realm(from)
                .take(NETWORKS)
                .filter(move |other| other.id != from && other.tenant == own.tenant)
        });
        own.into_iter().chain(others)
    }

    fn addresses_of_host(&self, network: &Network, host: &str) -> Vec<IpAddr> {
        let whole = format!("{host}.{}", network.domain());
        let named = [host, &whole].into_iter().flat_map(|name| self.ports_of_name(network.id, name));
        let mut found: Vec<IpAddr> =
            named.take(PORTS).flat_map(|port| port.fixed_ips.iter().map(|ip| ip.address)).collect();
        if let Some(address) = made_from(host) {
            let mut subnets = self.subnets_of(network.id);
            let has = |port: &&Arc<Port>| port.network == network.id;
            let port = subnets.find_map(|subnet| self.port_by_address(subnet.id, address).filter(has));
            found.extend(port.map(|_| address));
        }
        found
    }

    /// The ports of a network that were given this name, by id.
    fn ports_of_name<'a>(&'a self, network: NetworkId, name: &str) -> impl Iterator<Item = &'a Arc<Port>> {
        let name = name.to_ascii_lowercase();
        let hash = hashed(&name);
        let keys = self.ports_by_name.starting_at(&(network, hash, PortId(Uuid::nil()))).map(|(key, ())| key);
        keys.take_while(move |(n, h, _)| (*n, *h) == (network, hash))
            .filter_map(|(_, _, port)| self.port(port))
            .filter(move |port| port.dns_name.trim_end_matches('.').eq_ignore_ascii_case(&name))
    }
}
