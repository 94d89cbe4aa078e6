//! The text that `ovs-ofctl` speaks, in and out.
