//! The host itself: its programs, its store, what drives runs, and limits.

use std::time::Duration;

use futures::executor::block_on;
use serde_json::{Value, json};
use workflow_core::provider::{
    CallContext, CallRequest, Checkup, Provider, ProviderError, Reply, async_trait,
};
use workflow_core::stop::Stop;
use workflow_exec::{Engine, Limits};
use workflow_service::Service;
use workflow_store::FsCatalog;

use crate::host::Host;

/// A program that is there, is not there, or is a panic.
struct Agent(&'static str);

#[async_trait]
impl Provider for Agent {
    async fn call(&self, _: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        context.stop().wait(Stop::AtOnce).await;
        Err(ProviderError::cancelled())
    }

    async fn checkup(&self) -> Option<Checkup> {
        let mut checkup = match self.0 {
            "there" => Checkup::new("agent", Ok("2.1.9".to_owned()), "2.1.3"),
            "missing" => Checkup::new("agent", Err("not installed".to_owned()), "1.0.0"),
            _ => panic!("a fault of the host"),
        };
        checkup.keys = vec!["AGENT_API_KEY"];
        Some(checkup)
    }
}

fn host() -> Host {
    let home = tempfile::tempdir().unwrap();
    let engine = Engine::builder()
        .catalog(FsCatalog::open(home.path()).unwrap())
        .provider("there", Agent("there"))
        .provider("missing", Agent("missing"))
        .provider("broken", Agent("broken"))
        .limits(Limits::new().limit("there", 1).limit("missing", 3))
        .build()
        .unwrap();
    Host { service: Service::builder(engine).store_place("postgres://db/runs").build(), home }
}

#[test]
fn the_doctor_asks_all_programs_and_a_fault_of_one_hides_no_other() {
    let host = host();
    let found = host.data("workflow:doctor", "");
    let expected = json!([
        {
            "provider": "missing", "program": "agent", "version": null, "problem": "not installed", "tested": "1.0.0",
            "isTested": false, "login": null, "keys": ["AGENT_API_KEY"],
        },
        {
            "provider": "there", "program": "agent", "version": "2.1.9", "problem": null, "tested": "2.1.3",
            "isTested": true, "login": null, "keys": ["AGENT_API_KEY"],
        },
    ]);
    assert_eq!(found["providers"], expected);
    assert_eq!((&found["store"], &found["catalog"]), (&json!({}), &json!({ "workflows": 0 })));
}

#[test]
fn slots_queues_and_the_process_that_drives_runs_are_shown_while_calls_run() {
    let host = host();
    let text = "workflow: { name: Works, stages: [go] }\ngo: { provider: there, prompt: Go }\n";
    host.data("workflow:create", &json!({ "id": "works", "text": text }).to_string());
    for id in ["a", "b", "c"] {
        host.data("workflow:run", &json!({ "id": "works", "runId": id }).to_string());
    }
    std::thread::scope(|threads| {
        threads.spawn(|| host.drive("a"));
        threads.spawn(|| host.drive("b"));
        let limits = loop {
            let limits = host.data("workflow:limits", "");
            if limits["limits"][1]["queued"] == 1 {
                break limits;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let expected = json!({ "limits": [
            { "provider": "missing", "limit": 3, "used": 0, "queued": 0 },
            { "provider": "there", "limit": 1, "used": 1, "queued": 1 },
        ] });
        assert_eq!(limits, expected);
        let workers = host.data("workflow:workers", "");
        assert_eq!(
            (&workers["workers"][0]["runs"], &workers["unclaimed"]),
            (&json!(2), &json!(1)),
            "{workers}"
        );
        let mut runs: Vec<_> =
            workers["workers"][0]["runIds"].as_array().unwrap().iter().map(Value::to_string).collect();
        runs.sort();
        assert_eq!(runs, ["\"a\"", "\"b\""]);
        for id in ["a", "b"] {
            host.data("workflow:runs:kill", &json!({ "runId": id }).to_string());
        }
    });
    assert_eq!(host.data("workflow:limits", "")["limits"][1]["used"], 0);
    let store = &host.data("workflow:stores", "")["stores"][0];
    assert_eq!(
        (&store["place"], &store["runs"]),
        (&json!("postgres://db/runs"), &json!({ "cancelled": 2, "pending": 1 }))
    );
    block_on(host.service.engine().shutdown(Stop::AtOnce));
}
