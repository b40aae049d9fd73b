//! Entry points for fuzz targets: the readers of what agents print.

use std::path::Path;

use indexmap::IndexMap;
use serde_json::json;
use workflow_core::ids::RunId;
use workflow_core::provider::{CallId, CallRequest, Workspace};

use crate::acp;
use crate::agent::claude_code::ClaudeCode;
use crate::agent::cli::{Call, Cli, End, Outcome, Said, Trouble};
use crate::agent::codex::Codex;
use crate::agent::gemini::Gemini;
use crate::agent::grok::Grok;
use crate::agent::transcript::Transcript;

/// What a reader makes of a stream.
type Read = (Vec<Said>, Result<Outcome, Trouble>);

/// Reads `bytes` as the output of one of the agents, whole and in two pieces, and checks that both are the same.
///
/// # Panics
///
/// If they are not, or if a reader panics.
pub fn stream(agent: u8, code: Option<i32>, bytes: &[u8], cut: usize) {
    let (before, after) = bytes.split_at(cut.min(bytes.len()));
    let mut request = request();
    // The last of them continues a session.
    request.session = (agent % 6 == 5).then(|| "s-1".to_owned());
    let read = match agent % 6 {
        0 => transcript::<ClaudeCode>,
        1 => transcript::<Codex>,
        2 => transcript::<Gemini>,
        3 => transcript::<Grok>,
        _ => acp::read,
    };
    let end = End { code, ..End::default() };
    let whole = read(&request, &[bytes], &end);
    assert_eq!(whole, read(&request, &[before, after], &end), "cut at {}", before.len());
}

fn transcript<C: Cli>(request: &CallRequest, pieces: &[&[u8]], end: &End) -> Read {
    let place = Path::new("/");
    let call = Call { request, new_session: "new", scratch: place, directory: place, denied: &[] };
    let (mut transcript, mut said) = (Transcript::<C>::new(&call), Vec::new());
    let mut say = |piece| said.push(piece);
    for piece in pieces {
        transcript.push(piece, &mut say);
    }
    let outcome = transcript.end(end, &mut say);
    (said, outcome)
}

fn request() -> CallRequest {
    let run = RunId::new("fuzz").unwrap_or_else(|_| unreachable!("the id is valid"));
    let path = "1/work[0]/run".parse().unwrap_or_else(|_| unreachable!("the path is valid"));
    CallRequest {
        id: CallId { run, seed: 7, path, attempt: 1 },
        prompt: "hello".to_owned(),
        options: json!({ "command": ["agent"], "allow": ["read", "edit"], "ask": ["execute"] }),
        env: IndexMap::new(),
        cwd: None,
        session: None,
        session_usage: None,
        output_schema: None,
        skills: Vec::new(),
        workspace: Workspace::Shared,
    }
}
