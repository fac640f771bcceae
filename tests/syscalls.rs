//! What a turn costs in system calls: one wait, what changed, and nothing else.
//!
//! The loop counts its waits itself, and the kernel counts reads and writes. Where `strace` can be
//! had it has the last word.

use std::io::{Write, stderr};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use evloop::{EventLoop, Interest, Mode, Outcome, Signal};
use rustix::thread::gettid;

use crate::support::clock::DAY;
use crate::support::files::{put, sockets, take, with_input};
use crate::support::process::{
    arguments, as_inside, finish, in_own_process, is_done, is_inside, output,
};
use crate::support::raw::raise;
use crate::support::setting::make;
use crate::support::setting::{has_edges, is_coalesced, skipped};
use crate::support::status::{reads_and_writes, until_it_blocks};
use crate::support::trace::{Loop, NOBODY, io, look, new_loop, signal, timer, wait};

const ROUNDS: u64 = 100;

/// Input comes, is read, and the next is waited for.
struct Echo {
    events: EventLoop<u64>,
    far: UnixStream,
}

impl Echo {
    fn new(is_one_shot: bool) -> Self {
        let (near, far) = sockets();
        let mut events = make::<u64>();
        let reader = events.io(near, Interest::READ).timeout(DAY);
        let reader = if is_one_shot {
            reader
        } else {
            reader.persist()
        };
        reader
            .add(move |cx, near, _| {
                take(near);
                *cx.state += 1;
                if is_one_shot {
                    cx.events.add(cx.id()).unwrap();
                }
            })
            .unwrap();
        Self { events, far }
    }

    fn run(&mut self) {
        let mut echoed = 0;
        for _ in 0..ROUNDS {
            put(&self.far, b"x");
            let done = self.events.run_mode(Mode::Once, &mut echoed);
            assert_eq!(done.unwrap(), Outcome::Done);
        }
        assert_eq!(echoed, ROUNDS);
    }
}

#[test]
fn turn_is_one_wait() {
    for is_one_shot in [false, true] {
        let mut echo = Echo::new(is_one_shot);
        echo.run();
        let stats = echo.events.stats();
        assert_eq!((stats.turns, stats.waits), (ROUNDS, ROUNDS));
        assert_eq!(stats.changes_told, 0);
        assert_eq!(stats.callbacks, ROUNDS);
    }
}

#[test]
fn all_that_is_ready_is_one_wait() {
    let mut events = new_loop();
    let mut others = Vec::new();
    for _ in 0..20 {
        let (near, far) = with_input();
        others.push(far);
        events.io(near, Interest::READ).add(io("reader")).unwrap();
    }
    assert_eq!(wait(&mut events).len(), 20);
    assert_eq!(events.stats().waits, 1);
}

/// However often it was changed between two waits.
#[test]
fn change_of_interest_is_told_once() {
    let (near, _far) = with_input();
    let near = Rc::new(near);
    let mut events = new_loop();
    let event = events.io(Rc::clone(&near), Interest::READ).persist();
    let id = event.add(io("event")).unwrap();
    for _ in 0..5 {
        events.set_interest(id, Interest::empty()).unwrap();
        events.set_interest(id, Interest::WRITE).unwrap();
        events.set_interest(id, Interest::all()).unwrap();
    }
    let told = if is_coalesced() { 1 } else { 5 * 2 };
    for _ in 0..2 {
        assert_eq!(look(&mut events), ["event READ|WRITE"]);
        assert_eq!(events.stats().changes_told, told);
    }
}

#[test]
fn timer_is_one_wait() {
    let mut events = new_loop();
    for n in 0..20 {
        let soon = Duration::from_micros(n * 20);
        events.timer(soon).add(timer("timer")).unwrap();
        assert_eq!(wait(&mut events), ["timer"]);
    }
    assert_eq!(events.stats().waits, 20);
}

/// The handler's wakeup is never read, and not written either while the loop is awake.
#[test]
fn signals_are_taken_without_a_read_or_a_write() {
    in_own_process(
        "syscalls::signals_are_taken_without_a_read_or_a_write",
        || {
            let mut events = make::<u64>();
            let event = events.signal(Signal::USR1).persist();
            event.add(|cx, caught| *cx.state += caught.count).unwrap();
            let mut count = 0;
            let calls = reads_and_writes(|| {
                for _ in 0..ROUNDS {
                    raise(Signal::USR1);
                    let _done = events.run_mode(Mode::NonBlocking, &mut count).unwrap();
                }
            });
            assert_eq!(count, ROUNDS);
            match calls {
                Some(calls) => assert_eq!(calls, (0, 0)),
                None => skipped("this kernel does not count reads and writes"),
            }
        },
    );
}

