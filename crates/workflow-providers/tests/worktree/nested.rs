//! Repositories that calls create inside a run's worktree.

use std::fs;

use crate::repository::{Repository, git};

const GIT: &str = "git -c user.name=n -c user.email=e -c core.hooksPath=/dev/null -c commit.gpgSign=false";

/// The entries of the last commit of a run: the mode and the name of each.
fn committed(repository: &Repository, run: &str) -> Vec<String> {
    let tree = git(&repository.worktree(run), &["ls-tree", "-r", "--format=%(objectmode) %(path)", "HEAD"]);
    tree.lines().map(str::to_owned).collect()
}

/// Checks that the commit contains no link to another repository, and exactly these files.
fn has_files(repository: &Repository, run: &str, files: &[&str]) {
    let committed = committed(repository, run);
    assert!(!committed.iter().any(|entry| entry.starts_with("160000")), "{committed:?}");
    let below: Vec<_> = committed
        .iter()
        .filter_map(|entry| Some(entry.split_once(' ')?.1))
        .filter(|name| name.starts_with("sub/"))
        .collect();
    assert_eq!(below, files);
    assert_eq!(git(&repository.worktree(run), &["status", "--porcelain"]), "");
}

#[test]
fn a_repository_inside_of_a_worktree_is_committed_as_files() {
    for (what, make) in [
        ("with a commit", format!("cd sub && git init -q . && {GIT} add . && {GIT} commit -qm x")),
        (
            "with changes since",
            format!("cd sub && git init -q . && {GIT} add a && {GIT} commit -qm x && echo b > a"),
        ),
        ("without a commit", "cd sub && git init -q .".to_owned()),
        ("with a repository in it", "cd sub && git init -q . && git init -q 'de ep'".to_owned()),
    ] {
        let repository = Repository::new();
        let files = "mkdir -p sub/d 'sub/de ep'; echo a > sub/a; echo b > sub/d/b; echo c > 'sub/de ep/c'; \
                     echo '*.tmp' > sub/.gitignore; echo x > sub/x.tmp; echo beside > beside; ln -s a sub/link; ";
        repository.call("r", &format!("{files}{make}")).unwrap_or_else(|error| panic!("{what}: {error}"));
        let all = ["sub/.gitignore", "sub/a", "sub/d/b", "sub/de ep/c", "sub/link"];
        has_files(&repository, "r", &all);
        assert!(committed(&repository, "r").iter().any(|entry| entry.ends_with(" beside")), "{what}");
        // Later changes there are committed too.
        repository.call("r", "echo new > sub/new; rm sub/d/b; echo other > sub/a").unwrap();
        has_files(&repository, "r", &["sub/.gitignore", "sub/a", "sub/de ep/c", "sub/link", "sub/new"]);
        assert!(repository.changes("r").diff.unwrap().contains("+other"), "{what}");
        // It still works as a repository.
        assert!(fs::metadata(repository.worktree("r").join("sub/.git")).unwrap().is_dir(), "{what}");
    }
}

#[test]
fn a_worktree_inside_of_a_worktree_is_committed_as_files() {
    let repository = Repository::new();
    let make = "git -c core.hooksPath=/dev/null worktree add -q -b other sub HEAD && echo new > sub/new";
    repository.call("r", make).unwrap();
    has_files(
        &repository,
        "r",
        &["sub/.gitignore", "sub/changed", "sub/kept", "sub/new", "sub/part/file", "sub/staged"],
    );
}

#[test]
fn an_empty_repository_inside_of_a_worktree_hinders_no_commit() {
    let repository = Repository::new();
    repository.call("r", "git init -q empty && echo 1 > one").unwrap();
    repository.call("r", "echo 2 > two").unwrap();
    assert_eq!(repository.files("r"), ["one", "two"]);
    assert_eq!(repository.changes("r").commits.len(), 2);
}

#[test]
fn a_submodule_that_is_declared_stays_one() {
    let repository = Repository::new();
    let make = format!(
        "git init -q ../source-of-r && cd ../source-of-r && echo a > a && {GIT} add a && {GIT} commit -qm x && cd - && \
         {GIT} -c protocol.file.allow=always submodule --quiet add \"$(cd ../source-of-r && pwd)\" sub"
    );
    repository.call("r", &make).unwrap();
    let committed = committed(&repository, "r");
    assert!(committed.contains(&"160000 sub".to_owned()), "{committed:?}");
}
