//! The simulation of the test kit.

pub use workflow_testkit::sim::Sim;
