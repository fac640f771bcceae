//! What is left where the system refuses what makes a child know that it is one. The rest is in
//! `tests/processes`.
//!
//! | call | errno | outcome |
//! |---|---|---|
//! | `pthread_atfork` | `ENOMEM` | as for any memory that is not there: the process ends, and says why |
//! | `mmap` | any | a word of the program's stands in, which the function in the child clears |
//! | `madvise` | any, as before Linux 4.14 | the word is cleared by the function in the child alone |
//!
//! The refusals of `sigaction` are in `disposition/tests.rs`.

use super::*;

#[path = "../../tests/support/process.rs"]
mod process;

/// The system, which refuses one of its calls.
enum Refused {
    Atfork(c_int),
    Mmap,
    Madvise,
}

impl Calls for Refused {
    fn pthread_atfork(&self) -> c_int {
        match self {
            Self::Atfork(errno) => *errno,
            _ => System.pthread_atfork(),
        }
    }

    fn mmap(&self) -> Option<&'static AtomicU64> {
        match self {
            Self::Mmap => None,
            _ => System.mmap(),
        }
    }

    fn madvise(&self, word: &'static AtomicU64) {
        match self {
            Self::Madvise => {}
            _ => System.madvise(word),
        }
    }
}

/// How a child ended that did this.
fn in_child(f: impl FnOnce() -> bool) -> c_int {
    // SAFETY: the child does what it is to do, allocates at most, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let is_done = f();
        // SAFETY: this call has no precondition.
        unsafe { libc::_exit(c_int::from(!is_done)) };
    }
    let mut status = -1;
    // SAFETY: the status is borrowed mutably.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    status
}

fn a_child_is_told_apart(refused: &Refused) {
    CURRENT.set(watch_forks_by(refused)).unwrap();
    let stamp = ForkStamp::new();
    let told = in_child(|| {
        let of_child = ForkStamp::new();
        let in_grandchild = in_child(|| stamp.is_child() && of_child.is_child());
        stamp.is_child() && !of_child.is_child() && in_grandchild == 0
    });
    assert_eq!(told, 0);
    assert!(!stamp.is_child() && !ForkStamp::new().is_child());
}

#[test]
fn where_no_page_is_wiped_the_function_in_the_child_does_it() {
    let test = "fork::tests::where_no_page_is_wiped_the_function_in_the_child_does_it";
    process::in_own_process(test, || a_child_is_told_apart(&Refused::Madvise));
}

#[test]
fn where_there_is_no_page_a_word_of_the_program_does() {
    let test = "fork::tests::where_there_is_no_page_a_word_of_the_program_does";
    process::in_own_process(test, || a_child_is_told_apart(&Refused::Mmap));
}

#[test]
fn where_no_function_can_be_registered_the_process_ends() {
    let test = "fork::tests::where_no_function_can_be_registered_the_process_ends";
    process::in_own_process(test, || {
        let status = in_child(|| {
            watch_forks_by(&Refused::Atfork(libc::ENOMEM));
            true
        });
        assert!(libc::WIFSIGNALED(status), "{status}");
        assert_eq!(libc::WTERMSIG(status), libc::SIGABRT);
    });
}
