//! Proves that what is installed is what is wanted: whatever somebody changes by hand in flows, groups, tunnels or the
//! bridge is put right and counted, and what belongs to others is left alone.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;

use anyhow::ensure;
use weft_rig::{Host, HostSpec, Workload, wait_until};
use weft_scenarios::{LIMIT, NetworkSpec, Site, SiteSpec, Tenancy};

/// A site that audits every second, with a workload on each of two hosts.
fn audited(hint: &str) -> (Site, Workload, Workload) {
    let site = Site::build(hint, SiteSpec::hosts(2).options(&["--audit-interval", "1"])).unwrap();
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
    let (site, a, b) = audited("drift");
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

/// Tunnels and the bridge's own settings are put right at once; what stands beside them and is not Weft's stays.
#[test]
fn tunnels_and_the_bridge_are_put_right_and_others_left_alone() {
    let (site, a, b) = audited("bridge");
    let host = &site.hosts[0];
    // Everything that others may have on a host.
    host.vsctl(&[
        "add-br",
        "br-own",
        "--",
        "set",
        "Bridge",
        "br-own",
        "datapath_type=netdev",
        "fail_mode=standalone",
    ])
    .unwrap();
    host.vsctl(&["set-controller", "br-own", "tcp:127.0.0.1:9", "--", "add-port", "br-own", "own0"])
        .unwrap_or_default();
    host.vsctl(&["add-port", "br-int", "own1", "--", "set", "Interface", "own1", "type=internal"]).unwrap();
    host.vsctl(&[
        "--",
        "--id=@m",
        "create",
        "Manager",
        "target=\"ptcp:6699:127.0.0.1\"",
        "--",
        "add",
        "Open_vSwitch",
        ".",
        "manager_options",
        "@m",
    ])
    .unwrap();
    host.vsctl(&[
        "set",
        "Bridge",
        "br-int",
        "external_ids:own=1",
        "--",
        "set",
        "Open_vSwitch",
        ".",
        "external_ids:own=1",
    ])
    .unwrap();
    let others = || {
        let own = ["br-own", "own1"].map(|name| host.vsctl(&["show"]).unwrap().contains(name));
        let controller = host.vsctl(&["get-controller", "br-own"]).unwrap();
        let managers = host.vsctl(&["get-manager"]).unwrap();
        let marks = host.vsctl(&[
            "get",
            "Bridge",
            "br-int",
            "external_ids:own",
            "--",
            "get",
            "Open_vSwitch",
            ".",
            "external_ids:own",
        ]);
        (own, controller, managers, marks.unwrap(), host.vsctl(&["get-fail-mode", "br-own"]).unwrap())
    };
    let before = others();
    assert!(before.0 == [true, true] && before.2.contains("6699"), "{before:?}");

    let tunnel = site.host_status(host).unwrap().tunnels[0].clone();
    let show = |column: &str| host.vsctl(&["get", "Interface", &tunnel.name, column]);
    let wanted = ["type", "options", "ofport_request"].map(|column| show(column).unwrap());
    // The number as the switch says it: `ovs-vswitchd` may leave an older one in the column `ofport` when two changes of
    // `ofport_request` follow each other so closely that it has not yet heard back what it wrote for the first.
    let ports = || host.ofctl(&["dump-ports-desc", "br-int"]);
    let numbered = format!(" {}({})", tunnel.ofport.unwrap(), tunnel.name);
    let settings = || {
        ["fail_mode", "protocols", "controller"]
            .map(|column| host.vsctl(&["get", "Bridge", "br-int", column]).unwrap())
    };
    let bridge = settings();
    let interface: &[&str] = &["set", "Interface", &tunnel.name];
    let set = |setting: &'static str| [interface, &[setting]].concat();
    let hands: Vec<(&str, Vec<&str>)> = vec![
        ("the tunnel removed", vec!["del-port", "br-int", &tunnel.name]),
        ("the tunnel sent elsewhere", set("options:remote_ip=192.0.2.99")),
        ("the tunnel given a key", set("options:key=77")),
        ("the tunnel's number changed", set("ofport_request=40000")),
        ("the tunnel's type changed", set("type=geneve")),
        ("the fail mode changed", vec!["set-fail-mode", "br-int", "standalone"]),
        ("the fail mode removed", vec!["del-fail-mode", "br-int"]),
        ("the protocols changed", vec!["set", "Bridge", "br-int", "protocols=OpenFlow13"]),
        (
            "the datapath id changed",
            vec!["set", "Bridge", "br-int", "other_config:datapath-id=0000000000000001"],
        ),
    ];
    for (what, hand) in hands {
        host.vsctl(&hand).unwrap();
        wait_until(&format!("{what}: to be put right"), LIMIT, || {
            let now = ["type", "options", "ofport_request"].map(&show);
            let now: Vec<String> = now.into_iter().collect::<anyhow::Result<_>>()?;
            ensure!(now == wanted, "{now:?}, wanted {wanted:?}");
            let now = ports()?;
            ensure!(now.contains(&numbered), "no{numbered} in {now}");
            let now = settings();
            ensure!(now == bridge, "{now:?}, wanted {bridge:?}");
            Ok(true)
        })
        .unwrap();
        a.wait_reaches(b.ipv4().unwrap(), LIMIT).unwrap_or_else(|e| panic!("after {what}: {e:#}"));
    }
    // The controller's own row of the bridge.
    host.vsctl(&["del-controller", "br-int"]).unwrap();
    site.wait_connected().unwrap();
    a.wait_reaches(b.ipv4().unwrap(), LIMIT).unwrap();
    assert_eq!(others(), before);
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
