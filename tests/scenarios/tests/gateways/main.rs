//! Proves what gateways promise on real Open vSwitch, with a machine outside that knows nothing of Weft: out with the
//! gateway's address and back, in by a floating IP and back, on the workload's own host and by way of the gateway's, by
//! forwarded ports; to one's own floating IP and to others'; two tenants with the same addresses who never mix; what senders
//! on both sides are told. Addresses and MACs are looked at on every hop, over VXLAN and Geneve.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod errors;
mod estate;
mod walk;

use weft_api::{FloatingIp, Network, Port, PortForwardingCreate};
use weft_compiler::Reason;
use weft_rig::{Netns, Workload, wait_until};
use weft_scenarios::fabric::Fabric;
use weft_scenarios::{LIMIT, Site, SiteSpec, drops, drops_text};

use crate::estate::{Estate, Family, public};
use crate::walk::{Around, Seen, Stop, reaches, walk};

/// The machine outside.
const MACHINE: &str = "203.0.113.77";
/// The VLAN of the external network.
const VLAN: u16 = 100;

fn mac_of(netns: &Netns) -> String {
    let said = netns.exec(&["ip", "-o", "link", "show", "eth0"]).unwrap();
    said.split_whitespace().skip_while(|word| *word != "link/ether").nth(1).unwrap().to_owned()
}

/// The ways between a workload and the machine outside.
struct Ways<'a> {
    red: &'a Estate<'a>,
    fabric: &'a Fabric<'a>,
    machine: &'a Netns,
    encap: &'a str,
    transit: u32,
}

/// Who goes out or in: on which host, and by which host's uplink.
struct Walker<'a> {
    workload: &'a Workload,
    host: usize,
    by: usize,
    /// Its address inside, and the address and MAC that it has outside.
    inside: &'a str,
    outside: (&'a str, &'a str),
}

