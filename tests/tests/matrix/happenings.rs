//! Faults and results of a node, and the expected ends of its run.

use serde_json::{Value, json};
use workflow_core::failure::FailureClass;

use crate::subjects::Subject;

/// A fault or result of a call, or an external event during it.
pub(crate) struct Happening {
    pub name: &'static str,
    /// The behaviour of the call: a script for the provider, given its regular answer.
    pub acts: fn(&Value) -> Value,
    /// Fields of the call.
    pub call: &'static str,
    /// Fields of the stage.
    pub stage: &'static str,
    /// External events.
    pub outside: &'static str,
    /// The subject's `set`.
    pub set: &'static str,
    /// Other fields of the subject, and of the node whose call it uses.
    pub node: &'static str,
    pub end: End,
}

/// The expected end of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum End {
    /// Completed, with this many calls of each node.
    Well(usize),
    /// Failed, with an error of that class.
    Failed(FailureClass),
    /// Completed, without the stage that failed with that class.
    Without(FailureClass),
    /// Completed, with the stage, in which a node or items failed with that class.
    Passed(FailureClass),
    /// Cancelled.
    Cancelled,
}

const PLAIN: Happening = Happening {
    name: "success",
    acts: |reply| json!({ "after": 20, "reply": reply }),
    call: "",
    stage: "",
    outside: "",
    set: "",
    node: "",
    end: End::Well(1),
};

const CONTINUE: &str = "on_failure: continue";

const RETRY: &str = "on_failure: retry, retries: 1, retry_backoff: 1";

pub(crate) fn all() -> Vec<Happening> {
    use FailureClass::{Expression, IdleTimeout, InvalidOutput, Permanent, Timeout, Transient};

    let fails: fn(&Value) -> Value = |_| json!({ "fail": "transient" });
    let fails_once: fn(&Value) -> Value = |reply| json!([{ "fail": "transient" }, { "reply": reply }]);
    let hangs: fn(&Value) -> Value = |_| json!({ "hang": true, "slow_to_stop": 7 });
    let hangs_once: fn(&Value) -> Value = |reply| json!([{ "hang": true }, { "reply": reply }]);
    let deaf: fn(&Value) -> Value = |_| json!({ "hang": true, "deaf": true });
    let garbled: fn(&Value) -> Value = |reply| json!([{ "reply": "{" }, { "reply": reply }]);
    let garbage: fn(&Value) -> Value = |_| json!({ "reply": "{" });
    let late: fn(&Value) -> Value =
        |reply| json!([{ "fail": "rate_limited", "until": 1000 }, { "reply": reply }]);
    let p = || PLAIN;
    vec![
        p(),
        Happening { name: "success in a queue", outside: "limit ann 1", ..p() },
        Happening { name: "variables", set: "{ x: '${output}' }", ..p() },
        Happening {
            name: "variables that cannot be told",
            set: "{ x: '${output.none}' }",
            end: End::Failed(Expression),
            ..p()
        },
        Happening {
            name: "permanent failure",
            acts: |_| json!({ "fail": "permanent" }),
            stage: RETRY,
            end: End::Failed(Permanent),
            ..p()
        },
        Happening { name: "failure", acts: fails, end: End::Failed(Transient), ..p() },
        Happening {
            name: "failure that the run continues without",
            acts: fails,
            stage: "on_failure: continue",
            end: End::Without(Transient),
            ..p()
        },
        Happening { name: "retry", acts: fails_once, stage: RETRY, end: End::Well(2), ..p() },
        Happening { name: "retry in vain", acts: fails, stage: RETRY, end: End::Failed(Transient), ..p() },
        Happening { name: "time-out", acts: hangs, call: "timeout: 100ms", end: End::Failed(Timeout), ..p() },
        Happening {
            name: "retry after a time-out",
            acts: hangs_once,
            call: "timeout: 100ms",
            stage: RETRY,
            end: End::Well(2),
            ..p()
        },
        Happening {
            name: "time-out of a deaf provider",
            acts: deaf,
            call: "timeout: 100ms",
            end: End::Failed(Timeout),
            ..p()
        },
        Happening {
            name: "idle time-out",
            acts: hangs,
            call: "idle_timeout: 100ms",
            end: End::Failed(IdleTimeout),
            ..p()
        },
        Happening {
            name: "retry after an idle time-out",
            acts: hangs_once,
            call: "idle_timeout: 100ms",
            stage: RETRY,
            end: End::Well(2),
            ..p()
        },
        Happening {
            name: "failure that the lane continues without",
            acts: fails,
            node: CONTINUE,
            stage: RETRY,
            end: End::Passed(Transient),
            ..p()
        },
        Happening {
            name: "variables that cannot be told, without which the lane continues",
            set: "{ x: '${output.none}' }",
            node: CONTINUE,
            end: End::Passed(Expression),
            ..p()
        },
        Happening {
            name: "time-out that the lane continues without",
            acts: hangs,
            call: "timeout: 100ms",
            node: CONTINUE,
            end: End::Passed(Timeout),
            ..p()
        },
        Happening {
            name: "failure in a pause, that the lane continues without",
            acts: |_| json!({ "after": 20, "fail": "permanent" }),
            node: CONTINUE,
            outside: "at 15 pause|at 500 resume",
            end: End::Passed(Permanent),
            ..p()
        },
        Happening {
            name: "cancel of what would continue",
            acts: hangs,
            node: CONTINUE,
            outside: "at 25 cancel",
            end: End::Cancelled,
            ..p()
        },
        Happening { name: "retry of the node", acts: fails_once, node: RETRY, end: End::Well(2), ..p() },
        Happening { name: "quota", acts: late, end: End::Well(2), ..p() },
        Happening { name: "repair", acts: garbled, call: "output: json", end: End::Well(2), ..p() },
        Happening {
            name: "repair in vain",
            acts: garbage,
            call: "output: json, repairs: 1",
            end: End::Failed(InvalidOutput),
            ..p()
        },
        Happening { name: "cancel", acts: hangs, outside: "at 25 cancel", end: End::Cancelled, ..p() },
        Happening {
            name: "cancel during a retry",
            acts: fails,
            stage: RETRY,
            outside: "at 100 cancel",
            end: End::Cancelled,
            ..p()
        },
        Happening { name: "kill", acts: deaf, outside: "at 25 kill", end: End::Cancelled, ..p() },
        Happening { name: "pause and resume", outside: "at 15 pause|at 500 resume", ..p() },
        Happening { name: "pause, taken back", outside: "at 15 pause|at 20 resume", ..p() },
        Happening { name: "pause before", outside: "at 5 pause|at 500 resume", ..p() },
        Happening {
            name: "pause during a retry",
            acts: fails_once,
            stage: RETRY,
            outside: "at 100 pause|at 5000 resume",
            end: End::Well(2),
            ..p()
        },
        Happening {
            name: "pause during a repair",
            acts: garbled,
            call: "output: json",
            outside: "at 15 pause|at 500 resume",
            end: End::Well(2),
            ..p()
        },
        Happening {
            name: "cancel in a pause",
            outside: "at 15 pause|at 500 cancel",
            end: End::Cancelled,
            ..p()
        },
    ]
}

