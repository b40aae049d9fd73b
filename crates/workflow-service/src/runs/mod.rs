//! Operations on runs: list, read, control, fork, delete, logs and history.

mod bulk;
mod control;
mod delete;
mod estimate;
mod fork;
mod inbox;
mod list;
mod logs;
mod plan;

#[cfg(feature = "notify")]
pub use crate::followed::Moved;
pub use bulk::{DeleteRuns, DeletedRuns, Deletion, PruneRuns, Pruned};
pub use control::{AnswerRun, CancelRun, ControlResult, KillRun, PauseRun, ResumeRun, SignalRun};
pub use delete::DeleteRun;
pub use estimate::{Estimate, EstimateRun, Spread};
pub use fork::{ForkPointName, ForkRun, MigrateRun, RerunPoint, RerunRun};
pub use inbox::{Inbox, InboxItem, InboxList};
pub use list::{GetRun, ListRuns, RunDetail, RunList};
pub use logs::{EventWindow, LogFormat, LogLevel, LogWindow, RunEvents, RunLogs};
pub use plan::{GetRunPlan, RunPlan};
