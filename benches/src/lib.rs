//! Benchmarks of the loop.
