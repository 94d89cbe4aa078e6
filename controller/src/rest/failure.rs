//! Why a request failed: status, kind and words, before anyone decides in which body they travel.

use std::time::Duration;
mod pools;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use weft_api::FieldError;
use weft_model::intent::{Fault, QosFault, Rejected, TrunkFault};
use weft_model::{FLOATING_IP, PortId, ROUTER_GATEWAY, ROUTER_INTERFACE};

use crate::desk::WriteError;

/// Why a request failed. `frame` writes the body, in the form that the address calls for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    /// One word; where the OpenStack Networking API has one for the case, it is that word.
    pub(super) kind: &'static str,
    /// What went wrong in this request.
    pub(super) message: String,
    /// The fields at fault.
    pub(super) errors: Vec<FieldError>,
    /// Which of several objects in one request is at fault.
    pub(super) position: Option<usize>,
    /// Nothing is wrong: it is a dry run, and what is answered instead is what would have been done.
    pub(super) planned: Option<Box<Bytes>>,
    /// After how many seconds it is worth trying again.
    pub(super) retry_after: Option<u64>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Failure {
        let (message, errors) = (message.into(), Vec::new());
        Failure { status, kind, message, errors, position: None, planned: None, retry_after: None }
    }

    /// Ends a handler at the place where it would have written: with what the write would have done, in JSON.
    pub(super) fn planned(plan: &weft_api::Plan) -> Failure {
        let plan = serde_json::to_vec(&serde_json::json!({ "plan": plan }));
        let plan = Bytes::from(plan.expect("our own words have text keys"));
        Failure {
            planned: Some(Box::new(plan)),
            ..Failure::new(StatusCode::OK, "Planned", "Nothing was written.")
        }
    }

    /// Too many requests of one caller or from one address.
    pub(super) fn too_many(wait: Duration) -> Failure {
        let seconds = wait.as_secs() + 1;
        let message = format!("Too many requests. Try again after {seconds} seconds.");
        let failure = Failure::new(StatusCode::TOO_MANY_REQUESTS, "HTTPTooManyRequests", message);
        Failure { retry_after: Some(seconds), ..failure }
    }

    /// Something in the request as a whole cannot be read.
    pub(super) fn malformed(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, "HTTPBadRequest", message)
    }

    /// Fields break rules: all of them.
    pub(super) fn invalid(faults: Vec<Fault>) -> Failure {
        let said: Vec<String> =
            faults.iter().map(|fault| format!("{} {}", fault.path, fault.reason)).collect();
        let message = format!("Invalid input for operation: {}.", said.join("; "));
        Failure { errors: fields(faults), ..Failure::new(StatusCode::BAD_REQUEST, "InvalidInput", message) }
    }

    /// Only fields that do not exist: the words that OpenStack clients know for it.
    pub(super) fn unrecognized(faults: Vec<Fault>) -> Failure {
        let names: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
        let message = format!("Unrecognized attribute(s) '{}'", names.join(", "));
        Failure { errors: fields(faults), ..Failure::malformed(message) }
    }

    /// One field breaks a rule.
    pub(super) fn field(path: &str, reason: impl Into<String>) -> Failure {
        Failure::invalid(vec![Fault { path: path.to_owned(), reason: reason.into() }])
    }

    /// Names the element of the list `many` that is at fault, if it is known which one is.
    pub(super) fn in_list(mut self, many: &str) -> Failure {
        let Some(position) = self.position.filter(|_| self.planned.is_none()) else { return self };
        let element = format!("{many}.{position}");
        if self.errors.is_empty() {
            self.errors.push(FieldError { field: element.clone(), reason: self.message.clone() });
        } else {
            for error in &mut self.errors {
                error.field = format!("{element}.{}", error.field);
            }
        }
        self.message = format!("{} Nothing was created because of {element}.", self.message);
        self
    }

    /// The caller may not do that.
    pub(super) fn forbidden(rule: &str) -> Failure {
        let message = format!("rule:{rule} is disallowed by policy");
        Failure::new(StatusCode::FORBIDDEN, "PolicyNotAuthorized", message)
    }

    /// The operating system gives no random numbers.
    pub(super) fn no_entropy() -> Failure {
        let message = "The operating system gives no random numbers.";
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
    }

    /// There is no such object, or it is another tenant's.
    pub(super) fn not_found(label: &'static str, id: &str) -> Failure {
        let kind = match label {
            "Network" => "NetworkNotFound",
            "Subnet" => "SubnetNotFound",
            "Port" => "PortNotFound",
            "Router" => "RouterNotFound",
            "Tenant" => "TenantNotFound",
            "Token" => "TokenNotFound",
            "User" => "UserNotFound",
            "Project" => "ProjectNotFound",
            "Role" => "RoleNotFound",
            "Role assignment" => "RoleAssignmentNotFound",
            "Domain" => "DomainNotFound",
            "Application credential" => "ApplicationCredentialNotFound",
            "Floating IP" => "FloatingIPNotFound",
            "Port forwarding" => "PortForwardingNotFound",
            "Trunk" => "TrunkNotFound",
            "QoS policy" => "QosPolicyNotFound",
            "QoS rule" => "QosRuleNotFound",
            "Host" => "HostNotFound",
            "Tag" => "TagNotFound",
            "Security group" => "SecurityGroupNotFound",
            "Security group rule" => "SecurityGroupRuleNotFound",
            "Address group" => "AddressGroupNotFound",
            "Subnet pool" => "SubnetPoolNotFound",
            "Address scope" => "AddressScopeNotFound",
            "RBAC policy" => "RbacPolicyNotFound",
            "Agent" => "AgentNotFound",
            "Network segment range" => "NetworkSegmentRangeNotFound",
            _ => "HTTPNotFound",
        };
        // Whatever was in the address comes back in the message; nobody needs all of a long one.
        let id: String = id.chars().take(100).collect();
        Failure::new(StatusCode::NOT_FOUND, kind, format!("{label} {id} could not be found."))
    }

    /// What a bare status code says: for answers that come from the HTTP layers below the handlers.
    pub(super) fn of_status(status: StatusCode) -> Failure {
        let (kind, message) = match status {
            StatusCode::NOT_FOUND => ("HTTPNotFound", "The resource could not be found."),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("HTTPMethodNotAllowed", "This resource does not know the method; see the Allow header.")
            }
            StatusCode::PAYLOAD_TOO_LARGE => ("RequestTooLarge", "The request body is too large."),
            StatusCode::INTERNAL_SERVER_ERROR => {
                ("HTTPInternalServerError", "The request failed; the controller's log says why.")
            }
            _ if status.is_client_error() => ("HTTPBadRequest", "The request cannot be read."),
            _ => ("HTTPInternalServerError", "The request failed."),
        };
        Failure::new(status, kind, message)
    }
}

