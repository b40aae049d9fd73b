//! What providers add to the programs that they run: reading the streams of agents, and starting a command.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use futures::executor::block_on;
use indexmap::IndexMap;
use serde_json::{Value, json};
use workflow_core::ids::RunId;
use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, Workspace};
use workflow_core::stop::StopSource;
use workflow_providers::{ClaudeCodeProvider, CodexProvider, CommandProvider, GeminiProvider, GrokProvider};
use workflow_testkit::provider::Host;

use crate::measure::{Effort, Result, all_busy, busy, repeat, timed};
use crate::table::Row;

/// Streams that the command lines printed.
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/workflow-providers/tests/fixtures");

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let mut rows = Vec::new();
    for (name, recorded) in [
        ("claude-code", "claude-tool-allowed"),
        ("codex", "codex-tool-ws"),
        ("gemini", "gemini-tool-yolo"),
        ("grok", "grok-tool-yolo"),
    ] {
        rows.push(stream(effort, folder.path(), name, recorded)?);
    }
    rows.push(start(effort, folder.path())?);
    Ok(rows)
}

/// A call whose program prints a recorded stream with its middle repeated: the processor time of this process, for each
/// line. The floor: parsing the lines.
fn stream(effort: Effort, folder: &Path, name: &str, recorded: &str) -> Result<Row> {
    let lines = effort.amount(20_000);
    let text = fs::read_to_string(Path::new(RECORDED).join(format!("{recorded}.jsonl")))?;
    let text: Vec<&str> = text.lines().collect();
    let [first, middle @ .., last] = &*text else { return Err(format!("{recorded} is too short").into()) };
    let middle = middle.iter().cycle().take(lines);
    let all: Vec<&str> = std::iter::once(first).chain(middle).chain([last]).copied().collect();
    fs::write(folder.join(name), all.join("\n") + "\n")?;
    let program = folder.join(format!("{name}.sh"));
    fs::write(&program, format!("#!/bin/sh\nexec cat '{}'\n", folder.join(name).display()))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let provider: Box<dyn Provider> = match name {
        "claude-code" => Box::new(ClaudeCodeProvider::builder().program(program).work_root(folder).build()),
        "codex" => Box::new(CodexProvider::builder().program(program).work_root(folder).build()),
        "gemini" => Box::new(GeminiProvider::builder().program(program).work_root(folder).build()),
        _ => Box::new(GrokProvider::builder().program(program).work_root(folder).build()),
    };
    let [read, floor] = repeat(effort.repetitions(), lines, || {
        let (called, read) = all_busy(|| call(&*provider, json!({})));
        called?;
        let (parsed, floor) =
            busy(|| all.iter().flat_map(|line| serde_json::from_str::<Value>(line)).count());
        if parsed < lines {
            return Err(format!("{recorded}: {parsed} of {lines} lines are records").into());
        }
        Ok([read, floor])
    })?;
    Ok(Row::times(format!("a line of {name} read"), read, Some(floor)))
}

/// A call of a command that does nothing. The floor: the same program, started and waited for by the standard library.
fn start(effort: Effort, folder: &Path) -> Result<Row> {
    const CALLS: usize = 20;
    let provider = CommandProvider::builder().work_root(folder).build();
    let [called, floor] = repeat(effort.repetitions(), CALLS, || {
        let (done, called) =
            timed(|| (0..CALLS).try_for_each(|_| call(&provider, json!({ "command": ["true"] }))));
        done?;
        let (done, floor) = timed(|| {
            (0..CALLS).try_for_each(|_| {
                let mut command = Command::new("true");
                command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output().map(drop)
            })
        });
        done?;
        Ok([called, floor])
    })?;
    Ok(Row::times("a call of a command", called, Some(floor)))
}

/// Makes a call. How it ends does not matter here: the repeated records of a stream can contradict each other.
fn call(provider: &dyn Provider, options: Value) -> Result<()> {
    let id = CallId { run: RunId::new("bench")?, seed: 7, path: "1/work[0]/run".parse()?, attempt: 1 };
    let request = CallRequest {
        id: id.clone(),
        prompt: "hello".to_owned(),
        options,
        env: IndexMap::new(),
        cwd: None,
        session: None,
        session_usage: None,
        output_schema: None,
        skills: Vec::new(),
        workspace: Workspace::Shared,
    };
    let stop = StopSource::new();
    let _ = block_on(provider.call(request, CallContext::new(id, stop.signal(), Arc::<Host>::default())));
    Ok(())
}
