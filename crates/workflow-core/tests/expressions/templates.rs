//! Interpolation: `Template` and `ValueTemplate`.

use std::borrow::Cow;

use serde_json::{Value, json};
use workflow_core::expr::{Name, Scope, Template, ValueTemplate};

fn scope() -> Value {
    json!({
        "vars": {
            "x": "value", "n": 3, "f": 1.5, "yes": true, "nothing": null, "empty": "",
            "list": [1, "two", {"three": 3}], "object": {"b": 1, "a": [true]},
            "a-b": "dashed", "a_b": "underscored", "-": "dash", "a-": "trailing", "größe": "umlaut",
            "7": "seven", "quoted": "say \"hi\"\n", "trap": "${vars.secret}", "escape": "$${vars.x}",
            "secret": "hidden",
        },
        "stages": {
            "plan": { "status": "completed", "output": { "y": "planned", "files": ["a.rs", "b.rs"] } },
            "test-2": { "results": [{ "output": "ok", "error": null }, { "output": { "deep": [[7]] } }] },
        },
        "stage": { "provider": "codex", "role": "tester" },
        "item": { "z": "element" },
        "iteration": 2,
        "run": { "id": "r-1" },
    })
}

#[test]
fn a_template_renders_to_its_value() {
    let table = [
        // Texts without expressions.
        ("", json!("")),
        ("plain", json!("plain")),
        ("größer 🦀", json!("größer 🦀")),
        ("$", json!("$")),
        ("$$", json!("$$")),
        ("costs $5", json!("costs $5")),
        ("$HOME and $(id) and `id`", json!("$HOME and $(id) and `id`")),
        ("{not} {{one}}", json!("{not} {{one}}")),
        ("$ {vars.x}", json!("$ {vars.x}")),
        ("}", json!("}")),
        // The escape.
        ("$${vars.x}", json!("${vars.x}")),
        ("$${", json!("${")),
        ("$$${vars.x}", json!("$${vars.x}")),
        ("$${vars.x} is ${vars.x}", json!("${vars.x} is value")),
        ("${vars.x}$${vars.x}", json!("value${vars.x}")),
        // One expression: the type survives.
        ("${vars.x}", json!("value")),
        ("${vars.n}", json!(3)),
        ("${vars.f}", json!(1.5)),
        ("${vars.yes}", json!(true)),
        ("${vars.nothing}", json!(null)),
        ("${vars.empty}", json!("")),
        ("${vars.list}", json!([1, "two", {"three": 3}])),
        ("${vars.object}", json!({"b": 1, "a": [true]})),
        ("${vars}", scope()["vars"].clone()),
        // More than one expression: text.
        (" ${vars.n}", json!(" 3")),
        ("${vars.n} ", json!("3 ")),
        ("${vars.n}${vars.n}", json!("33")),
        ("n=${vars.n} f=${vars.f} yes=${vars.yes}", json!("n=3 f=1.5 yes=true")),
        ("<${vars.nothing}>", json!("<null>")),
        ("<${vars.empty}>", json!("<>")),
        ("<${vars.list}>", json!("<[1,\"two\",{\"three\":3}]>")),
        ("<${vars.object}>", json!("<{\"b\":1,\"a\":[true]}>")),
        ("<${vars.quoted}>", json!("<say \"hi\"\n>")),
        ("$${${vars.x}}", json!("${value}")),
        ("${vars.x}}", json!("value}")),
        // Names.
        ("${stages.plan.output.y}", json!("planned")),
        ("${stages.plan.output.files[1]}", json!("b.rs")),
        ("${stages.plan.output.files.1}", json!("b.rs")),
        ("${stages.test-2.results[0].output}", json!("ok")),
        ("${stages.test-2.results.0.output}", json!("ok")),
        ("${stages.test-2.results[0].error}", json!(null)),
        ("${stages.test-2.results[1].output.deep[0][0]}", json!(7)),
        ("${stage.provider}/${stage.role}", json!("codex/tester")),
        ("${item.z}", json!("element")),
        ("${iteration}", json!(2)),
        ("${run.id}", json!("r-1")),
        ("${vars.a-b}", json!("dashed")),
        ("${vars.a_b}", json!("underscored")),
        ("${vars.-}", json!("dash")),
        ("${vars.größe}", json!("umlaut")),
        ("${vars.7}", json!("seven")),
        ("${vars[7]}", json!("seven")),
        // Defaults.
        ("${vars.no:-text}", json!("text")),
        ("${vars.x:-text}", json!("value")),
        ("${vars.no:-}", json!("")),
        ("${vars.no:-two words, $5 & \"more\"}", json!("two words, $5 & \"more\"")),
        ("${vars.no:-:-}", json!(":-")),
        ("${vars.no:-5}", json!("5")),
        ("${vars.nothing:-text}", json!(null)),
        ("${vars.empty:-text}", json!("")),
        ("${vars.a-b:-c}", json!("dashed")),
        ("${vars.a-:-c}", json!("trailing")),
        ("${vars.a-b-c:-d}", json!("d")),
        ("${nowhere.at.all:-d}", json!("d")),
        ("${vars.list[9]:-d}", json!("d")),
        ("${vars.x.deeper:-d}", json!("d")),
        ("${vars.list.key:-d}", json!("d")),
        ("${vars.list[99999999999999999999]:-d}", json!("d")),
        // A value is data.
        ("${vars.trap}", json!("${vars.secret}")),
        ("<${vars.trap}>", json!("<${vars.secret}>")),
        ("$${vars.x}${vars.trap}", json!("${vars.x}${vars.secret}")),
        ("<${vars.escape}>", json!("<$${vars.x}>")),
    ];
    let scope = scope();
    for (text, expected) in table {
        let template = Template::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(template.render(&scope).unwrap(), expected, "{text}");
        let as_text = expected.as_str().map_or_else(|| expected.to_string(), str::to_owned);
        assert_eq!(template.render_text(&scope).unwrap(), as_text, "{text}, as text");
    }
}

