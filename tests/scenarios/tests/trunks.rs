//! Proves what trunks promise on real Open vSwitch: what is behind a tag of an interface is a port like any other. It reaches
//! its network on every host and other networks by routers, also those behind the same interface; it asks the network and is
//! answered; nobody's tag leads to somebody else's network; and it is where its parent is. Traces say the same.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::IpAddr;

use weft_api::{InterfaceAsked, Network, Port, RouterCreate, SubPort, Trace, TraceAsked, TrunkCreate};
use weft_compiler::pipeline::TABLES;
use weft_rig::{Capture, Host, Netns, wait_until};
use weft_scenarios::fabric::{add_bridge, cable, reaches};
use weft_scenarios::{LIMIT, NetworkSpec, Site, Tenancy, drops_text, wait_caches};

/// The parent's interface on `br-int`, and the other end of its cable.
const TAP: &str = "tap-vm";
const INSIDE: &str = "vm-up";

/// A workload that sends under tags: a bridge of its own behind one interface, with what is inside on access ports. (What the
/// kernel's VLAN interfaces would do, where a kernel has them.)
struct Guest<'a> {
    site: &'a Site,
    host: &'a Host,
}

impl<'a> Guest<'a> {
    /// Plugs the guest's one interface in, for a trunk's parent.
    fn plug(site: &'a Site, host: &'a Host, parent: &Port) -> Guest<'a> {
        add_bridge(host, "vm").unwrap();
        cable(host.netns(), INSIDE, host.netns(), TAP).unwrap();
        host.vsctl(&["add-port", "vm", INSIDE]).unwrap();
        let iface = format!("external_ids:iface-id={}", parent.id);
        host.vsctl(&["add-port", "br-int", TAP, "--", "set", "Interface", TAP, &iface]).unwrap();
        site.wait_active(&parent.id).unwrap();
        Guest { site, host }
    }

    /// What is inside the guest and uses a port: under a tag, or without.
    fn inside(&self, name: &str, port: &Port, tag: Option<u16>) -> Place {
        let netns = self.site.rig.add_netns(name).unwrap();
        let far = format!("v-{name}");
        cable(&netns, "eth0", self.host.netns(), &far).unwrap();
        netns.exec(&["ethtool", "-K", "eth0", "tx", "off", "tso", "off"]).unwrap();
        let mut lines = format!("link set eth0 address {} mtu 1400\n", port.mac_address);
        for ip in &port.fixed_ips {
            let subnet = self.site.wait(self.site.admin.subnets().show(&ip.subnet_id)).unwrap().value;
            let nodad = if ip.ip_address.contains(':') { " nodad" } else { "" };
            let length = subnet.cidr.split_once('/').unwrap().1;
            lines += &format!("addr add {}/{length} dev eth0{nodad}\n", ip.ip_address);
            lines += &format!("route add default via {} dev eth0\n", subnet.gateway_ip.unwrap());
        }
        netns.ip(&lines).unwrap();
        let tag = tag.map(|tag| format!("tag={tag}"));
        let access: Vec<&str> = ["add-port", "vm", &far].into_iter().chain(tag.as_deref()).collect();
        self.host.vsctl(&access).unwrap();
        Place { port: port.clone(), netns }
    }
}

/// Who sends and gets, for a port.
struct Place {
    port: Port,
    netns: Netns,
}

impl Place {
    fn address(&self, v6: bool) -> String {
        let mut addresses = self.port.fixed_ips.iter().map(|ip| ip.ip_address.clone());
        addresses.find(|ip| ip.contains(':') == v6).unwrap()
    }

    fn reaches(&self, to: &str) -> bool {
        reaches(&self.netns, to, 2).unwrap()
    }
}

fn on_host(site: &Site, host: &Host, port: &Port) -> Place {
    let mut spec = site.workload_spec(&port.name, port).unwrap();
    for ip in &port.fixed_ips {
        let subnet = site.wait(site.admin.subnets().show(&ip.subnet_id)).unwrap().value;
        spec = spec.gateway(subnet.gateway_ip.unwrap().parse::<IpAddr>().unwrap());
    }
    let workload = site.rig.add_workload(host, spec).unwrap();
    site.wait_active(&port.id).unwrap();
    Place { port: port.clone(), netns: workload.netns().clone() }
}

fn sub_port(port: &Port, vlan: u16) -> SubPort {
    SubPort { port_id: port.id.clone(), segmentation_type: "vlan".to_owned(), segmentation_id: vlan }
}

