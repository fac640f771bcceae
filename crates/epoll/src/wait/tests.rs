//! The fallback, with a kernel that answers as it is told, and the conversions.

use std::os::fd::AsFd;

use proptest::prelude::*;

use super::*;

/// What was asked of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Wait(c_int),
    Pwait2(Timespec),
}

/// Answers every call with the same, and remembers what it was asked.
struct Scripted {
    wait: Result<usize, i32>,
    pwait2: Result<usize, i32>,
    asked: Vec<Asked>,
}

impl Calls for Scripted {
    fn epoll_wait(&mut self, _: &mut [epoll_event], timeout_ms: c_int) -> Result<usize, i32> {
        self.asked.push(Asked::Wait(timeout_ms));
        self.wait
    }

    fn epoll_pwait2(&mut self, _: &mut [epoll_event], timeout: &Timespec) -> Result<usize, i32> {
        self.asked.push(Asked::Pwait2(*timeout));
        self.pwait2
    }
}

fn kernel(wait: Result<usize, i32>, pwait2: Result<usize, i32>) -> Scripted {
    Scripted {
        wait,
        pwait2,
        asked: Vec::new(),
    }
}

const SHORT: Duration = Duration::from_nanos(1_000_001);

#[test]
fn a_finite_timeout_is_told_to_the_nanosecond() {
    let mut kernel = kernel(Ok(0), Ok(3));
    let mut resolution = Resolution::Nanosecond;
    assert_eq!(
        resolution.wait(&mut kernel, &mut [], Some(SHORT)).unwrap(),
        3
    );
    let told = Timespec {
        seconds: 0,
        nanoseconds: 1_000_001,
    };
    assert_eq!(kernel.asked, [Asked::Pwait2(told)]);
}

#[test]
fn no_timeout_and_a_zero_timeout_need_no_conversion() {
    let mut kernel = kernel(Ok(1), Ok(0));
    let mut resolution = Resolution::Nanosecond;
    assert_eq!(resolution.wait(&mut kernel, &mut [], None).unwrap(), 1);
    assert_eq!(
        resolution
            .wait(&mut kernel, &mut [], Some(Duration::ZERO))
            .unwrap(),
        1
    );
    assert_eq!(kernel.asked, [Asked::Wait(-1), Asked::Wait(0)]);
}

#[test]
fn a_refused_pwait2_is_tried_once_and_then_waits_round_up() {
    for errno in [libc::ENOSYS, libc::EPERM] {
        let mut kernel = kernel(Ok(2), Err(errno));
        let mut resolution = Resolution::Nanosecond;
        for _ in 0..2 {
            assert_eq!(
                resolution.wait(&mut kernel, &mut [], Some(SHORT)).unwrap(),
                2
            );
        }
        assert_eq!(resolution, Resolution::Millisecond);
        assert!(matches!(
            kernel.asked[..],
            [Asked::Pwait2(_), Asked::Wait(2), Asked::Wait(2)]
        ));
    }
}

#[test]
fn an_interrupted_wait_reported_nothing_and_is_no_refusal() {
    let mut kernel = kernel(Err(libc::EINTR), Err(libc::EINTR));
    let mut resolution = Resolution::Nanosecond;
    for timeout in [None, Some(Duration::ZERO), Some(SHORT)] {
        assert_eq!(resolution.wait(&mut kernel, &mut [], timeout).unwrap(), 0);
    }
    assert_eq!(resolution, Resolution::Nanosecond);
    assert_eq!(kernel.asked.len(), 3, "one system call each");
}

#[test]
fn any_other_refusal_names_its_call() {
    let mut kernel = kernel(Err(libc::EBADF), Err(libc::EINVAL));
    let mut resolution = Resolution::Nanosecond;
    let error = resolution
        .wait(&mut kernel, &mut [], Some(SHORT))
        .unwrap_err();
    assert_eq!(
        (error.call, error.source.raw_os_error()),
        ("epoll_pwait2", Some(libc::EINVAL))
    );
    let error = resolution.wait(&mut kernel, &mut [], None).unwrap_err();
    assert_eq!(
        (error.call, error.source.raw_os_error()),
        ("epoll_wait", Some(libc::EBADF))
    );
}

/// The kernel, which refuses one call: the how manieth of all, and why.
struct Faulty<'a> {
    kernel: BorrowedFd<'a>,
    refused: (usize, i32),
    calls: usize,
}

