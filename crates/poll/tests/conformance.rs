//! The conformance kit of `evloop-backend`, on this backend.

use evloop_backend::conformance::{KernelFiles, any_history, check};
use evloop_poll::Poll;
use proptest::prelude::*;

proptest! {
    #[test]
    fn poll_keeps_the_contract(history in any_history()) {
        check(Poll::new(), &mut KernelFiles::new(), &history);
    }
}
