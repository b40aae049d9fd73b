//! Configuration that a call writes during a run: the host's git executes none of it.

use std::fs;
use std::path::{Path, PathBuf};

use futures::executor::block_on;
use workflow_core::ids::RunId;

use crate::repository::{Repository, git};

/// The traces of successful attacks, and a script with the attacks. In the script, `$HIT` is a command line
/// that leaves a trace, and `$GIT` a git without hooks.
struct Attack {
    repository: Repository,
    hit: PathBuf,
}

impl Attack {
    fn new() -> Self {
        let repository = Repository::new();
        let hit = repository.checkout().with_file_name("hit");
        Self { repository, hit }
    }

    fn script(&self, script: &str) -> String {
        let hit = self.hit.display();
        format!(
            "set -e; HIT='touch {hit}; cat'; GIT='git -c core.hooksPath=/dev/null -c user.name=n -c user.email=e -c commit.gpgSign=false -c core.fsmonitor=false'; {script}"
        )
    }

    fn call(&self, script: &str) {
        self.repository.call("r", &self.script(script)).unwrap_or_else(|error| panic!("{script}: {error}"));
    }

    /// Checks that nothing of it was executed, except the script itself.
    fn assert_missed(&self, what: &str) {
        assert!(!self.hit.exists(), "{what} was executed");
    }
}

/// Every setting with a program that git may execute in a worktree.
const SETTINGS: &str = r#"
    SET() { git config $WHERE "$1" "$2"; }
    for filter in clean smudge process; do SET filter.evil.$filter "$HIT"; done
    SET filter.evil.required true
    for name in core.hooksPath core.fsmonitor core.sshCommand core.pager core.editor core.askPass core.gitProxy \
        core.alternateRefsCommand credential.helper diff.external diff.evil.command diff.evil.textconv \
        merge.evil.driver gpg.program gpg.ssh.program gpg.ssh.defaultKeyCommand sequence.editor trailer.evil.command \
        interactive.diffFilter uploadpack.packObjectsHook pager.log pager.diff pager.status \
        alias.status alias.commit alias.update-index; do SET $name "$HIT"; done
    mkdir -p "$EVIL/hooks"
    for hook in pre-commit post-commit post-checkout post-index-change reference-transaction; do
        printf '#!/bin/sh\n%s </dev/null\n' "$HIT" > "$EVIL/hooks/$hook"; chmod +x "$EVIL/hooks/$hook"; done
    SET core.hooksPath "$EVIL/hooks"
    SET init.templateDir "$EVIL"
    SET commit.gpgSign true
    SET log.showSignature true
    SET submodule.recurse true
    SET status.submoduleSummary true
    SET diff.ignoreSubmodules none
    SET diff.submodule diff
    echo '* filter=evil diff=evil merge=evil' > .gitattributes
    cp .gitattributes "$(git rev-parse --git-common-dir)/info/attributes"
    echo changed > kept; echo new > new
"#;

fn everything_else_that_runs_git(repository: &Repository) {
    // The next call, with files that another host left.
    fs::write(repository.worktree("r").join("left"), "left").unwrap();
    repository.call("r", "echo more > changed").unwrap();
    assert!(repository.files("r").contains(&"left".to_owned()));
    // The worktree is created again.
    fs::remove_dir_all(repository.worktree("r")).unwrap();
    repository.call("r", "cat kept; echo again > kept").unwrap();
    let run = RunId::new("r").unwrap();
    let worktrees =
        workflow_providers::Worktrees::builder(repository.checkout(), repository.directory()).keep_runs(0);
    assert_eq!(block_on(worktrees.build().clean_up([run.clone()])).unwrap(), [run]);
}

#[test]
fn settings_that_a_call_writes_are_not_executed_wherever_it_writes_them() {
    for (place, wher) in [
        ("the configuration of the repository", ""),
        ("the configuration of the worktree", "--worktree"),
        ("a file that is included", "--file=$EVIL/included"),
    ] {
        let attack = Attack::new();
        let evil = attack.repository.checkout().with_file_name("evil");
        let before = match wher {
            "--worktree" => "git config extensions.worktreeConfig true;",
            "" => "",
            _ => "git config include.path $EVIL/included;",
        };
        attack.call(&format!("EVIL='{}'; mkdir -p $EVIL; {before} WHERE={wher}; {SETTINGS}", evil.display()));
        attack.assert_missed(place);
        everything_else_that_runs_git(&attack.repository);
        attack.assert_missed(place);
    }
}

