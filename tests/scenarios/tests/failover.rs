//! Proves that gateways fail over where the packets are: the switch of the host that serves a router's gateway is killed
//! under traffic, with the controller alive and without it, and traffic goes on by the next host after the time that it takes
//! to notice. What is lost is counted and printed. When the first host comes back, so does the traffic.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::IpAddr;
use std::time::Duration;

use weft_api::{
    FloatingIpCreate, GatewayAsked, InterfaceAsked, Network, NetworkCreate, Port, Router, RouterCreate,
    SubnetCreate,
};
use weft_rig::{Host, Netns, OpenFlowLog, Process, Workload, wait_until};
use weft_scenarios::fabric::Fabric;
use weft_scenarios::{LIMIT, NetworkSpec, Site, Tenancy, Traffic, drops_text, wait_caches};

/// Who is outside.
const WORLD: &str = "203.0.113.1";
const WORLD_V6: &str = "2001:db8::1";
/// How long it takes at the most until a silent switch counts as dead: three packets of BFD, 200 ms apart, plus what the
/// switch takes to look.
const DETECTION: Duration = Duration::from_millis(3 * 200);
/// What a busy machine may take longer.
const SLACK: Duration = Duration::from_secs(4);
/// Between two pings.
const INTERVAL: Duration = Duration::from_millis(10);
/// Every message that could change a table.
const CHANGES: [&str; 5] =
    ["OFPT_FLOW_MOD", "OFPT_GROUP_MOD", "OFPT_METER_MOD", "OFPT_BUNDLE_CONTROL", "OFPT_BUNDLE_ADD_MESSAGE"];

/// A server that says everything again.
const ECHO: &str = r"
import socket, threading
listening = socket.create_server(('0.0.0.0', 7))
def serve(peer):
    try:
        while said := peer.recv(4096):
            peer.sendall(said)
    except OSError:
        pass
while True:
    threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()
";
/// A client that speaks every 20 ms and tells how long it has waited for an answer at the most.
const SPEAK: &str = r"
import socket, sys, time
peer = socket.create_connection((sys.argv[1], 7), timeout=10)
peer.settimeout(0.02)
last, worst, heard = time.monotonic(), 0, 0
while True:
    try:
        peer.send(b'x')
        answer = peer.recv(4096)
        if not answer:
            sys.exit('closed')
        now = time.monotonic()
        worst, last, heard = max(worst, now - last), now, heard + len(answer)
        print('said', heard, 'longest_ms', int(worst * 1000), flush=True)
    except TimeoutError:
        pass
    time.sleep(0.02)
";

/// A connection that is spoken over all the time.
struct Talk {
    name: &'static str,
    process: Process,
}

impl Talk {
    fn start(name: &'static str, from: &Netns, to: &str) -> Talk {
        let talk = Talk { name, process: from.spawn(&["python3", "-c", SPEAK, to]).unwrap() };
        talk.wait_more(20);
        talk
    }

    /// How much was answered, and the longest wait for it in milliseconds.
    fn state(&self) -> Option<(usize, u64)> {
        let log = self.process.log().unwrap();
        // The last line may be half written.
        let line = log.rsplit_once('\n')?.0.lines().rev().find(|line| line.starts_with("said "))?;
        let words: Vec<&str> = line.split(' ').collect();
        Some((words[1].parse().unwrap(), words[3].parse().unwrap()))
    }

    fn wait_more(&self, more: usize) {
        let before = self.state().map_or(0, |(said, _)| said);
        wait_until(&format!("the {} to go on", self.name), LIMIT, || {
            Ok(self.state().is_some_and(|(said, _)| said >= before + more))
        })
        .unwrap_or_else(|error| panic!("{error}: {}", self.process.log().unwrap()));
    }

    /// Whether it has survived, in words.
    fn told(&self) -> String {
        let log = self.process.log().unwrap();
        match (log.lines().last(), self.state()) {
            (Some(line), Some((_, longest))) if line.starts_with("said ") => {
                format!("{} went on, longest silence {longest} ms", self.name)
            }
            (line, _) => format!("{} ended: {}", self.name, line.unwrap_or_default()),
        }
    }
}

/// What the test has built.
struct Estate<'a> {
    site: &'a Site,
    fabric: &'a Fabric<'a>,
    world: Netns,
    /// Leaves with the gateway's address.
    plain: Workload,
    /// Has a floating IP.
    floating: Workload,
    address: IpAddr,
    router: Router,
    /// The MAC address of its gateway.
    mac: String,
}

