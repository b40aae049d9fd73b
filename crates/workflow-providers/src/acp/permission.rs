//! What an agent may do.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::agent::cli::text;

const KINDS: [&str; 10] =
    ["read", "edit", "delete", "move", "search", "execute", "think", "fetch", "switch_mode", "other"];

/// Tools of a kind, or all; only those whose title matches a pattern, if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    kind: Option<&'static str>,
    title: Option<String>,
}

/// What the rules of a definition say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Allow,
    Deny,
    /// A person decides.
    Ask,
}

/// The answer to a request of an agent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision<'r> {
    /// It may. The option that says so for this time, or for all times if there is no other.
    Allowed(&'r str),
    /// It may not.
    Denied(&'r str),
    /// It may not, and gives no option that says so.
    Cancelled,
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (name, title) = match text.strip_suffix(')').and_then(|text| text.split_once('(')) {
            Some((name, title)) => (name, Some(title.to_owned())),
            None => (text.as_str(), None),
        };
        let kind = match name {
            "*" => None,
            name => Some(KINDS.into_iter().find(|kind| *kind == name).ok_or_else(|| {
                D::Error::custom(format!(
                    "`{name}` is not a kind of tool: write {} or *, as in `execute(cargo test*)`",
                    KINDS.join(", ")
                ))
            })?),
        };
        Ok(Self { kind, title })
    }
}

impl JsonSchema for Rule {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Rule".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

impl Rule {
    fn fits(&self, kind: &str, title: &str) -> bool {
        self.kind.is_none_or(|own| own == kind)
            && self.title.as_ref().is_none_or(|pattern| matches(pattern, title))
    }
}

/// What the rules say about a tool of a kind.
pub(super) fn verdict([deny, allow, ask]: [&[Rule]; 3], kind: &str, title: &str) -> Verdict {
    let fits = |rules: &[Rule]| rules.iter().any(|rule| rule.fits(kind, title));
    if fits(deny) {
        Verdict::Deny
    } else if fits(allow) {
        Verdict::Allow
    } else if fits(ask) {
        Verdict::Ask
    } else {
        Verdict::Deny
    }
}

/// The answer to a request, which has `options`.
pub(super) fn decide(is_allowed: bool, options: &Value) -> Decision<'_> {
    let option = |kind: &str| {
        let mut options = options.as_array()?.iter();
        let found = options.find(|option| text(option, "kind") == kind)?;
        Some(text(found, "optionId"))
    };
    let names = if is_allowed { ["allow_once", "allow_always"] } else { ["reject_once", "reject_always"] };
    match names.into_iter().find_map(option) {
        Some(option) if is_allowed => Decision::Allowed(option),
        Some(option) => Decision::Denied(option),
        None => Decision::Cancelled,
    }
}

/// Whether a text matches a pattern in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules(texts: &[&str]) -> Vec<Rule> {
        serde_json::from_value(json!(texts)).unwrap()
    }

    #[test]
    fn patterns_match_whole_titles() {
        for (pattern, title, fits) in [
            ("cargo test", "cargo test", true),
            ("cargo test", "cargo test --all", false),
            ("cargo test*", "cargo test --all", true),
            ("cargo*", "rm -rf / # cargo", false),
            ("*cargo", "not cargo", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("a*a", "a", false),
            ("", "", true),
            ("*", "anything", true),
        ] {
            assert_eq!(matches(pattern, title), fits, "{pattern}: {title}");
        }
    }

    #[test]
    fn a_request_is_denied_unless_a_rule_allows_it() {
        let options = json!([
            { "optionId": "always", "kind": "allow_always" },
            { "optionId": "once", "kind": "allow_once" },
            { "optionId": "no", "kind": "reject_once" },
        ]);
        let only_yes = json!([{ "optionId": "always", "kind": "allow_always" }]);
        for (allow, deny, kind, title, options, decision) in [
            (&[][..], &[][..], "edit", "Edit a", &options, Decision::Denied("no")),
            (&["edit"], &[], "edit", "Edit a", &options, Decision::Allowed("once")),
            (&["edit"], &[], "execute", "ls", &options, Decision::Denied("no")),
            (&["*"], &["execute(git push*)"], "execute", "git push -f", &options, Decision::Denied("no")),
            (&["*"], &["execute(git push*)"], "execute", "git status", &options, Decision::Allowed("once")),
            (&["*"], &[], "execute", "ls", &only_yes, Decision::Allowed("always")),
            (&[], &[], "execute", "ls", &only_yes, Decision::Cancelled),
            (&["*"], &[], "execute", "ls", &Value::Null, Decision::Cancelled),
        ] {
            let rules = [&*rules(deny), &rules(allow), &[]];
            let is_allowed = verdict(rules, kind, title) == Verdict::Allow;
            assert_eq!(decide(is_allowed, options), decision);
        }
    }

    #[test]
    fn a_person_is_asked_what_the_other_rules_leave_open() {
        let (deny, allow, ask) = (rules(&["execute(rm*)"]), rules(&["read"]), rules(&["execute", "read"]));
        for (kind, title, expected) in [
            ("read", "a.rs", Verdict::Allow),
            ("execute", "rm -rf /", Verdict::Deny),
            ("execute", "ls", Verdict::Ask),
            ("edit", "a.rs", Verdict::Deny),
        ] {
            assert_eq!(verdict([&deny, &allow, &ask], kind, title), expected, "{kind} {title}");
        }
    }
}
