//! Tokens and readiness: what goes into the kernel comes back, and each event is told its part.

use evloop_changelist::{Interest, Ready, Token};
use proptest::prelude::*;

proptest! {
    #[test]
    fn token_survives_the_kernel(slot: u32, generation: u32) {
        let token = Token { slot, generation };
        prop_assert_eq!(Token::from_bits(token.to_bits()), token);
    }

    #[test]
    fn bits_are_of_one_token_only(bits: u64) {
        prop_assert_eq!(Token::from_bits(bits).to_bits(), bits);
    }
}

fn every_readiness() -> impl Iterator<Item = Ready> {
    (0..=Ready::all().bits()).map(Ready::from_bits_truncate)
}

#[test]
fn event_is_told_what_it_asked_for_and_what_always_is() {
    for ready in every_readiness() {
        for interest in Interest::all_subsets() {
            let told = ready.for_interest(interest);
            let asked = [
                (Ready::READ, interest.contains(Interest::READ)),
                (Ready::WRITE, interest.contains(Interest::WRITE)),
                (Ready::CLOSED, interest.contains(Interest::CLOSED)),
                (Ready::HANGUP, true),
                (Ready::ERROR, true),
                (Ready::TIMEOUT, false),
                (Ready::SIGNAL, false),
            ];
            for (bit, is_asked) in asked {
                assert_eq!(
                    told.contains(bit),
                    is_asked && ready.contains(bit),
                    "{ready:?}"
                );
            }
        }
    }
}

#[test]
fn interest_turns_into_the_readiness_of_the_same_name() {
    for interest in Interest::all_subsets() {
        let asked: Vec<&str> = interest.iter_names().map(|(name, _)| name).collect();
        let ready: Vec<&str> = Ready::from(interest)
            .iter_names()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(ready, asked);
    }
}

#[test]
fn error_and_hangup_make_readable_and_writable() {
    for ready in [Ready::ERROR, Ready::HANGUP] {
        assert!(ready.is_readable() && ready.is_writable());
    }
    assert!(!Ready::WRITE.is_readable() && !Ready::READ.is_writable());
    assert!(!Ready::TIMEOUT.is_readable() && !Ready::TIMEOUT.is_writable());
}

#[test]
fn half_a_hangup_is_closed_and_an_error_is_not() {
    assert!(Ready::CLOSED.is_closed() && Ready::HANGUP.is_closed());
    assert!(!Ready::ERROR.is_closed() && !Ready::READ.is_closed());
}
