//! The OpenAPI document's own parts: title, security, request envelopes, the parameters of lists.
#![allow(dead_code, reason = "the types here are read by the document's generator only")]

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{IntoParams, Modify, OpenApi, ToSchema};
use weft_api as api;

/// Everything but the routes, which say themselves what they are.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Weft",
        description = "Tenant networks over Open vSwitch. Under /v2.0 the OpenStack Networking API; under /v1 what \
            that API has no word for. Every answer carries the store's revision in the header Weft-Revision; \
            /v1/applied waits until it is in force on every switch.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    security(("token" = []), ("bearer" = [])),
    modifiers(&Schemes)
)]
pub(super) struct Document;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let header = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Auth-Token")));
        components.add_security_scheme("token", header);
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
}

/// Says of every operation with which statuses it may fail, instead of `default`: the body is the same for all of them.
///
/// What the frame answers is the same everywhere, so no operation says it itself: a route is documented by being there.
pub(super) fn say_failures(document: &mut utoipa::openapi::OpenApi) {
    let mut bodies = BTreeMap::new();
    for (path, item) in &mut document.paths.paths {
        let name = match path {
            path if path.starts_with("/v2.0") => "NeutronFailure",
            path if path.starts_with("/v3") => "IdentityFailure",
            _ => "Failure",
        };
        let operations = [
            (&mut item.get, Does::Read),
            (&mut item.post, Does::Create),
            (&mut item.put, Does::Change),
            (&mut item.delete, Does::Change),
        ];
        for (operation, does) in operations {
            let Some(operation) = operation else { continue };
            let responses = &mut operation.responses.responses;
            let Some(mut failure) = responses.remove("default") else { continue };
            if let RefOr::T(response) = &mut failure {
                response.description = "Why not; the status says what kind of reason it is.".to_owned();
            }
            let shared = bodies.entry(name.to_owned()).or_insert_with(|| failure.clone());
            let said = if *shared == failure { RefOr::Ref(Ref::from_response_name(name)) } else { failure };
            for status in does.failures() {
                responses.entry((*status).to_owned()).or_insert_with(|| said.clone());
            }
        }
    }
    document.components.get_or_insert_default().responses.extend(bodies);
}

/// What an operation does, as far as its failures go.
#[derive(Clone, Copy)]
enum Does {
    Read,
    Create,
    Change,
}

impl Does {
    fn failures(self) -> &'static [&'static str] {
        match self {
            // 404 also of a list, whose marker may be gone.
            Does::Read => &["400", "401", "403", "404", "429", "500", "503"],
            Does::Create => &["400", "401", "403", "404", "409", "413", "429", "500", "503"],
            Does::Change => &["400", "401", "403", "404", "409", "412", "413", "429", "500", "503"],
        }
    }
}

/// What every list takes. Besides these, every attribute of the resource is a filter: `name=blue`, and the same one
/// twice means either value.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParameters {
    /// An attribute to show; all of them when absent. May be given several times.
    fields: Option<Vec<String>>,
    /// An attribute to sort by. May be given several times.
    sort_key: Option<Vec<String>>,
    /// `asc` or `desc`, once for every `sort_key`.
    sort_dir: Option<Vec<String>>,
    /// Most objects in one answer, at most 10,000; the rest is linked to.
    limit: Option<u64>,
    /// The id of the last object of the page before.
    marker: Option<String>,
    /// The page before the marker instead of the one after it.
    page_reverse: Option<bool>,
}

macro_rules! bodies {
    ($($name:ident { $member:ident: $of:ty })*) => {$(
        /// The envelope of a request.
        #[derive(ToSchema, Serialize)]
        pub(super) struct $name {
            $member: $of,
        }
    )*};
}

bodies! {
    NewNetworkBody { network: api::NetworkCreate }
    NetworkBody { network: api::NetworkUpdate }
    NewSubnetBody { subnet: api::SubnetCreate }
    SubnetBody { subnet: api::SubnetUpdate }
    NewPortBody { port: api::PortCreate }
    PortBody { port: api::PortUpdate }
    NewRouterBody { router: api::RouterCreate }
    RouterBody { router: api::RouterUpdate }
    RouterRoutesBody { router: api::RouterRoutes }
    NewFloatingIpBody { floatingip: api::FloatingIpCreate }
    FloatingIpBody { floatingip: api::FloatingIpUpdate }
    NewPortForwardingBody { port_forwarding: api::PortForwardingCreate }
    PortForwardingBody { port_forwarding: api::PortForwardingUpdate }
    QuotaBody { quota: api::QuotaUpdate }
    NewSecurityGroupBody { security_group: api::SecurityGroupCreate }
    SecurityGroupBody { security_group: api::SecurityGroupUpdate }
    NewSecurityGroupRuleBody { security_group_rule: api::SecurityGroupRuleCreate }
    NewAddressGroupBody { address_group: api::AddressGroupCreate }
    AddressGroupBody { address_group: api::AddressGroupUpdate }
    AddressGroupAddressesBody { address_group: api::AddressGroupAddresses }
    NewTrunkBody { trunk: api::TrunkCreate }
    TrunkBody { trunk: api::TrunkUpdate }
    NewQosPolicyBody { policy: api::QosPolicyCreate }
    QosPolicyBody { policy: api::QosPolicyUpdate }
    BandwidthLimitRuleBody { bandwidth_limit_rule: api::BandwidthLimitRuleAsked }
    DscpMarkingRuleBody { dscp_marking_rule: api::DscpMarkingRuleAsked }
    MinimumBandwidthRuleBody { minimum_bandwidth_rule: api::MinimumBandwidthRuleAsked }
    NewSubnetPoolBody { subnetpool: api::SubnetPoolCreate }
    SubnetPoolBody { subnetpool: api::SubnetPoolUpdate }
    NewAddressScopeBody { address_scope: api::AddressScopeCreate }
    AddressScopeBody { address_scope: api::AddressScopeUpdate }
    NewNetworkSegmentRangeBody { network_segment_range: api::NetworkSegmentRangeCreate }
    NetworkSegmentRangeBody { network_segment_range: api::NetworkSegmentRangeUpdate }
    NewRbacPolicyBody { rbac_policy: api::RbacPolicyCreate }
    RbacPolicyBody { rbac_policy: api::RbacPolicyUpdate }
    NewTenantBody { tenant: api::TenantCreate }
    TenantBody { tenant: api::TenantUpdate }
    NewProjectBody { project: api::identity::ProjectCreate }
    ProjectBody { project: api::identity::ProjectUpdate }
    NewUserBody { user: api::identity::UserCreate }
    UserBody { user: api::identity::UserUpdate }
    PasswordBody { user: api::identity::PasswordChange }
    NewAppCredentialBody { application_credential: api::identity::AppCredentialCreate }
    NewTokenBody { token: api::TokenCreate }
    TraceBody { trace: api::TraceAsked }
    ApplyBody { apply: api::ApplyAsked }
}
