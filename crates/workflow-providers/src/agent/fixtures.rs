//! Reads captured streams of the agents.
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use indexmap::IndexMap;
use serde_json::Value;
use workflow_core::ids::RunId;
use workflow_core::provider::{CallId, CallRequest, Workspace};
use workflow_core::usage::Usage;

use super::claude_code::ClaudeCode;
use super::cli::{Call, Cli, End, Invocation, Outcome, Said, Trouble};
use super::codex::Codex;
use super::gemini::Gemini;
use super::grok::Grok;
use super::transcript::Transcript;
use super::{AgentProvider, Capabilities, Cost, SchemaBy, TextIn, UsageOf};
use crate::failure;

struct Capture {
    case: String,
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

/// The captures with this prefix, except those of other output formats than the one that is read.
fn captures(prefix: &str) -> Vec<Capture> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let read = |name: &str| std::fs::read(folder.join(name));
    let manifest: Vec<BTreeMap<String, Value>> =
        serde_json::from_slice(&read("MANIFEST.json").unwrap()).unwrap();
    let all = manifest.into_iter().filter_map(|entry| {
        let case = entry["case"].as_str().unwrap().to_owned();
        case.starts_with(prefix).then_some(())?;
        // 124 stands for the time-out of the capture; the others without a number did not exit.
        let code = entry["exit"].as_str().unwrap().parse().ok().filter(|code| *code >= 0 && *code != 124);
        let stdout = read(entry["file"].as_str().unwrap()).unwrap();
        let stderr = read(&format!("{case}.stderr")).map(|text| String::from_utf8_lossy(&text).into_owned());
        Some(Capture { case, code, stdout, stderr: stderr.unwrap_or_default() })
    });
    all.collect()
}

fn request(session: Option<&str>) -> CallRequest {
    CallRequest {
        id: CallId {
            run: RunId::new("r").unwrap(),
            seed: 1,
            path: "1/plan[0]/run".parse().unwrap(),
            attempt: 1,
        },
        prompt: "say hello".to_owned(),
        options: Value::Null,
        env: IndexMap::new(),
        cwd: None,
        session: session.map(str::to_owned),
        session_usage: session.map(|_| Usage {
            input_tokens: Some(19),
            output_tokens: Some(7),
            cost_usd: Some(0.0002),
        }),
        output_schema: None,
        skills: Vec::new(),
        workspace: Workspace::Shared,
    }
}

fn play<C: Cli>(
    capture: &Capture,
    stdout: &[u8],
    code: Option<i32>,
) -> (Vec<Said>, Result<Outcome, Trouble>) {
    let resumes = ["-resume", "-continue", "-fork"].iter().any(|word| capture.case.contains(word));
    let request = request(resumes.then_some("s"));
    let place = PathBuf::from("/nowhere");
    let call =
        Call { request: &request, new_session: "chosen", scratch: &place, directory: &place, denied: &[] };
    let (mut transcript, mut said) = (Transcript::<C>::new(&call), Vec::new());
    transcript.push(stdout, &mut |what| said.push(what));
    let end = End { code, stderr: capture.stderr.clone(), lingered: false };
    let result = transcript.end(&end, &mut |what| said.push(what));
    (said, result)
}

