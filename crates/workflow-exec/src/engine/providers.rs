//! Whether the providers that a definition names are registered, and take the options that they would get.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use workflow_core::bundle::{Bundle, ProviderMap};
use workflow_core::data::{self, Data};
use workflow_core::definition::{
    self, Diagnostic, Library, Profile, ProviderSettings, RunNode, Stage, Workflow,
};
use workflow_core::ids::{ProfileId, StageId, is_id};

use crate::panics::caught;
use crate::shared::Shared;

/// At most this many problems of providers are listed, because each is located in its file.
const MOST: usize = 50;

/// A provider of a stage.
struct Chosen<'a> {
    name: &'a str,
    by: By,
}

/// What chose it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Stage,
    Lane(usize),
    Assignments,
    /// The role recommends it.
    Role,
    /// The defaults that the host has for stages of that name.
    StageDefault,
    /// The provider of stages that name none.
    Host,
}

impl Chosen<'_> {
    fn path(&self, stage: &StageId) -> String {
        match self.by {
            By::Lane(lane) => format!("{stage}.providers[{lane}].provider"),
            _ => format!("{stage}.provider"),
        }
    }

    /// Why the stage has this provider, if it does not name it itself.
    fn why(&self, stage: &StageId) -> String {
        let from = match self.by {
            By::Stage | By::Lane(_) => return String::new(),
            By::Assignments => "from the assignments of the home",
            By::Role => "which its role recommends",
            By::StageDefault => "the default for stages of that name",
            By::Host => "the default provider",
        };
        let name = self.name;
        format!(
            " (`{stage}` names no provider and gets `{name}`, {from}: write `provider: NAME` at the stage)"
        )
    }
}

