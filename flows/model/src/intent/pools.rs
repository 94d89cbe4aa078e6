//! Planning address scopes and subnet pools, and what subnets are cut from them.

use std::collections::BTreeSet;
use std::sync::Arc;

use ipnet::IpNet;

use super::draft::{Draft, expect_number, forbidden, relabel, set};
use super::limits::Faults;
use super::subnets::check_special;
use super::{
    AddressScopePatch, AskedPart, AskedPool, AskedPrefix, NewAddressScope, NewSubnetPool, PoolRejected,
    Rejected, SubnetPoolPatch,
};
use crate::{
    Access, AddressScope, AddressScopeId, Family, Key, Record, Subnet, SubnetPool, SubnetPoolId, TenantId,
    family_of,
};

/// Most prefixes of one pool.
const PREFIXES: usize = 256;

/// Address scopes.
impl Draft<'_> {
    pub(super) fn create_address_scope(&mut self, new: &NewAddressScope) -> Result<Key, Rejected> {
        if new.shared {
            self.admin_only("(rule:create_address_scope and rule:create_address_scope:shared)")?;
        }
        if self.state.address_scope(&new.id).is_some() {
            return Err(Rejected::AlreadyExists { what: "address scope", id: new.id.to_string() });
        }
        let owner = self.owner_of_new(new.tenant.as_ref(), None)?;
        let stamp = self.stamp(&new.labels);
        let mut faults = Faults::default();
        faults.check_stamp(&stamp);
        if owner.is_none() {
            faults.add("project_id", "must name the tenant that the address scope is for");
        }
        faults.settle()?;
        let tenant = owner.expect("a scope for nobody was a fault");
        if new.shared {
            self.share(new.id.into(), Access::Shared, &tenant);
        }
        let (id, family) = (new.id, new.family);
        Ok(self.put(Record::AddressScope(Arc::new(AddressScope { id, tenant, stamp, family }))))
    }

    pub(super) fn update_address_scope(
        &mut self,
        id: AddressScopeId,
        patch: &AddressScopePatch,
    ) -> Result<Key, Rejected> {
        let before = self.address_scope(id)?;
        expect_number(&before.stamp, patch.if_number)?;
        let is_shared = self.state.is_shared(id.into());
        let shares = patch.shared.filter(|shared| *shared != is_shared);
        match shares {
            Some(true) => {
                self.admin_only("(rule:update_address_scope and rule:update_address_scope:shared)")?;
            }
            Some(false) => return Err(PoolRejected::ScopeStaysShared(id).into()),
            None => {}
        }
        let mut after = AddressScope::clone(&before);
        relabel(&mut after.stamp, &patch.labels);
        let mut faults = Faults::default();
        faults.check_stamp(&after.stamp);
        faults.settle()?;
        if after == *before && shares.is_none() {
            return Ok(Key::AddressScope(id));
        }
        if shares.is_some() {
            self.share(id.into(), Access::Shared, &before.tenant);
        }
        self.restamp(&mut after.stamp);
        Ok(self.put(Record::AddressScope(Arc::new(after))))
    }

    pub(super) fn delete_address_scope(
        &mut self,
        id: AddressScopeId,
        number: Option<u64>,
    ) -> Result<Key, Rejected> {
        expect_number(&self.address_scope(id)?.stamp, number)?;
        if self.state.subnet_pools_in(id).next().is_some() {
            return Err(PoolRejected::ScopeInUse(id).into());
        }
        self.forget_policies(id.into(), None);
        Ok(self.delete(Key::AddressScope(id)))
    }

    /// An address scope that the actor may change.
    pub(super) fn address_scope(&self, id: AddressScopeId) -> Result<Arc<AddressScope>, Rejected> {
        let found = self.state.address_scope(&id).filter(|scope| self.may_use(&scope.tenant, id.into()));
        let scope = found.ok_or(PoolRejected::ScopeNotFound(id))?;
        match self.sees(&scope.tenant) {
            true => Ok(scope.clone()),
            false => Err(forbidden("changing another tenant's address scope")),
        }
    }
}

