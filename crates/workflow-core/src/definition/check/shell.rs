//! Keeps values out of the text that an interpreter executes, and secrets out of arguments.

use serde_json::{Map, Value};

use crate::command_line::{ADVICE, DYNAMIC, DYNAMIC_PROGRAM, STDIN, is_dynamic, program_text};
use crate::definition::model::Path;
use crate::definition::report::Report;
use crate::expr::{Name, Template};

/// The code of every problem with a value that would be executed.
const CODE: &str = "shell-interpolation";

/// The fields of a stage or a node that reach the standard input of a program.
pub(crate) struct Told<'a> {
    pub(crate) prompt: Option<&'a str>,
    pub(crate) inputs: &'a [Value],
}

/// Reports each part of the command line under `with` that an interpreter executes and that has a `${…}` in it.
/// `path` is that of the stage or node.
pub(crate) fn check(with: &Map<String, Value>, told: &Told<'_>, path: &Path<'_>, report: &mut Report<'_>) {
    let Some(Value::Array(command)) = with.get("command") else { return };
    let of_with = path.key("with");
    let of_command = of_with.key("command");
    let words: Vec<&str> = command.iter().map(|word| word.as_str().unwrap_or_default()).collect();
    let found = program_text(&words);
    let program = words.first().and_then(|word| expression(word));
    if let Some(offset) = program.filter(|_| !is_dynamic(with.get(DYNAMIC), true)) {
        report.error_in_text("dynamic-program", &of_command.index(0), offset, DYNAMIC_PROGRAM);
    }
    for (n, word) in words.iter().enumerate() {
        if let Some(secret) = secret(word) {
            let message = format!(
                "every process of the machine can read the arguments of a program, and `{secret}` with them: pass it through \
                 `env`, or through `stdin`"
            );
            report.warning("secret-in-argument", &of_command.index(n), message);
        }
    }
    for n in found.words {
        if let Some(offset) = expression(words[n]) {
            let message = format!("a value in program text would be run as code: {ADVICE}");
            report.error_in_text(CODE, &of_command.index(n), offset, message);
        }
    }
    if !found.stdin {
        return;
    }
    if let Some(stdin) = with.get("stdin") {
        if let Some(offset) = stdin.as_str().and_then(expression) {
            report.error_in_text(CODE, &of_with.key("stdin"), offset, STDIN);
        }
        return;
    }
    if let Some(offset) = told.prompt.and_then(expression) {
        report.error_in_text(CODE, &path.key("prompt"), offset, STDIN);
    }
    if !told.inputs.is_empty() {
        report.error(CODE, &path.key("inputs"), STDIN);
    }
}

/// The first secret that a template names.
fn secret(text: &str) -> Option<String> {
    let template = Template::parse(text).ok()?;
    let secret = template.names().find(|name| name.root() == "secrets")?;
    Some(secret.as_str().to_owned())
}

/// Where the first expression of a template is.
fn expression(text: &str) -> Option<usize> {
    Template::parse(text).ok()?.names().next().map(Name::offset)
}