#[test]
fn a_nested_repository_executes_nothing() {
    let attack = Attack::new();
    attack.call(&format!(
        "mkdir -p sub; cd sub; git init -q; echo a > a; $GIT add a; $GIT commit -qm x; \
         EVIL=$PWD/.git/evil; WHERE=; {SETTINGS} echo changed > a"
    ));
    attack.call("echo more > sub/a; echo new > sub/new");
    attack.assert_missed("a repository in the worktree");
    assert_eq!(
        git(&attack.repository.checkout(), &["ls-tree", "--name-only", "workflow/r", "sub/"]),
        "sub/.gitattributes\nsub/a\nsub/kept\nsub/new"
    );
}

#[test]
fn a_submodule_executes_nothing() {
    let attack = Attack::new();
    attack.call(
        "mkdir sub; cd sub; git init -q; echo a > a; $GIT add a; $GIT commit -qm x; cd ..; \
         printf '[submodule \"sub\"]\\n path = sub\\n url = ./sub\\n ignore = none\\n' > .gitmodules; $GIT add sub",
    );
    let listed = |path: &str| {
        git(&attack.repository.checkout(), &["ls-tree", "--format=%(objectmode)", "workflow/r", path])
    };
    assert_eq!(listed("sub"), "160000");
    attack.call(&format!("cd sub; EVIL=$PWD/.git/evil; WHERE=; {SETTINGS} echo b > a"));
    attack.call("echo beside > beside");
    block_on(attack.repository.worktrees().uncommitted()).unwrap();
    attack.repository.changes("r");
    attack.assert_missed("a submodule");
}

/// A missing object makes git fetch it from a promisor remote, with a program from the configuration.
#[test]
fn a_remote_that_promises_objects_is_not_asked() {
    let attack = Attack::new();
    let promise = "git config remote.evil.url ssh://nowhere.invalid/x; git config remote.evil.promisor true; \
        git config extensions.partialClone evil; git config core.repositoryFormatVersion 1; \
        git config core.sshCommand \"$HIT\"; ";
    let ghost = "1234567890123456789012345678901234567890";
    let missing = format!(
        "git update-index --add --cacheinfo 100644,{ghost},ghost; echo > ghost; rm ghost; echo x > x"
    );
    let _ = attack.repository.call("r", &attack.script(&format!("{promise} {missing}")));
    attack.assert_missed("the transport of a commit");
    let attack = Attack::new();
    let tree = format!(
        "{promise} tree=$(printf '100644 blob {ghost}\\tghost\\n' | GIT_NO_LAZY_FETCH=1 git mktree --missing); \
         commit=$($GIT commit-tree -p HEAD -m x $tree); $GIT update-ref refs/heads/workflow/r $commit"
    );
    let _ = attack.repository.call("r", &attack.script(&tree));
    let _ = block_on(attack.repository.worktrees().changes(&RunId::new("r").unwrap(), true));
    let _ = attack.repository.call("r", "true");
    attack.assert_missed("the transport of a diff");
}

#[test]
fn filters_that_the_repository_had_before_the_run_work_as_the_user_set_them() {
    let repository = Repository::new();
    // With all characters that need quotes, from an included file.
    let included = repository.checkout().with_file_name("included");
    let sed = |from, to| format!("f() {{ sed -e \"s/{from}/{to}/\" ; }}; f # \\ ; \"quoted\"\t");
    for (name, value) in [("clean", sed("plain", "stored")), ("smudge", sed("stored", "plain"))] {
        let key = format!("filter.a \"b\".c\\.{name}");
        git(&repository.checkout(), &["config", "--file", path(&included), &key, &value]);
    }
    fs::write(repository.checkout().join(".git/info/attributes"), "*.secret filter=abc\n").unwrap();
    repository.git(&["config", "include.path", path(&included)]);
    for (name, value) in [("clean", sed("plain", "stored")), ("smudge", sed("stored", "plain"))] {
        repository.git(&["config", &format!("filter.abc.{name}"), &value]);
    }
    repository.call("r", "echo plain > x.secret").unwrap();
    assert_eq!(repository.git(&["show", "workflow/r:x.secret"]), "stored");
    repository.git(&["worktree", "remove", "--force", path(&repository.worktree("r"))]);
    let reply =
        repository.call("r", "cat x.secret; git config --unset filter.abc.clean; echo plain > y.secret");
    assert_eq!(reply.unwrap().output.value(), "plain");
    // They are those of the first call.
    assert_eq!(repository.git(&["show", "workflow/r:y.secret"]), "stored");
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
