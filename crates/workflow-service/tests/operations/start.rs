//! Inputs of runs, dry runs, idempotency keys and options.

use serde_json::json;
use workflow_service::Code;

use crate::host::Host;

const TEXT: &str = "\
workflow:
  name: Inputs
  stages: [plan, check]
  loop: { max_iters: 3, stop_when: \"$.done == true\" }
plan: { provider: echo, role: planner, set: { made: x } }
check: { provider: echo, when: \"$.vars.skip != true\", prompt: \"${vars.goal} ${vars.tone:-calm} ${vars.made} ${secrets.KEY}\" }
";

fn host() -> Host {
    let host = Host::new();
    host.write(
        "roles/planner.md",
        "---\nvariables:\n  - { name: goal, type: string, required: true, description: What to reach }\n  \
         - { name: size, type: number, default: 3 }\n---\n{{goal}} {{size}}\n",
    );
    host.data("workflow:create", &json!({ "id": "inputs", "text": TEXT }).to_string());
    host
}

#[test]
fn inputs_have_types_defaults_and_where_they_are_used() {
    let inputs = host().data("workflow:inputs", r#"{ "id": "inputs" }"#);
    let input =
        |name: &str| inputs["inputs"].as_array().unwrap().iter().find(|input| input["name"] == name).cloned();
    assert_eq!(
        input("goal").unwrap(),
        json!({
            "name": "goal", "type": "string", "enum": [], "required": true, "default": null, "description": "What to reach",
            "usedIn": ["check.prompt", "role planner"],
        })
    );
    let size = input("size").unwrap();
    assert_eq!(
        (&size["type"], &size["required"], &size["default"]),
        (&"number".into(), &false.into(), &3.into())
    );
    for name in ["tone", "made", "skip"] {
        assert_eq!(input(name).unwrap()["required"], false, "{name}");
    }
    assert_eq!(inputs["secrets"], json!(["KEY"]));
}

#[test]
fn a_dry_run_shows_the_plan_and_what_is_missing_and_creates_no_run() {
    let host = host();
    let dry = host
        .data("workflow:run", r#"{ "id": "inputs", "dryRun": true, "maxIters": 9, "interactive": true }"#);
    assert_eq!(dry["ready"], false);
    assert_eq!(dry["missing"]["variables"], json!(["goal"]));
    assert_eq!(dry["missing"]["secrets"], json!(["KEY"]));
    assert_eq!(dry["loop"]["maxIters"], 9);
    assert_eq!(dry["stages"][0]["lanes"], json!([{ "provider": "echo", "role": "planner", "weight": 1 }]));
    assert_eq!(
        (&dry["stages"][1]["asks"], &dry["stages"][1]["when"]),
        (&true.into(), &"$.vars.skip != true".into())
    );
    let ready = host.data("workflow:run", r#"{ "id": "inputs", "dryRun": true, "vars": { "goal": "x" } }"#);
    assert_eq!((&ready["ready"], &ready["missing"]["problems"]), (&true.into(), &json!([])));
    assert_eq!(host.data("workflow:runs:list", "")["runs"], json!([]));

    host.write(
        "workflows/lost.workflow.yml",
        "workflow: { name: Lost, stages: [a] }\na: { provider: nobody, prompt: x }\n",
    );
    let lost = host.data("workflow:run", r#"{ "id": "lost", "dryRun": true }"#);
    assert_eq!((&lost["ready"], &lost["stages"]), (&false.into(), &json!([])));
    assert!(lost["missing"]["providers"][0].as_str().unwrap().contains("`nobody`"));
}

#[test]
fn a_dry_run_shows_the_key_that_the_run_would_share_with_others() {
    let host = Host::new();
    host.write(
        "workflows/ship.workflow.yml",
        "workflow:\n  name: Ship\n  stages: [a]\n  inputs: { to: { default: test } }\n  \
         concurrency: { key: \"ship ${vars.to}\", mode: cancel }\na: { provider: echo, prompt: x }\n",
    );
    let dry = host.data("workflow:run", r#"{ "id": "ship", "dryRun": true }"#);
    assert_eq!(
        (&dry["ready"], &dry["slot"]),
        (&true.into(), &json!({ "key": "ship test", "mode": "cancel" }))
    );
    let long = json!({ "id": "ship", "dryRun": true, "vars": { "to": "x".repeat(300) } });
    let dry = host.data("workflow:run", &long.to_string());
    assert_eq!((&dry["ready"], &dry["slot"]), (&false.into(), &json!(null)));
    let problem = &dry["missing"]["problems"][0];
    assert_eq!(problem, "`workflow.concurrency.key` has 305 bytes; at most 256 are possible");
}

#[test]
fn a_run_that_waits_for_its_slot_says_behind_which_run_it_is() {
    let host = Host::new();
    host.write(
        "workflows/ship.workflow.yml",
        "workflow: { name: Ship, stages: [a], concurrency: { key: ship } }\na: { provider: echo, prompt: x }\n",
    );
    for run in ["r1", "r2", "r3"] {
        host.data("workflow:run", &json!({ "id": "ship", "runId": run }).to_string());
    }
    let behind =
        |run: &str| host.data("workflow:runs:get", &json!({ "runId": run }).to_string())["behind"].clone();
    assert_eq!([behind("r1"), behind("r2"), behind("r3")], [json!(null), json!("r1"), json!("r1")]);
    host.drive("r1");
    assert_eq!([behind("r2"), behind("r3")], [json!(null), json!("r2")]);
}

#[test]
fn the_same_key_starts_one_run_and_other_inputs_are_refused() {
    let host = host();
    let start = |key: &str, goal: &str| {
        let request = json!({ "id": "inputs", "idempotencyKey": key, "vars": { "goal": goal } });
        host.call("workflow:run", &request.to_string())
    };
    let first = crate::host::data(&start("order 7/ü", "x"));
    assert_eq!(crate::host::data(&start("order 7/ü", "x")), first);
    assert_eq!(start("order 7/ü", "y").error.unwrap().code, Code::OtherInputs);
    assert_ne!(crate::host::data(&start("order 8", "x")), first);
    assert_eq!(start("", "x").error.unwrap().code, Code::InvalidRequest);
    let both = r#"{ "id": "inputs", "idempotencyKey": "k", "runId": "r", "vars": { "goal": "x" } }"#;
    assert_eq!(host.call("workflow:run", both).error.unwrap().code, Code::InvalidRequest);
}

#[test]
fn the_plan_and_the_graph_of_a_run_have_its_options() {
    let host = host();
    let options = r#""onFailure": "continue", "maxIters": 7, "interactive": true, "vars": { "goal": "x" }"#;
    host.data("workflow:run", &format!(r#"{{ "id": "inputs", "runId": "r1", {options} }}"#));
    let plan = host.data("workflow:runs:plan", r#"{ "runId": "r1" }"#);
    let dry = host.data("workflow:run", &format!(r#"{{ "id": "inputs", "dryRun": true, {options} }}"#));
    assert_eq!((&plan["stages"], &plan["loop"]), (&dry["stages"], &dry["loop"]));
    assert_eq!((&plan["loop"]["maxIters"], &plan["stages"][0]["asks"]), (&json!(7), &json!(true)));
    assert_eq!(plan["stages"][1]["onFailure"], "continue");
    let graph = host.data("workflow:graph", r#"{ "runId": "r1" }"#);
    assert_eq!(graph["boxes"][1]["notes"][0], "asks a person first");
    let lines = graph["lines"].as_array().unwrap();
    assert_eq!(lines.iter().filter(|line| line["kind"] == "failure").count(), 2);
    let repeat = lines.iter().find(|line| line["kind"] == "loop").unwrap();
    assert!(repeat["label"].as_str().unwrap().contains("at most 7 times"), "{repeat}");
}

#[test]
fn a_run_has_the_iterations_that_it_was_started_with() {
    let host = Host::new();
    let text = "workflow:\n  name: Looped\n  stages: [a]\n  loop: { max_iters: 2, stop_when: \"$.done\" }\n\
                a: { provider: echo, prompt: Hi, min_iterations: 2 }\n";
    host.data("workflow:create", &json!({ "id": "looped", "text": text }).to_string());
    host.data("workflow:run", r#"{ "id": "looped", "runId": "r1", "maxIters": 4 }"#);
    host.drive("r1");
    let run = host.data("workflow:runs:get", r#"{ "runId": "r1" }"#);
    assert_eq!((&run["run"]["status"], &run["run"]["iteration"]), (&"failed".into(), &4.into()));
    for (most, id) in [(0, "looped"), (21, "looped"), (1, "looped"), (3, "once")] {
        host.write(
            "workflows/once.workflow.yml",
            "workflow: { name: Once, stages: [a] }\na: { provider: echo }\n",
        );
        let error =
            host.call("workflow:run", &json!({ "id": id, "maxIters": most }).to_string()).error.unwrap();
        assert_eq!(error.code, Code::InvalidInputs, "{most} {id}");
        assert!(error.message.contains("max_iters"), "{}", error.message);
    }
}

#[test]
fn providers_are_replaced_for_a_run_and_its_report_says_so() {
    let host = Host::new();
    // `agent` is not registered here.
    let text = "workflow: { name: Agents, stages: [a, b] }\na: { provider: agent, with: { model: x }, prompt: A }\n\
                b: { provider: \"${vars.who}\", prompt: B }\n";
    host.write("workflows/agents.workflow.yml", text);
    let request = |more: &str| format!(r#"{{ "id": "agents", "vars": {{ "who": "agent" }}{more} }}"#);
    assert_eq!(host.call("workflow:run", &request("")).error.unwrap().code, Code::InvalidDefinition);
    for (providers, known) in [
        (r#"{ "agent": "deno" }"#, "`deno`; did you mean `demo`? (registered: command, demo, echo)"),
        (r#"{ "*": "gone" }"#, "(registered: command, demo, echo)"),
        (r#"{ "agent": "demo", "claude": "demo" }"#, "the workflow uses: agent"),
    ] {
        let error =
            host.call("workflow:run", &request(&format!(r#", "providers": {providers}"#))).error.unwrap();
        assert_eq!(error.code, Code::InvalidDefinition, "{providers}");
        assert!(error.message.contains(known), "{}", error.message);
    }
    let replaced = r#", "providers": { "agent": "demo" }"#;
    let dry = host.data("workflow:run", &request(&format!(r#"{replaced}, "dryRun": true"#)));
    assert_eq!((&dry["ready"], &dry["stages"][0]["lanes"][0]["provider"]), (&true.into(), &"demo".into()));
    let checked = json!({ "text": text, "id": "agents", "providers": { "agent": "demo" } });
    assert_eq!(host.data("workflow:validate", &checked.to_string())["valid"], true);
    host.data("workflow:run", &request(&format!(r#"{replaced}, "runId": "r1""#)));
    let other = host.call("workflow:run", &request(r#", "providers": { "*": "echo" }, "runId": "r1""#));
    assert_eq!(other.error.unwrap().code, Code::OtherInputs);
    host.drive("r1");
    host.data("workflow:runs:rerun", r#"{ "runId": "r1", "newRunId": "r2", "providers": { "*": "echo" } }"#);
    host.drive("r2");
    for (run, provider, said) in [
        ("r1", "demo", "`demo` in place of `agent`"),
        ("r2", "echo", "`echo` in place of `agent`, `echo` in place of all others"),
    ] {
        let request = json!({ "runId": run }).to_string();
        let stages = host.data("workflow:runs:get", &request)["run"]["context"]["stages"].clone();
        for stage in ["a", "b"] {
            assert_eq!(stages[stage]["results"][0]["provider"], provider, "{run} {stage}");
        }
        let markdown = json!({ "runId": run, "format": "markdown" }).to_string();
        let report = host.data("workflow:runs:report", &markdown)["text"].as_str().unwrap().to_owned();
        assert!(report.contains(said), "{report}");
        assert_eq!(host.data("workflow:runs:plan", &request)["providers"]["agent"], provider);
    }
}
