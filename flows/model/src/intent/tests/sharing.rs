//! RBAC policies: who may share what with whom, who may use it, and what cannot be taken back.

use super::security::{group, rule};
use super::*;
use crate::{
    Access, AllowedPair, Audience, Direction, Family, MacAddr, PortSecurity, RbacPolicyId, Remote,
    SharedObject, Tracking,
};

fn policy(n: u128) -> RbacPolicyId {
    RbacPolicyId(Uuid::from_u128(n))
}

fn share(n: u128, object: impl Into<SharedObject>, with: &str) -> Intent {
    let audience = if with == "*" { Audience::Everybody } else { Audience::Tenant(tenant(with)) };
    Intent::CreateRbacPolicy(NewRbacPolicy {
        id: policy(n),
        object: object.into(),
        access: Access::Shared,
        audience,
    })
}

fn outside(n: u128, object: NetworkId, with: &str) -> Intent {
    let Intent::CreateRbacPolicy(new) = share(n, object, with) else { unreachable!() };
    Intent::CreateRbacPolicy(NewRbacPolicy { access: Access::External, ..new })
}

fn a() -> Actor {
    Actor::Tenant(tenant("a"))
}

fn b() -> Actor {
    Actor::Tenant(tenant("b"))
}

fn after(base: &Snapshot, actor: &Actor, intents: &[Intent]) -> Snapshot {
    plan(base, actor, intents, &at(150)).expect("can be done").snapshot
}

/// [`world`] where tenant a shares network 1 with tenant b.
fn shared() -> Snapshot {
    after(&world(), &a(), &[share(1, network(1), "b")])
}

fn guest(n: u128) -> NewPort {
    NewPort::new(port(n), network(1), 1)
}

#[test]
fn a_network_is_shared_by_its_owner_with_whom_it_wants() {
    let made = "rbac of a network #01 access_as_shared Tenant(TenantId(\"b\"))";
    check(&[share(1, network(1), "b")], made);
    check(&[share(1, network(1), "nobody-yet")], &made.replace("\"b\"", "\"nobody-yet\""));
    check(&[share(1, network(2), "a")], "refused: there is no network #02");
    let wildcard = "refused: rule:create_rbac_policy:target_tenant is not allowed for this token";
    check(&[share(1, network(1), "*")], wildcard);
    check_admin(&[share(1, network(1), "*")], "rbac of a network #01 access_as_shared Everybody");
    let again = "refused: there is an RBAC policy that says the same: #01";
    check_on(&shared(), &a(), &[share(2, network(1), "b")], again);
    // Who may use it may not give it away.
    let theirs = "refused: changing another tenant's network is not allowed for this token";
    check_on(&shared(), &b(), &[share(2, network(1), "b")], theirs);
    check_on(&shared(), &b(), &[Intent::DeleteRbacPolicy(policy(1))], "refused: there is no RBAC policy #01");
}

#[test]
fn guests_have_ports_but_not_the_network() {
    check_as(&b(), &[Intent::CreatePort(guest(9))], "refused: there is no network #01");
    let used = after(&shared(), &b(), &[Intent::CreatePort(guest(9))]);
    let made = used.port(&port(9)).expect("there");
    assert_eq!((made.tenant.as_str(), made.fixed_ips[0].address), ("b", ip("10.0.0.3")));
    let theirs = "refused: changing another tenant's network is not allowed for this token";
    let subnet = NewSubnet::new(subnet(9), network(1), net("10.9.0.0/24"));
    check_on(&shared(), &b(), &[Intent::CreateSubnet(subnet)], theirs);
    check_on(&shared(), &b(), &[Intent::DeleteNetwork(network(1), None)], theirs);
    let refused = |what: &str| format!("refused: rule:create_port:{what} is not allowed for this token");
    let asked = vec![AskedIp { subnet: None, address: Some(ip("10.0.0.77")) }];
    let pair = AllowedPair { mac: None, prefix: net("10.0.0.9/32") };
    let cases = [
        (NewPort { mac: Some(MacAddr([2, 0, 0, 0, 0, 1])), ..guest(9) }, "mac_address"),
        (NewPort { fixed_ips: Some(asked.clone()), ..guest(9) }, "fixed_ips:ip_address"),
        (NewPort { security: Some(PortSecurity::Off), ..guest(9) }, "port_security_enabled"),
        (NewPort { allowed_pairs: vec![pair], ..guest(9) }, "allowed_address_pairs"),
    ];
    for (new, what) in cases {
        check_on(&shared(), &b(), &[Intent::CreatePort(new.clone())], &refused(what));
        after(&shared(), &a(), &[Intent::CreatePort(new)]);
    }
    let patch = PortPatch { fixed_ips: Some(asked), ..PortPatch::default() };
    let refused = "refused: rule:update_port:fixed_ips:ip_address is not allowed for this token";
    check_on(&used, &b(), &[Intent::UpdatePort(port(9), patch)], refused);
    let same = vec![AskedIp { subnet: None, address: Some(ip("10.0.0.3")) }];
    let patch = PortPatch { fixed_ips: Some(same), labels: named("x"), ..PortPatch::default() };
    after(&used, &b(), &[Intent::UpdatePort(port(9), patch)]);
}

