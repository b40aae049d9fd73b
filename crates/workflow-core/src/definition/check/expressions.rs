//! Checks the templates and conditions of a stage: whether they can be parsed, and whether the
//! names in them can exist.

use serde_json::Value;

use super::needs;
use crate::definition::model::{
    Flat, GraphNode, Node, OnFailure, Path, PromptTemplate, RunNode, Stage, Workflow, shorten,
};
use crate::definition::report::Report;
use crate::expr::{Condition, Name, Template};
use crate::ids::{StageId, is_id};
use crate::suggest::{did_you_mean, near_or_all, one_of};

/// When a template is rendered, which decides what it can name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// When a run starts.
    Start,
    /// To choose the provider and the role.
    Choice,
    /// For the call.
    Call,
    /// When the run completes, for its output. It is stored, too.
    Output,
    /// After the stage, to write variables. They are stored, so they never hold a secret.
    Set,
}

/// The keys that can follow a root.
#[derive(Clone, Copy)]
enum Keys {
    None,
    /// One of these.
    These(&'static [&'static str]),
    /// A name of the author's choice.
    Any,
    /// A stage, and then one of these.
    Stage(&'static [&'static str]),
    /// A node, and then a part of it.
    Node,
    /// A node in the body of the loop that the template is in.
    Previous,
    /// Anything: the root is a value by itself.
    Value,
}

/// Where a template is used.
pub(crate) enum TemplatePlace<'c> {
    /// In a stage.
    Stage(&'c Workflow),
    /// In a node of a graph, or in the body of a `foreach`.
    Node {
        names: &'c needs::NodeNames,
        graph: &'c Flat<'c>,
        workflow: Option<&'c Workflow>,
        /// The place of the node in the graph.
        at: usize,
        in_body: bool,
    },
}

/// What can be read of a node.
const OF_NODE: [&str; 5] = ["output", "status", "error", "errors", "iterations"];

impl TemplatePlace<'_> {
    /// Whether it is in the body of a loop.
    fn in_loop(&self) -> bool {
        matches!(self, Self::Node { graph, at, .. } if graph.repeat_of(*at).is_some())
    }

    /// The node of that name in the body of the loop, or the message that there is none.
    fn previous(&self, name: &str) -> Result<(), String> {
        let Self::Node { names, graph, at, .. } = self else { return Ok(()) };
        let repeat = graph.repeat_of(*at);
        let is_in_body = |place: usize| graph.owner_of(place).is_some() && graph.owner_of(place) == repeat;
        if names.place(name).is_some_and(is_in_body) {
            return Ok(());
        }
        let body = names.iter().filter(|(_, place)| is_in_body(*place));
        let mut known: Vec<_> = body.map(|(name, _)| name.as_str()).collect();
        known.sort_unstable();
        let near = near_or_all(name, known.into_iter());
        Err(format!("there is no node `{}` in the body of the loop{near}", shorten(name)))
    }

    fn workflow(&self) -> Option<&Workflow> {
        match self {
            Self::Stage(workflow) => Some(workflow),
            Self::Node { workflow, .. } => *workflow,
        }
    }
}

impl Moment {
    /// What a name can begin with, and continue with.
    fn roots(self, place: &TemplatePlace<'_>) -> Vec<(&'static str, Keys)> {
        let mut roots = self.of_stage().to_vec();
        if let TemplatePlace::Node { in_body, .. } = place {
            roots.push(("nodes", Keys::Node));
            if *in_body {
                roots.push(("item", Keys::Value));
            }
            if place.in_loop() {
                roots.push(("previous", Keys::Previous));
            }
            // The provider and the role of the lane are known before its nodes begin.
            for root in &mut roots {
                if root.0 == "stage" {
                    root.1 = Keys::These(&["id", "provider", "role"]);
                }
            }
        }
        roots
    }

    fn of_stage(self) -> &'static [(&'static str, Keys)] {
        const VARS: (&str, Keys) = ("vars", Keys::Any);
        const STAGES: (&str, Keys) = ("stages", Keys::Stage(&["output", "error", "results", "status"]));
        const ITERATION: (&str, Keys) = ("iteration", Keys::None);
        const RUN: (&str, Keys) = ("run", Keys::These(&["id", "workflow"]));
        const STAGE: (&str, Keys) = ("stage", Keys::These(&["id"]));
        const CALLED_STAGE: (&str, Keys) = ("stage", Keys::These(&["id", "provider", "role"]));
        match self {
            Self::Start => &[VARS],
            Self::Output => &[VARS, STAGES, ITERATION, RUN],
            Self::Choice => &[VARS, STAGES, STAGE, ITERATION, RUN],
            Self::Call => &[VARS, STAGES, CALLED_STAGE, ITERATION, RUN, ("secrets", Keys::Any)],
            Self::Set => &[VARS, STAGES, STAGE, ITERATION, RUN, ("output", Keys::Value)],
        }
    }
}

