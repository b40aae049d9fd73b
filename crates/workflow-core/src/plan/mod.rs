//! Plans: bundles compiled and checked, ready to be run.

mod call;
mod compile;
mod complete;
mod given;
mod graph;
mod role;
mod secrets;
mod variables;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use foldhash::HashMap;
use indexmap::IndexMap;

use self::compile::Compiler;
use crate::bundle::{Bundle, BundleHash, Skill};
use crate::data::Data;
use crate::definition::{self, Budget, Diagnostic, Diagnostics, Exhausted, OnFailure, Workflow};
use crate::expr::{Condition, Template, ValueTemplate};
use crate::ids::{NodePath, RoleId, StageId};

pub(crate) use call::{CallPlan, InputPlan};
pub(crate) use graph::{AskPlan, ForeachPlan, GraphPlan, Items, NodeKind, NodePlan, Source, Work};
pub(crate) use role::{RoleInput, RolePlan};

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
    pub(crate) roles: HashMap<RoleId, RolePlan>,
    /// Roles that only an expression could name and that this workflow cannot use, and why.
    pub(crate) unfit: HashMap<RoleId, String>,
    pub(crate) skills: HashMap<Arc<str>, Arc<Skill>>,
    secrets: secrets::Secrets,
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
    /// Where it is among the stages of the plan.
    pub place: usize,
    pub lanes: Vec<LanePlan>,
    pub strategy: Strategy,
    pub on_failure: OnFailure,
    pub retries: u32,
    pub backoff: Duration,
    pub when: Option<Condition>,
    /// What a person is asked before the stage.
    pub approval: Option<Template>,
    pub budget: Option<Budget>,
    /// What its nodes have for variables that the run does not have.
    pub vars: IndexMap<String, Data>,
    pub set: Vec<(String, ValueTemplate)>,
    pub work: Work,
}

#[derive(Debug)]
pub(crate) struct LanePlan {
    /// The provider's name where it is known before the run.
    pub literal: Option<Arc<str>>,
    pub provider: Template,
    pub role: Option<Template>,
    pub weight: u32,
    /// How it is called, where that is not as its stage says.
    pub call: Option<Box<CallPlan>>,
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
        problems.extend(complete::problems(&bundle));
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
        let mut compiler = Compiler {
            bundle: &bundle,
            problems: &mut problems,
            names: HashMap::default(),
            schemas: HashMap::default(),
        };
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
        let mut names = Vec::new();
        for stage in &self.stages {
            names.extend(stage.lanes.iter().filter_map(|lane| lane.literal.clone()));
            if let Work::Graph(graph) = &stage.work {
                let providers = graph.calls().filter_map(|call| call.provider.as_ref()?.as_literal());
                names.extend(providers.map(Arc::from));
            }
        }
        names.sort();
        names.dedup();
        names
    }

    /// Whether its calls have no other [providers](Self::providers): none is named by an expression, other than a node's
    /// by `${stage.provider}`.
    pub fn has_known_providers(&self) -> bool {
        let is_known = |call: &CallPlan| {
            let of_lane = |text: &Template| text.names().all(|name| name.as_str() == "stage.provider");
            call.provider.as_ref().is_none_or(|text| text.as_literal().is_some() || of_lane(text))
        };
        self.stages.iter().all(|stage| {
            let nodes = match &stage.work {
                Work::Graph(graph) => graph.calls().all(is_known),
                Work::Simple { call, .. } => is_known(call),
            };
            nodes && stage.lanes.iter().all(|lane| lane.literal.is_some())
        })
    }

    pub(crate) fn stage(&self, id: &StageId) -> Option<&StagePlan> {
        self.stage_named(id.as_str())
    }

    pub(crate) fn stage_named(&self, name: &str) -> Option<&StagePlan> {
        self.stages.get(*self.index.get(name)?)
    }
}

impl StagePlan {
    /// The call that the node at `path`, which is of this stage, makes.
    pub(crate) fn call(&self, path: &NodePath) -> Option<&CallPlan> {
        match &self.work {
            Work::Simple { id, call } => {
                let own = self.lanes.get(path.lane as usize).and_then(|lane| lane.call.as_ref());
                Some(&**own.unwrap_or(call)).filter(|_| path.items.is_empty() && (path.node == *id))
            }
            Work::Graph(graph) => graph.kind(&path.node, path.items.len())?.call(),
        }
    }
}

/// The names of roles that are known before the run.
fn known_roles(stages: &[StagePlan]) -> BTreeSet<&str> {
    let mut known = BTreeSet::new();
    for stage in stages {
        known.extend(stage.lanes.iter().filter_map(|lane| lane.role.as_ref()?.as_literal()));
        if let Work::Graph(graph) = &stage.work {
            known.extend(graph.calls().filter_map(|call| call.role.as_ref()?.as_literal()));
        }
    }
    known
}

fn problem(path: &str, error: &dyn std::error::Error) -> Diagnostic {
    Diagnostic::error("bad-expression", path, error.to_string())
}
