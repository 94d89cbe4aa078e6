//! What every scenario stands on: real Open vSwitch hosts, a real controller, and tenants that use it over REST.

mod drops;
pub mod frames;
mod site;
mod tenancy;
mod witness;

pub use drops::{Drops, drops, wait_drops};
pub use site::{Datapaths, LIMIT, Site, SiteSpec, program};
pub use tenancy::{NetworkSpec, Tenancy, asked};
pub use witness::{Witness, expect_times, send_and_settle};
