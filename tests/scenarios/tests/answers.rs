//! Proves who hears what: questions for known addresses are answered on the asker's host and heard by nobody, what is
//! for everybody reaches every member exactly once, and what is for nobody goes nowhere.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weft_api::PortCreate;
use weft_compiler::Reason;
use weft_rig::{Capture, Host, Workload, wait_until};
use weft_scenarios::frames::{
    Arp, BROADCAST, End, TARGET_OPTION, advertisement, mac, multicast, solicitation, solicited_node, udp,
};
use weft_scenarios::{
    Drops, LIMIT, NetworkSpec, Site, Tenancy, Witness, asked, drops, expect_times, send_and_settle,
    wait_drops,
};

/// Addresses of the subnets that no port has.
const NOBODY4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 222);
const NOBODY6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x222);

/// `a` and `b` on the first host, `c` on the second; a stranger of another network on the second host and one on the
/// third, which is no member.
struct Cast {
    a: Workload,
    b: Workload,
    c: Workload,
    strangers: [Workload; 2],
}

impl Cast {
    fn assemble(site: &Site, red: &Tenancy<'_>) -> Cast {
        let cidrs = ["10.0.0.0/24", "fd00::/64"];
        let [net, other] = ["net", "other"].map(|name| red.network(&NetworkSpec::new(name, &cidrs)).unwrap());
        let attach = |network, name: &str, host: usize| {
            site.attach(&site.hosts[host], name, &red.port(network, name).unwrap()).unwrap()
        };
        let (a, b, c) = (attach(&net, "a", 0), attach(&net, "b", 0), attach(&net, "c", 1));
        let strangers = [attach(&other, "x", 1), attach(&other, "y", 2)];
        site.rig.seed_tunnel_neighbours().unwrap();
        for address in [c.ipv4().unwrap(), c.ipv6().unwrap()] {
            a.wait_reaches(address, LIMIT).unwrap();
        }
        Cast { a, b, c, strangers }
    }
}

/// Captures everywhere a frame of `a` could come by.
struct Watch {
    a: Witness,
    b: Witness,
    c: Witness,
    strangers: Vec<Witness>,
    /// The first host's link to the underlay.
    underlay: Witness,
}

impl Watch {
    fn over(site: &Site, cast: &Cast) -> Watch {
        let at = |workload| Witness::at(workload).unwrap();
        Watch {
            a: at(&cast.a),
            b: at(&cast.b),
            c: at(&cast.c),
            strangers: cast.strangers.iter().map(at).collect(),
            underlay: Witness::underlay(&site.hosts[0]).unwrap(),
        }
    }

    /// How often `a`'s frame came by at `b`, at `c`, and on the first host's way out; strangers must not have seen it.
    fn heard(&mut self, from: &Workload, frame: &[u8]) -> [usize; 3] {
        let members = [&self.b, &self.c, &self.underlay];
        send_and_settle(from, &[frame.to_vec()], &members).unwrap();
        let heard = members.map(|witness| witness.times(frame).unwrap());
        for stranger in &mut self.strangers {
            stranger.capture().settle().unwrap();
            expect_times(stranger, frame, 0, "a frame of another network").unwrap();
        }
        heard
    }
}

/// One site, one after the other: known addresses, unknown ones, everybody and groups, nobody, and address detection.
#[test]
fn who_hears_what() {
    let site = Site::start("answers", 3).unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let cast = Cast::assemble(&site, &red);
    let mut watch = Watch::over(&site, &cast);
    known_ipv4_addresses_are_answered_at_home(&cast, &mut watch);
    known_ipv6_addresses_are_answered_at_home(&cast, &mut watch);
    unknown_addresses_are_asked_of_members(&cast, &mut watch);
    everybody_hears_once(&cast, &mut watch);
    nobody_hears_what_is_for_nobody(&site.hosts[0], &cast, &mut watch);
    drop(watch);
    kernels_resolve_each_other_silently(&site, &cast);
    addresses_are_proven_and_defended(&site, &red, &cast);
}

fn ip4(workload: &Workload) -> Ipv4Addr {
    let Some(IpAddr::V4(ip)) = workload.ipv4() else { panic!("no IPv4 address") };
    ip
}

fn ip6(workload: &Workload) -> Ipv6Addr {
    let Some(IpAddr::V6(ip)) = workload.ipv6() else { panic!("no IPv6 address") };
    ip
}

