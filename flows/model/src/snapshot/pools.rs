//! Address scopes and subnet pools in the state, and what of each pool is taken.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use uuid::Uuid;

use super::{Map, Snapshot, owned_by};
use crate::address::{predecessor, successor};
use crate::{
    AddressRange, AddressScope, AddressScopeId, Family, Subnet, SubnetId, SubnetPool, SubnetPoolId, TenantId,
};

/// Scopes, pools, and what is derived from them and from subnets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Pools {
    scopes: Map<AddressScopeId, Arc<AddressScope>>,
    pools: Map<SubnetPoolId, Arc<SubnetPool>>,
    // Indexes.
    scopes_by_tenant: Map<(TenantId, AddressScopeId), ()>,
    pools_by_tenant: Map<(TenantId, SubnetPoolId), ()>,
    pools_by_scope: Map<(AddressScopeId, SubnetPoolId), ()>,
    defaults: Map<(Family, SubnetPoolId), ()>,
    subnets: Map<(SubnetPoolId, SubnetId), ()>,
    /// What subnets have taken of pools: maximal intervals, each under its pool and first address. No two touch.
    taken: Map<(SubnetPoolId, IpAddr), IpAddr>,
}

/// Keeping it up to date.
impl Pools {
    pub(super) fn scopes(&self) -> impl Iterator<Item = &Arc<AddressScope>> {
        self.scopes.values()
    }

    pub(super) fn pools(&self) -> impl Iterator<Item = &Arc<SubnetPool>> {
        self.pools.values()
    }

    pub(super) fn put_scope(&mut self, scope: &Arc<AddressScope>) {
        self.scopes_by_tenant.insert((scope.tenant.clone(), scope.id), ());
        self.scopes.insert(scope.id, scope.clone());
    }

    pub(super) fn remove_scope(&mut self, scope: &AddressScope) {
        self.scopes_by_tenant.remove(&(scope.tenant.clone(), scope.id));
        self.scopes.remove(&scope.id);
    }

    pub(super) fn put_pool(&mut self, pool: &Arc<SubnetPool>) {
        self.pools_by_tenant.insert((pool.tenant.clone(), pool.id), ());
        if let Some(scope) = pool.scope {
            self.pools_by_scope.insert((scope, pool.id), ());
        }
        if pool.is_default {
            self.defaults.insert((pool.family(), pool.id), ());
        }
        self.pools.insert(pool.id, pool.clone());
    }

    pub(super) fn remove_pool(&mut self, pool: &SubnetPool) {
        self.pools_by_tenant.remove(&(pool.tenant.clone(), pool.id));
        if let Some(scope) = pool.scope {
            self.pools_by_scope.remove(&(scope, pool.id));
        }
        self.defaults.remove(&(pool.family(), pool.id));
        self.pools.remove(&pool.id);
    }

    pub(super) fn put_subnet(&mut self, subnet: &Subnet) {
        let Some(pool) = subnet.pool else { return };
        self.subnets.insert((pool, subnet.id), ());
        let mut whole = range_of(subnet.cidr);
        let left = predecessor(whole.start).and_then(|before| self.around(pool, before));
        let right = successor(whole.end).and_then(|after| self.around(pool, after));
        if let Some(left) = left {
            whole.start = left.start;
        }
        if let Some(right) = right {
            self.taken.remove(&(pool, right.start));
            whole.end = right.end;
        }
        self.taken.insert((pool, whole.start), whole.end);
    }

    pub(super) fn remove_subnet(&mut self, subnet: &Subnet) {
        let Some(pool) = subnet.pool else { return };
        self.subnets.remove(&(pool, subnet.id));
        let gone = range_of(subnet.cidr);
        let Some(around) = self.around(pool, gone.start) else { return };
        self.taken.remove(&(pool, around.start));
        if let Some(before) = predecessor(gone.start).filter(|before| *before >= around.start) {
            self.taken.insert((pool, around.start), before);
        }
        if let Some(after) = successor(gone.end).filter(|after| *after <= around.end) {
            self.taken.insert((pool, after), around.end);
        }
    }

