//! Programs on the whole loop in a simulated world; the first byte is its seed.
#![no_main]

#[path = "../../tests/fuzz/bytes.rs"]
mod bytes;
#[path = "../../tests/fuzz/outside.rs"]
#[expect(dead_code, reason = "the test runs programs in this process as well")]
mod outside;
#[path = "../../tests/fuzz/program.rs"]
mod program;
#[path = "../../tests/fuzz/spec.rs"]
mod spec;
#[path = "../../tests/fuzz/steps.rs"]
mod steps;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| program::fuzz(bytes));
