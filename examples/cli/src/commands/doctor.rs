//! `doctor`: the installed agents, their versions and their login status.

use workflow_exec::{Engine, EngineError};
use workflow_providers::{
    AcpProvider, ClaudeCodeProvider, CodexProvider, GeminiProvider, GrokProvider, HttpProvider, ModelProvider,
};
use workflow_service::system::{Doctor, ProviderCheck};
use workflow_service::{Caller, Service};

use crate::error::Error;
use crate::exit::Exit;
use crate::home::Home;
use crate::print;

/// Asks the agents for their versions, and whether they are logged in. Calls no model, and needs no home. Of a home of the
/// desktop app, it says which commands are not executed.
pub(crate) async fn doctor(home: &Home, json: bool) -> Result<Exit, Error> {
    let agents = Engine::builder()
        .provider("claude-code", ClaudeCodeProvider::new())
        .provider("codex", CodexProvider::new())
        .provider("gemini", GeminiProvider::new())
        .provider("grok", GrokProvider::new())
        .provider("acp", AcpProvider::new())
        .provider("http", HttpProvider::new())
        .provider("model", ModelProvider::new())
        .build()
        .map_err(EngineError::from)?;
    let found = Service::new(agents).ask(&Caller::host(), Doctor::default()).await?.providers;
    if json {
        print::objects(&found)?;
    } else {
        let mut rows = vec![["PROVIDER", "PROGRAM", "VERSION", "LOGIN"].map(str::to_owned)];
        rows.extend(
            found
                .iter()
                .map(|check| [check.provider.clone(), check.program.clone(), version(check), login(check)]),
        );
        print::lines(print::table(&rows))?;
        let notes = home.commands_of_app().into_iter().map(|(name, provider)| {
            format!("config/providers.yml: the headless_cmd of {name} is not executed; the provider {provider} makes its calls")
        });
        print::lines(notes)?;
    }
    Ok(Exit::DONE)
}

fn version(check: &ProviderCheck) -> String {
    match &check.version {
        Some(_) if is_built_in(check) => "ready".to_owned(),
        Some(version) if check.is_tested => format!("{version} (tested: {})", check.tested),
        Some(version) => format!("{version} (not tested; tested: {})", check.tested),
        None => check.problem.clone().unwrap_or_default(),
    }
}

/// Whether the provider drives no program.
fn is_built_in(check: &ProviderCheck) -> bool {
    check.program == "built in"
}

fn login(check: &ProviderCheck) -> String {
    let prefix = if is_built_in(check) { "" } else { "says: " };
    let says = check.login.as_ref().map(|login| format!("{prefix}{login}"));
    let keys = check.keys.iter().map(|name| format!("{name} is set"));
    let known: Vec<_> = says.into_iter().chain(keys).collect();
    match (known.is_empty(), check.version.is_some()) {
        (true, true) => "unknown, and no key is set".to_owned(),
        (_, false) => String::new(),
        _ => known.join("; "),
    }
}
