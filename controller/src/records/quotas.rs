//! How quotas look on disk.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use weft_model::{Quota, QuotaKind};

use super::Names;

#[derive(Serialize, Deserialize)]
pub(super) struct StoredQuota {
    tenant: String,
    /// By the API's names of what is counted.
    limits: BTreeMap<String, u32>,
}

impl From<&Quota> for StoredQuota {
    fn from(q: &Quota) -> Self {
        let limits = q.limits.iter().map(|(kind, limit)| (kind.name().to_owned(), *limit)).collect();
        StoredQuota { tenant: q.tenant.to_string(), limits }
    }
}

impl StoredQuota {
    pub(super) fn parse(self, names: &mut Names) -> Result<Quota, String> {
        let limit = |(kind, limit): (String, u32)| {
            Ok((QuotaKind::from_name(&kind).ok_or_else(|| format!("unknown kind {kind}"))?, limit))
        };
        let limits = self.limits.into_iter().map(limit).collect::<Result<_, String>>()?;
        Ok(Quota { tenant: names.tenant(&self.tenant)?, limits })
    }
}
