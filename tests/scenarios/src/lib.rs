//! What every scenario stands on: real Open vSwitch hosts, a real controller, and tenants that use it over REST; and in
//! [`simulated`] the same with hosts that are not real, as many as one likes.

mod caches;
mod drops;
pub mod fabric;
pub mod frames;
mod installed;
pub mod simulated;
mod site;
mod tenancy;
mod traffic;
mod witness;

pub use caches::wait_caches;
pub use drops::{Drops, drops, drops_text, wait_drops};
pub use installed::{check_installed, stored, wanted};
pub use site::{Datapaths, LIMIT, Site, SiteSpec, program};
pub use tenancy::{NetworkSpec, Tenancy, asked};
pub use traffic::Traffic;
pub use witness::{Witness, expect_times, send_and_settle};
