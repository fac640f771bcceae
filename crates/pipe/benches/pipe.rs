//! What a wakeup costs: of a loop that is awake, of one that sleeps, and the pipe itself.

use divan::Bencher;
use evloop_pipe::{Method, Pipe, Waker, WakerKind};
use rustix::io::{read, write};

fn main() {
    divan::main();
}

/// A loop that is awake sees it before it sleeps: no system call.
#[divan::bench]
fn wake_awake(bencher: Bencher<'_, '_>) {
    let waker = Waker::new().expect("an eventfd");
    bencher.bench_local(|| waker.wake());
}

/// What a turn pays that nobody wakes.
#[divan::bench]
fn sleep_and_awake(bencher: Bencher<'_, '_>) {
    let waker = Waker::new().expect("an eventfd");
    bencher.bench_local(|| (waker.sleep(), waker.awake()));
}

/// One write, and one read where the waker is a pipe.
#[divan::bench(args = [WakerKind::Eventfd, WakerKind::Pipe])]
fn wake_asleep(bencher: Bencher<'_, '_>, kind: WakerKind) {
    let waker = match kind {
        WakerKind::Eventfd => Waker::new().expect("an eventfd"),
        WakerKind::Pipe => Waker::with_pipe(Pipe::new().expect("a pipe")),
    };
    bencher.bench_local(|| {
        assert!(waker.sleep(), "nobody has woken it");
        waker.wake();
        if waker.awake() && waker.needs_drain() {
            waker.drain();
        }
    });
}

#[divan::bench]
fn byte(bencher: Bencher<'_, '_>) {
    let pipe = Pipe::new().expect("a pipe");
    bencher.bench_local(|| {
        let mut byte = [0];
        write(pipe.writer(), b"e").expect("there is room");
        read(pipe.reader(), &mut byte).expect("it was written")
    });
}

#[divan::bench(args = [Method::Pipe2, Method::Pipe, Method::Socketpair])]
fn new(method: Method) -> Pipe {
    Pipe::with_method(method).expect("a pipe")
}
