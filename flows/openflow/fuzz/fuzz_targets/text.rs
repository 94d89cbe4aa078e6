//! Fuzz target: any bytes into `weft_openflow::fuzz::text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weft_openflow::fuzz::text(data));
