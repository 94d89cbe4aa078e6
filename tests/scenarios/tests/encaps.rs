//! Proves that VXLAN, Geneve and GRE networks live side by side, over the whole range of VNIs and over IPv4 and IPv6,
//! and that hosts have exactly the tunnels that the networks they share need, at the numbers that PIPELINE.md names.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;

use weft_api::Network;
use weft_model::{Encap, HostIndex};
use weft_rig::{Capture, Host, Underlay, Workload, wait_until};
use weft_scenarios::{LIMIT, NetworkSpec, Site, SiteSpec, Tenancy, wait_caches};

/// The subnets of every network here: tenants choose freely.
const CIDRS: [&str; 2] = ["10.0.0.0/24", "fd00::/64"];
/// Name, encapsulation and VNI of the networks, and what their packets look like between the hosts.
const NETWORKS: [(&str, &str, u32, &str); 5] = [
    ("v1", "vxlan", 1, "udp dst port 4789 and udp[12:4] == 0x00000100"),
    ("v2", "vxlan", 0xff_ffff, "udp dst port 4789 and udp[12:4] == 0xffffff00"),
    ("v3", "vxlan", 0x80_0001, "udp dst port 4789 and udp[12:4] == 0x80000100"),
    ("gn", "geneve", 0xff_fffe, "udp dst port 6081 and udp[12:4] == 0xfffffe00"),
    ("gr", "gre", 2, "ip proto 47 and ip[20:4] == 0x20006558 and ip[24:4] == 2"),
];
/// First letters of the names of tunnel ports, with the kind of interface and the first number.
const TUNNELS: [(&str, Encap, &str); 3] =
    [("wv", Encap::Vxlan, "vxlan"), ("wg", Encap::Geneve, "geneve"), ("wr", Encap::Gre, "gre")];

/// What a host's tunnel ports look like in OVSDB: by name, the kind, the ofport, and the address at the other end.
type Tunnels = BTreeMap<String, (String, u16, String)>;

fn tunnels(host: &Host) -> anyhow::Result<Tunnels> {
    let mut found = Tunnels::new();
    for name in host.vsctl(&["list-ports", "br-int"])?.lines() {
        let get = |column: &str| -> anyhow::Result<String> {
            Ok(host.vsctl(&["get", "Interface", name, column])?.trim().trim_matches('"').to_owned())
        };
        let kind = get("type")?;
        if TUNNELS.iter().any(|(_, _, of_tunnels)| kind == *of_tunnels) {
            let (ofport, requested) = (get("ofport")?, get("ofport_request")?);
            anyhow::ensure!(ofport == requested, "{name} has ofport {ofport}, asked for {requested}");
            found.insert(name.to_owned(), (kind, ofport.parse()?, get("options:remote_ip")?));
        }
    }
    Ok(found)
}

/// What a host must have: a tunnel of each of these kinds to each of these peers.
fn wanted(site: &Site, links: &[(&str, &Host)]) -> Tunnels {
    let one = |(letters, peer): &(&str, &Host)| {
        let index = site.host_status(peer).unwrap().index;
        let (_, encap, kind) = TUNNELS.iter().find(|(known, ..)| known == letters).unwrap();
        let index_of_model = HostIndex::new(u32::from(index)).unwrap();
        let ofport = weft_compiler::tunnel_ofport(*encap, index_of_model).unwrap();
        (format!("{letters}-{index}"), ((*kind).to_owned(), ofport, peer.underlay_ip().to_string()))
    };
    links.iter().map(one).collect()
}

fn wait_tunnels(site: &Site, host: &Host, links: &[(&str, &Host)]) {
    let wanted = wanted(site, links);
    wait_until(&format!("the tunnels of {}", host.name()), LIMIT, || {
        let found = tunnels(host)?;
        anyhow::ensure!(found == wanted, "{found:?}, wanted {wanted:?}");
        Ok(true)
    })
    .unwrap();
}

