//! Which worktrees are removed, and which are kept.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime};

use futures::executor::block_on;
use workflow_core::ids::RunId;
use workflow_providers::{CommandProvider, Worktrees, WorktreesBuilder};

use crate::repository::{Repository, call, git};

fn ids(runs: &[&str]) -> Vec<RunId> {
    runs.iter().map(|run| RunId::new(*run).unwrap()).collect()
}

/// Runs with a file of 1 MiB each; the first one is the least recently used.
fn with_runs(runs: &[&str]) -> Repository {
    let repository = Repository::new();
    for (n, run) in runs.iter().enumerate() {
        repository.call(run, "head -c 1048576 /dev/zero > big").unwrap();
        let lock = fs::File::options().write(true).open(repository.directory().join(format!("{run}.lock")));
        let used = SystemTime::UNIX_EPOCH + Duration::from_secs(n as u64);
        lock.unwrap().set_modified(used).unwrap();
    }
    repository
}

fn worktrees(repository: &Repository, keep: impl FnOnce(WorktreesBuilder) -> WorktreesBuilder) -> Worktrees {
    keep(Worktrees::builder(repository.checkout(), repository.directory())).build()
}

#[test]
fn the_oldest_of_runs_that_are_over_go_until_the_count_is_kept() {
    let repository = with_runs(&["a", "b", "c", "d"]);
    let worktrees = worktrees(&repository, |worktrees| worktrees.keep_runs(2));
    assert_eq!(block_on(worktrees.runs()).unwrap(), ids(&["a", "b", "c", "d"]));
    assert_eq!(block_on(worktrees.clean_up(ids(&["b", "c", "d"]))).unwrap(), ids(&["b", "c"]));
    assert_eq!(block_on(worktrees.runs()).unwrap(), ids(&["a", "d"]));
    // Their changes are on their branches.
    assert_eq!(repository.files("b"), ["big"]);
    assert_eq!(git(&repository.checkout(), &["worktree", "list"]).lines().count(), 3);
}

#[test]
fn a_worktree_is_removed_by_its_run_whatever_is_to_be_kept() {
    let repository = with_runs(&["a", "b", "c"]);
    fs::write(repository.worktree("b").join("mine"), "mine").unwrap();
    let worktrees = worktrees(&repository, |worktrees| worktrees);
    let listed = block_on(worktrees.list()).unwrap();
    assert_eq!((&listed[1].path, &*listed[1].branch), (&repository.worktree("b"), "workflow/b"));
    assert_eq!(listed[1].used, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1)));
    fs::remove_file(repository.directory().join("c.lock")).unwrap();
    let unknown = block_on(worktrees.list()).unwrap().remove(0);
    assert_eq!((unknown.run.as_str(), unknown.used), ("c", None));
    let [a, b, nothing] = ["a", "b", "nothing"].map(|run| RunId::new(run).unwrap());
    assert!(block_on(worktrees.remove(&a)).unwrap());
    assert!(!block_on(worktrees.remove(&b)).unwrap(), "it has a file that is not committed");
    assert!(!block_on(worktrees.remove(&nothing)).unwrap());
    assert_eq!(block_on(worktrees.runs()).unwrap(), ids(&["c", "b"]));
    assert_eq!(repository.files("a"), ["big"]);
}

#[test]
fn the_oldest_of_runs_that_are_over_go_until_the_bytes_are_kept() {
    let repository = with_runs(&["a", "b", "c"]);
    let worktrees = worktrees(&repository, |worktrees| worktrees.keep_bytes(2 << 20));
    // Two of them take more than two files of 1 MiB.
    assert_eq!(block_on(worktrees.clean_up(ids(&["a", "b", "c"]))).unwrap(), ids(&["a", "b"]));
    assert_eq!(block_on(worktrees.clean_up(ids(&["a", "b", "c"]))).unwrap(), []);
}

