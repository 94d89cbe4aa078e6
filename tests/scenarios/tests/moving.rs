//! Proves that a workload is where its interface is: moved, plugged twice, renumbered, plugged without a port, or left
//! behind by one; and that a port or network that is down neither sends nor receives.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use anyhow::{Result, ensure};
use weft_api::{Network, NetworkUpdate, Port, PortCreate, PortUpdate};
use weft_compiler::Reason;
use weft_rig::{Host, Workload, WorkloadSpec, wait_until};
use weft_scenarios::{LIMIT, NetworkSpec, Site, Tenancy, asked, drops, wait_caches};

/// A tenant's network on three hosts.
struct Scene<'a> {
    site: &'a Site,
    red: Tenancy<'a>,
    network: Network,
}

impl<'a> Scene<'a> {
    fn set(site: &'a Site) -> Scene<'a> {
        let red = Tenancy::create(site, "red").unwrap();
        let network = red.network(&NetworkSpec::new("net", &["10.0.0.0/24", "fd00::/64"])).unwrap();
        Scene { site, red, network }
    }

    fn host(&self, number: usize) -> &'a Host {
        &self.site.hosts[number - 1]
    }

    /// A workload on host `number`.
    fn attach(&self, name: &str, number: usize) -> Workload {
        let port = self.red.port(&self.network, name).unwrap();
        self.site.attach(self.host(number), name, &port).unwrap()
    }

    fn port(&self, workload: &Workload) -> Port {
        self.site.wait(self.site.admin.ports().show(&workload.spec().port_id)).unwrap().value
    }

    /// Waits until the workload's port is bound to that host and all of that is in force.
    fn wait_bound(&self, workload: &Workload, number: usize) {
        let wanted = self.host(number).name();
        let port = &workload.spec().port_id;
        wait_until(&format!("{} to be bound to {wanted}", workload.name()), LIMIT, || {
            let port = self.site.wait(self.site.admin.ports().show(port))?.value;
            let bound = port.binding_host_id.unwrap_or_default();
            ensure!(bound == wanted && port.status == "ACTIVE", "{} on {bound}", port.status);
            Ok(true)
        })
        .unwrap();
        let revision = self.site.wait(self.site.admin.hosts().list(&[])).unwrap().revision;
        self.site.wait_applied(revision).unwrap();
    }

    /// Nobody reaches `to`, and it reaches nobody. Silence takes a second, so all wait at the same time.
    fn none_reach(&self, from: &[&Workload], to: &Workload) {
        wait_caches(&self.site.hosts).unwrap();
        let ways = from.iter().flat_map(|other| [(*other, to), (to, *other)]);
        let ways = ways.flat_map(|(from, to)| [to.ipv4(), to.ipv6()].map(|address| (from, address.unwrap())));
        std::thread::scope(|scope| {
            let pings: Vec<_> =
                ways.map(|(from, to)| (from, to, scope.spawn(move || from.ping(to, 1).unwrap()))).collect();
            for (from, to, ping) in pings {
                assert!(ping.join().unwrap().none(), "{} reached {to}", from.name());
            }
        });
    }

    fn set_port(&self, workload: &Workload, admin_state_up: bool) {
        let change = PortUpdate { admin_state_up: Some(admin_state_up), ..PortUpdate::default() };
        self.site.apply(self.red.client.ports().update(&workload.spec().port_id, &change)).unwrap();
    }

    fn set_network(&self, admin_state_up: bool) {
        let change = NetworkUpdate { admin_state_up: Some(admin_state_up), ..NetworkUpdate::default() };
        self.site.apply(self.red.client.networks().update(&self.network.id, &change)).unwrap();
    }
}

/// Waits until all of them reach `to` and it reaches them, in both families.
fn all_reach(from: &[&Workload], to: &Workload) {
    for other in from {
        for (from, to) in [(*other, to), (to, *other)] {
            for address in [to.ipv4().unwrap(), to.ipv6().unwrap()] {
                from.wait_reaches(address, LIMIT).unwrap();
            }
        }
    }
}

fn ofport(host: &Host, interface: &str) -> Result<String> {
    Ok(host.vsctl(&["get", "Interface", interface, "ofport"])?.trim().to_owned())
}

/// Gives an interface an OpenFlow port number and waits until it has it.
fn renumber(host: &Host, interface: &str, wanted: &str) {
    host.vsctl(&["set", "Interface", interface, &format!("ofport_request={wanted}")]).unwrap();
    wait_until("the new number", LIMIT, || Ok(ofport(host, interface)? == wanted)).unwrap();
}

