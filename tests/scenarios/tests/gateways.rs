//! Proves what gateways promise on real Open vSwitch, with a machine outside that knows nothing of Weft: out with the
//! gateway's address and back, in by a floating IP and back, on the workload's own host and by way of the gateway's, by
//! forwarded ports; to one's own floating IP and to others'; two tenants with the same addresses who never mix. Addresses
//! and MACs are looked at on every hop, over VXLAN and Geneve.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::{IpAddr, Ipv4Addr};

use weft_api::{
    FloatingIp, FloatingIpCreate, FloatingIpUpdate, GatewayAsked, InterfaceAsked, Network, NetworkCreate,
    Port, PortCreate, PortForwardingCreate, Router, RouterCreate, RouterUpdate, SubnetCreate,
};
use weft_compiler::Reason;
use weft_rig::{Capture, Netns, Workload, wait_until};
use weft_scenarios::fabric::Fabric;
use weft_scenarios::frames::mac;
use weft_scenarios::{LIMIT, NetworkSpec, Site, SiteSpec, Tenancy, asked, drops, drops_text};

/// The machine outside.
const MACHINE: &str = "203.0.113.77";

/// A tenant's network behind a router with a gateway.
struct Estate<'a> {
    site: &'a Site,
    tenancy: Tenancy<'a>,
    network: Network,
    router: Router,
    public: &'a Network,
}

