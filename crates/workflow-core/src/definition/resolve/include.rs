//! Profiles that have the nodes of others beside their own.

use std::collections::{BTreeMap, BTreeSet};

use super::library::Library;
use crate::definition::check::{NodeNames, look_up, validate_profile};
use crate::definition::model::{Diagnostic, Flat, Include, Profile, Workflow};
use crate::ids::{ProfileId, StageId};
use crate::suggest::did_you_mean;

type Key = (StageId, ProfileId);

/// The profiles that those of a library include.
pub(crate) fn includes(library: &Library) -> BTreeSet<Key> {
    let includes = library.profiles.values().flat_map(|profile| &profile.include);
    includes.filter_map(Include::key).collect()
}

/// Puts the nodes that profiles include into their graphs, and checks these. A profile with errors is taken out, as one is
/// that cannot be read.
pub(crate) fn include(library: &mut Library, workflow: Option<&Workflow>) {
    if library.profiles.values().all(|profile| profile.include.is_empty()) {
        return;
    }
    let written = library.profiles.clone();
    let including = written.iter().filter(|(_, profile)| !profile.include.is_empty());
    for (key, profile) in including {
        let what = name(key);
        let mut whole = Whole {
            library,
            written: &written,
            profile: Profile { include: Vec::new(), ..profile.clone() },
            files: vec![(0, what.clone())],
            seen: BTreeSet::from([key]),
            given: Vec::new(),
            problems: Vec::new(),
        };
        whole.add(&what, profile, &[]);
        whole.check_given();
        let Whole { profile, files, mut problems, .. } = whole;
        library.included.insert(what.clone(), files);
        let is_complete = !problems.iter().any(Diagnostic::is_error);
        // Otherwise a node that is missing would be an error at each place that names it.
        let found = if is_complete { validate_profile(&profile, workflow) } else { Vec::new() };
        problems.extend(found.into_iter().map(|found| placed(library, &what, found)));
        let mut told = library.problems.remove(&what).unwrap_or_default();
        for problem in problems {
            if !told.contains(&problem) {
                told.push(problem);
            }
        }
        if told.iter().any(Diagnostic::is_error) {
            library.profiles.remove(key);
        } else {
            library.profiles.insert(key.clone(), profile);
        }
        if !told.is_empty() {
            library.problems.insert(what, told);
        }
    }
}

/// A profile with the nodes that were included so far.
struct Whole<'l> {
    library: &'l Library,
    /// All profiles as they are written.
    written: &'l BTreeMap<Key, Profile>,
    profile: Profile,
    /// As [`Library::included`].
    files: Vec<(usize, String)>,
    seen: BTreeSet<&'l Key>,
    /// The names of nodes under `after`, each with its file and its path.
    given: Vec<(String, String, String)>,
    problems: Vec<Diagnostic>,
}

impl Whole<'_> {
    /// Adds what a profile includes, whose file is `what`. `after` has to end before any of it.
    fn add(&mut self, what: &str, profile: &Profile, after: &[String]) {
        for (n, include) in profile.include.iter().enumerate() {
            // Anything else was reported when the file was read.
            let Some(key) = include.key() else { continue };
            // One may stand alone.
            let path =
                if profile.include.len() == 1 { "include".to_owned() } else { format!("include[{n}]") };
            let named = &include.profile;
            let Some((key, included)) = self.written.get_key_value(&key) else {
                self.absent(what, &path, named);
                continue;
            };
            if !self.seen.insert(key) {
                let message =
                    format!("`{named}` is included twice, or includes itself: each profile is included once");
                self.tell(what, Diagnostic::error("duplicate-include", path, message));
                continue;
            }
            let file = name(key);
            let after: Vec<_> = after.iter().chain(&include.after).cloned().collect();
            let given =
                include.after.iter().map(|name| (what.to_owned(), format!("{path}.after"), name.clone()));
            self.given.extend(given);
            self.files.push((self.profile.graph.len(), file.clone()));
            let names = NodeNames::of(&Flat::of(&self.profile.graph));
            for node in Flat::of(&included.graph).iter() {
                let name = [Some(&node.id), node.out.as_ref()].into_iter().flatten();
                if let Some(name) = { name }.find(|name| names.place(name.as_str()).is_some()) {
                    let message = format!(
                        "`{named}` has a node `{name}`, and so has this profile: names of nodes are unique"
                    );
                    self.tell(what, Diagnostic::error("duplicate-node", &*path, message));
                }
            }
            for node in &included.graph {
                let mut node = node.clone();
                node.after.extend(after.iter().cloned());
                self.profile.graph.push(node);
            }
            for (name, value) in &included.vars {
                self.profile.vars.entry(name.clone()).or_insert_with(|| value.clone());
            }
            self.problems.extend(self.library.problems.get(&file).cloned().unwrap_or_default());
            self.add(&file, included, &after);
        }
    }

    /// Reports names under `after` that are of no node.
    fn check_given(&mut self) {
        let flat = Flat::of(&self.profile.graph);
        let names = NodeNames::of(&flat);
        let given = std::mem::take(&mut self.given).into_iter();
        // As a node that is in no body can name them.
        let unknown = given.filter_map(|(what, path, name)| {
            let message = look_up(&name, &names, &flat, 0).err()?;
            Some((what, Diagnostic::error("dangling-node", path, message)))
        });
        for (what, problem) in unknown.collect::<Vec<_>>() {
            self.tell(&what, problem);
        }
    }

    /// Reports a profile that does not exist, or that has errors.
    fn absent(&mut self, what: &str, path: &str, named: &str) {
        if let Some(problems) = self.library.problems.get(&format!("profile {named}")) {
            self.problems.extend(problems.iter().cloned());
            return;
        }
        let known: Vec<_> = self.written.keys().map(|(stage, id)| format!("{stage}.{id}")).collect();
        let near = did_you_mean(named, known.iter().map(String::as_str));
        let message =
            format!("there is no profile `{named}`: write the file `workflows/stages/{named}.yml`{near}");
        self.tell(what, Diagnostic::error("missing-profile", path, message));
    }

    fn tell(&mut self, what: &str, problem: Diagnostic) {
        self.problems.push(placed(self.library, what, problem));
    }
}

/// A problem at its place in a file, where that was read.
fn placed(library: &Library, what: &str, problem: Diagnostic) -> Diagnostic {
    library.in_file(what, problem.clone()).unwrap_or_else(|| problem.in_file(what))
}

/// The file of a profile, as a library calls it.
fn name((stage, id): &Key) -> String {
    format!("profile {stage}.{id}")
}
