//! Properties of every definition: it round-trips, and no text similar to one makes the reader panic.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use std::collections::BTreeMap;

use indexmap::IndexMap;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use serde_json::{Map, Number, Value, json};
use workflow_core::definition::edit;
use workflow_core::definition::{
    self, Budget, Concurrency, Diagnostic, Exhausted, Lane, LoopSpec, Mode, OnFailure, OnInterrupt,
    OutputFormat, ParallelStrategy, Period, SchemaSource, SessionMode, Stage, VariableType, Workflow,
    WorkflowInput, WorktreeSpec,
};
use workflow_core::ids::StageId;
use workflow_core::priority::Priority;
use workflow_core::store::SlotMode;

/// Texts with a special meaning in YAML unless they are quoted.
const TRICKY: &[&str] = &[
    "",
    "~",
    "null",
    "yes",
    "true",
    "1.10",
    "0o17",
    "0x1F",
    "1e3",
    ".5",
    ".inf",
    "-",
    "- a",
    "a: b",
    "a #b",
    "#a",
    " a ",
    "<<",
    "=",
    "!a",
    "&a",
    "*a",
    "%a",
    "@a",
    "`a`",
    "'",
    "\"",
    "\\",
    "---",
    "...",
    "a\n---\nb",
    "\t",
    "a\n",
    "\na",
    "a\n\n",
    "  a\nb",
    "a\r\nb",
    "\r",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{7f}",
    "\0",
    "\u{1b}[0m",
    "{a: b}",
    "[a]",
    "2024-01-01",
    "$",
    "$5 & ${x",
    "é\u{10ffff}",
];

