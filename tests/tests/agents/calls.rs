//! Successful calls, through the provider alone.

use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};
use workflow_core::output::OutputKind;
use workflow_core::provider::Reply;
use workflow_core::usage::Usage;
use workflow_tests::model_api::{COMMAND, Scenario, TEXT};

use crate::cli::{Cli, KEY};
use crate::rig::{Call, Rig};

for_every_cli! {
    a_prompt_is_answered,
    a_thought_is_told_apart_from_the_answer,
    a_tool_is_used,
    a_schema_is_asked_for_and_followed,
    prose_is_not_a_value,
    a_session_is_continued,
    a_session_is_copied,
    a_long_prompt_arrives_whole,
}

fn tokens(reply: &Reply) -> (Option<u64>, Option<u64>) {
    let usage = reply.usage.clone().unwrap_or_default();
    (usage.input_tokens, usage.output_tokens)
}

/// The usage of this many answers of the fake.
fn answers(count: u64, cli: Cli) -> (Option<u64>, Option<u64>) {
    // Gemini counts its two tokens of thought in addition to its answer; for the others they are a part of
    // it.
    let output = if cli == Cli::Gemini { 9 } else { 7 };
    (Some(19 * count), Some(output * count))
}

fn a_prompt_is_answered(cli: Cli) {
    let rig = Rig::new();
    let call = Call::new("Say hello to the lighthouse.", cli.options());
    let reply = call.made(&rig.provider(cli, Scenario::Ok)).unwrap();
    assert_eq!(reply.output.value(), TEXT);
    assert_eq!(tokens(&reply), answers(1, cli));
    let shown = [OutputKind::Text, OutputKind::TextDelta].map(|kind| call.said(kind)).concat();
    assert_eq!(shown, TEXT);
    assert_eq!(call.sessions(), [reply.session.unwrap()]);
    let asked = rig.api.asked();
    let ours: Vec<_> = asked.iter().filter(|asked| asked.mentions("Say hello to the lighthouse.")).collect();
    assert!(!ours.is_empty() && ours.iter().all(|asked| asked.has_key()));
    assert_eq!(rig.processes(), [""; 0]);
}

fn a_thought_is_told_apart_from_the_answer(cli: Cli) {
    let rig = Rig::new();
    let call = Call::new("Think.", cli.options());
    let reply = call.made(&rig.provider(cli, Scenario::Think)).unwrap();
    assert_eq!(reply.output.value(), TEXT);
    // Gemini's stream does not contain them.
    assert_eq!(call.said(OutputKind::Thinking).contains("Let me think."), cli != Cli::Gemini);
}

fn a_tool_is_used(cli: Cli) {
    let rig = Rig::new();
    let call = Call::new("Use the tool.", cli.options());
    let reply = call.made(&rig.provider(cli, Scenario::Tool)).unwrap();
    assert_eq!(reply.output.value(), TEXT);
    assert_eq!(tokens(&reply), answers(2, cli));
    assert_eq!(fs::read_to_string(rig.work().join("tool_out.txt")).unwrap(), "tool-ran\n");
    let told = call.said(OutputKind::Tool);
    let (asked, result) = told.split_once("→").unwrap();
    assert!(asked.contains(COMMAND) && result.contains("tool-ran"), "{told}");
    assert_eq!(rig.processes(), [""; 0]);
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": { "name": { "type": "string" }, "count": { "type": "integer" } },
        "required": ["name", "count"],
        "additionalProperties": false,
    })
}

/// The reply as JSON, if it is JSON.
fn value(reply: &Reply) -> Option<Value> {
    match reply.output.value() {
        Value::String(text) => serde_json::from_str(text.trim()).ok(),
        value => Some(value.clone()),
    }
}

fn a_schema_is_asked_for_and_followed(cli: Cli) {
    let rig = Rig::new();
    let mut call = Call::new("Answer with JSON.", cli.options());
    call.request.output_schema = Some(Arc::new(schema()));
    let reply = call.made(&rig.provider(cli, Scenario::Json)).unwrap();
    assert_eq!(value(&reply), Some(json!({ "name": "fake", "count": 2 })));
    let is_asked =
        |body: &Value| body.to_string().replace('\\', "").contains("\"required\":[\"name\",\"count\"]");
    assert!(rig.api.asked().iter().any(|asked| is_asked(&asked.body)));
}

