//! The fallback, with a kernel that answers as it is told, and the conversions.

use proptest::prelude::*;

use super::*;

/// What was asked of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Ppoll(Option<Duration>),
    Poll(c_int),
}

/// Answers every call with the same, and remembers what it was asked.
struct Scripted {
    ppoll: Result<usize, i32>,
    poll: Result<usize, i32>,
    asked: Vec<Asked>,
}

impl Calls for Scripted {
    fn ppoll(&mut self, _: &mut [pollfd], timeout: Option<timespec>) -> Result<usize, i32> {
        self.asked.push(Asked::Ppoll(timeout.map(told)));
        self.ppoll
    }

    fn poll(&mut self, _: &mut [pollfd], timeout_ms: c_int) -> Result<usize, i32> {
        self.asked.push(Asked::Poll(timeout_ms));
        self.poll
    }
}

fn told(timeout: timespec) -> Duration {
    let seconds = timeout.tv_sec.try_into().unwrap();
    Duration::new(seconds, timeout.tv_nsec.try_into().unwrap())
}

fn kernel(ppoll: Result<usize, i32>, poll: Result<usize, i32>) -> Scripted {
    Scripted {
        ppoll,
        poll,
        asked: Vec::new(),
    }
}

const SHORT: Duration = Duration::from_nanos(1_000_001);
const TIMEOUTS: [Option<Duration>; 3] = [None, Some(Duration::ZERO), Some(SHORT)];

#[test]
fn a_timeout_is_told_to_the_nanosecond() {
    let mut kernel = kernel(Ok(3), Err(libc::EBADF));
    let mut resolution = Resolution::default();
    for timeout in TIMEOUTS {
        assert_eq!(resolution.wait(&mut kernel, &mut [], timeout), Ok(3));
    }
    assert_eq!(kernel.asked, TIMEOUTS.map(Asked::Ppoll));
}

#[test]
fn a_refused_ppoll_is_tried_once_and_then_waits_round_up() {
    for errno in [libc::ENOSYS, libc::EPERM] {
        let mut kernel = kernel(Err(errno), Ok(2));
        let mut resolution = Resolution::default();
        for timeout in TIMEOUTS {
            assert_eq!(resolution.wait(&mut kernel, &mut [], timeout), Ok(2));
        }
        assert_eq!(resolution, Resolution::Millisecond);
        assert_eq!(kernel.asked[0], Asked::Ppoll(None));
        assert_eq!(kernel.asked[1..], [-1, 0, 2].map(Asked::Poll));
    }
}

#[test]
fn an_interrupted_wait_found_nothing_and_is_no_refusal() {
    for resolution in [Resolution::Nanosecond, Resolution::Millisecond] {
        let mut kernel = kernel(Err(libc::EINTR), Err(libc::EINTR));
        let mut now = resolution;
        for timeout in TIMEOUTS {
            assert_eq!(now.wait(&mut kernel, &mut [], timeout), Ok(0));
        }
        assert_eq!(now, resolution);
        assert_eq!(kernel.asked.len(), 3, "one system call each");
    }
}

#[test]
fn any_other_refusal_names_its_call() {
    let mut kernel = kernel(Err(libc::EINVAL), Err(libc::ENOMEM));
    let mut wait = |mut resolution: Resolution| resolution.wait(&mut kernel, &mut [], None);
    let refusal = |call, errno| Err(Refusal { call, errno });
    assert_eq!(wait(Resolution::Nanosecond), refusal("ppoll", libc::EINVAL));
    assert_eq!(wait(Resolution::Millisecond), refusal("poll", libc::ENOMEM));
}

#[test]
fn a_refusal_is_an_error_of_both_kinds() {
    let refusal = Refusal {
        call: "poll",
        errno: libc::ENOMEM,
    };
    let (control, wait) = (refusal.of(7), WaitError::from(refusal));
    assert_eq!((control.call, control.fd, wait.call), ("poll", 7, "poll"));
    for source in [control.source, wait.source] {
        assert_eq!(source.raw_os_error(), Some(libc::ENOMEM));
    }
}

#[test]
fn the_longest_timeouts_are_capped() {
    assert_eq!(whole_ms(Duration::MAX), c_int::MAX);
    assert_eq!(
        whole_ms(Duration::from_millis(2_147_483_646)),
        c_int::MAX - 1
    );
    let longest = Duration::new(time_t::MAX.try_into().unwrap(), 999_999_999);
    assert_eq!(told(exact(Duration::MAX)), longest);
}

proptest! {
    #[test]
    fn whole_milliseconds_are_never_shorter_and_less_than_one_longer(
        seconds in 0_u64..4_000_000,
        nanoseconds in 0_u32..1_000_000_000,
    ) {
        let asked = Duration::new(seconds, nanoseconds);
        let told = Duration::from_millis(whole_ms(asked).try_into().unwrap());
        if told < Duration::from_millis(2_147_483_647) {
            prop_assert!(told >= asked);
            prop_assert!(told - asked < Duration::from_millis(1));
        } else {
            prop_assert!(asked > Duration::from_millis(2_147_483_646));
        }
    }

    #[test]
    fn an_exact_timeout_is_the_timeout(seconds: u32, nanoseconds in 0_u32..1_000_000_000) {
        let timeout = Duration::new(seconds.into(), nanoseconds);
        prop_assert_eq!(told(exact(timeout)), timeout);
    }
}
