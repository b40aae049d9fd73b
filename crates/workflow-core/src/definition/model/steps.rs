//! Paths of fields, as diagnostics write them: `test.providers[1].role`, `plan.env["A.B"]`.

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// The steps of a path; none when it is not one.
pub(crate) fn parse(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let mut keys = serde_json::Deserializer::from_str(inside).into_iter::<serde_json::Value>();
            steps.push(match keys.next()?.ok()? {
                serde_json::Value::String(key) => Step::Key(key),
                index => Step::Index(usize::try_from(index.as_u64()?).ok()?),
            });
            rest = inside[keys.byte_offset()..].strip_prefix(']')?;
        } else {
            if !steps.is_empty() {
                rest = rest.strip_prefix('.')?;
            }
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let key;
            (key, rest) = rest.split_at(end);
            if key.is_empty() {
                return None;
            }
            steps.push(Step::Key(key.to_owned()));
        }
    }
    (!steps.is_empty()).then_some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        let key = |key: &str| Step::Key(key.to_owned());
        for (path, steps) in [
            ("plan", vec![key("plan")]),
            ("test.providers[1].role", vec![key("test"), key("providers"), Step::Index(1), key("role")]),
            ("plan.env[\"A.B\"].x", vec![key("plan"), key("env"), key("A.B"), key("x")]),
            ("a[0][1]", vec![key("a"), Step::Index(0), Step::Index(1)]),
        ] {
            assert_eq!(parse(path), Some(steps), "{path}");
        }
        for path in ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a[-1]", "a[1", "a[1]b", "a[\"b]"] {
            assert_eq!(parse(path), None, "{path}");
        }
    }
}
