//! A PostgreSQL server for one process, or shared by all processes of a test run. Unix only.
//!
//! It only listens on a Unix socket. A keeper, a shell script, reads commands from a pipe: when the last
//! process that has the pipe open has ended, it stops the server and removes its directory. It keeps a shared
//! server, whose pipe has a name, for two more seconds. The result of `initdb` is kept as an archive beside
//! the program, because creating it takes seconds.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

/// The user that owns the database.
const USER: &str = "workflow";

/// How long a start may take, in polls of ten milliseconds.
const LOOKS: usize = 6_000;

const MISSING: &str = "the programs of the PostgreSQL server (initdb, postgres) were not found: install \
     them (Debian and Ubuntu: `apt install postgresql`, Fedora: `dnf install postgresql-server`, macOS: \
     `brew install postgresql`)";

/// `$1` is the directory, `$2` the program, and the rest are settings. Once the named pipe is removed, no
/// process can join any more; processes that joined just before are waited for.
const KEEPER: &str = r#"
dir=$1; program=$2; shift 2; server=
start() { "$program" -D "$dir/data" -k "$dir" "$@" >>"$dir/log" 2>&1 </dev/null & server=$!; }
stop() { [ -z "$server" ] || { kill -QUIT "$server"; wait "$server"; rm -f "$dir/data/postmaster.pid"; server=; }; }
serve() {
    came=
    while read -r word; do
        came=yes
        case $word in
            start) start "$@" ;;
            stop) stop; echo stopped ;;
        esac
    done
}
[ ! -p "$dir/pipe" ] || exec <"$dir/pipe"
serve "$@"
while [ -p "$dir/pipe" ] && [ -n "$came" ]; do sleep 2; serve "$@"; done
rm -f "$dir/pipe"
serve "$@"
stop
cd / && rm -rf "$dir"
"#;

type Result<T> = std::result::Result<T, String>;

/// A running server. Dropping it stops it at once, like a power failure.
pub struct Server {
    directory: PathBuf,
    keeper: Child,
    words: Option<Box<dyn Write + Send>>,
    answers: BufReader<ChildStdout>,
    shared: bool,
}

/// A server that other processes use too, which lives as long as any of them.
pub struct SharedServer {
    directory: PathBuf,
    /// The server runs as long as a process has it open.
    _pipe: File,
}

/// The user that runs the server, which refuses to run as root.
struct User {
    name: Option<String>,
}

impl Server {
    /// Starts a server with a directory in `parent`, which every user must be able to enter. With `sync` it
    /// waits for the disk, as in production; without it is faster.
    ///
    /// # Errors
    ///
    /// A message for the developer.
    pub fn start(parent: &Path, sync: bool) -> Result<Self> {
        Self::start_with(parent, sync, &[], &[])
    }

    /// The same with additional settings (`port=5433`), and with files in its data directory that only the
    /// server can read (`pg_hba.conf`, `server.key`).
    ///
    /// # Errors
    ///
    /// A message for the developer.
    pub fn start_with(parent: &Path, sync: bool, settings: &[&str], files: &[(&str, &str)]) -> Result<Self> {
        let (mut keeper, directory) = prepare(parent, sync)?;
        for setting in settings {
            keeper.args(["-c", setting]);
        }
        for (name, text) in files {
            let mut write = User::find().command("/bin/sh");
            write.args(["-c", "umask 077; cat >\"$0\""]).arg(directory.join("data").join(name));
            let mut write =
                write.stdin(Stdio::piped()).spawn().map_err(|error| format!("/bin/sh: {error}"))?;
            let mut pipe = write.stdin.take().ok_or("no pipe")?;
            pipe.write_all(text.as_bytes()).map_err(|error| format!("{name}: {error}"))?;
            drop(pipe);
            succeeded(name, write.wait_with_output())?;
        }
        Self::keep(keeper, directory, Stdio::piped(), None)
    }

    /// Starts a standby that follows this server over its Unix socket, and accepts reads. Its own URL leads to it;
    /// `SELECT pg_promote()` makes it a primary.
    ///
    /// # Errors
    ///
    /// A message for the developer.
    pub fn standby(&self, parent: &Path) -> Result<Self> {
        let (programs, user) = (programs().ok_or(MISSING)?, User::find());
        let directory = directory(parent, &user)?;
        let mut copy = user.command(programs.join("pg_basebackup"));
        copy.args(["--checkpoint=fast", "--no-sync", "--write-recovery-conf", "--username", USER]);
        copy.arg("--host").arg(&self.directory).arg("--pgdata").arg(directory.join("data")).current_dir("/");
        succeeded("pg_basebackup", copy.output())?;
        Self::keep(keeper(&programs, &user, &directory, false), directory, Stdio::piped(), None)
    }

