//! Random matches and actions that a switch accepts, for tests that compare with Open vSwitch.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::net::{Ipv4Addr, Ipv6Addr};
use weft_openflow::action::{
    Controller2, CopyField, Ct, CtFlags, CtZone, Learn, LearnLimit, LearnSource, LearnSpec, LearnTarget, Nat,
    NatFlags, Resubmit, Subfield, Tuple,
};
use weft_openflow::ids::{Cookie, GroupId, MeterId, PortNo, TableId};
use weft_openflow::{Action, FieldId, Instruction, Match, OxmField, Writer, oxm};

/// A flow: what it matches and what it does.
pub type Flow = (Match, Vec<Instruction>);

/// Some values of a strategy, the same in every run.
pub fn samples<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>, count: usize) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).expect("a value").current()).collect()
}

/// A flow modification message that adds the flow to table 0.
pub fn flow_mod(xid: u32, cookie: u64, priority: u16, (matches, instructions): &Flow) -> Vec<u8> {
    let mut w = Writer::new();
    w.u16(0x060e);
    w.u16(0);
    w.u32(xid);
    w.u64(cookie);
    w.zeros(14);
    w.u16(priority);
    for _ in 0..3 {
        w.u32(u32::MAX);
    }
    w.zeros(4);
    matches.encode(&mut w);
    Instruction::encode_list(instructions, &mut w);
    w.patch_len(2, 0);
    assert!(!w.is_oversize());
    w.into_bytes().to_vec()
}

/// Flows that Open vSwitch accepts.
pub fn flow() -> impl Strategy<Value = Flow> {
    let instructions = prop_oneof![
        4 => vec(action(2), 0..6).prop_map(|actions| vec![Instruction::ApplyActions(actions)]),
        1 => (any::<u32>(), 0_u8..4).prop_map(|(id, clause)| {
            let part = Action::Conjunction { id, clause, clauses: 5 };
            vec![Instruction::ApplyActions(vec![part, Action::note(&[clause])])]
        }),
        2 => (vec(action(1), 1..4), any::<u64>(), any::<u64>(), 1_u8..254).prop_map(
            |(actions, metadata, mask, table)| {
                vec![
                    Instruction::ApplyActions(actions),
                    Instruction::WriteMetadata { metadata: metadata & mask, mask },
                    Instruction::GotoTable(TableId(table)),
                ]
            }
        ),
    ];
    (matches(), instructions).prop_map(|(matches, mut instructions)| {
        let eth_type = matches.get(FieldId::basic(5)).and_then(OxmField::value);
        for instruction in &mut instructions {
            if let Instruction::ApplyActions(actions) = instruction {
                fit(actions, eth_type);
            }
        }
        (matches, instructions)
    })
}

/// Takes out what a switch refuses for this type of packet: only IP is tracked, and translated only to
/// addresses of its own version.
fn fit(actions: &mut Vec<Action>, eth_type: Option<u128>) {
    actions.retain_mut(|action| match action {
        Action::Ct(ct) => {
            fit(&mut ct.actions, eth_type);
            matches!(eth_type, Some(0x0800 | 0x86dd))
        }
        Action::Nat(nat) => match eth_type {
            Some(0x0800) => nat.ipv6_min.is_none(),
            _ => nat.ipv4_min.is_none(),
        },
        Action::Clone(inner) => {
            fit(inner, eth_type);
            !inner.is_empty()
        }
        _ => true,
    });
}

/// A match whose fields come after what they need.
pub fn matches() -> impl Strategy<Value = Match> {
    (vec(anywhere(), 0..4), protocol()).prop_map(|(some, protocol)| {
        let mut out = Match::new();
        for field in protocol.into_iter().chain(some) {
            if out.get(field.id()).is_none() {
                out.push(field);
            }
        }
        out
    })
}

