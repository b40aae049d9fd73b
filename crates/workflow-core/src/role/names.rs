//! Which names and helpers a template uses, told from its syntax.

use handlebars::template::{BlockParam, HelperTemplate, Parameter, TemplateElement};
use handlebars::{Path, Template};

use super::RoleError;
use crate::definition::did_you_mean;
use crate::ids::is_id;

/// Helpers that stand in a text: ours, and Handlebars' own.
const HELPERS: [&str; 14] =
    ["json", "length", "lookup", "len", "eq", "ne", "gt", "gte", "lt", "lte", "and", "or", "not", "ifEquals"];
/// Helpers with a block.
const BLOCKS: [&str; 5] = ["each", "if", "unless", "with", "ifEquals"];

/// What was found in one template.
pub(super) struct Names<'k> {
    known: &'k [&'k str],
    /// Where in the file the template begins, for messages.
    at: String,
    /// The names that it uses, each with those of the parts that follow it; one without any is of all that
    /// the template is given.
    pub used: Vec<Vec<String>>,
    pub errors: Vec<RoleError>,
}

impl<'k> Names<'k> {
    pub(super) fn new(known: &'k [&'k str], at: String) -> Self {
        Self { known, at, used: Vec::new(), errors: Vec::new() }
    }

    /// Looks through `template`, which stands `depth` blocks deep that have a context of their own.
    pub(super) fn template(&mut self, template: &Template, depth: usize, locals: &[String]) {
        for (element, place) in template.elements.iter().zip(&template.mapping) {
            let line = place.0;
            match element {
                TemplateElement::Expression(helper) | TemplateElement::HtmlExpression(helper) => {
                    self.expression(helper, depth, locals, line);
                }
                TemplateElement::HelperBlock(helper) => self.block(helper, depth, locals, line),
                TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
                _ => self.error(line, "partials and decorators have no place in a role"),
            }
        }
    }

    fn expression(&mut self, helper: &HelperTemplate, depth: usize, locals: &[String], line: usize) {
        if helper.params.is_empty() && helper.hash.is_empty() {
            return self.parameter(&helper.name, depth, locals, line);
        }
        self.helper(helper, &HELPERS, depth, locals, line);
    }

    fn block(&mut self, helper: &HelperTemplate, depth: usize, locals: &[String], line: usize) {
        self.helper(helper, &BLOCKS, depth, locals, line);
        let inner = matches!(helper.name.as_name(), Some("each" | "with"));
        let mut inside = locals.to_vec();
        match &helper.block_param {
            Some(BlockParam::Single(name)) => inside.extend(name.as_name().map(str::to_owned)),
            Some(BlockParam::Pair((first, second))) => {
                inside.extend([first, second].iter().filter_map(|name| name.as_name()).map(str::to_owned));
            }
            _ => {}
        }
        if let Some(template) = &helper.template {
            self.template(template, depth + usize::from(inner), &inside);
        }
        if let Some(template) = &helper.inverse {
            self.template(template, depth, locals);
        }
    }

    fn helper(
        &mut self,
        helper: &HelperTemplate,
        known: &[&str],
        depth: usize,
        locals: &[String],
        line: usize,
    ) {
        let name = helper.name.as_name().unwrap_or_default();
        if !known.contains(&name) {
            let near = did_you_mean(name, known.iter().copied());
            let message = format!("there is no helper `{name}`{near} (known: {})", known.join(", "));
            self.error(line, &message);
        }
        for parameter in helper.params.iter().chain(helper.hash.values()) {
            self.parameter(parameter, depth, locals, line);
        }
    }

    fn parameter(&mut self, parameter: &Parameter, depth: usize, locals: &[String], line: usize) {
        match parameter {
            Parameter::Name(name) => self.path(name, depth, locals, line),
            Parameter::Path(Path::Relative((_, raw))) => self.path(raw, depth, locals, line),
            Parameter::Subexpression(inner) => match inner.as_element() {
                TemplateElement::Expression(helper) | TemplateElement::HtmlExpression(helper) => {
                    self.helper(helper, &HELPERS, depth, locals, line);
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn path(&mut self, raw: &str, depth: usize, locals: &[String], line: usize) {
        let (mut rest, mut up) = (raw, 0);
        while let Some(outer) = rest.strip_prefix("../") {
            (rest, up) = (outer, up + 1);
        }
        let root = rest.strip_prefix("@root").map(|rest| rest.trim_start_matches(['/', '.']));
        let path = root.unwrap_or(rest);
        let name = path.split(['.', '/', '[']).next().unwrap_or_default();
        // Within `each` and `with` a name is of the value there, which is not known here.
        let is_inner = root.is_none() && up < depth;
        let is_whole = matches!(name, "" | "this" | "..");
        if is_whole && (!is_inner || path.contains("..")) {
            self.used.push(Vec::new());
        }
        if is_whole || is_inner || locals.iter().any(|local| local == name) {
            return;
        }
        if self.known.contains(&name) {
            let parts = path.split(['.', '/']).take_while(|part| is_id(part));
            self.used.push(parts.map(str::to_owned).collect());
        } else {
            let near = did_you_mean(name, self.known.iter().copied());
            let message = format!("`{name}` is not declared{near} (known: {})", self.known.join(", "));
            self.error(line, &message);
        }
    }

    fn error(&mut self, line: usize, message: &str) {
        self.errors.push(RoleError::Template(format!("{}, line {line}: {message}", self.at)));
    }
}
