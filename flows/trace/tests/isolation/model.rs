//! A random deployment: hosts, networks with overlapping addresses and MACs, ports, bindings.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use weft_model::{PortId, Snapshot};

use crate::random::Random;
use crate::routing::{self, Router};
use crate::security::{self, Group};

#[derive(Debug, Clone)]
pub struct Host {
    pub name: String,
    pub index: u16,
    pub v4: bool,
    pub v6: bool,
    /// Whether it has a bridge to each physical network.
    pub mapped: [bool; 2],
}

#[derive(Debug, Clone)]
pub struct Network {
    pub name: String,
    pub vni: u32,
    pub encap: &'static str,
    pub up: bool,
    /// Where it is on the operator's layer 2: which physical network, which VLAN; 0 for none.
    pub segment: Option<(usize, u16)>,
    /// The third byte of its IPv4 addresses, the fourth part of its IPv6 addresses.
    pub subnet: u8,
}

#[derive(Debug, Clone)]
pub struct Port {
    pub name: String,
    pub key: u32,
    /// Which network, and its subnet.
    pub network: usize,
    pub subnet: u8,
    /// The last byte of its MAC and of its addresses.
    pub number: u8,
    pub up: bool,
    pub secured: bool,
    pub v6: bool,
    /// The security groups that it wears; none at all when it is not filtered.
    pub groups: Option<Vec<usize>>,
    /// The hosts that claim it, oldest claim first.
    pub claims: Vec<usize>,
    /// Of a subport, the port whose interface it is behind (an earlier one); it is where that one is.
    pub parent: Option<usize>,
}

#[derive(Debug, Clone)]
pub struct Model {
    pub hosts: Vec<Host>,
    pub networks: Vec<Network>,
    pub ports: Vec<Port>,
    pub routers: Vec<Router>,
    pub groups: Vec<Group>,
}

impl Port {
    pub fn id(&self) -> PortId {
        crate::state::port_id(&self.name)
    }

    pub fn mac(&self) -> [u8; 6] {
        [2, 0, 0, 0, 0, self.number]
    }

    /// Its tag, where it is a subport.
    fn tag(&self) -> u32 {
        2000 + self.key
    }

    pub fn ipv4(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, self.subnet, self.number)
    }

    pub fn ipv6(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0, 0, u16::from(self.subnet), 0, 0, 0, u16::from(self.number))
    }
}

impl Model {
    pub fn random(random: &mut Random) -> Model {
        let hosts = 1 + random.below(5);
        let hosts = (0..hosts).map(|n| host(n, random)).collect::<Vec<_>>();
        let networks = 1 + random.below(5);
        let mut networks = (0..networks).map(|n| network(n, random)).collect::<Vec<_>>();
        // A segment is one network's only.
        for n in 1..networks.len() {
            if networks[..n].iter().any(|other| other.segment == networks[n].segment) {
                networks[n].segment = None;
            }
        }
        let groups = if random.once_in(2) { vec![] } else { security::groups(random) };
        let mut ports: Vec<Port> = Vec::new();
        for n in 0..2 + random.below(28) {
            let port = port(n, (&hosts, &networks, &groups), random);
            // A MAC is a port's own within its network, and only there.
            if !ports.iter().any(|other| other.network == port.network && other.number == port.number) {
                ports.push(port);
            }
        }
        trunk(&mut ports, random);
        let routers = routing::routers(&networks, random);
        Model { hosts, networks, ports, routers, groups }
    }

    /// The host on which a port is in force.
    pub fn place(&self, port: &Port) -> Option<&Host> {
        port.claims.last().map(|host| &self.hosts[*host])
    }

    pub fn port(&self, id: PortId) -> Option<&Port> {
        self.ports.iter().find(|port| port.id() == id)
    }

