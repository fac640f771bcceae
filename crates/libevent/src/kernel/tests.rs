//! What the kernel holds for a base, as the kernel itself says.

use std::ffi::{c_int, c_short, c_void};
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, RawFd};
use std::ptr;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use libc::timeval;
use rustix::io::{dup, fcntl_dupfd_cloexec, read, write};
use rustix::pipe::pipe;

use crate::abi::{BASE_NOLOCK, EV_PERSIST, EV_READ, EV_SIGNAL, EV_WRITE, EVLOOP_NONBLOCK};
use crate::host::tests::before_lock;
use crate::threaded::{
    By, Deadline, EACH, Shared, add, del, free, new_base, new_event, signals_alone, until_it_waits,
    with_loop,
};
use crate::{
    Base, event_add, event_base_free, event_base_loop, event_reinit, evthread_make_base_notifiable,
};

/// The numbers that a base's epoll instance holds, in order.
fn held(base: &Base) -> Vec<RawFd> {
    let instance = base.enter().kernel.instance.unwrap();
    let text = fs::read_to_string(format!("/proc/thread-self/fdinfo/{instance}")).unwrap();
    let numbers = text.lines().filter_map(|line| line.strip_prefix("tfd:"));
    let mut held: Vec<_> = numbers
        .map(|rest| rest.split_whitespace().next().unwrap().parse().unwrap())
        .collect();
    held.sort_unstable();
    held
}

unsafe extern "C" fn nothing(_: c_int, _: c_short, _: *mut c_void) {}

unsafe extern "C" fn send(_: c_int, what: c_short, sender: *mut c_void) {
    // SAFETY: the argument is a sender that is there while the loop runs.
    let sender = unsafe { &*sender.cast::<mpsc::Sender<c_short>>() };
    sender.send(what).unwrap();
}

fn time_us(time_us: i64) -> timeval {
    timeval {
        tv_sec: 0,
        tv_usec: time_us,
    }
}

/// A base without locks, which is freed in the end.
fn with_base(by: By, f: impl FnOnce(&Base)) {
    let _deadline = Deadline::new();
    let base = new_base(by, BASE_NOLOCK);
    // SAFETY: the base is there until it is freed, below.
    f(unsafe { &*base });
    // SAFETY: nobody uses the base any more.
    unsafe { event_base_free(base) };
}

/// Does something in a child, and says whether it was right there; `meanwhile` is called when it is done,
/// and before the child and what it has are gone.
fn in_child(does: impl FnOnce() -> bool, meanwhile: impl FnOnce()) -> bool {
    // One at a time: a child that another test forks off has these pipes too, and would keep them open.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock();
    let (done, say) = pipe().unwrap();
    let (may_leave, let_go) = pipe().unwrap();
    // SAFETY: the child goes on with what this thread has. Of what other threads may have in hand it
    // uses memory alone, whose lock the C library frees in it.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // Ended by the signal, where it hangs.
        // SAFETY: no precondition.
        unsafe { libc::alarm(40) };
        drop(let_go);
        let code = c_int::from(!does());
        drop(say);
        _ = read(&may_leave, &mut [0]);
        // SAFETY: the child leaves at once.
        unsafe { libc::_exit(code) };
    }
    drop(say);
    // Until the other end is closed.
    assert_eq!(read(&done, &mut [0]), Ok(0));
    meanwhile();
    drop(let_go);
    let mut status = 0;
    // SAFETY: the pointer is that of a variable.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    status == 0
}

#[test]
fn file_that_is_closed_while_a_duplicate_lives_is_let_go_when_it_is_reported() {
    for by in [By::Epoll, By::Changelist] {
        with_base(by, |base| {
            let (reader, writer) = pipe().unwrap();
            let duplicate = dup(&reader).unwrap();
            let what = EV_READ | EV_PERSIST;
            let gone = new_event(base, reader.as_raw_fd(), what, nothing, ptr::null());
            let stays = new_event(base, duplicate.as_raw_fd(), what, nothing, ptr::null());
            assert_eq!((add(gone), add(stays)), (0, 0));
            let number = reader.as_raw_fd();
            drop(reader);
            free(gone);
            assert!(held(base).contains(&number));
            write(&writer, b"x").unwrap();
            for _ in 0..2 {
                // SAFETY: the base is one. 1: once.
                unsafe { event_base_loop(Some(base), EVLOOP_NONBLOCK | 1) };
            }
            assert_eq!(held(base), [duplicate.as_raw_fd()]);
            free(stays);
        });
    }
}

