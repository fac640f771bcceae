//! The changelist, the op table and the recovery rule against a model of the kernel.
#![no_main]

#[path = "../../tests/fuzz/bytes.rs"]
#[expect(dead_code, reason = "other targets use all of it")]
mod bytes;
#[path = "../../tests/fuzz/changes.rs"]
mod changes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| changes::run(bytes));
