//! Fuzzes [`weft_answers::fuzz::userdata`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weft_answers::fuzz::userdata(data));
