//! The epoll backend: applies changes through the op table, waits to the nanosecond.

mod apply;
mod epoll;
mod growth;
mod sys;
mod wait;

pub use epoll::{CreateError, Epoll};
