//! Command lines pass the conformance suite.

use serde_json::{Value, json};
use workflow_core::failure::FailureClass;
use workflow_core::provider::{CallId, Provider};
use workflow_testkit::provider::{Ask, Fixture};

use super::{processes, provider};

struct Command;

fn shell(script: &str) -> Ask {
    Ask::new("hello", json!({ "command": ["sh", "-c", script] }))
}

impl Fixture for Command {
    fn provider(&self) -> Box<dyn Provider> {
        Box::new(provider())
    }

    fn answered(&self) -> Ask {
        shell("cat")
    }

    fn failing(&self) -> Vec<(Ask, FailureClass)> {
        vec![
            (shell("exit 3"), FailureClass::Transient),
            (Ask::new("", json!({ "command": ["no-such-program-anywhere"] })), FailureClass::Permanent),
            (Ask::new("", json!({ "command": [] })), FailureClass::Permanent),
        ]
    }

    fn endless(&self) -> Ask {
        shell("sleep 600 & echo ready; wait")
    }

    fn unknown_option(&self) -> (Value, &'static str) {
        (json!({ "command": ["true"], "comand": ["false"] }), "comand")
    }

    fn is_running(&self, call: &CallId) -> bool {
        !processes::of_run(call.run.as_str()).is_empty()
    }
}

workflow_testkit::provider_suite!(Command; options, probe);
