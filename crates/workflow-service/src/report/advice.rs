//! What failures and waits mean, and what to do about them.

use workflow_core::failure::FailureClass;
use workflow_core::status::WaitReason;

/// What a call means that failed at first and succeeded later.
pub(super) const OF_RECOVERED: &str = "A later attempt succeeded: nothing has to be done.";

/// What a failure of that class means after so many attempts, and what to do about it.
pub(super) fn of_failure(class: FailureClass, attempts: u32) -> &'static str {
    match class {
        FailureClass::Transient if attempts > 1 => {
            "The provider failed in a way that may not occur again, and further attempts failed too. Correct the command or \
             the prompt that the message is about. If the cause passes by itself, allow more `retries` or a longer \
             `retry_backoff`."
        }
        FailureClass::Transient => {
            "The provider failed in a way that may not occur again. If it fails every time, correct the command or the \
             prompt that the message is about; if it fails now and then, set `on_failure: retry` for the stage."
        }
        FailureClass::RateLimited => {
            "The quota or rate limit of the provider is used up. Wait until it is refilled, allow fewer calls at the same \
             time, or use another provider."
        }
        FailureClass::InvalidOutput => {
            "The provider answered, and the output did not have the required form. Describe the form in the prompt, relax \
             `output_schema`, or allow more `repairs`."
        }
        FailureClass::Permanent => {
            "Another attempt would fail in the same way: correct what the message names (a missing program, an invalid \
             key, a wrong option) first."
        }
        FailureClass::Timeout => {
            "The attempt took longer than its `timeout`. Raise it, or give the call less to do; the log shows how far it got."
        }
        FailureClass::IdleTimeout => {
            "The provider printed nothing for longer than its `idle_timeout`. It may hang, or wait for input. Raise \
             `idle_timeout` if it only works silently."
        }
        FailureClass::Cancelled => {
            "The call was stopped on request, or because its result was no longer needed."
        }
        FailureClass::Expression => {
            "An expression or a condition could not be evaluated. Correct the definition where the message says, then rerun \
             with the current definition."
        }
        FailureClass::Stage => {
            "Too many of the providers or nodes of the stage failed. The failures of its calls say why."
        }
        FailureClass::LoopExhausted => {
            "The loop used all its iterations and its `stop_when` was never met. The output of the last stage in each \
             iteration shows what was still missing. Correct that, allow more iterations (`max_iters`), or make `stop_when` \
             easier to meet."
        }
        FailureClass::Rejected => {
            "A person rejected it. Change what the comment objects to, then rerun from that stage."
        }
        FailureClass::Budget => {
            "A budget is used up, so no further call was made. Raise the budget, or reduce what is done, then rerun with the \
             current definition."
        }
        FailureClass::Repeated => {
            "The stage failed with the same error in two iterations, so further ones would only have cost more. Correct what \
             the message names."
        }
        FailureClass::SecretInOutput => {
            "A key of the output contained a secret, so the output was not stored. Change the prompt or the command so that \
             it does not print secrets."
        }
        _ => "Read the message, and the log of the call.",
    }
}

/// What a wait for that reason means.
pub(super) fn of_wait(reason: WaitReason) -> &'static str {
    match reason {
        WaitReason::Pause => "It was paused on request. It continues when it is resumed.",
        WaitReason::Approval => {
            "A person has to approve before it continues. If the person rejects, the stage fails."
        }
        WaitReason::Question => "A person has to answer a question before it continues.",
        WaitReason::UnknownOutcome => {
            "The process that drove the run ended during a call. Find out whether the call took effect, then say so: it is \
             not repeated without a decision."
        }
        WaitReason::Quota => {
            "The quota of a provider is used up. It continues by itself when the quota is refilled."
        }
        WaitReason::Retry => "An attempt failed. It continues by itself with the next attempt.",
        WaitReason::Signal => "A node of its graph waits for a signal. It continues when the signal is sent.",
        WaitReason::Child => {
            "A node of its graph waits for the run that it has started. It continues by itself when that has ended."
        }
        WaitReason::Timer => "A node of its graph waits for a time. It continues by itself then.",
        WaitReason::Crashes => {
            "The process that drove the run ended several times in a row. Find the cause (its log, memory, disk), then \
             resume the run."
        }
        _ => "It waits.",
    }
}
