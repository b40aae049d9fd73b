//! The table of operations.

use workflow_core::definition::did_you_mean;

use crate::code::Code;
use crate::error::ServiceError;
use crate::hello::Hello;
use crate::operation::OperationInfo;
use crate::{compare, notifications, parts, report, runs, system, workflows, worktrees};

/// All operations, by name.
///
/// ```
/// let names: Vec<_> = workflow_service::operations().iter().map(|operation| operation.meta.name).collect();
/// assert!(names.contains(&"workflow:list") && names.is_sorted());
/// ```
pub fn operations() -> &'static [OperationInfo] {
    const OPERATIONS: &[OperationInfo] = &[
        OperationInfo::of::<Hello>(),
        OperationInfo::of::<parts::GetAssignments>(),
        OperationInfo::of::<parts::DeleteAssignments>(),
        OperationInfo::of::<parts::PutAssignments>(),
        OperationInfo::of::<workflows::CreateWorkflow>(),
        OperationInfo::of::<workflows::DeleteWorkflow>(),
        OperationInfo::of::<system::Doctor>(),
        OperationInfo::of::<workflows::DuplicateWorkflow>(),
        OperationInfo::of::<workflows::EditText>(),
        OperationInfo::of::<runs::EstimateRun>(),
        OperationInfo::of::<workflows::ExportWorkflow>(),
        OperationInfo::of::<workflows::GetWorkflow>(),
        OperationInfo::of::<workflows::GraphWorkflow>(),
        OperationInfo::of::<workflows::ImportWorkflow>(),
        OperationInfo::of::<workflows::ListInputs>(),
        OperationInfo::of::<system::Limits>(),
        OperationInfo::of::<workflows::ListWorkflows>(),
        OperationInfo::of::<notifications::GetNotifications>(),
        OperationInfo::of::<notifications::SetNotifications>(),
        OperationInfo::of::<notifications::TestNotification>(),
        OperationInfo::of::<parts::ListProfiles>(),
        OperationInfo::of::<parts::DeleteProfile>(),
        OperationInfo::of::<parts::GetProfile>(),
        OperationInfo::of::<parts::PutProfile>(),
        OperationInfo::of::<parts::ListProviders>(),
        OperationInfo::of::<parts::ListRoles>(),
        OperationInfo::of::<parts::DeleteRole>(),
        OperationInfo::of::<parts::GetRole>(),
        OperationInfo::of::<parts::PutRole>(),
        OperationInfo::of::<workflows::RunWorkflow>(),
        OperationInfo::of::<runs::AnswerRun>(),
        OperationInfo::of::<runs::CancelRun>(),
        OperationInfo::of::<compare::CompareRuns>(),
        OperationInfo::of::<runs::DeleteRun>(),
        OperationInfo::of::<runs::DeleteRuns>(),
        OperationInfo::of::<worktrees::DiffRun>(),
        OperationInfo::of::<runs::RunEvents>(),
        OperationInfo::of::<runs::ForkRun>(),
        OperationInfo::of::<runs::GetRun>(),
        OperationInfo::of::<runs::Inbox>(),
        OperationInfo::of::<runs::KillRun>(),
        OperationInfo::of::<runs::ListRuns>(),
        OperationInfo::of::<runs::RunLogs>(),
        OperationInfo::of::<runs::MigrateRun>(),
        OperationInfo::of::<runs::PauseRun>(),
        OperationInfo::of::<runs::GetRunPlan>(),
        OperationInfo::of::<runs::PruneRuns>(),
        OperationInfo::of::<report::ReportRun>(),
        OperationInfo::of::<runs::RerunRun>(),
        OperationInfo::of::<runs::ResumeRun>(),
        OperationInfo::of::<runs::SignalRun>(),
        OperationInfo::of::<parts::ListSchemas>(),
        OperationInfo::of::<parts::ListSkills>(),
        OperationInfo::of::<parts::DeleteSkill>(),
        OperationInfo::of::<parts::GetSkill>(),
        OperationInfo::of::<parts::PutSkill>(),
        OperationInfo::of::<system::Stores>(),
        OperationInfo::of::<parts::ListTemplates>(),
        OperationInfo::of::<workflows::UpdateWorkflow>(),
        OperationInfo::of::<workflows::ValidateWorkflow>(),
        OperationInfo::of::<system::Workers>(),
        OperationInfo::of::<worktrees::ListWorktrees>(),
        OperationInfo::of::<worktrees::WorktreesPatch>(),
        OperationInfo::of::<worktrees::RemoveWorktree>(),
    ];
    OPERATIONS
}

/// The operation of that name.
pub(crate) fn find(name: &str) -> Result<&'static OperationInfo, ServiceError> {
    let operations = operations();
    if let Ok(place) = operations.binary_search_by(|operation| operation.meta.name.cmp(name)) {
        return Ok(&operations[place]);
    }
    let near = did_you_mean(name, operations.iter().map(|operation| operation.meta.name));
    let message = format!("there is no operation `{name}` in this version{near}");
    Err(ServiceError::new(Code::UnknownOperation, message))
}