    fn keep(mut keeper: Command, directory: PathBuf, from: Stdio, pipe: Option<&Path>) -> Result<Self> {
        let mut keeper = keeper.stdin(from).spawn().map_err(|error| format!("/bin/sh: {error}"))?;
        let words: Option<Box<dyn Write + Send>> = match pipe {
            Some(pipe) => Some(Box::new(File::options().write(true).open(pipe).map_err(|e| e.to_string())?)),
            None => keeper.stdin.take().map(|pipe| -> Box<dyn Write + Send> { Box::new(pipe) }),
        };
        let answers = BufReader::new(keeper.stdout.take().ok_or("no pipe")?);
        let mut server = Self { directory, keeper, words, answers, shared: false };
        server.go_on()?;
        Ok(server)
    }

    /// The connection string of a database of the server.
    pub fn url(&self) -> String {
        url(&self.directory)
    }

    /// Stops the server at once: data that it has not written is lost.
    ///
    /// # Errors
    ///
    /// A message for the developer.
    pub fn stop(&mut self) -> Result<()> {
        self.say("stop")?;
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|error| error.to_string())?;
        if line == "stopped\n" { Ok(()) } else { Err("the keeper of the server has exited".to_owned()) }
    }

    /// Starts it again after a stop.
    ///
    /// # Errors
    ///
    /// A message for the developer.
    pub fn go_on(&mut self) -> Result<()> {
        self.say("start")?;
        for _ in 0..LOOKS {
            let state = fs::read_to_string(self.directory.join("data/postmaster.pid")).unwrap_or_default();
            if state.lines().nth(7).is_some_and(|line| ["ready", "standby"].contains(&line.trim())) {
                return Ok(());
            }
            if let Ok(Some(status)) = self.keeper.try_wait() {
                return Err(format!("the keeper of the server has exited: {status}"));
            }
            thread::sleep(Duration::from_millis(10));
        }
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        Err(format!("the server did not start:\n{log}"))
    }

    /// Leaves the server to the other processes that have its pipe open.
    fn let_go(mut self) {
        self.words = None;
        self.shared = true;
    }

    fn say(&mut self, word: &str) -> Result<()> {
        let words = self.words.as_mut().ok_or("the server is stopped")?;
        writeln!(words, "{word}").map_err(|error| error.to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.words = None;
        if !self.shared {
            let _ = self.keeper.wait();
        }
    }
}

impl SharedServer {
    /// Joins the shared server, or starts it. It does not wait for the disk.
    ///
    /// # Errors
    ///
    /// A message for the developer.
    pub fn join() -> Result<Self> {
        let error = |error: std::io::Error| error.to_string();
        let beside = beside()?;
        let lock = File::create(beside.join("postgres-shared.lock")).map_err(error)?;
        lock.lock().map_err(error)?;
        let note = beside.join("postgres-shared");
        if let Ok(directory) = fs::read_to_string(&note) {
            let directory = PathBuf::from(directory);
            // Non-blocking, so that opening a pipe without a reader fails.
            let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
            if let Ok(pipe) = rustix::fs::open(directory.join("pipe"), flags, Mode::empty()) {
                let mut pipe = File::from(pipe);
                if pipe.write_all(b"here\n").is_ok() {
                    return Ok(Self { directory, _pipe: pipe });
                }
            }
        }
        let (keeper, directory) = prepare(&anywhere(), false)?;
        let pipe = directory.join("pipe");
        succeeded("mkfifo", User::find().command("mkfifo").arg(&pipe).output())?;
        let server = Server::keep(keeper, directory.clone(), Stdio::null(), Some(&pipe))?;
        fs::write(&note, directory.to_string_lossy().as_bytes()).map_err(error)?;
        let pipe = File::options().write(true).open(&pipe).map_err(error)?;
        // The keeper outlives this process if others use the server.
        server.let_go();
        Ok(Self { directory, _pipe: pipe })
    }

    /// The connection string of a database of the server.
    pub fn url(&self) -> String {
        url(&self.directory)
    }
}

fn url(directory: &Path) -> String {
    format!("host={} user={USER} dbname=postgres", directory.display())
}

/// The keeper of a new server, before it is started, and the server's directory.
fn prepare(parent: &Path, sync: bool) -> Result<(Command, PathBuf)> {
    let programs = programs().ok_or(MISSING)?;
    let user = User::find();
    let archive = archive(&programs, &user)?;
    let directory = directory(parent, &user)?;
    let mut tar = user.command("tar");
    succeeded("tar", tar.arg("-xf").arg("-").arg("-C").arg(&directory).stdin(open(&archive)?).output())?;
    Ok((keeper(&programs, &user, &directory, sync), directory))
}

/// The keeper of the server in `directory`, before it is started.
fn keeper(programs: &Path, user: &User, directory: &Path, sync: bool) -> Command {
    let mut keeper = user.command("/bin/sh");
    keeper.args(["-c", KEEPER, "keeper"]).arg(directory).arg(programs.join("postgres"));
    for setting in [
        "listen_addresses=",
        "max_connections=200",
        "shared_buffers=64MB",
        if sync { "fsync=on" } else { "fsync=off" },
    ] {
        keeper.args(["-c", setting]);
    }
    keeper.current_dir("/").stdout(Stdio::piped()).stderr(Stdio::null());
    // An interrupt of the tests must not prevent its clean-up.
    keeper.process_group(0);
    keeper
}

