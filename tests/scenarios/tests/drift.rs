//! Proves that what is installed is what is wanted: whatever somebody changes by hand in flows, groups, tunnels or the
//! bridge is put right and counted, and what belongs to others is left alone.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;

use anyhow::ensure;
use weft_rig::{Host, HostSpec, Workload, wait_until};
use weft_scenarios::{LIMIT, NetworkSpec, Site, SiteSpec, Tenancy};

/// A site that audits every so many seconds, with a workload on each of two hosts.
fn audited(hint: &str, interval: &str) -> (Site, Workload, Workload) {
    let site = Site::build(hint, SiteSpec::hosts(2).options(&["--audit-interval", interval])).unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let network = red.network(&NetworkSpec::new("blue", &["10.0.0.0/24", "fd00::/64"])).unwrap();
    let ports = ["a", "b"].map(|name| red.port(&network, name).unwrap());
    let a = site.attach(&site.hosts[0], "a", &ports[0]).unwrap();
    let b = site.attach(&site.hosts[1], "b", &ports[1]).unwrap();
    a.wait_reaches(b.ipv4().unwrap(), LIMIT).unwrap();
    (site, a, b)
}

/// Flows and groups as text, without counters.
fn tables(host: &Host) -> BTreeSet<String> {
    let groups = host.ofctl(&["dump-groups", "br-int"]).unwrap();
    host.flows("br-int").unwrap().into_iter().chain(groups.lines().skip(1).map(str::to_owned)).collect()
}

/// The cookie of a flow as `ovs-ofctl` prints it, and where it stands: table, priority and match. Table 0 is not printed.
fn place(flow: &str) -> (&str, String) {
    let (head, _) = flow.split_once(" actions=").unwrap();
    let (cookie, rest) = head.split_once(", ").unwrap();
    let rest = rest.replace(' ', "");
    (cookie, if rest.starts_with("table=") { rest } else { format!("table=0,{rest}") })
}

/// One thing that a hand does to a host's tables.
struct Hand<'a> {
    what: &'a str,
    arguments: Vec<String>,
    /// How many flows and groups differ afterwards; 0 when it does not matter.
    differences: u64,
}

/// What hands do to flows and groups. `sole` is a flow with a place of its own, `group` a group that a flow outputs to.
fn hands<'a>(sole: &str, group: &str, users: u64) -> Vec<Hand<'a>> {
    let (cookie, matching) = place(sole);
    let hand = |what, arguments: &[&str], differences| Hand {
        what,
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        differences,
    };
    vec![
        hand("a flow deleted", &["--strict", "del-flows", "br-int", &matching], 1),
        hand(
            "a flow's actions modified",
            &["--strict", "mod-flows", "br-int", &format!("{matching},actions=drop")],
            1,
        ),
        hand(
            "a flow's cookie replaced",
            &["add-flow", "br-int", &format!("cookie=0x1234,{matching},actions=drop")],
            1,
        ),
        hand(
            "a foreign flow added",
            &["add-flow", "br-int", "table=0,priority=65535,dl_type=0x88b5,actions=drop"],
            1,
        ),
        hand(
            "a foreign flow in a table of nobody",
            &["add-flow", "br-int", "table=200,priority=1,actions=normal"],
            1,
        ),
        hand(
            "a flow that would expire",
            &["add-flow", "br-int", "idle_timeout=3600,table=0,ip,priority=65535,actions=drop"],
            1,
        ),
        hand("all of a cookie's flows deleted", &["del-flows", "br-int", &format!("{cookie}/-1")], 1),
        hand("one more group", &["add-group", "br-int", "group_id=77,type=all,bucket=output:1"], 1),
        hand("a group emptied", &["mod-group", "br-int", &format!("{group},type=all")], 1),
        hand(
            "a group of another type",
            &["mod-group", "br-int", &format!("{group},type=select,bucket=output:1")],
            1,
        ),
        hand(
            "a group deleted, and by Open vSwitch what leads to it",
            &["del-groups", "br-int", group],
            1 + users,
        ),
        hand("everything deleted", &["del-flows", "br-int"], 0),
    ]
}

