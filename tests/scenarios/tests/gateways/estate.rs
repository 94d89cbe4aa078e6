//! What the scenario builds: an external network, and tenants' networks behind routers that lead there.

use std::net::IpAddr;

use weft_api::{
    FloatingIp, FloatingIpCreate, FloatingIpUpdate, GatewayAsked, InterfaceAsked, Network, NetworkCreate,
    Port, PortCreate, Router, RouterCreate, RouterUpdate, SubnetCreate,
};
use weft_rig::Workload;
use weft_scenarios::{NetworkSpec, Site, Tenancy, asked};

/// A tenant's network behind a router with a gateway.
pub struct Estate<'a> {
    pub site: &'a Site,
    pub tenancy: Tenancy<'a>,
    pub network: Network,
    pub router: Router,
    pub public: &'a Network,
}

/// An external network of both families, in VLAN 100.
pub fn public(site: &Site) -> Network {
    let operator = Tenancy::create(site, "operator").unwrap();
    let new = NetworkCreate {
        project_id: Some(operator.id.clone()),
        name: Some("public".to_owned()),
        provider_network_type: Some("vlan".to_owned()),
        provider_physical_network: Some("blue".to_owned()),
        provider_segmentation_id: Some(100),
        router_external: Some(true),
        ..NetworkCreate::default()
    };
    let network = site.wait(site.admin.networks().create(&new)).unwrap().value;
    for cidr in ["203.0.113.0/24", "2001:db8::/64"] {
        let new = SubnetCreate {
            network_id: network.id.clone(),
            cidr: cidr.to_owned(),
            enable_dhcp: Some(false),
            ..SubnetCreate::default()
        };
        site.wait(site.admin.subnets().create(&new)).unwrap();
    }
    network
}

impl<'a> Estate<'a> {
    pub fn build(site: &'a Site, public: &'a Network, name: &str, encap: &str) -> Estate<'a> {
        let tenancy = Tenancy::create(site, name).unwrap();
        let spec = NetworkSpec::new(name, &["10.0.0.0/24", "fd00::/64"]).encap(encap);
        let network = tenancy.network(&spec).unwrap();
        let new = RouterCreate { name: Some(name.to_owned()), ..RouterCreate::default() };
        let router = site.wait(tenancy.client.routers().create(&new)).unwrap().value;
        let of_it = [("network_id", network.id.as_str())];
        for subnet in site.wait(tenancy.client.subnets().list(&of_it)).unwrap().value {
            let asked = InterfaceAsked { subnet_id: Some(subnet.id), port_id: None };
            site.wait(tenancy.client.routers().add_interface(&router.id, &asked)).unwrap();
        }
        let estate = Estate { site, tenancy, network, router, public };
        estate.lead(None);
        estate
    }

    /// Gives the router its gateway, or changes it.
    pub fn lead(&self, snat: Option<bool>) {
        // Only the operator says that nothing is translated.
        let client = if snat.is_some() { &self.site.admin } else { &self.tenancy.client };
        let gateway = GatewayAsked {
            network_id: Some(self.public.id.clone()),
            enable_snat: snat,
            ..GatewayAsked::default()
        };
        let update = RouterUpdate { external_gateway_info: Some(Some(gateway)), ..RouterUpdate::default() };
        self.site.apply(client.routers().update(&self.router.id, &update)).unwrap();
    }

    pub fn workload(&self, name: &str, number: u8, host: usize) -> (Port, Workload) {
        let addresses = [format!("10.0.0.{number}"), format!("fd00::{number}")];
        let port = self.tenancy.port_from(PortCreate {
            fixed_ips: Some(asked(&[&addresses[0], &addresses[1]])),
            security_groups: Some(vec![self.tenancy.open_group().unwrap().id]),
            ..Tenancy::new_port(&self.network, name)
        });
        let port = port.unwrap();
        let mut spec = self.site.workload_spec(name, &port).unwrap();
        for gateway in ["10.0.0.1", "fd00::1"] {
            spec = spec.gateway(gateway.parse::<IpAddr>().unwrap());
        }
        let workload = self.site.rig.add_workload(&self.site.hosts[host], spec).unwrap();
        self.site.wait_active(&port.id).unwrap();
        (port, workload)
    }

    pub fn floating_ip(&self, port: Option<&Port>) -> FloatingIp {
        let new = FloatingIpCreate {
            floating_network_id: self.public.id.clone(),
            port_id: port.map(|port| port.id.clone()),
            ..FloatingIpCreate::default()
        };
        self.site.apply(self.tenancy.client.floating_ips().create(&new)).unwrap()
    }

    pub fn point(&self, floating_ip: &FloatingIp, port: Option<&Port>) {
        let update = FloatingIpUpdate {
            port_id: Some(port.map(|port| port.id.clone())),
            ..FloatingIpUpdate::default()
        };
        self.site.apply(self.tenancy.client.floating_ips().update(&floating_ip.id, &update)).unwrap();
    }

    /// The address and MAC of the router's gateway, or of its interface, of a family.
    pub fn face(&self, owner: &str, family: Family) -> Face {
        let owner = format!("network:router_{owner}");
        let of_it = [("device_id", self.router.id.as_str()), ("device_owner", owner.as_str())];
        let ports = self.site.wait(self.site.admin.ports().list(&of_it)).unwrap().value;
        let is_of = |address: &str| address.contains(':') == (family == Family::V6);
        let found = ports.iter().find_map(|port| {
            let ip = port.fixed_ips.iter().find(|ip| is_of(&ip.ip_address))?;
            Some(Face { address: ip.ip_address.clone(), mac: port.mac_address.clone() })
        });
        found.unwrap_or_else(|| panic!("no {owner} of {family:?}: {ports:?}"))
    }

    /// The VNI in which packets travel to the gateway: what its host classifies besides networks.
    pub fn transit(&self, host: usize) -> u32 {
        let gateways = "table=0,cookie=0x8000000000000000/0xf000000000000000";
        let flows = self.site.hosts[host].ofctl(&["dump-flows", "br-int", gateways]).unwrap();
        let (_, rest) = flows.split_once("tun_id=0x").unwrap_or_else(|| panic!("no transit in {flows}"));
        let digits: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
        u32::from_str_radix(&digits, 16).unwrap()
    }

    pub fn mac_of(&self, floating_ip: &FloatingIp) -> String {
        let of_it = [("device_id", floating_ip.id.as_str())];
        self.site.wait(self.site.admin.ports().list(&of_it)).unwrap().value[0].mac_address.clone()
    }
}

/// The two families of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

/// An address and who has it.
#[derive(Debug, Clone)]
pub struct Face {
    pub address: String,
    pub mac: String,
}