impl<'a> Estate<'a> {
    fn build(site: &'a Site, fabric: &'a Fabric<'a>, encap: &str) -> Estate<'a> {
        for host in &site.hosts[..2] {
            fabric.map(host).unwrap();
        }
        let addresses = [format!("{WORLD}/24"), format!("{WORLD_V6}/64")];
        let world = fabric.machine("world", "blue", None, &[&addresses[0], &addresses[1]]).unwrap();
        let red = Tenancy::create(site, "red").unwrap();
        let external = external(site);
        let inside = NetworkSpec::new("in", &["10.0.0.0/24", "fd00::/64"]).encap(encap);
        let inside = red.network(&inside).unwrap();
        let out = GatewayAsked { network_id: Some(external.id.clone()), ..GatewayAsked::default() };
        let new = RouterCreate { external_gateway_info: Some(out), ..RouterCreate::default() };
        let router = site.wait(red.client.routers().create(&new)).unwrap().value;
        let subnets = site.wait(red.client.subnets().list(&[("network_id", &inside.id)])).unwrap().value;
        for subnet in subnets {
            let asked = InterfaceAsked { subnet_id: Some(subnet.id), ..InterfaceAsked::default() };
            site.apply(red.client.routers().add_interface(&router.id, &asked)).unwrap();
        }
        let group = red.open_group().unwrap();
        let open = |name: &str| {
            let mut new = Tenancy::new_port(&inside, name);
            new.security_groups = Some(vec![group.id.clone()]);
            red.port_from(new).unwrap()
        };
        let (plain, floating) = (open("plain"), open("floating"));
        let attach = |name: &str, port: &Port| {
            let spec = site.workload_spec(name, port).unwrap().gateway([10, 0, 0, 1]);
            let spec = spec.gateway("fd00::1".parse::<IpAddr>().unwrap());
            let workload = site.rig.add_workload(&site.hosts[2], spec).unwrap();
            site.wait_active(&port.id).unwrap();
            workload
        };
        let new = FloatingIpCreate {
            floating_network_id: external.id.clone(),
            port_id: Some(floating.id.clone()),
            ..FloatingIpCreate::default()
        };
        let (plain, workload) = (attach("plain", &plain), attach("floating", &floating));
        let address = site.apply(red.client.floating_ips().create(&new)).unwrap().floating_ip_address;
        // Hosts say in their own time which bridges they have.
        let mut router = router;
        wait_until("two hosts that serve the gateway", LIMIT, || {
            router = site.wait(site.admin.routers().show(&router.id))?.value;
            Ok(router.weft_gateway_hosts.as_ref().is_some_and(|hosts| hosts.len() == 2))
        })
        .unwrap();
        site.rig.seed_tunnel_neighbours().unwrap();
        let address = address.parse().unwrap();
        let query = [("device_id", router.id.as_str()), ("device_owner", "network:router_gateway")];
        let port = site.wait(site.admin.ports().list(&query)).unwrap().value.remove(0);
        let v6 = port.fixed_ips.iter().find(|ip| ip.ip_address.contains(':')).unwrap();
        world.ip(&format!("route add fd00::/64 via {} dev eth0\n", v6.ip_address)).unwrap();
        let mac = port.mac_address;
        Estate { site, fabric, world, plain, floating: workload, address, router, mac }
    }

    /// The hosts of the gateway's list, in its order.
    fn gateways(&self) -> Vec<&'a Host> {
        let names = self.router.weft_gateway_hosts.clone().unwrap();
        let host = |name: &String| self.site.hosts.iter().find(|host| host.name() == name).unwrap();
        names.iter().map(host).collect()
    }

    /// Waits until the operator's switch has the gateway behind this host.
    fn wait_learnt(&self, host: &Host) {
        let wanted =
            self.fabric.switch.vsctl(&["get", "Interface", &format!("blue-{}", host.name()), "ofport"]);
        let wanted = wanted.unwrap().trim().to_owned();
        wait_until(&format!("the switch to find the gateway behind {}", host.name()), LIMIT, || {
            let table = self.fabric.switch.appctl(&["fdb/show", "blue"])?;
            let line = table.lines().find(|line| line.contains(&self.mac)).unwrap_or_default().to_owned();
            Ok(line.split_whitespace().next() == Some(wanted.as_str()))
        })
        .unwrap();
    }
}

