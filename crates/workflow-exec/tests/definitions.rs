//! The diagnostics of an engine for a definition that it cannot run, with their positions.

#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
use workflow_exec::{Engine, EngineError};

/// A provider that requires options.
struct Picky;

#[async_trait]
impl Provider for Picky {
    async fn call(&self, _: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
        Ok(Reply::text(""))
    }

    fn check_options(&self, options: &serde_json::Value) -> Result<(), String> {
        if options.is_null() { Err("no options".to_owned()) } else { Ok(()) }
    }
}

fn problems(yaml: &str) -> Vec<String> {
    let engine = Engine::builder().provider("picky", Picky).default_provider("picky").build().unwrap();
    match engine.parse(yaml, "flow") {
        Err(EngineError::Invalid(problems)) => problems.0.iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
        Ok(_) => Vec::new(),
    }
}

#[test]
fn what_the_text_and_what_the_engine_say_comes_at_once() {
    let found = problems(
        "\
workflow: { name: Flow, stages: [ask, check] }
ask: { approval: Ship?, retries: 11 }
check: gate
",
    );
    let wanted = ["2:34: error[out-of-range]", "3:8: error[missing-profile]"];
    for wanted in wanted {
        assert!(found.iter().any(|found| found.starts_with(wanted)), "{wanted} is not among {found:#?}");
    }
}

#[test]
fn a_stage_that_is_only_listed_is_found_in_the_list() {
    let found = problems("workflow:\n  name: Flow\n  stages: [ask, check]\nask: { with: {} }\n");
    let origin = "`check` names no provider and gets `picky`, the default provider: write `provider: NAME` at the stage";
    assert_eq!(found, [format!("3:17: error[bad-options]: no options ({origin})")]);
}