/// As deep as values are looked into.
const DEEPEST: usize = 64;

/// Checks all templates and the condition of a stage.
pub(crate) fn stage(stage: &Stage, workflow: &Workflow, path: &Path<'_>, report: &mut Report<'_>) {
    let place = TemplatePlace::Stage(workflow);
    let mut names = NameCheck { place: &place, moment: Moment::Choice, report };
    names.check_text(stage.provider.as_deref(), &path.key("provider"));
    names.check_text(stage.role.as_deref(), &path.key("role"));
    let lanes = path.key("providers");
    for (n, lane) in stage.providers.iter().enumerate() {
        let path = lanes.index(n);
        names.check_text(Some(&lane.provider), &path.key("provider"));
        names.check_text(lane.role.as_deref(), &path.key("role"));
    }
    // It is stored and shown, so it must not contain a secret.
    names.check_text(stage.approval.as_deref(), &path.key("approval"));
    names.moment = Moment::Call;
    names.check_prompt(stage.prompt.as_deref(), stage.template, &path.key("prompt"));
    names.check_text(stage.cwd.as_deref(), &path.key("cwd"));
    let inputs = path.key("inputs");
    for (n, input) in stage.inputs.iter().enumerate() {
        names.check_value(input, &inputs.index(n), DEEPEST);
    }
    names.check_values(stage.with.iter().flatten(), &path.key("with"));
    names.check_values(&stage.env, &path.key("env"));
    for (n, lane) in stage.providers.iter().enumerate() {
        let path = lanes.index(n);
        names.check_prompt(lane.prompt.as_deref(), stage.template, &path.key("prompt"));
        names.check_text(lane.cwd.as_deref(), &path.key("cwd"));
        names.check_values(lane.with.iter().flatten(), &path.key("with"));
        names.check_values(&lane.env, &path.key("env"));
    }
    set(&stage.set, &place, &path.key("set"), report);
    for (condition, key) in [(&stage.when, "when"), (&stage.end_when, "end_when")] {
        if let Some(condition) = condition {
            condition_at(condition, &place, &path.key(key), report);
        }
    }
}

/// Checks a text of a stage that chooses its provider or role.
pub(crate) fn choice(text: &str, workflow: &Workflow, path: &Path<'_>, report: &mut Report<'_>) {
    NameCheck { place: &TemplatePlace::Stage(workflow), moment: Moment::Choice, report }
        .check_text(Some(text), path);
}

/// Checks all templates of a call in a graph.
pub(crate) fn run(run: &RunNode, place: &TemplatePlace<'_>, path: &Path<'_>, report: &mut Report<'_>) {
    let mut names = NameCheck { place, moment: Moment::Choice, report };
    names.check_text(run.provider.as_deref(), &path.key("provider"));
    names.check_text(run.role.as_deref(), &path.key("role"));
    names.check_text(run.approval.as_deref(), &path.key("approval"));
    names.moment = Moment::Call;
    names.check_prompt(run.prompt.as_deref(), run.template, &path.key("prompt"));
    names.check_text(run.cwd.as_deref(), &path.key("cwd"));
    let inputs = path.key("inputs");
    for (n, input) in run.inputs.iter().enumerate() {
        names.check_value(input, &inputs.index(n), DEEPEST);
    }
    names.check_values(run.with.iter().flatten(), &path.key("with"));
    names.check_values(&run.env, &path.key("env"));
}

/// Checks the templates of a value that decides what is called or asked.
pub(crate) fn value(value: &Value, place: &TemplatePlace<'_>, path: &Path<'_>, report: &mut Report<'_>) {
    NameCheck { place, moment: Moment::Choice, report }.check_value(value, path, DEEPEST);
}

/// Checks the templates of the output of a run.
pub(crate) fn output(value: &Value, workflow: &Workflow, path: &Path<'_>, report: &mut Report<'_>) {
    NameCheck { place: &TemplatePlace::Stage(workflow), moment: Moment::Output, report }
        .check_value(value, path, DEEPEST);
}

/// Checks the template of a key that a run has from its start.
pub(crate) fn key_of_run(text: &str, workflow: &Workflow, path: &Path<'_>, report: &mut Report<'_>) {
    NameCheck { place: &TemplatePlace::Stage(workflow), moment: Moment::Start, report }
        .check_text(Some(text), path);
}

