//! The REST server: the OpenStack Networking API under `/v2.0`, what it has no word for under `/v1`, and under `/v3` the
//! Identity API, as far as clients need it.
//!
//! A request passes `frame` (id, log, time limit, error bodies), becomes a `Call` (who asks, which state they see) and
//! lands in one handler. Handlers read fields into intents and rows out of the snapshot; what is right is decided by the
//! model's planner, when it happens by the desk.

mod address_groups;
mod address_scopes;
mod agents;
mod apply;
mod audit;
mod availabilities;
mod call;
mod caller;
mod dhcp_options;
mod discovery;
mod docs;
mod document;
mod dry_runs;
mod events;
mod failure;
mod fields;
mod floating_ips;
mod frame;
mod hosts;
mod identity;
mod kind;
mod labels;
mod limits;
mod networks;
mod page;
mod plans;
mod port_forwardings;
mod ports;
mod progress;
mod qos_policies;
mod qos_rules;
mod query;
mod quotas;
mod rbac_policies;
mod routers;
mod scope;
mod security_groups;
mod security_rules;
mod segment_ranges;
mod strangers;
mod subnet_pools;
mod subnets;
mod tags;
mod tenants;
mod tokens;
mod told;
mod traces;
mod trunks;
mod turn;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use tokio_util::sync::CancellationToken;

use crate::config::Authentication;
use crate::desk::Desk;
use crate::issuer::Issuer;
use crate::metrics::Metrics;
use crate::status::Board;
use call::Api;
use failure::Failure;
use frame::Frame;
use identity::Identity;
use limits::Limits;
pub use limits::Rates;

/// Most bytes of a request's body.
const BODY: usize = 1024 * 1024;

/// What the server needs besides the desk and the board.
#[derive(Debug, Clone)]
pub struct Config {
    /// Counters; `metrics.page(&desk, &board)` is what `/metrics` answers.
    pub metrics: Metrics,
    /// Whether callers must show a token.
    pub authentication: Authentication,
    /// How many requests are answered.
    pub rates: Rates,
    /// Whose tokens are accepted besides our own.
    pub issuer: Option<Issuer>,
    /// Ends waiting answers when the controller stops.
    pub stop: CancellationToken,
}

/// All routes.
pub fn router(desk: Desk, board: Board, config: Config) -> Router {
    let (routes, _) = routes().split_for_parts();
    let routes = routes.route("/docs", get(docs::index)).route("/docs/{*name}", get(docs::part));
    let limits = Arc::new(Limits::new(config.rates));
    let frame = Frame { patience: None, limits: limits.clone() };
    let watchers = events::Watchers::default();
    let identity = Identity::default();
    framed(routes.with_state(Api { desk, board, config, limits, watchers, identity }), frame)
}

/// The OpenAPI document of all routes.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = routes().into_openapi();
    dry_runs::describe(&mut document);
    document::say_failures(&mut document);
    document
}

/// Puts what every request goes through around the routes.
fn framed(routes: Router, frame: Frame) -> Router {
    let inner = routes
        .fallback(|| async { Failure::of_status(StatusCode::NOT_FOUND) })
        .layer(DefaultBodyLimit::max(BODY))
        .layer(CatchPanicLayer::new());
    // The frame changes addresses, so it has to stand before the place where routes are chosen.
    Router::new().fallback_service(inner).layer(from_fn_with_state(frame, frame::frame))
}

fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(document::Document::openapi())
        .routes(routes!(discovery::versions))
        .routes(routes!(discovery::resources))
        .routes(routes!(discovery::extensions))
        .routes(routes!(discovery::show_extension))
        .routes(routes!(discovery::openapi))
        .routes(routes!(networks::list, networks::create))
        .routes(routes!(networks::show, networks::update, networks::delete))
        .routes(routes!(subnets::list, subnets::create))
        .routes(routes!(subnets::show, subnets::update, subnets::delete))
        .routes(routes!(ports::list, ports::create))
        .routes(routes!(ports::show, ports::update, ports::delete))
        .routes(routes!(routers::list, routers::create))
        .routes(routes!(routers::show, routers::update, routers::delete))
        .routes(routes!(routers::add_interface))
        .routes(routes!(routers::remove_interface))
        .routes(routes!(routers::add_routes))
        .routes(routes!(routers::remove_routes))
        .routes(routes!(floating_ips::list, floating_ips::create))
        .routes(routes!(floating_ips::show, floating_ips::update, floating_ips::delete))
        .routes(routes!(port_forwardings::list, port_forwardings::create))
        .routes(routes!(port_forwardings::show, port_forwardings::update, port_forwardings::delete))
        .routes(routes!(quotas::list))
        .routes(routes!(quotas::show, quotas::update, quotas::delete))
        .routes(routes!(quotas::defaults))
        .routes(routes!(quotas::details))
        .routes(routes!(security_groups::list, security_groups::create))
        .routes(routes!(security_groups::show, security_groups::update, security_groups::delete))
        .routes(routes!(security_rules::list, security_rules::create))
        .routes(routes!(security_rules::show, security_rules::delete))
        .routes(routes!(address_groups::list, address_groups::create))
        .routes(routes!(address_groups::show, address_groups::update, address_groups::delete))
        .routes(routes!(address_groups::add))
        .routes(routes!(address_groups::remove))
        .merge(shaping_and_sharing())
        .routes(routes!(tags::list, tags::replace, tags::clear))
        .routes(routes!(tags::show, tags::add, tags::remove))
        .routes(routes!(tenants::list, tenants::create))
        .routes(routes!(tenants::show, tenants::update, tenants::delete))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::delete))
        .routes(routes!(hosts::list))
        .routes(routes!(hosts::show, hosts::delete))
        .merge(identity::routes())
        .routes(routes!(audit::list))
        .routes(routes!(traces::trace))
        .routes(routes!(progress::applied))
        .routes(routes!(events::events))
        .routes(routes!(apply::apply))
        .routes(routes!(progress::whoami))
        .routes(routes!(progress::health))
        .routes(routes!(progress::ready))
        .routes(routes!(progress::metrics))
}

/// What shapes ports, and what tenants have of each other.
fn shaping_and_sharing() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(trunks::list, trunks::create))
        .routes(routes!(trunks::show, trunks::update, trunks::delete))
        .routes(routes!(trunks::subports))
        .routes(routes!(trunks::add))
        .routes(routes!(trunks::remove))
        .routes(routes!(qos_policies::list, qos_policies::create))
        .routes(routes!(qos_policies::show, qos_policies::update, qos_policies::delete))
        .routes(routes!(qos_policies::types))
        .routes(routes!(qos_policies::show_type))
        .routes(routes!(qos_rules::list_limits, qos_rules::create_limit))
        .routes(routes!(qos_rules::show_limit, qos_rules::update_limit, qos_rules::delete_limit))
        .routes(routes!(qos_rules::list_marks, qos_rules::create_mark))
        .routes(routes!(qos_rules::show_mark, qos_rules::update_mark, qos_rules::delete_mark))
        .routes(routes!(qos_rules::list_minimums, qos_rules::create_minimum))
        .routes(routes!(subnet_pools::list, subnet_pools::create))
        .routes(routes!(subnet_pools::show, subnet_pools::update, subnet_pools::delete))
        .routes(routes!(address_scopes::list, address_scopes::create))
        .routes(routes!(address_scopes::show, address_scopes::update, address_scopes::delete))
        .routes(routes!(rbac_policies::list, rbac_policies::create))
        .routes(routes!(rbac_policies::show, rbac_policies::update, rbac_policies::delete))
        .routes(routes!(availabilities::list))
        .routes(routes!(availabilities::show))
        .routes(routes!(segment_ranges::list, segment_ranges::create))
        .routes(routes!(segment_ranges::show, segment_ranges::update, segment_ranges::delete))
        .routes(routes!(agents::list))
        .routes(routes!(agents::show, agents::delete))
        .routes(routes!(discovery::availability_zones))
}

#[cfg(test)]
mod tests;