fn masked(id: FieldId, width: u8, bits: u32) -> BoxedStrategy<OxmField> {
    let ones = u128::MAX >> (128 - bits);
    let number = (any::<u128>(), any::<u128>(), 0_u8..4, 0..=bits);
    number
        .prop_map(move |(value, mask, kind, length)| {
            let mask = match kind {
                0 => mask & ones,
                1 if length > 0 => (ones << (bits - length)) & ones,
                _ => return OxmField::exact(id, width, value & ones),
            };
            OxmField::masked(id, width, value, mask).simplified().unwrap_or(OxmField::exact(id, width, 0))
        })
        .boxed()
}

/// Fields that need nothing else.
fn anywhere() -> impl Strategy<Value = OxmField> {
    prop_oneof![
        4 => (0_u8..16).prop_flat_map(|n| masked(FieldId::reg(n), 4, 32)),
        2 => masked(FieldId::basic(2), 8, 64),
        2 => masked(FieldId::basic(38), 8, 64),
        1 => (1_u32..1000).prop_map(|port| oxm::in_port(PortNo(port))),
        2 => masked(FieldId::basic(3), 6, 48),
        2 => masked(FieldId::basic(4), 6, 48),
        1 => masked(FieldId::nxm1(31), 4, 32),
        1 => masked(FieldId::nxm1(33), 4, 32),
        1 => masked(FieldId::nxm1(107), 4, 32),
        1 => masked(FieldId::nxm1(108), 16, 128),
        // A packet that is invalid cannot be committed, which some actions do.
        1 => (0_u32..256).prop_map(|bits| oxm::ct_state_masked(bits & !0x10 | 0x20, bits | 0x20)),
        1 => any::<u16>().prop_map(oxm::ct_zone),
        1 => (0_u16..4096).prop_map(oxm::vlan_vid),
        1 => Just(oxm::vlan_none()),
    ]
}

/// Fields of one protocol, the type first.
fn protocol() -> impl Strategy<Value = Vec<OxmField>> {
    let some = |list: Vec<BoxedStrategy<OxmField>>| {
        list.into_iter()
            .map(|field| proptest::option::of(field).boxed())
            .collect::<Vec<_>>()
            .prop_map(|fields| fields.into_iter().flatten().collect::<Vec<_>>())
    };
    let b = FieldId::basic;
    let arp = some(vec![
        (1_u16..3).prop_map(oxm::arp_op).boxed(),
        masked(b(22), 4, 32),
        masked(b(23), 4, 32),
        masked(b(24), 6, 48),
        masked(b(25), 6, 48),
    ]);
    let ip =
        || some(vec![masked(b(11), 4, 32), masked(b(12), 4, 32), (0_u8..64).prop_map(oxm::ip_dscp).boxed()]);
    let ip6 = || some(vec![masked(b(26), 16, 128), masked(b(27), 16, 128), masked(b(28), 4, 20)]);
    let ports = |src: u8| some(vec![masked(b(src), 2, 16), masked(b(src + 1), 2, 16)]);
    let nd = |kind: u8, lladdr: u8| {
        let fields = some(vec![masked(b(31), 16, 128), masked(b(lladdr), 6, 48)]);
        fields.prop_map(move |fields| {
            join(vec![
                vec![oxm::eth_type(0x86dd), oxm::ip_proto(58), oxm::icmpv6_type(kind), oxm::icmpv6_code(0)],
                fields,
            ])
        })
    };
    let with = |eth_type: u16, proto: Option<u8>| {
        let mut fields = vec![oxm::eth_type(eth_type)];
        fields.extend(proto.map(oxm::ip_proto));
        fields
    };
    prop_oneof![
        Just(Vec::new()),
        any::<u16>().prop_filter("long enough", |t| *t >= 0x9200).prop_map(move |t| with(t, None)),
        arp.prop_map(move |fields| join(vec![with(0x0806, None), fields])),
        ip().prop_map(move |fields| join(vec![with(0x0800, None), fields])),
        (ip(), ports(13)).prop_map(move |(l3, l4)| join(vec![with(0x0800, Some(6)), l3, l4])),
        (ip(), ports(15)).prop_map(move |(l3, l4)| join(vec![with(0x0800, Some(17)), l3, l4])),
        (ip6(), ports(15)).prop_map(move |(l3, l4)| join(vec![with(0x86dd, Some(17)), l3, l4])),
        (ip6(), ports(17)).prop_map(move |(l3, l4)| join(vec![with(0x86dd, Some(132)), l3, l4])),
        nd(135, 32),
        nd(136, 33),
    ]
}

