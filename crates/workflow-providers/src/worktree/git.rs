//! Runs git so that nothing of it is left, and nothing of the user's configuration runs programs of its own accord.

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

/// How long a git that was asked to stop has: it removes its locks then.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// How long it may be silent: a large checkout takes its time.
const PATIENCE: Duration = Duration::from_secs(600);

/// The most that it may say. Whoever wants more asks git.
const LIMIT: usize = 64 << 20;

/// No hooks, no signatures, nothing that goes on in the background; untracked files always count, and what is said is
/// said without colours.
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

/// Git, for a call or for a question.
pub(super) struct Git<'c> {
    control: &'c Arc<Control>,
    marker: Marker,
    marks: Vec<(OsString, OsString)>,
}

/// Where git works, and whose configuration it reads.
pub(super) enum At<'p> {
    /// In a folder of a checkout, which is looked for upwards. The configuration is what it is now, so this is only for
    /// what executes nothing of it.
    Checkout(&'p Path),
    /// On the repository with this folder, from that directory; for the configuration, the same holds.
    Repository(&'p Path, &'p Path),
    /// In the worktree of a run, and nowhere else. The configuration is that which was recorded.
    Worktree(&'p Pinned),
    /// On the repository of a run, from the folder of the worktrees, with the recorded configuration.
    Around(&'p Pinned),
    /// In a repository inside of a run's worktree, whose own configuration is not read.
    Nested(&'p Pinned, &'p Path),
}

/// Variables of git's environment.
type Variables = Vec<(&'static str, OsString)>;

impl At<'_> {
    /// The directory, and what git is told of it.
    fn place(&self) -> Result<(&Path, Variables), ProviderError> {
        // A missing object is fetched by programs that the configuration names.
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

/// What git said.
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

    /// What git says, if it is content.
    pub(super) fn ask(&self, at: &At<'_>, arguments: &[&str]) -> Result<Answer, ProviderError> {
        let answer = self.run(at, arguments, "")?;
        if answer.is_yes() { Ok(answer) } else { Err(answer.error(arguments)) }
    }

    /// The same, with something to read.
    pub(super) fn tell(
        &self,
        at: &At<'_>,
        arguments: &[&str],
        text: impl AsRef<[u8]>,
    ) -> Result<(), ProviderError> {
        let answer = self.run(at, arguments, text)?;
        if answer.is_yes() { Ok(()) } else { Err(answer.error(arguments)) }
    }

    /// What git says, whatever it is.
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
            // To look at a checkout changes nothing in it.
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
                let message = format!("`git {}` says more than {LIMIT} bytes", arguments.join(" "));
                Err(ProviderError::permanent(message))
            }
            Ended::ByItself(status) => {
                let (stdout, stderr) = (stdout.bytes().to_vec(), stderr.excerpt(4 * 1024));
                Ok(Answer { status, stdout, stderr })
            }
            Ended::Stopped => Err(ProviderError::cancelled()),
            Ended::Silent => {
                let message = format!("`git {}` was silent for too long", arguments.join(" "));
                Err(ProviderError::transient(message))
            }
        }
    }
}

impl Answer {
    pub(super) fn is_yes(&self) -> bool {
        self.status.success()
    }

    /// What was said, without the last line end.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end_matches('\n').to_owned()
    }

    /// All that was said, as it was.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.stdout.clone()
    }

    /// All that was said.
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
