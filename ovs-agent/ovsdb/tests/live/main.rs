//! The client against a real `ovsdb-server`: unprivileged, on a private socket in a directory that vanishes.

mod dialled;
mod guards;
mod histories;
mod locks;
mod monitoring;
mod requests;
mod server;
mod wire;
