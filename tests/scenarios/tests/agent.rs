//! Proves that `weft-agent` wires namespaces, veths and taps to ports of a real controller on real hosts: they talk across
//! hosts, attaching and detaching can be repeated, interrupted and killed, and nothing is left behind.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::Duration;

use serde_json::Value;
use weft_api::{Network, Port};
use weft_rig::{Cmd, Finished, Host, HostSpec, Netns, Process, wait_until};
use weft_scenarios::{LIMIT, NetworkSpec, Site, Tenancy, program};

/// A site with a tenant whose network has both families.
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

    /// The agent of a host, as its user runs it there.
    fn agent(&self, host: &Host, line: &str) -> Cmd {
        agent(self.site, host, line)
    }

    fn ok(&self, host: &Host, line: &str) -> Value {
        let done = self.agent(host, line).output().unwrap();
        assert!(done.succeeded(), "{line}: {done:?}");
        serde_json::from_str(&done.stdout).unwrap()
    }

    /// Runs a line that must fail with exit code 1; what it says.
    fn fails(&self, host: &Host, line: &str) -> String {
        let Finished { code, stdout, stderr } = self.agent(host, line).output().unwrap();
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{line}: {stderr}");
        stderr
    }

    fn ports(&self) -> Vec<Port> {
        self.site.wait(self.red.client.ports().list(&[])).unwrap().value
    }

    /// Nothing of an attachment is there: no port, no row, no interface.
    fn assert_nothing_left(&self, host: &Host, netns: &Netns) {
        assert_eq!(self.ports(), [], "ports");
        let plugged = host.vsctl(&["list-ports", "br-int"]).unwrap();
        assert!(!plugged.contains("wp-"), "{plugged}");
        let links = host.exec(&["ip", "-o", "link"]).unwrap();
        assert!(!links.contains("wp-"), "{links}");
        let links = netns.exec(&["ip", "-o", "link"]).unwrap();
        assert!(!links.contains("eth0"), "{links}");
        assert_eq!(self.ok(host, "list -o json"), serde_json::json!([]));
    }
}

fn agent(site: &Site, host: &Host, line: &str) -> Cmd {
    let db = format!("unix:{}", host.db_socket().display());
    let endpoint = format!("http://{}:9696", site.rig.controller_ip());
    let cmd = host.command(program("weft-agent").unwrap().to_str().unwrap()).args(line.split_whitespace());
    cmd.env("WEFT_OVS_DB", db).env("WEFT_ENDPOINT", endpoint).env("WEFT_TOKEN", &site.token)
}

#[test]
fn namespaces_on_two_hosts_talk() {
    let site = Site::start("agent", 2).unwrap();
    let scene = Scene::set(&site);
    site.rig.seed_tunnel_neighbours().unwrap();
    let (a, b) = (site.rig.add_netns("a").unwrap(), site.rig.add_netns("b").unwrap());
    let line = format!("attach --network {} --netns {} --name a", scene.network.id, a.name());
    let first = scene.ok(scene.host(1), &line);
    assert_eq!((&first["status"], &first["made_port"]), (&"ACTIVE".into(), &Value::Bool(true)));
    assert_eq!(scene.ok(scene.host(1), &line), first, "attaching twice is attaching once");
    // A port that is there, by its name, and a process instead of a name.
    let taken = scene.red.port(&scene.network, "b").unwrap();
    let sleeper = b.spawn(&["sleep", "1000"]).unwrap();
    let second = scene.ok(scene.host(2), &format!("attach --port b --pid {} --ifname net0", sleeper.pid()));
    assert_eq!((&second["port"], &second["made_port"]), (&taken.id.as_str().into(), &Value::Bool(false)));
    assert_eq!(scene.ports().len(), 2);

    for address in &taken.fixed_ips {
        let pinged = a.exec(&["ping", "-c", "3", "-i", "0.05", "-W", "2", &address.ip_address]).unwrap();
        assert!(pinged.contains(" 0% packet loss"), "{pinged}");
    }
    // TCP finds wrong checksums that pings do not.
    let server = b.spawn(&["iperf3", "-s", "-1"]).unwrap();
    let to = &taken.fixed_ips[0].ip_address;
    wait_until("1 MiB over TCP", LIMIT, || {
        Ok(a.output(&["iperf3", "-c", to, "-n", "1M", "--connect-timeout", "2000"])?.succeeded())
    })
    .unwrap();
    drop(server);
    let mtu = format!("mtu {}", scene.network.mtu);
    assert!(a.exec(&["ip", "link", "show", "eth0"]).unwrap().contains(&mtu));
    assert!(a.exec(&["ip", "route"]).unwrap().contains("default via 10.0.0.1"));
    let ids =
        scene.host(1).vsctl(&["get", "Interface", first["host_ifname"].as_str().unwrap(), "external_ids"]);
    assert!(ids.unwrap().contains(&format!("iface-id=\"{}\"", first["port"].as_str().unwrap())));

    // A place has one port, and a port one place.
    let other = scene.fails(scene.host(1), &format!("attach --port b --netns {}", a.name()));
    assert!(other.contains("is attached to port"), "{other}");
    let twice = scene.fails(scene.host(2), &format!("attach --port b --netns {}", a.name()));
    assert!(twice.contains("is attached to net0 in"), "{twice}");
    let listed = scene.agent(scene.host(1), "list").run().unwrap();
    assert!(listed.contains(first["port"].as_str().unwrap()) && listed.contains("eth0"), "{listed}");

    // What was made goes, what was taken stays.
    scene.ok(scene.host(2), "detach --port b");
    assert_eq!(scene.ok(scene.host(2), "detach --host-ifname nobody"), serde_json::json!([]));
    let gone = format!("detach --netns {}", a.name());
    assert_eq!(scene.ok(scene.host(1), &gone)[0]["port_deleted"], true);
    assert_eq!(scene.ok(scene.host(1), &gone), serde_json::json!([]));
    assert_eq!(scene.ports().iter().map(|port| &port.id).collect::<Vec<_>>(), [&taken.id]);
    scene.site.wait(scene.red.client.ports().delete(&taken.id)).unwrap();
    scene.assert_nothing_left(scene.host(1), &a);
    scene.assert_nothing_left(scene.host(2), &b);
}

