//! Reports about runs, as Markdown, HTML and JSON.

use std::task::Poll;

use html5ever::tendril::TendrilSink as _;
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser};
use serde_json::{Value, json};
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
use workflow_core::usage::Usage;
use workflow_exec::Engine;
use workflow_service::Service;
use workflow_store::FsCatalog;

use crate::host::Host;

/// Does what the first word of its prompt says with the rest of it.
struct Scripted;

#[async_trait]
impl Provider for Scripted {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let (what, rest) = request.prompt.split_once(' ').unwrap_or((&request.prompt, ""));
        context.output(OutputKind::Stdout, rest);
        match what {
            "fail" => {
                let mut error = ProviderError::transient(rest);
                error.failure.details =
                    Some(json!({ "exit_code": 1, "stderr_tail": format!("stderr: {rest}\n") }));
                Err(error)
            }
            "flaky" if context.id().attempt < 3 => Err(ProviderError::transient("connection reset")),
            "slow" => {
                for _ in 0..2_000 {
                    yield_now().await;
                }
                Ok(Reply::text(rest))
            }
            "broken" => Err(ProviderError::permanent("no such program: `frobnicate`")),
            "json" => Ok(Reply::json(&serde_json::from_str(rest).unwrap())),
            _ => {
                let mut reply = Reply::text(rest);
                let (input_tokens, output_tokens) = (Some(1_200), Some(34));
                reply.usage = Some(Usage { input_tokens, output_tokens, cost_usd: Some(0.0123) });
                Ok(reply)
            }
        }
    }
}

