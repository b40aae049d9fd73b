//! The session of a client.

use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, JsonObject,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use workflow_core::definition::did_you_mean;
use workflow_core::ids::{RunId, WorkflowId};

use super::follow::{read, settled};
use super::resources;
use super::tools::{Entry, LONGEST_WAIT, TOOLS, WAIT, tools};
use crate::caller::Caller;
use crate::camel;
use crate::code::Code;
use crate::error::ServiceError;
use crate::operation::parse;
use crate::runs::GetRun;
use crate::service::Service;
use crate::workflows::{GetWorkflow, ListInputs, WorkflowText};

/// What an agent is told of the server.
const INSTRUCTIONS: &str = "Runs workflows: stages of agents, commands and approvals that are written in YAML. \
    `list_workflows` and `describe_workflow` show what can be run, `run_workflow` starts a run, `run_status` with \
    `waitSeconds` follows it. A run that waits for a person has its questions in `waits`: show them to the user, and \
    pass the answer on with `answer_run`.";

/// The session of a client.
pub(super) struct Server {
    service: Service,
    caller: Caller,
    /// Whether the session ends.
    closed: watch::Receiver<bool>,
}

impl Server {
    pub(super) fn new(service: Service, caller: Caller, closed: watch::Receiver<bool>) -> Self {
        Self { service, caller, closed }
    }

    async fn call(
        &self,
        tool: &Entry,
        mut arguments: JsonObject,
        context: &RequestContext<RoleServer>,
    ) -> Result<Value, ServiceError> {
        let wait = if tool.waits { waiting(&mut arguments)? } else { Duration::ZERO };
        match tool.name {
            "describe_workflow" => self.describe(arguments).await,
            "run_status" => {
                if wait.is_zero() {
                    return self.operation(tool, &arguments).await;
                }
                let arguments = serde_json::to_string(&arguments).map_err(|error| internal(&error))?;
                let request: GetRun = parse(&arguments)?;
                self.settled(&request.run_id, wait, context).await
            }
            "run_workflow" => {
                let mut started = self.operation(tool, &arguments).await?;
                if let (false, Value::Object(members)) = (wait.is_zero(), &mut started)
                    && let Ok(run_id) = run_id(members)
                {
                    // The run was started, also if waiting for it fails.
                    match self.settled(&run_id, wait, context).await {
                        Ok(Value::Object(found)) => members.extend(found),
                        Ok(_) => {}
                        Err(error) => drop(members.insert("waiting".to_owned(), json!({ "error": error }))),
                    }
                }
                Ok(started)
            }
            _ => self.operation(tool, &arguments).await,
        }
    }

    /// Carries out the operation of a tool.
    async fn operation(&self, tool: &Entry, arguments: &JsonObject) -> Result<Value, ServiceError> {
        let request = serde_json::to_string(arguments).map_err(|error| internal(&error))?;
        let envelope = self.service.call(tool.operation, &request, &self.caller).await;
        match (envelope.data, envelope.error) {
            (_, Some(error)) => Err(error),
            (data, None) => {
                let data = data.map_or(Ok(Value::Null), |data| serde_json::from_str(data.get()));
                data.map_err(|error| internal(&error))
            }
        }
    }

    async fn describe(&self, arguments: JsonObject) -> Result<Value, ServiceError> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Named {
            id: WorkflowId,
        }
        #[derive(Serialize)]
        struct Described<T> {
            workflow: WorkflowText,
            /// What it can be given; absent if the definition has errors, which `problem` names.
            inputs: Option<T>,
            problem: Option<ServiceError>,
        }
        let Named { id } = serde_json::from_value(Value::Object(arguments))
            .map_err(|error| ServiceError::invalid_request(format!("the arguments: {error}")))?;
        let found = self.service.ask(&self.caller, GetWorkflow { id: id.clone() }).await?;
        let workflow = found.into();
        // The text of a workflow with errors is returned with the errors, so that the agent can correct it.
        let described = match self.service.ask(&self.caller, ListInputs { id }).await {
            Ok(inputs) => Described { workflow, inputs: Some(inputs), problem: None },
            Err(error) if error.code == Code::Forbidden => return Err(error),
            Err(error) => Described { workflow, inputs: None, problem: Some(error) },
        };
        camel::to_value(&described).map_err(|error| internal(&error))
    }

    async fn settled(
        &self,
        run: &RunId,
        longest: Duration,
        context: &RequestContext<RoleServer>,
    ) -> Result<Value, ServiceError> {
        let closed = self.closed.clone();
        let found = read(&self.service, &self.caller, run).await?;
        let found = settled(&self.service, &self.caller, found, longest, context, closed).await?;
        camel::to_value(&found).map_err(|error| internal(&error))
    }
}

/// Takes from the arguments how long to wait.
fn waiting(arguments: &mut JsonObject) -> Result<Duration, ServiceError> {
    let Some(wait) = arguments.shift_remove(WAIT) else { return Ok(Duration::ZERO) };
    let seconds = wait.as_f64().filter(|seconds| (0.0..=f64::from(LONGEST_WAIT)).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| {
        ServiceError::invalid_request(format!("`{WAIT}` is a number from 0 to {LONGEST_WAIT}, found {wait}"))
    })
}

fn run_id(members: &JsonObject) -> Result<RunId, ServiceError> {
    let id = members.get("runId").and_then(Value::as_str).unwrap_or_default();
    RunId::new(id).map_err(|error| ServiceError::invalid_request(format!("`runId`: {error}")))
}

fn internal(error: &serde_json::Error) -> ServiceError {
    ServiceError::new(Code::Internal, error.to_string())
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().build();
        let server = Implementation::new("workflow", env!("CARGO_PKG_VERSION")).with_title("Workflows");
        ServerConfig::new(capabilities).with_server_info(server).with_instructions(INSTRUCTIONS)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools().iter().find(|tool| tool.name == name).cloned()
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools().to_vec()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = TOOLS.iter().find(|tool| tool.name == request.name) else {
            let near = did_you_mean(&request.name, TOOLS.iter().map(|tool| tool.name));
            return Err(ErrorData::invalid_params(
                format!("there is no tool `{}`{near}", request.name),
                None,
            ));
        };
        let called = self.call(tool, request.arguments.unwrap_or_default(), &context).await;
        let result = match called {
            Ok(data) => CallToolResult::structured(data),
            Err(error) => {
                let error = camel::to_value(&error).unwrap_or_else(|_| json!({ "message": error.message }));
                CallToolResult::structured_error(error)
            }
        };
        Ok(result.into())
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        resources::list(&self.service, &self.caller, request.and_then(|request| request.cursor)).await
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(resources::templates()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        Ok(resources::read(&self.service, &self.caller, request.uri).await?.into())
    }
}
