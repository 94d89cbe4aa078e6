//! The agent against what a host really has: an `ovsdb-server` and network namespaces. Needs root for the namespaces.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod database;
mod namespaces;
mod server;
