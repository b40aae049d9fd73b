//! The machine decides what happens next in a run, without I/O, clock or randomness.
//!
//! - [`decide`] holds all policy: it takes an [`Input`] and adds the events that follow from it, and the
//!   [`Effect`]s that they require, to a [`Decision`].
//! - [`State::apply`] is the only thing that changes a state; the same code live and on recovery.
//! - [`pending`] derives from a state alone what the driver must do after it has loaded it.
//!
//! `decide` applies its events as it goes, so the state is ahead of the store until the events are stored. A
//! driver acts on a decision only once they are, and discards the state if they could not be stored. Whatever
//! influenced control flow — the outcome of a condition, a jittered delay — is in an event; a state is always
//! the fold of its events, whatever later versions would have decided.

mod decide;
mod message;
mod policy;
mod request;
mod state;

pub use decide::{decide, pending};
pub use message::{ChildOutcome, Decision, Effect, Input};
pub use request::child::{Child, child};
pub use request::secrets::Secrets;
pub use request::set::set_of_edited;
pub use request::unresolved::{SecretName, UnresolvedCall, unresolved};
pub use request::{Call, request};
pub use state::lane::LaneState;
pub use state::node::NodeState;
pub use state::stage::StageResult;
pub use state::{Broken, State};
