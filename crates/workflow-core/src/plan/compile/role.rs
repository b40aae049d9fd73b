//! Roles: their templates, inputs and schemas.

use crate::definition::{Diagnostic, Role, SchemaSource};
use crate::expr::ValueTemplate;
use crate::ids::{StageId, is_id};
use crate::plan::compile::Compiler;
use crate::plan::model::{RoleInput, RolePlan};
use crate::role::RoleTemplate;

impl Compiler<'_> {
    pub(super) fn role(&mut self, role: &Role) -> Option<RolePlan> {
        let path = format!("roles/{}", role.id);
        let schema = role.output_schema.as_deref().map(SchemaSource::from);
        let schema = self.schema(format_args!("{path}.output_schema"), schema.as_ref())?;
        let stages = self.bundle.workflow.stages.keys().map(StageId::as_str);
        let template = match RoleTemplate::compile(role, stages) {
            Ok(template) => template,
            Err(errors) => {
                let errors = errors.iter();
                self.problems
                    .extend(errors.map(|error| Diagnostic::error("bad-template", &*path, error.to_string())));
                return None;
            }
        };
        let inputs = role.inputs.iter().enumerate().map(|(n, input)| {
            if is_id(input) {
                return Some(RoleInput::Named(input.clone()));
            }
            let parsed = ValueTemplate::parse(&input.as_str().into());
            Some(RoleInput::Value(self.keep(format_args!("{path}.inputs[{n}]"), parsed)?))
        });
        let inputs = inputs.collect::<Option<_>>()?;
        Some(RolePlan { role: role.clone(), template, inputs, needed: Vec::new(), schema })
    }
}
