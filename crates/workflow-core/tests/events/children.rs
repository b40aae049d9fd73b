//! The events of runs that nodes start, and their lines in a log.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::json;
use workflow_core::bundle::BundleHash;
use workflow_core::data::Data;
use workflow_core::definition::Budget;
use workflow_core::event::{ChildEnded, ChildStarted, EventBody, ParentRun, RunCreated};
use workflow_core::priority::Priority;
use workflow_core::status::RunStatus;
use workflow_core::usage::Spent;

use crate::kinds::id;

/// Each with and without its optional fields, and its stored form.
pub(crate) fn kinds() -> Vec<(EventBody, &'static str)> {
    let path = || id("2/test[1]/run");
    let hash = || BundleHash::try_from("0f".repeat(32)).unwrap();
    let vars = || IndexMap::from([("b".to_owned(), Data::new(&json!(1))), ("a".to_owned(), Data::NULL)]);
    vec![
        (
            EventBody::RunCreated(Arc::new(RunCreated {
                run: id("r-2"),
                workflow: id("ship"),
                bundle: hash(),
                vars: IndexMap::new(),
                labels: BTreeMap::new(),
                on_failure: None,
                interactive: false,
                max_iters: None,
                isolated: false,
                slot: None,
                priority: Priority::NORMAL,
                parent: Some(Arc::new(ParentRun { run: id("r-1"), path: path(), attempt: 2 })),
                budget: Some(Box::new(Budget { tokens: Some(40), ..Budget::default() })),
                seed: 0,
                by: None,
                signature: None,
            })),
            concat!(
                r#""type":"run_created","data":{"run":"r-2","workflow":"ship","#,
                r#""bundle":"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","#,
                r#""parent":{"run":"r-1","path":"2/test[1]/run","attempt":2},"budget":{"tokens":40},"seed":0}"#,
            ),
        ),
        (
            EventBody::ChildStarted(Arc::new(ChildStarted {
                path: path(),
                attempt: 2,
                run: id("r-2"),
                workflow: id("ship"),
                vars: vars(),
            })),
            concat!(
                r#""type":"child_started","data":{"path":"2/test[1]/run","attempt":2,"run":"r-2","workflow":"ship","#,
                r#""vars":{"b":1,"a":null}}"#,
            ),
        ),
        (
            EventBody::ChildStarted(Arc::new(ChildStarted {
                path: path(),
                attempt: 1,
                run: id("r-2"),
                workflow: id("ship"),
                vars: IndexMap::new(),
            })),
            r#""type":"child_started","data":{"path":"2/test[1]/run","attempt":1,"run":"r-2","workflow":"ship"}"#,
        ),
        (
            EventBody::ChildEnded(Box::new(ChildEnded {
                path: path(),
                attempt: 2,
                run: id("r-2"),
                status: Some(RunStatus::Completed),
                spent: Spent {
                    attempts: 3,
                    cost_usd: Some(0.25),
                    unpriced: 1,
                    tokens: Some(70),
                    uncounted: 2,
                    time_ms: 900,
                },
            })),
            concat!(
                r#""type":"child_ended","data":{"path":"2/test[1]/run","attempt":2,"run":"r-2","status":"completed","#,
                r#""spent":{"attempts":3,"cost_usd":0.25,"unpriced":1,"tokens":70,"uncounted":2,"time_ms":900}}"#,
            ),
        ),
        (
            EventBody::ChildEnded(Box::new(ChildEnded {
                path: path(),
                attempt: 1,
                run: id("r-2"),
                status: None,
                spent: Spent::default(),
            })),
            r#""type":"child_ended","data":{"path":"2/test[1]/run","attempt":1,"run":"r-2","spent":{"attempts":0}}"#,
        ),
    ]
}
