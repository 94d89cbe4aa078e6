//! The shell: store, REST server, engine loop, southbound sessions.

pub mod config;
pub mod desk;
pub mod feed;
pub mod records;
pub mod rest;
pub mod status;
pub mod vault;