    /// The interval that holds an address.
    fn around(&self, pool: SubnetPoolId, address: IpAddr) -> Option<AddressRange> {
        let (key, end) = self.taken.at_or_before(&(pool, address))?;
        let holds = key.0 == pool && *end >= address && key.1.is_ipv4() == address.is_ipv4();
        holds.then_some(AddressRange { start: key.1, end: *end })
    }

    /// What is taken of a pool first within a range.
    fn first_taken(&self, pool: SubnetPoolId, range: AddressRange) -> Option<AddressRange> {
        if let Some(around) = self.around(pool, range.start) {
            return Some(around);
        }
        let ((p, start), end) = self.taken.after(&(pool, range.start)).next()?;
        (*p == pool && range.contains(*start)).then_some(AddressRange { start: *start, end: *end })
    }
}

fn range_of(cidr: IpNet) -> AddressRange {
    AddressRange { start: cidr.network(), end: cidr.broadcast() }
}

/// Address scopes and subnet pools.
impl Snapshot {
    /// An address scope by id.
    pub fn address_scope(&self, id: &AddressScopeId) -> Option<&Arc<AddressScope>> {
        self.pools.scopes.get(id)
    }

    /// A subnet pool by id.
    pub fn subnet_pool(&self, id: &SubnetPoolId) -> Option<&Arc<SubnetPool>> {
        self.pools.pools.get(id)
    }

    /// All address scopes, by id.
    pub fn address_scopes(&self) -> impl Iterator<Item = &Arc<AddressScope>> {
        self.pools.scopes.values()
    }

    /// All subnet pools, by id.
    pub fn subnet_pools(&self) -> impl Iterator<Item = &Arc<SubnetPool>> {
        self.pools.pools.values()
    }

    /// The address scopes of a tenant, by id.
    pub fn address_scopes_of_tenant(&self, tenant: &TenantId) -> impl Iterator<Item = &Arc<AddressScope>> {
        let first = (tenant.clone(), AddressScopeId(Uuid::nil()));
        let keys = self.pools.scopes_by_tenant.starting_at(&first);
        owned_by(keys, tenant).filter_map(|id| self.address_scope(id))
    }

    /// The subnet pools of a tenant, by id.
    pub fn subnet_pools_of_tenant(&self, tenant: &TenantId) -> impl Iterator<Item = &Arc<SubnetPool>> {
        let first = (tenant.clone(), SubnetPoolId(Uuid::nil()));
        let keys = self.pools.pools_by_tenant.starting_at(&first);
        owned_by(keys, tenant).filter_map(|id| self.subnet_pool(id))
    }

    /// The subnet pools in a scope, by id.
    pub fn subnet_pools_in(&self, scope: AddressScopeId) -> impl Iterator<Item = &Arc<SubnetPool>> {
        let keys = self.pools.pools_by_scope.starting_at(&(scope, SubnetPoolId(Uuid::nil())));
        keys.map(|(key, ())| key)
            .take_while(move |(s, _)| *s == scope)
            .filter_map(|(_, pool)| self.subnet_pool(pool))
    }

    /// The subnet pool that is meant by those who name none.
    pub fn default_subnet_pool(&self, family: Family) -> Option<&Arc<SubnetPool>> {
        let mut keys = self.pools.defaults.starting_at(&(family, SubnetPoolId(Uuid::nil())));
        let ((found, pool), ()) = keys.next()?;
        (*found == family).then(|| self.subnet_pool(pool))?
    }

    /// The subnets that are cut from a pool, by id.
    pub fn subnets_of_pool(&self, pool: SubnetPoolId) -> impl Iterator<Item = &Arc<Subnet>> {
        let keys = self.pools.subnets.starting_at(&(pool, SubnetId(Uuid::nil())));
        keys.map(|(key, ())| key)
            .take_while(move |(p, _)| *p == pool)
            .filter_map(|(_, subnet)| self.subnet(subnet))
    }

    /// True if no subnet has taken anything of a prefix from a pool.
    pub fn is_free_in_pool(&self, pool: SubnetPoolId, prefix: IpNet) -> bool {
        self.pools.first_taken(pool, range_of(prefix)).is_none()
    }

    /// The lowest prefix of that length that nobody has taken from a pool. The cost grows with the number of gaps before it.
    pub fn lowest_free_in_pool(&self, pool: &SubnetPool, length: u8) -> Option<IpNet> {
        let mut fitting = pool.prefixes.iter().filter(|prefix| prefix.prefix_len() <= length);
        fitting.find_map(|prefix| self.lowest_free_within(pool.id, *prefix, length))
    }

