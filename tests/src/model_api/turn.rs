//! The content of one answer of the model.

use serde_json::{Map, Value, json};

use super::asked::{Asked, Tools};
use super::instance::instance;
use super::scenario::Scenario;

/// The text.
pub const TEXT: &str = "Hello from the fake.";
/// The thought, in the scenario `think`.
pub const THOUGHT: &str = "Let me think.";
/// The shell command, in the scenario `tool`.
pub const COMMAND: &str = "echo tool-ran > tool_out.txt && cat tool_out.txt";

/// The names of the shell tools of the command lines.
const SHELLS: &[&str] = &[
    "Bash",
    "exec_command",
    "shell_command",
    "shell",
    "local_shell",
    "run_shell_command",
    "run_terminal_command",
    "run_terminal_cmd",
    "bash",
    "terminal",
    "execute",
];

/// Claude Code's tool for an answer that must match a schema.
const STRUCTURED: &str = "StructuredOutput";

/// One answer of the model.
#[derive(Debug)]
pub(super) struct Turn {
    /// The thought before it; none if empty.
    pub thought: &'static str,
    /// The text; none if empty.
    pub text: String,
    /// The tool call, with its input.
    pub call: Option<(String, Value)>,
    /// Whether the token limit ends it.
    pub cut_short: bool,
    /// The fault after half of the text.
    pub fault: Option<Fault>,
}

/// A fault within a stream.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// An error of the API.
    Error,
    /// The connection is closed.
    Cut,
    /// No more data is sent.
    Hang,
}

impl Turn {
    /// The answer of a scenario's model to this request.
    pub(super) fn of(scenario: Scenario, asked: &Asked) -> Self {
        let mut turn = Self { thought: "", text: TEXT.to_owned(), call: None, cut_short: false, fault: None };
        let shell = |command| shell_call(&asked.tools, command);
        match scenario {
            Scenario::Think => turn.thought = THOUGHT,
            Scenario::Tool | Scenario::ToolFail | Scenario::SlowTool if !asked.answered => {
                turn.call = shell(match scenario {
                    Scenario::ToolFail => "echo oops >&2; exit 3",
                    // Claude Code refuses a bare `sleep`.
                    Scenario::SlowTool => "tail -f /dev/null",
                    _ => COMMAND,
                });
                if turn.call.is_some() {
                    "I will run a command.".clone_into(&mut turn.text);
                }
            }
            Scenario::Loop => {
                turn.call = shell("echo loop");
                if turn.call.is_some() {
                    turn.text.clear();
                }
            }
            Scenario::Edits => turn.call = file_call(asked),
            Scenario::Json => turn.fit(asked),
            Scenario::Empty => turn.text.clear(),
            Scenario::MaxTokens => turn.cut_short = true,
            Scenario::MidFail => turn.fault = Some(Fault::Error),
            Scenario::Cut => turn.fault = Some(Fault::Cut),
            Scenario::Hang => turn.fault = Some(Fault::Hang),
            _ => {}
        }
        turn
    }

    /// Answers with a value that matches the schema, with the tool for that if there is one.
    fn fit(&mut self, asked: &Asked) {
        match asked.tools.get(STRUCTURED) {
            Some(_) if asked.answered => {}
            Some(schema) => {
                self.text.clear();
                self.call = Some((STRUCTURED.to_owned(), instance(schema)));
            }
            None => {
                let schema = asked.wanted_schema();
                let answer = schema.map_or_else(|| json!({ "name": "fake", "count": 2 }), |s| instance(&s));
                self.text = answer.to_string();
            }
        }
    }

    /// The text in the pieces in which it is streamed.
    pub(super) fn pieces(&self) -> Vec<&str> {
        pieces(&self.text)
    }
}

/// A text in two halves, or in one piece if it is too short.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    let half = text.len() / 2;
    let middle = (0..=half).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let (first, second) = text.split_at(middle);
    [first, second].into_iter().filter(|piece| !piece.is_empty()).collect()
}

/// The content of the file of the scenario `edits` before.
pub const BEFORE: &str = "as it was";
/// Its content after it was overwritten and edited.
pub const AFTER: &str = "edited, written";

/// The next call of a tool that reads, overwrites or edits the file that the prompt names.
fn file_call(asked: &Asked) -> Option<(String, Value)> {
    let (_, path) = asked.prompt.split_once("the file `")?;
    let (path, _) = path.split_once('`')?;
    let calls = [
        ("Read", json!({ "file_path": path })),
        ("Write", json!({ "file_path": path, "content": "as it was, written" })),
        ("Edit", json!({ "file_path": path, "old_string": BEFORE, "new_string": "edited" })),
    ];
    let (tool, input) = calls.into_iter().nth(asked.results)?;
    asked.tools.contains_key(tool).then(|| (tool.to_owned(), input))
}

/// A call of the offered shell tool, with the inputs that its schema requires besides the command.
fn shell_call(tools: &Tools, command: &str) -> Option<(String, Value)> {
    let name = *SHELLS.iter().find(|name| tools.contains_key(**name))?;
    let schema = &tools[name];
    let empty = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let kind = |name: &str| properties.get(name).and_then(|of| of.get("type")).and_then(Value::as_str);
    if name == "shell" && kind("command") == Some("array") {
        return Some((name.to_owned(), json!({ "command": ["bash", "-lc", command] })));
    }
    let key = ["command", "cmd", "script"].into_iter().find(|key| properties.contains_key(*key));
    let key = key.unwrap_or("command");
    let mut arguments = Map::new();
    arguments.insert(key.to_owned(), command.into());
    for required in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        let Some(required) = required.as_str().filter(|name| *name != key) else { continue };
        let value = match kind(required) {
            Some("boolean") => json!(false),
            Some("integer" | "number") => json!(1),
            Some("array") => json!([]),
            Some("object") => json!({}),
            _ => json!("run a fake command"),
        };
        arguments.insert(required.to_owned(), value);
    }
    Some((name.to_owned(), arguments.into()))
}