/// An ARP request for an address of a port, on the same host or another one, is heard by nobody and answered with that
/// port's MAC.
fn known_ipv4_addresses_are_answered_at_home(cast: &Cast, watch: &mut Watch) {
    let me = End::v4(&cast.a);
    for target in [&cast.b, &cast.c] {
        let question = Arp::request(me, ip4(target)).frame();
        assert_eq!(
            watch.heard(&cast.a, &question),
            [0, 0, 0],
            "the question for {} was heard",
            target.name()
        );
        let answer = Arp::reply(End::v4(target), me).frame();
        watch.a.wait_for(&answer).unwrap();
        expect_times(&watch.a, &answer, 1, "the answer").unwrap();
        for other in [&watch.b, &watch.c, &watch.underlay] {
            expect_times(other, &answer, 0, "the answer").unwrap();
        }
    }
}

/// The same for neighbour solicitations, also for link-local addresses.
fn known_ipv6_addresses_are_answered_at_home(cast: &Cast, watch: &mut Watch) {
    let me = End::v6(&cast.a);
    for target in [&cast.b, &cast.c] {
        for address in [ip6(target), link_local(target)] {
            let question = solicitation(me, solicited_node(address), address, Some(me.mac));
            assert_eq!(watch.heard(&cast.a, &question), [0, 0, 0], "the question for {address} was heard");
            // Solicited and override; apart from the flags it is what the target would have sent.
            let plain =
                advertisement(End::v6(target).with_ip(address), me, address, Some(mac(&target.spec().mac)));
            let is_answer = |seen: &[u8]| {
                seen.len() == plain.len()
                    && seen[..54] == plain[..54]
                    && seen[54] == 136
                    && seen[58] == 0x60
                    && seen[62..] == plain[62..]
                    && seen[78] == TARGET_OPTION
                    && checksum_is_right(seen)
            };
            wait_until("the answer", LIMIT, || Ok(watch.a.count(is_answer)? == 1)).unwrap();
        }
    }
}

/// Where a workload's kernel listens besides: the address made from its MAC.
fn link_local(workload: &Workload) -> Ipv6Addr {
    let shown = workload.exec(&["ip", "-6", "-o", "addr", "show", "scope", "link", "dev", "eth0"]).unwrap();
    let address = shown.split_whitespace().find_map(|word| word.strip_suffix("/64"));
    address.unwrap_or_else(|| panic!("no link-local address: {shown}")).parse().unwrap()
}

fn checksum_is_right(frame: &[u8]) -> bool {
    let packet = etherparse::SlicedPacket::from_ethernet(frame).unwrap();
    let Some(etherparse::NetSlice::Ipv6(ip)) = packet.net else { return false };
    let Some(etherparse::TransportSlice::Icmpv6(icmp)) = packet.transport else { return false };
    icmp.is_checksum_valid(ip.header().source(), ip.header().destination())
}

/// Questions for addresses that no port has reach every member once, and one copy leaves the host for the one other
/// member host.
fn unknown_addresses_are_asked_of_members(cast: &Cast, watch: &mut Watch) {
    let question = Arp::request(End::v4(&cast.a), NOBODY4).frame();
    assert_eq!(watch.heard(&cast.a, &question), [1, 1, 1]);
    let me = End::v6(&cast.a);
    let question = solicitation(me, solicited_node(NOBODY6), NOBODY6, Some(me.mac));
    assert_eq!(watch.heard(&cast.a, &question), [1, 1, 1]);
}

/// Broadcasts and multicasts of both families reach every member once, and never come back to the sender.
fn everybody_hears_once(cast: &Cast, watch: &mut Watch) {
    let (v4, v6) = (End::v4(&cast.a), End::v6(&cast.a));
    let frames = [
        udp(v4, End::new(BROADCAST, Ipv4Addr::BROADCAST), (9, 9), b"to everybody"),
        udp(v4, End::new(BROADCAST, Ipv4Addr::new(10, 0, 0, 255)), (9, 9), b"to the subnet"),
        udp(v4, multicast(Ipv4Addr::new(224, 0, 0, 251)), (9, 9), b"to a group"),
        udp(v4, multicast(Ipv4Addr::new(239, 255, 1, 1)), (9, 9), b"to another group"),
        udp(v6, multicast(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb)), (9, 9), b"to a group"),
        udp(v6, multicast(Ipv6Addr::new(0xff0e, 0, 0, 0, 0, 0, 1, 1)), (9, 9), b"to a wide group"),
    ];
    for frame in &frames {
        assert_eq!(watch.heard(&cast.a, frame), [1, 1, 1]);
        // One that the sender sent, and none that came back.
        expect_times(&watch.a, frame, 1, "its own frame").unwrap();
    }
    // From another host: both members here hear it, and it does not leave the host again by a tunnel.
    let frame = udp(End::v4(&cast.c), End::new(BROADCAST, Ipv4Addr::BROADCAST), (9, 9), b"from afar");
    send_and_settle(&cast.c, std::slice::from_ref(&frame), &[&watch.a, &watch.b, &watch.underlay]).unwrap();
    for (witness, times) in [(&watch.a, 1), (&watch.b, 1), (&watch.underlay, 1), (&watch.c, 1)] {
        expect_times(witness, &frame, times, "a broadcast from another host").unwrap();
    }
}

