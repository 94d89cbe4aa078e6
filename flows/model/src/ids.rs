//! A newtype for every identifier, so that a VNI can never be passed where an ofport is meant.

use std::fmt;
use std::num::{NonZeroU8, NonZeroU16, NonZeroU32};
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;
use uuid::Uuid;

/// An identifier that is not well formed, with the field's rule as the message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} {got:?} {reason}")]
pub struct InvalidId {
    /// Which kind of identifier was being read.
    pub what: &'static str,
    /// The text or number that was given.
    pub got: String,
    /// The rule it breaks.
    pub reason: &'static str,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::parse_str(text).map(Self).map_err(|_| InvalidId {
                    what: $what,
                    got: text.to_owned(),
                    reason: "is not a UUID",
                })
            }
        }
    };
}

uuid_id!(
    /// A tenant's network.
    NetworkId,
    "network id"
);
uuid_id!(
    /// A range of addresses on a network.
    SubnetId,
    "subnet id"
);
uuid_id!(
    /// A tenant's attachment point; what `external_ids:iface-id` of an interface names.
    PortId,
    "port id"
);
uuid_id!(
    /// A tenant's router.
    RouterId,
    "router id"
);
uuid_id!(
    /// A floating IP.
    FloatingIpId,
    "floating IP id"
);
uuid_id!(
    /// A port forwarding of a floating IP.
    PortForwardingId,
    "port forwarding id"
);
uuid_id!(
    /// A security group.
    SecurityGroupId,
    "security group id"
);
uuid_id!(
    /// A rule of a security group.
    SecurityRuleId,
    "security group rule id"
);
uuid_id!(
    /// An address group.
    AddressGroupId,
    "address group id"
);
uuid_id!(
    /// A trunk.
    TrunkId,
    "trunk id"
);
uuid_id!(
    /// A QoS policy.
    QosPolicyId,
    "QoS policy id"
);
uuid_id!(
    /// A rule of a QoS policy.
    QosRuleId,
    "QoS rule id"
);
uuid_id!(
    /// A subnet pool.
    SubnetPoolId,
    "subnet pool id"
);
uuid_id!(
    /// An address scope.
    AddressScopeId,
    "address scope id"
);
uuid_id!(
    /// A range of VNIs.
    SegmentRangeId,
    "segment range id"
);
uuid_id!(
    /// An RBAC policy.
    RbacPolicyId,
    "RBAC policy id"
);
uuid_id!(
    /// An API token's public handle (the secret itself is never stored).
    TokenId,
    "token id"
);
uuid_id!(
    /// An application credential.
    AppCredentialId,
    "application credential id"
);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text as it stands in API bodies and in OVSDB.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let fits = (1..=64).contains(&text.len());
                let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'));
                if fits && plain && text != "." && text != ".." {
                    return Ok(Self(text.into()));
                }
                let reason = "must be 1 to 64 characters of A-Z a-z 0-9 - _ . :";
                Err(InvalidId { what: $what, got: text.chars().take(80).collect(), reason })
            }
        }
    };
}

text_id!(
    /// The owner of networks; "project" to OpenStack clients, whose ids are 32 hex digits.
    TenantId,
    "project_id"
);
text_id!(
    /// A user, whose ids are 32 hex digits to OpenStack clients.
    UserId,
    "user id"
);
impl TenantId {
    /// A name that sorts before every real one: where a walk over all tenants begins.
    pub(crate) fn first() -> TenantId {
        TenantId("".into())
    }
}

impl UserId {
    /// A name that sorts before every real one: where a walk over all users begins.
    pub(crate) fn first() -> UserId {
        UserId("".into())
    }
}

impl HostId {
    /// A name that sorts before every real one: where a walk over all hosts begins.
    pub(crate) fn first() -> HostId {
        HostId("".into())
    }
}

text_id!(
    /// A host, named by its `external_ids:system-id`.
    HostId,
    "host id"
);

/// A 24-bit virtual network identifier, 1..=16777215 (RFC 7348 section 5). Unique over all encapsulations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vni(u32);

impl Vni {
    /// The smallest VNI a network may have; 0 is what BFD uses between VTEPs.
    pub const MIN: Vni = Vni(1);
    /// The largest VNI: all 24 bits set.
    pub const MAX: Vni = Vni(0x00ff_ffff);

    /// A VNI, if `value` is within 1..=16777215.
    pub fn new(value: u32) -> Option<Vni> {
        (Self::MIN.0..=Self::MAX.0).contains(&value).then_some(Vni(value))
    }

    /// The number that goes into the tunnel header and into the network register.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A host's small number, 1..=10700; tunnel ports towards it are pinned at a base plus this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostIndex(u16);

impl HostIndex {
    /// The smallest index.
    pub const MIN: HostIndex = HostIndex(1);
    /// The largest index: three encapsulations times this many tunnel ports fit into the ofports that Open vSwitch
    /// leaves to controllers (32768 to 65279).
    pub const MAX: HostIndex = HostIndex(10_700);

