//! Who has what, and which bytes go next: a pure machine between the compiler and the sessions.
//!
//! It is told of commits, connections, read-backs and answers (`handle_*`) and says what to send (`poll_*`). It holds
//! no socket and reads no clock. Network-wide changes are encoded once and the same bytes go to every subscriber.
//!
//! Nothing compiled is kept: compiling is pure, so a change is the difference between the snapshots before and after it,
//! and of each scope only a digest follows. A switch that (re)connects is read back, compared by digest, and sent the
//! difference: first contact, reconnection, drift and a refused message are all this one path.
//!
//! `handle_*` only notes what happened; [`Distributor::work`] does one bounded piece of what follows (a slice of one
//! tenant's changes, or one comparison), so a storm, a cold start and a single change are served side by side.

mod compare;
mod edition;
mod late;
mod ledger;
mod parcel;
mod pending;
mod publish;
mod reads;
mod roster;
mod shelf;
mod switch;

pub use ledger::{Distributor, Drift, ReadFrom, Report, Tuning, Work, Worked};
pub use parcel::Parcel;
pub use switch::{Answer, Depth, Installed, Limits, ReadId, SessionId, Transmit};
