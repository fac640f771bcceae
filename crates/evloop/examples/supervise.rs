//! A supervisor: runs commands side by side, passes on what they say line by line, and starts what
//! has failed again, after a pause that grows.
//!
//! `cargo run --example supervise -- 'ping -c 3 127.0.0.1' 'echo no; exit 1'`, and Ctrl-C to stop.
//!
//! Each command has a pipe, which is a source of the loop; that one of them has ended is told by
//! `SIGCHLD`; the pauses are timers. The state is one [`Supervisor`], and no lock or `Rc` is in it.
#![expect(clippy::print_stdout, reason = "the output of a program")]

use std::error::Error;
use std::io::{self, ErrorKind, PipeReader, Read};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use evloop::{Cx, EventLoop, Interest, Signal};
use rustix::process::{Pid, kill_process};

/// What all callbacks share.
struct Supervisor {
    services: Vec<Service>,
    /// How many of them run, or will again.
    alive: usize,
    is_stopping: bool,
    /// The pause after the first failure; each is twice as long as the one before.
    pause: Duration,
    /// Where what is to be read goes.
    say: Say,
}

/// Takes a line of a service, which is named by its number.
type Say = Box<dyn FnMut(usize, &str)>;

struct Service {
    command: String,
    child: Option<Child>,
    /// Somebody can still say something: the child, or a process that it has left behind.
    is_heard: bool,
    has_failed: bool,
    failures: u32,
}

/// A service that has failed so often in a row is given up.
const FAILURES: u32 = 5;

/// How long the services may take to stop when they are asked to.
const GRACE: Duration = Duration::from_secs(5);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let commands: Vec<String> = std::env::args().skip(1).collect();
    if commands.is_empty() {
        println!("usage: supervise COMMAND...");
        return Ok(ExitCode::from(2));
    }
    let say = Box::new(|n, line: &str| println!("[{n}] {line}"));
    let supervisor = supervise(commands, Duration::from_millis(100), say, |events| {
        for signal in [Signal::INT, Signal::TERM] {
            events.signal(signal).persist().add(|cx, _| stop(cx))?;
        }
        Ok(())
    })?;
    let failed = supervisor.services.iter().any(|service| service.has_failed);
    Ok(ExitCode::from(u8::from(failed)))
}

/// Runs the commands until all are over. `setup` may add events of its own.
fn supervise(
    commands: Vec<String>,
    pause: Duration,
    say: Say,
    setup: impl FnOnce(&mut EventLoop<Supervisor>) -> Result<(), Box<dyn Error>>,
) -> Result<Supervisor, Box<dyn Error>> {
    let services = commands.into_iter().map(|command| Service {
        command,
        child: None,
        is_heard: false,
        has_failed: false,
        failures: 0,
    });
    let services: Vec<_> = services.collect();
    let mut supervisor = Supervisor {
        alive: services.len(),
        services,
        is_stopping: false,
        pause,
        say,
    };
    let mut events = EventLoop::new()?;
    // Before the first of them can end.
    events
        .signal(Signal::CHLD)
        .persist()
        .add(|cx, _| reap(cx))?;
    setup(&mut events)?;
    for n in 0..supervisor.services.len() {
        events.timer(Duration::ZERO).add(move |cx| start(cx, n))?;
    }
    let _outcome = events.run(&mut supervisor)?;
    for child in supervisor
        .services
        .iter_mut()
        .filter_map(|s| s.child.as_mut())
    {
        // It has had its grace.
        child.kill()?;
        child.wait()?;
    }
    Ok(supervisor)
}

/// Starts a service, for the first time or again.
fn start(cx: &mut Cx<'_, Supervisor>, n: usize) {
    if !cx.state.is_stopping
        && let Err(error) = try_to_start(cx, n)
    {
        (cx.state.say)(n, &format!("cannot be started: {error}"));
        cx.state.services[n].has_failed = true;
    }
    settle(cx, n);
}

fn try_to_start(cx: &mut Cx<'_, Supervisor>, n: usize) -> Result<(), Box<dyn Error>> {
    let service = &mut cx.state.services[n];
    let (reader, writer) = io::pipe()?;
    let errors = writer.try_clone()?;
    let mut line = Vec::new();
    let output = cx.events.io(reader, Interest::READ).persist();
    let output = output.label("output").add(move |cx, reader, _| {
        listen(cx, reader, &mut line, n);
    })?;
    let child = Command::new("sh")
        .args(["-c", &service.command])
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(errors)
        .spawn();
    match child {
        Ok(child) => {
            service.child = Some(child);
            service.is_heard = true;
            Ok(())
        }
        Err(error) => {
            cx.events.remove(output)?;
            Err(error.into())
        }
    }
}

