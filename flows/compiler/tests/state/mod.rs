//! A tiny language in which test cases say what the desired state is, one object a line.
//!
//! ```text
//! host h1 index=1 ip=192.0.2.1 maps=blue:br-ex
//! network red vni=5001 encap=vxlan [down] [transparent]
//! physnet blue key=1
//! network blue-100 vni=7 physnet=1 vlan=100 [down]
//! subnet red4 network=red cidr=10.0.0.0/24 [gateway=] [dns=a,b] [routes=prefix-hop] [ra=slaac] [address=slaac] [silent]
//! port a network=red key=1 mac=02:00:00:00:00:01 ip=10.0.0.1,fd00::1 [down] [unsecured]
//! bind a h1 of=3
//! trunk t port=a subports=100:c,200:d
//! bind c h1 of=3 vlan=100 zone=32767
//! qos gold [out=1000] [in=500] [mark=46]
//! port e network=red ... [qos=gold]; network red ... [qos=gold]
//! port b network=red ... [policy=1] [pairs=10.0.0.9/32,10.0.1.0/28@02:00:00:00:00:99]
//! group web [stateless]
//! addresses office of=198.51.100.0/25,2001:db8::/48
//! rule 1 group=web [out] [v6] [service=17|tcp:80:90|icmp:8:0] [from=group:web|addresses:office|prefix:10.0.0.0/8]
//! policy 1 groups=web,db
//! router r key=1 [route=192.0.2.0/24>10.0.0.9,198.51.100.0/24>blackhole] [down]
//! port gw network=red key=2 mac=02:00:00:00:00:fe ip=10.0.0.1 router=r
//! network public vni=9 physnet=1 external
//! router r ... gateway=public via=out transit=900 zone=1 hosts=1,2 [untranslated] [encap=geneve]
//! port out network=public key=3 mac=02:00:00:00:99:01 ip=203.0.113.2 gateway=r
//! port float network=public key=4 mac=02:00:00:00:99:02 ip=203.0.113.9 floating=f
//! floating f network=public port=float ip=203.0.113.9 [to=a:10.0.0.1:r]
//! forward w of=f protocol=tcp ports=80:81>8080 to=a:10.0.0.1:r
//! ```

mod gateways;
mod security;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use uuid::Uuid;
use weft_model::{
    Behind, Binding, BridgeMappings, Change, Direction, Dscp, Encap, EncapIps, FixedIp, Host, HostIndex,
    HostRoute, Kbps, Mtu, Network, NetworkId, NextHop, OfPort, PhysicalNetwork, PhysnetKey, Port, PortId,
    PortKey, PortSecurity, QosPolicy, QosPolicyId, QosRule, QosRuleId, QosRuleKind, RateLimit, Record,
    Revision, Route, Router, RouterId, RouterKey, Segment, Snapshot, Stamp, Subnet, SubnetId, Timestamp,
    Trunk, TrunkId, VlanId, Vni,
};

/// The snapshot that a text describes.
pub fn parse(text: &str) -> Result<Snapshot> {
    let mut snapshot = Snapshot::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let revision = Revision(number as u64 + 1);
        let record =
            record(line, revision, &snapshot).with_context(|| format!("line {}: {line}", number + 1))?;
        snapshot.apply(revision, &[Change::Put(record)]);
    }
    Ok(snapshot)
}

/// The words of a line: what is it, its name, what follows by key, and lone words.
struct Line<'a> {
    kind: &'a str,
    name: &'a str,
    values: BTreeMap<&'a str, &'a str>,
    words: Vec<&'a str>,
}

impl<'a> Line<'a> {
    fn read(text: &'a str) -> Result<Line<'a>> {
        let mut parts = text.split_whitespace();
        let (kind, name) = parts.next().zip(parts.next()).context("needs a kind and a name")?;
        let (mut values, mut words) = (BTreeMap::new(), Vec::new());
        for part in parts {
            match part.split_once('=') {
                Some((key, value)) => drop(values.insert(key, value)),
                None => words.push(part),
            }
        }
        Ok(Line { kind, name, values, words })
    }

    fn value(&self, key: &str) -> Result<&'a str> {
        self.values.get(key).copied().with_context(|| format!("needs {key}="))
    }

    fn number(&self, key: &str) -> Result<u32> {
        Ok(self.value(key)?.parse()?)
    }

