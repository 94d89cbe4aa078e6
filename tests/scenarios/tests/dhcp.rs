//! Proves that stock clients get what the model says they have (udhcpc, dhclient for both families, the kernel for router
//! advertisements), that a flood of one workload starves nobody, and that traffic outlives the controller that answers.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use weft_api::{ExtraDhcpOpt, HostRoute, Network, Port, PortUpdate, Subnet, SubnetCreate, SubnetUpdate};
use weft_rig::{Capture, Host, Workload, WorkloadSpec, http_get, wait_until};
use weft_scenarios::{LIMIT, NetworkSpec, Site, SiteSpec, Tenancy, asked, check_installed, stored};

/// Writes down what a client is told, and does what it is told for. Its resolver is never touched: that file is the
/// machine's.
const UDHCPC: &str = r#"#!/bin/sh
echo "event=$1" > "$OUT"
env | grep -v '^_' >> "$OUT"
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip addr replace "$ip/$mask" dev eth0
"#;
const DHCLIENT: &str = r#"#!/bin/sh
echo "event=$reason" >> "$OUT"
env | grep '^new_' >> "$OUT"
case "$reason" in
BOUND | REBOOT | RENEW | REBIND) ip addr replace "$new_ip_address/$new_subnet_mask" dev eth0 ;;
BOUND6 | REBIND6 | RENEW6) ip addr replace "$new_ip6_address/128" dev eth0 nodad ;;
esac
exit 0
"#;

/// A network with a subnet that says everything.
struct Stage<'a> {
    site: &'a Site,
    red: Tenancy<'a>,
    network: Network,
    scripts: PathBuf,
}

impl<'a> Stage<'a> {
    fn set(site: &'a Site, subnets: &[SubnetCreate]) -> (Stage<'a>, Vec<Subnet>) {
        let red = Tenancy::create(site, "red").unwrap();
        let network = red.network(&NetworkSpec::new("net", &[])).unwrap();
        let made = subnets.iter().map(|subnet| {
            let new = SubnetCreate { network_id: network.id.clone(), ..subnet.clone() };
            site.wait(red.client.subnets().create(&new)).unwrap().value
        });
        let made = made.collect();
        let scripts = site.rig.run_dir().to_owned();
        for (name, text) in [("udhcpc.sh", UDHCPC), ("dhclient.sh", DHCLIENT)] {
            let path = scripts.join(name);
            std::fs::write(&path, text).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&path, mode).unwrap();
        }
        (Stage { site, red, network, scripts }, made)
    }

    /// A workload that knows nothing of its addresses.
    fn plug(&self, host: &Host, port: &Port, name: &str) -> Workload {
        let spec = WorkloadSpec::new(name, &port.id, &port.mac_address).mtu(1450);
        let workload = self.site.rig.add_workload(host, spec).unwrap();
        self.site.wait_active(&port.id).unwrap();
        workload
    }

    fn port(&self, name: &str) -> Port {
        self.red.port(&self.network, name).unwrap()
    }

    fn out(&self, workload: &Workload) -> PathBuf {
        self.scripts.join(format!("{}.told", workload.name()))
    }

    /// Runs udhcpc until it has an address or gives up; what it was told, if anything.
    fn udhcpc(&self, workload: &Workload) -> Option<BTreeMap<String, String>> {
        let (out, script) = (self.out(workload), self.scripts.join("udhcpc.sh"));
        drop(std::fs::remove_file(&out));
        let (env, script) = (format!("OUT={}", out.display()), script.display().to_string());
        let client = ["udhcpc", "-f", "-n", "-q", "-t", "4", "-T", "1", "-i", "eth0", "-s", &script];
        let done = workload.output(&[&["env", &env], &client[..]].concat()).unwrap();
        done.succeeded().then(|| told(&out))
    }

    /// Runs dhclient once, with the leases that it remembers.
    fn dhclient(&self, workload: &Workload, family: &str) -> BTreeMap<String, String> {
        let (out, script) = (self.out(workload), self.scripts.join("dhclient.sh"));
        drop(std::fs::remove_file(&out));
        let file = |kind: &str| self.scripts.join(format!("{}{family}.{kind}", workload.name()));
        let [leases, pid] = ["leases", "pid"].map(|kind| file(kind).display().to_string());
        let (env, script) = (format!("OUT={}", out.display()), script.display().to_string());
        let set = format!("{env} PATH={}", std::env::var("PATH").unwrap());
        let variables: Vec<&str> = set.split(' ').collect();
        let passed = ["-e", variables[0]];
        let client = ["dhclient", family, "-1", "-v", "-sf", &script, "-lf", &leases, "-pf", &pid];
        workload.exec(&[&client[..], &passed, &["eth0"]].concat()).unwrap();
        // It stays behind to renew; it is ours to end.
        let stop = ["dhclient", family, "-x", "-sf", &script, "-lf", &leases, "-pf", &pid, "eth0"];
        let told = told(&out);
        workload.exec(&stop).unwrap();
        told
    }
}

