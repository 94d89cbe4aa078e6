//! Proves that a port speaks for itself only: every frame that claims another source, or a router's or DHCP server's
//! part, ends on the sender's host and is counted under its reason; the honest frame of the same kind passes.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weft_api::PortCreate;
use weft_compiler::Reason;
use weft_rig::Workload;
use weft_scenarios::frames::{
    Arp, BROADCAST, End, Mac, advertisement, behind_options, icmpv6, multicast, router_advertisement, snap,
    solicitation, solicited_node, tagged, udp,
};
use weft_scenarios::{Drops, LIMIT, NetworkSpec, Site, Tenancy, Witness, drops, send_and_settle, wait_drops};

/// A MAC that no port has.
const NOBODY: Mac = [0x02, 0, 0, 0, 0xba, 0xd1];
/// Addresses of the subnets that no port has.
const NOBODY4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 222);
const NOBODY6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x222);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// A frame that must not arrive, and why.
struct Lie {
    name: String,
    reason: Reason,
    frame: Vec<u8>,
}

/// Someone who sends, or is sent to, with addresses of both families.
#[derive(Clone, Copy)]
struct Party {
    v4: End,
    v6: End,
    local: End,
}

impl Party {
    fn of(workload: &Workload) -> Party {
        let (v4, v6) = (End::v4(workload), End::v6(workload));
        Party { v4, v6, local: v6.with_ip(link_local(v6.mac)) }
    }

    fn ip4(&self) -> Ipv4Addr {
        let IpAddr::V4(ip) = self.v4.ip else { unreachable!("of this family") };
        ip
    }

    fn ip6(&self) -> Ipv6Addr {
        let IpAddr::V6(ip) = self.v6.ip else { unreachable!("of this family") };
        ip
    }
}

/// The link-local address made from a MAC (RFC 4291 appendix A).
fn link_local([a, b, c, d, e, f]: Mac) -> Ipv6Addr {
    let word = |high, low| u16::from_be_bytes([high, low]);
    Ipv6Addr::new(0xfe80, 0, 0, 0, word(a ^ 2, b), word(c, 0xff), word(0xfe, d), word(e, f))
}

/// A port with port security lies in every way, to a victim on its own host and to one on another: nothing arrives, and
/// every lie is counted once under its reason. What is honest arrives, and what a port without port security says too.
#[test]
fn a_port_speaks_for_itself_only() {
    let site = Site::start("spoofing", 2).unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let network =
        red.network(&NetworkSpec::new("net", &["10.0.0.0/24", "fd00::/64"]).without_dhcp()).unwrap();
    let attach = |name: &str, host: usize, port: PortCreate| {
        site.attach(&site.hosts[host], name, &red.port_from(port).unwrap()).unwrap()
    };
    // What is below security groups is looked at here, so these let everything through.
    let open = red.open_group().unwrap().id;
    let new = |name: &str| PortCreate {
        security_groups: Some(vec![open.clone()]),
        ..Tenancy::new_port(&network, name)
    };
    let sender = attach("sender", 0, new("sender"));
    let near = attach("near", 0, new("near"));
    let far = attach("far", 1, new("far"));
    let unchecked = PortCreate { port_security_enabled: Some(false), ..Tenancy::new_port(&network, "free") };
    let free = attach("free", 0, unchecked);
    site.rig.seed_tunnel_neighbours().unwrap();
    for to in [&near, &far] {
        sender.wait_reaches(to.ipv4().unwrap(), LIMIT).unwrap();
        sender.wait_reaches(to.ipv6().unwrap(), LIMIT).unwrap();
    }

    let witnesses = [Witness::at(&near).unwrap(), Witness::at(&far).unwrap()];
    let host = &site.hosts[0];
    let before = drops(host).unwrap();
    honest_frames_arrive(&sender, [&near, &far], &witnesses);
    lies_do_not(&sender, [&near, &far], &witnesses, |more| wait_drops(host, &before, more).unwrap());
    unchecked_frames_arrive(&free, [&near, &far], &witnesses);
}

