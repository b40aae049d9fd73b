//! Exports: a workflow with everything that it refers to, as one YAML document.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value;

use super::draft::Draft;
use super::edit::{self, EditError};
use super::model::{Diagnostic, Diagnostics, Path, RunNode, Workflow, calls_of};
use super::read::Fields;
use super::report::Report;
use super::yaml::{self, Kind, NotWritable};
use crate::bundle::{Bundle, BundleHash};
use crate::catalog::part::{Part, is_schema_name};
use crate::ids::{ProfileId, RoleId, StageId, WorkflowId, is_id};

/// The version of the format of [`Export`]s that this crate writes.
pub const EXPORT_FORMAT: u64 = 1;

/// The largest export, in bytes.
const LARGEST: usize = 4 << 20;
/// The most workflows that nodes run, profiles, roles, schemas and skills of one kind.
const MOST: usize = 200;

/// A workflow with everything that it refers to, so that it runs the same in another home.
///
/// ```
/// use workflow_core::definition::Export;
///
/// let text = "\
/// workflow_export: 1
/// id: hello
/// workflow: |
///   workflow: { name: Hello, stages: [greet] }
///   greet: { provider: demo, role: greeter }
/// roles:
///   greeter: |
///     Say hello.
/// ";
/// let export = Export::from_yaml(text.as_bytes())?;
/// assert_eq!((export.id.as_str(), export.parts.len()), ("hello", 1));
/// # Ok::<(), workflow_core::definition::Diagnostics>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Export {
    /// The id of the workflow.
    pub id: WorkflowId,
    /// The hash of the bundle that it resolves to where it was exported, if that is known.
    pub bundle: Option<BundleHash>,
    /// The text of the workflow.
    pub workflow: String,
    /// The workflows that its nodes run, and that theirs run, with their texts.
    pub workflows: BTreeMap<WorkflowId, String>,
    /// The profiles, roles, schemas and skills that all of them use, with their texts.
    pub parts: Vec<(Part, String)>,
}

impl Export {
    /// An export of a workflow that was looked up and resolved to `bundle`, without skills. What the assignments
    /// and defaults say of its stages is written into its text: it runs the same where others are set. So it is with those that
    /// its nodes run.
    ///
    /// # Errors
    ///
    /// [`EditError`] when the text is written in a way that does not allow that.
    pub fn new(text: &str, draft: &Draft, bundle: &Bundle) -> Result<Self, EditError> {
        let workflow = match draft.workflow() {
            Some(written) => explicit(text, written, &bundle.workflow)?,
            None => text.to_owned(),
        };
        let mut parts = profiles(draft, bundle)?;
        let mut wanted = Vec::new();
        wanted.extend(bundle.roles.keys().map(|id| (format!("role {id}"), Part::Role(id.clone()))));
        let schemas = bundle.schemas.keys();
        wanted.extend(schemas.map(|name| (format!("schema {name}"), Part::Schema(name.clone()))));
        // Roles and schemas without a file come with the host.
        let files = &draft.library().files;
        parts.extend(
            wanted.into_iter().filter_map(|(what, part)| Some((part, files.get(&what)?.text.clone()))),
        );
        let mut export = Self {
            id: bundle.workflow.id.clone(),
            bundle: portable_hash(bundle),
            workflow,
            workflows: BTreeMap::new(),
            parts,
        };
        for (id, child) in &draft.workflows {
            let Some((text, bundle)) = child.text().zip(bundle.workflows.get(id)) else { continue };
            export.add(Self::new(text, child, bundle)?);
        }
        Ok(export)
    }

    /// Adds what a workflow that a node runs is exported with. What both have is of the same home, and so the same.
    fn add(&mut self, child: Self) {
        self.workflows.extend(child.workflows);
        self.workflows.insert(child.id, child.workflow);
        for (part, text) in child.parts {
            if self.parts.iter().all(|(known, _)| *known != part) {
                self.parts.push((part, text));
            }
        }
    }

    /// The text of an export. The same export always has the same text.
    ///
    /// # Errors
    ///
    /// [`NotWritable`] when it would be more than [`from_yaml`](Export::from_yaml) reads.
    pub fn to_yaml(&self) -> Result<String, NotWritable> {
        let text = self.written(yaml::literal);
        if self.is_read_from(&text).is_ok() {
            return Ok(text);
        }
        let text = self.written(|text, _| yaml::quoted(text));
        self.is_read_from(&text).map(|()| text).map_err(NotWritable::new)
    }