fn prose_is_not_a_value(cli: Cli) {
    let rig = Rig::new();
    let mut call = Call::new("Answer with JSON.", cli.options());
    call.request.output_schema = Some(Arc::new(schema()));
    match call.made(&rig.provider(cli, Scenario::BadJson)) {
        Ok(reply) => assert_eq!(reply.output.value(), TEXT),
        Err(error) => panic!("{error}"),
    }
}

/// The same in a session, which must remember the earlier prompt.
fn next(call: &mut Call, prompt: &str, before: &Reply) {
    prompt.clone_into(&mut call.request.prompt);
    call.request.session.clone_from(&before.session);
    call.request.session_usage.clone_from(&before.usage);
}

fn a_session_is_continued(cli: Cli) {
    let rig = Rig::new();
    let provider = rig.provider(cli, Scenario::Ok);
    let mut call = Call::new("The first word is lighthouse.", cli.options());
    let first = call.made(&provider).unwrap();
    next(&mut call, "The second word is harbour.", &first);
    let second = call.made(&provider).unwrap();
    assert_eq!(second.session, first.session);
    assert_eq!(tokens(&second), answers(1, cli), "what the session used before is not told once more");
    let asked = rig.api.asked();
    let both = |word: &str| asked.iter().any(|asked| asked.mentions("harbour") && asked.mentions(word));
    assert!(both("lighthouse") && both(TEXT), "the history is sent");

    let used = |reply: &Reply| reply.usage.clone().unwrap_or_default();
    let (first, second) = (used(&first), used(&second));
    let sum = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a + b);
    call.request.session_usage = Some(Usage {
        input_tokens: sum(first.input_tokens, second.input_tokens),
        output_tokens: sum(first.output_tokens, second.output_tokens),
        cost_usd: first.cost_usd.zip(second.cost_usd).map(|(a, b)| a + b),
    });
    call.request.prompt = "The third word is gull.".into();
    assert_eq!(tokens(&call.made(&provider).unwrap()), answers(1, cli));
}

fn a_session_is_copied(cli: Cli) {
    let rig = Rig::new();
    let provider = rig.provider(cli, Scenario::Ok);
    let mut call = Call::new("The first word is lighthouse.", cli.options());
    let first = call.made(&provider).unwrap();
    next(&mut call, "The second word is harbour.", &first);
    call.request.options["fork_session"] = true.into();
    let copy = call.made(&provider);
    if !cli.forks() {
        let error = copy.unwrap_err();
        assert!(error.failure.message.contains("unknown option `fork_session`"), "{error}");
        return;
    }
    let copy = copy.unwrap();
    assert!(copy.session.is_some() && copy.session != first.session);
    assert_eq!(tokens(&copy), answers(1, cli));
    assert!(rig.api.asked().iter().any(|asked| asked.mentions("harbour") && asked.mentions("lighthouse")));
}

fn a_long_prompt_arrives_whole(cli: Cli) {
    let rig = Rig::new();
    // Longer than an argument can be.
    let long = format!("{} end", "word ".repeat(40_000));
    let call = Call::new(&long, cli.options());
    let made = call.made(&rig.provider(cli, Scenario::Ok));
    match made {
        Ok(reply) => assert_eq!(reply.output.value(), TEXT),
        // It repeats the prompt, and exits with 0 before a reply of more than a pipe's size is read.
        Err(error) => assert!(cli == Cli::Gemini && error.failure.class.is_retryable(), "{error:?}"),
    }
    let sent = rig.api.asked();
    if cli == Cli::Grok {
        // A long prompt is replaced by a file, with markers around it.
        let kept = format!("<user_query>\n{long}\n</user_query>");
        let told = format!("the complete request ({} bytes", kept.len());
        assert!(sent.iter().any(|asked| asked.mentions(&told)));
    } else {
        assert!(sent.iter().any(|asked| asked.mentions(&long)));
    }
    assert!(!serde_json::to_string(&rig.api.requests()).unwrap().contains(KEY));
}
