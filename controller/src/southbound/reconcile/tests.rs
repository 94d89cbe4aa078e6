//! From a host's rows to the one transaction: what is put right, what is left alone, and what is said about it.

use std::net::IpAddr;

use serde_json::Value;
use uuid::Uuid;
use weft_model::intent::{Actor, Context, HostReport, Intent, Settings, plan};
use weft_model::{Encap, EncapIps, HostIndex, Revision, Timestamp};
use weft_ovsdb::Datum;

use super::super::inventory::is_ours;

use super::*;

const TARGET: &str = "tcp:192.0.2.1:6653";

fn blank<T: Table>() -> T {
    T::read(&BTreeMap::<String, Datum>::new())
}

fn id<T>(n: u128) -> Id<T> {
    Id::new(Uuid::from_u128(n))
}

fn index(n: u32) -> HostIndex {
    HostIndex::new(n).unwrap()
}

/// Two hosts, h1 and h2, with the indexes 1 and 2.
fn snapshot() -> Snapshot {
    let report = |n: u8| {
        Intent::ReportHost(HostReport {
            id: format!("h{n}").parse().unwrap(),
            hostname: format!("h{n}"),
            encap_ips: EncapIps { v4: Some([192, 0, 2, n].into()), v6: None },
            ovs_version: "3.1.0".into(),
            datapath_type: "netdev".into(),
            interfaces: Vec::new(),
        })
    };
    let context = Context { now: Timestamp(1), settings: Settings::default() };
    plan(&Snapshot::new(), &Actor::Admin, &[report(1), report(2)], &context).unwrap().snapshot
}

/// What is wanted of h1: a tunnel to h2.
fn wanted() -> Wanted {
    let tunnel = TunnelPort {
        name: "wv-2".into(),
        encap: Encap::Vxlan,
        peer: index(2),
        remote_ip: IpAddr::from([192, 0, 2, 2]),
        local_ip: Some(IpAddr::from([192, 0, 2, 1])),
        ofport: 33_002,
        dst_port: Some(4789),
    };
    Wanted {
        host: "h1".parse().unwrap(),
        revision: Revision(1),
        index: index(1),
        tunnels: BTreeMap::from([(tunnel.name.clone(), tunnel)]),
    }
}

fn plugged(n: u128, name: &str, marks: Dictionary) -> (String, Plugged) {
    let ours = is_ours(&marks);
    let interface = Interface { name: name.to_owned(), external_ids: marks, ..blank() };
    (name.to_owned(), Plugged { port_id: id(n), interface_id: id(n + 1000), interface, ours })
}

/// A host that has everything as it is wanted, and an interface of somebody's.
fn settled() -> Inventory {
    let wanted = wanted();
    let tunnel = &wanted.tunnels["wv-2"];
    let mut plugged_in = BTreeMap::from([
        plugged(10, BRIDGE, marks()),
        plugged(11, "wv-2", marks()),
        plugged(12, "tap0", Dictionary::new()),
    ]);
    let interface = &mut plugged_in.get_mut("wv-2").unwrap().interface;
    interface.kind = "vxlan".into();
    interface.options = options(tunnel);
    interface.ofport_request = Some(33_002);
    interface.ofport = Some(33_002);
    let controller = Controller {
        target: TARGET.into(),
        max_backoff: Some(MAX_BACKOFF_MS),
        inactivity_probe: Some(INACTIVITY_PROBE_MS),
        external_ids: marks(),
        ..blank()
    };
    let bridge = Bridge {
        name: BRIDGE.into(),
        datapath_type: "netdev".into(),
        fail_mode: Some("secure".into()),
        protocols: protocols(),
        other_config: bridge_settings(&wanted),
        external_ids: marks(),
        ..blank()
    };
    let controllers = vec![(id(3), controller)];
    let integration = Integration { id: id(2), bridge, plugged: plugged_in, controllers };
    Inventory { root_id: id(1), root: blank(), integration: Some(integration), elsewhere: BTreeSet::new() }
}

fn verdict(inventory: &Inventory) -> Verdict {
    reconcile(inventory, &wanted(), TARGET, &snapshot())
}

/// The operations of the transaction, without the note in the log.
fn operations(inventory: &Inventory) -> Vec<Value> {
    let Verdict::Change(transaction) = verdict(inventory) else {
        panic!("{:?}", verdict(inventory));
    };
    let Value::Array(operations) = serde_json::to_value(&transaction).unwrap() else { panic!("an array") };
    operations.into_iter().skip(1).filter(|operation| operation["op"] != "comment").collect()
}