/// An answer that makes the subject fail.
pub(crate) fn unfit(subject: &Subject) -> Option<Happening> {
    let (_, class) = subject.unfit.as_ref()?;
    Some(Happening { name: "an answer that does not fit", stage: RETRY, end: End::Failed(*class), ..PLAIN })
}

impl Happening {
    /// The scenario of this fault for `subject`, in a stage with these `lanes`.
    pub(crate) fn to(&self, subject: &Subject, lanes: &str) -> String {
        let reply = match &subject.unfit {
            Some((unfit, _)) if self.name == "an answer that does not fit" => unfit,
            _ => &subject.reply,
        };
        let field = |text: &str| if text.is_empty() { String::new() } else { format!(", {text}") };
        let call =
            format!("provider: ann, prompt: Go, with: {{ ann: {} }}{}", (self.acts)(reply), field(self.call));
        let set = if self.set.is_empty() { String::new() } else { format!(", set: {}", self.set) };
        let node = field(self.node);
        let graph = subject.graph.replace("CALL", &call).replace("SET", &set).replace("NODE", &node);
        let stage = field(self.stage);
        let next = subject.next;
        let lines = self.outside.split('|').filter(|line| !line.is_empty());
        let outside = lines.fold(String::new(), |lines, line| format!("{lines}#! {line}\n"));
        format!(
            "{outside}workflow: {{ name: Matrix, stages: [work, report] }}
work: {{ {lanes}, profile: graph{stage} }}
report: {{ provider: dot, prompt: \"Report ${{stages.work.status}}\" }}
--- # profile work.graph
graph:
  - {{ id: after, type: run, provider: dot, prompt: after, inputs: {next}, with: {{ dot: {{ after: 10, reply: last }} }} }}
{graph}  - {{ id: before, type: run, provider: dot, prompt: before, with: {{ dot: {{ reply: before }} }} }}
  - {{ id: beside, type: run, provider: dot, prompt: beside, with: {{ dot: {{ after: 45, reply: beside }} }} }}
--- # schema done.json
{{ \"type\": \"object\", \"required\": [\"done\"], \"properties\": {{ \"done\": {{ \"type\": \"boolean\" }} }} }}
--- # workflow other
workflow: {{ name: Other, stages: [make] }}
make: {{ provider: dot, profile: value }}
--- # profile make.value
graph:
  - {{ id: value, type: set, value: \"${{vars.x}}\" }}
"
        )
    }
}