impl Shared {
    /// All problems of the providers of a workflow.
    pub(crate) fn check_providers(&self, workflow: &Workflow, library: &Library) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for (id, stage) in &workflow.stages {
            let profile = self.profile(id, stage, library);
            // A profile that was not looked up may take any options.
            let is_simple = || stage.profile.as_deref().is_none_or(|profile| profile == "simple");
            let mut checked = Vec::new();
            for chosen in self.chosen(id, stage, library) {
                let own = match chosen.by {
                    By::Lane(n) => stage.providers.get(n).and_then(|lane| Some((n, lane.with.as_ref()?))),
                    _ => None,
                };
                if chosen.name.contains("${") || (own.is_none() && checked.contains(&chosen.name)) {
                    continue;
                }
                if own.is_none() {
                    checked.push(chosen.name);
                }
                if let Some(problem) = self.unknown_behind(chosen.name, library) {
                    problems.push(problem);
                } else if !self.is_there(chosen.name, library) {
                    if is_unreadable(library) {
                        continue;
                    }
                    let unknown = self.unknown_provider_among(chosen.name, &library.providers);
                    let message = format!("{unknown}{}", chosen.why(id));
                    let near = self.near_provider(chosen.name, &library.providers);
                    let near = near.filter(|_| matches!(chosen.by, By::Stage | By::Lane(_)));
                    let problem =
                        Diagnostic::error("unknown-provider", chosen.path(id), message).with_near(near);
                    let there = (chosen.by == By::Assignments)
                        .then(|| library.in_file("assignments", problem.clone()))
                        .flatten();
                    problems.push(there.unwrap_or(problem));
                } else if profile.as_ref().map_or_else(is_simple, |(_, profile)| inherits_options(profile)) {
                    let why = || chosen.why(id);
                    let with = own.map_or(stage.with.as_ref(), |(_, with)| Some(with));
                    let path = || match own {
                        Some((n, _)) => format!("{id}.providers[{n}].with"),
                        None => format!("{id}.with"),
                    };
                    problems.extend(self.check_with(chosen.name, with, library, path, why));
                }
            }
            if let Some((what, profile)) = profile {
                let found = self.check_nodes(id, stage, profile, library);
                problems.extend(found.into_iter().map(
                    |problem| match library.in_file(&what, problem.clone()) {
                        _ if problem.file.is_some() => problem,
                        Some(placed) => placed,
                        None => problem.in_file(&*what),
                    },
                ));
            }
        }
        // What is wrong in the settings of the home is said once, however many stages have it.
        let mut told = BTreeSet::new();
        problems.retain(|problem| match &problem.file {
            Some(file) => told.insert((file.clone(), problem.path.clone(), problem.message.clone())),
            None => true,
        });
        problems
    }

    /// Whether a name stands for a registered provider.
    fn is_there(&self, name: &str, library: &Library) -> bool {
        self.providers.contains_key(library.providers.registered(name))
    }

    /// That a name stands for a provider that is not registered, in the file of the home that says so.
    fn unknown_behind(&self, name: &str, library: &Library) -> Option<Diagnostic> {
        let settings = &library.providers;
        let registered = settings.registered(name);
        if registered == name || self.providers.contains_key(registered) {
            return None;
        }
        let path = format!("providers{}.provider", key(name));
        let no_others = ProviderSettings::default();
        let near = self.near_provider(registered, &no_others);
        let problem =
            Diagnostic::error("unknown-provider", path, self.unknown_provider(registered)).with_near(near);
        Some(library.in_file("providers", problem.clone()).unwrap_or(problem))
    }

    /// What is wrong with the options of a provider, together with those that the home sets for it.
    fn check_with(
        &self,
        name: &str,
        with: Option<&Map<String, Value>>,
        library: &Library,
        path: impl FnOnce() -> String,
        why: impl FnOnce() -> String,
    ) -> Option<Diagnostic> {
        let settings = &library.providers;
        let Some(setting) = settings.get(name).filter(|setting| !setting.with.is_empty()) else {
            return self.check_options(settings.registered(name), with, path, why);
        };
        let mut options = setting.with.clone();
        options.extend(with.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
        let why = || format!("{} (with the options of `{name}` in `config/providers.yml`)", why());
        let problem = self.check_options(settings.registered(name), Some(&options), path, why)?;
        if with.is_some_and(|with| !with.is_empty()) {
            return Some(problem);
        }
        let path = format!("providers{}.with", key(name));
        let placed = Diagnostic::error("bad-options", path, problem.message.clone());
        Some(library.in_file("providers", placed).unwrap_or(problem))
    }

    /// The providers of a stage's lanes.
    fn chosen<'a>(&'a self, id: &StageId, stage: &'a Stage, library: &'a Library) -> Vec<Chosen<'a>> {
        if !stage.providers.is_empty() {
            let lanes = stage.providers.iter().enumerate();
            return lanes.map(|(n, lane)| Chosen { name: &lane.provider, by: By::Lane(n) }).collect();
        }
        let assigned = library.assignments.stages.get(id).and_then(|stage| stage.provider.as_ref());
        let default = self.defaults.assignments.stages.get(id).and_then(|stage| stage.provider.as_ref());
        let chosen = |name: Option<&'a String>, by| Some(Chosen { name: name?, by });
        let of_role = || {
            let name = definition::recommended_provider(id, stage, &self.defaults, library)?;
            Some(Chosen { name, by: By::Role })
        };
        let found = chosen(stage.provider.as_ref(), By::Stage)
            .or_else(|| chosen(assigned, By::Assignments))
            .or_else(of_role)
            .or_else(|| chosen(default, By::StageDefault))
            .or_else(|| chosen(self.defaults.provider.as_ref(), By::Host));
        found.into_iter().collect()
    }

    /// The graph of a stage, if it has one.
    fn profile<'l>(
        &self,
        id: &StageId,
        stage: &Stage,
        library: &'l Library,
    ) -> Option<(String, &'l Profile)> {
        if library.profiles.is_empty() {
            return None;
        }
        let of = |profile: &str| {
            let key = (id.clone(), ProfileId::new(profile).ok()?);
            Some((format!("profile {id}.{profile}"), library.profiles.get(&key)?))
        };
        let assigned = library.assignments.stages.get(id).and_then(|stage| stage.profile.as_deref());
        let default = self.defaults.assignments.stages.get(id).and_then(|stage| stage.profile.as_deref());
        match stage.profile.as_deref().or(assigned) {
            Some(named) => of(named),
            None => default.and_then(of).or_else(|| of("simple")),
        }
    }

    /// Problems of the providers that nodes of a profile name, with their places in the profile.
    fn check_nodes(
        &self,
        id: &StageId,
        stage: &Stage,
        profile: &Profile,
        library: &Library,
    ) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for (path, run) in definition::calls_of(profile) {
            if problems.len() >= MOST {
                break;
            }
            match own_provider(run) {
                Some(name) if name.contains("${") => {}
                Some(name) if !self.is_there(name, library) => {
                    if is_unreadable(library) {
                        continue;
                    }
                    if let Some(problem) = self.unknown_behind(name, library) {
                        problems.push(problem);
                        continue;
                    }
                    let message = self.unknown_provider_among(name, &library.providers);
                    problems.push(Diagnostic::error("unknown-provider", format!("{path}.provider"), message));
                }
                Some(name) => {
                    let path = || format!("{path}.with");
                    problems.extend(self.check_with(name, run.with.as_ref(), library, path, String::new));
                }
                // The stage's own options have been checked.
                None if run.with.is_none() => {}
                None => {
                    let lanes = self.chosen(id, stage, library);
                    for chosen in lanes.iter().filter(|chosen| self.is_there(chosen.name, library)) {
                        let path = || format!("{path}.with");
                        let why = || chosen.why(id);
                        problems.extend(self.check_with(chosen.name, run.with.as_ref(), library, path, why));
                    }
                }
            }
        }
        problems
    }

    /// Problems of names to be replaced: each is registered, or one of the bundles has it.
    pub(crate) fn check_replaced_names(
        &self,
        bundles: &[&Bundle],
        map: &ProviderMap,
        settings: &ProviderSettings,
    ) -> Vec<Diagnostic> {
        let used: BTreeSet<_> = bundles.iter().flat_map(|bundle| names_in(bundle)).collect();
        let is_unknown = |name: &&str| {
            !self.providers.contains_key(*name) && !used.contains(name) && settings.get(name).is_none()
        };
        let problem = |name| {
            let used: Vec<_> = used.iter().copied().collect();
            let unknown = self.unknown_provider_among(name, settings);
            let message = format!("{unknown}; the workflow uses: {}", used.join(", "));
            Diagnostic::error("unknown-provider", "", message)
        };
        map.named().filter(is_unknown).map(problem).collect()
    }

    /// Problems of a bundle in which providers were replaced.
    pub(crate) fn check_replaced(
        &self,
        bundle: &Bundle,
        map: &ProviderMap,
        settings: &ProviderSettings,
    ) -> Vec<Diagnostic> {
        let is_known = |name: &str| self.providers.contains_key(name);
        let unknown = |path: String, name: &str| {
            Diagnostic::error("unknown-provider", path, self.unknown_provider_among(name, settings))
        };
        let others = map.iter().map(|(_, other)| settings.registered(other));
        let others: BTreeSet<_> = others.filter(|other| !is_known(other)).collect();
        if !others.is_empty() {
            return others.into_iter().map(|other| unknown(String::new(), other)).collect();
        }
        let mut problems = Vec::new();
        for (id, stage) in &bundle.workflow.stages {
            let profile = bundle.profiles.get(id);
            for (n, lane) in stage.providers.iter().enumerate().filter(|(_, lane)| is_name(&lane.provider)) {
                let field =
                    if stage.providers.len() == 1 { id.to_string() } else { format!("{id}.providers[{n}]") };
                if !is_known(&lane.provider) {
                    problems.push(unknown(format!("{field}.provider"), &lane.provider));
                } else if profile.is_none_or(inherits_options) {
                    let with = lane.with.as_ref().or(stage.with.as_ref());
                    problems.extend(self.check_options(
                        &lane.provider,
                        with,
                        || format!("{field}.with"),
                        String::new,
                    ));
                }
            }
            for (path, run) in profile.map(definition::calls_of).unwrap_or_default() {
                let own = own_provider(run);
                if let Some(name) = own.filter(|name| is_name(name) && !is_known(name)) {
                    problems.push(unknown(format!("{id}.{path}.provider"), name));
                }
                let lanes = stage.providers.iter().map(|lane| &*lane.provider).filter(|_| own.is_none());
                let names: BTreeSet<_> = own.into_iter().chain(lanes).filter(|name| is_known(name)).collect();
                for name in names.into_iter().filter(|_| run.with.is_some()) {
                    let path = || format!("{id}.{path}.with");
                    problems.extend(self.check_options(name, run.with.as_ref(), path, String::new));
                }
            }
        }
        problems.truncate(MOST);
        problems
    }

    fn check_options(
        &self,
        name: &str,
        with: Option<&Map<String, Value>>,
        path: impl FnOnce() -> String,
        why: impl FnOnce() -> String,
    ) -> Option<Diagnostic> {
        let provider = self.providers.get(name)?;
        let options = || with.cloned().map_or(Value::Null, Into::into);
        let options = match data::plain(options()) {
            Ok(options) => options,
            Err(_) if caught(|| provider.takes_exact_numbers()).unwrap_or(false) => {
                Data::new(&options()).value()
            }
            Err(error) => return Some(Diagnostic::error("bad-options", path(), error.to_string())),
        };
        let checked = caught(|| provider.check_options(&options));
        let checked = checked.unwrap_or_else(|panic| Err(format!("the provider panicked: {panic}")));
        let message = checked.err()?;
        Some(Diagnostic::error("bad-options", path(), format!("{message}{}", why())))
    }
}

