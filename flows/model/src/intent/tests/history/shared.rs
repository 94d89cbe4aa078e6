//! Steps about address scopes, subnet pools and RBAC policies: few objects, so that they meet.

use super::*;
use crate::{Access, Audience, Family, RbacPolicyId, SharedKind, SharedObject};

pub(super) fn intent((x, y, z): (u8, u8, u8)) -> Intent {
    let n = u128::from(x / 4 % 3) + 1;
    let (pool, scope) = (super::super::pools::pool_id(n), super::super::pools::scope_id(n));
    let owner = Some(tenant(["a", "b"][usize::from(x % 2)]));
    let if_number = (z == 0).then_some(1);
    match y % 10 {
        0 => {
            let (family, shared) = (Family::V4, z % 2 == 0);
            let labels = Labels::default();
            Intent::CreateAddressScope(NewAddressScope { id: scope, tenant: owner, labels, family, shared })
        }
        1 => {
            let shared = (z % 2 == 0).then_some(true);
            Intent::UpdateAddressScope(scope, AddressScopePatch { if_number, shared, labels: named("x") })
        }
        2 => Intent::DeleteAddressScope(scope, if_number),
        3 | 4 => Intent::CreateSubnetPool(NewSubnetPool {
            tenant: owner,
            default_prefixlen: Some(29),
            default_quota: (z % 3 == 0).then_some(16),
            is_default: z % 5 == 0,
            shared: z % 2 == 0,
            scope: (z % 4 == 0).then_some(scope),
            ..NewSubnetPool::new(pool, vec![net(["10.8.0.0/27", "10.9.0.0/27"][usize::from(z % 2)])])
        }),
        5 => {
            let scope = (z % 2 == 0).then_some(Some(scope).filter(|_| z % 3 == 0));
            let is_default = (z % 5 == 0).then_some(z % 2 == 0);
            let patch = SubnetPoolPatch { if_number, scope, is_default, ..SubnetPoolPatch::default() };
            Intent::UpdateSubnetPool(pool, patch)
        }
        6 => Intent::DeleteSubnetPool(pool, if_number),
        7 => {
            let object = SharedObject {
                kind: SharedKind::ALL[usize::from(z % 5)],
                id: Uuid::from_u128(u128::from(x / 2 % 4) + u128::from(z % 5 > 0)),
            };
            let access = if z % 7 == 0 { Access::External } else { Access::Shared };
            let audience = match z % 3 {
                0 => Audience::Everybody,
                other => Audience::Tenant(tenant(["a", "b"][usize::from(other % 2)])),
            };
            let id = RbacPolicyId(Uuid::from_u128(u128::from(x % 8)));
            Intent::CreateRbacPolicy(NewRbacPolicy { id, object, access, audience })
        }
        8 => Intent::DeleteRbacPolicy(RbacPolicyId(Uuid::from_u128(u128::from(x % 8)))),
        _ => {
            let cidr = net(["10.8.0.8/29", "10.9.0.16/29"][usize::from(z % 2)]);
            let part = if z % 3 == 0 {
                AskedPart::This(cidr)
            } else {
                AskedPart::Lowest((z % 3 == 1).then_some(30))
            };
            let pool = if z % 5 == 0 { AskedPool::Default(Family::V4) } else { AskedPool::This(pool) };
            let prefix = AskedPrefix::Cut { pool, family: None, part };
            let (id, network) = (subnet(u128::from(z % 8)), network(u128::from(x / 2 % 4)));
            Intent::CreateSubnet(NewSubnet::cut(id, network, prefix))
        }
    }
}
