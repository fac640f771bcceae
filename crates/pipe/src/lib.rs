//! The internal pipe of an event loop, and the waker on top of it.
