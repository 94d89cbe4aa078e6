//! How routers look on disk.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use weft_model::{NextHop, Route, Router, RouterId, RouterKey};

use super::gateways::StoredGateway;
use super::{Names, StoredStamp, id};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredRouter<'a> {
    id: Uuid,
    #[serde(borrow)]
    tenant: Cow<'a, str>,
    key: u32,
    #[serde(borrow)]
    stamp: StoredStamp<'a>,
    admin_up: bool,
    /// Destination and next hop; without one it is a blackhole.
    #[serde(default)]
    routes: Vec<(String, Option<IpAddr>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gateway: Option<StoredGateway>,
}

impl<'a> From<&'a Router> for StoredRouter<'a> {
    fn from(r: &'a Router) -> Self {
        let route = |route: &Route| {
            let via = match route.next_hop {
                NextHop::Via(via) => Some(via),
                NextHop::Blackhole => None,
            };
            (route.destination.to_string(), via)
        };
        StoredRouter {
            id: r.id.0,
            tenant: r.tenant.as_str().into(),
            key: r.key.get(),
            stamp: (&r.stamp).into(),
            admin_up: r.admin_up,
            routes: r.routes.iter().map(route).collect(),
            gateway: r.gateway.as_ref().map(StoredGateway::from),
        }
    }
}

impl StoredRouter<'_> {
    pub(super) fn parse(self, names: &mut Names) -> Result<Router, String> {
        let route = |(destination, via): (String, Option<IpAddr>)| -> Result<Route, String> {
            let next_hop = via.map_or(NextHop::Blackhole, NextHop::Via);
            Ok(Route { destination: id(&destination)?, next_hop })
        };
        Ok(Router {
            id: RouterId(self.id),
            tenant: names.tenant(&self.tenant)?,
            key: RouterKey::new(self.key).ok_or("router key out of range")?,
            stamp: self.stamp.into(),
            admin_up: self.admin_up,
            routes: self.routes.into_iter().map(route).collect::<Result<_, _>>()?,
            gateway: self.gateway.map(StoredGateway::parse).transpose()?,
        })
    }
}