/// Moved to another host, a workload keeps its addresses and is reached by everyone; an interface that was left behind
/// with its id is neither it nor heard, also after its switch has restarted.
#[test]
fn a_workload_is_where_it_was_plugged_last() {
    let site = Site::start("moving", 3).unwrap();
    let scene = Scene::set(&site);
    let mut mover = scene.attach("mover", 1);
    let (old, new, third) = (scene.attach("old", 1), scene.attach("new", 2), scene.attach("third", 3));
    let others = [&old, &new, &third];
    all_reach(&others, &mover);
    let before = scene.port(&mover);

    // A second interface with the same id on the same host: the first one stays the port.
    let ghost_spec = WorkloadSpec { name: "ghost".to_owned(), ..mover.spec().clone() };
    let mut ghost = site.rig.add_workload(scene.host(1), ghost_spec).unwrap();
    scene.wait_bound(&mover, 1);
    all_reach(&others, &mover);

    // The move: the second interface is what was left behind.
    mover.move_to(scene.host(2)).unwrap();
    scene.wait_bound(&mover, 2);
    all_reach(&others, &mover);
    let after = scene.port(&mover);
    assert_eq!((&after.fixed_ips, &after.mac_address), (&before.fixed_ips, &before.mac_address));
    ghosts_are_not_heard(&scene, &ghost, &third);

    // Its switch forgets all and reports all anew; the claim is as old as before.
    scene.host(1).restart_vswitchd().unwrap();
    site.wait_connected().unwrap();
    scene.wait_bound(&mover, 2);
    all_reach(&others, &mover);
    ghosts_are_not_heard(&scene, &ghost, &third);

    // And back, after what was left behind is gone.
    ghost.unplug().unwrap();
    mover.move_to(scene.host(1)).unwrap();
    scene.wait_bound(&mover, 1);
    all_reach(&others, &mover);
    // Plugged into nothing, it is down and out of reach.
    mover.unplug().unwrap();
    wait_until("the port to be down", LIMIT, || Ok(scene.port(&mover).status == "DOWN")).unwrap();
    wait_caches(&site.hosts).unwrap();
    assert!(third.ping(mover.ipv4().unwrap(), 1).unwrap().none());
}

fn ghosts_are_not_heard(scene: &Scene<'_>, ghost: &Workload, other: &Workload) {
    let host = scene.host(1);
    wait_caches(&scene.site.hosts).unwrap();
    let before = drops(host).unwrap()[&Reason::UnknownPort];
    assert!(ghost.ping(other.ipv4().unwrap(), 2).unwrap().none(), "what was left behind still speaks");
    wait_until("the drops", LIMIT, || Ok(drops(host)?[&Reason::UnknownPort] > before)).unwrap();
}

/// Down means neither sent nor received, on the same host and across hosts, and counted; up again means as before.
/// A deleted port takes its interface's voice; an interface gets one with the id of a port. A new OpenFlow port number
/// changes nothing, and one that was another tenant's gives nothing away.
#[test]
fn a_workload_is_what_its_port_says() {
    let site = Site::start("ports", 2).unwrap();
    let scene = Scene::set(&site);
    let (one, near, far) = (scene.attach("one", 1), scene.attach("near", 1), scene.attach("far", 2));
    site.rig.seed_tunnel_neighbours().unwrap();
    all_reach(&[&near, &far], &one);
    ports_go_down_and_up(&scene, &one, [&near, &far]);
    networks_go_down_and_up(&scene, &one, [&near, &far]);
    numbers_change(&scene, &one, [&near, &far]);
    numbers_are_reused(&scene, near, [&one, &far]);
    ports_are_deleted(&scene, &one, &far);
    interfaces_come_before_ports(&scene, &far);
}

fn ports_go_down_and_up(scene: &Scene<'_>, one: &Workload, others: [&Workload; 2]) {
    let before = [1, 2].map(|number| drops(scene.host(number)).unwrap());
    scene.set_port(one, false);
    assert_eq!(scene.port(one).status, "DOWN");
    scene.none_reach(&others, one);
    assert!(others[0].ping(others[1].ipv4().unwrap(), 1).unwrap().all(), "the others are not concerned");
    // Both what it sends and what is sent to it from another host is counted, each where it ends.
    for (number, before) in [1, 2].into_iter().zip(&before) {
        wait_until("drops for the port", LIMIT, || {
            Ok(drops(scene.host(number))?[&Reason::PortDown] > before[&Reason::PortDown])
        })
        .unwrap();
    }
    scene.set_port(one, true);
    all_reach(&others, one);
    assert_eq!(scene.port(one).status, "ACTIVE");
}

