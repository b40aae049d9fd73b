//! Numbers beyond 64 bits keep their exact notation, from the command line to the output.

use super::home::Home;

const NUMBERS: &str = "[23000000000000000001,1e400,-0.0,-0,1.0,1e2,0.1000,-1.50E-3,18446744073709551616]";

const FLOW: &str = r#"
workflow: { name: Numbers, stages: [pass, yaml, args, pick] }
pass: { provider: command, with: { command: [cat], stdin: "${vars.n}", output: json }, set: { first: "${output[0]}" } }
yaml: { provider: command, with: { command: [cat], stdin: [23000000000000000001, 1e400, -0.0, 1.0], output: json } }
args: { provider: command, env: { V: 1.10 }, with: { command: [sh, -c, 'echo "$1 $2 $V"', sh, 1e2, "${vars.big}"] } }
pick: { provider: command, when: "$.stages.pass.output[?@ == 23000000000000000001] || $.vars.big > 23000000000000000000", with: { command: [echo, picked] } }
"#;

#[test]
fn odd_numbers_of_variables_and_definitions_are_printed_as_they_were_written() {
    let home = Home::new();
    home.write("numbers.workflow.yml", FLOW);
    home.write("n.json", &format!("{{\"n\":{NUMBERS}}}"));
    home.write(
        "n.yml",
        "n: [23000000000000000001, 1e400, -0.0, -0, 1.0, 1e2, 0.1000, -1.50E-3, 18446744073709551616]\n",
    );
    let given = format!("n:={NUMBERS}");
    for (id, from) in [
        ("typed", ["--var", given.as_str()]),
        ("json", ["--var-file", "n.json"]),
        ("yaml", ["--var-file", "n.yml"]),
    ] {
        let args =
            ["run", "numbers.workflow.yml", "--run-id", id, "--json", "--var", "big:=23000000000000000001"];
        let run = home.run(&[&args[..], &from].concat());
        assert_eq!(run.code, Some(0), "{id}: {run:?}");
        let shown = home.run(&["show", id, "--json"]).stdout;
        for (text, part) in [
            (&run.stdout, format!("\"output\":{NUMBERS}")),
            (&run.stdout, "\"set\":{\"first\":23000000000000000001}".to_owned()),
            (&run.stdout, "\"output\":[23000000000000000001,1e400,-0.0,1.0]".to_owned()),
            (&run.stdout, "\"output\":\"1e2 23000000000000000001 1.10\"".to_owned()),
            (&run.stdout, "\"output\":\"picked\"".to_owned()),
            (&shown, format!("\"n\":{NUMBERS}")),
            (&shown, "\"first\":23000000000000000001".to_owned()),
        ] {
            assert!(text.contains(&part), "{id}: {part} in {text}");
        }
        assert!(
            home.run(&["events", id, "--json"]).stdout.contains(&format!("\"output\":{NUMBERS}")),
            "{id}"
        );
    }
    // A fork has them too, and so do its own variables.
    let made = ["fork", "typed", "--at", "yaml", "--run-id", "made", "--set", "big:=1e400"];
    assert_eq!(home.run(&made).code, Some(0));
    let shown = home.run(&["show", "made", "--json"]).stdout;
    for part in
        [format!("\"n\":{NUMBERS}"), "\"big\":1e400".to_owned(), "\"output\":\"1e2 1e400 1.10\"".to_owned()]
    {
        assert!(shown.contains(&part), "{part} in {shown}");
    }
}

#[test]
fn an_answer_keeps_its_numbers_and_choices_are_compared_by_value() {
    let home = Home::new();
    home.write(
        ".orch/workflows/stages/ask.two.yml",
        "graph:\n  - { id: free, type: ask, question: How many?, output_schema: schemas/n.json }\n  - { id: one, type: ask, question: Which?, choices: [23000000000000000001, 1e2] , inputs: [free] }\n",
    );
    home.write(".orch/schemas/n.json", "{ \"type\": \"number\", \"minimum\": 1 }");
    home.write("ask.workflow.yml", "workflow: { name: Ask, stages: [ask] }\nask: { profile: two }\n");
    let run = home.run(&["run", "ask.workflow.yml", "--run-id", "first"]);
    assert_eq!(run.code, Some(4), "{run:?}");
    let first = home.show("first")["waits"].clone();
    let answer = |args: &[&str]| home.run(&[&["answer", "first"], args].concat());
    let wait = |question: &str| {
        let waits = home.show("first")["waits"].clone();
        let wait = waits.as_array().unwrap().iter().find(|wait| wait["question"] == question).cloned();
        wait.unwrap_or_else(|| panic!("{question}: {waits}"))["number"].to_string()
    };
    assert!(
        answer(&["--wait", &wait("Which?"), "7"]).stderr.contains("23000000000000000001, 1e2"),
        "{first}"
    );
    let given = answer(&["--wait", &wait("How many?"), "1e400"]);
    assert_eq!(given.code, Some(4), "{given:?}");
    assert_eq!(answer(&["100"]).code, Some(0));
    let events = home.run(&["events", "first", "--json"]).stdout;
    assert!(events.contains("\"answer\":1e400") && events.contains("\"answer\":100"), "{events}");
}