/// One frame of each kind that is going to be forged, as it should be.
fn honest_frames_arrive(sender: &Workload, victims: [&Workload; 2], witnesses: &[Witness; 2]) {
    let me = Party::of(sender);
    for (victim, witness) in victims.into_iter().zip(witnesses) {
        let you = Party::of(victim);
        let frames = [
            udp(me.v4, you.v4, (7, 9), b"honest"),
            udp(me.v6, you.v6, (7, 9), b"honest"),
            udp(me.local, you.local, (7, 9), b"honest"),
            Arp::reply(me.v4, you.v4).frame(),
            advertisement(me.v6, you.v6, me.ip6(), Some(me.v6.mac)),
            advertisement(me.v6, you.v6, me.ip6(), None),
            solicitation(me.v6, you.v6, you.ip6(), Some(me.v6.mac)),
        ];
        send_and_settle(sender, &frames, &[witness]).unwrap();
        for (n, frame) in frames.iter().enumerate() {
            assert_eq!(witness.times(frame).unwrap(), 1, "honest frame {n} at {}", witness.name());
        }
    }
    for (n, frame) in honest_to_all(me).iter().enumerate() {
        send_and_settle(sender, std::slice::from_ref(frame), &[&witnesses[0], &witnesses[1]]).unwrap();
        for witness in witnesses {
            assert_eq!(witness.times(frame).unwrap(), 1, "honest frame {n} to all at {}", witness.name());
        }
    }
}

/// What a workload that is new in a network says.
fn honest_to_all(me: Party) -> Vec<Vec<u8>> {
    let (nowhere, nobody) =
        (End::new(me.v4.mac, Ipv4Addr::UNSPECIFIED), me.v6.with_ip(Ipv6Addr::UNSPECIFIED));
    let servers = multicast(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2));
    vec![
        // Announces itself, asks whether its address is free, looks for routers and DHCP servers.
        Arp::reply(me.v4, me.v4.with_mac(BROADCAST)).frame(),
        Arp::request(nowhere, me.ip4()).frame(),
        solicitation(nobody, solicited_node(me.ip6()), me.ip6(), None),
        icmpv6(nobody, multicast(ALL_ROUTERS), 133, &[0; 4]),
        udp(nowhere, End::new(BROADCAST, Ipv4Addr::BROADCAST), (68, 67), b"discover"),
        udp(me.local, servers, (546, 547), b"solicit"),
    ]
}

/// Sends every lie to both victims, looks that none has arrived, and hands over what must have been counted.
fn lies_do_not(
    sender: &Workload,
    victims: [&Workload; 2],
    witnesses: &[Witness; 2],
    counted: impl FnOnce(&Drops),
) {
    let me = Party::of(sender);
    let lies: Vec<Lie> = victims.into_iter().flat_map(|victim| lies(me, Party::of(victim))).collect();
    let frames: Vec<Vec<u8>> = lies.iter().map(|lie| lie.frame.clone()).collect();
    send_and_settle(sender, &frames, &[&witnesses[0], &witnesses[1]]).unwrap();
    let mut more = Drops::new();
    for lie in &lies {
        for witness in witnesses {
            assert_eq!(witness.times(&lie.frame).unwrap(), 0, "{} at {}", lie.name, witness.name());
        }
        *more.entry(lie.reason).or_default() += 1;
    }
    let kinds = [
        Reason::VlanTagged,
        Reason::SpoofedMac,
        Reason::SpoofedIpv4,
        Reason::SpoofedArp,
        Reason::SpoofedIpv6,
        Reason::SpoofedNd,
        Reason::RogueRa,
        Reason::RogueDhcp,
    ];
    assert_eq!(more.keys().copied().collect::<Vec<_>>(), kinds, "a kind of lie was left out");
    counted(&more);
}

