//! When a person is asked, and what follows from the answer: approvals, questions, and the outcomes of
//! interrupted calls.

use std::sync::Arc;

use serde_json::json;

use crate::actor::Actor;
use crate::data::Data;
use crate::event::{AnswerRefusal, EventBody};
use crate::failure::Failure;
use crate::ids::NodePath;
use crate::machine::policy::step::Step;
use crate::machine::request::answer;
use crate::machine::request::scope::{RunScope, unresolved};
use crate::machine::state::question::{Ask, Response, rejected};
use crate::machine::state::{Broken, session};
use crate::plan::{AskPlan, CallPlan, NodeKind, StagePlan, Work};
use crate::provider::{Question, Reply};
use crate::status::{StageStatus, WaitReason};
use crate::store::Answer;
use crate::usage::Usage;

/// A call that may be what crashes its process is not made more often than this in a row without asking a
/// person. As many as what queues of jobs allow (3 to 6): enough for a machine that is restarted a few times
/// during a long call, and few enough when each call costs money.
pub(super) const MOST_DEATHS: u32 = 5;

/// At most this many characters of a schema are quoted in the message about a result that does not follow it.
const MOST_OF_SCHEMA: usize = 500;

impl<'a> Step<'a> {
    /// Asks a person before a stage, if the run or the stage requires it. Returns whether the stage has to
    /// wait.
    pub(super) fn ask_before(&mut self, iteration: u32, stage: &'a StagePlan) -> Result<bool, Broken> {
        let question = match &stage.approval {
            Some(question) => {
                match question.render_text(&RunScope { iteration, ..RunScope::stage(self.state, stage) }) {
                    Ok(question) => question,
                    // The question is asked even if it cannot be rendered: the person sees what is wrong.
                    Err(error) => format!("(the question cannot be shown: {error})"),
                }
            }
            None if self.state.created.interactive => format!("Start the stage `{}`?", stage.id),
            None => return Ok(false),
        };
        self.emit(EventBody::StageAsked { iteration, stage: stage.id.clone(), question: question.into() })?;
        Ok(true)
    }

    /// Asks a person before a call, if the node requires it.
    pub(super) fn ask_before_call(&mut self, path: &NodePath, call: &CallPlan) -> Result<bool, Broken> {
        let (Some(stage), Some(question)) = (self.stage, &call.approval) else { return Ok(false) };
        match self.node(path) {
            Some(node) if node.status == StageStatus::Waiting => return Ok(true),
            Some(node) if node.approved || node.attempt > 0 => return Ok(false),
            _ => {}
        }
        if let Some(failure) = self.asks_in_vain() {
            self.fail(path, failure)?;
            return Ok(true);
        }
        match question.render_text(&RunScope::node(self.state, stage, path)) {
            Ok(question) => {
                let (path, reason) = (path.clone(), WaitReason::Approval);
                self.emit(EventBody::NodeAsked { path, reason, question: question.into(), schema: None })?;
            }
            Err(error) => {
                let failure = unresolved(&format!("{}.{}.approval", stage.id, path.node), &error);
                self.fail(path, failure)?;
            }
        }
        Ok(true)
    }

    /// Asks the question of an `ask` node.
    pub(super) fn ask_question(&mut self, path: NodePath, ask: &AskPlan) -> Result<(), Broken> {
        let Some(stage) = self.stage else { return Ok(()) };
        match self.node(&path) {
            Some(node) if node.status == StageStatus::Waiting => return Ok(()),
            Some(node) if node.approved => {
                let answer = node.output.clone();
                return self.answered_question(&path, answer);
            }
            _ => {}
        }
        if let Some(failure) = self.asks_in_vain() {
            return self.fail(&path, failure);
        }
        let scope = RunScope::node(self.state, stage, &path);
        let choices: Result<Vec<_>, _> = ask.choices.iter().map(|choice| choice.render(&scope)).collect();
        match (ask.question.render_text(&scope), choices) {
            (Ok(question), Ok(choices)) => {
                let schema = match &ask.schema {
                    Some(schema) => Some(Data::new(schema.value())),
                    None if choices.is_empty() => None,
                    None => Some(Data::new(&json!({ "enum": choices }))),
                };
                self.emit(EventBody::NodeAsked {
                    path,
                    reason: WaitReason::Question,
                    question: question.into(),
                    schema,
                })
            }
            (Err(error), _) | (_, Err(error)) => {
                let failure = unresolved(&format!("{}.{}.question", stage.id, path.node), &error);
                self.fail(&path, failure)
            }
        }
    }

    /// Whether a person is asked about a call that was interrupted: if the node says so, and after a number
    /// of deaths in a row; only if its result is still needed.
    pub(super) fn asks_after_interrupt(&self, path: &NodePath, deaths: u32) -> bool {
        let asks = self.call(path).is_some_and(|call| call.asks_after_interrupt);
        (asks || deaths >= MOST_DEATHS) && self.state.ending.is_none() && !self.is_closed_for(path)
    }

