//! The check at start-up: whether the libevent that a program brings is one that this library can sit
//! on.
//!
//! A process without libevent is left alone: `LD_PRELOAD` reaches every program that a script starts.
//! In one with a libevent that does not fit, half of the calls would go to the one library and half to
//! the other, with each other's memory. Such a process is ended before it begins; one that loads such a
//! libevent later, with a plug-in, when it first needs it here.
#![expect(unsafe_code, reason = "the loader is asked in C")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::io::Write;
use std::mem::{self, MaybeUninit};
use std::ptr;
use std::slice;

use libc::dl_phdr_info;

/// What the loader runs when it has loaded the library, and everything else.
#[used]
// SAFETY: the section must hold functions that can be called before `main`: this one takes no
// arguments, and needs no more than the C library and what of Rust's asks for no preparation.
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = at_start;

extern "C" fn at_start() {
    check(next);
}

/// Ends the process if there is a libevent, where `find` looks names up, and it does not fit.
pub(crate) fn check(find: impl Fn(&CStr) -> *mut c_void) {
    if let Err(unfit) = look(|name| Some(find(name)).filter(|address| !address.is_null())) {
        // Nobody can be told any better if that fails.
        _ = writeln!(
            std::io::stderr(),
            "evloop-libevent: cannot run here: {unfit}"
        );
        // SAFETY: there is no precondition. What the program has begun is left as it is: nothing that it
        // did to end in order could be relied on.
        unsafe { libc::_exit(127) };
    }
}

/// Looks at the libevent behind this library, if there is one; else says what does not fit.
fn look(find: impl Fn(&CStr) -> Option<*mut c_void>) -> Result<(), String> {
    let Some(number) = find(c"event_get_version_number") else {
        return Ok(());
    };
    // SAFETY: the name is that of a function of this type in every libevent.
    let number = unsafe { mem::transmute::<*mut c_void, extern "C" fn() -> c_uint>(number) }();
    if number >> 16 != 0x0201 {
        let found = version(&find).unwrap_or_else(|| format!("of number {number:#x}"));
        return Err(format!(
            "the program's libevent is {found}, and must be a 2.1"
        ));
    }
    if crate::host::symbol(c"gnu_get_libc_version").is_null() {
        return Err("the C library is not glibc".to_owned());
    }
    let Some(inner) = find(c"event_deferred_cb_schedule_") else {
        return Err(
            "the program's libevent does not export event_deferred_cb_schedule_, so its other parts \
             would not call this library"
                .to_owned(),
        );
    };
    if is_symbolic(inner) {
        return Err(
            "the program's libevent was linked with -Bsymbolic, so its other parts would not call \
             this library"
                .to_owned(),
        );
    }
    Ok(())
}

/// The version of the program's libevent, in words.
fn version(find: impl Fn(&CStr) -> Option<*mut c_void>) -> Option<String> {
    let function = find(c"event_get_version")?;
    // SAFETY: the name is that of a function of this type in every libevent.
    let function =
        unsafe { mem::transmute::<*mut c_void, extern "C" fn() -> *const c_char>(function) };
    // SAFETY: it returns a constant string.
    let text = unsafe { CStr::from_ptr(function()) };
    Some(text.to_string_lossy().into_owned())
}

/// The address of a name in the libraries that come after this one; null where there is none.
fn next(name: &CStr) -> *mut c_void {
    // SAFETY: the name is a string of C.
    unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) }
}

/// Whether the file that an address is in looks its own names up in itself first.
fn is_symbolic(address: *mut c_void) -> bool {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: the second pointer is that of memory for the answer.
    let found = unsafe { libc::dladdr(address, info.as_mut_ptr()) };
    if found == 0 {
        return false;
    }
    // SAFETY: the loader has filled it in.
    let info = unsafe { info.assume_init() };
    let mut search = Search {
        base: info.dli_fbase.addr(),
        is_symbolic: false,
    };
    // SAFETY: the function takes what it is given here, a `Search` that outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut search).cast()) };
    search.is_symbolic
}

struct Search {
    /// Where the file was loaded.
    base: usize,
    is_symbolic: bool,
}

/// An entry of a file's dynamic section.
#[repr(C)]
struct Dynamic {
    tag: i64,
    value: u64,
}

// From the ELF specification.
const DT_NULL: i64 = 0;
const DT_SYMBOLIC: i64 = 16;
const DT_FLAGS: i64 = 30;
const DF_SYMBOLIC: u64 = 2;

unsafe extern "C" fn visit(info: *mut dl_phdr_info, _: usize, search: *mut c_void) -> c_int {
    // SAFETY: the loader passes the description of a file that is loaded.
    let info = unsafe { &*info };
    // SAFETY: `is_symbolic` passes its `Search`, which nobody else has meanwhile.
    let search = unsafe { &mut *search.cast::<Search>() };
    let base = usize::try_from(info.dlpi_addr).unwrap_or(0);
    if base != search.base || base == 0 {
        return 0;
    }
    // SAFETY: the loader says that there are so many headers.
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    for header in headers
        .iter()
        .filter(|header| header.p_type == libc::PT_DYNAMIC)
    {
        let offset = usize::try_from(header.p_vaddr).unwrap_or(0);
        let mut entry = ptr::with_exposed_provenance::<Dynamic>(base + offset);
        loop {
            // SAFETY: the section is an array of entries, up to and with one that is null, where its
            // header says.
            let Dynamic { tag, value } = unsafe { entry.read() };
            match tag {
                DT_NULL => break,
                DT_SYMBOLIC => search.is_symbolic = true,
                DT_FLAGS => search.is_symbolic |= value & DF_SYMBOLIC != 0,
                _ => {}
            }
            // SAFETY: it was not the last.
            entry = unsafe { entry.add(1) };
        }
    }
    1
}
