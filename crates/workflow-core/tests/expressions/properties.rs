//! Properties of every expression.

use std::fmt;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};
use workflow_core::expr::{Condition, Template, ValueTemplate};

/// Text made mostly of the tokens of expressions.
fn expression_like() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("$"),
        Just("${"),
        Just("$${"),
        Just("}"),
        Just("$."),
        Just("$["),
        Just("vars"),
        Just(".x"),
        Just("[0]"),
        Just("[?"),
        Just("@"),
        Just("["),
        Just("]"),
        Just("("),
        Just(")"),
        Just("'"),
        Just("\""),
        Just("\\"),
        Just("\\u"),
        Just("\\uD8"),
        Just("0"),
        Just("-1"),
        Just("1e9"),
        Just("=="),
        Just("!"),
        Just("<"),
        Just("&&"),
        Just("||"),
        Just("true"),
        Just("null"),
        Just(" "),
        Just(":-"),
        Just(":"),
        Just(","),
        Just("*"),
        Just(".."),
        Just("count("),
        Just("match("),
        Just("ä"),
        Just("🦀"),
    ];
    prop::collection::vec(token, 0..16).prop_map(|tokens| tokens.concat())
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        expression_like(),
        ".{0,40}",
        prop::collection::vec(any::<char>(), 0..20).prop_map(|chars| chars.into_iter().collect())
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z]{1,3}", inner), 0..4)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::with_cases(512)
    })]

    #[test]
    fn any_text_is_parsed_or_refused_at_a_place_in_it(text in any_text()) {
        let document = json!({ "vars": { "x": [1, "a"] } });
        match Template::parse(&text) {
            Ok(template) => drop(template.render(&document)),
            Err(error) => prop_assert!(text.is_char_boundary(error.offset)),
        }
        match Condition::parse(&text) {
            Ok(condition) => drop(condition.eval(&document)),
            Err(error) => prop_assert!(text.is_char_boundary(error.offset), "{error}"),
        }
    }

    #[test]
    fn an_escaped_text_renders_to_itself(text in any_text()) {
        let template = Template::parse(&text.replace("${", "$${")).unwrap();
        prop_assert_eq!(template.as_literal(), Some(text.as_str()));
        prop_assert_eq!(template.render(&json!({})).unwrap(), Value::from(text));
    }

    #[test]
    fn one_expression_keeps_its_value_and_others_show_it(value in any_value()) {
        let scope = json!({ "vars": { "x": value } });
        let render = |text: &str| Template::parse(text).unwrap().render(&scope).unwrap();
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        prop_assert_eq!(render("a ${vars.x}$"), Value::from(format!("a {shown}$")));
        prop_assert_eq!(render("${vars.x}"), value);
    }

    #[test]
    fn an_escaped_value_renders_to_itself(value in any_value()) {
        let template = ValueTemplate::parse(&escape(&value)).unwrap();
        prop_assert!(template.is_literal());
        prop_assert_eq!(template.render(&json!({})).unwrap(), value);
    }

    #[test]
    fn a_condition_means_what_its_tree_means(tree in tree(), spaces in any::<bool>()) {
        let text = if spaces { format!("{tree:#}") } else { format!("{tree}") };
        let condition = Condition::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        prop_assert_eq!(condition.eval(&document()), tree.holds(), "{}", text);
    }
}

fn escape(value: &Value) -> Value {
    match value {
        Value::String(text) => text.replace("${", "$${").into(),
        Value::Array(items) => items.iter().map(escape).collect(),
        Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), escape(value))).collect(),
        other => other.clone(),
    }
}

