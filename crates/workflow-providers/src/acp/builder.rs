//! The settings of ACP agents.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::provider::{AcpProvider, Settings};
use crate::agent::builder::SERVICES;
use crate::environment;

/// Where agents keep their settings and logins.
const FOLDERS: [&str; 4] = ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"];

/// Configures an [`AcpProvider`].
#[derive(Debug, Clone)]
#[must_use]
pub struct AcpBuilder(Settings);

impl AcpProvider {
    /// Creates a provider with the defaults of [`AcpBuilder`].
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Creates a builder for other settings than the defaults.
    pub fn builder() -> AcpBuilder {
        let allow_env = environment::DEFAULT.iter().chain(SERVICES).chain(&FOLDERS);
        AcpBuilder(Settings {
            work_root: PathBuf::from("."),
            allow_env: allow_env.map(OsString::from).collect(),
            env: Vec::new(),
            grace: Duration::from_secs(5),
            patience: Duration::from_secs(30 * 60),
        })
    }
}

impl Default for AcpProvider {
    fn default() -> Self {
        Self::new()
    }
}

impl AcpBuilder {
    /// Sets the directory that every `cwd` must be inside of, and the working directory of stages without a
    /// `cwd`. Default: the current directory when the provider is built.
    pub fn work_root(mut self, directory: impl AsRef<Path>) -> Self {
        directory.as_ref().clone_into(&mut self.0.work_root);
        self
    }

    /// Replaces the list of variables that an agent inherits. The default are those of
    /// [`CommandBuilder::DEFAULT_ENV`](crate::CommandBuilder::DEFAULT_ENV), of proxies and certificates, and the folders
    /// of settings. Keys are not among them, because a definition names the program: a stage gives them as `env`.
    pub fn allow_env<N: Into<OsString>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.0.allow_env = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets a variable for every call; a stage's `env` does not replace it.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.0.env.push((name.into(), value.into()));
        self
    }

    /// Sets how long an agent has after it was asked to stop, before it is killed: half of it to answer
    /// `session/cancel`, and half of it to exit after a signal. Default: 5 seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.0.grace = grace;
        self
    }

    /// Sets how long an agent may print nothing before it is stopped, whatever a definition's `idle_timeout`
    /// says. Default: 30 minutes.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.0.patience = patience;
        self
    }

    /// Builds the provider.
    pub fn build(mut self) -> AcpProvider {
        let root = &mut self.0.work_root;
        // It only fails if there is no current directory; the first call reports that.
        *root = std::path::absolute(&*root).unwrap_or_else(|_| root.clone());
        AcpProvider(Arc::new(self.0))
    }
}
