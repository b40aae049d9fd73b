//! Keeps what this process knows from the programs that it starts: the URL of the store, secrets that a stage is not
//! given, what other runs say.
//!
//! They run as the same user, whom Linux lets read the environment and the memory of a process. Not of one that cannot
//! be dumped: its files in `/proc` belong to root, and nobody but root can trace it. That holds for the whole process,
//! and ends with `exec`, so the programs that are started are as open as ever. It is no boundary for files: what the
//! user can read, they can read.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Makes this process one that cannot be looked into. Where the system refuses, it goes on without.
pub(crate) fn hide() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    let Rlimit { maximum, .. } = getrlimit(Resource::Core);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
}