fn field<'a>(flow: &'a str, name: &str) -> &'a str {
    let (_, rest) = flow.split_once(name).unwrap();
    rest.split([',', ' ']).next().unwrap()
}

/// Flows and groups deleted, modified and added by hand are as before within the next audits, and each is counted.
#[test]
fn flows_and_groups_are_put_right() {
    let (site, a, b) = audited("drift", "1");
    all_is_put_right(&site, &a, &b);
}

/// The same with audits an hour apart: Open vSwitch itself tells what a hand changes, and what differed can be read.
#[test]
fn what_a_hand_changes_is_put_right_at_once() {
    let (site, a, b) = audited("watch", "3600");
    let host = &site.hosts[1];
    let before = site.host_status(host).unwrap().audit;
    assert!(before.monitored && before.last_difference.is_empty(), "{before:?}");
    all_is_put_right(&site, &a, &b);
    let after = site.host_status(host).unwrap().audit;
    assert!(after.audits > before.audits && after.last.is_some(), "{after:?}");
    assert!((5..=10).contains(&after.last_difference.len()), "everything was deleted: {after:?}");

    host.ofctl(&["add-flow", "br-int", "table=0,priority=65535,dl_type=0x88b5,actions=drop"]).unwrap();
    wait_until("the foreign flow to be told", LIMIT, || {
        let told = site.host_status(host)?.audit.last_difference;
        let wanted = "not wanted (cookie 0x0, not Weft's): table=classify,priority=65535,dl_type=0x88b5";
        ensure!(told == [wanted], "{told:?}");
        Ok(true)
    })
    .unwrap();
    let log = site.controller.log().unwrap();
    // One line per host in ten seconds: the first finding is told in words, later ones are counted.
    let line = log.lines().find(|line| line.contains("differed from what is wanted")).unwrap();
    assert!(line.contains("table=classify") && line.contains("actions="), "{line}");
    assert_eq!(site.host_status(&site.hosts[0]).unwrap().audit.audits, 0, "nobody touched this one");
    // Weft's own changes are no news: they bring no audit.
    let audits = site.host_status(host).unwrap().audit.audits;
    let red = Tenancy::create(&site, "green").unwrap();
    let network = red.network(&NetworkSpec::new("own", &["10.1.0.0/24"])).unwrap();
    let port = red.port(&network, "c").unwrap();
    let mut c = site.attach(host, "c", &port).unwrap();
    c.unplug().unwrap();
    site.apply(site.admin.ports().delete(&port.id)).unwrap();
    assert_eq!(site.host_status(host).unwrap().audit.audits, audits);
}

fn all_is_put_right(site: &Site, a: &Workload, b: &Workload) {
    let host = &site.hosts[1];
    let before = tables(host);
    let ping = |what: &str| {
        a.wait_reaches(b.ipv4().unwrap(), LIMIT).unwrap_or_else(|e| panic!("after {what}: {e:#}"))
    };
    let flows = host.flows("br-int").unwrap();
    // The flow that hands packets out of the tunnel to their network.
    let sole = flows.iter().find(|flow| flow.contains("tun_id=")).unwrap();
    let groups = host.ofctl(&["dump-groups", "br-int"]).unwrap();
    let group = format!("group_id={}", field(groups.lines().nth(1).unwrap(), "group_id="));
    let id = field(&group, "group_id=").to_owned();
    let leads_there = format!("group:{id}");
    let used = |flow: &&String| flow.split([',', '=', '(', ')', ' ']).any(|word| word == leads_there);
    let users = u64::try_from(flows.iter().filter(used).count()).unwrap();
    assert!(users > 0, "{flows:#?}");
    for hand in hands(sole, &group, users) {
        let repaired = site.host_status(host).unwrap().drift_repaired;
        let arguments: Vec<&str> = hand.arguments.iter().map(String::as_str).collect();
        host.ofctl(&arguments).unwrap();
        let what = hand.what;
        wait_until(&format!("{what} to be counted"), LIMIT, || {
            let now = site.host_status(host)?.drift_repaired;
            ensure!(now > repaired, "{now} repaired, {repaired} before");
            Ok(true)
        })
        .unwrap();
        wait_until(&format!("{what} to be repaired"), LIMIT, || {
            let now = tables(host);
            ensure!(now == before, "{:#?}", now.symmetric_difference(&before).collect::<Vec<_>>());
            Ok(true)
        })
        .unwrap();
        if hand.differences > 0 {
            let counted = site.host_status(host).unwrap().drift_repaired - repaired;
            assert_eq!(counted, hand.differences, "{what}: {group} in {before:#?}");
        }
        ping(what);
    }
    let other = site.host_status(&site.hosts[0]).unwrap();
    assert_eq!((other.drift_repaired, other.problems.len()), (0, 0), "nobody touched this one");
}

