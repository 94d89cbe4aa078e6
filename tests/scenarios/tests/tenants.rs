//! Proves that tenants with the same subnets, addresses and MACs use the same hosts and never meet: not in packets, not
//! over REST; and that what they send arrives intact.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::IpAddr;
use std::path::Path;

use weft_api::{Network, PortCreate, PortUpdate};
use weft_client::ClientError;
use weft_rig::{Capture, Workload};
use weft_scenarios::frames::{Arp, BROADCAST, End, multicast, udp};
use weft_scenarios::{LIMIT, NetworkSpec, Site, Tenancy, Witness, asked, drops_text, send_and_settle};

/// Where each tenant's workloads are: name, number, host.
const PLACES: [(&str, u8, usize); 4] = [("a", 11, 0), ("b", 12, 0), ("c", 13, 1), ("d", 14, 2)];

/// A tenant's network with its workloads, in the order of [`PLACES`].
struct Camp<'a> {
    tenancy: Tenancy<'a>,
    network: Network,
    workloads: Vec<Workload>,
}

impl<'a> Camp<'a> {
    /// The same for every tenant but for the workloads' names in the rig.
    fn pitch(site: &'a Site, name: &str) -> Camp<'a> {
        let tenancy = Tenancy::create(site, name).unwrap();
        let network = tenancy.network(&NetworkSpec::new("net", &["10.0.0.0/24", "fd00::/64"])).unwrap();
        let mut camp = Camp { tenancy, network, workloads: Vec::new() };
        for (place, number, host) in PLACES {
            camp.add(site, &format!("{name}-{place}"), number, host);
        }
        camp
    }

    /// A workload whose addresses and MAC follow from its number.
    fn add(&mut self, site: &Site, name: &str, number: u8, host: usize) {
        let addresses = [format!("10.0.0.{number}"), format!("fd00::{number}")];
        let port = PortCreate {
            mac_address: Some(format!("02:00:5e:10:00:{number:02x}")),
            fixed_ips: Some(asked(&[&addresses[0], &addresses[1]])),
            ..Tenancy::new_port(&self.network, name)
        };
        let port = self.tenancy.port_from(port).unwrap();
        assert_eq!(port.fixed_ips.len(), 2, "{port:?}");
        self.workloads.push(site.attach(&site.hosts[host], name, &port).unwrap());
    }

    /// Everyone pings everyone else, in both families.
    fn all_reach_all(&self, site: &Site) {
        for from in &self.workloads {
            for to in self.workloads.iter().filter(|to| to.name() != from.name()) {
                for address in [to.ipv4().unwrap(), to.ipv6().unwrap()] {
                    let result = from.ping(address, 2).unwrap();
                    let what = || drops_text(&site.hosts);
                    assert!(result.all(), "{} to {address}: {result:?}; {}", from.name(), what());
                }
            }
        }
    }
}

/// Same subnet, same addresses, same MACs, same hosts: each tenant's pings stay among its own workloads.
#[test]
fn tenants_with_the_same_addresses_never_meet() {
    let site = Site::start("tenants", 3).unwrap();
    let mut red = Camp::pitch(&site, "red");
    let blue = Camp::pitch(&site, "blue");
    site.rig.seed_tunnel_neighbours().unwrap();
    red.all_reach_all(&site);
    blue.all_reach_all(&site);
    // One address that only red has, on a host and network path that blue uses as well.
    red.add(&site, "red-e", 15, 1);
    pings_stay_at_home(&red, &blue);
    frames_stay_at_home(&red, &blue);
    tokens_stay_at_home(&site, &red, &blue);
    a_file_arrives_intact(&site, &red);
}

/// A workload with a leg in each of two networks reaches the others there; they do not reach each other, nor its other leg.
#[test]
fn a_workload_on_two_networks_joins_nothing() {
    let site = Site::start("twolegs", 2).unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let network = |name: &str, n: u8| {
        let cidrs = [format!("10.0.{n}.0/24"), format!("fd0{n}::/64")];
        red.network(&NetworkSpec::new(name, &[&cidrs[0], &cidrs[1]])).unwrap()
    };
    let (left, right) = (network("left", 1), network("right", 2));
    let attach = |name: &str, network: &Network, addresses: &[&str], host: usize| {
        let port = red.port_at(network, name, addresses).unwrap();
        site.attach(&site.hosts[host], name, &port).unwrap()
    };
    let a = attach("a", &left, &["10.0.1.11", "fd01::11"], 0);
    let c = attach("c", &right, &["10.0.2.13", "fd02::13"], 1);
    let both = attach("both", &left, &["10.0.1.12", "fd01::12"], 0);
    // The other leg is raised by itself, and handed over to the workload.
    let leg = attach("leg", &right, &["10.0.2.12", "fd02::12"], 0);
    let handed = format!("link set dev eth0 netns {} name eth1\n", both.netns().name());
    leg.netns().ip(&handed).unwrap();
    let addressed = "link set eth1 up\naddr add 10.0.2.12/24 dev eth1\naddr add fd02::12/64 dev eth1 nodad\n";
    both.netns().ip(addressed).unwrap();
    site.rig.seed_tunnel_neighbours().unwrap();
    for (there, own) in [(&a, ["10.0.1.12", "fd01::12"]), (&c, ["10.0.2.12", "fd02::12"])] {
        for (address, own) in [there.ipv4().unwrap(), there.ipv6().unwrap()].into_iter().zip(own) {
            both.wait_reaches(address, LIMIT)
                .unwrap_or_else(|e| panic!("{e:#}; {}", drops_text(&site.hosts)));
            assert!(there.ping(own.parse::<IpAddr>().unwrap(), 2).unwrap().all(), "{own}");
        }
    }
    // Even with a route that leads by the workload in the middle: it does not forward, and Weft does not either.
    a.netns().ip("route add 10.0.2.0/24 via 10.0.1.12\nroute add fd02::/64 via fd01::12\n").unwrap();
    c.netns().ip("route add 10.0.1.0/24 via 10.0.2.12\nroute add fd01::/64 via fd02::12\n").unwrap();
    for (from, to) in [(&a, &c), (&c, &a)] {
        for address in [to.ipv4().unwrap(), to.ipv6().unwrap()] {
            assert!(from.ping(address, 2).unwrap().none(), "{} reached {address}", from.name());
        }
    }
}

/// Red's workloads see nothing of blue's pings to the very addresses they have; and what only red has, blue cannot reach.
fn pings_stay_at_home(red: &Camp<'_>, blue: &Camp<'_>) {
    const ECHO: &str = "icmp or (icmp6 and (ip6[40] == 128 or ip6[40] == 129))";
    let at = |camp: &Camp<'_>| -> Vec<Capture> {
        let start = |workload: &Workload| Capture::start(workload.netns(), "eth0", ECHO).unwrap();
        camp.workloads[..PLACES.len()].iter().map(start).collect()
    };
    let (mut reds, mut blues) = (at(red), at(blue));
    for to in [1, 2, 3] {
        let target = &red.workloads[to];
        for address in [target.ipv4().unwrap(), target.ipv6().unwrap()] {
            assert!(blue.workloads[0].ping(address, 3).unwrap().all());
        }
    }
    for (seen, wanted) in blues.iter_mut().zip([36, 12, 12, 12]) {
        assert_eq!(
            seen.count().unwrap(),
            wanted,
            "three requests and replies in each family for each target"
        );
    }
    for seen in &mut reds {
        assert_eq!(seen.count().unwrap(), 0, "red saw pings of blue");
    }
    let only_red = &red.workloads[PLACES.len()];
    for address in [only_red.ipv4().unwrap(), only_red.ipv6().unwrap()] {
        assert!(red.workloads[0].ping(address, 2).unwrap().all());
        for from in [&blue.workloads[0], &blue.workloads[2]] {
            assert!(from.ping(address, 2).unwrap().none(), "{} reached {address} of red", from.name());
        }
    }
}

