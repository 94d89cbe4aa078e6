//! What every scenario stands on: real Open vSwitch hosts, a real controller, and tenants that use it over REST.

mod site;
mod tenancy;

pub use site::{LIMIT, Site, SiteSpec, program};
pub use tenancy::{NetworkSpec, Tenancy};
