//! Runs that work in a git worktree of their own.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use rustix::process::Signal;

use crate::home::Home;

const STAGES: [(&str, &str); 3] =
    [("plan", "echo a plan > plan"), ("look", "cat plan"), ("code", "echo new > code; rm old")];

/// A repository with a commit of `old`, and these stages.
fn repository(stages: &[(&str, &str)]) -> Home {
    let home = Home::with_stages(stages);
    home.write("old", "old\n");
    git(&home, &["init", "--quiet"]);
    git(&home, &["add", "--all"]);
    git(
        &home,
        &["-c", "user.name=me", "-c", "user.email=me@localhost", "commit", "--quiet", "--message=first"],
    );
    home
}

fn git(home: &Home, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(home.path("."))
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn a_run_with_a_worktree_leaves_the_checkout_alone_and_shows_what_it_changed() {
    let home = repository(&STAGES);
    let run = home.run(&["run", "stages.workflow.yml", "--run-id", "first", "--worktree"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(!run.stderr.contains("not committed"), "{run:?}");
    assert_eq!(git(&home, &["status", "--porcelain", "--", ":!.orch"]), "");
    assert_eq!(git(&home, &["log", "--format=%s", "HEAD..workflow/first"]), "1/code[0]/run\n1/plan[0]/run");
    // The user's files in the checkout do not include a worktree.
    assert!(!git(&home, &["status", "--porcelain", "--untracked-files=all"]).contains("worktrees"));

    let shown = home.run(&["show", "first"]);
    assert!(shown.stdout.contains("branch") && shown.stdout.contains("workflow/first"), "{shown:?}");
    let diff = home.run(&["diff", "first"]);
    assert_eq!(
        (diff.code, diff.stdout.trim_end()),
        (Some(0), &*git(&home, &["diff", "HEAD..workflow/first"]))
    );
    let diff = home.run(&["diff", "first", "--json"]);
    let diff: serde_json::Value = serde_json::from_str(&diff.stdout).unwrap();
    assert_eq!(diff["base"], git(&home, &["rev-parse", "HEAD"]));
    assert_eq!(diff["branch"], "workflow/first");

    let listed = home.run(&["worktree", "list", "--json"]).json();
    assert_eq!(
        (&listed[0]["runId"], &listed[0]["status"], &listed[0]["branch"]),
        (&"first".into(), &"completed".into(), &"workflow/first".into())
    );
    let patch = home.run(&["worktree", "patch", "first"]);
    assert!(patch.stdout.contains("+++ b/plan") && patch.stdout.contains("+a plan"), "{patch:?}");
    let files: Vec<_> = diff["files"].as_array().unwrap().iter().map(|file| &file["path"]).collect();
    assert_eq!(files, ["code", "old", "plan"]);
    let subjects: Vec<_> =
        diff["commits"].as_array().unwrap().iter().map(|commit| &commit["subject"]).collect();
    assert_eq!(subjects, ["1/plan[0]/run", "1/code[0]/run"]);

    // The log contains the commit of each node.
    let log = serde_json::Value::from(home.log("first")).to_string();
    for commit in diff["commits"].as_array().unwrap() {
        assert!(log.contains(commit["id"].as_str().unwrap()), "{log}");
    }

    let removed = home.run(&["worktree", "remove", "first"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    assert!(removed.stdout.contains("its branch workflow/first stays"), "{removed:?}");
    assert_eq!(home.run(&["worktree", "list"]).stdout, "");
    assert_ne!(git(&home, &["rev-parse", "workflow/first"]), "");
    assert_eq!(home.run(&["worktree", "remove", "first"]).code, Some(5));
}

#[test]
fn a_rerun_from_a_stage_has_the_files_that_the_run_had_there() {
    let home =
        repository(&[("plan", "echo planned > plan"), ("code", "cat plan > code"), ("end", "ls > end")]);
    assert_eq!(home.run(&["run", "stages.workflow.yml", "--run-id", "first", "--worktree"]).code, Some(0));
    // The checkout changes meanwhile.
    home.write("later", "later\n");
    git(&home, &["add", "later"]);
    let me = ["-c", "user.name=me", "-c", "user.email=me@localhost"];
    git(&home, &[&me[..], &["commit", "--quiet", "-m", "later"]].concat());
    let rerun = home.run(&["rerun", "first", "--from", "code", "--run-id", "second"]);
    assert_eq!(rerun.code, Some(0), "{rerun:?}");
    assert_eq!(git(&home, &["show", "workflow/second:code"]), "planned");
    let files = git(&home, &["show", "workflow/second:end"]);
    assert!(files.contains("plan") && !files.contains("later"), "{files}");
    let again = home.run(&["rerun", "second", "--from", "end", "--run-id", "third"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(git(&home, &["show", "workflow/third:code"]), "planned");
}

#[test]
fn runs_of_several_processes_at_once_have_nothing_in_common() {
    let home = repository(&[("one", "echo $WORKFLOW_RUN_ID > one"), ("two", "cat one > two")]);
    let runs = ["a", "b", "c", "d"];
    let started = runs.map(|run| home.start(&["run", "stages.workflow.yml", "--run-id", run, "--worktree"]));
    for run in started {
        let ended = run.wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    for run in runs {
        assert_eq!(git(&home, &["show", &format!("workflow/{run}:two")]), run);
        let subjects = git(&home, &["log", "--reverse", "--format=%s", &format!("HEAD..workflow/{run}")]);
        assert_eq!(subjects, "1/one[0]/run\n1/two[0]/run");
    }
}

#[test]
fn a_run_with_a_worktree_says_that_it_does_not_see_what_is_not_committed() {
    let home = repository(&[("look", "cat old")]);
    home.write("old", "changed\n");
    home.write("mine", "mine\n");
    let run = home.run(&["run", "stages.workflow.yml", "--run-id", "first", "--worktree"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("the run does not see uncommitted changes (2 files)"), "{run:?}");
    assert_eq!(home.show("first")["context"]["stages"]["look"]["output"], "old");
    assert_eq!((home.read("old"), home.read("mine")), ("changed\n".to_owned(), "mine\n".to_owned()));
}

#[test]
fn without_a_repository_there_is_no_run_with_a_worktree() {
    let home = Home::with_stages(&[("work", "touch made")]);
    let run = home.run(&["run", "stages.workflow.yml", "--run-id", "first", "--worktree"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("not a git repository"), "{run:?}");
    assert_eq!(home.run(&["show", "first"]).code, Some(5));
    assert!(!home.path("made").exists());
}

#[test]
fn a_run_without_a_worktree_has_no_diff() {
    let home = repository(&[("work", "touch made")]);
    assert_eq!(home.run(&["run", "stages.workflow.yml", "--run-id", "first"]).code, Some(0));
    assert!(home.path("made").exists());
    let diff = home.run(&["diff", "first"]);
    assert_eq!(diff.code, Some(2), "{diff:?}");
    assert!(diff.stderr.contains("has no worktree"), "{diff:?}");
}

#[test]
fn a_run_whose_host_was_killed_is_recovered_in_its_worktree() {
    // The worktree is in the home, which is in the current directory.
    let begin = "echo half > half; touch ../../../begun; sleep 600";
    let script = format!("if test -e half; then echo whole > whole; else {begin}; fi");
    let home = repository(&[("work", &script)]);
    let args = ["run", "stages.workflow.yml", "--run-id", "first", "--worktree"];
    let run = home.start_until(&args, "begun");
    run.signal(Signal::KILL);
    run.wait();
    let recovered = home.run(&["recover"]);
    assert_eq!(recovered.code, Some(0), "{recovered:?}");
    let subjects = git(&home, &["log", "--reverse", "--format=%s", "HEAD..workflow/first"]);
    assert_eq!(subjects, "left before 1/work[0]/run\n1/work[0]/run");
    assert_eq!(git(&home, &["diff", "--name-only", "HEAD..workflow/first"]), "half\nwhole");
    assert_eq!(git(&home, &["status", "--porcelain", "--", ":!.orch", ":!begun"]), "");
}

#[test]
fn the_oldest_worktrees_of_runs_that_have_ended_are_removed() {
    let home = repository(&[("work", "echo made > made")]);
    for n in 0..22 {
        let run = home.run(&["run", "stages.workflow.yml", "--run-id", &format!("r{n}"), "--worktree"]);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(run.stderr.contains("removed the worktree of run r0"), n == 21, "{run:?}");
    }
    assert!(!home.path(".orch/worktrees/r0").exists());
    assert_eq!(git(&home, &["show", "workflow/r0:made"]), "made");
    assert_eq!(home.run(&["diff", "r0"]).code, Some(0));
}

#[test]
fn git_settings_that_a_stage_writes_are_not_executed_for_the_run() {
    let write = "for where in --global --local; do git config $where filter.evil.clean 'touch ../../../hit; cat'; done; \
                 echo '* filter=evil' > .gitattributes; echo new > old";
    let home = repository(&[("first", write), ("second", "echo newer > old")]);
    let run = home.run(&["run", "stages.workflow.yml", "--run-id", "first", "--worktree"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(home.read(".gitconfig").contains("evil"));
    assert!(!home.path("hit").exists() && !home.path(".orch/hit").exists());
    assert_eq!(git(&home, &["show", "workflow/first:old"]), "newer");
}

#[test]
fn a_worktree_that_a_stage_took_apart_fails_the_run_and_is_kept() {
    let home = repository(&[("work", "echo work > work; test -e ../moved || mv .git ../moved")]);
    let run = home.run(&["run", "stages.workflow.yml", "--run-id", "first", "--worktree"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("has lost its original `.git`"), "{run:?}");
    let log = serde_json::Value::from(home.log("first")).to_string();
    assert!(log.contains(r#""problem":"git_file""#), "{log}");
    let rerun = home.run(&["rerun", "first", "--run-id", "second"]);
    assert_eq!(rerun.code, Some(0), "{rerun:?}");
    assert_eq!(git(&home, &["show", "workflow/second:work"]), "work");
    // It is not removed, whichever command is used.
    assert_eq!(home.run(&["delete", "first", "--yes"]).code, Some(0));
    assert_eq!(home.read(".orch/worktrees/first/work"), "work\n");
}

#[test]
fn a_home_whose_worktrees_are_elsewhere_by_a_link_has_none() {
    let home = repository(&[("work", "touch made")]);
    fs::create_dir_all(home.path(".orch")).unwrap();
    fs::create_dir(home.path("elsewhere")).unwrap();
    symlink("../elsewhere", home.path(".orch/worktrees")).unwrap();
    let run = home.run(&["run", "stages.workflow.yml", "--run-id", "first", "--worktree"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("is a symbolic link or a file"), "{run:?}");
    assert_eq!(fs::read_dir(home.path("elsewhere")).unwrap().count(), 0);
}

/// The same, of which the workflow says this about worktrees, with a branch `release` at the first commit and a later commit.
fn repository_with(worktree: &str, stages: &[(&str, &str)]) -> Home {
    let home = Home::with_stages(stages);
    let text = home.read("stages.workflow.yml");
    let text = text.replacen("{ name", &format!("{{ worktree: {worktree}, name"), 1);
    assert!(text.contains(worktree), "{text}");
    home.write("stages.workflow.yml", &text);
    home.write("old", "old\n");
    git(&home, &["init", "--quiet"]);
    for message in ["first", "second"] {
        git(&home, &["add", "--all"]);
        commit(&home, message);
        home.write("later", "later\n");
    }
    git(&home, &["branch", "release", "HEAD~1"]);
    home
}

fn commit(home: &Home, message: &str) {
    let me = ["-c", "user.name=me", "-c", "user.email=me@localhost"];
    git(home, &[&me[..], &["commit", "--quiet", "--allow-empty", "-m", message]].concat());
}

#[test]
fn a_workflow_asks_for_worktrees_and_the_start_of_a_run_can_say_otherwise() {
    let home = repository_with("{ base: release, branch_prefix: agents/ }", &STAGES);
    let run = home.run(&["run", "stages.workflow.yml", "--run-id", "first"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(git(&home, &["log", "--format=%s", "release..agents/first"]), "1/code[0]/run\n1/plan[0]/run");
    assert_eq!(git(&home, &["for-each-ref", "refs/heads/workflow/"]), "");
    let shown = home.run(&["show", "first"]).stdout;
    assert!(shown.lines().any(|line| line.split_whitespace().eq(["branch", "agents/first"])), "{shown}");
    let diff = home.run(&["diff", "first", "--json"]).json().pop().unwrap();
    assert_eq!(
        (&diff["base"], &diff["branch"]),
        (&git(&home, &["rev-parse", "release"]).into(), &"agents/first".into())
    );
    let listed = home.run(&["worktree", "list", "--json"]).json();
    assert_eq!(listed[0]["branch"], "agents/first");
    let report = home.run(&["report", "first"]).stdout;
    assert!(report.contains("`agents/first`"), "{report}");
    assert!(!home.path("plan").exists());
    let deleted = home.run(&["delete", "first", "--yes"]);
    assert!(deleted.stderr.contains("its branch agents/first stays"), "{deleted:?}");

    let run = home.run(&["run", "stages.workflow.yml", "--run-id", "here", "--no-worktree"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(home.path("plan").exists());
    assert!(!home.run(&["show", "here"]).stdout.contains("branch"));
    let both = home.run(&["run", "stages.workflow.yml", "--worktree", "--no-worktree"]);
    assert_eq!(both.code, Some(2), "{both:?}");
}

#[test]
fn a_run_that_has_not_begun_is_shown_with_the_branch_that_it_will_have() {
    let home = repository_with("{ branch_prefix: agents/ }", &STAGES);
    assert_eq!(home.run(&["run", "stages.workflow.yml", "--run-id", "later", "--detach"]).code, Some(0));
    let shown = home.run(&["show", "later"]).stdout;
    assert!(shown.contains("agents/later"), "{shown}");
    let dry = home.run(&["run", "stages.workflow.yml", "--dry-run"]).stdout;
    let expected =
        "in a git worktree of its own, on the branch agents/ID, which starts from the last commit\n";
    assert!(dry.contains(expected), "{dry}");
    let dry = home.run(&["run", "stages.workflow.yml", "--dry-run", "--no-worktree"]).stdout;
    assert!(!dry.contains("git worktree"), "{dry}");
}

#[test]
fn a_base_that_does_not_exist_is_an_error_before_a_run_is_made() {
    let home = repository_with("{ base: relaese }", &STAGES);
    let run = home.run(&["run", "stages.workflow.yml", "--run-id", "first"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert_eq!(
        run.stderr.lines().last().unwrap(),
        "error: the workflow's `worktree.base` is `relaese`, and the repository has no such branch, tag or commit: create or fetch it, or change `base`"
    );
    assert_eq!(home.run(&["show", "first"]).code, Some(5));
    // A run that says that it works in the shared files needs none.
    assert_eq!(home.run(&["run", "stages.workflow.yml", "--no-worktree"]).code, Some(0));
}

#[test]
fn a_run_whose_host_was_killed_keeps_its_base_and_its_branch() {
    let begin = "echo half > half; touch ../../../begun; sleep 600";
    let script = format!("if test -e half; then ls > whole; else {begin}; fi");
    let home = repository_with("{ base: release, branch_prefix: agents/ }", &[("work", &script)]);
    let release = git(&home, &["rev-parse", "release"]);
    let run = home.start_until(&["run", "stages.workflow.yml", "--run-id", "first"], "begun");
    run.signal(Signal::KILL);
    run.wait();
    // The branch moves, and the file says something else.
    git(&home, &["branch", "--force", "release", "HEAD"]);
    let text = home.read("stages.workflow.yml");
    home.write("stages.workflow.yml", &text.replace("agents/", "other/"));
    let recovered = home.run(&["recover"]);
    assert_eq!(recovered.code, Some(0), "{recovered:?}");
    let subjects = git(&home, &["log", "--reverse", "--format=%s", &format!("{release}..agents/first")]);
    assert_eq!(subjects, "left before 1/work[0]/run\n1/work[0]/run");
    assert!(!git(&home, &["show", "agents/first:whole"]).contains("later"));
    assert_eq!(git(&home, &["for-each-ref", "refs/heads/other/"]), "");

    // Moved to what the file says now, it still has the branch that it has worked on.
    let diff = home.run(&["diff", "first", "--json"]).json().pop().unwrap();
    assert_eq!((&diff["base"], &diff["branch"]), (&release.into(), &"agents/first".into()));
}

#[test]
fn a_fork_begins_where_the_other_run_was_on_a_branch_of_its_own() {
    let stages = [("plan", "echo planned > plan"), ("code", "cat plan > code"), ("end", "ls > end")];
    let home = repository_with("{ base: release, branch_prefix: agents/ }", &stages);
    assert_eq!(home.run(&["run", "stages.workflow.yml", "--run-id", "first"]).code, Some(0));
    git(&home, &["branch", "--force", "release", "HEAD"]);
    let rerun = home.run(&["rerun", "first", "--from", "code", "--run-id", "second"]);
    assert_eq!(rerun.code, Some(0), "{rerun:?}");
    assert_eq!(git(&home, &["show", "agents/second:code"]), "planned");
    // From the start: with the commit that the other run began with.
    let rerun = home.run(&["rerun", "first", "--run-id", "third"]);
    assert_eq!(rerun.code, Some(0), "{rerun:?}");
    for run in ["second", "third"] {
        let files = git(&home, &["show", &format!("agents/{run}:end")]);
        assert!(files.contains("plan") && !files.contains("later"), "{files}");
    }
}

#[test]
fn the_example_with_a_worktree_leaves_the_checkout_alone() {
    let home = repository(&STAGES);
    git(&home, &["branch", "--move", "main"]);
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../workflows/git/raise-version.workflow.yml");
    let run = home.run(&["run", example, "--var", "version=1.3.0", "--run-id", "r1"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(git(&home, &["show", "release/r1:VERSION"]), "1.3.0");
    assert_eq!(git(&home, &["log", "--format=%s", "main..release/r1"]), "1/notes[0]/run\n1/raise[0]/run");
    assert!(!home.path("VERSION").exists());
}
