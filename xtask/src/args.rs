//! The command line: what was asked for, and the help text.

use crate::libevent;
use crate::step::{Mode, STEPS, Step};
use crate::task::{ANY, TASKS, Task};

/// What the caller asked for.
#[derive(Debug)]
pub(crate) enum Command {
    /// Print the help text.
    Help,
    /// Print the names of the steps.
    List,
    /// Print the op table.
    OpTable,
    /// Lay out or check the drop-in for libevent.
    Libevent(libevent::Command),
    /// Run these steps, in this order.
    Steps(Vec<&'static Step>, Mode),
    /// Run this task with these arguments.
    Task(&'static Task, Vec<String>),
}

/// Reads the arguments that follow the program's name.
///
/// # Errors
///
/// A sentence for the caller: the argument that was not understood, or the step that is unknown.
pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let args: Vec<String> = args.into_iter().collect();
    let is_help = |arg: &String| arg == "--help" || arg == "-h";
    let first = args.first();
    let has_help =
        |task: &Task| task.arguments == ANY && first.is_some_and(|name| name == task.name);
    if args.iter().any(is_help) && !TASKS.iter().any(has_help) {
        return Ok(Command::Help);
    }
    match args.split_first() {
        None => Ok(Command::Help),
        Some((name, options)) if name == "ci" => parse_ci(options),
        Some((name, options)) if name == "libevent" && is_verb(options.first()) => {
            libevent::parse(options).map(Command::Libevent)
        }
        Some((name, options)) => match TASKS.iter().find(|task| task.name == name) {
            Some(task) => Ok(Command::Task(task, options.to_vec())),
            None => parse_step(step(name)?, options),
        },
    }
}

/// Whether this is what `libevent` is to do, rather than an option of the step of that name.
fn is_verb(option: Option<&String>) -> bool {
    option.is_some_and(|option| !option.starts_with('-'))
}

fn parse_ci(options: &[String]) -> Result<Command, String> {
    let mut only = Vec::new();
    let mut mode = Mode::Check;
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match option.as_str() {
            "--fix" => mode = Mode::Fix,
            "--list" => return Ok(Command::List),
            "--only" => {
                let names = options.next().ok_or("--only needs the name of a step")?;
                for name in names.split(',') {
                    only.push(step(name)?);
                }
            }
            other => return Err(format!("cargo xtask ci does not know {other:?}")),
        }
    }
    let steps = if only.is_empty() {
        STEPS.iter().collect()
    } else {
        only
    };
    Ok(Command::Steps(steps, mode))
}

fn parse_step(step: &'static Step, options: &[String]) -> Result<Command, String> {
    let prints = step.name == "op-table";
    match options.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] if prints => Ok(Command::OpTable),
        [] | ["--check"] => Ok(Command::Steps(vec![step], Mode::Check)),
        ["--fix"] => Ok(Command::Steps(vec![step], Mode::Fix)),
        _ => Err(format!(
            "cargo xtask {} takes --check or --fix, not {options:?}",
            step.name
        )),
    }
}

fn step(name: &str) -> Result<&'static Step, String> {
    STEPS
        .iter()
        .find(|step| step.name == name)
        .ok_or_else(|| format!("there is no step {name:?}; cargo xtask ci --list names them"))
}

/// The help text.
pub(crate) fn help() -> String {
    format!(
        "\
The tasks of the workspace.

  cargo xtask ci                    run every step; a failed one does not stop the others
  cargo xtask ci --only STEP,STEP   run these steps alone
  cargo xtask ci --fix              mend what can be mended, check the rest
  cargo xtask ci --list             name the steps
  cargo xtask STEP [--fix]          run one step
  cargo xtask op-table              print the epoll op table (--check: hold its copy against the code)
{}{}
Steps:
{}",
        tasks(),
        libevent::help(),
        list()
    )
}

/// One line a task: how it is called and what it does.
fn tasks() -> String {
    TASKS
        .iter()
        .map(|task| {
            let call = format!("cargo xtask {} {}", task.name, task.arguments);
            format!("  {call:<33} {}\n", task.about)
        })
        .collect()
}

/// One line a step: its name and what it does.
pub(crate) fn list() -> String {
    STEPS
        .iter()
        .map(|step| format!("  {:<9} {}\n", step.name, step.about))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    fn names(line: &str) -> (Vec<&'static str>, Mode) {
        match parsed(line) {
            Ok(Command::Steps(steps, mode)) => (steps.iter().map(|step| step.name).collect(), mode),
            other => panic!("{line:?} is {other:?}"),
        }
    }

    #[test]
    fn ci_alone_runs_every_step() {
        let (steps, mode) = names("ci");
        assert_eq!(steps.len(), STEPS.len());
        assert_eq!(mode, Mode::Check);
    }

    #[test]
    fn only_takes_a_list_and_may_be_repeated() {
        let (steps, mode) = names("ci --only fmt,tidy --fix --only layers");
        assert_eq!(steps, ["fmt", "tidy", "layers"]);
        assert_eq!(mode, Mode::Fix);
    }

    #[test]
    fn a_step_is_a_command() {
        assert_eq!(names("layers"), (vec!["layers"], Mode::Check));
        assert_eq!(names("unsafe --fix"), (vec!["unsafe"], Mode::Fix));
        assert_eq!(names("op-table --check"), (vec!["op-table"], Mode::Check));
    }

    #[test]
    fn a_task_takes_what_follows_its_name() {
        for task in TASKS {
            let line = format!("{} --flag 1", task.name);
            match parsed(&line) {
                Ok(Command::Task(found, options)) => {
                    assert_eq!((found.name, options.len()), (task.name, 2));
                }
                other => panic!("{line:?} is {other:?}"),
            }
        }
    }

    #[test]
    fn op_table_alone_prints() {
        assert!(matches!(parsed("op-table"), Ok(Command::OpTable)));
    }

    #[test]
    fn nothing_and_help_print_the_help() {
        assert!(matches!(parsed(""), Ok(Command::Help)));
        assert!(matches!(parsed("ci --help"), Ok(Command::Help)));
        assert!(matches!(parsed("soak --help"), Ok(Command::Help)));
        assert!(matches!(parsed("bench --help"), Ok(Command::Task(..))));
        assert!(STEPS.iter().all(|step| help().contains(step.about)));
        assert!(TASKS.iter().all(|task| help().contains(task.about)));
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        assert!(parsed("dance").unwrap_err().contains("dance"));
        assert!(parsed("ci --only fmt,dance").unwrap_err().contains("dance"));
        assert!(parsed("ci --quick").unwrap_err().contains("--quick"));
        assert!(parsed("ci --only").unwrap_err().contains("--only"));
        assert!(parsed("tidy --fast").unwrap_err().contains("--fast"));
    }
}
