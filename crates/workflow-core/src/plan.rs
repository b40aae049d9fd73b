//! Plans: bundles compiled and checked, ready to be run.

use std::sync::Arc;
use std::time::Duration;

use foldhash::HashMap;

use crate::bundle::{Bundle, BundleHash};
use crate::definition::{
    self, Diagnostic, Diagnostics, Exhausted, Mode, OnFailure, ParallelStrategy, Period, Stage, Workflow,
};
use crate::expr::{Condition, SyntaxError, Template, ValueTemplate};
use crate::ids::{NodeId, RoleId, StageId};

/// A bundle, compiled: dense indices, parsed templates and conditions. Immutable; shared by every
/// run that was started with the bundle.
#[derive(Debug)]
pub struct Plan {
    bundle: Arc<Bundle>,
    hash: BundleHash,
    pub(crate) stages: Vec<StagePlan>,
    index: HashMap<StageId, usize>,
    pub(crate) repeat: Option<LoopPlan>,
    pub(crate) min_iterations: u32,
    /// The one node of the profile `simple`.
    pub(crate) node: NodeId,
}

#[derive(Debug)]
pub(crate) struct LoopPlan {
    pub max_iters: u32,
    pub fallback: StageId,
    pub stop_when: Condition,
    pub on_exhausted: Exhausted,
}

#[derive(Debug)]
pub(crate) struct StagePlan {
    pub id: StageId,
    pub lanes: Vec<LanePlan>,
    pub strategy: Strategy,
    pub on_failure: OnFailure,
    pub retries: u32,
    pub backoff: Duration,
    pub timeout: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    pub when: Option<Condition>,
    pub prompt: Option<Template>,
    pub inputs: Vec<ValueTemplate>,
    pub with: Option<ValueTemplate>,
    pub env: Vec<(String, ValueTemplate)>,
    pub cwd: Option<Template>,
    pub set: Vec<(String, ValueTemplate)>,
}

#[derive(Debug)]
pub(crate) struct LanePlan {
    /// The provider's name where it is known before the run.
    pub literal: Option<Arc<str>>,
    pub provider: Template,
    pub role: Option<RoleId>,
    pub weight: u32,
}

/// How the lanes of a stage make its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    Sequential,
    All,
    Race,
    Majority,
}

impl Plan {
    /// Checks and compiles a bundle.
    ///
    /// # Errors
    ///
    /// Every problem of the definition, at once: what is wrong, and what this version does not
    /// support yet.
    pub fn compile(bundle: impl Into<Arc<Bundle>>) -> Result<Self, Diagnostics> {
        let bundle = bundle.into();
        let mut problems = definition::validate(&bundle.workflow);
        problems.extend(definition::unsupported(&bundle.workflow));
        let hash = match bundle.hash() {
            Ok(hash) => Some(hash),
            Err(error) => {
                problems.push(problem("workflow", &error));
                None
            }
        };
        let problems = Diagnostics::from(problems);
        if problems.has_errors() {
            return Err(problems);
        }
        let mut problems = Vec::new();
        let mut compiler = Compiler { problems: &mut problems };
        let plan = hash.and_then(|hash| compiler.plan(&bundle, hash));
        match plan {
            Some(plan) if problems.is_empty() => Ok(plan),
            _ => Err(Diagnostics::from(problems)),
        }
    }

    /// The bundle it was compiled from.
    pub fn bundle(&self) -> &Arc<Bundle> {
        &self.bundle
    }

    /// The bundle's hash.
    pub fn hash(&self) -> &BundleHash {
        &self.hash
    }

    /// The definition, with defaults filled in.
    pub fn workflow(&self) -> &Workflow {
        &self.bundle.workflow
    }

    /// The names of providers that are known before the run, each once.
    pub fn providers(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self
            .stages
            .iter()
            .flat_map(|stage| &stage.lanes)
            .filter_map(|lane| lane.literal.clone())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// The `timeout` and `idle_timeout` of a stage's attempts.
    pub fn timeouts(&self, stage: &StageId) -> (Option<Duration>, Option<Duration>) {
        self.stage(stage).map_or((None, None), |stage| (stage.timeout, stage.idle_timeout))
    }

    pub(crate) fn stage(&self, id: &StageId) -> Option<&StagePlan> {
        self.stages.get(*self.index.get(id)?)
    }

    /// The stage after `id`, where there is one.
    pub(crate) fn after(&self, id: &StageId) -> Option<&StagePlan> {
        self.stages.get(*self.index.get(id)? + 1)
    }
}

struct Compiler<'a> {
    problems: &'a mut Vec<Diagnostic>,
}