fn lies(me: Party, you: Party) -> Vec<Lie> {
    let lies = [
        lies_in_headers(me, you),
        lies_in_arp(me, you),
        lies_in_neighbour_discovery(me, you),
        lies_of_servers(me, you),
    ];
    lies.into_iter().flatten().collect()
}

fn lie(name: &str, reason: Reason, frame: Vec<u8>) -> Lie {
    Lie { name: name.to_owned(), reason, frame }
}

fn lies_in_headers(me: Party, you: Party) -> Vec<Lie> {
    let honest = udp(me.v4, you.v4, (7, 9), b"tagged");
    let as4 = |ip: Ipv4Addr| udp(me.v4.with_ip(ip), you.v4, (7, 9), b"forged");
    let as6 = |ip: Ipv6Addr| udp(me.v6.with_ip(ip), you.v6, (7, 9), b"forged");
    vec![
        lie("somebody's MAC", Reason::SpoofedMac, udp(me.v4.with_mac(NOBODY), you.v4, (7, 9), b"forged")),
        lie(
            "the victim's own MAC",
            Reason::SpoofedMac,
            udp(me.v6.with_mac(you.v6.mac), you.v6, (7, 9), b"forged"),
        ),
        lie("a group's MAC", Reason::SpoofedMac, udp(me.v4.with_mac(BROADCAST), you.v4, (7, 9), b"forged")),
        lie("nobody's IPv4 address", Reason::SpoofedIpv4, as4(NOBODY4)),
        lie("the victim's IPv4 address", Reason::SpoofedIpv4, as4(you.ip4())),
        lie("a foreign IPv4 address", Reason::SpoofedIpv4, as4(Ipv4Addr::new(192, 0, 2, 1))),
        lie("no IPv4 address", Reason::SpoofedIpv4, as4(Ipv4Addr::UNSPECIFIED)),
        lie("an IPv4 address behind SNAP", Reason::SpoofedIpv4, snap(&as4(NOBODY4))),
        lie("nobody's IPv6 address", Reason::SpoofedIpv6, as6(NOBODY6)),
        lie("the victim's IPv6 address", Reason::SpoofedIpv6, as6(you.ip6())),
        lie("another's link-local address", Reason::SpoofedIpv6, as6(link_local(NOBODY))),
        lie("no IPv6 address", Reason::SpoofedIpv6, as6(Ipv6Addr::UNSPECIFIED)),
        lie("an IPv6 address behind options", Reason::SpoofedIpv6, behind_options(&as6(NOBODY6))),
        lie("a VLAN tag", Reason::VlanTagged, tagged(&honest, 0x8100, 5)),
        lie("a priority tag", Reason::VlanTagged, tagged(&honest, 0x8100, 0)),
        lie("a provider's tag", Reason::VlanTagged, tagged(&honest, 0x88a8, 5)),
        lie("two tags", Reason::VlanTagged, tagged(&tagged(&honest, 0x8100, 5), 0x88a8, 6)),
    ]
}

fn lies_in_arp(me: Party, you: Party) -> Vec<Lie> {
    let arp = |arp: Arp| arp.frame();
    let own = |arp: Arp| Arp { eth_src: me.v4.mac, ..arp }.frame();
    let everybody = you.v4.with_mac(BROADCAST);
    vec![
        lie("ARP for nobody's address", Reason::SpoofedArp, arp(Arp::reply(me.v4.with_ip(NOBODY4), you.v4))),
        lie(
            "ARP for the victim's address",
            Reason::SpoofedArp,
            arp(Arp::reply(me.v4.with_ip(you.ip4()), you.v4)),
        ),
        lie("ARP with another MAC", Reason::SpoofedArp, own(Arp::reply(me.v4.with_mac(NOBODY), you.v4))),
        lie("gratuitous ARP", Reason::SpoofedArp, arp(Arp::reply(me.v4.with_ip(you.ip4()), everybody))),
        lie("an ARP question", Reason::SpoofedArp, arp(Arp::request(me.v4.with_ip(you.ip4()), NOBODY4))),
        lie("a tagged ARP packet", Reason::VlanTagged, tagged(&arp(Arp::reply(me.v4, you.v4)), 0x8100, 1)),
    ]
}

