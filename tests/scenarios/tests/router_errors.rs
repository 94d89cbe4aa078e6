//! Proves that senders are told what routers cannot hand on, by every router on the way and in both families: what is too
//! large for a network (and that kernels learn from it), what nobody has, what nothing leads to, what went too far.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use weft_api::{
    HostRoute, InterfaceAsked, Network, NetworkUpdate, PortCreate, Router, RouterCreate, RouterUpdate,
    SecurityGroup,
};
use weft_compiler::Reason;
use weft_rig::{Workload, wait_until};
use weft_scenarios::{LIMIT, NetworkSpec, Site, Tenancy, asked, drops, drops_text, wait_caches};

/// How large packets of the network in the middle may be.
const NARROW: u32 = 1300;

/// Three networks in a row: `left`, then the first router, then `middle`, which is narrow, then the second router, then `far`.
struct Row<'a> {
    site: &'a Site,
    red: Tenancy<'a>,
    /// Who is behind two routers is a member of nothing that a receiver could ask for.
    open: SecurityGroup,
}

impl Row<'_> {
    fn network(&self, name: &str, number: u8) -> Network {
        let cidrs = [format!("10.{number}.0.0/24"), format!("fd0{number}::/64")];
        self.red.network(&NetworkSpec::new(name, &[&cidrs[0], &cidrs[1]])).unwrap()
    }

    fn router(&self, name: &str, routes: &[(&str, &str)], interfaces: &[InterfaceAsked]) -> Router {
        let routers = self.red.client.routers();
        let new = RouterCreate { name: Some(name.into()), ..RouterCreate::default() };
        let router = self.site.wait(routers.create(&new)).unwrap().value;
        for interface in interfaces {
            self.site.wait(routers.add_interface(&router.id, interface)).unwrap();
        }
        let route = |(to, via): &(&str, &str)| HostRoute {
            destination: (*to).to_owned(),
            nexthop: (*via).to_owned(),
        };
        let routes = Some(routes.iter().map(route).collect());
        let change = RouterUpdate { routes, ..RouterUpdate::default() };
        self.site.wait(routers.update(&router.id, &change)).unwrap().value
    }

    /// The gateway addresses of a network's subnets.
    fn gateways(&self, network: &Network) -> Vec<InterfaceAsked> {
        let of_it = [("network_id", network.id.as_str())];
        let subnets = self.site.wait(self.red.client.subnets().list(&of_it)).unwrap().value;
        let one = |id| InterfaceAsked { subnet_id: Some(id), port_id: None };
        subnets.into_iter().map(|subnet| one(subnet.id)).collect()
    }

    fn workload(&self, name: &str, network: &Network, number: u8, host: usize) -> Workload {
        let addresses = [format!("10.{number}.0.11"), format!("fd0{number}::11")];
        let new = PortCreate {
            fixed_ips: Some(asked(&[&addresses[0], &addresses[1]])),
            security_groups: Some(vec![self.open.id.clone()]),
            ..Tenancy::new_port(network, name)
        };
        let port = self.red.port_from(new).unwrap();
        let mut spec = self.site.workload_spec(name, &port).unwrap();
        for gateway in [format!("10.{number}.0.1"), format!("fd0{number}::1")] {
            spec = spec.gateway(gateway.parse::<std::net::IpAddr>().unwrap());
        }
        let workload = self.site.rig.add_workload(&self.site.hosts[host], spec).unwrap();
        self.site.wait_active(&port.id).unwrap();
        let revision = self.site.wait(self.site.admin.ports().show(&port.id)).unwrap().revision;
        self.site.wait_applied(revision).unwrap();
        workload
    }
}

#[test]
fn every_router_on_the_way_tells_what_it_cannot_hand_on() {
    let site = Site::start("routererr", 2).unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let row = Row { site: &site, open: red.open_group().unwrap(), red };
    let [left, middle, far] = [("left", 1), ("middle", 2), ("far", 3)].map(|(name, n)| row.network(name, n));
    let narrow = NetworkUpdate { mtu: Some(NARROW), ..NetworkUpdate::default() };
    site.wait(row.red.client.networks().update(&middle.id, &narrow)).unwrap();
    let to_far = [
        ("10.3.0.0/24", "10.2.0.254"),
        ("fd03::/64", "fd02::fe"),
        ("203.0.113.0/24", "10.2.0.254"),
        ("2001:db8::/32", "fd02::fe"),
    ];
    row.router("first", &to_far, &[row.gateways(&left), row.gateways(&middle)].concat());
    let new = PortCreate {
        fixed_ips: Some(asked(&["10.2.0.254", "fd02::fe"])),
        ..Tenancy::new_port(&middle, "second")
    };
    let port = row.red.port_from(new).unwrap();
    let own = InterfaceAsked { port_id: Some(port.id), subnet_id: None };
    let back = [("10.1.0.0/24", "10.2.0.1"), ("fd01::/64", "fd02::1")];
    row.router("second", &back, &[vec![own], row.gateways(&far)].concat());
    let near = row.workload("near", &left, 1, 0);
    let end = row.workload("end", &far, 3, 1);
    site.rig.seed_tunnel_neighbours().unwrap();
    for to in [end.ipv4().unwrap(), end.ipv6().unwrap()] {
        near.wait_reaches(to, LIMIT).unwrap_or_else(|e| panic!("{e:#}; {}", drops_text(&site.hosts)));
    }
    wait_caches(&site.hosts).unwrap();
    both_routers_tell(&site, &near);
    both_routers_answer(&near);
    paths_are_found_out(&site, &near, &end);
}

