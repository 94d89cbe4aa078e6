//! What every action must survive: the way to bytes and back.
