//! A system of real hosts around the measured change, with ports that exist already and are bound.

use anyhow::Result;
use weft_api::{NetworkCreate, PortCreate, SubnetCreate, TenantCreate};
use weft_scenarios::{Datapaths, Site, SiteSpec};

/// How many ports share a network.
const PORTS_PER_NETWORK: usize = 50;
/// How many ports one request makes, and one `ovs-vsctl` plugs.
const AT_ONCE: usize = 500;

/// Hosts with dummy datapaths that have joined.
pub fn site(hosts: usize) -> Result<Site> {
    let spec = SiteSpec { datapaths: Datapaths::Dummy, ..SiteSpec::hosts(hosts) };
    let site = Site::build("bench", spec.options(&["--audit-interval", "3600", "--log", "warn"]))?;
    let tenant =
        TenantCreate { id: Some("bench".into()), name: Some("bench".into()), ..TenantCreate::default() };
    site.wait(site.admin.tenants().create(&tenant))?;
    Ok(site)
}

/// Makes and plugs ports until there are `to`.
pub fn grow(site: &mut Site, from: usize, to: usize) -> Result<()> {
    let mut waiting: Vec<Vec<String>> = vec![Vec::new(); site.hosts.len()];
    let mut made = from;
    while made < to {
        let count = PORTS_PER_NETWORK.min(to - made);
        let network = network(site, &format!("filler-{made}"))?;
        let new = PortCreate { network_id: network, ..PortCreate::default() };
        let ports = site.wait(site.admin.ports().create_many(&vec![new; count]))?.value;
        for (n, port) in ports.into_iter().enumerate() {
            waiting[(made + n) % site.hosts.len()].push(port.id);
        }
        made += count;
    }
    for (host, ports) in site.hosts.iter().zip(&waiting) {
        for batch in ports.chunks(AT_ONCE) {
            let words: Vec<String> = batch.iter().flat_map(|port| plug(port)).skip(1).collect();
            host.vsctl(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
    }
    for port in waiting.iter().filter_map(|ports| ports.last()) {
        site.wait_active(port)?;
    }
    Ok(())
}

/// A network of the bench tenant with a subnet.
pub fn network(site: &Site, name: &str) -> Result<String> {
    let network = NetworkCreate {
        name: Some(name.into()),
        project_id: Some("bench".into()),
        ..NetworkCreate::default()
    };
    let network = site.wait(site.admin.networks().create(&network))?.value.id;
    let subnet =
        SubnetCreate { network_id: network.clone(), cidr: "10.0.0.0/16".into(), ..SubnetCreate::default() };
    site.wait(site.admin.subnets().create(&subnet))?;
    Ok(network)
}

fn plug(port: &str) -> Vec<String> {
    let name = format!("d{}", &port[..12].replace('-', ""));
    let iface_id = format!("external_ids:iface-id={port}");
    ["--", "add-port", "br-int", &name, "--", "set", "Interface", &name, "type=dummy", &iface_id]
        .map(str::to_owned)
        .into()
}
