//! Checks whether an agent is installed, its version, and its login status.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use workflow_core::provider::Checkup;
use workflow_core::stop::StopSource;

use super::cli::Cli;
use super::provider::{AgentProvider, Settings};
use crate::environment;
use crate::process::{self, Control, Ended, Launch, Marker, RunError, Stream, TERMINATE};
use crate::program::program;
use crate::tail::Tail;

/// How long an agent may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many bytes of each of its streams are read.
const LIMIT: usize = 64 * 1024;

impl<C: Cli> AgentProvider<C> {
    /// Asks the agent's program for its version and login status, as far as it can be asked. This calls no
    /// model and reads no secrets. Problems are part of the result.
    ///
    /// Dropping the future stops the program.
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
            number.map(str::to_owned).ok_or_else(|| "it does not report its version".to_owned())
        });
        let login = match C::LOGIN.filter(|_| version.is_ok()) {
            Some(question) => Some(self.ask(question).await.map_or_else(|why| why, |said| C::login(&said))),
            None => None,
        };
        let program = settings.program.to_string_lossy().into_owned();
        let mut checkup = Checkup::new(program, version, C::TESTED);
        (checkup.login, checkup.keys) = (login, keys.collect());
        checkup
    }

    /// The program's answer to a question: what it wrote to standard output, and then to standard error.
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
            input: None,
            marker,
            signals: TERMINATE,
            grace: self.grace,
            patience: Some(PATIENCE),
        };
        // Reads both streams, one after the other: warnings on standard error may come in the middle of the answer,
        // and one of the four agents answers there.
        let (mut out, mut err) = (Tail::without(LIMIT, []), Tail::without(LIMIT, []));
        let ended = process::run(launch, control, &mut |stream, bytes| {
            match stream {
                Stream::Stdout => out.push(bytes),
                Stream::Stderr => err.push(bytes),
            }
            None
        });
        match ended {
            Ok(Ended::ByItself(_)) => Ok(out.text(LIMIT) + "\n" + &err.text(LIMIT)),
            Ok(Ended::Silent | Ended::Stopped) => {
                Err(format!("it did not answer within {} seconds", PATIENCE.as_secs()))
            }
            Err(RunError::Start(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(format!("not installed, or not on the PATH: {}", C::install()))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}
