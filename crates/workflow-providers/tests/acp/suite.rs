//! The provider passes the conformance suite.

use serde_json::{Value, json};
use workflow_core::failure::FailureClass;
use workflow_core::provider::{CallId, Provider};
use workflow_testkit::provider::{Ask, Fixture};

use crate::agent::{Agent, ends, says};
use crate::processes;

/// The agent answers, and another one in a folder below never ends.
struct Acp(Agent, Agent);

impl Acp {
    fn new() -> Self {
        Self(Agent::new(&[says("Hello."), ends("end_turn")]), Agent::new(&[says("Hello")]))
    }

    fn ask(agent: &Agent) -> Ask {
        // Each works in its own folder, which the script has to find.
        let script = "cd \"$1\" && exec ./agent";
        let folder = agent.folder.path();
        Ask::new("hello", json!({ "command": ["sh", "-c", script, "sh", folder] }))
    }
}

impl Fixture for Acp {
    fn provider(&self) -> Box<dyn Provider> {
        Box::new(self.0.provider())
    }

    fn answered(&self) -> Ask {
        Self::ask(&self.0)
    }

    fn failing(&self) -> Vec<(Ask, FailureClass)> {
        vec![
            (Ask::new("hello", json!({ "command": ["sh", "-c", "exit 3"] })), FailureClass::Transient),
            (Ask::new("hello", json!({ "command": ["no-such-program-anywhere"] })), FailureClass::Permanent),
            (Ask { prompt: String::new(), ..Self::ask(&self.0) }, FailureClass::Permanent),
            (Ask::new("hello", json!({})), FailureClass::Permanent),
        ]
    }

    fn endless(&self) -> Ask {
        Self::ask(&self.1)
    }

    fn unknown_option(&self) -> (Value, &'static str) {
        (json!({ "command": ["agent"], "args": ["--acp"] }), "args")
    }

    fn is_running(&self, call: &CallId) -> bool {
        !processes::of_run(call.run.as_str()).is_empty()
    }
}

workflow_testkit::provider_suite!(Acp::new(); options, probe, sessions);
