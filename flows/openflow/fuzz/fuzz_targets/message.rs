//! Fuzz target: any bytes as one message, held against `weft_openflow::message::stable`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Err(broken) = weft_openflow::message::stable::check_message(data) {
        panic!("{broken}");
    }
});
