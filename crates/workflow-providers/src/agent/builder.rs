//! The settings of agents.

use std::ffi::OsString;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::cli::Cli;
use super::provider::{AgentProvider, Settings};
use crate::environment;

/// Configures an [`AgentProvider`].
#[derive(Debug, Clone)]
#[must_use]
pub struct AgentBuilder<C> {
    settings: Settings,
    cli: PhantomData<C>,
}

impl<C: Cli> AgentProvider<C> {
    /// Creates a provider with the defaults of [`AgentBuilder`].
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Creates a builder for other settings than the defaults.
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

    /// Sets the directory that every `cwd` must be inside of, and the working directory of stages without a
    /// `cwd`. Default: the current directory when the provider is built.
    pub fn work_root(mut self, directory: impl AsRef<Path>) -> Self {
        directory.as_ref().clone_into(&mut self.settings.work_root);
        self
    }

    /// Sets the program, by name or by path. Default: the agent's usual name.
    pub fn program(mut self, program: impl Into<OsString>) -> Self {
        self.settings.program = program.into();
        self
    }

    /// Sets arguments for every call, before those of its options.
    pub fn arguments<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.settings.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// Replaces the list of variables that the agent inherits. The default are those of
    /// [`CommandBuilder::DEFAULT_ENV`](crate::CommandBuilder::DEFAULT_ENV), of proxies and certificates, and
    /// those for the agent's key, home and service.
    pub fn allow_env<N: Into<OsString>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.settings.allow_env = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets a variable for every call; a stage's `env` does not replace it.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.settings.env.push((name.into(), value.into()));
        self
    }

    /// Sets how long an agent has after it was asked to stop, before it is killed. Default: 5 seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Sets how long an agent may print nothing before it is stopped, whatever a definition's `idle_timeout`
    /// says: some agents wait forever for a service that does not answer. Default: 30 minutes.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.settings.patience = patience;
        self
    }

    /// Names files and folders that the agent's own tools must not change, in any permission mode; a `*` in the last part of a
    /// path stands for any text. `claude-code` and `grok` receive deny rules for them, `gemini` a policy file; `codex` has no
    /// such rules and ignores them. Commands that the agent executes are not restricted: this prevents accidental changes and
    /// changes that some text asked for, and is not a security boundary.
    pub fn deny_write<P: AsRef<Path>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        // It only fails for an empty path.
        let absolute = paths.into_iter().filter_map(|path| std::path::absolute(path.as_ref()).ok());
        self.settings.denied = absolute.flat_map(|path| [real(&path), Some(path)]).flatten().collect();
        self
    }

    /// Builds the provider.
    pub fn build(mut self) -> AgentProvider<C> {
        let root = &mut self.settings.work_root;
        // It only fails if there is no current directory; the first call reports that.
        *root = std::path::absolute(&*root).unwrap_or_else(|_| root.clone());
        AgentProvider { settings: Arc::new(self.settings), cli: PhantomData }
    }
}

/// The path without symbolic links, if there are some in it.
fn real(path: &Path) -> Option<PathBuf> {
    let existing = path.ancestors().find_map(|parent| Some((parent, parent.canonicalize().ok()?)));
    let (parent, real) = existing.filter(|(parent, real)| parent != real)?;
    // An empty rest would leave a slash at the end.
    Some(real.join(path.strip_prefix(parent).ok()?).components().collect())
}

/// Proxies and certificates.
pub(crate) const SERVICES: &[&str] = &[
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