/// A frame for a MAC of no port is dropped and counted; so is one for a port of another network.
fn nobody_hears_what_is_for_nobody(host: &Host, cast: &Cast, watch: &mut Watch) {
    let before = drops(host).unwrap();
    let me = End::v4(&cast.a);
    let frames = [
        udp(me, End::new([0x02, 0, 0, 0, 0xba, 0xd1], NOBODY4), (9, 9), b"to nobody"),
        udp(me, End::v4(&cast.strangers[0]), (9, 9), b"to a stranger"),
    ];
    for frame in &frames {
        assert_eq!(watch.heard(&cast.a, frame), [0, 0, 0]);
    }
    wait_drops(host, &before, &Drops::from([(Reason::UnknownDestination, 2)])).unwrap();
}

/// Real kernels learn each other's MACs and talk without a single question on the underlay or at another workload.
fn kernels_resolve_each_other_silently(site: &Site, cast: &Cast) {
    // Behind Ethernet, IPv4, UDP and VXLAN: 50 bytes of outer headers before the inner frame.
    const CARRIED: &str = "udp port 4789 and (ether[62:2] == 0x0806 or (ether[62:2] == 0x86dd and ether[50:2] == 0x3333 and ether[104] == 135))";
    const PLAIN: &str = "arp or (icmp6 and ip6[40] == 135)";
    for workload in [&cast.a, &cast.b, &cast.c] {
        workload.exec(&["ip", "neigh", "flush", "all"]).unwrap();
    }
    let mut underlay = Capture::start(site.hosts[0].netns(), "eth0", CARRIED).unwrap();
    let mut bystander = Capture::start(cast.b.netns(), "eth0", PLAIN).unwrap();
    for address in [cast.c.ipv4().unwrap(), cast.c.ipv6().unwrap()] {
        assert!(cast.a.ping(address, 3).unwrap().all());
        let neighbour = cast.a.exec(&["ip", "neigh", "show", &address.to_string()]).unwrap();
        assert!(neighbour.contains(&cast.c.spec().mac), "{neighbour}");
    }
    assert_eq!(underlay.count().unwrap(), 0, "questions for known addresses left the host");
    assert_eq!(bystander.count().unwrap(), 0, "a bystander heard questions for known addresses");
    // The filters do see questions: for addresses that nobody has.
    for address in [IpAddr::V4(NOBODY4), IpAddr::V6(NOBODY6)] {
        assert!(cast.a.ping(address, 1).unwrap().none());
    }
    assert!(underlay.count().unwrap() >= 2 && bystander.count().unwrap() >= 2);
}

/// A workload that proves its addresses first gets them; one that takes another's address is told so by its owner.
fn addresses_are_proven_and_defended(site: &Site, red: &Tenancy<'_>, cast: &Cast) {
    let network = site.wait(red.client.networks().find("net")).unwrap().value;
    let port = red.port(&network, "new").unwrap();
    let mut spec = site.workload_spec("new", &port).unwrap();
    spec.dad = weft_rig::Dad::On;
    let proven = site.rig.add_workload(&site.hosts[1], spec).unwrap();
    site.wait_active(&port.id).unwrap();
    proven.wait_addresses(LIMIT).unwrap();
    proven.wait_reaches(cast.a.ipv6().unwrap(), LIMIT).unwrap();

    // Port security would not let it ask for an address that is not its own.
    let thief = PortCreate {
        port_security_enabled: Some(false),
        fixed_ips: Some(asked(&["10.0.0.77"])),
        ..Tenancy::new_port(&network, "thief")
    };
    let port = red.port_from(thief).unwrap();
    let thief = site.attach(&site.hosts[1], "thief", &port).unwrap();
    let stolen = format!("{}/64", cast.a.ipv6().unwrap());
    thief.exec(&["ip", "addr", "add", &stolen, "dev", "eth0"]).unwrap();
    wait_until("the owner to object", LIMIT, || {
        Ok(thief.exec(&["ip", "-6", "addr", "show", "dev", "eth0"])?.contains("dadfailed"))
    })
    .unwrap();
}
