//! The epoll backend: applies changes through the op table, waits to the nanosecond.
