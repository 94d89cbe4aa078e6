//! Fuzzes [`weft_answers::fuzz::packet`]: the first byte says how much of the rest is userdata.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((length, rest)) = data.split_first() else { return };
    let (userdata, packet) = rest.split_at(rest.len().min(usize::from(*length)));
    weft_answers::fuzz::packet(userdata, packet);
});
