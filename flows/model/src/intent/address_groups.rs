//! Planning address groups: prefixes with a name, for rules to refer to.

use std::collections::BTreeSet;
use std::sync::Arc;

use ipnet::IpNet;

use super::draft::{Draft, expect_number, forbidden, relabel};
use super::limits::Faults;
use super::{AddressGroupPatch, NewAddressGroup, Rejected};
use crate::{AddressGroup, AddressGroupId, Key, Record};

/// Most prefixes of one group.
const PREFIXES: usize = 1024;

impl Draft<'_> {
    pub(super) fn create_address_group(&mut self, new: &NewAddressGroup) -> Result<Key, Rejected> {
        if self.state.address_group(&new.id).is_some() {
            return Err(Rejected::AlreadyExists { what: "address group", id: new.id.to_string() });
        }
        let owner = self.owner_of_new(new.tenant.as_ref(), None)?;
        let stamp = self.stamp(&new.labels);
        let prefixes: BTreeSet<IpNet> = new.prefixes.iter().map(IpNet::trunc).collect();
        let mut faults = Faults::default();
        faults.check_stamp(&stamp);
        faults.check_count("addresses", prefixes.len(), PREFIXES);
        if owner.is_none() {
            faults.add("project_id", "must name the tenant that the group is for");
        }
        faults.settle()?;
        let tenant = owner.expect("a group for nobody was a fault");
        Ok(self.put(Record::AddressGroup(Arc::new(AddressGroup { id: new.id, tenant, stamp, prefixes }))))
    }

    pub(super) fn update_address_group(
        &mut self,
        id: AddressGroupId,
        patch: &AddressGroupPatch,
    ) -> Result<Key, Rejected> {
        let before = self.address_group(id)?;
        expect_number(&before.stamp, patch.if_number)?;
        let mut after = AddressGroup::clone(&before);
        relabel(&mut after.stamp, &patch.labels);
        for prefix in patch.remove.iter().map(IpNet::trunc) {
            after.prefixes.remove(&prefix);
        }
        after.prefixes.extend(patch.add.iter().map(IpNet::trunc));
        let mut faults = Faults::default();
        faults.check_stamp(&after.stamp);
        faults.check_count("addresses", after.prefixes.len(), PREFIXES);
        faults.settle()?;
        if after == *before {
            return Ok(Key::AddressGroup(id));
        }
        self.restamp(&mut after.stamp);
        Ok(self.put(Record::AddressGroup(Arc::new(after))))
    }

    pub(super) fn delete_address_group(
        &mut self,
        id: AddressGroupId,
        number: Option<u64>,
    ) -> Result<Key, Rejected> {
        expect_number(&self.address_group(id)?.stamp, number)?;
        if self.state.rules_with_addresses(id).next().is_some() {
            return Err(Rejected::AddressGroupInUse(id));
        }
        self.forget_policies(id.into(), None);
        Ok(self.delete(Key::AddressGroup(id)))
    }

    /// An address group that the actor may change.
    pub(super) fn address_group(&self, id: AddressGroupId) -> Result<Arc<AddressGroup>, Rejected> {
        let found = self.state.address_group(&id).filter(|group| self.may_use(&group.tenant, id.into()));
        let group = found.ok_or(Rejected::AddressGroupNotFound(id))?;
        match self.sees(&group.tenant) {
            true => Ok(group.clone()),
            false => Err(forbidden("changing another tenant's address group")),
        }
    }
}