    /// An index, if `value` is within 1..=10700.
    pub fn new(value: u32) -> Option<HostIndex> {
        let small = u16::try_from(value).ok()?;
        (1..=Self::MAX.0).contains(&small).then_some(HostIndex(small))
    }

    /// The number itself.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for HostIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A port's 28-bit number in registers and cookies, 1..=0x0fff_ffff; allocated once, unique over all tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortKey(u32);

impl PortKey {
    /// The largest port key: what fits the cookie's 28-bit id field.
    pub const MAX: PortKey = PortKey(0x0fff_ffff);

    /// A key, if `value` is within 1..=0x0fffffff.
    pub fn new(value: u32) -> Option<PortKey> {
        (1..=Self::MAX.0).contains(&value).then_some(PortKey(value))
    }

    /// The number that goes into the source and destination registers.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for PortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a physical network, 1..=178; the ports that lead to it are pinned at a base plus this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhysnetKey(NonZeroU8);

impl PhysnetKey {
    /// The largest key: what is left of the ofports of controllers above those of tunnels.
    pub const MAX: u8 = 178;

    /// A key, if `value` is within 1..=178.
    pub fn new(value: u32) -> Option<PhysnetKey> {
        let small = u8::try_from(value).ok().and_then(NonZeroU8::new)?;
        (small.get() <= Self::MAX).then_some(PhysnetKey(small))
    }

    /// The number itself.
    pub fn get(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for PhysnetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number in a VLAN tag (IEEE 802.1Q), 1..=4094.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VlanId(NonZeroU16);

impl VlanId {
    /// The largest VLAN id; 4095 is reserved, and 0 stands for a tag that carries nothing but a priority.
    pub const MAX: u16 = 4094;

    /// A VLAN id, if `value` is within 1..=4094.
    pub fn new(value: u32) -> Option<VlanId> {
        let small = u16::try_from(value).ok().and_then(NonZeroU16::new)?;
        (small.get() <= Self::MAX).then_some(VlanId(small))
    }

    /// The number itself.
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A router's 28-bit number in registers and cookies, 1..=0x0fff_ffff; allocated once, unique over all tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouterKey(u32);

impl RouterKey {
    /// The largest router key: what fits the cookie's 28-bit id field.
    pub const MAX: RouterKey = RouterKey(0x0fff_ffff);

    /// A key, if `value` is within 1..=0x0fffffff.
    pub fn new(value: u32) -> Option<RouterKey> {
        (1..=Self::MAX.0).contains(&value).then_some(RouterKey(value))
    }

    /// The number that goes into the router register.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for RouterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a router's gateway among conntrack zones, 1..=16383; unique among routers with a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GatewayZone(NonZeroU16);

impl GatewayZone {
    /// The largest number: zones below [`GatewayZone::ZONES`] are those of ports and of floating IPs at their own hosts.
    pub const MAX: u16 = 16_383;
    /// What is added to the number to have the conntrack zone.
    pub const ZONES: u16 = 49_151;

    /// A number, if `value` is within 1..=16383.
    pub fn new(value: u32) -> Option<GatewayZone> {
        let small = u16::try_from(value).ok().and_then(NonZeroU16::new)?;
        (small.get() <= Self::MAX).then_some(GatewayZone(small))
    }

    /// The number itself.
    pub fn get(self) -> u16 {
        self.0.get()
    }

    /// The conntrack zone, 49152..=65534.
    pub fn ct_zone(self) -> u16 {
        Self::ZONES + self.get()
    }
}

impl fmt::Display for GatewayZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a policy (a set of security groups) in registers and cookies, 1..=0x0fff_ffff; in a register, 0 means
/// none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyKey(NonZeroU32);

impl PolicyKey {
    /// The largest policy key: what fits the cookie's 28-bit id field.
    pub const MAX: u32 = 0x0fff_ffff;

    /// A key, if `value` is within 1..=0x0fffffff.
    pub fn new(value: u32) -> Option<PolicyKey> {
        NonZeroU32::new(value).filter(|n| n.get() <= Self::MAX).map(PolicyKey)
    }

    /// The number that goes into the policy registers.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for PolicyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a security rule in connection labels, 1..=0xffff_ffff; 0 there means that no rule allowed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleKey(NonZeroU32);

impl RuleKey {
    /// A key, if `value` is not 0.
    pub fn new(value: u32) -> Option<RuleKey> {
        NonZeroU32::new(value).map(RuleKey)
    }

    /// The number that goes into the low 32 bits of a connection's label.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for RuleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An OpenFlow port number that Open vSwitch gave a local interface, 1..=65279.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OfPort(u16);

impl OfPort {
    /// An ofport, if `value` is one that Open vSwitch assigns (1..=65279); -1 and reserved numbers are not.
    pub fn new(value: i64) -> Option<OfPort> {
        let small = u16::try_from(value).ok()?;
        (1..=65_279).contains(&small).then_some(OfPort(small))
    }

    /// The number itself.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for OfPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a committed state of the store: +1 for every durable commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
