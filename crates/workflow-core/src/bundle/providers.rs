//! Providers in place of those that a definition names.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Bundle;
use crate::definition::model::{Lane, call_mut, each_node};

/// The name that stands for all providers that a [`ProviderMap`] does not name.
const ALL: &str = "*";
/// The provider of a node that has the one of its stage.
pub(super) const OF_STAGE: &str = "${stage.provider}";

/// Which providers make the calls of a run in place of those that its definition names: by the name that is replaced, with
/// `*` for all others.
///
/// ```
/// use workflow_core::bundle::ProviderMap;
///
/// let map = ProviderMap::from_iter([("codex", "gemini"), ("*", "demo")]);
/// assert_eq!(map.get("codex"), Some("gemini"));
/// assert_eq!(map.get("claude-code"), Some("demo"));
/// assert_eq!(ProviderMap::default().get("codex"), None);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ProviderMap(BTreeMap<String, String>);

impl ProviderMap {
    /// One provider in place of all.
    pub fn all(name: impl Into<String>) -> Self {
        Self::from_iter([(ALL, name)])
    }

    /// Whether it replaces none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The provider in place of `name`; `None` if it is not replaced.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).or_else(|| self.0.get(ALL)).map(String::as_str)
    }

    /// The provider in place of this one, if it is named.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The provider in place of all that are not named, if there is one.
    pub fn every(&self) -> Option<&str> {
        self.get(ALL)
    }

    /// The names that are replaced, with `*` for all others, and those in their place, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(from, to)| (from.as_str(), to.as_str()))
    }

    /// The names that are replaced one by one.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|name| *name != ALL)
    }

    /// The map that replaces as this one does, and then what results as `later` does.
    #[must_use]
    pub fn then(&self, later: &Self) -> Self {
        let last = |name: &str| later.get(name).unwrap_or(name).to_owned();
        let mut both: BTreeMap<_, _> = self.iter().map(|(from, to)| (from.to_owned(), last(to))).collect();
        if !self.0.contains_key(ALL) {
            for (from, to) in &later.0 {
                both.entry(from.clone()).or_insert_with(|| to.clone());
            }
        }
        Self(both)
    }

    /// What stands in the place of a provider as a definition names it. Names that an expression results in are replaced
    /// when they are known, unless all providers are replaced by one.
    fn in_place_of(&self, written: &str) -> Option<&str> {
        if written.contains("${") && self.named().next().is_some() { None } else { self.get(written) }
    }
}

impl<F: Into<String>, T: Into<String>> FromIterator<(F, T)> for ProviderMap {
    fn from_iter<I: IntoIterator<Item = (F, T)>>(names: I) -> Self {
        Self(names.into_iter().map(|(from, to)| (from.into(), to.into())).collect())
    }
}

impl Bundle {
    /// The bundle with other providers. Options under `with` are for the provider that they were written for, so they are left
    /// out where that is replaced. The map is a part of the bundle, so every process that drives the run, and every fork of
    /// the run, has the same providers.
    #[must_use]
    pub fn with_providers(mut self, map: &ProviderMap) -> Self {
        let mut changed = Vec::new();
        for (id, stage) in &mut self.workflow.stages {
            if let Some(name) = &mut stage.provider
                && replace(name, map)
            {
                stage.with = None;
                changed.push(id.clone());
            }
            let replaced: Vec<bool> = stage.providers.iter_mut().map(|lane| replace_in(lane, map)).collect();
            if !replaced.contains(&true) {
                continue;
            }
            if !replaced.contains(&false) {
                changed.push(id.clone());
            } else if self.profiles.contains_key(id) {
                // The lanes share the options. The check of the bundle finds those that a new provider does not take.
                continue;
            }
            for (lane, is_replaced) in stage.providers.iter_mut().zip(replaced) {
                if !is_replaced && lane.with.is_none() {
                    lane.with.clone_from(&stage.with);
                }
            }
            stage.with = None;
        }
        for (stage, profile) in &mut self.profiles {
            each_node(profile, |node| {
                let Some(run) = call_mut(node) else { return };
                let other = match run.provider.as_mut().filter(|own| *own != OF_STAGE) {
                    Some(own) => replace(own, map),
                    None => changed.contains(stage),
                };
                if other {
                    run.with = None;
                }
            });
        }
        self.record(&self.replaced().then(map));
        self
    }

    /// Remembers which providers were replaced.
    pub(super) fn record(&mut self, map: &ProviderMap) {
        self.provider = map.every().map(str::to_owned);
        self.providers =
            map.0.iter().filter(|(name, _)| *name != ALL).map(|(a, b)| (a.clone(), b.clone())).collect();
    }

    /// The provider in place of one that an expression results in.
    pub(crate) fn in_place_of(&self, name: &str) -> Option<&str> {
        if self.providers.is_empty() {
            // The expressions were replaced.
            return None;
        }
        self.providers.get(name).or(self.provider.as_ref()).map(String::as_str)
    }

    /// Which providers were replaced in the bundle.
    pub fn replaced(&self) -> ProviderMap {
        let all = self.provider.iter().map(|name| (ALL.to_owned(), name.clone()));
        ProviderMap(self.providers.clone().into_iter().chain(all).collect())
    }
}

fn replace_in(lane: &mut Lane, map: &ProviderMap) -> bool {
    let is_replaced = replace(&mut lane.provider, map);
    if is_replaced {
        lane.with = None;
    }
    is_replaced
}

/// Replaces a name, and returns whether it is another one now.
fn replace(name: &mut String, map: &ProviderMap) -> bool {
    match map.in_place_of(name) {
        Some(other) if other != name => {
            other.clone_into(name);
            true
        }
        _ => false,
    }
}
