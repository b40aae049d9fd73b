//! Variables and labels on the command line: `name=text`, `name:=json`, and the same from files.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde_json::{Map, Value};
use workflow_core::data::Data;
use workflow_core::definition::read_value;
use workflow_core::ids::is_id;
use workflow_core::labels::check_labels;

/// The largest file that is read: no run can have a larger value.
const LIMIT: u64 = 64 << 20;

/// A variable, its numbers as they are written: `name=text`, `name:=json`, `name=@file` with the text of a file, `name:=@file` with its JSON.
pub(super) fn variable(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write name=text, name:=json or name=@file")?;
    let (name, is_json) = name.strip_suffix(':').map_or((name, false), |name| (name, true));
    if !is_id(name) {
        return Err("the name of a variable has 1 to 64 letters, digits, `-` and `_`".to_owned());
    }
    let file = value.strip_prefix('@').map(|file| {
        let hint = |error| format!("{error}; write {name}:='\"@…\"' for a text that begins with `@`");
        read(file).map_err(hint)
    });
    let value = file.unwrap_or_else(|| Ok(value.to_owned()))?;
    if !is_json {
        return Ok((name.to_owned(), Value::String(value)));
    }
    let value = Data::parse(&value).map_err(|error| format!("not JSON: {error}"))?;
    Ok((name.to_owned(), value.exact_value()))
}

/// A label: `name=value`.
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write name=value")?;
    let label = (name.to_owned(), value.to_owned());
    let problems = check_labels(&[label.clone()].into());
    if problems.is_empty() { Ok(label) } else { Err(problems.join("; ")) }
}

/// A provider in place of another, `from=to`, or in place of all others.
pub(super) fn provider(text: &str) -> Result<(String, String), String> {
    let (from, to) = text.split_once('=').unwrap_or(("*", text));
    if from.is_empty() || to.is_empty() {
        return Err("write NAME, or FROM=TO".to_owned());
    }
    Ok((from.to_owned(), to.to_owned()))
}

/// A provider in place of another: `from=to`.
pub(super) fn mapping(text: &str) -> Result<(String, String), String> {
    if text.contains('=') { provider(text) } else { Err("write FROM=TO".to_owned()) }
}

/// The variables of a file: an object in JSON or YAML.
pub(super) fn variables(file: &str) -> Result<Map<String, Value>, String> {
    let text = read(file)?;
    let value = match Data::parse(&text) {
        Ok(value) => value.exact_value(),
        Err(json) if Path::new(file).extension().is_some_and(|ext| ext == "json") => {
            return Err(format!("{file}: not JSON: {json}"));
        }
        Err(_) => match read_value(text.as_bytes()) {
            Ok(value) => value,
            // Larger than a definition may be, or not YAML.
            Err(_) => serde_yaml::from_str(&text).map_err(|error| format!("{file}: not YAML: {error}"))?,
        },
    };
    let Value::Object(variables) = value else {
        return Err(format!("{file}: must be an object with a value for each variable"));
    };
    match variables.keys().find(|name| !is_id(name)) {
        Some(name) => Err(format!("{file}: `{name}` cannot be the name of a variable")),
        None => Ok(variables),
    }
}

/// The text of a file; `-` is standard input.
fn read(file: &str) -> Result<String, String> {
    let mut text = String::new();
    let from: io::Result<Box<dyn io::Read>> = match file {
        "-" => Ok(Box::new(io::stdin())),
        file => File::open(file).map(|file| Box::new(file) as _),
    };
    let read = from.and_then(|from| from.take(LIMIT + 1).read_to_string(&mut text));
    match read {
        Err(error) => Err(format!("{file}: {error}")),
        Ok(_) if text.len() as u64 > LIMIT => Err(format!("{file}: larger than {} MiB", LIMIT >> 20)),
        Ok(_) => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_are_texts_or_json() {
        for (text, expected) in [
            ("name=text", json!("text")),
            ("name=", json!("")),
            ("name=a=b:=c", json!("a=b:=c")),
            ("name=1", json!("1")),
            ("name:=1", json!(1)),
            ("name:=[\"=\"]", json!(["="])),
            ("name:=null", json!(null)),
            ("name:=\"@x\"", json!("@x")),
            ("name=x@y", json!("x@y")),
        ] {
            assert_eq!(variable(text), Ok(("name".to_owned(), expected)), "{text}");
        }
    }

    #[test]
    fn labels_are_texts_with_a_name() {
        for (text, value) in [("name=text", "text"), ("name=", ""), ("name=a=b", "a=b"), ("name=@x", "@x")] {
            assert_eq!(label(text), Ok(("name".to_owned(), value.to_owned())), "{text}");
        }
        for text in ["name", "=x", "na me=x", "name:=x", &format!("name={}", "x".repeat(257))] {
            assert!(label(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_invalid_variable_is_refused() {
        for text in ["name", "=x", ":=1", "na me=x", "name:=", "name:={", "a.b=x", "name=@no/such/file"] {
            assert!(variable(text).is_err(), "{text}");
        }
    }
}
