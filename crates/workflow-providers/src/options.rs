//! Reads the options under `with`, and reports problems in the terms of the file.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::Value;
use workflow_core::expr::Template;

/// A problem with options: where, and what.
pub(crate) struct Wrong {
    /// The path of the option; `.` for all of them.
    pub(crate) path: String,
    pub(crate) problem: String,
}

/// Reads the options of a provider.
pub(crate) fn read<T: DeserializeOwned>(options: &Value) -> Result<T, Wrong> {
    serde_path_to_error::deserialize(options).map_err(|error| {
        let (path, problem) = (error.path().to_string(), error.inner().to_string());
        Wrong { path, problem: plain(&problem).into_owned() }
    })
}

/// Whether `value` is text with a `${…}` in it. Malformed text counts; it has an error of its own.
pub(crate) fn holds_expression(value: &Value) -> bool {
    value.as_str().is_some_and(|text| Template::parse(text).map_or(true, |text| !text.is_literal()))
}

/// The options whose values are known before a run: without those in which a `${…}` occurs.
#[cfg(any(feature = "agent", feature = "client"))]
pub(crate) fn known(options: &Value) -> Result<Value, String> {
    fn is_known(value: &Value) -> bool {
        match value {
            Value::Array(items) => items.iter().all(is_known),
            Value::Object(members) => members.values().all(is_known),
            value => !holds_expression(value),
        }
    }
    match options {
        Value::Object(options) => {
            let known = options.iter().filter(|(_, value)| is_known(value));
            Ok(known
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect::<serde_json::Map<_, _>>()
                .into())
        }
        Value::Null => Ok(serde_json::Map::new().into()),
        _ => Err("write an object".to_owned()),
    }
}

impl Wrong {
    /// The problem with its place, unless the message names it.
    pub(crate) fn told(self) -> String {
        let Self { path, problem } = self;
        if path == "." || problem.starts_with("unknown option") {
            problem
        } else {
            format!("`{path}`: {problem}")
        }
    }
}

/// The message of `serde`, without names of Rust types.
fn plain(problem: &str) -> Cow<'_, str> {
    for (theirs, ours) in [("unknown variant", "unknown value"), ("unknown field", "unknown option")] {
        if let Some(rest) = problem.strip_prefix(theirs) {
            return format!("{ours}{rest}").into();
        }
    }
    let Some((found, wanted)) = problem.rsplit_once(", expected ") else { return problem.into() };
    let wanted = match wanted {
        "u8" | "u16" | "u32" | "u64" | "usize" | "nonzero u32" | "nonzero u64" => {
            "a whole number that is not negative"
        }
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a map" => "a mapping",
        "a sequence" => "a list",
        "a string" => "a text",
        "a boolean" => "true or false",
        wanted => wanted,
    };
    format!("{found}, expected {wanted}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, expecting = "a mapping of options")]
    #[allow(dead_code, reason = "only what is wrong is looked at")]
    struct Options {
        count: Option<u32>,
        code: Option<i32>,
        share: Option<f64>,
        on: Option<bool>,
        names: Option<Vec<String>>,
        how: Option<How>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum How {
        VerySlow,
        Fast,
    }

    #[test]
    fn problems_name_no_types() {
        for (options, told) in [
            (
                json!({ "count": "x" }),
                "`count`: invalid type: string \"x\", expected a whole number that is not negative",
            ),
            (
                json!({ "count": -1 }),
                "`count`: invalid value: integer `-1`, expected a whole number that is not negative",
            ),
            (json!({ "code": 1.5 }), "`code`: invalid type: floating point `1.5`, expected a whole number"),
            (json!({ "share": [] }), "`share`: invalid type: sequence, expected a number"),
            (json!({ "on": "yes" }), "`on`: invalid type: string \"yes\", expected true or false"),
            (json!({ "names": {} }), "`names`: invalid type: map, expected a list"),
            (json!({ "names": [1] }), "`names[0]`: invalid type: integer `1`, expected a text"),
            (json!({ "how": "slow" }), "`how`: unknown value `slow`, expected `very-slow` or `fast`"),
            (
                json!({ "much": 1 }),
                "unknown option `much`, expected one of `count`, `code`, `share`, `on`, `names`, `how`",
            ),
            (json!("x"), "invalid type: string \"x\", expected a mapping of options"),
        ] {
            assert_eq!(read::<Options>(&options).unwrap_err().told(), told);
        }
    }
}
