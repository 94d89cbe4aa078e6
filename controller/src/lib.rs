//! The shell: store, REST server, engine loop, southbound sessions.

pub mod app;
mod clock;
pub mod config;
pub mod descriptors;
pub mod desk;
pub mod dns;
pub mod engine;
pub mod feed;
pub mod first_token;
pub mod journal;
pub mod metrics;
pub mod notices;
pub mod populate;
pub mod records;
pub mod rest;
pub mod southbound;
pub mod status;
pub mod transfer;
pub mod vault;
