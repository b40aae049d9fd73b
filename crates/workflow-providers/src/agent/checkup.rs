//! What an agent says of itself: whether it is there, its version, and whether it is logged in.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use workflow_core::stop::StopSource;

use super::cli::Cli;
use super::provider::{AgentProvider, Settings};
use crate::environment;
use crate::process::{self, Control, Ended, Launch, Marker, RunError, TERMINATE};
use crate::program::program;
use crate::tail::Tail;

/// How long an agent may take to say something of itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much of what it says is read.
const LIMIT: usize = 64 * 1024;

/// What an agent says of itself; see [`AgentProvider::checkup`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkup {
    /// The program that was asked.
    pub program: String,
    /// Its version, or why there is none.
    pub version: Result<String, String>,
    /// The version that the provider was made with, and tried with.
    pub tested: &'static str,
    /// What it says of being logged in; absent where it cannot be asked.
    pub login: Option<String>,
    /// The variables that are set here for it and are named like keys. Their values are not looked at.
    pub keys: Vec<&'static str>,
}

impl Checkup {
    /// Whether the version is of the series that was tested: the first two of its numbers are the same.
    pub fn is_tested(&self) -> bool {
        let series = |version: &str| version.splitn(3, '.').take(2).map(str::to_owned).collect::<Vec<_>>();
        self.version.as_ref().is_ok_and(|version| series(version) == series(self.tested))
    }
}

impl<C: Cli> AgentProvider<C> {
    /// Asks the agent's program for its version and whether it is logged in, as far as it can be asked. No model is
    /// called; nothing secret is read. Whatever is wrong is part of the answer.
    ///
    /// Dropping the future ends what was started.
    pub async fn checkup(&self) -> Checkup {
        let settings = &self.settings;
        let keys = C::ENV.iter().copied().filter(|name| {
            let is_key = ["KEY", "TOKEN"].iter().any(|word| name.contains(word));
            is_key
                && settings.allow_env.iter().any(|allowed| allowed == name)
                && std::env::var_os(name).is_some()
        });
        let version = self.ask(&["--version"]).await.and_then(|said| {
            let mut words = said.split_whitespace();
            let number =
                words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'));
            number.map(str::to_owned).ok_or_else(|| "it does not tell its version".to_owned())
        });
        let login = match C::LOGIN.filter(|_| version.is_ok()) {
            Some(question) => Some(self.ask(question).await.map_or_else(|why| why, |said| C::login(&said))),
            None => None,
        };
        let program = settings.program.to_string_lossy().into_owned();
        Checkup { program, version, tested: C::TESTED, login, keys: keys.collect() }
    }

    /// What the program says, on both streams, when it is asked.
    async fn ask(&self, question: &'static [&'static str]) -> Result<String, String> {
        let (settings, never) = (self.settings.clone(), StopSource::new().signal());
        let asked =
            process::on_own_thread(&never, move |control| Ok(settings.ask::<C>(question, control))).await;
        asked.map_err(|error| error.to_string())?
    }
}

impl Settings {
    fn ask<C: Cli>(&self, question: &[&str], control: &Arc<Control>) -> Result<String, String> {
        let (marker, mark) = Marker::of_question(&uuid::Uuid::new_v4());
        let set = C::SET.iter().map(|(name, value)| (name.into(), value.into()));
        let environment =
            environment::inherited(&self.allow_env).chain(set).chain(self.env.clone()).chain([mark]);
        let name = self.program.to_string_lossy();
        let launch = Launch {
            program: program(&name, Path::new(".")),
            arguments: question.iter().map(ToString::to_string).collect(),
            environment: environment.collect(),
            directory: self.work_root.clone(),
            stdin: Vec::new(),
            marker,
            signals: TERMINATE,
            grace: self.grace,
            patience: Some(PATIENCE),
        };
        let mut said = Tail::without(LIMIT, []);
        // On either stream: warnings stand on standard error, and of one of the four the answer.
        let ended = process::run(launch, control, &mut |_, bytes| {
            said.push(bytes);
            None
        });
        match ended {
            Ok(Ended::ByItself(_)) => Ok(said.text(LIMIT)),
            Ok(Ended::Silent | Ended::Stopped) => {
                Err(format!("it says nothing for {} seconds", PATIENCE.as_secs()))
            }
            Err(RunError::Start(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(format!("not installed, or not on the PATH: {}", C::install()))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}
