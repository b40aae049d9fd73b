//! A store that fails, or dies with its host, at chosen appends; from the test kit.

pub use workflow_testkit::fault::{Fault, FaultStore as Faulty};
