//! Rendering, with the `handlebars` crate.

use std::io::{self, Write};

use handlebars::{
    Context, Handlebars, Helper, HelperResult, JsonRender as _, Output, RenderContext, RenderErrorReason,
    Renderable as _, Template, handlebars_helper, no_escape,
};
use serde_json::Value;

use super::names::Names;
use super::{RoleError, Used};
use crate::definition::{Diagnostic, Role};

/// A text becomes no longer than this: as long as an output may be.
const MOST: usize = 8 << 20;
const BODY: &str = "body";

#[derive(Debug)]
pub(super) struct Engine(Handlebars<'static>);

handlebars_helper!(json: |value: Json| serde_json::to_string_pretty(value).unwrap_or_default());
handlebars_helper!(length: |value: Json| match value {
    Value::Array(items) => items.len(),
    Value::Object(members) => members.len(),
    Value::String(text) => text.chars().count(),
    _ => 0,
});

/// `{{#ifEquals a b}}…{{else}}…{{/ifEquals}}`.
fn if_equals<'reg, 'rc>(
    helper: &Helper<'rc>,
    registry: &'reg Handlebars<'reg>,
    context: &'rc Context,
    render: &mut RenderContext<'reg, 'rc>,
    out: &mut dyn Output,
) -> HelperResult {
    let missing = |index| RenderErrorReason::ParamNotFoundForIndex("ifEquals", index);
    let left = helper.param(0).ok_or_else(|| missing(0))?;
    let right = helper.param(1).ok_or_else(|| missing(1))?;
    let equal = left.value() == right.value()
        // `{{#ifEquals count "3"}}`: what stands in a template is often a text.
        || (left.value().render() == right.value().render() && is_plain(left.value()) && is_plain(right.value()));
    let chosen = if equal { helper.template() } else { helper.inverse() };
    chosen.map_or(Ok(()), |template| template.render(registry, context, render, out))
}

fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_) | Value::Null)
}

impl Engine {
    /// The engine, and the names that the body and the guards use.
    pub(super) fn new(role: &Role, known: &[&str]) -> Result<(Self, Used), Vec<RoleError>> {
        let mut registry = Handlebars::new();
        registry.set_strict_mode(true);
        registry.register_escape_fn(no_escape);
        registry.register_helper("json", Box::new(json));
        registry.register_helper("length", Box::new(length));
        registry.register_helper("ifEquals", Box::new(if_equals));
        let mut errors = Vec::new();
        let mut used = Used::default();
        for (name, at, text) in texts(role) {
            match Template::compile(text) {
                Ok(template) => {
                    let mut names = Names::new(known, format!("role `{}`, {at}", role.id));
                    names.template(&template, 0, &[]);
                    errors.extend(names.errors);
                    if name == BODY { &mut used.body } else { &mut used.guards }.extend(names.used);
                    registry.register_template(&name, template);
                }
                Err(error) => errors.push(RoleError::Template(format!("role `{}`, {at}: {error}", role.id))),
            }
        }
        if errors.is_empty() { Ok((Self(registry), used)) } else { Err(errors) }
    }

    pub(super) fn body(&self, context: &Value) -> Result<String, RoleError> {
        self.render(BODY, context)
    }

    pub(super) fn guard(&self, number: usize, context: &Value) -> Result<String, RoleError> {
        self.render(&number.to_string(), context)
    }

    fn render(&self, name: &str, context: &Value) -> Result<String, RoleError> {
        let mut text = Bounded(Vec::new());
        let failed = |message: String| RoleError::Template(message);
        self.0.render_to_write(name, context, &mut text).map_err(|error| match error.reason() {
            RenderErrorReason::IOError(_) => failed(format!("the text has more than {MOST} bytes")),
            RenderErrorReason::MissingVariable(name) => {
                let name = name.as_deref().unwrap_or("a name");
                let line = error.line_no.map(|line| format!(", line {line}")).unwrap_or_default();
                failed(format!("there is no `{name}`{line}"))
            }
            _ => failed(error.to_string()),
        })?;
        String::from_utf8(text.0).map_err(|error| failed(error.to_string()))
    }
}

/// The templates of a role: their names in the engine, where they stand, and their texts.
fn texts(role: &Role) -> impl Iterator<Item = (String, String, &str)> {
    let guards = role.guards.iter().enumerate();
    let guards = guards.map(|(n, guard)| (n.to_string(), format!("guards[{n}]"), guard.as_str()));
    [(BODY.to_owned(), BODY.to_owned(), role.body.as_str())].into_iter().chain(guards)
}

pub(super) fn syntax(role: &Role, body_line: u32) -> Vec<Diagnostic> {
    let wrong = texts(role).filter_map(|(name, at, text)| {
        let error = Template::compile(text).err()?;
        let diagnostic = Diagnostic::error("bad-template", at, error.reason().to_string());
        match error.pos().filter(|_| name == BODY && body_line > 0) {
            Some((line, column)) => {
                let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                Some(diagnostic.at(body_line + number(line).saturating_sub(1), number(column)))
            }
            None => Some(diagnostic),
        }
    });
    wrong.collect()
}

/// Takes a text up to a limit.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MOST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