    fn is_read_from(&self, text: &str) -> Result<(), String> {
        let read = Self::from_yaml(text.as_bytes()).map_err(|problems| problems.to_string())?;
        let is_same = read.workflow == self.workflow
            && read.workflows == self.workflows
            && sorted(&read.parts) == sorted(&self.parts);
        if is_same { Ok(()) } else { Err("it would be read as something else".to_owned()) }
    }

    fn written(&self, content: impl Fn(&str, usize) -> String) -> String {
        let id = edit::plain(self.id.as_str());
        let mut text = format!(
            "# A workflow with everything that it refers to.\nworkflow_export: {EXPORT_FORMAT}\nid: {id}\n"
        );
        let bundle = self.bundle.as_ref();
        text.extend(bundle.map(|bundle| format!("bundle: {}\n", yaml::quoted(bundle.as_str()))));
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "workflow: {}", content(&self.workflow, 2));
        if !self.workflows.is_empty() {
            let _ = writeln!(text, "workflows:");
        }
        for (id, workflow) in &self.workflows {
            let _ = writeln!(text, "  {}: {}", edit::plain(id.as_str()), content(workflow, 4));
        }
        let mut section = "";
        for (key, name, part) in sorted(&self.parts) {
            if key != section {
                let _ = writeln!(text, "{key}:");
                section = key;
            }
            let _ = writeln!(text, "  {}: {}", edit::plain(&name), content(part, 4));
        }
        text
    }

    /// Reads the text of an export, which is not trusted: it is bounded in size, depth, number of values and number of
    /// parts, and names files only by ids, and schemas by names inside of a home.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn from_yaml(text: &[u8]) -> Result<Self, Diagnostics> {
        let (tree, problems) = yaml::read_up_to(text, LARGEST);
        let mut report =
            Report::new(tree.as_ref().map(|tree| (std::str::from_utf8(text).unwrap_or_default(), tree)));
        for problem in problems {
            report.yaml(problem);
        }
        let Some(tree) = &tree else { return Err(report.finish().into()) };
        let root = Path::Root;
        let mut fields = Fields::of(tree, &root, &mut report);
        match fields.count("workflow_export", &mut report) {
            Some(EXPORT_FORMAT) => {}
            Some(format) => {
                let message = format!(
                    "the export has format {format}, and this version reads format {EXPORT_FORMAT}: update it"
                );
                report.refuse("unknown-value", &root.key("workflow_export"), message);
            }
            None => {
                let message =
                    "this is not an export: `workflow_export` with the number of its format is missing";
                report.refuse("missing-field", &root.key("workflow_export"), message);
            }
        }
        let id = fields.text("id", &mut report).unwrap_or_default();
        let id =
            WorkflowId::new(&id).map_err(|error| report.refuse("bad-id", &root.key("id"), error.to_string()));
        let bundle = fields.text("bundle", &mut report).and_then(|hash| BundleHash::try_from(hash).ok());
        let workflow = fields.text("workflow", &mut report).unwrap_or_else(|| {
            report.refuse(
                "missing-field",
                &root.key("workflow"),
                "`workflow` with the text of the workflow is missing",
            );
            String::new()
        });
        if workflow.len() > yaml::MAX_BYTES {
            report.error("too-large", &root.key("workflow"), too_large(workflow.len()));
        }
        let (mut workflows, mut parts) = (BTreeMap::new(), Vec::new());
        for key in ["workflows", "profiles", "roles", "schemas", "skills"] {
            let path = root.key(key);
            let entries = fields.map(key, &mut report).unwrap_or_default();
            if entries.len() > MOST {
                report.error("too-large", &path, format!("there are more than {MOST} {key}"));
                continue;
            }
            for entry in entries {
                let path = path.key(&entry.key);
                let Kind::Scalar(_, Value::String(content)) = &entry.value.kind else {
                    report.error("wrong-type", &path, "the text of a file is expected here");
                    continue;
                };
                if content.len() > yaml::MAX_BYTES {
                    report.error("too-large", &path, too_large(content.len()));
                }
                if key == "workflows" {
                    match WorkflowId::new(&entry.key) {
                        Ok(other) if id.as_ref().is_ok_and(|id| *id == other) => {
                            report.error(
                                "duplicate-key",
                                &path,
                                "this is the workflow that the export is of",
                            );
                        }
                        Ok(other) => drop(workflows.insert(other, content.clone())),
                        Err(error) => report.error_at_key("bad-id", &path, entry.at, error.to_string(), None),
                    }
                    continue;
                }
                match part(key, &entry.key) {
                    Some(part) => parts.push((part, content.clone())),
                    None => report.error_at_key("bad-path", &path, entry.at, expected(key), None),
                }
            }
        }
        // What is not known would be missing silently.
        fields.finish_strict(&[], &mut report);
        let problems = report.finish();
        match id {
            Ok(id) if problems.is_empty() => Ok(Self { id, bundle, workflow, workflows, parts }),
            _ => Err(problems.into()),
        }
    }

    /// Whether two bundles are the same wherever their skills are.
    pub fn are_same(one: &Bundle, other: &Bundle) -> bool {
        portable_hash(one).is_some_and(|hash| portable_hash(other) == Some(hash))
    }

    /// Whether a bundle is the one that was exported, wherever its skills are. The id of a workflow is a part of it.
    pub fn is_same(&self, bundle: &Bundle) -> bool {
        self.bundle.is_some() && self.bundle == portable_hash(bundle)
    }

    /// The same workflow with another id. Those that its nodes run keep theirs.
    ///
    /// # Errors
    ///
    /// [`EditError`] when the id that its text contains cannot be changed by itself, or is that of one that its nodes run.
    pub fn with_id(self, id: WorkflowId) -> Result<Self, EditError> {
        if self.workflows.contains_key(&id) {
            let reason = "a workflow that its nodes run has this id";
            return Err(EditError::NotAlone { path: "id".to_owned(), reason });
        }
        Ok(Self { workflow: edit::with_id(&self.workflow, &id)?, id, ..self })
    }
}

