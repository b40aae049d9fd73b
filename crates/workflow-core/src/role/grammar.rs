//! The helpers of templates: how each is written.

use crate::suggest::did_you_mean;

/// How a helper is written.
struct Form {
    name: &'static str,
    is_block: bool,
    /// How many values it takes.
    values: (usize, usize),
    example: &'static str,
}

const fn form(name: &'static str, is_block: bool, values: (usize, usize), example: &'static str) -> Form {
    Form { name, is_block, values, example }
}

/// All there are: ours, and those of Handlebars.
const HELPERS: [Form; 18] = [
    form("json", false, (1, 1), "{{json x}}"),
    form("length", false, (1, 1), "{{length xs}}"),
    form("lookup", false, (2, 2), "{{lookup x \"key\"}}"),
    form("len", false, (1, 1), "{{len xs}}"),
    form("eq", false, (2, 2), "{{#if (eq a b)}}…{{/if}}"),
    form("ne", false, (2, 2), "{{#if (ne a b)}}…{{/if}}"),
    form("gt", false, (2, 2), "{{#if (gt a b)}}…{{/if}}"),
    form("gte", false, (2, 2), "{{#if (gte a b)}}…{{/if}}"),
    form("lt", false, (2, 2), "{{#if (lt a b)}}…{{/if}}"),
    form("lte", false, (2, 2), "{{#if (lte a b)}}…{{/if}}"),
    form("and", false, (2, 2), "{{#if (and a b)}}…{{/if}}"),
    form("or", false, (2, 2), "{{#if (or a b)}}…{{/if}}"),
    form("not", false, (1, 1), "{{#if (not a)}}…{{/if}}"),
    form("each", true, (1, 1), "{{#each xs}}…{{/each}}"),
    form("if", true, (1, 1), "{{#if x}}…{{/if}}"),
    form("unless", true, (1, 1), "{{#unless x}}…{{/unless}}"),
    form("with", true, (1, 1), "{{#with x}}…{{/with}}"),
    form("ifEquals", true, (2, 2), "{{#ifEquals a b}}…{{/ifEquals}}"),
];

/// Whether a name means a helper, so that it can mean nothing else.
pub(crate) fn is_helper(name: &str) -> bool {
    HELPERS.iter().any(|helper| helper.name == name)
}

/// Checks one call of a helper: its name, where it stands, and how many values it gets.
pub(super) fn check<'a>(
    name: &str,
    is_block: bool,
    values: usize,
    mut named: impl Iterator<Item = &'a str>,
) -> Result<(), String> {
    let Some(form) = HELPERS.iter().find(|form| form.name == name) else {
        let known = || HELPERS.iter().filter(|form| form.is_block == is_block).map(|form| form.name);
        let near = did_you_mean(name, known());
        let names: Vec<_> = known().collect();
        let what = if is_block { "block" } else { "helper" };
        return Err(format!("there is no {what} `{name}` (known: {}){near}", names.join(", ")));
    };
    if form.is_block != is_block {
        let what = if form.is_block { "is a block" } else { "is not a block" };
        return Err(format!("`{name}` {what}: write `{}`", form.example));
    }
    let (least, most) = form.values;
    if !(least..=most).contains(&values) {
        let wanted = if least == 1 { "one value" } else { "two values" };
        return Err(format!("`{name}` takes {wanted}, not {values}: write `{}`", form.example));
    }
    let is_known = |key: &str| key == "includeZero" && matches!(name, "if" | "unless");
    match named.find(|key| !is_known(key)) {
        Some(key) => Err(format!("`{name}` has no option `{key}`: write `{}`", form.example)),
        None => Ok(()),
    }
}
