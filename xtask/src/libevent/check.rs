//! The checks, and what each of them is for.

use super::trial::Trial;
use super::{
    asan, bindings, costs, install, layout, load, memcached, pgbouncer, programs, refusal, regress,
    suite, symbols, tmux, valgrind,
};
use crate::step::{Failure, Verdict};

/// One check of the drop-in.
#[derive(Debug)]
pub(crate) struct Check {
    /// What it is called on the command line.
    pub(super) name: &'static str,
    /// What it does, in a few words.
    pub(super) about: &'static str,
    /// Whether it takes seconds, and needs nothing from the network.
    pub(super) is_quick: bool,
    /// Does it. Details are printed as they come up.
    pub(super) run: fn(&Trial<'_>) -> Result<Verdict, Failure>,
}

/// All checks, the cheapest first.
pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "symbols",
        about: "the library exports what abi/symbols.txt lists, and nothing else",
        is_quick: true,
        run: symbols::check,
    },
    Check {
        name: "layout",
        about: "libevent's headers have the sizes, offsets and values of abi/layout.txt",
        is_quick: true,
        run: layout::check,
    },
    Check {
        name: "bindings",
        about: "the loader binds every symbol of the list to the library, preloaded or by soname",
        is_quick: true,
        run: bindings::check,
    },
    Check {
        name: "pkg-config",
        about: "a C program built by the .pc file runs on the library",
        is_quick: true,
        run: install::check,
    },
    Check {
        name: "refusal",
        about: "it refuses a libevent that it cannot sit on, in one line",
        is_quick: true,
        run: refusal::check,
    },
    Check {
        name: "threads",
        about: "threads add, delete, activate and free events while the loop runs",
        is_quick: true,
        run: programs::threads,
    },
    Check {
        name: "rules",
        about: "what libevent lets a program do works, and what it stops is stopped",
        is_quick: true,
        run: programs::rules,
    },
    Check {
        name: "disorder",
        about: "callbacks free, add, activate and close each other's events at random",
        is_quick: true,
        run: programs::disorder,
    },
    Check {
        name: "memcached",
        about: "memcached stores and returns a value, with 1 thread and 4",
        is_quick: true,
        run: memcached::check,
    },
    Check {
        name: "tmux",
        about: "a tmux session is created, driven, captured and killed",
        is_quick: true,
        run: tmux::check,
    },
    Check {
        name: "pgbouncer",
        about: "pgbench runs through pgbouncer on PostgreSQL",
        is_quick: false,
        run: pgbouncer::check,
    },
    Check {
        name: "regress",
        about: "libevent's own tests, on epoll, with the changelist, on poll, and more",
        is_quick: false,
        run: regress::check,
    },
    Check {
        name: "suite",
        about: "memcached's own tests have the results that they have on Debian's libevent",
        is_quick: false,
        run: suite::check,
    },
    Check {
        name: "load",
        about: "memcached under load: operations for each second of the server's CPU time",
        is_quick: false,
        run: load::check,
    },
    Check {
        name: "costs",
        about: "instructions and system calls of memcached for each request",
        is_quick: false,
        run: costs::check,
    },
    Check {
        name: "valgrind",
        about: "libevent's own tests under memcheck: no error, no leak",
        is_quick: false,
        run: valgrind::check,
    },
    Check {
        name: "asan",
        about: "libevent's own tests and our programs, with the library, under AddressSanitizer",
        is_quick: false,
        run: asan::check,
    },
];
