//! Reading the fields of one mapping: each getter takes a field of one type, says what is wrong
//! with it, and remembers that the field is known.

use serde_json::Value;

use crate::definition::model::{Path, Period, shorten};
use crate::definition::report::Report;
use crate::definition::yaml::{Entry, Kind, Node};
use crate::suggest::{did_you_mean, nearest, one_of};

/// The fields of a mapping. Fields that are `null` count as absent.
pub(crate) struct Fields<'n, 'p> {
    entries: &'n [Entry],
    path: &'p Path<'p>,
    known: Vec<&'static str>,
    kind: Unknown,
}

/// What a mapping is, which tells what a key may have been meant for that it does not have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    Any,
    Stage,
    /// One of the `providers` of a stage.
    Lane,
    Node,
}

impl<'n, 'p> Fields<'n, 'p> {
    /// The fields of `node`; none, and an error, when it is not a mapping.
    pub(crate) fn of(node: &'n Node, path: &'p Path<'p>, report: &mut Report<'_>) -> Self {
        let entries = match &node.kind {
            Kind::Map(entries) => entries.as_slice(),
            Kind::Scalar(_, Value::Null) => &[],
            _ => {
                wrong_type(node, "a mapping, as `key: value`", path, report);
                &[]
            }
        };
        Self { entries, path, known: Vec::with_capacity(24), kind: Unknown::Any }
    }

    /// The same, of a stage, one of its providers, or a node.
    pub(crate) fn of_kind(self, kind: Unknown) -> Self {
        Self { kind, ..self }
    }

    /// The path of a field.
    pub(crate) fn path(&self, key: &'static str) -> Path<'p> {
        self.path.key(key)
    }

    /// The value of a field, whatever its type.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value)
            .filter(|node| !node.is_null())
    }

