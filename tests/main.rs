//! Conformance through the facade, on the real kernel.
