//! Reading the log of a run.

use workflow_core::event::Event;
use workflow_core::ids::RunId;

use crate::code::Code;
use crate::error::ServiceError;
use crate::host::Host;

/// How many events are read at a time.
const PAGE: usize = 1_000;

/// Passes each event of a run to `on`, in order.
///
/// # Errors
///
/// Those of `on` and of the store, and a run without events.
pub(crate) async fn each_event(
    host: &Host,
    run: &RunId,
    mut on: impl FnMut(&Event) -> Result<(), ServiceError> + Send,
) -> Result<(), ServiceError> {
    let mut after = 0;
    loop {
        let page = host.runs().events(run, after, PAGE).await?;
        page.iter().try_for_each(&mut on)?;
        match page.last() {
            Some(last) if page.len() == PAGE => after = last.seq,
            None if after == 0 => return Err(no_events(host, run).await),
            _ => return Ok(()),
        }
    }
}

/// The error for a run without events: it does not exist, or its log is damaged.
pub(crate) async fn no_events(host: &Host, run: &RunId) -> ServiceError {
    match host.runs().get(run).await {
        Ok(_) => ServiceError::new(Code::Damaged, format!("run `{run}` has no events")),
        Err(error) => error.into(),
    }
}