    pub(crate) fn text(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<String> {
        text(self.take(key)?, &self.path.key(key), report).map(str::to_owned)
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&'static str, T)],
        report: &mut Report<'_>,
    ) -> Option<T> {
        let path = self.path.key(key);
        let word = text(self.take(key)?, &path, report)?;
        let found = choices.iter().find(|(name, _)| *name == word);
        if found.is_none() {
            let names = choices.iter().map(|(name, _)| *name);
            let message = format!(
                "`{}` is not a value of `{key}`: write {}{}",
                shorten(word),
                one_of(names.clone()),
                did_you_mean(word, names.clone())
            );
            let near = nearest(word, names).map(str::to_owned);
            report.refuse_with("unknown-value", &path, message, near);
        }
        found.map(|(_, choice)| *choice)
    }

    /// A whole number. One that is negative or too large for the type becomes the largest there is,
    /// so that it is out of range for every check that follows.
    pub(crate) fn whole(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<u32> {
        let node = self.take(key)?;
        match &node.kind {
            Kind::Scalar(_, Value::Number(number)) if !number.is_f64() => {
                Some(number.as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(u32::MAX))
            }
            _ => {
                wrong_type(node, "a whole number", &self.path.key(key), report);
                None
            }
        }
    }

    /// `true` or `false`.
    pub(crate) fn truth(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<bool> {
        let node = self.take(key)?;
        if let Kind::Scalar(_, Value::Bool(value)) = &node.kind {
            return Some(*value);
        }
        wrong_type(node, "`true` or `false`", &self.path.key(key), report);
        None
    }

    /// A number of something.
    pub(crate) fn count(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<u64> {
        let node = self.take(key)?;
        match &node.kind {
            Kind::Scalar(_, Value::Number(number)) if number.is_u64() => number.as_u64(),
            _ => {
                wrong_type(node, "a whole number above 0", &self.path.key(key), report);
                None
            }
        }
    }

    /// A number that may have a fraction.
    pub(crate) fn amount(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<f64> {
        let node = self.take(key)?;
        if let Kind::Scalar(_, Value::Number(number)) = &node.kind {
            return number.as_f64();
        }
        wrong_type(node, "a number", &self.path.key(key), report);
        None
    }

    pub(crate) fn period(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<Period> {
        let node = self.take(key)?;
        let path = self.path.key(key);
        let period = match &node.kind {
            Kind::Scalar(_, Value::String(text)) => text.parse(),
            Kind::Scalar(_, Value::Number(number)) => Period::from_secs_f64(number.as_f64().unwrap_or(-1.0)),
            _ => {
                wrong_type(node, "a length of time such as `30m`, or a number of seconds", &path, report);
                return None;
            }
        };
        period.map_err(|error| report.refuse("bad-duration", &path, error.to_string())).ok()
    }

    pub(crate) fn list(&mut self, key: &'static str, report: &mut Report<'_>) -> &'n [Node] {
        let Some(node) = self.take(key) else { return &[] };
        if let Kind::List(items) = &node.kind {
            return items;
        }
        wrong_type(node, "a list, as `[a, b]`", &self.path.key(key), report);
        &[]
    }

    pub(crate) fn texts(&mut self, key: &'static str, report: &mut Report<'_>) -> Vec<String> {
        let path = self.path.key(key);
        let items = self.list(key, report).iter().enumerate();
        items.filter_map(|(n, item)| text(item, &path.index(n), report).map(str::to_owned)).collect()
    }

    /// The entries of a field that is a mapping with keys of the author's choice.
    pub(crate) fn map(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<&'n [Entry]> {
        let node = self.take(key)?;
        if let Kind::Map(entries) = &node.kind {
            return Some(entries);
        }
        wrong_type(node, "a mapping, as `key: value`", &self.path.key(key), report);
        None
    }

    /// Looks at none of the fields any more.
    pub(crate) fn forget(&mut self) {
        self.entries = &[];
    }

    /// Warns about the fields that no getter asked for.
    pub(crate) fn finish(self, report: &mut Report<'_>) {
        for entry in self.entries {
            if !self.known.contains(&entry.key.as_str()) {
                match self.kind.meant(entry) {
                    Some(meant) => {
                        let message = format!("`{}` is not a field here and is ignored: {meant}", entry.key);
                        report.warning_at_key(
                            "unknown-key",
                            &self.path.key(&entry.key),
                            entry.at,
                            message,
                            None,
                        );
                    }
                    None => unknown_key(entry, self.path, self.known.iter().copied(), report),
                }
            }
        }
    }

    /// The same, where a key that is not known would make the node do something else: an error. Those in
    /// `beside` are only names and texts for people.
    pub(crate) fn finish_strict(self, beside: &[&str], report: &mut Report<'_>) {
        for entry in self.entries {
            if self.known.contains(&entry.key.as_str()) {
                continue;
            }
            if beside.contains(&entry.key.as_str()) {
                unknown_key(entry, self.path, self.known.iter().copied(), report);
                continue;
            }
            let mut near = None;
            let meant = match self.kind.meant(entry) {
                Some(meant) => format!(": {meant}"),
                None => match did_you_mean(&entry.key, self.known.iter().copied()) {
                    near if near.is_empty() => format!("; known are {}", one_of(self.known.iter().copied())),
                    told => {
                        near = nearest(&entry.key, self.known.iter().copied());
                        told
                    }
                },
            };
            let of = if self.kind == Unknown::Any { "here" } else { "of this node" };
            let message = format!("`{}` is not a field {of}{meant}", shorten(&entry.key));
            report.error_at_key("unknown-key", &self.path.key(&entry.key), entry.at, message, near);
        }
    }
}

/// Options that providers have, and that are often written beside `with`.
const OPTIONS: [&str; 12] = [
    "model",
    "command",
    "args",
    "shell",
    "effort",
    "max_turns",
    "temperature",
    "allowed_tools",
    "permission_mode",
    "system_prompt",
    "sandbox",
    "max_tokens",
];
/// Keys that other programs write for themselves. They are not misspelt.
const OF_OTHERS: [&str; 2] = ["isDefault", "source"];
/// Fields of a node that the body of a `foreach` does not have.
const OF_FAILURE: [&str; 3] = ["on_failure", "retries", "retry_backoff"];
/// Fields of a stage that a node does not have.
const OF_STAGE: [&str; 9] = [
    "on_failure",
    "retries",
    "retry_backoff",
    "min_iterations",
    "providers",
    "parallel_strategy",
    "profile",
    "mode",
    "weight",
];

/// Other fields of a stage that one of its providers does not have.
const OF_ALL_LANES: [&str; 9] =
    ["when", "inputs", "output_schema", "session", "on_interrupt", "approval", "budget", "skills", "set"];

impl Unknown {
    /// What a key that is not known was probably meant for, as an instruction.
    fn meant(self, entry: &Entry) -> Option<String> {
        let key = entry.key.as_str();
        if self == Self::Any {
            return None;
        }
        if OPTIONS.contains(&key) {
            let value = match &entry.value.kind {
                Kind::Scalar(_, Value::String(text)) if text.len() <= 40 => text.clone(),
                Kind::Scalar(_, value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
                _ => "…".to_owned(),
            };
            return Some(format!("options of the provider are written as `with: {{ {key}: {value} }}`"));
        }
        match self {
            Self::Node if OF_FAILURE.contains(&key) => {
                Some(format!("it works on each item, so write `{key}` beside the `run` of the `foreach`"))
            }
            Self::Node if matches!(key, "join" | "after") => Some(format!(
                "an item does not wait for nodes, so write `{key}` beside the `run` of the `foreach`"
            )),
            Self::Node if OF_STAGE.contains(&key) => {
                Some(format!("it works on a stage, so write `{key}` at the stage in the workflow's file"))
            }
            Self::Lane if OF_STAGE.contains(&key) || OF_ALL_LANES.contains(&key) => {
                Some(format!("it works on the whole stage, so write `{key}` beside `providers`"))
            }
            _ => None,
        }
    }
}

/// Warns about a key that means nothing.
pub(crate) fn unknown_key<'a>(
    entry: &Entry,
    parent: &Path<'_>,
    known: impl IntoIterator<Item = &'a str> + Clone,
    report: &mut Report<'_>,
) {
    if report.is_full() {
        return;
    }
    if OF_OTHERS.contains(&entry.key.as_str()) {
        let message = format!("`{}` is not known here and is ignored", entry.key);
        return report.warning_at_key("unknown-key", &parent.key(&entry.key), entry.at, message, None);
    }
    let message = format!(
        "`{}` is not known here and is ignored{}",
        shorten(&entry.key),
        did_you_mean(&entry.key, known.clone())
    );
    let near = nearest(&entry.key, known);
    report.warning_at_key("unknown-key", &parent.key(&entry.key), entry.at, message, near);
}

/// A text, or an error that says how to turn the value into one.
pub(crate) fn text<'n>(node: &'n Node, path: &Path<'_>, report: &mut Report<'_>) -> Option<&'n str> {
    match &node.kind {
        Kind::Scalar(_, Value::String(text)) => return Some(text),
        Kind::Scalar(_, value @ (Value::Number(_) | Value::Bool(_))) => {
            let message = format!(
                "{} has to be a text, not {}: put it in quotes, as \"{value}\"",
                title(path),
                kind(node)
            );
            let quoted = node.number.as_ref().map_or_else(|| value.to_string(), ToString::to_string);
            report.refuse_with("wrong-type", path, message, Some(quoted));
        }
        _ => wrong_type(node, "a text", path, report),
    }
    None
}

pub(crate) fn wrong_type(node: &Node, wanted: &str, path: &Path<'_>, report: &mut Report<'_>) {
    report.refuse("wrong-type", path, format!("{} has to be {wanted}, not {}", title(path), kind(node)));
}

/// What a message calls the value at `path`.
fn title(path: &Path<'_>) -> String {
    match path {
        Path::Root => "the file".to_owned(),
        Path::Key(_, key) => format!("`{}`", shorten(key)),
        Path::Index(list, _) => format!("an item of `{}`", shorten(list.name())),
    }
}

/// What a value is, in words.
fn kind(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar(_, Value::Null) => "nothing".to_owned(),
        Kind::Scalar(_, Value::Bool(value)) => format!("the truth value {value}"),
        Kind::Scalar(_, Value::Number(value)) => format!("the number {value}"),
        Kind::Scalar(..) => "a text".to_owned(),
        Kind::List(_) => "a list".to_owned(),
        Kind::Map(_) => "a mapping".to_owned(),
    }
}
