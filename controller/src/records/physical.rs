//! How physical networks, and the places of networks on them, look on disk.

use serde::{Deserialize, Serialize};
use weft_model::{PhysicalNetwork, PhysnetKey, Segment, VlanId};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredPhysicalNetwork {
    key: u32,
    name: String,
}

impl From<&PhysicalNetwork> for StoredPhysicalNetwork {
    fn from(p: &PhysicalNetwork) -> Self {
        StoredPhysicalNetwork { key: p.key.get().into(), name: p.name.clone() }
    }
}

impl StoredPhysicalNetwork {
    pub(super) fn parse(self) -> Result<PhysicalNetwork, String> {
        Ok(PhysicalNetwork { key: physnet(self.key)?, name: self.name })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredSegment {
    physnet: u32,
    #[serde(default)]
    vlan: Option<u32>,
}

impl From<Segment> for StoredSegment {
    fn from(s: Segment) -> Self {
        let vlan = s.vlan.map(|vlan| vlan.get().into());
        StoredSegment { physnet: s.physnet.get().into(), vlan }
    }
}

impl StoredSegment {
    pub(super) fn parse(self) -> Result<Segment, String> {
        let vlan = self.vlan.map(|vlan| VlanId::new(vlan).ok_or("VLAN out of range")).transpose()?;
        Ok(Segment { physnet: physnet(self.physnet)?, vlan })
    }
}

fn physnet(key: u32) -> Result<PhysnetKey, String> {
    PhysnetKey::new(key).ok_or_else(|| "physical network's key out of range".into())
}
