//! pgbouncer on the library, between pgbench and a database of its own.
//!
//! The database listens on a socket in a folder of the test alone, pgbouncer on the loopback
//! interface. Neither wants to be root's, so where root runs the checks they belong to `postgres`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::install::FILE;
use super::process::{Running, find, free_port, has_mapped, is_root, output, succeed};
use super::trial::{Side, Trial, untouched};
use crate::step::{Failure, Verdict};

/// Runs the benchmark through pgbouncer, on each side that was asked for.
pub(super) fn check(trial: &Trial<'_>) -> Result<Verdict, Failure> {
    let Some(program) = find("pgbouncer") else {
        return Ok(Verdict::Skipped("pgbouncer is not installed"));
    };
    let Some(binaries) = postgresql() else {
        return Ok(Verdict::Skipped("PostgreSQL is not installed"));
    };
    let owner = if is_root() { owner() } else { Some(None) };
    let Some(owner) = owner else {
        return Ok(Verdict::Skipped("there is no user postgres"));
    };
    let scratch = Scratch::new(trial, owner)?;
    let mut database = scratch.database(&binaries)?;
    database.wait_until("accept connections", || {
        let mut ready = Command::new(binaries.join("pg_isready"));
        let end = output(ready.arg("-q").arg("-h").arg(&scratch.folder)).ok()?;
        end.status.success().then_some(())
    })?;
    let mut fill = scratch.command(binaries.join("pgbench"));
    fill.args(["-i", "-q", "-s", "1", "-h"])
        .arg(&scratch.folder);
    succeed(fill.arg("postgres"))?;
    for side in &trial.options.sides {
        through(&scratch, *side, &program, &binaries.join("pgbench"))?;
    }
    database.end("INT")?;
    Ok(Verdict::Passed)
}

/// Runs each benchmark through a pgbouncer on `side`'s library.
fn through(scratch: &Scratch, side: Side, program: &Path, bench: &Path) -> Result<(), Failure> {
    let port = free_port().map_err(|error| Failure::file(&scratch.folder, error))?;
    let config = scratch.config(port)?;
    let mut command = scratch.command(program);
    if side == Side::Evloop {
        command.env("LD_PRELOAD", &scratch.library);
    }
    let mut running = Running::start(command.arg(config))?;
    let _connection = running.connect(port)?;
    if has_mapped(running.id(), &scratch.library) != (side == Side::Evloop) {
        return Err(Failure::Findings(format!(
            "pgbouncer does not run on {side}"
        )));
    }
    for (what, clients, transactions, args) in BENCHMARKS {
        let mut pgbench = scratch.command(bench);
        pgbench.args(["-n", "-h", "127.0.0.1", "-p", &port.to_string()]);
        pgbench.args(["-c", &clients.to_string(), "-t", &transactions.to_string()]);
        let told = succeed(pgbench.args(args.split_whitespace()).arg("bench"))?;
        let all = clients * transactions;
        if !told.contains(&format!("actually processed: {all}/{all}")) {
            return Err(Failure::Findings(format!("pgbench, {what}: {told}")));
        }
        println!("pgbouncer on {side}: {all} transactions, {what}");
    }
    let ticks = running.cpu_ticks().unwrap_or_default();
    println!("pgbouncer on {side}: {} ms of processor time", ticks * 10);
    running.end("INT")
}

/// A folder for the database and the sockets, which goes when this is dropped.
#[derive(Debug)]
struct Scratch {
    folder: PathBuf,
    library: PathBuf,
    /// User and group of what runs here, where they are not the caller's.
    owner: Option<(u32, u32)>,
}

impl Scratch {
    fn new(trial: &Trial<'_>, owner: Option<(u32, u32)>) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("evloop-pg-{}", std::process::id()));
        let fail = |error| Failure::file(&folder, error);
        fs::create_dir(&folder).map_err(fail)?;
        let library = folder.join(FILE);
        // The user may not be allowed into the target folder.
        fs::copy(&trial.installed.library, &library).map_err(fail)?;
        fs::set_permissions(&library, fs::Permissions::from_mode(0o755)).map_err(fail)?;
        if let Some((user, group)) = owner {
            chown(&folder, Some(user), Some(group)).map_err(fail)?;
        }
        Ok(Self {
            folder,
            library,
            owner,
        })
    }

    fn command(&self, program: impl Into<PathBuf>) -> Command {
        let mut command = untouched(program.into());
        command.current_dir(&self.folder).env("PGUSER", USER);
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }

    /// A new database, running.
    fn database(&self, binaries: &Path) -> Result<Running, Failure> {
        let mut init = self.command(binaries.join("initdb"));
        init.args(["-D", "data", "-A", "trust", "-U", USER, "--no-sync"]);
        succeed(&mut init)?;
        let mut postgres = self.command(binaries.join("postgres"));
        postgres.args([
            "-D",
            "data",
            "-c",
            "listen_addresses=",
            "-c",
            "fsync=off",
            "-k",
        ]);
        Running::start(postgres.arg(&self.folder))
    }

    fn config(&self, port: u16) -> Result<PathBuf, Failure> {
        let path = self.folder.join("pgbouncer.ini");
        let folder = self.folder.display();
        let text = format!(
            "\
[databases]
bench = host={folder} dbname=postgres user={USER}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 10
"
        );
        fs::write(&path, text).map_err(|error| Failure::file(&path, error))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            println!("note: {} stays: {error}", self.folder.display());
        }
    }
}

/// The folder with the database's programs: Debian keeps one for each version, apart from `PATH`.
fn postgresql() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<PathBuf> = versions
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|folder| folder.join("pgbench").is_file() && folder.join("initdb").is_file())
        .collect();
    folders.sort();
    folders
        .pop()
        .or_else(|| Some(find("initdb")?.parent()?.to_owned()))
}

/// User and group of `postgres`, if there is such a user.
fn owner() -> Option<Option<(u32, u32)>> {
    let number = |option| {
        let text = succeed(Command::new("id").args([option, "postgres"])).ok()?;
        text.trim_end().parse().ok()
    };
    Some(Some((number("-u")?, number("-g")?)))
}

/// The database's user.
const USER: &str = "evloop";

/// What it is, clients, transactions of each, and further arguments of pgbench.
const BENCHMARKS: [(&str, u32, u32, &str); 4] = [
    ("select only", 20, 200, "-S -j 2"),
    ("read and write", 10, 50, "-j 2"),
    ("the extended protocol", 10, 50, "-S -M extended"),
    ("a connection for each", 5, 40, "-S -C"),
];
