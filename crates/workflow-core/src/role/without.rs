//! Roles in a build that cannot render them.

use serde_json::Value;

use super::{RoleError, Used};
use crate::definition::{Diagnostic, Role};

/// There is none.
#[derive(Debug)]
pub(super) enum Engine {}

impl Engine {
    pub(super) fn new(_: &Role, _: &[&str]) -> Result<(Self, Used), Vec<RoleError>> {
        Err(vec![RoleError::Unsupported])
    }

    pub(super) fn body(&self, _: &Value) -> Result<String, RoleError> {
        match *self {}
    }

    pub(super) fn guard(&self, _: usize, _: &Value) -> Result<String, RoleError> {
        match *self {}
    }
}

pub(super) fn syntax(_: &Role, _: u32) -> Vec<Diagnostic> {
    Vec::new()
}
