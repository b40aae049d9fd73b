//! Worktrees of runs in a real repository.
#![cfg(feature = "worktree")]

use std::path::Path;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;
use workflow_exec::Engine;
use workflow_providers::{CommandProvider, Worktrees};
use workflow_service::{Code, Service};
use workflow_store::FsCatalog;

use crate::host::Host;

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=a", "-c", "user.email=a@example"]).args(arguments).current_dir(folder);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A host whose runs work in worktrees of the repository `checkout` of a folder.
fn host(home: TempDir) -> Host {
    let checkout = home.path().join("checkout");
    let worktrees = Worktrees::builder(&checkout, home.path().join("worktrees")).build();
    let engine = Engine::builder()
        .catalog(FsCatalog::open(home.path().join("home")).unwrap())
        .provider("command", worktrees.wrap(CommandProvider::builder().work_root(&checkout).build()))
        .build()
        .unwrap();
    Host { service: Service::builder(engine).worktrees(worktrees).build(), home }
}

const TEXT: &str = r#"
workflow: { name: Changes, stages: [go, more] }
go: { provider: command, with: { command: [sh, -c, "printf 'one\ntwo\n' > kept; printf '\\000\\377' > binary; rm old"] } }
more: { provider: command, with: { command: ["true"] } }
"#;

#[test]
fn what_a_run_changed_is_read_applied_elsewhere_and_outlives_its_worktree() {
    let home = tempfile::tempdir().unwrap();
    let (checkout, folder) = (home.path().join("checkout"), home.path().join("worktrees"));
    std::fs::create_dir(&checkout).unwrap();
    git(&checkout, &["init", "--quiet", "--initial-branch=main"]);
    for name in ["kept", "old"] {
        std::fs::write(checkout.join(name), "one\n").unwrap();
    }
    git(&checkout, &["add", "--all"]);
    git(&checkout, &["commit", "--quiet", "--message=first"]);
    let host = host(home);
    host.data("workflow:create", &json!({ "id": "changes", "text": TEXT }).to_string());
    host.data("workflow:run", r#"{ "id": "changes", "runId": "r1", "isolated": true }"#);
    let early = host.call("workflow:runs:diff", r#"{ "runId": "r1" }"#).error.unwrap();
    assert_eq!(early.code, Code::NotFound, "{}", early.message);
    host.drive("r1");

    let changes = host.data("workflow:runs:diff", r#"{ "runId": "r1" }"#);
    let expected = json!([
        { "path": "binary" }, { "path": "kept", "added": 1, "removed": 0 }, { "path": "old", "added": 0, "removed": 1 },
    ]);
    assert_eq!(changes["files"], expected);
    assert_eq!(changes["commits"][0]["subject"], "1/go[0]/run");
    assert!(changes["diff"].as_str().unwrap().contains("\n+two\n"), "{changes}");
    let report = host.data("workflow:runs:report", r#"{ "runId": "r1", "format": "markdown" }"#);
    let report = report["text"].as_str().unwrap();
    assert!(report.contains("1 commit on the branch `workflow/r1`") && report.contains(" kept "), "{report}");

    // A fork commits to a branch of its own.
    let fork = r#"{ "runId": "r1", "at": { "stage": "more" }, "newRunId": "r2" }"#;
    host.data("workflow:runs:fork", fork);
    let report = host.data("workflow:runs:report", r#"{ "runId": "r2" }"#);
    assert_eq!(report["report"]["changes"], json!({ "branch": null, "commits": [] }));

    let patch = host.data("workflow:worktrees:patch", r#"{ "runId": "r1" }"#);
    std::fs::write(host.home.path().join("patch"), patch["patch"].as_str().unwrap()).unwrap();
    git(&checkout, &["apply", "../patch"]);
    assert_eq!(std::fs::read(checkout.join("binary")).unwrap(), [0, 255]);
    assert!(!checkout.join("old").exists());

    let listed = &host.data("workflow:worktrees:list", "")["worktrees"][0];
    assert_eq!((&listed["runId"], &listed["status"]), (&json!("r1"), &json!("completed")));
    assert!(Path::new(listed["path"].as_str().unwrap()).is_dir() && listed["usedAt"].is_string());
    let mine = folder.join("r1/mine");
    std::fs::write(&mine, "mine").unwrap();
    let kept = host.call("workflow:worktrees:remove", r#"{ "runId": "r1" }"#).error.unwrap();
    assert_eq!(kept.code, Code::Refused, "{}", kept.message);
    std::fs::remove_file(&mine).unwrap();
    assert_eq!(host.data("workflow:worktrees:remove", r#"{ "runId": "r1" }"#)["branch"], "workflow/r1");
    assert!(!folder.join("r1").exists());
    assert_eq!(host.data("workflow:runs:diff", r#"{ "runId": "r1" }"#), changes);
}

#[test]
fn a_host_without_worktrees_says_so() {
    let service = Service::new(Engine::builder().build().unwrap());
    let host = Host { service, home: tempfile::tempdir().unwrap() };
    for (name, request) in [
        ("workflow:runs:diff", r#"{ "runId": "r1" }"#),
        ("workflow:worktrees:list", ""),
        ("workflow:worktrees:patch", r#"{ "runId": "r1" }"#),
        ("workflow:worktrees:remove", r#"{ "runId": "r1" }"#),
    ] {
        assert_eq!(host.call(name, request).error.unwrap().code, Code::NotSupported, "{name}");
    }
}

#[test]
fn a_dry_run_says_that_there_is_no_commit_to_begin_with() {
    let home = tempfile::tempdir().unwrap();
    let checkout = home.path().join("checkout");
    std::fs::create_dir(&checkout).unwrap();
    git(&checkout, &["init", "--quiet", "--initial-branch=main"]);
    let host = host(home);
    let workflow = |id: &str, worktree: &str| {
        let text = format!(
            "workflow: {{ stages: [go], worktree: {worktree} }}\ngo: {{ provider: command, with: {{ command: [ls] }} }}\n"
        );
        host.data("workflow:create", &json!({ "id": id, "text": text }).to_string());
    };
    workflow("here", "{}");
    workflow("there", "{ base: next }");
    let dry = |id: &str, isolated: bool| {
        let asked = json!({ "id": id, "dryRun": true, "isolated": isolated });
        let dry = host.data("workflow:run", &asked.to_string());
        (dry["ready"].clone(), dry["missing"]["problems"].clone())
    };
    let nothing = "the repository has no commit to begin with";
    assert_eq!(dry("here", true), (json!(false), json!([nothing])));
    assert_eq!(dry("here", false), (json!(true), json!([])));
    git(&checkout, &["commit", "--quiet", "--allow-empty", "--message=first"]);
    assert_eq!(dry("here", true), (json!(true), json!([])));
    let unknown = "the workflow's `worktree.base` is `next`, and the repository has no such branch, tag or commit: create \
                   or fetch it, or change `base`";
    assert_eq!(dry("there", true), (json!(false), json!([unknown])));
    git(&checkout, &["branch", "next"]);
    assert_eq!(dry("there", true), (json!(true), json!([])));
}
