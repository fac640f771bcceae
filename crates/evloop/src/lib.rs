//! libevent's event core in Rust: I/O readiness, signals and timers as one kind of event, run by one loop.
