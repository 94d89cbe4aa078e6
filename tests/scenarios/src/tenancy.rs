//! A tenant in a scenario: it asks for networks and ports with its own token, as a user would.

use anyhow::Result;
use weft_api::{
    FixedIpAsked, Network, NetworkCreate, Port, PortCreate, SecurityGroup, SecurityGroupCreate,
    SecurityGroupRule, SecurityGroupRuleCreate, SubnetCreate, TenantCreate, TokenCreate,
};
use weft_client::Client;

use crate::site::Site;

/// A tenant with a token of its own.
pub struct Tenancy<'a> {
    site: &'a Site,
    /// Its id.
    pub id: String,
    /// A client that speaks with its token.
    pub client: Client,
}

/// A network to be made, with its subnets.
#[derive(Debug, Clone, Default)]
pub struct NetworkSpec {
    name: String,
    cidrs: Vec<String>,
    encap: Option<String>,
    vni: Option<u32>,
    dhcp: Option<bool>,
}

impl NetworkSpec {
    /// A network with these subnets.
    pub fn new(name: &str, cidrs: &[&str]) -> NetworkSpec {
        let cidrs = cidrs.iter().map(|cidr| (*cidr).to_owned()).collect();
        NetworkSpec { name: name.to_owned(), cidrs, ..NetworkSpec::default() }
    }

    /// Chooses the encapsulation.
    pub fn encap(mut self, encap: &str) -> NetworkSpec {
        self.encap = Some(encap.to_owned());
        self
    }

    /// Answers no DHCP, so that what clients ask goes to everybody.
    pub fn without_dhcp(mut self) -> NetworkSpec {
        self.dhcp = Some(false);
        self
    }

    /// Chooses the virtual network identifier.
    pub fn vni(mut self, vni: u32) -> NetworkSpec {
        self.vni = Some(vni);
        self
    }
}

impl<'a> Tenancy<'a> {
    /// A new tenant.
    pub fn create(site: &'a Site, name: &str) -> Result<Tenancy<'a>> {
        let new = TenantCreate { name: Some(name.to_owned()), ..TenantCreate::default() };
        let tenant = site.wait(site.admin.tenants().create(&new))?.value;
        let token = site.wait(site.admin.tokens(&tenant.id).create(&TokenCreate::default()))?.value;
        let client = Client::new(site.admin.endpoint(), token.token.as_deref())?;
        Ok(Tenancy { site, id: tenant.id, client })
    }

    /// A network with its subnets. One that chooses its encapsulation or VNI is made by the administrator for the tenant.
    pub fn network(&self, spec: &NetworkSpec) -> Result<Network> {
        let by_admin = spec.encap.is_some() || spec.vni.is_some();
        let client = if by_admin { &self.site.admin } else { &self.client };
        let new = NetworkCreate {
            name: Some(spec.name.clone()),
            project_id: by_admin.then(|| self.id.clone()),
            provider_network_type: spec.encap.clone(),
            provider_segmentation_id: spec.vni,
            ..NetworkCreate::default()
        };
        let network = self.site.wait(client.networks().create(&new))?.value;
        for cidr in &spec.cidrs {
            let subnet = SubnetCreate {
                network_id: network.id.clone(),
                cidr: cidr.clone(),
                enable_dhcp: spec.dhcp,
                ..SubnetCreate::default()
            };
            self.site.wait(self.client.subnets().create(&subnet))?;
        }
        Ok(network)
    }

    /// A port with addresses that the controller chooses.
    pub fn port(&self, network: &Network, name: &str) -> Result<Port> {
        self.port_from(Tenancy::new_port(network, name))
    }

    /// A port with these addresses.
    pub fn port_at(&self, network: &Network, name: &str, addresses: &[&str]) -> Result<Port> {
        self.port_from(PortCreate { fixed_ips: Some(asked(addresses)), ..Tenancy::new_port(network, name) })
    }

    /// A security group without rules but those that let everything out.
    pub fn group(&self, name: &str) -> Result<SecurityGroup> {
        let new = SecurityGroupCreate { name: Some(name.to_owned()), ..SecurityGroupCreate::default() };
        Ok(self.site.wait(self.client.security_groups().create(&new))?.value)
    }

    /// A rule of a group, in force.
    pub fn allow(&self, rule: &SecurityGroupRuleCreate) -> Result<SecurityGroupRule> {
        self.site.apply(self.client.security_rules().create(rule))
    }

    /// A security group that lets everything in and out, packet by packet: for tests about what is below groups.
    pub fn open_group(&self) -> Result<SecurityGroup> {
        let new = SecurityGroupCreate {
            name: Some("open".to_owned()),
            stateful: Some(false),
            ..SecurityGroupCreate::default()
        };
        let group = self.site.wait(self.client.security_groups().create(&new))?.value;
        for family in ["IPv4", "IPv6"] {
            self.allow(&SecurityGroupRuleCreate {
                security_group_id: group.id.clone(),
                direction: "ingress".to_owned(),
                ethertype: Some(family.to_owned()),
                ..SecurityGroupRuleCreate::default()
            })?;
        }
        Ok(group)
    }

    /// What a port is made from, for those who want to add to it.
    pub fn new_port(network: &Network, name: &str) -> PortCreate {
        PortCreate { network_id: network.id.clone(), name: Some(name.to_owned()), ..PortCreate::default() }
    }

    /// A port as asked for.
    pub fn port_from(&self, new: PortCreate) -> Result<Port> {
        Ok(self.site.wait(self.client.ports().create(&new))?.value)
    }
}

/// Exactly these addresses, from whichever subnets they belong to.
pub fn asked(addresses: &[&str]) -> Vec<FixedIpAsked> {
    let one = |address: &&str| FixedIpAsked { ip_address: Some((*address).to_owned()), subnet_id: None };
    addresses.iter().map(one).collect()
}
