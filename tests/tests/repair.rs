//! A wrong reply is sent back to its provider with its errors, as often as `repairs` allows; a recorded reply
//! is never requested again, whenever the host dies.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::{Either, select};
use serde_json::{Value, json};
use workflow_core::bundle::Bundle;
use workflow_core::data::Data;
use workflow_core::definition::{self, Defaults, Profile, Stage, Workflow};
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::{NodePath, RunId, StageId};
use workflow_core::plan::Plan;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply};
use workflow_core::status::RunStatus;
use workflow_core::store::MemoryStore;
use workflow_core::view::RunView;
use workflow_exec::{Engine, StartRun};
use workflow_tests::faulty::{Fault, Faulty};
use workflow_tests::scenario;
use workflow_tests::sim::Sim;

/// A graph whose calls must match a schema, and a provider with wrong answers.
struct Case {
    name: &'static str,
    /// Where `repairs` and `output_schema` are.
    graph: Value,
    /// The provider's answers to a question, and then to each repair.
    answers: Vec<Value>,
    /// The stage's output, or `None` if the run fails.
    output: Option<Value>,
    /// The total number of calls.
    calls: usize,
    /// The paths of the errors in the last wrong answer.
    wrong: &'static [&'static str],
}

/// Wrong in both members, in one of them, and right.
fn answers() -> Vec<Value> {
    vec![json!({ "title": 1 }), json!({ "title": "T", "score": "high" }), json!({ "title": "T", "score": 8 })]
}

fn cases() -> Vec<Case> {
    let run = |more: Value| {
        let mut node = json!({ "id": "ask", "type": "run", "prompt": "Rate it." });
        node.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        node
    };
    let schema = |repairs: u32| json!({ "output_schema": "review.json", "repairs": repairs });
    let export = |repairs: u32| json!([run(json!({})), { "id": "out", "type": "export", "from": "ask", "output_schema": "review.json", "repairs": repairs }]);
    let each = |repairs: u32| {
        let mut body = run(json!({ "prompt": "Rate ${item}." }));
        body.as_object_mut().unwrap().shift_remove("id");
        body.as_object_mut().unwrap().extend(schema(repairs).as_object().unwrap().clone());
        json!([{ "id": "each", "type": "foreach", "items": ["a", "b", "c"], "mode": "parallel", "run": body }])
    };
    let right = json!({ "title": "T", "score": 8 });
    let text = |text: &str| Value::from(text);
    vec![
        Case {
            name: "repaired",
            graph: json!([run(schema(2))]),
            answers: answers(),
            output: Some(right.clone()),
            calls: 3,
            wrong: &["/score"],
        },
        Case {
            name: "repaired-by-default",
            graph: json!([run(json!({ "output_schema": "review.json" }))]),
            answers: answers(),
            output: Some(right.clone()),
            calls: 3,
            wrong: &["/score"],
        },
        Case {
            name: "bound-reached",
            graph: json!([run(schema(1))]),
            answers: answers(),
            output: None,
            calls: 2,
            wrong: &["/score"],
        },
        Case {
            name: "never-repaired",
            graph: json!([run(schema(0))]),
            answers: answers(),
            output: None,
            calls: 1,
            wrong: &["", "/title"],
        },
        Case {
            name: "exported",
            graph: export(2),
            answers: answers(),
            output: Some(right.clone()),
            calls: 3,
            wrong: &["/score"],
        },
        Case {
            name: "export-bound",
            graph: export(1),
            answers: vec![json!({ "title": 1 })],
            output: None,
            calls: 2,
            wrong: &["", "/title"],
        },
        Case {
            name: "no-json",
            graph: json!([run(schema(1))]),
            answers: vec![text("It is good."), text("```json\n{\"title\":\"T\",\"score\":8}\n```")],
            output: Some(right.clone()),
            calls: 2,
            wrong: &[],
        },
        Case {
            name: "items",
            graph: each(2),
            answers: answers(),
            output: Some(json!([right, right, right])),
            calls: 9,
            wrong: &["/score"],
        },
    ]
}

/// A call that was made, and the answer.
#[derive(Clone)]
struct Asked {
    path: NodePath,
    attempt: u32,
    prompt: String,
}

