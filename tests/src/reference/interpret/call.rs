//! Calls: the prompts of a provider, and how often it is called.

use std::rc::Rc;

use serde_json::{Value, json};
use workflow_core::definition::{Budget, OnFailure, OutputFormat, PromptTemplate, RunNode, Stage};
use workflow_core::failure::FailureClass;
use workflow_core::ids::NodePath;
use workflow_core::output_schema::OutputSchema;
use workflow_core::provider::Reply;

use super::spending::Used;
use super::values::as_text;
use super::{Called, Ended, How, Run, render};
use crate::reference::answers::{Answer, answer};

/// The properties that all attempts of a call share.
pub(super) struct Call {
    pub is_json: bool,
    pub schema: Option<Rc<OutputSchema>>,
    pub repairs: u32,
    /// How many more attempts there are after failures.
    retries: u32,
    /// The node's own budget.
    pub budget: Option<Budget>,
}

/// The default number of repairs of a wrong output.
pub(super) const REPAIRS: u32 = 2;

impl Call {
    pub(super) fn of_stage(run: &Run<'_>, stage: &Stage) -> Self {
        Self {
            is_json: stage.output == Some(OutputFormat::Json),
            schema: stage.output_schema.as_ref().map(|name| run.schema(name)),
            repairs: stage.repairs.unwrap_or(REPAIRS),
            retries: retries(run.on_failure(stage), stage.retries),
            budget: None,
        }
    }

    pub(super) fn of_node(
        run: &Run<'_>,
        node: &RunNode,
        on_failure: Option<OnFailure>,
        own: Option<u32>,
        stage: &Stage,
    ) -> Self {
        Self {
            is_json: node.output == Some(OutputFormat::Json),
            schema: node.output_schema.as_ref().map(|name| run.schema(name)),
            repairs: node.repairs.unwrap_or(REPAIRS),
            retries: retries(on_failure.unwrap_or_else(|| run.on_failure(stage)), own.or(stage.retries)),
            budget: node.budget,
        }
    }

    /// The reply's output in the requested format.
    fn accept(&self, reply: Value) -> Option<Value> {
        let follows =
            |value: &Value| self.schema.as_ref().is_none_or(|schema| schema.check(value).is_empty());
        if !self.is_json && self.schema.is_none() {
            return Some(reply);
        }
        match &reply {
            Value::String(text) => match Reply::parse_json(text) {
                Ok(parsed) => Some(parsed.output.value()).filter(follows),
                // A schema can also require a text.
                Err(_) => Some(reply).filter(|reply| self.schema.is_some() && follows(reply)),
            },
            _ => Some(reply).filter(follows),
        }
    }

    /// The partial output of a failed attempt, in the requested format if it has it.
    fn partial(&self, given: Value) -> Value {
        match &given {
            Value::String(text) if self.is_json || self.schema.is_some() => {
                Reply::parse_json(text).map_or(given, |reply| reply.output.value())
            }
            _ => given,
        }
    }

    /// Attempts until one succeeds or none is left.
    pub(super) fn attempt(&self, run: &Run<'_>, path: &NodePath, prompt: &str) -> Ended {
        let (mut failures, mut repairs) = (0, 0);
        let mut prompts = vec![json!(prompt)];
        let mut used = Used::default();
        let mut left = Value::Null;
        let mut at_limit;
        let (how, attempts) = loop {
            let made = u32::try_from(prompts.len()).unwrap();
            let is_used_up = self.budget.is_some_and(|budget| used.uses_up(budget));
            at_limit = !run.may_call(path);
            if is_used_up || at_limit {
                // It is not an attempt: no provider is called.
                prompts.pop();
                break (How::Failed(Some(FailureClass::Budget)), made - 1);
            }
            let (uses, is_late) = run.call(path, self.budget, used, made - 1);
            used.add(uses);
            left = Value::Null;
            let class = match answer(run.case, path, made - 1) {
                _ if is_late => FailureClass::Budget,
                Answer::Reply(reply) => {
                    if let Some(output) = self.accept(reply.clone()) {
                        break (How::Completed(output), made);
                    }
                    left = self.partial(reply);
                    FailureClass::InvalidOutput
                }
                Answer::Failure(class, given) => {
                    left = self.partial(given.unwrap_or_default());
                    class
                }
                Answer::Quota(_) => {
                    prompts.push(prompts[0].clone());
                    continue;
                }
            };
            let is_wrong = class == FailureClass::InvalidOutput && (self.is_json || self.schema.is_some());
            if is_wrong && repairs < self.repairs {
                repairs += 1;
                prompts.push(json!({ "longer than": prompt }));
                continue;
            }
            failures += 1;
            if !class.is_retryable() || failures > self.retries {
                break (How::Failed(Some(class)), made);
            }
            // Whether an attempt after a failed repair contains the repair prompt again is not defined.
            let again = if repairs > 0 { json!({ "begins with": prompt }) } else { json!(prompt) };
            prompts.push(again);
        };
        let rough = attempts > 1 || matches!(how, How::Failed(_));
        let started = u32::try_from(prompts.len()).unwrap();
        let called = Called { path: path.clone(), prompts, used, certain: true };
        let calls = Some(called).filter(|_| started > 0).into_iter().collect();
        Ended { attempts, started, rough, calls, left, at_limit, ..Ended::alone(how) }
    }
}

