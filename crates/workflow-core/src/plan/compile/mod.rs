//! From a bundle to a plan.
//!
//! [`graph`], [`call`] and [`role`]: its parts.

mod call;
mod graph;
mod role;

use std::fmt::Arguments;
use std::sync::Arc;

use foldhash::HashMap;
use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::bundle::{Bundle, BundleHash};
use crate::data::Data;
use crate::definition::{
    CheckedBundle, Diagnostic, Diagnostics, Mode, ParallelStrategy, Period, SchemaSource, Stage,
};
use crate::expr::{Condition, SyntaxError, Template, ValueTemplate};
use crate::ids::{NodeId, NodePath, NodePathParts, StageId};
use crate::output_schema::OutputSchema;
use crate::plan::model::{LanePlan, LoopPlan, Plan, StagePlan, Strategy, Work, known_roles};
use crate::plan::secrets;

/// How many seconds the stages of `finally` may take together, by default.
const FINALLY: u64 = 600;

impl Plan {
    /// Compiles a bundle that was checked.
    ///
    /// # Errors
    ///
    /// What no rule of definitions says: schemas and templates that this build cannot use.
    pub fn compile(checked: CheckedBundle) -> Result<Self, Diagnostics> {
        let bundle = checked.into_bundle();
        let hash = bundle.hash().map_err(|error| Diagnostics::from(vec![problem("workflow", &error)]))?;
        let mut problems = Vec::new();
        let mut compiler = Compiler {
            bundle: &bundle,
            problems: &mut problems,
            names: HashMap::default(),
            schemas: HashMap::default(),
        };
        let plan = compiler.plan(&bundle, hash);
        match plan {
            Some(plan) if problems.is_empty() => Ok(plan),
            _ => Err(Diagnostics::from(problems)),
        }
    }

    /// Checks and compiles a bundle that was stored, or built in Rust.
    ///
    /// # Errors
    ///
    /// Every problem of the definition, at once.
    pub fn load(bundle: impl Into<Arc<Bundle>>) -> Result<Self, Diagnostics> {
        Self::compile(CheckedBundle::check(bundle)?)
    }
}

/// Compiles the parts of one bundle, and collects their problems.
pub(in crate::plan) struct Compiler<'a> {
    pub bundle: &'a Bundle,
    pub problems: &'a mut Vec<Diagnostic>,
    /// The names of the graph that is being compiled.
    pub names: HashMap<NodeId, usize>,
    /// Schemas that were compiled already.
    pub schemas: HashMap<String, Arc<OutputSchema>>,
}