/// The hash of a bundle as it is in every home: without the folders of its skills.
fn portable_hash(bundle: &Bundle) -> Option<BundleHash> {
    if bundle.all().iter().all(|bundle| bundle.skills.values().all(|skill| skill.folder.is_none())) {
        return bundle.hash().ok();
    }
    portable(bundle).hash().ok()
}

/// A bundle, and those in it, without the folders of skills. Workflows run others only so deep.
fn portable(bundle: &Bundle) -> Bundle {
    let mut bundle = bundle.clone();
    bundle.skills.values_mut().for_each(|skill| skill.folder = None);
    bundle.workflows.values_mut().for_each(|child| *child = Arc::new(portable(child)));
    bundle
}

/// The profiles of a bundle and those that they include, with what names of providers stand for in the home.
fn profiles(draft: &Draft, bundle: &Bundle) -> Result<Vec<(Part, String)>, EditError> {
    let library = draft.library();
    let mut texts = BTreeMap::new();
    for (stage, resolved) in &bundle.profiles {
        let profile = bundle.workflow.stages.get(stage).and_then(|stage| stage.profile.as_deref());
        let Ok(profile) = ProfileId::new(profile.unwrap_or("simple")) else { continue };
        let own = format!("profile {stage}.{profile}");
        let included = library.included.get(&own).into_iter().flatten().map(|(_, file)| file);
        for what in std::iter::once(&own).chain(included) {
            let text = library.files.get(what).map(|file| file.text.clone());
            texts.extend(text.filter(|_| !texts.contains_key(what)).map(|text| (what.clone(), text)));
        }
        let Some(written) = library.profiles.get(&(stage.clone(), profile)) else { continue };
        for ((path, written), (_, full)) in calls_of(written).into_iter().zip(calls_of(resolved)) {
            let (what, path) = library.written_in(&own, &path);
            let Some(text) = texts.get_mut(what) else { continue };
            explicit_node(text, &path, written, full)?;
        }
    }
    let part =
        |(what, text): (String, String)| Some((part("profiles", what.strip_prefix("profile ")?)?, text));
    Ok(texts.into_iter().filter_map(part).collect())
}

/// Writes what the name of the provider of a node stands for into the text of its file.
fn explicit_node(text: &mut String, path: &str, written: &RunNode, full: &RunNode) -> Result<(), EditError> {
    let mut set = |field: &str, value: Value| {
        *text = edit::set_field(text, &format!("{path}.{field}"), &value)?;
        Ok::<_, EditError>(())
    };
    if let Some(provider) = full.provider.clone().filter(|_| full.provider != written.provider) {
        set("provider", provider.into())?;
    }
    if let Some(with) = full.with.clone().filter(|_| full.with != written.with) {
        set("with", with.into())?;
    }
    if let Some(timeout) = full.timeout.filter(|_| full.timeout != written.timeout) {
        set("timeout", timeout.to_string().into())?;
    }
    Ok(())
}

