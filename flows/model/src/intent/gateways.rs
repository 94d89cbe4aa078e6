//! Planning external networks and the gateways of routers on them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::draft::{Draft, forbidden};
use super::limits::Faults;
use super::{AskedIp, NewGateway, NewPort, PortGroups, Rejected};
use crate::{
    Encap, Gateway, GatewayZone, Key, Network, NetworkId, Port, PortSecurity, ROUTER_GATEWAY, Record, Router,
    RouterId, Subnet, SubnetId,
};

/// External networks.
impl Draft<'_> {
    /// A network that leads outside for the actor; none when it does not.
    pub(super) fn external_network(&self, id: NetworkId) -> Result<Option<Arc<Network>>, Rejected> {
        let network = self.seen_network(id)?;
        Ok(Some(network).filter(|network| self.leads_outside(network)))
    }

    /// Refuses to take an external network from those who have gateways or floating IPs on it, and to give out one that
    /// routers join.
    pub(super) fn check_external(&self, before: &Network, after: &Network) -> Result<(), Rejected> {
        if before.external == after.external {
            return Ok(());
        }
        self.admin_only("making a network external or not")?;
        let is_used = self.state.gateways_on(before.id).next().is_some()
            || self.state.floating_ips_on(before.id).next().is_some();
        if before.external && is_used {
            return Err(Rejected::ExternalNetworkInUse(before.id));
        }
        let mut faults = Faults::default();
        if after.external && self.state.is_routed(before.id) {
            faults.add("router:external", "cannot be true while routers have interfaces in the network");
        }
        faults.settle()
    }

    /// Only the operator adds to an external network; tenants have gateways and floating IPs there.
    pub(super) fn check_may_extend(&self, network: &Network, what: &str) -> Result<(), Rejected> {
        if network.external && !self.is_admin() { Err(forbidden(what)) } else { Ok(()) }
    }

    /// A port of the network itself: the external network's owner has it, whoever asked for what it is for.
    pub(super) fn make_external_port(
        &mut self,
        network: &Network,
        mut new: NewPort,
    ) -> Result<Arc<Port>, Rejected> {
        new.tenant = None;
        new.security = Some(PortSecurity::Enforced);
        new.groups = PortGroups::Unfiltered;
        let id = new.id;
        let made = self.place_port(&new, network, network.tenant.clone());
        made.map_err(|rejected| match rejected {
            Rejected::IpAddressGenerationFailure { network } => {
                Rejected::ExternalAddressesExhausted { network }
            }
            other => other,
        })?;
        Ok(self.state.port(&id).cloned().expect("it was just made"))
    }
}

