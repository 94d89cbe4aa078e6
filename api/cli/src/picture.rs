//! The whole picture at a glance, drawn as text of at most 80 columns: hosts with their tunnels, then every tenant's
//! networks with their subnets and ports, and its routers with their interfaces.

use std::fmt::Write;

use weft_api::{Host, Network, Port, Router, Subnet, Tenant, Tunnel, Whoami};

use crate::network::segment;
use crate::output::clean;

/// What there is to draw.
#[derive(Debug, Default)]
pub struct Picture {
    /// Where the controller is.
    pub endpoint: String,
    /// The revision of what was fetched.
    pub revision: u64,
    /// Who is looking.
    pub who: Whoami,
    /// The hosts; none for tenants.
    pub hosts: Vec<Host>,
    /// The tenants.
    pub tenants: Vec<Tenant>,
    /// All networks.
    pub networks: Vec<Network>,
    /// All routers.
    pub routers: Vec<Router>,
    /// All subnets.
    pub subnets: Vec<Subnet>,
    /// All ports.
    pub ports: Vec<Port>,
}

/// What a port is for that is a router's interface.
const INTERFACE: &str = "network:router_interface";

/// How much of long lists is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The first few of each list.
    Glance,
    /// Everything.
    All,
}

impl Detail {
    fn limit(self) -> usize {
        match self {
            Detail::Glance => 16,
            Detail::All => usize::MAX,
        }
    }
}

/// Draws the picture.
pub fn draw(picture: &Picture, detail: Detail) -> String {
    let mut text = String::new();
    let who = match (&picture.who.tenant_name, &picture.who.tenant_id) {
        (Some(name), _) if !name.is_empty() => format!("{} of tenant {}", picture.who.role, clean(name)),
        (_, Some(id)) => format!("{} of tenant {id}", picture.who.role),
        _ => picture.who.role.clone(),
    };
    line(&mut text, &format!("Weft at {}, revision {}, seen as {who}", picture.endpoint, picture.revision));
    if picture.who.role == "admin" {
        draw_hosts(&mut text, picture, detail);
    }
    for tenant in &picture.tenants {
        draw_tenant(&mut text, picture, tenant, detail);
    }
    text
}

fn draw_hosts(text: &mut String, picture: &Picture, detail: Detail) {
    let up = picture.hosts.iter().filter(|host| host.status == "UP").count();
    line(text, &format!("\nHosts: {up} of {} up", picture.hosts.len()));
    for host in limited(text, &picture.hosts, detail, "hosts (weft host list)") {
        draw_host(text, host, picture.revision, detail);
    }
}

fn draw_host(text: &mut String, host: &Host, revision: u64, detail: Detail) {
    let facts = format!("{} ports, {} flows", host.ports, host.flows);
    let addresses = host.encap_ips.join(",");
    line(text, &format!("  {} {} {} {facts}", fit(&host.id, 18), fit(&host.status, 8), fit(&addresses, 15)));
    let missing: Vec<&str> = [("OVSDB", host.ovsdb_connected), ("OpenFlow", host.openflow_connected)]
        .iter()
        .filter_map(|(session, is_there)| (!is_there).then_some(*session))
        .collect();
    if !missing.is_empty() {
        line(text, &format!("    ! no {} session", missing.join(" and no ")));
    }
    if host.confirmed_revision < revision {
        line(text, &format!("    ! has confirmed nothing after revision {}", host.confirmed_revision));
    }
    for problem in &host.problems {
        line(text, &format!("    ! {}", clean(problem)));
    }
    for tunnel in limited(text, &host.tunnels, detail, "tunnels") {
        draw_tunnel(text, tunnel);
    }
}

fn draw_tunnel(text: &mut String, tunnel: &Tunnel) {
    let state = match (&tunnel.error, tunnel.ofport) {
        (Some(error), _) if !error.is_empty() => format!("! {}", clean(error)),
        (_, Some(port)) if port > 0 => format!("ofport {port}"),
        _ => "not there yet".to_owned(),
    };
    let peer = format!("{} ({})", clean(&tunnel.peer), tunnel.remote_ip);
    line(text, &format!("    {} to {} {state}", fit(&tunnel.encap, 6), fit(&peer, 36)));
}

