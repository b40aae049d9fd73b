//! From definitions to plans: what a workflow refers to is looked up, and all of it is checked.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use indexmap::IndexMap;
use tracing::{error, warn};
use workflow_core::bundle::Bundle;
use workflow_core::catalog::{Catalog, CatalogError, Part, PartKind};
use workflow_core::definition::{
    self, Assignments, Bundled, Defaults, Diagnostic, Diagnostics, Library, Parsed, SourceFile, Workflow,
};
use workflow_core::ids::{ProfileId, RoleId, StageId, WorkflowId};
use workflow_core::output_schema;
use workflow_core::plan::Plan;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::panics::{ask_catalog, caught};
use crate::shared::Shared;

/// What came of checking a definition.
#[derive(Debug)]
pub struct Checked {
    /// The workflow, ready to be run, when there is no error.
    pub plan: Option<Arc<Plan>>,
    /// Everything that is wrong or doubtful, in the order of the text; what is wrong with other files that
    /// the workflow refers to stands where it does.
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
        self.checked(yaml.as_bytes(), Some(&id), &Library::default(), None).ready()
    }

    /// Resolves and compiles a workflow that refers to no file; checks it against the registered providers.
    ///
    /// # Errors
    ///
    /// [`EngineError::Invalid`] with every problem of the definition.
    pub fn prepare(&self, workflow: &Workflow) -> Result<Arc<Plan>, EngineError> {
        self.prepare_with(workflow, &Library::default())
    }

    /// The same with the roles, profiles, schemas and skills that the workflow refers to.
    ///
    /// # Errors
    ///
    /// [`EngineError::Invalid`] with every problem of the definition.
    pub fn prepare_with(&self, workflow: &Workflow, library: &Library) -> Result<Arc<Plan>, EngineError> {
        let (bundle, mut problems) = self.shared.bundle(workflow, library, None);
        problems.extend(definition::validate(workflow));
        match bundle {
            Some(bundle) if !problems.iter().any(Diagnostic::is_error) => {
                Ok(self.shared.remember(Arc::new(Plan::compile(bundle)?)))
            }
            _ => Err(Diagnostics::from(problems).into()),
        }
    }

    /// Reads a definition and says everything that is wrong or doubtful about it, at its place in the
    /// text: also what only this engine knows, such as a provider that is not registered. What it refers to
    /// is not looked up; [`Engine::check`] does.
    pub fn validate(&self, text: &[u8], id: Option<&WorkflowId>) -> Parsed {
        definition::parse_with(text, id, |workflow| {
            let (_, problems) = self.shared.bundle(workflow, &Library::default(), None);
            problems.into_iter().filter(|problem| !problem.code.starts_with("missing-")).collect()
        })
    }

    /// Reads a definition, looks up in the catalog what it refers to, and says everything that is wrong or
    /// doubtful about all of it.
    ///
    /// # Errors
    ///
    /// [`EngineError::Catalog`] when the catalog cannot be read.
    pub async fn check(&self, text: &[u8], id: Option<&WorkflowId>) -> Result<Checked, EngineError> {
        self.check_with(text, id, None).await
    }

    /// The same for a run in which one provider replaces all that the definition names, as with
    /// [`StartRun::provider`](crate::StartRun::provider).
    ///
    /// # Errors
    ///
    /// [`EngineError::Catalog`] when the catalog cannot be read.
    pub async fn check_with(
        &self,
        text: &[u8],
        id: Option<&WorkflowId>,
        provider: Option<&str>,
    ) -> Result<Checked, EngineError> {
        // What it refers to is looked up also where it has errors itself.
        let mut read = None;
        definition::parse_with(text, id, |workflow| {
            read = Some(workflow.clone());
            Vec::new()
        });
        let library = match read {
            Some(workflow) => self.library(&workflow).await?,
            None => Library::default(),
        };
        Ok(self.checked(text, id, &library, provider))
    }

    /// Looks a workflow up in the catalog, with what it refers to, and prepares it. Warnings go to the host's
    /// log.
    ///
    /// # Errors
    ///
    /// [`EngineError::NoCatalog`], [`EngineError::Catalog`], or [`EngineError::Invalid`].
    pub async fn load(&self, workflow: &WorkflowId) -> Result<Arc<Plan>, EngineError> {
        self.load_with(workflow, None).await
    }

    /// The same for a run in which one provider replaces all that the definition names.
    ///
    /// # Errors
    ///
    /// As for [`load`](Engine::load).
    pub async fn load_with(
        &self,
        workflow: &WorkflowId,
        provider: Option<&str>,
    ) -> Result<Arc<Plan>, EngineError> {
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
        self.check_with(document.text.as_bytes(), Some(workflow), provider).await?.ready()
    }

    /// A plan in which one provider replaces all others.
    pub(crate) fn plan_with(&self, bundle: &Bundle, provider: &str) -> Result<Arc<Plan>, EngineError> {
        let bundle = bundle.clone().with_provider(provider);
        let problems = self.shared.check_replaced(&bundle, provider);
        if !problems.is_empty() {
            return Err(Diagnostics::from(problems).into());
        }
        Ok(self.shared.remember(Arc::new(Plan::compile(bundle)?)))
    }

    /// What the catalog has of what a workflow refers to. Nothing without a catalog.
    ///
    /// # Errors
    ///
    /// [`EngineError::Catalog`] when the catalog cannot be read.
    pub async fn library(&self, workflow: &Workflow) -> Result<Library, EngineError> {
        let mut library = Library::default();
        if let Some(catalog) = &self.shared.catalog {
            let mut loader = Loader {
                catalog: &**catalog,
                defaults: &self.shared.defaults,
                library: &mut library,
                broken: Vec::new(),
            };
            ask_catalog(loader.load(workflow)).await?;
        }
        self.shared.add_provided_skills(workflow, &mut library);
        Ok(library)
    }

    fn checked(
        &self,
        text: &[u8],
        id: Option<&WorkflowId>,
        library: &Library,
        provider: Option<&str>,
    ) -> Checked {
        let mut bundle: Option<Bundle> = None;
        let parsed = definition::parse_with(text, id, |workflow| {
            let (found, problems) = self.shared.bundle(workflow, library, provider);
            bundle = found;
            problems
        });
        let mut diagnostics = parsed.diagnostics;
        if parsed.workflow.is_none() || diagnostics.iter().any(Diagnostic::is_error) {
            return Checked { plan: None, diagnostics };
        }
        let plan = match bundle.map(Plan::compile) {
            Some(Ok(plan)) => Some(self.shared.remember(Arc::new(plan))),
            Some(Err(Diagnostics(refused))) => {
                let new = |new: &Diagnostic| {
                    !diagnostics.iter().any(|known| known.code == new.code && known.path == new.path)
                };
                let refused: Vec<_> = refused.into_iter().filter(new).collect();
                diagnostics.extend(refused);
                None
            }
            None => None,
        };
        Checked { plan, diagnostics }
    }
}

