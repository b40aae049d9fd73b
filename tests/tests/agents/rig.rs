//! The environment of one test: the fake, an empty home, and only the variables that it sets.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use indexmap::IndexMap;
use serde_json::Value;
use tempfile::TempDir;
use workflow_core::ids::RunId;
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, ProviderError, Reply, Workspace};
use workflow_core::stop::StopSource;
use workflow_providers::{AcpProvider, ClaudeCodeProvider, CodexProvider, GeminiProvider, GrokProvider};
use workflow_testkit::provider::Host;
use workflow_tests::model_api::{ModelApi, Scenario};

use crate::cli::{ALL, Cli, installed};

pub(crate) struct Rig {
    pub(crate) api: ModelApi,
    scratch: TempDir,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let rig = Self { api: ModelApi::start().unwrap(), scratch: tempfile::tempdir().unwrap() };
        for folder in ["home", "work", "tmp"] {
            fs::create_dir(rig.scratch.path().join(folder)).unwrap();
        }
        rig
    }

    /// The folder with all files of this test.
    pub(crate) fn root(&self) -> &Path {
        self.scratch.path()
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// The working directory of agents.
    pub(crate) fn work(&self) -> PathBuf {
        self.root().join("work")
    }

    /// Connects a command line to a scenario, and returns its complete environment.
    pub(crate) fn environment(&self, clis: &[(Cli, Scenario)]) -> Vec<(String, String)> {
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", installed().join("bin").display());
        let mut environment = vec![
            ("HOME".to_owned(), self.home().display().to_string()),
            ("TMPDIR".to_owned(), self.root().join("tmp").display().to_string()),
            ("PATH".to_owned(), path),
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ];
        for (cli, scenario) in clis {
            let url = self.api.url(*scenario);
            cli.configure(&self.home(), &url);
            let variables = cli.variables(&self.home(), &url);
            environment.extend(variables.into_iter().map(|(name, value)| (name.to_owned(), value)));
        }
        environment
    }

    /// The provider of a command line, connected to a scenario.
    pub(crate) fn provider(&self, cli: Cli, scenario: Scenario) -> Shared {
        self.provider_of(cli, scenario, &cli.program())
    }

    /// The same with another program in place of the command line.
    pub(crate) fn provider_of(&self, cli: Cli, scenario: Scenario, program: &Path) -> Shared {
        self.built(cli, scenario, program, &[])
    }

    /// The provider of a command line whose tools must not change these files.
    pub(crate) fn provider_denying(&self, cli: Cli, scenario: Scenario, denied: &[PathBuf]) -> Shared {
        self.built(cli, scenario, &cli.program(), denied)
    }

    fn built(&self, cli: Cli, scenario: Scenario, program: &Path, denied: &[PathBuf]) -> Shared {
        let environment = self.environment(&[(cli, scenario)]);
        let patience = Duration::from_secs(if scenario == Scenario::Stall { 12 } else { 120 });
        macro_rules! build {
            ($provider:ident) => {{
                let mut builder = $provider::builder().program(program).work_root(self.work());
                builder = builder.allow_env::<String>([]).patience(patience).deny_write(denied);
                for (name, value) in environment {
                    builder = builder.env(name, value);
                }
                Shared(Arc::new(builder.build()))
            }};
        }
        match cli {
            Cli::ClaudeCode => build!(ClaudeCodeProvider),
            Cli::Codex => build!(CodexProvider),
            Cli::Gemini => build!(GeminiProvider),
            Cli::Grok => build!(GrokProvider),
        }
    }

    /// The environment of a command line that speaks ACP, connected to a scenario.
    fn acp_environment(&self, cli: Cli, scenario: Scenario) -> Vec<(String, String)> {
        let mut environment = self.environment(&[(cli, scenario)]);
        environment.extend(cli.acp_variables());
        environment
    }

    /// The `acp` provider for a command line, connected to a scenario.
    pub(crate) fn acp(&self, cli: Cli, scenario: Scenario) -> Shared {
        let mut builder = AcpProvider::builder().work_root(self.work()).allow_env::<String>([]);
        for (name, value) in self.acp_environment(cli, scenario) {
            builder = builder.env(name, value);
        }
        Shared(Arc::new(builder.build()))
    }

    /// Writes a program that becomes a command line that speaks ACP, connected to a scenario.
    pub(crate) fn acp_program(&self, cli: Cli, scenario: Scenario) -> PathBuf {
        let path = self.root().join("acp-agent");
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
        let variables = self.acp_environment(cli, scenario);
        let mut script = "#!/bin/sh\n".to_owned();
        for (name, value) in &variables {
            writeln!(script, "export {name}={}", quoted(value)).unwrap();
        }
        let command: Vec<_> = cli.acp_command().iter().map(|part| quoted(part)).collect();
        writeln!(script, "exec {}", command.join(" ")).unwrap();
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// The processes of this test: those with its folder in their environment, or as their working directory.
    pub(crate) fn processes(&self) -> Vec<String> {
        let root = self.root().to_string_lossy().into_owned();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            if entry.file_name() == std::process::id().to_string().as_str() {
                continue;
            }
            // Processes may end meanwhile; an ended process has neither.
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            let directory = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            if directory.starts_with(&root) || String::from_utf8_lossy(&environment).contains(&root) {
                let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                // One that is exiting has its working directory for a moment longer than its memory.
                if !line.is_empty() {
                    found.push(String::from_utf8_lossy(&line).replace('\0', " "));
                }
            }
        }
        found
    }

    /// Waits until the tool that never ends is running.
    pub(crate) fn wait_for_the_tool(&self) {
        wait_until(|| self.is_in_the_tool());
    }

    pub(crate) fn is_in_the_tool(&self) -> bool {
        self.processes().iter().any(|line| line.starts_with("tail -f /dev/null"))
    }
}

