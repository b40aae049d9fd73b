//! What templates can call, each at the price of what it looks at: a template that goes through more than it
//! may is ended with an error, whatever it writes.

use std::cmp::Ordering;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use handlebars::template::TemplateElement;
use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, JsonRender as _, Output, RenderContext,
    RenderError, RenderErrorReason, Renderable as _, ScopedJson, Template, no_escape,
};
use serde_json::Value;

use super::numbers;

/// A text becomes no longer than this: as long as an output may be.
pub(super) const LONGEST: usize = 8 << 20;
/// A template goes through no more parts of itself and of its values than this.
pub(super) const MOST: u64 = 200_000;
/// Says that a template has gone through more.
pub(super) const TOO_MUCH: &str = "it goes through too much";
/// Called by every block, each time that it is gone through. No name that a template may call.
const PASS: &str = "-pass-";

/// How much one rendering has gone through.
#[derive(Clone, Default)]
struct Spent(Arc<AtomicU64>);

impl Spent {
    fn add(&self, cost: u64) -> Result<(), RenderError> {
        if self.0.fetch_add(cost, Relaxed) + cost > MOST {
            return Err(other(TOO_MUCH));
        }
        Ok(())
    }
}

/// The helpers of one rendering.
pub(super) fn registry() -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(no_escape);
    let spent = Spent::default();
    let mut add = |name: &str, does: Does| {
        registry.register_helper(name, Box::new(Call { does, spent: spent.clone() }));
    };
    add(PASS, Does::Pass);
    add("json", Does::Json);
    add("length", Does::Length);
    add("lookup", Does::Lookup);
    add("eq", Does::Compare(equal));
    add("ne", Does::Compare(|left, right| !equal(left, right)));
    add("gt", Does::Compare(|left, right| order(left, right) == Some(Ordering::Greater)));
    add("gte", Does::Compare(|left, right| order(left, right).is_some_and(Ordering::is_ge)));
    add("lt", Does::Compare(|left, right| order(left, right) == Some(Ordering::Less)));
    add("lte", Does::Compare(|left, right| order(left, right).is_some_and(Ordering::is_le)));
    registry.register_helper("ifEquals", Box::new(IfEquals(spent)));
    registry
}

/// Makes every block of a template count its passes.
pub(super) fn measure(template: &mut Template) {
    for element in &mut template.elements {
        if let TemplateElement::HelperBlock(block) = element {
            for inner in [&mut block.template, &mut block.inverse].into_iter().flatten() {
                measure(inner);
                let parts = inner.elements.len() + 1;
                let pass = Template::compile(&format!("{{{{{PASS} {parts}}}}}")).unwrap_or_default();
                inner.elements.splice(0..0, pass.elements);
                inner.mapping.splice(0..0, pass.mapping);
            }
        }
    }
}

enum Does {
    Pass,
    Json,
    Length,
    Lookup,
    Compare(fn(&Value, &Value) -> bool),
}

struct Call {
    does: Does,
    spent: Spent,
}

impl HelperDef for Call {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let first = parameter(helper, 0)?;
        let result: Value = match self.does {
            Does::Pass => {
                self.spent.add(first.as_u64().unwrap_or(1))?;
                "".into()
            }
            Does::Json => {
                let mut text = Bounded(Vec::new());
                serde_json::to_writer_pretty(&mut text, first)
                    .map_err(|error| RenderErrorReason::IOError(error.into()))?;
                self.spent.add(text.0.len() as u64 / 64)?;
                let text = String::from_utf8(text.0).map_err(|error| other(&error.to_string()))?;
                numbers::json(text).into()
            }
            Does::Length => match first {
                Value::Array(items) => items.len().into(),
                Value::Object(members) => members.len().into(),
                Value::String(text) => {
                    self.spent.add(text.len() as u64 / 64)?;
                    text.chars().count().into()
                }
                _ => 0.into(),
            },
            Does::Lookup => {
                let key = parameter(helper, 1)?;
                let found = match first {
                    Value::Array(items) => key.as_u64().and_then(|n| items.get(usize::try_from(n).ok()?)),
                    Value::Object(members) => key.as_str().and_then(|name| members.get(name)),
                    _ => None,
                };
                let found = found.ok_or_else(|| missing(Some(&key.render())))?;
                self.spent.add(weight(found))?;
                found.clone()
            }
            Does::Compare(holds) => {
                let second = parameter(helper, 1)?;
                self.spent.add(weight(first).min(weight(second)))?;
                holds(first, second).into()
            }
        };
        Ok(ScopedJson::Derived(result))
    }
}

/// `{{#ifEquals a b}}…{{else}}…{{/ifEquals}}`.
struct IfEquals(Spent);

impl HelperDef for IfEquals {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let absent = |index| RenderErrorReason::ParamNotFoundForIndex("ifEquals", index);
        let left = helper.param(0).ok_or_else(|| absent(0))?.value();
        let right = helper.param(1).ok_or_else(|| absent(1))?.value();
        self.0.add(weight(left).min(weight(right)))?;
        let equal = equal(left, right)
            // `{{#ifEquals count "3"}}`: what stands in a template is often a text.
            || (is_plain(left) && is_plain(right) && left.render() == right.render());
        let chosen = if equal { helper.template() } else { helper.inverse() };
        chosen.map_or(Ok(()), |template| template.render(registry, context, render, out))
    }
}

fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_) | Value::Null)
}

/// A parameter that is there.
fn parameter<'h>(helper: &'h Helper<'_>, index: usize) -> Result<&'h Value, RenderError> {
    match helper.param(index) {
        Some(parameter) if parameter.is_value_missing() => {
            Err(missing(parameter.relative_path().map(String::as_str)))
        }
        Some(parameter) => Ok(parameter.value()),
        None => Err(other(&format!("`{}` needs more values", helper.name()))),
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    left == right || numbers::order(left, right) == Some(Ordering::Equal)
}

/// How values are ordered that can be.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::String(text), Value::String(other)) => {
            Some(numbers::order(left, right).unwrap_or_else(|| text.cmp(other)))
        }
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        _ => numbers::order(left, right),
    }
}

/// What it costs to go through a value.
fn weight(value: &Value) -> u64 {
    match value {
        Value::String(text) => 1 + text.len() as u64 / 64,
        Value::Array(items) => 1 + items.iter().map(weight).sum::<u64>(),
        Value::Object(members) => 1 + members.values().map(weight).sum::<u64>(),
        _ => 1,
    }
}

fn missing(name: Option<&str>) -> RenderError {
    RenderErrorReason::MissingVariable(name.map(str::to_owned)).into()
}

fn other(message: &str) -> RenderError {
    RenderErrorReason::Other(message.to_owned()).into()
}

/// Takes a text up to a limit.
#[derive(Default)]
pub(super) struct Bounded(pub Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for Bounded {
    fn write(&mut self, text: &str) -> io::Result<()> {
        self.write_all(text.as_bytes())
    }
}
