//! Proves what machines of which Weft knows nothing may expect of its routers: a router on a stick between two VLANs is
//! their gateway and finds them, in both families, also as next hop of a route; one host alone stands for it on the wire; what was
//! learned outlives the controller, without whom a machine that changes its MAC is followed; a restart sends nothing.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::IpAddr;

use weft_api::{
    HostRoute, InterfaceAsked, Network, NetworkCreate, PortCreate, Router, RouterCreate, RouterUpdate,
    SubnetCreate,
};
use weft_rig::{Capture, Host, Netns, OpenFlowLog, Workload, wait_until};
use weft_scenarios::fabric::{Fabric, route_by};
use weft_scenarios::{LIMIT, Site, Tenancy, Traffic, asked, drops_text, wait_caches};

/// What is behind the machine in the first VLAN.
const BEYOND: [&str; 2] = ["192.0.2.1", "2001:db8:9::1"];

/// A router between two VLANs of one physical network.
struct Stick<'a> {
    site: &'a Site,
    tenancy: Tenancy<'a>,
    /// By their VLANs: 100 and 200.
    networks: [Network; 2],
    router: Router,
}

impl<'a> Stick<'a> {
    fn build(site: &'a Site) -> Stick<'a> {
        let tenancy = Tenancy::create(site, "red").unwrap();
        let router = RouterCreate { name: Some("r".into()), ..RouterCreate::default() };
        let router = site.wait(tenancy.client.routers().create(&router)).unwrap().value;
        let networks = [1, 2].map(|side| {
            let new = NetworkCreate {
                project_id: Some(tenancy.id.clone()),
                provider_network_type: Some("vlan".to_owned()),
                provider_physical_network: Some("blue".to_owned()),
                provider_segmentation_id: Some(100 * side),
                ..NetworkCreate::default()
            };
            let network = site.wait(site.admin.networks().create(&new)).unwrap().value;
            for cidr in [format!("10.{side}.0.0/24"), format!("fd0{side}::/64")] {
                let new = SubnetCreate { network_id: network.id.clone(), cidr, ..SubnetCreate::default() };
                let subnet = site.wait(tenancy.client.subnets().create(&new)).unwrap().value;
                let asked = InterfaceAsked { subnet_id: Some(subnet.id), port_id: None };
                site.apply(tenancy.client.routers().add_interface(&router.id, &asked)).unwrap();
            }
            network
        });
        Stick { site, tenancy, networks, router }
    }

    /// A workload in one of the networks.
    fn workload(&self, name: &str, side: u8, number: u8, host: usize) -> Workload {
        let network = &self.networks[usize::from(side) - 1];
        let addresses = [format!("10.{side}.0.{number}"), format!("fd0{side}::{number}")];
        let port = self.tenancy.port_from(PortCreate {
            fixed_ips: Some(asked(&[&addresses[0], &addresses[1]])),
            security_groups: Some(vec![self.tenancy.open_group().unwrap().id]),
            ..Tenancy::new_port(network, name)
        });
        let port = port.unwrap();
        let mut spec = self.site.workload_spec(name, &port).unwrap();
        for gateway in gateways(side) {
            spec = spec.gateway(gateway);
        }
        let workload = self.site.rig.add_workload(&self.site.hosts[host], spec).unwrap();
        self.site.wait_active(&port.id).unwrap();
        workload
    }

    /// A machine in one of the VLANs, with the router as its gateway.
    fn machine(&self, fabric: &Fabric<'_>, name: &str, side: u8, number: u8) -> Netns {
        let addresses = [format!("10.{side}.0.{number}/24"), format!("fd0{side}::{number}/64")];
        let vlan = Some(100 * u16::from(side));
        let netns = fabric.machine(name, "blue", vlan, &[&addresses[0], &addresses[1]]).unwrap();
        route_by(&netns, &gateways(side)).unwrap();
        netns
    }

    /// The MACs of the router's interfaces.
    fn macs(&self) -> Vec<String> {
        let of_it = [("device_id", self.router.id.as_str())];
        let ports = self.site.wait(self.tenancy.client.ports().list(&of_it)).unwrap().value;
        ports.into_iter().map(|port| port.mac_address).collect()
    }
}

fn gateways(side: u8) -> [IpAddr; 2] {
    [format!("10.{side}.0.1"), format!("fd0{side}::1")].map(|address| address.parse().unwrap())
}

/// Somebody in one of the networks, known to Weft or not.
struct Party<'a> {
    name: &'a str,
    netns: &'a Netns,
    addresses: [String; 2],
}

