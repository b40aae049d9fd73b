//! Values as they are written into a file.

use serde_json::Value;

use crate::definition::yaml;

/// A key with its value. `indent` is that of the key in a block; without one it is in a `{ }`.
pub(super) fn entry(key: &str, value: &Value, indent: Option<usize>) -> String {
    format!("{}: {}", text(key), self::value(value, indent))
}

/// A value: texts of several lines as a block where they can be, everything else in one line.
pub(super) fn value(value: &Value, indent: Option<usize>) -> String {
    match value {
        Value::String(text) => {
            indent.and_then(|indent| block(text, indent + 2)).unwrap_or_else(|| self::text(text))
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| self::value(item, None)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members: Vec<_> = members.iter().map(|(key, value)| entry(key, value, None)).collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A text in one line, in quotes unless it is read as a text without.
pub(super) fn text(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ' ');
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '/')
        && !text.ends_with(' ')
        && text.chars().all(is_word)
        && yaml::is_text(text);
    if is_plain { text.to_owned() } else { yaml::quoted(text) }
}

/// A text of several lines, each on a line of its own.
fn block(text: &str, indent: usize) -> Option<String> {
    let content = text.strip_suffix('\n').unwrap_or(text);
    let is_simple = content.contains('\n')
        && !content.starts_with([' ', '\t', '\n'])
        && !content.ends_with('\n')
        && content
            .chars()
            .all(|c| c == '\n' || !(c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}')));
    if !is_simple {
        return None;
    }
    let mut block = if content.len() == text.len() { "|-".to_owned() } else { "|".to_owned() };
    for line in content.split('\n') {
        block.push('\n');
        if !line.is_empty() {
            block.extend(std::iter::repeat_n(' ', indent));
            block.push_str(line);
        }
    }
    Some(block)
}
