//! Roles in a build that cannot render them.

use serde_json::Value;

use super::known::{Known, Problem, RoleError, Used};
use super::model::Role;

/// There is none.
#[derive(Debug)]
pub(super) enum Engine {}

impl Engine {
    pub(super) fn new(_: &Role, _: &Known<'_>) -> Result<(Self, Used), Vec<RoleError>> {
        Err(vec![RoleError::Unsupported])
    }

    pub(super) fn render(&self, _: Value) -> Result<(Vec<String>, String), RoleError> {
        match *self {}
    }
}

pub(super) fn problems(_: &Role, _: &Known<'_>) -> Vec<Problem> {
    Vec::new()
}
