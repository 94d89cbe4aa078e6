//! Whole OpenFlow messages (room under construction).