/// The directory for servers that need no durable disk.
pub fn anywhere() -> PathBuf {
    let directory = std::env::temp_dir();
    // The path of a socket has a short limit.
    if directory.as_os_str().len() > 60 { PathBuf::from("/tmp") } else { directory }
}

/// A command that runs `program` as the user of the servers: those refuse to run as root, as do poolers.
pub fn server_command(program: impl AsRef<Path>) -> Command {
    User::find().command(program)
}

impl User {
    fn find() -> Self {
        let name = if said("id", &["-u"]).as_deref() != Some("0") {
            None
        } else if said("id", &["-u", "postgres"]).is_some() {
            Some("postgres".to_owned())
        } else {
            Some("nobody".to_owned())
        };
        Self { name }
    }

    /// The command that runs `program` as this user.
    fn command(&self, program: impl AsRef<Path>) -> Command {
        let program = program.as_ref();
        let Some(name) = &self.name else { return Command::new(program) };
        let mut command;
        if said("setpriv", &["--version"]).is_some() {
            command = Command::new("setpriv");
            let group = said("id", &["-g", name]).unwrap_or_default();
            command.args(["--reuid", name, "--regid", &group, "--clear-groups"]).arg(program);
        } else if said("runuser", &["--version"]).is_some() {
            command = Command::new("runuser");
            command.args(["-u", name, "--"]).arg(program);
        } else {
            command = Command::new("su");
            command.args(["-s", "/bin/sh", name, "-c", "exec \"$0\" \"$@\""]).arg(program);
        }
        command
    }

    /// Gives a directory to this user.
    fn own(&self, directory: &Path) -> Result<()> {
        let Some(name) = &self.name else { return Ok(()) };
        let number = |flag| said("id", &[flag, name]).and_then(|text| text.parse().ok());
        chown(directory, number("-u"), number("-g")).map_err(|error| error.to_string())
    }
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn succeeded(what: &str, output: std::io::Result<std::process::Output>) -> Result<()> {
    let output = output.map_err(|error| format!("{what}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{what}: {}: {}", output.status, String::from_utf8_lossy(&said)))
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The directory of the server's programs (`postgres`, `pg_dump`), if they are installed.
pub fn programs() -> Option<PathBuf> {
    let has_both =
        |directory: &PathBuf| ["initdb", "postgres"].iter().all(|name| directory.join(name).is_file());
    let on_path = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    // A symbolic link leads to the directory where its program finds the others.
    let linked = on_path.filter_map(|directory| {
        Some(fs::canonicalize(directory.join("postgres")).ok()?.parent()?.to_owned())
    });
    let configured = said("pg_config", &["--bindir"]).map(PathBuf::from);
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_unstable_by_key(|(version, _)| std::cmp::Reverse(*version));
    linked.chain(configured).chain(versions.into_iter().map(|(_, path)| path)).find(has_both)
}

/// A private directory of the user in `parent`.
fn directory(parent: &Path, user: &User) -> Result<PathBuf> {
    let directory = tempfile::Builder::new().prefix("workflow-pg-").tempdir_in(parent);
    let directory = directory.map_err(|error| format!("{}: {error}", parent.display()))?;
    user.own(directory.path())?;
    Ok(directory.keep())
}

/// The directory of the running program.
fn beside() -> Result<PathBuf> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    Ok(program.parent().ok_or("the program is in no directory")?.to_owned())
}

/// The result of `initdb`, as an archive.
fn archive(programs: &Path, user: &User) -> Result<PathBuf> {
    let beside = beside()?;
    let version = said(&programs.join("postgres").to_string_lossy(), &["--version"]).unwrap_or_default();
    let version: String = version.chars().filter(|c| c.is_ascii_digit() || *c == '.').take(12).collect();
    let archive = beside.join(format!("postgres-{version}.tar"));
    let lock = File::create(beside.join("postgres.lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    if archive.is_file() {
        return Ok(archive);
    }
    let made = directory(&anywhere(), user)?;
    let mut initdb = user.command(programs.join("initdb"));
    initdb.args([
        "--no-sync",
        "--wal-segsize=1",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--username",
        USER,
    ]);
    let initialised = initdb.arg("--pgdata").arg(made.join("data")).current_dir("/").output();
    let unfinished = archive.with_extension("new");
    let packed = succeeded("initdb", initialised).and_then(|()| {
        succeeded(
            "tar",
            Command::new("tar").arg("-cf").arg(&unfinished).arg("-C").arg(&made).arg("data").output(),
        )
    });
    let _ = fs::remove_dir_all(&made);
    packed?;
    fs::rename(&unfinished, &archive).map_err(|error| error.to_string())?;
    Ok(archive)
}
