//! The words of statuses and the tones of their colours. The studio has the same: `shown.json` lists them.

use workflow_core::status::{RunStatus, StageStatus, WaitReason};

use super::blocks::Badge;
use super::model::Report;

/// The status of a run: of one that waits, what it waits for.
pub(super) fn of_run(report: &Report) -> Badge {
    let wait = report.waits.first().map(|wait| wait.wait.reason);
    match (report.status, wait) {
        (RunStatus::Paused | RunStatus::Running, Some(reason)) => of_wait(reason),
        (status, _) => of_status(status),
    }
}

fn of_status(status: RunStatus) -> Badge {
    let (word, tone) = match status {
        RunStatus::Pending => ("Pending", "pending"),
        RunStatus::Running => ("Running", "running"),
        RunStatus::Paused => ("Paused", "paused"),
        RunStatus::Completed => ("Completed", "completed"),
        RunStatus::Failed => ("Failed", "failed"),
        RunStatus::Cancelled => ("Cancelled", "cancelled"),
    };
    Badge { word: word.to_owned(), tone }
}

fn of_wait(reason: WaitReason) -> Badge {
    let (word, tone) = match reason {
        WaitReason::Pause => ("Paused", "paused"),
        WaitReason::Approval => ("Waiting: approval", "waiting"),
        WaitReason::Question => ("Waiting: question", "waiting"),
        WaitReason::UnknownOutcome => ("Waiting: unknown outcome", "waiting"),
        WaitReason::Crashes => ("Waiting: stopped after crashes", "waiting"),
        WaitReason::Quota => ("Quota", "quota"),
        WaitReason::Retry => ("Retrying", "retrying"),
        WaitReason::Timer => ("Waiting: timer", "paused"),
        WaitReason::Signal => ("Waiting: signal", "paused"),
        WaitReason::Child => ("Waiting: another run", "paused"),
        _ => ("Waiting", "waiting"),
    };
    Badge { word: word.to_owned(), tone }
}

pub(super) fn of_stage(status: StageStatus) -> Badge {
    let (word, tone) = match status {
        StageStatus::Pending => ("Pending", "pending"),
        StageStatus::Queued => ("Queued", "queued"),
        StageStatus::Running => ("Running", "running"),
        StageStatus::Retrying => ("Retrying", "retrying"),
        StageStatus::Waiting => ("Waiting", "waiting"),
        StageStatus::Completed => ("Completed", "completed"),
        StageStatus::Failed => ("Failed", "failed"),
        StageStatus::Skipped => ("Skipped", "skipped"),
        StageStatus::Cancelled => ("Cancelled", "cancelled"),
    };
    Badge { word: word.to_owned(), tone }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::report::words::tests::shown;

    type Words = BTreeMap<String, (String, String)>;

    fn words<S: ToString>(all: &[S], badge: impl Fn(&S) -> Badge) -> Words {
        let pair = |status: &S| {
            let badge = badge(status);
            (status.to_string(), (badge.word, badge.tone.to_owned()))
        };
        all.iter().map(pair).collect()
    }

    #[test]
    fn statuses_have_the_words_and_tones_of_the_studio() {
        let listed = |name: &str| serde_json::from_value::<Words>(shown()[name].clone()).unwrap();
        assert_eq!(words(RunStatus::ALL, |status| of_status(*status)), listed("runs"));
        assert_eq!(words(WaitReason::ALL, |reason| of_wait(*reason)), listed("waits"));
        assert_eq!(words(StageStatus::ALL, |status| of_stage(*status)), listed("stages"));
        let tokens = include_str!("tokens.css");
        let tones = ["runs", "waits", "stages"].into_iter().flat_map(|name| listed(name).into_values());
        for (_, tone) in tones {
            assert!(tokens.contains(&format!(".tone-{tone}")), "{tone}");
        }
    }
}