    fn has(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    fn addresses(&self) -> Result<Vec<IpAddr>> {
        let list = self.values.get("ip").copied().unwrap_or_default();
        list.split(',').filter(|ip| !ip.is_empty()).map(|ip| Ok(ip.parse()?)).collect()
    }
}

fn record(text: &str, revision: Revision, snapshot: &Snapshot) -> Result<Record> {
    let line = Line::read(text)?;
    if let Some(record) = security::record(&line)? {
        return Ok(record);
    }
    if let Some(record) = gateways::record(&line)? {
        return Ok(record);
    }
    Ok(match line.kind {
        "host" => Record::Host(Arc::new(host(&line)?)),
        "physnet" => Record::PhysicalNetwork(Arc::new(PhysicalNetwork {
            key: PhysnetKey::new(line.number("key")?).context("key out of range")?,
            name: line.name.to_owned(),
        })),
        "network" => Record::Network(Arc::new(network(&line)?)),
        "subnet" => Record::Subnet(Arc::new(subnet(&line)?)),
        "port" => Record::Port(Arc::new(port(&line, snapshot)?)),
        "router" => Record::Router(Arc::new(router(&line)?)),
        "trunk" => Record::Trunk(Arc::new(trunk(&line)?)),
        "qos" => Record::QosPolicy(Arc::new(qos(&line)?)),
        "bind" => Record::Binding(Arc::new(binding(&line, revision)?)),
        other => bail!("{other} is not known"),
    })
}

/// An id made of a name, so that cases need none.
fn id(kind: &str, name: &str) -> Uuid {
    let mut bytes = [0; 16];
    for (slot, byte) in bytes.iter_mut().zip(kind.bytes().take(2).chain(name.bytes())) {
        *slot = byte;
    }
    Uuid::from_bytes(bytes)
}

fn host(line: &Line<'_>) -> Result<Host> {
    let mut encap_ips = EncapIps::default();
    for ip in line.addresses()? {
        match ip {
            IpAddr::V4(ip) => encap_ips.v4 = Some(ip),
            IpAddr::V6(ip) => encap_ips.v6 = Some(ip),
        }
    }
    Ok(Host {
        id: line.name.parse()?,
        index: HostIndex::new(line.number("index")?).context("index out of range")?,
        hostname: line.name.to_owned(),
        encap_ips,
        ovs_version: String::new(),
        datapath_type: "netdev".to_owned(),
        bridge_mappings: BridgeMappings::read(line.values.get("maps").copied().unwrap_or_default()).bridges,
        joined: Timestamp(0),
    })
}

/// Where a network is, if `physnet=` says that it is on a physical network.
fn segment(line: &Line<'_>) -> Result<Option<Segment>> {
    let Some(physnet) = line.values.get("physnet") else { return Ok(None) };
    let physnet = PhysnetKey::new(physnet.parse()?).context("no such key")?;
    let vlan = line.values.get("vlan").map(|vlan| vlan.parse()).transpose()?;
    Ok(Some(Segment { physnet, vlan: vlan.and_then(VlanId::new) }))
}

fn network(line: &Line<'_>) -> Result<Network> {
    let encap = line.values.get("encap").copied().unwrap_or("vxlan");
    Ok(Network {
        id: NetworkId(id("network", line.name)),
        tenant: "tenant".parse()?,
        stamp: Stamp::default(),
        vni: Vni::new(line.number("vni")?).context("VNI out of range")?,
        encap: Encap::from_name(encap).context("no such encapsulation")?,
        mtu: Mtu(line.values.get("mtu").map_or(Ok(1450), |mtu| mtu.parse())?),
        admin_up: !line.has("down"),
        port_security_default: true,
        dns_domain: line.values.get("domain").map(|name| (*name).to_owned()).unwrap_or_default(),
        segment: segment(line)?,
        vlan_transparent: line.has("transparent"),
        external: line.has("external"),
        qos_policy: line.values.get("qos").map(|name| QosPolicyId(id("qos", name))),
    })
}

fn subnet(line: &Line<'_>) -> Result<Subnet> {
    let list = |key: &str| {
        line.values.get(key).copied().unwrap_or_default().split(',').filter(|text| !text.is_empty())
    };
    let route = |text: &str| {
        let (destination, nexthop) = text.split_once('-').context("needs prefix-hop")?;
        Ok(HostRoute { destination: destination.parse()?, nexthop: nexthop.parse()? })
    };
    let word = |key: &str| line.values.get(key).map(|word| (*word).to_owned());
    Ok(Subnet {
        id: SubnetId(id("subnet", line.name)),
        tenant: "tenant".parse()?,
        network: NetworkId(id("network", line.value("network")?)),
        stamp: Stamp::default(),
        cidr: line.value("cidr")?.parse()?,
        pool: None,
        gateway: line.values.get("gateway").map(|address| address.parse()).transpose()?,
        pools: Vec::new(),
        dhcp: !line.has("silent"),
        dns_servers: list("dns").map(|address| Ok(address.parse()?)).collect::<Result<_>>()?,
        host_routes: list("routes").map(route).collect::<Result<_>>()?,
        ipv6_ra_mode: word("ra"),
        ipv6_address_mode: word("address"),
    })
}

/// A port's addresses belong to the subnets that contain them, or to one that does not exist.
fn port(line: &Line<'_>, snapshot: &Snapshot) -> Result<Port> {
    let network = NetworkId(id("network", line.value("network")?));
    let subnet = |address: IpAddr| {
        let found = snapshot.subnets_of(network).find(|subnet| subnet.cidr.contains(&address));
        found.map_or(SubnetId(id("subnet", line.values["network"])), |subnet| subnet.id)
    };
    let one = |address| FixedIp { subnet: subnet(address), address };
    let fixed_ips = line.addresses()?.into_iter().map(one).collect();
    let (device_owner, device_id) = gateways::device(line);
    Ok(Port {
        id: PortId(id("port", line.name)),
        tenant: "tenant".parse()?,
        network: NetworkId(id("network", line.value("network")?)),
        key: PortKey::new(line.number("key")?).context("key out of range")?,
        stamp: Stamp::default(),
        mac: line.value("mac")?.parse()?,
        fixed_ips,
        admin_up: !line.has("down"),
        security: if line.has("unsecured") { PortSecurity::Off } else { PortSecurity::Enforced },
        dhcp_options: Vec::new(),
        policy: security::policy(line)?,
        allowed_pairs: security::pairs(line)?,
        device_owner,
        device_id,
        requested_host: None,
        dns_name: line.values.get("name").map(|name| (*name).to_owned()).unwrap_or_default(),
        qos_policy: line.values.get("qos").map(|name| QosPolicyId(id("qos", name))),
    })
}

fn router(line: &Line<'_>) -> Result<Router> {
    let list = line.values.get("route").copied().unwrap_or_default();
    let route = |text: &str| {
        let (destination, via) = text.split_once('>').context("a route is PREFIX>ADDRESS")?;
        let next_hop = if via == "blackhole" { NextHop::Blackhole } else { NextHop::Via(via.parse()?) };
        Ok(Route { destination: destination.parse()?, next_hop })
    };
    Ok(Router {
        id: RouterId(id("router", line.name)),
        tenant: "tenant".parse()?,
        key: RouterKey::new(line.number("key")?).context("key out of range")?,
        stamp: Stamp::default(),
        admin_up: !line.has("down"),
        routes: list.split(',').filter(|route| !route.is_empty()).map(route).collect::<Result<_>>()?,
        gateway: gateways::gateway(line)?,
    })
}

fn binding(line: &Line<'_>, since: Revision) -> Result<Binding> {
    let host = line.words.first().context("needs a host")?.parse()?;
    let ofport = OfPort::new(i64::from(line.number("of")?)).context("ofport out of range")?;
    let port = PortId(id("port", line.name));
    let behind = |vlan: &&str| {
        let vlan = VlanId::new(vlan.parse()?).context("no such tag")?;
        Ok::<_, anyhow::Error>(Behind { vlan, zone: u16::try_from(line.number("zone")?)? })
    };
    let behind = line.values.get("vlan").map(behind).transpose()?;
    Ok(Binding { port, host, interface: format!("tap-{}", line.name), ofport, since, behind })
}

fn trunk(line: &Line<'_>) -> Result<Trunk> {
    let subport = |text: &str| {
        let (vlan, port) = text.split_once(':').context("a subport is TAG:PORT")?;
        Ok((VlanId::new(vlan.parse()?).context("no such tag")?, port_id(port)))
    };
    let subports = line.values.get("subports").copied().unwrap_or_default();
    Ok(Trunk {
        id: TrunkId(id("trunk", line.name)),
        tenant: "tenant".parse()?,
        stamp: Stamp::default(),
        port: port_id(line.value("port")?),
        admin_up: true,
        subports: subports.split(',').filter(|text| !text.is_empty()).map(subport).collect::<Result<_>>()?,
    })
}

fn qos(line: &Line<'_>) -> Result<QosPolicy> {
    let mut rules = Vec::new();
    for (key, direction) in [("out", Direction::Egress), ("in", Direction::Ingress)] {
        let Some(rate) = line.values.get(key) else { continue };
        let rate = Kbps::new(rate.parse()?).context("no such rate")?;
        rules.push(QosRuleKind::Limit(direction, RateLimit { rate, burst: 0 }));
    }
    if let Some(mark) = line.values.get("mark") {
        rules.push(QosRuleKind::Mark(Dscp::new(mark.parse()?).context("no such mark")?));
    }
    let rule = |(n, kind): (u128, QosRuleKind)| QosRule { id: QosRuleId(Uuid::from_u128(n)), kind };
    Ok(QosPolicy {
        id: QosPolicyId(id("qos", line.name)),
        tenant: "tenant".parse()?,
        stamp: Stamp::default(),
        shared: false,
        is_default: false,
        rules: (1..).zip(rules).map(rule).collect(),
    })
}

/// The id of the port that is called so.
#[allow(dead_code, reason = "not all tests that share this file ask")]
pub fn port_id(name: &str) -> PortId {
    PortId(id("port", name))
}

/// The id of the network that is called so.
#[allow(dead_code, reason = "not all tests that share this file ask")]
pub fn network_id(name: &str) -> NetworkId {
    NetworkId(id("network", name))
}

/// The id of the subnet of all addresses in the network that is called so.
#[allow(dead_code, reason = "not all tests that share this file ask")]
pub fn subnet_id(network: &str) -> SubnetId {
    SubnetId(id("subnet", network))
}
