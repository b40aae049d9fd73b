//! The limits of definitions and conditions: a value at the limit is accepted, and one above is refused.

use std::fmt::Write as _;

use workflow_core::definition;
use workflow_core::expr::Condition;
use workflow_core::ids::WorkflowId;

struct Limit {
    what: &'static str,
    most: usize,
    shown: &'static str,
    /// Whether a value of that size is accepted.
    accepts: fn(usize) -> bool,
}

const OF_FILES: &[Limit] = &[
    Limit {
        what: "size of a file, aliases expanded",
        most: 1 << 20,
        shown: "1 MiB",
        accepts: |bytes| {
            let text = "workflow: { name: Size, stages: [s] }\ns: { provider: p }\n#";
            reads(&format!("{text}{}", "x".repeat(bytes - text.len())))
        },
    },
    Limit {
        what: "values in a file, aliases expanded",
        most: 50_000,
        shown: "50,000",
        accepts: |count| {
            // Beside the elements there are sixteen: seven keys, and nine texts, mappings and lists.
            let list = vec!["1"; count - 16].join(",");
            has_not(
                &format!(
                    "workflow: {{ name: Many, stages: [s] }}\ns: {{ provider: p, with: {{ x: [{list}] }} }}"
                ),
                "too-large",
            )
        },
    },
    Limit {
        what: "nesting of lists and mappings",
        most: 64,
        shown: "64",
        accepts: |depth| {
            let (open, close) = ("[".repeat(depth - 3), "]".repeat(depth - 3));
            has_not(
                &format!(
                    "workflow: {{ name: Deep, stages: [s] }}\ns: {{ provider: p, with: {{ x: {open}{close} }} }}"
                ),
                "too-deep",
            )
        },
    },
    Limit {
        what: "length of an id",
        most: 64,
        shown: "64 letters, digits, `-` and `_`",
        accepts: |length| WorkflowId::new("x".repeat(length)).is_ok(),
    },
    Limit {
        what: "nesting of `foreach`",
        most: 8,
        shown: "8",
        accepts: |depth| {
            let open = "{ type: foreach, items: [1], run: ".repeat(depth - 1);
            let profile = format!(
                "graph: [{{ id: n, type: foreach, items: [1], run: {open}{{ type: run }}{} }}]",
                " }".repeat(depth - 1)
            );
            !definition::parse_profile(profile.as_bytes(), None)
                .diagnostics
                .iter()
                .any(|found| found.code == "too-deep")
        },
    },
    Limit {
        what: "problems that are listed",
        most: 200,
        shown: "200",
        accepts: |count| {
            let keys: Vec<_> = (0..count).map(|n| format!("unknown{n}: 1")).collect();
            let yaml =
                format!("workflow: {{ name: Keys, stages: [s] }}\ns: {{ provider: p, {} }}", keys.join(", "));
            has_not(&yaml, "too-many")
        },
    },
];

const OF_CONDITIONS: &[Limit] = &[
    Limit {
        what: "length of a condition",
        most: 4096,
        shown: "4 KiB",
        accepts: |length| Condition::parse(&format!("'{}' == ''", "x".repeat(length - 8))).is_ok(),
    },
    Limit {
        what: "nesting of parentheses",
        most: 32,
        shown: "32",
        accepts: |depth| Condition::parse(&format!("{}true{}", "(".repeat(depth), ")".repeat(depth))).is_ok(),
    },
    Limit {
        what: "`..` in a query, one in each chain",
        most: 2,
        shown: "2",
        accepts: |count| {
            let query = match count {
                2 => "$..x[?@..a]".to_owned(),
                _ => "$..x[?@..a && @..b]".to_owned(),
            };
            Condition::parse(&query).is_ok()
        },
    },
    Limit {
        what: "numbers of selectors in lists, multiplied",
        most: 64,
        shown: "64",
        accepts: |count| {
            let list = vec!["'a'"; count].join(",");
            Condition::parse(&format!("$[{list}]")).is_ok()
        },
    },
];

fn found(yaml: &str) -> Vec<definition::Diagnostic> {
    definition::parse(yaml.as_bytes(), Some(&"limits".parse().unwrap())).diagnostics
}

fn reads(yaml: &str) -> bool {
    found(yaml).is_empty()
}

fn has_not(yaml: &str, code: &str) -> bool {
    !found(yaml).iter().any(|found| found.code == code)
}

fn rows(limits: &[Limit]) -> String {
    let mut text = String::from("| limit | at most |\n|---|---|\n");
    for Limit { what, shown, .. } in limits {
        let _ = writeln!(text, "| {what} | {shown} |");
    }
    text
}

pub(crate) fn table() -> String {
    rows(OF_FILES)
}

pub(crate) fn table_of_conditions() -> String {
    rows(OF_CONDITIONS)
}

#[test]
fn what_is_at_a_limit_is_accepted_and_what_is_above_is_refused() {
    for limit in OF_FILES.iter().chain(OF_CONDITIONS) {
        assert!((limit.accepts)(limit.most), "{}: {} is refused", limit.what, limit.most);
        assert!(!(limit.accepts)(limit.most + 1), "{}: {} is accepted", limit.what, limit.most + 1);
    }
}
