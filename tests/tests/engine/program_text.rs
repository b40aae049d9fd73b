//! A value never becomes program text, even if only the rendered command line shows it.

use std::path::Path;

use futures::executor::block_on;
use serde_json::{Value, json};
use workflow_core::status::RunStatus;
use workflow_core::view::RunView;
use workflow_exec::{Engine, StartRun};
use workflow_providers::CommandProvider;

/// Runs the stage `attack` with a variable for each name. Every successful attack would create the file
/// `executed`.
fn attack(folder: &Path, stage: &str, vars: &[(&str, Value)]) -> RunView {
    let commands = CommandProvider::builder().work_root(folder).build();
    let engine = Engine::builder().provider("command", commands).build().unwrap();
    let yaml =
        format!("workflow: {{ name: Attack, stages: [attack] }}\nattack:\n  provider: command\n{stage}");
    let mut start = StartRun::plan(&engine.parse(&yaml, "attack").unwrap());
    for (name, value) in vars {
        start = start.var(*name, value.clone());
    }
    block_on(engine.run(start)).unwrap()
}

#[test]
fn a_value_that_only_the_rendered_command_line_shows_to_be_program_text_is_refused() {
    for (stage, vars, field) in [
        (
            r#"  with: { command: [env, "${vars.shell}", -c, "${vars.text}"] }"#,
            vec![("shell", json!("sh")), ("text", json!("touch executed"))],
            "attack.with.command[3]: a value would be executed as program text",
        ),
        (
            r#"  with: { command: [sh, "${vars.option}", "${vars.text}"] }"#,
            vec![("option", json!("-c")), ("text", json!("touch executed"))],
            "attack.with.command[2]: a value would be executed as program text",
        ),
        (
            r#"  with: { command: [python3, "${vars.script}"] }"#,
            vec![("script", json!("-copen('executed', 'w')"))],
            "attack.with.command[1]: a value would be executed as program text",
        ),
        (
            "  prompt: \"${vars.text}\"\n  with: { command: [env, \"${vars.shell}\"] }",
            vec![("shell", json!("sh")), ("text", json!("touch executed"))],
            "attack.with.command: the program reads its program text from standard input",
        ),
        (
            r#"  with: { command: [env, "${vars.shell}"], stdin: "${vars.text}" }"#,
            vec![("shell", json!("sh")), ("text", json!("touch executed"))],
            "attack.with.command: the program reads its program text from standard input",
        ),
        (
            r#"  with: { command: "${vars.command}", dynamic_command: true }"#,
            vec![("command", json!(["sh", "-c", "touch executed"]))],
            "attack.with.command[2]: a value would be executed as program text",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let view = attack(folder.path(), stage, &vars);
        assert_eq!(view.status, RunStatus::Failed, "{stage}");
        let message = &view.error.unwrap().message;
        assert!(message.contains(field), "{stage}: {message}");
        assert!(!folder.path().join("executed").exists(), "{stage}");
    }
}

#[test]
fn a_value_that_is_an_argument_is_handed_over_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = "$(touch executed); `touch executed`";
    for (stage, vars) in [
        (
            r#"  with: { command: [sh, -c, 'printf %s "$1"', sh, "${vars.text}"] }"#,
            vec![("text", json!(text))],
        ),
        (r#"  with: { command: [printf, "%s", "${vars.text}"] }"#, vec![("text", json!(text))]),
        (
            r#"  with: { command: "${vars.command}", dynamic_command: true }"#,
            vec![("command", json!(["printf", "%s", text]))],
        ),
        (
            r#"  with: { command: ["${vars.program}", "%s", "${vars.text}"], dynamic_command: true }"#,
            vec![("program", json!("printf")), ("text", json!(text))],
        ),
    ] {
        let view = attack(folder.path(), stage, &vars);
        assert_eq!(view.status, RunStatus::Completed, "{stage}: {:?}", view.error);
        let output = view.context.stages.values().last().and_then(|stage| stage.output.clone()).unwrap();
        assert_eq!(output.value(), json!(text), "{stage}");
        assert!(!folder.path().join("executed").exists(), "{stage}");
    }
}

#[test]
fn a_program_that_a_value_decides_needs_to_be_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::builder()
        .provider("command", CommandProvider::builder().work_root(folder.path()).build())
        .build()
        .unwrap();
    for command in [r#""${vars.command}""#, r#"["${vars.program}", a]"#] {
        let yaml = format!(
            "workflow: {{ name: Attack, stages: [attack] }}\nattack:\n  provider: command\n  with: {{ command: {command} }}"
        );
        let error = engine.parse(&yaml, "attack").unwrap_err().to_string();
        assert!(error.contains("a value decides which program runs"), "{error}");
    }
}
