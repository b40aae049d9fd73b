//! Rendering, with the `handlebars` crate.

use handlebars::{Context, RenderContext, RenderErrorReason, Renderable as _, Template, TemplateErrorReason};
use serde_json::Value;

use super::helpers::{self, Bounded, LONGEST, MOST};
use super::known::{Known, Problem, RoleError, Used};
use super::model::Role;
use super::names::TemplateNames;
use super::{numbers, scan};

/// The templates of a role: the body, and the guards.
#[derive(Debug)]
pub(super) struct Engine {
    body: Template,
    guards: Vec<Template>,
    /// Names that a template only tests for, and that need not exist.
    optional: Vec<String>,
}

/// Everything that is wrong with the templates of a role.
pub(super) fn problems(role: &Role, known: &Known<'_>) -> Vec<Problem> {
    let found = texts(role).map(|(at, text)| Read::of(at, text, known));
    found.flat_map(|read| read.problems).collect()
}

impl Engine {
    /// The engine, and the names that the body and the guards use.
    pub(super) fn new(role: &Role, known: &Known<'_>) -> Result<(Self, Used), Vec<RoleError>> {
        let mut read: Vec<_> = texts(role).map(|(at, text)| Read::of(at, text, known)).collect();
        let problems = read.iter().flat_map(|read| &read.problems);
        let errors: Vec<_> = problems.map(|problem| RoleError::of(role, problem)).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let optional = read.iter().flat_map(|read| read.optional.clone()).collect();
        let mut used = Used::default();
        let guards = read.split_off(1).into_iter().map(|read| {
            used.guards.extend(read.used);
            read.template
        });
        let guards = guards.collect();
        let Read { template: body, used: of_body, needed, .. } = read.pop().unwrap_or_default();
        (used.body, used.needed) = (of_body, needed);
        Ok((Self { body, guards, optional }, used))
    }

    /// The guards, and the body, which knows them.
    pub(super) fn render(&self, mut context: Value) -> Result<(Vec<String>, String), RoleError> {
        if let Value::Object(members) = &mut context {
            for name in &self.optional {
                members.entry(name).or_insert(Value::Null);
            }
        }
        let (context, has_numbers) = numbers::mark(context);
        // What is gone through is counted for all together.
        let registry = helpers::registry();
        let render = |template: &Template, context: &Context, at: &str| {
            let mut text = Bounded::default();
            let rendered = template
                .render(&registry, context, &mut RenderContext::new(None), &mut text)
                .map_err(|error| {
                    let place = error.line_no.map(|line| format!("{at}, line {line}: "));
                    let place = place.unwrap_or_else(|| format!("{at}: "));
                    RoleError::Template(place + &said(error.reason()))
                });
            rendered.and_then(|()| {
                let text =
                    String::from_utf8(text.0).map_err(|error| RoleError::Template(error.to_string()))?;
                Ok(if has_numbers { numbers::written(text) } else { text })
            })
        };
        let mut context = Context::from(context);
        let guards = self.guards.iter().enumerate();
        let guards = guards.map(|(n, guard)| render(guard, &context, &format!("guards[{n}]")));
        let guards = guards.collect::<Result<Vec<_>, _>>()?;
        if let Value::Object(members) = context.data_mut() {
            members.insert("guards".into(), guards.clone().into());
        }
        let body = render(&self.body, &context, "body")?;
        Ok((guards, body))
    }
}

/// Why rendering was aborted.
fn said(reason: &RenderErrorReason) -> String {
    match reason {
        RenderErrorReason::MissingVariable(Some(name)) => format!("there is no `{name}`"),
        RenderErrorReason::MissingVariable(None) => "there is no such value".to_owned(),
        RenderErrorReason::InvalidJsonIndex(name) => {
            format!("a list has no `{name}`: write the number of an item")
        }
        RenderErrorReason::IOError(_) => format!("the text has more than {LONGEST} bytes"),
        RenderErrorReason::Other(message) if message == helpers::TOO_MUCH => {
            format!("the template goes through more than {MOST} parts of itself and its values: repeat less")
        }
        other => other.to_string(),
    }
}

/// The templates of a role, and their places.
fn texts(role: &Role) -> impl Iterator<Item = (Option<usize>, &str)> {
    let guards = role.guards.iter().enumerate().map(|(n, guard)| (Some(n), guard.as_str()));
    [(None, role.body.as_str())].into_iter().chain(guards)
}

/// A template that was read.
#[derive(Default)]
struct Read {
    template: Template,
    used: Vec<Vec<String>>,
    needed: Vec<Vec<String>>,
    optional: Vec<String>,
    problems: Vec<Problem>,
}

impl Read {
    fn of(guard: Option<usize>, text: &str, known: &Known<'_>) -> Self {
        let problem = |(line, column), message| Problem { guard, line, column, message };
        let refused = |problem| Self { problems: vec![problem], ..Self::default() };
        if let Err(wrong) = scan::check(text) {
            return refused(problem(place(text, wrong.offset), wrong.message));
        }
        match Template::compile(text) {
            Ok(mut template) => {
                let mut names = TemplateNames::new(known);
                names.template(&template);
                helpers::measure(&mut template);
                let problems = names.errors.into_iter().map(|(place, message)| problem(place, message));
                let problems = problems.collect();
                Self { template, used: names.used, needed: names.needed, optional: names.optional, problems }
            }
            Err(error) => refused(problem(error.pos().unwrap_or((1, 1)), unparsed(error.reason()))),
        }
    }
}

/// What a person can do about a tag that cannot be parsed. What the parser had expected is of no use to them.
fn unparsed(reason: &TemplateErrorReason) -> String {
    match reason {
        TemplateErrorReason::InvalidSyntax(_) => {
            "this is not a tag: write `{{name}}`, `{{json name}}` or `{{#if name}}…{{/if}}`, or `\\{{` \
             where the text `{{` is meant"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// Line and column of a byte, counted from 1.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}