fn text() -> impl Strategy<Value = String> {
    let any =
        prop_oneof![3 => select(TRICKY).prop_map(str::to_owned), 5 => "(?s).{0,20}", 2 => "[ -~\n]{0,200}"];
    // Not a template, so that every text is valid.
    any.prop_map(|text| text.replace("${", "$$ {"))
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof![5 => "[A-Za-z0-9_-]{1,64}", 1 => select(&["null", "1", "true", "-", "0o1", "1e5"][..]).prop_map(str::to_owned)]
        .prop_filter("reserved", |id| id != "workflow")
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("finite", Number::from_f64),
        (-1000i32..1000).prop_map(|n| Number::from_f64(f64::from(n) / 8.0).unwrap()),
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::String),
        number().prop_map(Value::Number),
        any::<bool>().prop_map(Value::Bool)
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![4 => scalar(), 1 => Just(Value::Null)];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec((text(), inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn period() -> impl Strategy<Value = Period> {
    (1u64..10_000_000_000).prop_map(|micros| Period(std::time::Duration::from_micros(micros)))
}

fn budget() -> impl Strategy<Value = Budget> {
    (option::of(0.01f64..1000.0), option::of(1..u64::MAX), option::of(period()))
        .prop_map(|(cost_usd, tokens, time)| Budget { cost_usd, tokens, time })
}

fn provider() -> impl Strategy<Value = String> {
    text().prop_filter("empty", |text| !text.trim().is_empty())
}

fn lane() -> impl Strategy<Value = Lane> {
    let own = (
        option::of(text()),
        option::of(vec((text(), value()), 0..3)),
        option::of(select(&[OutputFormat::Text, OutputFormat::Json][..])),
        option::of(period()),
        option::of(period()),
        env(),
        option::of(text()),
    );
    (provider(), option::of(id()), option::of(0u32..=1000), own).prop_map(|(provider, role, weight, own)| {
        let (prompt, with, output, timeout, idle_timeout, env, cwd) = own;
        let with = with.map(Map::from_iter);
        Lane { provider, role, weight, prompt, with, output, timeout, idle_timeout, env, cwd }
    })
}

fn env() -> impl Strategy<Value = IndexMap<String, Value>> {
    let name = text().prop_filter("no name", |name| !name.is_empty() && !name.contains(['=', '\0']));
    btree_map(name, scalar(), 0..3).prop_map(IndexMap::from_iter)
}

fn stage() -> BoxedStrategy<Stage> {
    let who =
        (option::of(provider()), vec(lane(), 0..3), option::of(id()), option::of(id()), vec(id(), 0..3));
    let how = (
        option::of(select(&[Mode::Sequential, Mode::Parallel][..])),
        option::of(select(&[ParallelStrategy::All, ParallelStrategy::Race, ParallelStrategy::Majority][..])),
        option::of(select(&[OnFailure::Stop, OnFailure::Continue, OnFailure::Retry][..])),
        option::of(0u32..=10),
        option::of(period()),
        option::of(0u32..=1),
        option::of(select(&["true", "$.a == 'x' || !$.b", "$['a b'] > 1.5"][..])),
    );
    let what = (
        option::of(text()),
        option::of(vec((text(), value()), 0..3)),
        vec(value(), 0..3),
        btree_map(id(), value(), 0..3),
        env(),
        option::of(text()),
    );
    let limits = (
        option::of(period()),
        option::of(period()),
        option::of(budget()),
        option::of(select(&[SessionMode::New, SessionMode::Continue][..])),
        option::of(select(&[OnInterrupt::Rerun, OnInterrupt::Ask][..])),
        option::of(text()),
        option::of(schema()),
        option::of(select(&[OutputFormat::Text, OutputFormat::Json][..])),
        option::of(0u32..=10),
    );
    (who, how, what, limits)
        .prop_map(|(who, how, what, limits)| {
            let (provider, providers, role, profile, skills) = who;
            let (mode, parallel_strategy, on_failure, retries, retry_backoff, min_iterations, when) = how;
            let (prompt, with, inputs, set, env, cwd) = what;
            let (
                timeout,
                idle_timeout,
                budget,
                session,
                on_interrupt,
                approval,
                output_schema,
                output,
                repairs,
            ) = limits;
            Stage {
                provider: provider.filter(|_| providers.is_empty()),
                role,
                profile,
                mode,
                providers,
                parallel_strategy,
                on_failure,
                retries,
                retry_backoff,
                min_iterations,
                skills,
                prompt,
                template: None,
                with: with.map(Map::from_iter),
                end_when: when.map(str::to_owned),
                when: when.map(str::to_owned),
                inputs,
                set: set.into_iter().collect(),
                output,
                output_schema,
                repairs,
                timeout,
                idle_timeout,
                env,
                cwd,
                session,
                on_interrupt,
                approval,
                budget,
            }
        })
        .boxed()
}

/// A schema file, or a schema.
fn schema() -> impl Strategy<Value = SchemaSource> {
    let inline = btree_map(text(), value(), 0..3).prop_map(|members| {
        SchemaSource::Inline(members.into_iter().map(|(name, value)| (name, plain(value))).collect())
    });
    prop_oneof!["[a-z ]{1,10}(/[a-z]{1,10}){0,2}".prop_map(SchemaSource::File), inline]
}

/// A value without numbers: what reads schemas keeps only those of 64 bits.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(_) => Value::Null,
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, plain(value))).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}

/// An input, with a default of its type or none.
fn input() -> impl Strategy<Value = WorkflowInput> {
    let kinds = [
        (VariableType::String, json!("a")),
        (VariableType::Number, json!(1.5)),
        (VariableType::Integer, json!(2)),
        (VariableType::Boolean, json!(true)),
        (VariableType::Array, json!([1, "b"])),
        (VariableType::Object, json!({ "a": [null] })),
    ];
    let kind = select(kinds.to_vec());
    (kind, any::<bool>(), any::<bool>(), option::of(text())).prop_map(
        |((kind, value), has_default, is_choice, description)| WorkflowInput {
            choices: if is_choice { vec![value.clone()] } else { Vec::new() },
            required: (!has_default && is_choice).then_some(false),
            default: has_default.then_some(value),
            description,
            ..WorkflowInput::new(kind)
        },
    )
}

