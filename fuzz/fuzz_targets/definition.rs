//! Any bytes as a workflow file: read, checked, completed, compiled, written and changed.
//!
//! `cargo fuzz run --sanitizer none definition -- -max_total_time=20 -dict=fuzz/definition.dict`

#![no_main]

use libfuzzer_sys::fuzz_target;
use workflow_core::bundle::Bundle;
use workflow_core::definition::{self, Defaults, Diagnostic, edit};
use workflow_core::plan::Plan;

fuzz_target!(|text: &[u8]| {
    let parsed = definition::parse(text, None);
    let is_refused = parsed.diagnostics.iter().any(Diagnostic::is_error);
    assert_eq!(is_refused, parsed.workflow.is_none());

    if let Some(workflow) = parsed.workflow {
        assert!(!definition::validate(&workflow).iter().any(Diagnostic::is_error));
        let written = workflow.to_yaml().expect("what was read can be written");
        let again = definition::parse(written.as_bytes(), None).workflow;
        assert_eq!(again.as_ref(), Some(&workflow), "{written}");

        let defaults = Defaults { provider: Some("codex".to_owned()) };
        if let Ok(resolved) = definition::resolve(&workflow, &defaults) {
            Plan::compile(Bundle::new(resolved)).expect("what is resolved can be compiled");
        }
    }
    if let Ok(text) = std::str::from_utf8(text) {
        for path in ["plan", "plan.provider", "workflow.loop.max_iters", "plan.providers[0].role"] {
            // Both read again what they return.
            let _ = edit::set_field(text, path, &"new: value".into());
            let _ = edit::remove_field(text, path);
        }
    }
});