fn join(parts: Vec<Vec<OxmField>>) -> Vec<OxmField> {
    parts.concat()
}

fn port() -> impl Strategy<Value = PortNo> {
    prop_oneof![
        4 => (1_u32..0xff00).prop_map(PortNo),
        1 => Just(PortNo::IN_PORT),
        1 => Just(PortNo::LOCAL),
        1 => Just(PortNo::FLOOD),
        1 => Just(PortNo::ALL),
        1 => Just(PortNo::NORMAL),
    ]
}

fn register() -> impl Strategy<Value = Subfield> {
    (0_u8..16, 0_u16..32, 1_u16..=32).prop_map(|(n, offset, n_bits)| {
        let n_bits = n_bits.min(32 - offset);
        Subfield { field: FieldId::reg(n).sized(4), offset, n_bits }
    })
}

fn settable() -> impl Strategy<Value = OxmField> {
    prop_oneof![
        4 => (0_u8..16).prop_flat_map(|n| masked(FieldId::reg(n), 4, 32)),
        1 => masked(FieldId::basic(38), 8, 64),
        1 => masked(FieldId::basic(2), 8, 64),
        1 => masked(FieldId::basic(3), 6, 48),
        1 => masked(FieldId::basic(4), 6, 48),
        1 => masked(FieldId::xreg(3), 8, 64),
        1 => masked(FieldId::xxreg(2), 16, 128),
        1 => masked(FieldId::nxm1(32), 4, 32),
    ]
}

/// An action that needs nothing of the match; lists inside it are at most `depth` deep.
pub fn action(depth: u32) -> BoxedStrategy<Action> {
    let flat = prop_oneof![
        3 => port().prop_map(Action::output),
        1 => any::<u16>().prop_map(|max_len| Action::Output { port: PortNo::CONTROLLER, max_len }),
        4 => settable().prop_map(Action::SetField),
        2 => (register(), register()).prop_map(|(src, dst)| Action::CopyField(CopyField::between(src, dst))),
        1 => (0_u32..0xffff_ff00).prop_map(|group| Action::Group(GroupId(group))),
        2 => (port(), proptest::option::of(0_u8..255)).prop_map(|(port, table)| {
            let table = table.map(TableId).or((port == PortNo::IN_PORT).then_some(TableId(3)));
            Action::Resubmit(Resubmit { port, table, tuple: Tuple::Packet })
        }),
        1 => vec(any::<u8>(), 0..20).prop_map(|text| Action::note(&text)),
        2 => controller2(),
        1 => (1_u32..1000).prop_map(|meter| Action::Meter(MeterId(meter))),
        1 => any::<u32>().prop_map(Action::SetQueue),
        1 => Just(Action::PopQueue),
        1 => Just(Action::Exit),
        1 => Just(Action::CtClear),
        1 => register().prop_map(Action::StackPush),
        1 => register().prop_map(Action::StackPop),
        1 => register().prop_map(|src| Action::OutputReg { src, max_len: 0xffff }),
        1 => (any::<u16>(), 0_u16..32).prop_map(|(length, offset)| {
            Action::CheckPktLarger { length, dst: FieldId::reg(1).sized(4), offset }
        }),
        1 => (1_u32..0xff00, 14_u32..).prop_map(|(port, max_len)| Action::OutputTrunc { port: PortNo(port), max_len }),
        1 => learn(),
    ];
    if depth == 0 {
        return flat.boxed();
    }
    let inner = vec(action(depth - 1), 1..4);
    prop_oneof![
        8 => flat,
        1 => inner.prop_map(Action::Clone),
        1 => ct(),
    ]
    .boxed()
}

