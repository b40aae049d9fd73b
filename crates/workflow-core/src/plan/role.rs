//! Roles, compiled.

use std::sync::Arc;

use super::compile::Compiler;
use crate::definition::Role;
use crate::output_schema::OutputSchema;

#[derive(Debug)]
pub(crate) struct RolePlan {
    pub schema: Option<Arc<OutputSchema>>,
    pub skills: Vec<String>,
}

impl Compiler<'_> {
    pub(super) fn role(&mut self, role: &Role) -> Option<RolePlan> {
        let path = format!("roles/{}.output_schema", role.id);
        let schema = self.schema(&path, role.output_schema.as_deref())?;
        Some(RolePlan { schema, skills: role.skills.clone() })
    }
}
