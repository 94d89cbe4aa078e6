//! Proves what provider networks promise on real Open vSwitch: flat and VLAN networks reach machines on the operator's
//! layer 2 and each other across it, without tunnels; VLANs and physical networks never mix; only VLANs in use pass; a
//! restarted controller sends nothing; and without its mapping a host says so and keeps nothing.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use weft_api::{InterfaceAsked, Network, NetworkCreate, Port, PortCreate, RouterCreate, SubnetCreate};
use weft_rig::{Capture, Host, Netns, OpenFlowLog, Workload, wait_until};
use weft_scenarios::fabric::{self, Fabric, add_bridge, cable};
use weft_scenarios::frames::{End, mac, udp};
use weft_scenarios::{LIMIT, Site, Tenancy, Traffic, Witness, asked, drops_text, wait_caches};

/// How many echo requests and replies have passed under a tag.
fn echoes(capture: &mut Capture, vlan: u16) -> usize {
    capture.settle().unwrap();
    let tag = [0x81, 0, vlan.to_be_bytes()[0], vlan.to_be_bytes()[1], 8, 0];
    let is_echo = |frame: &&Vec<u8>| frame.get(12..18) == Some(&tag[..]) && frame.get(27) == Some(&1);
    capture.frames().unwrap().iter().filter(is_echo).count()
}

/// A network where the operator wants it, with one subnet, the same for all that have the same prefix.
fn network(tenancy: &Tenancy<'_>, site: &Site, physnet: &str, vlan: Option<u32>, cidr: &str) -> Network {
    let new = NetworkCreate {
        project_id: Some(tenancy.id.clone()),
        provider_network_type: Some(if vlan.is_some() { "vlan" } else { "flat" }.to_owned()),
        provider_physical_network: Some(physnet.to_owned()),
        provider_segmentation_id: vlan,
        ..NetworkCreate::default()
    };
    let network = site.wait(site.admin.networks().create(&new)).unwrap().value;
    let subnet =
        SubnetCreate { network_id: network.id.clone(), cidr: cidr.to_owned(), ..SubnetCreate::default() };
    site.wait(tenancy.client.subnets().create(&subnet)).unwrap();
    network
}

fn port(tenancy: &Tenancy<'_>, network: &Network, name: &str, address: &str, checked: Option<bool>) -> Port {
    let new = PortCreate {
        fixed_ips: Some(asked(&[address])),
        port_security_enabled: checked,
        // Whose sources are checked hears everybody nevertheless: machines of the fabric wear no groups.
        security_groups: checked.is_none().then(|| vec![tenancy.open_group().unwrap().id]),
        ..Tenancy::new_port(network, name)
    };
    tenancy.port_from(new).unwrap()
}

fn map(fabric: &Fabric<'_>) {
    fabric.site.hosts.iter().for_each(|host| fabric.map(host).unwrap());
}

fn reaches(from: &Netns, to: &str, count: u32) -> bool {
    fabric::reaches(from, to, count).unwrap()
}

fn tagged(vlan: u16, frame: &[u8]) -> Vec<u8> {
    let mut out = frame[..12].to_vec();
    out.extend([0x81, 0]);
    out.extend(vlan.to_be_bytes());
    out.extend(&frame[12..]);
    out
}

