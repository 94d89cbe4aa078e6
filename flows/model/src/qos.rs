//! QoS policies: how much ports may send and get, and which mark their packets leave with.

use std::fmt;

use crate::ids::{QosPolicyId, QosRuleId, TenantId};
use crate::security::Direction;
use crate::stamp::Stamp;

/// What applies to the ports that wear it, and to those of networks that do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QosPolicy {
    /// Its id.
    pub id: QosPolicyId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Name, description, times.
    pub stamp: Stamp,
    /// Every tenant may use it.
    pub shared: bool,
    /// New networks of its tenant wear it when they do not say; at most one of a tenant is.
    pub is_default: bool,
    /// By id; at most one for each direction of a limit, and one mark.
    pub rules: Vec<QosRule>,
}

/// One rule of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct QosRule {
    /// Its id.
    pub id: QosRuleId,
    /// What it says.
    pub kind: QosRuleKind,
}

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum QosRuleKind {
    /// No more than this, seen from the workload: egress is what it sends.
    Limit(Direction, RateLimit),
    /// What it sends carries this mark.
    Mark(Dscp),
}

/// A rate, in thousands of bits a second; at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kbps(u32);

impl Kbps {
    /// The largest rate: what the API takes.
    pub const MAX: u32 = i32::MAX as u32;

    /// A rate, if it is within 1..=2147483647.
    pub fn new(value: u32) -> Option<Kbps> {
        (1..=Self::MAX).contains(&value).then_some(Kbps(value))
    }

    /// The number itself.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// How much may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RateLimit {
    /// In the long run.
    pub rate: Kbps,
    /// How many thousand bits at once; 0 leaves it to Weft.
    pub burst: u32,
}

impl RateLimit {
    /// The smallest burst that is worked with: some frames of the largest size, or nothing large would ever pass.
    const LEAST: u32 = 128;

    /// How many thousand bits may pass at once: what was asked for, or else four fifths of a second's worth, with which a
    /// TCP connection comes close to the rate.
    pub fn working_burst(self) -> u32 {
        let wanted = if self.burst > 0 { self.burst } else { self.rate.get() / 5 * 4 };
        wanted.max(Self::LEAST)
    }
}

/// A differentiated services code point (RFC 2474), 0..=63.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dscp(u8);

impl Dscp {
    /// The code points that the API takes: those with a name (RFC 2474, RFC 2597, RFC 3246, RFC 5865).
    pub const NAMED: [u8; 22] =
        [0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 44, 46, 48, 56];

    /// A code point, if it is one of [`Self::NAMED`].
    pub fn new(value: u8) -> Option<Dscp> {
        Self::NAMED.contains(&value).then_some(Dscp(value))
    }

    /// The number itself.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Dscp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl QosPolicy {
    /// How much may pass in a direction, seen from the workload.
    pub fn limit(&self, direction: Direction) -> Option<RateLimit> {
        self.rules.iter().find_map(|rule| match rule.kind {
            QosRuleKind::Limit(of, limit) if of == direction => Some(limit),
            _ => None,
        })
    }

    /// The mark of what the workload sends.
    pub fn mark(&self) -> Option<Dscp> {
        self.rules
            .iter()
            .find_map(|rule| if let QosRuleKind::Mark(dscp) = rule.kind { Some(dscp) } else { None })
    }
}

impl QosRuleKind {
    /// True for two that cannot stand in one policy.
    pub fn clashes(self, other: QosRuleKind) -> bool {
        match (self, other) {
            (QosRuleKind::Limit(a, _), QosRuleKind::Limit(b, _)) => a == b,
            (QosRuleKind::Mark(_), QosRuleKind::Mark(_)) => true,
            _ => false,
        }
    }
}