/// Subnet pools.
impl Draft<'_> {
    pub(super) fn create_subnet_pool(&mut self, new: &NewSubnetPool) -> Result<Key, Rejected> {
        if new.shared {
            self.admin_only("(rule:create_subnetpool and rule:create_subnetpool:shared)")?;
        }
        if new.is_default {
            self.admin_only("(rule:create_subnetpool and rule:create_subnetpool:is_default)")?;
        }
        if self.state.subnet_pool(&new.id).is_some() {
            return Err(Rejected::AlreadyExists { what: "subnet pool", id: new.id.to_string() });
        }
        let owner = self.owner_of_new(new.tenant.as_ref(), None)?;
        let stamp = self.stamp(&new.labels);
        let mut faults = Faults::default();
        faults.check_stamp(&stamp);
        check_prefixes(&mut faults, &new.prefixes);
        if owner.is_none() {
            faults.add("project_id", "must name the tenant that the subnet pool is for");
        }
        faults.settle()?;
        let prefixes = aggregated(&new.prefixes);
        let is_v4 = prefixes.first().map(family_of) == Some(Family::V4);
        let min_prefixlen = new.min_prefixlen.unwrap_or(if is_v4 { 8 } else { 64 });
        let pool = SubnetPool {
            id: new.id,
            tenant: owner.expect("a pool for nobody was a fault"),
            stamp,
            prefixes,
            default_prefixlen: new.default_prefixlen.unwrap_or(min_prefixlen),
            min_prefixlen,
            max_prefixlen: new.max_prefixlen.unwrap_or(if is_v4 { 32 } else { 128 }),
            default_quota: new.default_quota,
            is_default: new.is_default,
            scope: new.scope,
        };
        check_bounds(&pool)?;
        self.check_default(&pool)?;
        self.check_scope(&pool)?;
        if new.shared {
            self.share(new.id.into(), Access::Shared, &pool.tenant);
        }
        Ok(self.put(Record::SubnetPool(Arc::new(pool))))
    }

    pub(super) fn update_subnet_pool(
        &mut self,
        id: SubnetPoolId,
        patch: &SubnetPoolPatch,
    ) -> Result<Key, Rejected> {
        let before = self.subnet_pool(id)?;
        expect_number(&before.stamp, patch.if_number)?;
        let mut after = SubnetPool::clone(&before);
        relabel(&mut after.stamp, &patch.labels);
        set(&mut after.default_prefixlen, patch.default_prefixlen);
        set(&mut after.min_prefixlen, patch.min_prefixlen);
        set(&mut after.max_prefixlen, patch.max_prefixlen);
        set(&mut after.default_quota, patch.default_quota);
        set(&mut after.is_default, patch.is_default);
        set(&mut after.scope, patch.scope);
        let mut faults = Faults::default();
        faults.check_stamp(&after.stamp);
        if let Some(prefixes) = &patch.prefixes {
            check_prefixes(&mut faults, prefixes);
        }
        faults.settle()?;
        if let Some(prefixes) = &patch.prefixes {
            after.prefixes = aggregated(prefixes);
            let stays = |old: &IpNet| after.prefixes.iter().any(|new| new.contains(old));
            if !before.prefixes.iter().all(stays) {
                return Err(PoolRejected::PrefixesShrink.into());
            }
        }
        if after.is_default != before.is_default {
            self.admin_only("(rule:update_subnetpool and rule:update_subnetpool:is_default)")?;
        }
        check_bounds(&after)?;
        self.check_default(&after)?;
        self.check_scope(&after)?;
        if after.scope != before.scope {
            self.check_may_rescope(&after)?;
        }
        if after == *before {
            return Ok(Key::SubnetPool(id));
        }
        self.restamp(&mut after.stamp);
        Ok(self.put(Record::SubnetPool(Arc::new(after))))
    }

    pub(super) fn delete_subnet_pool(
        &mut self,
        id: SubnetPoolId,
        number: Option<u64>,
    ) -> Result<Key, Rejected> {
        expect_number(&self.subnet_pool(id)?.stamp, number)?;
        if self.state.subnets_of_pool(id).next().is_some() {
            return Err(PoolRejected::PoolInUse(id).into());
        }
        self.forget_policies(id.into(), None);
        Ok(self.delete(Key::SubnetPool(id)))
    }

    /// A subnet pool that the actor may change.
    pub(super) fn subnet_pool(&self, id: SubnetPoolId) -> Result<Arc<SubnetPool>, Rejected> {
        let pool = self.usable_pool(id)?;
        match self.sees(&pool.tenant) {
            true => Ok(pool),
            false => Err(forbidden("changing another tenant's subnet pool")),
        }
    }

    /// A subnet pool that the actor may cut from.
    fn usable_pool(&self, id: SubnetPoolId) -> Result<Arc<SubnetPool>, Rejected> {
        let found = self.state.subnet_pool(&id).filter(|pool| self.may_use(&pool.tenant, id.into()));
        Ok(found.cloned().ok_or(PoolRejected::PoolNotFound(id))?)
    }

    fn check_default(&self, pool: &SubnetPool) -> Result<(), Rejected> {
        let family = pool.family();
        match self.state.default_subnet_pool(family).filter(|other| other.id != pool.id) {
            Some(other) if pool.is_default => {
                Err(PoolRejected::DefaultExists { pool: other.id, family }.into())
            }
            _ => Ok(()),
        }
    }

    /// No address is in two pools of one scope.
    fn check_scope(&self, pool: &SubnetPool) -> Result<(), Rejected> {
        let Some(id) = pool.scope else { return Ok(()) };
        let usable = |owner: &TenantId| {
            (*owner == pool.tenant || self.state.is_shared_with(id.into(), &pool.tenant))
                && self.may_use(owner, id.into())
        };
        let scope = self.state.address_scope(&id).filter(|scope| usable(&scope.tenant));
        let scope = scope.ok_or(PoolRejected::ScopeNotFound(id))?;
        if scope.family != pool.family() {
            return Err(PoolRejected::ScopeFamily { scope: id, family: scope.family }.into());
        }
        let others = self.state.subnet_pools_in(id).filter(|other| other.id != pool.id);
        let meets = |a: &IpNet| pool.prefixes.iter().any(|b| a.contains(b) || b.contains(a));
        match others.flat_map(|other| &other.prefixes).any(meets) {
            true => Err(PoolRejected::ScopeConflict(id).into()),
            false => Ok(()),
        }
    }

    /// Where a network has subnets of several pools, it is their scope that keeps them apart.
    fn check_may_rescope(&self, pool: &SubnetPool) -> Result<(), Rejected> {
        let networks: BTreeSet<_> =
            self.state.subnets_of_pool(pool.id).map(|subnet| subnet.network).collect();
        let others = networks.into_iter().flat_map(|network| self.state.subnets_of(network));
        let mut others = others.filter(|subnet| family_of(&subnet.cidr) == pool.family());
        match others.any(|subnet| subnet.pool != Some(pool.id)) {
            true => Err(PoolRejected::ScopeStays(pool.id).into()),
            false => Ok(()),
        }
    }
}

