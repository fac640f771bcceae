//! A loop that is used from other threads: commands in order and none lost, answers that come back,
//! deletes that wait for the callback, and no more system calls than it takes.

mod activator_model;
mod activators;
mod answers;
mod beside;
mod deleting;
mod ending;
mod flood;
mod posts;
mod wakeups;