#[test]
fn what_others_use_stays_shared() {
    let used = after(&shared(), &b(), &[Intent::CreatePort(guest(9))]);
    let needed = "refused: the RBAC policy for network #01 is needed by a port of another tenant";
    check_on(&used, &a(), &[Intent::DeleteRbacPolicy(policy(1))], needed);
    let other = Some(Audience::Tenant(tenant("c")));
    check_on(&used, &a(), &[Intent::UpdateRbacPolicy(policy(1), other)], needed);
    let to_all = Some(Audience::Everybody);
    let wider = after(&used, &Actor::Admin, &[Intent::UpdateRbacPolicy(policy(1), to_all)]);
    assert!(wider.is_shared(network(1).into()));
    // Another policy that lets them is enough.
    let both = after(&used, &Actor::Admin, &[share(2, network(1), "*")]);
    let one = after(&both, &a(), &[Intent::DeleteRbacPolicy(policy(1))]);
    check_on(&one, &Actor::Admin, &[Intent::DeleteRbacPolicy(policy(2))], needed);
    let gone = after(&used, &b(), &[Intent::DeletePort(port(9), None)]);
    let gone = after(&gone, &a(), &[Intent::DeleteRbacPolicy(policy(1))]);
    assert_eq!(gone.rbac_policies().count(), 0);
}

#[test]
fn the_flag_is_the_policy_for_everybody() {
    let flag = |shared| {
        Intent::UpdateNetwork(network(1), NetworkPatch { shared: Some(shared), ..NetworkPatch::default() })
    };
    let only = "refused: (rule:update_network and rule:update_network:shared) is not allowed for this token";
    check(&[flag(true)], only);
    check(&[flag(false)], "");
    let on = after(&world(), &Actor::Admin, &[flag(true)]);
    let policies: Vec<_> = on.rbac_policies().map(|policy| policy.audience.clone()).collect();
    assert_eq!(policies, [Audience::Everybody]);
    assert_eq!(on.network(&network(1)).expect("there").stamp.number, 2);
    check_on(&on, &Actor::Admin, &[flag(true)], "");
    let used = after(&on, &b(), &[Intent::CreatePort(guest(9))]);
    let stays = "refused: network #01 is used by several tenants, so it stays shared";
    check_on(&used, &Actor::Admin, &[flag(false)], stays);
    assert_eq!(after(&on, &Actor::Admin, &[flag(false)]).rbac_policies().count(), 0);
    // What goes takes its policies along.
    let gone = [Intent::DeletePort(port(1), None), Intent::DeleteNetwork(network(1), None)];
    assert_eq!(after(&on, &Actor::Admin, &gone).rbac_policies().count(), 0);
}

#[test]
fn networks_lead_outside_for_those_whom_policies_let() {
    let new = NewNetwork { tenant: Some(tenant("b")), external: true, ..NewNetwork::new(network(9)) };
    let made = after(&world(), &Actor::Admin, &[Intent::CreateNetwork(new)]);
    let sees = |snapshot: &Snapshot, who: &str| {
        snapshot.sees_network(snapshot.network(&network(9)).expect("there"), &tenant(who))
    };
    assert!(sees(&made, "a"), "a network that is made external is everybody's");
    let wildcard = made.rbac_policies_of(network(9).into()).next().expect("explicit").id;
    let chosen = [outside(1, network(9), "c"), Intent::DeleteRbacPolicy(wildcard)];
    let chosen = after(&made, &Actor::Admin, &chosen);
    assert_eq!((sees(&chosen, "a"), sees(&chosen, "b"), sees(&chosen, "c")), (false, true, true));
    let closed = after(&chosen, &Actor::Admin, &[Intent::DeleteRbacPolicy(policy(1))]);
    assert!(!closed.network(&network(9)).expect("there").external, "nobody is let out by it any more");
    let opened = after(&closed, &Actor::Admin, &[outside(2, network(9), "a")]);
    assert!(
        opened.network(&network(9)).expect("there").external && sees(&opened, "a") && !sees(&opened, "c")
    );
    let only = "refused: rule:create_rbac_policy:access_as_external is not allowed for this token";
    check(&[outside(1, network(1), "b")], only);
    let internal = NetworkPatch { external: Some(false), ..NetworkPatch::default() };
    let internal = after(&opened, &Actor::Admin, &[Intent::UpdateNetwork(network(9), internal)]);
    assert_eq!(internal.rbac_policies().count(), 0);
}