fn public(site: &Site) -> Network {
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
    fn build(site: &'a Site, public: &'a Network, name: &str, encap: &str) -> Estate<'a> {
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
    fn lead(&self, snat: Option<bool>) {
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

    fn workload(&self, name: &str, number: u8, host: usize) -> (Port, Workload) {
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

    fn floating_ip(&self, port: Option<&Port>) -> FloatingIp {
        let new = FloatingIpCreate {
            floating_network_id: self.public.id.clone(),
            port_id: port.map(|port| port.id.clone()),
            ..FloatingIpCreate::default()
        };
        self.site.apply(self.tenancy.client.floating_ips().create(&new)).unwrap()
    }

    fn point(&self, floating_ip: &FloatingIp, port: Option<&Port>) {
        let update = FloatingIpUpdate {
            port_id: Some(port.map(|port| port.id.clone())),
            ..FloatingIpUpdate::default()
        };
        self.site.apply(self.tenancy.client.floating_ips().update(&floating_ip.id, &update)).unwrap();
    }

    /// The gateway's address and MAC, or those of the router's interface.
    fn face(&self, owner: &str) -> (String, String) {
        let of_it = [("device_id", self.router.id.as_str()), ("device_owner", owner)];
        let ports = self.site.wait(self.site.admin.ports().list(&of_it)).unwrap().value;
        let v4 = |port: &&Port| port.fixed_ips.iter().any(|ip| ip.ip_address.contains('.'));
        let port = ports.iter().find(v4).unwrap_or_else(|| panic!("no {owner}: {ports:?}"));
        let address = port.fixed_ips.iter().find(|ip| ip.ip_address.contains('.')).unwrap();
        (address.ip_address.clone(), port.mac_address.clone())
    }

    fn mac_of(&self, floating_ip: &FloatingIp) -> String {
        let of_it = [("device_id", floating_ip.id.as_str())];
        self.site.wait(self.site.admin.ports().list(&of_it)).unwrap().value[0].mac_address.clone()
    }
}

/// What a frame of IPv4 says: Ethernet and IP addresses, source and destination, and the TTL.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Seen {
    eth: [[u8; 6]; 2],
    ip: [Ipv4Addr; 2],
    ttl: u8,
}

fn seen(capture: &mut Capture) -> Vec<Seen> {
    capture.settle().unwrap();
    let six = |bytes: &[u8]| <[u8; 6]>::try_from(bytes).unwrap();
    let four = |bytes: &[u8]| Ipv4Addr::from(<[u8; 4]>::try_from(bytes).unwrap());
    let frames = capture.frames().unwrap();
    let ip = frames.iter().filter(|frame| frame.get(12..14) == Some(&[8, 0]));
    ip.map(|frame| Seen {
        eth: [six(&frame[6..12]), six(&frame[..6])],
        ip: [four(&frame[26..30]), four(&frame[30..34])],
        ttl: frame[22],
    })
    .collect()
}

fn is(eth: [&str; 2], ip: [&str; 2], ttl: u8) -> Seen {
    Seen { eth: eth.map(mac), ip: ip.map(|ip| ip.parse().unwrap()), ttl }
}

fn at(netns: &Netns) -> Capture {
    Capture::start(netns, "eth0", "icmp").unwrap()
}

fn mac_of(netns: &Netns) -> String {
    let said = netns.exec(&["ip", "-o", "link", "show", "eth0"]).unwrap();
    said.split_whitespace().skip_while(|word| *word != "link/ether").nth(1).unwrap().to_owned()
}

/// Pings until it goes through, and then once more.
fn reaches(site: &Site, from: &Netns, to: &str) {
    let ping = |count: &str| {
        let said = from.output(&["ping", "-n", "-c", count, "-i", "0.05", "-W", "1", to])?;
        Ok(said.succeeded() && said.stdout.contains(&format!(" {count} received")))
    };
    wait_until(&format!("to reach {to}"), LIMIT, || ping("1"))
        .unwrap_or_else(|error| panic!("{error:#}; {}", drops_text(&site.hosts)));
    assert!(ping("3").unwrap(), "{to}; {}", drops_text(&site.hosts));
}

/// One ping, with what both ends see of it: (as it leaves, as it arrives) there, and the same back.
fn walk(site: &Site, ends: [&Netns; 2], to: &str, there: [&Seen; 2], back: [&Seen; 2]) {
    reaches(site, ends[0], to);
    let mut captures = ends.map(at);
    let said = ends[0].exec(&["ping", "-n", "-c", "1", "-W", "2", to]);
    said.unwrap_or_else(|error| panic!("{error:#}; {}", drops_text(&site.hosts)));
    let [near, far] = [0, 1].map(|n| seen(&mut captures[n]));
    assert_eq!(near, [there[0].clone(), back[1].clone()], "at the one who asks");
    assert_eq!(far, [there[1].clone(), back[0].clone()], "at the one who is asked");
}

#[test]
fn ways_out_and_in_over_vxlan() {
    ways_out_and_in("gwv", "vxlan");
}

#[test]
fn ways_out_and_in_over_geneve() {
    ways_out_and_in("gwg", "geneve");
}

fn ways_out_and_in(name: &str, encap: &str) {
    let site = Site::build(name, SiteSpec::hosts(3).options(&["--audit-interval", "1"])).unwrap();
    let fabric = Fabric::build(&site).unwrap();
    // The first host is the gateway's, as nobody else has a way out yet; the second has one of its own, the third none.
    fabric.map(&site.hosts[0]).unwrap();
    wait_until("the first host to be mapped", LIMIT, || {
        Ok(site.host_status(&site.hosts[0])?.status != "DOWN")
    })
    .unwrap();
    let public = public(&site);
    let red = Estate::build(&site, &public, "red", encap);
    fabric.map(&site.hosts[1]).unwrap();
    let addresses = [&format!("{MACHINE}/24")[..], "2001:db8::77/64"];
    let machine = fabric.machine("outside", "blue", Some(100), &addresses).unwrap();
    let (port_a, a) = red.workload("a", 11, 1);
    let (port_b, b) = red.workload("b", 12, 2);
    let (_, c) = red.workload("c", 13, 0);
    site.rig.seed_tunnel_neighbours().unwrap();
    let outside = mac_of(&machine);
    let (gateway, gateway_mac) = red.face("network:router_gateway");
    let (_, inner) = red.face("network:router_interface");

    // Out with the gateway's address, from every host.
    for (workload, address) in [(&b, "10.0.0.12"), (&c, "10.0.0.13"), (&a, "10.0.0.11")] {
        let own = workload.spec().mac.clone();
        let there = [
            is([&own, &inner], [address, MACHINE], 64),
            is([&gateway_mac, &outside], [&gateway, MACHINE], 63),
        ];
        let back = [
            is([&outside, &gateway_mac], [MACHINE, &gateway], 64),
            is([&inner, &own], [MACHINE, address], 63),
        ];
        walk(&site, [workload.netns(), &machine], MACHINE, [&there[0], &there[1]], [&back[0], &back[1]]);
    }
    bytes_pass(&b, &machine, MACHINE);
    errors_come_back(&b);
    // The gateway answers for itself, outside and inside; what is for nobody is dropped and counted.
    reaches(&site, &machine, &gateway);
    reaches(&site, b.netns(), &gateway);
    let before = drops(&site.hosts[0]).unwrap()[&Reason::Unsolicited];
    let connect = format!("TCP4:{gateway}:80,connect-timeout=1");
    assert!(!machine.output(&["socat", "-u", "/dev/null", &connect]).unwrap().succeeded());
    wait_until("the drop to be counted", LIMIT, || Ok(drops(&site.hosts[0])?[&Reason::Unsolicited] > before))
        .unwrap();

    // In by floating IPs: on the own host, and by way of the gateway.
    let [of_a, of_b] = [&port_a, &port_b].map(|port| red.floating_ip(Some(port)));
    for (workload, address, floating) in [(&a, "10.0.0.11", &of_a), (&b, "10.0.0.12", &of_b)] {
        let (own, public, public_mac) =
            (workload.spec().mac.clone(), floating.floating_ip_address.as_str(), red.mac_of(floating));
        let down =
            [is([&outside, &public_mac], [MACHINE, public], 64), is([&inner, &own], [MACHINE, address], 63)];
        let up =
            [is([&own, &inner], [address, MACHINE], 64), is([&public_mac, &outside], [public, MACHINE], 63)];
        walk(&site, [&machine, workload.netns()], public, [&down[0], &down[1]], [&up[0], &up[1]]);
        walk(&site, [workload.netns(), &machine], MACHINE, [&up[0], &up[1]], [&down[0], &down[1]]);
    }
    bytes_pass_in(&site, &machine, &a, &of_a.floating_ip_address, 7000, 7000);
    hairpins(&site, [&a, &b, &c], [&of_a, &of_b]);
    forwarded(&red, &machine, (&port_b, &b), &of_b);
    tenants_never_mix(&site, &public, encap, &machine, (&red, &c));
    untranslated(&red, &machine, &c);
    nothing_is_mended(&site);
}

/// A TCP connection to a port outside.
fn bytes_pass(from: &Workload, machine: &Netns, to: &str) {
    let _server = machine.spawn(&["iperf3", "-s", "-1", "-p", "5201"]).unwrap();
    let run = ["iperf3", "-c", to, "-n", "2M", "--connect-timeout", "3000"];
    wait_until("bytes to pass the gateway", LIMIT, || Ok(from.output(&run)?.succeeded())).unwrap();
}

/// A line through a port that leads inside, there and back.
fn bytes_pass_in(site: &Site, from: &Netns, to: &Workload, address: &str, outer: u16, inner: u16) {
    let listen = format!("TCP4-LISTEN:{inner},reuseaddr,fork");
    let _server = to.spawn(&["socat", &listen, "EXEC:cat"]).unwrap();
    let run = format!("echo hello | socat -t 5 - TCP4:{address}:{outer},connect-timeout=2");
    wait_until(&format!("an echo from {address}:{outer}"), LIMIT, || {
        Ok(from.output(&["sh", "-c", &run])?.stdout.trim() == "hello")
    })
    .unwrap_or_else(|error| panic!("{error:#}; {}", drops_text(&site.hosts)));
}

/// What the machine outside says of a packet finds the one who sent it.
fn errors_come_back(from: &Workload) {
    let script = "import socket\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.settimeout(5)\n\
                  s.connect(('203.0.113.77',9))\ns.send(b'x')\ntry:\n s.recv(1)\nexcept ConnectionRefusedError:\n print('refused')";
    wait_until("a refusal to come back", LIMIT, || {
        Ok(from.output(&["python3", "-c", script])?.stdout.trim() == "refused")
    })
    .unwrap();
}

/// To one's own floating IP, to the other's, and from who has none; who is asked sees a floating IP or the gateway's address.
fn hairpins(site: &Site, [a, b, c]: [&Workload; 3], [of_a, of_b]: [&FloatingIp; 2]) {
    for (from, floating) in [(a, of_a), (b, of_b), (a, of_b), (b, of_a), (c, of_a), (c, of_b)] {
        reaches(site, from.netns(), &floating.floating_ip_address);
    }
    bytes_pass_in(site, a.netns(), a, &of_a.floating_ip_address, 7001, 7001);
    bytes_pass_in(site, c.netns(), b, &of_b.floating_ip_address, 7002, 7002);
}

/// Ports of one floating IP, once it stands for nobody: to other ports, the same, and to none.
fn forwarded(red: &Estate<'_>, machine: &Netns, (port, b): (&Port, &Workload), floating: &FloatingIp) {
    red.point(floating, None);
    let forward = |external: &str, internal: &str| {
        let new = PortForwardingCreate {
            protocol: "tcp".to_owned(),
            external_port_range: Some(external.to_owned()),
            internal_port_range: Some(internal.to_owned()),
            internal_port_id: port.id.clone(),
            ..PortForwardingCreate::default()
        };
        red.site.apply(red.tenancy.client.floating_ips().create_port_forwarding(&floating.id, &new)).unwrap();
    };
    forward("8000:8001", "80:81");
    forward("9000:9003", "9000:9003");
    let address = &floating.floating_ip_address;
    bytes_pass_in(red.site, machine, b, address, 8001, 81);
    bytes_pass_in(red.site, machine, b, address, 9002, 9002);
    let connect = format!("TCP4:{address}:8002,connect-timeout=1");
    assert!(!machine.output(&["socat", "-u", "/dev/null", &connect]).unwrap().succeeded());
}

/// Another tenant with the same addresses, the same ports, at the same time, through the same gateway host: every answer finds
/// the one whom it is for.
fn tenants_never_mix(
    site: &Site,
    public: &Network,
    encap: &str,
    machine: &Netns,
    (red, c): (&Estate<'_>, &Workload),
) {
    let green = Estate::build(site, public, "green", encap);
    let (_, other) = green.workload("gc", 13, 2);
    site.rig.seed_tunnel_neighbours().unwrap();
    reaches(site, other.netns(), MACHINE);
    reaches(site, c.netns(), MACHINE);
    let addresses = [red, &green].map(|estate| estate.face("network:router_gateway").0);
    assert_ne!(addresses[0], addresses[1]);
    // It answers with the address that it sees.
    let server = "import socket\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.bind(('',5353))\n\
                  while True:\n d,a=s.recvfrom(99)\n s.sendto(a[0].encode(),a)";
    let _server = machine.spawn(&["python3", "-c", server]).unwrap();
    let ask = "import socket\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.bind(('',5000))\ns.settimeout(1)\n\
               said=set()\nfor n in range(20):\n try:\n  s.sendto(b'x',('203.0.113.77',5353))\n  \
               said.add(s.recv(99).decode())\n except (TimeoutError,ConnectionRefusedError): pass\nprint(','.join(said))";
    for _ in 0..2 {
        for (workload, address) in [c, &other].into_iter().zip(&addresses) {
            wait_until("an answer to each tenant", LIMIT, || {
                let said = workload.output(&["python3", "-c", ask])?.stdout.trim().to_owned();
                anyhow::ensure!(said.is_empty() || said == *address, "{} was told {said}", workload.name());
                Ok(said == *address)
            })
            .unwrap();
        }
    }
}

/// A gateway that does not translate: the machine knows the way back, and begins as well. IPv6 never is translated.
fn untranslated(red: &Estate<'_>, machine: &Netns, c: &Workload) {
    let (gateway, gateway_mac) = red.face("network:router_gateway");
    let of_it = [("device_id", red.router.id.as_str()), ("device_owner", "network:router_gateway")];
    let ports = red.site.wait(red.site.admin.ports().list(&of_it)).unwrap().value;
    let v6 = ports[0].fixed_ips.iter().find(|ip| ip.ip_address.contains(':')).unwrap().ip_address.clone();
    machine.ip(&format!("route add fd00::/64 via {v6} dev eth0\n")).unwrap();
    reaches(red.site, c.netns(), "2001:db8::77");
    reaches(red.site, machine, "fd00::13");
    reaches(red.site, machine, &v6);
    red.lead(Some(false));
    machine.ip(&format!("route add 10.0.0.0/24 via {gateway} dev eth0\n")).unwrap();
    let (own, outside) = (c.spec().mac.clone(), mac_of(machine));
    let (_, inner) = red.face("network:router_interface");
    let there = [
        is([&own, &inner], ["10.0.0.13", MACHINE], 64),
        is([&gateway_mac, &outside], ["10.0.0.13", MACHINE], 63),
    ];
    let back = [
        is([&outside, &gateway_mac], [MACHINE, "10.0.0.13"], 64),
        is([&inner, &own], [MACHINE, "10.0.0.13"], 63),
    ];
    walk(red.site, [c.netns(), machine], MACHINE, [&there[0], &there[1]], [&back[0], &back[1]]);
    reaches(red.site, machine, "10.0.0.13");
    red.lead(Some(true));
    reaches(red.site, c.netns(), MACHINE);
}

/// What switches show is what was meant, to the byte: no audit finds anything.
fn nothing_is_mended(site: &Site) {
    for host in &site.hosts {
        let before = site.host_status(host).unwrap().audit.audits;
        wait_until("an audit", LIMIT, || Ok(site.host_status(host)?.audit.audits > before)).unwrap();
        let after = site.host_status(host).unwrap();
        assert_eq!((after.drift_repaired, &after.problems), (0, &Vec::new()), "{after:?}");
    }
}
