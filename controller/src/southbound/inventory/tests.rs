//! The law of the inventory: following every change, it is what reading everything gives; and a change costs what changed.

use proptest::prelude::*;
use uuid::Uuid;
use weft_model::HostIndex;

use super::super::rows::{BR_INT, BR_OTHER, INTERFACE, Rows, id, marks};
use super::*;

fn port(n: u8) -> PortId {
    PortId(Uuid::from_u128(u128::from(n)))
}

fn claiming(port: PortId, ofport: i64) -> impl FnOnce(&mut Interface) {
    move |row| {
        row.external_ids.insert("iface-id".into(), port.to_string());
        row.ofport = Some(ofport);
    }
}

fn tunnel(peer: u32) -> TunnelId {
    TunnelId { encap: weft_model::Encap::Vxlan, peer: HostIndex::new(peer).unwrap() }
}

/// Something that happens to a host's rows. Numbers choose among a few, so that steps meet.
#[derive(Debug, Clone)]
enum Step {
    Plug {
        n: u8,
        tunnel: bool,
        ours: bool,
        claim: Option<u8>,
        ofport: Option<i64>,
    },
    Unplug(u8),
    Move(u8, bool),
    Claim(u8, Option<u8>),
    Number(u8, Option<i64>),
    Mark(u8, bool),
    /// The integration bridge goes from the root row, or comes back.
    Bridge(bool),
    /// The other bridge gets a port of the integration bridge's name.
    Namesake(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let n = 0u8..12;
    let ofport = prop_oneof![Just(None), (-1i64..6).prop_map(Some), Just(Some(33_001))];
    prop_oneof![
        4 => (n.clone(), any::<bool>(), any::<bool>(), prop::option::of(0u8..4), ofport.clone())
            .prop_map(|(n, tunnel, ours, claim, ofport)| Step::Plug { n, tunnel, ours, claim, ofport }),
        2 => n.clone().prop_map(Step::Unplug),
        1 => (n.clone(), any::<bool>()).prop_map(|(n, back)| Step::Move(n, back)),
        2 => (n.clone(), prop::option::of(0u8..4)).prop_map(|(n, port)| Step::Claim(n, port)),
        2 => (n.clone(), ofport).prop_map(|(n, ofport)| Step::Number(n, ofport)),
        1 => (n, any::<bool>()).prop_map(|(n, ours)| Step::Mark(n, ours)),
        1 => any::<bool>().prop_map(Step::Bridge),
        1 => any::<bool>().prop_map(Step::Namesake),
    ]
}

fn run(rows: &mut Rows, step: &Step) {
    let at = |n: &u8| 20 + u128::from(*n);
    let set = |row: &mut Interface, claim: &Option<u8>| match claim {
        Some(n) => drop(row.external_ids.insert("iface-id".into(), port(*n).to_string())),
        None => drop(row.external_ids.remove("iface-id")),
    };
    match step {
        Step::Plug { n, tunnel, ours, claim, ofport } => {
            if rows.ports().any(|other| other == at(n)) {
                return;
            }
            let prefix = ["wv", "wp", "wu"][usize::from(n % 3)];
            let name = if *tunnel { format!("{prefix}-{}", n + 1) } else { format!("tap{n}") };
            rows.plug(at(n), &name, |row| {
                if *ours {
                    row.external_ids = marks();
                }
                set(row, claim);
                row.ofport = *ofport;
            });
        }
        Step::Unplug(n) => rows.unplug(at(n)),
        Step::Move(n, back) => {
            if rows.ports().any(|other| other == at(n)) {
                rows.move_to(at(n), if *back { BR_INT } else { BR_OTHER });
            }
        }
        Step::Claim(n, claim) => rows.interface(at(n), |row| set(row, claim)),
        Step::Number(n, ofport) => rows.interface(at(n), |row| row.ofport = *ofport),
        Step::Mark(n, true) => rows.interface(at(n), |row| row.external_ids.extend(marks())),
        Step::Mark(n, false) => rows.interface(at(n), |row| drop(row.external_ids.remove(OWNER))),
        Step::Bridge(there) => rows.root(|row| {
            row.bridges.remove(&id(BR_INT));
            row.bridges.extend(there.then(|| id(BR_INT)));
        }),
        Step::Namesake(true) => {
            if !rows.ports().any(|other| other == 99) {
                rows.plug(99, BRIDGE, |_| {});
                rows.move_to(99, BR_OTHER);
            }
        }
        Step::Namesake(false) => rows.unplug(99),
    }
}

proptest! {
    #[test]
    fn following_is_reading_everything(
        history in prop::collection::vec(prop::collection::vec(step(), 1..4), 1..40),
    ) {
        let mut rows = Rows::new();
        let mut inventory = Inventory::of(&rows.mirror);
        // What a session would have stored, by what the inventory told it to look at.
        let mut stored: BTreeMap<PortId, ReportedInterface> = BTreeMap::new();
        for steps in history {
            let before = rows.mirror.clone();
            steps.iter().for_each(|step| run(&mut rows, step));
            let old = inventory.clone();
            let news = inventory.follow(&before, &rows.mirror, &rows.mirror.since(&before));
            prop_assert_eq!(&inventory, &Inventory::of(&rows.mirror), "{:?}", steps);
            let all: BTreeMap<PortId, ReportedInterface> =
                inventory.interfaces(&rows.mirror).into_iter().map(|claim| (claim.port, claim)).collect();
            match news {
                News::All => stored = all.clone(),
                News::Some { tunnels, ports, .. } => {
                    for (port, likely) in ports {
                        stored.remove(&port);
                        stored.extend(inventory.claimant(&rows.mirror, port, likely).map(|c| (port, c)));
                    }
                    let known = |inventory: &Inventory, peer| {
                        (inventory.tunnels.get(&tunnel(peer)).copied(), inventory.is_taken(tunnel(peer)))
                    };
                    for peer in (1..=12).filter(|peer| !tunnels.contains(&tunnel(*peer))) {
                        prop_assert_eq!(known(&old, peer), known(&inventory, peer), "{}", peer);
                    }
                }
            }
            prop_assert_eq!(&stored, &all, "{:?}", steps);
        }
    }
}

/// A host with as many workloads as it likes: one more costs one port read, and one tunnel more concerns one tunnel.
#[test]
fn a_change_costs_what_changed() {
    let mut rows = Rows::new();
    for n in 0..200u8 {
        rows.plug(100 + u128::from(n), &format!("tap{n}"), claiming(port(n), i64::from(n) + 1));
    }
    let mut inventory = Inventory::of(&rows.mirror);
    let before = rows.mirror.clone();
    rows.plug(500, "tap500", claiming(port(250), 900));
    let news = inventory.follow(&before, &rows.mirror, &rows.mirror.since(&before));
    let expected = BTreeMap::from([(port(250), Some(id(500 + INTERFACE)))]);
    assert_eq!(news, News::Some { tunnels: BTreeSet::new(), ports: expected, read: 1 });
    let before = rows.mirror.clone();
    rows.plug(501, "wv-7", |row| row.external_ids = marks());
    let news = inventory.follow(&before, &rows.mirror, &rows.mirror.since(&before));
    assert_eq!(news, News::Some { tunnels: [tunnel(7)].into(), ports: BTreeMap::new(), read: 1 });
}

#[test]
fn of_two_claims_the_smaller_number_counts_and_of_two_with_one_number_the_smaller_port() {
    let mut rows = Rows::new();
    rows.plug(20, "a", claiming(port(1), 5));
    rows.plug(21, "b", claiming(port(1), 4));
    rows.plug(22, "c", claiming(port(2), 4));
    let inventory = Inventory::of(&rows.mirror);
    let found = inventory.interfaces(&rows.mirror);
    assert_eq!(found.iter().map(|c| (c.port, c.name.as_str())).collect::<Vec<_>>(), [(port(1), "b")]);
    rows.unplug(21);
    let inventory = Inventory::of(&rows.mirror);
    let found = inventory.interfaces(&rows.mirror);
    let names: Vec<_> = found.iter().map(|c| (c.port, c.name.as_str())).collect();
    assert_eq!(names, [(port(1), "a"), (port(2), "c")]);
}

fn joined(text: &str) -> Result<EncapIps, NotReady> {
    encap_ips(&Dictionary::from([("weft-encap-ip".to_owned(), text.to_owned())]))
}

#[test]
fn encap_addresses_are_one_of_each_family_at_most() {
    let both = joined("192.0.2.11, 2001:db8::11").unwrap();
    assert_eq!((both.v4, both.v6), ("192.0.2.11".parse().ok(), "2001:db8::11".parse().ok()));
    assert_eq!(joined("192.0.2.11,192.0.2.12"), Err(NotReady::BadEncapIp("192.0.2.11,192.0.2.12".into())));
    assert_eq!(joined(""), Err(NotReady::BadEncapIp(String::new())));
    assert_eq!(encap_ips(&Dictionary::new()), Err(NotReady::NoEncapIp));
}