/// What a script wrote down; of what it wrote twice, the last.
fn told(path: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.trim_matches('\'').to_owned()))
        .collect()
}

fn v4() -> SubnetCreate {
    let route = HostRoute { destination: "10.9.0.0/16".into(), nexthop: "10.0.0.9".into() };
    SubnetCreate {
        cidr: "10.0.0.0/24".into(),
        dns_nameservers: Some(vec!["10.0.0.53".into(), "10.0.0.54".into()]),
        host_routes: Some(vec![route]),
        ..SubnetCreate::default()
    }
}

fn v6(mode: &str) -> SubnetCreate {
    SubnetCreate {
        cidr: "fd00::/64".into(),
        dns_nameservers: Some(vec!["fd00::53".into()]),
        ipv6_ra_mode: Some(mode.into()),
        ipv6_address_mode: Some(mode.into()),
        ..SubnetCreate::default()
    }
}

fn address(port: &Port) -> &str {
    &port.fixed_ips[0].ip_address
}

/// One value of a metric, summed over nothing: the line that starts so.
fn metric(site: &Site, name: &str) -> u64 {
    let page = http_get(site.controller.api_addr(), "/metrics").unwrap().body;
    let line = page.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |value| value.trim().parse().unwrap())
}

const ANSWERED: &str = "weft_packet_questions_total{outcome=\"Answered\"}";

/// A client gets what the subnet says, then what it says after a change; a client whose address has become another's is
/// told so; and without a controller nobody is told anything, but what has been told goes on.
#[test]
fn clients_get_what_the_model_says() {
    let mut site = Site::start("dhcp", 2).unwrap();
    {
        let (stage, subnets) = Stage::set(&site, &[v4()]);
        let ports = ["a", "b"].map(|name| stage.port(name));
        let [a, b] = [0, 1].map(|n| stage.plug(&site.hosts[n], &ports[n], ["a", "b"][n]));
        everything_is_told(&stage, &ports[0], &a);
        what_changes_is_told(&stage, (&ports[0], &a), &subnets[0]);
        what_is_no_longer_true_is_refused(&stage, &ports[1], &b);
    }
    everything_is_installed(&mut site);
}

fn everything_is_told(stage: &Stage<'_>, port: &Port, workload: &Workload) {
    let told = stage.udhcpc(workload).expect("an address");
    let wanted = [
        ("event", "bound"),
        ("ip", address(port)),
        ("mask", "24"),
        ("router", "10.0.0.1"),
        ("serverid", "10.0.0.1"),
        ("dns", "169.254.169.253 10.0.0.53 10.0.0.54"),
        ("domain", "weft.internal"),
        ("mtu", "1450"),
        ("lease", "86400"),
        ("staticroutes", "169.254.169.252/30 0.0.0.0 10.9.0.0/16 10.0.0.9 0.0.0.0/0 10.0.0.1"),
    ];
    for (key, value) in wanted {
        assert_eq!(told.get(key).map(String::as_str), Some(value), "{key} in {told:?}");
    }
    // Its answers are its own: the packets never left the host's services.
    assert!(metric(stage.site, ANSWERED) >= 2);
}

