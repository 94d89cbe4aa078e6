//! The pipeline, and the pure functions from a snapshot to the flows and groups of every owner.
//!
//! [`compile()`] turns one [`Owner`] of one snapshot into flows; [`owners`] and [`subscriptions`] say which owners
//! exist and which switch needs them; [`impact()`] says what a change may have altered; [`diff()`] and [`read_back()`]
//! turn "had" and "wants" into a [`Delta`], and [`encode()`] turns deltas into OpenFlow messages in a safe order.
//! Nothing here depends on history: the same snapshot gives the same bytes.

pub mod compile;
pub mod cookie;
pub mod diff;
pub mod difference;
pub mod digest;
pub mod encode;
pub mod explain;
pub mod failover;
mod fields;
pub mod flow;
mod gateways;
pub mod group_id;
pub mod impact;
pub mod meters;
pub mod owner;
pub mod pipeline;
pub mod preview;
pub mod read_back;
mod realms;
pub mod reasons;
pub mod registers;
mod sheet;
pub mod subscribe;
mod tables;
pub mod tallies;
pub mod tunnels;
pub mod uplinks;

pub use compile::{compile, compile_scope, known_neighbour, tally_scope};
pub use cookie::{Cookie, Subject, is_learned};
pub use diff::{Delta, GroupDelta, diff};
pub use difference::differences;
pub use digest::Digest;
pub use encode::{Mod, encode, encode_full};
pub use explain::{flow_text, group_text};
pub use flow::{Compiled, Flow, FlowKey, Group, GroupKind, WatchedBucket};
pub use group_id::GroupUse;
pub use impact::{Impact, impact};
pub use owner::{Owner, Scope};
pub use preview::{FlowChange, preview};
pub use read_back::{Place, SeenFlow, SeenGroup, read_back};
pub use reasons::Reason;
pub use subscribe::{owners, subscribes, subscriptions};
pub use tables::services::advertisements;
pub use tallies::{ByScope, Tallies, Tally, scope_of};
pub use tunnels::{
    BFD_INTERVAL_MS, BFD_MULTIPLIER, Link, Liveness, TunnelId, TunnelPort, TunnelSettings, tunnel, tunnel_at,
    tunnel_ids, tunnel_ofport, tunnel_to, tunnels,
};
pub use uplinks::{UplinkEnd, uplink_ofport, uplinks};
