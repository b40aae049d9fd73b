//! Checking what was built in Rust by the rules for files.

use super::{profile, role, workflow};
use crate::definition::model::{Diagnostic, Profile, Workflow};
use crate::definition::report::Report;
use crate::role::Role;

/// Reports all problems of a role that was built in Rust, by the rules of
/// [`parse_role`](crate::definition::parse_role()).
pub fn validate_role(role: &Role) -> Vec<Diagnostic> {
    let mut report = Report::new(None);
    role::role(role, &mut report);
    let body = role::templates(role, 0, None, &mut report);
    let mut diagnostics = report.finish();
    diagnostics.extend(body);
    diagnostics
}

/// Reports all problems of a profile that was built in Rust, by the rules of
/// [`parse_profile`](crate::definition::parse_profile()).
pub fn validate_profile(profile: &Profile, workflow: Option<&Workflow>) -> Vec<Diagnostic> {
    let mut report = Report::new(None);
    profile::profile(profile, workflow, &mut report);
    report.finish()
}

/// Reports all problems of a workflow that was built in Rust, by the rules of
/// [`parse`](crate::definition::parse()) for files.
pub fn validate(workflow: &Workflow) -> Vec<Diagnostic> {
    let mut report = Report::new(None);
    workflow::workflow(workflow, &mut report);
    report.finish()
}
