//! The driver of one run: collect what happened, decide, store, act.
//!
//! `turn` is the loop. It takes the inputs of `underway` (ends of calls, timers, slots) and of `controls`,
//! lets the machine decide in `decide`, stores the decision with `append`, and carries it out in `act`.
//! `child` has the runs that nodes start. The calls are those of the folder `call`; `output` buffers what they write, and `flush` stores that. `lease` claims a run again
//! whose lease was lost, and `watch` stops calls before that.

mod act;
mod append;
mod child;
mod collect;
mod controls;
mod decide;
mod flush;
mod lease;
mod output;
mod spans;
mod state;
mod turn;
mod underway;
mod watch;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use foldhash::HashSet;
use tracing::{Instrument as _, Span};
use workflow_core::machine::{Decision, State};
use workflow_core::plan::Plan;

use crate::driver::output::RunIo;
use crate::driver::state::Driver;
use crate::driver::underway::Underway;
use crate::driver::watch::Watch;
use crate::leases;
use crate::shared::{Hold, Shared};
use workflow_core::runs::EngineError;

pub(crate) use lease::claim_again_if_lost as claim_again;

/// How a driver left its run.
pub(crate) enum Driven {
    /// It is idle: it has ended, or waits.
    Rested(Box<State>),
    /// Its lease is still held, and it is to be continued from its log: another driver had the run, or might
    /// have had it, so the calls were stopped.
    Again,
}

/// Drives a run that is held until it is idle: until it has ended, waits for a person or a time, or the
/// engine shuts down.
///
/// Dropping the future stops the calls, as dropping their futures does, and leaves the run to be resumed.
pub(crate) fn drive<'e>(
    engine: &'e Shared,
    hold: &'e Hold,
    plan: Arc<Plan>,
    state: Box<State>,
) -> impl Future<Output = Result<Driven, EngineError>> + Send + 'e {
    let span = spans::run(hold.run(), &state.created().workflow);
    let entered = hold.entered();
    let io = RunIo::new(engine, entered.inbox.clone(), &state);
    let mut driver = Driver {
        engine,
        entered,
        hold,
        lease: hold.lease(),
        plan,
        state,
        io: Arc::new(io),
        decision: Decision::new(),
        events: Arc::default(),
        effects: Vec::new(),
        underway: Underway::default(),
        watch: Watch::new(engine, &entered.inbox),
        waiting: HashSet::default(),
        controls: Vec::new(),
        last_control: 0,
        looks: 0,
        opening: Vec::new(),
        last_output: 0,
        flushing: None,
        has_last_words: false,
        run_span: span.clone(),
        stage: Span::none(),
        decided: Duration::ZERO,
    };
    if let Some((iteration, stage)) = driver.state.stage_and_iteration() {
        driver.stage = spans::stage(&span, iteration, stage);
    }
    // A block and not an `async fn`, which would store each argument twice.
    async move {
        let is_again = {
            let driving = pin!(driver.run_and_leave());
            leases::beating(engine, driving).await?
        };
        if is_again { Ok(Driven::Again) } else { Ok(Driven::Rested(driver.state)) }
    }
    .instrument(span)
}
