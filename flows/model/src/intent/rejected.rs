//! Why a request is refused, precisely enough for any API to say it in its own words.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use thiserror::Error;

use super::{PoolRejected, RangeRejected, RbacRejected};
use super::{QosFault, TrunkFault};
use crate::{
    AddressGroupId, AppCredentialId, FloatingIpId, HostId, MacAddr, NetworkId, PortForwardingId, PortId,
    PortRange, QuotaKind, Role, RouterId, SecurityGroupId, SecurityRuleId, SubnetId, TenantId, TokenId,
    Transport, UserId, VlanId, Vni,
};

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The field in the API's words, with dots and list positions: `fixed_ips.0.ip_address`.
    pub path: String,
    /// The rule that it breaks, to be read after the field's name.
    pub reason: String,
}

/// Why a request is refused. The REST edge maps each variant to a status and an error type.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Rejected {
    /// No such tenant.
    #[error("there is no tenant {0}")]
    TenantNotFound(TenantId),
    /// No such network, or another tenant's.
    #[error("there is no network {0}")]
    NetworkNotFound(NetworkId),
    /// No such subnet, or another tenant's.
    #[error("there is no subnet {0}")]
    SubnetNotFound(SubnetId),
    /// No such port, or another tenant's.
    #[error("there is no port {0}")]
    PortNotFound(PortId),
    /// No such router, or another tenant's.
    #[error("there is no router {0}")]
    RouterNotFound(RouterId),
    /// No such floating IP, or another tenant's.
    #[error("there is no floating IP {0}")]
    FloatingIpNotFound(FloatingIpId),
    /// No such port forwarding of the floating IP.
    #[error("there is no port forwarding {0}")]
    PortForwardingNotFound(PortForwardingId),
    /// No such host.
    #[error("there is no host {0}")]
    HostNotFound(HostId),
    /// No such token.
    #[error("there is no token {0}")]
    TokenNotFound(TokenId),
    /// No such user.
    #[error("there is no user {0}")]
    UserNotFound(UserId),
    /// No such application credential, or another user's.
    #[error("there is no application credential {0}")]
    AppCredentialNotFound(AppCredentialId),
    /// The user was not given the role.
    #[error("user {user} was not given role {} for tenant {tenant}", .role.name())]
    RoleNotAssigned {
        /// Who.
        user: UserId,
        /// For which tenant.
        tenant: TenantId,
        /// Which role.
        role: Role,
    },
    /// Another object of the kind has the name, and may not share it.
    #[error("there is {what} {name:?} already")]
    NameTaken {
        /// Which kind of object.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Nobody could be administrator afterwards.
    #[error("nobody could be administrator then")]
    LastAdministrator,
    /// The password is not the one that was looked at.
    #[error("the password of user {0} has just been changed")]
    PasswordChanged(UserId),
    /// No such security group, or another tenant's.
    #[error("there is no security group {0}")]
    SecurityGroupNotFound(SecurityGroupId),
    /// No such security rule, or another tenant's.
    #[error("there is no security group rule {0}")]
    SecurityRuleNotFound(SecurityRuleId),
    /// No such address group, or another tenant's.
    #[error("there is no address group {0}")]
    AddressGroupNotFound(AddressGroupId),
    /// Ports wear the group.
    #[error("ports use security group {0}")]
    SecurityGroupInUse(SecurityGroupId),
    /// The default group goes with its tenant only.
    #[error("security group {0} is its tenant's default group and cannot be removed")]
    DefaultGroupStays(SecurityGroupId),
    /// The group has a rule that says the same.
    #[error("the rule exists already as {0}")]
    SecurityRuleExists(SecurityRuleId),
    /// The group is full.
    #[error("security group {group} has the {most} rules that a group may have")]
    TooManyRules {
        /// Which group.
        group: SecurityGroupId,
        /// How many it may have.
        most: usize,
    },
    /// Rules name the address group.
    #[error("security group rules use address group {0}")]
    AddressGroupInUse(AddressGroupId),
    /// A port that wears groups cannot do without port security.
    #[error("port {0} has security groups; remove them before port security is turned off")]
    PortHasSecurityGroups(PortId),
    /// A port without port security can have neither groups nor allowed address pairs.
    #[error("port {0} has no port security, so no security groups or allowed address pairs")]
    PortSecurityRequired(PortId),
    /// All rule keys are in use.
    #[error("every security rule key is in use")]
    RuleKeysExhausted,
    /// All policy keys are in use.
    #[error("every policy key is in use")]
    PolicyKeysExhausted,
    /// The tenant still owns objects.
    #[error("tenant {0} still owns networks, subnets, ports, routers or security groups")]
    TenantInUse(TenantId),
    /// The network still has ports.
    #[error("network {network} still has ports: {}", join(ports))]
    NetworkInUse {
        /// Which network.
        network: NetworkId,
        /// Its ports, at most the first 100 by id.
        ports: Vec<PortId>,
    },
    /// Ports still have addresses of the subnet.
    #[error("ports still have addresses of subnet {0}")]
    SubnetInUse(SubnetId),
    /// Another port has the address.
    #[error("address {address} of subnet {subnet} belongs to another port")]
    IpAddressInUse {
        /// Of which subnet.
        subnet: SubnetId,
        /// The address.
        address: IpAddr,
    },
    /// Another port of the network has the MAC.
    #[error("MAC address {mac} belongs to another port of network {network}")]
    MacAddressInUse {
        /// On which network.
        network: NetworkId,
        /// The MAC.
        mac: MacAddr,
    },
    /// The address is in no subnet of the network.
    #[error("address {address} is in no subnet of network {network}")]
    InvalidIpForNetwork {
        /// Which network.
        network: NetworkId,
        /// The address.
        address: IpAddr,
    },
    /// The address is outside the subnet, or is one that no port may have.
    #[error("address {address} is not one that a port may have in subnet {subnet}")]
    InvalidIpForSubnet {
        /// Which subnet.
        subnet: SubnetId,
        /// The address.
        address: IpAddr,
    },
    /// No pool has a free address.
    #[error("the allocation pools of network {network} have no free address left")]
    IpAddressGenerationFailure {
        /// Which network.
        network: NetworkId,
    },
    /// Another network has the VNI.
    #[error("VNI {vni} is in use by another network")]
    VniInUse {
        /// The VNI.
        vni: Vni,
    },
    /// Another network has the segment.
    #[error("{} of physical network {physnet} is in use by another network", of_segment(*.vlan))]
    SegmentInUse {
        /// The physical network's name.
        physnet: String,
        /// The tag; none is the flat network.
        vlan: Option<VlanId>,
    },
    /// As many physical networks are in use as there are numbers for.
    #[error("every physical network's number is in use")]
    PhysnetsExhausted,
    /// All 16,777,215 VNIs are in use.
    #[error("every VNI is in use")]
    VnisExhausted,
    /// All host indexes are in use.
    #[error("every host index is in use")]
    HostsExhausted,
    /// All port keys are in use.
    #[error("every port key is in use")]
    PortKeysExhausted,
    /// All generated MACs of the network are in use.
    #[error("every generated MAC address of network {network} is in use")]
    MacAddressesExhausted {
        /// Which network.
        network: NetworkId,
    },
    /// The prefix overlaps with a subnet of the same network.
    #[error("{cidr} overlaps with another subnet of network {network}")]
    OverlappingSubnet {
        /// The prefix.
        cidr: IpNet,
        /// The network.
        network: NetworkId,
    },
    /// The MAC of a bound port can only be changed by an admin.
    #[error("port {port} is bound on host {host}, its MAC address cannot change")]
    PortBound {
        /// Which port.
        port: PortId,
        /// Where it is bound.
        host: HostId,
    },
    /// All router keys are in use.
    #[error("every router key is in use")]
    RouterKeysExhausted,
    /// The router still has interfaces.
    #[error("router {router} still has interfaces: {}", join(ports))]
    RouterInUse {
        /// Which router.
        router: RouterId,
        /// Its interfaces, at most the first 100 by id.
        ports: Vec<PortId>,
    },
    /// A router cannot have that interface.
    #[error("{0}")]
    BadInterface(String),
    /// The port to become an interface is used by something.
    #[error("port {port} is used by {device}")]
    PortInUse {
        /// Which port.
        port: PortId,
        /// Its device id.
        device: String,
    },
    /// The router has no such interface.
    #[error("router {router} has no interface with port {port}")]
    NoSuchInterface {
        /// Which router.
        router: RouterId,
        /// The port asked for.
        port: PortId,
    },
    /// The router has no interface in the subnet.
    #[error("router {router} has no interface on subnet {subnet}")]
    NoInterfaceOnSubnet {
        /// Which router.
        router: RouterId,
        /// The subnet asked for.
        subnet: SubnetId,
    },
    /// The interface has no address of the subnet that is named beside it.
    #[error("port {port} has no address of subnet {subnet}")]
    SubnetMismatch {
        /// Which port.
        port: PortId,
        /// The subnet asked for.
        subnet: SubnetId,
    },
    /// Static routes lead through the interface.
    #[error("router {router} has static routes through subnet {subnet}")]
    InterfaceInUseByRoute {
        /// Which router.
        router: RouterId,
        /// The interface's subnet.
        subnet: SubnetId,
    },
    /// A static route is not one that the router can have.
    #[error("route to {destination}: {reason}")]
    InvalidRoute {
        /// Where the route leads.
        destination: IpNet,
        /// The rule that it breaks.
        reason: String,
    },
    /// The port is a router's interface, so it is the router that changes or deletes it.
    #[error("port {0} is the interface of a router")]
    PortOfRouter(PortId),
    /// The port is a router's gateway, so it is the router that changes or deletes it.
    #[error("port {0} is the gateway of a router")]
    PortOfGateway(PortId),
    /// The port holds a floating IP, and goes with it.
    #[error("port {0} holds a floating IP")]
    PortOfFloatingIp(PortId),
    /// The gateway address is that of a router's interface.
    #[error("gateway {address} of subnet {subnet} is the address of port {port}")]
    GatewayInUse {
        /// Which subnet.
        subnet: SubnetId,
        /// Its gateway.
        address: IpAddr,
        /// The interface that has it.
        port: PortId,
    },
    /// Gateways or floating IPs are on the network.
    #[error("network {0} has gateways or floating IPs, so it stays external")]
    ExternalNetworkInUse(NetworkId),
    /// The external network has no free address left.
    #[error("external network {network} has no free address left")]
    ExternalAddressesExhausted {
        /// Which network.
        network: NetworkId,
    },
    /// All zones of gateways are in use.
    #[error("every gateway's zone is in use")]
    GatewayZonesExhausted,
    /// Floating IPs lead through the gateway.
    #[error("floating IPs need the gateway of router {router} to network {network}")]
    GatewayInUseByFloatingIp {
        /// Which router.
        router: RouterId,
        /// The external network.
        network: NetworkId,
    },
    /// Floating IPs lead through the interface.
    #[error("floating IPs need the interface of router {router} on subnet {subnet}")]
    InterfaceInUseByFloatingIp {
        /// Which router.
        router: RouterId,
        /// The interface's subnet.
        subnet: SubnetId,
    },
    /// A floating IP cannot be that.
    #[error("{0}")]
    BadFloatingIp(String),
    /// No router leads from the external network to the port's subnet.
    #[error("no router leads from external network {network} to subnet {subnet} of port {port}")]
    ExternalGatewayNotFound {
        /// The external network.
        network: NetworkId,
        /// The subnet of the port's address.
        subnet: SubnetId,
        /// The port.
        port: PortId,
    },
    /// Another floating IP of the network stands for the address.
    #[error("address {address} of port {port} has a floating IP of network {network} already")]
    FloatingIpPortAssociated {
        /// The floating IP that cannot stand for it too.
        floating_ip: FloatingIpId,
        /// The port.
        port: PortId,
        /// Its address.
        address: Ipv4Addr,
        /// The external network.
        network: NetworkId,
    },
    /// The floating IP has port forwardings, so it cannot stand for one port.
    #[error("floating IP {0} has port forwardings")]
    FloatingIpForwards(FloatingIpId),
    /// The floating IP stands for a port, so it cannot forward ports.
    #[error("floating IP {0} stands for a port")]
    FloatingIpInUse(FloatingIpId),
    /// A port forwarding cannot be that.
    #[error("{0}")]
    BadPortForwarding(String),
    /// Another port forwarding has one of the ports.
    #[error("{} ports {}-{} of floating IP {floating_ip} meet those of port forwarding {forwarding}",
        .protocol.name(), .external.first, .external.last)]
    ForwardedPortInUse {
        /// Of which floating IP.
        floating_ip: FloatingIpId,
        /// Of which protocol.
        protocol: Transport,
        /// The ports asked for.
        external: PortRange,
        /// Which forwarding has one of them.
        forwarding: PortForwardingId,
    },
    /// The tenant has as much as it may have.
    #[error("the quota of {limit} is used up: {}", .kind.name())]
    OverQuota {
        /// Of what.
        kind: QuotaKind,
        /// How much it may have.
        limit: u32,
    },
    /// It is about a trunk.
    #[error(transparent)]
    Trunk(#[from] TrunkFault),
    /// It is about a QoS policy.
    #[error(transparent)]
    Qos(#[from] QosFault),
    /// What is wrong about address scopes or subnet pools.
    #[error("{0}")]
    Pool(PoolRejected),
    /// What is wrong about sharing.
    #[error("{0}")]
    Rbac(RbacRejected),
    /// What is wrong about ranges of VNIs.
    #[error("{0}")]
    Range(RangeRejected),
    /// Fields break rules: all of them.
    #[error("{}", list(.0))]
    Invalid(Vec<Fault>),
    /// The actor may not do that.
    #[error("{what} is not allowed for this token")]
    Forbidden {
        /// What was tried.
        what: String,
    },
    /// The id is taken.
    #[error("{what} {id} already exists")]
    AlreadyExists {
        /// Which kind of object.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// The object has changed since the caller read it.
    #[error("the object's revision number is {found}, not {expected}")]
    RevisionMismatch {
        /// The number that the caller expected.
        expected: u64,
        /// The number it has.
        found: u64,
    },
}

fn join(ports: &[PortId]) -> String {
    ports.iter().map(PortId::to_string).collect::<Vec<_>>().join(",")
}

fn of_segment(vlan: Option<VlanId>) -> String {
    vlan.map_or_else(|| "the untagged segment".to_owned(), |vlan| format!("VLAN {vlan}"))
}

fn list(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("{} {}", fault.path, fault.reason)).collect::<Vec<_>>().join("; ")
}