#[test]
fn what_is_not_committed_is_never_removed() {
    let repository = with_runs(&["untracked", "changed", "clean"]);
    fs::write(repository.worktree("untracked").join("mine"), "mine").unwrap();
    fs::write(repository.worktree("changed").join("kept"), "mine").unwrap();
    let worktrees = worktrees(&repository, |worktrees| worktrees.keep_runs(0));
    let over = ids(&["untracked", "changed", "clean"]);
    assert_eq!(block_on(worktrees.clean_up(over)).unwrap(), ids(&["clean"]));
    assert_eq!(fs::read_to_string(repository.worktree("untracked").join("mine")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(repository.worktree("changed").join("kept")).unwrap(), "mine");
}

#[test]
fn what_git_was_told_not_to_look_at_is_never_removed() {
    let repository = with_runs(&["assumed", "skipped", "clean"]);
    for (run, how) in [("assumed", "--assume-unchanged"), ("skipped", "--skip-worktree")] {
        repository.call(run, &format!("git update-index {how} kept; echo mine > kept")).unwrap();
    }
    let worktrees = worktrees(&repository, |worktrees| worktrees.keep_runs(0));
    let over = ids(&["assumed", "skipped", "clean"]);
    assert_eq!(block_on(worktrees.clean_up(over)).unwrap(), ids(&["clean"]));
    for run in ["assumed", "skipped"] {
        assert_eq!(fs::read_to_string(repository.worktree(run).join("kept")).unwrap(), "mine\n");
    }
}

#[test]
fn a_worktree_that_a_call_works_in_is_never_removed() {
    let repository = with_runs(&["a"]);
    let (worktrees, over) = (worktrees(&repository, |worktrees| worktrees.keep_runs(0)), ids(&["a"]));
    let [at_work, go_on] = ["at-work", "go-on"].map(|name| repository.fifo(name));
    let script = format!(": > '{}'; read word < '{}'", at_work.display(), go_on.display());
    thread::scope(|scope| {
        let calling = scope.spawn(|| repository.call("a", &script));
        fs::read(&at_work).unwrap();
        assert_eq!(block_on(worktrees.clean_up(over.clone())).unwrap(), []);
        fs::write(&go_on, "go\n").unwrap();
        calling.join().unwrap().unwrap();
    });
    assert_eq!(block_on(worktrees.clean_up(over.clone())).unwrap(), over);
}

#[test]
fn a_run_whose_worktree_was_removed_continues_from_its_branch() {
    let repository = with_runs(&["a"]);
    let worktrees = worktrees(&repository, |worktrees| worktrees.keep_runs(0));
    assert_eq!(block_on(worktrees.clean_up(ids(&["a"]))).unwrap().len(), 1);
    repository.call("a", "test -e big && echo more > more").unwrap();
    assert_eq!(repository.files("a"), ["big", "more"]);
}

const TOKEN: &str = "token-0123456789";

/// Runs in a repository whose configuration has a token.
fn with_a_token(runs: &[&str]) -> Repository {
    let repository = Repository::new();
    repository.git(&["config", "http.extraHeader", &format!("Authorization: Bearer {TOKEN}")]);
    for run in runs {
        repository.call(run, "echo more > more").unwrap();
        assert!(fs::read_to_string(recorded(&repository, run).join("config")).unwrap().contains(TOKEN));
    }
    repository
}

/// The path of the recorded configuration of a run.
fn recorded(repository: &Repository, run: &str) -> PathBuf {
    repository.directory().join(".pinned").join(run)
}

#[test]
fn the_recorded_configuration_is_removed_with_the_worktree() {
    let repository = with_a_token(&["a", "b", "uncommitted"]);
    fs::write(repository.worktree("uncommitted").join("mine"), "mine").unwrap();
    let worktrees = worktrees(&repository, |worktrees| worktrees.keep_runs(0));
    assert_eq!(block_on(worktrees.clean_up(ids(&["a", "uncommitted"]))).unwrap(), ids(&["a"]));
    assert!(!recorded(&repository, "a").exists());
    // Their worktrees still exist.
    assert!(recorded(&repository, "b").exists() && recorded(&repository, "uncommitted").exists());
}

#[test]
fn the_recorded_configuration_is_removed_where_the_worktree_is_already_gone() {
    let repository = with_a_token(&["a", "b", "c"]);
    for run in ["a", "b"] {
        fs::remove_dir_all(repository.worktree(run)).unwrap();
    }
    let worktrees = worktrees(&repository, |worktrees| worktrees);
    assert_eq!(block_on(worktrees.clean_up(ids(&["a", "c", "never-worked"]))).unwrap(), []);
    assert!(!recorded(&repository, "a").exists() && !repository.directory().join("a.lock").exists());
    // `b` is not over, and the worktree of `c` is one of those that are kept.
    assert!(recorded(&repository, "b").exists() && recorded(&repository, "c").exists());
}

#[test]
fn the_process_that_removed_a_worktree_makes_it_again_with_the_configuration_of_then() {
    let repository = with_a_token(&[]);
    let worktrees = worktrees(&repository, |worktrees| worktrees.keep_runs(0));
    let commands = worktrees.wrap(CommandProvider::builder().work_root(repository.checkout()).build());
    let work = |script| call(&commands, repository.request("a", "1/work[0]/run", script)).unwrap();
    work("echo more > more");
    assert_eq!(block_on(worktrees.clean_up(ids(&["a"]))).unwrap(), ids(&["a"]));
    repository.git(&["config", "--unset", "http.extraHeader"]);
    work("test -e more && echo again > again");
    assert!(!fs::read_to_string(recorded(&repository, "a").join("config")).unwrap().contains(TOKEN));
}