/// `ovs-vsctl` with a line as one types it.
fn type_in(host: &Host, line: &str) -> anyhow::Result<String> {
    host.vsctl(&line.split(' ').collect::<Vec<_>>())
}

/// Puts beside Weft's what others may have on a host: a bridge with a controller, a port of `br-int`, a manager, marks.
fn move_in(host: &Host) {
    for line in [
        "add-br br-own -- set Bridge br-own datapath_type=netdev fail_mode=standalone",
        "set-controller br-own tcp:127.0.0.1:9",
        "add-port br-int own1 -- set Interface own1 type=internal",
        "-- --id=@m create Manager target=\"ptcp:6699:127.0.0.1\" -- add Open_vSwitch . manager_options @m",
        "set Bridge br-int external_ids:own=1 -- set Open_vSwitch . external_ids:own=1",
    ] {
        type_in(host, line).unwrap();
    }
}

/// What [`move_in`] put there, as it is now.
fn others(host: &Host) -> Vec<String> {
    let lines = [
        "get-controller br-own",
        "get-fail-mode br-own",
        "port-to-br own1",
        "get Interface own1 type",
        "get-manager",
        "get Bridge br-int external_ids:own",
        "get Open_vSwitch . external_ids:own",
    ];
    lines.map(|line| type_in(host, line).unwrap()).into()
}

/// What Weft set of a host's tunnel and bridge.
fn own(host: &Host, tunnel: &str) -> anyhow::Result<Vec<String>> {
    let interface = ["type", "options", "ofport_request"].map(|c| format!("get Interface {tunnel} {c}"));
    let bridge =
        ["fail_mode", "protocols", "controller", "other_config"].map(|c| format!("get Bridge br-int {c}"));
    interface.iter().chain(&bridge).map(|line| type_in(host, line)).collect()
}

