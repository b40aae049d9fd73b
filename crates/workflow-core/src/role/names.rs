//! Which names and helpers a template uses, told from its syntax.

use handlebars::template::{BlockParam, HelperTemplate, Parameter, TemplateElement};
use handlebars::{Path, Template};

use super::grammar;
use super::known::Known;
use crate::ids::is_id;
use crate::suggest::did_you_mean;

/// What was found in one template.
pub(super) struct TemplateNames<'k> {
    known: &'k Known<'k>,
    /// The names that it uses, each with those of the parts that follow it; one without any is of all that
    /// the template is given.
    pub used: Vec<Vec<String>>,
    /// Those of them that a tag outside of all blocks shows, so that it is an error where one has no value.
    pub needed: Vec<Vec<String>>,
    /// What is wrong, with line and column.
    pub errors: Vec<((usize, usize), String)>,
    /// The names that are not declared and that an `{{#if}}` or `{{#unless}}` asks for: there need be none of them.
    pub optional: Vec<String>,
    undeclared: Vec<String>,
}

/// What a part of a template knows beside the context.
#[derive(Clone, Default)]
struct Scope {
    /// So many blocks deep that have a value of their own.
    depth: usize,
    in_block: bool,
    in_each: bool,
    /// What blocks call their items.
    locals: Vec<String>,
    /// The names that are there, because a block around asks for them.
    guarded: Vec<String>,
    /// The tag.
    place: (usize, usize),
}

impl<'k> TemplateNames<'k> {
    pub(super) fn new(known: &'k Known<'k>) -> Self {
        Self {
            known,
            used: Vec::new(),
            needed: Vec::new(),
            errors: Vec::new(),
            optional: Vec::new(),
            undeclared: Vec::new(),
        }
    }

    /// Looks through `template`.
    pub(super) fn template(&mut self, template: &Template) {
        self.part(template, &Scope::default());
    }

    fn part(&mut self, template: &Template, scope: &Scope) {
        for (n, element) in template.elements.iter().enumerate() {
            // An `else if` has no place of its own.
            let place = template.mapping.get(n).map_or(scope.place, |place| (place.0, place.1));
            let scope = Scope { place, ..scope.clone() };
            match element {
                TemplateElement::Expression(helper) | TemplateElement::HtmlExpression(helper) => {
                    self.expression(helper, &scope);
                }
                TemplateElement::HelperBlock(helper) => self.block(helper, &scope),
                TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
                _ => self.error(&scope, "partials and decorators have no place in a role".to_owned()),
            }
        }
    }

    fn expression(&mut self, helper: &HelperTemplate, scope: &Scope) {
        let is_call = helper
            .name
            .as_name()
            .is_some_and(|name| scope.locals.iter().all(|local| local != name) && grammar::is_helper(name));
        if helper.params.is_empty() && helper.hash.is_empty() && !is_call {
            let before = self.used.len();
            self.parameter(&helper.name, scope);
            if !scope.in_block {
                self.needed.extend_from_slice(&self.used[before..]);
            }
            return;
        }
        self.helper(helper, false, scope);
    }

    fn block(&mut self, helper: &HelperTemplate, scope: &Scope) {
        let name = helper.name.as_name();
        let guarded = self.guards(helper, scope);
        if guarded.is_none() {
            self.helper(helper, true, scope);
        }
        let (mut inside, mut otherwise) = (scope.clone(), scope.clone());
        (inside.in_block, otherwise.in_block) = (true, true);
        match (name, guarded) {
            (Some("unless"), Some(name)) => otherwise.guarded.push(name),
            (_, Some(name)) => inside.guarded.push(name),
            (_, None) => {}
        }
        inside.depth += usize::from(matches!(name, Some("each" | "with")));
        inside.in_each |= name == Some("each");
        match &helper.block_param {
            Some(BlockParam::Single(name)) => inside.locals.extend(name.as_name().map(str::to_owned)),
            Some(BlockParam::Pair((first, second))) => {
                let names = [first, second].into_iter().filter_map(|name| name.as_name());
                inside.locals.extend(names.map(str::to_owned));
            }
            _ => {}
        }
        if let Some(template) = &helper.template {
            self.part(template, &inside);
        }
        if let Some(template) = &helper.inverse {
            self.part(template, &otherwise);
        }
    }

