//! `init`, `list`, `validate`, `schema`.

use super::home::Home;

const TEN_MISTAKES: &str = "\
workflow:
  name: X
  stages: [plan, code, code, test]
  loop: { max_iters: 50, stop_when: \"$.done = true\", fallback_next_stage: paln }
plan:
  provider: comand
  retries: many
code:
  with: { command: [sh, -c, \"echo ${vars.x}\"] }
  when: \"$.vars.x ==\"
test:
  timeout: soon
  with: { command: [\"true\"] }
";

#[test]
fn a_new_home_has_a_workflow_that_runs() {
    let home = Home::new();
    let first = home.run(&["init"]);
    insta::assert_snapshot!(first.stdout, @r"
    created .orch/workflows/hello.workflow.yml
    try it with: workflow run hello --var name=you
    ");
    let run = home.run(&["run", "hello", "--var", "name=you", "--json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.json().last().unwrap()["context"]["stages"]["greet"]["output"], "Hello, you!");

    let file = ".orch/workflows/hello.workflow.yml";
    let changed = home.read(file).replace("Hello, %s!", "Bye, %s!");
    home.write(file, &changed);
    let again = home.run(&["init"]);
    assert_eq!(again.code, Some(0));
    assert_eq!(again.stdout.lines().next(), Some(".orch/workflows/hello.workflow.yml exists already"));
    assert_eq!(home.read(file), changed);
}

#[test]
fn workflows_of_the_home_are_listed_with_what_is_wrong_with_them() {
    let home = Home::new();
    assert_eq!(home.run(&["list"]).stderr, "no workflows in .orch/workflows\n");
    home.run(&["init"]);
    home.write(".orch/workflows/broken.workflow.yml", "workflow: { name: Broken }");
    home.write(".orch/workflows/notes.txt", "not a workflow");
    insta::assert_snapshot!(home.run(&["list"]).stdout, @r"
    WORKFLOW  NAME   LAST RUN  STAGES
    broken                     (cannot be used: 1:1: error[missing-field]: `stages` is missing: list the stages in the order they run)
    hello     Hello            greet, check
    ");
    insta::assert_snapshot!(home.run(&["list", "--json"]).stdout, @r#"
    {"id":"broken","name":null,"description":null,"stages":[],"loop":null,"isDefault":false,"protected":false,"lastRun":null,"activeRuns":[],"problem":"1:1: error[missing-field]: `stages` is missing: list the stages in the order they run","problems":[{"severity":"error","code":"missing-field","path":"workflow.stages","line":1,"column":1,"endLine":1,"endColumn":1,"message":"`stages` is missing: list the stages in the order they run","fixes":[]}]}
    {"id":"hello","name":"Hello","description":"Greets a person, and checks that the greeting names them.","stages":["greet","check"],"loop":null,"isDefault":false,"protected":false,"lastRun":null,"activeRuns":[],"problem":null,"problems":[]}
    "#);
}

#[test]
fn workflows_are_listed_with_their_last_runs_and_without_them_where_the_store_cannot_be_read() {
    let home = Home::new();
    home.run(&["init"]);
    home.run(&["run", "hello", "--var", "name=you", "--run-id", "first"]);
    let listed = home.run(&["list"]);
    assert!(
        listed.stdout.lines().any(|line| line.starts_with("hello     Hello  completed, 20")),
        "{listed:?}"
    );
    let [hello] = home.run(&["list", "--json"]).json().try_into().unwrap();
    assert_eq!(hello["lastRun"]["runId"], "first");
    home.write(".orch/runs.db", "not a database");
    let listed = home.run(&["list"]);
    assert_eq!(listed.code, Some(0));
    assert!(listed.stdout.contains("greet, check") && !listed.stdout.contains("completed"), "{listed:?}");
    assert!(listed.stderr.starts_with("warning: the last runs are not shown: "), "{listed:?}");
}

#[test]
fn ten_mistakes_are_ten_diagnostics_with_line_and_column() {
    let home = Home::new();
    home.write("ten.workflow.yml", TEN_MISTAKES);
    let checked = home.run(&["validate", "ten.workflow.yml"]);
    assert_eq!(checked.code, Some(2));
    insta::assert_snapshot!(checked.stdout, @r#"
    ten.workflow.yml:2:9: error[out-of-range]: `name` must have 2 to 100 characters
    ten.workflow.yml:3:24: error[duplicate-stage]: the stage is listed already: a stage runs once per iteration, so list it once
    ten.workflow.yml:4:22: error[out-of-range]: `max_iters` has to be a whole number from 1 to 20
    ten.workflow.yml:4:45: error[bad-expression]: `=` compares nothing: write `==`
    ten.workflow.yml:4:75: error[dangling-stage]: there is no stage `paln`; did you mean `plan`?
    ten.workflow.yml:6:13: error[unknown-provider]: no provider is registered as `comand`; did you mean `command`? (registered: acp, claude-code, codex, command, demo, gemini, grok, http, model)
    ten.workflow.yml:7:12: error[wrong-type]: `retries` has to be a whole number, not a text
    ten.workflow.yml:9:35: error[shell-interpolation]: a value in program text would be run as code: pass it as an argument after the text (`[sh, -c, 'echo "$1"', sh, "${vars.x}"]`) or through `env`
    ten.workflow.yml:10:21: error[bad-expression]: an operand is missing here: write a query, `$.x`, or a value
    ten.workflow.yml:12:12: error[bad-duration]: `soon` is not a length of time: write for instance `90s`, `30m`, `1h30m`, or a number of seconds
    ten.workflow.yml: invalid, 10 errors
    "#);
    // A run shows the same, on standard error.
    let run = home.run(&["run", "ten.workflow.yml"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    let shown = checked.stdout.lines().filter(|line| line.contains(": error["));
    assert!(shown.eq(run.stderr.lines().filter(|line| line.contains(": error["))));
}

#[test]
fn unknown_keys_are_warnings_unless_strictness_is_asked_for() {
    let home = Home::new();
    home.write(
        "odd.workflow.yml",
        "workflow: { name: Odd, stages: [one], isDefault: true }\none: { with: { command: [\"true\"] } }\n",
    );
    let expected =
        "odd.workflow.yml:1:39: warning[unknown-key]: `isDefault` is not known here and is ignored";
    let checked = home.run(&["validate", "odd.workflow.yml"]);
    assert_eq!(checked.code, Some(0));
    assert_eq!(checked.stdout, format!("{expected}\nodd.workflow.yml: valid, 1 warning\n"));
    let strict = home.run(&["validate", "--strict", "odd.workflow.yml"]);
    assert_eq!(strict.code, Some(2));
    assert_eq!(
        strict.stdout,
        format!("{}\nodd.workflow.yml: invalid, 1 error\n", expected.replace("warning", "error"))
    );
    // At every start.
    for _ in 0..2 {
        let run = home.run(&["run", "odd.workflow.yml"]);
        assert_eq!((run.code, run.stderr.trim_end()), (Some(0), expected));
    }
    assert_eq!(home.run(&["run", "--strict", "odd.workflow.yml"]).code, Some(2));
}

#[test]
fn strictness_covers_profiles_roles_and_assignments() {
    let flow = "workflow: { stages: [plan] }\nplan: { role: planner, profile: own }\n";
    let assignments = "assignments:\n  plan: { provider: demo }\n";
    let role = "---\nname: Planner\n---\nPlan.\n";
    let profile = "graph:\n  - { id: a, type: run }\n";
    let files = [
        (
            "config/assignments.yml",
            assignments,
            "assignments:\n  plan: { provider: demo, modle: x }\n",
            "2:27",
        ),
        ("roles/planner.md", role, "---\nname: Planner\ncolour: red\n---\nPlan.\n", "3:1"),
        ("workflows/stages/plan.own.yml", profile, "graph:\n  - { id: a, type: run, promt: x }\n", "2:25"),
    ];
    for (file, _, odd, place) in files {
        let home = Home::new();
        home.write(".orch/workflows/ship.workflow.yml", flow);
        for (other, good, ..) in files {
            home.write(&format!(".orch/{other}"), if other == file { odd } else { good });
        }
        let place = format!(".orch/{file}:{place}: ");
        for (args, code, kind) in [
            (&["validate", "ship"][..], 0, "warning"),
            (&["validate", "--strict", "ship"], 2, "error"),
            (&["run", "ship"], 0, "warning"),
            (&["run", "--strict", "ship"], 2, "error"),
        ] {
            let ended = home.run(args);
            assert_eq!(ended.code, Some(code), "{file} {args:?}: {ended:?}");
            let said = format!("{}{}", ended.stdout, ended.stderr);
            let lines: Vec<_> = said.lines().filter(|line| line.contains("[unknown-key]")).collect();
            assert_eq!(lines.len(), 1, "{file} {args:?}: {said}");
            assert!(lines[0].starts_with(&format!("{place}{kind}[unknown-key]")), "{file} {args:?}: {said}");
        }
    }
}

#[test]
fn empty_assignments_are_fine() {
    for text in ["", "# nothing yet\n", "---\n", "assignments:\n", "assignments: {}\n"] {
        let home = Home::new();
        home.write(".orch/config/assignments.yml", text);
        home.write(
            ".orch/workflows/ship.workflow.yml",
            "workflow: { stages: [plan] }\nplan: { provider: demo }\n",
        );
        let checked = home.run(&["validate", "--strict", "ship"]);
        assert_eq!((checked.code, checked.stdout.lines().count()), (Some(0), 1), "{text:?}: {checked:?}");
    }
}

/// Names that no message contains: types and forms of the program's own source.
const INTERNAL: [&str; 14] = [
    "struct ", "enum ", "variant", "untagged", "serde", "::", " u8", " u32", " u64", " i32", " i64", " f64",
    "tuple", "newtype",
];

#[test]
fn no_message_about_a_file_names_types_of_the_program() {
    let home = Home::new();
    let odd = ["[1]", "5", "-1", "1.5", "x", "''", "true", "{}", "{ x: 1 }", "[[]]", "[{ x: 1 }]", "null"];
    let mut said = String::new();
    let mut check = |file: &str, text: &str| {
        home.write(file, text);
        let ended = home.run(&["validate", "odd"]);
        assert_ne!(ended.code, Some(101), "{text}: {ended:?}");
        said.extend([ended.stdout, ended.stderr]);
        std::fs::remove_file(home.path(file)).unwrap();
    };
    let flow = ".orch/workflows/odd.workflow.yml";
    for value in odd {
        for provider in ["command", "demo", "claude-code", "codex", "gemini", "grok"] {
            let options = [
                "command",
                "stdin",
                "env",
                "output",
                "success_codes",
                "delay",
                "answers",
                "usage",
                "attempts",
                "model",
                "permission_mode",
                "approval_mode",
                "allowed_tools",
                "max_turns",
                "max_budget_usd",
                "mcp_servers",
                "sandbox",
                "config",
                "tools",
            ];
            let stage = |option: &&str| {
                format!("{option}: {{ provider: {provider}, with: {{ {option}: {value} }} }}\n")
            };
            let stages: String = options.iter().map(stage).collect();
            check(flow, &format!("workflow: {{ name: Odd, stages: [{}] }}\n{stages}", options.join(", ")));
        }
        let good = "workflow: { stages: [plan] }\nplan: { provider: demo, role: planner, profile: own, output_schema: schemas/s.json }\n";
        home.write(flow, good);
        home.write(".orch/roles/planner.md", "Plan.");
        home.write(".orch/workflows/stages/plan.own.yml", "graph: [{ id: a, type: run }]\n");
        home.write(".orch/schemas/s.json", "{}");
        for (file, text) in [
            (".orch/config/roles.yml", value.to_owned()),
            (".orch/config/roles.yml", format!("folders: {value}\n")),
            (".orch/config/providers.yml", format!("providers: {value}\n")),
            (".orch/config/assignments.yml", format!("assignments: {value}\n")),
            (".orch/config/assignments.yml", format!("assignments: {{ plan: {{ role: {value} }} }}\n")),
            (".orch/schemas/s.json", format!("{{ \"type\": {value}, \"required\": {value} }}\n")),
            (".orch/workflows/stages/plan.own.yml", format!("graph: {value}\n")),
            (
                ".orch/workflows/stages/plan.own.yml",
                format!("graph: [{{ id: a, type: {value}, with: {value}, timeout: {value} }}]\n"),
            ),
            (
                ".orch/roles/planner.md",
                format!("---\nvariables: {value}\ninputs: {value}\nskills: {value}\n---\nPlan.\n"),
            ),
            (
                ".orch/roles/planner.md",
                format!(
                    "---\nvariables: [{{ name: {value}, type: {value}, default: {value} }}]\n---\nPlan.\n"
                ),
            ),
        ] {
            check(file, &text);
            home.write(".orch/roles/planner.md", "Plan.");
            home.write(".orch/workflows/stages/plan.own.yml", "graph: [{ id: a, type: run }]\n");
            home.write(".orch/schemas/s.json", "{}");
        }
    }
    assert!(said.lines().count() > 500, "{}", said.lines().count());
    let named: Vec<_> = said.lines().filter(|line| INTERNAL.iter().any(|name| line.contains(name))).collect();
    assert_eq!(named, Vec::<&str>::new());
}

#[test]
fn several_workflows_are_validated_by_file_and_by_id() {
    let home = Home::new();
    home.run(&["init"]);
    home.write("ten.workflow.yml", TEN_MISTAKES);
    let checked = home.run(&["validate", "--json", "hello", "missing.yml", "ten.workflow.yml"]);
    assert_eq!(checked.code, Some(5));
    assert_eq!(checked.stderr, "error: missing.yml: No such file or directory (os error 2)\n");
    let [hello, ten] = checked.json().try_into().unwrap();
    assert_eq!(
        hello,
        serde_json::json!({ "file": ".orch/workflows/hello.workflow.yml", "valid": true, "diagnostics": [] })
    );
    assert_eq!(ten["valid"], false);
    let keys: Vec<_> = ten["diagnostics"][0].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["severity", "code", "path", "line", "column", "endLine", "endColumn", "message", "fixes"];
    assert_eq!(keys, expected);
}

#[test]
fn looking_makes_no_home() {
    let home = Home::new();
    home.write(
        "one.workflow.yml",
        "workflow: { name: One, stages: [one] }\none: { with: { command: [\"true\"] } }",
    );
    for (args, code) in [
        (&["list"][..], 0),
        (&["runs"], 0),
        (&["recover"], 0),
        (&["show", "x"], 5),
        (&["logs", "x"], 5),
        (&["pause", "x"], 5),
        (&["cancel", "x"], 5),
        (&["resume", "x"], 5),
        (&["validate", "one.workflow.yml"], 0),
    ] {
        let ended = home.run(args);
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        assert!(!home.path(".orch").exists(), "{args:?}");
    }
}

#[test]
fn schemas_are_printed() {
    let home = Home::new();
    for name in ["workflow", "run-event"] {
        let pretty = home.run(&["schema", name]);
        let [compact] = home.run(&["schema", name, "--json"]).json().try_into().unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&pretty.stdout).unwrap(), compact);
        assert!(compact["$schema"].is_string(), "{name}");
    }
    assert_eq!(home.run(&["schema", "nope"]).code, Some(2));
}

#[test]
fn a_role_with_an_error_does_not_hide_what_is_wrong_with_its_schema() {
    let home = Home::new();
    home.write(
        ".orch/workflows/ship.workflow.yml",
        "workflow: { stages: [plan] }\nplan: { provider: demo, role: planner }\n",
    );
    home.write(".orch/roles/planner.md", "---\noutput_schema: schemas/plan.json\n---\n{{nothing}}\n");
    home.write(".orch/schemas/plan.json", r#"{ "type": "strnig" }"#);
    let checked = home.run(&["validate", "ship"]);
    assert_eq!(checked.code, Some(2));
    for file in ["roles/planner.md:4:", "schemas/plan.json:1:"] {
        assert_eq!(checked.stdout.matches(file).count(), 1, "{}", checked.stdout);
    }
}
