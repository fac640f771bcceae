//! The signal map of an event loop: signal number to events, and when a handler is wanted.
