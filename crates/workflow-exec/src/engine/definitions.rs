//! Turns definitions into plans: looks up what a workflow refers to, and checks all of it.

use std::borrow::Cow;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _, join_all};
use serde_json::Value;
use tracing::{error, warn};
use workflow_core::bundle::{Bundle, ProviderMap};
use workflow_core::catalog::{Catalog, CatalogError, Part, PartKind};
use workflow_core::definition::{
    self, CheckedBundle, Defaults, Diagnostic, Diagnostics, Draft, EffectiveValue, Library, Parsed,
    ProviderSettings, Workflow,
};
use workflow_core::ids::WorkflowId;
use workflow_core::plan::Plan;
use workflow_core::provider::{Checkup, Provider};

use crate::engine::Engine;
use crate::panics::{ask_catalog, caught, caught_async};
use crate::shared::Shared;
use workflow_core::runs::EngineError;

/// How deep workflows may run others.
const DEEPEST_WORKFLOWS: usize = 8;
/// How many workflows a workflow may run, with those that these run.
const MOST_WORKFLOWS: usize = 100;

/// The workflows that run each other, while they are looked up.
struct Nested<'c> {
    catalog: &'c dyn Catalog,
    /// The one that is run first, and each that the one before runs.
    trail: Vec<WorkflowId>,
    /// How many more may be run.
    left: usize,
}

impl Nested<'_> {
    /// Why the last of them cannot run another one, whatever that is.
    fn refusal(&mut self, id: &WorkflowId) -> Option<Diagnostic> {
        if let Some(first) = self.trail.iter().position(|known| known == id) {
            let cycle: Vec<_> = self.trail.iter().skip(first).chain([id]).map(WorkflowId::as_str).collect();
            let message = format!("the workflow `{id}` would run itself: {}", cycle.join(" → "));
            return Some(Diagnostic::error("workflow-cycle", "", message));
        }
        if self.trail.len() > DEEPEST_WORKFLOWS {
            let message = format!("workflows run others more than {DEEPEST_WORKFLOWS} deep");
            return Some(Diagnostic::error("too-deep", "", message));
        }
        let Some(left) = self.left.checked_sub(1) else {
            let message =
                format!("more than {MOST_WORKFLOWS} workflows would be run, with those that they run");
            return Some(Diagnostic::error("too-many", "", message));
        };
        self.left = left;
        None
    }
}

/// The result of checking a definition.
#[derive(Debug)]
pub struct Checked {
    /// The workflow, ready to be run, if there is no error.
    pub plan: Option<Arc<Plan>>,
    /// All errors and warnings, in the order of the text; those of other files are listed where the workflow
    /// refers to the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Engine {
    /// Parses, resolves and compiles a workflow from YAML that refers to no other file. Warnings go to the
    /// host's log; [`Engine::validate`] returns them.
    ///
    /// # Errors
    ///
    /// [`EngineError::Invalid`] with every problem of the definition.
    pub fn parse(&self, yaml: &str, id: &str) -> Result<Arc<Plan>, EngineError> {
        let id = WorkflowId::new(id).map_err(|error| {
            Diagnostics::from(vec![Diagnostic::error("bad-id", "workflow.id", error.to_string())])
        })?;
        self.finish(definition::read(yaml.as_bytes(), Some(&id)), &ProviderMap::default()).ready()
    }

    /// Resolves and compiles a workflow that refers to no file; checks it against the registered providers.
    ///
    /// # Errors
    ///
    /// [`EngineError::Invalid`] with every problem of the definition.
    pub fn prepare(&self, workflow: &Workflow) -> Result<Arc<Plan>, EngineError> {
        self.prepare_with(workflow, &Library::default())
    }

    /// Prepares a bundle: a workflow with the roles, profiles, schemas and skills that it refers to.
    ///
    /// # Errors
    ///
    /// [`EngineError::Invalid`] with every problem of the definition.
    pub fn prepare_with(&self, workflow: &Workflow, library: &Library) -> Result<Arc<Plan>, EngineError> {
        let checked = self.finish(Draft::built(workflow.clone(), library.clone()), &ProviderMap::default());
        Ok(checked.plan.ok_or_else(|| Diagnostics::from(checked.diagnostics))?)
    }

