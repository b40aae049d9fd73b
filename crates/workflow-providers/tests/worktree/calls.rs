//! The changes of calls.

use std::fs;
use std::sync::Arc;
use std::thread;

use futures::executor::block_on;
use serde_json::{Value, json};
use workflow_core::data::Data;
use workflow_core::definition::WorktreeSpec;
use workflow_core::failure::FailureClass;
use workflow_core::ids::RunId;
use workflow_core::provider::{Origin, Workspace};

use crate::repository::{Repository, call, git, recorded};

#[test]
fn the_checkout_of_the_user_stays_byte_for_byte_the_same_and_no_hook_runs() {
    let repository = Repository::new();
    let before = repository.of_user();
    repository
        .call("r", "echo mine > changed; rm kept; echo new > made; mkdir -p a/b; echo deep > a/b/c")
        .unwrap();
    repository.call("r", "echo again >> made").unwrap();
    repository.call("r", "exit 3").unwrap_err();
    assert_eq!(repository.of_user(), before);
    assert!(!repository.hook_ran().exists(), "a hook ran");
    assert_eq!(repository.git(&["branch", "--show-current"]), "main");
}

#[test]
fn a_run_begins_with_what_is_committed_and_not_with_what_is_not() {
    let repository = Repository::new();
    let reply = repository.call("r", "cat changed staged; ls; pwd -P").unwrap();
    let worktree = repository.worktree("r").canonicalize().unwrap();
    let seen = format!("old\nold\nchanged\nkept\npart\nstaged\n{}", worktree.display());
    assert_eq!(reply.output.value(), Value::from(seen));
}

#[test]
fn there_is_a_commit_for_each_node_that_changed_something_and_for_no_other() {
    let repository = Repository::new();
    let head = repository.git(&["rev-parse", "HEAD"]);
    let provider = repository.commands();
    let node = |path, script| {
        recorded(
            call(&provider, repository.request("r", path, script)).unwrap().details.map(|details| *details),
        )
    };

    let first = node("1/plan[0]/run", "echo one > one");
    assert_eq!(node("1/look[0]/run", "cat one; touch kept; echo object > x.o"), Value::Null);
    let second = node("1/code[0]/draft", "echo two > two; rm kept");

    let changes = repository.changes("r");
    assert_eq!((changes.base, changes.branch.as_str()), (head, "workflow/r"));
    let commits: Vec<_> = changes.commits.iter().map(|c| (c.subject.as_str(), c.id.as_str())).collect();
    let id = |recorded: &Value| recorded["commit"].as_str().unwrap().to_owned();
    assert_eq!(commits, [("1/plan[0]/run", &*id(&first)), ("1/code[0]/draft", &*id(&second))]);
    assert_eq!(repository.files("r"), ["kept", "one", "two"]);
    let diff = changes.diff.unwrap();
    assert!(diff.contains("+two") && diff.contains("-kept"), "{diff}");
    let stat = second["stat"].as_str().unwrap();
    assert!(stat.contains("2 files changed, 1 insertion(+), 1 deletion(-)"), "{stat}");
    assert_eq!(git(&repository.worktree("r"), &["status", "--porcelain"]), "");
    assert_eq!(
        git(&repository.worktree("r"), &["log", "-1", "--format=%an %ae %cn"]),
        "workflow workflow@localhost workflow"
    );
}

#[test]
fn calls_of_runs_that_do_not_ask_work_where_they_always_did() {
    let repository = Repository::new();
    let mut asked = repository.request("r", "1/work[0]/run", "echo there > made");
    asked.workspace = workflow_core::provider::Workspace::Shared;
    assert_eq!(call(&repository.commands(), asked).unwrap().details, None);
    assert_eq!(fs::read_to_string(repository.checkout().join("made")).unwrap(), "there\n");
    assert!(!repository.directory().exists());
}

