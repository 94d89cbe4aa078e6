//! Fuzzes [`weft_answers::fuzz::dns`]: the first byte says how much of the rest is another server's answer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((length, rest)) = data.split_first() else { return };
    let (answer, packet) = rest.split_at(rest.len().min(usize::from(*length)));
    weft_answers::fuzz::dns(packet, answer);
});
