//! Workflows that declare their inputs.

use super::home::Home;

const FLOW: &str = "workflow:
  name: Flow
  stages: [tell]
  inputs:
    topic: string
    depth: { type: integer, default: 2 }
    parts: { type: array, required: false }
tell: { provider: demo, prompt: \"${vars.topic} ${vars.depth} ${vars.parts:-none}\" }
";

#[test]
fn a_variable_is_read_by_the_type_that_the_workflow_declares() {
    let home = Home::new();
    home.write("flow.workflow.yml", FLOW);
    for (vars, expected) in [
        (&["topic=3"][..], r#"{"topic":"3","depth":2}"#),
        (&["topic=tea", "depth=3", "parts=[1, \"b\"]"], r#"{"topic":"tea","depth":3,"parts":[1,"b"]}"#),
        (&["topic=tea", "depth:=4"], r#"{"topic":"tea","depth":4}"#),
    ] {
        let mut arguments = vec!["run", "flow.workflow.yml", "--json"];
        arguments.extend(vars.iter().flat_map(|var| ["--var", var]));
        let run = home.run(&arguments);
        assert_eq!(run.code, Some(0), "{run:?}");
        let view = run.json().pop().unwrap();
        let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
        assert_eq!(view["context"]["vars"], expected, "{vars:?}");
    }
}

#[test]
fn what_is_not_as_declared_is_said_and_nothing_starts() {
    let home = Home::new();
    home.write("flow.workflow.yml", FLOW);
    for dry in [&[][..], &["--dry-run"]] {
        let mut arguments = vec!["run", "flow.workflow.yml", "--var", "depth=deep", "--var", "topik=tea"];
        arguments.extend(dry);
        let run = home.run(&arguments);
        assert_eq!(run.code, Some(2), "{run:?}");
        for said in [
            "the input `depth` must be a whole number",
            "the workflow has no input `topik`; did you mean `topic`?",
            "the input `topic` is missing: it must be a text",
        ] {
            assert!(format!("{}{}", run.stdout, run.stderr).contains(said), "{said}: {run:?}");
        }
    }
    assert_eq!(home.run(&["runs", "--json"]).stdout, "");
    home.write("flow.workflow.yml", &FLOW.replace("type: integer,", "type: integer, enum: [1, 2],"));
    let run = home.run(&["run", "flow.workflow.yml", "--var", "topic=tea", "--var", "depth=9"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("the input `depth` must be `1` or `2`"), "{run:?}");
}