/// Checks the templates of variables to write.
pub(crate) fn set(
    set: &indexmap::IndexMap<String, Value>,
    place: &TemplatePlace<'_>,
    path: &Path<'_>,
    report: &mut Report<'_>,
) {
    NameCheck { place, moment: Moment::Set, report }.check_values(set, path);
}

/// Checks that a text is a condition.
pub(crate) fn condition(text: &str, path: &Path<'_>, report: &mut Report<'_>) {
    parsed(text, path, report);
}

fn parsed(text: &str, path: &Path<'_>, report: &mut Report<'_>) -> Option<Condition> {
    if text.trim().is_empty() {
        let message = format!("`{}` is empty: write a condition, as \"$.done == true\"", path.name());
        report.error("bad-expression", path, message);
        return None;
    }
    Condition::parse(text)
        .map_err(|error| report.error_in_text("bad-expression", path, error.offset, error.message))
        .ok()
}

/// Checks that a text is a condition, and that what it reads can exist where it is used.
pub(crate) fn condition_at(text: &str, place: &TemplatePlace<'_>, path: &Path<'_>, report: &mut Report<'_>) {
    let Some(condition) = parsed(text, path, report) else { return };
    for mut names in condition.queries() {
        match (names.next(), names.next(), place) {
            (Some("nodes"), Some(node), TemplatePlace::Node { names: known, graph, at, .. }) => {
                let place = match look_up(node, known, graph, *at) {
                    Ok(place) => place,
                    Err(message) => {
                        report.error("dangling-node", path, message);
                        continue;
                    }
                };
                let Some(part) = names.next() else { continue };
                if let Err(message) = part_of(node, graph.get(place), part) {
                    report.warning("unknown-name", path, message);
                } else if let Err(message) = failure_of(node, graph, place, part) {
                    report.warning("no-effect", path, message);
                }
            }
            (Some("previous"), Some(node), place) if place.in_loop() => {
                if let Err(message) = place.previous(node) {
                    report.error("dangling-node", path, message);
                }
            }
            (Some("item"), _, TemplatePlace::Node { in_body: false, .. }) => {
                let message = "`$.item` is known only in the `run` of a `foreach`";
                report.error("unknown-name", path, message);
            }
            (Some("stages"), Some(stage), _) => {
                if let Some(workflow) = place.workflow().filter(|w| !w.stages.contains_key(stage)) {
                    let near = near_stage(stage, workflow);
                    let message = format!("there is no stage `{}`{near}", shorten(stage));
                    report.error("dangling-stage", path, message);
                }
            }
            (Some(root), _, _) => root_of_query(root, place, path, report),
            _ => {}
        }
    }
}

/// A query for something that never exists is silently false, so it is reported.
fn root_of_query(root: &str, place: &TemplatePlace<'_>, path: &Path<'_>, report: &mut Report<'_>) {
    let mut known = vec!["vars", "stages", "iteration"];
    if let TemplatePlace::Node { in_body, .. } = place {
        known.insert(2, "nodes");
        known.extend(in_body.then_some("item"));
        known.extend(place.in_loop().then_some("previous"));
    }
    if !known.contains(&root) {
        let near = did_you_mean(root, known.iter().copied());
        let known: Vec<_> = known.iter().map(|root| format!("`$.{root}`")).collect();
        let message = format!("`$.{}` never exists: write {}{near}", shorten(root), known.join(", "));
        report.warning("unknown-name", path, message);
    }
}

/// Whether a node has a part: only a `foreach` has `errors`.
fn part_of(name: &str, node: Option<&GraphNode>, part: &str) -> Result<(), String> {
    match node {
        _ if !OF_NODE.contains(&part) => Err(no_such("part of a node", part, OF_NODE.iter().copied())),
        Some(node) if part == "errors" && !matches!(node.node, Node::Foreach(_)) => {
            Err(format!("only a `foreach` has `errors`, and `{}` is none: write `error`", shorten(name)))
        }
        Some(node) if part == "iterations" && !matches!(node.node, Node::Loop(_)) => {
            Err(format!("only a `loop` has `iterations`, and `{}` is none", shorten(name)))
        }
        _ => Ok(()),
    }
}

