//! `delete` and `prune`: runs are deleted after a confirmation, and never before they have ended.

use super::home::Home;

/// Runs in the order of their creation: two that completed, one that failed, one that waits.
fn home() -> Home {
    let home = Home::with_stages(&[("one", "test -e good")]);
    home.write(
        "asks.yml",
        "workflow: { name: Asks, stages: [one] }\none: { provider: demo, approval: Really? }\n",
    );
    home.run(&["run", "stages.workflow.yml", "--run-id", "failed"]);
    home.write("good", "");
    home.run(&["run", "stages.workflow.yml", "--run-id", "older"]);
    home.run(&["run", "stages.workflow.yml", "--run-id", "newer"]);
    assert_eq!(home.run(&["run", "asks.yml", "--run-id", "waits"]).code, Some(4));
    home
}

fn ids(home: &Home) -> Vec<String> {
    let listed = home.run(&["runs", "--json"]);
    listed.json().iter().map(|run| run["runId"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn runs_are_deleted_with_all_that_was_stored_of_them_once_it_was_agreed_to() {
    let home = home();
    let refused = home.run(&["delete", "older"]);
    assert_eq!((refused.code, refused.stderr.contains("--yes")), (Some(2), true), "{refused:?}");
    assert_eq!(ids(&home), ["failed", "older", "newer", "waits"]);
    let deleted = home.run(&["delete", "older", "fail", "--yes"]);
    assert_eq!((deleted.code, deleted.stdout.as_str()), (Some(0), "deleted run older\ndeleted run failed\n"));
    assert_eq!(ids(&home), ["newer", "waits"]);
    for args in [&["logs", "older"][..], &["delete", "older", "--yes"]] {
        assert_eq!(home.run(args).code, Some(5), "{args:?}");
    }
}

#[test]
fn a_run_that_has_not_ended_is_not_deleted_and_none_that_was_named_beside_it() {
    let home = home();
    let refused = home.run(&["delete", "newer", "waits", "--yes"]);
    assert_eq!(
        (refused.code, refused.stderr.contains("workflow cancel waits")),
        (Some(2), true),
        "{refused:?}"
    );
    assert_eq!(ids(&home), ["failed", "older", "newer", "waits"]);
    home.run(&["cancel", "waits"]);
    assert_eq!(home.run(&["delete", "waits", "--yes"]).code, Some(0));
}

#[test]
fn a_run_that_is_cancelled_has_ended_when_its_stages_of_finally_have() {
    let home = Home::new();
    let text = "workflow: { name: Ends, stages: [work], finally: [tidy] }
work: { provider: demo, approval: Go? }
tidy: { provider: demo }
";
    home.write("ends.yml", text);
    assert_eq!(home.run(&["run", "ends.yml", "--run-id", "one"]).code, Some(4));
    let cancelled = home.run(&["cancel", "one"]);
    let told = "run one: it ends as cancelled after its stages of finally (no process drives it";
    assert!(cancelled.stdout.starts_with(told), "{cancelled:?}");
    assert!(home.run(&["show", "one"]).stdout.contains("then       cancelled\n"));
    // A second request ends nothing earlier.
    assert_eq!(home.run(&["cancel", "one"]).code, Some(0));
    home.run(&["recover"]);
    let shown = home.show("one");
    let tidied = &shown["context"]["stages"]["tidy"]["status"];
    assert_eq!(
        (shown["status"].as_str(), tidied.as_str()),
        (Some("cancelled"), Some("completed")),
        "{shown}"
    );
}

#[test]
fn a_run_that_is_killed_leaves_its_stages_of_finally_out() {
    let home = Home::new();
    let text = "workflow: { name: Ends, stages: [work], finally: [tidy] }
work: { provider: demo, approval: Go? }
tidy: { provider: demo }
";
    home.write("ends.yml", text);
    assert_eq!(home.run(&["run", "ends.yml", "--run-id", "one"]).code, Some(4));
    assert_eq!(home.run(&["cancel", "one"]).code, Some(0));
    let killed = home.run(&["kill", "one"]);
    assert_eq!((killed.code, &*killed.stdout), (Some(0), "run one is cancelled\n"), "{killed:?}");
    assert_eq!(home.show("one")["context"]["stages"]["tidy"]["status"], "cancelled");
    assert_eq!(home.run(&["kill", "one"]).stdout, "run one is cancelled\n");
    assert_eq!(home.run(&["resume", "one"]).code, Some(3));
}

#[test]
fn pruning_goes_by_age_by_status_and_by_how_many_are_kept() {
    for (args, left) in [
        (&["--keep", "1"][..], &["newer", "waits"][..]),
        (&["--keep", "9"], &["failed", "older", "newer", "waits"]),
        (&["--status", "failed"], &["older", "newer", "waits"]),
        (&["--status", "completed", "--keep", "1"], &["failed", "newer", "waits"]),
        (&["--older-than", "1h"], &["failed", "older", "newer", "waits"]),
        (&["--older-than", "0"], &["waits"]),
        (&["--keep", "0", "--workflow", "asks"], &["failed", "older", "newer", "waits"]),
    ] {
        let home = home();
        let pruned = home.run(&[&["prune", "--yes"], args].concat());
        assert_eq!(pruned.code, Some(0), "{args:?}: {pruned:?}");
        assert_eq!(ids(&home), left, "{args:?}");
    }
}

/// More runs than are read at once.
#[test]
fn pruning_keeps_the_newest_of_thousands() {
    let home = home();
    let database = rusqlite::Connection::open(home.path(".orch/runs.db")).unwrap();
    let copies = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2500)
        INSERT INTO run (id, workflow, status, created_at, completed_at, bundle, head, obeyed, epoch)
        SELECT 'copy-' || n, workflow, status, created_at - n, completed_at, bundle, head, obeyed, epoch
        FROM run, n WHERE id = 'older'";
    assert_eq!(database.execute(copies, []).unwrap(), 2_500);
    let events = "INSERT INTO event (run, number, body) SELECT r.key, e.number, e.body FROM run r, event e
        WHERE r.id LIKE 'copy-%' AND e.run = (SELECT key FROM run WHERE id = 'older')";
    assert!(database.execute(events, []).unwrap() >= 2_500);
    drop(database);
    let refused = home.run(&["prune", "--keep", "1100"]);
    assert_eq!(
        (refused.code, refused.stderr.contains("1403 runs would be deleted")),
        (Some(2), true),
        "{refused:?}"
    );
    let pruned = home.run(&["prune", "--keep", "1100", "--yes"]);
    assert_eq!((pruned.code, pruned.stdout.lines().count()), (Some(0), 1_403), "{}", pruned.stderr);
    let left = ids(&home);
    assert_eq!(left.len(), 1_101);
    for run in ["copy-1", "copy-1098", "older", "newer", "waits"] {
        assert!(left.iter().any(|id| id == run), "{run} is missing");
    }
    let pruned = home.run(&["prune", "--older-than", "0", "--yes"]);
    assert_eq!((pruned.code, pruned.stdout.lines().count()), (Some(0), 1_100), "{}", pruned.stderr);
    assert_eq!(ids(&home), ["waits"]);
}

#[test]
fn pruning_wants_to_be_told_what_and_that_it_is_agreed_to() {
    let home = home();
    for args in
        [&["prune"][..], &["prune", "--yes"], &["prune", "--keep", "0"], &["prune", "--status", "running"]]
    {
        assert_eq!(home.run(args).code, Some(2), "{args:?}");
    }
    assert_eq!(ids(&home).len(), 4);
}