fn what_changes_is_told(stage: &Stage<'_>, (port, workload): (&Port, &Workload), subnet: &Subnet) {
    let change = SubnetUpdate {
        dns_nameservers: Some(vec!["10.0.0.99".into()]),
        host_routes: Some(Vec::new()),
        ..SubnetUpdate::default()
    };
    stage.site.apply(stage.red.client.subnets().update(&subnet.id, &change)).unwrap();
    let told = stage.udhcpc(workload).expect("an address");
    assert_eq!((told["ip"].as_str(), told["dns"].as_str()), (address(port), "169.254.169.253 10.0.0.99"));
    assert_eq!(told["staticroutes"], "169.254.169.252/30 0.0.0.0 0.0.0.0/0 10.0.0.1", "{told:?}");
    // What the port's user chose comes before what the subnet says, and goes again when it is chosen no more.
    let choose = |name: &str, value: Option<&str>| {
        let (opt_name, opt_value) = (name.to_owned(), value.map(str::to_owned));
        let option = ExtraDhcpOpt { opt_name, opt_value, ip_version: None };
        let patch = PortUpdate { extra_dhcp_opts: Some(vec![option]), ..PortUpdate::default() };
        stage.site.apply(stage.red.client.ports().update(&port.id, &patch)).unwrap();
        stage.udhcpc(workload).expect("an address")
    };
    choose("ntp-server", Some("10.0.0.123"));
    let told = choose("mtu", Some("1400"));
    assert_eq!((told["ntpsrv"].as_str(), told["mtu"].as_str()), ("10.0.0.123", "1400"), "{told:?}");
    let told = choose("mtu", None);
    assert_eq!((told["ntpsrv"].as_str(), told["mtu"].as_str()), ("10.0.0.123", "1450"), "{told:?}");
    let silent = |enable_dhcp| SubnetUpdate { enable_dhcp: Some(enable_dhcp), ..SubnetUpdate::default() };
    stage.site.apply(stage.red.client.subnets().update(&subnet.id, &silent(false))).unwrap();
    assert_eq!(stage.udhcpc(workload), None, "DHCP is off");
    stage.site.apply(stage.red.client.subnets().update(&subnet.id, &silent(true))).unwrap();
}

/// dhclient asks for the address that it remembers; when the port has another one now, it is refused and starts afresh.
fn what_is_no_longer_true_is_refused(stage: &Stage<'_>, port: &Port, workload: &Workload) {
    let told = stage.dhclient(workload, "-4");
    assert_eq!((told["event"].as_str(), told["new_ip_address"].as_str()), ("BOUND", address(port)));
    let told = stage.dhclient(workload, "-4");
    assert_eq!(told["event"], "REBOOT", "{told:?}");
    let other = PortUpdate { fixed_ips: Some(asked(&["10.0.0.200"])), ..PortUpdate::default() };
    stage.site.apply(stage.red.client.ports().update(&port.id, &other)).unwrap();
    let told = stage.dhclient(workload, "-4");
    assert_eq!(
        (told["event"].as_str(), told["new_ip_address"].as_str()),
        ("BOUND", "10.0.0.200"),
        "{told:?}"
    );
}

/// What stands on the hosts is what the state says. The store can be read once the controller is gone.
fn everything_is_installed(site: &mut Site) {
    site.controller.kill9().unwrap();
    let state = stored(weft_store::Engine::Redb, &site.rig.run_dir().join("data/store")).unwrap();
    site.hosts.iter().for_each(|host| check_installed(host, &state).unwrap());
}