/// Tunnels and the bridge's own settings are put right at once; what stands beside them and is not Weft's stays.
#[test]
fn tunnels_and_the_bridge_are_put_right_and_others_left_alone() {
    let (site, a, b) = audited("bridge", "1");
    let host = &site.hosts[0];
    move_in(host);
    let before = others(host);
    let tunnel = site.host_status(host).unwrap().tunnels[0].clone();
    let name = tunnel.name.as_str();
    let wanted = own(host, name).unwrap();
    // The number as the switch says it: `ovs-vswitchd` may leave an older one in the column `ofport` when two changes of
    // `ofport_request` follow each other so closely that it has not yet heard back what it wrote for the first.
    let numbered = format!(" {}({name})", tunnel.ofport.unwrap());
    for (what, line) in [
        ("the tunnel removed", format!("del-port br-int {name}")),
        ("the tunnel sent elsewhere", format!("set Interface {name} options:remote_ip=192.0.2.99")),
        ("the tunnel given a key", format!("set Interface {name} options:key=77")),
        ("the tunnel's number changed", format!("set Interface {name} ofport_request=40000")),
        ("the tunnel's type changed", format!("set Interface {name} type=geneve")),
        ("the fail mode changed", "set-fail-mode br-int standalone".to_owned()),
        ("the fail mode removed", "del-fail-mode br-int".to_owned()),
        ("the protocols changed", "set Bridge br-int protocols=OpenFlow13".to_owned()),
        ("the datapath id changed", "set Bridge br-int other_config:datapath-id=0000000000000001".to_owned()),
    ] {
        type_in(host, &line).unwrap();
        wait_until(&format!("{what}: to be put right"), LIMIT, || {
            let now = own(host, name)?;
            ensure!(now == wanted, "{now:?}, wanted {wanted:?}");
            let ports = host.ofctl(&["dump-ports-desc", "br-int"])?;
            ensure!(ports.contains(&numbered), "no{numbered} in {ports}");
            Ok(true)
        })
        .unwrap();
        a.wait_reaches(b.ipv4().unwrap(), LIMIT).unwrap_or_else(|e| panic!("after {what}: {e:#}"));
    }
    // The bridge's own way to the controller.
    type_in(host, "del-controller br-int").unwrap();
    wait_until("the bridge to be connected again", LIMIT, || {
        let connected =
            type_in(host, "--bare --columns=is_connected find Controller external_ids:weft-owner=weft")?;
        ensure!(connected.trim() == "true", "{connected:?}");
        Ok(true)
    })
    .unwrap();
    site.wait_connected().unwrap();
    a.wait_reaches(b.ipv4().unwrap(), LIMIT).unwrap();
    assert_eq!(others(host), before);
}

/// A `br-int` that is somebody else's is not touched, and its host says what is wrong until it is handed over.
#[test]
fn a_bridge_of_somebody_else_is_not_touched() {
    let site = Site::start("foreign", 1).unwrap();
    let host = site.rig.add_host(HostSpec::new("other")).unwrap();
    host.add_bridge("br-int").unwrap();
    host.vsctl(&["add-port", "br-int", "own0", "--", "set", "Interface", "own0", "type=internal"]).unwrap();
    host.vsctl(&[
        "set-controller",
        "br-int",
        "tcp:127.0.0.1:9",
        "--",
        "set-fail-mode",
        "br-int",
        "standalone",
    ])
    .unwrap();
    host.ofctl(&["add-flow", "br-int", "table=3,priority=7,actions=drop"]).unwrap();
    let look = || {
        let bridge = host.vsctl(&["list", "Bridge", "br-int"]).unwrap();
        let stable = |line: &&str| !line.starts_with("status") && !line.starts_with("rstp");
        let bridge: Vec<String> = bridge.lines().filter(stable).map(str::to_owned).collect();
        (bridge, host.flows("br-int").unwrap(), host.vsctl(&["list-ports", "br-int"]).unwrap())
    };
    let before = look();
    host.join(&site.rig.manager_target()).unwrap();
    wait_until("the host to say what is wrong", LIMIT, || {
        let status = site.host_status(&host)?;
        let said = status.problems.iter().any(|problem| problem.contains("in use by something else"));
        ensure!(said && status.status == "DEGRADED", "{status:?}");
        Ok(true)
    })
    .unwrap();
    assert_eq!(look(), before);

    // Handed over as the problem says, it is Weft's: what stood in it stays plugged in, its flows go.
    host.vsctl(&["set", "Bridge", "br-int", "external_ids:weft-owner=weft"]).unwrap();
    wait_until("the host to take part", LIMIT, || {
        let status = site.host_status(&host)?;
        ensure!(status.status == "UP" && status.problems.is_empty(), "{status:?}");
        Ok(true)
    })
    .unwrap();
    wait_until("its flows to be replaced", LIMIT, || {
        let flows = host.flows("br-int")?;
        let replaced = flows.len() > 10 && !flows.iter().any(|flow| flow.contains("table=3, priority=7"));
        ensure!(replaced, "{flows:#?}");
        Ok(true)
    })
    .unwrap();
    assert_eq!(look().2, before.2);
}
