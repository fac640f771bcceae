//! What the rest of libevent, which stays Debian's C, offers the core: its lock tables and its log.
//!
//! The names are looked up when they are first needed and not linked: `LD_PRELOAD` brings this library
//! into shells and other programs that have no libevent, where it must be able to be loaded and do
//! nothing. A program that has none either may load a plug-in that brings one, in a scope of its own: then
//! it is looked for among the libraries that are loaded.
#![expect(unsafe_code, reason = "functions and tables of C are found by name")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulong, c_void};
use std::mem;
use std::sync::OnceLock;

use libc::timeval;

use crate::fit;

/// `struct evthread_lock_callbacks`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct LockFns {
    version: c_int,
    types: c_uint,
    pub(crate) alloc: Option<unsafe extern "C" fn(c_uint) -> *mut c_void>,
    pub(crate) free: Option<unsafe extern "C" fn(*mut c_void, c_uint)>,
    pub(crate) lock: Option<unsafe extern "C" fn(c_uint, *mut c_void) -> c_int>,
    pub(crate) unlock: Option<unsafe extern "C" fn(c_uint, *mut c_void) -> c_int>,
}

/// `struct evthread_condition_callbacks`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConditionFns {
    version: c_int,
    pub(crate) alloc: Option<unsafe extern "C" fn(c_uint) -> *mut c_void>,
    pub(crate) free: Option<unsafe extern "C" fn(*mut c_void)>,
    pub(crate) signal: Option<unsafe extern "C" fn(*mut c_void, c_int) -> c_int>,
    pub(crate) wait:
        Option<unsafe extern "C" fn(*mut c_void, *mut c_void, *const timeval) -> c_int>,
}

type ThreadIdFn = unsafe extern "C" fn() -> c_ulong;
/// `event_warnx` and its like.
pub(crate) type LogFn = unsafe extern "C" fn(*const c_char, ...);
/// `event_errx`.
pub(crate) type FatalFn = unsafe extern "C" fn(c_int, *const c_char, ...) -> !;

/// The tables and functions, where there is a libevent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host {
    locks: Option<&'static Table<LockFns>>,
    conditions: Option<&'static Table<ConditionFns>>,
    thread_id: Option<&'static Table<Option<ThreadIdFn>>>,
    pub(crate) warn: Option<LogFn>,
    pub(crate) message: Option<LogFn>,
    pub(crate) fatal: Option<FatalFn>,
    pub(crate) setup_util_locks: Option<unsafe extern "C" fn(c_int) -> c_int>,
    pub(crate) setup_random_locks: Option<unsafe extern "C" fn(c_int) -> c_int>,
    pub(crate) free_util: Option<unsafe extern "C" fn()>,
    pub(crate) free_random: Option<unsafe extern "C" fn()>,
}

/// A table that its owner fills in while the program starts.
#[repr(transparent)]
#[derive(Debug)]
struct Table<T>(std::cell::UnsafeCell<T>);

// SAFETY: sharing a table must not race: it is only read here, and libevent has programs fill it in
// before they make a base or start a thread.
unsafe impl<T> Sync for Table<T> {}

impl<T: Copy> Table<T> {
    fn read(&self) -> T {
        // SAFETY: the pointer must be that of an initialised value that nobody writes meanwhile: see
        // above.
        unsafe { *self.0.get() }
    }
}

/// What there is. The first call looks it up.
pub(crate) fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    #[cfg(test)]
    return HOST.get_or_init(tests::host);
    #[cfg(not(test))]
    HOST.get_or_init(Host::find)
}

impl Host {
    fn find() -> Self {
        let scope = Scope::find();
        Self {
            locks: scope.table(LOCKS),
            conditions: scope.table(c"evthread_cond_fns_"),
            thread_id: scope.table(c"evthread_id_fn_"),
            warn: scope.function(c"event_warnx"),
            message: scope.function(c"event_msgx"),
            fatal: scope.function(c"event_errx"),
            setup_util_locks: scope.function(c"evutil_global_setup_locks_"),
            setup_random_locks: scope.function(c"evutil_secure_rng_global_setup_locks_"),
            free_util: scope.function(c"evutil_free_globals_"),
            free_random: scope.function(c"evutil_free_secure_rng_globals_"),
        }
    }