fn table<C: Cli>(prefix: &str) -> String {
    let mut table = String::new();
    for capture in captures(prefix) {
        let (said, result) = play::<C>(&capture, &capture.stdout, capture.code);
        let code = capture.code.map_or("-".to_owned(), |code| code.to_string());
        writeln!(table, "{} (exit {code})", capture.case).unwrap();
        let mut deltas = String::new();
        for what in said {
            match what {
                Said::TextDelta(text) => deltas += &text,
                Said::Usage(_) => {}
                other => {
                    writeln!(table, "    {}", format!("{other:?}").chars().take(150).collect::<String>())
                        .unwrap();
                }
            }
        }
        if !deltas.is_empty() {
            writeln!(table, "    TextDelta({deltas:?})").unwrap();
        }
        let usage = |usage: Option<Usage>| {
            usage.map_or("usage unknown".to_owned(), |usage| {
                let tokens = |count: Option<u64>| count.map_or("?".to_owned(), |count| count.to_string());
                let cost = usage.cost_usd.map_or("?".to_owned(), |cost| format!("{cost:.4}"));
                format!("in {} out {} cost {cost}", tokens(usage.input_tokens), tokens(usage.output_tokens))
            })
        };
        match result {
            Ok(done) => {
                let value = done.value.map(|value| format!(" value {value}")).unwrap_or_default();
                let details = Value::Object(done.details);
                writeln!(
                    table,
                    "  = {:?}{value}; {}; session {}; {details}",
                    done.text,
                    usage(done.usage),
                    done.session.unwrap_or_default()
                )
                .unwrap();
            }
            Err(trouble) => {
                writeln!(
                    table,
                    "  ! {:?} ({:?}): {:?}; {}",
                    trouble.reason,
                    trouble.reason.class(),
                    trouble.message,
                    usage(trouble.usage)
                )
                .unwrap();
            }
        }
    }
    table
}

#[test]
fn every_capture_results_in_what_was_reviewed() {
    insta::assert_snapshot!("claude_code", table::<ClaudeCode>("claude-"));
    insta::assert_snapshot!("codex", table::<Codex>("codex-"));
    insta::assert_snapshot!("gemini", table::<Gemini>("gemini-"));
    insta::assert_snapshot!("grok", table::<Grok>("grok-"));
}

/// A truncated stream is never read as a success that it does not report, whatever the exit code.
fn cuts<C: Cli>(prefix: &str) -> usize {
    let (mut chance, mut played) = (0x9e37_79b9_7f4a_7c15_u64, 0);
    for capture in captures(prefix) {
        let whole = play::<C>(&capture, &capture.stdout, Some(0)).1;
        let lines: Vec<_> =
            capture.stdout.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect();
        let last = lines.iter().rev().nth(1).copied();
        let mut ends: Vec<usize> = lines.iter().map(|end| end + 1).collect();
        for _ in 0..20 {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ends.push((chance >> 33) as usize % (capture.stdout.len() + 1));
        }
        for end in ends {
            for code in [Some(0), Some(1), None] {
                let (_, result) = play::<C>(&capture, &capture.stdout[..end], code);
                played += 1;
                if let Ok(outcome) = result {
                    // One of the captures has two turns, and so two ends.
                    if capture.case.ends_with("-two") {
                        continue;
                    }
                    // Only if its last record is complete.
                    assert!(
                        code == Some(0) && last.is_none_or(|last| end > last),
                        "{} cut at {end}",
                        capture.case
                    );
                    assert_eq!(Ok(outcome), whole, "{} cut at {end}", capture.case);
                }
            }
        }
    }
    played
}

#[test]
fn no_beginning_of_a_stream_is_a_success() {
    assert!(cuts::<ClaudeCode>("claude-") > 1000);
    assert!(cuts::<Codex>("codex-") > 1000);
    assert!(cuts::<Gemini>("gemini-") > 1000);
    assert!(cuts::<Grok>("grok-") > 1000);
}

/// Randomly damaged bytes result in a typed outcome.
fn damaged<C: Cli>(prefix: &str) {
    let mut chance = 7_u64;
    let mut draw = |below: usize| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) as usize % below.max(1)
    };
    for capture in captures(prefix).iter().filter(|capture| !capture.stdout.is_empty()) {
        for _ in 0..20 {
            let mut stdout = capture.stdout.clone();
            for _ in 0..=draw(8) {
                let at = draw(stdout.len());
                stdout[at] = b"\"{}[]:,\\\n0\xff\0"[draw(12)];
            }
            if let Err(trouble) = play::<C>(capture, &stdout, capture.code).1 {
                let zone = jiff::tz::TimeZone::UTC;
                let here = failure::Here { now: jiff::Timestamp::UNIX_EPOCH, zone: &zone };
                let _ = failure::read(&trouble.message, &here);
            }
        }
    }
}