/// Passes on what a service says, in whole lines.
fn listen(cx: &mut Cx<'_, Supervisor>, mut reader: &PipeReader, line: &mut Vec<u8>, n: usize) {
    let mut buffer = [0; 4096];
    let count = match reader.read(&mut buffer) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => return,
        // Level-triggered: if there is more, the loop says so again.
        Ok(count) => count,
        Err(_) => 0,
    };
    line.extend_from_slice(&buffer[..count]);
    let is_over = count == 0;
    if is_over && !line.is_empty() {
        line.push(b'\n');
    }
    while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
        (cx.state.say)(n, &String::from_utf8_lossy(&line[..end]));
        line.drain(..=end);
    }
    if is_over {
        cx.events.remove(cx.id()).expect("this is its callback");
        cx.state.services[n].is_heard = false;
        settle(cx, n);
    }
}

/// Some child has ended; several may have, for one signal.
fn reap(cx: &mut Cx<'_, Supervisor>) {
    for n in 0..cx.state.services.len() {
        let service = &mut cx.state.services[n];
        if let Some(child) = &mut service.child
            && let Ok(Some(status)) = child.try_wait()
        {
            service.child = None;
            service.has_failed = !status.success();
            (cx.state.say)(n, &format!("({status})"));
            settle(cx, n);
        }
    }
}

/// If a service has ended, and all that it had to say was heard: starts it again, or not.
fn settle(cx: &mut Cx<'_, Supervisor>, n: usize) {
    let service = &mut cx.state.services[n];
    if service.child.is_some() || service.is_heard {
        return;
    }
    service.failures += u32::from(service.has_failed);
    if service.has_failed && service.failures < FAILURES && !cx.state.is_stopping {
        let pause = cx.state.pause * 2_u32.pow(service.failures - 1);
        let restart = cx.events.timer(pause).label("restart");
        restart
            .add(move |cx| start(cx, n))
            .expect("a timer needs nothing of the kernel");
        return;
    }
    cx.state.alive -= 1;
    if cx.state.alive == 0 {
        cx.events.exit();
    }
}

/// Asks the services to stop. Those that pause do not run again.
fn stop(cx: &mut Cx<'_, Supervisor>) {
    cx.state.is_stopping = true;
    for child in cx
        .state
        .services
        .iter()
        .filter_map(|service| service.child.as_ref())
    {
        // It was not waited for yet, so the number is its own.
        let _gone = kill_process(Pid::from_child(child), rustix::process::Signal::TERM);
    }
    cx.events.exit_after(GRACE);
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// What was said until all was over; and whether the first service has failed.
    fn run(
        commands: &[&str],
        setup: impl FnOnce(&mut EventLoop<Supervisor>) -> Result<(), Box<dyn Error>>,
    ) -> (Vec<String>, bool) {
        let said = Rc::new(RefCell::new(Vec::new()));
        let record = Rc::clone(&said);
        let say = move |n, line: &str| record.borrow_mut().push(format!("{n} {line}"));
        let commands = commands.iter().map(|command| (*command).to_owned());
        let pause = Duration::from_millis(1);
        let supervisor = supervise(commands.collect(), pause, Box::new(say), setup).unwrap();
        let has_failed = supervisor.services[0].has_failed;
        drop(supervisor);
        (Rc::into_inner(said).unwrap().into_inner(), has_failed)
    }

    #[test]
    fn output_is_passed_on_in_lines() {
        let command = "printf 'one\\ntwo\\n' && printf 'not a whole ' >&2; printf line";
        let (mut said, has_failed) = run(&[command], |_| Ok(()));
        // The one or the other may be known first.
        said.sort();
        let expected = ["0 (exit status: 0)", "0 not a whole line", "0 one", "0 two"];
        assert_eq!(said, expected);
        assert!(!has_failed);
    }

    #[test]
    fn service_that_fails_is_started_again_and_given_up_in_the_end() {
        let (said, has_failed) = run(&["exit 3", "true"], |_| Ok(()));
        let count = |line| said.iter().filter(|said| *said == line).count();
        assert_eq!(count("0 (exit status: 3)"), FAILURES as usize);
        assert_eq!(count("1 (exit status: 0)"), 1);
        assert!(has_failed);
    }

    #[test]
    fn service_is_over_when_nobody_is_left_to_speak_for_it() {
        let (said, _) = run(&["(read nothing; echo late) & exit 0"], |_| Ok(()));
        assert!(said.contains(&"0 late".to_owned()), "{said:?}");
    }

    #[test]
    fn services_are_asked_to_stop() {
        let commands = ["exec sleep 1000"; 2];
        let (said, has_failed) = run(&commands, |events| {
            events.prepare().persist().add(|cx, _| {
                let all_run = cx.state.services.iter().all(|s| s.child.is_some());
                if all_run && !cx.state.is_stopping {
                    stop(cx);
                }
            })?;
            Ok(())
        });
        let stopped = said.iter().filter(|line| line.contains("signal: 15"));
        assert_eq!(stopped.count(), 2, "{said:?}");
        assert!(has_failed);
    }
}
