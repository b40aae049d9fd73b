//! What a person is asked on behalf of an agent, and the answers.

use serde_json::Value;
use workflow_core::provider::GivenAnswer;
use workflow_core::redact::Redactor;

use crate::agent::cli::text;
use crate::agent::escapes;

/// The choices of a person.
pub(super) const CHOICES: [&str; 2] = [ALLOW, "deny"];

const ALLOW: &str = "allow";

/// The longest request that a person is shown. A longer one is denied: a person cannot decide on a part of it.
const LONGEST: usize = 16 * 1024;

/// The requests that persons decided on, and those that were answered in this call.
#[derive(Debug)]
pub(super) struct Persons<'c> {
    answers: &'c [GivenAnswer],
    /// They are never in a question, which is stored.
    redactors: &'c [Redactor],
    /// The questions whose answers were used: an answer is for one request.
    used: Vec<String>,
}

impl<'c> Persons<'c> {
    pub(super) fn new(answers: &'c [GivenAnswer], redactors: &'c [Redactor]) -> Self {
        Self { answers, redactors, used: Vec::new() }
    }

    /// The question about a request; `None` if it is too long for a person. The same request has the same question: all
    /// that the agent says of the tool is in it, except for ids.
    pub(super) fn question(&self, title: &str, kind: &str, call: &Value) -> Option<String> {
        let mut question = format!("The agent asks to be allowed: {title} ({kind})");
        let input = call.get("rawInput").filter(|input| !input.is_null());
        question.extend(input.map(|input| format!("\n{input:#}")));
        for content in call.get("content").and_then(Value::as_array).into_iter().flatten() {
            let shown = match text(content, "type") {
                "diff" => {
                    format!("{}:\n{}", text(content, "path"), text(content, "newText"))
                }
                "content" => text(content.get("content").unwrap_or(&Value::Null), "text").to_owned(),
                _ => content.to_string(),
            };
            question.extend(["\n", &shown]);
        }
        let mut question = escapes::without(&question);
        for redactor in self.redactors {
            redactor.text(&mut question);
        }
        (question.len() <= LONGEST).then_some(question)
    }

    /// What a person said about it last, unless that was used in this call before.
    pub(super) fn decided(&mut self, question: &str) -> Option<bool> {
        if self.used.iter().any(|used| used == question) {
            return None;
        }
        let given = self.answers.iter().rfind(|given| *given.question == *question)?;
        self.used.push(question.to_owned());
        Some(given.answer.value() == ALLOW)
    }
}

/// What an agent is told that was stopped for a question: the request comes again.
pub(super) fn told(prompt: &mut String, answers: &[GivenAnswer]) {
    let Some(last) = answers.last() else { return };
    let is_allowed = last.answer.value() == ALLOW;
    let decision = if is_allowed { "allowed" } else { "denied" };
    let request = last.question.trim_start_matches("The agent asks to be allowed: ");
    prompt.extend([
        "\n\n(You have begun this, and were stopped because a person had to decide on a request of yours. It is ",
        decision,
        ": ",
        request,
        ". Continue where you were stopped.)",
    ]);
}
