//! Which addresses of each subnet are taken, as intervals, so that the lowest free one is found without walking.

use std::net::IpAddr;

use crate::address::{predecessor, successor};
use crate::ordered::OrderedMap;
use crate::{AddressRange, SubnetId};

/// The taken addresses: maximal intervals, each under its subnet and first address. No two touch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct UsedAddresses(OrderedMap<(SubnetId, IpAddr), IpAddr>);

impl UsedAddresses {
    /// The intervals of these addresses, which must be in order, each once.
    pub(crate) fn from_sorted(addresses: impl Iterator<Item = (SubnetId, IpAddr)>) -> UsedAddresses {
        let mut intervals: Vec<((SubnetId, IpAddr), IpAddr)> = Vec::new();
        for (subnet, address) in addresses {
            match intervals.last_mut() {
                Some((key, end)) if key.0 == subnet && successor(*end) == Some(address) => *end = address,
                _ => intervals.push(((subnet, address), address)),
            }
        }
        UsedAddresses(OrderedMap::from_sorted(intervals.into_iter()))
    }

    /// The lowest address of `range` that is not taken.
    pub(crate) fn lowest_free(&self, subnet: SubnetId, range: AddressRange) -> Option<IpAddr> {
        let candidate = match self.around(subnet, range.start) {
            Some(taken) => successor(taken.end)?,
            None => range.start,
        };
        (candidate <= range.end).then_some(candidate)
    }

    /// How many addresses of `range` are taken. The cost grows with the number of gaps between them.
    pub(crate) fn count(&self, subnet: SubnetId, range: AddressRange) -> u128 {
        let first = self.around(subnet, range.start);
        let rest = self.0.after(&(subnet, range.start));
        let rest = rest
            .take_while(|((s, start), _)| *s == subnet && *start <= range.end)
            .map(|((_, start), end)| AddressRange { start: *start, end: *end });
        let clipped = |taken: AddressRange| AddressRange {
            start: taken.start.max(range.start),
            end: taken.end.min(range.end),
        };
        first.into_iter().chain(rest).map(|taken| clipped(taken).len()).fold(0, u128::saturating_add)
    }

    /// Takes an address; nothing happens if it is taken.
    pub(crate) fn insert(&mut self, subnet: SubnetId, address: IpAddr) {
        if self.around(subnet, address).is_some() {
            return;
        }
        let left = predecessor(address).and_then(|before| self.around(subnet, before));
        let after = successor(address).map(|after| (subnet, after));
        let right = after.and_then(|key| self.0.get(&key).copied());
        if let (Some(key), Some(_)) = (after, right) {
            self.0.remove(&key);
        }
        self.0.insert((subnet, left.map_or(address, |left| left.start)), right.unwrap_or(address));
    }

    /// Gives an address back; nothing happens if it is free.
    pub(crate) fn remove(&mut self, subnet: SubnetId, address: IpAddr) {
        let Some(AddressRange { start, end }) = self.around(subnet, address) else { return };
        self.0.remove(&(subnet, start));
        if let Some(before) = predecessor(address).filter(|before| *before >= start) {
            self.0.insert((subnet, start), before);
        }
        if let Some(after) = successor(address).filter(|after| *after <= end) {
            self.0.insert((subnet, after), end);
        }
    }

    /// The interval that holds an address.
    fn around(&self, subnet: SubnetId, address: IpAddr) -> Option<AddressRange> {
        let (key, end) = self.0.at_or_before(&(subnet, address))?;
        (key.0 == subnet && *end >= address).then_some(AddressRange { start: key.1, end: *end })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn ip(low: u128) -> IpAddr {
        // The last 16 addresses of the family: the end of the number line is inside the test.
        IpAddr::from((u128::MAX - 15 + low).to_be_bytes())
    }

    proptest! {
        /// The intervals say the same as a plain set, in one canonical form, whatever came and went.
        #[test]
        fn intervals_equal_a_set(steps in prop::collection::vec((any::<bool>(), 0u128..2, 0u128..16), 0..200)) {
            let mut used = UsedAddresses::default();
            let mut set = BTreeSet::new();
            for (take, subnet, low) in steps {
                let subnet = SubnetId(Uuid::from_u128(subnet));
                if take {
                    used.insert(subnet, ip(low));
                    set.insert((subnet, ip(low)));
                } else {
                    used.remove(subnet, ip(low));
                    set.remove(&(subnet, ip(low)));
                }
                let mut rebuilt = UsedAddresses::default();
                set.iter().rev().for_each(|(subnet, address)| rebuilt.insert(*subnet, *address));
                prop_assert_eq!(&used, &rebuilt);
                prop_assert_eq!(&used, &UsedAddresses::from_sorted(set.iter().copied()));
                for start in 0..16 {
                    let range = AddressRange { start: ip(start), end: ip(13.max(start)) };
                    let lowest = (start..=13.max(start)).map(ip).find(|a| !set.contains(&(subnet, *a)));
                    prop_assert_eq!(used.lowest_free(subnet, range), lowest);
                    let taken = (start..=13.max(start)).filter(|n| set.contains(&(subnet, ip(*n)))).count();
                    prop_assert_eq!(used.count(subnet, range), taken as u128);
                }
            }
        }
    }
}