    /// The program's functions for locks, if it has set them.
    pub(crate) fn locks(&self) -> Option<LockFns> {
        self.locks
            .map(Table::read)
            .filter(|fns| fns.alloc.is_some())
    }

    /// The program's functions for condition variables, if it has set them.
    pub(crate) fn conditions(&self) -> Option<ConditionFns> {
        self.conditions
            .map(Table::read)
            .filter(|fns| fns.alloc.is_some())
    }

    /// The thread that asks; `None` where the program has not said how to tell threads apart.
    pub(crate) fn thread(&self) -> Option<c_ulong> {
        let function = self.thread_id?.read()?;
        // SAFETY: the function must be callable from any thread at any time, as libevent demands of
        // who sets it.
        Some(unsafe { function() })
    }
}

/// Where names are looked up: what the loader has a handle for.
#[derive(Clone, Copy)]
struct Scope(*mut c_void);

/// The table of a program's functions for locks, which every libevent has.
const LOCKS: &CStr = c"evthread_lock_fns_";

/// What the files are called that have libevent's core in them. One that has all of libevent comes first, as
/// it does for who is linked to it and to `libevent_pthreads`, which brings the other.
const SONAMES: [&CStr; 2] = [c"libevent-2.1.so.7", c"libevent_core-2.1.so.7"];

impl Scope {
    /// Where everybody's names are.
    const ALL: Self = Self(libc::RTLD_DEFAULT);

    /// Where the program's libevent is.
    fn find() -> Self {
        if !Self::ALL.symbol(LOCKS).is_null() {
            return Self::ALL;
        }
        let loaded = SONAMES.map(Self::loaded);
        let mut found = loaded
            .into_iter()
            .flatten()
            .filter(|scope| !scope.symbol(LOCKS).is_null());
        let first = found.clone().next();
        // Two plug-ins may have brought one each. The one that was given locks needs them.
        let is_set_up = |scope: &Self| {
            let table: Option<&Table<LockFns>> = scope.table(LOCKS);
            table.is_some_and(|table| table.read().alloc.is_some())
        };
        let Some(scope) = found.find(is_set_up).or(first) else {
            return Self::ALL;
        };
        fit::check(|name| scope.symbol(name));
        scope
    }

    /// The library of this name and all that it needs, if it is loaded. It stays so.
    fn loaded(soname: &CStr) -> Option<Self> {
        let how = libc::RTLD_LAZY | libc::RTLD_NOLOAD;
        // SAFETY: the name is a string of C. Nothing is loaded, so that nothing of it is run.
        let handle = unsafe { libc::dlopen(soname.as_ptr(), how) };
        (!handle.is_null()).then_some(Self(handle))
    }

    /// The address of a name of C; null where there is none.
    fn symbol(self, name: &CStr) -> *mut c_void {
        // SAFETY: the handle must be one that was not closed, and the name a string of C: none is closed.
        unsafe { libc::dlsym(self.0, name.as_ptr()) }
    }

    fn table<T>(self, name: &CStr) -> Option<&'static Table<T>> {
        let table: *const Table<T> = self.symbol(name).cast();
        // SAFETY: the pointer must be null, or that of a table of this layout that is there for ever: the
        // names are libevent's own; a library that a program was linked to is not unloaded, nor is one
        // that there is a handle of.
        unsafe { table.as_ref() }
    }

    /// The function of this name, as one of type `F`, which is a pointer to functions.
    fn function<F: Copy>(self, name: &CStr) -> Option<F> {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        let address = self.symbol(name);
        if address.is_null() {
            return None;
        }
        // SAFETY: `F` must have the size of the address and take its bits for a value: it is the type of
        // the function that libevent gives this name.
        Some(unsafe { mem::transmute_copy::<*mut c_void, F>(&address) })
    }
}

/// The address of a name of C, wherever it is; null where there is none.
pub(crate) fn symbol(name: &CStr) -> *mut c_void {
    Scope::ALL.symbol(name)
}

#[cfg(test)]
pub(crate) mod tests;