impl Checked {
    /// The plan; what is doubtful goes to the host's log.
    fn ready(self) -> Result<Arc<Plan>, EngineError> {
        let Some(plan) = self.plan else { return Err(Diagnostics::from(self.diagnostics).into()) };
        for warning in &self.diagnostics {
            warn!(workflow = %plan.workflow().id, "{warning}");
        }
        Ok(plan)
    }
}

impl Shared {
    /// A workflow with all that it refers to, and everything that is wrong or doubtful about it. `replacement` is
    /// the provider of all calls, whatever the definitions say.
    fn bundle(
        &self,
        workflow: &Workflow,
        library: &Library,
        replacement: Option<&str>,
    ) -> (Option<Bundle>, Vec<Diagnostic>) {
        let mut problems = Vec::new();
        let mut defaults = self.defaults.clone();
        match replacement {
            // What a stage has under `with` is for the provider that it would get.
            Some(name) => drop(defaults.provider.get_or_insert_with(|| name.to_owned())),
            None => problems = self.check_providers(workflow, library),
        }
        match definition::bundle(workflow, &defaults, library) {
            Ok(Bundled { bundle, warnings }) => {
                problems.extend(warnings);
                let Some(name) = replacement else { return (Some(bundle), problems) };
                let bundle = bundle.with_provider(name);
                problems.extend(self.check_replaced(&bundle, name));
                (Some(bundle), problems)
            }
            Err(Diagnostics(found)) => {
                // What the definition says by itself is said of the text.
                let known = definition::validate(workflow);
                let said = |found: &Diagnostic| {
                    found.file.is_none()
                        && known.iter().any(|known| known.code == found.code && known.path == found.path)
                };
                problems.extend(found.into_iter().filter(|found| !said(found)));
                (None, problems)
            }
        }
    }

