//! The conformance kit of `evloop-backend`, on this backend.

use evloop_backend::conformance::{KernelFiles, any_history, check};
use evloop_epoll::Epoll;
use proptest::prelude::*;

proptest! {
    #[test]
    fn epoll_keeps_the_contract(history in any_history()) {
        let epoll = Epoll::new().expect("an epoll");
        check(epoll, &mut KernelFiles::new(), &history);
    }
}
