//! Two runs side by side.

use serde_json::{Value, json};

use crate::host::Host;

const TEXT: &str = "\
workflow: { name: Ship, stages: [plan, code] }
plan: { provider: echo, prompt: \"Plan ${vars.what}\" }
code: { provider: echo, prompt: \"Code\", on_failure: retry, retries: 1, retry_backoff: 1ms }
";

fn create(host: &Host, id: &str, text: &str) {
    host.data("workflow:create", &json!({ "id": id, "text": text }).to_string());
}

fn run(host: &Host, workflow: &str, run: &str, vars: &Value) {
    host.data("workflow:run", &json!({ "id": workflow, "runId": run, "vars": vars }).to_string());
    host.drive(run);
}

fn compare(host: &Host, one: &str, other: &str) -> Value {
    host.data("workflow:runs:compare", &json!({ "runId": one, "otherRunId": other }).to_string())
}

#[test]
fn two_runs_that_did_the_same_do_not_diverge() {
    let host = Host::new();
    create(&host, "ship", TEXT);
    run(&host, "ship", "a", &json!({ "what": "it" }));
    run(&host, "ship", "b", &json!({ "what": "it" }));
    let compared = compare(&host, "a", "b");
    assert_eq!((&compared["vars"], &compared["definition"]), (&json!([]), &json!([])));
    assert_eq!(compared.get("divergence"), None, "{compared}");
    let stage = &compared["stages"][0];
    assert_eq!((&stage["stage"], &stage["first"]["status"]), (&json!("plan"), &json!("completed")));
    assert!(
        stage["longerMs"].is_i64() && stage.get("dearerUsd").is_none(),
        "an unknown cost is not compared"
    );
}

#[test]
fn other_variables_are_named_and_the_first_output_that_differs() {
    let host = Host::new();
    create(&host, "ship", TEXT);
    let long = |end: &str| format!("{}{end}", "x".repeat(5_000));
    run(&host, "ship", "a", &json!({ "what": long("1") }));
    run(&host, "ship", "b", &json!({ "what": long("2") }));
    let compared = compare(&host, "a", "b");
    assert_eq!(compared["vars"][0]["path"], "what");
    assert_eq!(compared["vars"][0]["first"]["truncated"], true);
    let found = &compared["divergence"];
    assert_eq!(
        (&found["stage"], &found["what"], &found["iteration"]),
        (&json!("plan"), &json!("output"), &json!(1))
    );
}

#[test]
fn a_call_that_needed_more_attempts_is_where_runs_of_different_definitions_diverge() {
    let host = Host::new();
    create(&host, "ship", TEXT);
    create(
        &host,
        "slip",
        &TEXT
            .replace("\"Code\"", "\"flaky\"")
            .replace("[plan, code]", "[plan, code, more]")
            .replace("code: {", "more: { provider: echo, prompt: More }\ncode: {"),
    );
    run(&host, "ship", "a", &json!({ "what": "it" }));
    run(&host, "slip", "b", &json!({ "what": "it" }));
    let compared = compare(&host, "a", "b");
    assert_eq!((&compared["sameWorkflow"], &compared["sameBundle"]), (&json!(false), &json!(false)));
    let paths: Vec<_> =
        compared["definition"].as_array().unwrap().iter().map(|found| &found["path"]).collect();
    assert_eq!(paths, ["workflow.id", "workflow.stages.code.prompt", "workflow.stages.more"]);
    let found = &compared["divergence"];
    assert_eq!((&found["path"], &found["what"]), (&json!("1/code[0]/run"), &json!("attempts")));
    assert_eq!(found["first"], "completed after 1 attempt");
    assert_eq!(found["second"], "completed after 2 attempts: no connection");
    run(&host, "slip", "c", &json!({ "what": "it" }));
    let same = compare(&host, "b", "c");
    assert_eq!((&same["sameBundle"], same.get("divergence")), (&json!(true), None), "{same}");
    let more = &compared["stages"][2];
    assert_eq!((&more["stage"], more.get("first")), (&json!("more"), None));
}

#[test]
fn runs_diverge_where_a_person_answers_differently_or_has_not_answered_yet() {
    let host = Host::new();
    create(&host, "asks", &TEXT.replace("\"Code\"", "\"Code\", approval: \"Code?\""));
    for (id, approved) in [("a", Some(true)), ("b", Some(false)), ("c", None)] {
        run(&host, "asks", id, &json!({ "what": "it" }));
        if let Some(approved) = approved {
            let wait = &host.data("workflow:runs:get", &json!({ "runId": id }).to_string())["run"]["waits"]
                [0]["number"];
            let answer = json!({ "runId": id, "wait": wait, "value": { "approved": approved } });
            host.data("workflow:runs:answer", &answer.to_string());
            host.drive(id);
        }
    }
    let answered = &compare(&host, "a", "b")["divergence"];
    assert_eq!((&answered["stage"], &answered["what"]), (&json!("code"), &json!("answer")), "{answered}");
    let behind = &compare(&host, "a", "c")["divergence"];
    assert_eq!((&behind["what"], &behind["second"]), (&json!("answer"), &json!("not answered")), "{behind}");
}