/// Whether the text is a name, and no expression.
fn is_name(provider: &str) -> bool {
    !provider.contains("${")
}

/// Whether the settings of the home have errors: a name that is not registered may be among them.
fn is_unreadable(library: &Library) -> bool {
    library.problems.get("providers").is_some_and(|found| found.iter().any(Diagnostic::is_error))
}

/// A key in a path.
fn key(name: &str) -> String {
    if is_id(name) { format!(".{name}") } else { format!("[{}]", Value::from(name)) }
}

/// The names of the providers in a bundle.
fn names_in(bundle: &Bundle) -> impl Iterator<Item = &str> {
    let lanes = bundle.workflow.stages.values().flat_map(|stage| &stage.providers);
    let nodes =
        bundle.profiles.values().flat_map(definition::calls_of).filter_map(|(_, run)| own_provider(run));
    lanes.map(|lane| &*lane.provider).chain(nodes).filter(|name| is_name(name))
}

/// The provider that a node names itself.
fn own_provider(run: &RunNode) -> Option<&str> {
    run.provider.as_deref().filter(|provider| *provider != "${stage.provider}")
}

/// Whether a call of a graph has the options of its stage.
fn inherits_options(profile: &Profile) -> bool {
    definition::calls_of(profile).iter().any(|(_, run)| run.with.is_none() && own_provider(run).is_none())
}
