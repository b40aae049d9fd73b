//! Numbers keep their exact notation, and are compared by value.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::json;
use workflow_core::data::Data;
use workflow_core::expr::{Condition, Template, ValueTemplate};

/// A number in any notation that JSON allows.
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

/// A JSON text, without whitespace, with numbers in any notation and texts that look like numbers.
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

    #[test]
    fn filters_compare_numbers_as_conditions_do(
        left in comparable(), right in comparable(), others in prop::collection::vec(comparable(), 0..4)
    ) {
        let all = [vec![left.clone(), right.clone()], others].concat();
        let text = format!(
            "{{\"x\":{{\"l\":{left},\"r\":{right},\"ls\":[{{\"n\":{left}}}],\"ok\":true}},\"all\":[{}]}}", all.join(",")
        );
        let document = Data::parse(&text).unwrap().exact_value();
        let holds = |text: &str| Condition::parse(text).unwrap().eval(&document);
        for op in ["==", "!=", "<", "<=", ">", ">="] {
            let expected = holds(&format!("$.x.l {op} $.x.r"));
            for filter in [
                format!("$[?@.l {op} @.r].ok"),
                format!("$[?@.l {op} {right}].ok"),
                format!("$[?{left} {op} @['r']]['ok']"),
                format!("$[?@.l {op} $.all[1]].ok"),
                format!("$[?$.all[0] {op} @.r && length(@.ls) == 1].ok"),
            ] {
                // A comparison of missing values, which other parts of the document have, selects no `ok`.
                prop_assert_eq!(holds(&filter), expected, "{} in {}", filter, text);
            }
        }
        let same = holds("$.x.l == $.all[1]");
        prop_assert_eq!(holds("$[?@.ls == $.x.ls].ok"), true);
        let deep = format!("{{\"x\":{{\"a\":[{left}],\"b\":[{right}],\"ok\":true}}}}");
        let deep = Data::parse(&deep).unwrap().exact_value();
        prop_assert_eq!(Condition::parse("$[?@.a == @.b].ok").unwrap().eval(&deep), same);
    }
}

/// Numbers that are often close to each other.
fn comparable() -> impl Strategy<Value = String> {
    let near = [
        "9007199254740992",
        "9007199254740993",
        "9007199254740994",
        "9007199254740993.0",
        "9007199254740992.0",
        "-9007199254740993",
        "-9007199254740992.0",
        "9007199254740992.5",
    ];
    let near = near.into_iter().chain([
        "0.1",
        "0.10",
        "0.10000000000000000001",
        "1",
        "1.0",
        "1.00000000000000000001",
    ]);
    let near: Vec<_> =
        near.chain(["0.99999999999999999999", "-1", "-1e400", "1e400", "10e399", "1e-400", "0"]).collect();
    prop_oneof![
        2 => number(),
        3 => prop::sample::select(near).prop_map(str::to_owned),
        1 => "-?900719925474099[0-9]{1,4}(\\.[0-9])?",
    ]
}

#[test]
fn numbers_that_64_bits_do_not_hold_are_compared_by_value() {
    let text = r#"{ "big": 23000000000000000001, "huge": 1e400, "tiny": 1e-400, "zero": -0.0, "cents": 0.1000,
        "hundred": 1e2, "list": [1e2, 1e400], "xs": [{ "n": 1e2, "ok": true }, { "n": 1e400, "ok": false }], "id": 1234567890123456789, "pair": [1, 2.0], "held": 9007199254740992.0,
        "ids": [{ "id": 1234567890123456788, "ok": false }, { "id": 1234567890123456789, "name": "abc", "ok": true,
        "pair": [1.0, 2] }] }"#;
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
        ("$.ids[?@.id == 1234567890123456789].ok", true),
        ("$.ids[?@.id < 1234567890123456789].ok", false),
        ("$.ids[?@.id == $.id].ok", true),
        ("$.ids[?@.id >= 1e400].ok", false),
        ("$.ids[?@.id >= 1e400 || length(@.name) == 3].ok", true),
        ("$.held == 9007199254740993", false),
        ("$.held < 9007199254740993", true),
        ("$.ids[-1:][?@ == true]", true),
        ("$.ids[?@.pair == $.pair].ok", true),
    ] {
        assert_eq!(Condition::parse(condition).unwrap().eval(&document), holds, "{condition}");
    }
}
