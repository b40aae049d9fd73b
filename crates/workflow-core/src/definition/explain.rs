//! Where the values come from that the stages of a workflow have when they run.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::draft::Draft;
use super::inherited::inherited;
use super::model::{Lane, Path, SourceRange, Stage, WorktreeSpec};
use super::resolve::{Defaults, recommended_provider};
use crate::bundle::Bundle;
use crate::ids::StageId;

/// A value that a stage has when it runs, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EffectiveValue {
    /// The stage; `workflow` for a value of the whole workflow.
    pub stage: StageId,
    /// The field: `provider`, `with.model`, `providers[1].role`.
    pub field: String,
    /// The value.
    pub value: Value,
    /// Where it comes from.
    pub from: ValueOrigin,
    /// Its position in the text of the workflow, if it is written there.
    pub range: Option<SourceRange>,
}

/// Where a value of a stage comes from. Of several, the first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ValueOrigin {
    /// The run replaces the provider.
    Run,
    /// The workflow: a value of the whole workflow.
    Workflow,
    /// The stage.
    Stage,
    /// `workflow.defaults`.
    Defaults,
    /// `config/assignments.yml`.
    Assignments,
    /// `config/providers.yml`: what the name of the provider stands for there.
    Providers,
    /// The role: the provider that it recommends.
    Role,
    /// The host, for stages of that name or for all.
    Host,
    /// The name of the stage: there is a role of that name.
    StageName,
    /// Nothing: it is what the field means where it is left out everywhere.
    BuiltIn,
}

impl ValueOrigin {
    /// The origin in a few words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Run => "replaced for this run",
            Self::Workflow => "the workflow",
            Self::Stage => "the stage",
            Self::Defaults => "workflow.defaults",
            Self::Assignments => "config/assignments.yml",
            Self::Providers => "config/providers.yml",
            Self::Role => "recommended by the role",
            Self::Host => "the host",
            Self::StageName => "the role with the name of the stage",
            Self::BuiltIn => "built in",
        }
    }
}

impl Draft {
    /// The values that the stages of `bundle`, to which the draft was resolved with `defaults`, have when they run.
    ///
    /// ```
    /// use workflow_core::definition::{self, Defaults, ValueOrigin};
    ///
    /// let text = "workflow: { id: demo, stages: [greet], defaults: { provider: demo, retries: 2 } }\ngreet: { retries: 1 }\n";
    /// let mut draft = definition::read(text.as_bytes(), None);
    /// let defaults = Defaults::default();
    /// let bundle = draft.resolve(&defaults).expect("no errors");
    /// let values = draft.explain(&bundle, &defaults);
    /// let from = |field: &str| values.iter().find(|value| value.field == field).map(|value| value.from);
    /// assert_eq!(from("provider"), Some(ValueOrigin::Defaults));
    /// assert_eq!(from("retries"), Some(ValueOrigin::Stage));
    /// assert_eq!(from("mode"), Some(ValueOrigin::BuiltIn));
    /// ```
    pub fn explain(&self, bundle: &Bundle, defaults: &Defaults) -> Vec<EffectiveValue> {
        let Some(workflow) = self.workflow() else { return Vec::new() };
        let mut values = Vec::new();
        if let Some(worktree) = &workflow.worktree {
            self.explain_worktree(worktree, &mut values);
        }
        for (id, resolved) in &bundle.workflow.stages {
            let Some(own) = workflow.stages.get(id) else { continue };
            let of_all = workflow.defaults.as_deref();
            let full = of_all.map_or_else(|| own.clone(), |defaults| own.or(defaults));
            let explained = Explained { draft: self, defaults, id, own, of_all, full };
            explained.stage(resolved, &mut values);
        }
        values
    }

