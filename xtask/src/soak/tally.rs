//! One side's account of what happened: the clients keep one, the server tells its own.

use std::fmt;
use std::ops::{AddAssign, Sub};

use crate::live::number;

/// Counts, under the names by which the server knows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) connections: u64,
    /// Connections that were one too many, and were told so.
    pub(super) unavailable: u64,
    /// Connections that the server closed because nothing, or not enough, came.
    pub(super) timed_out: u64,
    /// Requests that were understood.
    pub(super) requests: u64,
    /// Responses by the first digit of their status.
    pub(super) ok: u64,
    pub(super) refused: u64,
}

impl Tally {
    /// The server's account, of a snapshot.
    pub(super) fn of(snapshot: &str) -> Option<Self> {
        let count = |path: &[&str]| number(snapshot, path);
        Some(Self {
            connections: count(&["connections", "accepted"])?,
            unavailable: count(&["connections", "refused"])?,
            timed_out: count(&["connections", "timed_out"])?,
            requests: count(&["requests"])?,
            ok: count(&["responses", "2xx"])?,
            refused: count(&["responses", "4xx"])?,
        })
    }

    fn rows(&self) -> [(&'static str, u64); 6] {
        [
            ("connections", self.connections),
            ("told there is no room", self.unavailable),
            ("timed out", self.timed_out),
            ("requests", self.requests),
            ("answered 2xx", self.ok),
            ("answered 4xx", self.refused),
        ]
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.connections += other.connections;
        self.unavailable += other.unavailable;
        self.timed_out += other.timed_out;
        self.requests += other.requests;
        self.ok += other.ok;
        self.refused += other.refused;
    }
}

impl Sub for Tally {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            connections: self.connections - other.connections,
            unavailable: self.unavailable - other.unavailable,
            timed_out: self.timed_out - other.timed_out,
            requests: self.requests - other.requests,
            ok: self.ok - other.ok,
            refused: self.refused - other.refused,
        }
    }
}

/// Two accounts of the same, side by side.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) clients: Tally,
    pub(super) server: Tally,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:<24}{:>12}{:>12}", "", "clients", "server")?;
        let rows = self.clients.rows().into_iter().zip(self.server.rows());
        for ((name, clients), (_, server)) in rows {
            writeln!(f, "  {name:<24}{clients:>12}{server:>12}")?;
        }
        Ok(())
    }
}