/// Answers according to its prompt alone: a question gets its first answer, and a prompt that contains a
/// wrong answer gets the next one. So a repeated question gets the same answer.
#[derive(Clone)]
struct Erring {
    sim: Sim,
    answers: Arc<[Value]>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Erring {
    fn calls(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn answer(&self, prompt: &str) -> &Value {
        let told = self.answers.iter().rposition(|answer| prompt.contains(&text(answer)));
        let next = told.map_or(0, |place| place + 1);
        self.answers.get(next).or(self.answers.last()).unwrap()
    }
}

#[async_trait]
impl Provider for Erring {
    async fn call(&self, request: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
        let CallRequest { id, prompt, .. } = request;
        let reply = Reply::json(self.answer(&prompt));
        self.asked.lock().unwrap().push(Asked { path: id.path, attempt: id.attempt, prompt });
        self.sim.sleep_ms(10).await;
        Ok(reply)
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The result of a run.
struct Played {
    view: RunView,
    events: Vec<Event>,
    asked: Vec<Asked>,
    appends: u64,
}

impl Case {
    fn plan(&self) -> Arc<Plan> {
        let stage = Stage { profile: Some("graph".to_owned()), ..Stage::new("erring") };
        let id = StageId::new("stage").unwrap();
        let workflow = Workflow::new("repair".parse().unwrap(), "Repair").stage(id.clone(), stage);
        let mut bundle = Bundle::new(definition::resolve(&workflow, &Defaults::default()).unwrap());
        let profile: Profile = serde_json::from_value(json!({ "graph": self.graph })).unwrap();
        bundle.profiles.insert(id, profile);
        let schema = json!({
            "type": "object",
            "required": ["title", "score"],
            "properties": { "title": { "type": "string" }, "score": { "type": "integer" } },
        });
        bundle.schemas.insert("review.json".to_owned(), schema);
        Arc::new(Plan::load(bundle).unwrap())
    }

    /// Runs it on a store that returns the fault `script(h, n)` for append number `n` of host number `h`.
    /// When a host dies, the next one continues.
    fn play(&self, script: impl Fn(u64, u64) -> Fault + Clone + Send + Sync + 'static) -> Played {
        let (sim, memory) = (Sim::seeded(7), MemoryStore::new());
        let erring =
            Erring { sim: sim.clone(), answers: self.answers.as_slice().into(), asked: Arc::default() };
        let engine = |store: Faulty| {
            let builder = Engine::builder().store(store).clock(sim.clone()).timer(sim.clone());
            builder.provider("erring", erring.clone()).build().unwrap()
        };
        let run = RunId::new(self.name).unwrap();
        let creator = engine(Faulty::new(&memory, |_| Fault::None));
        sim.block_on(creator.create(StartRun::plan(&self.plan()).run_id(run.clone()))).unwrap();
        for host in 1..100 {
            let script = script.clone();
            let store = Faulty::new(&memory.reopen(), move |append| script(host, append));
            let engine = engine(store.clone());
            let ended = sim.block_on(async {
                match select(Box::pin(engine.drive(&run)), Box::pin(store.death())).await {
                    Either::Left((view, _)) => Some(view.unwrap()),
                    Either::Right(_) => None,
                }
            });
            if let Some(view) = ended {
                let events = sim.block_on(scenario::events(&memory, &run));
                return Played { view, events, asked: erring.calls(), appends: store.appends() };
            }
        }
        panic!("{}: the run does not get on", self.name);
    }

    /// Checks the properties of a run of the case, whatever happened on the way.
    fn check(&self, played: &Played, what: &str) {
        let what = format!("{}, {what}", self.name);
        let status = if self.output.is_some() { RunStatus::Completed } else { RunStatus::Failed };
        assert_eq!(played.view.status, status, "{what}");
        // A wrong reply is not a result.
        let stage = &played.view.context.stages["stage"];
        let output = stage.output.as_ref().filter(|_| self.output.is_some()).map(Data::value);
        assert_eq!(output, self.output, "{what}");
        if self.output.is_none() {
            let details = played.view.error.as_ref().unwrap().details.as_ref().unwrap();
            assert_eq!(paths(details), self.wrong, "{what}: the run's error names all");
        }
        let interrupted = played.check_log(&what);
        assert_eq!(played.asked.len(), self.calls + interrupted, "{what}: calls");
    }
}

/// The places of the errors in an answer.
fn paths(details: &Value) -> Vec<&str> {
    let errors = details["errors"].as_array().into_iter().flatten();
    errors.map(|error| error["path"].as_str().unwrap()).collect()
}

impl Played {
    /// Each recorded reply was requested once, and each call's prompt contained the errors of the reply
    /// recorded before it. Returns how many calls were wasted, because the host died during them.
    fn check_log(&self, what: &str) -> usize {
        // The recorded result of each attempt, if there is one.
        let mut recorded: HashMap<(&NodePath, u32), Option<&Value>> = HashMap::new();
        let mut repairs: BTreeMap<&NodePath, Vec<(u32, &Value)>> = BTreeMap::new();
        let mut interrupted = 0;
        for event in &self.events {
            match &event.body {
                EventBody::AttemptSucceeded { path, attempt, .. } => {
                    assert_eq!(recorded.insert((path, *attempt), None), None, "{what}");
                }
                EventBody::AttemptFailed { path, attempt, error, repair, .. } => {
                    let details = error.details.as_ref().unwrap();
                    assert_eq!(recorded.insert((path, *attempt), Some(details)), None, "{what}");
                    if *repair {
                        repairs.entry(path).or_default().push((*attempt, details));
                    }
                }
                EventBody::AttemptInterrupted { path, attempt, .. } => {
                    interrupted += usize::from(
                        self.asked.iter().any(|call| call.path == *path && call.attempt == *attempt),
                    );
                }
                _ => {}
            }
        }
        for (number, call) in self.asked.iter().enumerate() {
            let again = self.asked[number + 1..].iter().find(|other| {
                other.path == call.path && (other.attempt == call.attempt || other.prompt == call.prompt)
            });
            if recorded.contains_key(&(&call.path, call.attempt)) {
                let again = again.map(|again| again.attempt);
                assert_eq!(again, None, "{what}: {} was asked again what was recorded", call.path);
            }
            let mut before = repairs.get(&call.path).into_iter().flatten();
            match before.rfind(|(attempt, _)| *attempt < call.attempt) {
                Some((_, details)) => {
                    assert!(call.prompt.contains("was not accepted"), "{what}: {}", call.prompt);
                    assert!(
                        call.prompt.contains(details["output"].as_str().unwrap()),
                        "{what}: {}",
                        call.prompt
                    );
                    for path in paths(details).into_iter().filter(|path| !path.is_empty()) {
                        assert!(call.prompt.contains(&format!("- {path}: ")), "{what}: {}", call.prompt);
                    }
                }
                None => assert!(!call.prompt.contains("was not accepted"), "{what}: {}", call.prompt),
            }
        }
        interrupted
    }
}

#[test]
fn a_wrong_reply_is_repaired_within_the_bound_or_fails_with_all_that_is_wrong() {
    for case in cases() {
        let played = case.play(|_, _| Fault::None);
        case.check(&played, "undisturbed");
        let wrong = played.events.iter().rev().find_map(|event| match &event.body {
            EventBody::AttemptFailed { error, .. } => error.details.as_ref(),
            _ => None,
        });
        assert_eq!(paths(wrong.unwrap()), case.wrong, "{}", case.name);
    }
}

#[test]
fn a_recorded_reply_is_never_asked_for_again_when_the_host_dies_at_any_append() {
    for case in cases() {
        let whole = case.play(|_, _| Fault::None);
        assert!(whole.appends >= 2, "{}", case.name);
        for at in 1..=whole.appends {
            for fault in [Fault::DieBefore, Fault::DieAfter] {
                let dies = move |host, append| if (host, append) == (1, at) { fault } else { Fault::None };
                case.check(&case.play(dies), &format!("append {at}, {fault:?}"));
            }
        }
    }
}

#[test]
fn the_count_of_repairs_survives_a_host_that_dies_after_each() {
    for case in cases() {
        // The first append of a host acquires the run, and the second has the reply.
        let played = case.play(|_, append| if append == 2 { Fault::DieAfter } else { Fault::None });
        case.check(&played, "each host dies");
    }
}