/// What a tenant sends to everybody, to a group, or to a MAC that another tenant has too, arrives at its own workloads
/// only; so does what it sends to a MAC that only the other tenant has.
fn frames_stay_at_home(red: &Camp<'_>, blue: &Camp<'_>) {
    let sender = &blue.workloads[0];
    let me = End::v4(sender);
    let group: IpAddr = "224.0.0.251".parse().unwrap();
    let own = &blue.workloads[2];
    let strangers = End::v4(&red.workloads[PLACES.len()]);
    let frames = [
        udp(me, End::new(BROADCAST, [255, 255, 255, 255]), (9, 9), b"from blue to everybody"),
        udp(me, multicast(group), (9, 9), b"from blue to a group"),
        udp(me, End::v4(own), (9, 9), b"from blue to one"),
        udp(me, strangers, (9, 9), b"from blue to a stranger"),
        Arp::reply(me, End::v4(own)).frame(),
        Arp::request(me, "10.0.0.99".parse().unwrap()).frame(),
    ];
    let blues: Vec<Witness> = blue.workloads[1..].iter().map(|w| Witness::at(w).unwrap()).collect();
    let mut reds: Vec<Witness> = red.workloads.iter().map(|w| Witness::at(w).unwrap()).collect();
    send_and_settle(sender, &frames, &blues.iter().collect::<Vec<_>>()).unwrap();
    for (frame, wanted) in
        frames.iter().zip([[1, 1, 1], [1, 1, 1], [0, 1, 0], [0, 0, 0], [0, 1, 0], [1, 1, 1]])
    {
        let seen: Vec<usize> = blues.iter().map(|witness| witness.times(frame).unwrap()).collect();
        assert_eq!(seen, wanted, "at blue's b, c and d");
    }
    for witness in &mut reds {
        witness.capture().settle().unwrap();
        let frames = frames.iter().map(|frame| witness.times(frame).unwrap()).sum::<usize>();
        let signs = witness.count(|frame| frame.windows(5).any(|word| word == b"sign ")).unwrap();
        assert_eq!((frames, signs), (0, 0), "{} saw frames of blue", witness.name());
    }
}