    /// The name that is not declared and that a block only asks for: `plan` in `{{#if plan}}`.
    fn guards(&mut self, helper: &HelperTemplate, scope: &Scope) -> Option<String> {
        let Known::These(known) = self.known else { return None };
        let ([Parameter::Name(raw) | Parameter::Path(Path::Relative((_, raw)))], Some("if" | "unless")) =
            (helper.params.as_slice(), helper.name.as_name())
        else {
            return None;
        };
        let mut parts = raw.split('.');
        let name = parts.next().filter(|name| is_id(name))?;
        let is_known =
            known.contains(&name) || scope.locals.iter().any(|local| local == name) || name == "this";
        if is_known || scope.depth > 0 {
            return None;
        }
        self.used.push(raw.split('.').take_while(|part| is_id(part)).map(str::to_owned).collect());
        if !self.optional.iter().any(|known| known == name) {
            self.optional.push(name.to_owned());
        }
        Some(name.to_owned())
    }

    fn helper(&mut self, helper: &HelperTemplate, is_block: bool, scope: &Scope) {
        let name = helper.name.as_name().unwrap_or_default();
        let named = helper.hash.keys().map(String::as_str);
        if let Err(message) = grammar::check(name, is_block, helper.params.len(), named) {
            self.error(scope, message);
        }
        for parameter in helper.params.iter().chain(helper.hash.values()) {
            self.parameter(parameter, scope);
        }
    }

    fn parameter(&mut self, parameter: &Parameter, scope: &Scope) {
        match parameter {
            Parameter::Name(name) => self.path(name, scope),
            Parameter::Path(Path::Relative((_, raw))) => self.path(raw, scope),
            Parameter::Path(Path::Local((_, name, _))) => self.local(name, scope),
            Parameter::Subexpression(inner) => match inner.as_element() {
                TemplateElement::Expression(helper) | TemplateElement::HtmlExpression(helper) => {
                    self.helper(helper, false, scope);
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// What a block says of itself, as `@index`.
    fn local(&mut self, name: &str, scope: &Scope) {
        const KNOWN: [&str; 4] = ["@index", "@key", "@first", "@last"];
        if !KNOWN.iter().any(|known| known[1..] == *name) {
            let near = did_you_mean(&format!("@{name}"), KNOWN);
            self.error(scope, format!("there is no `@{name}` (known: {}, @root){near}", KNOWN.join(", ")));
        } else if !scope.in_each {
            self.error(scope, format!("`@{name}` is known only in `{{{{#each}}}}`"));
        }
    }

    fn path(&mut self, raw: &str, scope: &Scope) {
        let (mut rest, mut up) = (raw, 0);
        while let Some(outer) = rest.strip_prefix("../") {
            (rest, up) = (outer, up + 1);
        }
        let root = rest.strip_prefix("@root").map(|rest| rest.trim_start_matches(['/', '.']));
        let path = root.unwrap_or(rest);
        let path = path.strip_prefix("./").or_else(|| path.strip_prefix("this.")).unwrap_or(path);
        let name = path.split(['.', '/', '[']).next().unwrap_or_default();
        // Within `each` and `with` a name is of the value there, which is not known here.
        let is_inner = root.is_none() && up < scope.depth;
        let is_whole = matches!(name, "" | "this" | "..");
        if is_whole && (!is_inner || path.contains("..")) {
            self.used.push(Vec::new());
        }
        if is_whole || is_inner || scope.locals.iter().any(|local| local == name) {
            return;
        }
        let parts = || path.split(['.', '/']).take_while(|part| is_id(part)).map(str::to_owned).collect();
        match self.known {
            Known::Open => self.used.push(parts()),
            Known::These(names) if names.contains(&name) => self.used.push(parts()),
            Known::These(_) if scope.guarded.iter().any(|guarded| guarded == name) => self.used.push(parts()),
            // Told once.
            Known::These(_) if self.undeclared.iter().any(|told| told == name) => {}
            Known::These(names) => {
                self.undeclared.push(name.to_owned());
                let near = did_you_mean(name, names.iter().copied());
                let message = format!(
                    "`{name}` is not declared: write it under `variables` or `inputs` (known: {}){near}",
                    names.join(", ")
                );
                self.error(scope, message);
            }
        }
    }

    fn error(&mut self, scope: &Scope, message: String) {
        self.errors.push((scope.place, message));
    }
}