pub(super) fn retries(on_failure: OnFailure, retries: Option<u32>) -> u32 {
    match on_failure {
        OnFailure::Retry => retries.unwrap_or(3),
        OnFailure::Stop | OnFailure::Continue => 0,
    }
}

/// A text that follows the prompt.
pub(super) enum Input<'a> {
    Given(Value),
    ToResolve(&'a Value),
}

/// The prompt with its inputs, and the output of the lane before; `None` if an expression cannot be resolved.
pub(super) fn prompt(
    prompt: Option<(&str, Option<PromptTemplate>)>,
    inputs: Vec<Input<'_>>,
    before: Option<Value>,
    names: &Value,
) -> Option<String> {
    let inputs = inputs.into_iter().map(|input| match input {
        Input::Given(value) => Some(value),
        Input::ToResolve(value) => render(value, names),
    });
    let mut inputs: Vec<Value> = inputs.collect::<Option<_>>()?;
    let mut text = match prompt {
        Some((prompt, Some(PromptTemplate::Handlebars))) => {
            let mut names = names.clone();
            names["inputs"] = inputs.clone().into();
            // A template that has the inputs at another place.
            if prompt.contains("inputs") {
                inputs.clear();
            }
            handlebars(prompt, &names)?.trim().to_owned()
        }
        Some((prompt, None)) => as_text(&render(&prompt.into(), names)?),
        None => String::new(),
    };
    for value in inputs.into_iter().chain(before) {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str(&as_text(&value));
    }
    Some(text)
}

/// The part of the grammar of roles that random prompts have: names, `json`, `if` with `else`, and `each`.
fn handlebars(template: &str, names: &Value) -> Option<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        let (tag, after) = after.split_once("}}").unwrap();
        rest = after;
        let look_up = |name: &str| {
            let pointer = if name == "this" { String::new() } else { format!("/{}", name.replace('.', "/")) };
            let of = if name == "this" { &names["this"] } else { names };
            of.pointer(&pointer)
        };
        match tag.split_once(' ') {
            None => text.push_str(&as_text(look_up(tag)?)),
            Some(("json", name)) => text.push_str(&serde_json::to_string_pretty(look_up(name)?).unwrap()),
            Some(("#if", name)) => {
                let (block, after) = rest.split_once("{{/if}}").unwrap();
                let (then, otherwise) = block.split_once("{{else}}").unwrap();
                let is_true = look_up(name).is_some_and(|value| *value == Value::Bool(true));
                text.push_str(&handlebars(if is_true { then } else { otherwise }, names)?);
                rest = after;
            }
            Some(("#each", name)) => {
                let (block, after) = rest.split_once("{{/each}}").unwrap();
                for item in look_up(name)?.as_array().unwrap() {
                    let mut names = names.clone();
                    names["this"] = item.clone();
                    text.push_str(&handlebars(block, &names)?);
                }
                rest = after;
            }
            Some(_) => unreachable!("{tag} is in no random prompt"),
        }
    }
    text.push_str(rest);
    Some(text)
}

/// A call whose prompt cannot be rendered, unless a budget prevents the call.
pub(super) fn without_prompt(run: &Run<'_>, path: &NodePath) -> Ended {
    if run.may_call(path) {
        return unresolved(true);
    }
    Ended { how: How::Failed(Some(FailureClass::Budget)), at_limit: true, ..unresolved(false) }
}

/// A call whose expressions cannot be resolved; there is no attempt if even its provider is unknown.
pub(super) fn unresolved(is_made: bool) -> Ended {
    let how = How::Failed(Some(FailureClass::Expression));
    let made = u32::from(is_made);
    Ended { attempts: made, started: made, ..Ended::alone(how) }
}