#[test]
fn an_external_network_from_before_there_were_policies_stays_everybodys() {
    let new = NewNetwork { tenant: Some(tenant("b")), external: true, ..NewNetwork::new(network(9)) };
    let mut old = after(&world(), &Actor::Admin, &[Intent::CreateNetwork(new)]);
    let policy = old.rbac_policies().next().expect("explicit").id;
    old.apply(Revision(9), &[Change::Delete(Key::RbacPolicy(policy))]);
    let sees = |snapshot: &Snapshot| {
        snapshot.sees_network(snapshot.network(&network(9)).expect("there"), &tenant("a"))
    };
    assert!(sees(&old));
    assert!(sees(&after(&old, &Actor::Admin, &[outside(1, network(9), "c")])));
}

#[test]
fn groups_are_worn_and_named_by_those_they_are_shared_with() {
    let new = |n: u128| {
        Intent::CreateSecurityGroup(NewSecurityGroup {
            id: group(n),
            tenant: None,
            labels: Labels::default(),
            tracking: Tracking::Stateful,
            rule_ids: [rule(n * 10), rule(n * 10 + 1)],
        })
    };
    let addresses = AddressGroupId(Uuid::from_u128(7));
    let list = NewAddressGroup {
        id: addresses,
        tenant: None,
        labels: Labels::default(),
        prefixes: vec![net("192.0.2.0/24")],
    };
    let base = after(&world(), &a(), &[new(1), Intent::CreateAddressGroup(list)]);
    let base = after(&base, &b(), &[new(2)]);
    let groups = Some([group(1)].into());
    let wear = Intent::UpdatePort(port(2), PortPatch { groups, ..PortPatch::default() });
    let name = |remote, n| {
        let new = NewSecurityRule::new(rule(n), group(2), Direction::Ingress, Family::V4);
        Intent::CreateSecurityRule(NewSecurityRule { remote, ..new })
    };
    let by_list = name(Remote::Addresses(addresses), 91);
    let by_group = name(Remote::Group(group(1)), 92);
    check_on(&base, &b(), std::slice::from_ref(&wear), "refused: there is no security group #01");
    check_on(&base, &b(), std::slice::from_ref(&by_list), "refused: there is no address group #07");
    let shares = [share(1, group(1), "b"), share(2, addresses, "b")];
    let shared = after(&base, &a(), &shares);
    let change = [Intent::DeleteSecurityGroup(group(1), None)];
    let theirs = "refused: changing another tenant's security group is not allowed for this token";
    check_on(&shared, &b(), &change, theirs);
    let needed = |what: &str, user: &str| {
        format!("refused: the RBAC policy for {what} is needed by a {user} of another tenant")
    };
    let worn = after(&shared, &b(), &[wear]);
    let unshare = [Intent::DeleteRbacPolicy(policy(1))];
    check_on(&worn, &a(), &unshare, &needed("security_group #01", "port"));
    let named = after(&shared, &b(), &[by_group, by_list]);
    check_on(&named, &a(), &unshare, &needed("security_group #01", "rule"));
    let unshare = [Intent::DeleteRbacPolicy(policy(2))];
    check_on(&named, &a(), &unshare, &needed("address_group #07", "rule"));
}

#[test]
fn policies_for_a_tenant_go_with_it() {
    let with = after(&shared(), &Actor::Admin, &[Intent::CreateTenant(new_tenant("c"))]);
    let with = after(&with, &a(), &[share(2, network(1), "c")]);
    let gone = after(&with, &Actor::Admin, &[Intent::DeleteTenant(tenant("c"), None)]);
    let left: Vec<_> = gone.rbac_policies().map(|policy| policy.id).collect();
    assert_eq!(left, [policy(1)]);
}
