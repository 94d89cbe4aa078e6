//! How gateways, floating IPs and port forwardings look on disk.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use weft_model::{
    Encap, FloatingIp, FloatingIpId, FloatingTarget, Gateway, GatewayZone, HostIndex, NetworkId,
    PortForwarding, PortForwardingId, PortId, PortRange, RouterId, Transport, Vni,
};

use super::{Names, StoredStamp};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredGateway {
    network: Uuid,
    port: Uuid,
    snat: bool,
    transit: u32,
    encap: String,
    zone: u32,
    #[serde(default)]
    hosts: Vec<u32>,
}

impl From<&Gateway> for StoredGateway {
    fn from(g: &Gateway) -> Self {
        StoredGateway {
            network: g.network.0,
            port: g.port.0,
            snat: g.snat,
            transit: g.transit.get(),
            encap: g.encap.name().into(),
            zone: g.zone.get().into(),
            hosts: g.hosts.iter().map(|host| host.get().into()).collect(),
        }
    }
}

impl StoredGateway {
    pub(super) fn parse(self) -> Result<Gateway, String> {
        let host = |index| HostIndex::new(index).ok_or("host index out of range");
        Ok(Gateway {
            network: NetworkId(self.network),
            port: PortId(self.port),
            snat: self.snat,
            transit: Vni::new(self.transit).ok_or("VNI out of range")?,
            encap: Encap::from_name(&self.encap).ok_or("unknown encapsulation")?,
            zone: GatewayZone::new(self.zone).ok_or("gateway zone out of range")?,
            hosts: self.hosts.into_iter().map(host).collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredFloatingIp<'a> {
    id: Uuid,
    #[serde(borrow)]
    tenant: Cow<'a, str>,
    #[serde(borrow)]
    stamp: StoredStamp<'a>,
    network: Uuid,
    port: Uuid,
    address: Ipv4Addr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<StoredTarget>,
}

#[derive(Serialize, Deserialize)]
struct StoredTarget {
    port: Uuid,
    address: Ipv4Addr,
    router: Uuid,
}

impl<'a> From<&'a FloatingIp> for StoredFloatingIp<'a> {
    fn from(f: &'a FloatingIp) -> Self {
        let target =
            |t: &FloatingTarget| StoredTarget { port: t.port.0, address: t.address, router: t.router.0 };
        StoredFloatingIp {
            id: f.id.0,
            tenant: f.tenant.as_str().into(),
            stamp: (&f.stamp).into(),
            network: f.network.0,
            port: f.port.0,
            address: f.address,
            target: f.target.as_ref().map(target),
        }
    }
}

impl StoredFloatingIp<'_> {
    pub(super) fn parse(self, names: &mut Names) -> Result<FloatingIp, String> {
        let target = |t: StoredTarget| FloatingTarget {
            port: PortId(t.port),
            address: t.address,
            router: RouterId(t.router),
        };
        Ok(FloatingIp {
            id: FloatingIpId(self.id),
            tenant: names.tenant(&self.tenant)?,
            stamp: self.stamp.into(),
            network: NetworkId(self.network),
            port: PortId(self.port),
            address: self.address,
            target: self.target.map(target),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredForwarding<'a> {
    id: Uuid,
    floating_ip: Uuid,
    #[serde(borrow)]
    stamp: StoredStamp<'a>,
    protocol: String,
    external: (u16, u16),
    port: Uuid,
    address: Ipv4Addr,
    internal: (u16, u16),
    router: Uuid,
}

impl<'a> From<&'a PortForwarding> for StoredForwarding<'a> {
    fn from(f: &'a PortForwarding) -> Self {
        StoredForwarding {
            id: f.id.0,
            floating_ip: f.floating_ip.0,
            stamp: (&f.stamp).into(),
            protocol: f.protocol.name().into(),
            external: (f.external.first, f.external.last),
            port: f.port.0,
            address: f.address,
            internal: (f.internal.first, f.internal.last),
            router: f.router.0,
        }
    }
}

impl StoredForwarding<'_> {
    pub(super) fn parse(self) -> Result<PortForwarding, String> {
        let range = |(first, last)| PortRange::new(first, last).ok_or("ports out of range");
        Ok(PortForwarding {
            id: PortForwardingId(self.id),
            floating_ip: FloatingIpId(self.floating_ip),
            stamp: self.stamp.into(),
            protocol: Transport::from_name(&self.protocol).ok_or("unknown protocol")?,
            external: range(self.external)?,
            port: PortId(self.port),
            address: self.address,
            internal: range(self.internal)?,
            router: RouterId(self.router),
        })
    }
}
