//! The whole conformance suite on `poll(2)`: see `support/setting.rs`.

#[path = "main.rs"]
mod suite;

// Its tests say `crate::support`.
pub(crate) use suite::support;