    /// Reads a definition and returns all its errors and warnings, with their places in the text: also those
    /// that only this engine can find, such as a provider that is not registered. Other files that it refers
    /// to are not looked up; [`Engine::check`] does that.
    pub fn validate(&self, text: &[u8], id: Option<&WorkflowId>) -> Parsed {
        let mut draft = definition::read(text, id);
        self.shared.report_providers(&mut draft);
        draft.check_alone(&self.shared.defaults);
        draft.into_parsed()
    }

    /// Reads a definition, looks up in the catalog what it refers to, and returns the errors and warnings of
    /// all of it.
    ///
    /// # Errors
    ///
    /// [`EngineError::Catalog`] when the catalog cannot be read.
    pub async fn check(&self, text: &[u8], id: Option<&WorkflowId>) -> Result<Checked, EngineError> {
        self.check_with(text, id, &ProviderMap::default()).await
    }

    /// Checks a definition for a run in which providers replace those that the definition names, as with
    /// [`StartRun::providers`](crate::StartRun::providers).
    ///
    /// # Errors
    ///
    /// [`EngineError::Catalog`] when the catalog cannot be read.
    pub async fn check_with(
        &self,
        text: &[u8],
        id: Option<&WorkflowId>,
        providers: &ProviderMap,
    ) -> Result<Checked, EngineError> {
        let mut draft = definition::read(text, id);
        // Also where it has errors itself.
        self.look_up(&mut draft).await?;
        Ok(self.finish(draft, providers))
    }

    /// Looks up in the catalog what a draft refers to. Without a catalog nothing is found.
    ///
    /// # Errors
    ///
    /// [`EngineError::Catalog`] when the catalog cannot be read.
    pub async fn look_up(&self, draft: &mut Draft) -> Result<(), EngineError> {
        if draft.workflow().is_none() {
            return Ok(());
        }
        if let Some(catalog) = &self.shared.catalog {
            return self.look_up_in(&**catalog, draft).await;
        }
        self.shared.add_provided_skills(draft);
        Ok(())
    }

    /// Looks up in another catalog what a draft refers to: in one that has parts which are to be added, for instance.
    ///
    /// # Errors
    ///
    /// [`EngineError::Catalog`] when the catalog cannot be read.
    pub async fn look_up_in(&self, catalog: &dyn Catalog, draft: &mut Draft) -> Result<(), EngineError> {
        let Some(workflow) = draft.workflow() else { return Ok(()) };
        let mut nested = Nested { catalog, trail: vec![workflow.id.clone()], left: MOST_WORKFLOWS };
        self.look_up_nested(&mut nested, draft).await
    }

