//! Who has what, and which bytes go next: a pure machine between the compiler and the sessions.
//!
//! It is told of commits, connections, read-backs and answers (`handle_*`) and says what to send (`poll_*`). It holds
//! no socket and reads no clock. Network-wide changes are encoded once and the same bytes go to every subscriber.
//!
//! A switch that (re)connects is read back, compared with what is wanted, and sent the difference: first contact,
//! reconnection, drift, a refused message and an outbox that ran full are all this one path.

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