/// Without a controller nobody is answered, and pings go on; with it back, clients are answered without a flow sent.
#[test]
fn without_a_controller_there_are_no_answers_but_traffic() {
    let mut site = Site::start("dhcpdown", 1).unwrap();
    let (ports, workloads, scripts);
    {
        let (stage, _) = Stage::set(&site, &[v4()]);
        ports = ["a", "b"].map(|name| stage.port(name));
        workloads = [0, 1].map(|n| stage.plug(&site.hosts[0], &ports[n], ["a", "b"][n]));
        workloads.iter().for_each(|workload| drop(stage.udhcpc(workload).expect("an address")));
        scripts = (stage.scripts.clone(), stage.network.clone());
    }
    let [a, b] = &workloads;
    let to = address(&ports[1]).parse::<std::net::IpAddr>().unwrap();
    a.wait_reaches(to, LIMIT).unwrap();
    site.controller.kill9().unwrap();
    assert!(a.ping(to, 3).unwrap().all());
    let script = scripts.0.join("udhcpc.sh").display().to_string();
    let ask = [
        "env",
        "OUT=/dev/null",
        "udhcpc",
        "-f",
        "-n",
        "-q",
        "-t",
        "3",
        "-T",
        "1",
        "-i",
        "eth0",
        "-s",
        &script,
    ];
    assert!(!b.output(&ask).unwrap().succeeded());
    site.controller.start_again(LIMIT).unwrap();
    site.wait_connected().unwrap();
    assert!(b.output(&ask).unwrap().succeeded());
    let status = site.host_status(&site.hosts[0]).unwrap();
    assert_eq!((status.flow_messages_sent, status.drift_repaired), (0, 0), "{status:?}");
    assert!(a.ping(to, 3).unwrap().all());
}

/// The kernel makes its address from the advertisement, and it is the port's; the rest it asks for.
#[test]
fn kernels_make_the_addresses_that_their_ports_have() {
    let spec = SiteSpec::hosts(2).options(&["--advertise-interval", "2"]);
    let mut site = Site::build("slaac", spec).unwrap();
    let (stage, _) = Stage::set(&site, &[v6("slaac")]);
    let ports = ["a", "b"].map(|name| stage.port(name));
    let [a, b] = [0, 1].map(|n| stage.plug(&site.hosts[n], &ports[n], ["a", "b"][n]));
    for (workload, port) in [(&a, &ports[0]), (&b, &ports[1])] {
        wait_until("the kernel's address", LIMIT, || {
            let shown =
                workload.exec(&["ip", "-6", "-o", "addr", "show", "dev", "eth0", "scope", "global"])?;
            Ok(shown.contains(&format!("{}/64", address(port))))
        })
        .unwrap();
        workload.wait_addresses(LIMIT).unwrap();
        // Nobody has the gateway's address, so there is no default router.
        assert_eq!(workload.exec(&["ip", "-6", "route", "show", "default"]).unwrap(), "");
        assert!(workload.exec(&["cat", "/proc/sys/net/ipv6/conf/eth0/mtu"]).unwrap().starts_with("1450"));
    }
    a.wait_reaches(address(&ports[1]).parse::<std::net::IpAddr>().unwrap(), LIMIT).unwrap();

    // Somebody takes the gateway's address: from then on it is announced under its MAC, also to who does not ask.
    let mut asked_again = Capture::start(b.netns(), "eth0", "icmp6 and ip6[40] == 133").unwrap();
    let gateway = stage.red.port_at(&stage.network, "gw", &["fd00::1"]).unwrap();
    let revision = site.wait(site.admin.ports().show(&gateway.id)).unwrap().revision;
    site.wait_applied(revision).unwrap();
    a.exec(&["ip", "link", "set", "eth0", "down"]).unwrap();
    a.exec(&["ip", "link", "set", "eth0", "up"]).unwrap();
    for workload in [&a, &b] {
        wait_until("a default router", LIMIT, || Ok(lifetime(workload).is_some())).unwrap();
    }
    // And again, before what it was told ends.
    let mut last = u32::MAX;
    wait_until("the route's lifetime to grow", LIMIT, || {
        let now = lifetime(&b).unwrap_or(0);
        Ok(now > std::mem::replace(&mut last, now))
    })
    .unwrap();
    assert_eq!(asked_again.count().unwrap(), 0);
    everything_is_installed(&mut site);
}

