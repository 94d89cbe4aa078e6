//! Planning floating IPs: an address of an external network, and the port's address that it stands for.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::draft::{Draft, expect_number, relabel};
use super::limits::Faults;
use super::{AskedIp, AskedTarget, FloatingIpPatch, NewFloatingIp, NewPort, Rejected};
use crate::{
    FLOATING_IP, FixedIp, FloatingIp, FloatingIpId, FloatingTarget, Key, Network, NetworkId, Port, PortId,
    Record, Router, Subnet, TenantId,
};

impl Draft<'_> {
    pub(super) fn create_floating_ip(&mut self, new: &NewFloatingIp) -> Result<Key, Rejected> {
        if self.state.floating_ip(&new.id).is_some() {
            return Err(Rejected::AlreadyExists { what: "floating IP", id: new.id.to_string() });
        }
        let target_owner = new.target.and_then(|target| self.state.port(&target.port));
        let target_owner = target_owner.map(|port| port.tenant.clone());
        let owner = self.owner_of_new(new.tenant.as_ref(), target_owner.as_ref())?;
        let mut faults = Faults::default();
        let stamp = self.stamp(&new.labels);
        faults.check_stamp(&stamp);
        if owner.is_none() {
            faults.add("project_id", "must name the tenant that the floating IP is for");
        }
        faults.settle()?;
        let tenant = owner.expect("a floating IP for nobody was a fault");
        if new.address.is_some() {
            self.admin_only("choosing a floating_ip_address")?;
        }
        let network = self.external_network(new.network)?.ok_or_else(|| {
            Rejected::BadFloatingIp(format!("Network {} is not a valid external network", new.network))
        })?;
        let (port, address) = self.make_floating_port(new, &network)?;
        let (id, network) = (new.id, network.id);
        let mut floating_ip = FloatingIp { id, tenant, stamp, network, port, address, target: None };
        floating_ip.target = self.resolve(&floating_ip, new.target)?;
        Ok(self.put(Record::FloatingIp(Arc::new(floating_ip))))
    }

    pub(super) fn update_floating_ip(
        &mut self,
        id: FloatingIpId,
        patch: &FloatingIpPatch,
    ) -> Result<Key, Rejected> {
        let before = self.floating_ip(id)?;
        expect_number(&before.stamp, patch.if_number)?;
        let mut after = FloatingIp::clone(&before);
        relabel(&mut after.stamp, &patch.labels);
        let mut faults = Faults::default();
        faults.check_stamp(&after.stamp);
        faults.settle()?;
        if let Some(target) = patch.target {
            after.target = self.resolve(&before, target)?;
        }
        if after == *before {
            return Ok(Key::FloatingIp(id));
        }
        self.restamp(&mut after.stamp);
        Ok(self.put(Record::FloatingIp(Arc::new(after))))
    }

    /// Takes its port forwardings along, and gives the address back.
    pub(super) fn delete_floating_ip(
        &mut self,
        id: FloatingIpId,
        number: Option<u64>,
    ) -> Result<Key, Rejected> {
        let floating_ip = self.floating_ip(id)?;
        expect_number(&floating_ip.stamp, number)?;
        let forwardings: Vec<_> =
            self.state.port_forwardings_of(id).map(|forwarding| forwarding.id).collect();
        for forwarding in forwardings {
            self.delete(Key::PortForwarding(forwarding));
        }
        self.delete(Key::Port(floating_ip.port));
        Ok(self.delete(Key::FloatingIp(id)))
    }

    /// A floating IP that the actor sees.
    pub(super) fn floating_ip(&self, id: FloatingIpId) -> Result<Arc<FloatingIp>, Rejected> {
        let found = self.state.floating_ip(&id).filter(|floating_ip| self.sees(&floating_ip.tenant));
        found.cloned().ok_or(Rejected::FloatingIpNotFound(id))
    }

    /// The port that holds the address, and the address.
    fn make_floating_port(
        &mut self,
        new: &NewFloatingIp,
        network: &Network,
    ) -> Result<(PortId, Ipv4Addr), Rejected> {
        let is_v4 = |subnet: &&Arc<Subnet>| subnet.cidr.addr().is_ipv4();
        let mut subnets: Vec<&Arc<Subnet>> = self.state.subnets_of(network.id).filter(is_v4).collect();
        subnets.sort_by_key(|subnet| (subnet.stamp.created, subnet.id));
        if subnets.is_empty() {
            let reason = format!("Network {} does not contain any IPv4 subnet", network.id);
            return Err(Rejected::BadFloatingIp(reason));
        }
        if let Some(asked) = new.subnet.filter(|asked| !subnets.iter().any(|subnet| subnet.id == *asked)) {
            let reason = format!("Subnet {asked} is no IPv4 subnet of network {}", network.id);
            return Err(Rejected::BadFloatingIp(reason));
        }
        let free = |subnet: &&&Arc<Subnet>| {
            let mut pools = subnet.pools.iter();
            pools.any(|pool| self.state.used().lowest_free(subnet.id, *pool).is_some())
        };
        let named = new.subnet.or(new.address.and_then(|address| {
            subnets.iter().find(|subnet| subnet.cidr.contains(&IpAddr::V4(address))).map(|subnet| subnet.id)
        }));
        let subnet = named.or_else(|| subnets.iter().find(free).map(|subnet| subnet.id));
        let subnet = match (subnet, new.address) {
            (Some(subnet), _) => Some(subnet),
            (None, Some(_)) => None,
            (None, None) => return Err(Rejected::ExternalAddressesExhausted { network: network.id }),
        };
        let asked = AskedIp { subnet, address: new.address.map(IpAddr::V4) };
        let port = NewPort {
            fixed_ips: Some(vec![asked]),
            device_id: new.id.to_string(),
            device_owner: FLOATING_IP.to_owned(),
            ..NewPort::new(new.port, network.id, new.mac_seed)
        };
        let port = self.make_external_port(network, port)?;
        let address = port.fixed_ips.iter().find_map(v4_of);
        Ok((port.id, address.expect("an address of an IPv4 subnet was asked for")))
    }

    /// What a floating IP comes to stand for.
    fn resolve(
        &self,
        floating_ip: &FloatingIp,
        asked: Option<AskedTarget>,
    ) -> Result<Option<FloatingTarget>, Rejected> {
        let Some(asked) = asked else { return Ok(None) };
        if self.state.port_forwardings_of(floating_ip.id).next().is_some() {
            return Err(Rejected::FloatingIpForwards(floating_ip.id));
        }
        let target = self.find_target(&floating_ip.tenant, floating_ip.network, asked)?;
        let others = self.state.floating_ips_of_port(target.port);
        for other in others.filter(|other| other.id != floating_ip.id && other.network == floating_ip.network)
        {
            if other.target.is_some_and(|theirs| theirs.address == target.address) {
                return Err(Rejected::FloatingIpPortAssociated {
                    floating_ip: floating_ip.id,
                    port: target.port,
                    address: target.address,
                    network: floating_ip.network,
                });
            }
        }
        Ok(Some(target))
    }

    /// A port's address, and the router that leads from an external network to it.
    pub(super) fn find_target(
        &self,
        tenant: &TenantId,
        external: NetworkId,
        asked: AskedTarget,
    ) -> Result<FloatingTarget, Rejected> {
        let port = self.port(asked.port)?;
        if port.tenant != *tenant {
            let reason = format!("Port {} belongs to another tenant than the floating IP", port.id);
            return Err(Rejected::BadFloatingIp(reason));
        }
        if port.is_virtual() {
            let reason = format!("Port {} is no workload's, so a floating IP cannot lead to it", port.id);
            return Err(Rejected::BadFloatingIp(reason));
        }
        let ip = target_address(&port, asked.address)?;
        let address = v4_of(&ip).expect("it was chosen among IPv4 addresses");
        let router = self.router_between(external, &ip).ok_or(Rejected::ExternalGatewayNotFound {
            network: external,
            subnet: ip.subnet,
            port: port.id,
        })?;
        Ok(FloatingTarget { port: port.id, address, router: router.id })
    }

    /// The router with an interface in an address's subnet and a gateway on an external network: of several the one whose
    /// interface is the subnet's gateway, where the workload's answers go.
    fn router_between(&self, external: NetworkId, ip: &FixedIp) -> Option<&Arc<Router>> {
        let subnet = self.state.subnet(&ip.subnet)?;
        let joined = self.state.interfaces_in(subnet.network).filter_map(|interface| {
            let own = interface.fixed_ips.iter().find(|own| own.subnet == subnet.id)?;
            let router = self.state.router(&interface.router()?)?;
            let leads = router.gateway.as_ref().is_some_and(|gateway| gateway.network == external);
            leads.then_some((Some(own.address) != subnet.gateway, router))
        });
        joined
            .min_by_key(|(is_second_choice, router)| (*is_second_choice, router.id))
            .map(|(_, router)| router)
    }
}

