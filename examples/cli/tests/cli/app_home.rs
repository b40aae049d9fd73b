//! A home in the desktop app's formats: its files are valid with warnings only, and run unedited.

use std::path::Path;

use rustix::process::Signal;

use super::home::{Home, copy, until};

const WORKFLOWS: [&str; 4] = ["committee", "everything", "feature-development", "nameless"];

fn home() -> Home {
    let home = Home::new();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/app-home"), &home.path(".orch"));
    home
}

#[test]
fn every_workflow_of_the_app_is_valid_with_warnings_only() {
    let checked = home().run(&[&["validate"][..], &WORKFLOWS].concat());
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""), "{}", checked.stdout);
    insta::assert_snapshot!(checked.stdout);
    // With `--strict` they are errors, also those in roles and profiles.
    let strict = home().run(&["validate", "--strict", "committee"]);
    assert_eq!(strict.code, Some(2));
    for place in ["plan.committee.yml:2:1: error[unknown-key]", "roles/security.md:4:1: error[unknown-key]"] {
        assert!(strict.stdout.contains(place), "{}", strict.stdout);
    }
}

#[test]
fn doctor_says_that_commands_of_the_app_are_not_executed() {
    let told = home().run(&["doctor"]).stdout;
    let note =
        "config/providers.yml: the headless_cmd of codex is not executed; the provider codex makes its calls";
    assert!(told.contains(note), "{told}");
}

