//! Keeps what this process knows from the programs that it starts: the URL of the store, secrets that a stage is not
//! given, what other runs say.
//!
//! They run as the same user, and Linux lets a user read the environment and the memory of their processes, except of a
//! process that is not dumpable: its files in `/proc` belong to root, and only root can trace it. That holds for the
//! whole process and ends with `exec`, so the programs that it starts are dumpable. It does not protect files: the
//! programs can read what the user can read.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Makes this process not dumpable. If the system refuses, the process continues without the protection.
pub(crate) fn hide() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    let Rlimit { maximum, .. } = getrlimit(Resource::Core);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
}