#[test]
fn vlans_and_flat_networks_reach_the_fabric_and_nothing_mixes() {
    let site = Site::start("provider", 2).unwrap();
    let fabric = Fabric::build(&site).unwrap();
    map(&fabric);
    let red = Tenancy::create(&site, "red").unwrap();
    let green = Tenancy::create(&site, "green").unwrap();
    let cidr = "10.0.0.0/24";
    // Two tenants on one VLAN number of different physical networks, another VLAN, and a flat network; all the same
    // addresses.
    let [one, other, next, flat] = [
        network(&red, &site, "blue", Some(100), cidr),
        network(&green, &site, "red", Some(100), cidr),
        network(&red, &site, "blue", Some(200), cidr),
        network(&red, &site, "blue", None, cidr),
    ];
    let attach = |n: usize, name: &str, port: &Port| site.attach(&site.hosts[n], name, port).unwrap();
    let off = Some(false);
    let a = attach(0, "a", &port(&red, &one, "a", "10.0.0.11", off));
    let b = attach(1, "b", &port(&red, &one, "b", "10.0.0.12", off));
    let x = attach(0, "x", &port(&green, &other, "x", "10.0.0.11", off));
    let y = attach(1, "y", &port(&green, &other, "y", "10.0.0.12", off));
    let n = attach(0, "n", &port(&red, &next, "n", "10.0.0.11", off));
    let f = attach(1, "f", &port(&red, &flat, "f", "10.0.0.11", off));
    let machines = [
        fabric.machine("m100", "blue", Some(100), &["10.0.0.100/24"]).unwrap(),
        fabric.machine("m200", "blue", Some(200), &["10.0.0.101/24"]).unwrap(),
        fabric.machine("mflat", "blue", None, &["10.0.0.102/24"]).unwrap(),
        fabric.machine("r100", "red", Some(100), &["10.0.0.103/24"]).unwrap(),
    ];

    // From host to host across the fabric, under the tag, and not through a tunnel.
    let mut on_blue = fabric.tap("blue", &site.hosts[0]).unwrap();
    let mut on_red = fabric.tap("red", &site.hosts[0]).unwrap();
    for (from, to) in [(&a, &b), (&x, &y)] {
        from.wait_reaches(to.ipv4().unwrap(), LIMIT).unwrap();
    }
    let before = (echoes(&mut on_blue, 100), echoes(&mut on_red, 100));
    assert!(a.ping(b.ipv4().unwrap(), 5).unwrap().all(), "{}", drops_text(&site.hosts));
    let after = (echoes(&mut on_blue, 100), echoes(&mut on_red, 100));
    assert_eq!((after.0 - before.0, after.1 - before.1), (10, 0), "five there and five back, on blue only");
    for host in &site.hosts {
        let status = site.host_status(host).unwrap();
        assert!(status.tunnels.is_empty() && status.problems.is_empty(), "{status:?}");
    }

    // With machines outside, each from where it belongs and from nowhere else.
    let places = [(&a, 0), (&n, 1), (&f, 2), (&x, 3)];
    for (workload, own) in places {
        for (at, address) in ["10.0.0.100", "10.0.0.101", "10.0.0.102", "10.0.0.103"].iter().enumerate() {
            let found = reaches(workload.netns(), address, 2);
            assert_eq!(found, at == own, "{} and {address}; {}", workload.name(), drops_text(&site.hosts));
        }
        assert!(reaches(&machines[own], "10.0.0.11", 2), "the machine outside begins");
    }

    only_vlans_in_use_get_in(&fabric, [&a, &x, &n]);
}

/// Raw frames on the trunk: only a VLAN in use gets in, and only to its own network, which is the first workload's.
fn only_vlans_in_use_get_in(fabric: &Fabric<'_>, workloads: [&Workload; 3]) {
    let mut witnesses: Vec<Witness> = workloads.map(|workload| Witness::at(workload).unwrap()).into();
    let stranger = End::new(mac("02:00:5e:99:00:01"), std::net::Ipv4Addr::new(10, 0, 0, 250));
    let frame =
        udp(stranger, End::new([0xff; 6], std::net::Ipv4Addr::BROADCAST), (7, 7), b"only where it belongs");
    let trunk = fabric.site.rig.add_netns("trunk").unwrap();
    cable(&trunk, "eth0", fabric.switch.netns(), "m-trunk").unwrap();
    fabric.switch.vsctl(&["add-port", "blue", "m-trunk"]).unwrap();
    let sender = Workbench(&trunk);
    for vlan in [999, 4094, 100] {
        sender.send(&tagged(vlan, &frame));
    }
    witnesses[0].wait_for(&frame).unwrap();
    let seen: Vec<usize> = witnesses
        .iter_mut()
        .map(|witness| {
            witness.capture().settle().unwrap();
            witness.times(&frame).unwrap()
        })
        .collect();
    assert_eq!(seen, [1, 0, 0]);
}

/// A namespace from which frames are sent by hand.
struct Workbench<'a>(&'a Netns);

impl Workbench<'_> {
    fn send(&self, frame: &[u8]) {
        let text: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        let script = "import socket,sys\ns=socket.socket(socket.AF_PACKET,socket.SOCK_RAW)\n\
                      s.bind(('eth0',0))\ns.send(bytes.fromhex(sys.argv[1]))";
        self.0.exec(&["python3", "-c", script, &text]).unwrap();
    }
}

