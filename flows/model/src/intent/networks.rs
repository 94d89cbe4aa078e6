//! Planning networks: their VNI, encapsulation and MTU.

use std::sync::Arc;

use super::draft::{Draft, expect_number, relabel, set};
use super::limits::Faults;
use super::{NetworkPatch, NewNetwork, NewSegment, RbacRejected, Rejected};
use crate::network::TAG_LEN;
use crate::{Access, Key, Mtu, Network, NetworkId, PhysicalNetwork, PhysnetKey, Record, Segment, Vni};

/// The smallest MTU that IPv4 works with (RFC 791).
pub(super) const MTU_MIN: u16 = 68;
/// The smallest MTU that IPv6 works with (RFC 8200 section 5).
pub(super) const MTU_MIN_V6: u16 = 1280;
/// How many ports a refused deletion lists.
const PORTS_LISTED: usize = 100;

impl Draft<'_> {
    pub(super) fn create_network(&mut self, new: &NewNetwork) -> Result<Key, Rejected> {
        self.check_may_choose(new)?;
        if self.state.network(&new.id).is_some() {
            return Err(Rejected::AlreadyExists { what: "network", id: new.id.to_string() });
        }
        let owner = self.owner_of_new(new.tenant.as_ref(), None)?;
        let encap = new.encap.unwrap_or(self.context.settings.default_encap);
        let mut faults = Faults::default();
        let stamp = self.stamp(&new.labels);
        faults.check_stamp(&stamp);
        faults.check_domain("dns_domain", &new.dns_domain);
        let overhead = match &new.segment {
            Some(_) => 0,
            None if new.vlan_transparent => encap.overhead() + TAG_LEN,
            None => encap.overhead(),
        };
        if new.vlan_transparent && new.segment.is_some() {
            faults.add("vlan_transparent", "is for networks in tunnels only");
        }
        let mtu = match new.mtu {
            Some(asked) => self.checked_mtu(&mut faults, asked, overhead),
            None => self.largest_mtu(overhead),
        };
        if let Some(segment) = &new.segment {
            faults.check_physnet("provider:physical_network", &segment.physnet);
        }
        if owner.is_none() {
            faults.add("project_id", "must name the tenant that the network is for");
        }
        faults.settle()?;
        let tenant = owner.expect("a network for nobody was a fault");
        let qos_policy = match new.qos_policy {
            Some(asked) => asked,
            None => self.default_qos(&tenant).filter(|_| !new.external),
        };
        self.check_qos_worn(None, qos_policy)?;
        let segment = new.segment.as_ref().map(|segment| self.segment_for(segment)).transpose()?;
        let vni = match new.vni {
            Some(asked) => self.free_vni(asked)?,
            // On the operator's layer 2 it numbers nothing but registers.
            None if segment.is_some() => self.next_vni()?,
            None => self.vni_for(&tenant, encap)?,
        };
        if new.external {
            self.share(new.id.into(), Access::External, &tenant);
        }
        if new.shared {
            self.share(new.id.into(), Access::Shared, &tenant);
        }
        Ok(self.put(Record::Network(Arc::new(Network {
            id: new.id,
            tenant,
            stamp,
            vni,
            encap,
            segment,
            mtu,
            admin_up: new.admin_up,
            port_security_default: new.port_security_default,
            dns_domain: new.dns_domain.clone(),
            vlan_transparent: new.vlan_transparent,
            external: new.external,
            qos_policy,
        }))))
    }

    /// Refuses what is the operator's to choose.
    fn check_may_choose(&self, new: &NewNetwork) -> Result<(), Rejected> {
        if new.vni.is_some() || new.encap.is_some() {
            self.admin_only("choosing a VNI or an encapsulation")?;
        }
        if new.segment.is_some() {
            self.admin_only("choosing a physical network")?;
        }
        if new.external {
            self.admin_only("making a network external")?;
        }
        if new.shared {
            self.admin_only("(rule:create_network and rule:create_network:shared)")?;
        }
        Ok(())
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
        set(&mut after.qos_policy, patch.qos_policy);
        self.check_qos_worn(before.qos_policy, after.qos_policy)?;
        if let Some(asked) = patch.mtu {
            after.mtu = self.checked_mtu(&mut faults, asked, before.overhead());
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
        set(&mut after.external, patch.external);
        self.check_external(&before, &after)?;
        let shares = patch.shared.filter(|shared| *shared != self.state.is_shared(id.into()));
        if after == *before && shares.is_none() {
            return Ok(Key::Network(id));
        }
        if after.external != before.external {
            self.follow_external(&after);
        }
        if let Some(shared) = shares {
            self.set_shared(&after, shared)?;
        }
        self.restamp(&mut after.stamp);
        Ok(self.put(Record::Network(Arc::new(after))))
    }

    pub(super) fn delete_network(&mut self, id: NetworkId, number: Option<u64>) -> Result<Key, Rejected> {
        let network = self.network(id)?;
        expect_number(&network.stamp, number)?;
        let ports: Vec<_> = self.state.ports_of(id).take(PORTS_LISTED).map(|port| port.id).collect();
        if !ports.is_empty() {
            return Err(Rejected::NetworkInUse { network: id, ports });
        }
        let subnets: Vec<_> = self.state.subnets_of(id).map(|subnet| subnet.id).collect();
        for subnet in subnets {
            self.delete(Key::Subnet(subnet));
        }
        self.forget_policies(id.into(), None);
        let deleted = self.delete(Key::Network(id));
        let physnet = network.segment.map(|segment| segment.physnet);
        if let Some(unused) = physnet.filter(|key| self.state.networks_of_physnet(*key).next().is_none()) {
            self.delete(Key::PhysicalNetwork(unused));
        }
        Ok(deleted)
    }

    /// Everybody may have gateways on a network that is made external, and nobody on one that no longer is.
    fn follow_external(&mut self, after: &Network) {
        match after.external {
            true => self.share(after.id.into(), Access::External, &after.tenant),
            false => self.forget_policies(after.id.into(), Some(Access::External)),
        }
    }

    fn set_shared(&mut self, network: &Network, shared: bool) -> Result<(), Rejected> {
        self.admin_only("(rule:update_network and rule:update_network:shared)")?;
        if shared {
            self.share(network.id.into(), Access::Shared, &network.tenant);
            return Ok(());
        }
        let stays = RbacRejected::NetworkStaysShared(network.id);
        self.unshare(network.id.into(), Access::Shared).map_err(|_| stays.into())
    }

    /// The segment asked for; a physical network that no network is on yet gets a number.
    fn segment_for(&mut self, new: &NewSegment) -> Result<Segment, Rejected> {
        let Some(known) = self.state.physnet_by_name(&new.physnet).map(|physnet| physnet.key) else {
            let physnet = self.new_physnet(&new.physnet)?;
            return Ok(Segment { physnet, vlan: new.vlan });
        };
        let segment = Segment { physnet: known, vlan: new.vlan };
        match self.state.network_by_segment(segment) {
            None => Ok(segment),
            Some(_) => Err(Rejected::SegmentInUse { physnet: new.physnet.clone(), vlan: new.vlan }),
        }
    }

    fn new_physnet(&mut self, name: &str) -> Result<PhysnetKey, Rejected> {
        let is_used = |n| PhysnetKey::new(n).is_none_or(|key| self.state.physnet(key).is_some());
        let found = Self::next_free(self.state.counters().next_physnet_key, PhysnetKey::MAX.into(), is_used);
        let (number, next) = found.ok_or(Rejected::PhysnetsExhausted)?;
        let key = PhysnetKey::new(number).ok_or(Rejected::PhysnetsExhausted)?;
        self.count(|counters| counters.next_physnet_key = next);
        self.put(Record::PhysicalNetwork(Arc::new(PhysicalNetwork { key, name: name.to_owned() })));
        Ok(key)
    }

    /// The VNI asked for, if no network and no gateway's transit has it.
    fn free_vni(&self, vni: Vni) -> Result<Vni, Rejected> {
        if self.is_vni_used(vni) { Err(Rejected::VniInUse { vni }) } else { Ok(vni) }
    }

    pub(super) fn is_vni_used(&self, vni: Vni) -> bool {
        self.state.network_by_vni(vni).is_some() || self.state.router_of_transit(vni).is_some()
    }

    /// The next VNI that is free.
    pub(super) fn next_vni(&mut self) -> Result<Vni, Rejected> {
        self.next_vni_but(|_| false)
    }

    /// The next VNI that is free and not reserved.
    pub(super) fn next_vni_but(&mut self, is_reserved: impl Fn(Vni) -> bool) -> Result<Vni, Rejected> {
        let is_used = |n| Vni::new(n).is_none_or(|vni| is_reserved(vni) || self.is_vni_used(vni));
        let found = Self::next_free(self.state.counters().next_vni, Vni::MAX.get(), is_used);
        let (number, next) = found.ok_or(Rejected::VnisExhausted)?;
        self.count(|counters| counters.next_vni = next);
        Vni::new(number).ok_or(Rejected::VnisExhausted)
    }

    /// What an inner IP packet may measure so that the underlay carries it whole.
    fn largest_mtu(&self, overhead: u16) -> Mtu {
        Mtu(self.context.settings.underlay_mtu.saturating_sub(overhead).max(MTU_MIN))
    }

    fn checked_mtu(&self, faults: &mut Faults, asked: u32, overhead: u16) -> Mtu {
        let largest = self.largest_mtu(overhead);
        match u16::try_from(asked) {
            Ok(mtu) if (MTU_MIN..=largest.0).contains(&mtu) => Mtu(mtu),
            _ => {
                faults.add("mtu", format_args!("must be between {MTU_MIN} and {}", largest.0));
                largest
            }
        }
    }
}
