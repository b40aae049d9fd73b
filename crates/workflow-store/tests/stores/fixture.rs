//! Runs to store, from the kit.

pub(crate) use workflow_testkit::store::runs::*;
