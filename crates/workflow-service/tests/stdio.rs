//! The binding to a child process: lines in, lines out.

#![cfg(feature = "stdio")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails is to say where")]

use std::time::Duration;

use futures::executor::block_on;
use futures::io::Cursor;
use serde_json::{Value, json};
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
use workflow_exec::{Engine, Spawn, StartRun};
use workflow_service::{Caller, Service, stdio};

struct Threads;

impl Spawn for Threads {
    fn spawn(&self, future: futures::future::BoxFuture<'static, ()>) {
        std::thread::spawn(|| block_on(future));
    }
}

struct Echo;

#[async_trait]
impl Provider for Echo {
    async fn call(&self, request: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
        Ok(Reply::text(request.prompt))
    }
}

/// What a client reads that writes these lines, and then keeps its end open for a while.
fn answers(lines: &str) -> Vec<Value> {
    let engine = Engine::builder().provider("echo", Echo).spawner(Threads).build().unwrap();
    let plan = engine
        .parse("workflow: { name: One, stages: [say] }\nsay: { provider: echo, prompt: Hi }", "one")
        .unwrap();
    let run = block_on(engine.start(StartRun::plan(&plan).run_id("r1".parse().unwrap()))).unwrap();
    block_on(run.wait()).unwrap();
    let mut output = Vec::new();
    let input = Slow { lines: Cursor::new(lines.as_bytes().to_owned()), pause: None };
    block_on(stdio::serve(&Service::new(engine), &Caller::host(), input, &mut output)).unwrap();
    String::from_utf8(output).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// An input that stays open for a moment after its last line, as that of a client does.
struct Slow {
    lines: Cursor<Vec<u8>>,
    pause: Option<futures_timer::Delay>,
}

impl futures::io::AsyncRead for Slow {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut [u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::task::Poll::Ready(Ok(0))
    }
}

impl futures::io::AsyncBufRead for Slow {
    fn poll_fill_buf(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<&[u8]>> {
        let this = self.get_mut();
        let at = usize::try_from(this.lines.position()).unwrap();
        if at >= this.lines.get_ref().len() {
            let pause =
                this.pause.get_or_insert_with(|| futures_timer::Delay::new(Duration::from_millis(300)));
            if std::future::Future::poll(std::pin::Pin::new(pause), cx).is_pending() {
                return std::task::Poll::Pending;
            }
        }
        std::task::Poll::Ready(Ok(&this.lines.get_ref()[at.min(this.lines.get_ref().len())..]))
    }

    fn consume(self: std::pin::Pin<&mut Self>, amount: usize) {
        let this = self.get_mut();
        this.lines.set_position(this.lines.position() + amount as u64);
    }
}

fn of(answers: &[Value], id: u64) -> &Value {
    answers.iter().find(|answer| answer["id"] == id).unwrap_or_else(|| panic!("no answer {id}: {answers:?}"))
}

#[test]
fn each_request_is_answered_under_its_id() {
    let answers = answers(
        r#"{"id":1,"operation":"service:hello","request":{"protocol":1,"client":"test 1"}}
{"id":2,"operation":"workflow:runs:get","request":{"runId":"r1"}}

{"id":3,"operation":"workflow:runs:get","request":{"runId":"r2"}}
{"id":4,"operation":"workflow:runs:list"}
"#,
    );
    assert_eq!(answers.len(), 4);
    assert_eq!(of(&answers, 1)["data"]["protocol"], 1);
    assert_eq!(of(&answers, 2)["data"]["run"]["status"], "completed");
    assert_eq!(of(&answers, 3)["error"]["code"], "not_found");
    assert_eq!(of(&answers, 4)["data"]["runs"][0]["runId"], "r1");
}

#[test]
fn a_subscription_is_followed_to_its_end() {
    let answers = answers(
        r#"{"id":1,"operation":"workflow:runs:subscribe","request":{"runs":[{"runId":"r1"}]}}
"#,
    );
    assert_eq!(of(&answers, 1)["data"], json!({ "subscription": 1 }));
    let messages: Vec<_> =
        answers.iter().filter_map(|answer| answer["messages"].as_array()).flatten().collect();
    assert_eq!(messages[0]["seq"], 1);
    assert_eq!(messages.last().unwrap()["type"], "workflow-run:end");
    assert_eq!(answers.last().unwrap(), &json!({ "subscription": 1, "ended": true }));
}

#[test]
fn what_is_not_understood_is_answered_and_the_client_is_served_further() {
    let long = format!("{{\"id\":1,\"operation\":\"{}\"}}\n", "x".repeat(9 << 20));
    let lines = r#"nonsense
{"id":2}
{"operation":"workflow:list"}
{"id":3,"operation":"workflow:runs:subscribe","request":{"heads":true}}
{"id":3,"operation":"workflow:runs:list"}
{"id":4,"operation":"workflow:runs:unsubscribe","request":{"subscription":3}}
{"id":5,"operation":"workflow:runs:unsubscribe","request":{"subscription":3}}
{"id":6,"operation":"workflow:runs:subscribe","request":{}}
{"cancel":99}
{"id":7,"operation":"workflow:runs:list"}
"#;
    let answers = answers(&(long + lines));
    let codes: Vec<_> =
        answers.iter().map(|answer| answer["error"]["code"].as_str().unwrap_or("none").to_owned()).collect();
    assert_eq!(codes[..4], ["too_large", "invalid_request", "invalid_request", "invalid_request"]);
    let refused: Vec<_> = answers.iter().filter(|answer| answer["id"] == 3).collect();
    assert!(refused[1]["error"]["message"].as_str().unwrap().contains("is under way"));
    assert_eq!(of(&answers, 4)["data"], Value::Null);
    assert_eq!(of(&answers, 5)["error"]["code"], "not_found");
    assert_eq!(of(&answers, 6)["error"]["code"], "invalid_request");
    assert_eq!(of(&answers, 7)["success"], true);
    assert!(!answers.iter().any(|answer| answer.get("messages").is_some() && answer["subscription"] != 3));
}
