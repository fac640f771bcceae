//! What is left where the kernel wipes no page, as before Linux 4.14. The rest is in
//! `tests/processes`.

use super::*;

#[path = "../../tests/support/process.rs"]
mod process;

#[test]
fn where_no_page_is_wiped_the_function_in_the_child_does_it() {
    let test = "fork::tests::where_no_page_is_wiped_the_function_in_the_child_does_it";
    process::in_own_process(test, || {
        static NOT_WIPED: AtomicU64 = AtomicU64::new(0);
        watch_forks();
        CURRENT.set(&NOT_WIPED).unwrap();
        let stamp = ForkStamp::new();
        // SAFETY: the child looks at the stamp and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let failed = !stamp.is_child() || ForkStamp::new().is_child();
            // SAFETY: this call has no precondition.
            unsafe { libc::_exit(i32::from(failed)) };
        }
        let mut status = -1;
        // SAFETY: the status is borrowed mutably.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(status, 0);
        assert!(!stamp.is_child());
    });
}