/// A flat network of the operator's for everybody to go out by.
fn external(site: &Site) -> Network {
    let operator = Tenancy::create(site, "operator").unwrap();
    let new = NetworkCreate {
        name: Some("public".to_owned()),
        project_id: Some(operator.id.clone()),
        provider_network_type: Some("flat".to_owned()),
        provider_physical_network: Some("blue".to_owned()),
        router_external: Some(true),
        ..NetworkCreate::default()
    };
    let network = site.wait(site.admin.networks().create(&new)).unwrap().value;
    for (cidr, gateway) in [("203.0.113.0/24", WORLD), ("2001:db8::/64", WORLD_V6)] {
        let subnet = SubnetCreate {
            network_id: network.id.clone(),
            cidr: cidr.to_owned(),
            gateway_ip: Some(Some(gateway.to_owned())),
            ..SubnetCreate::default()
        };
        site.wait(site.admin.subnets().create(&subnet)).unwrap();
    }
    network
}

/// How many of the numbers are new, as time.
fn time_lost(now: &[u32], before: usize) -> Duration {
    INTERVAL * u32::try_from(now.len() - before).unwrap()
}

#[test]
fn a_gateway_that_dies_is_followed_by_the_next() {
    followed("failover", "vxlan", &["with the controller", "without a controller"]);
}

#[test]
fn so_it_is_over_geneve() {
    followed("failoverg", "geneve", &["with the controller"]);
}

/// The first host is there again, and so is what it serves.
fn comes_back(estate: &Estate<'_>, first: &Host, streams: &[(&str, &Traffic)], told: &str) {
    let lost = |stream: &Traffic| stream.lost().unwrap();
    let before: Vec<usize> = streams.iter().map(|(_, stream)| lost(stream).len()).collect();
    first.start_vswitchd().unwrap();
    estate.wait_learnt(first);
    streams.iter().for_each(|(_, stream)| stream.wait_more(200).unwrap());
    for ((name, stream), before) in streams.iter().zip(before) {
        let lost = time_lost(&lost(stream), before);
        println!("{told}: the gateway comes back: {name}: {lost:?} lost");
        assert!(lost <= SLACK, "{name}: {lost:?}");
    }
}

fn followed(name: &str, encap: &str, times: &[&str]) {
    let mut site = Site::start(name, 3).unwrap();
    site.redial_soon().unwrap();
    // The controller is stopped in the end; everything else only looks.
    let controller = &mut std::mem::replace(&mut site.controller, {
        weft_rig::ControllerProc::stopped(&site.rig, weft_rig::ControllerSpec::new("unused"))
    });
    let fabric = Fabric::build(&site).unwrap();
    let estate = Estate::build(&site, &fabric, encap);
    let [first, second] = estate.gateways()[..] else { panic!("{:?}", estate.router) };
    let world: IpAddr = WORLD.parse().unwrap();
    estate.plain.wait_reaches(world, LIMIT).unwrap();
    estate.floating.wait_reaches(world, LIMIT).unwrap();
    estate.wait_learnt(first);

    let _servers =
        [&estate.world, estate.floating.netns()].map(|netns| netns.spawn(&["python3", "-c", ECHO]).unwrap());
    let address = estate.address.to_string();
    let out = Traffic::start(&estate.plain, world).unwrap();
    let inward = Traffic::from(&estate.world, estate.address).unwrap();
    // A workload behind a floating IP that says something now and then.
    let murmur = Traffic::start(&estate.floating, world).unwrap();
    let routed = Traffic::start(&estate.plain, WORLD_V6.parse().unwrap()).unwrap();
    let talks = [
        Talk::start("connection out through SNAT", estate.plain.netns(), WORLD),
        Talk::start("connection in to the floating IP", &estate.world, &address),
    ];
    let streams = [
        ("out through SNAT", &out),
        ("in to the floating IP", &inward),
        ("out with it", &murmur),
        ("out over IPv6", &routed),
    ];
    let heard: OpenFlowLog = site.hosts[2].watch_openflow().unwrap();

    for (round, told) in (1..).zip(times) {
        let lost = |stream: &Traffic| stream.lost().unwrap();
        let before = streams.map(|(_, stream)| lost(stream).len());
        let answers = streams.map(|(_, stream)| stream.answers().unwrap());
        first.kill9_vswitchd().unwrap();
        for (name, stream) in streams {
            stream.wait_more(200).unwrap_or_else(|e| panic!("{name}: {e}; {}", drops_text(&site.hosts[1..])));
        }
        estate.wait_learnt(second);
        for (((name, stream), before), answers) in streams.iter().zip(before).zip(answers) {
            let (lost, silent) = (time_lost(&lost(stream), before), stream.longest_silence(answers).unwrap());
            println!("{encap}, {told}: the gateway dies: {name}: {lost:?} lost, longest silence {silent:?}");
            assert!(lost.max(silent) <= DETECTION + SLACK, "{name}: {lost:?}, {silent:?}");
        }
        for talk in &talks {
            talk.wait_more(20);
            println!("{told}: the gateway dies: {}", talk.told());
        }
        assert_eq!(heard.count(&CHANGES).unwrap(), 0, "{:?}", heard.messages().unwrap());
        if round == times.len() {
            break;
        }

        comes_back(&estate, first, &streams, told);
        talks.iter().for_each(|talk| println!("{told}: the gateway comes back: {}", talk.told()));
        site.wait_connected().unwrap();
        controller.kill9().unwrap();
    }
}