/// Operation, table and changed columns of each operation.
fn sketch(operations: &[Value]) -> Vec<String> {
    let columns = |operation: &Value| match (&operation["row"], &operation["mutations"]) {
        (Value::Object(row), _) => row.keys().cloned().collect::<Vec<_>>().join(","),
        (_, Value::Array(steps)) => {
            let columns: BTreeSet<&str> = steps.iter().filter_map(|step| step[0].as_str()).collect();
            columns.into_iter().collect::<Vec<_>>().join(",")
        }
        _ => String::new(),
    };
    let word = |operation: &Value, key: &str| operation[key].as_str().unwrap_or_default().to_owned();
    let line = |o: &Value| format!("{} {} {}", word(o, "op"), word(o, "table"), columns(o));
    operations.iter().map(line).collect()
}

#[test]
fn what_is_as_wanted_is_left_alone() {
    let inventory = settled();
    assert!(matches!(verdict(&inventory), Verdict::Settled), "{:?}", verdict(&inventory));
    let (tunnels, problems) = tunnel_status(&inventory, &wanted(), &snapshot());
    assert!(is_fulfilled(&tunnels, &wanted()) && problems.is_empty(), "{tunnels:?} {problems:?}");
}

#[test]
fn each_thing_that_differs_is_put_right_and_nothing_else() {
    type Hand = fn(&mut Integration);
    fn tunnel(integration: &mut Integration) -> &mut Interface {
        &mut integration.plugged.get_mut("wv-2").unwrap().interface
    }
    let hands: [(&str, Hand); 12] = [
        ("update Bridge fail_mode", |i| i.bridge.fail_mode = None),
        ("update Bridge protocols", |i| i.bridge.protocols = [PROTOCOLS[0].to_owned()].into()),
        ("mutate Bridge other_config", |i| drop(i.bridge.other_config.remove("datapath-id"))),
        ("mutate Bridge other_config", |i| {
            i.bridge.other_config.insert("datapath-id".into(), "5745465400000002".into());
        }),
        ("update Controller inactivity_probe,max_backoff,target", |i| {
            i.controllers[0].1.target = "tcp:192.0.2.9:6653".into();
        }),
        ("update Controller inactivity_probe,max_backoff,target", |i| {
            i.controllers[0].1.inactivity_probe = None;
        }),
        ("update Interface ofport_request,options,type", |i| tunnel(i).kind = "geneve".into()),
        ("update Interface ofport_request,options,type", |i| {
            tunnel(i).options.insert("remote_ip".into(), "192.0.2.99".into());
        }),
        ("update Interface ofport_request,options,type", |i| {
            tunnel(i).options.insert("csum".into(), "true".into());
        }),
        ("update Interface ofport_request,options,type", |i| tunnel(i).ofport_request = Some(5)),
        ("mutate Bridge ports", |i| i.plugged.extend([plugged(20, "wv-9", marks())])),
        ("mutate Bridge external_ids", |i| {
            // Unmarked, but empty: taken over.
            (i.bridge.external_ids, i.controllers) = (Dictionary::new(), Vec::new());
            i.plugged.retain(|name, _| name == BRIDGE);
        }),
    ];
    for (expected, hand) in hands {
        let mut inventory = settled();
        hand(inventory.integration.as_mut().unwrap());
        let lines = sketch(&operations(&inventory));
        assert_eq!(lines.first().map(String::as_str), Some(expected), "{lines:?}");
        let taken_over = expected.ends_with("external_ids");
        assert!(lines.len() == 1 || taken_over, "{expected}: {lines:?}");
    }
}

#[test]
fn rows_are_missing_exactly_when_something_is_inserted() {
    type Hand = fn(&mut Inventory);
    let hands: [(bool, Hand); 6] = [
        (true, |_| {}),
        (true, |i| i.integration.as_mut().unwrap().bridge.fail_mode = None),
        (true, |i| i.integration.as_mut().unwrap().plugged.extend([plugged(20, "wv-9", marks())])),
        (false, |i| drop(i.integration.as_mut().unwrap().plugged.remove("wv-2"))),
        (false, |i| i.integration.as_mut().unwrap().controllers.clear()),
        (false, |i| i.integration = None),
    ];
    for (expected, hand) in hands {
        let mut inventory = settled();
        hand(&mut inventory);
        let inserts = match verdict(&inventory) {
            Verdict::Change(_) => operations(&inventory).iter().any(|operation| operation["op"] == "insert"),
            _ => false,
        };
        assert_eq!((has_rows(&inventory, &wanted()), !inserts), (expected, expected));
    }
}

#[test]
fn only_our_ports_are_removed() {
    let mut inventory = settled();
    let integration = inventory.integration.as_mut().unwrap();
    integration.plugged.extend([plugged(20, "wv-9", marks()), plugged(21, "wv-8", Dictionary::new())]);
    let operations = operations(&inventory);
    let removed = operations[0].to_string();
    assert!(removed.contains(&Uuid::from_u128(20).to_string()), "{removed}");
    assert!(!removed.contains(&Uuid::from_u128(21).to_string()), "{removed}");
    assert!(!removed.contains(&Uuid::from_u128(12).to_string()), "{removed}");
}

