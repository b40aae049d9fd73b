//! Rendered roles: templates with the values of a run.

#![cfg(feature = "roles")]
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use std::fmt::Write as _;

use serde_json::{Value, json};
use workflow_core::definition::Role;
use workflow_core::role::{RoleError, RoleTemplate};

fn role(body: &str) -> Role {
    Role::new("tester".parse().unwrap(), body)
}

fn context() -> Value {
    json!({
        "vars": {
            "name": "Ada", "empty": "", "zero": 0, "two": 2, "half": 0.5, "yes": true, "no": false, "nothing": null,
            "xs": ["a", "b", "c"], "none": [], "o": { "k": "v", "n": { "deep": [1] } }, "text": "two",
            "html": "<b>&\"'`=</b>", "lines": "one\ntwo\n",
            "evil": "{{vars.name}} {{json vars}} {{> x}} ${vars.name} ${secrets.key} \\{{ }}",
            "path": "vars.name", "helper": "json", "unicode": "naïve 🦀",
            "objects": [{ "name": "one", "ok": true }, { "name": "two", "ok": false }],
            "odd keys": { "a b": 1, "c.d": 2 }
        },
        "inputs": ["first", { "second": [2] }, 3],
        "guards": [], "plan": "The plan", "code": null, "stages": { "plan": { "output": { "score": 7 } } },
        "nodes": {}, "item": null, "iteration": 3,
        "stage": { "id": "test", "provider": "codex", "role": "tester" }, "run": { "id": "r1", "workflow": "w" }
    })
}

/// Templates, each with its result.
const TEMPLATES: &[&str] = &[
    // Values.
    "Hello {{vars.name}}!",
    "{{{vars.name}}} {{&vars.name}} {{ vars.name }} {{~vars.name~}} .",
    "[{{vars.empty}}] [{{vars.zero}}] [{{vars.half}}] [{{vars.yes}}] [{{vars.no}}] [{{vars.nothing}}]",
    "{{vars.html}}",
    "{{vars.lines}}|{{vars.unicode}}",
    "{{vars/name}} {{vars.[name]}} {{vars.xs.1}} {{vars.xs.[2]}} {{vars.o.n.deep.0}}",
    "{{vars.[odd keys].[a b]}}",
    "{{plan}} {{iteration}} {{stage.id}} {{stage.provider}} {{run.id}} {{stages.plan.output.score}}",
    "{{lookup vars.xs 1}} {{lookup vars.o \"k\"}} {{lookup vars vars.text}}",
    // Values are data, whatever they contain.
    "{{vars.evil}}",
    "{{#if vars.evil}}{{vars.evil}}{{/if}} {{json vars.evil}}",
    "{{lookup vars vars.path}}",
    "{{vars.helper}} {{vars.path}}",
    "{{#each vars.xs}}{{@root.vars.evil}}{{/each}}",
    // JSON.
    "{{json vars.o}}",
    "{{json vars.xs}} {{json vars.name}} {{json vars.nothing}} {{json 5}} {{json \"x\"}}",
    "{{json (lookup vars.o \"n\")}}",
    // Lengths.
    "{{length vars.xs}} {{length vars.none}} {{length vars.o}} {{length vars.unicode}} {{length vars.two}} {{len vars.xs}}",
    // Conditions.
    "{{#if vars.yes}}a{{else}}b{{/if}}{{#if vars.no}}a{{else}}b{{/if}}",
    "{{#if vars.empty}}a{{else}}b{{/if}}{{#if vars.none}}a{{else}}b{{/if}}{{#if vars.zero}}a{{else}}b{{/if}}{{#if vars.zero includeZero=true}}a{{/if}}",
    "{{#if code}}a{{else if vars.no}}b{{else if plan}}c{{else}}d{{/if}}",
    "{{#if vars.absent}}a{{else}}b{{/if}} {{#unless vars.absent}}c{{/unless}}",
    "{{#unless vars.no}}a{{else}}b{{/unless}}",
    "{{#ifEquals vars.name \"Ada\"}}a{{else}}b{{/ifEquals}}{{#ifEquals vars.two 2}}a{{/ifEquals}}{{#ifEquals vars.two \"2\"}}a{{/ifEquals}}{{#ifEquals vars.yes \"true\"}}a{{/ifEquals}}",
    "{{#ifEquals vars.two 3}}a{{else}}b{{/ifEquals}}{{#ifEquals vars.nothing \"\"}}a{{else}}b{{/ifEquals}}{{#ifEquals vars.xs vars.xs}}a{{/ifEquals}}{{#ifEquals vars.o vars.xs}}a{{else}}b{{/ifEquals}}",
    "{{#if (and vars.yes (not vars.no))}}a{{/if}}{{#if (or vars.no vars.empty)}}a{{else}}b{{/if}}",
    "{{eq vars.two 2}} {{ne vars.two 2}} {{gt vars.two 1.5}} {{gte vars.two 2}} {{lt vars.name \"B\"}} {{lte vars.two 1}} {{gt vars.xs 1}}",
    // Repetition.
    "{{#each vars.xs}}{{this}}{{#unless @last}}, {{/unless}}{{/each}}",
    "{{#each vars.xs}}{{@index}}={{this}} {{/each}}|{{#each vars.o}}{{@key}} {{/each}}",
    "{{#each vars.none}}a{{else}}nothing{{/each}}",
    "{{#each inputs}}{{@index}}: {{json this}}\n{{/each}}",
    "{{#each vars.objects}}{{name}}{{#if ok}} is ok{{else}} is not{{/if}}; {{/each}}",
    "{{#each vars.objects as |one n|}}{{n}} {{one.name}} {{../vars.name}} {{/each}}",
    "{{#each vars.xs}}{{#each ../vars.xs}}{{this}}{{../this}} {{/each}}{{/each}}",
    "{{#with vars.o}}{{k}} {{n.deep}}{{else}}none{{/with}}{{#with vars.nothing}}a{{else}}none{{/with}}",
    // Text.
    "No tags: { } } \\ $5 ${vars.name} #{x} %",
    "\\{{vars.name}} {{! a comment }}{{!-- }} --}}.",
    "{{#if vars.yes}}\n  lines\n{{/if}}\nend",
    "",
    // Missing values.
    "{{vars.absent}}",
    "First\n\nthen {{vars.o.absent}}",
    "{{json vars.absent}}",
    "{{length vars.absent.more}}",
    "{{#each vars.objects}}\n{{absent}}\n{{/each}}",
    "{{#each vars.absent}}a{{/each}}",
    "{{lookup vars.xs 9}}",
    "{{lookup vars.o \"x\"}}",
    "{{vars.xs.absent}}",
];

