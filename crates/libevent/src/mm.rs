//! The memory that programs are handed: from their own functions, if they have set some.
//!
//! Events, one-shot events and bases are made of it. What a loop keeps for itself (tables, queues) comes
//! from Rust's allocator: none of it is ever handed out.
#![expect(unsafe_code, reason = "memory is handed out as C does")]

use std::cell::UnsafeCell;
use std::ffi::{c_char, c_void};
use std::ptr;

type MallocFn = unsafe extern "C" fn(usize) -> *mut c_void;
type ReallocFn = unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void;
type FreeFn = unsafe extern "C" fn(*mut c_void);

#[derive(Clone, Copy)]
struct Functions {
    malloc: Option<MallocFn>,
    realloc: Option<ReallocFn>,
    free: Option<FreeFn>,
}

static FUNCTIONS: Chosen = Chosen(UnsafeCell::new(Functions {
    malloc: None,
    realloc: None,
    free: None,
}));

/// What the program has chosen, which it does before anything else.
struct Chosen(UnsafeCell<Functions>);

// SAFETY: sharing must not race: who writes calls `event_set_mem_functions` before any other function,
// as libevent demands; after that it is only read.
unsafe impl Sync for Chosen {}

fn functions() -> Functions {
    // SAFETY: the pointer must be that of a value that nobody writes meanwhile: see above.
    unsafe { *FUNCTIONS.0.get() }
}

/// Replaces the functions that memory comes from; null: the C library's.
///
/// # Safety
///
/// The functions behave as those of the C library. It is called before anything else of libevent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_set_mem_functions(
    malloc: Option<MallocFn>,
    realloc: Option<ReallocFn>,
    free: Option<FreeFn>,
) {
    let chosen = Functions {
        malloc,
        realloc,
        free,
    };
    // SAFETY: nobody may read or write the value meanwhile: the caller has called nothing else yet.
    unsafe { *FUNCTIONS.0.get() = chosen };
}

/// `malloc`; null for nothing.
#[unsafe(no_mangle)]
pub extern "C" fn event_mm_malloc_(size: usize) -> *mut c_void {
    if size == 0 {
        return ptr::null_mut();
    }
    match functions().malloc {
        // SAFETY: the program's function does what `malloc` does.
        Some(malloc) => unsafe { malloc(size) },
        // SAFETY: no precondition.
        None => unsafe { libc::malloc(size) },
    }
}

/// `calloc`; null for nothing.
#[unsafe(no_mangle)]
pub extern "C" fn event_mm_calloc_(count: usize, size: usize) -> *mut c_void {
    let Some(all) = count.checked_mul(size) else {
        set_errno(libc::ENOMEM);
        return ptr::null_mut();
    };
    let memory = event_mm_malloc_(all);
    if !memory.is_null() {
        // SAFETY: the memory must be writable for so many bytes: it was just made of them.
        unsafe { ptr::write_bytes(memory.cast::<u8>(), 0, all) };
    }
    memory
}

/// `realloc`.
///
/// # Safety
///
/// `memory` is null, or came from one of these functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_mm_realloc_(memory: *mut c_void, size: usize) -> *mut c_void {
    match functions().realloc {
        // SAFETY: the program's function does what `realloc` does; the caller vouches for the memory.
        Some(realloc) => unsafe { realloc(memory, size) },
        // SAFETY: the caller vouches for the memory.
        None => unsafe { libc::realloc(memory, size) },
    }
}

/// `free`.
///
/// # Safety
///
/// `memory` is null, or came from one of these functions and is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_mm_free_(memory: *mut c_void) {
    match functions().free {
        // SAFETY: the program's function does what `free` does; the caller vouches for the memory.
        Some(free) => unsafe { free(memory) },
        // SAFETY: the caller vouches for the memory.
        None => unsafe { libc::free(memory) },
    }
}

/// `strdup`; null, with `EINVAL`, for null.
///
/// # Safety
///
/// `text` is null or a string of C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_mm_strdup_(text: *const c_char) -> *mut c_char {
    if text.is_null() {
        set_errno(libc::EINVAL);
        return ptr::null_mut();
    }
    // SAFETY: the caller vouches for the string.
    let size = unsafe { libc::strlen(text) } + 1;
    let copy: *mut c_char = event_mm_malloc_(size).cast();
    if !copy.is_null() {
        // SAFETY: both must be valid for so many bytes and apart: the one is the string with its end,
        // the other was just made as long.
        unsafe { ptr::copy_nonoverlapping(text, copy, size) };
    }
    copy
}

/// Puts a value into memory from [`event_mm_malloc_`]; null where there is none.
pub(crate) fn place<T>(value: T) -> *mut T {
    const { assert!(align_of::<T>() <= 16, "malloc aligns no further") };
    let memory: *mut T = event_mm_malloc_(size_of::<T>()).cast();
    if memory.is_null() {
        drop(value);
    } else {
        // SAFETY: the memory must be writable and aligned: it was just made, by a `malloc`, of this
        // size.
        unsafe { memory.write(value) };
    }
    memory
}

/// Says why a call failed, as C does.
pub(crate) fn set_errno(errno: i32) {
    // SAFETY: no precondition.
    let location = unsafe { libc::__errno_location() };
    // SAFETY: the pointer is that of this thread's errno.
    unsafe { *location = errno };
}