/// Whether a part of a node that tells of failures can ever tell one.
fn failure_of(name: &str, graph: &Flat<'_>, place: usize, part: &str) -> Result<(), String> {
    if !matches!(part, "error" | "errors") {
        return Ok(());
    }
    let says = |place| graph.get(place).and_then(|node| node.on_failure);
    let on_failure = says(place).or_else(|| says(graph.repeat_of(place)?));
    if on_failure != Some(OnFailure::Continue) {
        return Err(format!(
            "nothing starts after `{name}` has failed, so there is no `{part}` to read: write `on_failure: continue` \
             at `{name}`",
            name = shorten(name)
        ));
    }
    Ok(())
}

/// The place of the node that has a name and can be named at the place `at`, or the message that there is none, with the
/// one that was probably meant.
pub(crate) fn look_up(
    name: &str,
    names: &needs::NodeNames,
    graph: &Flat<'_>,
    at: usize,
) -> Result<usize, String> {
    let found = names.place(name);
    if let Some(place) = found.filter(|place| graph.sees(at, *place)) {
        return Ok(place);
    }
    let name = shorten(name);
    if let Some(owner) = found.and_then(|place| graph.get(graph.owner_of(place)?)) {
        let (id, what) = (&owner.id, if matches!(owner.node, Node::Loop(_)) { "loop" } else { "`foreach`" });
        return Err(format!(
            "`{name}` is in the body of the {what} `{id}`, and is known only there: name `{id}`"
        ));
    }
    let known = names.iter().filter(|(_, place)| graph.sees(at, *place));
    let mut known: Vec<_> = known.map(|(name, _)| name.as_str()).collect();
    known.sort_unstable();
    Err(format!("there is no node `{name}`{}", near_or_all(&name, known.into_iter())))
}

/// The stage that may have been meant, or all of them where they are few.
fn near_stage(name: &str, workflow: &Workflow) -> String {
    near_or_all(name, workflow.stages.keys().map(StageId::as_str))
}

/// Checks templates of one stage or node.
struct NameCheck<'c, 'r, 't> {
    place: &'c TemplatePlace<'c>,
    moment: Moment,
    report: &'r mut Report<'t>,
}