#[test]
fn damaged_streams_come_to_something_typed() {
    damaged::<ClaudeCode>("claude-");
    damaged::<Codex>("codex-");
    damaged::<Gemini>("gemini-");
    damaged::<Grok>("grok-");
}

/// What an agent can do, according to its captures and its command line.
fn shown<C: Cli>(prefix: &str) -> Capabilities
where
    C::Options: Default,
{
    let claimed = AgentProvider::<C>::capabilities();
    let (mut said, mut costs) = (Vec::new(), Vec::new());
    for capture in captures(prefix) {
        let (all, result) = play::<C>(&capture, &capture.stdout, capture.code);
        said.extend(all);
        // If the former cost of a resumed session is unknown, so is that of the call.
        costs.extend(result.ok().and_then(|outcome| outcome.usage).map(|usage| usage.cost_usd.is_some()));
    }
    let says = |what: fn(&Said) -> bool| said.iter().any(what);
    let arguments = |request: &CallRequest| {
        let place = PathBuf::from("/nowhere");
        let call = Call { request, new_session: "chosen", scratch: &place, directory: &place, denied: &[] };
        let invocation = C::arguments(&C::Options::default(), &call).unwrap();
        (invocation.arguments.join(" "), invocation.files.len())
    };
    let session = "0d9ff1ab-8a43-4ab5-9f10-3f1c7b0c7f6e";
    let asked_for_schema = CallRequest { output_schema: Some(Value::Bool(true).into()), ..request(None) };
    let options = schemars::schema_for!(C::Options).to_value();
    assert!(options["properties"].get(claimed.permissions.option).is_some(), "{:?}", claimed.permissions);
    Capabilities {
        schema: if arguments(&asked_for_schema) == arguments(&request(None)) {
            SchemaBy::Prompt
        } else {
            SchemaBy::Option
        },
        sessions: arguments(&request(Some(session))).0.contains(session),
        text: if says(|said| matches!(said, Said::TextDelta(text) if !text.is_empty())) {
            TextIn::Pieces
        } else {
            TextIn::Messages
        },
        thoughts: says(|said| matches!(said, Said::Thinking(_))),
        usage: if counts_sessions::<C>(prefix) { UsageOf::Session } else { UsageOf::Call },
        usage_as_it_works: says(|said| matches!(said, Said::Usage(_))),
        cost: match claimed.cost {
            // The service of the captures reports none.
            Cost::Sometimes => Cost::Sometimes,
            _ if costs.iter().all(|told| *told) => Cost::Told,
            _ if costs.iter().any(|told| *told) => Cost::Sometimes,
            _ => Cost::Unknown,
        },
        ..claimed
    }
}

/// Whether the token counts of a call in a resumed session depend on the former usage of the session.
fn counts_sessions<C: Cli>(prefix: &str) -> bool {
    let resumed = captures(prefix).into_iter().filter(|capture| capture.case.contains("-resume"));
    let tokens = |capture: &Capture, before: Option<u64>| {
        let mut request = request(Some("s"));
        request.session_usage = before.map(|tokens| Usage {
            input_tokens: Some(tokens),
            output_tokens: Some(tokens),
            cost_usd: None,
        });
        let place = PathBuf::from("/nowhere");
        let call = Call {
            request: &request,
            new_session: "chosen",
            scratch: &place,
            directory: &place,
            denied: &[],
        };
        let mut transcript = Transcript::<C>::new(&call);
        transcript.push(&capture.stdout, &mut |_| {});
        let end = End { code: capture.code, stderr: String::new(), lingered: false };
        transcript.end(&end, &mut |_| {}).ok().and_then(|outcome| outcome.usage?.tokens())
    };
    let mut counts: Vec<_> =
        resumed.map(|capture| (tokens(&capture, Some(1)), tokens(&capture, Some(2)))).collect();
    counts.retain(|(one, other)| one.is_some() || other.is_some());
    assert!(!counts.is_empty(), "no capture of {prefix} resumes a session");
    counts.iter().any(|(one, other)| one != other)
}