fn workflow() -> impl Strategy<Value = Workflow> {
    let name = "(?s).{2,100}".prop_map(|name| name.replace("${", "--"));
    let stages = btree_map(id().prop_map(|id| StageId::new(id).unwrap()), stage(), 1..4);
    let repeat = option::of((1u32..=20, any::<bool>(), any::<bool>()));
    let inputs = option::of(btree_map(id(), input(), 0..4));
    let name_of_branch = || option::of("[a-z0-9_]{1,9}(/[a-z0-9_][a-z0-9_-]{0,8}){0,2}");
    let worktree = (name_of_branch(), name_of_branch())
        .prop_map(|(base, branch_prefix)| Box::new(WorktreeSpec { base, branch_prefix }));
    let worktree = option::of(worktree);
    let mode = prop_oneof![Just(SlotMode::Queue), Just(SlotMode::Cancel), Just(SlotMode::Reject)];
    let concurrency = ("[a-z/${}]{0,3}[a-z]{1,9}", mode)
        .prop_map(|(key, mode)| Box::new(Concurrency { key: key.replace("${", "--"), mode }));
    let priority = (-9..=9i64).prop_map(|number| Priority::new(number).unwrap());
    let concurrency = (option::of(concurrency), option::of(priority));
    // Null means that there is no output.
    let output = option::of(value()).prop_map(|output| output.filter(|output| !output.is_null()));
    let head = (option::of(text()), inputs, option::of(stage()), output, worktree, concurrency);
    (id(), name, head, option::of(budget()), stages, repeat).prop_map(
        |(
            id,
            name,
            (description, inputs, defaults, output, worktree, (concurrency, priority)),
            budget,
            stages,
            repeat,
        ): (_, _, (_, Option<BTreeMap<_, _>>, Option<Stage>, _, _, _), _, BTreeMap<_, _>, _)| {
            let inputs = inputs.map(|inputs| inputs.into_iter().collect());
            let stages: IndexMap<StageId, Stage> = stages.into_iter().collect();
            let repeat = repeat.map(|(max_iters, falls_back, completes)| LoopSpec {
                fallback_next_stage: stages.keys().last().filter(|_| falls_back).cloned(),
                on_exhausted: if completes { Exhausted::Complete } else { Exhausted::Fail },
                ..LoopSpec::new(max_iters, "$.done == true")
            });
            let defaults = defaults.map(Box::new);
            let id = id.parse().unwrap();
            let may_be_last = |stage: &Stage| {
                stage.approval.is_none()
                    && stage.on_interrupt.is_none()
                    && stage.end_when.is_none()
                    && stage.min_iterations.is_none()
            };
            let last =
                stages.last().filter(|(_, stage)| repeat.is_none() && stages.len() > 1 && may_be_last(stage));
            let finally: Vec<_> = last.into_iter().map(|(id, _)| id.clone()).collect();
            let finally_timeout = (!finally.is_empty()).then(|| Period::from_secs(60));
            Workflow {
                id,
                name,
                description,
                inputs,
                defaults,
                repeat,
                budget,
                output,
                worktree,
                concurrency,
                priority,
                stages,
                finally,
                finally_timeout,
            }
        },
    )
}

/// A text similar to a workflow file: parts of it are deleted, doubled, or replaced.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    const FILES: &[&str] = &[
        include_str!("definitions/good/every-field.workflow.yml"),
        include_str!("definitions/good/feature-development.workflow.yml"),
        include_str!("definitions/bad/ten-mistakes.yml"),
        include_str!("definitions/bad/template-dangling-stages.yml"),
        include_str!("definitions/bad/shell-interpolation.yml"),
    ];
    const PIECES: &[&str] = &[
        ":",
        ": ",
        "- ",
        "? ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "&a ",
        "*a",
        "!a ",
        "!!str ",
        "|\n",
        ">-\n",
        "'",
        "\"",
        "#",
        "\t",
        "\n",
        "\r",
        "  ",
        "---\n",
        "...\n",
        "%TAG ! x\n",
        "${",
        "}",
        "$",
        "~",
        "<<: ",
        "\0",
        "\u{feff}",
        "é",
        "1e999",
    ];
    let change = (any::<prop::sample::Index>(), 0usize..40, 0u8..3, select(PIECES));
    (select(FILES), vec(change, 1..8), option::weighted(0.1, any::<(prop::sample::Index, u8)>())).prop_map(
        |(file, changes, byte)| {
            let mut text: Vec<char> = file.chars().collect();
            for (at, length, how, piece) in changes {
                let start = at.index(text.len().max(1)).min(text.len());
                let range = start..(start + length).min(text.len());
                match how {
                    0 => drop(text.drain(range)),
                    1 => {
                        let part = text[range].to_vec();
                        text.splice(start..start, part);
                    }
                    _ => drop(text.splice(start..start, piece.chars())),
                }
            }
            let mut bytes = text.into_iter().collect::<String>().into_bytes();
            if let Some((at, byte)) = byte.filter(|_| !bytes.is_empty()) {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        },
    )
}