/// Counts what the operator's switch hears from the gateway's address by one host, from now on.
fn count_from<'a>(estate: &'a Estate<'_>, host: &'a Host) -> impl Fn() -> u64 {
    let (switch, port) = (&estate.fabric.switch, format!("blue-{}", host.name()));
    let number = switch.vsctl(&["get", "Interface", &port, "ofport"]).unwrap();
    let from = format!("in_port={},dl_src={}", number.trim(), estate.mac);
    switch.ofctl(&["add-flow", "blue", &format!("priority=9,{from},actions=NORMAL")]).unwrap();
    move || {
        let text = switch.ofctl(&["dump-flows", "blue", &from]).unwrap();
        let count = text.split_once("n_packets=").and_then(|(_, rest)| rest.split(',').next());
        count.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
    }
}

#[test]
fn who_may_serve_and_need_not_comes_unnoticed() {
    let site = Site::start("failoverm", 4).unwrap();
    let fabric = Fabric::build(&site).unwrap();
    let estate = Estate::build(&site, &fabric, "vxlan");
    let [first, second] = estate.gateways()[..] else { panic!("{:?}", estate.router) };
    let third = &site.hosts[3];
    let world: IpAddr = WORLD.parse().unwrap();
    estate.plain.wait_reaches(world, LIMIT).unwrap();
    estate.floating.wait_reaches(world, LIMIT).unwrap();
    estate.wait_learnt(first);
    let out = Traffic::start(&estate.plain, world).unwrap();
    let inward = Traffic::from(&estate.world, estate.address).unwrap();
    // The gateway is where it was: that somebody does not hear the others yet says nothing.
    let [by_second, by_third] = [second, third].map(|host| count_from(&estate, host));
    let hears = |host: &Host, others: usize| {
        wait_until(&format!("{} to hear the other gateways' hosts", host.name()), LIMIT, || {
            let router = site.wait(site.admin.routers().show(&estate.router.id))?.value;
            let alive = host.appctl(&["bfd/show"])?.matches("Forwarding: true").count();
            Ok(router.weft_gateway_hosts.is_some_and(|hosts| hosts.len() == 3) && alive >= others)
        })
        .unwrap();
    };
    let goes_on = |what: &str| {
        for (name, stream) in [("out", &out), ("in", &inward)] {
            stream.wait_more(300).unwrap_or_else(|e| panic!("{name}: {e}; {}", site.diagnosis()));
            println!("{what}: {name}: {:?} lost", time_lost(&stream.lost().unwrap(), 0));
        }
        wait_caches(std::slice::from_ref(&fabric.switch)).unwrap();
        assert_eq!((by_second(), by_third()), (0, 0), "{what}: somebody spoke for the gateway");
    };

    fabric.map(third).unwrap();
    site.rig.seed_tunnel_neighbours().unwrap();
    hears(third, 2);
    goes_on("one more gateway host");

    second.kill9_vswitchd().unwrap();
    second.start_vswitchd().unwrap();
    site.wait_connected().unwrap();
    site.rig.seed_tunnel_neighbours().unwrap();
    hears(second, 2);
    goes_on("the second one's switch restarts");
}