#[test]
fn two_runs_at_once_have_nothing_in_common() {
    let repository = Repository::new();
    let before = repository.of_user();
    let script = "echo $WORKFLOW_RUN_ID > changed";
    thread::scope(|scope| {
        for run in ["a", "b", "c", "d"] {
            let repository = &repository;
            scope.spawn(move || {
                for round in 0..3 {
                    repository.call(run, &format!("{script}; echo {round} >> rounds")).unwrap();
                }
            });
        }
    });
    for run in ["a", "b", "c", "d"] {
        assert_eq!(repository.git(&["show", &format!("workflow/{run}:changed")]), run);
        assert_eq!(repository.git(&["show", &format!("workflow/{run}:rounds")]), "0\n1\n2");
        assert_eq!(repository.subjects(run).len(), 3);
    }
    assert_eq!(repository.of_user(), before);
}

#[test]
fn parallel_nodes_of_a_run_share_its_worktree_and_lose_nothing() {
    let repository = Repository::new();
    thread::scope(|scope| {
        for lane in 0..4 {
            let repository = &repository;
            scope.spawn(move || {
                let (path, script) = (format!("1/work[{lane}]/run"), format!("echo {lane} > of-{lane}"));
                call(&repository.commands(), repository.request("r", &path, &script)).unwrap();
            });
        }
    });
    assert_eq!(repository.files("r"), ["of-0", "of-1", "of-2", "of-3"]);
    assert_eq!(git(&repository.worktree("r"), &["status", "--porcelain"]), "");
}

#[test]
fn what_a_call_that_failed_left_is_committed_and_the_next_attempt_sees_it() {
    let repository = Repository::new();
    let error = repository.call("r", "echo half > half; exit 3").unwrap_err();
    let details = error.failure.details.unwrap();
    assert_eq!(details["exit_code"], 3);
    assert_eq!(details["worktree"]["branch"], "workflow/r");
    repository.call("r", "cat half; echo whole >> half").unwrap();
    assert_eq!(repository.subjects("r"), ["1/work[0]/run (failed)", "1/work[0]/run"]);
    assert_eq!(repository.git(&["show", "workflow/r:half"]), "half\nwhole");
}

#[test]
fn calls_work_in_the_folder_of_the_worktree_that_the_repository_was_named_by() {
    let repository = Repository::new();
    let part = repository.checkout().join("part");
    let worktrees = workflow_providers::Worktrees::builder(&part, repository.directory()).build();
    let provider = worktrees.wrap(workflow_providers::CommandProvider::builder().work_root(&part).build());
    let reply =
        call(&provider, repository.request("r", "1/work[0]/run", "cat file; echo more > more")).unwrap();
    assert_eq!(reply.output.value(), Value::from("part"));
    assert_eq!(repository.files("r"), ["part/more"]);
}

#[test]
fn a_forked_run_begins_with_the_commit_that_the_other_run_was_at() {
    let repository = Repository::new();
    let forked = |run: &str, runs: &[(&str, u64)], commit: Option<&str>, script: &str| {
        let mut asked = repository.request(run, "1/code[0]/run", script);
        let runs = runs.iter().map(|(run, seed)| (RunId::new(*run).unwrap(), *seed)).collect();
        let worktree = commit.map(|commit| Data::new(&json!({ "commit": commit })));
        asked.workspace = Workspace::IsolatedFrom(Arc::new(Origin { runs, worktree, spec: None }));
        call(&repository.commands(), asked)
    };
    let seed = repository.request("r", "1/plan[0]/run", "").id.seed;
    let first = recorded(repository.call("r", "echo one > one").unwrap().details.map(|details| *details));
    repository.call("r", "echo two > two").unwrap();
    // The checkout changes meanwhile.
    repository.git(&["-c", "core.hooksPath=/dev/null", "commit", "--quiet", "--no-gpg-sign", "-m", "more"]);

    let source = [("r", seed)];
    let reply = forked("at", &source, first["commit"].as_str(), "ls; cat staged; echo mine > mine").unwrap();
    assert_eq!(reply.output.value(), "changed\nkept\none\npart\nstaged\nold");
    assert_eq!(repository.files("at"), ["mine"]);
    // Without a commit of a call, the fork begins at the source's base, or at the base of the source's own
    // source.
    let reply = forked("start", &source, None, "ls; cat staged").unwrap();
    assert_eq!(reply.output.value(), "changed\nkept\npart\nstaged\nold");
    let chain = [("never-called", 1), source[0]];
    assert_eq!(forked("chain", &chain, None, "cat staged").unwrap().output.value(), "old");
    // A source without calls has no base: the checkout counts.
    assert_eq!(forked("fresh", &[("never-called", 1)], None, "cat staged").unwrap().output.value(), "new");

    let gone = "0123456789012345678901234567890123456789";
    let error = forked("gone", &source, Some(gone), "ls").unwrap_err();
    assert!(error.failure.message.contains("which is gone from the repository"), "{error}");
}