fn draw_tenant(text: &mut String, picture: &Picture, tenant: &Tenant, detail: Detail) {
    let state = if tenant.enabled { "" } else { ", disabled" };
    line(text, &format!("\nTenant {}{state}", entitled(&tenant.name, &tenant.id)));
    let networks: Vec<&Network> = picture.networks.iter().filter(|n| n.project_id == tenant.id).collect();
    if networks.is_empty() {
        line(text, "  no networks");
    }
    for network in limited(text, &networks, detail, "networks (weft network list)") {
        draw_network(text, picture, network, detail);
    }
    let routers: Vec<&Router> = picture.routers.iter().filter(|r| r.project_id == tenant.id).collect();
    for router in limited(text, &routers, detail, "routers (weft router list)") {
        draw_router(text, picture, router, detail);
    }
}

fn draw_router(text: &mut String, picture: &Picture, router: &Router, detail: Detail) {
    let mut facts = match router.routes.len() {
        0 => "no static routes".to_owned(),
        1 => "1 static route".to_owned(),
        count => format!("{count} static routes"),
    };
    if !router.admin_state_up {
        facts.push_str(", disabled");
    }
    line(text, &format!("  Router {}: {facts}", entitled(&router.name, &router.id)));
    let is_its = |port: &&Port| port.device_id == router.id && port.device_owner == INTERFACE;
    let interfaces: Vec<&Port> = picture.ports.iter().filter(is_its).collect();
    for interface in limited(text, &interfaces, detail, "interfaces (weft port list)") {
        let network = picture.networks.iter().find(|network| network.id == interface.network_id);
        let network = network.map_or(interface.network_id.as_str(), |network| match network.name.as_str() {
            "" => network.id.as_str(),
            name => name,
        });
        for ip in &interface.fixed_ips {
            line(text, &format!("    {} in {}", fit(&ip.ip_address, 24), fit(network, 24)));
        }
    }
}

fn draw_network(text: &mut String, picture: &Picture, network: &Network, detail: Detail) {
    let mut facts = format!("mtu {}", network.mtu);
    if let Some(kind) = &network.provider_network_type {
        let _ = write!(facts, ", {kind} {}", segment(network));
    }
    if !network.admin_state_up {
        facts.push_str(", disabled");
    }
    line(text, &format!("  Network {}: {facts}", entitled(&network.name, &network.id)));
    for subnet in picture.subnets.iter().filter(|subnet| subnet.network_id == network.id) {
        let gateway = match &subnet.gateway_ip {
            Some(gateway) => format!("gateway {gateway}"),
            None => "no gateway".to_owned(),
        };
        line(text, &format!("    {} {gateway}", fit(&subnet.cidr, 24)));
    }
    let ports: Vec<&Port> = picture.ports.iter().filter(|port| port.network_id == network.id).collect();
    for port in limited(text, &ports, detail, "ports (weft port list)") {
        draw_port(text, port);
    }
}

fn draw_port(text: &mut String, port: &Port) {
    let name = if port.name.is_empty() { &port.id[..port.id.len().min(8)] } else { &port.name };
    let host = match port.binding_host_id.as_deref() {
        Some(host) if !host.is_empty() => format!(" on {}", clean(host)),
        _ => String::new(),
    };
    let status = if port.admin_state_up { port.status.clone() } else { format!("{}, disabled", port.status) };
    let mut addresses = port.fixed_ips.iter().map(|ip| ip.ip_address.as_str());
    let first = addresses.next().unwrap_or("no address");
    line(
        text,
        &format!("    {} {} {} {status}{host}", fit(name, 14), fit(&port.mac_address, 17), fit(first, 15)),
    );
    for address in addresses {
        line(text, &format!("    {:14} {:17} {address}", "", ""));
    }
}

/// The first of a list; says how many more there are.
fn limited<'a, T>(text: &mut String, items: &'a [T], detail: Detail, what: &str) -> &'a [T] {
    let limit = detail.limit();
    if items.len() > limit {
        line(text, &format!("    the first {limit} of {} {what}; --all shows all:", items.len()));
    }
    &items[..items.len().min(limit)]
}

fn entitled(name: &str, id: &str) -> String {
    if name.is_empty() { id.to_owned() } else { format!("{} ({id})", fit(name, 30).trim_end()) }
}

/// At least that wide, padded, and cut only where it would break an 80 column line badly: at twice that width.
fn fit(text: &str, width: usize) -> String {
    let text = clean(text);
    let count = text.chars().count();
    if count <= width * 2 {
        return format!("{text:width$}");
    }
    let mut cut: String = text.chars().take(width * 2 - 1).collect();
    cut.push('…');
    cut
}

fn line(text: &mut String, content: &str) {
    text.push_str(content.trim_end());
    text.push('\n');
}

#[cfg(test)]
mod tests;
