//! RBAC policies: which tenants may use what is another's.

use uuid::Uuid;

use crate::ids::{
    AddressGroupId, AddressScopeId, NetworkId, RbacPolicyId, SecurityGroupId, SubnetPoolId, TenantId,
};

/// What can be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SharedKind {
    /// Networks: other tenants have ports on them.
    Network,
    /// Security groups: other tenants' ports wear them.
    SecurityGroup,
    /// Address groups: other tenants' rules name them.
    AddressGroup,
    /// Subnet pools: other tenants' subnets are cut from them.
    SubnetPool,
    /// Address scopes: other tenants' pools are in them.
    AddressScope,
}

impl SharedKind {
    /// All kinds.
    pub const ALL: [SharedKind; 5] = [
        SharedKind::Network,
        SharedKind::SecurityGroup,
        SharedKind::AddressGroup,
        SharedKind::SubnetPool,
        SharedKind::AddressScope,
    ];

    /// The `object_type` in the API.
    pub fn name(self) -> &'static str {
        match self {
            SharedKind::Network => "network",
            SharedKind::SecurityGroup => "security_group",
            SharedKind::AddressGroup => "address_group",
            SharedKind::SubnetPool => "subnetpool",
            SharedKind::AddressScope => "address_scope",
        }
    }

    /// The kind with that [`SharedKind::name`].
    pub fn from_name(name: &str) -> Option<SharedKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An object that can be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SharedObject {
    /// Of which kind.
    pub kind: SharedKind,
    /// Which one.
    pub id: Uuid,
}

macro_rules! shared {
    ($($id:ident => $kind:ident),* $(,)?) => {$(
        impl From<$id> for SharedObject {
            fn from(id: $id) -> SharedObject {
                SharedObject { kind: SharedKind::$kind, id: id.0 }
            }
        }
    )*};
}

shared! {
    NetworkId => Network,
    SecurityGroupId => SecurityGroup,
    AddressGroupId => AddressGroup,
    SubnetPoolId => SubnetPool,
    AddressScopeId => AddressScope,
}

/// What a policy allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// To see the object and to use it.
    Shared,
    /// To see the network and to have gateways and floating IPs on it.
    External,
}

impl Access {
    /// The `action` in the API.
    pub fn name(self) -> &'static str {
        match self {
            Access::Shared => "access_as_shared",
            Access::External => "access_as_external",
        }
    }

    /// The access with that [`Access::name`].
    pub fn from_name(name: &str) -> Option<Access> {
        [Access::Shared, Access::External].into_iter().find(|access| access.name() == name)
    }
}

/// To whom a policy speaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// Every tenant: `*` in the API.
    Everybody,
    /// One tenant, which need not be there (yet).
    Tenant(TenantId),
}

/// A permission to use what is another tenant's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RbacPolicy {
    /// Its id.
    pub id: RbacPolicyId,
    /// Whose it is: the object's owner.
    pub tenant: TenantId,
    /// What may be used.
    pub object: SharedObject,
    /// How.
    pub access: Access,
    /// By whom.
    pub audience: Audience,
}

impl RbacPolicyId {
    /// The id of the policy that a flag of an object stands for (`shared`, `router:external`), because the pure world draws
    /// no random ones: another for every object, and none that anybody draws.
    pub(crate) fn of_flag(object: SharedObject, access: Access) -> RbacPolicyId {
        let salt = match access {
            Access::Shared => 0x5745_4654_0000_0000_0000_0000_0000_0001,
            Access::External => 0x5745_4654_0000_0000_0000_0000_0000_0002,
        };
        // Version 8 is for ids made by a rule of one's own (RFC 9562 section 5.8).
        let salted = (object.id.as_u128() ^ salt) & !(0xf << 76) | (0x8 << 76);
        RbacPolicyId(Uuid::from_u128(salted))
    }
}
