//! Worktrees that a call has replaced, moved or damaged: an error, and no file is changed.

use std::fs;
use std::os::unix::fs::symlink;

use workflow_core::failure::FailureClass;
use workflow_core::provider::ProviderError;

use crate::repository::{Repository, git};

const GIT: &str = "git -c core.hooksPath=/dev/null -c user.name=n -c user.email=e -c commit.gpgSign=false";

/// The error of a changed worktree, with this problem.
fn changed(error: &ProviderError, problem: &str) {
    let failure = &error.failure;
    assert_eq!(failure.class, FailureClass::Permanent, "{error}");
    let details = failure.details.as_ref().unwrap_or_else(|| panic!("{error}"));
    assert_eq!(details["changed_worktree"]["problem"], problem, "{error}");
    assert!(error.failure.message.contains("nothing in it is changed"), "{error}");
}

/// A call's change to the worktree fails that call and the next, and does not affect the files, the checkout
/// and the commits.
fn fails(problem: &str, script: &str) {
    let repository = Repository::new();
    repository.call("r", "echo one > one").unwrap();
    let before = (repository.of_user(), repository.git(&["rev-parse", "workflow/r"]));
    let error = repository.call("r", &format!("set -e; echo work > work; {script}; echo said")).unwrap_err();
    changed(&error, problem);
    // The output of the call is kept with the error.
    assert_eq!(error.output.unwrap().value(), "said", "{script}");
    changed(&repository.call("r", "touch ran").unwrap_err(), problem);
    assert_eq!(fs::read_to_string(repository.worktree("r").join("work")).unwrap(), "work\n", "{script}");
    assert!(!repository.worktree("r").join("ran").exists(), "{script}");
    assert!(!repository.checkout().with_file_name("hit").exists(), "{script}: something was executed");
    let is_deleted = script.contains("update-ref -d");
    if !is_deleted {
        assert_eq!((repository.of_user(), repository.git(&["rev-parse", "workflow/r"])), before, "{script}");
    }
}

#[test]
fn another_repository_in_the_place_of_its_git_is_not_committed_to() {
    let evil = "hit=$(cd ../..; pwd)/hit; G='git -c user.name=n -c user.email=e'; ";
    let filter = "$G config filter.evil.clean \"touch $hit; cat\"; echo '* filter=evil' > .gitattributes";
    // A new repository, with a branch of the same name.
    fails("git_file", &format!("{evil} rm .git; git init -q -b workflow/r; {filter}"));
    // A repository in another place.
    fails(
        "git_file",
        &format!("{evil} rm .git; git init -q -b workflow/r --separate-git-dir ../elsewhere; {filter}"),
    );
    fails("git_file", "mv .git ../git-file; ln -s ../git-file .git");
    fails("git_file", "rm .git");
    fails("git_file", "echo 'gitdir: ../../checkout/.git' > .git");
}

#[test]
fn the_folder_of_the_worktree_in_the_repository_is_not_followed_elsewhere() {
    let own = "own=$(git rev-parse --path-format=absolute --git-dir)";
    fails("git_dir", &format!("{own}; rm -rf $own"));
    fails("git_dir", &format!("{own}; mv $own ../moved; ln -s $PWD/../moved $own"));
    fails("git_dir", &format!("{own}; echo /nowhere/.git > $own/gitdir"));
    fails(
        "git_dir",
        &format!(
            "{own}; cp -R $own/../.. ../copy; git --git-dir=../copy config filter.evil.clean \"touch $PWD/../../hit; \
             cat\"; echo $PWD/../copy > $own/commondir; echo '* filter=evil' > .gitattributes"
        ),
    );
}

#[test]
fn a_branch_that_was_left_or_deleted_is_not_made_again() {
    fails("branch", &format!("{GIT} switch -q -c other"));
    fails("branch", &format!("{GIT} checkout -q --detach"));
    fails("branch", &format!("{GIT} update-ref -d refs/heads/workflow/r"));
}

