//! A deterministic backend and clock for tests: a model kernel, virtual time, seeded disorder.
