//! Runs that were and are: lists, logs, the inbox, deletion in bulk, estimates.

use std::time::Duration;

use futures::executor::block_on;
use serde_json::{Value, json};
use workflow_core::provider::async_trait;
use workflow_service::{Caller, Code, OperationMeta, Policy, Service, ServiceError, Target};

use crate::host::{Host, data};

/// Creates a workflow of that text, and starts a run of it with the same id.
fn start(host: &Host, id: &str, text: &str) {
    host.data("workflow:create", &json!({ "id": id, "text": text }).to_string());
    host.data("workflow:run", &json!({ "id": id, "runId": id }).to_string());
}

fn numbers(window: &Value) -> Vec<u64> {
    window["entries"].as_array().unwrap().iter().map(|entry| entry["number"].as_u64().unwrap()).collect()
}

const FLAKY: &str = "\
workflow: { name: Flaky, stages: [talk, flaky] }
talk: { provider: echo, prompt: \"one\\ntwo\\nthree\\nFour\" }
flaky: { provider: echo, prompt: flaky, on_failure: retry, retries: 1, retry_backoff: 1ms }
";

#[test]
fn a_list_shows_how_far_a_running_run_is() {
    let host = Host::new();
    start(
        &host,
        "slow",
        "workflow: { name: Slow, stages: [plan, code] }\nplan: { provider: echo, prompt: Plan }\ncode: { provider: echo, prompt: hold }\n",
    );
    std::thread::scope(|threads| {
        threads.spawn(|| host.drive("slow"));
        let run = loop {
            let list = host.data("workflow:runs:list", r#"{ "totals": true }"#);
            assert_eq!(list["total"], 1);
            let run = list["runs"][0].clone();
            if run["progress"]["stages"]["code"] == "running" {
                break run;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        assert_eq!((&run["status"], &run["progress"]["iteration"]), (&json!("running"), &json!(1)));
        assert_eq!(run["progress"]["currentStage"], "code");
        assert_eq!(run["progress"]["stages"], json!({ "plan": "completed", "code": "running" }));
        assert_eq!(run["progress"]["spent"]["attempts"], 1);
        host.data("workflow:runs:kill", r#"{ "runId": "slow" }"#);
    });
    let text = r#"{ "text": "SLO", "endedFrom": "2020-01-01T00:00:00Z" }"#;
    assert_eq!(host.data("workflow:runs:list", text)["runs"][0]["status"], "cancelled");
    let before = r#"{ "text": "SLO", "endedTo": "2020-01-01T00:00:00Z", "totals": true }"#;
    assert_eq!(host.data("workflow:runs:list", before)["total"], 0);
}

#[test]
fn logs_are_read_from_both_ends_by_level_place_and_text_and_counted_exactly() {
    let host = Host::new();
    start(&host, "flaky", FLAKY);
    host.drive("flaky");
    let logs = |more: &str| host.data("workflow:runs:logs", &format!(r#"{{ "runId": "flaky"{more} }}"#));
    assert_eq!(numbers(&logs("")), [1, 2, 3, 4, 5, 6, 7]);
    let newest = logs(r#", "limit": 2, "counted": true"#);
    assert_eq!((numbers(&newest), &newest["total"]), (vec![6, 7], &json!(7)));
    assert_eq!(numbers(&logs(r#", "limit": 2, "before": 6"#)), [4, 5]);
    assert_eq!(numbers(&logs(r#", "limit": 2, "after": 0"#)), [1, 2]);
    assert_eq!(numbers(&logs(r#", "level": "warn""#)), [6]);
    assert_eq!(numbers(&logs(r#", "level": "info", "stage": "flaky", "attempt": 1"#)), [5, 6]);
    let found = logs(r#", "text": "FO", "counted": true, "limit": 1"#);
    assert_eq!((&found["entries"][0]["text"], &found["total"]), (&json!("Four"), &json!(1)));
    // Where each part of the selection begins, from the newest back.
    assert_eq!(logs(r#", "limit": 1, "counted": true, "marks": 3"#)["marks"], json!([5, 2]));
    assert_eq!(logs(r#", "after": 0, "limit": 1, "counted": true, "marks": 3"#)["marks"], json!([3, 6]));
    assert_eq!(numbers(&logs(r#", "node": "run", "items": [4]"#)), Vec::<u64>::new());
}

#[test]
fn a_log_to_download_is_a_line_for_each_entry_and_harmless_as_text() {
    let host = Host::new();
    start(&host, "flaky", FLAKY);
    host.drive("flaky");
    let text = |format: &str| {
        let request = json!({ "runId": "flaky", "format": format });
        let log = host.data("workflow:runs:logs", &request.to_string());
        assert_eq!((&log["entries"], log.get("next")), (&json!([]), None));
        log["text"].as_str().unwrap().to_owned()
    };
    let plain = text("text");
    assert_eq!(plain.lines().count(), 7);
    assert!(plain.lines().next().unwrap().ends_with("Z 1/talk[0]/run #1 stdout: one"), "{plain}");
    assert!(plain.contains("stderr: ␛[31mno connection␛[0m") && !plain.contains('\x1b'), "{plain}");
    assert!(text("ansi").contains("stderr: \x1b[31mno connection\x1b[0m\n"));
    let lines: Vec<Value> = text("jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[3]["text"]), (7, &json!("Four")));
    assert!(lines[3].get("afterEvent").is_some());
}

#[test]
fn a_download_that_is_too_long_is_cut_and_continued() {
    let host = Host::new();
    let stages = ["a", "b", "c", "d"];
    let bodies = stages.map(|stage| format!("{stage}: {{ provider: echo, prompt: long }}\n")).concat();
    let text = format!("workflow: {{ name: Long, stages: [{}] }}\n{bodies}", stages.join(", "));
    start(&host, "long", &text);
    host.drive("long");
    let logs = |after: u64| {
        let request = json!({ "runId": "long", "format": "text", "after": after, "counted": true });
        host.data("workflow:runs:logs", &request.to_string())
    };
    let first = logs(0);
    assert!(first["text"].as_str().unwrap().len() <= 8 << 20);
    let rest = logs(first["next"].as_u64().unwrap());
    let lines = |part: &Value| part["text"].as_str().unwrap().lines().count();
    assert_eq!((json!(lines(&first) + lines(&rest)), rest.get("next")), (first["total"].clone(), None));
}

#[test]
fn events_are_read_after_a_number_and_by_level() {
    let host = Host::new();
    start(&host, "flaky", FLAKY);
    host.drive("flaky");
    let all = host.data("workflow:runs:events", r#"{ "runId": "flaky" }"#);
    let count = all["events"].as_array().unwrap().len() as u64;
    let mut read = Vec::new();
    let mut after = Some(0);
    while let Some(number) = after {
        let page = json!({ "runId": "flaky", "after": number, "limit": 3 });
        let page = host.data("workflow:runs:events", &page.to_string());
        read.extend(page["events"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()));
        after = page["next"].as_u64();
    }
    assert_eq!(read, (1..=count).collect::<Vec<_>>());
    let warnings = host.data("workflow:runs:events", r#"{ "runId": "flaky", "level": "warn" }"#);
    assert_eq!(warnings["events"].as_array().unwrap().len(), 1);
    assert_eq!(warnings["events"][0]["data"]["error"]["message"], "no connection");
    let failures = host.data("workflow:runs:events", r#"{ "runId": "flaky", "level": "error" }"#);
    assert_eq!(failures["events"], json!([]));
}

#[test]
fn the_inbox_has_what_waits_for_a_person_the_oldest_first() {
    let host = Host::new();
    for id in ["z", "b", "c"] {
        start(
            &host,
            id,
            "workflow: { name: Asks, stages: [go] }\ngo: { provider: echo, prompt: Hi, approval: \"Go?\" }\n",
        );
        host.drive(id);
    }
    start(&host, "a", "workflow: { name: Paused, stages: [go] }\ngo: { provider: echo, prompt: Hi }\n");
    host.data("workflow:runs:pause", r#"{ "runId": "a" }"#);
    let inbox = host.data("workflow:runs:inbox", r#"{ "limit": 2 }"#);
    assert_eq!(inbox["total"], 3);
    let runs: Vec<_> = inbox["items"].as_array().unwrap().iter().map(|item| &item["runId"]).collect();
    assert_eq!(runs, ["z", "b"]);
    let item = &inbox["items"][0];
    assert_eq!((&item["workflowId"], &item["reason"]), (&json!("z"), &json!("approval")));
    assert_eq!((&item["question"], &item["place"]), (&json!("Go?"), &json!("1/go")));
    assert!(item["schema"].is_object() && item["since"].is_string());
    let answer = json!({ "runId": "z", "wait": item["wait"], "value": { "approved": true } });
    host.data("workflow:runs:answer", &answer.to_string());
    assert_eq!(host.data("workflow:runs:inbox", "")["total"], 2);
}

#[test]
fn a_question_of_a_running_run_is_in_the_inbox() {
    let host = Host::new();
    let graph = "graph:\n  - { id: ask, type: ask, question: \"Which?\" }\n  - { id: work, prompt: hold, needs: [] }\n";
    host.write("workflows/stages/go.both.yml", graph);
    start(
        &host,
        "both",
        "workflow: { name: Both, stages: [go] }\ngo: { provider: echo, profile: both, prompt: Go }\n",
    );
    std::thread::scope(|threads| {
        threads.spawn(|| host.drive("both"));
        let inbox = loop {
            let inbox = host.data("workflow:runs:inbox", "");
            if inbox["total"] != 0 {
                break inbox;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let run = host.data("workflow:runs:get", r#"{ "runId": "both" }"#);
        assert_eq!(run["run"]["status"], "running");
        host.data("workflow:runs:kill", r#"{ "runId": "both" }"#);
        assert_eq!((&inbox["items"][0]["question"], &inbox["total"]), (&json!("Which?"), &json!(1)));
    });
}

/// Keeps one run from being deleted.
struct Keep;

#[async_trait]
impl Policy for Keep {
    async fn allow(
        &self,
        _: &Caller,
        operation: &OperationMeta,
        target: Target<'_>,
    ) -> Result<(), ServiceError> {
        match target {
            Target::Run(run) if operation.name == "workflow:runs:delete" && run.as_str() == "kept" => {
                Err(ServiceError::forbidden("run `kept` is kept"))
            }
            _ => Ok(()),
        }
    }
}

#[test]
fn runs_are_deleted_in_bulk_with_a_result_for_each_and_each_as_the_policy_allows() {
    let host = Host::new();
    let engine = host.service.engine().clone();
    let host = Host { service: Service::builder(engine).policy(Keep).build(), ..host };
    for id in ["kept", "gone", "open"] {
        start(&host, id, "workflow: { name: Greets, stages: [go] }\ngo: { provider: echo, prompt: Hi }\n");
    }
    host.drive("kept");
    host.drive("gone");
    let deleted = host.data("workflow:runs:deleteMany", r#"{ "runIds": ["gone", "kept", "nothing"] }"#);
    assert_eq!(deleted["deleted"], 1);
    assert_eq!(deleted["results"][0], json!({ "runId": "gone" }));
    assert_eq!(deleted["results"][1]["error"]["code"], Code::Forbidden.as_str());
    assert_eq!(deleted["results"][2]["error"]["code"], Code::NotFound.as_str());

    for n in 0..3 {
        host.data("workflow:run", &format!(r#"{{ "id": "gone", "runId": "old{n}" }}"#));
        host.drive(&format!("old{n}"));
    }
    let prune = |more: &str| {
        host.data("workflow:runs:prune", &format!(r#"{{ "endedBefore": "9999-01-01T00:00:00Z"{more} }}"#))
    };
    let failed = prune(r#", "statuses": ["failed"]"#);
    assert_eq!((&failed["deleted"], &failed["left"]), (&json!(0), &json!(0)));
    let first = prune(r#", "limit": 2"#);
    assert_eq!((&first["deleted"], &first["left"]), (&json!(2), &json!(2)));
    let second = prune("");
    assert_eq!((&second["deleted"], &second["left"]), (&json!(1), &json!(1)));
    assert_eq!(second["failed"][0]["runId"], "kept");
    let left = host.data("workflow:runs:list", "");
    assert_eq!(left["runs"].as_array().unwrap().len(), 2);
}

#[test]
fn a_rerun_begins_at_the_stage_that_failed() {
    let host = Host::new();
    start(
        &host,
        "breaks",
        "workflow: { name: Breaks, stages: [plan, code] }\nplan: { provider: echo, prompt: Plan }\ncode: { provider: echo, prompt: fail }\n",
    );
    host.drive("breaks");
    host.data("workflow:runs:rerun", r#"{ "runId": "breaks", "from": "failed", "newRunId": "again" }"#);
    host.drive("again");
    let run = host.data("workflow:runs:get", r#"{ "runId": "again" }"#);
    assert_eq!(
        (&run["run"]["forked"]["from"], &run["run"]["spent"]["attempts"]),
        (&json!("breaks"), &json!(1))
    );
    let whole = host.data("workflow:runs:rerun", r#"{ "runId": "breaks", "newRunId": "whole" }"#);
    assert_eq!(whole["runId"], "whole");
    host.drive("whole");
    let answer = block_on(host.service.call("workflow:runs:get", r#"{ "runId": "whole" }"#, &Caller::host()));
    assert_eq!(data(&answer)["run"]["spent"]["attempts"], 2);
}