impl Faulty<'_> {
    fn refusal(&mut self) -> Result<(), i32> {
        let (at, errno) = self.refused;
        self.calls += 1;
        (self.calls - 1 != at).then_some(()).ok_or(errno)
    }
}

impl Calls for Faulty<'_> {
    fn epoll_wait(&mut self, events: &mut [epoll_event], timeout_ms: c_int) -> Result<usize, i32> {
        self.refusal()?;
        self.kernel.epoll_wait(events, timeout_ms)
    }

    fn epoll_pwait2(
        &mut self,
        events: &mut [epoll_event],
        timeout: &Timespec,
    ) -> Result<usize, i32> {
        self.refusal()?;
        self.kernel.epoll_pwait2(events, timeout)
    }
}

/// What the manual names, and what a kernel, or a sandbox, without the call answers.
const ERRNOS: [i32; 7] = [
    libc::EBADF,
    libc::EFAULT,
    libc::EINTR,
    libc::EINVAL,
    libc::ENOMEM,
    libc::ENOSYS,
    libc::EPERM,
];

/// Some waits in turn, of a file that is written to before each: an edge that each has to report.
const WAITS: [Option<Duration>; 6] = [
    Some(Duration::ZERO),
    Some(SHORT),
    None,
    Some(SHORT),
    Some(Duration::from_secs(3600)),
    Some(Duration::ZERO),
];

/// Returns which of the waits reported the file, and the last wait's resolution.
fn waits(calls: &mut Faulty<'_>, eventfd: BorrowedFd<'_>) -> (Vec<bool>, Resolution) {
    let mut resolution = Resolution::Nanosecond;
    let mut events = [sys::NO_EVENT; 4];
    let reported = WAITS.map(|timeout| {
        rustix::io::write(eventfd, &1_u64.to_ne_bytes()).unwrap();
        let (before, (_, errno)) = (calls.calls, calls.refused);
        match resolution.wait(calls, &mut events, timeout) {
            Ok(count) => count == 1,
            Err(error) => {
                assert_eq!(error.source.raw_os_error(), Some(errno));
                assert_eq!(calls.calls, before + 1, "it is not tried again");
                false
            }
        }
    });
    (reported.into(), resolution)
}

#[test]
fn a_refusal_at_any_wait_costs_that_wait_at_most() {
    use rustix::event::{EventfdFlags, epoll, eventfd};

    for at in 0..WAITS.len() {
        for errno in ERRNOS {
            let kernel = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
            let file = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
            let edge = epoll::EventFlags::IN | epoll::EventFlags::ET;
            epoll::add(&kernel, &file, epoll::EventData::new_u64(1), edge).unwrap();
            let mut calls = Faulty {
                kernel: kernel.as_fd(),
                refused: (at, errno),
                calls: 0,
            };
            let (reported, resolution) = waits(&mut calls, file.as_fd());
            // The first wait with a timeout that needs the newer call, and each one after it.
            let is_pwait2 = [1, 3, 4].contains(&at);
            let is_mended = is_pwait2 && [libc::ENOSYS, libc::EPERM].contains(&errno);
            let seen = format!("{errno} at {at}: {reported:?}, {resolution:?}");
            for (wait, reported) in reported.into_iter().enumerate() {
                assert_eq!(reported, wait != at || is_mended, "{seen}");
            }
            assert_eq!(resolution == Resolution::Millisecond, is_mended, "{seen}");
            assert_eq!(calls.calls, WAITS.len() + usize::from(is_mended), "{seen}");
        }
    }
}

#[test]
fn the_longest_timeouts_are_capped() {
    assert_eq!(whole_ms(Duration::MAX), c_int::MAX);
    assert_eq!(
        whole_ms(Duration::from_millis(2_147_483_646)),
        c_int::MAX - 1
    );
    let longest = Timespec {
        seconds: i64::MAX,
        nanoseconds: 999_999_999,
    };
    assert_eq!(timespec(Duration::MAX), longest);
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
    fn a_timespec_is_the_timeout(seconds: u32, nanoseconds in 0_u32..1_000_000_000) {
        let told = timespec(Duration::new(seconds.into(), nanoseconds));
        let same = Timespec { seconds: seconds.into(), nanoseconds: nanoseconds.into() };
        prop_assert_eq!(told, same);
    }
}
