//! Fuzz target: any bytes into `weft_openflow::fuzz::fields`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weft_openflow::fuzz::fields(data));