fn lies_in_neighbour_discovery(me: Party, you: Party) -> Vec<Lie> {
    let nd = |name: &str, frame: Vec<u8>| lie(name, Reason::SpoofedNd, frame);
    let (my_mac, unspecified) = (Some(me.v6.mac), me.v6.with_ip(Ipv6Addr::UNSPECIFIED));
    let all = multicast(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1));
    vec![
        nd("an advertisement of nobody's address", advertisement(me.v6, you.v6, NOBODY6, my_mac)),
        nd("an advertisement of the victim's address", advertisement(me.v6, you.v6, you.ip6(), my_mac)),
        nd("an advertisement to all of another's address", advertisement(me.v6, all, you.ip6(), my_mac)),
        nd("an advertisement with another MAC", advertisement(me.v6, you.v6, me.ip6(), Some(NOBODY))),
        nd("a question with another MAC", solicitation(me.v6, you.v6, you.ip6(), Some(NOBODY))),
        nd(
            "a question from nobody's address",
            solicitation(me.v6.with_ip(NOBODY6), you.v6, you.ip6(), my_mac),
        ),
        nd(
            "a probe for another's address",
            solicitation(unspecified, solicited_node(you.ip6()), you.ip6(), None),
        ),
        nd("a probe with a MAC", solicitation(unspecified, solicited_node(me.ip6()), me.ip6(), my_mac)),
        nd(
            "an advertisement behind options",
            behind_options(&advertisement(me.v6, you.v6, you.ip6(), my_mac)),
        ),
        nd("a truncated advertisement", icmpv6(me.v6, you.v6, 136, &[0x20, 0, 0, 0, 0xfd, 0])),
    ]
}

fn lies_of_servers(me: Party, you: Party) -> Vec<Lie> {
    let to_you = |mut frame: Vec<u8>| {
        frame[..6].copy_from_slice(&you.v6.mac);
        frame
    };
    let advertised = router_advertisement(me.local);
    let redirect = [&[0; 4][..], &me.ip6().octets(), &NOBODY6.octets()].concat();
    let everybody = End::new(BROADCAST, Ipv4Addr::BROADCAST);
    vec![
        lie("a router advertisement", Reason::RogueRa, advertised.clone()),
        lie("a router advertisement to one", Reason::RogueRa, to_you(advertised.clone())),
        lie("a router advertisement behind options", Reason::RogueRa, behind_options(&advertised)),
        lie("a redirect", Reason::RogueRa, icmpv6(me.local, you.v6, 137, &redirect)),
        lie("a DHCP offer", Reason::RogueDhcp, udp(me.v4, you.v4, (67, 68), b"offer")),
        lie("a DHCP offer to all", Reason::RogueDhcp, udp(me.v4, everybody, (67, 68), b"offer")),
        lie("a DHCPv6 reply", Reason::RogueDhcp, udp(me.local, you.local, (547, 546), b"reply")),
    ]
}

/// A port without port security says all of this and is heard, except for what no port may send.
fn unchecked_frames_arrive(free: &Workload, victims: [&Workload; 2], witnesses: &[Witness; 2]) {
    let me = Party::of(free);
    for (victim, witness) in victims.into_iter().zip(witnesses) {
        let lies = lies(me, Party::of(victim));
        let frames: Vec<Vec<u8>> = lies.iter().map(|lie| lie.frame.clone()).collect();
        send_and_settle(free, &frames, &[&witnesses[0], &witnesses[1]]).unwrap();
        for lie in &lies {
            let wanted = usize::from(lie.reason != Reason::VlanTagged);
            let seen = witness.times(&lie.frame).unwrap();
            assert_eq!(seen.min(1), wanted, "{} from an unchecked port at {}", lie.name, witness.name());
        }
    }
}