#[test]
fn a_restart_sends_nothing_and_a_mapping_that_goes_takes_everything_along() {
    let mut site = Site::start("mapping", 2).unwrap();
    site.redial_soon().unwrap();
    let fabric = Fabric::build(&site).unwrap();
    map(&fabric);
    let red = Tenancy::create(&site, "red").unwrap();
    let one = network(&red, &site, "blue", Some(100), "10.0.0.0/24");
    let ports = [("a", "10.0.0.11"), ("b", "10.0.0.12")].map(|(n, ip)| port(&red, &one, n, ip, Some(false)));
    let a = site.attach(&site.hosts[0], "a", &ports[0]).unwrap();
    let b = site.attach(&site.hosts[1], "b", &ports[1]).unwrap();
    let machine = fabric.machine("m100", "blue", Some(100), &["10.0.0.100/24"]).unwrap();
    a.wait_reaches(b.ipv4().unwrap(), LIMIT).unwrap();
    assert!(reaches(&machine, "10.0.0.12", 2));
    let client = red.client;

    // Only what is used is there: the other mapped bridge has nothing of Weft's.
    let list = |host: &Host, bridge: &str| host.vsctl(&["list-ports", bridge]).unwrap();
    assert!(list(&site.hosts[0], "br-ex").contains("wu-1"));
    assert_eq!(list(&site.hosts[0], "br-data").trim(), "up-red");

    // A restart under traffic.
    let traffic = Traffic::start(&a, b.ipv4().unwrap()).unwrap();
    let heard: Vec<OpenFlowLog> = site.hosts.iter().map(|host| host.watch_openflow().unwrap()).collect();
    site.controller.kill9().unwrap();
    traffic.wait_more(50).unwrap();
    site.controller.start_again(LIMIT).unwrap();
    site.wait_connected().unwrap();
    traffic.wait_more(50).unwrap();
    for (host, heard) in site.hosts.iter().zip(&heard) {
        let status = site.host_status(host).unwrap();
        assert_eq!((status.flow_messages_sent, status.drift_repaired), (0, 0), "{status:?}");
        assert_eq!(heard.count(&["OFPT_FLOW_MOD", "OFPT_BUNDLE_ADD_MESSAGE"]).unwrap(), 0);
    }
    assert_eq!(traffic.lost().unwrap(), Vec::<u32>::new());
    drop(traffic);

    // The mapping goes: so do both ends, and the port is down and says why.
    let host = &site.hosts[0];
    let status = |id: &str| site.wait(client.ports().show(id)).unwrap().value.status;
    host.vsctl(&["remove", "Open_vSwitch", ".", "external_ids", "weft-bridge-mappings"]).unwrap();
    wait_until("the port to be down", LIMIT, || Ok(status(&ports[0].id) == "DOWN")).unwrap();
    wait_until("the uplink to be gone", LIMIT, || {
        Ok(list(host, "br-ex").trim() == "up-blue" && !list(host, "br-int").contains("wp-1"))
    })
    .unwrap();
    wait_until("the host to say so", LIMIT, || {
        let shown = site.host_status(host)?;
        Ok(shown.status == "DEGRADED" && shown.problems.iter().any(|p| p.contains("physical network blue")))
    })
    .unwrap();
    assert!(!reaches(a.netns(), "10.0.0.12", 2));
    assert_eq!(status(&ports[1].id), "ACTIVE");

    another_bridge_is_waited_for(&site, || status(&ports[0].id));
    a.wait_reaches(b.ipv4().unwrap(), LIMIT).unwrap();
    assert!(reaches(a.netns(), "10.0.0.100", 2));

    // Somebody takes an end away, and the last port of the network goes.
    host.vsctl(&["del-port", "wu-1"]).unwrap();
    wait_until("the end to be back", LIMIT, || Ok(list(host, "br-new").contains("wu-1"))).unwrap();
    a.wait_reaches(b.ipv4().unwrap(), LIMIT).unwrap();
    let gone = site.wait(client.ports().delete(&ports[0].id)).unwrap();
    site.wait_applied(gone.revision).unwrap();
    wait_until("the uplink to be gone", LIMIT, || Ok(list(host, "br-new").trim() == "up-blue")).unwrap();
}

/// A mapping to a bridge that is not there yet waits for it; the port on it is active once it is there.
fn another_bridge_is_waited_for(site: &Site, status: impl Fn() -> String) {
    let host = &site.hosts[0];
    host.vsctl(&["set", "Open_vSwitch", ".", "external_ids:weft-bridge-mappings=blue:br-new"]).unwrap();
    wait_until("the host to miss the bridge", LIMIT, || {
        Ok(site.host_status(host)?.problems.iter().any(|p| p.contains("br-new, which does not exist")))
    })
    .unwrap();
    assert_eq!(status(), "DOWN");
    host.vsctl(&["del-port", "br-ex", "up-blue"]).unwrap();
    add_bridge(host, "br-new").unwrap();
    host.vsctl(&["add-port", "br-new", "up-blue"]).unwrap();
    wait_until("the port to be active", LIMIT, || Ok(status() == "ACTIVE")).unwrap();
    assert!(site.host_status(host).unwrap().problems.is_empty());
}

