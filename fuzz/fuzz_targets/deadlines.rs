//! The timers against a list that is searched from end to end.
#![no_main]

#[path = "../../tests/fuzz/bytes.rs"]
#[expect(dead_code, reason = "other targets use all of it")]
mod bytes;
#[path = "../../tests/fuzz/deadlines.rs"]
mod deadlines;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| deadlines::run(bytes));
