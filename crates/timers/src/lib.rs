//! Deadlines of an event loop: an indexed min-heap with lazy re-arming, and lanes for common timeouts.