    /// Skills that the providers of a workflow have by themselves.
    fn add_provided_skills(&self, workflow: &Workflow, library: &mut Library) {
        let names = skills(workflow, library);
        let has = |name: &&String| {
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
        let provided: Vec<_> = names.iter().filter(has).cloned().collect();
        library.provided_skills.extend(provided);
    }
}

/// Fetches what a workflow refers to.
struct Loader<'l> {
    catalog: &'l dyn Catalog,
    defaults: &'l Defaults,
    library: &'l mut Library,
    /// Roles with errors, and the schemas that they name.
    broken: Vec<(String, String)>,
}

impl Loader<'_> {
    async fn load(&mut self, workflow: &Workflow) -> Result<(), CatalogError> {
        if let Some(text) = self.text(&Part::Assignments, "assignments").await? {
            let parsed = definition::parse_assignments(text.text.as_bytes());
            self.keep_problems("assignments", &text.origin, parsed.diagnostics);
            self.library.assignments = parsed.assignments.unwrap_or_default();
        }
        for (id, stage) in &workflow.stages {
            let assigned = self.library.assignments.stages.get(id).and_then(|stage| stage.profile.clone());
            let default = self.defaults.assignments.stages.get(id).and_then(|stage| stage.profile.clone());
            let named = stage.profile.clone().or(assigned);
            // Where the default one does not exist, it is `simple`.
            let wanted = match named {
                Some(named) => vec![named],
                None => default.into_iter().chain(["simple".to_owned()]).collect(),
            };
            for profile in wanted.into_iter().filter_map(|profile| ProfileId::new(profile).ok()) {
                self.profile(id, profile, workflow).await?;
            }
        }
        self.roles(workflow).await?;
        self.schemas(workflow).await?;
        for name in skills(workflow, self.library) {
            match self.catalog.skill(&name).await {
                Ok(Some(skill)) => drop(self.library.skills.insert(name, skill)),
                Ok(None) => {}
                Err(CatalogError::Invalid(message)) => self.cannot_be_read(&format!("skill {name}"), message),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn profile(
        &mut self,
        stage: &StageId,
        profile: ProfileId,
        workflow: &Workflow,
    ) -> Result<(), CatalogError> {
        let what = format!("profile {stage}.{profile}");
        let part = Part::Profile(stage.clone(), profile.clone());
        let Some(text) = self.text(&part, &what).await? else { return Ok(()) };
        let parsed = definition::parse_profile(text.text.as_bytes(), Some(workflow));
        self.keep_problems(&what, &text.origin, parsed.diagnostics);
        if let Some(found) = parsed.profile {
            self.library.profiles.insert((stage.clone(), profile), found);
        }
        Ok(())
    }

    async fn roles(&mut self, workflow: &Workflow) -> Result<(), CatalogError> {
        let mut names = BTreeSet::new();
        for (id, stage) in &workflow.stages {
            let role =
                |assignments: &Assignments| assignments.stages.get(id).and_then(|stage| stage.role.clone());
            names.extend(
                [
                    stage.role.clone(),
                    role(&self.library.assignments),
                    role(&self.defaults.assignments),
                    Some(id.to_string()),
                ]
                .into_iter()
                .flatten(),
            );
            names.extend(stage.providers.iter().filter_map(|lane| lane.role.clone()));
        }
        for profile in self.library.profiles.values() {
            names.extend(definition::roles_of(profile).into_iter().map(|(_, role)| role.to_owned()));
        }
        names.remove("${stage.role}");
        let there = self.catalog.parts(PartKind::Roles).await?;
        let every = names.iter().any(|name| name.contains("${"));
        for part in there {
            let Part::Role(id) = &part else { continue };
            self.library.known_roles.insert(id.to_string());
            if names.contains(id.as_str()) {
                self.role(id, &part, Some(workflow)).await?;
            } else if every {
                // It may be for other workflows: what does not fit here is told when this one names it.
                self.role(id, &part, None).await?;
            }
        }
        Ok(())
    }

    async fn role(
        &mut self,
        id: &RoleId,
        part: &Part,
        workflow: Option<&Workflow>,
    ) -> Result<(), CatalogError> {
        let what = format!("role {id}");
        let Some(text) = self.text(part, &what).await? else { return Ok(()) };
        let parsed = match workflow {
            Some(workflow) => definition::parse_role_with(text.text.as_bytes(), Some(id), workflow),
            None => definition::parse_role(text.text.as_bytes(), Some(id)),
        };
        self.keep_problems(&what, &text.origin, parsed.diagnostics);
        if let Some(role) = parsed.role {
            self.library.roles.insert(id.clone(), role);
        } else if let Some(schema) = parsed.output_schema {
            self.broken.push((what, schema));
        }
        Ok(())
    }

    /// The schemas that are named, and those that they refer to; then what is wrong with each, which can be
    /// said when all are there.
    async fn schemas(&mut self, workflow: &Workflow) -> Result<(), CatalogError> {
        let mut open: VecDeque<String> = definition::schemas(workflow, self.library).into();
        open.extend(self.broken.iter().map(|(_, schema)| schema.clone()));
        let mut schemas = IndexMap::new();
        let mut texts = Vec::new();
        while let Some(name) = open.pop_front() {
            let what = format!("schema {name}");
            if schemas.contains_key(&name) || self.library.problems.contains_key(&what) {
                continue;
            }
            let Some(text) = self.text(&Part::Schema(name.clone()), &what).await? else { continue };
            match definition::read_schema(text.text.as_bytes()) {
                Ok(schema) => {
                    open.extend(output_schema::references(&name, &schema).unwrap_or_default());
                    schemas.insert(name.clone(), schema);
                    texts.push((name, text));
                }
                Err(diagnostics) => self.keep_problems(&what, &text.origin, diagnostics),
            }
        }
        for (name, text) in texts {
            let found = definition::check_schema(&name, text.text.as_bytes(), &schemas);
            self.keep_problems(&format!("schema {name}"), &text.origin, found);
        }
        self.library.schemas.extend(schemas);
        // A role that cannot be used refers to nothing: what is wrong with its schema is said with it.
        for (role, schema) in &self.broken {
            let found = self.library.problems.get(&format!("schema {schema}")).cloned();
            self.library.problems.entry(role.clone()).or_default().extend(found.into_iter().flatten());
        }
        Ok(())
    }

    /// The text of a part; what must not or cannot be read is a problem of the part.
    async fn text(
        &mut self,
        part: &Part,
        what: &str,
    ) -> Result<Option<workflow_core::catalog::Text>, CatalogError> {
        match self.catalog.part(part).await {
            Err(CatalogError::Invalid(message)) => {
                self.cannot_be_read(what, message);
                Ok(None)
            }
            Ok(Some(found)) => {
                let file = SourceFile { origin: found.origin.clone(), text: found.text.clone() };
                self.library.files.insert(what.to_owned(), file);
                Ok(Some(found))
            }
            found => found,
        }
    }

    /// Keeps that a file must not or cannot be read; the field that refers to it is told.
    fn cannot_be_read(&mut self, what: &str, message: String) {
        let problem = Diagnostic::error("bad-file", "", message);
        self.library.problems.insert(what.to_owned(), vec![problem]);
    }

    fn keep_problems(&mut self, what: &str, origin: &str, diagnostics: Vec<Diagnostic>) {
        if !diagnostics.is_empty() {
            let found = diagnostics.into_iter().map(|found| found.in_file(origin)).collect();
            self.library.problems.insert(what.to_owned(), found);
        }
    }
}

/// The skills that a workflow, its profiles and its roles name.
fn skills(workflow: &Workflow, library: &Library) -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        workflow.stages.values().flat_map(|stage| &stage.skills).cloned().collect();
    for profile in library.profiles.values() {
        names.extend(definition::calls_of(profile).into_iter().flat_map(|(_, run)| run.skills.clone()));
    }
    names.extend(library.roles.values().flat_map(|role| role.skills.clone()));
    names
}
