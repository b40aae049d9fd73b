//! What runs wait for, and what they used, as text.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use workflow_core::actor::Actor;
use workflow_core::data::Data;
use workflow_core::definition::Budget;
use workflow_core::event::{BudgetLimit, RunForked};
use workflow_core::ids::RunId;
use workflow_core::status::{Wait, WaitReason};
use workflow_core::usage::Spent;

use crate::text::{count, date, duration, shorten};

/// How many characters of a value are shown.
const VALUE: usize = 80;

/// Who did something, if that is known: ` by Ana (http)`.
pub(crate) fn by(actor: Option<&Arc<Actor>>) -> String {
    actor.map(|actor| format!(" by {actor}")).unwrap_or_default()
}

/// What a run waits for: `approval of 1/ship`, `its quota, until 2026-01-02 03:04:05`.
pub(crate) fn waits_for(wait: &Wait) -> String {
    let place = wait.place.as_deref().unwrap_or("the run");
    let what = match wait.reason {
        WaitReason::Approval => format!("approval of {place}"),
        WaitReason::Question => format!("an answer to {place}"),
        WaitReason::UnknownOutcome => format!("the outcome of {place}, which was interrupted"),
        WaitReason::Quota => "its quota".to_owned(),
        WaitReason::Retry => "another attempt".to_owned(),
        WaitReason::Timer => "a time".to_owned(),
        WaitReason::Signal => {
            let name = wait.signal.as_deref().unwrap_or_default();
            format!("the signal `{name}` at {place}")
        }
        WaitReason::Child => {
            let run = wait.run.as_ref().map_or_else(|| "another one".to_owned(), ToString::to_string);
            return format!("run {run} to end, which {place} has started");
        }
        WaitReason::Crashes => "a person to resume it after crashes".to_owned(),
        _ => "a person to resume it".to_owned(),
    };
    match wait.until {
        // A question has no time; the time belongs to another wait.
        Some(until) if wait.number.is_none() && wait.until_is_guess => {
            format!("{what}, until {} (a guess)", date(until))
        }
        Some(until) if wait.number.is_none() => format!("{what}, until {}", date(until)),
        _ => what,
    }
}

/// The question with what it is about: `approval of 1/ship: Ship it?`.
pub(crate) fn asks(wait: &Wait) -> String {
    let question = wait.question.as_ref().map(|question| format!(": {question}")).unwrap_or_default();
    format!("{}{question}", waits_for(wait))
}

/// The answers that the wait accepts.
pub(crate) fn accepted(wait: &Wait) -> String {
    match (wait.reason, &wait.schema) {
        (WaitReason::Approval, _) => "--approve, or --reject [--comment TEXT]".to_owned(),
        (WaitReason::UnknownOutcome, _) => {
            "--happened RESULT, --not-happened, or --rerun [--new-session]".to_owned()
        }
        (_, None) => "a text".to_owned(),
        (_, Some(schema)) => {
            let value = schema.exact_value();
            match value.get("enum").and_then(Value::as_array) {
                Some(choices) => {
                    let choices: Vec<_> = choices.iter().map(choice).collect();
                    format!("one of: {}", choices.join(", "))
                }
                None => format!("JSON that follows {}", schema.json()),
            }
        }
    }
}

/// A choice as it is typed.
fn choice(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => Data::new(other).json().to_owned(),
    }
}

/// Whether a person or a program ends the wait with an answer or a signal.
pub(crate) fn is_told(wait: &Wait) -> bool {
    wait.number.is_some() || wait.signal.is_some() || wait.run.is_some()
}

/// The command that ends the wait; `asked` is the number of questions of the run.
pub(crate) fn command(run: &RunId, wait: &Wait, asked: usize) -> String {
    match (wait.number, &wait.signal) {
        (Some(number), _) if asked > 1 => format!("workflow answer {run} --wait {number}"),
        (None, Some(signal)) => format!("workflow signal {run} {signal}"),
        (None, None) if let Some(child) = &wait.run => format!("workflow show {child}"),
        _ => format!("workflow answer {run}"),
    }
}

/// The commands that repeat a run that has ended.
pub(crate) fn instead(run: impl std::fmt::Display, failed: bool) -> String {
    let current = if failed {
        format!(
            ", `workflow rerun {run} --current` from the stage that failed, with the workflow as it is now"
        )
    } else {
        String::new()
    };
    format!("`workflow rerun {run}` runs it again as a new run, with `--from STAGE` from a stage{current}")
}