/// A workload of the network on a host.
fn attach(site: &Site, tenancy: &Tenancy<'_>, network: &Network, host: usize) -> Workload {
    let name = format!("{}-{host}", network.name);
    let port = tenancy.port(network, &name).unwrap();
    site.attach(&site.hosts[host], &name, &port).unwrap()
}

fn reach_each_other(a: &Workload, b: &Workload) {
    for (from, to) in [(a, b), (b, a)] {
        for address in [to.ipv4().unwrap(), to.ipv6().unwrap()] {
            from.wait_reaches(address, LIMIT).unwrap();
            assert!(from.ping(address, 2).unwrap().all(), "{} to {address}", from.name());
        }
    }
}

/// Five networks on two hosts in three encapsulations; a third host that comes to share one of them, and leaves again.
#[test]
fn encapsulations_live_side_by_side_and_tunnels_follow_need() {
    let site = Site::start("encaps", 3).unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let [h1, h2, h3] = &site.hosts[..] else { unreachable!("three were asked for") };
    // A network of its own: the third host is busy, and needs no tunnel for it.
    let alone = red.network(&NetworkSpec::new("alone", &CIDRS).vni(5000)).unwrap();
    attach(&site, &red, &alone, 2);
    let mut pairs = Vec::new();
    for (name, encap, vni, _) in NETWORKS {
        let network = red.network(&NetworkSpec::new(name, &CIDRS).encap(encap).vni(vni)).unwrap();
        assert_eq!(network.provider_segmentation_id, Some(Some(vni)));
        let pair = [attach(&site, &red, &network, 0), attach(&site, &red, &network, 1)];
        pairs.push((network, pair));
    }
    wait_tunnels(&site, h1, &[("wv", h2), ("wg", h2), ("wr", h2)]);
    wait_tunnels(&site, h2, &[("wv", h1), ("wg", h1), ("wr", h1)]);
    wait_tunnels(&site, h3, &[]);
    numbers_are_the_documented_ones(&site, h1, h2);
    site.rig.seed_tunnel_neighbours().unwrap();
    packets_carry_their_network(&site, &pairs);
    tunnels_come_and_go(&site, &red, pairs);
}

/// The same numbers as in PIPELINE.md, written down a second time: users' scripts may rely on them.
fn numbers_are_the_documented_ones(site: &Site, on: &Host, peer: &Host) {
    let index = site.host_status(peer).unwrap().index;
    for (name, base) in [("wv", 33_000), ("wg", 43_700), ("wr", 54_400)] {
        let name = format!("{name}-{index}");
        let ofport = on.vsctl(&["get", "Interface", &name, "ofport"]).unwrap();
        assert_eq!(ofport.trim(), (base + index).to_string(), "{name}");
        let shown = site.host_status(on).unwrap().tunnels;
        let shown = shown.iter().find(|tunnel| tunnel.name == name).unwrap();
        assert_eq!((shown.peer.as_str(), shown.ofport), (peer.name(), Some(i64::from(base + index))));
        assert_eq!(shown.error, None);
    }
    let show = on.vsctl(&["show"]).unwrap();
    assert!(!show.contains("error"), "{show}");
}

/// Each network's packets travel in its own encapsulation under its own VNI, and only they do.
fn packets_carry_their_network(site: &Site, pairs: &[(Network, [Workload; 2])]) {
    let underlay = |filter| Capture::start(site.hosts[0].netns(), "eth0", filter).unwrap();
    for (_, [a, b]) in pairs {
        reach_each_other(a, b);
    }
    let mut captures: Vec<Capture> = NETWORKS.iter().map(|(.., filter)| underlay(filter)).collect();
    for (n, (network, [a, b])) in pairs.iter().enumerate() {
        let before: Vec<usize> = captures.iter_mut().map(|capture| capture.count().unwrap()).collect();
        assert!(a.ping(b.ipv4().unwrap(), 5).unwrap().all());
        let after: Vec<usize> = captures.iter_mut().map(|capture| capture.count().unwrap()).collect();
        let more: Vec<usize> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
        // Workloads' kernels may confirm a neighbour now and then; a ping is ten packets.
        let quiet = more.iter().enumerate().filter(|(other, _)| *other != n).all(|(_, more)| *more < 10);
        assert!(more[n] >= 10 && quiet, "{}: {more:?}", network.name);
    }
}

