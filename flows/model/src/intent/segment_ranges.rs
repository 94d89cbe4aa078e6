//! Planning which VNIs networks get: ranges of the operator's, and all that are free where there are none.

use std::sync::Arc;

use super::draft::{Draft, expect_number, relabel, set};
use super::limits::Faults;
use super::{NewSegmentRange, RangeRejected, Rejected, SegmentRangeChange, SegmentRangePatch};
use crate::{Encap, Key, Record, SegmentRange, SegmentRangeId, TenantId, Vni};

impl Draft<'_> {
    pub(super) fn change_segment_range(&mut self, change: &SegmentRangeChange) -> Result<Key, Rejected> {
        match change {
            SegmentRangeChange::Create(new) => self.create_segment_range(new),
            SegmentRangeChange::Update(id, patch) => self.update_segment_range(*id, patch),
            SegmentRangeChange::Delete(id, number) => self.delete_segment_range(*id, *number),
        }
    }

    fn create_segment_range(&mut self, new: &NewSegmentRange) -> Result<Key, Rejected> {
        self.admin_only("creating a segment range")?;
        if self.state.segment_range(&new.id).is_some() {
            return Err(Rejected::AlreadyExists { what: "segment range", id: new.id.to_string() });
        }
        if let Some(tenant) = &new.tenant {
            self.owner_of_new(Some(tenant), None)?;
        }
        let (id, tenant, encap) = (new.id, new.tenant.clone(), new.encap);
        let (stamp, first, last) = (self.stamp(&new.labels), new.first, new.last);
        let range = SegmentRange { id, tenant, stamp, encap, first, last, next: first };
        self.check_range(&range)?;
        Ok(self.put(Record::SegmentRange(Arc::new(range))))
    }

    fn update_segment_range(
        &mut self,
        id: SegmentRangeId,
        patch: &SegmentRangePatch,
    ) -> Result<Key, Rejected> {
        self.admin_only("changing a segment range")?;
        let before = self.segment_range(id)?;
        expect_number(&before.stamp, patch.if_number)?;
        let mut after = SegmentRange::clone(&before);
        relabel(&mut after.stamp, &patch.labels);
        set(&mut after.first, patch.first);
        set(&mut after.last, patch.last);
        self.check_range(&after)?;
        if self.vnis_in_use(&before).any(|vni| !after.contains(vni)) {
            return Err(RangeRejected::InUse(id).into());
        }
        if !after.contains(after.next) {
            after.next = after.first;
        }
        if after == *before {
            return Ok(Key::SegmentRange(id));
        }
        self.restamp(&mut after.stamp);
        Ok(self.put(Record::SegmentRange(Arc::new(after))))
    }

    fn delete_segment_range(&mut self, id: SegmentRangeId, number: Option<u64>) -> Result<Key, Rejected> {
        self.admin_only("deleting a segment range")?;
        let range = self.segment_range(id)?;
        expect_number(&range.stamp, number)?;
        if self.vnis_in_use(&range).next().is_some() {
            return Err(RangeRejected::InUse(id).into());
        }
        Ok(self.delete(Key::SegmentRange(id)))
    }

    fn segment_range(&self, id: SegmentRangeId) -> Result<Arc<SegmentRange>, Rejected> {
        Ok(self.state.segment_range(&id).cloned().ok_or(RangeRejected::NotFound(id))?)
    }

    fn check_range(&self, range: &SegmentRange) -> Result<(), Rejected> {
        let mut faults = Faults::default();
        faults.check_stamp(&range.stamp);
        if range.last < range.first {
            faults.add("maximum", "must not be below minimum");
        }
        faults.settle()?;
        let meets = |other: &&Arc<SegmentRange>| {
            let is_other = other.id != range.id && other.encap == range.encap;
            is_other && other.first <= range.last && range.first <= other.last
        };
        match self.state.segment_ranges().find(meets) {
            Some(other) => Err(RangeRejected::Overlaps(other.id).into()),
            None => Ok(()),
        }
    }

    /// The VNIs of a range that networks of its encapsulation have.
    fn vnis_in_use<'a>(&'a self, range: &'a SegmentRange) -> impl Iterator<Item = Vni> + 'a {
        let networks = self.state.networks_from_vni(range.first);
        networks
            .take_while(|network| network.vni <= range.last)
            .filter(|network| network.tunnel() == Some(range.encap))
            .map(|network| network.vni)
    }

    /// A VNI for a new network: of the tenant's own ranges, else of those for everybody, and where there are none for
    /// everybody of all that no other tenant's range has.
    pub(super) fn vni_for(&mut self, tenant: &TenantId, encap: Encap) -> Result<Vni, Rejected> {
        let of_encap = self.state.segment_ranges().filter(|range| range.encap == encap);
        let usable = of_encap.filter(|range| range.tenant.as_ref().is_none_or(|own| own == tenant));
        let mut ranges: Vec<Arc<SegmentRange>> = usable.cloned().collect();
        // Those for everybody come last.
        ranges.sort_by_key(|range| (range.tenant.is_none(), range.first));
        for range in &ranges {
            if let Some(vni) = self.draw(range) {
                return Ok(vni);
            }
        }
        if ranges.iter().any(|range| range.tenant.is_none()) {
            return Err(Rejected::VnisExhausted);
        }
        let reserved = self.state.segment_ranges().filter(|range| range.encap == encap);
        let reserved: Vec<(Vni, Vni)> = reserved.map(|range| (range.first, range.last)).collect();
        self.next_vni_but(|vni| reserved.iter().any(|(first, last)| (*first..=*last).contains(&vni)))
    }

    /// The next free VNI of a range.
    fn draw(&mut self, range: &SegmentRange) -> Option<Vni> {
        let (first, next, last) = (range.first.get(), range.next.get(), range.last.get());
        let mut numbers = (next..=last).chain(first..next).filter_map(Vni::new);
        let found = numbers.find(|vni| !self.is_vni_used(*vni))?;
        let next = if found == range.last { range.first } else { Vni::new(found.get() + 1)? };
        self.put(Record::SegmentRange(Arc::new(SegmentRange { next, ..range.clone() })));
        Some(found)
    }
}

impl From<RangeRejected> for Rejected {
    fn from(rejected: RangeRejected) -> Rejected {
        Rejected::Range(rejected)
    }
}
