//! `templates`, `new`, `roles`, `profiles`: the templates of the program run unchanged.

use super::home::{Home, stable};

/// The templates, by their ids.
fn ids() -> Vec<String> {
    let listed = Home::new().run(&["templates", "--json"]).json();
    listed.iter().map(|template| template["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_template_becomes_a_workflow_that_runs_and_is_shown() {
    let home = Home::new();
    let ids = ids();
    assert!(ids.len() >= 5, "{ids:?}");
    for id in &ids {
        let created = home.run(&["new", id, "--template", id]);
        assert_eq!((created.code, created.stderr.as_str()), (Some(0), ""), "{id}");
    }
    // All in one home.
    for id in &ids {
        let checked = home.run(&["validate", "--strict", id]);
        let file = format!(".orch/workflows/{id}.workflow.yml");
        assert_eq!((checked.code, checked.stdout), (Some(0), format!("{file}: valid\n")), "{id}");
        let run = home.run(&["run", id, "--run-id", id]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{id}: {}", run.stdout);
        stable(|| insta::assert_snapshot!(format!("show_{id}"), home.run(&["show", id]).stdout));
    }
}

#[test]
fn in_the_second_iteration_the_coder_is_told_what_the_check_found() {
    let home = Home::new();
    home.run(&["new", "change", "--template", "plan-code-test-check"]);
    let run = home.run(&["run", "change", "--run-id", "r", "--var", "goal=Fly"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let asked: Vec<_> = home
        .run(&["logs", "r", "--stage", "code", "--json"])
        .json()
        .iter()
        .filter(|entry| entry["path"] == "2/code[0]/write")
        .map(|entry| entry["text"].as_str().unwrap().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(
        asked,
        [
            "demo: no service is called; the prompt is:",
            "Do this:",
            "Fly",
            "The plan has 2 parts:",
            "- src/hello.rs: the command",
            "- tests/hello.rs: what it prints",
            "The last check was not content:",
            "- A demo finding: one test fails.",
            "- Change only what the plan names.",
            "- Leave the work so that it builds.",
            "demo: answered",
        ]
    );
}

#[test]
fn templates_are_listed() {
    let home = Home::new();
    insta::assert_snapshot!(home.run(&["templates"]).stdout, @"
    TEMPLATE              STAGES                   DESCRIPTION
    single-stage          work                     One agent does one thing.
    plan-code-test-check  plan, code, test, check  Plans a change, writes and reviews it, tests it, and repeats until a check passes.
    committee-plan        plan                     One agent drafts a plan, a committee reviews it, and one plan is made of all that was said.
    deep-test             test                     Tests one thing in many ways at once, and reports what was found.
    gate-check            work, gate               Works on a change until a gate lets it through.
    ");
    let mut first = home.run(&["templates", "--json"]).json().remove(0);
    assert!(first["text"].take().as_str().unwrap().contains("name: Single stage"));
    assert_eq!(
        first,
        serde_json::json!({
            "id": "single-stage", "name": "Single stage", "description": "One agent does one thing.",
            "stages": ["work"], "text": null, "parts": ["role `assistant`"],
        })
    );
}

#[test]
fn new_says_what_it_made() {
    let home = Home::new();
    insta::assert_snapshot!(home.run(&["new", "mine", "--template", "single-stage"]).stdout, @"
    created .orch/workflows/mine.workflow.yml
    it uses role `assistant`
    try it with: workflow run mine
    ");
    let [made] =
        home.run(&["new", "other", "--template", "single-stage", "--json"]).json().try_into().unwrap();
    assert_eq!(
        (&made["id"], &made["origin"]),
        (&"other".into(), &".orch/workflows/other.workflow.yml".into())
    );
}

#[test]
fn new_overwrites_nothing_and_says_what_is_in_the_way() {
    let home = Home::new();
    home.write(".orch/roles/assistant.md", "Mine.");
    home.run(&["new", "taken", "--template", "gate-check"]);
    let before = home.own_files();
    for (args, code, message) in [
        (["taken", "--template", "gate-check"], 2, "there is a workflow `taken` already"),
        (
            ["free", "--template", "single-stage"],
            2,
            "there is a role `assistant` with another text (.orch/roles/assistant.md) already",
        ),
        (
            ["free", "--template", "gate-chekc"],
            5,
            "there is no template `gate-chekc`; did you mean `gate-check`? (there are: single-stage, \
             plan-code-test-check, committee-plan, deep-test, gate-check)",
        ),
    ] {
        let refused = home.run(&[&["new"], &args[..]].concat());
        assert_eq!((refused.code, refused.stderr), (Some(code), format!("error: {message}\n")));
        assert_eq!(home.own_files(), before);
    }
    assert_eq!(home.run(&["new", "not an id", "--template", "gate-check"]).code, Some(2));
    assert_eq!(home.run(&["new", "a"]).code, Some(2));
}

#[test]
fn roles_and_profiles_of_the_home_are_listed_with_what_is_wrong_with_them() {
    let home = Home::new();
    assert_eq!(home.run(&["roles"]).stderr, "no roles in .orch/roles\n");
    assert_eq!(home.run(&["profiles"]).stderr, "no profiles in .orch/workflows/stages\n");
    home.run(&["new", "plan", "--template", "committee-plan"]);
    home.write(
        ".orch/roles/typed.md",
        "---\nrecommendedProvider: codex\nvariables:\n  - { name: files, type: array, required: true }\n  - tone\n---\nHi.",
    );
    home.write(".orch/roles/broken.md", "---\nid: other\n---\nHi.");
    home.write(".orch/workflows/stages/plan.broken.yml", "graph: []");
    insta::assert_snapshot!(home.run(&["roles"]).stdout, @"
    ROLE           NAME                    VARIABLES                                                                                                  FILE
    broken                                 (cannot be used: 2:5: error[id-mismatch]: the file's name says `broken`: write that, or leave the id out)  .orch/roles/broken.md
    plan-author    Author of the plan      goal (string): What is to be planned.                                                                      .orch/roles/plan-author.md
    plan-chair     Chair of the committee                                                                                                             .orch/roles/plan-chair.md
    plan-reviewer  Reviewer of the plan                                                                                                               .orch/roles/plan-reviewer.md
    typed                                  files (array, required); tone (string)                                                                     .orch/roles/typed.md
    ");
    insta::assert_snapshot!(home.run(&["profiles"]).stdout, @"
    STAGE  PROFILE    NODES                                                                                                  FILE
    plan   broken     (cannot be used: 1:1: error[missing-field]: `graph` is missing or empty: list the nodes of the stage)  .orch/workflows/stages/plan.broken.yml
    plan   committee  draft (run), committee (foreach), merged (reduce, summarize), approved (export)                        .orch/workflows/stages/plan.committee.yml
    ");
    let roles = home.run(&["roles", "--json"]).json();
    insta::assert_yaml_snapshot!(roles, @r#"
    - id: broken
      origin: ".orch/roles/broken.md"
      problems:
        - severity: error
          code: id-mismatch
          path: id
          line: 2
          column: 5
          endLine: 2
          endColumn: 5
          message: "the file's name says `broken`: write that, or leave the id out"
          fixes: []
    - id: plan-author
      origin: ".orch/roles/plan-author.md"
      name: Author of the plan
      variables:
        - name: goal
          type: string
          default: Keep the runs of the last month.
          description: What is to be planned.
      problems: []
    - id: plan-chair
      origin: ".orch/roles/plan-chair.md"
      name: Chair of the committee
      problems: []
    - id: plan-reviewer
      origin: ".orch/roles/plan-reviewer.md"
      name: Reviewer of the plan
      problems: []
    - id: typed
      origin: ".orch/roles/typed.md"
      variables:
        - name: files
          type: array
          required: true
        - name: tone
          type: string
      recommendedProvider: codex
      problems: []
    "#);
    let profiles = home.run(&["profiles", "--json"]).json();
    insta::assert_yaml_snapshot!(profiles, @r#"
    - id: broken
      stage: plan
      origin: ".orch/workflows/stages/plan.broken.yml"
      problems:
        - severity: error
          code: missing-field
          path: graph
          line: 1
          column: 1
          endLine: 1
          endColumn: 1
          message: "`graph` is missing or empty: list the nodes of the stage"
          fixes: []
    - id: committee
      stage: plan
      origin: ".orch/workflows/stages/plan.committee.yml"
      name: Committee
      nodes:
        - id: draft
          type: run
        - id: committee
          type: foreach
          each: run
        - id: merged
          type: reduce
          strategy: summarize
        - id: approved
          type: export
      problems: []
    "#);
}
