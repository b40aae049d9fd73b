//! Nodes that run other workflows: their runs are interpreted as any other.

use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;
use workflow_core::definition::WorkflowNode;
use workflow_core::failure::FailureClass;
use workflow_core::ids::NodePath;

use super::spending::Used;
use super::{Called, Ended, How, OPEN, Open, Run, interpret_run};
use crate::reference::case::Case;

impl Run<'_> {
    /// The attempts at a node that runs another workflow: all of them are the same.
    pub(super) fn child(
        &self,
        node: &WorkflowNode,
        given: Option<IndexMap<String, Value>>,
        path: &NodePath,
        retries: u32,
    ) -> Ended {
        if !self.may_call(path) {
            let how = How::Failed(Some(FailureClass::Budget));
            return Ended { at_limit: true, ..Ended::alone(how) };
        }
        let Some(vars) = given else { return Ended::alone(How::Failed(Some(FailureClass::Expression))) };
        let (how, once) = match self.ends_as(node, vars) {
            Ok(ended) => ended,
            Err(Open(why)) => {
                self.is_open(format!("what {path} runs: {why}"));
                (How::Completed(OPEN.into()), Used::default())
            }
        };
        let again = matches!(&how, How::Failed(Some(class)) if class.is_retryable());
        let attempts = if again { 1 + retries } else { 1 };
        let mut used = Used::default();
        (0..attempts).for_each(|_| used.add(once));
        let rough = matches!(how, How::Failed(_));
        let calls = vec![Called { path: path.clone(), prompts: Vec::new(), used, certain: true }];
        Ended { attempts, started: attempts, rough, calls, ..Ended::alone(how) }
    }

    /// How the run of a workflow ends, and what it uses.
    fn ends_as(&self, node: &WorkflowNode, vars: IndexMap<String, Value>) -> Result<(How, Used), Open> {
        let case = Case {
            bundle: self.case.bundle.workflows[node.workflow.as_str()].clone(),
            vars,
            on_failure: None,
            interactive: false,
            pauses: Vec::new(),
            deaths: Vec::new(),
            ..self.case.clone()
        };
        let outcome = interpret_run(&case, "child", &|_, _| None, self.is_timed)?.run;
        let spent = &outcome["spent"];
        if spent == OPEN {
            return Err(Open("what it uses".to_owned()));
        }
        let used = Used {
            cost_usd: spent["cost_usd"].as_f64().unwrap(),
            tokens: spent["tokens"].as_u64().unwrap(),
            time: Duration::from_millis(spent["time_ms"].as_u64().unwrap_or(0)),
        };
        let how = match serde_json::from_value(outcome["error"].clone()) {
            Ok(class) => How::Failed(class),
            Err(_) => How::Failed(None),
        };
        let completed = outcome["status"] == "completed";
        Ok((if completed { How::Completed(outcome["output"].clone()) } else { how }, used))
    }
}
