//! Invalid repositories and calls.

use std::fs;

use futures::executor::block_on;
use workflow_core::failure::FailureClass;
use workflow_core::ids::RunId;
use workflow_core::provider::{Provider as _, ProviderError};
use workflow_core::stop::Stop;
use workflow_providers::{CommandProvider, Worktrees};

use crate::common;
use crate::repository::{Repository, call, git, request};

fn permanent(error: &ProviderError, what: &str) {
    assert_eq!(error.failure.class, FailureClass::Permanent);
    assert!(error.failure.message.contains(what), "{error}");
}

#[test]
fn a_folder_without_a_repository_or_a_commit_is_an_error_and_nothing_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (there, made) = (folder.path().join("there"), folder.path().join("made"));
    fs::create_dir(&there).unwrap();
    let provider = Worktrees::builder(&there, folder.path().join("worktrees")).build();
    let provider = provider.wrap(CommandProvider::new());
    let asked = || request("r", "1/work[0]/run", &format!("touch '{}'", made.display()));
    permanent(&call(&provider, asked()).unwrap_err(), "not a git repository");
    git(&there, &["init", "--quiet"]);
    permanent(&call(&provider, asked()).unwrap_err(), "no commit");
    assert!(!made.exists());
}

#[test]
fn a_command_without_a_workspace_does_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let commands = CommandProvider::builder().work_root(folder.path()).build();
    let asked = request("r", "1/work[0]/run", "touch made");
    let (context, _, _stop) = common::context(&asked);
    permanent(&block_on(commands.call(asked, context)).unwrap_err(), "an isolated workspace");
    assert!(!folder.path().join("made").exists());
}

#[test]
fn a_directory_outside_of_the_worktree_is_refused() {
    let repository = Repository::new();
    for cwd in ["..".to_owned(), repository.checkout().display().to_string(), "../../checkout".to_owned()] {
        let mut asked = repository.request("r", "1/work[0]/run", "touch made");
        asked.cwd = Some(cwd);
        permanent(&call(&repository.commands(), asked).unwrap_err(), "outside of the work root");
    }
}

#[test]
fn no_run_has_an_id_that_leaves_the_directory() {
    for id in ["..", "../x", "/x", "a/b", ".", ".lock", "a.lock", "", "a\0b"] {
        RunId::new(id).unwrap_err();
    }
}

#[test]
fn a_worktree_that_lost_its_git_never_touches_the_checkout_around_it() {
    let repository = Repository::new();
    let inside = repository.checkout().join("worktrees");
    let worktrees = Worktrees::builder(repository.checkout(), &inside).build();
    let provider = worktrees.wrap(CommandProvider::new());
    let before = repository.of_user();
    let error =
        call(&provider, repository.request("r", "1/work[0]/run", "rm .git; echo x > kept")).unwrap_err();
    permanent(&error, "has lost its original `.git`");
    permanent(
        &call(&provider, repository.request("r", "1/work[0]/run", "true")).unwrap_err(),
        "has lost its original `.git`",
    );
    assert_eq!(fs::read_to_string(inside.join("r/kept")).unwrap(), "x\n");
    fs::remove_dir_all(&inside).unwrap();
    assert_eq!(repository.of_user(), before);
}

#[test]
fn a_worktree_on_another_branch_is_left_as_it_is() {
    let repository = Repository::new();
    let error = repository
        .call("r", "git -c core.hooksPath=/dev/null switch --quiet -c other; echo x > x")
        .unwrap_err();
    permanent(&error, "git switch workflow/r");
    permanent(&repository.call("r", "true").unwrap_err(), "git switch workflow/r");
    assert_eq!(fs::read_to_string(repository.worktree("r").join("x")).unwrap(), "x\n");
}

#[test]
fn a_run_does_not_continue_on_the_branch_of_another_run_with_its_id() {
    let repository = Repository::new();
    repository.call("r", "echo first > first").unwrap();
    let elsewhere = repository.checkout().with_file_name("elsewhere");
    let provider = Worktrees::builder(repository.checkout(), elsewhere).build().wrap(CommandProvider::new());
    let mut asked = repository.request("r", "1/work[0]/run", "true");
    asked.id.seed += 1;
    permanent(&call(&provider, asked).unwrap_err(), "belongs to another run with the same id");
}

#[test]
fn a_worktree_that_another_run_of_the_same_id_left_is_not_removed() {
    let repository = Repository::new();
    repository.call("r", "true").unwrap();
    fs::remove_dir_all(repository.directory().join(".pinned")).unwrap();
    fs::write(repository.worktree("r").join("left"), "left").unwrap();
    let call_of_another = || {
        let mut asked = repository.request("r", "1/work[0]/run", "true");
        asked.id.seed += 1;
        call(&repository.commands(), asked).unwrap_err()
    };
    permanent(&call_of_another(), "belongs to another run with the same id");
    let base = format!("refs/workflow/r/{:016x}", repository.seed);
    for name in [&*base, "refs/heads/workflow/r"] {
        repository.git(&["-c", "core.hooksPath=/dev/null", "update-ref", "-d", name]);
    }
    permanent(&call_of_another(), "move it away");
    assert_eq!(fs::read_to_string(repository.worktree("r").join("left")).unwrap(), "left");
}

#[test]
fn what_a_call_that_was_stopped_left_is_committed() {
    let repository = Repository::new();
    let fifo = repository.fifo("fifo");
    let asked = repository.request(
        "r",
        "1/work[0]/run",
        &format!("echo half > half; : > '{}'; sleep 600", fifo.display()),
    );
    let (context, _, stop) = common::context(&asked);
    let provider = repository.commands();
    let calling = std::thread::spawn(move || block_on(provider.call(asked, context)));
    fs::read(&fifo).unwrap();
    stop.stop(Stop::Gracefully);
    let error = calling.join().unwrap().unwrap_err();
    assert_eq!(error.failure.class, FailureClass::Cancelled);
    assert_eq!(repository.subjects("r"), ["1/work[0]/run (stopped)"]);
    assert_eq!(repository.files("r"), ["half"]);
}