#[test]
fn an_agent_can_do_what_it_is_said_to_be_able_to_do() {
    assert_eq!(shown::<ClaudeCode>("claude-"), AgentProvider::<ClaudeCode>::capabilities());
    assert_eq!(shown::<Codex>("codex-"), AgentProvider::<Codex>::capabilities());
    assert_eq!(shown::<Gemini>("gemini-"), AgentProvider::<Gemini>::capabilities());
    assert_eq!(shown::<Grok>("grok-"), AgentProvider::<Grok>::capabilities());
}

/// The command line of a call in `/work` whose tools must not change two files of a home there.
fn denying<C: Cli>(options: serde_json::Value) -> Invocation {
    let (request, scratch) = (request(None), PathBuf::from("/nowhere"));
    let denied = [PathBuf::from("/work/.orch/runs.db*"), PathBuf::from("/work/.orch/workflows")];
    let directory = PathBuf::from("/work");
    let call = Call {
        request: &request,
        new_session: "c",
        scratch: &scratch,
        directory: &directory,
        denied: &denied,
    };
    C::arguments(&serde_json::from_value(options).unwrap(), &call).unwrap()
}

#[test]
fn grok_is_told_what_its_tools_must_not_change() {
    let arguments = denying::<Grok>(serde_json::json!({})).arguments;
    let denied = arguments.iter().zip(&arguments[1..]).filter(|(option, _)| *option == "--deny");
    let denied: Vec<_> = denied.map(|(_, rule)| rule.as_str()).collect();
    assert_eq!(
        denied,
        [
            "Edit(/work/.orch/runs.db*)",
            "Edit(/work/.orch/runs.db*/**)",
            "Write(/work/.orch/runs.db*)",
            "Write(/work/.orch/runs.db*/**)",
            "Edit(/work/.orch/workflows)",
            "Edit(/work/.orch/workflows/**)",
            "Write(/work/.orch/workflows)",
            "Write(/work/.orch/workflows/**)",
        ]
    );
}

#[test]
fn gemini_is_told_what_its_tools_must_not_change() {
    let invocation = denying::<Gemini>(serde_json::json!({}));
    let place = invocation.arguments.iter().position(|argument| argument == "--admin-policy").unwrap();
    assert_eq!(invocation.arguments[place + 1], "/nowhere/policy.toml");
    let [("policy.toml", policy)] = invocation.files.as_slice() else { panic!("{:?}", invocation.files) };
    assert_eq!(policy.matches("[[rule]]").count(), 6, "{policy}");
    let first = r#"argsPattern = "\\x00\"file_path\":\"/work/\\x2eorch/runs\\x2edb[^/\"]*(/|\")""#;
    assert!(policy.contains(first), "{policy}");
    let inside = r#"argsPattern = "\\x00\"file_path\":\"\\x2e/\\x2eorch/workflows(/|\")""#;
    assert!(policy.contains(inside), "{policy}");
}

#[test]
fn claude_code_is_told_what_its_tools_must_not_change() {
    let options =
        serde_json::json!({ "disallowed_tools": ["WebFetch"], "permission_mode": "bypassPermissions" });
    let arguments = denying::<ClaudeCode>(options).arguments;
    let from = arguments.iter().position(|argument| argument == "--disallowedTools").unwrap();
    assert_eq!(
        arguments[from + 1..from + 6],
        [
            "WebFetch",
            "Edit(//work/.orch/runs.db*)",
            "Edit(//work/.orch/runs.db*/**)",
            "Edit(//work/.orch/workflows)",
            "Edit(//work/.orch/workflows/**)",
        ]
    );
    assert!(arguments.get(from + 6).is_none_or(|next| next.starts_with('-')), "{arguments:?}");
}