fn networks_go_down_and_up(scene: &Scene<'_>, one: &Workload, others: [&Workload; 2]) {
    let before = drops(scene.host(1)).unwrap()[&Reason::NetworkDown];
    scene.set_network(false);
    scene.none_reach(&others, one);
    wait_until("drops for the network", LIMIT, || Ok(drops(scene.host(1))?[&Reason::NetworkDown] > before))
        .unwrap();
    scene.set_network(true);
    all_reach(&others, one);
}

fn numbers_change(scene: &Scene<'_>, one: &Workload, others: [&Workload; 2]) {
    let interface = one.host_interface();
    assert_ne!(ofport(scene.host(1), &interface).unwrap(), "4242");
    renumber(scene.host(1), &interface, "4242");
    all_reach(&others, one);
}

/// The number of an interface that is gone goes to one of another tenant with the same addresses.
fn numbers_are_reused(scene: &Scene<'_>, mut gone: Workload, others: [&Workload; 2]) {
    let host = scene.host(1);
    let number = ofport(host, &gone.host_interface()).unwrap();
    gone.unplug().unwrap();
    let blue = Tenancy::create(scene.site, "blue").unwrap();
    let network = blue.network(&NetworkSpec::new("net", &["10.0.0.0/24", "fd00::/64"])).unwrap();
    let (v4, v6) = (gone.ipv4().unwrap().to_string(), gone.ipv6().unwrap().to_string());
    let same = PortCreate {
        mac_address: Some(gone.spec().mac.clone()),
        fixed_ips: Some(asked(&[&v4, &v6])),
        ..Tenancy::new_port(&network, "heir")
    };
    let heir = scene.site.attach(host, "heir", &blue.port_from(same).unwrap()).unwrap();
    renumber(host, &heir.host_interface(), &number);
    let peer = PortCreate {
        fixed_ips: Some(asked(&["10.0.0.201", "fd00::201"])),
        ..Tenancy::new_port(&network, "peer")
    };
    let peer = scene.site.attach(scene.host(2), "peer", &blue.port_from(peer).unwrap()).unwrap();
    all_reach(&[&peer], &heir);
    scene.none_reach(&others, &heir);
}

fn ports_are_deleted(scene: &Scene<'_>, one: &Workload, far: &Workload) {
    let host = scene.host(1);
    all_reach(&[far], one);
    scene.site.apply(scene.red.client.ports().delete(&one.spec().port_id)).unwrap();
    let before = drops(host).unwrap()[&Reason::UnknownPort];
    scene.none_reach(&[far], one);
    wait_until("drops", LIMIT, || Ok(drops(host)?[&Reason::UnknownPort] > before)).unwrap();
    host.vsctl(&["get", "Interface", &one.host_interface(), "name"])
        .expect("the interface is not ours to remove");
    let problems = scene.site.host_status(host).unwrap().problems;
    assert!(problems.is_empty(), "{problems:?}");
}

/// An interface with an id that no port has says nothing; when its id becomes a port's, it is that port.
fn interfaces_come_before_ports(scene: &Scene<'_>, far: &Workload) {
    let host = scene.host(1);
    let (mac, v4, v6) = ("02:00:5e:10:00:99", "10.0.0.99", "fd00::99");
    let early = WorkloadSpec::new("early", "00000000-0000-4000-8000-000000000099", mac);
    let early = early.address(v4.parse::<std::net::IpAddr>().unwrap(), 24);
    let early = early.address(v6.parse::<std::net::IpAddr>().unwrap(), 64).mtu(1400).without_dad();
    let early = scene.site.rig.add_workload(host, early).unwrap();
    scene.none_reach(&[far], &early);
    let port = PortCreate {
        mac_address: Some(mac.to_owned()),
        fixed_ips: Some(asked(&[v4, v6])),
        ..Tenancy::new_port(&scene.network, "early")
    };
    let port = scene.red.port_from(port).unwrap();
    assert_eq!(port.status, "DOWN");
    let id = format!("external_ids:iface-id={}", port.id);
    host.vsctl(&["set", "Interface", &early.host_interface(), &id]).unwrap();
    scene.site.wait_active(&port.id).unwrap();
    all_reach(&[far], &early);
}
