//! The words of a request about security groups, rules and address groups.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::{Labels, LabelsPatch};
use crate::{
    AddressGroupId, Direction, Family, Remote, SecurityGroupId, SecurityRuleId, Service, TenantId, Tracking,
};

/// Which groups a new port wears.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PortGroups {
    /// Nothing filters it.
    #[default]
    Unfiltered,
    /// The default group of its tenant; what has a `device_owner` of the network itself is not filtered.
    Default,
    /// Exactly these; at most 32, of the port's tenant.
    These(BTreeSet<SecurityGroupId>),
}

/// A security group to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSecurityGroup {
    /// Its id.
    pub id: SecurityGroupId,
    /// Whose it is to be. A tenant may leave it out or name itself; an admin must name one.
    pub tenant: Option<TenantId>,
    /// Name, description, tags.
    pub labels: Labels,
    /// Whether connections are remembered.
    pub tracking: Tracking,
    /// The ids of the two rules that let everything out, IPv4 and IPv6.
    pub rule_ids: [SecurityRuleId; 2],
}

/// Changes to a security group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecurityGroupPatch {
    /// The number that the object must still have, if any.
    pub if_number: Option<u64>,
    /// Name, description, tags.
    pub labels: LabelsPatch,
    /// See [`NewSecurityGroup::tracking`]; only while no port wears the group.
    pub tracking: Option<Tracking>,
}

/// A rule to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSecurityRule {
    /// Its id.
    pub id: SecurityRuleId,
    /// The group that it is for.
    pub group: SecurityGroupId,
    /// Seen from the port that wears the group.
    pub direction: Direction,
    /// Which version of IP.
    pub family: Family,
    /// Which packets.
    pub service: Service,
    /// The other side; groups of the same tenant, or that are shared with it.
    pub remote: Remote,
    /// Free text, at most 255 characters.
    pub description: String,
}

impl NewSecurityRule {
    /// A rule that lets everything through.
    pub fn new(
        id: SecurityRuleId,
        group: SecurityGroupId,
        direction: Direction,
        family: Family,
    ) -> NewSecurityRule {
        let (service, remote, description) = (Service::Any, Remote::Any, String::new());
        NewSecurityRule { id, group, direction, family, service, remote, description }
    }
}

/// An address group to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAddressGroup {
    /// Its id.
    pub id: AddressGroupId,
    /// Whose it is to be. A tenant may leave it out or name itself; an admin must name one.
    pub tenant: Option<TenantId>,
    /// Name, description, tags.
    pub labels: Labels,
    /// Its prefixes, at most 1024.
    pub prefixes: Vec<IpNet>,
}

/// Changes to an address group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressGroupPatch {
    /// The number that the object must still have, if any.
    pub if_number: Option<u64>,
    /// Name, description, tags.
    pub labels: LabelsPatch,
    /// Prefixes to add; those that are there already stay.
    pub add: Vec<IpNet>,
    /// Prefixes to remove first; those that are not there are left out.
    pub remove: Vec<IpNet>,
}
