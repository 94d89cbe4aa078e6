//! Proves that routers work where the packet starts: between networks on other hosts and the same one, in both families,
//! by one tunnel, one hop counted; that static routes lead to appliances, shared ones to all of them; and that tenants
//! with the same prefixes stay apart.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::IpAddr;

use weft_api::{
    HostRoute, InterfaceAsked, Network, Port, PortCreate, Router, RouterCreate, RouterUpdate, Subnet,
};
use weft_compiler::Reason;
use weft_rig::{Capture, Workload, wait_until};
use weft_scenarios::frames::{End, mac, udp};
use weft_scenarios::{LIMIT, NetworkSpec, Site, Tenancy, Witness, drops, drops_text, wait_caches};

/// The subnets of the two networks; every tenant here has the same.
const LEFT: [&str; 2] = ["10.1.0.0/24", "fd01::/64"];
const RIGHT: [&str; 2] = ["10.2.0.0/24", "fd02::/64"];

/// A tenant with two networks and a router between them.
struct Estate<'a> {
    site: &'a Site,
    tenancy: Tenancy<'a>,
    left: Network,
    right: Network,
    router: Router,
}

impl<'a> Estate<'a> {
    fn build(site: &'a Site, name: &str, encaps: Option<[&str; 2]>) -> Estate<'a> {
        let tenancy = Tenancy::create(site, name).unwrap();
        let network = |name: &str, cidrs: &[&str], encap: Option<&str>| {
            let spec = NetworkSpec::new(name, cidrs);
            let spec = match encap {
                Some(encap) => spec.encap(encap),
                None => spec,
            };
            tenancy.network(&spec).unwrap()
        };
        let left = network("left", &LEFT, encaps.map(|encaps| encaps[0]));
        let right = network("right", &RIGHT, encaps.map(|encaps| encaps[1]));
        let new = RouterCreate { name: Some("r".into()), ..RouterCreate::default() };
        let router = site.wait(tenancy.client.routers().create(&new)).unwrap().value;
        let estate = Estate { site, tenancy, left, right, router };
        for network in [&estate.left, &estate.right] {
            for subnet in estate.subnets(network) {
                estate.join(&subnet);
            }
        }
        estate
    }

    fn subnets(&self, network: &Network) -> Vec<Subnet> {
        let of_it = [("network_id", network.id.as_str())];
        self.site.wait(self.tenancy.client.subnets().list(&of_it)).unwrap().value
    }

    fn join(&self, subnet: &Subnet) {
        let asked = InterfaceAsked { subnet_id: Some(subnet.id.clone()), port_id: None };
        self.site.apply(self.tenancy.client.routers().add_interface(&self.router.id, &asked)).unwrap();
    }

    fn part(&self, subnet: &Subnet) {
        let asked = InterfaceAsked { subnet_id: Some(subnet.id.clone()), port_id: None };
        self.site.apply(self.tenancy.client.routers().remove_interface(&self.router.id, &asked)).unwrap();
    }

    fn change(&self, change: RouterUpdate) {
        self.site.apply(self.tenancy.client.routers().update(&self.router.id, &change)).unwrap();
        wait_caches(&self.site.hosts).unwrap();
    }

    /// A workload with these last numbers in its addresses, and the gateways of its network.
    fn workload(&self, name: &str, network: &Network, number: u8, host: usize) -> Workload {
        let port = self.port(name, network, number, PortCreate::default());
        self.attach(name, network, &port, host)
    }

    fn port(&self, name: &str, network: &Network, number: u8, more: PortCreate) -> Port {
        let side = if network.id == self.left.id { 1 } else { 2 };
        let addresses = [format!("10.{side}.0.{number}"), format!("fd0{side}::{number}")];
        let new = PortCreate {
            network_id: network.id.clone(),
            name: Some(name.to_owned()),
            fixed_ips: Some(weft_scenarios::asked(&[&addresses[0], &addresses[1]])),
            ..more
        };
        self.tenancy.port_from(new).unwrap()
    }

    fn attach(&self, name: &str, network: &Network, port: &Port, host: usize) -> Workload {
        let mut spec = self.site.workload_spec(name, port).unwrap();
        for subnet in self.subnets(network) {
            spec = spec.gateway(subnet.gateway_ip.unwrap().parse::<IpAddr>().unwrap());
        }
        let workload = self.site.rig.add_workload(&self.site.hosts[host], spec).unwrap();
        self.site.wait_active(&port.id).unwrap();
        let revision = self.site.wait(self.site.admin.ports().show(&port.id)).unwrap().revision;
        self.site.wait_applied(revision).unwrap();
        workload
    }

    /// The MAC of the router's interface with that address.
    fn gateway_mac(&self, address: &str) -> String {
        let filter = format!("ip_address={address}");
        let of_it = [("device_id", self.router.id.as_str()), ("fixed_ips", filter.as_str())];
        let ports = self.site.wait(self.tenancy.client.ports().list(&of_it)).unwrap().value;
        ports[0].mac_address.clone()
    }
}

/// Both ways and both families; what is received has been forwarded once.
fn meet(site: &Site, a: &Workload, b: &Workload) {
    for (from, to) in [(a, b), (b, a)] {
        for address in [to.ipv4().unwrap(), to.ipv6().unwrap()] {
            let what = |error| panic!("{error:#}; {}", drops_text(&site.hosts));
            from.wait_reaches(address, LIMIT).unwrap_or_else(what);
            let said = from.exec(&["ping", "-n", "-c", "2", "-i", "0.05", &address.to_string()]);
            let said = said.unwrap_or_else(|error| panic!("{error:#}; {}", drops_text(&site.hosts)));
            let once = said.matches("ttl=63").count();
            assert_eq!(once, 2, "{} to {address}: {said}", from.name());
        }
    }
}

fn apart(site: &Site, from: &Workload, to: &str) {
    wait_caches(&site.hosts).unwrap();
    let result = from.ping(to.parse::<IpAddr>().unwrap(), 2).unwrap();
    assert!(result.none(), "{} reached {to}", from.name());
}

/// The walk of a tenant's packets between two networks, beside a tenant who has the same in every respect.
#[test]
fn networks_meet_through_a_router() {
    let site = Site::start("routers", 3).unwrap();
    let red = Estate::build(&site, "red", None);
    let blue = Estate::build(&site, "blue", None);
    let a = red.workload("ra", &red.left, 11, 0);
    let b = red.workload("rb", &red.right, 12, 1);
    let c = red.workload("rc", &red.right, 13, 0);
    let d = red.workload("rd", &red.left, 14, 1);
    let blue_a = blue.workload("ba", &blue.left, 11, 0);
    let blue_b = blue.workload("bb", &blue.right, 12, 1);
    site.rig.seed_tunnel_neighbours().unwrap();
    meet(&site, &a, &b);
    meet(&site, &a, &c);
    gateways_answer(&site, &a);
    one_tunnel_and_no_detour(&site, &red, [&a, &b]);
    a_hairpin_is_a_way(&a, &d);
    tenants_stay_apart(&site, [&a, &b], [&blue_a, &blue_b]);
    bytes_arrive(&a, &b);
    nothing_passes_a_router_that_is_off(&site, &red, [&a, &b]);
    nothing_passes_without_an_interface(&site, &red, [&a, &b]);
    // The other tenant noticed nothing of all that.
    meet(&site, &blue_a, &blue_b);
}

/// All addresses of the router answer, also the one on the other side, and so does the link-local one.
fn gateways_answer(site: &Site, from: &Workload) {
    for address in ["10.1.0.1", "10.2.0.1", "fd01::1", "fd02::1"] {
        let result = from.ping(address.parse::<IpAddr>().unwrap(), 2).unwrap();
        assert!(result.all(), "{address}: {result:?}; {}", drops_text(&site.hosts));
    }
    let said = from.exec(&["ping", "-n", "-c", "2", "-i", "0.05", "fd01::1"]).unwrap();
    assert_eq!(said.matches("ttl=64").count(), 2, "nothing forwards an answer of the router itself: {said}");
    let neighbours = from.exec(&["ip", "-6", "neigh", "show", "fd01::1"]).unwrap();
    assert!(neighbours.contains("lladdr"), "{neighbours}");
    // More hops than the packet may make, and a network that nobody has: the sender is told, and it counts as a drop.
    let before = drops(&site.hosts[0]).unwrap();
    for (options, to, wanted) in [
        (&["-t", "1"][..], "10.2.0.12", "From 10.1.0.1 icmp_seq=1 Time to live exceeded"),
        (&["-t", "1"], "fd02::12", "From fd01::1 icmp_seq=1 Time exceeded: Hop limit"),
        (&[], "203.0.113.1", "From 10.1.0.1 icmp_seq=1 Destination Net Unreachable"),
        (&[], "2001:db8::1", "From fd01::1 icmp_seq=1 Destination unreachable: No route"),
    ] {
        let ping = [&["ping", "-n", "-c", "1", "-W", "5"], options, &[to]].concat();
        let said = from.output(&ping).unwrap();
        assert!(!said.succeeded() && said.stdout.contains(wanted), "{to}: {said:?}");
    }
    // Nobody listens on a router.
    for to in ["10.1.0.1", "[fd01::1]"] {
        let connect = ["socat", "-T", "2", "-", &format!("TCP:{to}:7,connect-timeout=5")];
        let said = from.output(&connect).unwrap();
        let refused = said.stderr.contains("refused") || said.stderr.contains("No route to host");
        assert!(!said.succeeded() && refused, "{to}: {said:?}");
    }
    wait_until("the drops to be counted", LIMIT, || {
        let now = drops(&site.hosts[0])?;
        let reasons = [Reason::TtlExpired, Reason::NoRoute, Reason::RouterAddress];
        Ok(reasons.iter().all(|reason| now[reason] >= before[reason] + 2))
    })
    .unwrap();
}

/// What goes to another host travels under the destination network's VNI, straight there.
fn one_tunnel_and_no_detour(site: &Site, estate: &Estate<'_>, [a, b]: [&Workload; 2]) {
    let admin = |network: &Network| site.wait(site.admin.networks().show(&network.id)).unwrap().value;
    let vni = |network| admin(network).provider_segmentation_id.flatten().unwrap();
    let at = |host: usize, filter: &str| Capture::start(site.hosts[host].netns(), "eth0", filter).unwrap();
    let under = |vni: u32| format!("udp dst port 4789 and udp[12:4] == {}", vni << 8);
    let to = |host: usize| format!("dst host {}", site.hosts[host].underlay_ip());
    let mut there = at(0, &format!("{} and {}", under(vni(&estate.right)), to(1)));
    let mut back = at(0, &format!("{} and {}", under(vni(&estate.left)), to(0)));
    let mut elsewhere = at(2, "udp dst port 4789");
    assert!(a.ping(b.ipv4().unwrap(), 5).unwrap().all());
    assert!(there.count().unwrap() >= 5 && back.count().unwrap() >= 5);
    assert_eq!(elsewhere.count().unwrap(), 0, "a third host saw what was not for it");
}

/// Two workloads of one network by way of their router.
fn a_hairpin_is_a_way(a: &Workload, d: &Workload) {
    a.exec(&["ip", "route", "add", "10.1.0.14/32", "via", "10.1.0.1"]).unwrap();
    d.exec(&["ip", "route", "add", "10.1.0.11/32", "via", "10.1.0.1"]).unwrap();
    let said = a.exec(&["ping", "-n", "-c", "2", "-i", "0.05", "10.1.0.14"]).unwrap();
    assert_eq!(said.matches("ttl=63").count(), 2, "{said}");
    a.exec(&["ip", "route", "del", "10.1.0.14/32"]).unwrap();
    d.exec(&["ip", "route", "del", "10.1.0.11/32"]).unwrap();
}

/// The same addresses, the same routers' addresses, the same hosts: each pings its own.
fn tenants_stay_apart(site: &Site, reds: [&Workload; 2], blues: [&Workload; 2]) {
    meet(site, blues[0], blues[1]);
    let echo = "icmp[icmptype] == icmp-echo";
    let mut seen = reds.map(|red| Capture::start(red.netns(), "eth0", echo).unwrap());
    let mut own = Capture::start(blues[1].netns(), "eth0", echo).unwrap();
    assert!(blues[0].ping(blues[1].ipv4().unwrap(), 3).unwrap().all());
    assert_eq!(own.count().unwrap(), 3);
    assert!(seen.iter_mut().all(|seen| seen.count().unwrap() == 0), "red saw what blue sent");
}

/// A TCP connection through the router, in both families.
fn bytes_arrive(from: &Workload, to: &Workload) {
    for (family, address) in [("4", to.ipv4().unwrap()), ("6", to.ipv6().unwrap())] {
        let _server = to.spawn(&["iperf3", "-s", "-1", "-p", "5201"]).unwrap();
        let address = address.to_string();
        let run = ["iperf3", &format!("-{family}"), "-c", &address, "-n", "4M", "--connect-timeout", "3000"];
        wait_until("4 MiB to pass the router", LIMIT, || Ok(from.output(&run)?.succeeded())).unwrap();
    }
}

fn nothing_passes_a_router_that_is_off(site: &Site, estate: &Estate<'_>, [a, b]: [&Workload; 2]) {
    let before = drops(&site.hosts[0]).unwrap()[&Reason::RouterDown];
    estate.change(RouterUpdate { admin_state_up: Some(false), ..RouterUpdate::default() });
    apart(site, a, "10.2.0.12");
    apart(site, a, "10.1.0.1");
    wait_until("the drops to be counted", LIMIT, || {
        Ok(drops(&site.hosts[0])?[&Reason::RouterDown] >= before + 4)
    })
    .unwrap();
    estate.change(RouterUpdate { admin_state_up: Some(true), ..RouterUpdate::default() });
    meet(site, a, b);
}

fn nothing_passes_without_an_interface(site: &Site, estate: &Estate<'_>, [a, b]: [&Workload; 2]) {
    let subnets = estate.subnets(&estate.right);
    for subnet in &subnets {
        estate.part(subnet);
    }
    for address in [b.ipv4().unwrap(), b.ipv6().unwrap()] {
        apart(site, a, &address.to_string());
    }
    for subnet in &subnets {
        estate.join(subnet);
    }
    meet(site, a, b);
}

/// A port of an appliance: it forwards for others, so its sources are not its own.
fn appliance(estate: &Estate<'_>, name: &str, number: u8, host: usize) -> Workload {
    let more = PortCreate { port_security_enabled: Some(false), ..PortCreate::default() };
    let port = estate.port(name, &estate.left, number, more);
    let workload = estate.attach(name, &estate.left, &port, host);
    // What is behind it, right inside.
    workload.exec(&["ip", "addr", "add", "192.0.2.1/32", "dev", "lo"]).unwrap();
    workload.exec(&["ip", "addr", "add", "2001:db8::1/128", "dev", "lo", "nodad"]).unwrap();
    workload
}

/// Static routes: one next hop, several, none.
#[test]
fn static_routes_lead_to_appliances() {
    let site = Site::start("routes", 2).unwrap();
    let estate = Estate::build(&site, "red", None);
    let client = estate.workload("rb", &estate.right, 12, 0);
    let first = appliance(&estate, "rp", 21, 0);
    let second = appliance(&estate, "rq", 22, 1);
    site.rig.seed_tunnel_neighbours().unwrap();
    let outside: [IpAddr; 2] = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
    assert!(client.ping(outside[0], 1).unwrap().none(), "there is no route yet");
    let route = |destination: &str, nexthop: &str| HostRoute {
        destination: destination.to_owned(),
        nexthop: nexthop.to_owned(),
    };
    let set = |routes: &[HostRoute]| {
        estate.change(RouterUpdate { routes: Some(routes.to_vec()), ..RouterUpdate::default() });
    };
    let (near, near6) = (route("192.0.2.0/24", "10.1.0.21"), route("2001:db8::/32", "fd01::21"));
    let (far, far6) = (route("192.0.2.0/24", "10.1.0.22"), route("2001:db8::/32", "fd01::22"));
    for routes in [[near.clone(), near6.clone()], [far.clone(), far6.clone()]] {
        set(&routes);
        for address in outside {
            client.wait_reaches(address, LIMIT).unwrap();
        }
    }
    set(&[near.clone(), far, near6, far6]);
    connections_share_the_way(&estate, &client, [&first, &second]);
    set(&[near, route("192.0.2.1/32", "blackhole")]);
    let before = drops(&site.hosts[0]).unwrap()[&Reason::Blackhole];
    assert!(client.ping(outside[0], 2).unwrap().none());
    wait_until("the drops to be counted", LIMIT, || {
        Ok(drops(&site.hosts[0])?[&Reason::Blackhole] >= before + 2)
    })
    .unwrap();
}

/// Many connections to one address: each arrives at one appliance, always the same, and both have some.
fn connections_share_the_way(estate: &Estate<'_>, client: &Workload, appliances: [&Workload; 2]) {
    const CONNECTIONS: u16 = 64;
    let witnesses = appliances.map(|appliance| (mac(&appliance.spec().mac), Witness::at(appliance).unwrap()));
    for (me, to, gateway) in [
        (End::v4(client), "192.0.2.1", estate.gateway_mac("10.2.0.1")),
        (End::v6(client), "2001:db8::1", estate.gateway_mac("fd02::1")),
    ] {
        let outside = End::new(mac(&gateway), to.parse::<IpAddr>().unwrap());
        let payload = |port: u16| format!("connection {port} to {to}");
        for _ in 0..2 {
            for port in 10_000..10_000 + CONNECTIONS {
                let frame = udp(me, outside, (port, 9), payload(port).as_bytes());
                client.send_frame(&frame).unwrap();
            }
        }
        // What the appliance answers says the same again.
        let arrived = |n: usize, port: u16| {
            let (own, witness) = &witnesses[n];
            let is_one = |seen: &[u8]| seen.starts_with(own) && seen.ends_with(payload(port).as_bytes());
            witness.count(is_one).unwrap()
        };
        let counts = || -> Vec<[usize; 2]> {
            let ports = 10_000..10_000 + CONNECTIONS;
            ports.map(|port| [0, 1].map(|n: usize| arrived(n, port))).collect()
        };
        wait_until("all of it to arrive", LIMIT, || Ok(counts().iter().all(|[a, b]| a + b >= 2))).unwrap();
        let counts = counts();
        assert!(counts.iter().all(|[a, b]| *a == 0 || *b == 0), "a connection took two ways: {counts:?}");
        let left = counts.iter().filter(|[a, _]| *a > 0).count();
        assert!((8..=56).contains(&left), "of {CONNECTIONS} connections {left} took the first way");
    }
}

/// A network in Geneve and one in VXLAN, joined: each travels in its own encapsulation.
#[test]
fn encapsulations_meet_through_a_router() {
    let site = Site::start("routersg", 2).unwrap();
    let estate = Estate::build(&site, "red", Some(["geneve", "vxlan"]));
    let a = estate.workload("ra", &estate.left, 11, 0);
    let b = estate.workload("rb", &estate.right, 12, 1);
    site.rig.seed_tunnel_neighbours().unwrap();
    meet(&site, &a, &b);
    let at = |filter: &str| Capture::start(site.hosts[1].netns(), "eth0", filter).unwrap();
    let to = |n: usize| site.hosts[n].underlay_ip();
    let mut there = at(&format!("udp dst port 4789 and dst host {}", to(1)));
    let mut back = at(&format!("udp dst port 6081 and dst host {}", to(0)));
    assert!(a.ping(b.ipv4().unwrap(), 5).unwrap().all());
    assert!(there.count().unwrap() >= 5 && back.count().unwrap() >= 5);
}