#[test]
fn an_invalid_template_is_an_error_that_says_what_to_write() {
    const CLOSE: &str = "`${` is not closed: add a `}`, or write `$${` where the text `${` is meant";
    const EMPTY: &str = "`${` needs a name after it, as in `${vars.x}`";
    const DOTS: &str = "a key must be between two `.`, as in `vars.x`";
    const INDEX: &str = "`[` needs a number and `]` after it, as in `results[0]`";
    const DEFAULT: &str = "a default begins with `:-`, as in `${vars.x:-text}`";
    const BRACES: &str =
        "a default is plain text and cannot contain braces: write the text itself after `:-`";
    let bad = |c: char| {
        format!(
            "{c:?} is not allowed in a name: keys have letters, digits, `-` and `_`, with `.` between them"
        )
    };
    let table: [(&str, usize, String); 24] = [
        ("${", 0, CLOSE.into()),
        ("ab ${vars.x", 3, CLOSE.into()),
        ("${vars.x} ${vars.y", 10, CLOSE.into()),
        ("$${a} ${", 6, CLOSE.into()),
        ("ä${", 2, CLOSE.into()),
        ("${vars.x:-", 0, CLOSE.into()),
        ("${}", 0, EMPTY.into()),
        ("a ${:-b}", 2, EMPTY.into()),
        ("${.x}", 2, DOTS.into()),
        ("${vars..x}", 7, DOTS.into()),
        ("${vars.}", 7, "a name cannot end with `.`: add a key, as in `vars.x`".into()),
        ("${ vars.x}", 2, bad(' ')),
        ("${vars.x }", 8, bad(' ')),
        ("${vars/x}", 6, bad('/')),
        ("${vars.\nx}", 7, bad('\n')),
        ("${vars.${x}}", 7, bad('$')),
        ("${a🦀}", 3, bad('🦀')),
        ("${[0]}", 2, bad('[')),
        ("${vars.x:text}", 8, DEFAULT.into()),
        ("${vars.xs[]}", 9, INDEX.into()),
        ("${vars.xs[-1]}", 9, INDEX.into()),
        ("${vars.xs[0}", 9, INDEX.into()),
        ("${vars.xs[0]y}", 12, bad('y')),
        ("${vars.x:-${vars.y}}", 11, BRACES.into()),
    ];
    for (text, offset, message) in table {
        let error = Template::parse(text).expect_err(text);
        assert_eq!((error.offset, error.message), (offset, message), "{text}");
    }
}

#[test]
fn an_unknown_name_lists_the_known_ones() {
    let scope = json!({ "vars": { "feature": 1, "repo": 2 }, "stages": { "plan": {} }, "iteration": 1 });
    let known = "(known: vars.feature, vars.repo, stages.plan, iteration)";
    let table = [
        ("${vars.feture}", format!("there is no `vars.feture`; did you mean `vars.feature`? {known}")),
        ("a ${var.repo} b", format!("there is no `var.repo`; did you mean `vars.repo`? {known}")),
        ("${stages.paln}", format!("there is no `stages.paln`; did you mean `stages.plan`? {known}")),
        ("${iterations}", format!("there is no `iterations`; did you mean `iteration`? {known}")),
        ("${vars.x}", format!("there is no `vars.x` {known}")),
        ("${stages.plan.output[0]}", format!("there is no `stages.plan.output[0]` {known}")),
    ];
    for (text, message) in table {
        let template = Template::parse(text).unwrap();
        assert_eq!(template.render(&scope).unwrap_err().to_string(), message, "{text}");
        assert_eq!(template.render_text(&scope).unwrap_err().to_string(), message, "{text}, as text");
    }

    let error = Template::parse("${vars.feture}").unwrap().render(&scope).unwrap_err();
    assert_eq!((error.name(), error.suggestion()), ("vars.feture", Some("vars.feature")));
    assert_eq!(error.known(), ["vars.feature", "vars.repo", "stages.plan", "iteration"]);
}