impl Compiler<'_> {
    fn plan(&mut self, bundle: &Arc<Bundle>, hash: BundleHash) -> Option<Plan> {
        let workflow = &bundle.workflow;
        let stages: Vec<_> = workflow.stages.iter().filter_map(|(id, stage)| self.stage(id, stage)).collect();
        let first = stages.first()?.id.clone();
        let repeat = match &workflow.repeat {
            None => None,
            Some(repeat) => Some(LoopPlan {
                max_iters: repeat.max_iters,
                fallback: repeat.fallback_next_stage.clone().unwrap_or(first),
                stop_when: self.keep("workflow.loop.stop_when", Condition::parse(&repeat.stop_when))?,
                on_exhausted: repeat.on_exhausted,
            }),
        };
        let min_iterations =
            workflow.stages.values().filter_map(|stage| stage.min_iterations).max().unwrap_or(0);
        let index = stages.iter().enumerate().map(|(n, stage)| (stage.id.clone(), n)).collect();
        let node = NodeId::new("run").ok()?;
        Some(Plan { bundle: bundle.clone(), hash, stages, index, repeat, min_iterations, node })
    }

    fn stage(&mut self, id: &StageId, stage: &Stage) -> Option<StagePlan> {
        let strategy = match (stage.mode.unwrap_or_default(), stage.parallel_strategy.unwrap_or_default()) {
            (Mode::Sequential, _) => Strategy::Sequential,
            (Mode::Parallel, ParallelStrategy::All) => Strategy::All,
            (Mode::Parallel, ParallelStrategy::Race) => Strategy::Race,
            (Mode::Parallel, ParallelStrategy::Majority) => Strategy::Majority,
        };
        let mut lanes = Vec::new();
        for (n, lane) in stage.providers.iter().enumerate() {
            let provider =
                self.keep(&format!("{id}.providers[{n}].provider"), Template::parse(&lane.provider))?;
            lanes.push(LanePlan {
                literal: provider.as_literal().map(Arc::from),
                provider,
                role: lane.role.as_ref().and_then(|role| RoleId::new(role).ok()),
                weight: lane.weight.unwrap_or(1),
            });
        }
        let when = match &stage.when {
            Some(text) => Some(self.keep(&format!("{id}.when"), Condition::parse(text))?),
            None => None,
        };
        let with = match &stage.with {
            Some(map) => {
                let value = serde_json::Value::Object(map.clone());
                Some(self.keep(&format!("{id}.with"), ValueTemplate::parse(&value))?)
            }
            None => None,
        };
        Some(StagePlan {
            id: id.clone(),
            lanes,
            strategy,
            on_failure: stage.on_failure.unwrap_or_default(),
            retries: stage.retries.unwrap_or(3),
            backoff: stage.retry_backoff.unwrap_or(Period::from_secs(5)).0,
            timeout: stage.timeout.map(|period| period.0),
            idle_timeout: stage.idle_timeout.map(|period| period.0),
            when,
            prompt: match &stage.prompt {
                Some(prompt) => Some(self.keep(&format!("{id}.prompt"), Template::parse(prompt))?),
                None => None,
            },
            inputs: stage
                .inputs
                .iter()
                .enumerate()
                .map(|(n, input)| self.keep(&format!("{id}.inputs[{n}]"), ValueTemplate::parse(input)))
                .collect::<Option<_>>()?,
            with,
            env: self.values(&format!("{id}.env"), &stage.env)?,
            cwd: match &stage.cwd {
                Some(cwd) => Some(self.keep(&format!("{id}.cwd"), Template::parse(cwd))?),
                None => None,
            },
            set: self.values(&format!("{id}.set"), &stage.set)?,
        })
    }

    fn values(
        &mut self,
        path: &str,
        values: &indexmap::IndexMap<String, serde_json::Value>,
    ) -> Option<Vec<(String, ValueTemplate)>> {
        values
            .iter()
            .map(|(name, value)| {
                let value = self.keep(&format!("{path}.{name}"), ValueTemplate::parse(value))?;
                Some((name.clone(), value))
            })
            .collect()
    }

    fn keep<T>(&mut self, path: &str, parsed: Result<T, SyntaxError>) -> Option<T> {
        parsed.map_err(|error| self.problems.push(problem(path, &error))).ok()
    }
}

fn problem(path: &str, error: &dyn std::error::Error) -> Diagnostic {
    Diagnostic::error("bad-expression", path, error.to_string())
}
