//! `config/notify.yml`: who is told of what happens to runs.

use indexmap::IndexMap;
use schemars::JsonSchema;

use super::Period;
use crate::ids::WorkflowId;
use crate::names::names;
use serde::{Deserialize, Serialize};

/// Who is told of what happens to runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Notifications {
    /// The targets, by the names that notices are claimed under.
    pub targets: IndexMap<String, NotifyTarget>,
}

/// One who is told.
#[derive(Debug, Clone, PartialEq)]
pub struct NotifyTarget {
    /// How the target is told.
    pub channel: NotifyChannel,
    /// Of what it is told.
    pub on: Vec<NoticeKind>,
    /// Only of runs of these workflows; empty means of all.
    pub workflows: Vec<WorkflowId>,
    /// How long one delivery may take.
    pub timeout: Option<Period>,
}

/// How a target is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotifyChannel {
    /// A POST request of HTTP, signed.
    Webhook {
        /// Where to.
        url: String,
        /// The environment variable with the secret that requests are signed with.
        secret_env: String,
        /// Whether the address may be one of the machine itself.
        allow_loopback: bool,
    },
    /// A program and its arguments, without a shell.
    Command(Vec<String>),
}

/// What a target can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoticeKind {
    /// A run began to wait for a person.
    Waiting,
    /// A run failed.
    Failed,
    /// A run completed.
    Completed,
    /// A budget is nearly used up.
    Budget,
}

names! {
    NoticeKind, "kind of notice",
    Waiting => "waiting",
    Failed => "failed",
    Completed => "completed",
    Budget => "budget",
}

/// The form of the file, for its schema.
#[derive(JsonSchema)]
#[schemars(untagged, title = "Notifications")]
#[allow(dead_code, reason = "only its schema is of use")]
pub(crate) enum NotificationsFile {
    /// Who is told.
    Targets(TargetsFile),
    /// No target.
    Empty(()),
}

/// Who is told.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "only its schema is of use")]
pub(crate) struct TargetsFile {
    /// Who is told, by a name of your choice.
    targets: Option<IndexMap<String, TargetFields>>,
}

/// One who is told: by a webhook or by a command.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "only its schema is of use")]
pub(crate) struct TargetFields {
    /// The address that notices are posted to: `https://…` or `http://…`.
    webhook: Option<String>,
    /// The environment variable with the secret that the requests of the webhook are signed with.
    secret_env: Option<String>,
    /// Whether the webhook may be at an address of this machine; default false.
    allow_loopback: Option<bool>,
    /// A program and its arguments, without a shell. It gets the notice as JSON on its standard input.
    #[schemars(length(min = 1))]
    command: Option<Vec<String>>,
    /// Of what the target is told; default: all.
    on: Option<Vec<NoticeKind>>,
    /// Only of runs of these workflows; default: all.
    workflows: Option<Vec<WorkflowId>>,
    /// How long one delivery may take, 1s to 60s; default 10s.
    timeout: Option<Period>,
}
