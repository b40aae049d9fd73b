//! Which variables a definition uses.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::definition::{Role, did_you_mean};
use crate::expr::{Condition, Template};
use crate::ids::is_id;
use crate::plan::model::Plan;

/// The fields whose text is a condition over the run. `stop_when` is not among them: it reads an output.
const CONDITIONS: [&str; 3] = ["when", "end_when", "condition"];
/// The fields whose keys are variables.
const VARIABLES: [&str; 2] = ["set", "vars"];

impl Plan {
    /// Those of the given variables that nothing in the definition uses, each with a message that has the
    /// near name. Empty if something can use any variable.
    pub fn unused_variables<'v>(&self, given: impl IntoIterator<Item = &'v str>) -> Vec<String> {
        let mut used = Used::default();
        let bundle = self.bundle();
        used.of(&bundle.workflow);
        used.of(&bundle.profiles);
        bundle.roles.values().for_each(|role| used.role(role));
        if used.any {
            return Vec::new();
        }
        let unused = given.into_iter().filter(|name| !used.names.contains(*name));
        unused
            .map(|name| {
                let near = did_you_mean(name, used.near.iter().map(String::as_str));
                format!("the variable `{name}` is not used by the workflow{near}")
            })
            .collect()
    }
}

#[derive(Default)]
struct Used {
    /// What is used, and what could be a variable.
    names: BTreeSet<String>,
    /// What is a variable.
    near: BTreeSet<String>,
    /// Something can use any.
    any: bool,
}

impl Used {
    fn of(&mut self, definition: &impl Serialize) {
        match serde_json::to_value(definition) {
            Ok(value) => self.value("", &value),
            Err(_) => self.any = true,
        }
    }

    fn value(&mut self, field: &str, value: &Value) {
        match value {
            Value::String(text) => self.text(field, text),
            Value::Array(items) => items.iter().for_each(|item| self.value(field, item)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    if VARIABLES.contains(&field) {
                        self.variable(name);
                    }
                    self.value(name, value);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, field: &str, text: &str) {
        if field == "inputs" && is_id(text) {
            self.names.insert(text.to_owned());
        }
        if CONDITIONS.contains(&field)
            && let Ok(condition) = Condition::parse(text)
        {
            for mut query in condition.queries() {
                match (query.next(), query.next()) {
                    (Some("vars"), Some(name)) => self.variable(name),
                    (Some("vars") | None, _) => self.any = true,
                    _ => {}
                }
            }
        }
        if field == "prompt" {
            self.tags(text);
        }
        let Ok(template) = Template::parse(text) else { return };
        for name in template.names().filter(|name| name.root() == "vars") {
            match name.segment(1) {
                Some(variable) => self.variable(variable),
                None => self.any = true,
            }
        }
    }

    /// A name in the text of a role can also be that of something else.
    fn role(&mut self, role: &Role) {
        role.variables.iter().for_each(|variable| self.variable(&variable.name));
        role.inputs.iter().for_each(|input| self.text("inputs", input));
        for text in role.guards.iter().chain([&role.body]) {
            self.any |= self.tags(text);
        }
    }

    /// The words in the tags of a template. Returns whether one is `vars`.
    fn tags(&mut self, text: &str) -> bool {
        let mut has_vars = false;
        for expression in text.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()) {
            for word in expression.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')) {
                has_vars |= word == "vars";
                self.names.insert(word.to_owned());
            }
        }
        has_vars
    }

    fn variable(&mut self, name: &str) {
        self.names.insert(name.to_owned());
        self.near.insert(name.to_owned());
    }
}
