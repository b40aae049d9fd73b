//! Hostile sizes and depths end in an error or an answer, never in a crash.

use serde_json::{Value, json};
use workflow_core::expr::{Condition, Template, ValueTemplate};

#[test]
fn parentheses_nest_to_a_limit() {
    let nested = |deep: usize| format!("{}$.a{}", "(".repeat(deep), ")".repeat(deep));
    assert!(Condition::parse(&nested(64)).unwrap().eval(&json!({ "a": true })));
    let error = Condition::parse(&nested(65)).unwrap_err();
    assert_eq!(
        (error.offset, error.message.as_str()),
        (64, "the condition is nested too deeply: make it simpler")
    );
    assert!(Condition::parse(&"(".repeat(60_000)).is_err());
}

#[test]
fn a_row_of_nots_costs_no_stack() {
    assert!(Condition::parse(&format!("{}true", "!".repeat(60_000))).unwrap().eval(&json!({})));
}

#[test]
fn a_query_nests_to_a_limit() {
    const MESSAGE: &str = "the query is nested too deeply: make it simpler";
    let filters = |deep: usize| format!("$.a{}", "[?@.a".repeat(deep)) + &"]".repeat(deep);
    assert!(Condition::parse(&filters(5)).is_ok());
    let error = Condition::parse(&filters(6)).unwrap_err();
    assert_eq!((error.offset, error.message.as_str()), (28, MESSAGE));
    let parentheses = |deep: usize| format!("$[?{}@.a{}]", "(".repeat(deep), ")".repeat(deep));
    assert!(Condition::parse(&parentheses(16)).is_ok());
    let error = Condition::parse(&parentheses(17)).unwrap_err();
    assert_eq!((error.offset, error.message.as_str()), (19, MESSAGE));
    for opening in ["[", "[?", "[?(", "[?@[?", "[?!(", "[?count(@"] {
        assert!(Condition::parse(&format!("${}", opening.repeat(5_000))).is_err(), "{opening}");
    }
}

/// Every level of these is read by the JSONPath parser more than once.
#[test]
fn the_deepest_queries_are_parsed_quickly() {
    let wrap = |deep: usize, open: &str, inner: &str, close: &str| {
        format!("${}{inner}{}", open.repeat(deep), close.repeat(deep))
    };
    let parentheses = format!("{}@.a{}", "!(".repeat(16), ")".repeat(16));
    for query in [
        wrap(5, "[?count(@", "", ") > 0]"),
        wrap(5, "[?!count(@", "", ") > 0]"),
        wrap(5, "[?@", ".a", "]"),
        wrap(5, "[?!@", ".a", "]"),
        wrap(5, "[?value(@", ".a", ") == 1 || @.b]"),
        wrap(4, "[?@", &format!("[?{parentheses}]"), "]"),
        format!("$[?{}@.a{}]", "length(".repeat(16), ")".repeat(16)),
    ] {
        // Whether the parser takes it does not matter here.
        let _ = Condition::parse(&query);
        let _ = Condition::parse(&query.replace("] ", "]x "));
    }
}

#[test]
fn a_condition_has_a_longest_length() {
    let long = format!("true{}", " && true".repeat(8_000));
    assert!(Condition::parse(&long).unwrap().eval(&json!({})));
    let error = Condition::parse(&" ".repeat(65_537)).unwrap_err();
    assert_eq!(
        (error.offset, error.message.as_str()),
        (65_536, "a condition can be 64 KiB long: make it simpler")
    );
}

#[test]
fn a_value_nests_to_a_limit() {
    let nested = |deep: usize| (0..deep).fold(json!("${x}"), |inner, _| json!([inner]));
    assert_eq!(ValueTemplate::parse(&nested(127)).unwrap().names().count(), 1);
    let error = ValueTemplate::parse(&nested(128)).unwrap_err();
    assert_eq!(error.message, "a value can be nested 128 deep: flatten it");
}

/// Each would take minutes if a step looked at the rest of the text again.
#[test]
fn a_mebibyte_is_parsed_in_one_pass() {
    const SIZE: usize = 1 << 20;
    let scope = json!({ "v": "" });
    let render = |text: &str| Template::parse(text).unwrap().render_text(&scope).unwrap();
    assert_eq!(render(&"$".repeat(SIZE)).len(), SIZE);
    assert_eq!(render(&"$${".repeat(SIZE / 3)).len(), SIZE / 3 * 2);
    assert_eq!(render(&"${v}".repeat(SIZE / 4)), "");
    assert_eq!(render(&format!("${{v:-{}}}", "x".repeat(SIZE))), "");
    assert_eq!(render(&format!("${{{}:-}}", "v.".repeat(SIZE / 2) + "v")), "");
    assert_eq!(render(&format!("${{v{}:-}}", "[0]".repeat(SIZE / 3))), "");
    for text in ["${".repeat(SIZE / 2), "${v.".repeat(SIZE / 4), format!("${{{}", "v".repeat(SIZE))] {
        assert!(Template::parse(&text).is_err());
    }
}

#[test]
fn a_long_unknown_name_makes_a_short_message() {
    let text = format!("${{{}}}", "v".repeat(1 << 20));
    let known: serde_json::Map<_, _> = (0..100).map(|n| ("v".repeat(1_000 + n), Value::Null)).collect();
    let error = Template::parse(&text).unwrap().render(&Value::Object(known)).unwrap_err();
    assert_eq!(error.name().len(), 80);
    assert_eq!(error.suggestion(), None);
}
