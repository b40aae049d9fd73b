//! Making one call of a provider, whoever wants it made: the driver of a run, or a backend of another kind.
//!
//! `running` is a call that is under way, with its time-outs, and `io` what it is connected to; `bounds` limits its
//! result. `runner` makes one call for a backend.

pub(crate) mod bounds;
mod io;
mod runner;
mod running;

pub(crate) use io::{CallIo, OfRun, Outlet};
pub use runner::{CallReports, CallRunner};
pub(crate) use running::{Admission, Call, Ended, Patience, fit, needs_grace, not_made, reclaim};
