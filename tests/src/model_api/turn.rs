//! The content of one answer of the model.

use serde_json::{Value, json};

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

/// The names of the tools that read, overwrite and edit a file.
const FILES: [&[&str]; 3] =
    [&["Read", "read_file"], &["Write", "write_file", "write"], &["Edit", "replace", "search_replace"]];

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
    let inputs = [
        json!({}),
        json!({ "content": "as it was, written" }),
        json!({ "old_string": BEFORE, "new_string": "edited" }),
    ];
    let offered = FILES.iter().zip(inputs).filter_map(|(names, input)| {
        Some((*names.iter().find(|name| asked.tools.contains_key(**name))?, input))
    });
    let (tool, mut input) = offered.into_iter().nth(asked.results)?;
    let schema = &asked.tools[tool];
    let key = ["file_path", "target_file", "path"].into_iter().find(|key| has_property(schema, key));
    input[key.unwrap_or("file_path")] = path.into();
    fill(schema, &mut input);
    Some((tool.to_owned(), input))
}

/// A call of the offered shell tool, with the inputs that its schema requires besides the command.
fn shell_call(tools: &Tools, command: &str) -> Option<(String, Value)> {
    let name = *SHELLS.iter().find(|name| tools.contains_key(**name))?;
    let schema = &tools[name];
    if name == "shell" && kind(schema, "command") == Some("array") {
        return Some((name.to_owned(), json!({ "command": ["bash", "-lc", command] })));
    }
    let key = ["command", "cmd", "script"].into_iter().find(|key| has_property(schema, key));
    let mut arguments = json!({ key.unwrap_or("command"): command });
    fill(schema, &mut arguments);
    Some((name.to_owned(), arguments))
}

fn has_property(schema: &Value, name: &str) -> bool {
    schema["properties"].get(name).is_some()
}

fn kind<'a>(schema: &'a Value, name: &str) -> Option<&'a str> {
    schema["properties"][name]["type"].as_str()
}

/// Adds the inputs that a tool requires and that are not given.
fn fill(schema: &Value, arguments: &mut Value) {
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if arguments.get(required).is_some() {
            continue;
        }
        arguments[required] = match kind(schema, required) {
            Some("boolean") => json!(false),
            Some("integer" | "number") => json!(1),
            Some("array") => json!([]),
            Some("object") => json!({}),
            _ => json!("as a test"),
        };
    }
}
