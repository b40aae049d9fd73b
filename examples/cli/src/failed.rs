//! Failures as text: the message, the class, and the last lines that the program printed.

use workflow_core::failure::Failure;

use crate::text::{harmless, word};

/// How many of the lines that a program printed are shown beside a failure.
const LINES: usize = 3;
/// How many of their characters.
const MOST: usize = 160;

/// A failure in one line: its message, and its class in parentheses.
pub(crate) fn failure(failure: &Failure) -> String {
    format!("{} ({})", failure.message, word(failure.class))
}

/// The same with the end of what the program printed, if it printed anything: `…: error: no such file`.
pub(crate) fn reason(error: &Failure) -> String {
    let printed = last_lines(error, LINES).join(" | ");
    if printed.is_empty() {
        return failure(error);
    }
    let start = printed.char_indices().rev().nth(MOST - 1).map_or(0, |(start, _)| start);
    let cut = if start == 0 { "" } else { "…" };
    format!("{}: {cut}{}", failure(error), &printed[start..])
}

/// The last lines that the program of a failed call printed: to standard error, or to standard output where it printed
/// nothing there.
pub(crate) fn last_lines(failure: &Failure, most: usize) -> Vec<String> {
    let Some(details) = &failure.details else { return Vec::new() };
    // Of several calls that failed together, the first that printed something.
    let of_calls = details.as_array().into_iter().flatten();
    let tail = |name: &str| {
        of_calls
            .clone()
            .chain([details])
            .filter_map(|call| call.get(name)?.as_str())
            .find(|t| !t.trim().is_empty())
    };
    let Some(text) = tail("stderr_tail").or_else(|| tail("stdout_tail")) else { return Vec::new() };
    let lines = text.split(['\n', '\r']).map(str::trim_end).filter(|line| !line.is_empty());
    let lines: Vec<_> = lines.map(harmless).collect();
    lines[lines.len().saturating_sub(most)..].to_vec()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use workflow_core::failure::FailureClass;

    use super::*;

    #[test]
    fn a_reason_has_the_class_and_the_end_of_what_was_printed() {
        let long = format!("{}end", "x".repeat(MOST));
        let cut = format!("no (permanent): …{}end", "x".repeat(MOST - 3));
        for (details, expected) in [
            (Value::Null, "no (permanent)"),
            (json!({ "exit_code": 1 }), "no (permanent)"),
            (json!({ "stderr_tail": "a\nb\n\nc\r\nd\n" }), "no (permanent): b | c | d"),
            (
                json!({ "stderr_tail": "\n", "stdout_tail": "10%\r20%\rfailed" }),
                "no (permanent): 10% | 20% | failed",
            ),
            (json!({ "stderr_tail": "\u{1b}[31mred" }), "no (permanent): ␛[31mred"),
            (json!([{ "message": "a" }, { "stderr_tail": "of b" }]), "no (permanent): of b"),
            (json!({ "stderr_tail": long }), &cut),
        ] {
            let error = Failure::new(FailureClass::Permanent, "no").with_details(details);
            assert_eq!(reason(&error), expected);
        }
    }
}