#[test]
fn what_a_child_does_reaches_nothing_that_its_parent_holds() {
    let _alone = signals_alone();
    with_base(By::Epoll, |base| {
        let (reader, writer) = pipe().unwrap();
        let (other, _writer) = pipe().unwrap();
        let old = new_event(base, reader.as_raw_fd(), EV_READ, nothing, ptr::null());
        assert_eq!(add(old), 0);
        let before = held(base);
        let by_file = || {
            let new = new_event(base, other.as_raw_fd(), EV_READ, nothing, ptr::null());
            let added = add(new);
            (added, held(base)) == (0, vec![reader.as_raw_fd(), other.as_raw_fd()])
        };
        let by_signal = || {
            let new = new_event(base, libc::SIGUSR1, EV_SIGNAL, nothing, ptr::null());
            (add(new), held(base).len()) == (0, 2)
        };
        let by_waker = || {
            // SAFETY: the base is one.
            let made = unsafe { evthread_make_base_notifiable(Some(base)) };
            (made, held(base).len()) == (0, 2)
        };
        let by_delete = || (del(old), held(base).len()) == (0, 0);
        let is_untouched = || assert_eq!(held(base), before);
        assert!(in_child(by_file, is_untouched));
        assert!(in_child(by_signal, is_untouched));
        assert!(in_child(by_waker, is_untouched));
        assert!(in_child(by_delete, is_untouched));
        free(old);
        drop(writer);
    });
}

#[test]
fn child_of_a_thread_beside_the_loop_reaches_nothing_that_its_parent_holds() {
    with_loop(By::Epoll, |base| {
        let (reader, _writer) = pipe().unwrap();
        until_it_waits(base);
        let before = held(base);
        let does = || {
            let new = new_event(base, reader.as_raw_fd(), EV_READ, nothing, ptr::null());
            let added = add(new);
            // A waker of its own, and the file.
            (added, held(base).len()) == (0, 2)
        };
        assert!(in_child(does, || assert_eq!(held(base), before)));
    });
}

#[test]
fn child_that_begins_anew_is_not_woken_by_its_parent() {
    with_loop(By::Epoll, |base| {
        // As libevent's own tests do.
        let what = EV_READ | EV_PERSIST;
        let looks = new_event(base, base.notify_fd.get(), what, nothing, ptr::null());
        assert_eq!(add(looks), 0);
        until_it_waits(base);
        let before = held(base);
        let parents = base.enter().notifier.as_ref().map(|n| Arc::clone(&n.waker));
        let does = || {
            // SAFETY: the base is one.
            let reinit = unsafe { event_reinit(Some(base)) };
            let own = base.enter().notifier.as_ref().map(|n| Arc::clone(&n.waker));
            let is_own = !Arc::ptr_eq(own.as_ref().unwrap(), parents.as_ref().unwrap());
            // The parent's waker is still there, and not held.
            let number = parents.as_ref().unwrap().as_fd().as_raw_fd();
            reinit == 0 && is_own && held(base).len() == 2 && !held(base).contains(&number)
        };
        assert!(in_child(does, || assert_eq!(held(base), before)));
        free(looks);
    });
}

