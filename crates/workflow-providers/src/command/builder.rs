//! The settings of commands.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{CommandProvider, Settings};

/// Configures a [`CommandProvider`].
#[derive(Debug, Clone)]
#[must_use]
pub struct CommandBuilder {
    work_root: PathBuf,
    allow_env: Vec<OsString>,
    grace: Duration,
    max_output: usize,
}

impl CommandProvider {
    /// Creates a builder for other settings than the defaults.
    pub fn builder() -> CommandBuilder {
        CommandBuilder::new()
    }
}

impl CommandBuilder {
    /// The variables that commands inherit by default: the user and home, the language, and where programs
    /// are; none that is used for secrets.
    pub const DEFAULT_ENV: [&str; 11] = crate::environment::DEFAULT;

    pub(super) fn new() -> Self {
        Self {
            work_root: PathBuf::from("."),
            allow_env: Self::DEFAULT_ENV.map(OsString::from).into(),
            grace: Duration::from_secs(5),
            max_output: 8 * 1024 * 1024,
        }
    }

    /// Sets the directory that every `cwd` must be inside of, and the working directory of commands without a
    /// `cwd`. Default: the current directory when the provider is built.
    pub fn work_root(mut self, directory: impl AsRef<Path>) -> Self {
        directory.as_ref().clone_into(&mut self.work_root);
        self
    }

    /// Replaces the list of variables that commands inherit, by default [`Self::DEFAULT_ENV`].
    pub fn allow_env<N: Into<OsString>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.allow_env = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets how long a process has after it was asked to stop, before it is killed. Default: 5 seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets the maximum size of an output in bytes. Default: 8 MiB. A call never keeps more of a program's
    /// output than that.
    pub fn max_output(mut self, bytes: usize) -> Self {
        self.max_output = bytes;
        self
    }

    /// Builds the provider.
    pub fn build(self) -> CommandProvider {
        let Self { work_root, allow_env, grace, max_output } = self;
        // It only fails if there is no current directory; the first call reports that.
        let work_root = std::path::absolute(&work_root).unwrap_or(work_root);
        CommandProvider(Arc::new(Settings { work_root, allow_env, grace, max_output }))
    }
}
