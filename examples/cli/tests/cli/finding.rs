//! How a run, a home and a store are selected.

use std::fs;
use std::process::Command;

use super::home::Home;

/// Three runs: `first-a` and `first-b` of the workflow `stages`, `other` of the workflow `single`.
fn runs() -> Home {
    let home = Home::with_stages(&[("one", "echo said")]);
    home.write("single.yml", &home.read("stages.workflow.yml"));
    for (file, run) in
        [("stages.workflow.yml", "first-a"), ("stages.workflow.yml", "first-b"), ("single.yml", "other")]
    {
        assert_eq!(home.run(&["run", file, "--run-id", run]).code, Some(0));
    }
    home
}

#[test]
fn a_run_is_found_by_id_by_prefix_by_workflow_and_as_the_latest() {
    let home = runs();
    for (name, expected) in [
        ("first-a", "first-a"),
        ("first-b", "first-b"),
        ("o", "other"),
        ("single", "other"),
        ("@latest", "other"),
        ("stages@latest", "first-b"),
    ] {
        assert_eq!(home.show(name)["runId"], expected, "{name}");
    }
    for args in [&["logs", "o"][..], &["answer", "o"], &["diff", "o"], &["migrate", "o"], &["resume", "o"]] {
        let ended = home.run(args);
        assert!(!ended.stderr.contains("not found"), "{args:?}: {ended:?}");
    }
    let rerun = home.run(&["rerun", "single", "--run-id", "again"]);
    assert_eq!((rerun.code, &home.show("again")["forked"]["from"]), (Some(0), &"other".into()), "{rerun:?}");
}

