//! Planning networks: their VNI, encapsulation and MTU.

use std::sync::Arc;

use super::draft::{Draft, expect_number, relabel, set};
use super::limits::Faults;
use super::{NetworkPatch, NewNetwork, Rejected};
use crate::{Encap, Key, Mtu, Network, NetworkId, Record, Vni};

/// The smallest MTU that IPv4 works with (RFC 791).
const MTU_MIN: u16 = 68;
/// The smallest MTU that IPv6 works with (RFC 8200 section 5).
pub(super) const MTU_MIN_V6: u16 = 1280;
/// How many ports a refused deletion lists.
const PORTS_LISTED: usize = 100;

impl Draft<'_> {
    pub(super) fn create_network(&mut self, new: &NewNetwork) -> Result<Key, Rejected> {
        if new.vni.is_some() || new.encap.is_some() {
            self.admin_only("choosing a VNI or an encapsulation")?;
        }
        if self.state.network(&new.id).is_some() {
            return Err(Rejected::AlreadyExists { what: "network", id: new.id.to_string() });
        }
        let owner = self.owner_of_new(new.tenant.as_ref(), None)?;
        let encap = new.encap.unwrap_or(self.context.settings.default_encap);
        let mut faults = Faults::default();
        let stamp = self.stamp(&new.labels);
        faults.check_stamp(&stamp);
        faults.check_domain("dns_domain", &new.dns_domain);
        let mtu = match new.mtu {
            Some(asked) => self.checked_mtu(&mut faults, asked, encap),
            None => self.largest_mtu(encap),
        };
        if owner.is_none() {
            faults.add("project_id", "must name the tenant that the network is for");
        }
        faults.settle()?;
        let tenant = owner.expect("a network for nobody was a fault");
        let vni = self.vni_for(new.vni)?;
        Ok(self.put(Record::Network(Arc::new(Network {
            id: new.id,
            tenant,
            stamp,
            vni,
            encap,
            mtu,
            admin_up: new.admin_up,
            port_security_default: new.port_security_default,
            dns_domain: new.dns_domain.clone(),
        }))))
    }

    pub(super) fn update_network(&mut self, id: NetworkId, patch: &NetworkPatch) -> Result<Key, Rejected> {
        let before = self.network(id)?;
        expect_number(&before.stamp, patch.if_number)?;
        let mut faults = Faults::default();
        let mut after = Network::clone(&before);
        relabel(&mut after.stamp, &patch.labels);
        set(&mut after.admin_up, patch.admin_up);
        set(&mut after.port_security_default, patch.port_security_default);
        set(&mut after.dns_domain, patch.dns_domain.clone());
        if let Some(asked) = patch.mtu {
            after.mtu = self.checked_mtu(&mut faults, asked, before.encap);
            let has_v6 = self.state.subnets_of(id).any(|subnet| subnet.cidr.addr().is_ipv6());
            if after.mtu.0 < MTU_MIN_V6 && has_v6 {
                let reason =
                    format_args!("must be at least {MTU_MIN_V6} while the network has an IPv6 subnet");
                faults.add("mtu", reason);
            }
        }
        faults.check_stamp(&after.stamp);
        faults.check_domain("dns_domain", &after.dns_domain);
        faults.settle()?;
        if after == *before {
            return Ok(Key::Network(id));
        }
        self.restamp(&mut after.stamp);
        Ok(self.put(Record::Network(Arc::new(after))))
    }

    pub(super) fn delete_network(&mut self, id: NetworkId, number: Option<u64>) -> Result<Key, Rejected> {
        expect_number(&self.network(id)?.stamp, number)?;
        let ports: Vec<_> = self.state.ports_of(id).take(PORTS_LISTED).map(|port| port.id).collect();
        if !ports.is_empty() {
            return Err(Rejected::NetworkInUse { network: id, ports });
        }
        let subnets: Vec<_> = self.state.subnets_of(id).map(|subnet| subnet.id).collect();
        for subnet in subnets {
            self.delete(Key::Subnet(subnet));
        }
        Ok(self.delete(Key::Network(id)))
    }

    /// The VNI asked for, or the next one that is free.
    fn vni_for(&mut self, asked: Option<Vni>) -> Result<Vni, Rejected> {
        if let Some(vni) = asked {
            let is_free = self.state.network_by_vni(vni).is_none();
            return if is_free { Ok(vni) } else { Err(Rejected::VniInUse { vni }) };
        }
        let is_used = |n| Vni::new(n).is_none_or(|vni| self.state.network_by_vni(vni).is_some());
        let found = Self::next_free(self.state.counters().next_vni, Vni::MAX.get(), is_used);
        let (number, next) = found.ok_or(Rejected::VnisExhausted)?;
        self.count(|counters| counters.next_vni = next);
        Vni::new(number).ok_or(Rejected::VnisExhausted)
    }

    /// What an inner IP packet may measure so that the underlay carries it whole.
    fn largest_mtu(&self, encap: Encap) -> Mtu {
        Mtu(self.context.settings.underlay_mtu.saturating_sub(encap.overhead()).max(MTU_MIN))
    }

    fn checked_mtu(&self, faults: &mut Faults, asked: u32, encap: Encap) -> Mtu {
        let largest = self.largest_mtu(encap);
        match u16::try_from(asked) {
            Ok(mtu) if (MTU_MIN..=largest.0).contains(&mtu) => Mtu(mtu),
            _ => {
                faults.add("mtu", format_args!("must be between {MTU_MIN} and {}", largest.0));
                largest
            }
        }
    }
}