#[test]
fn every_workflow_of_the_app_runs_with_the_demo_provider() {
    let home = home();
    let sources = home.own_files();
    for id in WORKFLOWS {
        let mut run =
            home.run(&["run", id, "--run-id", id, "--provider", "demo", "--var", "topic=a search field"]);
        if id == "everything" {
            assert_eq!(run.code, Some(4), "{id}: {run:?}");
            assert!(run.stderr.contains("Start with a search field?"), "{run:?}");
            run = home.run(&["answer", id, "--approve"]);
        }
        assert_eq!(run.code, Some(0), "{id}: {run:?}");
        let shown = &home.run(&["show", id, "--json"]).json()[0];
        assert_eq!(shown["status"], "completed", "{id}");
        let text = shown.to_string();
        assert!(text.contains(r#""provider":"demo""#), "{text}");
        let is_called = |agent: &&str| text.contains(&format!(r#""provider":"{agent}""#));
        assert_eq!(["claude-code", "codex", "gemini", "grok"].into_iter().find(is_called), None, "{text}");
        // It is recorded with the run: a rerun has the same.
        let again = home.run(&["rerun", id, "--run-id", &format!("{id}-again")]);
        assert_eq!(again.code, Some(if id == "everything" { 4 } else { 0 }), "{id}: {again:?}");
    }
    let listed = home.run(&["runs"]).stdout;
    let theirs = listed.lines().find(|line| line.starts_with("run-1 ")).unwrap_or_default();
    assert!(theirs.ends_with("written by another program, not changed"), "{listed}");
    let after = home.own_files();
    assert!(sources.iter().all(|file| after.contains(file)), "no file of the home is changed");
}

#[test]
fn a_readme_is_not_a_role_and_other_folders_of_roles_can_be_named() {
    let home = home();
    home.write("shared/auditor.md", "Audit.");
    home.write("shared/README.md", "Not a role.");
    let listed = home.run(&["roles", "--json", "--roles", "shared"]).json();
    let ids: Vec<_> = listed.iter().map(|role| role["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["auditor", "briefer", "security"]);
    assert!(listed[0]["readOnly"].as_str().unwrap().contains("shared, which is only read"), "{}", listed[0]);
    assert!(listed[1]["readOnly"].is_null(), "{}", listed[1]);
    let missing = home.run(&["roles", "--roles", "nowhere"]);
    assert_ne!(missing.code, Some(0));
    assert!(missing.stderr.contains("nowhere"), "{}", missing.stderr);
}

#[test]
fn a_stage_without_provider_is_told_which_one_it_gets_and_what_to_write() {
    let home = Home::new();
    home.write(".orch/workflows/plain.workflow.yml", "workflow:\n  stages: [plan]\nplan: simple\n");
    let checked = home.run(&["validate", "plain"]);
    assert_eq!(checked.code, Some(2));
    for part in
        ["`plan` names no provider and gets `command`, the default provider", "write `provider: NAME`"]
    {
        assert!(checked.stdout.contains(part), "{}", checked.stdout);
    }
    assert_eq!(home.run(&["run", "plain", "--provider", "demo"]).code, Some(0));
    let unknown = home.run(&["run", "plain", "--provider", "dem"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("did you mean `demo`?"), "{}", unknown.stderr);
    let misspelt = home.run(&["run", "plian"]);
    assert!(misspelt.stderr.contains("did you mean `plain`?"), "{}", misspelt.stderr);
}

#[test]
fn a_home_lists_other_folders_of_roles_in_its_config() {
    let home = home();
    home.write("shared/auditor.md", "Audit.");
    home.write(".orch/config/roles.yml", "folders: [../shared]\n");
    home.write(
        ".orch/workflows/audit.workflow.yml",
        "workflow: { stages: [audit] }\naudit: { role: auditor }\n",
    );
    assert!(home.run(&["roles"]).stdout.contains("auditor"));
    let run = home.run(&["run", "audit", "--provider", "demo"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    for (config, problem) in [("folders: [../nowhere]", "nowhere"), ("folder: [x]", "unknown field `folder`")]
    {
        home.write(".orch/config/roles.yml", config);
        let refused = home.run(&["roles"]);
        assert_ne!(refused.code, Some(0));
        assert!(refused.stderr.contains(problem), "{refused:?}");
    }
}

#[test]
fn a_stage_whose_nodes_bring_their_own_with_needs_none_itself() {
    let home = Home::new();
    home.write(
        ".orch/workflows/own.workflow.yml",
        "workflow: { stages: [test] }\ntest: { provider: command, profile: smoke }\n",
    );
    home.write(
        ".orch/workflows/stages/test.smoke.yml",
        "graph:\n  - { id: smoke, type: run, with: { command: [echo, smoked] } }\n",
    );
    let checked = home.run(&["validate", "own"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let run = home.run(&["run", "own", "--json"]);
    assert_eq!(run.json().last().unwrap()["context"]["stages"]["test"]["output"], "smoked", "{run:?}");
}

/// The providers of a run's calls, each once.
fn callers(home: &Home, run: &str) -> Vec<String> {
    let called = home.log(run).into_iter().filter(|event| event["type"] == "attempt_started");
    let mut names: Vec<_> =
        called.map(|event| event["data"]["provider"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

/// A stage that fails with the provider that it names.
const FAILS: &str = "workflow: { stages: [one, two] }\none: { provider: command, with: { command: [echo, one] } }\n\
                     two: { provider: command, with: { command: [sh, -c, 'exit 1'] } }\n";

#[test]
fn forks_and_reruns_take_another_provider_for_all_calls() {
    let home = Home::new();
    home.write(".orch/workflows/fails.workflow.yml", FAILS);
    assert_eq!(home.run(&["run", "fails", "--run-id", "first"]).code, Some(1));
    assert_eq!(callers(&home, "first"), ["command"]);
    for (id, args) in [
        ("forked", &["fork", "first", "--at", "one", "--provider", "demo"][..]),
        ("rerun", &["rerun", "first", "--provider", "demo"]),
        ("current", &["rerun", "first", "--current", "--from", "one", "--provider", "demo"]),
        ("named", &["rerun", "first", "--provider", "command=demo"]),
    ] {
        let made = home.run(&[args, &["--run-id", id]].concat());
        assert_eq!(made.code, Some(0), "{id}: {made:?}");
        assert_eq!(callers(&home, id), ["demo"], "{id}");
    }
    // Without it, the provider of the old run is used for the new one.
    assert_eq!(home.run(&["rerun", "current", "--run-id", "again"]).code, Some(0));
    assert_eq!(callers(&home, "again"), ["demo"]);
    for provider in ["dem", "command=dem"] {
        let unknown = home.run(&["fork", "first", "--at", "one", "--provider", provider]);
        assert_eq!(unknown.code, Some(2), "{unknown:?}");
        assert!(unknown.stderr.contains("did you mean `demo`?"), "{unknown:?}");
    }
    let misspelt = home.run(&["run", "fails", "--provider", "comand=demo"]);
    assert_eq!(misspelt.code, Some(2), "{misspelt:?}");
    assert!(misspelt.stderr.contains("`comand`; did you mean `command`?"), "{misspelt:?}");
}

#[test]
fn the_provider_of_a_run_is_kept_by_a_migration_and_by_the_process_that_resumes_it() {
    let home = Home::new();
    let definition = |more: &str| {
        let text = format!(
            "workflow: {{ stages: [one, two] }}\none: {{ provider: claude-code, prompt: One }}\n\
             two: {{ provider: claude-code, prompt: Two{more} }}\n"
        );
        home.write(".orch/workflows/agents.workflow.yml", &text);
    };
    definition("");
    let left = home.run(&["run", "agents", "--run-id", "first", "--provider", "demo", "--detach"]);
    assert_eq!(left.code, Some(0), "{left:?}");
    definition(" more");
    let moved = home.run(&["migrate", "first", "--apply"]);
    assert_eq!(moved.code, Some(0), "{moved:?}");
    let recovered = home.run(&["recover"]);
    assert_eq!(recovered.code, Some(0), "{recovered:?}");
    assert_eq!(callers(&home, "first"), ["demo"]);
}

#[test]
fn the_provider_of_a_run_holds_after_its_process_was_killed() {
    let home = Home::new();
    home.write(
        ".orch/workflows/agents.workflow.yml",
        "workflow: { stages: [one, two] }\none: { provider: claude-code, prompt: One, approval: Now? }\n\
         two: { provider: codex, prompt: Two }\n",
    );
    let asks = home.run(&["run", "agents", "--run-id", "first", "--provider", "demo"]);
    assert_eq!(asks.code, Some(4), "{asks:?}");
    let worker = home.start(&["worker"]);
    assert_eq!(home.run(&["answer", "first", "--approve", "--detach"]).code, Some(0));
    until("a call", || home.events("first").contains(&"attempt_started".to_owned()));
    worker.signal(Signal::KILL);
    worker.wait();
    let recovered = home.run(&["recover"]);
    assert_eq!(recovered.code, Some(0), "{recovered:?}");
    assert_eq!(home.show("first")["status"], "completed");
    assert_eq!(callers(&home, "first"), ["demo"]);
}