    fn lowest_free_within(&self, pool: SubnetPoolId, prefix: IpNet, length: u8) -> Option<IpNet> {
        let mut candidate = IpNet::new(prefix.network(), length).ok()?;
        while prefix.contains(&candidate) {
            let Some(taken) = self.pools.first_taken(pool, range_of(candidate)) else {
                return Some(candidate);
            };
            // The first prefix of that length that begins behind what is taken.
            let behind = successor(taken.end)?;
            let around = IpNet::new(behind, length).ok()?.trunc();
            candidate = match around.network() == behind {
                true => around,
                false => IpNet::new(successor(around.broadcast())?, length).ok()?,
            };
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{NetworkId, Stamp};

    fn subnet(id: u128, cidr: IpNet) -> Subnet {
        Subnet {
            id: SubnetId(Uuid::from_u128(id)),
            tenant: "t".parse().expect("a tenant id"),
            network: NetworkId(Uuid::nil()),
            stamp: Stamp::default(),
            cidr,
            pool: Some(SubnetPoolId(Uuid::nil())),
            gateway: None,
            pools: Vec::new(),
            dhcp: false,
            dns_servers: Vec::new(),
            host_routes: Vec::new(),
            ipv6_ra_mode: None,
            ipv6_address_mode: None,
        }
    }

    fn pool(prefixes: &[&str]) -> SubnetPool {
        SubnetPool {
            id: SubnetPoolId(Uuid::nil()),
            tenant: "t".parse().expect("a tenant id"),
            stamp: Stamp::default(),
            prefixes: prefixes.iter().map(|prefix| prefix.parse().expect("a prefix")).collect(),
            default_prefixlen: 28,
            min_prefixlen: 8,
            max_prefixlen: 32,
            default_quota: None,
            is_default: false,
            scope: None,
        }
    }

    proptest! {
        /// Whatever is taken and given back, the lowest free prefix is the one that a look at all of them finds.
        #[test]
        fn the_lowest_free_prefix_is_found(steps in prop::collection::vec((any::<bool>(), 0usize..64, 26u8..33), 0..60)) {
            let pool = pool(&["10.0.0.0/26", "10.0.1.0/27"]);
            let mut state = Snapshot::new();
            let mut there: Vec<Subnet> = Vec::new();
            for (id, (take, which, length)) in steps.into_iter().enumerate() {
                let every = |length: u8| {
                    let fitting = pool.prefixes.iter().filter(move |prefix| prefix.prefix_len() <= length);
                    fitting.flat_map(move |prefix| prefix.subnets(length).expect("longer"))
                };
                let meets = |a: &IpNet, b: &IpNet| a.contains(b) || b.contains(a);
                let free = |prefix: &IpNet| !there.iter().any(|subnet| meets(&subnet.cidr, prefix));
                let lowest = every(length).find(free);
                prop_assert_eq!(state.lowest_free_in_pool(&pool, length), lowest);
                for prefix in every(length) {
                    prop_assert_eq!(state.is_free_in_pool(pool.id, prefix), free(&prefix));
                }
                if take && let Some(cidr) = every(length).filter(free).nth(which / 8).or(lowest) {
                    let new = subnet(id as u128, cidr);
                    state.pools.put_subnet(&new);
                    there.push(new);
                } else if !there.is_empty() {
                    let gone = there.swap_remove(which % there.len());
                    state.pools.remove_subnet(&gone);
                }
                let mut again = Snapshot::new();
                there.iter().for_each(|subnet| again.pools.put_subnet(subnet));
                prop_assert_eq!(&again.pools, &state.pools);
            }
        }
    }

    #[test]
    fn the_end_of_the_number_line_is_no_trap() {
        let pool = pool(&["255.255.255.0/24"]);
        let mut state = Snapshot::new();
        for n in 0..4 {
            let cidr = state.lowest_free_in_pool(&pool, 26).expect("room");
            state.pools.put_subnet(&subnet(n, cidr));
        }
        assert_eq!(state.lowest_free_in_pool(&pool, 32), None);
    }
}
