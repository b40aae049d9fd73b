//! All policy: which events and effects follow from an input.
//!
//! Every file adds methods to [`Step`], one input on its way through the machine. They call each other in this order,
//! from the top down:
//!
//! 1. `step` takes an input and hands it on: `call` has what follows from a grant or from the end of a call,
//!    `approval` from an answer, `foreach` from collected outputs, `child` from the end of a run that was started.
//! 2. `stage` decides which stage begins and when it has ended; `iteration` does the same for the loop, `finally` for the end.
//! 3. `graph` starts the nodes of a lane. It, `foreach`, `loops`, `bodies` and `approval` call each other: a node that needs no call ends at
//!    once, and what waited for it starts.
//! 4. `effect` requests slots, timers and stops from the driver.
//! 5. `budget`, `retry`, `wait` and `lookup` only read the state; `strategy` (all, race, majority) and `backoff`
//!    take no `Step` at all.
//!
//! Each step of the way is stored with `Step::emit`, which changes the state; what comes next is read from that again.

mod approval;
mod backoff;
mod bodies;
mod budget;
mod call;
mod child;
mod effect;
mod ending;
mod finally;
mod foreach;
mod graph;
mod iteration;
mod lookup;
mod loops;
mod retry;
mod stage;
mod step;
mod strategy;
mod wait;
mod wait_node;

pub(super) use step::Step;
