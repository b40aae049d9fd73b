//! `doctor`: the installed agents, their versions and their login status.

use futures::join;
use serde_json::json;
use workflow_providers::{Checkup, ClaudeCodeProvider, CodexProvider, GeminiProvider, GrokProvider};

use crate::error::Error;
use crate::exit::Exit;
use crate::print;

/// Asks the agents for their versions, and whether they are logged in. Calls no model.
pub(crate) async fn doctor(json: bool) -> Result<Exit, Error> {
    let (claude, codex) = (ClaudeCodeProvider::new(), CodexProvider::new());
    let (gemini, grok) = (GeminiProvider::new(), GrokProvider::new());
    let (claude, codex, gemini, grok) =
        join!(claude.checkup(), codex.checkup(), gemini.checkup(), grok.checkup());
    let agents = [("claude-code", claude), ("codex", codex), ("gemini", gemini), ("grok", grok)];
    if json {
        print::objects(agents.iter().map(|(name, checkup)| {
            json!({
                "provider": name,
                "program": checkup.program,
                "version": checkup.version.as_ref().ok(),
                "problem": checkup.version.as_ref().err(),
                "tested": checkup.tested,
                "isTested": checkup.is_tested(),
                "login": checkup.login,
                "keys": checkup.keys,
            })
        }))?;
    } else {
        let mut rows = vec![["PROVIDER", "PROGRAM", "VERSION", "LOGIN"].map(str::to_owned)];
        rows.extend(agents.iter().map(|(name, checkup)| {
            [(*name).to_owned(), checkup.program.clone(), version(checkup), login(checkup)]
        }));
        print::lines(print::table(&rows))?;
    }
    Ok(Exit::DONE)
}

fn version(checkup: &Checkup) -> String {
    match &checkup.version {
        Ok(version) if checkup.is_tested() => format!("{version} (tested: {})", checkup.tested),
        Ok(version) => format!("{version} (not tested; tested: {})", checkup.tested),
        Err(problem) => problem.clone(),
    }
}

fn login(checkup: &Checkup) -> String {
    let says = checkup.login.as_ref().map(|login| format!("says: {login}"));
    let keys = checkup.keys.iter().map(|name| format!("{name} is set"));
    let known: Vec<_> = says.into_iter().chain(keys).collect();
    match (known.is_empty(), checkup.version.is_ok()) {
        (true, true) => "unknown, and no key is set".to_owned(),
        (_, false) => String::new(),
        _ => known.join("; "),
    }
}