    /// The same for a workflow that others run, as `nested` tells.
    fn look_up_nested<'a>(
        &'a self,
        nested: &'a mut Nested<'_>,
        draft: &'a mut Draft,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        async move {
            if draft.workflow().is_none() {
                return Ok(());
            }
            ask_catalog(look_up(nested.catalog, draft, &self.shared.defaults)).await?;
            self.shared.add_provided_skills(draft);
            for id in draft.workflows() {
                let found = match nested.refusal(&id) {
                    Some(problem) => Err(problem),
                    None => self.nested_draft(nested, &id).await?,
                };
                draft.give_workflow(id, found);
            }
            Ok(())
        }
        .boxed()
    }

    /// A workflow that a node runs, with what it refers to looked up, or why it cannot be used.
    async fn nested_draft(
        &self,
        nested: &mut Nested<'_>,
        id: &WorkflowId,
    ) -> Result<Result<Draft, Diagnostic>, EngineError> {
        let document = match ask_catalog(nested.catalog.get(id)).await {
            Ok(document) => document,
            Err(EngineError::Catalog(CatalogError::NotFound(_))) => {
                let known = ask_catalog(nested.catalog.list()).await?;
                let known = known.iter().map(|known| known.id.as_str());
                let near = definition::nearest(id.as_str(), known);
                let told = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                let message = format!("there is no workflow `{id}`{told}");
                return Ok(Err(Diagnostic::error("missing-workflow", "", message).with_near(near)));
            }
            Err(EngineError::Catalog(CatalogError::Invalid(message))) => {
                return Ok(Err(Diagnostic::error("bad-workflow", "", message)));
            }
            Err(error) => return Err(error),
        };
        let mut draft = definition::read(document.text.as_bytes(), Some(id));
        nested.trail.push(id.clone());
        let looked_up = self.look_up_nested(nested, &mut draft).await;
        nested.trail.pop();
        looked_up.map(|()| Ok(draft))
    }

    /// The names of the registered providers, in order, with the schemas of their options, where they have one.
    pub fn providers(&self) -> Vec<(&str, Option<Value>)> {
        let mut providers: Vec<_> = self.shared.providers.iter().collect();
        providers.sort_unstable_by_key(|(name, _)| *name);
        let schema = |provider: &dyn Provider| caught(|| provider.options_schema()).ok().flatten();
        providers.into_iter().map(|(name, provider)| (&**name, schema(&**provider))).collect()
    }

    /// What the providers that drive programs report about them, by name: all are asked at the same time. A provider that
    /// panics reports nothing.
    pub async fn checkups(&self) -> Vec<(&str, Checkup)> {
        let asked = self.shared.providers.iter().map(|(name, provider)| async move {
            let checkup = caught_async(provider.checkup()).await;
            checkup.ok().flatten().map(|checkup| (&**name, checkup))
        });
        let mut checkups: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
        checkups.sort_unstable_by_key(|(name, _)| *name);
        checkups
    }

    /// The names of the secrets that a plan needs, for which it has no default, and that are not known here.
    pub fn missing_secrets(&self, plan: &Plan) -> Vec<String> {
        let needed = plan.secrets().filter(|(_, stages)| !stages.is_empty());
        needed.filter(|(name, _)| !self.shared.has_secret(name)).map(|(name, _)| name.to_owned()).collect()
    }

    /// The provider of stages that name none, where the host has set one.
    pub fn default_provider(&self) -> Option<&str> {
        self.shared.defaults.provider.as_deref()
    }

    /// The values that the stages of a plan have, which a draft was resolved to, and where they come from.
    pub fn explain(&self, draft: &Draft, plan: &Plan) -> Vec<EffectiveValue> {
        draft.explain(plan.bundle(), &self.shared.defaults)
    }

    /// Resolves and compiles a draft when everything was [looked up](Engine::look_up), and returns its errors
    /// and warnings. `providers` replace those that it names.
    pub fn finish(&self, draft: Draft, providers: &ProviderMap) -> Checked {
        self.finish_for(draft, providers, true)
    }

    /// The same; the names that are replaced are only checked for a new run, because a newer definition need not have them.
    fn finish_for(&self, mut draft: Draft, providers: &ProviderMap, is_new: bool) -> Checked {
        let nested = self.finish_nested(&mut draft, providers);
        let bundle = if providers.is_empty() {
            self.shared.report_providers(&mut draft);
            draft.resolve(&self.shared.defaults)
        } else {
            self.shared.resolve_with(&mut draft, providers, is_new)
        };
        let mut diagnostics = draft.finish();
        diagnostics.extend(nested);
        let bundle = bundle.filter(|_| !diagnostics.iter().any(Diagnostic::is_error));
        let plan = match bundle.map(Plan::compile) {
            Some(Ok(plan)) => Some(self.shared.remember(Arc::new(plan))),
            Some(Err(Diagnostics(refused))) => {
                diagnostics.extend(refused);
                None
            }
            None => None,
        };
        Checked { plan, diagnostics }
    }

    /// Resolves and compiles the workflows that nodes of a draft run, and returns their errors.
    fn finish_nested(&self, draft: &mut Draft, providers: &ProviderMap) -> Vec<Diagnostic> {
        let mut errors = Vec::new();
        for (id, nested) in draft.take_workflows() {
            // The names that are replaced are checked with the workflow that is run first.
            let Checked { plan, diagnostics } = self.finish_for(nested, providers, false);
            if let Some(plan) = plan {
                draft.add_workflow(id, Ok(plan.bundle().clone()));
                continue;
            }
            let found: Vec<_> = diagnostics.into_iter().filter(Diagnostic::is_error).collect();
            // Those of workflows that this one runs are told by their own.
            let of_others = |error: &&Diagnostic| error.code == "bad-workflow";
            let own = found.iter().filter(|error| !of_others(error));
            let first = own.clone().next().or(found.first());
            let first = first.map(|first| first.message.clone()).unwrap_or_default();
            let more = match own.count().saturating_sub(1) {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            let message = format!("the workflow `{id}` has errors: {first}{more}");
            draft.add_workflow(id.clone(), Err(Diagnostic::error("bad-workflow", "", message)));
            errors.extend(found.into_iter().map(|error| match error.file {
                Some(_) => error,
                None => error.in_file(format!("workflow {id}")),
            }));
        }
        errors
    }

    /// Looks a workflow up in the catalog, with what it refers to, and prepares it. Warnings go to the host's
    /// log.
    ///
    /// # Errors
    ///
    /// [`EngineError::NoCatalog`], [`EngineError::Catalog`], or [`EngineError::Invalid`].
    pub async fn load(&self, workflow: &WorkflowId) -> Result<Arc<Plan>, EngineError> {
        self.load_with(workflow, &ProviderMap::default()).await
    }

    /// Loads a workflow for a run in which providers replace those that the definition names.
    ///
    /// # Errors
    ///
    /// As for [`load`](Engine::load).
    pub async fn load_with(
        &self,
        workflow: &WorkflowId,
        providers: &ProviderMap,
    ) -> Result<Arc<Plan>, EngineError> {
        self.finish_for(self.draft(workflow).await?, providers, true).ready()
    }

    /// Loads the newer definition for a run that has `old`, with the same providers replaced.
    ///
    /// # Errors
    ///
    /// As for [`load`](Engine::load).
    pub async fn load_as(&self, workflow: &WorkflowId, old: &Bundle) -> Result<Arc<Plan>, EngineError> {
        self.finish_for(self.draft(workflow).await?, &old.replaced(), false).ready()
    }

    /// A workflow of the catalog, with all that it refers to looked up.
    async fn draft(&self, workflow: &WorkflowId) -> Result<Draft, EngineError> {
        let catalog = self.shared.catalog.as_ref().ok_or_else(|| EngineError::NoCatalog(workflow.clone()))?;
        let document = match ask_catalog(catalog.get(workflow)).await {
            Err(EngineError::Catalog(CatalogError::NotFound(what))) => {
                let known = ask_catalog(catalog.list()).await?;
                let known = known.iter().map(|known| known.id.as_str());
                let near = definition::did_you_mean(workflow.as_str(), known);
                return Err(CatalogError::NotFound(format!("{what}{near}")).into());
            }
            found => found?,
        };
        let mut draft = definition::read(document.text.as_bytes(), Some(workflow));
        self.look_up(&mut draft).await?;
        Ok(draft)
    }

    /// Refuses names of providers to be replaced that are neither registered nor used in a bundle.
    pub(crate) fn check_replaced_names(
        &self,
        bundles: &[&Bundle],
        map: &ProviderMap,
        settings: &ProviderSettings,
    ) -> Result<(), EngineError> {
        let problems = self.shared.check_replaced_names(bundles, map, settings);
        if problems.is_empty() { Ok(()) } else { Err(Diagnostics::from(problems).into()) }
    }

    /// What names of providers stand for in the home.
    pub(crate) async fn provider_settings(&self) -> Result<ProviderSettings, EngineError> {
        let Some(catalog) = &self.shared.catalog else { return Ok(ProviderSettings::default()) };
        let Some(text) = ask_catalog(catalog.part(&Part::Providers)).await? else {
            return Ok(ProviderSettings::default());
        };
        let parsed = definition::parse_providers(text.text.as_bytes());
        let found = parsed.diagnostics.into_iter().map(|found| found.in_file(&*text.origin));
        parsed.settings.ok_or_else(|| Diagnostics::from(found.collect::<Vec<_>>()).into())
    }

    /// A plan in which providers replace others.
    pub(crate) fn plan_with(
        &self,
        bundle: &Bundle,
        map: &ProviderMap,
        settings: &ProviderSettings,
    ) -> Result<Arc<Plan>, EngineError> {
        let bundle = bundle.clone().with_providers_of(map, settings);
        let all = bundle.all();
        let problems: Vec<_> =
            all.into_iter().flat_map(|bundle| self.shared.check_replaced(bundle, map, settings)).collect();
        if !problems.is_empty() {
            return Err(Diagnostics::from(problems).into());
        }
        Ok(self.shared.remember(Arc::new(Plan::load(bundle)?)))
    }
}

