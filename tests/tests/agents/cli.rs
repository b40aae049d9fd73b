//! The differences between the command lines in tests: how to connect each to the fake, and how to limit its
//! retries.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// A command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cli {
    ClaudeCode,
    Codex,
    Gemini,
    Grok,
}

pub(crate) const ALL: [Cli; 4] = [Cli::ClaudeCode, Cli::Codex, Cli::Gemini, Cli::Grok];

/// The folder into which `cargo xtask test-agents` installed them.
pub(crate) fn installed() -> PathBuf {
    told_by_the_chore("WORKFLOW_AGENTS")
}

/// A path that `cargo xtask test-agents` provides.
pub(crate) fn told_by_the_chore(name: &str) -> PathBuf {
    let Some(told) = std::env::var_os(name) else { panic!("run this with `cargo xtask test-agents`") };
    told.into()
}

impl Cli {
    /// The name of its provider.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Grok => "grok",
        }
    }

    pub(crate) fn program(self) -> PathBuf {
        let name = if self == Self::ClaudeCode { "claude" } else { self.name() };
        installed().join("bin").join(name)
    }

    /// The variables for its key, its home and the fake, besides those that all have.
    pub(crate) fn variables(self, home: &Path, url: &str) -> Vec<(&'static str, String)> {
        let own = |name: &str| home.join(name).to_string_lossy().into_owned();
        let yes = || "1".to_owned();
        match self {
            Self::ClaudeCode => vec![
                ("ANTHROPIC_API_KEY", KEY.to_owned()),
                ("ANTHROPIC_BASE_URL", url.to_owned()),
                ("CLAUDE_CODE_MAX_RETRIES", yes()),
                ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", yes()),
                ("DISABLE_TELEMETRY", yes()),
                ("DISABLE_ERROR_REPORTING", yes()),
                // Otherwise it refuses `bypassPermissions` for root.
                ("IS_SANDBOX", yes()),
            ],
            Self::Codex => vec![("CODEX_API_KEY", KEY.to_owned()), ("CODEX_HOME", own(".codex"))],
            Self::Gemini => {
                vec![("GEMINI_API_KEY", KEY.to_owned()), ("GOOGLE_GEMINI_BASE_URL", url.to_owned())]
            }
            Self::Grok => vec![
                ("XAI_API_KEY", KEY.to_owned()),
                ("GROK_HOME", own(".grok")),
                ("GROK_XAI_API_BASE_URL", format!("{url}/v1")),
                ("GROK_MODELS_BASE_URL", format!("{url}/v1")),
                ("GROK_CLI_CHAT_PROXY_BASE_URL", format!("{url}/v1")),
                ("GROK_TELEMETRY_ENABLED", "false".to_owned()),
                ("GROK_TELEMETRY_TRACE_UPLOAD", "false".to_owned()),
                ("GROK_FEEDBACK_ENABLED", "false".to_owned()),
            ],
        }
    }

    /// Writes its configuration into a home.
    pub(crate) fn configure(self, home: &Path, url: &str) {
        let (path, text) = match self {
            Self::ClaudeCode => return,
            Self::Codex => (
                ".codex/config.toml",
                // If a variable has the address, it first tries a WebSocket. If /tmp is writable, it creates
                // a folder `.git` there, and every program in a folder below treats that as a repository.
                format!(
                    "model = \"fake-model\"\nmodel_provider = \"fake\"\n[analytics]\nenabled = false\n\
                     [sandbox_workspace_write]\nexclude_slash_tmp = true\n[model_providers.fake]\nname = \"fake\"\n\
                     base_url = \"{url}/v1\"\nenv_key = \"CODEX_API_KEY\"\nwire_api = \"responses\"\n\
                     request_max_retries = 0\nstream_max_retries = 0\n"
                ),
            ),
            Self::Gemini => (
                ".gemini/settings.json",
                // With another address it does not accept a key from its variable alone.
                json!({
                    "security": { "auth": { "selectedType": "gemini-api-key" } },
                    "general": { "maxAttempts": 1, "enableAutoUpdate": false },
                    "privacy": { "usageStatisticsEnabled": false },
                    "telemetry": { "enabled": false },
                })
                .to_string(),
            ),
            Self::Grok => (".grok/config.toml", "[models]\nmax_retries = 1\n".to_owned()),
        };
        let path = home.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Options of its provider: a model that the fake has, and permission to run commands.
    pub(crate) fn options(self) -> Value {
        match self {
            Self::ClaudeCode => json!({ "model": "fake-model", "allowed_tools": ["Bash"] }),
            Self::Codex => json!({ "model": "fake-model", "sandbox": "workspace-write" }),
            Self::Gemini => json!({ "model": "fake-model", "approval_mode": "yolo" }),
            Self::Grok => json!({ "model": "fake-model", "permission_mode": "bypassPermissions" }),
        }
    }

    /// The command with which it speaks ACP.
    pub(crate) fn acp_command(self) -> Vec<String> {
        let (program, arguments): (_, &[&str]) = match self {
            Self::ClaudeCode => ("claude-agent-acp", &[]),
            Self::Codex => ("codex-acp", &[]),
            Self::Gemini => ("gemini", &["--acp", "--model", "fake-model"]),
            Self::Grok => ("grok", &["agent", "--model", "fake-model", "stdio"]),
        };
        let program = installed().join("bin").join(program).to_string_lossy().into_owned();
        std::iter::once(program).chain(arguments.iter().map(|argument| (*argument).to_owned())).collect()
    }

    /// Further variables for [`acp_command`](Self::acp_command): the program of an adapter, and its model.
    pub(crate) fn acp_variables(self) -> Vec<(String, String)> {
        let program = self.program().to_string_lossy().into_owned();
        let variables = match self {
            Self::ClaudeCode => {
                vec![("CLAUDE_CODE_EXECUTABLE", program), ("ANTHROPIC_MODEL", "fake-model".to_owned())]
            }
            Self::Codex => vec![("CODEX_PATH", program), ("NO_BROWSER", "1".to_owned())],
            Self::Gemini | Self::Grok => Vec::new(),
        };
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Whether it can resume a copy of a session.
    pub(crate) fn forks(self) -> bool {
        self != Self::Gemini
    }
}

/// A fake key.
pub(crate) const KEY: &str = "test-key";
