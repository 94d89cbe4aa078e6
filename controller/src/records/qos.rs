//! How QoS policies look on disk.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use weft_model::{Direction, Dscp, Kbps, QosPolicy, QosPolicyId, QosRule, QosRuleId, QosRuleKind, RateLimit};

use super::{Names, StoredStamp};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredQosPolicy<'a> {
    id: Uuid,
    #[serde(borrow)]
    tenant: Cow<'a, str>,
    #[serde(borrow)]
    stamp: StoredStamp<'a>,
    #[serde(default)]
    shared: bool,
    #[serde(default)]
    is_default: bool,
    rules: Vec<StoredQosRule>,
}

#[derive(Serialize, Deserialize)]
struct StoredQosRule {
    id: Uuid,
    #[serde(flatten)]
    kind: StoredKind,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum StoredKind {
    Egress { kbps: u32, burst: u32 },
    Ingress { kbps: u32, burst: u32 },
    Mark { dscp: u8 },
}

impl<'a> From<&'a QosPolicy> for StoredQosPolicy<'a> {
    fn from(p: &'a QosPolicy) -> Self {
        StoredQosPolicy {
            id: p.id.0,
            tenant: p.tenant.as_str().into(),
            stamp: (&p.stamp).into(),
            shared: p.shared,
            is_default: p.is_default,
            rules: p.rules.iter().map(StoredQosRule::from).collect(),
        }
    }
}

impl From<&QosRule> for StoredQosRule {
    fn from(rule: &QosRule) -> Self {
        let kind = match rule.kind {
            QosRuleKind::Limit(Direction::Egress, limit) => {
                StoredKind::Egress { kbps: limit.rate.get(), burst: limit.burst }
            }
            QosRuleKind::Limit(Direction::Ingress, limit) => {
                StoredKind::Ingress { kbps: limit.rate.get(), burst: limit.burst }
            }
            QosRuleKind::Mark(dscp) => StoredKind::Mark { dscp: dscp.get() },
        };
        StoredQosRule { id: rule.id.0, kind }
    }
}

impl StoredQosPolicy<'_> {
    pub(super) fn parse(self, names: &mut Names) -> Result<QosPolicy, String> {
        Ok(QosPolicy {
            id: QosPolicyId(self.id),
            tenant: names.tenant(&self.tenant)?,
            stamp: self.stamp.into(),
            shared: self.shared,
            is_default: self.is_default,
            rules: self.rules.into_iter().map(StoredQosRule::parse).collect::<Result<_, _>>()?,
        })
    }
}

impl StoredQosRule {
    fn parse(self) -> Result<QosRule, String> {
        let limit = |direction, (kbps, burst)| {
            let rate = Kbps::new(kbps).ok_or("rate out of range")?;
            Ok::<_, String>(QosRuleKind::Limit(direction, RateLimit { rate, burst }))
        };
        let kind = match self.kind {
            StoredKind::Egress { kbps, burst } => limit(Direction::Egress, (kbps, burst))?,
            StoredKind::Ingress { kbps, burst } => limit(Direction::Ingress, (kbps, burst))?,
            StoredKind::Mark { dscp } => QosRuleKind::Mark(Dscp::new(dscp).ok_or("mark out of range")?),
        };
        Ok(QosRule { id: QosRuleId(self.id), kind })
    }
}