impl Ways<'_> {
    /// A ping of the workload, or one of the machine to the address outside, with what is seen of it at every stop.
    fn walk(&self, walker: &Walker<'_>, is_asked_by_machine: bool) {
        let family = if walker.inside.contains(':') { Family::V6 } else { Family::V4 };
        let machine = if family == Family::V6 { "2001:db8::77" } else { MACHINE };
        let Walker { workload, host, by, inside, outside: (public, public_mac) } = *walker;
        let (own, far) = (workload.spec().mac.as_str(), mac_of(self.machine));
        let router = self.red.face("interface", family).mac;
        let gateway = self.red.face("gateway", family).mac;
        let site = self.red.site;
        let [here, there] = [host, by].map(|n| site.hosts[n].underlay_ip());
        let tunnel = |vni, ends| Around::Tunnel(self.encap.to_owned(), vni, ends);
        let vni = self.red.network.provider_segmentation_id.flatten().unwrap();
        // Out: from the workload to the gateway's host in the transit, onto the wire under its tag.
        let trunk = format!("blue-{}", site.hosts[by].name());
        let on_the_wire = |around, ttl| {
            let out = Seen::new(around, [public_mac, &far], [public, machine], ttl);
            let Seen { around, eth: [a, b], ip: [c, d], .. } = out.clone();
            (out, Seen { around, eth: [b, a], ip: [d, c], ttl: 64 })
        };
        let mut stops = Vec::new();
        let mut stop = |name, place, (out, back)| {
            let (there, back) = if is_asked_by_machine { (back, out) } else { (out, back) };
            stops.push(Stop { name, place, there, back });
        };
        let at_workload = (
            Seen::new(Around::Nothing, [own, &router], [inside, machine], 64),
            Seen::new(Around::Nothing, [&router, own], [machine, inside], 63),
        );
        stop("at the workload", (workload.netns(), "eth0"), at_workload);
        if host != by {
            let between = (
                Seen::new(tunnel(self.transit, [here, there]), [&router, &gateway], [inside, machine], 63),
                Seen::new(tunnel(vni, [there, here]), [&router, own], [machine, inside], 63),
            );
            stop("between the hosts", (site.hosts[host].netns(), "eth0"), between);
        }
        stop(
            "on the trunk",
            (self.fabric.switch.netns(), trunk.as_str()),
            on_the_wire(Around::Vlan(VLAN), 63),
        );
        stop("at the machine", (self.machine, "eth0"), on_the_wire(Around::Nothing, 63));
        let (from, to) =
            if is_asked_by_machine { (self.machine, public) } else { (workload.netns(), machine) };
        walk(site, from, to, &stops);
    }
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
    let public = public(&site);
    let red = Estate::build(&site, &public, "red", encap);
    fabric.map(&site.hosts[1]).unwrap();
    let addresses = [&format!("{MACHINE}/24")[..], "2001:db8::77/64"];
    let machine = fabric.machine("outside", "blue", Some(VLAN), &addresses).unwrap();
    let (port_a, a) = red.workload("a", 11, 1);
    let (port_b, b) = red.workload("b", 12, 2);
    let (_, c) = red.workload("c", 13, 0);
    site.rig.seed_tunnel_neighbours().unwrap();
    let gateway = red.face("gateway", Family::V4);
    let ways = Ways { red: &red, fabric: &fabric, machine: &machine, encap, transit: red.transit(0) };

    // Out with the gateway's address, from every host.
    let outside = (gateway.address.as_str(), gateway.mac.as_str());
    for (workload, inside, host) in [(&b, "10.0.0.12", 2), (&c, "10.0.0.13", 0), (&a, "10.0.0.11", 1)] {
        ways.walk(&Walker { workload, host, by: 0, inside, outside }, false);
    }
    bytes_pass(&b, &machine, MACHINE);
    // The gateway answers for itself, outside and inside; what is for nobody is dropped and counted.
    reaches(&site, &machine, &gateway.address);
    reaches(&site, b.netns(), &gateway.address);
    let before = drops(&site.hosts[0]).unwrap()[&Reason::Unsolicited];
    let connect = format!("TCP4:{}:80,connect-timeout=1", gateway.address);
    assert!(!machine.output(&["socat", "-u", "/dev/null", &connect]).unwrap().succeeded());
    wait_until("the drop to be counted", LIMIT, || Ok(drops(&site.hosts[0])?[&Reason::Unsolicited] > before))
        .unwrap();

    // In by floating IPs: on the own host, and by way of the gateway.
    let [of_a, of_b] = [&port_a, &port_b].map(|port| red.floating_ip(Some(port)));
    for (workload, inside, floating, host, by) in
        [(&a, "10.0.0.11", &of_a, 1, 1), (&b, "10.0.0.12", &of_b, 2, 0)]
    {
        let mac = red.mac_of(floating);
        let outside = (floating.floating_ip_address.as_str(), mac.as_str());
        let walker = Walker { workload, host, by, inside, outside };
        ways.walk(&walker, true);
        ways.walk(&walker, false);
    }
    bytes_pass_in(&site, &machine, &a, &of_a.floating_ip_address, 7000, 7000);
    hairpins(&site, [&a, &b, &c], [&of_a, &of_b]);
    told_on_both_sides(&red, &machine, [&a, &b, &c], [&of_a, &of_b]);
    // IPv6 is only routed.
    let v6 = red.face("gateway", Family::V6).mac;
    for (workload, inside, host) in [(&b, "fd00::12", 2), (&c, "fd00::13", 0)] {
        let walker = Walker { workload, host, by: 0, inside, outside: (inside, v6.as_str()) };
        ways.walk(&walker, false);
        ways.walk(&walker, true);
    }
    forwarded(&red, &machine, (&port_b, &b), &of_b);
    tenants_never_mix(&site, &public, encap, &machine, (&red, &c));
    untranslated(&ways, &c, &of_a);
    nothing_is_mended(&site);
}

/// What senders outside and inside are told of what cannot be handed on.
fn told_on_both_sides(
    red: &Estate<'_>,
    machine: &Netns,
    [a, b, c]: [&Workload; 3],
    [of_a, of_b]: [&FloatingIp; 2],
) {
    let _servers = [machine, a.netns(), b.netns(), c.netns()].map(errors::serve);
    let [of_a, of_b] = [of_a, of_b].map(|ip| ip.floating_ip_address.as_str());
    errors::of_the_way(red, machine, [(a, of_a), (b, of_b)], c);
    errors::of_what_comes_in(red, machine, [of_a, of_b], c);
    errors::of_what_goes_out(red, machine, &[a, b, c]);
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
    let addresses = [red, &green].map(|estate| estate.face("gateway", Family::V4).address);
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

/// A gateway that does not translate: the machine knows the way back, and begins as well. Floating IPs of the same router are
/// reached nevertheless.
fn untranslated(ways: &Ways<'_>, c: &Workload, of_a: &FloatingIp) {
    let Ways { red, machine, .. } = *ways;
    let gateway = red.face("gateway", Family::V4);
    red.lead(Some(false));
    machine.ip(&format!("route add 10.0.0.0/24 via {} dev eth0\n", gateway.address)).unwrap();
    let outside = ("10.0.0.13", gateway.mac.as_str());
    let walker = Walker { workload: c, host: 0, by: 0, inside: "10.0.0.13", outside };
    ways.walk(&walker, false);
    ways.walk(&walker, true);
    reaches(red.site, c.netns(), &of_a.floating_ip_address);
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
