//! Runs a program until it and all processes that it started are gone.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use workflow_core::stop::Stop;

use super::escalation::{Escalation, Leader, Step};
use super::family::Family;
use super::groups::{self, working_time};
use super::input::Input;
use super::pipes::{Pipes, Stream};
use super::{Control, Marker};

/// How long a program that has exited may leave its pipes to processes it started, before those are stopped.
const LINGER: Duration = Duration::from_millis(200);

/// What to run, and how.
pub(crate) struct Launch {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<String>,
    /// The whole environment; nothing else is inherited.
    pub(crate) environment: Vec<(OsString, OsString)>,
    pub(crate) directory: PathBuf,
    pub(crate) stdin: Vec<u8>,
    /// What it reads after `stdin`, while it runs.
    pub(crate) input: Option<Arc<Input>>,
    /// The marker of the processes, which `environment` contains.
    pub(crate) marker: Marker,
    /// The signals that ask its group to stop, one after the other.
    pub(crate) signals: &'static [Signal],
    /// How long a process has after it was asked to stop, before it is killed.
    pub(crate) grace: Duration,
    /// How long it may print nothing.
    pub(crate) patience: Option<Duration>,
}

/// Receives what a program prints. Returns a new limit for how long it may print nothing, if that changes.
pub(crate) type Heard<'h> = dyn FnMut(Stream, &[u8]) -> Option<Duration> + 'h;

/// How a program ended. No process that it started is left.
pub(crate) enum Ended {
    /// It exited by itself.
    ByItself(ExitStatus),
    /// It was stopped, before it had begun or while it ran.
    Stopped,
    /// It printed nothing for too long, and was stopped.
    Silent,
}

/// Why a program could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("{0}")]
    Start(io::Error),
    #[error("cannot watch the program: {0}")]
    Watch(#[from] io::Error),
    #[error("cannot stop processes: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Survivors(Vec<i32>),
}

/// Runs the program to its end, and passes on its output immediately.
pub(crate) fn run(launch: Launch, control: &Arc<Control>, heard: &mut Heard<'_>) -> Result<Ended, RunError> {
    if control.asked() != Stop::None {
        return Ok(Ended::Stopped);
    }
    match Program::start(launch, control)? {
        Some(program) => program.run(heard),
        None => Ok(Ended::Stopped),
    }
}

struct Program {
    /// Present until it is reaped.
    child: Option<Child>,
    group: Pid,
    pipes: Pipes,
    control: Arc<Control>,
    escalation: Escalation,
    patience: Option<Duration>,
    /// How long it has for an answer to its last words.
    grace: Duration,
}

impl Program {
    /// `None` where the call had to end meanwhile.
    fn start(launch: Launch, control: &Arc<Control>) -> Result<Option<Self>, RunError> {
        let has_input = !launch.stdin.is_empty() || launch.input.is_some();
        let stdin = if has_input { Stdio::piped() } else { Stdio::null() };
        // It is asked twice: by its input and by signals.
        let grace = if launch.input.is_some() { launch.grace / 2 } else { launch.grace };
        let starting = groups::starting();
        let mut command = Command::new(&launch.program);
        command
            .args(&launch.arguments)
            .env_clear()
            .envs(launch.environment)
            .current_dir(&launch.directory)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let Some(mut child) = control.start(|| command.spawn()).map_err(RunError::Start)? else {
            return Ok(None);
        };
        drop(starting);
        let group = Pid::from_child(&child);
        let pipes = Pipes::new(&mut child, launch.stdin, launch.input);
        let escalation = Escalation::new(Family::of_child(group, launch.marker), launch.signals, grace);
        // From here on dropping it stops the program.
        let program = Self {
            child: Some(child),
            group,
            pipes,
            control: control.clone(),
            escalation,
            patience: launch.patience,
            grace,
        };
        program.pipes.set_nonblocking()?;
        program.watch_for_exit()?;
        Ok(Some(program))
    }

