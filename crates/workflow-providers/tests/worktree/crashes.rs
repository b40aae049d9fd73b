//! What hosts leave that died, and what becomes of it.

use std::fs;
use std::process::{Command, Stdio};

use futures::executor::block_on;
use workflow_core::provider::Provider as _;

use crate::repository::{Repository, call, git, request};

#[test]
fn what_a_git_that_died_has_locked_is_unlocked_by_the_next_call() {
    let repository = Repository::new();
    repository.call("r", "echo one > one").unwrap();
    let own = repository.checkout().join(".git/worktrees/r");
    for lock in [own.join("index.lock"), own.join("HEAD.lock"), own.join("../../refs/heads/workflow/r.lock")]
    {
        fs::write(&lock, "").unwrap();
        repository.call("r", "echo more >> one").unwrap();
        assert!(!lock.exists());
    }
    assert_eq!(repository.subjects("r").len(), 4);
}

#[test]
fn what_an_interrupted_call_left_is_committed_before_the_next_one() {
    let repository = Repository::new();
    repository.call("r", "true").unwrap();
    fs::write(repository.worktree("r").join("half"), "half").unwrap();
    repository.call("r", "test -e half && echo whole > whole").unwrap();
    assert_eq!(repository.subjects("r"), ["left before 1/work[0]/run", "1/work[0]/run"]);
}

#[test]
fn a_worktree_that_was_half_made_is_made_again() {
    let repository = Repository::new();
    let base = format!("refs/workflow/r/{:016x}", repository.seed);
    let made = |steps: &[&str]| {
        for step in steps {
            match *step {
                "base" => {
                    repository.git(&["-c", "core.hooksPath=/dev/null", "update-ref", &base, "HEAD"]);
                }
                "branch" => {
                    repository.git(&["-c", "core.hooksPath=/dev/null", "branch", "workflow/r", &base]);
                }
                // As a git leaves it that is killed while it writes the files.
                "files" => {
                    fs::create_dir_all(repository.directory()).unwrap();
                    let path = repository.worktree("r").display().to_string();
                    let how =
                        ["-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--no-checkout"];
                    repository.git(&[&how[..], &[&path, "workflow/r"]].concat());
                    fs::write(repository.checkout().join(".git/worktrees/r/locked"), "initializing").unwrap();
                }
                // As one that is killed just before it writes the first of them.
                "none" => {
                    fs::remove_dir_all(repository.worktree("r")).unwrap();
                    fs::create_dir(repository.worktree("r")).unwrap();
                }
                step => panic!("{step}"),
            }
        }
        repository.call("r", "cat kept; echo new > new").unwrap();
        assert_eq!(repository.changes("r").files, ["new"]);
        assert_eq!(git(&repository.worktree("r"), &["status", "--porcelain"]), "");
        repository.git(&["worktree", "remove", "--force", &repository.worktree("r").display().to_string()]);
        repository.git(&["-c", "core.hooksPath=/dev/null", "branch", "-D", "workflow/r"]);
        repository.git(&["-c", "core.hooksPath=/dev/null", "update-ref", "-d", &base]);
    };
    made(&["base"]);
    made(&["base", "branch"]);
    made(&["base", "branch", "files"]);
    made(&["base", "branch", "files", "none"]);
}

/// The host of [`a_host_that_is_killed_is_followed_by_another_in_the_same_worktree`], in a process of its own.
#[test]
fn host() {
    let Ok(folder) = std::env::var("WORKTREE_TEST_FOLDER") else { return };
    let folder = std::path::PathBuf::from(folder);
    let worktrees =
        workflow_providers::Worktrees::builder(folder.join("checkout"), folder.join("worktrees")).build();
    let provider = worktrees.wrap(workflow_providers::CommandProvider::new());
    let fifo = folder.join("fifo");
    let script = format!("echo half > half; : > '{}'; sleep 600", fifo.display());
    let mut asked = request("r", "1/work[0]/run", &script);
    asked.id.seed = std::env::var("WORKTREE_TEST_SEED").unwrap().parse().unwrap();
    let _ = call(&provider, asked);
}

#[test]
fn a_host_that_is_killed_is_followed_by_another_in_the_same_worktree() {
    let repository = Repository::new();
    let before = repository.of_user();
    let folder = repository.checkout().parent().unwrap().to_owned();
    let fifo = repository.fifo("fifo");
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashes::host"])
        .env("WORKTREE_TEST_FOLDER", &folder)
        .env("WORKTREE_TEST_SEED", repository.seed.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Its call is at work.
    fs::read(&fifo).unwrap();
    host.kill().unwrap();
    host.wait().unwrap();
    block_on(repository.commands().reclaim(&repository.request("r", "1/work[0]/run", "").id)).unwrap();
    repository.call("r", "cat half; echo whole > whole").unwrap();
    assert_eq!(repository.subjects("r"), ["left before 1/work[0]/run", "1/work[0]/run"]);
    assert_eq!(repository.changes("r").files, ["half", "whole"]);
    assert_eq!(repository.of_user(), before);
}