/// What the sender is told, by whom; and it counts as a drop.
fn both_routers_tell(site: &Site, near: &Workload) {
    let before = drops(&site.hosts[0]).unwrap();
    for (options, to, wanted) in [
        (&["-t", "1"][..], "10.3.0.11", "From 10.1.0.1 icmp_seq=1 Time to live exceeded"),
        (&["-t", "2"], "10.3.0.11", "From 10.2.0.254 icmp_seq=1 Time to live exceeded"),
        (&["-t", "2"], "fd03::11", "From fd02::fe icmp_seq=1 Time exceeded: Hop limit"),
        (&[], "203.0.113.1", "From 10.2.0.254 icmp_seq=1 Destination Net Unreachable"),
        (&[], "2001:db8::1", "From fd02::fe icmp_seq=1 Destination unreachable: No route"),
        (&[], "10.2.0.99", "From 10.1.0.1 icmp_seq=1 Destination Host Unreachable"),
        (&[], "10.3.0.99", "From 10.2.0.254 icmp_seq=1 Destination Host Unreachable"),
        (&[], "fd02::99", "From fd01::1 icmp_seq=1 Destination unreachable: Address unreachable"),
        (&[], "fd03::99", "From fd02::fe icmp_seq=1 Destination unreachable: Address unreachable"),
    ] {
        let ping = [&["ping", "-n", "-c", "1", "-W", "5"], options, &[to]].concat();
        let said = near.output(&ping).unwrap();
        assert!(!said.succeeded() && said.stdout.contains(wanted), "{to}: {said:?}");
    }
    wait_until("the drops to be counted", LIMIT, || {
        let now = drops(&site.hosts[0])?;
        let more = [(Reason::TtlExpired, 3), (Reason::NoRoute, 2), (Reason::NoNeighbour, 4)];
        Ok(more.iter().all(|(reason, count)| now[reason] >= before[reason] + count))
    })
    .unwrap();
}

/// All addresses of both routers, also the ones on the other side.
fn both_routers_answer(near: &Workload) {
    for address in ["10.2.0.1", "10.2.0.254", "10.3.0.1", "fd02::1", "fd02::fe", "fd03::1"] {
        let said = near.exec(&["ping", "-n", "-c", "2", "-i", "0.05", address]).unwrap();
        assert_eq!(said.matches("ttl=64").count(), 2, "{address}: {said}");
    }
}

/// A kernel learns how large its packets may be, and what is larger passes as soon as it has.
fn paths_are_found_out(site: &Site, near: &Workload, end: &Workload) {
    let before = drops(&site.hosts[0]).unwrap()[&Reason::TooBig];
    let (v4, v6) = (end.ipv4().unwrap().to_string(), end.ipv6().unwrap().to_string());
    let large = ["ping", "-n", "-c", "1", "-W", "5", "-s", "1400", "-M", "do"];
    for (to, wanted) in [
        (&v4, "From 10.1.0.1 icmp_seq=1 Frag needed and DF set (mtu = 1300)"),
        (&v6, "From fd01::1 icmp_seq=1 Packet too big: mtu=1300"),
    ] {
        let said = near.output(&[&large[..], &[to]].concat()).unwrap();
        assert!(
            !said.succeeded() && said.stdout.contains(wanted),
            "{to}: {said:?}; {}",
            drops_text(&site.hosts)
        );
        let learned = near.exec(&["ip", "route", "get", to]).unwrap();
        assert!(learned.contains("mtu 1300"), "{learned}");
    }
    // The largest that fits, and one byte more.
    for (size, passes) in [("1272", true), ("1273", false)] {
        near.exec(&["ip", "route", "flush", "cache"]).unwrap();
        let said = near.output(&["ping", "-n", "-c", "1", "-W", "5", "-M", "do", "-s", size, &v4]).unwrap();
        assert_eq!(said.succeeded(), passes, "{size}: {said:?}");
    }
    // Who may be fragmented is told as well, and from then on fragments by itself.
    for workload in [near, end] {
        for family in ["-4", "-6"] {
            workload.exec(&["ip", family, "route", "flush", "cache"]).unwrap();
        }
    }
    for to in [&v4, &v6] {
        let ping = ["ping", "-n", "-c", "1", "-W", "1", "-s", "1400", "-M", "dont", to];
        wait_until("a large ping in fragments", LIMIT, || Ok(near.output(&ping)?.succeeded()))
            .unwrap_or_else(|e| panic!("{to}: {e:#}; {}", drops_text(&site.hosts)));
    }
    for (family, to) in [("-4", &v4), ("-6", &v6)] {
        // Both: what the receiver knows of the path shows in the segments that it asks for.
        for workload in [near, end] {
            workload.exec(&["ip", family, "route", "flush", "cache"]).unwrap();
        }
        let _server = end.spawn(&["iperf3", "-s", "-1", "-p", "5201"]).unwrap();
        let run = ["iperf3", family, "-c", to, "-n", "2M", "--connect-timeout", "3000"];
        wait_until("2 MiB to pass", LIMIT, || Ok(near.output(&run)?.succeeded())).unwrap();
        let learned = near.exec(&["ip", "route", "get", to]).unwrap();
        assert!(learned.contains("mtu 1300"), "{learned}");
    }
    wait_until(
        "the drops to be counted",
        LIMIT,
        || Ok(drops(&site.hosts[0])?[&Reason::TooBig] >= before + 5),
    )
    .unwrap();
    // What fits is looked at as well, and not counted.
    wait_caches(&site.hosts).unwrap();
    let counted = drops(&site.hosts[0]).unwrap();
    near.exec(&["ping", "-n", "-c", "20", "-i", "0.02", "-s", "1200", &v4]).unwrap();
    wait_caches(&site.hosts).unwrap();
    assert_eq!(drops(&site.hosts[0]).unwrap()[&Reason::TooBig], counted[&Reason::TooBig]);
}