/// For how many more seconds a workload's kernel has a default router.
fn lifetime(workload: &Workload) -> Option<u32> {
    let shown = workload.exec(&["ip", "-6", "route", "show", "default"]).unwrap();
    let (_, expires) = shown.split_once("via fe80::")?.1.split_once("expires ")?;
    expires.split_once("sec")?.0.parse().ok()
}

/// A stock DHCPv6 client gets the port's address and the resolvers.
#[test]
fn dhcpv6_clients_get_the_addresses_of_their_ports() {
    let mut site = Site::start("dhcp6", 1).unwrap();
    let (stage, _) = Stage::set(&site, &[v6("dhcpv6-stateful")]);
    let port = stage.port("a");
    let a = stage.plug(&site.hosts[0], &port, "a");
    a.wait_addresses(LIMIT).unwrap();
    let told = stage.dhclient(&a, "-6");
    assert_eq!(told["new_ip6_address"], address(&port), "{told:?}");
    assert_eq!(told["new_dhcp6_name_servers"], "fe80::a9fe:a9fd fd00::53", "{told:?}");
    everything_is_installed(&mut site);
}

/// Thousands of questions a second from one workload: the switch lets through what its meter allows, and another
/// workload on the same host is answered as if nothing were.
#[test]
fn a_flood_of_one_workload_starves_nobody() {
    const FLOOD: &str = r#"
import socket, sys, time
mac = bytes.fromhex(sys.argv[1].replace(":", ""))
bootp = bytes([1, 1, 6, 0, 1, 2, 3, 4]) + bytes(20) + mac + bytes(202) + bytes([99, 130, 83, 99, 53, 1, 1, 255])
udp = (68).to_bytes(2, "big") + (67).to_bytes(2, "big") + (8 + len(bootp)).to_bytes(2, "big") + bytes(2) + bootp
head = bytes([0x45, 0]) + (20 + len(udp)).to_bytes(2, "big") + bytes([0, 0, 0, 0, 64, 17])
rest = bytes(4) + bytes([255] * 4)
total = sum(int.from_bytes((head + rest)[i:i + 2], "big") for i in range(0, 18, 2))
total = (total & 0xffff) + (total >> 16)
ip = head + (0xffff - total).to_bytes(2, "big") + rest
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
frame = bytes([255] * 6) + mac + bytes([8, 0]) + ip + udp
while True:
    for _ in range(100):
        s.send(frame)
    print(100, flush=True)
    time.sleep(0.02)
"#;
    let site = Site::start("dhcpflood", 1).unwrap();
    let (stage, _) = Stage::set(&site, &[v4()]);
    let ports = ["bad", "good"].map(|name| stage.port(name));
    let [bad, good] = [0, 1].map(|n| stage.plug(&site.hosts[0], &ports[n], ["bad", "good"][n]));
    let answered = metric(&site, ANSWERED);
    let begin = std::time::Instant::now();
    let flood = bad.spawn(&["python3", "-c", FLOOD, &ports[0].mac_address]).unwrap();
    let sent = || flood.log().unwrap().lines().count() * 100;
    wait_until("the flood to be one", LIMIT, || Ok(sent() > 3000)).unwrap();
    assert!(metric(&site, ANSWERED) > answered, "the flood asks what is answered");
    for _ in 0..5 {
        let told = stage.udhcpc(&good).expect("an address in the middle of a flood");
        assert_eq!(told["ip"], address(&ports[1]));
    }
    let took = begin.elapsed().as_secs();
    let (asked, answered) = (sent(), metric(&site, ANSWERED) - answered);
    println!("in {took} s {asked} questions were sent, and {answered} answered");
    // The bad one's share is its meter's rate and one burst; the good one's are five times two.
    assert!(answered < 20 * (took + 1) + 60 + 40, "{answered} answers in {took} s");
    assert!(asked as u64 > 3 * answered);
}