#[test]
fn a_missing_tunnel_is_added_with_both_rows_marked() {
    let mut inventory = settled();
    inventory.integration.as_mut().unwrap().plugged.remove("wv-2");
    let operations = operations(&inventory);
    let lines = sketch(&operations);
    assert_eq!(
        lines,
        [
            "insert Interface external_ids,name,ofport_request,options,type",
            "insert Port external_ids,interfaces,name",
            "mutate Bridge ports"
        ]
    );
    for row in &operations[..2] {
        let marks = row["row"]["external_ids"].to_string();
        assert!(marks.contains("weft-owner") && marks.contains("\"h2\""), "{marks}");
    }
    let (tunnels, _) = tunnel_status(&inventory, &wanted(), &snapshot());
    assert!(!is_fulfilled(&tunnels, &wanted()), "it is not there yet");
}

/// A name can stand only once in a database: a transaction that takes it again is refused as a whole, and with it all
/// other tunnels of the host.
#[test]
fn a_tunnel_whose_name_is_taken_holds_up_nothing_else_and_is_told() {
    let mut on_another_bridge = settled();
    on_another_bridge.integration.as_mut().unwrap().plugged.remove("wv-2");
    on_another_bridge.elsewhere.insert("wv-2".into());
    let mut on_ours = settled();
    on_ours.integration.as_mut().unwrap().plugged.extend([plugged(11, "wv-2", Dictionary::new())]);
    for mut inventory in [on_another_bridge, on_ours] {
        assert!(matches!(verdict(&inventory), Verdict::Settled), "{:?}", verdict(&inventory));
        let (tunnels, problems) = tunnel_status(&inventory, &wanted(), &snapshot());
        assert_eq!((tunnels.len(), tunnels[0].ofport, problems.len()), (1, None, 1));
        assert!(problems[0].contains("wv-2 exists and is not Weft's"), "{problems:?}");
        assert!(is_fulfilled(&tunnels, &wanted()), "waiting would not help");
        inventory.integration.as_mut().unwrap().bridge.fail_mode = None;
        assert_eq!(sketch(&operations(&inventory)), ["update Bridge fail_mode"]);
    }
}

#[test]
fn tunnels_that_open_vswitch_refuses_or_numbers_otherwise_are_told() {
    let mut inventory = settled();
    let tunnel = |inventory: &mut Inventory, ofport, error: Option<&str>| {
        let interface =
            &mut inventory.integration.as_mut().unwrap().plugged.get_mut("wv-2").unwrap().interface;
        (interface.ofport, interface.error) = (ofport, error.map(str::to_owned));
    };
    tunnel(&mut inventory, Some(-1), Some("File exists"));
    let (_, problems) = tunnel_status(&inventory, &wanted(), &snapshot());
    assert_eq!(problems, ["tunnel wv-2 to h2: File exists"]);
    tunnel(&mut inventory, Some(7), None);
    let (_, problems) = tunnel_status(&inventory, &wanted(), &snapshot());
    assert_eq!(problems, ["tunnel wv-2 has ofport 7, wanted 33002: the number is taken"]);
}

#[test]
fn a_bridge_in_use_by_others_is_not_touched() {
    let unmarked = |integration: &mut Integration| integration.bridge.external_ids = Dictionary::new();
    let (mut with_ports, mut managed) = (settled(), settled());
    unmarked(with_ports.integration.as_mut().unwrap());
    with_ports.integration.as_mut().unwrap().controllers.clear();
    unmarked(managed.integration.as_mut().unwrap());
    managed.integration.as_mut().unwrap().plugged.clear();
    for inventory in [with_ports, managed] {
        let Verdict::Foreign(why) = verdict(&inventory) else { panic!("{:?}", verdict(&inventory)) };
        assert!(why.contains("in use by something else"), "{why}");
    }
}

#[test]
fn a_missing_bridge_is_made_unless_its_name_is_taken() {
    let mut inventory = Inventory { integration: None, ..settled() };
    inventory.root.datapath_types = ["netdev".to_owned(), "system".to_owned()].into();
    let operations = operations(&inventory);
    let lines = sketch(&operations);
    assert!(lines[0].starts_with("wait") && lines[1].starts_with("wait"), "guarded: {lines:?}");
    let bridge = operations.iter().find(|o| o["op"] == "insert" && o["table"] == "Bridge").unwrap();
    assert_eq!(bridge["row"]["datapath_type"], "system");
    assert_eq!(lines.last().unwrap(), "mutate Open_vSwitch bridges");
    inventory.elsewhere.insert(BRIDGE.into());
    assert!(matches!(verdict(&inventory), Verdict::Foreign(_)), "{:?}", verdict(&inventory));
}