impl<'a> Party<'a> {
    fn new(name: &'a str, netns: &'a Netns, side: u8, number: u8) -> Party<'a> {
        Party { name, netns, addresses: [format!("10.{side}.0.{number}"), format!("fd0{side}::{number}")] }
    }

    fn reaches(&self, site: &Site, address: &str) {
        let ping = |count: &str| {
            let said = self.netns.output(&["ping", "-n", "-c", count, "-i", "0.05", "-W", "1", address])?;
            Ok(said.succeeded() && said.stdout.contains(&format!(" {count} received, 0% packet loss")))
        };
        // The first packet to somebody who is not known yet is lost.
        wait_until(&format!("{} to reach {address}", self.name), LIMIT, || ping("1"))
            .unwrap_or_else(|error| panic!("{error:#}; {}; {}", drops_text(&site.hosts), tables(site)));
        assert!(ping("3").unwrap(), "{} to {address}; {}", self.name, drops_text(&site.hosts));
    }

    /// A line there and back.
    fn talks(&self, address: &str) {
        let to =
            if address.contains(':') { format!("TCP6:[{address}]:7") } else { format!("TCP4:{address}:7") };
        let run = format!("echo hello | socat -t 5 - {to},connect-timeout=5");
        let said = self.netns.output(&["sh", "-c", &run]).unwrap();
        assert_eq!(said.stdout.trim(), "hello", "{} to {address}: {said:?}", self.name);
    }
}

fn tables(site: &Site) -> String {
    let tables = ["0", "16", "17", "18", "44", "46", "48", "49", "60", "62"];
    let dump = |host: &Host| {
        let one = |table: &&str| host.ofctl(&["dump-flows", "br-int", &format!("table={table}")]).unwrap();
        format!("{}:\n{}", host.name(), tables.iter().map(one).collect::<String>())
    };
    site.hosts.iter().map(dump).collect()
}

/// What a host has learned of neighbours: that one was asked for, which counts for a second, is no such thing.
fn learned(host: &Host) -> Vec<String> {
    let flows = host.ofctl(&["dump-flows", "br-int", "table=18"]).unwrap();
    let lasts =
        |line: &&str| ["hard_timeout=300,", "hard_timeout=1200,"].iter().any(|time| line.contains(time));
    flows.lines().filter(lasts).map(str::to_owned).collect()
}