/// A tenant's token shows and changes what is the tenant's, and denies that anything else exists.
fn tokens_stay_at_home(site: &Site, red: &Camp<'_>, blue: &Camp<'_>) {
    let (mine, theirs) = (&blue.tenancy.client, &red.network.id);
    let networks = site.wait(mine.networks().list(&[])).unwrap().value;
    assert_eq!(networks.iter().map(|n| &n.id).collect::<Vec<_>>(), [&blue.network.id]);
    assert_eq!(networks[0].provider_segmentation_id, None, "VNIs are for administrators");
    let ports = site.wait(mine.ports().list(&[])).unwrap().value;
    assert_eq!(ports.len(), PLACES.len());
    assert!(ports.iter().all(|port| port.project_id == blue.tenancy.id));
    let subnets = site.wait(mine.subnets().list(&[])).unwrap().value;
    assert!(subnets.len() == 2 && subnets.iter().all(|subnet| subnet.network_id == blue.network.id));
    assert!(site.wait(mine.ports().list(&[("network_id", theirs)])).unwrap().value.is_empty());
    assert!(site.wait(mine.ports().list(&[("project_id", &red.tenancy.id)])).unwrap().value.is_empty());
    let tenants = site.wait(mine.tenants().list(&[])).unwrap().value;
    assert_eq!(tenants.iter().map(|tenant| &tenant.id).collect::<Vec<_>>(), [&blue.tenancy.id]);

    let port = red.workloads[0].spec().port_id.clone();
    let new = Tenancy::new_port(&red.network, "intruder");
    let change = PortUpdate { admin_state_up: Some(false), ..PortUpdate::default() };
    refused(site.wait(mine.networks().show(theirs)), &[404]);
    refused(site.wait(mine.networks().delete(theirs)), &[404]);
    refused(site.wait(mine.ports().show(&port)), &[404]);
    refused(site.wait(mine.ports().update(&port, &change)), &[404]);
    refused(site.wait(mine.ports().delete(&port)), &[404]);
    refused(site.wait(mine.ports().create(&new)), &[404]);
    refused(site.wait(mine.hosts().list(&[])), &[403]);
    let nobody = weft_client::Client::new(site.admin.endpoint(), Some("weft_wrong")).unwrap();
    refused(site.wait(nobody.networks().list(&[])), &[401]);
    // Red's things are still there and still work.
    assert_eq!(site.wait(red.tenancy.client.ports().list(&[])).unwrap().value.len(), PLACES.len() + 1);
    assert!(red.workloads[0].ping(red.workloads[2].ipv4().unwrap(), 2).unwrap().all());
}