impl NameCheck<'_, '_, '_> {
    fn check_values<'v>(
        &mut self,
        values: impl IntoIterator<Item = (&'v String, &'v Value)>,
        path: &Path<'_>,
    ) {
        for (key, value) in values {
            self.check_value(value, &path.key(key), DEEPEST);
        }
    }

    /// Checks the templates in all texts of a value.
    fn check_value(&mut self, value: &Value, path: &Path<'_>, deeper: usize) {
        let Some(deeper) = deeper.checked_sub(1) else {
            return self.report.error(
                "too-deep",
                path,
                format!("values are nested more than {DEEPEST} deep"),
            );
        };
        match value {
            Value::String(text) => self.check_text(Some(text), path),
            Value::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    self.check_value(item, &path.index(n), deeper);
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    self.check_value(member, &path.key(key), deeper);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The same for a prompt, which is often written as if it were the template of a role.
    fn check_prompt(&mut self, text: Option<&str>, template: Option<PromptTemplate>, path: &Path<'_>) {
        if template == Some(PromptTemplate::Handlebars) {
            let Some(text) = text else { return };
            super::role::prompt(text, self.place.workflow(), self.place.in_loop(), path, self.report);
            if text.contains("${") {
                let message = "`${…}` stays as it is in a Handlebars template: write `{{…}}`";
                self.report.warning("no-effect", path, message);
            }
            return;
        }
        self.check_text(text, path);
        let Some(tag) = text.and_then(handlebars_tag) else { return };
        let name = match tag.strip_prefix("vars.").unwrap_or(tag) {
            name if is_id(name) => format!("write `${{vars.{name}}}`"),
            _ => "write `${…}`".to_owned(),
        };
        let message = format!(
            "`{{{{{}}}}}` stays as it is in a prompt: {name}, or `template: handlebars` beside the prompt",
            shorten(tag)
        );
        self.report.warning("no-effect", path, message);
    }

    fn check_text(&mut self, text: Option<&str>, path: &Path<'_>) {
        // A search for one character is much faster, and most texts have none.
        let Some(text) = text.filter(|text| text.contains('$') && text.contains("${")) else { return };
        match Template::parse(text) {
            Ok(template) => {
                for name in template.names() {
                    if self.report.is_full() {
                        return;
                    }
                    if let Err((code, message)) = self.check_name(name) {
                        self.report.error_in_text(code, path, name.offset(), message);
                    } else if let Err(message) = self.check_failure(name) {
                        self.report.warning_in_text("no-effect", path, name.offset(), message);
                    }
                }
            }
            Err(error) => self.report.error_in_text("bad-expression", path, error.offset, error.message),
        }
    }

    /// Checks a name that tells of a failure.
    fn check_failure(&self, name: &Name) -> Result<(), String> {
        let TemplatePlace::Node { names, graph, .. } = self.place else { return Ok(()) };
        let (Some(id), Some(part @ ("error" | "errors")), "nodes") =
            (name.segment(1), name.segment(2), name.root())
        else {
            return Ok(());
        };
        names.place(id).map_or(Ok(()), |place| failure_of(id, graph, place, part))
    }

    fn check_name(&self, name: &Name) -> Result<(), (&'static str, String)> {
        let roots = self.moment.roots(self.place);
        let root = name.root();
        let Some((_, keys)) = roots.iter().find(|(known, _)| *known == root) else {
            let message = match root {
                "stages" | "output" | "iteration" | "run" | "stage" | "secrets"
                    if self.moment == Moment::Start =>
                {
                    format!("`{root}` is not known when a run starts: only `vars` is")
                }
                "output" => "`output` is known only under `set`: write `stages.NAME.output`".to_owned(),
                "nodes" => "nodes are known only in the graph of a profile".to_owned(),
                "item" => "`item` is known only in the `run` of a `foreach`".to_owned(),
                "previous" => "`previous` is known only in the body of a loop".to_owned(),
                "secrets" => "secrets are known only to what a provider is called with".to_owned(),
                _ => {
                    let known = roots.iter().map(|(root, _)| *root);
                    let near = did_you_mean(root, known.clone());
                    format!("no name begins with `{}`: write {}{near}", shorten(root), one_of(known))
                }
            };
            return Err(("unknown-name", message));
        };
        let unknown = |message| Err(("unknown-name", message));
        match (keys, name.segment(1)) {
            (Keys::Value, _) | (Keys::None, None) | (Keys::Any, Some(_)) => Ok(()),
            (Keys::None, Some(_)) => unknown(format!("`{root}` has no parts: write `{root}` alone")),
            (Keys::Any, None) => unknown(format!("`{root}` needs a key, as in `{root}.x`")),
            (Keys::Stage(_), None) => unknown("`stages` needs the name of a stage after it".to_owned()),
            (Keys::Previous, Some(node)) => {
                self.place.previous(node).map_err(|message| ("dangling-node", message))
            }
            (Keys::Previous, None) => {
                unknown("`previous` needs the name of a node of the loop after it".to_owned())
            }
            (Keys::Node, None) => unknown("`nodes` needs the name of a node after it".to_owned()),
            (Keys::Node, Some(node)) => {
                let TemplatePlace::Node { names, graph, at, .. } = self.place else { return Ok(()) };
                let place = look_up(node, names, graph, *at).map_err(|message| ("dangling-node", message))?;
                let part = name.segment(2).map_or(Ok(()), |part| part_of(node, graph.get(place), part));
                part.or_else(unknown)
            }
            (Keys::Stage(fields), Some(stage))
                if self.place.workflow().is_none_or(|workflow| workflow.stages.contains_key(stage)) =>
            {
                match name.segment(2) {
                    Some(field) if !fields.contains(&field) => {
                        unknown(no_such("part of a stage", field, fields.iter().copied()))
                    }
                    _ => Ok(()),
                }
            }
            (Keys::Stage(_), Some(stage)) => {
                let near =
                    self.place.workflow().map(|workflow| near_stage(stage, workflow)).unwrap_or_default();
                Err(("dangling-stage", format!("there is no stage `{}`{near}", shorten(stage))))
            }
            (Keys::These(known), Some(key)) if known.contains(&key) => Ok(()),
            (Keys::These(known), None) => {
                unknown(format!("`{root}` needs a key after it: write {}", one_of(known.iter().copied())))
            }
            (Keys::These(known), Some(key)) => {
                unknown(no_such(&format!("part of `{root}`"), key, known.iter().copied()))
            }
        }
    }
}

/// The content of the first `{{…}}` of a text that looks like a tag of Handlebars.
fn handlebars_tag(text: &str) -> Option<&str> {
    let inside = text.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0.trim()));
    let is_tag = |tag: &&str| {
        let tag = tag.trim_start_matches(['#', '/', '^']);
        tag.starts_with(|c: char| c.is_ascii_alphabetic()) && !tag.contains(['\n', '"', ':', '{', '%'])
    };
    inside.into_iter().find(is_tag)
}

/// The message that a name is unknown, with the known ones.
fn no_such<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let near = did_you_mean(name, known.clone());
    format!("`{}` is not a {what}: write {}{near}", shorten(name), one_of(known))
}