/// Lets the other calls continue.
async fn yield_now() {
    let mut has_yielded = false;
    std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut has_yielded, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn host() -> Host {
    let home = tempfile::tempdir().unwrap();
    let catalog = FsCatalog::open(home.path()).unwrap();
    let engine = Engine::builder().catalog(catalog).provider("codex", Scripted).build().unwrap();
    Host { service: Service::new(engine), home }
}

/// Starts a run with the id of its workflow, and drives it until it is idle.
fn run(host: &Host, id: &str, text: &str, more: &Value) {
    host.data("workflow:create", &json!({ "id": id, "text": text }).to_string());
    let mut request = json!({ "id": id, "runId": id });
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    host.data("workflow:run", &request.to_string());
    host.drive(id);
}

fn report(host: &Host, run: &str, format: &str) -> String {
    let request = json!({ "runId": run, "format": format }).to_string();
    host.data("workflow:runs:report", &request)["text"].as_str().unwrap().to_owned()
}

fn json_of(host: &Host, run: &str) -> Value {
    host.data("workflow:runs:report", &json!({ "runId": run }).to_string())["report"].clone()
}

const COMPLETES: &str = "\
workflow:
  name: Ship it
  stages: [plan, code, check]
  loop: { max_iters: 3, fallback_next_stage: code, stop_when: \"$.done == true\" }
  budget: { cost_usd: 1.5, tokens: 100000 }
plan: { provider: codex, prompt: \"say Three steps.\", approval: \"Plan ${vars.ticket}?\" }
code: { provider: codex, prompt: \"flaky Coded.\", on_failure: retry, retries: 2, retry_backoff: 1ms }
check: { provider: codex, prompt: 'json {\"done\": true, \"notes\": \"all tests pass\"}', output: json }
";

const FAILS: &str = "\
workflow: { name: Nightly, stages: [lint, build, publish] }
lint: { provider: codex, prompt: broken, on_failure: continue }
build: { provider: codex, prompt: \"fail error[E0308]: mismatched types\", on_failure: retry, retries: 2, retry_backoff: 1ms }
publish: { provider: codex, prompt: \"say published\" }
";

const WAITS: &str = "\
workflow: { name: Release, stages: [build, release] }
build: { provider: codex, prompt: \"say Built 1.4.0.\" }
release: { provider: codex, prompt: \"say Released.\", approval: \"Release 1.4.0 to all customers?\" }
";

/// The run that completes after an approval.
fn completed() -> Host {
    let host = host();
    run(&host, "ship", COMPLETES, &json!({ "vars": { "ticket": "PAY-7" }, "labels": { "owner": "ann" } }));
    let wait = json_of(&host, "ship")["waits"][0]["wait"]["number"].clone();
    let answer = json!({ "runId": "ship", "wait": wait, "value": { "approved": true, "comment": "go" } });
    host.data("workflow:runs:answer", &answer.to_string());
    host.drive("ship");
    host
}

/// Compares with a snapshot that has neither times nor hashes.
fn compare(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME");
    settings.add_filter(r"\b\d+(\.\d)? (ms|s)\b", "DURATION");
    settings.add_filter(r"\b[0-9a-f]{64}\b", "HASH");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn a_report_of_a_completed_run_has_what_ran_and_who_was_asked() {
    let host = completed();
    compare("completed.md", &report(&host, "ship", "markdown"));
    compare("completed.html", &report(&host, "ship", "html"));
}

#[test]
fn a_report_of_a_failed_run_says_what_failed_what_was_tried_and_what_to_do() {
    let host = host();
    run(&host, "nightly", FAILS, &json!({}));
    compare("failed.md", &report(&host, "nightly", "markdown"));
    compare("failed.html", &report(&host, "nightly", "html"));
    let report = json_of(&host, "nightly");
    let failures = report["failures"].as_array().unwrap();
    let tried: Vec<_> = failures.iter().map(|failure| (&failure["path"], &failure["attempts"])).collect();
    assert_eq!(tried, [(&json!("1/lint[0]/run"), &json!(1)), (&json!("1/build[0]/run"), &json!(3))]);
    // Each step that has an operation can be taken as it is.
    for step in report["next"].as_array().unwrap() {
        if let Some(operation) = step["operation"].as_str() {
            host.data(operation, &step["request"].to_string());
        }
    }
}

#[test]
fn a_report_of_a_waiting_run_has_the_question_and_how_it_is_answered() {
    let host = host();
    run(&host, "release", WAITS, &json!({}));
    compare("waiting.md", &report(&host, "release", "markdown"));
    compare("waiting.html", &report(&host, "release", "html"));
    let approve = json_of(&host, "release")["next"][0].clone();
    host.data(approve["operation"].as_str().unwrap(), &approve["request"].to_string());
    host.drive("release");
    assert_eq!(json_of(&host, "release")["status"], "completed");
}

#[test]
fn a_report_of_a_loop_that_was_given_up_shows_what_was_missing_in_each_iteration() {
    let host = host();
    let text = COMPLETES
        .replace("\"done\": true", "\"done\": false")
        .replace(", approval: \"Plan ${vars.ticket}?\"", "");
    run(&host, "loops", &text, &json!({}));
    let report = json_of(&host, "loops");
    assert_eq!(report["error"]["class"], "loop_exhausted");
    let met: Vec<_> = report["iterations"].as_array().unwrap().iter().map(|it| &it["stopWhen"]).collect();
    assert_eq!(met, [&json!(false), &json!(false), &json!(false)]);
    assert_eq!(report["budgets"][0]["of"], 1.5);
    let text = self::report(&host, "loops", "markdown");
    assert_eq!(text.matches("all tests pass").count(), 3, "{text}");
    assert!(text.contains("workflow rerun loops --from code --current"), "{text}");
}

#[test]
fn a_report_of_a_fork_says_which_stages_the_old_run_made() {
    let host = host();
    run(&host, "nightly", FAILS, &json!({}));
    host.data("workflow:runs:rerun", r#"{ "runId": "nightly", "from": "failed", "newRunId": "again" }"#);
    host.drive("again");
    let report = json_of(&host, "again");
    assert_eq!(report["forkedFrom"], "nightly");
    let inherited: Vec<_> =
        report["stages"].as_array().unwrap().iter().map(|stage| &stage["inherited"]).collect();
    assert_eq!(inherited, [&json!(true), &json!(false)]);
}

#[test]
fn a_report_of_a_fork_shows_the_outputs_that_were_replaced() {
    let host = host();
    run(&host, "nightly", FAILS, &json!({}));
    host.data(
        "workflow:runs:fork",
        r#"{ "runId": "nightly", "at": "failed", "outputs": { "lint": "no warnings" }, "newRunId": "again" }"#,
    );
    host.drive("again");
    let report = json_of(&host, "again");
    let lint = &report["stages"][0];
    assert_eq!((&lint["status"], &lint["error"]), (&json!("completed"), &json!(null)));
    assert_eq!((&lint["output"]["text"], &lint["replaced"]), (&json!("no warnings"), &json!(true)));
    assert_eq!(lint["continued"], false);
    let failed: Vec<_> = report["failures"].as_array().unwrap().iter().map(|it| &it["stage"]).collect();
    assert_eq!(failed, ["build"]);
    let text = self::report(&host, "again", "markdown");
    assert!(
        text.contains("Stage `lint`, replaced when the run was forked:\n\n```text\nno warnings"),
        "{text}"
    );
    let request = r#"{ "runId": "nightly", "otherRunId": "again" }"#;
    let found = host.data("workflow:runs:compare", request)["divergence"].clone();
    assert_eq!((&found["stage"], &found["what"]), (&json!("lint"), &json!("outcome")), "{found}");
    assert_eq!(found["second"], "completed");
}

#[test]
fn a_report_of_a_fork_counts_only_the_attempts_of_the_fork() {
    let host = host();
    run(&host, "nightly", FAILS, &json!({}));
    let events = host.data("workflow:runs:events", r#"{ "runId": "nightly" }"#);
    let failed = |event: &&Value| event["type"] == "attempt_failed" && event["data"]["attempt"] == 2;
    let number = &events["events"].as_array().unwrap().iter().find(failed).unwrap()["seq"];
    let fork = json!({ "runId": "nightly", "at": { "event": number }, "newRunId": "again" });
    host.data("workflow:runs:fork", &fork.to_string());
    host.drive("again");
    let report = json_of(&host, "again");
    let summary = report["summary"].as_str().unwrap();
    assert!(summary.contains(" 1 stage ran, with 1 attempt, which failed."), "{summary}");
    assert!(summary.ends_with("was tried once."), "{summary}");
    let passes: Vec<_> = report["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pass| (&pass["inherited"], &pass["failedAttempts"], &pass["spent"]["attempts"]))
        .collect();
    let expected = [(json!(true), json!(1), json!(1)), (json!(false), json!(1), json!(1))];
    assert_eq!(passes, expected.each_ref().map(|(a, b, c)| (a, b, c)));
    assert_eq!(report["iterations"][0]["spent"], report["spent"]);
    assert!(report["stages"][1]["startedAt"].as_str() >= report["createdAt"].as_str());
}

/// A workflow that makes a call for each of its items, up to a thousand at a time.
fn each(host: &Host, id: &str, items: &[&str]) -> Value {
    let graph = "graph:\n  - { id: all, type: foreach, mode: parallel, concurrency: 1000, items: \"${vars.items}\", \
                 run: { type: run, prompt: \"${item}\" } }\n";
    host.write("workflows/stages/go.many.yml", graph);
    let text = format!(
        "workflow: {{ id: {id}, name: Many, stages: [go] }}\n\
         go: {{ provider: codex, profile: many, prompt: Go, on_failure: retry, retries: 2, retry_backoff: 1ms }}\n"
    );
    run(host, id, &text, &json!({ "vars": { "items": items } }));
    json_of(host, id)
}

#[test]
fn totals_count_also_the_calls_that_are_left_out() {
    let host = host();
    let items = vec!["flaky ok"; 1_100];
    let report = each(&host, "many", &items);
    assert_eq!(report["status"], "completed");
    assert_eq!(report["calls"].as_array().unwrap().len(), 1_000);
    let stage = &report["stages"][0];
    assert_eq!((&stage["spent"]["attempts"], &stage["failedAttempts"]), (&json!(3_300), &json!(2_200)));
    assert_eq!((&report["iterations"][0]["spent"], &report["omitted"]), (&report["spent"], &json!(100)));
}

#[test]
fn runs_do_not_diverge_where_reports_leave_out_different_calls() {
    let host = host();
    let mut items = vec!["say ok"; 700];
    items[..300].fill("slow ok");
    let first = each(&host, "a", &items);
    items.reverse();
    let second = each(&host, "b", &items);
    let paths = |report: &Value| -> Vec<_> {
        report["calls"].as_array().unwrap().iter().map(|call| call["path"].clone()).collect()
    };
    assert_ne!(paths(&first), paths(&second));
    let compared = host.data("workflow:runs:compare", r#"{ "runId": "a", "otherRunId": "b" }"#);
    assert_eq!(compared.get("divergence"), None, "{compared}");
}

#[test]
fn a_report_of_many_calls_keeps_those_that_failed() {
    let host = host();
    let mut items = vec!["say ok"; 700];
    items[650] = "broken";
    let report = each(&host, "many", &items);
    assert_eq!(report["calls"].as_array().unwrap().len() as u64 + report["omitted"].as_u64().unwrap(), 700);
    assert_eq!(report["failures"][0]["path"], "1/go[0]/all[650]", "{}", report["failures"]);
}

/// The elements of a page with the names of their attributes, and the text of the page.
fn elements(html: &str) -> (Vec<String>, String) {
    fn walk(node: &Handle, elements: &mut Vec<String>, text: &mut String) {
        match &node.data {
            NodeData::Element { name, attrs, .. } => {
                let attributes: Vec<_> =
                    attrs.borrow().iter().map(|attribute| attribute.name.local.to_string()).collect();
                elements.push(format!("{} {}", name.local, attributes.join(" ")));
            }
            NodeData::Text { contents } => text.push_str(&contents.borrow()),
            NodeData::Comment { .. } => elements.push("comment".to_owned()),
            _ => {}
        }
        node.children.borrow().iter().for_each(|child| walk(child, elements, text));
    }
    let dom = html5ever::parse_document(RcDom::default(), html5ever::ParseOpts::default()).one(html);
    let (mut elements, mut text) = (Vec::new(), String::new());
    walk(&dom.document, &mut elements, &mut text);
    (elements, text)
}

/// What Markdown is made of, without its texts, and its texts.
fn structure(markdown: &str) -> (Vec<String>, String) {
    let (mut parts, mut texts) = (Vec::new(), String::new());
    for event in Parser::new_ext(markdown, Options::all()) {
        match event {
            Event::Text(text) | Event::Code(text) => texts.push_str(&text),
            Event::Start(tag) => parts.push(format!("{tag:?}")),
            Event::End(_) => {}
            other => parts.push(format!("{other:?}")),
        }
    }
    (parts, texts)
}

/// Reports of a run in which every text that comes from outside is `text`.
fn reports_with(text: &str) -> (String, String) {
    let host = host();
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let name: String = text.chars().filter(|c| !c.is_control()).take(90).collect();
    let workflow = format!(
        "workflow: {{ name: {}, stages: [ask, go] }}\nask: {{ provider: codex, prompt: 'say ${{vars.text}}', approval: '${{vars.text}}' }}\n\
         go: {{ provider: codex, prompt: 'fail ${{vars.text}}' }}\n",
        quoted(&format!("Hi {name}"))
    );
    run(&host, "r1", &workflow, &json!({ "vars": { "text": text }, "labels": { "note": text } }));
    let wait = json_of(&host, "r1")["waits"][0]["wait"]["number"].clone();
    let answer = json!({ "runId": "r1", "wait": wait, "value": { "approved": true, "comment": text } });
    host.data("workflow:runs:answer", &answer.to_string());
    host.drive("r1");
    (report(&host, "r1", "html"), report(&host, "r1", "markdown"))
}

const FRAGMENTS: &[&str] = &[
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</pre>",
    "</code></td></table>",
    "</style>",
    "</title>",
    "<!--",
    "-->",
    "]]>",
    "&lt;",
    "&#60;",
    "\"",
    "'",
    " onload=x ",
    "`",
    "``",
    "```",
    "\n```\n",
    "\n~~~\n",
    "|",
    "\\|",
    "\\",
    "\n| a | b |\n|---|---|\n",
    "](javascript:alert(1))",
    "![x](https://evil.example/x.png)",
    "<https://evil.example>",
    "https://evil.example",
    "www.evil.example",
    "\n# Title\n",
    "\n- item\n",
    "\n1. item\n",
    "\n    code\n",
    "\n> quote\n",
    "\n---\n",
    "*",
    "_",
    "**",
    "~~",
    "$$",
    "[^1]",
    "\n[^1]: note\n",
    "\n[a]: https://evil.example\n",
    "\r",
    "\r\n",
    "\t",
    " ",
    "\u{0}",
    "\u{1b}[2J",
    "\u{202e}",
    "\u{200b}",
    "\u{2028}",
    "é",
    "{{",
    "}}",
    "${vars.x}",
    "\n:::\n",
    "\n+++\n",
    "\n$$\n",
];

fn hostile() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![9 => prop::sample::select(FRAGMENTS).prop_map(str::to_owned), 1 => ".{0,4}"];
    prop::collection::vec(fragment, 1..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_text_from_outside_stays_in_its_place(text in hostile()) {
        // It begins and ends with a letter, so that it is not empty and no two texts are equal.
        let (html, markdown) = reports_with(&format!("a{text}z"));
        let (plain_html, plain_markdown) = reports_with("az");
        let (found, page) = elements(&html);
        prop_assert_eq!(&found, &elements(&plain_html).0);
        prop_assert!(found.iter().all(|element| !element.starts_with("script ") && !element.contains(" on")));
        let (parts, words) = structure(&markdown);
        prop_assert_eq!(parts, structure(&plain_markdown).0, "{}", markdown);
        // The text is there, all of it, in both.
        let expected = workflow_service::text::harmless_lines(&format!("a{text}z"));
        prop_assert!(page.contains(&expected), "{}", html);
        prop_assert!(words.contains(&expected), "{}", markdown);
    }
}

#[test]
fn a_page_loads_nothing_and_its_policy_names_its_own_style_only() {
    use base64::Engine as _;
    use sha2::Digest as _;

    let html = report(&completed(), "ship", "html");
    let (found, _) = elements(&html);
    let loads = ["script", "link", "img", "iframe", "object", "form", "base"];
    assert!(found.iter().all(|element| loads.iter().all(|name| !element.starts_with(&format!("{name} ")))));
    assert!(
        found.iter().all(|element| !element.contains("style ") || element == "style "),
        "no style attributes"
    );
    let style = html.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let hash = base64::prelude::BASE64_STANDARD.encode(sha2::Sha256::digest(style));
    assert!(html.contains(&format!("default-src 'none'; style-src 'sha256-{hash}'")), "the hash is {hash}");
}

#[test]
fn a_page_can_be_read_by_assistive_technology() {
    let html = report(&completed(), "ship", "html");
    let (found, _) = elements(&html);
    let count = |name: &str| found.iter().filter(|element| element.split(' ').next() == Some(name)).count();
    assert_eq!((count("h1"), count("main"), count("nav")), (1, 1, 1));
    assert_eq!(count("table"), count("caption"));
    assert!(found.iter().all(|element| !element.starts_with("th ") || element.contains("scope")));
    assert!(
        html.contains("<html lang=\"en\">") && html.contains("light-dark(") && html.contains("@media print")
    );
    // Each entry of the navigation leads to a section.
    for link in html.split("href=\"#").skip(1) {
        let anchor = link.split('"').next().unwrap();
        assert!(html.contains(&format!("id=\"{anchor}\"")), "{anchor}");
    }
}