fn fields(faults: Vec<Fault>) -> Vec<FieldError> {
    faults.into_iter().map(|fault| FieldError { field: fault.path, reason: fault.reason }).collect()
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if let Some(plan) = self.planned {
            return (self.status, [(CONTENT_TYPE, "application/json")], *plan).into_response();
        }
        let mut response = self.status.into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Failure {
        match error {
            WriteError::Rejected(rejected) => rejected.into(),
            WriteError::RejectedPart { position, rejected } => {
                Failure { position: Some(position), ..rejected.into() }
            }
            WriteError::Unavailable(reason) => {
                let message =
                    format!("The write was not acknowledged: {reason}. It may or may not have been made.");
                Failure::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
            }
        }
    }
}

impl From<Rejected> for Failure {
    fn from(rejected: Rejected) -> Failure {
        match rejected {
            Rejected::TenantNotFound(id) => Failure::not_found("Tenant", id.as_str()),
            Rejected::NetworkNotFound(id) => Failure::not_found("Network", &id.to_string()),
            Rejected::SubnetNotFound(id) => Failure::not_found("Subnet", &id.to_string()),
            Rejected::RouterNotFound(id) => Failure::not_found("Router", &id.to_string()),
            Rejected::PortNotFound(id) => Failure::not_found("Port", &id.to_string()),
            Rejected::FloatingIpNotFound(id) => Failure::not_found("Floating IP", &id.to_string()),
            Rejected::PortForwardingNotFound(id) => Failure::not_found("Port forwarding", &id.to_string()),
            Rejected::HostNotFound(id) => Failure::not_found("Host", id.as_str()),
            Rejected::TokenNotFound(id) => Failure::not_found("Token", &id.to_string()),
            Rejected::SecurityGroupNotFound(id) => Failure::not_found("Security group", &id.to_string()),
            Rejected::SecurityRuleNotFound(id) => Failure::not_found("Security group rule", &id.to_string()),
            Rejected::AddressGroupNotFound(id) => Failure::not_found("Address group", &id.to_string()),
            Rejected::Trunk(fault) => of_trunk(fault),
            Rejected::Qos(fault) => of_qos(fault),
            shared @ (Rejected::Pool(_) | Rejected::Rbac(_) | Rejected::Range(_)) => pools::of(shared),
            Rejected::Invalid(faults) => Failure::invalid(faults),
            Rejected::Forbidden { what } => {
                let message = format!("{what} is disallowed by policy");
                Failure::new(StatusCode::FORBIDDEN, "PolicyNotAuthorized", message)
            }
            Rejected::RevisionMismatch { expected, .. } => changed_since(expected),
            address @ (Rejected::InvalidIpForNetwork { .. }
            | Rejected::InvalidIpForSubnet { .. }
            | Rejected::OverlappingSubnet { .. }) => wrong_address(address),
            exhausted @ (Rejected::VnisExhausted
            | Rejected::HostsExhausted
            | Rejected::PortKeysExhausted
            | Rejected::RouterKeysExhausted
            | Rejected::PhysnetsExhausted
            | Rejected::RuleKeysExhausted
            | Rejected::PolicyKeysExhausted
            | Rejected::GatewayZonesExhausted
            | Rejected::MacAddressesExhausted { .. }) => used_up(&exhausted),
            router @ (Rejected::BadInterface(_)
            | Rejected::RouterInUse { .. }
            | Rejected::PortInUse { .. }
            | Rejected::NoSuchInterface { .. }
            | Rejected::NoInterfaceOnSubnet { .. }
            | Rejected::SubnetMismatch { .. }
            | Rejected::InterfaceInUseByRoute { .. }
            | Rejected::InvalidRoute { .. }
            | Rejected::PortOfRouter(_)
            | Rejected::PortOfGateway(_)
            | Rejected::PortOfFloatingIp(_)
            | Rejected::GatewayInUse { .. }) => of_router(router),
            security @ (Rejected::SecurityGroupInUse(_)
            | Rejected::DefaultGroupStays(_)
            | Rejected::SecurityRuleExists(_)
            | Rejected::TooManyRules { .. }
            | Rejected::AddressGroupInUse(_)
            | Rejected::PortHasSecurityGroups(_)
            | Rejected::PortSecurityRequired(_)) => insecure(security),
            outside @ (Rejected::ExternalNetworkInUse(_)
            | Rejected::ExternalAddressesExhausted { .. }
            | Rejected::GatewayInUseByFloatingIp { .. }
            | Rejected::InterfaceInUseByFloatingIp { .. }
            | Rejected::BadFloatingIp(_)
            | Rejected::ExternalGatewayNotFound { .. }
            | Rejected::FloatingIpPortAssociated { .. }
            | Rejected::FloatingIpForwards(_)
            | Rejected::FloatingIpInUse(_)
            | Rejected::BadPortForwarding(_)
            | Rejected::ForwardedPortInUse { .. }) => of_outside(outside),
            other => of_identity(other),
        }
    }
}