#[test]
fn a_workflow_says_where_the_branches_of_its_runs_begin_and_what_they_are_called() {
    let repository = Repository::new();
    let without_hooks = "core.hooksPath=/dev/null";
    repository.git(&["-c", without_hooks, "branch", "release"]);
    repository.git(&["-c", without_hooks, "commit", "--quiet", "--no-gpg-sign", "-m", "more"]);
    let release = repository.git(&["rev-parse", "release"]);
    let asked = |run: &str, spec: WorktreeSpec, script: &str| {
        let mut asked = repository.request(run, "1/code[0]/run", script);
        asked.workspace = Workspace::IsolatedFrom(Arc::new(Origin { spec: Some(spec), ..Origin::default() }));
        call(&repository.commands(), asked)
    };
    let spec = |base: &str, prefix: &str| WorktreeSpec {
        base: Some(base.to_owned()),
        branch_prefix: Some(prefix.to_owned()),
    };
    let agents = spec("release", "agents/by-");
    let reply = asked("r", agents.clone(), "cat staged; echo mine > mine").unwrap();
    assert_eq!(reply.output.value(), "old");
    assert_eq!(recorded(reply.details.map(|details| *details))["branch"], "agents/by-r");
    // A definition that the run was moved to changes neither.
    asked("r", spec("main", "other/"), "cat mine; echo more > more").unwrap();
    let changes = repository.changes("r");
    assert_eq!((changes.base, &*changes.branch, changes.commits.len()), (release.clone(), "agents/by-r", 2));
    let listed = block_on(repository.worktrees().list()).unwrap();
    assert_eq!(listed[0].branch, "agents/by-r");
    // The worktree is made again from the branch.
    assert!(block_on(repository.worktrees().remove(&RunId::new("r").unwrap())).unwrap());
    assert_eq!(asked("r", agents, "cat mine more").unwrap().output.value(), "mine\nmore");
    assert_eq!(repository.git(&["for-each-ref", "--format=%(refname)", "refs/heads/workflow"]), "");
    // A fork begins with the base of the other run, on a branch of its own.
    let seed = repository.request("r", "1/code[0]/run", "").id.seed;
    let mut fork = repository.request("fork", "1/code[0]/run", "git rev-parse HEAD");
    let runs = vec![(RunId::new("r").unwrap(), seed)];
    let spec_of_fork = Some(WorktreeSpec { base: None, branch_prefix: Some("forks/".to_owned()) });
    fork.workspace = Workspace::IsolatedFrom(Arc::new(Origin { runs, worktree: None, spec: spec_of_fork }));
    assert_eq!(call(&repository.commands(), fork).unwrap().output.value(), Value::from(release));

    // The id of a run is not taken for the separator that names the branch.
    repository.call("all-on", "echo mine > mine").unwrap();
    assert_eq!(repository.changes("all-on").branch, "workflow/all-on");

    let error = asked("gone", spec("no-such-branch", "agents/"), "ls").unwrap_err();
    assert_eq!(
        error.failure.message,
        "the workflow's `worktree.base` is `no-such-branch`, and the repository has no such branch, tag or commit: create or \
         fetch it, or change `base`"
    );
    assert_eq!(error.failure.class, FailureClass::Permanent);
}

#[test]
fn the_files_of_a_run_are_listed_also_where_the_diff_is_too_large() {
    let repository = Repository::new();
    repository.call("r", "head -c 70000000 /dev/zero | tr '\\0' x > large").unwrap();
    let (worktrees, run) = (repository.worktrees(), RunId::new("r").unwrap());
    let changes = block_on(worktrees.changes(&run, false)).unwrap().unwrap();
    assert_eq!(
        (changes.diff, changes.stat[0].path.as_str(), changes.stat[0].added),
        (None, "large", Some(1))
    );
    let error = block_on(worktrees.changes(&run, true)).unwrap_err();
    assert!(error.failure.message.contains("printed more than"), "{}", error.failure.message);
}
