//! Forks: a child that lets its parent's loop alone, one that makes it its own, and one that was
//! born in a callback.

mod callbacks;
mod inherited;
mod rebuilt;
mod scene;
mod threads;