fn refused<T: std::fmt::Debug>(answer: anyhow::Result<T>, statuses: &[u16]) {
    let error = answer.expect_err("this is none of the caller's business");
    let refusal = error.downcast_ref::<ClientError>().and_then(ClientError::refusal);
    let status = refusal.unwrap_or_else(|| panic!("no answer: {error:#}")).status;
    assert!(statuses.contains(&status), "{status} {error:#}");
}

/// A TCP transfer between hosts, in packets as large as the network allows, changes no byte; a larger packet is refused
/// by the sender's own interface.
fn a_file_arrives_intact(site: &Site, camp: &Camp<'_>) {
    let [from, to] = [&camp.workloads[0], &camp.workloads[2]];
    let mtu = from.spec().mtu;
    let size = |payload: u16| payload.to_string();
    let address = to.ipv4().unwrap().to_string();
    let ping = |payload: u16| {
        let argv = [
            "ping",
            "-n",
            "-q",
            "-M",
            "do",
            "-c",
            "2",
            "-i",
            "0.05",
            "-W",
            "1",
            "-s",
            &size(payload),
            &address,
        ];
        from.output(&argv).unwrap()
    };
    assert!(ping(mtu - 28).succeeded(), "a packet of {mtu} bytes did not pass");
    assert!(!ping(mtu - 27).succeeded(), "a packet of more than {mtu} bytes passed");

    let (sent, received) = (site.rig.run_dir().join("sent"), site.rig.run_dir().join("received"));
    std::fs::write(&sent, noise(8 << 20)).unwrap();
    for address in [to.ipv4().unwrap(), to.ipv6().unwrap()] {
        let large = format!("tcp and greater {}", mtu + 14);
        let mut large = Capture::start(to.netns(), "eth0", &large).unwrap();
        transfer([from, to], address, [&sent, &received]);
        assert!(
            std::fs::read(&sent).unwrap() == std::fs::read(&received).unwrap(),
            "the file changed on its way"
        );
        assert!(large.count().unwrap() > 1000, "hardly any packet was as large as the MTU of {mtu}");
    }
}

fn transfer([from, to]: [&Workload; 2], address: IpAddr, [sent, received]: [&Path; 2]) {
    let (listen, connect) = match address {
        IpAddr::V4(ip) => ("TCP4-LISTEN:5001,reuseaddr", format!("TCP4:{ip}:5001")),
        IpAddr::V6(ip) => ("TCP6-LISTEN:5001,reuseaddr", format!("TCP6:[{ip}]:5001")),
    };
    let output = format!("OPEN:{},creat,trunc,wronly", received.display());
    let mut server = to.spawn(&["socat", "-u", listen, &output]).unwrap();
    // The receiver needs a moment to listen; the sender tries again meanwhile.
    let connect = format!("{connect},retry=100,interval=0.05");
    from.exec(&["socat", "-u", &format!("OPEN:{},rdonly", sent.display()), &connect]).unwrap();
    assert!(server.wait(LIMIT).unwrap().success(), "{}", server.log().unwrap());
}

/// Bytes that no compression, repetition or shift could pass off as right: a linear congruential sequence.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(len).collect()
}
