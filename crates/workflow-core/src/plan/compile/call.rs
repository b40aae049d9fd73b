//! Calls of a provider: of a run node, a summary, or a stage without a graph.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use crate::definition::{
    Diagnostic, OnInterrupt, OutputFormat, PromptTemplate, Role, RunNode, SessionMode, Stage,
};
use crate::expr::{Template, ValueTemplate};
use crate::ids::{RoleId, StageId};
use crate::output_schema::OutputSchema;
use crate::plan::compile::Compiler;
use crate::plan::model::{CallPlan, InputPlan, RolePlan, Source};
use crate::role::{RoleError, RoleTemplate};

/// How often a wrong output goes back to the provider, by default.
const REPAIRS: u32 = 2;

impl Compiler<'_> {
    /// The call of a stage without a graph.
    pub(super) fn stage_call(&mut self, path: &str, stage: &Stage) -> Option<CallPlan> {
        Some(CallPlan {
            provider: None,
            role: None,
            prompt: self.prompt(path, stage.prompt.as_deref(), stage.template)?,
            template: self.template(path, stage.prompt.as_deref(), stage.template)?,
            inputs: self.stage_inputs(path, stage)?,
            follows: true,
            with: self.options(format_args!("{path}.with"), stage.with.as_ref())?,
            env: self.values(format_args!("{path}.env"), &stage.env)?,
            cwd: self.text(format_args!("{path}.cwd"), stage.cwd.as_deref())?,
            skills: stage.skills.clone(),
            // A stage's approval comes before the stage.
            approval: None,
            continues: stage.session == Some(SessionMode::Continue),
            // So do the limits of a stage.
            budget: None,
            asks_after_interrupt: stage.on_interrupt == Some(OnInterrupt::Ask),
            timeout: stage.timeout.map(|period| period.0),
            idle_timeout: stage.idle_timeout.map(|period| period.0),
            is_json: stage.output == Some(OutputFormat::Json),
            schema: self.schema(format_args!("{path}.output_schema"), stage.output_schema.as_ref())?,
            repairs: stage.repairs.unwrap_or(REPAIRS),
        })
    }

    /// The call of a node, which takes from its stage what it leaves out.
    pub(super) fn node_call(
        &mut self,
        path: &str,
        run: &RunNode,
        stage: &Stage,
        values: Option<Vec<Source>>,
        is_first: bool,
    ) -> Option<CallPlan> {
        let own_role = run.role.as_deref().filter(|role| *role != "${stage.role}");
        let own_provider = run.provider.as_deref().filter(|provider| *provider != "${stage.provider}");
        let prompt = run.prompt.as_ref().or(stage.prompt.as_ref().filter(|_| own_role.is_none()));
        let of_stage = stage.template.filter(|_| run.prompt.is_none());
        let template = run.template.or(of_stage);
        let with = run.with.as_ref().or(stage.with.as_ref().filter(|_| own_provider.is_none()));
        let mut inputs: Vec<_> = values.map(InputPlan::All).into_iter().collect();
        for (n, input) in run.inputs.iter().enumerate() {
            inputs.push(match self.source(input) {
                Some(source) => InputPlan::Of(source),
                None => InputPlan::Value(
                    self.keep(format_args!("{path}.inputs[{n}]"), ValueTemplate::parse(input))?,
                ),
            });
        }
        if is_first {
            inputs.extend(self.stage_inputs(path, stage)?);
        }
        let mut env: IndexMap<String, Value> = stage.env.clone();
        env.extend(run.env.clone());
        Some(CallPlan {
            provider: self.text(format_args!("{path}.provider"), own_provider)?,
            role: self.text(format_args!("{path}.role"), own_role)?,
            prompt: self.prompt(path, prompt.map(String::as_str), template)?,
            template: self.template(path, prompt.map(String::as_str), template)?,
            inputs,
            follows: is_first,
            with: self.options(format_args!("{path}.with"), with)?,
            env: self.values(format_args!("{path}.env"), &env)?,
            cwd: self.text(format_args!("{path}.cwd"), run.cwd.as_deref().or(stage.cwd.as_deref()))?,
            skills: if run.skills.is_empty() { stage.skills.clone() } else { run.skills.clone() },
            approval: self.text(format_args!("{path}.approval"), run.approval.as_deref())?,
            continues: run.session.or(stage.session) == Some(SessionMode::Continue),
            budget: run.budget.map(Box::new),
            asks_after_interrupt: run.on_interrupt.or(stage.on_interrupt) == Some(OnInterrupt::Ask),
            timeout: run.timeout.or(stage.timeout).map(|period| period.0),
            idle_timeout: run.idle_timeout.or(stage.idle_timeout).map(|period| period.0),
            is_json: run.output == Some(OutputFormat::Json),
            schema: self.schema(format_args!("{path}.output_schema"), run.output_schema.as_ref())?,
            repairs: run.repairs.unwrap_or(REPAIRS),
        })
    }

    /// The prompt, where it is a text with `${…}`.
    #[expect(clippy::option_option, reason = "the outer one is absent when something is wrong")]
    fn prompt(
        &mut self,
        path: &str,
        prompt: Option<&str>,
        template: Option<PromptTemplate>,
    ) -> Option<Option<Template>> {
        self.text(format_args!("{path}.prompt"), prompt.filter(|_| template.is_none()))
    }

    /// The prompt, where it has the grammar of roles.
    #[expect(clippy::option_option, reason = "the outer one is absent when something is wrong")]
    fn template(
        &mut self,
        path: &str,
        prompt: Option<&str>,
        template: Option<PromptTemplate>,
    ) -> Option<Option<Box<RolePlan>>> {
        let Some((prompt, PromptTemplate::Handlebars)) = prompt.zip(template) else { return Some(None) };
        let role = Role::new(RoleId::new("prompt").ok()?, prompt);
        match RoleTemplate::compile(&role, self.bundle.workflow.stages.keys().map(StageId::as_str)) {
            Ok(template) => {
                let of_run = |names: &&Vec<String>| {
                    matches!(names.first().map(String::as_str), Some("vars" | "stages"))
                };
                let needed = template.needed().iter().filter(of_run);
                let needed =
                    needed.filter_map(|names| Template::parse(&format!("${{{}}}", names.join("."))).ok());
                let needed = needed.collect();
                Some(Some(Box::new(RolePlan { role, template, inputs: Vec::new(), needed, schema: None })))
            }
            Err(errors) => {
                let at = |error: &RoleError| {
                    Diagnostic::error("bad-template", format!("{path}.prompt"), error.to_string())
                };
                self.problems.extend(errors.iter().map(at));
                None
            }
        }
    }

    fn stage_inputs(&mut self, path: &str, stage: &Stage) -> Option<Vec<InputPlan>> {
        let inputs = stage.inputs.iter().enumerate();
        inputs
            .map(|(n, input)| {
                let value = self.keep(format_args!("{path}.inputs[{n}]"), ValueTemplate::parse(input))?;
                Some(InputPlan::Value(value))
            })
            .collect()
    }
}

impl CallPlan {
    /// Attaches the schema of an export, or of the stage, to a call that has none.
    pub(super) fn attach(&mut self, schema: &Arc<OutputSchema>, repairs: Option<u32>) {
        if self.schema.is_none() {
            self.schema = Some(schema.clone());
            self.repairs = repairs.unwrap_or(self.repairs);
        }
    }
}