/// What subnets are cut from pools.
impl Draft<'_> {
    /// The prefix of a new subnet, and the pool that it is from.
    pub(super) fn prefix_for(
        &self,
        asked: AskedPrefix,
        owner: &TenantId,
    ) -> Result<(IpNet, Option<SubnetPoolId>), Rejected> {
        let (pool, family, part) = match asked {
            AskedPrefix::Own(cidr) => return Ok((cidr, None)),
            AskedPrefix::Cut { pool, family, part } => (pool, family, part),
        };
        let pool = match pool {
            AskedPool::This(id) => self.usable_pool(id)?,
            AskedPool::Default(family) => {
                let found = self.state.default_subnet_pool(family);
                let usable = found.filter(|pool| self.may_use(&pool.tenant, pool.id.into()));
                usable.cloned().ok_or(PoolRejected::NoDefault(family))?
            }
        };
        if family.is_some_and(|family| family != pool.family()) {
            let mut faults = Faults::default();
            faults.add("ip_version", format_args!("must be that of the subnet pool, {}", pool.family()));
            faults.settle()?;
        }
        let cidr = match part {
            AskedPart::This(cidr) => self.part_of(&pool, cidr)?,
            AskedPart::Lowest(length) => {
                let length = length.unwrap_or(pool.default_prefixlen);
                check_length(&pool, length)?;
                let free = self.state.lowest_free_in_pool(&pool, length);
                let none = || format!("Insufficient prefix space to allocate subnet size /{length}");
                free.ok_or_else(|| PoolRejected::Exhausted(none()))?
            }
        };
        self.check_quota(&pool, cidr, owner)?;
        Ok((cidr, Some(pool.id)))
    }

    fn part_of(&self, pool: &SubnetPool, cidr: IpNet) -> Result<IpNet, Rejected> {
        if family_of(&cidr) == pool.family() {
            check_length(pool, cidr.prefix_len())?;
        }
        let is_part = cidr == cidr.trunc() && pool.prefixes.iter().any(|prefix| prefix.contains(&cidr));
        if is_part && self.state.is_free_in_pool(pool.id, cidr) {
            return Ok(cidr);
        }
        let none = "Cannot allocate requested subnet from the available set of prefixes";
        Err(PoolRejected::Exhausted(none.to_owned()).into())
    }

    fn check_quota(&self, pool: &SubnetPool, cidr: IpNet, owner: &TenantId) -> Result<(), Rejected> {
        let Some(quota) = pool.default_quota else { return Ok(()) };
        let own = self.state.subnets_of_tenant(owner).filter(|subnet| subnet.pool == Some(pool.id));
        let used = own.fold(size(cidr), |sum, subnet| sum.saturating_add(size(subnet.cidr)));
        let unit = if pool.family() == Family::V4 { 0 } else { 64 };
        match used > u128::from(quota) << unit {
            true => Err(PoolRejected::QuotaExceeded { pool: pool.id, quota }.into()),
            false => Ok(()),
        }
    }

    /// All subnets of a network and family come from one pool, or from pools of one scope, or from none.
    pub(super) fn check_affinity(&self, subnet: &Subnet) -> Result<(), Rejected> {
        let scope_of = |pool: Option<SubnetPoolId>| self.state.subnet_pool(&pool?)?.scope;
        let others = self.state.subnets_of(subnet.network);
        let same_family = |other: &&Arc<Subnet>| family_of(&other.cidr) == family_of(&subnet.cidr);
        for other in others.filter(same_family).filter(|other| other.pool != subnet.pool) {
            match (scope_of(other.pool), scope_of(subnet.pool)) {
                (Some(theirs), Some(own)) if theirs == own => {}
                (Some(_), Some(_)) => return Err(PoolRejected::ScopeAffinity(subnet.network).into()),
                _ => return Err(PoolRejected::PoolAffinity(subnet.network).into()),
            }
        }
        Ok(())
    }
}

