//! A user's repository: with uncommitted changes, and hooks.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::executor::block_on;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use workflow_core::ids::RunId;
use workflow_core::provider::{CallRequest, Provider as _, ProviderError, Reply, Workspace};
use workflow_providers::{Changes, CommandProvider, InWorktree, Worktrees};

use crate::common;

pub(crate) struct Repository {
    folder: tempfile::TempDir,
    /// The seed of its runs. Tests run in parallel, and calls are told apart by it.
    pub(crate) seed: u64,
}

impl Repository {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let seed = (u64::from(std::process::id()) << 32) + u64::from(COUNT.fetch_add(1, Ordering::SeqCst));
        let repository = Self { folder: tempfile::tempdir().unwrap(), seed };
        fs::create_dir(repository.checkout()).unwrap();
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        for (name, text) in
            [("kept", "kept\n"), ("changed", "old\n"), ("staged", "old\n"), (".gitignore", "*.o\n")]
        {
            repository.write(name, text);
        }
        fs::create_dir(repository.checkout().join("part")).unwrap();
        repository.write("part/file", "part\n");
        repository.git(&["add", "--all"]);
        repository.git(&["commit", "--quiet", "--message=first"]);
        for hook in [
            "pre-commit",
            "commit-msg",
            "post-commit",
            "post-checkout",
            "post-index-change",
            "reference-transaction",
        ] {
            let path = repository.checkout().join(".git/hooks").join(hook);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("#!/bin/sh\ntouch '{}'\nexit 1\n", repository.hook_ran().display()))
                .unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let hook = repository.checkout().join(".git/hooks/pre-commit").display().to_string();
        for (name, value) in [
            ("commit.gpgSign", "true"),
            ("gpg.program", &*hook),
            ("log.showSignature", "true"),
            ("core.fsmonitor", &*hook),
            ("diff.external", &*hook),
            ("color.ui", "always"),
            ("status.showUntrackedFiles", "no"),
            ("gc.auto", "1"),
        ] {
            repository.git(&["config", name, value]);
        }
        repository.write("changed", "new\n");
        repository.write("staged", "new\n");
        repository.git(&["-c", "core.hooksPath=/dev/null", "add", "staged"]);
        repository.write("untracked", "mine\n");
        repository
    }

    pub(crate) fn checkout(&self) -> PathBuf {
        self.folder.path().join("checkout")
    }

    /// The directory of the worktrees.
    pub(crate) fn directory(&self) -> PathBuf {
        self.folder.path().join("worktrees")
    }

    pub(crate) fn worktree(&self, run: &str) -> PathBuf {
        self.directory().join(run)
    }

    /// The file that a hook creates when it runs.
    pub(crate) fn hook_ran(&self) -> PathBuf {
        self.folder.path().join("hook-ran")
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.checkout().join(name), text).unwrap();
    }

    /// A named pipe beside the checkout: opening it waits for the other side.
    pub(crate) fn fifo(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
        path
    }

    pub(crate) fn worktrees(&self) -> Worktrees {
        Worktrees::builder(self.checkout(), self.directory()).build()
    }

    pub(crate) fn commands(&self) -> InWorktree<CommandProvider> {
        self.worktrees().wrap(CommandProvider::builder().work_root(self.checkout()).build())
    }

    /// Runs a script as a node of the run.
    pub(crate) fn call(&self, run: &str, script: &str) -> Result<Reply, ProviderError> {
        call(&self.commands(), self.request(run, "1/work[0]/run", script))
    }

    pub(crate) fn request(&self, run: &str, path: &str, script: &str) -> CallRequest {
        let mut request = request(run, path, script);
        request.id.seed = self.seed;
        request
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git(&self.checkout(), arguments)
    }

    pub(crate) fn changes(&self, run: &str) -> Changes {
        block_on(self.worktrees().changes(&RunId::new(run).unwrap(), true)).unwrap().unwrap()
    }

    /// The files that a run has changed.
    pub(crate) fn files(&self, run: &str) -> Vec<String> {
        self.changes(run).stat.into_iter().map(|file| file.path).collect()
    }

    /// The subjects of the commits of a run.
    pub(crate) fn subjects(&self, run: &str) -> Vec<String> {
        self.changes(run).commits.into_iter().map(|commit| commit.subject).collect()
    }

    /// All data of the user in the checkout: files, index, `HEAD`, the branch, the configuration.
    pub(crate) fn of_user(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let git = self.checkout().join(".git");
        let mut folders = vec![self.checkout(), git.join("hooks")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path == git {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.insert(path.clone(), fs::read(path).unwrap());
                }
            }
        }
        for name in ["index", "HEAD", "config", "refs/heads/main", "logs/HEAD"] {
            files.insert(git.join(name), fs::read(git.join(name)).unwrap());
        }
        files
    }
}

/// The output of git, without hooks and without the user's configuration.
pub(crate) fn git(directory: &Path, arguments: &[&str]) -> String {
    let who = ["-c", "user.name=me", "-c", "user.email=me@localhost", "-c", "core.fsmonitor=false"];
    let how =
        ["-c", "color.ui=false", "-c", "log.showSignature=false", "-c", "status.showUntrackedFiles=all"];
    let output = Command::new("git")
        .args(who)
        .args(how)
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

pub(crate) fn request(run: &str, path: &str, script: &str) -> CallRequest {
    let mut request = common::request(run, "", json!({ "command": ["sh", "-c", script] }));
    request.id.path = path.parse().unwrap();
    request.workspace = Workspace::Isolated;
    request
}

pub(crate) fn call(
    provider: &InWorktree<CommandProvider>,
    request: CallRequest,
) -> Result<Reply, ProviderError> {
    let (context, _, _stop) = common::context(&request);
    block_on(provider.call(request, context))
}

/// The recorded details of the commit of a call.
pub(crate) fn recorded(details: Option<Value>) -> Value {
    details.and_then(|details| details.get("worktree").cloned()).unwrap_or_default()
}