fn controller2() -> impl Strategy<Value = Action> {
    (any::<u16>(), any::<u16>(), 0_u8..3, vec(any::<u8>(), 1..30), any::<bool>()).prop_map(
        |(max_len, controller_id, reason, userdata, pause)| {
            let (userdata, meter) = (userdata.into(), None);
            Action::Controller2(Box::new(Controller2 {
                max_len,
                controller_id,
                reason,
                userdata,
                pause,
                meter,
            }))
        },
    )
}

fn ct() -> impl Strategy<Value = Action> {
    let zone = prop_oneof![
        any::<u16>().prop_map(CtZone::Value),
        (0_u8..16, 0_u16..=16).prop_map(|(n, offset)| CtZone::Field(Subfield {
            field: FieldId::reg(n).sized(4),
            offset,
            n_bits: 16
        })),
    ];
    let marks = vec(masked(FieldId::nxm1(107), 4, 32).prop_map(Action::SetField), 0..3);
    (zone, proptest::option::of(0_u8..254), any::<bool>(), marks, proptest::option::of(nat())).prop_map(
        |(zone, table, force, marks, nat)| {
            let flags = if force { CtFlags::COMMIT | CtFlags::FORCE } else { CtFlags::COMMIT };
            let actions = nat.into_iter().map(Action::Nat).chain(marks).collect();
            Action::Ct(Box::new(Ct { flags, zone, table: table.map(TableId), alg: 0, actions }))
        },
    )
}

fn nat() -> impl Strategy<Value = Nat> {
    let ports = proptest::option::of((1_u16..1000, proptest::option::of(1000_u16..)));
    let address = prop_oneof![
        Just((None, None)),
        (1_u32..0xf000_0000).prop_map(|ip| (Some(Ipv4Addr::from(ip)), None)),
        (1_u128..).prop_map(|ip| (None, Some(Ipv6Addr::from(ip)))),
    ];
    (any::<bool>(), address, any::<bool>(), ports).prop_map(|(src, (v4, v6), range, ports)| {
        let flags = if src { NatFlags::SRC } else { NatFlags::DST };
        let mut nat = Nat { flags, ipv4_min: v4, ipv6_min: v6, ..Nat::default() };
        if range {
            nat.ipv4_max = v4.map(|ip| Ipv4Addr::from(u32::from(ip) + 9));
        }
        if let (Some((min, max)), true) = (ports, v4.is_some() || v6.is_some()) {
            (nat.port_min, nat.port_max) = (Some(min), max);
        }
        nat
    })
}

fn learn() -> impl Strategy<Value = Action> {
    let value = any::<u32>().prop_map(|value| LearnSource::Value(value.to_be_bytes().to_vec().into()));
    let reg = |n: u8| FieldId::reg(n).sized(4);
    let source = prop_oneof![value, (0_u8..16).prop_map(move |n| LearnSource::Field(reg(n), 0))];
    let target = prop_oneof![
        (0_u8..16).prop_map(move |n| LearnTarget::Match(reg(n), 0)),
        (0_u8..16).prop_map(move |n| LearnTarget::Load(reg(n), 0)),
    ];
    let spec = (source, target).prop_map(|(source, target)| LearnSpec { n_bits: 32, source, target });
    let limit = proptest::option::of((1_u32.., proptest::option::of((Just(reg(3)), 0_u16..32))));
    (vec(spec, 0..4), any::<[u16; 5]>(), any::<u64>(), limit).prop_map(|(specs, numbers, cookie, limit)| {
        let [idle_timeout, hard_timeout, priority, fin_idle_timeout, fin_hard_timeout] = numbers;
        let limit = limit.map(|(max_flows, result)| LearnLimit { max_flows, result });
        let timeouts = Learn { idle_timeout, hard_timeout, priority, limit, ..Learn::new(specs) };
        let fins = Learn { fin_idle_timeout, fin_hard_timeout, cookie: Cookie(cookie), ..timeouts };
        Action::Learn(Box::new(fins))
    })
}