/// What users and what goes with them refuse, and all other conflicts.
fn of_identity(rejected: Rejected) -> Failure {
    match rejected {
        Rejected::UserNotFound(id) => Failure::not_found("User", id.as_str()),
        Rejected::AppCredentialNotFound(id) => Failure::not_found("Application credential", &id.to_string()),
        Rejected::RoleNotAssigned { role, .. } => Failure::not_found("Role assignment", role.name()),
        conflict => in_conflict(conflict),
    }
}

fn used_up(exhausted: &Rejected) -> Failure {
    let message = format!("Unable to complete operation: {exhausted}.");
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, "ResourceExhausted", message)
}

fn changed_since(expected: u64) -> Failure {
    let message = format!("Constrained to {expected}, but current revision is different.");
    Failure::new(StatusCode::PRECONDITION_FAILED, "RevisionNumberConstraintFailed", message)
}

/// Addresses that do not fit where they are asked for.
fn wrong_address(rejected: Rejected) -> Failure {
    let (kind, message) = match rejected {
        Rejected::InvalidIpForNetwork { address, .. } => (
            "InvalidIpForNetwork",
            format!(
                "IP address {address} is not a valid IP for any of the subnets on the specified network."
            ),
        ),
        Rejected::InvalidIpForSubnet { address, .. } => (
            "InvalidIpForSubnet",
            format!("IP address {address} is not a valid IP for the specified subnet."),
        ),
        Rejected::OverlappingSubnet { cidr, network } => (
            "InvalidInput",
            format!(
                "Invalid input for operation: Requested subnet with cidr: {cidr} for network: {network} \
                 overlaps with another subnet."
            ),
        ),
        other => ("InvalidInput", format!("Invalid input for operation: {other}.")),
    };
    Failure::new(StatusCode::BAD_REQUEST, kind, message)
}

