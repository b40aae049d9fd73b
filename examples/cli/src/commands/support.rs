//! `support-bundle`: what a person needs to help with a run, without what the run is about.

use serde_json::{Map, Value, json};
use workflow_core::event::Event;
use workflow_service::runs::RunEvents;

use crate::error::Error;
use crate::exit::Exit;
use crate::host::Host;
use crate::print;
use crate::reference::RunRef;
use crate::store_url::Place;

/// How many events are read at once.
const PAGE: usize = 1_000;

/// Fields whose texts say how a run is built and how it goes, and not what it is about.
const STRUCTURE: &[&str] = &[
    "after",
    "at",
    "bundle",
    "class",
    "code",
    "completedAt",
    "createdAt",
    "from",
    "hash",
    "id",
    "join",
    "kind",
    "limit",
    "mode",
    "next",
    "node",
    "on_failure",
    "on_interrupt",
    "output_of",
    "parallel_strategy",
    "path",
    "profile",
    "provider",
    "ran_until",
    "retry_at",
    "retry_backoff",
    "role",
    "run",
    "stage",
    "stages",
    "startedAt",
    "status",
    "template",
    "timeout",
    "type",
    "until",
    "workflow",
    "workflowId",
];

/// Fields that are left out with everything in them.
const CONTENT: &[&str] = &[
    "answer",
    "by",
    "default",
    "details",
    "items",
    "outputs",
    "set",
    "startedBy",
    "stoppedBy",
    "value",
    "vars",
];

/// Prints what there is to know of a run as JSON: versions, the names of environment variables, the definition, and the
/// events. Texts that are content (prompts, options, variables, outputs, messages) are replaced by their length unless
/// `with_content` is set.
pub(crate) async fn support_bundle(place: &Place, run: &RunRef, with_content: bool) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, run).await?;
    let store = host.engine.store();
    let record = store.get(&run).await?;
    let bundle = store.bundle(&record.head.bundle).await?;
    let mut request = RunEvents { run_id: run.clone(), after: 0, limit: Some(PAGE), level: None };
    let mut events: Vec<Event> = Vec::new();
    loop {
        let page = host.ask(request.clone()).await?;
        events.extend(page.events);
        match page.next {
            Some(next) => request.after = next,
            None => break,
        }
    }
    let mut environment: Vec<_> =
        std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    environment.sort_unstable();
    let mut content = json!({ "definition": &*bundle, "head": record.head, "events": events });
    if !with_content {
        hide(&mut content, "");
    }
    let mut whole = json!({
        "format": 1,
        "program": env!("CARGO_PKG_VERSION"),
        "system": { "os": std::env::consts::OS, "arch": std::env::consts::ARCH },
        "store": place.to_string(),
        "environment": environment,
        "run": run,
        "holder": record.holder,
        "outputEntries": store.last_output(&run).await?,
        "withContent": with_content,
    });
    if let (Value::Object(whole), Value::Object(content)) = (&mut whole, content) {
        whole.extend(content);
    }
    print::json(&whole)?;
    if !with_content {
        print::to_stderr(
            "prompts, options, variables, outputs and messages are left out: look at it before you pass it on",
        );
    }
    Ok(Exit::DONE)
}

/// Replaces texts that are content by their length. `key` is the name of the field that `value` is in.
fn hide(value: &mut Value, key: &str) {
    match value {
        _ if CONTENT.contains(&key) => *value = hidden(value),
        Value::String(_) if !STRUCTURE.contains(&key) => *value = hidden(value),
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, key)),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| hide(value, key)),
        _ => {}
    }
}

fn hidden(value: &Value) -> Value {
    if value.is_null() {
        return Value::Null;
    }
    let length = value.as_str().map_or_else(|| value.to_string().len(), str::len);
    Value::Object(Map::from_iter([("bytes".to_owned(), length.into())]))
}
