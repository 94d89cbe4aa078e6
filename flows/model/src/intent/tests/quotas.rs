//! Quotas: set, held against, and not in the way of what is there.

use super::*;
use crate::{Access, Audience, QuotaKind, RbacPolicyId, TrunkId};

fn limit(kind: QuotaKind, limit: Option<u32>) -> Intent {
    let limits = [(kind, limit)].into();
    Intent::SetQuota(tenant("a"), QuotaPatch { limits, below_use: BelowUse::Allowed })
}

fn limited(kind: QuotaKind, most: u32) -> Snapshot {
    plan(&world(), &Actor::Admin, &[limit(kind, Some(most))], &at(150)).expect("planned").snapshot
}

#[track_caller]
fn refused(base: &Snapshot, intents: &[Intent], expected: &str) {
    match plan(base, &Actor::Tenant(tenant("a")), intents, &at(200)) {
        Ok(plan) => panic!("was planned: {:?}", plan.changes),
        Err(rejected) => assert_eq!(rejected.to_string(), expected),
    }
}

#[test]
fn a_tenant_gets_as_much_as_it_may_have() {
    let more = |n| Intent::CreatePort(NewPort::new(port(n), network(1), 1));
    let base = limited(QuotaKind::Port, 2);
    let full = plan(&base, &Actor::Tenant(tenant("a")), &[more(3)], &at(200)).expect("one more").snapshot;
    refused(&full, &[more(4)], "the quota of 2 is used up: port");
    refused(&base, &[more(3), more(4)], "the quota of 2 is used up: port");
    let theirs = Intent::CreatePort(NewPort::new(port(5), network(2), 5));
    plan(&full, &Actor::Admin, &[theirs], &at(200)).expect("another tenant's");
    let again = [Intent::DeletePort(port(3), None), more(4)];
    plan(&full, &Actor::Tenant(tenant("a")), &again, &at(200)).expect("there is room again");
    let below =
        plan(&full, &Actor::Admin, &[limit(QuotaKind::Port, Some(1))], &at(200)).expect("set").snapshot;
    let patch = PortPatch { labels: named("x"), ..PortPatch::default() };
    plan(&below, &Actor::Admin, &[Intent::UpdatePort(port(1), patch)], &at(200))
        .expect("what is there stays");
}

#[test]
fn every_kind_is_counted() {
    let none = |kind| limited(kind, 0);
    let name = |kind: QuotaKind| format!("the quota of 0 is used up: {}", kind.name());
    let checks = [
        (QuotaKind::Network, Intent::CreateNetwork(NewNetwork::new(network(3)))),
        (QuotaKind::Subnet, Intent::CreateSubnet(NewSubnet::new(subnet(3), network(1), net("10.0.1.0/24")))),
        (QuotaKind::Router, Intent::CreateRouter(NewRouter::new(router(1)))),
        (
            QuotaKind::SecurityGroup,
            Intent::CreateSecurityGroup(NewSecurityGroup {
                id: super::security::group(1),
                tenant: None,
                labels: Labels { name: "g".into(), ..Labels::default() },
                tracking: crate::Tracking::Stateful,
                rule_ids: [super::security::rule(1), super::security::rule(2)],
            }),
        ),
        (
            QuotaKind::Trunk,
            Intent::CreateTrunk(NewTrunk {
                id: TrunkId(Uuid::from_u128(1)),
                tenant: None,
                labels: Labels::default(),
                port: port(1),
                admin_up: true,
                subports: Vec::new(),
            }),
        ),
        (
            QuotaKind::SubnetPool,
            Intent::CreateSubnetPool(NewSubnetPool::new(super::pools::pool_id(1), vec![net("10.2.0.0/16")])),
        ),
        (
            QuotaKind::RbacPolicy,
            Intent::CreateRbacPolicy(NewRbacPolicy {
                id: RbacPolicyId(Uuid::from_u128(1)),
                object: network(1).into(),
                access: Access::Shared,
                audience: Audience::Tenant(tenant("b")),
            }),
        ),
    ];
    for (kind, intent) in checks {
        refused(&none(kind), &[intent], &name(kind));
    }
    assert_eq!(QuotaKind::ALL.map(|kind| QuotaKind::from_name(kind.name())), QuotaKind::ALL.map(Some));
}

#[test]
fn limits_are_the_operators_and_go_with_the_tenant() {
    let expected = "setting a quota is not allowed for this token";
    refused(&world(), &[limit(QuotaKind::Port, None)], expected);
    check_admin(&[limit(QuotaKind::Port, Some(7))], "quota of a {Port: 7}");
    let base = limited(QuotaKind::Port, 7);
    check_on(&base, &Actor::Admin, &[limit(QuotaKind::Port, None)], "delete quota(tenantid(\"a\"))");
    check_on(&base, &Actor::Admin, &[Intent::ResetQuota(tenant("a"))], "delete quota(tenantid(\"a\"))");
    let limits = [(QuotaKind::Port, Some(0))].into();
    let checked = Intent::SetQuota(tenant("a"), QuotaPatch { limits, below_use: BelowUse::Refused });
    check_admin(&[checked], "refused: port must be at least 1, which are in use");
    let limits = [(QuotaKind::Port, Some(1))].into();
    let gone = Intent::SetQuota(tenant("z"), QuotaPatch { limits, below_use: BelowUse::Allowed });
    check_admin(&[gone], "refused: there is no tenant z");
}
