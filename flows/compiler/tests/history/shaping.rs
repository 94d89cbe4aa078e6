//! Random changes of trunks, of who is behind their parents' interfaces, and of QoS policies and their wearers, also such as
//! lead nowhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use uuid::Uuid;
use weft_model::{
    Behind, Binding, Change, Direction, Dscp, Kbps, Key, Network, Port, QosPolicy, QosPolicyId, QosRule,
    QosRuleId, QosRuleKind, RateLimit, Record, Revision, Snapshot, Stamp, Trunk, TrunkId, VlanId,
};

use crate::world::{NETWORKS, PORTS, host_id, network_id, port_id, tenant};

/// One random change.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    Trunk(u8),
    DeleteTrunk(u8),
    Behind { port: u8, parent: u8, host: u8 },
    Policy { policy: u8, bits: u8 },
    DeletePolicy(u8),
    Wear { port: u8, policy: u8 },
    WearNetwork { network: u8, policy: u8 },
}

const POLICIES: u8 = 2;

pub fn shape() -> impl Strategy<Value = Shape> {
    let (port, policy) = (0..PORTS, 0..POLICIES);
    prop_oneof![
        4 => port.clone().prop_map(Shape::Trunk),
        1 => port.clone().prop_map(Shape::DeleteTrunk),
        6 => (port.clone(), port.clone(), 0..5u8)
            .prop_map(|(port, parent, host)| Shape::Behind { port, parent, host }),
        4 => (policy.clone(), 0..8u8).prop_map(|(policy, bits)| Shape::Policy { policy, bits }),
        1 => policy.prop_map(Shape::DeletePolicy),
        4 => (port, 0..=POLICIES).prop_map(|(port, policy)| Shape::Wear { port, policy }),
        2 => (0..NETWORKS, 0..=POLICIES).prop_map(|(network, policy)| Shape::WearNetwork { network, policy }),
    ]
}

pub fn change(snapshot: &Snapshot, shape: Shape) -> Option<Change> {
    Some(match shape {
        Shape::Trunk(port) => Change::Put(Record::Trunk(Arc::new(Trunk {
            id: trunk_id(port),
            tenant: tenant(),
            stamp: Stamp::default(),
            port: port_id(port),
            admin_up: true,
            subports: BTreeMap::new(),
        }))),
        Shape::DeleteTrunk(port) => Change::Delete(Key::Trunk(trunk_id(port))),
        Shape::Behind { port, parent, host } => {
            let at = snapshot.claim(port_id(parent), &host_id(host)).filter(|at| at.behind.is_none())?;
            // A port is not behind itself, and has one tag and one zone wherever it is.
            let vlan = VlanId::new(u32::from(port) + 1).filter(|_| port != parent)?;
            let behind = Some(Behind { vlan, zone: 1000 + u16::from(port) });
            let since = Revision(snapshot.revision().0 + 1);
            let seated = Binding { port: port_id(port), behind, since, ..Binding::clone(at) };
            Change::Put(Record::Binding(Arc::new(seated)))
        }
        Shape::Policy { policy, bits } => {
            Change::Put(Record::QosPolicy(Arc::new(policy_record(policy, bits)?)))
        }
        Shape::DeletePolicy(policy) => Change::Delete(Key::QosPolicy(policy_id(policy))),
        Shape::Wear { port, policy } => {
            let mut record = Port::clone(snapshot.port(&port_id(port))?);
            record.qos_policy = (policy < POLICIES).then(|| policy_id(policy));
            Change::Put(Record::Port(Arc::new(record)))
        }
        Shape::WearNetwork { network, policy } => {
            let mut record = Network::clone(snapshot.network(&network_id(network))?);
            record.qos_policy = (policy < POLICIES).then(|| policy_id(policy));
            Change::Put(Record::Network(Arc::new(record)))
        }
    })
}

fn policy_record(policy: u8, bits: u8) -> Option<QosPolicy> {
    let limit = |direction| {
        Some(QosRuleKind::Limit(direction, RateLimit { rate: Kbps::new(1000 + u32::from(bits))?, burst: 0 }))
    };
    let all = [limit(Direction::Egress)?, limit(Direction::Ingress)?, QosRuleKind::Mark(Dscp::new(46)?)];
    let chosen = (0..).zip(all).filter(|(bit, _)| bits >> bit & 1 == 1);
    let rule = |(bit, kind): (u8, QosRuleKind)| QosRule { id: QosRuleId(Uuid::from_u128(bit.into())), kind };
    Some(QosPolicy {
        id: policy_id(policy),
        tenant: tenant(),
        stamp: Stamp::default(),
        shared: false,
        is_default: false,
        rules: chosen.map(rule).collect(),
    })
}

fn trunk_id(port: u8) -> TrunkId {
    TrunkId(Uuid::from_u128(0x5_0000 + u128::from(port)))
}

fn policy_id(policy: u8) -> QosPolicyId {
    QosPolicyId(Uuid::from_u128(0x6_0000 + u128::from(policy)))
}