/// The text of a workflow with what was filled in for its stages.
fn explicit(text: &str, written: &Workflow, resolved: &Workflow) -> Result<String, EditError> {
    let mut text = text.to_owned();
    for (id, stage) in &written.with_defaults().stages {
        let Some(full) = resolved.stages.get(id) else { continue };
        let stage_path = Path::Root.key(id.as_str());
        let mut set_at = |path: &Path<'_>, value: Option<Value>| {
            if let Some(value) = value {
                text = edit::set_field(&text, &path.to_string(), &value)?;
            }
            Ok::<_, EditError>(())
        };
        let lanes = stage_path.key("providers");
        for (n, (written, lane)) in stage.providers.iter().zip(&full.providers).enumerate() {
            let path = lanes.index(n);
            let is_other = lane.provider != written.provider;
            set_at(&path.key("provider"), is_other.then(|| lane.provider.as_str().into()))?;
            let with = lane.with.clone().filter(|_| lane.with != written.with);
            set_at(&path.key("with"), with.map(Value::from))?;
            let timeout = lane.timeout.filter(|_| lane.timeout != written.timeout);
            set_at(&path.key("timeout"), timeout.map(|timeout| timeout.to_string().into()))?;
        }
        let with = full.with.clone().filter(|_| full.with != stage.with);
        set_at(&stage_path.key("with"), with.map(Value::from))?;
        let timeout = full.timeout.filter(|_| full.timeout != stage.timeout);
        set_at(&stage_path.key("timeout"), timeout.map(|timeout| timeout.to_string().into()))?;
        let mut set =
            |field: &str, value: Option<&str>| set_at(&stage_path.key(field), value.map(Value::from));
        if stage.profile.is_none() {
            set("profile", full.profile.as_deref())?;
        }
        let provider = full.providers.first().map(|lane| lane.provider.as_str());
        if stage.providers.is_empty() && stage.provider.as_deref() != provider {
            set("provider", provider)?;
        }
        if stage.role.is_none() {
            let lanes = full.providers.iter().enumerate();
            let filled_in =
                lanes.filter(|(n, _)| stage.providers.get(*n).is_none_or(|lane| lane.role.is_none()));
            let role = { filled_in }.find_map(|(_, lane)| lane.role.as_deref());
            set("role", role)?;
        }
    }
    Ok(text)
}

/// The parts in the order in which they are written.
fn sorted(parts: &[(Part, String)]) -> Vec<(&'static str, String, &str)> {
    let written = parts.iter().filter_map(|(part, text)| {
        let (key, name) = named(part)?;
        Some((key, name, text.as_str()))
    });
    let mut sorted: Vec<_> = written.collect();
    sorted.sort();
    sorted
}

/// The mapping that a part is in, and its name there.
fn named(part: &Part) -> Option<(&'static str, String)> {
    match part {
        Part::Profile(stage, profile) => Some(("profiles", format!("{stage}.{profile}"))),
        Part::Role(id) => Some(("roles", id.to_string())),
        Part::Schema(name) => Some(("schemas", name.clone())),
        Part::Skill(name) => Some(("skills", name.clone())),
        Part::Assignments | Part::Providers | Part::Notifications => None,
    }
}

fn part(key: &str, name: &str) -> Option<Part> {
    match key {
        "profiles" => {
            let (stage, profile) = name.split_once('.')?;
            Some(Part::Profile(StageId::new(stage).ok()?, ProfileId::new(profile).ok()?))
        }
        "roles" => RoleId::new(name).ok().map(Part::Role),
        "schemas" => is_schema_name(name).then(|| Part::Schema(name.to_owned())),
        _ => is_id(name).then(|| Part::Skill(name.to_owned())),
    }
}

fn expected(key: &str) -> &'static str {
    match key {
        "profiles" => "a profile is named by its stage and its id here, as `test.deep`",
        "schemas" => "a schema is named by its file inside of the home, as `schemas/plan.json`, without `..`",
        _ => "a file is named by its id here: letters, digits, `-` and `_`",
    }
}

fn too_large(size: usize) -> String {
    format!("the text has {size} bytes: a file of a home has at most {}", yaml::MAX_BYTES)
}

impl From<EditError> for Diagnostic {
    fn from(error: EditError) -> Self {
        Self::error("bad-file", "", error.to_string())
    }
}
