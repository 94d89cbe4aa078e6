//! Durable, ordered, revisioned records behind one small trait, with redb (default) and sled below it.
//!
//! Start with [`Store`], then [`Batch`]; [`open`] gives a store on disk.

mod batch;
mod contract;
mod error;
mod frame;
mod history;
mod layout;
mod log;
mod medium;
mod pieces;
mod place;
mod record;
mod records;
mod redb_medium;
mod sled_medium;
mod sled_view;
mod transfer;
mod upgrade;
mod watch;

pub use batch::{Batch, Change, Condition, Op};
pub use contract::{CheckReport, Compaction, Snapshot, Store, Watch};
pub use error::{Conflict, Damage, Fault, StoreError};
pub use place::{Engine, Options, open};
pub use record::{
    BATCH_BYTES_MAX, BATCH_OPS_MAX, KEY_BYTES_MAX, Record, Revision, Span, TABLE_NAME_BYTES_MAX, TABLES_MAX,
    Table, VALUE_BYTES_MAX,
};
