//! Measures evloop and its peers on the same work, each contender in a process of its own.
//!
//! `cargo xtask bench` runs it. Without `runner` as its first argument it is the driver: it starts the
//! contenders, asks each in turn for a batch, and reports. With it it is one contender: a number of
//! operations on a line of its input is answered by nanoseconds an operation on a line of its output.
//! The C programs in `c/` keep to the same lines. With `load` it is the other end of their connections.
#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot be set up has nothing to say"
)]

mod contender;
mod counts;
mod driver;
mod net;
mod options;
mod order;
mod own;
mod own_timers;
mod page;
mod peer_calloop;
mod peer_mio;
mod peer_polling;
mod peer_tokio;
mod plan;
mod raw;
mod readme;
mod report;
mod roster;
mod stats;
mod targets;
mod wake;
mod work;

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use work::Work;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|first| first == "runner") {
        return run(&args[1..]);
    }
    if args.first().is_some_and(|first| first == "load") {
        return net::load::run(&args[1..]);
    }
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        println!("{}", options::usage());
        return ExitCode::SUCCESS;
    }
    let result = options::parse(&args).and_then(|options| driver::run(&options));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// `CONTENDER WORK N ACTIVE`, then batches as they are asked for.
fn run(args: &[String]) -> ExitCode {
    let [contender, name, n, active] = args else {
        eprintln!("runner CONTENDER WORK N ACTIVE");
        return ExitCode::from(2);
    };
    let number = |text: &String| text.parse().expect("a number");
    let work = Work {
        name: name.clone(),
        n: number(n),
        active: number(active),
    };
    let mut batch = match roster::offer(contender, &work) {
        Ok(batch) => batch,
        Err(reason) => {
            println!("none {reason}");
            return ExitCode::SUCCESS;
        }
    };
    println!("ready");
    for line in io::stdin().lock().lines() {
        let ops = line
            .expect("a line")
            .trim()
            .parse()
            .expect("a number of operations");
        let numbers: Vec<_> = batch(ops).iter().map(f64::to_string).collect();
        println!("{}", numbers.join(" "));
        io::stdout().flush().expect("somebody reads");
    }
    ExitCode::SUCCESS
}