#[test]
fn templates_are_rendered_with_the_values_of_a_run() {
    let mut table = String::new();
    for body in TEMPLATES {
        let template = RoleTemplate::compile(&role(body), ["plan", "code"]);
        let rendered = template.unwrap_or_else(|errors| panic!("{body}\n{errors:?}")).render(context());
        match rendered {
            Ok(rendered) => writeln!(table, "{body}\n→ {}\n", rendered.text.replace('\n', "\n  ")).unwrap(),
            Err(error) => writeln!(table, "{body}\n✗ {error}\n").unwrap(),
        }
    }
    insta::assert_snapshot!("rendered", table);
}

#[test]
fn guards_are_rendered_and_known_to_the_body() {
    let mut role = role("{{#each guards}}({{this}}) {{/each}}{{length guards}}");
    role.guards = vec!["Be {{vars.name}}".to_owned(), "Use at most {{length vars.xs}}".to_owned()];
    let template = RoleTemplate::compile(&role, []).unwrap();
    assert!(template.uses_guards() && !template.uses_inputs());
    let rendered = template.render(context()).unwrap();
    assert_eq!(rendered.text, "(Be Ada) (Use at most 3) 2");
    assert_eq!(rendered.guards, ["Be Ada", "Use at most 3"]);

    role.guards.push("{{vars.absent}}".to_owned());
    let error = RoleTemplate::compile(&role, []).unwrap().render(context()).unwrap_err();
    assert_eq!(error.to_string(), "guards[2], line 1: there is no `vars.absent`");
}

#[test]
fn whether_a_body_says_where_inputs_stand_is_told_wherever_they_are_used() {
    let uses = |body: &str| RoleTemplate::compile(&role(body), []).unwrap().uses_inputs();
    for body in [
        "{{#each inputs}}{{this}}{{/each}}",
        "{{json inputs}}",
        "{{#if vars.no}}{{inputs}}{{/if}}",
        "{{#each vars.xs}}{{@root.inputs}}{{/each}}",
        "{{#if (gt (length inputs) 1)}}x{{/if}}",
        "{{#if vars.no}}{{else if inputs}}{{/if}}",
    ] {
        assert!(uses(body), "{body}");
    }
    for body in [
        "Text about inputs",
        "{{vars.inputs}}",
        "\\{{inputs}}",
        "{{! inputs }}",
        "{{#each vars.xs}}{{inputs}}{{/each}}",
    ] {
        assert!(!uses(body), "{body}");
    }
}

/// The result of a template that is rendered with lists of `n` items.
fn ended(body: &str, n: usize) -> Result<usize, RoleError> {
    let large = "x".repeat(1 << 20);
    let vars = json!({ "xs": vec![0; n], "large": large, "object": { "large": large } });
    let template = RoleTemplate::compile(&role(body), []).unwrap();
    template.render(json!({ "vars": vars, "inputs": vec!["x"; n] })).map(|rendered| rendered.text.len())
}

