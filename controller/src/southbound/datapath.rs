//! The datapath id by which an integration bridge says whose it is: "WEFT", a tag of the host's name, the host's index.
//!
//! The tag keeps a bridge from being taken for another host's when an index was given to somebody else meanwhile, as
//! after the store was restored from an older copy.

use sha2::{Digest, Sha256};
use weft_model::{HostId, HostIndex};

/// "WEFT" in ASCII.
const MARK: u64 = 0x5745_4654;

/// Sixteen bits of a hash of a host's `system-id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostTag(u16);

impl HostTag {
    /// The tag of a host.
    pub fn of(host: &HostId) -> HostTag {
        let digest = Sha256::digest(host.as_str().as_bytes());
        HostTag(u16::from_be_bytes([digest[0], digest[1]]))
    }
}

/// The datapath id of a host's integration bridge.
pub fn datapath_id(index: HostIndex, host: &HostId) -> u64 {
    MARK << 32 | u64::from(HostTag::of(host).0) << 16 | u64::from(index.get())
}

/// What a datapath id of ours says; nothing for any other.
pub fn owner_of(datapath_id: u64) -> Option<(HostIndex, HostTag)> {
    let low = |shift: u32| u16::try_from(datapath_id >> shift & 0xffff).ok();
    let index = HostIndex::new(low(0)?.into())?;
    (datapath_id >> 32 == MARK).then_some((index, HostTag(low(16)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datapath_id_names_its_host_and_no_other() {
        let (index, h1) = (HostIndex::new(7).unwrap(), "h1".parse().unwrap());
        let id = datapath_id(index, &h1);
        assert!(format!("{id:016x}").starts_with("57454654"), "{id:016x}");
        assert!(format!("{id:016x}").ends_with("0007"), "{id:016x}");
        assert_eq!(owner_of(id), Some((index, HostTag::of(&h1))));
        assert_ne!(owner_of(datapath_id(index, &"h2".parse().unwrap())), owner_of(id));
        assert_eq!(owner_of(0x0000_1234_5678_9abc), None);
        assert_eq!(owner_of(0x5745_4654_0000_0000), None);
    }
}