#[test]
fn child_that_has_closed_all_it_does_not_know_begins_anew() {
    let _alone = signals_alone();
    for by in EACH {
        let _deadline = Deadline::new();
        let base = new_base(by, 0);
        // SAFETY: the base is there until it is freed, below.
        let opened = unsafe { &*base };
        let (reader, writer) = pipe().unwrap();
        let (sender, receiver) = mpsc::channel::<c_short>();
        let argument: *const c_void = (&raw const sender).cast();
        let signal = new_event(opened, libc::SIGUSR1, EV_SIGNAL, send, argument);
        let reading = new_event(opened, reader.as_raw_fd(), EV_READ, send, argument);
        assert_eq!((add(signal), add(reading)), (0, 0));
        let own = || {
            let state = opened.enter();
            let notifier = state.notifier.as_ref().unwrap();
            let wakers = [opened.signal_fd.get(), opened.notify_fd.get()];
            let waker = notifier.waker.as_fd().as_raw_fd();
            let all = wakers
                .into_iter()
                .chain([waker])
                .chain(state.kernel.instance);
            all.collect::<Vec<RawFd>>()
        };
        let does = || {
            for fd in own() {
                // SAFETY: a program that does not know whose number it is.
                unsafe { libc::close(fd) };
            }
            // SAFETY: the base is one.
            let reinit = unsafe { event_reinit(Some(opened)) };
            // SAFETY: no precondition.
            let is_open = |fd: RawFd| unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0;
            write(&writer, b"x").unwrap();
            // SAFETY: the base is one. 1: once.
            let ran = unsafe { event_base_loop(Some(opened), 1) };
            let is_told = receiver.try_recv() == Ok(EV_READ);
            (reinit, ran) == (0, 0) && is_told && own().into_iter().all(is_open)
        };
        assert!(in_child(does, || ()), "{by:?}");
        free(reading);
        free(signal);
        // SAFETY: nobody uses the base any more.
        unsafe { event_base_free(base) };
    }
}

#[test]
fn loop_waits_again_when_a_signal_was_seen_to() {
    let _alone = signals_alone();
    for by in EACH {
        with_base(by, |base| {
            let what = EV_SIGNAL | EV_PERSIST;
            let signal = new_event(base, libc::SIGALRM, what, nothing, ptr::null());
            let timer = new_event(base, -1, 0, nothing, ptr::null());
            assert_eq!(add(signal), 0);
            // While the loop waits, so that it is woken by a write.
            let once = libc::itimerval {
                it_interval: time_us(0),
                it_value: time_us(10_000),
            };
            // SAFETY: there is a handler, and the pointers are that of a value and null.
            let set =
                unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const once, ptr::null_mut()) };
            assert_eq!(set, 0);
            // SAFETY: the base is one. 1: once.
            assert_eq!(unsafe { event_base_loop(Some(base), 1) }, 0);
            // SAFETY: the event is one.
            assert_eq!(unsafe { event_add(timer, Some(&time_us(20_000))) }, 0);
            // SAFETY: as above.
            assert_eq!(unsafe { event_base_loop(Some(base), 1) }, 0);
            // One for the signal, one for the time, and some to spare.
            assert!(base.enter().core.stats().waits < 20);
            free(timer);
            free(signal);
        });
    }
}

#[test]
fn file_that_is_refused_is_refused_at_once_though_the_loop_waits() {
    let folder = fs::File::open("/").unwrap();
    for by in EACH {
        with_loop(by, |base| {
            let event = new_event(base, c_int::MAX, EV_READ, nothing, ptr::null());
            for fd in [c_int::MAX, folder.as_raw_fd()] {
                if by == By::Poll && fd != c_int::MAX {
                    // Always ready there.
                    continue;
                }
                until_it_waits(base);
                event.fd.set(fd);
                let added = add(event);
                let errno = io::Error::last_os_error().raw_os_error();
                let reason = [libc::EBADF, libc::EPERM][usize::from(fd != c_int::MAX)];
                assert_eq!((added, errno), (-1, Some(reason)), "{by:?}");
                assert!(base.enter().slot(&event.callback).is_none());
            }
            free(event);
        });
    }
}