/// Waits for a condition; a failing test ends at the time limit.
pub(crate) fn wait_until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A provider that a test and its engine share.
#[derive(Clone)]
pub(crate) struct Shared(Arc<dyn Provider>);

#[workflow_core::provider::async_trait]
impl Provider for Shared {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        self.0.call(request, context).await
    }

    async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
        self.0.reclaim(call).await
    }

    fn options_schema(&self) -> Option<Value> {
        self.0.options_schema()
    }

    fn check_options(&self, options: &Value) -> Result<(), String> {
        self.0.check_options(options)
    }
}

/// One call of a provider, and its output.
pub(crate) struct Call {
    pub(crate) request: CallRequest,
    pub(crate) stop: StopSource,
    host: Arc<Host>,
}

impl Call {
    pub(crate) fn new(prompt: &str, options: Value) -> Self {
        let id = CallId {
            run: RunId::new("agents").unwrap(),
            seed: std::process::id().into(),
            path: "1/work[0]/run".parse().unwrap(),
            attempt: 1,
        };
        let request = CallRequest {
            id,
            prompt: prompt.to_owned(),
            options,
            env: IndexMap::new(),
            cwd: None,
            session: None,
            session_usage: None,
            output_schema: None,
            skills: Vec::new(),
            workspace: Workspace::Shared,
        };
        Self { request, stop: StopSource::new(), host: Arc::default() }
    }

    /// Makes the call and waits for its end.
    pub(crate) fn made(&self, provider: &Shared) -> Result<Reply, ProviderError> {
        let context = CallContext::new(self.request.id.clone(), self.stop.signal(), self.host.clone());
        block_on(provider.call(self.request.clone(), context))
    }

    /// The output of one kind, one entry per line except for pieces of a text.
    pub(crate) fn said(&self, kind: OutputKind) -> String {
        let said = self.host.said().into_iter().filter(|(_, of, _)| *of == kind).map(|(_, _, text)| text);
        let separator = if kind == OutputKind::TextDelta { "" } else { "\n" };
        said.collect::<Vec<_>>().join(separator)
    }

    pub(crate) fn sessions(&self) -> Vec<String> {
        self.host.sessions().into_iter().map(|(_, session)| session).collect()
    }
}

/// Every command line, with the same scenario.
pub(crate) fn all_in(scenario: Scenario) -> Vec<(Cli, Scenario)> {
    ALL.map(|cli| (cli, scenario)).to_vec()
}