fn errors(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.retain(Diagnostic::is_error);
    diagnostics
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::with_cases(100)
    })]

    #[test]
    fn a_workflow_is_written_and_read_back(workflow in workflow()) {
        prop_assert_eq!(errors(definition::validate(&workflow)), []);
        let text = workflow.to_yaml().unwrap();
        let parsed = definition::parse(text.as_bytes(), Some(&workflow.id));
        prop_assert_eq!(errors(parsed.diagnostics), [], "{}", text);
        prop_assert_eq!(parsed.workflow.as_ref(), Some(&workflow), "{}", text);
    }

    #[test]
    fn one_field_is_set_and_removed_again(workflow in workflow(), text in text(), value in value(), at in 0usize..4) {
        let id = workflow.stages.keys().next().unwrap();
        let steps = [vec![], vec!["with"], vec!["with", text.as_str()], vec!["env", "a.b", text.as_str()]];
        let path = steps[at].iter().fold(id.to_string(), |path, key| format!("{path}[{}]", json!(key)));
        let before = workflow.to_yaml().unwrap();
        match edit::set_field(&before, &path, &value) {
            Ok(after) => {
                let file: Value = serde_yaml::from_str(&after).unwrap();
                let set = steps[at].iter().try_fold(&file[id.as_str()], |value, key| value.get(key));
                prop_assert_eq!(set, Some(&value), "{}", after);
                prop_assert!(edit::remove_field(&after, &path).is_ok(), "{path}\n{after}");
            }
            // A key of several lines follows a `?`; and the empty lines after a text can belong to it.
            Err(edit::EditError::NotAlone { .. }) => {
                prop_assert!(before.contains(" ? ") || before.contains("+\n"), "{before}");
            }
            Err(error) => prop_assert!(matches!(error, edit::EditError::NotFound(_)), "{error}\n{before}"),
        }
    }

    #[test]
    fn a_text_near_a_workflow_file_is_read_or_refused_at_its_place(text in mutated()) {
        let parsed = definition::parse(&text, None);
        let lines = text.split(|byte| matches!(byte, b'\n' | b'\r')).count();
        for diagnostic in &parsed.diagnostics {
            prop_assert!((1..=lines).contains(&(diagnostic.line as usize)) && diagnostic.column > 0, "{diagnostic}\n{}",
                String::from_utf8_lossy(&text));
        }
        if let Ok(text) = std::str::from_utf8(&text) {
            for path in ["plan", "plan.provider", "test.providers[0].role", "code.x", "workflow.loop", "check.env.A"] {
                // Both parse their result again; here it is enough that they return.
                let _ = edit::set_field(text, path, &json!("a: b"));
                let _ = edit::remove_field(text, path);
            }
        }
        let is_refused = parsed.diagnostics.iter().any(Diagnostic::is_error);
        prop_assert_eq!(is_refused, parsed.workflow.is_none());
        if let Some(workflow) = parsed.workflow {
            prop_assert_eq!(errors(definition::validate(&workflow)), []);
            let again = definition::parse(workflow.to_yaml().unwrap().as_bytes(), None);
            prop_assert_eq!(again.workflow, Some(workflow));
        }
    }
}
