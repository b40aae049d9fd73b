//! What names of providers stand for, put into the definitions that use them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::providers::OF_STAGE;
use super::{Bundle, ProviderMap};
use crate::definition::model::{
    Diagnostic, Lane, Node, ProviderSetting, ProviderSettings, ReduceStrategy, RunNode, Stage, call_mut,
    each_node,
};

impl Bundle {
    /// The bundle with registered providers, of a run in which `map` replaces some of them: what a definition names is
    /// replaced first, and what a name stands for is replaced where the name itself is not. Default options are added to
    /// calls that do not have them. Also returns warnings about options that cannot be added.
    pub(crate) fn with_settings(
        self,
        map: &ProviderMap,
        settings: &ProviderSettings,
    ) -> (Self, Vec<Diagnostic>) {
        let recorded = self.replaced().then(map);
        // A name that stands for a provider that is replaced is replaced with it.
        let stands_for = settings.providers.iter().filter_map(|(name, setting)| {
            let other = map.one(setting.provider.as_deref()?)?;
            map.one(name).is_none().then_some((name.as_str(), other))
        });
        let map = map.iter().chain(stands_for).collect::<ProviderMap>();
        let mut bundle = if map.is_empty() { self } else { self.with_providers(&map) };
        bundle.record(&recorded);
        bundle.apply(settings)
    }

    /// The bundle, which has registered providers already, with other ones: as [`with_providers`](Self::with_providers),
    /// with what the new names stand for in the home, and their default options.
    #[must_use]
    pub fn with_providers_of(self, map: &ProviderMap, settings: &ProviderSettings) -> Self {
        let targets: BTreeSet<_> = map.iter().map(|(_, to)| to).collect();
        let of_targets = settings.providers.iter().filter(|(name, _)| targets.contains(name.as_str()));
        let providers = of_targets.map(|(name, setting)| (name.clone(), setting.clone())).collect();
        let mut bundle =
            self.with_providers(map).apply(&ProviderSettings { providers, with_command: Vec::new() }).0;
        for child in bundle.workflows.values_mut() {
            *child = Arc::new(Self::clone(child).with_providers_of(map, settings));
        }
        bundle
    }

    fn apply(mut self, settings: &ProviderSettings) -> (Self, Vec<Diagnostic>) {
        let mut warnings = Vec::new();
        if settings.is_empty() {
            return (self, warnings);
        }
        let mut is_dynamic = false;
        for (id, stage) in &mut self.workflow.stages {
            is_dynamic |= stage.providers.iter().any(|lane| is_expression(&lane.provider));
            match self.profiles.get_mut(id) {
                None => of_calls(stage, settings),
                Some(profile) => {
                    let common = common(&stage.providers, settings);
                    let mut inherits = false;
                    each_node(profile, |node| {
                        let Some(run) = caller(node) else { return };
                        let own = run.provider.clone().filter(|own| own != OF_STAGE);
                        is_dynamic |= own.as_deref().is_some_and(is_expression);
                        inherits |= own.is_none();
                        let setting = own.as_deref().map_or(common, |own| settings.get(own));
                        let Some(setting) = setting else { return };
                        of_node(run, own.is_some(), stage, setting);
                        if own.is_some() {
                            run.provider = Some(registered(setting, own));
                        }
                    });
                    let is_set = |lane: &Lane| settings.get(&lane.provider).is_some_and(has_options);
                    if inherits && common.is_none() && stage.providers.iter().any(is_set) {
                        let message = format!(
                            "the providers of `{id}` have different options in `config/providers.yml`, and its nodes \
                             share theirs: they are left out; name the provider on the nodes"
                        );
                        warnings.push(Diagnostic::warning("no-effect", format!("{id}.providers"), message));
                    }
                    for lane in &mut stage.providers {
                        replace(lane, settings);
                    }
                }
            }
        }
        if is_dynamic {
            let known = settings.providers.iter();
            self.settings.extend(known.map(|(name, setting)| (name.clone(), setting.clone())));
        }
        (self, warnings)
    }
}

/// What all lanes have, if it is the same.
fn common<'s>(lanes: &[Lane], settings: &'s ProviderSettings) -> Option<&'s ProviderSetting> {
    let mut found = lanes.iter().map(|lane| settings.get(&lane.provider));
    let first = found.next().flatten()?;
    let is_same = |other: Option<&ProviderSetting>| {
        other.is_some_and(|other| (&other.with, other.timeout) == (&first.with, first.timeout))
    };
    found.all(is_same).then_some(first)
}

/// The options of a stage without a graph, which are those of its lanes where these differ.
fn of_calls(stage: &mut Stage, settings: &ProviderSettings) {
    let is_only = stage.providers.len() == 1;
    for lane in &mut stage.providers {
        let Some(setting) = settings.get(&lane.provider) else { continue };
        let of_stage = is_only && lane.with.is_none();
        if !setting.with.is_empty() {
            let with = setting.merged(lane.with.take().or_else(|| stage.with.clone()));
            *(if of_stage { &mut stage.with } else { &mut lane.with }) = Some(with);
        }
        if let Some(timeout) = setting.timeout.filter(|_| lane.timeout.or(stage.timeout).is_none()) {
            *(if is_only { &mut stage.timeout } else { &mut lane.timeout }) = Some(timeout);
        }
        replace(lane, settings);
    }
}

/// The options of a node.
fn of_node(run: &mut RunNode, names_provider: bool, stage: &Stage, setting: &ProviderSetting) {
    if !setting.with.is_empty() {
        // What the node takes from its stage is for the provider of the stage.
        let of_stage = stage.with.as_ref().filter(|_| !names_provider);
        run.with = Some(setting.merged(run.with.take().or_else(|| of_stage.cloned())));
    }
    if run.timeout.or(stage.timeout).is_none() {
        run.timeout = setting.timeout;
    }
}

/// The call of a node, if it makes one.
fn caller(node: &mut Node) -> Option<&mut RunNode> {
    match node {
        Node::Reduce(reduce) if reduce.strategy != ReduceStrategy::Summarize => None,
        Node::Foreach(foreach) => caller(&mut foreach.run),
        node => call_mut(node),
    }
}

fn replace(lane: &mut Lane, settings: &ProviderSettings) {
    let registered = settings.registered(&lane.provider);
    if registered != lane.provider {
        lane.provider = registered.to_owned();
    }
}

fn registered(setting: &ProviderSetting, name: Option<String>) -> String {
    setting.provider.clone().or(name).unwrap_or_default()
}

fn has_options(setting: &ProviderSetting) -> bool {
    !setting.with.is_empty()
}

fn is_expression(name: &str) -> bool {
    name.contains("${")
}

impl Bundle {
    /// The registered provider for a name that an expression results in, if it is another one, and what is set for it.
    pub(crate) fn dynamic(&self, written: &str) -> (Option<&str>, Option<&ProviderSetting>) {
        let own = self.settings.get(written);
        let registered = own.and_then(|setting| setting.provider.as_deref());
        let one = |name: &str| self.providers.get(name).map(String::as_str);
        let other = one(written).or_else(|| one(registered?)).or_else(|| self.in_place_of(written));
        let Some(other) = other else { return (registered, own) };
        let setting = self.settings.get(other);
        (setting.and_then(|setting| setting.provider.as_deref()).or(Some(other)), setting)
    }
}