/// A router between two VLANs, and between a VLAN and a network in tunnels: routed where the packet starts.
#[test]
fn a_router_joins_vlans() {
    let site = Site::start("stick", 2).unwrap();
    let fabric = Fabric::build(&site).unwrap();
    map(&fabric);
    let red = Tenancy::create(&site, "red").unwrap();
    let left = network(&red, &site, "blue", Some(100), "10.1.0.0/24");
    let right = network(&red, &site, "blue", Some(200), "10.2.0.0/24");
    let overlay = red.network(&weft_scenarios::NetworkSpec::new("overlay", &["10.3.0.0/24"])).unwrap();
    let new = RouterCreate { name: Some("r".into()), ..RouterCreate::default() };
    let router = site.wait(red.client.routers().create(&new)).unwrap().value;
    for network in [&left, &right, &overlay] {
        let of_it = [("network_id", network.id.as_str())];
        for subnet in site.wait(red.client.subnets().list(&of_it)).unwrap().value {
            let asked = InterfaceAsked { subnet_id: Some(subnet.id), port_id: None };
            site.apply(red.client.routers().add_interface(&router.id, &asked)).unwrap();
        }
    }
    let attach = |name: &str, network: &Network, address: &str, gateway: &str, host: usize| -> Workload {
        let port = port(&red, network, name, address, None);
        let gateway: std::net::IpAddr = gateway.parse().unwrap();
        let spec = site.workload_spec(name, &port).unwrap().gateway(gateway);
        let workload = site.rig.add_workload(&site.hosts[host], spec).unwrap();
        site.wait_active(&port.id).unwrap();
        workload
    };
    let a = attach("a", &left, "10.1.0.11", "10.1.0.1", 0);
    let b = attach("b", &right, "10.2.0.12", "10.2.0.1", 1);
    let c = attach("c", &overlay, "10.3.0.13", "10.3.0.1", 1);
    site.rig.seed_tunnel_neighbours().unwrap();
    wait_caches(&site.hosts).unwrap();
    let mut trunk = fabric.tap("blue", &site.hosts[0]).unwrap();
    for (from, to) in [(&a, &b), (&b, &a), (&a, &c), (&c, &a)] {
        let to_ip = to.ipv4().unwrap();
        from.wait_reaches(to_ip, LIMIT)
            .map_err(|e| e.context(format!("{} to {}: {}", from.name(), to.name(), drops_text(&site.hosts))))
            .unwrap();
        assert!(from.ping(to_ip, 3).unwrap().all(), "{}", drops_text(&site.hosts));
    }
    assert!(echoes(&mut trunk, 200) > 0, "it leaves under the tag of the network that it goes to");
}

/// A tenant's own tags pass a network in tunnels that lets them, and no other.
#[test]
fn own_tags_pass_tunnels_where_they_may() {
    let site = Site::start("tags", 2).unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let mut seen = Vec::new();
    for (name, vlan_transparent) in [("clear", Some(true)), ("plain", None)] {
        let new = NetworkCreate { vlan_transparent, ..NetworkCreate::default() };
        let network = site.wait(red.client.networks().create(&new)).unwrap().value;
        let [a, b] = [0, 1].map(|host| {
            let name = format!("{name}{host}");
            let new = PortCreate { port_security_enabled: Some(false), ..Tenancy::new_port(&network, &name) };
            site.attach(&site.hosts[host], &name, &red.port_from(new).unwrap()).unwrap()
        });
        site.rig.seed_tunnel_neighbours().unwrap();
        let ends = [&a, &b].map(|w| End::new(mac(&w.spec().mac), std::net::Ipv4Addr::new(10, 9, 0, 1)));
        let plain = udp(ends[0], ends[1], (7, 7), b"no tag of its own");
        let frame = tagged(42, &udp(ends[0], ends[1], (7, 7), b"inside a tag"));
        let mut witness = Witness::at(&b).unwrap();
        a.send_frame(&frame).unwrap();
        // What was sent later has arrived, so what was sent before will not come any more.
        a.send_frame(&plain).unwrap();
        witness.wait_for(&plain).unwrap();
        witness.capture().settle().unwrap();
        seen.push(witness.times(&frame).unwrap());
    }
    assert_eq!(seen, [1, 0], "{}", drops_text(&site.hosts));
}
