//! How address scopes, subnet pools, RBAC policies and ranges of VNIs look on disk.

use std::borrow::Cow;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use weft_model::{
    Access, AddressScope, AddressScopeId, Audience, Encap, Family, RbacPolicy, RbacPolicyId, SegmentRange,
    SegmentRangeId, SharedKind, SharedObject, SubnetPool, SubnetPoolId, Vni,
};

use super::{Names, StoredStamp, id};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredScope<'a> {
    id: Uuid,
    #[serde(borrow)]
    tenant: Cow<'a, str>,
    #[serde(borrow)]
    stamp: StoredStamp<'a>,
    ipv6: bool,
}

impl<'a> From<&'a AddressScope> for StoredScope<'a> {
    fn from(s: &'a AddressScope) -> Self {
        StoredScope {
            id: s.id.0,
            tenant: s.tenant.as_str().into(),
            stamp: (&s.stamp).into(),
            ipv6: s.family == Family::V6,
        }
    }
}

impl StoredScope<'_> {
    pub(super) fn parse(self, names: &mut Names) -> Result<AddressScope, String> {
        Ok(AddressScope {
            id: AddressScopeId(self.id),
            tenant: names.tenant(&self.tenant)?,
            stamp: self.stamp.into(),
            family: if self.ipv6 { Family::V6 } else { Family::V4 },
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredPool<'a> {
    id: Uuid,
    #[serde(borrow)]
    tenant: Cow<'a, str>,
    #[serde(borrow)]
    stamp: StoredStamp<'a>,
    prefixes: Vec<String>,
    default_prefixlen: u8,
    min_prefixlen: u8,
    max_prefixlen: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_quota: Option<u32>,
    #[serde(default)]
    is_default: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Uuid>,
}

impl<'a> From<&'a SubnetPool> for StoredPool<'a> {
    fn from(p: &'a SubnetPool) -> Self {
        StoredPool {
            id: p.id.0,
            tenant: p.tenant.as_str().into(),
            stamp: (&p.stamp).into(),
            prefixes: p.prefixes.iter().map(ToString::to_string).collect(),
            default_prefixlen: p.default_prefixlen,
            min_prefixlen: p.min_prefixlen,
            max_prefixlen: p.max_prefixlen,
            default_quota: p.default_quota,
            is_default: p.is_default,
            scope: p.scope.map(|scope| scope.0),
        }
    }
}

impl StoredPool<'_> {
    pub(super) fn parse(self, names: &mut Names) -> Result<SubnetPool, String> {
        Ok(SubnetPool {
            id: SubnetPoolId(self.id),
            tenant: names.tenant(&self.tenant)?,
            stamp: self.stamp.into(),
            prefixes: self.prefixes.iter().map(|text| id::<IpNet>(text)).collect::<Result<_, _>>()?,
            default_prefixlen: self.default_prefixlen,
            min_prefixlen: self.min_prefixlen,
            max_prefixlen: self.max_prefixlen,
            default_quota: self.default_quota,
            is_default: self.is_default,
            scope: self.scope.map(AddressScopeId),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredRbacPolicy<'a> {
    id: Uuid,
    #[serde(borrow)]
    tenant: Cow<'a, str>,
    kind: String,
    object: Uuid,
    access: String,
    /// Absent for everybody.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    target: Option<Cow<'a, str>>,
}

impl<'a> From<&'a RbacPolicy> for StoredRbacPolicy<'a> {
    fn from(p: &'a RbacPolicy) -> Self {
        StoredRbacPolicy {
            id: p.id.0,
            tenant: p.tenant.as_str().into(),
            kind: p.object.kind.name().into(),
            object: p.object.id,
            access: p.access.name().into(),
            target: match &p.audience {
                Audience::Everybody => None,
                Audience::Tenant(tenant) => Some(tenant.as_str().into()),
            },
        }
    }
}

impl StoredRbacPolicy<'_> {
    pub(super) fn parse(self, names: &mut Names) -> Result<RbacPolicy, String> {
        let kind = SharedKind::from_name(&self.kind).ok_or("unknown kind of object")?;
        Ok(RbacPolicy {
            id: RbacPolicyId(self.id),
            tenant: names.tenant(&self.tenant)?,
            object: SharedObject { kind, id: self.object },
            access: Access::from_name(&self.access).ok_or("unknown access")?,
            audience: match self.target {
                None => Audience::Everybody,
                Some(tenant) => Audience::Tenant(names.tenant(&tenant)?),
            },
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredRange<'a> {
    id: Uuid,
    /// Absent for everybody's.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    tenant: Option<Cow<'a, str>>,
    #[serde(borrow)]
    stamp: StoredStamp<'a>,
    encap: String,
    first: u32,
    last: u32,
    next: u32,
}

impl<'a> From<&'a SegmentRange> for StoredRange<'a> {
    fn from(r: &'a SegmentRange) -> Self {
        StoredRange {
            id: r.id.0,
            tenant: r.tenant.as_ref().map(|tenant| tenant.as_str().into()),
            stamp: (&r.stamp).into(),
            encap: r.encap.name().into(),
            first: r.first.get(),
            last: r.last.get(),
            next: r.next.get(),
        }
    }
}

impl StoredRange<'_> {
    pub(super) fn parse(self, names: &mut Names) -> Result<SegmentRange, String> {
        let vni = |number| Vni::new(number).ok_or("VNI out of range");
        Ok(SegmentRange {
            id: SegmentRangeId(self.id),
            tenant: self.tenant.map(|tenant| names.tenant(&tenant)).transpose()?,
            stamp: self.stamp.into(),
            encap: Encap::from_name(&self.encap).ok_or("unknown encapsulation")?,
            first: vni(self.first)?,
            last: vni(self.last)?,
            next: vni(self.next)?,
        })
    }
}