/// What calls used: `2 attempts, 1.2s, $0.0400, 300 tokens`. Unknown amounts are reported as unknown.
pub(crate) fn used(spent: &Spent) -> String {
    [
        count(spent.attempts, "attempt"),
        duration(Duration::from_millis(spent.time_ms)),
        cost(spent),
        tokens(spent),
    ]
    .join(", ")
}

/// The cost of what calls used.
pub(crate) fn cost(spent: &Spent) -> String {
    known(&dollars(spent), "cost", spent.unpriced, spent.attempts, None)
}

fn tokens(spent: &Spent) -> String {
    known(&count(spent.tokens.unwrap_or(0), "token"), "tokens", spent.uncounted, spent.attempts, None)
}

fn dollars(spent: &Spent) -> String {
    format!("${:.4}", spent.cost_usd.unwrap_or(0.0))
}

/// From which run a run was forked, and what was changed.
pub(crate) fn forked(RunForked { from, event, vars, outputs, by: who, .. }: &RunForked) -> String {
    let mut parts = vec![format!("run {from} after its event {event}{}", by(who.as_ref()))];
    parts.extend(vars.iter().map(|(name, value)| format!("{name} = {}", shorten(value.json(), VALUE))));
    parts.extend(
        outputs
            .iter()
            .map(|(stage, value)| format!("the output of {stage} = {}", shorten(value.json(), VALUE))),
    );
    parts.join("; ")
}

/// An amount of which a part may be unknown, and its limit.
fn known(amount: &str, what: &str, unknown: u64, attempts: u64, most: Option<&str>) -> String {
    let of = most.map(|most| format!(" of {most}")).unwrap_or_default();
    match (unknown, most) {
        (0, _) => format!("{amount}{of}"),
        (_, None) if unknown >= attempts => format!("{what} unknown"),
        (_, Some(most)) if unknown >= attempts => format!("{what} unknown (limit {most})"),
        _ => format!("{amount}{of} ({what} of {} unknown)", count(unknown, "attempt")),
    }
}

/// How much of a budget was used: `$0.9000 of $1, 30 tokens of 100`.
pub(crate) fn budget(Budget { cost_usd, tokens, time }: &Budget, spent: &Spent) -> String {
    let known =
        |amount: &str, what, unknown, most: &str| known(amount, what, unknown, spent.attempts, Some(most));
    let cost = cost_usd.map(|of| known(&dollars(spent), "cost", spent.unpriced, &format!("${of}")));
    let counted = count(spent.tokens.unwrap_or(0), "token");
    let tokens = tokens.map(|of| known(&counted, "tokens", spent.uncounted, &of.to_string()));
    let took = duration(Duration::from_millis(spent.time_ms));
    let time = time.map(|of| format!("{took} of {}", duration(of.0)));
    [cost, tokens, time].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// That a budget is nearly used up.
pub(crate) fn warning(limit: BudgetLimit, used: f64, of: f64) -> String {
    match limit {
        BudgetLimit::Cost => format!("${used:.4} of ${of} are used"),
        BudgetLimit::Tokens => format!("{used} of {of} tokens are used"),
        BudgetLimit::Time => format!("{used:.0} of {of} seconds are used"),
    }
}

#[cfg(test)]
mod tests {
    use workflow_core::usage::Usage;

    use super::*;

    #[test]
    fn an_unknown_amount_is_reported_as_unknown_and_not_as_zero() {
        let priced = Usage { cost_usd: Some(0.25), ..Usage::default() };
        let counted = Usage { input_tokens: Some(7), ..Usage::default() };
        for (usages, expected) in [
            (&[None][..], "1 attempt, 1.0s, cost unknown, tokens unknown"),
            (&[Some(&priced), Some(&priced)], "2 attempts, 2.0s, $0.5000, tokens unknown"),
            (
                &[Some(&priced), Some(&counted), None],
                "3 attempts, 3.0s, $0.2500 (cost of 2 attempts unknown), 7 tokens (tokens of 2 attempts unknown)",
            ),
        ] {
            let mut spent = Spent::default();
            for usage in usages {
                spent.add(*usage, 1_000);
            }
            assert_eq!(used(&spent), expected);
        }
    }

    #[test]
    fn budgets_are_shown_with_unknown_amounts() {
        let mut of: Budget = Budget::default();
        (of.cost_usd, of.tokens) = (Some(1.5), Some(100));
        let mut spent = Spent::default();
        assert_eq!(budget(&of, &spent), "$0.0000 of $1.5, 0 tokens of 100");
        spent.add(Some(&Usage { cost_usd: Some(0.5), ..Usage::default() }), 0);
        assert_eq!(budget(&of, &spent), "$0.5000 of $1.5, tokens unknown (limit 100)");
    }
}
