//! Malicious roles, profiles, schemas and files of `config`: each results in an error with a position, within the
//! documented limits.

#![cfg(all(feature = "roles", feature = "json-schema"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]

use workflow_core::definition::{self, Diagnostic};

/// The kind of a file, and its parser.
type Reader = (&'static str, fn(&[u8]) -> Vec<Diagnostic>);

const READERS: [Reader; 6] = [
    ("profile", |text| definition::parse_profile(text, None).diagnostics),
    ("role", |text| definition::parse_role(text, None).diagnostics),
    ("schema", |text| definition::read_schema(text).err().unwrap_or_default()),
    ("assignments", |text| definition::parse_assignments(text).diagnostics),
    ("providers", |text| definition::parse_providers(text).diagnostics),
    ("notifications", |text| definition::parse_notifications(text).diagnostics),
];

/// The first diagnostic of each parser for a text; a role's front matter is the text.
fn refused(text: &[u8]) -> Vec<String> {
    let read = |(name, read): Reader| {
        let text = if name == "role" { [b"---\n", text, b"\n---\nBody"].concat() } else { text.to_vec() };
        let found = read(&text);
        assert!(found.len() <= 201, "{name}: {} problems", found.len());
        let error = found.iter().find(|found| found.is_error()).unwrap_or_else(|| panic!("{name} reads it"));
        assert!(error.message.len() < 1000, "{name}: {}", error.message);
        format!("{name}: {} in line {}", error.code, error.line)
    };
    READERS.map(read).into()
}

fn all(code: &str, line: u32) -> [String; 6] {
    let at = |name: &str, line| format!("{name}: {code} in line {line}");
    [
        at("profile", line),
        at("role", line + 1),
        at("schema", line),
        at("assignments", line),
        at("providers", line),
        at("notifications", line),
    ]
}

#[test]
fn nesting_has_a_limit_in_every_file() {
    assert_eq!(refused("[".repeat(100_000).as_bytes()), all("too-deep", 1));
    assert_eq!(refused(format!("a:\n  b: {}", "{a: ".repeat(100_000)).as_bytes()), all("too-deep", 2));
}

#[test]
fn the_number_of_values_has_a_limit_in_every_file() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
        bomb.push_str(&["a", &n.to_string(), ": &a", &n.to_string(), " [", &aliases, "]\n"].concat());
    }
    assert_eq!(refused(bomb.as_bytes()), all("too-large", 5));
    assert_eq!(refused(format!("a: [{}]", "x,".repeat(60_000)).as_bytes()), all("too-large", 1));
}

#[test]
fn bytes_that_are_not_text_are_refused_at_their_place_in_every_file() {
    assert_eq!(refused(b"a: b\nc: \xff"), all("not-utf8", 2));
    assert_eq!(refused(b"a: b\nc: \"\0\""), all("control-character", 2));
}

#[test]
fn a_file_of_more_than_a_mebibyte_is_refused_by_its_size() {
    for (name, read) in READERS {
        for size in [(1 << 20) + 1, 50 << 20] {
            let found = read(&vec![b'a'; size]);
            assert_eq!((found.len(), found[0].code, found[0].line), (1, "too-large", 1), "{name}");
        }
        let largest = read(&[b"# ".as_slice(), &vec![b'a'; (1 << 20) - 2]].concat());
        assert!(
            largest.iter().all(|found| found.code != "too-large" || name == "role"),
            "{name}: {largest:?}"
        );
    }
}

/// The diagnostics of a body.
fn of_body(body: &str) -> String {
    let mut said = String::new();
    for found in definition::parse_role(body.as_bytes(), None).diagnostics {
        if found.path == "body" {
            said.push_str(&found.to_string());
            said.push('\n');
        }
    }
    said
}

#[test]
fn a_template_has_a_limit_of_length_of_tags_and_of_depth() {
    let bodies = [
        "x".repeat((256 << 10) + 1),
        "{{vars.x}}".repeat(20_000),
        "{{#if vars.x}}".repeat(10_000) + &"{{/if}}".repeat(10_000),
        format!("{{{{json {}vars{}}}}}", "(json ".repeat(20_000), ")".repeat(20_000)),
        format!("{{{{json {}1{}}}}}", "[".repeat(50_000), "]".repeat(50_000)),
        "\\".repeat(200_000),
        "{{!--".repeat(50_000),
        "{{".repeat(100_000),
        "{{{{if vars}}}}".repeat(10_000),
        "{{#if vars.x}}".repeat(20),
        "{{else}}".repeat(500),
        format!("{{{{#if vars.x}}}}{}{{{{/if}}}}", "{{else if vars.x}}".repeat(900)),
    ];
    let said: String = bodies.iter().map(|body| of_body(body)).collect();
    insta::assert_snapshot!("hostile_templates", said);
}

#[test]
fn the_largest_templates_that_are_allowed_are_read() {
    let deep = "{{#if vars.x}}".repeat(32) + &"{{/if}}".repeat(32);
    let many = "{{vars.x}}\n".repeat(1000);
    let long = "x".repeat(256 << 10);
    for body in [deep, many, long] {
        assert_eq!(of_body(&body), "");
    }
}

#[test]
fn many_mistakes_in_many_guards_are_not_all_described() {
    let guards = "- \"{{nope vars.x}}\"\n".repeat(500);
    let found = definition::parse_role(format!("---\nid: a\nguards:\n{guards}---\nx").as_bytes(), None);
    assert_eq!((found.diagnostics.len(), found.diagnostics[200].code), (201, "too-many"));
}