#[test]
fn a_folder_in_the_place_of_the_worktree_is_not_worked_in() {
    let repository = Repository::new();
    repository.call("r", "echo one > one").unwrap();
    let elsewhere = repository.checkout().with_file_name("elsewhere");
    fs::rename(repository.worktree("r"), &elsewhere).unwrap();
    symlink(&elsewhere, repository.worktree("r")).unwrap();
    changed(&repository.call("r", "touch ran").unwrap_err(), "folder");
    assert!(!elsewhere.join("ran").exists());
    fs::remove_file(repository.worktree("r")).unwrap();
    fs::rename(&elsewhere, repository.worktree("r")).unwrap();
    repository.call("r", "touch ran").unwrap();
}

#[test]
fn a_worktree_that_was_repaired_continues_with_what_was_left() {
    let repository = Repository::new();
    repository.call("r", "echo one > one").unwrap();
    changed(&repository.call("r", "echo two > two; mv .git ../kept").unwrap_err(), "git_file");
    fs::rename(repository.directory().join("kept"), repository.worktree("r").join(".git")).unwrap();
    repository.call("r", "test -e two").unwrap();
    assert_eq!(repository.files("r"), ["one", "two"]);
}

/// Git locks a worktree while it creates it, and an incomplete one is removed with all of its files.
#[test]
fn work_is_not_lost_when_a_call_marks_its_worktree_as_half_made() {
    for mark in ["initializing", "added with --lock"] {
        let repository = Repository::new();
        let marked = format!("echo '{mark}' > $(git rev-parse --git-dir)/locked; echo ignored > x.o");
        repository.call("r", &marked).unwrap();
        fs::write(repository.worktree("r").join("left"), "left").unwrap();
        repository.call("r", "test -e left && test -e x.o").unwrap();
        assert_eq!(repository.files("r"), ["left"]);
    }
}

#[test]
fn a_folder_of_the_worktree_that_leads_out_of_it_is_not_worked_in() {
    let repository = Repository::new();
    let part = repository.checkout().join("part");
    let outside = repository.checkout().with_file_name("outside");
    fs::create_dir(&outside).unwrap();
    let worktrees = workflow_providers::Worktrees::builder(&part, repository.directory()).build();
    let provider = worktrees.wrap(workflow_providers::CommandProvider::builder().work_root(&part).build());
    let call =
        |script: &str| crate::repository::call(&provider, repository.request("r", "1/work[0]/run", script));
    call(&format!("cd ..; rm -r part; ln -s '{}' part", outside.display())).unwrap();
    changed(&call("touch ran").unwrap_err(), "folder");
    assert!(!outside.join("ran").exists());
    // The call has replaced it with a link, which is committed.
    assert_eq!(
        git(&repository.worktree("r"), &["ls-tree", "--format=%(objectmode)", "HEAD", "part"]),
        "120000"
    );
}

#[test]
fn a_record_that_a_call_changes_is_not_used() {
    for what in
        ["echo '[filter \"evil\"] clean = \"touch ../../hit; cat\"' >> config", "rm config", "rm -r ../r"]
    {
        let repository = Repository::new();
        // In the same host.
        let provider = repository.commands();
        let call = |script: &str| {
            crate::repository::call(&provider, repository.request("r", "1/work[0]/run", script))
        };
        call("echo one > one").unwrap();
        let change = format!("echo '* filter=evil' > .gitattributes; cd ../.pinned/r; {what} || true");
        changed(&call(&change).unwrap_err(), "record");
        changed(&call("touch ran").unwrap_err(), "record");
        assert!(repository.worktree("r").join(".gitattributes").exists(), "{what}");
        fs::remove_dir_all(repository.worktree("r")).unwrap();
        changed(&call("touch ran").unwrap_err(), "record");
        assert!(!repository.checkout().with_file_name("hit").exists(), "{what}");
    }
}