    /// Asks for the outcome of a call that was interrupted.
    pub(super) fn ask_for_the_outcome_of(&mut self, path: NodePath, deaths: u32) -> Result<(), Broken> {
        let question = if deaths >= MOST_DEATHS {
            format!(
                "`{path}` was interrupted {deaths} times in a row: each time the process that drove the run ended \
                 while the node was running (a crash, too little memory, a kill). It may or may not have done its \
                 work. Did it happen, and with what result, or should it run again?"
            )
        } else {
            format!(
                "`{path}` was interrupted and may or may not have done its work. Did it happen, and with what result?"
            )
        };
        let reason = WaitReason::UnknownOutcome;
        self.emit(EventBody::NodeAsked { path, reason, question: question.into(), schema: None })
    }

    /// Asks what a call wants to know, which has stopped for it.
    pub(super) fn ask_for_call(
        &mut self,
        path: NodePath,
        attempt: u32,
        Question { text, schema }: Question,
        usage: Option<Box<Usage>>,
    ) -> Result<(), Broken> {
        self.emit(EventBody::AttemptInterrupted {
            path: path.clone(),
            attempt,
            usage,
            ran_until: self.ran_until.map(Box::new),
            retry_at: None,
        })?;
        let question = text.into();
        self.emit(EventBody::NodeAsked { path, reason: WaitReason::Question, question, schema })
    }

    /// Handles an answer.
    pub(super) fn answer(
        &mut self,
        control: u64,
        Answer { wait, value }: Answer,
        by: Option<Arc<Actor>>,
    ) -> Result<(), Broken> {
        let said = match self.state.asks.get(&wait) {
            _ if self.state.cancelling => {
                Err((AnswerRefusal::Cancelling, "the run is being cancelled".to_owned()))
            }
            Some(Ask { path: Some(path), .. }) if !self.is_here(path) || self.is_closed_for(path) => Err((
                AnswerRefusal::NoSuchQuestion,
                "the answer is no longer needed: the stage or node that asked has ended".to_owned(),
            )),
            Some(ask) => self
                .allowed(ask, &value)
                .map(|said| (ask.path.clone(), said))
                .map_err(|reason| (AnswerRefusal::InvalidAnswer, reason)),
            None => Err((
                AnswerRefusal::NoSuchQuestion,
                "the run does not ask this question, or no longer asks it".to_owned(),
            )),
        };
        let (path, said) = match said {
            Ok(said) => said,
            Err((code, reason)) => {
                return self.emit(EventBody::AnswerRefused { control, wait, reason, code: Some(code), by });
            }
        };
        self.emit(EventBody::Answered { control, wait, answer: value, by })?;
        let Some(path) = path else { return Ok(()) };
        if said == (Response::RunsAgain { in_new_session: true })
            && let Some(session) = session::session(self.state, &path)
        {
            self.emit(EventBody::SessionDropped { path: path.clone(), session })?;
        }
        match said {
            Response::Happened(output) => {
                let attempt = self.node(&path).map_or(0, |node| node.attempt);
                self.succeeded(path, attempt, Reply { output, ..Reply::default() })
            }
            Response::Disagreed(comment) => {
                self.refused(&path, rejected(comment.as_deref()))?;
                self.go_on_from(&path)
            }
            Response::Value(value) if self.call(&path).is_none() => self.answered_question(&path, value),
            Response::Agreed | Response::RunsAgain { .. } | Response::Value(_) if self.state.pausing => {
                Ok(())
            }
            Response::Agreed | Response::RunsAgain { .. } | Response::Value(_) => {
                self.ask_for_place(path.clone())?;
                // The node may have failed, and may have been the last that its lane waited for.
                self.go_on_from(&path)
            }
        }
    }

    fn answered_question(&mut self, path: &NodePath, value: Data) -> Result<(), Broken> {
        let Some(graph) = self.graph() else { return Ok(()) };
        self.complete(graph, path, value)?;
        self.go_on_from(path)
    }

    /// What an answer says, checked against the schema in the plan too.
    fn allowed(&self, ask: &Ask, answer: &Data) -> Result<Response, String> {
        let said = ask.read(answer)?;
        if ask.reason == WaitReason::UnknownOutcome
            && let Some(session) = answer.value().get("session")
            && *session != "new"
            && *session != "continue"
        {
            return Err("`session` is `new` or `continue`".to_owned());
        }
        if let (Some(path), Response::Happened(result)) = (&ask.path, &said) {
            let role = self.node(path).and_then(|node| node.role.as_ref());
            let schema = self.call(path).and_then(|call| answer::schema(self.plan, call, role));
            self.checked(path, result.clone()).map_err(|Failure { message, .. }| match schema {
                Some(schema) => {
                    let wanted: String = schema.value().to_string().chars().take(MOST_OF_SCHEMA).collect();
                    format!("{message}; the result has to follow the schema {wanted}")
                }
                None => message,
            })?;
        }
        let plan = ask.path.as_ref().and_then(|path| match &self.stage?.work {
            Work::Graph(graph) => graph.kind(&path.node, path.items.len()),
            Work::Simple { .. } => None,
        });
        if let Some(NodeKind::Ask(plan)) = plan
            && let Some(schema) = &plan.schema
        {
            let violations = schema.check(&answer.exact_value());
            if !violations.is_empty() {
                let told: Vec<_> =
                    violations.iter().take(5).map(|v| format!("{}: {}", v.path, v.message)).collect();
                return Err(told.join("; "));
            }
        }
        Ok(said)
    }
}
