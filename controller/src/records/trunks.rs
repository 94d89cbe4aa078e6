//! How trunks look on disk, and where their subports are.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use weft_model::{Behind, PortId, Trunk, TrunkId, VlanId};

use super::{Names, StoredStamp};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredTrunk<'a> {
    id: Uuid,
    #[serde(borrow)]
    tenant: Cow<'a, str>,
    #[serde(borrow)]
    stamp: StoredStamp<'a>,
    port: Uuid,
    admin_up: bool,
    /// Tag and port.
    subports: Vec<(u16, Uuid)>,
}

impl<'a> From<&'a Trunk> for StoredTrunk<'a> {
    fn from(t: &'a Trunk) -> Self {
        StoredTrunk {
            id: t.id.0,
            tenant: t.tenant.as_str().into(),
            stamp: (&t.stamp).into(),
            port: t.port.0,
            admin_up: t.admin_up,
            subports: t.subports.iter().map(|(vlan, port)| (vlan.get(), port.0)).collect(),
        }
    }
}

impl StoredTrunk<'_> {
    pub(super) fn parse(self, names: &mut Names) -> Result<Trunk, String> {
        let subport = |(tag, port): (u16, Uuid)| Ok((vlan(tag)?, PortId(port)));
        Ok(Trunk {
            id: TrunkId(self.id),
            tenant: names.tenant(&self.tenant)?,
            stamp: self.stamp.into(),
            port: PortId(self.port),
            admin_up: self.admin_up,
            subports: self.subports.into_iter().map(subport).collect::<Result<_, String>>()?,
        })
    }
}

fn vlan(tag: u16) -> Result<VlanId, String> {
    VlanId::new(tag.into()).ok_or_else(|| "VLAN id out of range".to_owned())
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredBehind {
    vlan: u16,
    zone: u16,
}

impl From<Behind> for StoredBehind {
    fn from(behind: Behind) -> Self {
        StoredBehind { vlan: behind.vlan.get(), zone: behind.zone }
    }
}

impl StoredBehind {
    pub(super) fn parse(self) -> Result<Behind, String> {
        Ok(Behind { vlan: vlan(self.vlan)?, zone: self.zone })
    }
}
