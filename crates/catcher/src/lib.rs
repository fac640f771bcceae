//! One process-wide signal handler that feeds any number of event loops.