    /// Starts the thread that sleeps until the program has exited. It does not reap it: while the program is
    /// a zombie, its id, which is also the id of its group, cannot be reused.
    fn watch_for_exit(&self) -> io::Result<()> {
        let (group, control) = (self.group, self.control.clone());
        let wait = move || {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(group), options) {}
            control.set_exited();
        };
        thread::Builder::new().name("workflow-wait".to_owned()).spawn(wait).map(drop)
    }

    fn run(mut self, heard: &mut Heard<'_>) -> Result<Ended, RunError> {
        let running = |program: &Self| !program.control.has_exited() && program.control.asked() == Stop::None;
        self.listen_patiently(running, heard)?;
        let by_itself = self.control.has_exited();
        let was_asked = self.control.asked() != Stop::None;
        if !by_itself && !was_asked {
            self.control.set_silent();
        }
        let heard = &mut |stream, bytes: &[u8]| {
            let _ = heard(stream, bytes);
        };
        if !by_itself && self.control.asked() == Stop::Gracefully && self.pipes.say_last_words() {
            let answering = |program: &Self| {
                !program.control.has_exited()
                    && program.control.asked() == Stop::Gracefully
                    && program.pipes.have_input()
            };
            self.listen_while(answering, Some(self.grace), heard)?;
        }
        self.pipes.close_stdin();
        if by_itself {
            // Processes that the program left behind may still write some output.
            let lingering =
                |program: &Self| program.pipes.are_open() && program.control.asked() == Stop::None;
            self.listen_while(lingering, Some(LINGER), heard)?;
        }
        loop {
            let state = (self.control.has_exited(), self.control.asked());
            let leader = Leader { group: self.group, exited: state.0 };
            match self.escalation.step(Some(leader), state.1 == Stop::AtOnce)? {
                Step::Wait(time) => {
                    let unchanged =
                        |program: &Self| (program.control.has_exited(), program.control.asked()) == state;
                    self.listen_while(unchanged, Some(time), heard)?;
                }
                Step::Gone => break,
                Step::GaveUp(processes) => return Err(RunError::Survivors(processes)),
            }
        }
        self.pipes.hear_last_words(heard);
        let status = self.reap()?;
        Ok(match (by_itself, was_asked) {
            (true, _) => Ended::ByItself(status),
            (false, true) => Ended::Stopped,
            (false, false) => Ended::Silent,
        })
    }

    /// Feeds and reads the program while `go_on` holds, until it prints nothing for too long.
    fn listen_patiently(&mut self, go_on: impl Fn(&Self) -> bool, heard: &mut Heard<'_>) -> io::Result<()> {
        let mut patience = self.patience;
        loop {
            let mut is_silent = true;
            // Any output ends this wait, and the next one starts over.
            let until = patience.map(|patience| working_time().saturating_add(patience));
            while is_silent && go_on(self) {
                let left = until.map(|until| until.saturating_sub(working_time()));
                if left.is_some_and(|left| left.is_zero()) {
                    return Ok(());
                }
                self.pipes.wait(&self.control, left)?;
                self.control.clear_wake_ups();
                self.pipes.pump(&mut |stream, bytes| {
                    is_silent = false;
                    patience = heard(stream, bytes).or(patience);
                });
            }
            if !go_on(self) {
                return Ok(());
            }
        }
    }

    /// Feeds and reads the program while `go_on` holds, at most for `time`.
    fn listen_while(
        &mut self,
        go_on: impl Fn(&Self) -> bool,
        time: Option<Duration>,
        heard: &mut dyn FnMut(Stream, &[u8]),
    ) -> io::Result<()> {
        let until = time.map(|time| working_time().saturating_add(time));
        while go_on(self) {
            let left = until.map(|until| until.saturating_sub(working_time()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            self.pipes.wait(&self.control, left)?;
            self.control.clear_wake_ups();
            self.pipes.pump(heard);
        }
        Ok(())
    }

    fn reap(&mut self) -> io::Result<ExitStatus> {
        // For processes that cannot be found without `/proc`.
        let _ = kill_process_group(self.group, Signal::KILL);
        self.control.forget_group();
        self.child.take().ok_or(io::ErrorKind::NotFound)?.wait()
    }
}

impl Drop for Program {
    /// Stops what is still running after an error, or after a panic of the host's output handler.
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let now = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        loop {
            let exited = !matches!(waitid(WaitId::Pid(self.group), now), Ok(None));
            let leader = Leader { group: self.group, exited };
            match self.escalation.step(Some(leader), true) {
                Ok(Step::Wait(time)) => thread::sleep(time),
                _ => break,
            }
        }
        self.control.forget_group();
        // A process that is stuck in the kernel is reaped whenever it ends.
        let _ = thread::Builder::new().spawn(move || child.wait());
    }
}
