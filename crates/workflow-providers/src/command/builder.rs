//! The settings of commands.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{CommandProvider, Settings};

/// Sets up a [`CommandProvider`].
#[derive(Debug, Clone)]
#[must_use]
pub struct CommandBuilder {
    work_root: PathBuf,
    allow_env: Vec<OsString>,
    grace: Duration,
    max_output: usize,
}

impl CommandProvider {
    /// Sets what the defaults are not right for.
    pub fn builder() -> CommandBuilder {
        CommandBuilder::new()
    }
}

impl CommandBuilder {
    /// The variables that commands inherit by default: who and where the user is, in which
    /// language, and where programs are; none that is used for secrets.
    pub const DEFAULT_ENV: [&str; 11] = crate::environment::DEFAULT;

    pub(super) fn new() -> Self {
        Self {
            work_root: PathBuf::from("."),
            allow_env: Self::DEFAULT_ENV.map(OsString::from).into(),
            grace: Duration::from_secs(5),
            max_output: 8 * 1024 * 1024,
        }
    }

    /// The directory that every `cwd` has to be inside of, and where commands without one work.
    /// Default: the current directory when the provider is built.
    pub fn work_root(mut self, directory: impl AsRef<Path>) -> Self {
        directory.as_ref().clone_into(&mut self.work_root);
        self
    }

    /// The variables that commands inherit, in place of [`Self::DEFAULT_ENV`].
    pub fn allow_env<N: Into<OsString>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.allow_env = names.into_iter().map(Into::into).collect();
        self
    }

    /// How long a process that was asked to stop has before it is killed. Default: 5 seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How many bytes an output may have. Default: 8 MiB. However much a program
    /// prints, a call keeps no more of it than that.
    pub fn max_output(mut self, bytes: usize) -> Self {
        self.max_output = bytes;
        self
    }

    /// The provider.
    pub fn build(self) -> CommandProvider {
        let Self { work_root, allow_env, grace, max_output } = self;
        // It fails only when there is no current directory; then the first call says so.
        let work_root = std::path::absolute(&work_root).unwrap_or(work_root);
        CommandProvider(Arc::new(Settings { work_root, allow_env, grace, max_output }))
    }
}
