//! Who may do what, tenants and tokens.

use super::*;
use crate::TokenRole;

fn token(n: u8, role: TokenRole) -> NewToken {
    let id = TokenId(Uuid::from_u128(n.into()));
    NewToken { id, role, digest: [n; 32], description: String::new(), expires: None, session: None }
}

#[test]
fn tenants_come_and_go() {
    check_admin(&[Intent::CreateTenant(new_tenant("c"))], "tenant c v1 \"\" enabled");
    check_admin(&[Intent::CreateTenant(new_tenant("a"))], "refused: tenant a already exists");
    let off = TenantPatch { enabled: Some(false), ..TenantPatch::default() };
    check_admin(&[Intent::UpdateTenant(tenant("a"), off)], "tenant a v2 \"\" disabled");
    check_admin(&[Intent::UpdateTenant(tenant("a"), TenantPatch::default())], "");
    check_admin(
        &[Intent::UpdateTenant(tenant("c"), TenantPatch::default())],
        "refused: there is no tenant c",
    );
    check_admin(
        &[Intent::DeleteTenant(tenant("a"), None)],
        "refused: tenant a still owns networks, subnets, ports, routers or security groups",
    );
    let name = Labels { name: "x".repeat(256), ..Labels::default() };
    check_admin(
        &[Intent::CreateTenant(NewTenant { labels: name, ..new_tenant("c") })],
        "refused: name must have at most 255 characters",
    );
}

