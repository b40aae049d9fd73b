//! The settings of agents.

use std::ffi::OsString;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::cli::Cli;
use super::provider::{AgentProvider, Settings};
use crate::environment;

/// Sets up an [`AgentProvider`].
#[derive(Debug, Clone)]
#[must_use]
pub struct AgentBuilder<C> {
    settings: Settings,
    cli: PhantomData<C>,
}

impl<C: Cli> AgentProvider<C> {
    /// A provider with the defaults of [`AgentBuilder`].
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Sets what the defaults are not right for.
    pub fn builder() -> AgentBuilder<C> {
        AgentBuilder::new()
    }
}

impl<C: Cli> AgentBuilder<C> {
    pub(super) fn new() -> Self {
        let allow_env = environment::DEFAULT.iter().chain(SERVICES).chain(C::ENV);
        Self {
            settings: Settings {
                work_root: PathBuf::from("."),
                program: C::PROGRAM.into(),
                arguments: Vec::new(),
                allow_env: allow_env.map(OsString::from).collect(),
                env: Vec::new(),
                denied: Vec::new(),
                grace: Duration::from_secs(5),
                patience: Duration::from_secs(30 * 60),
            },
            cli: PhantomData,
        }
    }

    /// The directory that every `cwd` has to be inside of, and where stages without one work.
    /// Default: the current directory when the provider is built.
    pub fn work_root(mut self, directory: impl AsRef<Path>) -> Self {
        directory.as_ref().clone_into(&mut self.settings.work_root);
        self
    }

    /// The program, by name or by path. Default: the agent's usual name.
    pub fn program(mut self, program: impl Into<OsString>) -> Self {
        self.settings.program = program.into();
        self
    }

    /// Arguments that every call gets, before those of its options.
    pub fn arguments<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.settings.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// The variables that the agent inherits, in place of the default: those of
    /// [`CommandBuilder::DEFAULT_ENV`](crate::CommandBuilder::DEFAULT_ENV), of proxies and certificates, and those that
    /// the agent reads its key, its home and its service from.
    pub fn allow_env<N: Into<OsString>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.settings.allow_env = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets a variable for every call; a stage's `env` does not replace it.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.settings.env.push((name.into(), value.into()));
        self
    }

    /// How long an agent that was asked to stop has before it is killed. Default: 5 seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// How long an agent may print nothing before it is stopped, whatever a definition's `idle_timeout` says: some
    /// agents wait for ever for a service that does not answer. Default: 30 minutes.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.settings.patience = patience;
        self
    }

    /// Files and folders that the agent's own tools must not change. `claude-code` gets `Edit` deny rules for them, which
    /// hold in every permission mode; the other providers ignore it. Commands that the agent executes are not bound by it:
    /// it keeps an agent from changing them by mistake, or as it was told in passing, and is no boundary.
    pub fn deny_write<P: AsRef<Path>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        // It fails only for an empty path.
        let absolute = |path: P| std::path::absolute(path.as_ref()).ok();
        self.settings.denied = paths.into_iter().filter_map(absolute).collect();
        self
    }

    /// The provider.
    pub fn build(mut self) -> AgentProvider<C> {
        let root = &mut self.settings.work_root;
        // It fails only when there is no current directory; then the first call says so.
        *root = std::path::absolute(&*root).unwrap_or_else(|_| root.clone());
        AgentProvider { settings: Arc::new(self.settings), cli: PhantomData }
    }
}

/// Proxies and certificates.
const SERVICES: &[&str] = &[
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
];
