//! The folder of the worktrees: other users cannot enter it, and symbolic links in its place are not
//! followed.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use futures::executor::block_on;
use rustix::process::geteuid;
use workflow_core::failure::FailureClass;
use workflow_core::ids::RunId;
use workflow_providers::{CommandProvider, Worktrees};

use crate::crashes::start_host;
use crate::repository::{Repository, call};

/// A user without files.
const NOBODY: u32 = 65_534;

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_of_worktrees_that_is_a_link_is_not_followed() {
    let repository = Repository::new();
    let elsewhere = repository.checkout().with_file_name("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, repository.directory()).unwrap();
    let error = repository.call("r", "true").unwrap_err();
    assert_eq!(error.failure.class, FailureClass::Permanent);
    assert!(error.failure.message.contains("is a symbolic link or a file"), "{error}");
    let run = RunId::new("r").unwrap();
    block_on(repository.worktrees().runs()).unwrap_err();
    block_on(repository.worktrees().clean_up([run])).unwrap_err();
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn links_in_the_folder_of_worktrees_are_not_followed() {
    for name in [".lock", "r.lock", ".gitignore", ".pinned", "r"] {
        let repository = Repository::new();
        let victim = repository.checkout().with_file_name("victim");
        fs::create_dir(repository.directory()).unwrap();
        symlink(&victim, repository.directory().join(name)).unwrap();
        let is_folder = [".pinned", "r"].contains(&name);
        if is_folder {
            fs::create_dir(&victim).unwrap();
        } else if name.ends_with("lock") {
            fs::write(&victim, "of the victim").unwrap();
        }
        let called = repository.call("r", "touch ran");
        if name == ".gitignore" {
            called.unwrap();
            assert!(!victim.exists());
            continue;
        }
        called.unwrap_err();
        if is_folder {
            assert_eq!(fs::read_dir(&victim).unwrap().count(), 0, "{name}");
        } else {
            assert_eq!(fs::read_to_string(&victim).unwrap(), "of the victim", "{name}");
        }
    }
}

#[test]
fn the_folder_and_its_locks_are_their_owners_alone() {
    let repository = Repository::new();
    repository.call("r", "true").unwrap();
    let directory = repository.directory();
    let locks = [".lock", "r.lock"].map(|name| directory.join(name));
    let private = |what: &str| {
        assert_eq!(mode(&directory), 0o700, "{what}");
        assert_eq!(mode(&directory.join(".pinned")), 0o700, "{what}");
        for file in locks.iter().chain([&directory.join(".pinned/r/config")]) {
            assert_eq!(mode(file), 0o600, "{what}: {}", file.display());
        }
    };
    private("made");
    // As an earlier version left them.
    set_mode(&directory, 0o755);
    for lock in &locks {
        set_mode(lock, 0o644);
    }
    repository.call("r", "true").unwrap();
    private("tightened");

    // A user who can open a lock file can hold the lock.
    if geteuid().is_root() {
        set_mode(repository.checkout().parent().unwrap(), 0o755);
        for lock in &locks {
            let hold = format!("exec 9< '{}'", lock.display());
            let held = Command::new("sh").args(["-c", &hold]).uid(NOBODY).gid(NOBODY).output().unwrap();
            assert!(!held.status.success(), "{held:?}");
        }
    }
}

/// Runs as a user who is not root, because permissions do not apply to root.
#[test]
fn a_folder_that_others_can_enter_and_that_is_not_ours_is_refused() {
    let repository = Repository::new();
    let around = repository.checkout().parent().unwrap().to_owned();
    let mut host = start_host(&repository, "true");
    if geteuid().is_root() {
        fs::create_dir(repository.directory()).unwrap();
        set_mode(&repository.directory(), 0o777);
        set_mode(&around, 0o755);
        let mut chown = Command::new("chown");
        chown.args(["-R", &format!("{NOBODY}:{NOBODY}")]).arg(repository.checkout());
        assert!(chown.status().unwrap().success());
        let program = around.join("host");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let own = host;
        host = Command::new(&program);
        host.args(own.get_args()).current_dir(&around).uid(NOBODY).gid(NOBODY);
        host.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    } else {
        // This file exists everywhere.
        host.env("WORKTREE_TEST_WORKTREES", "/");
    }
    let ended = host.output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&ended.stderr), String::from_utf8_lossy(&ended.stdout));
    assert!(!ended.status.success(), "{said}");
    assert!(said.contains("other users may enter"), "{said}");
    if geteuid().is_root() {
        assert_eq!(fs::read_dir(repository.directory()).unwrap().count(), 0);
    }
}

#[test]
fn a_lock_that_is_never_released_is_waited_for_only_so_long() {
    let repository = Repository::new();
    repository.call("r", "true").unwrap();
    let worktrees = Worktrees::builder(repository.checkout(), repository.directory());
    let worktrees = worktrees.lock_timeout(Duration::from_millis(1)).build();
    let provider = worktrees.wrap(CommandProvider::new());
    for name in [".lock", "r.lock"] {
        let path = repository.directory().join(name);
        let lock = File::open(&path).unwrap();
        lock.lock().unwrap();
        let error = call(&provider, repository.request("r", "1/work[0]/run", "true")).unwrap_err();
        assert_eq!(error.failure.class, FailureClass::Transient, "{error}");
        let message = &error.failure.message;
        assert!(message.contains(&format!("fuser {}", path.display())), "{message}");
        let holder = format!("the last host that held it is process {}", std::process::id());
        assert_eq!(message.contains(&holder), name == ".lock", "{message}");
        drop(lock);
        call(&provider, repository.request("r", "1/work[0]/run", "true")).unwrap();
    }
}
