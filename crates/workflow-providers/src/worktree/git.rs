//! Runs git so that no process of it is left, and no program of the user's configuration runs on its own.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use workflow_core::provider::{CallId, ProviderError};

use crate::environment;
use crate::process::{self, Control, Ended, Launch, Marker, Stream, TERMINATE};
use crate::program::run_error;
use crate::tail::Tail;

use super::pinned::Pinned;

/// How long git has after it was asked to stop: it removes its locks then.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// How long it may print nothing: a large checkout takes its time.
const PATIENCE: Duration = Duration::from_secs(600);

/// The maximum size of its output. Larger results must be requested from git directly.
const LIMIT: usize = 64 << 20;

/// No hooks, no signatures, no background work; untracked files always count, and output has no colours.
const CONFIGURATION: [&str; 9] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "commit.gpgSign=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "status.showUntrackedFiles=all",
    "core.quotePath=false",
    "log.showSignature=false",
    "color.ui=false",
];

/// Git, for a call or for a query.
pub(super) struct Git<'c> {
    control: &'c Arc<Control>,
    marker: Marker,
    marks: Vec<(OsString, OsString)>,
}

/// Where git works, and whose configuration it reads.
pub(super) enum At<'p> {
    /// In a folder of a checkout, which is searched for upwards. The configuration is the current one, so
    /// this is only for commands that execute nothing of it.
    Checkout(&'p Path),
    /// On the repository with this folder, from that directory; the same holds for the configuration.
    Repository(&'p Path, &'p Path),
    /// In the worktree of a run, and nowhere else. The configuration is the recorded one.
    Worktree(&'p Pinned),
    /// On the repository of a run, from the folder of the worktrees, with the recorded configuration.
    Around(&'p Pinned),
    /// In a repository inside a run's worktree, whose own configuration is not read.
    Nested(&'p Pinned, &'p Path),
}

/// Variables of git's environment.
type Variables = Vec<(&'static str, OsString)>;

impl At<'_> {
    /// The directory, and the variables that tell git about it.
    fn place(&self) -> Result<(&Path, Variables), ProviderError> {
        // Programs that the configuration names would fetch a missing object.
        let no_fetch = ("GIT_ALLOW_PROTOCOL", "none".into());
        let pinned = |pinned: &Pinned, own: Variables| {
            pinned.verify()?;
            let environment = pinned.environment().map(|(name, value)| (name, value.to_owned()));
            Ok::<_, ProviderError>(environment.into_iter().chain(own).collect())
        };
        Ok(match self {
            At::Checkout(folder) => (*folder, vec![no_fetch]),
            At::Repository(repository, directory) => {
                (*directory, vec![no_fetch, ("GIT_DIR", repository.as_os_str().to_owned())])
            }
            At::Worktree(run) => {
                let own = vec![
                    ("GIT_DIR", run.git_dir.as_os_str().to_owned()),
                    ("GIT_WORK_TREE", run.worktree.as_os_str().to_owned()),
                ];
                (&run.worktree, pinned(run, own)?)
            }
            At::Around(run) => {
                let own = vec![("GIT_DIR", run.repository.as_os_str().to_owned())];
                (run.worktree.parent().unwrap_or(&run.worktree), pinned(run, own)?)
            }
            At::Nested(run, folder) => {
                let own = vec![
                    no_fetch,
                    ("GIT_DIR", folder.join(".git").into_os_string()),
                    ("GIT_WORK_TREE", folder.as_os_str().to_owned()),
                ];
                (*folder, pinned(run, own)?)
            }
        })
    }
}

/// The output of git.
pub(super) struct Answer {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: String,
}

impl<'c> Git<'c> {
    pub(super) fn of_call(call: &CallId, control: &'c Arc<Control>) -> Self {
        Self { control, marker: Marker::of(call), marks: Marker::variables(call).into_iter().collect() }
    }

    pub(super) fn outside(control: &'c Arc<Control>) -> Self {
        let (marker, mark) = Marker::of_question(&uuid::Uuid::new_v4());
        Self { control, marker, marks: vec![mark] }
    }

    pub(super) fn control(&self) -> &Arc<Control> {
        self.control
    }

    /// The output of git, if it succeeded.
    pub(super) fn ask(&self, at: &At<'_>, arguments: &[&str]) -> Result<Answer, ProviderError> {
        let answer = self.run(at, arguments, "")?;
        if answer.is_yes() { Ok(answer) } else { Err(answer.error(arguments)) }
    }

    /// The same, with input.
    pub(super) fn tell(
        &self,
        at: &At<'_>,
        arguments: &[&str],
        text: impl AsRef<[u8]>,
    ) -> Result<(), ProviderError> {
        let answer = self.run(at, arguments, text)?;
        if answer.is_yes() { Ok(()) } else { Err(answer.error(arguments)) }
    }

    /// The output of git, whatever its exit code.
    pub(super) fn run(
        &self,
        at: &At<'_>,
        arguments: &[&str],
        stdin: impl AsRef<[u8]>,
    ) -> Result<Answer, ProviderError> {
        let (directory, own) = at.place()?;
        let allowed = environment::DEFAULT.map(OsString::from);
        let set = [
            ("LC_ALL", "C"),
            ("GIT_TERMINAL_PROMPT", "0"),
            // Reading a checkout must change nothing in it.
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_AUTHOR_NAME", "workflow"),
            ("GIT_AUTHOR_EMAIL", "workflow@localhost"),
            ("GIT_COMMITTER_NAME", "workflow"),
            ("GIT_COMMITTER_EMAIL", "workflow@localhost"),
        ];
        let environment = environment::inherited(&allowed)
            .filter(|(name, _)| name != "LC_ALL")
            .chain(set.map(|(name, value)| (name.into(), value.into())))
            .chain(own.into_iter().map(|(name, value)| (name.into(), value)))
            .chain(self.marks.iter().cloned());
        let configuration = CONFIGURATION.iter().flat_map(|setting| ["-c", *setting]);
        let launch = Launch {
            program: "git".into(),
            arguments: configuration.chain(arguments.iter().copied()).map(str::to_owned).collect(),
            environment: environment.collect(),
            directory: directory.to_owned(),
            stdin: stdin.as_ref().to_vec(),
            input: None,
            marker: self.marker.clone(),
            signals: TERMINATE,
            grace: GRACE,
            patience: Some(PATIENCE),
        };
        let (mut stdout, mut stderr) = (Tail::without(LIMIT, []), Tail::without(4 * 1024, []));
        let ended = process::run(launch, self.control, &mut |stream, bytes| {
            match stream {
                Stream::Stdout => stdout.push(bytes),
                Stream::Stderr => stderr.push(bytes),
            }
            None
        });
        match ended.map_err(|error| run_error("git", &error))? {
            Ended::ByItself(_) if stdout.left_out() > 0 => {
                let message = format!("`git {}` printed more than {LIMIT} bytes", arguments.join(" "));
                Err(ProviderError::permanent(message))
            }
            Ended::ByItself(status) => {
                let (stdout, stderr) = (stdout.bytes().to_vec(), stderr.excerpt(4 * 1024));
                Ok(Answer { status, stdout, stderr })
            }
            Ended::Stopped => Err(ProviderError::cancelled()),
            Ended::Silent => {
                let message = format!("`git {}` printed nothing for too long", arguments.join(" "));
                Err(ProviderError::transient(message))
            }
        }
    }
}

impl Answer {
    pub(super) fn is_yes(&self) -> bool {
        self.status.success()
    }

    /// The output, without the last line ending.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end_matches('\n').to_owned()
    }

    /// The output as bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.stdout.clone()
    }

    /// The whole output.
    pub(super) fn whole(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The lines, as paths.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let said = self.stdout.strip_suffix(b"\n").unwrap_or(&self.stdout);
        said.split(|byte| *byte == b'\n').map(|line| OsString::from_vec(line.to_vec()).into()).collect()
    }

    pub(super) fn error(&self, arguments: &[&str]) -> ProviderError {
        let said = if self.stderr.is_empty() { self.status.to_string() } else { self.stderr.clone() };
        ProviderError::permanent(format!("`git {}`: {said}", arguments.join(" ")))
    }
}
