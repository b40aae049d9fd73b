//! How a process tells whose it is, also after its parent and its host are gone.

use std::ffi::OsString;

use workflow_core::provider::CallId;

const CALL: &str = "WORKFLOW_CALL";

/// An environment variable that every process of a call inherits.
///
/// Its value, `{run}:{seed}:{path}:{attempt}`, is the call's alone: the seed is drawn at random
/// when a run is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marker {
    entry: String,
    any_attempt: bool,
}

impl Marker {
    /// The marker of one attempt.
    pub(crate) fn of(call: &CallId) -> Self {
        Self { entry: format!("{}{}", Self::before_attempt(call), call.attempt), any_attempt: false }
    }

    /// The marker of something that is asked of a program outside of any run, and its variable.
    #[cfg(any(feature = "agent", feature = "worktree"))]
    pub(crate) fn of_question(unique: &uuid::Uuid) -> (Self, (OsString, OsString)) {
        let value = format!("question:{unique}");
        let marker = Self { entry: format!("{CALL}={value}"), any_attempt: false };
        (marker, (CALL.into(), value.into()))
    }

    /// What the markers of all attempts at the call's node have in common.
    pub(super) fn of_any_attempt(call: &CallId) -> Self {
        Self { entry: Self::before_attempt(call), any_attempt: true }
    }

    fn before_attempt(call: &CallId) -> String {
        format!("{CALL}={}:{:016x}:{}:", call.run, call.seed, call.path)
    }

    /// Whether `entry`, a `NAME=value` of an environment, is this marker.
    #[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code))]
    pub(super) fn matches(&self, entry: &[u8]) -> bool {
        entry.strip_prefix(self.entry.as_bytes()).is_some_and(|rest| self.any_attempt || rest.is_empty())
    }

    /// The variables that a call sets for its processes.
    pub(crate) fn variables(call: &CallId) -> [(OsString, OsString); 3] {
        let marker = Self::of(call).entry;
        let value = marker.trim_start_matches(CALL).trim_start_matches('=').to_owned();
        [
            ("WORKFLOW_RUN_ID".into(), call.run.as_str().into()),
            (CALL.into(), value.into()),
            ("WORKFLOW_IDEMPOTENCY_KEY".into(), call.idempotency_key().into()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use workflow_core::ids::RunId;

    fn call(path: &str, attempt: u32) -> CallId {
        CallId { run: RunId::new("r1").unwrap(), seed: 0xabc, path: path.parse().unwrap(), attempt }
    }

    #[test]
    fn a_marker_is_one_attempt_or_all_attempts_of_one_node() {
        let entry = b"WORKFLOW_CALL=r1:0000000000000abc:1/plan[0]/run:1";
        assert_eq!(Marker::variables(&call("1/plan[0]/run", 1))[1].1, "r1:0000000000000abc:1/plan[0]/run:1");
        for (marker, matches) in [
            (Marker::of(&call("1/plan[0]/run", 1)), true),
            (Marker::of(&call("1/plan[0]/run", 2)), false),
            (Marker::of(&call("1/plan[0]/run", 11)), false),
            (Marker::of_any_attempt(&call("1/plan[0]/run", 2)), true),
            (Marker::of_any_attempt(&call("1/plan[1]/run", 1)), false),
            (Marker::of_any_attempt(&call("1/plan[0]/ru", 1)), false),
        ] {
            assert_eq!(marker.matches(entry), matches, "{marker:?}");
        }
    }
}
