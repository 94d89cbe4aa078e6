//! The words of a request about QoS policies, and why one is refused.

use thiserror::Error;

use super::{Labels, LabelsPatch};
use crate::{NetworkId, PortId, QosPolicyId, QosRuleId, QosRuleKind, TenantId};

/// A QoS policy to create; its rules come one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewQosPolicy {
    /// Its id.
    pub id: QosPolicyId,
    /// Whose it is to be. A tenant may leave it out or name itself; an admin must name one.
    pub tenant: Option<TenantId>,
    /// Name, description, tags.
    pub labels: Labels,
    /// See [`crate::QosPolicy::shared`] (admin only).
    pub shared: bool,
    /// See [`crate::QosPolicy::is_default`].
    pub is_default: bool,
}

/// Changes to a QoS policy; its rules change by intents of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QosPolicyPatch {
    /// The number that the object must still have, if any.
    pub if_number: Option<u64>,
    /// Name, description, tags.
    pub labels: LabelsPatch,
    /// See [`NewQosPolicy::shared`].
    pub shared: Option<bool>,
    /// See [`NewQosPolicy::is_default`].
    pub is_default: Option<bool>,
}

/// What happens to one rule of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QosRuleChange {
    /// It comes.
    Add(QosRuleId, QosRuleKind),
    /// It says something else.
    Set(QosRuleId, QosRuleKind),
    /// It goes.
    Remove(QosRuleId),
}

/// Why a request about a QoS policy is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QosFault {
    /// No such policy, or one that the actor may not use.
    #[error("there is no QoS policy {0}")]
    NotFound(QosPolicyId),
    /// No such rule of the policy.
    #[error("QoS rule {rule} for policy {policy} could not be found")]
    NoRule {
        /// Of which policy.
        policy: QosPolicyId,
        /// Which rule.
        rule: QosRuleId,
    },
    /// The policy has a rule of that kind.
    #[error("rule {rule} of QoS policy {policy} says the same kind of thing")]
    Clash {
        /// Which policy.
        policy: QosPolicyId,
        /// The rule that is there.
        rule: QosRuleId,
    },
    /// A port wears the policy.
    #[error("QoS policy {policy} is used by port {port}")]
    UsedByPort {
        /// Which policy.
        policy: QosPolicyId,
        /// The first port that wears it.
        port: PortId,
    },
    /// A network wears the policy.
    #[error("QoS policy {policy} is used by network {network}")]
    UsedByNetwork {
        /// Which policy.
        policy: QosPolicyId,
        /// The first network that wears it.
        network: NetworkId,
    },
    /// Another of the tenant's policies is the default.
    #[error("a default QoS policy exists for project {0}")]
    DefaultExists(TenantId),
    /// The policy was put there by somebody whose policy the actor may not use.
    #[error("policy {0} cannot be removed: it was not put there by this project")]
    NotYours(QosPolicyId),
}
