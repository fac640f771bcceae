//! What programs are handed comes from the functions that they have set, and goes back there.
#![expect(unsafe_code, reason = "the functions are C's")]

use std::collections::HashSet;
use std::ffi::{CStr, c_int, c_short, c_void};
use std::ptr;
use std::sync::Mutex;

use evloop_libevent::{
    event_base_free, event_base_new, event_base_once, event_config_free, event_config_new,
    event_free, event_mm_calloc_, event_mm_free_, event_mm_malloc_, event_mm_realloc_,
    event_mm_strdup_, event_new, event_set_mem_functions,
};
use libc::timeval;

/// The blocks that are handed out, by address.
static BLOCKS: Mutex<Option<HashSet<usize>>> = Mutex::new(None);

fn with<R>(f: impl FnOnce(&mut HashSet<usize>) -> R) -> R {
    let mut blocks = BLOCKS.lock().expect("no test panics with it");
    f(blocks.get_or_insert_default())
}

unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    // SAFETY: no precondition.
    let block = unsafe { libc::malloc(size) };
    with(|blocks| assert!(blocks.insert(block.addr())));
    block
}

unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    with(|blocks| assert!(block.is_null() || blocks.remove(&block.addr())));
    // SAFETY: the block came from these functions.
    let block = unsafe { libc::realloc(block, size) };
    with(|blocks| assert!(blocks.insert(block.addr())));
    block
}

unsafe extern "C" fn free(block: *mut c_void) {
    with(|blocks| assert!(block.is_null() || blocks.remove(&block.addr())));
    // SAFETY: the block came from these functions.
    unsafe { libc::free(block) };
}

fn is_known<T>(block: *const T) -> bool {
    with(|blocks| blocks.contains(&block.addr()))
}

unsafe extern "C" fn nothing(_: c_int, _: c_short, _: *mut c_void) {}

/// One test, for the functions are the process's, and set before anything else.
#[test]
fn what_is_handed_out_comes_from_the_programs_functions_and_goes_back() {
    // SAFETY: nothing else was called yet.
    unsafe { event_set_mem_functions(Some(malloc), Some(realloc), Some(free)) };
    let config = event_config_new();
    assert!(is_known(config));
    // SAFETY: nobody uses it any more.
    unsafe { event_config_free(config) };

    let base = event_base_new();
    assert!(is_known(base));
    // SAFETY: the base is there until it is freed.
    let opened = unsafe { base.as_ref() };
    // SAFETY: the base is one.
    let event = unsafe { event_new(opened, -1, 0, Some(nothing), ptr::null_mut()) };
    assert!(is_known(event));
    let late = timeval {
        tv_sec: 60,
        tv_usec: 0,
    };
    let before = with(|blocks| blocks.len());
    // SAFETY: the base is one.
    let asked =
        unsafe { event_base_once(opened, -1, 1, Some(nothing), ptr::null_mut(), Some(&late)) };
    assert_eq!((asked, with(|blocks| blocks.len())), (0, before + 1));

    let mut block = event_mm_calloc_(3, 5);
    // SAFETY: the block has 15 bytes.
    let bytes = unsafe { std::slice::from_raw_parts(block.cast::<u8>(), 15) };
    assert_eq!(bytes, [0; 15]);
    // SAFETY: the block is this one's.
    block = unsafe { event_mm_realloc_(block, 100) };
    // SAFETY: the string is one.
    let copy = unsafe { event_mm_strdup_(c"copied".as_ptr()) };
    // SAFETY: so is the copy.
    assert_eq!(unsafe { CStr::from_ptr(copy) }, c"copied");
    assert!(is_known(block) && is_known(copy));
    for block in [block, copy.cast()] {
        // SAFETY: nobody uses it any more.
        unsafe { event_mm_free_(block) };
    }
    assert!(event_mm_malloc_(0).is_null());
    assert!(event_mm_calloc_(usize::MAX, 2).is_null());

    // SAFETY: nobody uses the event any more.
    unsafe { event_free(event) };
    // SAFETY: nor the base, with which goes what never ran.
    unsafe { event_base_free(base) };
    assert_eq!(with(|blocks| blocks.len()), 0);
}