/// What routers refuse, in the words of the field.
fn of_router(rejected: Rejected) -> Failure {
    let (status, kind, message) = match rejected {
        Rejected::BadInterface(reason) => {
            (StatusCode::BAD_REQUEST, "BadRequest", format!("Bad router request: {reason}."))
        }
        Rejected::InvalidRoute { destination, reason } => (
            StatusCode::BAD_REQUEST,
            "InvalidRoutes",
            format!("Invalid format for routes: {destination}, {reason}"),
        ),
        Rejected::NoSuchInterface { router, port } => (
            StatusCode::NOT_FOUND,
            "RouterInterfaceNotFound",
            format!("Router {router} does not have an interface with id {port}"),
        ),
        Rejected::NoInterfaceOnSubnet { router, subnet } => (
            StatusCode::NOT_FOUND,
            "RouterInterfaceNotFoundForSubnet",
            format!("Router {router} has no interface on subnet {subnet}"),
        ),
        Rejected::RouterInUse { router, ports } => {
            let ports = ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let message = format!("Router {router} has ports still attached: {ports}");
            (StatusCode::CONFLICT, "RouterInUse", message)
        }
        Rejected::PortInUse { port, device } => (
            StatusCode::CONFLICT,
            "PortInUse",
            format!(
                "Unable to complete operation on port {port}. Port already has an attached device {device}."
            ),
        ),
        Rejected::SubnetMismatch { port, subnet } => (
            StatusCode::CONFLICT,
            "SubnetMismatchForPort",
            format!("Subnet on port {port} does not match the requested subnet {subnet}"),
        ),
        Rejected::InterfaceInUseByRoute { router, subnet } => (
            StatusCode::CONFLICT,
            "RouterInterfaceInUseByRoute",
            format!(
                "Router interface for subnet {subnet} on router {router} cannot be deleted, as it is required by one \
                 or more routes."
            ),
        ),
        Rejected::PortOfRouter(port) => not_by_itself(port, ROUTER_INTERFACE),
        Rejected::PortOfGateway(port) => not_by_itself(port, ROUTER_GATEWAY),
        Rejected::PortOfFloatingIp(port) => not_by_itself(port, FLOATING_IP),
        Rejected::GatewayInUse { subnet, address, port } => (
            StatusCode::CONFLICT,
            "GatewayIpInUse",
            format!(
                "Current gateway ip {address} already in use by port {port}. Unable to update subnet {subnet}."
            ),
        ),
        other => (StatusCode::CONFLICT, "Conflict", format!("{other}.")),
    };
    Failure::new(status, kind, message)
}

/// A port that goes and changes with what it is for.
fn not_by_itself(port: PortId, owner: &str) -> (StatusCode, &'static str, String) {
    let message = format!(
        "Port {port} cannot be deleted or changed directly via the port API: has device owner {owner}."
    );
    (StatusCode::CONFLICT, "ServicePortInUse", message)
}