/// The kernel refuses what it is told of a number that was closed; meanwhile another thread has opened it again.
#[test]
fn event_of_a_number_that_is_used_again_is_not_told_of_what_was_refused_before() {
    let (sender, receiver) = mpsc::channel::<c_short>();
    let argument: *const c_void = (&raw const sender).cast();
    for by in [By::Epoll, By::Changelist] {
        let _deadline = Deadline::new();
        let base = new_base(by, 0);
        // SAFETY: the base is there until it is freed, below.
        let opened: &'static Base = unsafe { &*base };
        let (reader, writer) = pipe().unwrap();
        // So high that nobody else opens it.
        let closed = fcntl_dupfd_cloexec(&writer, 700).unwrap();
        let number = closed.as_raw_fd();
        let [reading, writing, new] = [EV_READ, EV_WRITE, EV_READ]
            .map(|what| new_event(opened, number, what, send, argument));
        assert_eq!(add(reading), 0);
        drop(closed);
        assert_eq!(add(writing), 0);
        before_lock(move || {
            let state = opened.state.try_borrow();
            if !state.is_ok_and(|state| !state.kernel.is_here()) {
                return false;
            }
            assert_eq!((del(reading), del(writing)), (0, 0));
            let file = fcntl_dupfd_cloexec(&reader, number).unwrap();
            assert_eq!(file.into_raw_fd(), number);
            assert_eq!(add(new), 0);
            true
        });
        // SAFETY: the base is one. 1: once.
        unsafe { event_base_loop(Some(opened), EVLOOP_NONBLOCK | 1) };
        assert_eq!(receiver.try_iter().count(), 0, "{by:?}");
        write(&writer, b"x").unwrap();
        // SAFETY: as above.
        unsafe { event_base_loop(Some(opened), EVLOOP_NONBLOCK | 1) };
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [EV_READ], "{by:?}");
        for event in [reading, writing, new] {
            free(event);
        }
        // SAFETY: nobody else has the file.
        assert_eq!(unsafe { libc::close(number) }, 0);
        // SAFETY: nobody uses the base any more.
        unsafe { event_base_free(base) };
    }
}

#[test]
fn what_comes_to_nothing_while_the_loop_waits_is_not_kept_for_it() {
    let (sender, receiver) = mpsc::channel::<c_short>();
    let argument = (&raw const sender).cast();
    with_loop(By::Poll, |base| {
        let (reader, writer) = pipe().unwrap();
        let event = new_event(base, reader.as_raw_fd(), EV_READ, send, argument);
        until_it_waits(base);
        // The loop cannot come back meanwhile.
        base.lock.acquire();
        if !base.enter().kernel.is_here() {
            for _ in 0..1000 {
                assert_eq!((add(event), del(event)), (0, 0));
            }
            assert!(base.enter().kernel.late.is_empty());
        }
        assert_eq!(add(event), 0);
        base.lock.release();
        write(&writer, b"x").unwrap();
        assert_eq!(receiver.recv(), Ok(EV_READ));
        // It was seen to, once.
        until_it_waits(base);
        assert!(base.enter().kernel.late.is_empty());
        free(event);
    });
}

#[test]
fn files_change_hands_while_the_loop_waits() {
    let (sender, receiver) = mpsc::channel::<c_short>();
    let argument: *const c_void = (&raw const sender).cast();
    for by in EACH {
        with_loop(by, |base| {
            let shared = (Shared(base), argument.expose_provenance());
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(move || {
                        let (base, argument) = (shared.0.get(), shared.1);
                        for _ in 0..100 {
                            // Mostly the number of the pipe before.
                            let (reader, writer) = pipe().unwrap();
                            let argument = ptr::with_exposed_provenance(argument);
                            let fd = reader.as_raw_fd();
                            let event = new_event(base, fd, EV_READ, send, argument);
                            assert_eq!(add(event), 0);
                            assert_eq!(del(event), 0);
                            assert_eq!(add(event), 0);
                            write(&writer, b"x").unwrap();
                            while base.enter().slot(&event.callback).is_some() {
                                thread::yield_now();
                            }
                            free(event);
                        }
                    });
                }
            });
        });
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [EV_READ; 200]);
    }
}