/// When what they lead to changes.
impl Draft<'_> {
    /// Takes floating IPs and port forwardings from the addresses that a port has no more.
    pub(super) fn strand(&mut self, before: &Port, after: Option<&Port>) {
        let is_gone = |address: Ipv4Addr| {
            let has = |port: &Port| port.fixed_ips.iter().any(|ip| ip.address == address);
            !after.is_some_and(has)
        };
        let forwardings = self.state.port_forwardings_of_port(before.id);
        let forwardings: Vec<_> =
            forwardings.filter(|forwarding| is_gone(forwarding.address)).map(|f| f.id).collect();
        for forwarding in forwardings {
            self.delete(Key::PortForwarding(forwarding));
        }
        let leads = |floating_ip: &&Arc<FloatingIp>| {
            floating_ip.target.is_some_and(|target| target.port == before.id && is_gone(target.address))
        };
        let stranded: Vec<_> = self.state.floating_ips_of_port(before.id).filter(leads).cloned().collect();
        for floating_ip in stranded {
            let mut after = FloatingIp { target: None, ..FloatingIp::clone(&floating_ip) };
            self.restamp(&mut after.stamp);
            self.put(Record::FloatingIp(Arc::new(after)));
        }
    }

    /// Refuses to take an interface from a router that floating IPs reach their ports by.
    pub(super) fn check_interface_unused(&self, router: &Router, interface: &Port) -> Result<(), Rejected> {
        for ip in &interface.fixed_ips {
            let Some(subnet) = self.state.subnet(&ip.subnet) else { continue };
            let inside = |port: PortId, address: Ipv4Addr| {
                let is_it = |own: &FixedIp| own.subnet == subnet.id && own.address == address;
                self.state.port(&port).is_some_and(|port| port.fixed_ips.iter().any(is_it))
            };
            let mut targets =
                self.state.floating_ips_of_router(router.id).filter_map(|floating_ip| floating_ip.target);
            let mut forwardings = self.state.port_forwardings_of_router(router.id);
            if targets.any(|target| target.router == router.id && inside(target.port, target.address))
                || forwardings.any(|forwarding| inside(forwarding.port, forwarding.address))
            {
                return Err(Rejected::InterfaceInUseByFloatingIp { router: router.id, subnet: subnet.id });
            }
        }
        Ok(())
    }
}

fn v4_of(ip: &FixedIp) -> Option<Ipv4Addr> {
    match ip.address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// The address asked for, or the only IPv4 address of the port.
fn target_address(port: &Port, asked: Option<Ipv4Addr>) -> Result<FixedIp, Rejected> {
    let own: Vec<&FixedIp> = port.fixed_ips.iter().filter(|ip| ip.address.is_ipv4()).collect();
    let reason = match (asked, own.as_slice()) {
        (Some(asked), _) => match own.iter().find(|ip| ip.address == asked) {
            Some(ip) => return Ok(**ip),
            None => format!("Port {} does not have fixed ip {asked}", port.id),
        },
        (None, []) => format!("Port {} has no fixed IPv4 address for a floating IP", port.id),
        (None, [only]) => return Ok(**only),
        (None, _) => {
            format!("Port {} has several fixed IPv4 addresses, so fixed_ip_address is needed", port.id)
        }
    };
    Err(Rejected::BadFloatingIp(reason))
}