/// Gateways.
impl Draft<'_> {
    /// Gives a router the gateway that is wanted, changes it or takes it away. The router itself is written by the caller.
    pub(super) fn regate(
        &mut self,
        router: &mut Router,
        wanted: Option<&NewGateway>,
    ) -> Result<(), Rejected> {
        let kept = router.gateway.take_if(|gateway| wanted.is_some_and(|new| new.network == gateway.network));
        if let Some(old) = router.gateway.take() {
            self.check_gateway_unused(router.id, old.network)?;
            self.delete(Key::Port(old.port));
        }
        let Some(new) = wanted else { return Ok(()) };
        let network = self.external_network(new.network)?.ok_or_else(|| {
            Rejected::BadInterface(format!("Network {} is not an external network", new.network))
        })?;
        self.check_segment(&network)?;
        self.check_gateway_caller(new, kept.as_ref())?;
        let port = match &kept {
            Some(gateway) => self.readdress_gateway(gateway, new)?,
            None => self.make_gateway_port(router, &network, new)?,
        };
        self.check_outside(router, &port)?;
        let snat = new.snat.unwrap_or(true);
        router.gateway = Some(match kept {
            Some(gateway) => Gateway { snat, ..gateway },
            None => Gateway {
                network: network.id,
                port: port.id,
                snat,
                transit: self.next_vni()?,
                encap: Encap::Vxlan,
                zone: self.next_gateway_zone()?,
                hosts: Vec::new(),
            },
        });
        self.suit_encap(router);
        self.fill_hosts(router, &network);
        Ok(())
    }

    /// Takes a router's gateway away with the router.
    pub(super) fn drop_gateway(&mut self, router: &Router) -> Result<(), Rejected> {
        let Some(gateway) = &router.gateway else { return Ok(()) };
        self.check_gateway_unused(router.id, gateway.network)?;
        self.delete(Key::Port(gateway.port));
        Ok(())
    }

    fn check_gateway_unused(&self, router: RouterId, network: NetworkId) -> Result<(), Rejected> {
        match self.state.floating_ips_of_router(router).next() {
            Some(_) => Err(Rejected::GatewayInUseByFloatingIp { router, network }),
            None => Ok(()),
        }
    }

    /// Traffic leaves by the operator's layer 2 and by nothing else.
    fn check_segment(&self, network: &Network) -> Result<(), Rejected> {
        if network.segment.is_some() {
            return Ok(());
        }
        let id = network.id;
        let reason = format!("External network {id} is on no physical network, so nothing leaves by it");
        Err(Rejected::BadInterface(reason))
    }

    /// Addresses of the operator's network, and whether tenants' own addresses are seen there, are the operator's to say.
    fn check_gateway_caller(&self, new: &NewGateway, kept: Option<&Gateway>) -> Result<(), Rejected> {
        if new.snat == Some(false) && kept.is_none_or(|gateway| gateway.snat) {
            self.admin_only("turning enable_snat off")?;
        }
        if new.fixed_ips.is_some() {
            self.admin_only("choosing external_fixed_ips")?;
        }
        Ok(())
    }

    fn make_gateway_port(
        &mut self,
        router: &Router,
        network: &Network,
        new: &NewGateway,
    ) -> Result<Arc<Port>, Rejected> {
        if self.state.subnets_of(network.id).next().is_none() {
            let reason = format!("External network {} has no subnet to take an address from", network.id);
            return Err(Rejected::BadInterface(reason));
        }
        self.check_named(new.fixed_ips.as_deref())?;
        let port = NewPort {
            fixed_ips: new.fixed_ips.clone(),
            device_id: router.id.to_string(),
            device_owner: ROUTER_GATEWAY.to_owned(),
            ..NewPort::new(new.port, network.id, new.mac_seed)
        };
        self.make_external_port(network, port)
    }

    /// The gateway's port with the addresses asked for, if any are.
    fn readdress_gateway(&mut self, gateway: &Gateway, new: &NewGateway) -> Result<Arc<Port>, Rejected> {
        let before = self.state.port(&gateway.port).cloned().ok_or(Rejected::PortNotFound(gateway.port))?;
        let Some(asked) = &new.fixed_ips else { return Ok(before) };
        self.check_named(Some(asked))?;
        let mut faults = Faults::default();
        self.check_asked(&mut faults, &before, asked)?;
        faults.settle()?;
        let fixed_ips = self.addresses_asked(&before, asked)?;
        if fixed_ips == before.fixed_ips {
            return Ok(before);
        }
        let mut after = Port { fixed_ips, ..Port::clone(&before) };
        self.restamp(&mut after.stamp);
        let after = Arc::new(after);
        self.put(Record::Port(after.clone()));
        Ok(after)
    }

    fn check_named(&self, asked: Option<&[AskedIp]>) -> Result<(), Rejected> {
        let mut faults = Faults::default();
        if asked.is_some_and(<[AskedIp]>::is_empty) {
            faults.add("external_gateway_info.external_fixed_ips", "must name an address or a subnet");
        }
        faults.settle()
    }

    /// Refuses a gateway with an address that the router could not tell from one of its tenant's networks.
    fn check_outside(&self, router: &Router, port: &Port) -> Result<(), Rejected> {
        let inside: Vec<Arc<Subnet>> = self
            .state
            .interfaces_of(router.id)
            .flat_map(|interface| self.subnets_of_port(interface))
            .collect();
        for outside in self.subnets_of_port(port) {
            if let Some(other) = inside.iter().find(|other| overlap(other, &outside)) {
                return Err(overlapping(&outside, other));
            }
        }
        Ok(())
    }

    /// The subnets that a router's gateway has addresses of.
    pub(super) fn outer_subnets(&self, router: &Router) -> Vec<Arc<Subnet>> {
        let port = router.gateway.as_ref().and_then(|gateway| self.state.port(&gateway.port));
        port.map(|port| self.subnets_of_port(port)).unwrap_or_default()
    }

    fn subnets_of_port(&self, port: &Port) -> Vec<Arc<Subnet>> {
        let ids: BTreeSet<SubnetId> = port.fixed_ips.iter().map(|ip| ip.subnet).collect();
        ids.iter().filter_map(|id| self.state.subnet(id).cloned()).collect()
    }

    /// Keeps the transit in an encapsulation that the router's hosts have tunnels of.
    pub(super) fn suit_encap(&self, router: &mut Router) {
        let Some(gateway) = &mut router.gateway else { return };
        let networks =
            self.state.interfaces_of(router.id).filter_map(|port| self.state.network(&port.network));
        let encaps: Vec<Encap> = networks.filter_map(|network| network.tunnel()).collect();
        if !encaps.contains(&gateway.encap) {
            gateway.encap = encaps.first().copied().unwrap_or(Encap::Vxlan);
        }
    }

    fn next_gateway_zone(&mut self) -> Result<GatewayZone, Rejected> {
        let is_used = |n| GatewayZone::new(n).is_none_or(|zone| self.state.router_of_zone(zone).is_some());
        let found =
            Self::next_free(self.state.counters().next_gateway_zone, GatewayZone::MAX.into(), is_used);
        let (number, next) = found.ok_or(Rejected::GatewayZonesExhausted)?;
        self.count(|counters| counters.next_gateway_zone = next);
        GatewayZone::new(number).ok_or(Rejected::GatewayZonesExhausted)
    }
}

pub(super) fn overlap(one: &Subnet, other: &Subnet) -> bool {
    one.cidr.contains(&other.cidr) || other.cidr.contains(&one.cidr)
}

pub(super) fn overlapping(one: &Subnet, other: &Subnet) -> Rejected {
    let (cidr, id, with) = (one.cidr, one.id, other.cidr);
    Rejected::BadInterface(format!(
        "Cidr {cidr} of subnet {id} overlaps with cidr {with} of subnet {}",
        other.id
    ))
}