#[test]
fn a_long_list_of_known_names_is_cut() {
    let vars: serde_json::Map<_, _> = (0..40).map(|n| (format!("v{n}"), Value::Null)).collect();
    let message = Template::parse("${x}").unwrap().render(&json!({ "vars": vars })).unwrap_err().to_string();
    assert!(message.starts_with("there is no `x` (known: vars.v0, vars.v1, "), "{message}");
    assert!(message.ends_with(", vars.v29 and 10 more)"), "{message}");
    let message = Template::parse("${x}").unwrap().render(&json!({})).unwrap_err().to_string();
    assert_eq!(message, "there is no `x` (no names are known here)");
}

#[test]
fn a_template_tells_its_names() {
    let template = Template::parse("ä ${vars.a-b:-c} $${no} ${stages.t.results[0].output}").unwrap();
    let names: Vec<_> = template
        .names()
        .map(|name| (name.as_str(), name.segments().collect::<Vec<_>>(), name.offset(), name.default_text()))
        .collect();
    assert_eq!(
        names,
        [
            ("vars.a-b", vec!["vars", "a-b"], 3, Some("c")),
            ("stages.t.results[0].output", vec!["stages", "t", "results", "0", "output"], 25, None),
        ]
    );
    let name = template.names().next().unwrap();
    assert_eq!((name.root(), name.segment(1), name.segment(2)), ("vars", Some("a-b"), None));
    assert_eq!(name.to_string(), "vars.a-b");
}

#[test]
fn a_template_without_expressions_is_a_literal() {
    for (text, literal) in [("", Some("")), ("a $5", Some("a $5")), ("$${x}", Some("${x}")), ("a${x}", None)]
    {
        let template = Template::parse(text).unwrap();
        assert_eq!(template.as_literal(), literal, "{text}");
        assert_eq!(template.is_literal(), literal.is_some(), "{text}");
    }
}

#[test]
fn a_scope_may_hand_out_values_of_its_own() {
    /// Keeps its values as JSON text, as a run does.
    struct Serialised(&'static str);

    impl Scope for Serialised {
        fn lookup(&self, name: &Name) -> Option<Cow<'_, Value>> {
            let value = serde_json::from_str(self.0).ok()?;
            if name.root() == "vars" { name.select(1, Cow::Owned(value)) } else { None }
        }

        fn known(&self) -> Vec<String> {
            vec!["vars".into()]
        }
    }

    let scope = Serialised(r#"{"a":{"b":[1,{"c":"d"}]}}"#);
    let render = |text| Template::parse(text).unwrap().render(&scope);
    assert_eq!(render("${vars.a.b[1]}").unwrap(), json!({"c": "d"}));
    assert_eq!(render("${vars.a.b[1].c}!").unwrap(), json!("d!"));
    assert_eq!(render("${vars}").unwrap(), json!({"a": {"b": [1, {"c": "d"}]}}));
    assert_eq!(render("${vars.a.b[2]:-none}").unwrap(), json!("none"));
    assert!(render("${vars.a.c}").is_err());
}

#[test]
fn every_string_of_a_value_is_a_template() {
    let value = json!({
        "command": ["cargo", "${vars.x}", "--jobs=${vars.n}"],
        "env": { "${vars.x}": "${vars.n}", "COUNT": 5, "PRICE": "$5", "ESCAPED": "$${vars.x}" },
        "none": null,
        "flags": [true, 1.5, [], {}],
        "list": "${vars.list}",
    });
    let template = ValueTemplate::parse(&value).unwrap();
    assert!(!template.is_literal());
    let names: Vec<_> = template.names().map(Name::as_str).collect();
    assert_eq!(names, ["vars.x", "vars.n", "vars.n", "vars.list"]);
    let rendered = template.render(&scope()).unwrap();
    assert_eq!(
        rendered,
        json!({
            "command": ["cargo", "value", "--jobs=3"],
            "env": { "${vars.x}": 3, "COUNT": 5, "PRICE": "$5", "ESCAPED": "${vars.x}" },
            "none": null,
            "flags": [true, 1.5, [], {}],
            "list": [1, "two", {"three": 3}],
        })
    );
    let keys: Vec<_> = rendered.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["command", "env", "none", "flags", "list"]);
}

#[test]
fn a_value_without_expressions_is_a_literal() {
    for (value, rendered) in [
        (json!(null), json!(null)),
        (json!(7), json!(7)),
        (json!("a $5"), json!("a $5")),
        (json!(["$${x}", {"k": "$${"}]), json!(["${x}", {"k": "${"}])),
    ] {
        let template = ValueTemplate::parse(&value).unwrap();
        assert!(template.is_literal(), "{value}");
        assert_eq!(template.names().count(), 0, "{value}");
        assert_eq!(template.render(&json!({})).unwrap(), rendered, "{value}");
    }
}

#[test]
fn a_value_with_a_bad_string_is_refused() {
    let error = ValueTemplate::parse(&json!({ "a": ["ok", { "b": "x ${" }] })).unwrap_err();
    assert_eq!(error.offset, 2);
    let error = ValueTemplate::parse(&json!(["${vars.x:-ok}", "${vars.y}"])).unwrap().render(&json!({}));
    assert_eq!(error.unwrap_err().name(), "vars.y");
}
