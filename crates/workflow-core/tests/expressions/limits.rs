//! Hostile sizes and depths result in an error or an answer, never in a crash.

use serde_json::{Value, json};
use workflow_core::expr::{Condition, Template, ValueTemplate};

/// `deep` times `open`, `inner`, `deep` times `close`.
fn nested(deep: usize, open: &str, inner: &str, close: &str) -> String {
    format!("{}{inner}{}", open.repeat(deep), close.repeat(deep))
}

#[test]
fn parentheses_nest_to_a_limit() {
    let deepest = nested(32, "(", "$.a", ")");
    assert!(Condition::parse(&deepest).unwrap().eval(&json!({ "a": true })));
    let error = Condition::parse(&format!("({deepest})")).unwrap_err();
    assert_eq!(
        (error.offset, error.message.as_str()),
        (32, "the condition is nested too deeply: make it simpler")
    );
}

#[test]
fn a_query_nests_to_a_limit() {
    const MESSAGE: &str = "the query is nested too deeply: make it simpler";
    let table = [
        (format!("$.a{}", nested(4, "[?@.a", "", "]")), None),
        (format!("$.a{}", nested(5, "[?@.a", "", "]")), Some(23)),
        (format!("$[?{}]", nested(8, "(", "@.a", ")")), None),
        (format!("$[?{}]", nested(9, "(", "@.a", ")")), Some(11)),
    ];
    for (text, refused_at) in table {
        let error = Condition::parse(&text).err().map(|error| (error.offset, error.message));
        assert_eq!(error, refused_at.map(|at| (at, MESSAGE.to_owned())), "{text}");
    }
}

#[test]
fn a_query_is_linear_in_the_size_of_the_document() {
    for (text, refused_at) in [
        ("$..*", None),
        ("$..a[?@..b]", None),
        ("$.xs[?@.name == $.vars['a b'].name && @.n > 1].y", None),
        ("$.xs[?count(@.*) > 1]", None),
        ("$['a', 'b, c', 1:2]", None),
        ("$..*..*..*", Some(4)),
        ("$..a..b", Some(4)),
        ("$.a[?@..b[?@..c[?@..d]]]", Some(18)),
        ("$.a[?@..b..c]", Some(9)),
        ("$.a[?$.b[*]]", Some(5)),
        ("$.a[?$..b]", Some(5)),
        ("$.a[?@.b == 1 || $.b[?@.c]]", Some(17)),
        ("$[0,0,0,0][0,0,0,0][0,0,0,0][0,0,0,0]", Some(29)),
        ("$.a[?@[*,*,*,*,*,*,*,*] && @[*,*,*,*,*,*,*,*] && @[*,*]]", Some(51)),
    ] {
        let error = Condition::parse(text).err().map(|error| (error.offset, error.message));
        assert_eq!(error.as_ref().map(|(at, _)| *at), refused_at, "{text}: {error:?}");
        assert!(error.is_none_or(|(_, message)| message.starts_with("the query is too complex")), "{text}");
    }
}

#[test]
fn unclosed_openings_are_refused() {
    for opening in ["(", "!(", "$[", "$[?", "$[?(", "$[?@[?", "$[?!(", "$[?count(@", "$[?'", "$.a && ("] {
        let text = opening.repeat(400);
        assert!(Condition::parse(&text).is_err(), "{text}");
    }
}

#[test]
fn the_deepest_condition_fits_a_small_stack() {
    let parentheses = nested(8, "!(", "@.a", ")");
    let deepest = [
        nested(32, "(", &format!("${}", nested(3, "[?@", &format!("[?{parentheses}]"), "]")), ")"),
        nested(32, "(", &format!("${}", nested(4, "[?count(@", "", ") > 0]")), ")"),
        nested(32, "(", &format!("${}", nested(4, "[?!@", ".a", "]")), ")"),
        format!("{}true", "!".repeat(4_000)),
    ];
    let run = move || {
        let document = json!([[[[[[{ "a": true }]]]]]]);
        deepest.map(|text| {
            let condition = Condition::parse(&text).unwrap();
            (condition.eval(&document), condition.clone() == condition)
        })
    };
    let thread = std::thread::Builder::new().stack_size(512 * 1024).spawn(run).unwrap();
    assert_eq!(thread.join().unwrap(), [(false, true), (false, true), (false, true), (true, true)]);
}

#[test]
fn a_condition_has_a_longest_length() {
    let long = format!("true{}", " && true".repeat(500));
    assert!(Condition::parse(&long).unwrap().eval(&json!({})));
    let error = Condition::parse(&" ".repeat(4_097)).unwrap_err();
    assert_eq!(
        (error.offset, error.message.as_str()),
        (4_096, "a condition can be 4 KiB long: make it simpler")
    );
}

#[test]
fn a_value_nests_to_a_limit() {
    let nested = |deep: usize| (0..deep).fold(json!("${x}"), |inner, _| json!([inner]));
    assert_eq!(ValueTemplate::parse(&nested(127)).unwrap().names().count(), 1);
    let error = ValueTemplate::parse(&nested(128)).unwrap_err();
    assert_eq!(error.message, "a value can be nested 128 deep: flatten it");
}

/// Each would take minutes if a step scanned the rest of the text again.
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
