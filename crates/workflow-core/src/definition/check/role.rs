//! What the values of a role have to be, and its templates.

use super::fields::{file, id};
use crate::definition::model::{Diagnostic, Path, Workflow, shorten};
use crate::definition::report::Report;
use crate::exact;
use crate::expr::Template;
use crate::ids::{StageId, is_id};
use crate::role::{BUILT_IN, Known, Role, is_helper, known, problems, prompt_role};

/// Reports everything that is wrong with the values of a role.
pub(crate) fn role(role: &Role, report: &mut Report<'_>) {
    if let Some(schema) = &role.output_schema {
        file(schema, &Path::Root.key("output_schema"), report);
    }
    let skills = Path::Root.key("skills");
    for (n, skill) in role.skills.iter().enumerate().filter(|(_, skill)| skill.trim().is_empty()) {
        id(Some(skill), &skills.index(n), report);
    }
    let inputs = Path::Root.key("inputs");
    for (n, input) in role.inputs.iter().enumerate().filter(|(_, input)| !is_id(input)) {
        if let Err(error) = Template::parse(input) {
            report.error_in_text("bad-expression", &inputs.index(n), error.offset, error.message);
        }
    }
    let variables = Path::Root.key("variables");
    for (n, variable) in role.variables.iter().enumerate() {
        let path = variables.index(n);
        let name = variable.name.as_str();
        if !is_id(name) {
            let message = format!(
                "`{}` is not the name of a variable: use 1 to 64 letters, digits, `-` and `_`",
                shorten(name)
            );
            report.error("bad-id", &path.key("name"), message);
        } else if BUILT_IN.contains(&name) {
            let message = format!("a variable cannot be called `{name}`: templates know that name already");
            report.error("reserved-name", &path.key("name"), message);
        } else if is_helper(name) || matches!(name, "this" | "true" | "false" | "null" | "else" | "as") {
            let message =
                format!("a variable cannot be called `{name}`: that word means something in templates");
            report.error("reserved-name", &path.key("name"), message);
        } else if role.variables[..n].iter().any(|earlier| earlier.name == name) {
            let message = format!("`{name}` is declared already: declare a variable once");
            report.error("duplicate-variable", &path.key("name"), message);
        }
        if let Some(default) = &variable.default
            && !variable.kind.holds(&exact::rounded(default.clone()))
        {
            let (words, kind) = (variable.kind.in_words(), variable.kind.name());
            let message = format!(
                "`default` has to be {words} where the type is `{kind}`: change the one or the other"
            );
            report.error("wrong-type", &path.key("default"), message);
        }
        if variable.required && variable.default.is_some() {
            let message = "a required variable cannot have a `default`: leave one of them out";
            report.warning("no-effect", &path.key("default"), message);
        }
    }
}

/// What is wrong with the templates of a role. What is wrong with its guards is reported at their places in the
/// front matter; what is wrong with its body is returned, at its place in the file.
pub(crate) fn templates(
    role: &Role,
    body_line: u32,
    workflow: Option<&Workflow>,
    report: &mut Report<'_>,
) -> Vec<Diagnostic> {
    let names = match workflow {
        // It can be used in loops.
        Some(workflow) => known(role, workflow.stages.keys().map(StageId::as_str), true),
        None => Known::Open,
    };
    let guards = Path::Root.key("guards");
    let mut body = Vec::new();
    for problem in problems(role, &names) {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (line, column) = (number(problem.line), number(problem.column));
        match problem.guard {
            Some(guard) => {
                let offset =
                    role.guards.get(guard).map_or(0, |text| offset(text, problem.line, problem.column));
                report.error_in_text("bad-template", &guards.index(guard), offset, problem.message);
            }
            None if body_line == 0 => {
                let message = format!("line {line}, column {column}: {}", problem.message);
                body.push(Diagnostic::error("bad-template", "body", message));
            }
            None => {
                let place = Diagnostic::error("bad-template", "body", problem.message);
                body.push(place.at(body_line.saturating_add(line).saturating_sub(1), column));
            }
        }
    }
    body.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
    body
}

/// Reports what is wrong with a prompt that has the grammar of roles.
pub(super) fn prompt(
    text: &str,
    workflow: Option<&Workflow>,
    in_loop: bool,
    path: &Path<'_>,
    report: &mut Report<'_>,
) {
    let Some(role) = prompt_role(text) else { return };
    let names = match workflow {
        Some(workflow) => known(&role, workflow.stages.keys().map(StageId::as_str), in_loop),
        None => Known::Open,
    };
    for problem in problems(&role, &names) {
        let offset = offset(text, problem.line, problem.column);
        report.error_in_text("bad-template", path, offset, problem.message);
    }
}

/// How many bytes are before a line and column.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let in_line = text[before..].char_indices().nth(column.saturating_sub(1));
    in_line.map_or(text.len(), |(in_line, _)| before + in_line)
}
