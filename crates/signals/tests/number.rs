//! Which numbers are signals, and how they are called.

use std::collections::HashSet;

use evloop_signals::{Signal, SignalError, SignalSet};

/// By the rule, for every number that could be near one.
#[test]
fn a_number_is_a_signal_unless_nobody_may_handle_it() {
    for number in (-200..=200).chain([i32::MIN, i32::MIN + 1, i32::MAX - 1, i32::MAX]) {
        let expected = match number {
            9 | 19 => Err(SignalError::Uncatchable(number)),
            4 | 7 | 8 | 11 => Err(SignalError::Fault(number)),
            _ if (1..65).contains(&number) => Ok(number),
            _ => Err(SignalError::OutOfRange(number)),
        };
        assert_eq!(Signal::new(number).map(Signal::number), expected);
    }
}

#[test]
fn an_error_names_the_number() {
    for number in [0, -5, 65, 9, 19, 4, 7, 8, 11] {
        let message = Signal::new(number).unwrap_err().to_string();
        assert!(message.contains(&number.to_string()), "{message}");
    }
}

#[test]
fn every_ordinary_signal_has_a_name_of_its_own_and_no_real_time_signal_has_one() {
    let all = SignalSet::from_bits(u64::MAX);
    let (ordinary, real_time): (Vec<_>, Vec<_>) = all.into_iter().partition(|s| s.number() < 32);
    let names: HashSet<_> = ordinary
        .iter()
        .map(|signal| signal.name().unwrap())
        .collect();
    assert_eq!(names.len(), 31 - 6);
    assert!(names.iter().all(|name| name.starts_with("SIG")));
    assert!(real_time.iter().all(|signal| signal.name().is_none()));
    assert_eq!(real_time.len(), 33);
}

#[test]
fn a_signal_is_shown_by_its_name_or_its_number() {
    assert_eq!(Signal::USR1.to_string(), "SIGUSR1");
    assert_eq!(
        format!("{:>8}|{:?}", Signal::IO, Signal::IO),
        "   SIGIO|SIGIO"
    );
    assert_eq!(Signal::new(34).unwrap().to_string(), "signal 34");
}

#[test]
fn bits_lie_as_in_the_kernels_sets() {
    assert_eq!(Signal::HUP.bit(), 1);
    assert_eq!(Signal::TERM.bit(), 0x4000);
    assert_eq!(Signal::new(64).unwrap().bit(), 1 << 63);
    for signal in SignalSet::from_bits(u64::MAX) {
        assert_eq!(signal.bit().trailing_zeros() as usize, signal.index());
    }
}

#[test]
fn bits_of_refused_numbers_are_in_no_set() {
    let all = SignalSet::from_bits(u64::MAX);
    assert_eq!(all.len(), 64 - 6);
    assert_eq!(
        !all.bits(),
        1 << 3 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 18
    );
}
