//! Runs, and reports about them, as resources.

use rmcp::ErrorData;
use rmcp::model::{ListResourcesResult, ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::json;
use workflow_core::ids::RunId;
use workflow_core::store::RunRecord;

use crate::caller::Caller;
use crate::camel;
use crate::code::Code;
use crate::error::ServiceError;
use crate::report::{ReportFormat, ReportRun};
use crate::runs::{GetRun, ListRuns};
use crate::service::Service;

const RUNS: &str = "workflow://runs/";
const REPORT: &str = "/report";
const JSON: &str = "application/json";
const MARKDOWN: &str = "text/markdown";

/// The forms of resources.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    let run = ResourceTemplate::new(format!("{RUNS}{{runId}}"), "run")
        .with_title("A run")
        .with_description("A run with its status, stages, outputs, open questions and usage.")
        .with_mime_type(JSON);
    let report = ResourceTemplate::new(format!("{RUNS}{{runId}}{REPORT}"), "report")
        .with_title("The report of a run")
        .with_description("What a run did, for readers who were not there: outcome, times, cost, stages, failures explained, what to do.")
        .with_mime_type(MARKDOWN);
    vec![report, run]
}

/// A page of the reports, that of the newest run first.
pub(super) async fn list(
    service: &Service,
    caller: &Caller,
    cursor: Option<String>,
) -> Result<ListResourcesResult, ErrorData> {
    let after = cursor.map(RunId::new).transpose();
    let after = after.map_err(|error| ErrorData::invalid_params(format!("the cursor: {error}"), None))?;
    let page = service.ask(caller, ListRuns { after, ..ListRuns::default() }).await;
    let page = page.map_err(|error| failed(&error, None))?;
    let mut result = ListResourcesResult::with_all_items(page.runs.iter().map(resource).collect());
    result.next_cursor = page.next.map(|next| next.to_string());
    Ok(result)
}

fn resource(run: &RunRecord) -> Resource {
    let name = format!("{} {}", run.head.workflow_id, run.run_id);
    Resource::new(format!("{RUNS}{}{REPORT}", run.run_id), name)
        .with_description(format!("Report: {}, created at {}", run.head.status, run.head.created_at))
        .with_mime_type(MARKDOWN)
}

/// The contents of a resource.
pub(super) async fn read(
    service: &Service,
    caller: &Caller,
    uri: String,
) -> Result<ReadResourceResult, ErrorData> {
    let run = uri.strip_prefix(RUNS).unwrap_or_default();
    let (run, is_report) = run.strip_suffix(REPORT).map_or((run, false), |run| (run, true));
    let run_id = RunId::new(run).map_err(|_| {
        let message =
            format!("there is no resource `{uri}`: the resources are {RUNS}ID and {RUNS}ID{REPORT}");
        failed(&ServiceError::not_found(message), Some(&uri))
    })?;
    let (text, kind) = if is_report {
        let report = ReportRun { run_id, format: ReportFormat::Markdown };
        let reported = service.ask(caller, report).await.map_err(|error| failed(&error, Some(&uri)))?;
        (reported.text.unwrap_or_default(), MARKDOWN)
    } else {
        let detail =
            service.ask(caller, GetRun { run_id }).await.map_err(|error| failed(&error, Some(&uri)))?;
        let text = camel::to_json(&detail);
        (text.map_err(|error| ErrorData::internal_error(error.to_string(), None))?, JSON)
    };
    Ok(ReadResourceResult::new(vec![ResourceContents::text(text, uri).with_mime_type(kind)]))
}

/// An error of the protocol, which has the service's code in its data.
fn failed(error: &ServiceError, uri: Option<&str>) -> ErrorData {
    let data = Some(json!({ "code": error.code, "uri": uri }));
    match error.code {
        Code::NotFound => ErrorData::resource_not_found(error.message.clone(), data),
        Code::Internal | Code::Damaged | Code::Unavailable => {
            ErrorData::internal_error(error.message.clone(), data)
        }
        _ => ErrorData::invalid_request(error.message.clone(), data),
    }
}