#[test]
fn what_fails_half_way_is_undone() {
    let site = Site::start("agentundo", 1).unwrap();
    let scene = Scene::set(&site);
    let host = scene.host(1);
    let a = site.rig.add_netns("a").unwrap();
    let attach = format!("attach --network {} --netns {}", scene.network.id, a.name());
    // Refused by the controller.
    let refused = scene.fails(host, &format!("{attach} --ip 192.0.2.1"));
    assert!(refused.contains("192.0.2.1"), "{refused}");
    scene.assert_nothing_left(host, &a);
    // Something of the workload's own is in the way.
    a.exec(&["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "own"]).unwrap();
    let in_the_way = scene.fails(host, &attach);
    assert!(in_the_way.contains("eth0") && in_the_way.contains("already"), "{in_the_way}");
    a.exec(&["ip", "link", "del", "eth0"]).unwrap();
    scene.assert_nothing_left(host, &a);
    // Nobody takes the interface: the last wait but one.
    host.stop_vswitchd().unwrap();
    let untaken = scene.fails(host, &format!("{attach} --timeout 1"));
    assert!(untaken.contains("ovs-vswitchd"), "{untaken}");
    scene.assert_nothing_left(host, &a);
    // Asked to stop while it waits.
    assert_eq!(waiting_for_vswitchd(&scene, host, &attach).terminate().unwrap().code(), Some(1));
    scene.assert_nothing_left(host, &a);
    // Killed while it waits: the next one goes on with what it finds.
    waiting_for_vswitchd(&scene, host, &attach).kill9().unwrap();
    let before = scene.ports();
    assert_eq!(before.len(), 1);
    host.start_vswitchd().unwrap();
    let attached = scene.ok(host, &attach);
    assert_eq!((&attached["port"], &attached["status"]), (&before[0].id.as_str().into(), &"ACTIVE".into()));
    assert_eq!(scene.ports().len(), 1);
    scene.ok(host, &format!("detach --netns {}", a.name()));
    scene.assert_nothing_left(host, &a);
}

/// An agent that has plugged its interface and waits for a daemon that does not run.
fn waiting_for_vswitchd(scene: &Scene, host: &Host, line: &str) -> Process {
    let agent = Process::start(&scene.agent(host, line)).unwrap();
    wait_until("the interface to be plugged", LIMIT, || {
        Ok(host.vsctl(&["--no-wait", "list-ports", "br-int"])?.contains("wp-"))
    })
    .unwrap();
    agent
}

#[test]
fn a_tap_and_a_veth_that_are_there_are_taken_and_stay() {
    let site = Site::start("agenttap", 1).unwrap();
    let scene = Scene::set(&site);
    let host = scene.host(1);
    let port = scene.red.port(&scene.network, "vm").unwrap();
    host.netns().ip("tuntap add tap0 mode tap\n").unwrap();
    let missing = scene.fails(host, "attach --port vm --tap tap9");
    assert!(missing.contains("tap9"), "{missing}");
    let line = "attach --port vm --tap tap0";
    let attached = scene.ok(host, line);
    assert_eq!((&attached["port"], &attached["status"]), (&port.id.as_str().into(), &"ACTIVE".into()));
    assert_eq!(scene.ok(host, line), attached);
    scene.ok(host, "detach --host-ifname tap0");
    assert!(host.exec(&["ip", "link", "show", "tap0"]).is_ok());
    assert_eq!(scene.ports().len(), 1, "the port was there before");

    // Both ends of a veth that somebody else made.
    let b = site.rig.add_netns("b").unwrap();
    host.netns().ip("link add v0 type veth peer name v1\n").unwrap();
    host.netns().ip(&format!("link set v1 netns {}\n", b.name())).unwrap();
    let line = format!("attach --port vm --veth v0 --netns {} --ifname v1", b.name());
    assert_eq!(scene.ok(host, &line)["status"], "ACTIVE");
    let addresses = b.exec(&["ip", "-o", "addr", "show", "v1"]).unwrap();
    assert!(addresses.contains(&port.fixed_ips[0].ip_address), "{addresses}");
    scene.ok(host, "detach --port vm --delete-port");
    assert!(host.exec(&["ip", "link", "show", "v0"]).is_ok());
    assert_eq!(scene.ports(), []);
}

#[test]
fn what_is_left_by_a_namespace_that_ended_can_be_swept() {
    let site = Site::start("agentgone", 1).unwrap();
    let scene = Scene::set(&site);
    let host = scene.host(1);
    let a = site.rig.add_netns("a").unwrap();
    scene.ok(host, &format!("attach --network {} --netns {}", scene.network.id, a.name()));
    a.exec(&["ip", "link", "del", "eth0"]).unwrap();
    wait_until("the interface to be gone", LIMIT, || Ok(scene.ok(host, "list -o json")[0]["gone"] == true))
        .unwrap();
    // The same place again: the port that was made for it is used again.
    let before = scene.ports();
    let again = scene.ok(host, &format!("attach --network {} --netns {}", scene.network.id, a.name()));
    assert_eq!((&again["port"], scene.ports().len()), (&before[0].id.as_str().into(), 1));
    a.exec(&["ip", "link", "del", "eth0"]).unwrap();
    assert_eq!(scene.ok(host, "detach --gone").as_array().unwrap().len(), 1);
    scene.assert_nothing_left(host, &a);
}

#[test]
fn a_host_joins_and_keeps_what_others_set() {
    let site = Site::start("agentjoin", 0).unwrap();
    let host = site.rig.add_host(HostSpec::new("h1")).unwrap();
    host.vsctl(&["set-manager", "ptcp:0:127.0.0.1"]).unwrap();
    let (manager, ip) = (site.rig.manager_target(), host.underlay_ip());
    let line = format!("join --controller {manager} --encap-ip {ip}");
    let join = || -> Value {
        let done = agent(&site, &host, &line).limit(Duration::from_secs(40)).output().unwrap();
        assert!(done.succeeded(), "{done:?}");
        serde_json::from_str(&done.stdout).unwrap()
    };
    let joined = join();
    assert_eq!((&joined["system_id"], &joined["encap_ip"]), (&"h1".into(), &ip.to_string().as_str().into()));
    assert!(host.vsctl(&["br-exists", "br-int"]).is_ok());
    assert_eq!(join(), joined);
    let managers = host.vsctl(&["get-manager"]).unwrap();
    assert_eq!(managers.lines().collect::<Vec<_>>(), ["ptcp:0:127.0.0.1", manager.as_str()]);
    wait_until("the host to be up", LIMIT, || Ok(site.host_status(&host)?.status == "UP")).unwrap();
    // Nobody answers: said, with what the database knows.
    let lost = agent(
        &site,
        &host,
        &format!("join --controller tcp:{}:1 --encap-ip {ip} --timeout 1", site.rig.controller_ip()),
    );
    let lost = lost.output().unwrap();
    assert_eq!(lost.code, Some(1));
    assert!(lost.stderr.contains("is not connected"), "{lost:?}");
}