#[test]
fn a_name_that_means_several_runs_lists_them_and_one_that_means_none_is_not_found() {
    let home = runs();
    for name in ["first-", "stages"] {
        let refused = home.run(&["cancel", name]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        for expected in
            [&format!("`{name}` matches 2 runs")[..], "\n  first-a  stages  completed  ", "\n  first-b  "]
        {
            assert!(refused.stderr.contains(expected), "{expected}: {refused:?}");
        }
        assert!(!refused.stderr.contains("other"), "{refused:?}");
    }
    assert!(home.run(&["show", "stages"]).stderr.contains("`stages@latest`"));
    for name in ["second", "nosuch@latest"] {
        let refused = home.run(&["show", name]);
        assert_eq!((refused.code, refused.stderr.contains("was not found")), (Some(5), true), "{refused:?}");
    }
    assert_eq!(home.run(&["show", "@newest"]).code, Some(2));
}

#[test]
fn runs_are_listed_by_a_text_and_by_whether_they_wait_for_a_person() {
    let home = runs();
    let asks = "workflow: { stages: [one] }\none: { provider: demo, approval: Go? }\n";
    home.write("asks.yml", asks);
    assert_eq!(home.run(&["run", "asks.yml", "--run-id", "asking", "--label", "ticket=OPS-7"]).code, Some(4));
    for (args, expected) in [
        (&["--text", "first"][..], &["first-a", "first-b"][..]),
        (&["--text", "ops"], &["asking"]),
        (&["--text", "SINGLE"], &["other"]),
        (&["--waiting"], &["asking"]),
        (&["--waiting", "--text", "first"], &[]),
    ] {
        let listed = home.run(&[&["runs", "--json"], args].concat()).json();
        let ids: Vec<_> = listed.iter().map(|run| run["runId"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{args:?}");
    }
}

#[test]
fn stores_and_workers_tell_where_the_runs_are_and_what_drives_them() {
    let home = runs();
    let left = home.run(&["run", "single.yml", "--run-id", "left", "--detach"]);
    assert_eq!(left.code, Some(0), "{left:?}");
    let stores = home.run(&["stores"]);
    assert!(
        stores.stdout.contains("runs.db") && stores.stdout.contains("3 completed, 1 pending"),
        "{stores:?}"
    );
    assert_eq!(home.run(&["stores", "--json"]).json()[0]["runs"]["completed"], 3);
    let workers = home.run(&["workers"]);
    let expected = "no process drives a run at the moment\n\
                    no process drives 1 run that could continue: `workflow worker` or `workflow recover` drives it\n";
    assert_eq!((workers.code, &*workers.stdout), (Some(0), expected), "{workers:?}");
    assert_eq!(home.run(&["workers", "--json"]).json()[0]["unclaimed"], 1);
    // A store is not created by looking at it.
    let empty = Home::new();
    for command in ["stores", "workers"] {
        assert_eq!(empty.run(&[command]).code, Some(5), "{command}");
    }
    assert!(!empty.path(".orch").exists());
}

/// A directory `project` with a home, and `project/deep/below`; runs a command in the latter.
fn below(home: &Home, args: &[&str]) -> std::process::Output {
    fs::create_dir_all(home.path("project/deep/below")).unwrap();
    home.command(args).current_dir(home.path("project/deep/below")).output().unwrap()
}

#[test]
fn the_home_is_found_from_below_and_stages_work_beside_it() {
    let home = Home::new();
    home.write(
        "project/.orch/workflows/where.workflow.yml",
        "workflow: { name: Where, stages: [one] }\none: { with: { command: [sh, -c, 'pwd >where'] } }\n",
    );
    let run = below(&home, &["run", "where", "--run-id", "first"]);
    assert!(run.status.success(), "{run:?}");
    let project = home.path("project").canonicalize().unwrap();
    assert_eq!(home.read("project/where").trim(), project.to_str().unwrap());
    assert!(home.path("project/.orch/runs.db").exists() && !home.path("project/deep/below/.orch").exists());
    // A named home is exactly there, and so is the one that `init` creates.
    assert_eq!(below(&home, &["--home", ".orch", "show", "first"]).status.code(), Some(5));
    assert!(below(&home, &["init"]).status.success());
    assert!(home.path("project/deep/below/.orch/workflows/hello.workflow.yml").exists());
}

#[test]
fn no_home_is_taken_from_above_the_repository() {
    let home = Home::new();
    home.write(
        ".orch/workflows/where.workflow.yml",
        "workflow: { name: Where, stages: [one] }\none: { with: { command: ['true'] } }\n",
    );
    fs::create_dir_all(home.path("project/.git")).unwrap();
    let run = below(&home, &["run", "where"]);
    assert_eq!(run.status.code(), Some(5), "{run:?}");
}

#[test]
fn a_workflow_that_is_not_there_makes_nothing() {
    let home = Home::new();
    assert_eq!(home.run(&["run", "nosuch"]).code, Some(5));
    home.write("broken.yml", "workflow: { name: Broken, stages: [one] }\n");
    assert_eq!(home.run(&["run", "broken.yml"]).code, Some(2));
    assert_eq!(home.run(&["run", "broken.yml", "--worktree", "--detach"]).code, Some(2));
    let left: Vec<_> = fs::read_dir(home.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["broken.yml"]);
}

#[test]
fn git_ignores_what_is_stored_in_a_home_and_not_the_definitions() {
    for (first, store) in [(&["init"][..], ""), (&["run", "one.yml"], ""), (&["init"], "file:.orch")] {
        let home = Home::new();
        let home = if store.is_empty() { home } else { home.on(store) };
        let git = |args: &[&str]| Command::new("git").args(args).current_dir(home.path("")).output().unwrap();
        assert!(git(&["init"]).status.success());
        home.write(
            "one.yml",
            "workflow: { name: One, stages: [one] }\none: { with: { command: ['true'] } }\n",
        );
        assert_eq!(home.run(first).code, Some(0));
        home.write(".orch/roles/coder.md", "Code it.");
        assert_eq!(home.run(&["run", "one.yml"]).code, Some(0));
        let status = git(&["status", "--porcelain", "--untracked-files=all"]).stdout;
        let seen: Vec<_> =
            String::from_utf8(status).unwrap().lines().map(|line| line[3..].to_owned()).collect();
        let expected =
            [".orch/.gitignore", ".orch/roles/coder.md", ".orch/workflows/hello.workflow.yml", "one.yml"];
        let expected: Vec<_> =
            expected.into_iter().filter(|file| first[0] == "init" || !file.contains("hello")).collect();
        assert_eq!(seen, expected, "{first:?} {store}");
        // The user's changes are kept.
        home.write(".orch/.gitignore", "mine");
        assert_eq!(home.run(&["init"]).code, Some(0));
        assert_eq!(home.read(".orch/.gitignore"), "mine");
    }
}

#[test]
fn a_tilde_in_the_path_of_a_store_is_the_users_home_directory() {
    let home = Home::new();
    home.write("one.yml", "workflow: { name: One, stages: [one] }\none: { with: { command: ['true'] } }\n");
    for (store, made) in [("sqlite:~/runs.db", "user/runs.db"), ("file:~/files", "user/files/runs/first")] {
        fs::create_dir_all(home.path("user")).unwrap();
        let mut run = home.command(&["run", "one.yml", "--run-id", "first", "--store", store]);
        let run = run.env("HOME", home.path("user")).output().unwrap();
        assert!(run.status.success() && home.path(made).exists(), "{store}: {run:?}");
    }
    assert!(!home.path("~").exists());
    let refused = home.run(&["runs", "--store", "sqlite:~ann/runs.db"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("sqlite:./~ann/runs.db"), "{refused:?}");
}