/// How many addresses a prefix has.
fn size(prefix: IpNet) -> u128 {
    let bits = u32::from(prefix.max_prefix_len() - prefix.prefix_len());
    1u128.checked_shl(bits).unwrap_or(u128::MAX)
}

fn aggregated(prefixes: &[IpNet]) -> Vec<IpNet> {
    let bare: Vec<IpNet> = prefixes.iter().map(IpNet::trunc).collect();
    let mut fewest = IpNet::aggregate(&bare);
    fewest.sort();
    fewest
}

fn check_prefixes(faults: &mut Faults, prefixes: &[IpNet]) {
    faults.check_count("prefixes", prefixes.len(), PREFIXES);
    if prefixes.is_empty() {
        faults.add("prefixes", "must have at least one entry");
    }
    for (position, prefix) in prefixes.iter().take(PREFIXES).enumerate() {
        let path = format!("prefixes.{position}");
        if prefixes.first().map(family_of) != Some(family_of(prefix)) {
            faults.add(&path, "must be of the same family as the first one");
        }
        check_special(faults, &path, prefix.trunc());
    }
}

fn check_bounds(pool: &SubnetPool) -> Result<(), Rejected> {
    let (min, max, default) = (pool.min_prefixlen, pool.max_prefixlen, pool.default_prefixlen);
    let most = if pool.family() == Family::V4 { 32 } else { 128 };
    let bounds = [
        (max > most, format!("max_prefixlen={max}, ip_version {} allows at most {most}", pool.family())),
        (min > max, format!("min_prefixlen={min}, max_prefixlen={max}")),
        (default < min, format!("default_prefixlen={default}, min_prefixlen={min}")),
        (default > max, format!("default_prefixlen={default}, max_prefixlen={max}")),
    ];
    match bounds.into_iter().find(|(is_broken, _)| *is_broken) {
        Some((_, which)) => Err(PoolRejected::Bounds(format!("Illegal prefix bounds: {which}")).into()),
        None => Ok(()),
    }
}

fn check_length(pool: &SubnetPool, asked: u8) -> Result<(), PoolRejected> {
    let (least, most) = (pool.min_prefixlen, pool.max_prefixlen);
    if asked < least {
        return Err(PoolRejected::TooShort { asked, least });
    }
    if asked > most {
        return Err(PoolRejected::TooLong { asked, most });
    }
    Ok(())
}