fn everybody_meets(site: &Site, parties: &[Party<'_>]) {
    for from in parties {
        for to in parties.iter().filter(|to| to.name != from.name) {
            to.addresses.iter().for_each(|address| from.reaches(site, address));
        }
    }
}

#[test]
fn a_router_on_a_stick_serves_machines() {
    let mut site = Site::start("stick", 2).unwrap();
    site.redial_soon().unwrap();
    let fabric = Fabric::build(&site).unwrap();
    site.hosts.iter().for_each(|host| fabric.map(host).unwrap());
    let stick = Stick::build(&site);
    let (a, b) = (stick.workload("a", 1, 11, 0), stick.workload("b", 2, 12, 1));
    let (m, n) = (stick.machine(&fabric, "m", 1, 100), stick.machine(&fabric, "n", 2, 200));
    wait_caches(&site.hosts).unwrap();
    let parties = [
        Party::new("a", a.netns(), 1, 11),
        Party::new("b", b.netns(), 2, 12),
        Party::new("m", &m, 1, 100),
        Party::new("n", &n, 2, 200),
    ];
    everybody_meets(&site, &parties);
    for party in &parties {
        let _echo =
            party.netns.spawn(&["socat", "TCP6-LISTEN:7,fork,reuseaddr,ipv6only=0", "EXEC:cat"]).unwrap();
        wait_until("the server to listen", LIMIT, || Ok(party.netns.exec(&["ss", "-tln"])?.contains(":7 ")))
            .unwrap();
        for from in parties.iter().filter(|from| from.name != party.name) {
            party.addresses.iter().for_each(|address| from.talks(address));
        }
    }
    // The router itself answers machines, from whichever side.
    for address in ["10.1.0.1", "10.2.0.1", "fd01::1", "fd02::1"] {
        parties[2].reaches(&site, address);
    }
    one_host_stands_for_the_router(&stick, &fabric);
    who_is_silent_is_asked_again(&site, a.netns(), &n, "10.2.0.200");
    who_is_silent_is_asked_again(&site, a.netns(), &n, "fd02::200");
    a_machine_is_a_next_hop(&stick, &m, &parties);

    let addresses = parties.map(|party| party.addresses);
    let macs = stick.macs();
    drop((stick, fabric));
    without_a_controller(&mut site, [&a, &b], [&m, &n], &addresses);
    assert!(macs.iter().all(|mac| mac.starts_with("02:57:46")), "{macs:?}");
}

/// The operator's switch sees the router's MACs behind one host's port only, and the other host under MACs of its own.
fn one_host_stands_for_the_router(stick: &Stick<'_>, fabric: &Fabric<'_>) {
    let known = fabric.switch.appctl(&["fdb/show", "blue"]).unwrap();
    let ports =
        fabric.switch.exec(&["ovs-vsctl", "--bare", "--columns=name,ofport", "list", "Interface"]).unwrap();
    let number = |host: &Host| {
        let name = format!("blue-{}", host.name());
        let mut lines = ports.lines().skip_while(|line| *line != name);
        lines.nth(1).unwrap().to_owned()
    };
    let [first, second] = [number(&stick.site.hosts[0]), number(&stick.site.hosts[1])];
    // Port, VLAN, MAC, age. Other MACs may have such bytes further behind.
    let at = |mac: &str| -> Vec<&str> {
        let rows = known.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let of_it = rows.filter(|row| row.get(2).is_some_and(|known| known.starts_with(mac)));
        of_it.map(|row| row[0]).collect()
    };
    for mac in stick.macs() {
        let seen = at(&mac);
        assert!(!seen.is_empty() && seen.iter().all(|port| *port == seen[0]), "{mac}: {known}");
        assert!([first.as_str(), second.as_str()].contains(&seen[0]), "{mac}: {known}; {ports}");
    }
    let own = at("0e:");
    assert!(!own.is_empty() && own.iter().all(|port| *port == own[0]), "{known}");
    assert!(own[0] != at(&stick.macs()[0])[0], "{known}");
    let moves = fabric.switch.appctl(&["fdb/stats-show", "blue"]).unwrap();
    assert!(moves.lines().any(|line| line.contains("moved") && line.trim().ends_with(": 0")), "{moves}");
}

/// Five minutes later, as far as the first host knows: the machine's MAC is still there, but not that it was heard of. Packets
/// go on at once, it is asked for nevertheless, and its answer is remembered. How time itself goes by is tested with the
/// compiler, on a clock that can be moved.
fn who_is_silent_is_asked_again(site: &Site, from: &Netns, machine: &Netns, address: &str) {
    let host = &site.hosts[0];
    let link = machine.exec(&["ip", "-br", "link", "show", "eth0"]).unwrap();
    let mac = link.split_whitespace().nth(2).unwrap();
    let family = |flow: &&String| flow.contains("ipv6") == address.contains(':');
    let entries = |lifetime: &str| {
        let of_it = learned(host).into_iter().filter(|flow| flow.contains(mac));
        of_it.filter(|flow| family(&flow) && flow.contains(lifetime)).count()
    };
    // What says so is learned under cookies of its own.
    let kind = if address.contains(':') { "0x12" } else { "0x2" };
    let fresh = format!("table=18,cookie={kind}/0xff");
    let asked = if address.contains(':') { "icmp6 and ip6[40] == 135" } else { "arp[6:2] == 1" };
    let asked = format!("{asked} and not ether src {mac}");
    let mut capture = Capture::start(machine, "eth0", &asked).unwrap();
    // The machine may say something by itself at any time, and is not asked then.
    wait_until("the machine to be asked", LIMIT, || {
        host.ofctl(&["del-flows", "br-int", &fresh])?;
        wait_caches(&site.hosts)?;
        let before = capture.count()?;
        let said = from.exec(&["ping", "-n", "-c", "5", "-i", "0.05", "-W", "1", address])?;
        assert!(said.contains(" 5 received"), "{said}");
        Ok(capture.count()? > before)
    })
    .unwrap_or_else(|error| panic!("{error:#}; {:?}", learned(host)));
    wait_until("the machine to be heard of again", LIMIT, || Ok(entries("hard_timeout=300,") > 0))
        .unwrap_or_else(|error| panic!("{error:#}; {:?}", learned(host)));
    assert_eq!(entries("hard_timeout=1200,"), 1, "{:?}", learned(host));
}

/// Routes lead to what is behind a machine.
fn a_machine_is_a_next_hop(stick: &Stick<'_>, machine: &Netns, parties: &[Party<'_>]) {
    machine.ip("link set lo up\n").unwrap();
    for address in BEYOND {
        let length = if address.contains(':') { 128 } else { 32 };
        machine.ip(&format!("addr add {address}/{length} dev lo\n")).unwrap();
    }
    let route = |destination: &str, nexthop: &str| HostRoute {
        destination: destination.to_owned(),
        nexthop: nexthop.to_owned(),
    };
    let routes = vec![route("192.0.2.0/24", "10.1.0.100"), route("2001:db8:9::/64", "fd01::100")];
    let change = RouterUpdate { routes: Some(routes), ..RouterUpdate::default() };
    stick.site.apply(stick.tenancy.client.routers().update(&stick.router.id, &change)).unwrap();
    wait_caches(&stick.site.hosts).unwrap();
    for from in [&parties[1], &parties[3]] {
        BEYOND.iter().for_each(|address| from.reaches(stick.site, address));
    }
}