/// A tenant's two networks with a router between them.
fn networks(site: &Site, red: &Tenancy<'_>) -> [Network; 2] {
    let one = red.network(&NetworkSpec::new("one", &["10.1.0.0/24", "fd00:1::/64"])).unwrap();
    let two = red.network(&NetworkSpec::new("two", &["10.2.0.0/24", "fd00:2::/64"]).encap("geneve")).unwrap();
    let router = RouterCreate { name: Some("hub".into()), ..RouterCreate::default() };
    let router = site.wait(red.client.routers().create(&router)).unwrap().value;
    for network in [&one, &two] {
        for subnet in site.wait(red.client.subnets().list(&[("network_id", &network.id)])).unwrap().value {
            let leg = InterfaceAsked { subnet_id: Some(subnet.id), ..InterfaceAsked::default() };
            site.wait(red.client.routers().add_interface(&router.id, &leg)).unwrap();
        }
    }
    [one, two]
}

#[test]
fn what_is_behind_a_tag_is_a_port_like_any_other() {
    let site = Site::start("trunks", 2).unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let [one, two] = networks(&site, &red);
    let port = |network: &Network, name: &str| red.port(network, name).unwrap();
    let (parent, near, far) = (port(&one, "parent"), port(&one, "near"), port(&two, "far"));
    let new = TrunkCreate {
        port_id: parent.id.clone(),
        sub_ports: Some(vec![sub_port(&far, 200)]),
        ..TrunkCreate::default()
    };
    let trunk = site.apply(red.client.trunks().create(&new)).unwrap();
    assert_eq!(trunk.status, "DOWN");
    let guest = Guest::plug(&site, &site.hosts[0], &parent);
    // One that is there before the interface is, and one that comes later.
    site.apply(red.client.trunks().add_subports(&trunk.id, vec![sub_port(&near, 100)])).unwrap();
    for subport in [&near, &far] {
        site.wait_active(&subport.id).unwrap();
        let bound = site.wait(site.admin.ports().show(&subport.id)).unwrap().value.binding_host_id;
        assert_eq!(bound.as_deref(), Some("h1"));
    }
    assert_eq!(site.wait(red.client.trunks().show(&trunk.id)).unwrap().value.status, "ACTIVE");
    let places = [
        guest.inside("parent", &parent, None),
        guest.inside("near", &near, Some(100)),
        guest.inside("far", &far, Some(200)),
        on_host(&site, &site.hosts[1], &port(&one, "there-1")),
        on_host(&site, &site.hosts[1], &port(&two, "there-2")),
        on_host(&site, &site.hosts[0], &port(&two, "here")),
    ];
    site.wait_applied(site.wait(site.admin.ports().list(&[])).unwrap().revision).unwrap();
    site.rig.seed_tunnel_neighbours().unwrap();
    everybody_reaches_everybody(&site, &places);
    under_its_own_tag_only(&site, &places);
    traces_are_true(&site, &places);
    the_network_answers(&places);
    without_the_trunk(&site, &red, &trunk.id, &places);
}

/// In both families, over tunnels, by routers, and between ports behind one interface.
fn everybody_reaches_everybody(site: &Site, places: &[Place]) {
    for from in places {
        for to in places.iter().filter(|to| to.port.id != from.port.id) {
            for v6 in [false, true] {
                let what = format!("{} to {} (v6: {v6})", from.port.name, to.port.name);
                wait_until(&what, LIMIT, || Ok(from.reaches(&to.address(v6))))
                    .unwrap_or_else(|error| panic!("{error}; {}", drops_text(&site.hosts)));
            }
        }
    }
}

/// On the cable into the guest, a subport's frames have its tag and nobody else's have one.
fn under_its_own_tag_only(site: &Site, places: &[Place]) {
    let [parent, near, far, there_1, there_2, _] = places else { panic!("six places") };
    let mut cable = Capture::start(site.hosts[0].netns(), INSIDE, "").unwrap();
    for (from, to) in [(there_1, parent), (there_1, near), (there_2, far)] {
        assert!(from.reaches(&to.address(false)));
    }
    cable.settle().unwrap();
    let tag_of = |frame: &[u8]| match frame.get(12..14) {
        Some([0x81, 0x00]) => Some(u16::from_be_bytes([frame[14] & 0xf, frame[15]])),
        _ => None,
    };
    let mac = |place: &Place| weft_scenarios::frames::mac(&place.port.mac_address);
    for (place, tag) in [(parent, None), (near, Some(100)), (far, Some(200))] {
        let frames = cable.frames().unwrap();
        let own: Vec<_> = frames.iter().filter(|frame| frame[..6] == mac(place)).collect();
        assert!(own.len() >= 2, "{} got {} frames", place.port.name, own.len());
        assert!(own.iter().all(|frame| tag_of(frame) == tag), "{}: {own:02x?}", place.port.name);
    }
}