impl Checked {
    /// The plan; warnings go to the host's log.
    fn ready(self) -> Result<Arc<Plan>, EngineError> {
        let Some(plan) = self.plan else { return Err(Diagnostics::from(self.diagnostics).into()) };
        for warning in &self.diagnostics {
            warn!(workflow = %plan.workflow().id, "{warning}");
        }
        Ok(plan)
    }
}

impl Shared {
    /// Adds the problems of the providers that a draft names.
    fn report_providers(&self, draft: &mut Draft) {
        if let Some(workflow) = draft.full_workflow() {
            let problems = self.check_providers(&workflow, draft.library());
            draft.report(problems);
        }
    }

    /// A bundle with providers in place of those that the definitions name.
    fn resolve_with(&self, draft: &mut Draft, map: &ProviderMap, is_new: bool) -> Option<CheckedBundle> {
        let mut defaults = Cow::Borrowed(&self.defaults);
        if defaults.provider.is_none() {
            // The options under `with` are for the provider that the stage would have without the
            // replacement.
            defaults.to_mut().provider = map.every().map(str::to_owned);
        }
        let bundle = draft.resolve_as_written(&defaults)?;
        let settings = &draft.library().providers;
        if is_new {
            let problems = self.check_replaced_names(&bundle.all(), map, settings);
            draft.report(problems);
        }
        let bundle = draft.set_providers(bundle, map)?;
        draft.report(self.check_replaced(&bundle, map, &draft.library().providers));
        Some(bundle)
    }