/// A host gets a tunnel with its first port of a shared network, and loses it with the last one, however it goes.
fn tunnels_come_and_go(site: &Site, red: &Tenancy<'_>, pairs: Vec<(Network, [Workload; 2])>) {
    let [h1, h2, h3] = &site.hosts[..] else { unreachable!("three were asked for") };
    let [(v1, [v1_a, v1_b]), _, _, (_, [mut gn_a, gn_b]), (_, [gr_a, gr_b])] =
        <[_; 5]>::try_from(pairs).unwrap_or_else(|_| unreachable!("five were made"));
    // The third host joins a network of the first two.
    let mut visitor = attach(site, red, &v1, 2);
    wait_tunnels(site, h1, &[("wv", h2), ("wg", h2), ("wr", h2), ("wv", h3)]);
    wait_tunnels(site, h3, &[("wv", h1), ("wv", h2)]);
    reach_each_other(&visitor, &v1_a);
    reach_each_other(&visitor, &v1_b);
    visitor.unplug().unwrap();
    wait_tunnels(site, h3, &[]);
    wait_tunnels(site, h1, &[("wv", h2), ("wg", h2), ("wr", h2)]);
    // The last port is deleted, while its interface stays where it is.
    let deleted = site.wait(red.client.ports().delete(&gr_a.spec().port_id)).unwrap();
    site.wait_applied(deleted.revision).unwrap();
    wait_tunnels(site, h1, &[("wv", h2), ("wg", h2)]);
    wait_tunnels(site, h2, &[("wv", h1), ("wg", h1)]);
    wait_caches(&site.hosts).unwrap();
    assert!(gr_b.ping(gr_a.ipv4().unwrap(), 1).unwrap().none());
    // The last interface is unplugged, while its port stays.
    gn_a.unplug().unwrap();
    wait_tunnels(site, h1, &[("wv", h2)]);
    wait_tunnels(site, h2, &[("wv", h1)]);
    // And plugged in again.
    gn_a.plug(h1).unwrap();
    wait_tunnels(site, h1, &[("wv", h2), ("wg", h2)]);
    reach_each_other(&gn_a, &gn_b);
    reach_each_other(&v1_a, &v1_b);
}

/// Over IPv6, with VXLAN on another port than its own.
#[test]
fn ipv6_underlay_and_another_vxlan_port() {
    let spec = SiteSpec { underlay: Underlay::V6, ..SiteSpec::hosts(2).options(&["--vxlan-port", "8472"]) };
    let site = Site::build("encaps6", spec).unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let [h1, h2] = &site.hosts[..] else { unreachable!("two were asked for") };
    let mut pairs = Vec::new();
    for encap in ["vxlan", "geneve", "gre"] {
        let network = red.network(&NetworkSpec::new(encap, &CIDRS).encap(encap)).unwrap();
        pairs.push([attach(&site, &red, &network, 0), attach(&site, &red, &network, 1)]);
    }
    wait_tunnels(&site, h1, &[("wv", h2), ("wg", h2), ("wr", h2)]);
    assert!(wanted(&site, &[("wv", h2)]).values().all(|(.., remote)| remote.contains(':')));
    // The IPv6 header has 40 bytes and no further headers here.
    let filters = [
        "ip6 and ip6[6] == 17 and ip6[42:2] == 8472",
        "ip6 and ip6[6] == 17 and ip6[42:2] == 6081",
        "ip6 and ip6[6] == 47",
        "udp port 4789",
    ];
    let mut captures = filters.map(|filter| Capture::start(h1.netns(), "eth0", filter).unwrap());
    for [a, b] in &pairs {
        reach_each_other(a, b);
    }
    let counts = captures.each_mut().map(|capture| capture.count().unwrap());
    assert!(counts[..3].iter().all(|count| *count >= 16) && counts[3] == 0, "{counts:?}");
}