impl Compiler<'_> {
    pub(super) fn plan(&mut self, bundle: &Arc<Bundle>, hash: BundleHash) -> Option<Plan> {
        let workflow = &bundle.workflow;
        let mut stages = Vec::with_capacity(workflow.stages.len());
        let body = workflow.stages.len().saturating_sub(workflow.finally.len());
        for (place, (id, stage)) in workflow.stages.iter().enumerate() {
            let Some(mut stage) = self.stage(place, id, stage) else { continue };
            if place >= body {
                // Budgets are where calls look for the time that is left.
                stage.budget.get_or_insert_default();
            }
            stages.push(stage);
        }
        let first = stages.first()?.id.clone();
        let repeat = match &workflow.repeat {
            None => None,
            Some(repeat) => Some(LoopPlan {
                max_iters: repeat.max_iters,
                fallback: repeat.fallback_next_stage.clone().unwrap_or(first),
                stop_when: self
                    .keep(format_args!("workflow.loop.stop_when"), Condition::parse(&repeat.stop_when))?,
                on_exhausted: repeat.on_exhausted,
            }),
        };
        let min_iterations =
            workflow.stages.values().filter_map(|stage| stage.min_iterations).max().unwrap_or(0);
        let output = match &workflow.output {
            Some(output) => Some(self.keep(format_args!("workflow.output"), ValueTemplate::parse(output))?),
            None => None,
        };
        let ends_early = stages.iter().any(StagePlan::ends_early);
        let index = stages.iter().map(|stage| (stage.id.clone(), stage.place)).collect();
        let (mut roles, mut unfit) = (HashMap::default(), HashMap::default());
        let known = known_roles(&stages);
        for (id, role) in &bundle.roles {
            let before = self.problems.len();
            if let Some(role) = self.role(role) {
                roles.insert(id.clone(), role);
            } else if !known.contains(id.as_str()) {
                // It is included only because an expression may name any role: it may be for other workflows.
                let problems = self.problems.split_off(before).into_iter();
                let messages: Vec<_> = problems.map(|problem| problem.message).collect();
                unfit.insert(id.clone(), messages.join("; "));
            }
        }
        let skills =
            bundle.skills.iter().map(|(name, skill)| (name.as_str().into(), Arc::new(skill.clone())));
        let skills = skills.collect();
        let secrets = secrets::named(&stages, &roles);
        Some(Plan {
            bundle: bundle.clone(),
            hash,
            stages,
            body,
            finally_timeout: workflow.finally_timeout.unwrap_or(Period::from_secs(FINALLY)).0,
            index,
            repeat,
            min_iterations,
            output,
            ends_early,
            roles,
            unfit,
            skills,
            secrets,
        })
    }

    fn stage(&mut self, place: usize, id: &StageId, stage: &Stage) -> Option<StagePlan> {
        let path = id.as_str();
        let strategy = match (stage.mode.unwrap_or_default(), stage.parallel_strategy.unwrap_or_default()) {
            (Mode::Sequential, _) => Strategy::Sequential,
            (Mode::Parallel, ParallelStrategy::All) => Strategy::All,
            (Mode::Parallel, ParallelStrategy::Race) => Strategy::Race,
            (Mode::Parallel, ParallelStrategy::Majority) => Strategy::Majority,
        };
        let profile = self.bundle.profiles.get(id);
        let node = match profile {
            Some(_) => None,
            None => Some(NodeId::new("run").ok()?),
        };
        let mut lanes = Vec::with_capacity(stage.providers.len());
        for (n, lane) in stage.providers.iter().enumerate() {
            let provider =
                self.keep(format_args!("{path}.providers[{n}].provider"), Template::parse(&lane.provider))?;
            lanes.push(LanePlan {
                literal: provider.as_literal().map(Arc::from),
                provider,
                role: self.text(format_args!("{path}.providers[{n}].role"), lane.role.as_deref())?,
                weight: lane.weight.unwrap_or(1),
                call: match lane.own_fields().next() {
                    Some(_) => {
                        let path = format!("{path}.providers[{n}]");
                        Some(self.stage_call(&path, &lane.call_of(stage))?.into())
                    }
                    None => None,
                },
                first: node.as_ref().and_then(|node| first(id, n, node)),
            });
        }
        let work = match (profile, node) {
            (Some(profile), _) => Work::Graph(self.graph(path, profile, stage)?.into()),
            (None, node) => Work::Simple { id: node?, call: self.stage_call(path, stage)?.into() },
        };
        Some(StagePlan {
            id: id.clone(),
            place,
            lanes,
            strategy,
            work,
            on_failure: stage.on_failure.unwrap_or_default(),
            retries: stage.retries.unwrap_or(3),
            backoff: stage.retry_backoff.unwrap_or(Period::from_secs(5)).0,
            when: self.condition(format_args!("{path}.when"), stage.when.as_deref())?.map(Box::new),
            end_when: self
                .condition(format_args!("{path}.end_when"), stage.end_when.as_deref())?
                .map(Box::new),
            approval: self.text(format_args!("{path}.approval"), stage.approval.as_deref())?,
            budget: stage.budget.map(Box::new),
            vars: profile.and_then(|profile| data_of(&profile.vars)),
            set: self.values(format_args!("{path}.set"), &stage.set)?,
        })
    }

    /// The schema; the outer `None` when there is something wrong with it.
    #[expect(clippy::option_option, reason = "the outer one is absent when something is wrong")]
    pub(super) fn schema(
        &mut self,
        path: Arguments<'_>,
        source: Option<&SchemaSource>,
    ) -> Option<Option<Arc<OutputSchema>>> {
        let Some(source) = source else { return Some(None) };
        if let Some(known) = source.file().and_then(|name| self.schemas.get(name)) {
            return Some(Some(known.clone()));
        }
        match source.compile(&self.bundle.schemas) {
            Ok(schema) => {
                let schema = Arc::new(schema);
                if let Some(name) = source.file() {
                    self.schemas.insert(name.to_owned(), schema.clone());
                }
                Some(Some(schema))
            }
            Err(error) => {
                self.problems.push(Diagnostic::error("bad-schema", path.to_string(), error.to_string()));
                None
            }
        }
    }

    #[expect(clippy::option_option, reason = "the outer one is absent when something is wrong")]
    pub(super) fn text(&mut self, path: Arguments<'_>, text: Option<&str>) -> Option<Option<Template>> {
        text.map_or(Some(None), |text| self.keep(path, Template::parse(text)).map(Some))
    }

    #[expect(clippy::option_option, reason = "the outer one is absent when something is wrong")]
    pub(super) fn condition(&mut self, path: Arguments<'_>, text: Option<&str>) -> Option<Option<Condition>> {
        text.map_or(Some(None), |text| self.keep(path, Condition::parse(text)).map(Some))
    }

    #[expect(clippy::option_option, reason = "the outer one is absent when something is wrong")]
    pub(super) fn options(
        &mut self,
        path: Arguments<'_>,
        with: Option<&Map<String, Value>>,
    ) -> Option<Option<Box<ValueTemplate>>> {
        let Some(map) = with else { return Some(None) };
        self.keep(path, ValueTemplate::parse(&Value::Object(map.clone()))).map(|with| Some(Box::new(with)))
    }

    pub(super) fn values(
        &mut self,
        path: Arguments<'_>,
        values: &IndexMap<String, Value>,
    ) -> Option<Vec<(String, ValueTemplate)>> {
        values
            .iter()
            .map(|(name, value)| {
                let value = self.keep(format_args!("{path}.{name}"), ValueTemplate::parse(value))?;
                Some((name.clone(), value))
            })
            .collect()
    }

    pub(super) fn keep<T>(&mut self, path: Arguments<'_>, parsed: Result<T, SyntaxError>) -> Option<T> {
        parsed.map_err(|error| self.refuse(path, &error.to_string())).ok()
    }

    pub(super) fn refuse(&mut self, path: Arguments<'_>, message: &str) {
        self.problems.push(Diagnostic::error("bad-expression", path.to_string(), message));
    }
}

/// The path of a stage's one node in the first iteration.
fn first(stage: &StageId, lane: usize, node: &NodeId) -> Option<NodePath> {
    let (stage, node, lane) = (stage.clone(), node.clone(), u32::try_from(lane).ok()?);
    Some(NodePathParts { iteration: 1, stage, lane, within: None, node, items: Vec::new() }.into())
}

fn data_of(vars: &IndexMap<String, Value>) -> Option<Box<IndexMap<String, Data>>> {
    let data = || vars.iter().map(|(name, value)| (name.clone(), Data::new(value))).collect();
    (!vars.is_empty()).then(|| Box::new(data()))
}

fn problem(path: &str, error: &dyn std::error::Error) -> Diagnostic {
    Diagnostic::error("bad-expression", path, error.to_string())
}
