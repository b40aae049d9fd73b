//! The slot that a run of a plan needs.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::Value;

use crate::data::Data;
use crate::expr::{Name, Scope, Template};
use crate::plan::model::Plan;
use crate::slot::RunSlot;

impl Plan {
    /// The slot that a run with these variables needs; defaults of inputs are among them
    /// ([`start_variables`](Self::start_variables)).
    ///
    /// # Errors
    ///
    /// Why there is no key: a variable is missing, or the key is empty, too long or has control characters.
    pub fn slot(&self, vars: &IndexMap<String, Data>) -> Result<Option<RunSlot>, String> {
        let Some(concurrency) = &self.workflow().concurrency else { return Ok(None) };
        let key = Template::parse(&concurrency.key).map_err(|error| error.message);
        let key = key.and_then(|key| key.render_text(&Variables(vars)).map_err(|error| error.to_string()));
        let key = key.map_err(|problem| format!("`workflow.concurrency.key`: {problem}"))?;
        RunSlot::check_key(&key).map_err(|problem| format!("`workflow.concurrency.key` {problem}"))?;
        Ok(Some(RunSlot { key, mode: concurrency.mode }))
    }
}

/// The variables that a run is started with.
struct Variables<'v>(&'v IndexMap<String, Data>);

impl Scope for Variables<'_> {
    fn lookup(&self, name: &Name) -> Option<Cow<'_, Value>> {
        let value = self.0.get(name.segment(1)?).filter(|_| name.root() == "vars")?;
        name.select(2, Cow::Owned(value.exact_value()))
    }

    fn known(&self) -> Vec<String> {
        self.0.keys().map(|name| format!("vars.{name}")).collect()
    }
}