#[test]
fn a_template_that_goes_through_too_much_ends_with_an_error() {
    let nested = "{{#each vars.xs}}{{#each ../vars.xs}}{{#each ../../vars.xs}}{{/each}}{{/each}}{{/each}}";
    let hostile = [
        nested.to_owned(),
        format!("{{{{#each vars.xs}}}}{}{{{{/each}}}}", "{{#if this}}{{/if}}".repeat(480)),
        "{{#each vars.xs}}{{#if (length @root.vars.large)}}{{/if}}{{/each}}".to_owned(),
        "{{#each vars.xs}}{{#if (eq @root.vars.large @root.vars.object.large)}}{{/if}}{{/each}}".to_owned(),
        "{{#each vars.xs}}{{#ifEquals @root.vars.object @root.vars.object}}{{/ifEquals}}{{/each}}".to_owned(),
        "{{#each vars.xs}}{{#with (lookup @root.vars \"object\")}}{{/with}}{{/each}}".to_owned(),
    ];
    for body in hostile {
        let error = ended(&body, 2_000).unwrap_err().to_string();
        let said = "the template goes through more than 200000 parts of itself and its values: repeat less";
        assert!(error.ends_with(said), "{body}\n{error}");
    }
    assert_eq!(ended(nested, 40), Ok(0));
}

#[test]
fn guards_and_body_are_bounded_together() {
    let mut role = role("{{#each vars.xs}}{{#each ../vars.xs}}{{/each}}{{/each}}");
    let context = || json!({ "vars": { "xs": vec![0; 250] } });
    assert!(RoleTemplate::compile(&role, []).unwrap().render(context()).is_ok());
    role.guards = vec![role.body.clone(); 3];
    let error = RoleTemplate::compile(&role, []).unwrap().render(context()).unwrap_err();
    assert!(error.to_string().contains("goes through more than"), "{error}");
}

#[test]
fn a_text_has_at_most_eight_mebibytes() {
    let said = "the text has more than 8388608 bytes";
    assert_eq!(ended("{{#each inputs}}{{@root.vars.large}}{{/each}}", 8), Ok(8 << 20));
    for body in [
        "{{#each inputs}}{{@root.vars.large}}{{/each}}.",
        "{{#each inputs}}{{json @root.vars.large}}{{/each}}",
    ] {
        let error = ended(body, 8).unwrap_err().to_string();
        assert!(error.ends_with(said), "{error}");
    }
    // Indentation makes a small text large.
    let deep = (0..100).fold(json!(vec![0; 50_000]), |value, _| json!([value]));
    let template = RoleTemplate::compile(&role("{{json vars}}"), []).unwrap();
    let error = template.render(json!({ "vars": deep })).unwrap_err().to_string();
    assert!(error.ends_with(said), "{error}");
}

#[test]
fn the_same_values_give_the_same_text_each_time() {
    let template =
        RoleTemplate::compile(&role("{{json vars}} {{#each vars.xs}}{{this}}{{/each}}"), []).unwrap();
    let first = template.render(context()).unwrap();
    for _ in 0..3 {
        assert_eq!(template.render(context()).unwrap(), first);
    }
}

#[test]
fn numbers_are_shown_as_they_were_written() {
    let text =
        r#"{"big":23000000000000000001,"huge":1e400,"cents":0.1000,"xs":[1e2,"1e2",{"n":-0}],"same":1e400}"#;
    let values = workflow_core::data::Data::parse(text).unwrap().exact_value();
    let mut context = context();
    context["vars"] = values;
    for (body, expected) in [
        ("{{vars.big}} {{{vars.huge}}} \"{{vars.cents}}\"", "23000000000000000001 1e400 \"0.1000\""),
        ("{{#each vars.xs}}{{json this}};{{/each}}", "1e2;\"1e2\";{\n  \"n\": -0\n};"),
        ("{{#if (eq vars.huge vars.same)}}same{{/if}}", "same"),
        ("{{#if (gt vars.huge vars.big)}}more{{/if}}", "more"),
        ("{{#if (lt vars.cents 1)}}less{{/if}}", "less"),
        ("{{#ifEquals vars.cents 0.1}}equal{{/ifEquals}}", "equal"),
        ("{{#ifEquals vars.big 1}}equal{{else}}not{{/ifEquals}}", "not"),
    ] {
        let template = RoleTemplate::compile(&role(body), []).unwrap();
        assert_eq!(template.render(context.clone()).unwrap().text, expected, "{body}");
    }
}