/// One write wakes a loop that sleeps, and nobody reads it.
#[test]
fn wakeup_is_written_once_and_never_read() {
    in_own_process("syscalls::wakeup_is_written_once_and_never_read", || {
        let (say, hear) = mpsc::channel();
        let sleeper = thread::spawn(move || {
            let mut events = new_loop();
            let event = events.signal(Signal::USR1).persist();
            event.add(signal("USR1")).unwrap();
            let calls = reads_and_writes(|| {
                for _ in 0..3 {
                    say.send(gettid()).unwrap();
                    assert_eq!(wait(&mut events), ["USR1 x1"]);
                }
            });
            // By then the last of the writes has been reported as well.
            assert_eq!(look(&mut events), NOBODY);
            calls
        });
        let mut written = Some(0);
        for _ in 0..3 {
            until_it_blocks(hear.recv().unwrap());
            let calls = reads_and_writes(|| raise(Signal::USR1));
            written = written.zip(calls).map(|(sum, (_, writes))| sum + writes);
        }
        match sleeper.join().unwrap().zip(written) {
            // Where there are no edges somebody has to.
            Some(((reads, 0), 3)) => assert_eq!(reads, if has_edges() { 0 } else { 3 }),
            Some(calls) => panic!("{calls:?}"),
            None => skipped("this kernel does not count reads and writes"),
        }
    });
}

/// The parts of [`traced_scenario`]. Each is marked by a write of its name, and of the same at its
/// end; what comes before and between does not count.
const PARTS: [&str; 5] = ["persistent", "one-shot", "timers", "signals", "deferred"];

/// `ROUNDS` turns of each kind.
fn traced_scenario() {
    let mut persistent = Echo::new(false);
    let mut one_shot = Echo::new(true);
    let mut events = new_loop();
    let event = events.signal(Signal::USR1).persist();
    event.add(signal("USR1")).unwrap();
    for part in PARTS {
        mark(part);
        match part {
            "persistent" => persistent.run(),
            "one-shot" => one_shot.run(),
            _ => (0..ROUNDS).for_each(|_| one_turn(&mut events, part)),
        }
        mark(part);
    }
}

fn one_turn(events: &mut Loop, part: &str) {
    match part {
        "timers" => _ = events.timer(Duration::ZERO).add(timer("ran")).unwrap(),
        "signals" => raise(Signal::USR1),
        _ => events.defer(|cx| cx.state.push("ran".to_owned())),
    }
    assert_eq!(look(events).len(), 1);
}

fn mark(part: &str) {
    stderr().write_all(part.as_bytes()).unwrap();
}

/// The system calls of a part, by name.
fn calls<'a>(trace: &'a str, part: &str) -> Vec<&'a str> {
    let mark = format!("write(2, \"{part}\"");
    let mut lines = trace.lines().skip_while(|line| !line.contains(&mark));
    lines.next().unwrap();
    let lines = lines.take_while(|line| !line.contains(&mark));
    // `[pid 123] read(…`, or without a process number.
    let call = |line: &'a str| line.split("] ").last()?.split_once('(');
    lines.filter_map(call).map(|(name, _)| name).collect()
}

#[test]
fn strace_counts_one_call_a_turn() {
    const TEST: &str = "syscalls::strace_counts_one_call_a_turn";
    if is_inside() {
        traced_scenario();
        finish();
    }
    let probe = Command::new("strace").args(["-qq", "true"]).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        return skipped("no strace here, or it may not trace");
    }
    let mut strace = Command::new("strace");
    strace
        .args([
            "-f",
            "-qq",
            "-e",
            "trace=/^epoll|^p?poll$|^read$|^write$|^timerfd",
        ])
        .arg(std::env::current_exe().unwrap())
        .args(arguments(TEST));
    let output = output(as_inside(&mut strace));
    let trace = String::from_utf8_lossy(&output.stderr);
    assert!(is_done(output.status), "{trace}");
    for part in PARTS {
        let calls = calls(&trace, part);
        let waits = ["epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll"];
        let only_waits = calls.iter().all(|call| waits.contains(call));
        assert!(only_waits, "{part}: {calls:?}");
        assert_eq!(calls.len() as u64, ROUNDS, "{part}");
    }
}
