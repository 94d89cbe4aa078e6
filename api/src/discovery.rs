//! Discovery documents: which versions, resources and extensions the API has.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A link of a discovery document or of a page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Link {
    /// What is there: `self`, `next`, `previous`.
    pub rel: String,
    /// Where it is.
    pub href: String,
}

/// The answer to `GET /`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct VersionList {
    /// The versions there are.
    pub versions: Vec<Version>,
}

/// One version of the API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// Like `v2.0`.
    pub id: String,
    /// `CURRENT`.
    pub status: String,
    /// Where it begins.
    pub links: Vec<Link>,
}

/// The answer to `GET /v2.0`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ResourceList {
    /// The collections there are.
    pub resources: Vec<Resource>,
}

/// One collection of the API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Resource {
    /// One of them: `network`.
    pub name: String,
    /// All of them: `networks`.
    pub collection: String,
    /// Where they are.
    pub links: Vec<Link>,
}

/// The answer to `GET /v2.0/extensions`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ExtensionList {
    /// The extensions that work here.
    pub extensions: Vec<Extension>,
}

/// The answer to `GET /v2.0/extensions/{alias}`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ExtensionEnvelope {
    /// The extension.
    pub extension: Extension,
}

/// One extension of the OpenStack Networking API that works here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Extension {
    /// Its title.
    pub name: String,
    /// The word that clients look for.
    pub alias: String,
    /// What it adds.
    pub description: String,
    /// When its definition last changed, RFC 3339.
    pub updated: String,
    /// Always empty.
    pub links: Vec<Link>,
}

/// A part of the cloud that fails by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct AvailabilityZone {
    /// What it is called.
    pub name: String,
    /// For what it is: `network` or `router`.
    pub resource: String,
    /// `available` or `unavailable`.
    pub state: String,
}

/// The availability zones.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct AvailabilityZoneList {
    /// Always empty: there are none.
    pub availability_zones: Vec<AvailabilityZone>,
}
