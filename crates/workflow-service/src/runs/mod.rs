//! Operations on runs: list, read, control, fork, delete.

mod control;
mod delete;
mod fork;
mod list;

pub use control::{AnswerRun, CancelRun, ControlResult, KillRun, PauseRun, ResumeRun};
pub use delete::DeleteRun;
pub use fork::{ForkPointName, ForkRun, MigrateRun};
pub use list::{GetRun, ListRuns, RunDetail, RunList};
