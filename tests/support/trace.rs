//! A record of who ran, in order, and what it was told: the outcome of a scenario.

use evloop::{Caught, Cx, EventLoop, Mode, Outcome, Ready};

use super::setting::make;

/// A line for each callback that ran.
pub(crate) type Trace = Vec<String>;

/// A loop whose callbacks leave a [`Trace`].
pub(crate) type Loop = EventLoop<Trace>;

pub(crate) fn new_loop() -> Loop {
    make()
}

/// Runs the loop, and holds what it records against itself afterwards.
pub(crate) fn run(events: &mut Loop, mode: Mode) -> (Outcome, Trace) {
    let mut trace = Trace::new();
    let outcome = events.run_mode(mode, &mut trace).unwrap();
    events.check_invariants();
    (outcome, trace)
}

/// One look at the kernel, and who ran for what it brought.
pub(crate) fn look(events: &mut Loop) -> Trace {
    let (outcome, trace) = run(events, Mode::NonBlocking);
    assert!(
        matches!(outcome, Outcome::Done | Outcome::Empty),
        "{outcome:?}"
    );
    trace
}

/// Waits until something is active, and says who ran for it.
pub(crate) fn wait(events: &mut Loop) -> Trace {
    let (outcome, trace) = run(events, Mode::Once);
    assert_eq!(outcome, Outcome::Done);
    trace
}

/// Runs until nothing is left to happen.
pub(crate) fn run_out(events: &mut Loop) -> Trace {
    let (outcome, trace) = run(events, Mode::UntilEmpty);
    assert_eq!(outcome, Outcome::Empty);
    trace
}

/// The callback of a source that leaves `name READ|WRITE`.
pub(crate) fn io<F>(name: &'static str) -> impl FnMut(&mut Cx<'_, Trace>, &F, Ready) + 'static {
    move |cx, _, ready| cx.state.push(line(name, ready))
}

/// The callback of a timer that leaves its name.
pub(crate) fn timer(name: &'static str) -> impl FnMut(&mut Cx<'_, Trace>) + 'static {
    move |cx| cx.state.push(name.to_owned())
}

/// The callback of an event that waits for nothing, which leaves `name READ|TIMEOUT`.
pub(crate) fn user(name: &'static str) -> impl FnMut(&mut Cx<'_, Trace>, Ready) + 'static {
    move |cx, ready| cx.state.push(line(name, ready))
}

/// The callback of a signal that leaves `name x2`, where 2 is the count.
pub(crate) fn signal(name: &'static str) -> impl FnMut(&mut Cx<'_, Trace>, Caught) + 'static {
    move |cx, caught| cx.state.push(format!("{name} x{}", caught.count))
}

/// `name READ|WRITE`; the name alone if nothing is ready.
pub(crate) fn line(name: &str, ready: Ready) -> String {
    let words: Vec<_> = ready.iter_names().map(|(word, _)| word).collect();
    format!("{name} {}", words.join("|")).trim_end().to_owned()
}

/// The trace of a scenario in which nobody ran.
pub(crate) const NOBODY: [&str; 0] = [];
