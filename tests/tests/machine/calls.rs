//! A call that is handed over without its secrets is, with them, the call that a driver makes.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;
use workflow_core::data::Data;
use workflow_core::definition::{self, Defaults};
use workflow_core::event::{Event, EventBody, RunCreated};
use workflow_core::failure::Failure;
use workflow_core::ids::NodePath;
use workflow_core::machine::{self, Call, Decision, Input, Secrets, State, UnresolvedCall};
use workflow_core::plan::Plan;
use workflow_core::priority::Priority;

use crate::config;

/// All that a call has, to be compared.
fn shown(call: &Result<Call, Failure>) -> String {
    let call = match call {
        Ok(call) => call,
        Err(failure) => return format!("{failure:?}"),
    };
    let Call { request, timeout, over_budget, idle_timeout, answers } = call;
    let options = Data::new(&request.options);
    let given = (&request.id, &request.prompt, options.json(), &request.env, &request.cwd, &request.session);
    let also = (&request.session_usage, &request.output_schema, &request.skills, &request.workspace);
    format!("{given:?} {also:?} {timeout:?} {over_budget:?} {idle_timeout:?} {answers:?}")
}

/// The call as a worker makes it that received its text.
fn handed_over(
    plan: &Plan,
    state: &State,
    path: &NodePath,
    attempt: u32,
    provider: &str,
    secrets: &dyn Secrets,
) -> (String, Result<Call, Failure>) {
    let call = match machine::unresolved(plan, state, path, attempt, provider) {
        Ok(call) => call,
        Err(failure) => return (String::new(), Err(failure)),
    };
    let text = serde_json::to_string(&call).unwrap();
    let read: UnresolvedCall = serde_json::from_str(&text).unwrap();
    assert_eq!(read, call, "{text}");
    (text, read.resolve(secrets))
}

/// A call of any run, which has no secrets, is the same when it is handed over.
pub(crate) fn check(plan: &Plan, state: &State, path: &NodePath, attempt: u32, provider: &str) {
    let none = Known(BTreeMap::new());
    let driven = machine::request(plan, state, path, attempt, provider, &none);
    let (_, made) = handed_over(plan, state, path, attempt, provider, &none);
    assert_eq!(shown(&made), shown(&driven));
}

struct Known(BTreeMap<&'static str, String>);

impl Secrets for Known {
    fn secret(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// Parts of texts: what looks like a mark, and what is one.
fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("${secrets.a}".to_owned()),
        2 => Just("${secrets.b}".to_owned()),
        2 => Just("${secrets.absent:-\u{27e6}\":0\u{27e7}}".to_owned()),
        2 => Just("${vars.v}".to_owned()),
        1 => Just("\u{27e6}\":0\u{27e7}".to_owned()),
        1 => Just("\u{27e6}\u{27e6}\"".to_owned()),
        1 => Just("\\\"\\".to_owned()),
        1 => "[a-z :]{0,5}",
    ]
}

fn template() -> impl Strategy<Value = String> {
    prop::collection::vec(part(), 0..5).prop_map(|parts| parts.concat())
}

/// A call of these texts that has begun.
fn begun(texts: &[String; 5], variable: &str) -> (Plan, State) {
    let [prompt, input, option, env, cwd] = texts;
    let yaml = json!({
        "workflow": { "id": "one", "name": "One", "stages": ["work"] },
        "work": {
            "provider": "p",
            "prompt": prompt,
            "inputs": [input, { "deep": [{ "text": input }] }],
            "with": { "option": [option, 1], "other": { "text": option } },
            "env": { "TEXT": env },
            "cwd": cwd,
        },
    });
    let (plan, first) = created(&yaml.to_string(), [("v".to_owned(), Data::new(&json!(variable)))]);
    let mut state = State::fold(std::slice::from_ref(&first)).unwrap();
    let mut decision = Decision::new();
    let mut decide = |input| machine::decide(&plan, &mut state, input, first.at, &mut decision).unwrap();
    decide(Input::TakenUp { controls: Vec::new(), heard: None });
    decide(Input::Granted { path: path(), provider: "p".into() });
    (plan, state)
}

/// The plan of a definition, and the first event of a run of it.
pub(crate) fn created(yaml: &str, vars: impl IntoIterator<Item = (String, Data)>) -> (Plan, Event) {
    let mut draft = definition::read(yaml.as_bytes(), None);
    let bundle = draft.resolve(&Defaults::default()).unwrap_or_else(|| panic!("{:?}", draft.finish()));
    let plan = Plan::compile(bundle).unwrap();
    let created = RunCreated {
        run: "r".parse().unwrap(),
        workflow: plan.workflow().id.clone(),
        bundle: plan.hash().clone(),
        vars: vars.into_iter().collect(),
        labels: BTreeMap::new(),
        on_failure: None,
        interactive: false,
        max_iters: None,
        isolated: false,
        slot: None,
        priority: Priority::NORMAL,
        parent: None,
        budget: None,
        seed: 7,
        by: None,
        signature: None,
    };
    let at = "2026-01-02T03:04:05Z".parse().unwrap();
    (plan, Event { seq: 1, at, body: EventBody::RunCreated(Arc::new(created)) })
}

fn path() -> NodePath {
    "1/work[0]/run".parse().unwrap()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_call_that_is_handed_over_is_the_one_that_a_driver_makes(
        texts in [template(), template(), template(), template(), template()],
        variable in template(),
        secrets in ("[ -~]{0,8}", template()).prop_map(<[String; 2]>::from),
    ) {
        // Neither secret is a part of what the definition says.
        let [a, b] = secrets.map(|secret| format!("Zq\u{7}{secret}\u{27e7}\"\\Qz"));
        let known = Known([("a", a), ("b", b)].into());
        let (plan, state) = begun(&texts, &variable);
        let driven = machine::request(&plan, &state, &path(), 1, "p", &known);
        let (text, made) = handed_over(&plan, &state, &path(), 1, "p", &known);
        prop_assert_eq!(shown(&made), shown(&driven));
        prop_assert!(!text.contains("Zq"), "{}", text);
        let is_named = texts.iter().any(|text| text.contains("${secrets."));
        prop_assert_eq!(text.contains(r#""marks""#), is_named);
        if is_named {
            // Whoever knows the whole call can write no text that stands for a secret in it.
            let nonce = text.split_once(r#""nonce":""#).unwrap().1.split_once('"').unwrap().0.to_owned();
            let forged = format!("\u{27e6}\"{nonce}:0\u{27e7}");
            let (plan, state) = begun(&texts, &forged);
            let driven = machine::request(&plan, &state, &path(), 1, "p", &known);
            let (_, made) = handed_over(&plan, &state, &path(), 1, "p", &known);
            prop_assert_eq!(shown(&made), shown(&driven));
        }
    }
}