/// Everything goes on without a controller, a new MAC included; and the next one finds all as it should be.
fn without_a_controller(
    site: &mut Site,
    [a, b]: [&Workload; 2],
    [m, n]: [&Netns; 2],
    addresses: &[[String; 2]; 4],
) {
    let traffic = Traffic::start(a, addresses[3][0].parse().unwrap()).unwrap();
    let heard: Vec<OpenFlowLog> = site.hosts.iter().map(|host| host.watch_openflow().unwrap()).collect();
    let before: Vec<usize> = site.hosts.iter().map(|host| learned(host).len()).collect();
    assert!(before.iter().all(|count| *count > 0), "{before:?}");
    site.controller.kill9().unwrap();
    traffic.wait_more(20).unwrap();
    let parties = [("a", a.netns()), ("b", b.netns()), ("m", m), ("n", n)];
    let parties: Vec<Party<'_>> = (parties.into_iter().zip(addresses))
        .map(|((name, netns), addresses)| Party { name, netns, addresses: addresses.clone() })
        .collect();
    everybody_meets(site, &parties);

    // A machine gets another MAC, and says so.
    let mac = "02:00:5e:77:00:01";
    m.exec(&["sysctl", "-qw", "net.ipv4.conf.eth0.arp_notify=1", "net.ipv6.conf.eth0.ndisc_notify=1"])
        .unwrap();
    m.ip(&format!("link set dev eth0 address {mac}\n")).unwrap();
    wait_until("the new MAC to be learned", LIMIT, || {
        let has = |host: &Host| learned(host).iter().filter(|flow| flow.contains(mac)).count() >= 4;
        Ok(site.hosts.iter().all(has))
    })
    .unwrap_or_else(|error| panic!("{error:#}; {}", tables(site)));
    for from in [&parties[1], &parties[3]] {
        parties[2].addresses.iter().for_each(|address| from.reaches(site, address));
    }

    site.controller.start_again(LIMIT).unwrap();
    site.wait_connected().unwrap();
    traffic.wait_more(20).unwrap();
    for (host, heard) in site.hosts.iter().zip(&heard) {
        let status = site.host_status(host).unwrap();
        assert_eq!((status.flow_messages_sent, status.drift_repaired), (0, 0), "{status:?}");
        assert_eq!(heard.count(&["OFPT_FLOW_MOD", "OFPT_BUNDLE_ADD_MESSAGE"]).unwrap(), 0);
    }
    assert_eq!(traffic.lost().unwrap(), Vec::<u32>::new());
    let after: Vec<usize> = site.hosts.iter().map(|host| learned(host).len()).collect();
    assert!(after.iter().zip(&before).all(|(after, before)| after >= before), "{before:?}, {after:?}");
}
