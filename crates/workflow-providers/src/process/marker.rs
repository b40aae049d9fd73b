//! Marks processes with their call, so that they are recognised after their parent and their host are gone.

use std::ffi::OsString;

use workflow_core::provider::CallId;

const CALL: &str = "WORKFLOW_CALL";

/// An environment variable that every process of a call inherits.
///
/// Its value, `{run}:{seed}:{path}:{attempt}`, is unique to the call: the seed is drawn at random when a run
/// is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marker {
    entry: String,
    /// If set, `entry` ends before the attempt, and this is the last attempt that matches, together with all
    /// earlier ones. `None` if `entry` is complete.
    up_to: Option<u32>,
}

impl Marker {
    /// The marker of one attempt.
    pub(crate) fn of(call: &CallId) -> Self {
        Self { entry: format!("{}{}", Self::before_attempt(call), call.attempt), up_to: None }
    }

    /// The marker of a program that is started outside of any run, and its variable.
    #[cfg(any(feature = "agent", feature = "program", feature = "worktree"))]
    pub(crate) fn of_question(unique: &uuid::Uuid) -> (Self, (OsString, OsString)) {
        let value = format!("question:{unique}");
        let marker = Self { entry: format!("{CALL}={value}"), up_to: None };
        (marker, (CALL.into(), value.into()))
    }

    /// The markers of this attempt and of all earlier ones of the call's node.
    pub(super) fn up_to(call: &CallId) -> Self {
        Self { entry: Self::before_attempt(call), up_to: Some(call.attempt) }
    }

    fn before_attempt(call: &CallId) -> String {
        format!("{CALL}={}:{:016x}:{}:", call.run, call.seed, call.path)
    }

    /// Whether `entry`, a `NAME=value` of an environment, is this marker.
    #[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code))]
    pub(super) fn matches(&self, entry: &[u8]) -> bool {
        let Some(rest) = entry.strip_prefix(self.entry.as_bytes()) else { return false };
        match self.up_to {
            Some(last) => {
                str::from_utf8(rest).is_ok_and(|rest| rest.parse().is_ok_and(|attempt: u32| attempt <= last))
            }
            None => rest.is_empty(),
        }
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
    fn a_marker_is_one_attempt_at_a_node_or_all_up_to_one() {
        let entry = b"WORKFLOW_CALL=r1:0000000000000abc:1/plan[0]/run:1";
        assert_eq!(Marker::variables(&call("1/plan[0]/run", 1))[1].1, "r1:0000000000000abc:1/plan[0]/run:1");
        for (marker, matches) in [
            (Marker::of(&call("1/plan[0]/run", 1)), true),
            (Marker::of(&call("1/plan[0]/run", 2)), false),
            (Marker::of(&call("1/plan[0]/run", 11)), false),
            (Marker::up_to(&call("1/plan[0]/run", 0)), false),
            (Marker::up_to(&call("1/plan[0]/run", 1)), true),
            (Marker::up_to(&call("1/plan[0]/run", 12)), true),
            (Marker::up_to(&call("1/plan[1]/run", 1)), false),
            (Marker::up_to(&call("1/plan[0]/ru", 1)), false),
        ] {
            assert_eq!(marker.matches(entry), matches, "{marker:?}");
        }
    }
}
