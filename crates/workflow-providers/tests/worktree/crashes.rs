//! Worktrees of hosts that died, and their recovery.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use futures::executor::block_on;
use workflow_core::provider::Provider as _;
use workflow_providers::{CommandProvider, Worktrees};

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
                // As after a git that was killed while it wrote the files.
                "files" => {
                    fs::create_dir_all(repository.directory()).unwrap();
                    let path = repository.worktree("r").display().to_string();
                    let how =
                        ["-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--no-checkout"];
                    repository.git(&[&how[..], &[&path, "workflow/r"]].concat());
                    fs::write(repository.checkout().join(".git/worktrees/r/locked"), "initializing").unwrap();
                }
                // As after a git that was killed just before it wrote the first of them.
                "none" => {
                    fs::remove_dir_all(repository.worktree("r")).unwrap();
                    fs::create_dir(repository.worktree("r")).unwrap();
                }
                step => panic!("{step}"),
            }
        }
        repository.call("r", "cat kept; echo new > new").unwrap();
        assert_eq!(repository.files("r"), ["new"]);
        assert_eq!(git(&repository.worktree("r"), &["status", "--porcelain"]), "");
        repository.git(&["worktree", "remove", "--force", &repository.worktree("r").display().to_string()]);
        repository.git(&["-c", "core.hooksPath=/dev/null", "branch", "-D", "workflow/r"]);
        repository.git(&["-c", "core.hooksPath=/dev/null", "update-ref", "-d", &base]);
        fs::remove_dir_all(repository.directory().join(".pinned/r")).unwrap();
    };
    made(&["base"]);
    made(&["base", "branch"]);
    made(&["base", "branch", "files"]);
    made(&["base", "branch", "files", "none"]);
}

#[test]
fn a_worktree_that_was_made_before_there_were_records_continues() {
    let repository = Repository::new();
    repository.call("r", "echo one > one; echo ignored > x.o").unwrap();
    fs::remove_dir_all(repository.directory().join(".pinned")).unwrap();
    fs::write(repository.worktree("r").join("half"), "half").unwrap();
    repository.call("r", "test -e half && test -e x.o && echo two > two").unwrap();
    assert_eq!(repository.files("r"), ["half", "one", "two"]);
}

/// A host in a separate process, which executes one call.
#[test]
fn host() {
    let Ok(folder) = std::env::var("WORKTREE_TEST_FOLDER") else { return };
    let folder = std::path::PathBuf::from(folder);
    let directory =
        std::env::var("WORKTREE_TEST_WORKTREES").map_or_else(|_| folder.join("worktrees"), Into::into);
    let worktrees = Worktrees::builder(folder.join("checkout"), directory).build();
    let mut asked = request("r", "1/work[0]/run", &std::env::var("WORKTREE_TEST_SCRIPT").unwrap());
    asked.id.seed = std::env::var("WORKTREE_TEST_SEED").unwrap().parse().unwrap();
    call(&worktrees.wrap(CommandProvider::new()), asked).unwrap();
}

pub(crate) fn start_host(repository: &Repository, script: &str) -> Command {
    let mut host = Command::new(std::env::current_exe().unwrap());
    host.args(["--exact", "crashes::host"])
        .env("WORKTREE_TEST_FOLDER", repository.checkout().parent().unwrap())
        .env("WORKTREE_TEST_SEED", repository.seed.to_string())
        .env("WORKTREE_TEST_SCRIPT", script)
        .stdout(Stdio::null());
    host
}

#[test]
fn a_host_that_is_killed_is_followed_by_another_in_the_same_worktree() {
    let repository = Repository::new();
    let before = repository.of_user();
    let fifo = repository.fifo("fifo");
    let script = format!("echo half > half; : > '{}'; sleep 600", fifo.display());
    let mut host = start_host(&repository, &script).spawn().unwrap();
    // Its call is running.
    fs::read(&fifo).unwrap();
    host.kill().unwrap();
    host.wait().unwrap();
    block_on(repository.commands().reclaim(&repository.request("r", "1/work[0]/run", "").id)).unwrap();
    repository.call("r", "cat half; echo whole > whole").unwrap();
    assert_eq!(repository.subjects("r"), ["left before 1/work[0]/run", "1/work[0]/run"]);
    assert_eq!(repository.files("r"), ["half", "whole"]);
    assert_eq!(repository.of_user(), before);
}

#[test]
fn a_host_may_die_after_each_thing_that_it_has_git_do() {
    let path = std::env::var("PATH").unwrap();
    let mut deaths = 0;
    loop {
        let repository = Repository::new();
        let before = repository.of_user();
        // A git that kills its host before the n-th command.
        let folder = repository.checkout().with_file_name("bin");
        fs::create_dir(&folder).unwrap();
        let count = folder.join("count").display().to_string();
        let script = format!(
            "#!/bin/sh\necho >> '{count}'\nPATH='{path}' git \"$@\"\nended=$?\n\
             test $(wc -l < '{count}') != {} || kill -KILL $PPID\nexit $ended\n",
            deaths + 1
        );
        fs::write(folder.join("git"), script).unwrap();
        fs::set_permissions(folder.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
        let ended = start_host(&repository, "echo half > half")
            .env("PATH", format!("{}:{path}", folder.display()))
            .status()
            .unwrap();

        block_on(repository.commands().reclaim(&repository.request("r", "1/work[0]/run", "").id)).unwrap();
        repository.call("r", "test -e half || echo half > half; echo whole > whole").unwrap();
        assert_eq!(repository.files("r"), ["half", "whole"], "after {deaths}");
        assert_eq!(git(&repository.worktree("r"), &["status", "--porcelain"]), "", "after {deaths}");
        assert_eq!(repository.of_user(), before, "after {deaths}");
        if ended.success() {
            break;
        }
        assert_eq!(ended.signal(), Some(9), "after {deaths}");
        deaths += 1;
    }
    // Checking, creating, checking again and committing take several commands each.
    assert!(deaths > 10, "{deaths}");
}