    /// The worktree of each run.
    fn explain_worktree(&self, worktree: &WorktreeSpec, values: &mut Vec<EffectiveValue>) {
        let fields = [
            ("base", &worktree.base, "HEAD"),
            ("branch_prefix", &worktree.branch_prefix, WorktreeSpec::BRANCH_PREFIX),
        ];
        for (name, written, built_in) in fields {
            // No stage is called so.
            let Ok(stage) = StageId::new("workflow") else { return };
            let field = format!("worktree.{name}");
            let (value, from, range) = match written {
                Some(value) => {
                    (&**value, ValueOrigin::Workflow, self.range(&format!("workflow.worktree.{name}")))
                }
                None => (built_in, ValueOrigin::BuiltIn, None),
            };
            values.push(EffectiveValue { stage, field, value: value.into(), from, range });
        }
    }
}

/// A stage whose values are explained.
struct Explained<'e> {
    draft: &'e Draft,
    defaults: &'e Defaults,
    id: &'e StageId,
    /// As it is written.
    own: &'e Stage,
    /// What is written for all stages.
    of_all: Option<&'e Stage>,
    /// Both together.
    full: Stage,
}

impl Explained<'_> {
    fn stage(&self, resolved: &Stage, values: &mut Vec<EffectiveValue>) {
        let of_list = !self.full.providers.is_empty();
        let mut is_replaced = Vec::new();
        for (n, lane) in resolved.providers.iter().enumerate() {
            let field = |name: &str| {
                if of_list { format!("providers[{n}].{name}") } else { name.to_owned() }
            };
            let provider = field("provider");
            let from = self.provider(lane, n);
            is_replaced.push(from == ValueOrigin::Run);
            values.push(self.value(provider, lane.provider.as_str().into(), from));
            if let Some(role) = &lane.role {
                let is_own = self.full.providers.get(n).is_some_and(|lane| lane.role.is_some());
                let from = if is_own { self.written("providers") } else { self.role(role) };
                values.push(self.value(field("role"), role.as_str().into(), from));
            }
        }
        for (n, lane) in resolved.providers.iter().enumerate() {
            for (key, value) in lane.with.iter().flatten() {
                let field = Path::Root.key("providers").index(n).key("with").key(key).to_string();
                let from = self.option_of_lane(n, key, is_replaced[n]);
                values.push(self.value(field, value.clone(), from));
            }
            if let Some(timeout) = lane.timeout {
                let is_own = self.full.providers.get(n).is_some_and(|lane| lane.timeout.is_some());
                let from = if is_own { self.written("providers") } else { ValueOrigin::Providers };
                values.push(self.value(format!("providers[{n}].timeout"), timeout.to_string().into(), from));
            }
        }
        let is_replaced = is_replaced.contains(&true);
        let Ok(Value::Object(fields)) = serde_json::to_value(resolved) else { return };
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("provider" | "providers" | "role", _) => {}
                ("profile", value) => {
                    let from = self.profile(value.as_str().unwrap_or_default());
                    values.push(self.value(name, value, from));
                }
                ("with" | "env" | "set", Value::Object(entries)) => {
                    for (key, value) in entries {
                        let from = if name == "with" {
                            self.option(&key, is_replaced)
                        } else {
                            self.entry(&name, &key)
                        };
                        values.push(self.value(Path::Root.key(&name).key(&key).to_string(), value, from));
                    }
                }
                (_, value) => {
                    let from = match self.written(&name) {
                        ValueOrigin::BuiltIn if name == "timeout" => ValueOrigin::Providers,
                        from => from,
                    };
                    values.push(self.value(name, value, from));
                }
            }
        }
    }

    fn value(&self, field: String, value: Value, from: ValueOrigin) -> EffectiveValue {
        let path = format!("{}.{field}", self.id);
        let written = match from {
            ValueOrigin::Stage => Some(path),
            ValueOrigin::Defaults => {
                let tree = self.draft.source().map(|(_, tree)| tree);
                tree.and_then(|tree| inherited(tree, &path))
            }
            _ => None,
        };
        let range = written.and_then(|path| self.draft.range(&path));
        EffectiveValue { stage: self.id.clone(), field, value, from, range }
    }

    /// Where a field is written, or that it is nowhere.
    fn written(&self, field: &str) -> ValueOrigin {
        if fields_of(self.own).contains_key(field) {
            ValueOrigin::Stage
        } else if self.of_all.is_some_and(|of_all| fields_of(of_all).contains_key(field)) {
            ValueOrigin::Defaults
        } else {
            ValueOrigin::BuiltIn
        }
    }

    /// The same of an entry of a field that is merged.
    fn entry(&self, field: &str, key: &str) -> ValueOrigin {
        let own = fields_of(self.own);
        if own.get(field).is_some_and(|own| own.get(key).is_some()) {
            ValueOrigin::Stage
        } else {
            ValueOrigin::Defaults
        }
    }

    /// The same of an option of the provider. Those of a provider that was replaced are not those that are written.
    fn option(&self, key: &str, is_replaced: bool) -> ValueOrigin {
        let has = |stage: &Stage| stage.with.as_ref().is_some_and(|with| with.contains_key(key));
        if is_replaced || !has(&self.full) {
            return ValueOrigin::Providers;
        }
        if has(self.own) { ValueOrigin::Stage } else { ValueOrigin::Defaults }
    }

    /// The same of an option of one of several providers.
    fn option_of_lane(&self, n: usize, key: &str, is_replaced: bool) -> ValueOrigin {
        match self.full.providers.get(n).and_then(|lane| lane.with.as_ref()) {
            Some(own) if !is_replaced && own.contains_key(key) => self.written("providers"),
            Some(_) => ValueOrigin::Providers,
            None => self.option(key, is_replaced),
        }
    }

    fn provider(&self, lane: &Lane, n: usize) -> ValueOrigin {
        let library = self.draft.library();
        let assigned = library.assignments.stages.get(self.id).and_then(|stage| stage.provider.as_deref());
        let written = match self.full.providers.get(n) {
            Some(lane) => Some((lane.provider.as_str(), self.written("providers"))),
            None => self.full.provider.as_deref().map(|name| (name, self.written("provider"))),
        };
        let of_role = || recommended_provider(self.id, &self.full, self.defaults, library);
        let expected = written
            .or_else(|| assigned.map(|name| (name, ValueOrigin::Assignments)))
            .or_else(|| of_role().map(|name| (name, ValueOrigin::Role)));
        match expected {
            Some((name, from)) if name == lane.provider => from,
            Some((name, _)) if library.providers.registered(name) == lane.provider => ValueOrigin::Providers,
            Some(_) => ValueOrigin::Run,
            None => {
                let of_stage = self.defaults.assignments.stages.get(self.id);
                let of_stage = of_stage.and_then(|stage| stage.provider.as_ref());
                let host = of_stage.or(self.defaults.provider.as_ref());
                match host {
                    Some(host) if *host == lane.provider => ValueOrigin::Host,
                    Some(host) if library.providers.registered(host) == lane.provider => {
                        ValueOrigin::Providers
                    }
                    _ => ValueOrigin::Run,
                }
            }
        }
    }

    fn role(&self, role: &str) -> ValueOrigin {
        let (here, host) = (&self.draft.library().assignments, &self.defaults.assignments);
        let assigned = here.stages.get(self.id).and_then(|stage| stage.role.as_deref());
        let of_host = host.stages.get(self.id).and_then(|stage| stage.role.as_deref());
        match self.written("role") {
            ValueOrigin::BuiltIn if assigned == Some(role) => ValueOrigin::Assignments,
            ValueOrigin::BuiltIn if of_host == Some(role) => ValueOrigin::Host,
            ValueOrigin::BuiltIn => ValueOrigin::StageName,
            written => written,
        }
    }

    fn profile(&self, profile: &str) -> ValueOrigin {
        let (here, host) = (&self.draft.library().assignments, &self.defaults.assignments);
        let assigned = here.stages.get(self.id).and_then(|stage| stage.profile.as_deref());
        let of_host = host.stages.get(self.id).and_then(|stage| stage.profile.as_deref());
        match self.written("profile") {
            ValueOrigin::BuiltIn if assigned == Some(profile) => ValueOrigin::Assignments,
            ValueOrigin::BuiltIn if assigned.is_none() && of_host == Some(profile) => ValueOrigin::Host,
            written => written,
        }
    }
}

/// The fields that a stage has itself.
fn fields_of(stage: &Stage) -> Map<String, Value> {
    match serde_json::to_value(stage) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}
