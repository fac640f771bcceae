//! The whole conformance suite where each change is told at once: see `support/setting.rs`.

#[path = "main.rs"]
mod suite;

// Its tests say `crate::support`.
pub(crate) use suite::support;
