//! The outputs of a `foreach` node's items, read from the log when all are there.

use workflow_core::data::Data;
use workflow_core::event::{Event, EventBody};
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::ids::RunId;
use workflow_core::store::StoreError;

use crate::call::bounds;
use crate::outage::Outage;
use crate::shared::Shared;

/// How many events are read at a time.
const PAGE: usize = 64;
/// All outputs together may have this many times the bytes of one.
const MOST: usize = 8;

/// An array of the outputs that the events with the numbers `ended` have, in that order. The inner error is
/// the node's failure: the outputs together are too large.
pub(super) async fn outputs(
    engine: &Shared,
    run: &RunId,
    ended: &[u64],
) -> Result<Result<Data, Failure>, StoreError> {
    let mut order: Vec<usize> = (0..ended.len()).collect();
    order.sort_unstable_by_key(|item| ended[*item]);
    let mut outputs = vec![Data::NULL; ended.len()];
    let (mut bytes, most) = (0, engine.max_output.saturating_mul(MOST));
    let mut wanted = order.into_iter().peekable();
    while let Some(first) = wanted.peek() {
        let page = page(engine, run, ended[*first].saturating_sub(1)).await?;
        let Some(last) = page.last().map(|event| event.seq) else {
            return Err(StoreError::NotFound(format!("an event of run `{run}`")));
        };
        let mut events = page.into_iter();
        while let Some(item) = wanted.next_if(|item| ended[*item] <= last) {
            let event = events.find(|event| event.seq == ended[item]);
            outputs[item] = event.map(output).unwrap_or_default();
            bytes += outputs[item].len() + 1;
            if bytes > most {
                let message = format!("the outputs of the items have more than {most} bytes together");
                return Ok(Err(Failure::new(FailureClass::InvalidOutput, message)));
            }
        }
    }
    Ok(bounds::nesting(Data::array(&outputs)))
}

fn output(event: Event) -> Data {
    match event.body {
        EventBody::AttemptSucceeded { output, .. } | EventBody::NodeCompleted { output, .. } => output,
        // The item was skipped.
        _ => Data::NULL,
    }
}

async fn page(engine: &Shared, run: &RunId, after: u64) -> Result<Vec<Event>, StoreError> {
    let mut outage = Outage::new(engine, "reading the outputs of items");
    loop {
        match engine.store.events(run, after, PAGE).await {
            Err(error) => outage.failed(error)?.await,
            page => return page,
        }
    }
}
