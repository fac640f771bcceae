//! An event loop as a pure step machine: events, priorities, timers, signals and the turn, with no syscall in it.