    /// The state that the model describes.
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = crate::state::parse(&self.text()).expect("a model is well formed");
        routing::complete(self, &mut snapshot);
        snapshot
    }

    /// The model in the words of `state`, as far as that has any.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Host { name, index, v4, v6, mapped } in &self.hosts {
            let v4 = v4.then(|| format!("192.0.{}.{}", index >> 8, index & 255));
            let v6 = v6.then(|| format!("2001:db8::{index}"));
            let ips: Vec<String> = v4.into_iter().chain(v6).collect();
            let maps = ["x:br-x", "y:br-y"].iter().zip(mapped).filter(|(_, is)| **is).map(|(map, _)| *map);
            let maps = maps.collect::<Vec<_>>().join(",");
            writeln!(text, "host {name} index={index} ip={} maps={maps}", ips.join(",")).expect("text");
        }
        text.push_str("physnet x key=1\nphysnet y key=2\n");
        for Network { name, vni, encap, up, segment, .. } in &self.networks {
            let segment = match segment {
                None => String::new(),
                Some((physnet, 0)) => format!(" physnet={}", physnet + 1),
                Some((physnet, vlan)) => format!(" physnet={} vlan={vlan}", physnet + 1),
            };
            let down = word(!up, "down");
            writeln!(text, "network {name} vni={vni} encap={encap}{segment}{down}").expect("text");
        }
        for port in &self.ports {
            let Port { name, key, number, .. } = port;
            let network = &self.networks[port.network].name;
            let v6 = if port.v6 { format!(",{}", port.ipv6()) } else { String::new() };
            let words = word(!port.up, "down") + &word(!port.secured, "unsecured");
            let mac = format!("02:00:00:00:00:{number:02x}");
            let ip = port.ipv4();
            writeln!(text, "port {name} network={network} key={key} mac={mac} ip={ip}{v6}{words}")
                .expect("text");
        }
        for port in &self.ports {
            for host in &port.claims {
                let host = &self.hosts[*host].name;
                let (interface, behind) = match port.parent {
                    None => (port.key, String::new()),
                    Some(parent) => {
                        let (tag, zone) = (port.tag(), 32_000 - port.key);
                        (self.ports[parent].key, format!(" vlan={tag} zone={zone}"))
                    }
                };
                writeln!(text, "bind {} {host} of={interface}{behind}", port.name).expect("text");
            }
        }
        for (at, parent) in self.ports.iter().enumerate() {
            let behind = self.ports.iter().filter(|port| port.parent == Some(at));
            let behind: Vec<_> = behind.map(|port| format!("{}:{}", port.tag(), port.name)).collect();
            if !behind.is_empty() {
                writeln!(text, "trunk t{at} port={} subports={}", parent.name, behind.join(","))
                    .expect("text");
            }
        }
        text
    }
}

/// Puts some ports behind the interfaces of earlier ones, whichever networks they are in.
fn trunk(ports: &mut [Port], random: &mut Random) {
    for at in 1..ports.len() {
        let parent = usize::try_from(random.below(at as u64)).expect("an index");
        if random.once_in(4) && ports[parent].parent.is_none() {
            ports[at].parent = Some(parent);
            ports[at].claims = ports[parent].claims.clone();
        }
    }
}

fn word(holds: bool, word: &str) -> String {
    if holds { format!(" {word}") } else { String::new() }
}

fn host(n: u64, random: &mut Random) -> Host {
    let index = u16::try_from(1 + n + if random.once_in(4) { 300 } else { 0 }).expect("small");
    // Some speak one family only, so that not everybody can reach everybody.
    let (v4, v6) = match random.below(6) {
        0 => (false, true),
        1 => (true, true),
        _ => (true, false),
    };
    let mapped = [!random.once_in(3), !random.once_in(3)];
    Host { name: format!("h{n}"), index, v4, v6, mapped }
}

fn network(n: u64, random: &mut Random) -> Network {
    let encap = *random.pick(&["vxlan", "vxlan", "geneve", "gre"]);
    let vni = u32::try_from(5000 + n).expect("small");
    let subnet = u8::try_from(random.below(3)).expect("small");
    let physnet = usize::try_from(random.below(2)).expect("small");
    let vlan = *random.pick(&[0, 100, 100, 200]);
    let segment = random.once_in(4).then_some((physnet, vlan));
    Network { name: format!("n{n}"), vni, encap, up: !random.once_in(8), subnet, segment }
}

fn port(n: u64, of: (&[Host], &[Network], &[Group]), random: &mut Random) -> Port {
    let (hosts, networks, groups) = of;
    let at = |random: &mut Random| usize::try_from(random.below(hosts.len() as u64)).expect("an index");
    let mut claims: Vec<usize> = if random.once_in(8) { vec![] } else { vec![at(random)] };
    if random.once_in(8) {
        let newer = at(random);
        claims.retain(|host| *host != newer);
        claims.push(newer);
    }
    let secured = !random.once_in(4);
    // Without groups in the deployment nobody is filtered; with them most are, some by none at all.
    let wear = |random: &mut Random| (0..groups.len()).filter(|_| random.once_in(2)).collect();
    let worn = if groups.is_empty() || random.once_in(5) { None } else { Some(wear(random)) };
    let network = usize::try_from(random.below(networks.len() as u64)).expect("an index");
    Port {
        name: format!("p{n}"),
        key: u32::try_from(n + 1).expect("small"),
        network,
        subnet: networks[network].subnet,
        number: u8::try_from(1 + random.below(12)).expect("small"),
        up: !random.once_in(8),
        secured,
        groups: worn.filter(|_| secured),
        v6: random.once_in(2),
        claims,
        parent: None,
    }
}
