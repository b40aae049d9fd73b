//! A minimal HTTP client, and the four APIs of the fake.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};
use workflow_tests::model_api::{ModelApi, Scenario};

/// A response.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    /// Whether the body is complete.
    pub(crate) whole: bool,
}

/// A connection on which a request was sent.
pub(crate) struct Asked(BufReader<TcpStream>);

impl Asked {
    pub(crate) fn stream(&self) -> &TcpStream {
        self.0.get_ref()
    }

    /// Reads until this text has arrived.
    pub(crate) fn read_until(&mut self, text: &str) -> String {
        let mut read = String::new();
        while !read.contains(text) {
            assert_ne!(self.0.read_line(&mut read).unwrap(), 0, "only this came: {read}");
        }
        read
    }

    /// Everything until the connection is closed, for any reason.
    pub(crate) fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest);
        rest
    }

    fn response(self) -> Response {
        let text = String::from_utf8(self.rest()).unwrap();
        let (head, mut rest) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let head = head.to_ascii_lowercase();
        if !head.contains("transfer-encoding: chunked") {
            return Response { status, head, body: rest.to_owned(), whole: true };
        }
        let mut body = String::new();
        let whole = loop {
            let Some((size, after)) = rest.split_once("\r\n") else { break false };
            let size = usize::from_str_radix(size, 16).unwrap();
            if size == 0 {
                break true;
            }
            body.push_str(&after[..size]);
            rest = &after[size + 2..];
        };
        Response { status, head, body, whole }
    }
}

/// Sends a request whose body is JSON.
pub(crate) fn send(api: &ModelApi, method: &str, path: &str, headers: &str, body: &Value) -> Asked {
    let mut stream = TcpStream::connect(api.address()).unwrap();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let head = format!("{method} {path} HTTP/1.1\r\nhost: fake\r\nconnection: close\r\n{headers}");
    write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    Asked(BufReader::new(stream))
}

/// Sends a request and reads the response to its end.
pub(crate) fn fetch(api: &ModelApi, method: &str, path: &str, headers: &str, body: &Value) -> Response {
    send(api, method, path, headers, body).response()
}

/// The test's view of one of the APIs.
#[derive(Clone, Copy)]
pub(crate) struct Dialect {
    pub(crate) name: &'static str,
    path: &'static str,
    path_at_once: &'static str,
    request: fn() -> Value,
    /// The history, with the result of a call at its end.
    pub(crate) add_result: fn(&mut Value),
    /// The same, followed by another message of the user.
    pub(crate) add_prompt: fn(&mut Value),
    /// Adds a field that requests an answer with this schema.
    pub(crate) add_schema: fn(&mut Value, Value),
}

impl Dialect {
    pub(crate) fn request(self) -> Value {
        (self.request)()
    }

    /// Sends a request for a streamed answer.
    pub(crate) fn send(self, api: &ModelApi, scenario: Scenario, body: &Value) -> Asked {
        let mut body = body.clone();
        body["stream"] = json!(true);
        send(api, "POST", &format!("/s/{scenario}{}", self.path), "x-api-key: test-key\r\n", &body)
    }

    pub(crate) fn ask(self, api: &ModelApi, scenario: Scenario, body: &Value) -> Response {
        self.send(api, scenario, body).response()
    }

    /// Sends a request without streaming.
    pub(crate) fn ask_at_once(self, api: &ModelApi, scenario: Scenario, body: &Value) -> Response {
        fetch(api, "POST", &format!("/s/{scenario}{}", self.path_at_once), "", body)
    }
}

fn push(body: &mut Value, key: &str, item: Value) {
    body[key].as_array_mut().unwrap().push(item);
}

fn shell_schema() -> Value {
    json!({
        "type": "object",
        "properties": { "command": { "type": "string" }, "background": { "type": "boolean" } },
        "required": ["command", "background"],
    })
}

pub(crate) const DIALECTS: [Dialect; 4] = [
    Dialect {
        name: "anthropic",
        path: "/v1/messages?beta=true",
        path_at_once: "/v1/messages",
        request: || {
            let tool = json!({ "name": "Bash", "input_schema": shell_schema() });
            let message = json!({ "role": "user", "content": "Continue." });
            json!({ "model": "m", "tools": [tool], "messages": [message] })
        },
        add_result: |body| {
            let result = json!({ "type": "tool_result", "tool_use_id": "1", "content": "tool-ran" });
            let reminder = json!({ "type": "text", "text": "a reminder" });
            push(body, "messages", json!({ "role": "user", "content": [result, reminder] }));
        },
        add_prompt: |body| push(body, "messages", json!({ "role": "user", "content": "And again." })),
        add_schema: |body, schema| {
            push(body, "tools", json!({ "name": "StructuredOutput", "input_schema": schema }));
        },
    },
    Dialect {
        name: "responses",
        path: "/v1/responses",
        path_at_once: "/v1/responses",
        request: || {
            let tool = json!({ "type": "function", "name": "exec_command", "parameters": shell_schema() });
            let content = json!([{ "type": "input_text", "text": "Continue." }]);
            let input = json!([{ "type": "message", "role": "user", "content": content }]);
            json!({ "model": "m", "tools": [tool], "input": input })
        },
        add_result: |body| {
            let result = json!({ "type": "function_call_output", "call_id": "1", "output": "tool-ran" });
            push(body, "input", result);
        },
        add_prompt: |body| push(body, "input", json!({ "role": "user", "content": "And again." })),
        add_schema: |body, schema| body["text"] = json!({ "format": { "schema": schema } }),
    },
    Dialect {
        name: "chat",
        path: "/v1/chat/completions",
        path_at_once: "/v1/chat/completions",
        request: || {
            let function = json!({ "name": "run_terminal_command", "parameters": shell_schema() });
            let tool = json!({ "type": "function", "function": function });
            json!({ "model": "m", "tools": [tool], "messages": [{ "role": "user", "content": "Continue." }] })
        },
        add_result: |body| push(body, "messages", json!({ "role": "tool", "content": "tool-ran" })),
        add_prompt: |body| push(body, "messages", json!({ "role": "user", "content": "And again." })),
        add_schema: |body, schema| {
            body["response_format"] = json!({ "json_schema": { "schema": schema } });
        },
    },
    Dialect {
        name: "gemini",
        path: "/v1beta/models/m:streamGenerateContent?alt=sse",
        path_at_once: "/v1beta/models/m:generateContent",
        request: || {
            let function = json!({ "name": "run_shell_command", "parametersJsonSchema": shell_schema() });
            let content = json!({ "role": "user", "parts": [{ "text": "Continue." }] });
            json!({ "tools": [{ "functionDeclarations": [function] }], "contents": [content] })
        },
        add_result: |body| {
            let part = json!({ "functionResponse": { "name": "run_shell_command", "response": {} } });
            push(body, "contents", json!({ "role": "user", "parts": [part] }));
        },
        add_prompt: |body| {
            push(body, "contents", json!({ "role": "user", "parts": [{ "text": "And again." }] }));
        },
        // Only the prompt asks for it.
        add_schema: |body, schema| {
            let text = format!("Answer with JSON that fits this schema:\n{schema}\nand with nothing else.");
            push(body, "contents", json!({ "role": "user", "parts": [{ "text": text }] }));
        },
    },
];
