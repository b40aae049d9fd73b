//! A world of its own, from the kit.

pub use workflow_testkit::sim::Sim;
