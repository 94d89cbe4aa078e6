//! A tenant's side: two networks with a router, and for every path a sender and a receiver on either host.

use std::net::IpAddr;

use anyhow::{Context, Result};
use weft_api::{InterfaceAsked, Network, Port, PortCreate, RouterCreate, SecurityGroupRuleCreate};
use weft_rig::Workload;
use weft_scenarios::{NetworkSpec, Site, Tenancy};

use super::measure::Cell;
use super::{Path, Place};

/// The networks by name, which are how other parts find them again.
const NETWORKS: [(&str, &str); 2] = [("office", "10.77.0.0/24"), ("lab", "10.77.1.0/24")];

/// What a new port is guarded by.
type Guard<'a> = &'a dyn Fn(PortCreate) -> PortCreate;

/// The MTU that the tenant's workloads have.
pub fn mtu(site: &Site) -> Result<u16> {
    let network = site.wait(site.admin.networks().find(NETWORKS[0].0))?.value;
    Ok(u16::try_from(network.mtu)?)
}

/// Every path of Weft's in both places.
pub fn cells(site: &Site) -> Result<Vec<Cell>> {
    let tenant = Tenancy::create(site, "bench")?;
    let [office, lab] = NETWORKS.map(|(name, cidr)| tenant.network(&NetworkSpec::new(name, &[cidr])));
    let (office, lab) = (office?, lab?);
    join(site, &tenant, [&office, &lab])?;
    let group = tenant.group("web")?;
    tenant.allow(&SecurityGroupRuleCreate {
        security_group_id: group.id.clone(),
        direction: "ingress".to_owned(),
        ..SecurityGroupRuleCreate::default()
    })?;
    let open = |new| PortCreate { port_security_enabled: Some(false), ..new };
    let guarded = |new| PortCreate { security_groups: Some(vec![group.id.clone()]), ..new };
    let guards: [(&str, [Path; 2], Guard<'_>); 2] =
        [("o", [Path::Flat, Path::Routed], &open), ("g", [Path::Stateful, Path::RoutedStateful], &guarded)];
    let mut cells = Vec::new();
    for (mark, [flat, routed], guard) in guards {
        let plug = |network: &Network, name: &str, host: usize| {
            let name = format!("{mark}{name}");
            attach(site, host, tenant.port_from(guard(Tenancy::new_port(network, &name)))?)
        };
        let sender = plug(&office, "from", 0)?;
        for (path, network, name) in [(flat, &office, "flat"), (routed, &lab, "routed")] {
            for (place, host) in [(Place::SameHost, 0), (Place::OtherHost, 1)] {
                let receiver = plug(network, &format!("{name}{host}"), host)?;
                let to = receiver.ipv4().context("a port has an address")?;
                cells.push(Cell::open(path, place, sender.netns().clone(), (receiver.netns().clone(), to))?);
            }
        }
    }
    site.wait_applied(site.wait(site.admin.ports().list(&[]))?.revision)?;
    Ok(cells)
}

fn join(site: &Site, tenant: &Tenancy<'_>, networks: [&Network; 2]) -> Result<()> {
    let router = RouterCreate { name: Some("hub".to_owned()), ..RouterCreate::default() };
    let router = site.wait(tenant.client.routers().create(&router))?.value;
    for network in networks {
        let subnets = site.wait(tenant.client.subnets().list(&[("network_id", &network.id)]))?.value;
        for subnet in subnets {
            let leg = InterfaceAsked { subnet_id: Some(subnet.id), ..InterfaceAsked::default() };
            site.wait(tenant.client.routers().add_interface(&router.id, &leg))?;
        }
    }
    Ok(())
}

/// A workload for a port, with its network's gateway.
fn attach(site: &Site, host: usize, port: Port) -> Result<Workload> {
    let mut spec = site.workload_spec(&port.name, &port)?;
    for ip in &port.fixed_ips {
        let subnet = site.wait(site.admin.subnets().show(&ip.subnet_id))?.value;
        let gateway = subnet.gateway_ip.context("the subnet has a gateway")?;
        spec = spec.gateway(gateway.parse::<IpAddr>()?);
    }
    let workload = site.rig.add_workload(&site.hosts[host], spec)?;
    site.wait_active(&port.id)?;
    Ok(workload)
}
