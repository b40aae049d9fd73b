//! An agent that is built with the crate of the protocol's own organisation: it reads what we write, and we read what it
//! writes.

use agent_client_protocol::v1::schema::{
    AgentCapabilities, CancelNotification, ContentBlock, ContentChunk, Implementation, InitializeRequest,
    InitializeResponse, LoadSessionRequest, LoadSessionResponse, NewSessionRequest, NewSessionResponse,
    PermissionOption, PermissionOptionKind, PromptRequest, PromptResponse, RequestPermissionOutcome,
    RequestPermissionRequest, SessionNotification, SessionUpdate, StopReason, TextContent, ToolCall,
    ToolCallUpdate, ToolCallUpdateFields, ToolKind,
};
use agent_client_protocol::{Agent, Stdio};
use futures::executor::block_on;
use serde_json::json;
use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::provider::Provider as _;
use workflow_core::stop::Stop;
use workflow_providers::AcpProvider;

use crate::call::{Call, eventually, unique_run};
use crate::{common, processes};

/// Makes this program an agent, if it is set.
const VARIABLE: &str = "ACP_TEST_AGENT";

fn says(text: &str) -> SessionUpdate {
    SessionUpdate::AgentMessageChunk(ContentChunk::new(ContentBlock::Text(TextContent::new(text))))
}

/// The agent: this test's own program, started again.
#[test]
fn agent() {
    if std::env::var_os(VARIABLE).is_none() {
        return;
    }
    let agent = Agent
        .v1()
        .on_receive_request(
            async move |request: InitializeRequest, responder, _| {
                let response = InitializeResponse::new(request.protocol_version)
                    .agent_capabilities(AgentCapabilities::new().load_session(true))
                    .agent_info(Implementation::new("official", "5"));
                responder.respond(response)
            },
            agent_client_protocol::on_receive_request!(),
        )
        .on_receive_request(
            async move |request: NewSessionRequest, responder, _| {
                assert!(request.cwd.is_absolute());
                responder.respond(NewSessionResponse::new("official-1"))
            },
            agent_client_protocol::on_receive_request!(),
        )
        .on_receive_request(
            async move |request: LoadSessionRequest, responder, connection| {
                let update = says("from before");
                connection.send_notification(SessionNotification::new(request.session_id, update))?;
                responder.respond(LoadSessionResponse::new())
            },
            agent_client_protocol::on_receive_request!(),
        )
        .on_receive_notification(
            async move |_: CancelNotification, _| Ok(()),
            agent_client_protocol::on_receive_notification!(),
        )
        .on_receive_request(
            async move |request: PromptRequest, responder, connection| {
                let ContentBlock::Text(prompt) = &request.prompt[0] else { panic!("no text") };
                let (prompt, session) = (prompt.text.clone(), request.session_id.clone());
                let tell =
                    |update| connection.send_notification(SessionNotification::new(session.clone(), update));
                tell(says(&format!("You said: {prompt}")))?;
                if prompt.contains("wait") {
                    // Answered by no one: the client has to stop this program.
                    std::mem::forget(responder);
                    return Ok(());
                }
                tell(SessionUpdate::ToolCall(ToolCall::new("t", "Edit a.rs").kind(ToolKind::Edit)))?;
                let fields = ToolCallUpdateFields::new().title("Edit a.rs".to_owned()).kind(ToolKind::Edit);
                let options = vec![
                    PermissionOption::new("yes", "Yes", PermissionOptionKind::AllowOnce),
                    PermissionOption::new("no", "No", PermissionOptionKind::RejectOnce),
                ];
                let call = ToolCallUpdate::new("t", fields);
                let asked =
                    connection.send_request(RequestPermissionRequest::new(session.clone(), call, options));
                let theirs = connection.clone();
                connection.spawn(async move {
                    let outcome = match asked.block_task().await?.outcome {
                        RequestPermissionOutcome::Selected(selected) => selected.option_id.to_string(),
                        _ => "none".to_owned(),
                    };
                    let update = says(&format!("The answer was: {outcome}"));
                    theirs.send_notification(SessionNotification::new(session, update))?;
                    responder.respond(PromptResponse::new(StopReason::EndTurn))
                })
            },
            agent_client_protocol::on_receive_request!(),
        );
    block_on(agent.connect_to(Stdio::new())).unwrap();
}

fn provider() -> AcpProvider {
    let folder = std::env::temp_dir();
    AcpProvider::builder()
        .work_root(folder)
        .env(VARIABLE, "1")
        .grace(std::time::Duration::from_secs(1))
        .build()
}

fn request(prompt: &str, allow: &[&str]) -> workflow_core::provider::CallRequest {
    let program = std::env::current_exe().unwrap();
    let command = json!([program, "--exact", "official::agent", "--nocapture", "--test-threads=2"]);
    common::request(&unique_run(), prompt, json!({ "command": command, "allow": allow }))
}

#[test]
fn a_prompt_is_answered_with_a_permission_in_between() {
    for (allow, answer) in [(&["edit"][..], "yes"), (&[], "no")] {
        let request = request("hello", allow);
        let (context, said, _stop) = common::context(&request);
        let reply = block_on(provider().call(request, context)).unwrap();
        assert_eq!(reply.output.json(), format!("\"The answer was: {answer}\""));
        assert_eq!(reply.session.as_deref(), Some("official-1"));
        assert_eq!(reply.details.unwrap()["agent"]["name"], "official");
        assert_eq!(said.of(OutputKind::Tool), ["Edit a.rs"]);
        assert_eq!(said.of(OutputKind::TextDelta)[0], "You said: hello");
    }
}

#[test]
fn a_session_is_loaded_again() {
    let mut request = request("again", &[]);
    request.session = Some("official-0".to_owned());
    let (context, said, _stop) = common::context(&request);
    let reply = block_on(provider().call(request, context)).unwrap();
    assert_eq!(reply.session.as_deref(), Some("official-0"));
    assert_eq!(said.of(OutputKind::TextDelta)[0], "You said: again");
}

#[test]
fn a_prompt_that_is_not_answered_is_stopped() {
    let call = Call::start(&provider(), request("wait", &[]));
    eventually("the agent speaks", || !call.said.of(OutputKind::TextDelta).is_empty());
    call.stop.stop(Stop::Gracefully);
    assert_eq!(call.end().unwrap_err().failure.class, FailureClass::Cancelled);
    assert_eq!(processes::of_run(&call.run), Vec::<i32>::new());
}