/// What gateways, floating IPs and port forwardings refuse, under the names that OpenStack clients know.
fn of_outside(rejected: Rejected) -> Failure {
    use StatusCode as S;
    let said = format!("{rejected}.");
    let (status, kind, message) = match rejected {
        Rejected::ExternalNetworkInUse(_) => (S::CONFLICT, "ExternalNetworkInUse", said),
        Rejected::ExternalAddressesExhausted { .. } => (S::BAD_REQUEST, "ExternalIpAddressExhausted", said),
        Rejected::GatewayInUseByFloatingIp { router, network } => (
            S::CONFLICT,
            "RouterExternalGatewayInUseByFloatingIp",
            format!(
                "Gateway cannot be updated for router {router}, since a gateway to external network {network} is \
                 required by one or more floating IPs."
            ),
        ),
        Rejected::InterfaceInUseByFloatingIp { .. } => {
            (S::CONFLICT, "RouterInterfaceInUseByFloatingIP", said)
        }
        Rejected::BadFloatingIp(reason) => {
            (S::BAD_REQUEST, "BadRequest", format!("Bad floatingip request: {reason}."))
        }
        Rejected::ExternalGatewayNotFound { .. } => {
            (S::NOT_FOUND, "ExternalGatewayForFloatingIPNotFound", said)
        }
        Rejected::FloatingIpPortAssociated { .. } => (S::CONFLICT, "FloatingIPPortAlreadyAssociated", said),
        Rejected::FloatingIpForwards(_) => (S::CONFLICT, "FipInUseByPortForwarding", said),
        Rejected::FloatingIpInUse(_) => (S::CONFLICT, "FipInUseByRouter", said),
        Rejected::BadPortForwarding(reason) => {
            (S::BAD_REQUEST, "BadRequest", format!("Bad port_forwarding request: {reason}."))
        }
        _ => (S::CONFLICT, "PortForwardingInUse", said),
    };
    Failure::new(status, kind, message)
}

/// What trunks refuse, under the names that OpenStack clients know.
fn of_trunk(fault: TrunkFault) -> Failure {
    let said = fault.to_string();
    let mut letters = said.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let said = format!("{first}{}.", letters.as_str());
    let (status, kind) = match fault {
        TrunkFault::NotFound(id) => return Failure::not_found("Trunk", &id.to_string()),
        TrunkFault::NoSubport { .. } => (StatusCode::NOT_FOUND, "SubPortNotFound"),
        TrunkFault::IsParent { .. } => (StatusCode::CONFLICT, "PortInUseAsTrunkParent"),
        TrunkFault::IsSubport { .. } => (StatusCode::CONFLICT, "PortInUseAsSubPort"),
        TrunkFault::PortInUse(_) => (StatusCode::CONFLICT, "TrunkPortInUse"),
        TrunkFault::ParentInUse(_) => (StatusCode::CONFLICT, "ParentPortInUse"),
        TrunkFault::TagInUse { .. } => (StatusCode::CONFLICT, "DuplicateSubPort"),
        TrunkFault::Mtu { .. } => (StatusCode::CONFLICT, "SubPortMtuGreaterThanTrunkPortMtu"),
        TrunkFault::Disabled(_) => (StatusCode::CONFLICT, "TrunkDisabled"),
    };
    Failure::new(status, kind, said)
}

/// The same for QoS policies.
fn of_qos(fault: QosFault) -> Failure {
    let said = format!("{fault}.");
    let (status, kind, message) = match fault {
        QosFault::NotFound(id) => return Failure::not_found("QoS policy", &id.to_string()),
        QosFault::NoRule { rule, .. } => return Failure::not_found("QoS rule", &rule.to_string()),
        QosFault::Clash { .. } => (StatusCode::BAD_REQUEST, "QoSRulesConflict", said),
        QosFault::UsedByPort { policy, port } => {
            (StatusCode::CONFLICT, "QosPolicyInUse", format!("QoS Policy {policy} is used by port {port}."))
        }
        QosFault::UsedByNetwork { policy, network } => {
            let message = format!("QoS Policy {policy} is used by network {network}.");
            (StatusCode::CONFLICT, "QosPolicyInUse", message)
        }
        QosFault::DefaultExists(tenant) => {
            let message = format!("A default QoS policy exists for project {tenant}.");
            (StatusCode::CONFLICT, "QoSPolicyDefaultAlreadyExists", message)
        }
        QosFault::NotYours(policy) => {
            let message =
                format!("Failed to remove provided policy {policy} because you are not authorized.");
            (StatusCode::FORBIDDEN, "PolicyRemoveAuthorizationError", message)
        }
    };
    Failure::new(status, kind, message)
}