/// Every pair's trace says what the pings said, and meets the tables that `ofproto/trace` meets.
fn traces_are_true(site: &Site, places: &[Place]) {
    let tags = [None, Some(100), Some(200)];
    let tap = site.hosts[0].vsctl(&["get", "Interface", TAP, "ofport"]).unwrap();
    for (from, tag) in places.iter().zip(tags) {
        for to in places.iter().filter(|to| to.port.id != from.port.id) {
            for v6 in [false, true] {
                let question = TraceAsked {
                    from_port: from.port.id.clone(),
                    to: to.address(v6),
                    ..TraceAsked::default()
                };
                let traced = site.wait(site.admin.trace(&question)).unwrap();
                assert_eq!(traced.verdict, "delivered", "{traced:#?}");
                assert!(traced.back.as_ref().is_some_and(|back| back.verdict == "delivered"), "{traced:#?}");
                let tag = tag.map_or(String::new(), |tag| format!(",dl_vlan={tag}"));
                let packet = format!("in_port={}{tag},{}", tap.trim(), traced.packet.clone().unwrap());
                assert_eq!(tables_of(&traced), tables_on(&site.hosts[0], &packet), "{packet}: {traced:#?}");
            }
        }
    }
}

fn tables_on(host: &Host, packet: &str) -> Vec<u8> {
    let text = host.appctl(&["ofproto/trace", "br-int", packet]).unwrap();
    let number = |line: &str| line.trim_start().split_once(". ")?.0.parse().ok();
    let own = text.split("bridge(\"").filter_map(|part| part.strip_prefix("br-int\")"));
    own.flat_map(str::lines).filter_map(number).collect()
}

fn tables_of(trace: &Trace) -> Vec<u8> {
    let number = |name: &str| TABLES.iter().find(|table| table.name == name).unwrap().number;
    trace.steps.iter().filter(|step| step.hop == 0).map(|step| number(&step.table)).collect()
}

/// What flows answer, and what the controller answers: both have to find back to the tag.
fn the_network_answers(places: &[Place]) {
    for place in &places[..3] {
        let gateway = if place.address(false).starts_with("10.1.") { "10.1.0.1" } else { "10.2.0.1" };
        assert!(place.reaches(gateway), "{} and its router", place.port.name);
        // The name of an address: the router's way to the resolver is as good as one on the link.
        place.netns.ip("route add 169.254.169.253/32 dev eth0\n").unwrap();
        let asked = ["dig", "@169.254.169.253", "+time=3", "+tries=2", "+short", "-x", &place.address(false)];
        let said = place.netns.exec(&asked).unwrap();
        assert!(said.contains("weft.internal"), "{}: {said}", place.port.name);
    }
}

/// A port that is taken out of its trunk is nowhere; the others stay.
fn without_the_trunk(site: &Site, red: &Tenancy<'_>, trunk: &str, places: &[Place]) {
    let [parent, near, far, there_1, there_2, _] = places else { panic!("six places") };
    site.apply(red.client.trunks().remove_subports(trunk, vec![far.port.id.clone()])).unwrap();
    wait_caches(&site.hosts).unwrap();
    assert!(!far.reaches(&there_2.address(false)));
    assert_eq!(site.wait(red.client.ports().show(&far.port.id)).unwrap().value.status, "DOWN");
    for place in [parent, near] {
        assert!(place.reaches(&there_1.address(false)), "{}", place.port.name);
    }
    site.hosts[0].vsctl(&["del-port", "br-int", TAP]).unwrap();
    for place in [parent, near] {
        wait_until("the ports to be down", LIMIT, || {
            Ok(site.wait(red.client.ports().show(&place.port.id))?.value.status == "DOWN")
        })
        .unwrap();
    }
    site.apply(red.client.trunks().delete(trunk)).unwrap();
    site.apply(red.client.ports().delete(&near.port.id)).unwrap();
}
