//! Gateways, floating IPs and port forwardings in the language of test cases.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context, Result};
use weft_model::{
    Encap, FLOATING_IP, FloatingIp, FloatingIpId, FloatingTarget, Gateway, GatewayZone, HostIndex, NetworkId,
    PortForwarding, PortForwardingId, PortId, PortRange, ROUTER_GATEWAY, ROUTER_INTERFACE, Record, RouterId,
    Stamp, Transport, Vni,
};

use super::{Line, id};

/// The record of a line about floating IPs; `None` for any other.
pub(super) fn record(line: &Line<'_>) -> Result<Option<Record>> {
    Ok(match line.kind {
        "floating" => Some(Record::FloatingIp(Arc::new(floating(line)?))),
        "forward" => Some(Record::PortForwarding(Arc::new(forwarding(line)?))),
        _ => None,
    })
}

/// Who uses a port: an interface or gateway of a router, a floating IP, or nobody.
pub(super) fn device(line: &Line<'_>) -> (String, String) {
    let users = [
        ("router", "router", ROUTER_INTERFACE),
        ("gateway", "router", ROUTER_GATEWAY),
        ("floating", "floating", FLOATING_IP),
    ];
    let user = users.iter().find_map(|(word, kind, owner)| Some((owner, id(kind, line.values.get(word)?))));
    user.map(|(owner, id)| ((*owner).to_owned(), id.to_string())).unwrap_or_default()
}

/// The gateway of a router, if `gateway=` says that it has one.
pub(super) fn gateway(line: &Line<'_>) -> Result<Option<Gateway>> {
    let Some(network) = line.values.get("gateway") else { return Ok(None) };
    let hosts = line.values.get("hosts").copied().unwrap_or_default();
    let host = |text: &str| HostIndex::new(text.parse()?).context("index out of range");
    let encap = line.values.get("encap").copied().unwrap_or("vxlan");
    Ok(Some(Gateway {
        network: NetworkId(id("network", network)),
        port: PortId(id("port", line.value("via")?)),
        snat: !line.has("untranslated"),
        transit: Vni::new(line.number("transit")?).context("VNI out of range")?,
        encap: Encap::from_name(encap).context("no such encapsulation")?,
        zone: GatewayZone::new(line.number("zone")?).context("zone out of range")?,
        hosts: hosts.split(',').filter(|text| !text.is_empty()).map(host).collect::<Result<_>>()?,
    }))
}

fn target(text: &str) -> Result<FloatingTarget> {
    let mut parts = text.split(':');
    let mut next = || parts.next().context("a target is PORT:ADDRESS:ROUTER");
    let port = PortId(id("port", next()?));
    let address: Ipv4Addr = next()?.parse()?;
    Ok(FloatingTarget { port, address, router: RouterId(id("router", next()?)) })
}

fn floating(line: &Line<'_>) -> Result<FloatingIp> {
    Ok(FloatingIp {
        id: FloatingIpId(id("floating", line.name)),
        tenant: "tenant".parse()?,
        stamp: Stamp::default(),
        network: NetworkId(id("network", line.value("network")?)),
        port: PortId(id("port", line.value("port")?)),
        address: line.value("ip")?.parse()?,
        target: line.values.get("to").map(|text| target(text)).transpose()?,
    })
}

fn forwarding(line: &Line<'_>) -> Result<PortForwarding> {
    let (external, internal) = line.value("ports")?.split_once('>').context("ports are FIRST:LAST>FIRST")?;
    let (first, last) = external.split_once(':').unwrap_or((external, external));
    let external = PortRange::new(first.parse()?, last.parse()?).context("not a range")?;
    let first: u16 = internal.parse()?;
    let internal = PortRange::new(first, first + (external.last - external.first)).context("not a range")?;
    let FloatingTarget { port, address, router } = target(line.value("to")?)?;
    Ok(PortForwarding {
        id: PortForwardingId(id("forward", line.name)),
        floating_ip: FloatingIpId(id("floating", line.value("of")?)),
        stamp: Stamp::default(),
        protocol: Transport::from_name(line.value("protocol")?).context("no such protocol")?,
        external,
        port,
        address,
        internal,
        router,
    })
}