/// Conflicts about security groups, in the words that OpenStack clients know.
fn insecure(rejected: Rejected) -> Failure {
    let (kind, message) = match rejected {
        Rejected::SecurityGroupInUse(id) => ("SecurityGroupInUse", format!("Security Group {id} in use.")),
        Rejected::DefaultGroupStays(_) => (
            "SecurityGroupCannotRemoveDefault",
            "Insufficient rights for removing default security group.".to_owned(),
        ),
        Rejected::SecurityRuleExists(id) => {
            ("SecurityGroupRuleExists", format!("Security group rule already exists. Rule id is {id}."))
        }
        Rejected::TooManyRules { .. } => {
            ("OverQuota", "Quota exceeded for resources: ['security_group_rule'].".to_owned())
        }
        Rejected::AddressGroupInUse(id) => {
            ("AddressGroupInUse", format!("Address group {id} is in use on one or more security group rules."))
        }
        Rejected::PortHasSecurityGroups(_) => (
            "PortSecurityPortHasSecurityGroup",
            "Port has security group associated. Cannot disable port security or IP address until security group is \
             removed."
                .to_owned(),
        ),
        _ => (
            "PortSecurityAndIPRequiredForSecurityGroups",
            "Port security must be enabled in order to use security groups or allowed address pairs.".to_owned(),
        ),
    };
    Failure::new(StatusCode::CONFLICT, kind, message)
}

/// Requests that were fine in themselves but do not go with what there is.
fn in_conflict(rejected: Rejected) -> Failure {
    let (kind, message) = match rejected {
        Rejected::NetworkInUse { network, ports } => {
            let ports = ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let message = format!(
                "Unable to complete operation on network {network}. There are one or more ports still in use on the \
                 network, id for these ports is: {ports}."
            );
            ("NetworkInUse", message)
        }
        Rejected::SubnetInUse(id) => (
            "SubnetInUse",
            format!(
                "Unable to complete operation on subnet {id}: One or more ports have an IP allocation from this \
                 subnet."
            ),
        ),
        Rejected::IpAddressInUse { subnet, address } => (
            "IpAddressAlreadyAllocated",
            format!("IP address {address} already allocated in subnet {subnet}"),
        ),
        Rejected::MacAddressInUse { network, mac } => (
            "MacAddressInUse",
            format!("Unable to complete operation for network {network}. The mac address {mac} is in use."),
        ),
        Rejected::IpAddressGenerationFailure { network } => {
            ("IpAddressGenerationFailure", format!("No more IP addresses available on network {network}."))
        }
        Rejected::VniInUse { vni } => {
            ("TunnelIdInUse", format!("Unable to create the network. The tunnel ID {vni} is in use."))
        }
        Rejected::SegmentInUse { physnet, vlan: Some(vlan) } => (
            "VlanIdInUse",
            format!("Unable to create the network. The VLAN {vlan} on physical network {physnet} is in use."),
        ),
        Rejected::SegmentInUse { physnet, vlan: None } => (
            "FlatNetworkInUse",
            format!("Unable to create the flat network. Physical network {physnet} is in use."),
        ),
        Rejected::PortBound { port, host } => (
            "PortBound",
            format!("Unable to complete operation on port {port}, port is already bound on host {host}."),
        ),
        Rejected::TenantInUse(id) => (
            "TenantInUse",
            format!(
                "Tenant {id} still owns networks, subnets, ports, routers, floating IPs or security groups."
            ),
        ),
        Rejected::OverQuota { kind, .. } => {
            ("OverQuota", format!("Quota exceeded for resources: ['{}'].", kind.name()))
        }
        Rejected::NameTaken { what, name } => (
            "Conflict",
            format!("Conflict occurred attempting to store {what} - Duplicate entry found with name {name}."),
        ),
        Rejected::AlreadyExists { what, id } => ("AlreadyExists", format!("{what} {id} already exists.")),
        other => ("Conflict", format!("{other}.")),
    };
    Failure::new(StatusCode::CONFLICT, kind, message)
}
