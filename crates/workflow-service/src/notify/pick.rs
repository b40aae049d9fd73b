//! Which events targets are told of, and what.

use workflow_core::definition::NoticeKind;
use workflow_core::event::{Event, EventBody};
use workflow_core::failure::Failure;
use workflow_core::status::WaitReason;
use workflow_core::store::RunRecord;

use crate::notify::notice::{
    Notice, NoticeBudget, NoticeFailure, NoticeRun, NoticeType, NoticeWait, clip, id,
};

/// What targets are told of an event.
#[derive(Debug)]
pub(super) struct Picked {
    pub kind: NoticeKind,
    pub event: u64,
    pub at: jiff::Timestamp,
    pub run: NoticeRun,
    pub details: Details,
}

/// What is particular to its kind.
#[derive(Debug)]
pub(super) enum Details {
    Wait(NoticeWait),
    Failure(NoticeFailure),
    Completed(Vec<workflow_core::ids::StageId>),
    Budget(NoticeBudget),
}

/// The kind of notice that an event is, if it is one.
pub(super) fn kind_of(body: &EventBody) -> Option<NoticeKind> {
    match body {
        EventBody::StageAsked { .. } => Some(NoticeKind::Waiting),
        EventBody::NodeAsked { reason, .. } if reason.is_for_a_person() => Some(NoticeKind::Waiting),
        // All other waits for a person have an event of their own, which asks.
        EventBody::RunWaiting { wait } if wait.reason == WaitReason::Crashes => Some(NoticeKind::Waiting),
        EventBody::RunFailed { .. } => Some(NoticeKind::Failed),
        EventBody::RunCompleted { .. } => Some(NoticeKind::Completed),
        EventBody::BudgetWarning { .. } => Some(NoticeKind::Budget),
        _ => None,
    }
}

/// What targets are told of an event of a run.
pub(super) fn pick(record: &RunRecord, event: &Event) -> Option<Picked> {
    let kind = kind_of(&event.body)?;
    let details = match &event.body {
        EventBody::StageAsked { iteration, stage, question } => Details::Wait(NoticeWait {
            reason: WaitReason::Approval,
            wait: Some(event.seq),
            place: Some(format!("{iteration}/{stage}")),
            question: Some(clip(question)),
        }),
        EventBody::NodeAsked { path, reason, question, .. } => Details::Wait(NoticeWait {
            reason: *reason,
            wait: Some(event.seq),
            place: Some(path.to_string()),
            question: Some(clip(question)),
        }),
        EventBody::RunWaiting { wait } => Details::Wait(NoticeWait {
            reason: wait.reason,
            wait: wait.number,
            place: wait.place.clone(),
            question: wait.question.as_deref().map(clip),
        }),
        EventBody::RunFailed { error } => Details::Failure(failure(error)),
        EventBody::RunCompleted { failed_stages, .. } => Details::Completed(failed_stages.to_vec()),
        EventBody::BudgetWarning { stage, limit, used, of } => {
            Details::Budget(NoticeBudget { stage: stage.clone(), limit: *limit, used: *used, of: *of })
        }
        _ => return None,
    };
    let run = NoticeRun {
        id: record.run_id.clone(),
        workflow: record.head.workflow_id.clone(),
        status: record.head.status,
        created_at: record.head.created_at,
        labels: record.head.labels.clone(),
    };
    Some(Picked { kind, event: event.seq, at: event.at, run, details })
}

fn failure(error: &Failure) -> NoticeFailure {
    NoticeFailure { class: error.class, message: clip(&error.message) }
}

impl Picked {
    /// The type that receivers see.
    fn notice_type(&self) -> NoticeType {
        match self.kind {
            NoticeKind::Failed => NoticeType::Failed,
            NoticeKind::Completed => NoticeType::Completed,
            NoticeKind::Budget => NoticeType::Budget,
            _ => NoticeType::Waiting,
        }
    }

    /// What a target is told of an event.
    pub(super) fn notice(&self, target: &str) -> Notice {
        let mut notice = Notice {
            id: id(&[
                self.run.id.as_str(),
                &self.run.created_at.to_string(),
                &self.event.to_string(),
                target,
            ]),
            kind: self.notice_type(),
            timestamp: self.at,
            target: target.to_owned(),
            event: Some(self.event),
            run: Some(self.run.clone()),
            wait: None,
            failure: None,
            failed_stages: Vec::new(),
            budget: None,
        };
        match &self.details {
            Details::Wait(wait) => notice.wait = Some(wait.clone()),
            Details::Failure(failure) => notice.failure = Some(failure.clone()),
            Details::Completed(failed) => notice.failed_stages.clone_from(failed),
            Details::Budget(budget) => notice.budget = Some(budget.clone()),
        }
        notice
    }
}