    /// Skills that the providers of a workflow have without the catalog.
    fn add_provided_skills(&self, draft: &mut Draft) {
        let has = |name: &String| {
            self.providers.values().any(|provider| {
                caught(|| provider.has_skill(name)).unwrap_or_else(|panic| {
                    error!(
                        panic,
                        skill = name.as_str(),
                        "a provider panicked when it was asked for its skills"
                    );
                    false
                })
            })
        };
        for name in draft.skills().into_iter().filter(has) {
            draft.provided_skill(name);
        }
    }
}

/// Looks up what a draft asks for.
async fn look_up(catalog: &dyn Catalog, draft: &mut Draft, defaults: &Defaults) -> Result<(), CatalogError> {
    let parts = catalog.parts(PartKind::Roles).await?;
    let role = |part| match part {
        Part::Role(id) => Some(id),
        _ => None,
    };
    let roles: Vec<_> = parts.into_iter().filter_map(role).collect();
    loop {
        let wanted = draft.wanted(defaults, &roles);
        if wanted.is_empty() {
            break;
        }
        for part in wanted {
            draft.give(&part, unless_invalid(catalog.part(&part).await)?);
        }
    }
    for name in draft.skills() {
        let found = unless_invalid(catalog.skill(&name).await)?;
        draft.give_skill(name, found);
    }
    Ok(())
}

/// What was found; a file that may not or cannot be read is an error of the definition, and not of the
/// catalog.
fn unless_invalid<T>(found: Result<T, CatalogError>) -> Result<Result<T, String>, CatalogError> {
    match found {
        Err(CatalogError::Invalid(message)) => Ok(Err(message)),
        found => found.map(Ok),
    }
}