/// A condition as a tree, with its own evaluation to compare with.
#[derive(Debug, Clone)]
enum Tree {
    Const(bool),
    Query(Operand),
    Compare(Operand, &'static str, Operand),
    Not(Box<Tree>),
    And(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
}

/// The text of an operand, and its value in [`document`].
#[derive(Debug, Clone, Copy)]
struct Operand {
    text: &'static str,
    value: Known,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Known {
    Absent,
    Null,
    Bool(bool),
    Number(f64),
    Text(&'static str),
}

fn document() -> Value {
    json!({ "yes": true, "no": false, "n": 2, "half": 0.5, "text": "a && 'b'", "nothing": null, "xs": [{ "y": 2.0 }] })
}

const QUERIES: [Operand; 9] = [
    Operand { text: "$.yes", value: Known::Bool(true) },
    Operand { text: "$['no']", value: Known::Bool(false) },
    Operand { text: "$.n", value: Known::Number(2.0) },
    Operand { text: "$.half", value: Known::Number(0.5) },
    Operand { text: "$.text", value: Known::Text("a && 'b'") },
    Operand { text: "$.nothing", value: Known::Null },
    Operand { text: "$.xs[0].y", value: Known::Number(2.0) },
    Operand { text: "$[\"absent\"]", value: Known::Absent },
    Operand { text: "$.xs[7]['y']", value: Known::Absent },
];

const LITERALS: [Operand; 8] = [
    Operand { text: "true", value: Known::Bool(true) },
    Operand { text: "false", value: Known::Bool(false) },
    Operand { text: "null", value: Known::Null },
    Operand { text: "2", value: Known::Number(2.0) },
    Operand { text: "-5e-1", value: Known::Number(-0.5) },
    Operand { text: "'a && \\'b\\''", value: Known::Text("a && 'b'") },
    Operand { text: "\"\\u0061\"", value: Known::Text("a") },
    Operand { text: "'$.yes || ('", value: Known::Text("$.yes || (") },
];

fn tree() -> impl Strategy<Value = Tree> {
    let query = || prop::sample::select(&QUERIES[..]);
    let operand = || prop_oneof![query(), prop::sample::select(&LITERALS[..])];
    let op = prop::sample::select(&["==", "!=", "<", "<=", ">", ">="][..]);
    let leaf = prop_oneof![
        1 => any::<bool>().prop_map(Tree::Const),
        2 => query().prop_map(Tree::Query),
        4 => (operand(), op, operand()).prop_map(|(left, op, right)| Tree::Compare(left, op, right)),
    ];
    leaf.prop_recursive(5, 24, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Tree::Not(Box::new(inner))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Tree::And(Box::new(a), Box::new(b))),
            (inner.clone(), inner).prop_map(|(a, b)| Tree::Or(Box::new(a), Box::new(b))),
        ]
    })
}

impl Tree {
    fn holds(&self) -> bool {
        match self {
            Self::Const(value) => *value,
            Self::Query(query) => query.value == Known::Bool(true),
            Self::Compare(left, op, right) => compare(left.value, op, right.value),
            Self::Not(inner) => !inner.holds(),
            Self::And(a, b) => a.holds() & b.holds(),
            Self::Or(a, b) => a.holds() | b.holds(),
        }
    }

    fn binds(&self) -> u8 {
        match self {
            Self::Or(..) => 0,
            Self::And(..) => 1,
            Self::Not(_) => 2,
            Self::Compare(..) => 3,
            Self::Const(_) | Self::Query(_) => 4,
        }
    }

    /// Writes parentheses only if its precedence is lower than required.
    fn write(&self, f: &mut fmt::Formatter<'_>, wanted: u8) -> fmt::Result {
        let space = if f.alternate() { " \n" } else { "" };
        if self.binds() < wanted {
            write!(f, "({space}")?;
            self.write(f, 0)?;
            return write!(f, "{space})");
        }
        match self {
            Self::Const(value) => write!(f, "{value}"),
            Self::Query(query) => write!(f, "{}", query.text),
            Self::Compare(left, op, right) => write!(f, "{}{space}{op}{space}{}", left.text, right.text),
            Self::Not(inner) => {
                write!(f, "!{space}")?;
                inner.write(f, if matches!(**inner, Self::Not(_)) { 2 } else { 4 })
            }
            Self::And(a, b) => {
                a.write(f, 1)?;
                write!(f, "{space}&&{space}")?;
                b.write(f, 1)
            }
            Self::Or(a, b) => {
                a.write(f, 0)?;
                write!(f, "{space}||{space}")?;
                b.write(f, 0)
            }
        }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

fn compare(left: Known, op: &str, right: Known) -> bool {
    if left == Known::Absent || right == Known::Absent {
        return op == "!=";
    }
    let (less, more) = match (left, right) {
        (Known::Number(left), Known::Number(right)) => (left < right, left > right),
        (Known::Text(left), Known::Text(right)) => (left < right, left > right),
        _ => (false, false),
    };
    match op {
        "==" => left == right,
        "!=" => left != right,
        "<" => less,
        "<=" => less || left == right,
        ">" => more,
        ">=" => more || left == right,
        _ => unreachable!("no such operator: {op}"),
    }
}
