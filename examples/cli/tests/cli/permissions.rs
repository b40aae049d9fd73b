//! An agent that asks to be allowed something that a person decides: the run waits, in no process, and the session continues
//! with the answer. The agent is a script.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;
use serde_json::json;

use super::home::{Home, until};

/// Remembers in the file `session` that it has begun. What it is allowed to do appears in the file `published`.
const AGENT: &str = r#"#!/bin/sh
echo start >> starts
opened() {
    printf '{"id":%s,"result":{"sessionId":"s"}}\n' "$1"
}
while read -r line; do
    printf '%s\n' "$line" >> asked
    case $line in
        *'"method":"initialize"'*)
            echo '{"id":1,"result":{"protocolVersion":1,"agentCapabilities":{"loadSession":true}}}' ;;
        *'"method":"session/new"'*) touch session; opened 2 ;;
        *'"method":"session/load"'*) if [ -e session ]; then opened 2; fi ;;
        *'"method":"_workflow/is_ready"'*) echo '{"id":3,"error":{"code":-32601,"message":"Method not found"}}' ;;
        *'"method":"session/prompt"'*)
            id=${line#*\"id\":}; id=${id%%,*}
            echo '{"id":"p","method":"session/request_permission","params":{"sessionId":"s","toolCall":{"toolCallId":"t","kind":"execute","title":"cargo publish"},"options":[{"optionId":"yes","kind":"allow_once"},{"optionId":"no","kind":"reject_once"}]}}' ;;
        *'"method":"session/cancel"'*) echo "{\"id\":$id,\"result\":{\"stopReason\":\"cancelled\"}}" ;;
        *'"optionId"'*)
            case $line in *yes*) echo done >> published; text=Published. ;; *) text='Not published.' ;; esac
            if [ -e slow ]; then sleep 600; fi
            echo '{"method":"session/update","params":{"sessionId":"s","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"'"$text"'"}}}}'
            echo "{\"id\":$id,\"result\":{\"stopReason\":\"end_turn\"}}" ;;
    esac
done
"#;

fn home() -> Home {
    let home = Home::new();
    home.write("agent", AGENT);
    fs::set_permissions(home.path("agent"), fs::Permissions::from_mode(0o755)).unwrap();
    let workflow = "workflow: { name: Publish, stages: [work] }\n\
                    work: { provider: acp, prompt: Publish it, with: { command: [./agent], ask: [execute] } }\n";
    home.write("publish.workflow.yml", workflow);
    home
}

#[test]
fn a_person_decides_and_the_agent_continues() {
    for (answer, output, published) in [("allow", "Published.", true), ("deny", "Not published.", false)] {
        let home = home();
        let waits = home.run(&["run", "publish.workflow.yml", "--run-id", "first"]);
        assert_eq!(waits.code, Some(4), "{waits:?}");
        let asked = home.run(&["answer", "first"]).stdout;
        assert!(asked.contains("The agent asks to be allowed: cargo publish (execute)"), "{asked}");
        assert!(asked.contains("one of: allow, deny"), "{asked}");
        assert_eq!(home.run(&["answer", "first", "perhaps"]).code, Some(2));
        assert!(!home.path("published").exists());

        let answered = home.run(&["answer", "first", answer]);
        assert_eq!(answered.code, Some(0), "{answered:?}");
        let run = home.show("first");
        assert_eq!(
            (&run["status"], &run["context"]["stages"]["work"]["output"]),
            (&json!("completed"), &json!(output))
        );
        assert_eq!(home.path("published").exists(), published);
        assert_eq!(home.read("starts"), "start\nstart\n");
        assert!(home.read("asked").contains("session/load"));
        assert_ne!(home.run(&["answer", "first", answer]).code, Some(0), "it is answered once");
    }
}

#[test]
fn a_run_that_asks_is_cancelled_without_starting_the_agent_again() {
    let home = home();
    assert_eq!(home.run(&["run", "publish.workflow.yml", "--run-id", "first"]).code, Some(4));
    assert_eq!(home.run(&["cancel", "first"]).code, Some(0));
    assert_eq!(home.show("first")["status"], "cancelled");
    assert_eq!(home.read("starts"), "start\n");
}

#[test]
fn an_answer_outlasts_the_process_that_continues_the_agent() {
    let home = home();
    assert_eq!(home.run(&["run", "publish.workflow.yml", "--run-id", "first"]).code, Some(4));
    home.write("slow", "");
    let answering = home.start(&["answer", "first", "allow"]);
    until("the agent is allowed", || home.path("published").exists());
    answering.signal(Signal::KILL);
    answering.wait();
    fs::remove_file(home.path("slow")).unwrap();
    let recovered = home.run(&["recover"]);
    assert_eq!(recovered.code, Some(0), "{recovered:?}");
    assert_eq!(home.show("first")["status"], "completed");
    let asked = home.events("first").iter().filter(|event| *event == "node_asked").count();
    assert_eq!(asked, 1, "the person is not asked again");
}
