//! Numbers stay as they were written, and are compared by value.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::json;
use workflow_core::data::Data;
use workflow_core::expr::{Condition, Template, ValueTemplate};

/// A number in any spelling that JSON has.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,4})?",
        Just("23000000000000000001".to_owned()),
        Just("1e400".to_owned()),
        Just("-0.0".to_owned()),
        Just("-0".to_owned()),
        Just("1.0".to_owned()),
        Just("1e2".to_owned()),
        Just("0.1000".to_owned()),
    ]
}

/// A JSON text, without blanks, with numbers in any spelling and texts that look like them.
fn document() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => number(),
        1 => number().prop_map(|number| json!(number).to_string()),
        1 => number().prop_map(|number| json!(format!("\"{number}\\")).to_string()),
        1 => Just("null".to_owned()),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(inner, 0..4).prop_map(|items| {
                let members: Vec<_> =
                    items.iter().enumerate().map(|(n, item)| format!("\"{n}-1e2\":{item}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512, failure_persistence: None, rng_seed: RngSeed::Fixed(8), ..ProptestConfig::default()
    })]

    #[test]
    fn numbers_pass_through_templates_as_they_were_written(text in document()) {
        let data = Data::parse(&text).unwrap();
        prop_assert_eq!(data.json(), &text);
        let scope = json!({ "x": data.exact_value(), "deep": [{ "y": data.exact_value() }] });
        for name in ["${x}", "${deep[0].y}"] {
            let rendered = Template::parse(name).unwrap().render(&scope).unwrap();
            let rendered = Data::new(&rendered);
            prop_assert_eq!(rendered.json(), &text);
            let template = ValueTemplate::parse(&json!({ "a": [name, 1.5], "b": "x" })).unwrap();
            let rendered = Data::new(&template.render(&scope).unwrap());
            let expected = format!("{{\"a\":[{text},1.5],\"b\":\"x\"}}");
            prop_assert_eq!(rendered.json(), expected.as_str());
        }
        let within = Template::parse("a ${x} b").unwrap().render_text(&scope).unwrap();
        let shown = data.value().as_str().map_or(text, str::to_owned);
        prop_assert_eq!(within, format!("a {shown} b"));
    }

    #[test]
    fn numbers_are_equal_to_themselves_and_to_no_others(left in number(), right in number()) {
        let document = Data::parse(&format!("{{\"l\":{left},\"r\":{right}}}")).unwrap().exact_value();
        let holds = |text: &str| Condition::parse(text).unwrap().eval(&document);
        let same = format!("$.l == {left} && $.l == $.l && $.r <= {right}");
        prop_assert!(holds(&same));
        let (less, equal, more) = (holds("$.l < $.r"), holds("$.l == $.r"), holds("$.l > $.r"));
        prop_assert_eq!([less, equal, more].iter().filter(|holds| **holds).count(), 1);
        prop_assert_eq!(holds("$.l != $.r"), !equal);
        prop_assert_eq!(holds("$.r > $.l"), less);
    }
}

#[test]
fn numbers_that_64_bits_do_not_hold_are_compared_by_value() {
    let text = r#"{ "big": 23000000000000000001, "huge": 1e400, "tiny": 1e-400, "zero": -0.0, "cents": 0.1000,
        "hundred": 1e2, "list": [1e2, 1e400], "xs": [{ "n": 1e2, "ok": true }, { "n": 1e400, "ok": false }] }"#;
    let document = Data::parse(text).unwrap().exact_value();
    for (condition, holds) in [
        ("$.big == 23000000000000000001", true),
        ("$.big == 23000000000000000000", false),
        ("$.big > 23000000000000000000", true),
        ("$.big < 2.3e19", false),
        ("$.huge == 10e399", true),
        ("$.huge > 1e308", true),
        ("$.tiny > 0", true),
        ("$.tiny != 0", true),
        ("$.zero == 0", true),
        ("$.cents == 0.1", true),
        ("$.hundred == 100", true),
        ("$.hundred >= 1e2", true),
        ("$.huge == 'a text'", false),
        ("$.list == $.list", true),
        ("$.list[0] < $.list[1]", true),
        ("$.xs[?@.n == 100].ok", true),
        ("$.xs[?@.n > 100].ok", false),
    ] {
        assert_eq!(Condition::parse(condition).unwrap().eval(&document), holds, "{condition}");
    }
}
