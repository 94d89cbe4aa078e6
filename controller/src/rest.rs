//! The REST server (being built by its own room).