#[test]
fn a_tenant_takes_its_tokens_along() {
    let create = [
        Intent::CreateTenant(new_tenant("c")),
        Intent::CreateToken(token(1, TokenRole::Member(tenant("c")))),
        Intent::CreateToken(token(2, TokenRole::Admin)),
    ];
    let made = plan(&world(), &Actor::Admin, &create, &at(100)).expect("planned").snapshot;
    check_on(
        &made,
        &Actor::Admin,
        &[Intent::DeleteTenant(tenant("c"), Some(1))],
        r#"delete tenant(tenantid("c"))
           delete token(tokenid(#01))"#,
    );
    check_admin(&[create[1].clone()], "refused: there is no tenant c");
    check_on(
        &made,
        &Actor::Admin,
        &[Intent::CreateToken(NewToken { id: TokenId(Uuid::from_u128(9)), ..token(1, TokenRole::Admin) })],
        "refused: token #09 already exists",
    );
    check_admin(&[Intent::DeleteToken(TokenId(Uuid::nil()))], "refused: there is no token #00");
}

#[test]
fn what_is_for_the_operator_only() {
    let refused = |what: &str| format!("refused: {what} is not allowed for this token");
    check(&[Intent::CreateTenant(new_tenant("c"))], &refused("creating a tenant"));
    check(&[Intent::UpdateTenant(tenant("a"), TenantPatch::default())], &refused("changing a tenant"));
    check(&[Intent::DeleteTenant(tenant("a"), None)], &refused("deleting a tenant"));
    check(&[Intent::CreateToken(token(1, TokenRole::Admin))], &refused("creating a token"));
    check(&[Intent::DeleteToken(TokenId(Uuid::nil()))], &refused("revoking a token"));
    check(&[Intent::DeleteHost(host("h1"))], &refused("forgetting a host"));
    let new = NewNetwork { vni: crate::Vni::new(7), ..NewNetwork::new(network(9)) };
    check(&[Intent::CreateNetwork(new)], &refused("choosing a VNI or an encapsulation"));
    let new = NewNetwork { encap: Some(Encap::Gre), ..NewNetwork::new(network(9)) };
    check(&[Intent::CreateNetwork(new)], &refused("choosing a VNI or an encapsulation"));
    let new = NewNetwork { tenant: Some(tenant("b")), ..NewNetwork::new(network(9)) };
    check(&[Intent::CreateNetwork(new)], &refused("acting for another tenant"));
    let reader = Actor::ReadOnly(tenant("a"));
    check_as(&reader, &[Intent::CreateNetwork(NewNetwork::new(network(9)))], &refused("writing"));
}

#[test]
fn a_tenant_that_is_gone_or_disabled_writes_nothing() {
    let new = [Intent::CreateNetwork(NewNetwork::new(network(9)))];
    check_as(&Actor::Tenant(tenant("z")), &new, "refused: there is no tenant z");
    let off = TenantPatch { enabled: Some(false), ..TenantPatch::default() };
    let off = [Intent::UpdateTenant(tenant("a"), off)];
    let disabled = plan(&world(), &Actor::Admin, &off, &at(1)).expect("planned").snapshot;
    let expected = "refused: writing for a disabled tenant is not allowed for this token";
    check_on(&disabled, &Actor::Tenant(tenant("a")), &new, expected);
}

#[test]
fn what_another_tenant_owns_does_not_exist() {
    check(&[Intent::UpdateNetwork(network(2), NetworkPatch::default())], "refused: there is no network #02");
    check(&[Intent::DeleteNetwork(network(2), None)], "refused: there is no network #02");
    check(&[Intent::UpdateSubnet(subnet(2), SubnetPatch::default())], "refused: there is no subnet #02");
    check(&[Intent::DeleteSubnet(subnet(2), None)], "refused: there is no subnet #02");
    check(&[Intent::UpdatePort(port(2), PortPatch::default())], "refused: there is no port #02");
    check(&[Intent::DeletePort(port(2), None)], "refused: there is no port #02");
    check(&[Intent::CreatePort(NewPort::new(port(9), network(2), 0))], "refused: there is no network #02");
    let new = NewSubnet::new(subnet(9), network(2), net("10.9.0.0/24"));
    check(&[Intent::CreateSubnet(new)], "refused: there is no network #02");
    let asked = vec![AskedIp { subnet: Some(subnet(2)), address: None }];
    let new = NewPort { fixed_ips: Some(asked), ..NewPort::new(port(9), network(1), 0) };
    check(&[Intent::CreatePort(new)], "refused: there is no subnet #02");
}

#[test]
fn all_or_nothing_and_in_order() {
    check(
        &[
            Intent::CreateNetwork(NewNetwork::new(network(9))),
            Intent::CreateSubnet(NewSubnet::new(subnet(9), network(9), net("10.9.0.0/30"))),
            Intent::CreatePort(NewPort::new(port(9), network(9), 9)),
        ],
        "network #09 v1 \"\" of a vni 3 vxlan mtu 1450
         subnet #09 v1 \"\" of a 10.9.0.0/30 via 10.9.0.1 pools 10.9.0.2-10.9.0.2
         port #09 v1 \"\" of a key 3 02:57:46:00:00:09 [10.9.0.2]",
    );
    check(
        &[
            Intent::CreateNetwork(NewNetwork::new(network(9))),
            Intent::CreatePort(NewPort::new(port(9), network(8), 9)),
        ],
        "refused: there is no network #08",
    );
    // What is made and unmade in one request leaves nothing but the numbers it used up.
    check(
        &[Intent::CreateNetwork(NewNetwork::new(network(9))), Intent::DeleteNetwork(network(9), Some(1))],
        "",
    );
}

#[test]
fn what_ends_as_it_began_is_no_change() {
    let create = Intent::CreateToken(token(1, TokenRole::Admin));
    let made =
        plan(&world(), &Actor::Admin, std::slice::from_ref(&create), &at(200)).expect("planned").snapshot;
    let delete = Intent::DeleteToken(TokenId(Uuid::from_u128(1)));
    let back = plan(&made, &Actor::Admin, &[delete, create], &at(200)).expect("planned");
    assert_eq!((back.changes.len(), back.touched.len()), (0, 2));
    assert_eq!(back.snapshot, made, "the revision too");
}
