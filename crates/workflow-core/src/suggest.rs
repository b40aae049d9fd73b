//! "Did you mean": the known name that is nearest to one that is not known.

/// The candidate that `name` may be a slip of, as the end of a message: "; did you mean `retries`?".
/// Empty when none is near.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// The nearest candidate, as the end of a message; or all candidates if none is near and they are few: ":
/// write `a` or `b`".
pub(crate) fn near_or_all<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let near = did_you_mean(name, known.clone());
    if near.is_empty() && (1..=8).contains(&known.clone().count()) {
        return format!(": write {}", one_of(known));
    }
    near
}

/// The choices there are: "`a`, `b` or `c`".
pub(crate) fn one_of<'a>(choices: impl Iterator<Item = &'a str>) -> String {
    let mut choices: Vec<_> = choices.map(|choice| format!("`{choice}`")).collect();
    let last = choices.pop().unwrap_or_default();
    if choices.is_empty() { last } else { format!("{} or {last}", choices.join(", ")) }
}

/// The id that is nearest to a text that is not one: `my-plan` for `My plan!`. `None` if no valid character
/// is left.
pub(crate) fn slug(text: &str) -> Option<String> {
    let mut slug = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() == 64 {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    (!slug.is_empty()).then(|| slug.to_owned())
}

/// At most this many candidates are compared.
const MOST: usize = 100;

/// The nearest candidate within a third of the name's length, whatever its case and its `_` and `-`.
///
/// ```
/// use workflow_core::definition::nearest;
///
/// assert_eq!(nearest("retrys", ["retries", "role"]), Some("retries"));
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > 64 {
        return None;
    }
    let name = plain(name);
    let allowed = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .take(MOST)
        .map(|candidate| (strsim::osa_distance(&name, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_keeps_letters_digits_and_words() {
        for (text, expected) in [
            ("my plan", Some("my-plan")),
            ("  Plan & Code! ", Some("plan-code")),
            ("../x", Some("x")),
            ("prüfen", Some("pr-fen")),
            ("", None),
            ("日本", None),
        ] {
            assert_eq!(slug(text).as_deref(), expected, "{text}");
        }
        assert_eq!(slug(&"a".repeat(100)).map(|slug| slug.len()), Some(64));
    }

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        for (name, meant) in [
            ("onFailure", Some("on_failure")),
            ("retrys", Some("retries")),
            ("tset", Some("test")),
            ("owner", None),
            ("", None),
        ] {
            let known = ["on_failure", "retries", "test", "x"];
            assert_eq!(nearest(name, known), meant, "{name}");
        }
    }
}
