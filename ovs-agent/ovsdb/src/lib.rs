//! A client of the Open vSwitch database protocol: RFC 7047 with the extensions of ovsdb-server(7), and typed rows.
//!
//! ```text
//!  Client (clones) --commands--> Driver (one task) <--bytes--> ovsdb-server
//!  Events (one taker) <--events--/   owns Conversation: requests under way, one Replica per monitor
//!  Mirror (the taker's) <--apply(batch)-- Event::Changed
//! ```
//!
//! The controller accepts the connection of a host, an agent dials its own; both then do the same:
//!
//! ```no_run
//! # async fn example(io: tokio::net::TcpStream) -> Result<(), weft_ovsdb::Error> {
//! use weft_ovsdb::vswitch::{Bridge, Interface, OpenVSwitch};
//! use weft_ovsdb::{Event, Mirror, Options, Plan, Session, Table, Transaction};
//!
//! let (client, mut events) = Session::start(io, Options::default());
//! let schema = client.get_schema("Open_vSwitch").await?;
//! let plan = Plan::of(&schema).table::<OpenVSwitch>()?.table::<Bridge>()?.table::<Interface>()?.build();
//! let mut mirror = Mirror::new(plan);
//! client.monitor(&mirror).await?;
//! while let Some(event) = events.next().await {
//!     let Event::Changed(batch) = event else { continue };
//!     mirror.apply(&batch);
//!     let Some((root, host)) = mirror.find::<OpenVSwitch>(|_| true) else { continue };
//!     if mirror.find::<Bridge>(|bridge| bridge.name == "br-int").is_none() {
//!         let mut txn = Transaction::on("Open_vSwitch");
//!         txn.expect(root, OpenVSwitch::record().set(OpenVSwitch::bridges(), host.bridges));
//!         let bridge = txn.insert(Bridge::record().set(Bridge::name(), "br-int"));
//!         txn.mutate(root, OpenVSwitch::bridges().insert([bridge]));
//!         client.transact(&txn).await?;
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod address;
mod column;
mod content;
mod conversation;
mod datum;
mod driver;
mod error;
mod framing;
#[doc(hidden)]
pub mod fuzz;
mod jsonrpc;
mod mirror;
mod notation;
mod packed;
mod plan;
mod replica;
mod row;
mod scalar;
mod schema;
mod session;
mod table;
mod transaction;
mod updates;
pub mod vswitch;

pub use address::{Address, DEFAULT_PORT, NotAnAddress, connect};
pub use column::{Clause, Column, Mutations, Scalar, Value, ValueFor};
pub use conversation::{Event, MonitorMethod};
pub use datum::{Atom, Datum, Real};
pub use driver::Driver;
pub use error::{Error, Place, Reason, Refusal, SchemaMismatch};
pub use framing::{DEFAULT_MESSAGE_LIMIT, FrameError, Framing};
pub use mirror::{Batch, Change, Mirror, MonitorId, TransactionId, TypedChange};
pub use plan::{Plan, PlanBuilder, check_table};
pub use row::{Ids, Layout, Row, View};
pub use schema::{AtomType, ColumnSchema, ColumnType, Schema, TableSchema};
pub use session::{Client, Events, Lock, Options, Session, Submitted, Watch};
pub use table::{ColumnSpec, Columns, Fresh, Id, Pointer, Record, Table, field};
pub use transaction::{Committed, Counted, Selection, Target, Transaction};
