//! What a workload's namespace looks like once it is wired, read back with `ip` and `ethtool`. Needs root.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use weft_agent::AgentError;
use weft_agent::links::{self, Pair};
use weft_agent::namespace::{Namespace, Place};
use weft_agent::offload;
use weft_agent::wiring::{Prefix, Route, Wiring};

/// A network namespace that goes when this does.
struct Netns(String);

impl Netns {
    fn add() -> Netns {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("wt-agent-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        run(&["ip", "netns", "add", &name]);
        Netns(name)
    }

    fn open(&self) -> Namespace {
        Namespace::open(&Place::Name(self.0.clone())).unwrap()
    }

    fn run(&self, argv: &[&str]) -> String {
        run(&[&["ip", "netns", "exec", &self.0], argv].concat())
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

fn run(argv: &[&str]) -> String {
    let output = Command::new(argv[0]).args(&argv[1..]).output().unwrap();
    assert!(output.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn wiring() -> Wiring {
    let prefix = |ip: &str, length| Prefix { ip: ip.parse().unwrap(), length };
    let route = |to: Prefix, via: &str| Route { to, via: via.parse().unwrap() };
    Wiring {
        mac: [2, 0, 0, 0, 0, 9],
        mtu: 1442,
        addresses: vec![prefix("10.7.0.5", 24), prefix("fd07::5", 64)],
        routes: vec![
            route(prefix("198.51.100.0", 24), "10.7.0.9"),
            route(prefix("0.0.0.0", 0), "10.7.0.1"),
            route(prefix("::", 0), "fd07::1"),
        ],
    }
}

/// Makes a pair between a namespace that stands for the host and the workload's.
async fn pair(host: &Namespace, workload: &Namespace, wiring: &Wiring) -> Result<(), AgentError> {
    let pair = Pair {
        outside: "wp-test".into(),
        inside: "eth0".into(),
        mac: wiring.mac,
        mtu: wiring.mtu,
        namespace: workload.raw(),
    };
    host.within(async move |handle| links::make_pair(handle, &pair).await).await
}

#[tokio::test]
async fn a_workload_gets_all_that_its_port_has_and_again_the_same() {
    let (host, workload) = (Netns::add(), Netns::add());
    // As container engines leave it.
    workload.run(&["sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"]);
    let wiring = wiring();
    pair(&host.open(), &workload.open(), &wiring).await.unwrap();
    for _ in 0..2 {
        let wanted = wiring.clone();
        let work = async move |handle: &rtnetlink::Handle| {
            offload::disable("eth0")?;
            links::configure(handle, "eth0", &wanted).await
        };
        assert_eq!(workload.open().within(work).await.unwrap(), []);
    }
    let link = workload.run(&["ip", "link", "show", "eth0"]);
    assert!(link.contains("mtu 1442") && link.contains("02:00:00:00:00:09") && link.contains("UP"), "{link}");
    let addresses = workload.run(&["ip", "-o", "addr", "show", "eth0"]);
    assert!(addresses.contains("10.7.0.5/24") && addresses.contains("fd07::5/64"), "{addresses}");
    assert_eq!(addresses.matches("10.7.0.5/24").count(), 1);
    assert!(!addresses.contains("fd07::5/64 scope global tentative"), "usable at once: {addresses}");
    let routes = workload.run(&["ip", "route"]) + &workload.run(&["ip", "-6", "route"]);
    for route in ["198.51.100.0/24 via 10.7.0.9", "default via 10.7.0.1", "default via fd07::1"] {
        assert!(routes.contains(route), "{routes}");
    }
    let features = workload.run(&["ethtool", "-k", "eth0"]);
    for off in ["tx-checksumming: off", "tcp-segmentation-offload: off"] {
        assert!(features.contains(off), "{features}");
    }
    assert!(workload.run(&["ip", "link", "show", "lo"]).contains("UP"));
    assert!(host.run(&["ip", "link", "show", "wp-test"]).contains("mtu 1442"));
    host.open().within(async |handle| links::remove(handle, "wp-test").await).await.unwrap();
    host.open().within(async |handle| links::remove(handle, "wp-test").await).await.unwrap();
    assert!(!workload.run(&["ip", "link"]).contains("eth0"));
}

#[tokio::test]
async fn a_default_route_that_is_there_stays() {
    let (host, workload) = (Netns::add(), Netns::add());
    workload.run(&["ip", "link", "add", "first", "type", "veth", "peer", "name", "peer"]);
    for argv in [
        ["ip", "link", "set", "first", "up"].as_slice(),
        &["ip", "link", "set", "peer", "up"],
        &["ip", "addr", "add", "192.168.9.2/24", "dev", "first"],
        &["ip", "route", "add", "default", "via", "192.168.9.1"],
    ] {
        workload.run(argv);
    }
    let wiring = wiring();
    pair(&host.open(), &workload.open(), &wiring).await.unwrap();
    let wanted = wiring.clone();
    let left_out =
        workload.open().within(async move |handle| links::configure(handle, "eth0", &wanted).await).await;
    assert_eq!(left_out.unwrap(), [wiring.routes[1]]);
    assert!(workload.run(&["ip", "route"]).contains("default via 192.168.9.1 dev first"));
}

#[tokio::test]
async fn names_that_are_taken_or_missing_are_told() {
    let (host, workload) = (Netns::add(), Netns::add());
    let wiring = wiring();
    pair(&host.open(), &workload.open(), &wiring).await.unwrap();
    let twice = pair(&host.open(), &workload.open(), &wiring).await;
    let Err(AgentError::Kernel { source, .. }) = twice else { panic!("{twice:?}") };
    assert_eq!(source.kind(), std::io::ErrorKind::AlreadyExists);
    let found = host.open().within(async |handle| links::find(handle, "nobody").await).await.unwrap();
    assert_eq!(found, None);
    let missing =
        host.open().within(async move |handle| links::configure(handle, "nobody", &wiring).await).await;
    assert!(matches!(missing, Err(AgentError::NoInterface { .. })), "{missing:?}");
}
