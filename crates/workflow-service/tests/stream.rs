//! The stream of a client: nothing is missed, and nothing comes twice.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails is to say where")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::{BoxFuture, join_all};
use futures::stream::{Stream, StreamExt as _};
use serde_json::Value;
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
use workflow_exec::{Engine, Spawn};
use workflow_service::{Batch, Caller, FollowRun, Service, Subscribe};

/// How many lines each call prints.
const LINES: usize = 40;

/// Runs each driver on a thread of its own.
struct Threads;

impl Spawn for Threads {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        std::thread::spawn(|| block_on(future));
    }
}

/// Prints lines, and waits for a permission before the last stage.
#[derive(Default)]
struct Printer {
    gate: Mutex<Option<oneshot::Receiver<()>>>,
    calls: AtomicUsize,
}

#[async_trait]
impl Provider for &'static Printer {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        for line in 0..LINES {
            context.output(OutputKind::Stdout, format!("{} {line}", request.prompt));
        }
        if request.prompt == "last" {
            let gate = self.gate.lock().unwrap().take();
            if let Some(gate) = gate {
                let _ = gate.await;
            }
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        Ok(Reply::text("x".repeat(if request.prompt == "large" { 10_000 } else { 10 })))
    }
}

const WORKFLOW: &str = "
workflow: { name: Three, stages: [first, large, last] }
first: { provider: printer, prompt: first }
large: { provider: printer, prompt: large }
last: { provider: printer, prompt: last }
";

/// A service with one run, `r1`, that prints; with a gate it is held in its last stage.
fn started(gate: Option<oneshot::Receiver<()>>) -> Service {
    let printer: &'static Printer = Box::leak(Box::default());
    *printer.gate.lock().unwrap() = gate;
    let engine = Engine::builder().provider("printer", printer).spawner(Threads).build().unwrap();
    let plan = engine.parse(WORKFLOW, "three").unwrap();
    let start = workflow_exec::StartRun::plan(&plan).run_id("r1".parse().unwrap());
    block_on(engine.start(start)).unwrap();
    Service::new(engine)
}

fn follow(service: &Service, after: u64, output: Option<u64>) -> impl Stream<Item = Batch> + Unpin + use<> {
    let run = FollowRun { run_id: "r1".parse().unwrap(), after, after_output: output };
    block_on(service.subscribe(&Caller::host(), Subscribe { runs: vec![run], heads: false })).unwrap()
}

fn messages(batch: &Batch) -> Vec<Value> {
    serde_json::from_str(&batch.to_json()).unwrap()
}

fn all(stream: impl Stream<Item = Batch> + Unpin) -> Vec<Value> {
    block_on(stream.collect::<Vec<_>>()).iter().flat_map(messages).collect()
}

fn of<'a>(messages: &'a [Value], kind: &str) -> Vec<&'a Value> {
    messages.iter().filter(|message| message["type"] == format!("workflow-run:{kind}")).collect()
}

#[test]
fn a_run_is_followed_to_its_end_with_its_output_and_large_values_are_left_out() {
    let service = started(None);
    let messages = all(follow(&service, 0, Some(0)));
    let events = of(&messages, "event");
    let seqs: Vec<_> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    assert_eq!(events.last().unwrap()["event"]["type"], "run_completed");
    let numbers: Vec<_> =
        of(&messages, "output").iter().map(|entry| entry["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=3 * LINES as u64).collect::<Vec<_>>());
    let large: Vec<_> = events.iter().filter(|event| event.get("large").is_some()).collect();
    assert_eq!(large.len(), 1);
    assert_eq!(
        (&large[0]["large"][0]["member"], &large[0]["large"][0]["bytes"]),
        (&"output".into(), &10_002.into())
    );
    assert!(large[0]["event"]["data"]["output"].is_null());
    assert_eq!(messages.last().unwrap()["type"], "workflow-run:end");
    assert_eq!(of(&messages, "end").len(), 1);
}

#[test]
fn a_client_that_reconnects_at_any_number_misses_nothing() {
    let service = started(None);
    let whole = all(follow(&service, 0, Some(0)));
    let (events, outputs) = (of(&whole, "event"), of(&whole, "output"));
    for after in 0..=events.len() {
        let rest = all(follow(&service, after as u64, None));
        assert_eq!(of(&rest, "event"), events[after..]);
        assert!(of(&rest, "output").is_empty());
        assert_eq!(of(&rest, "end").len(), 1);
    }
    for after in 0..=outputs.len() {
        let rest = all(follow(&service, events.len() as u64, Some(after as u64)));
        assert_eq!(of(&rest, "output"), outputs[after..]);
    }
}

#[test]
fn a_client_that_reconnects_while_the_run_ends_misses_nothing() {
    for taken in 1..6 {
        let (open, gate) = oneshot::channel();
        let service = started(Some(gate));
        let mut stream = follow(&service, 0, Some(0));
        let (mut after, mut after_output, mut seen) = (0, 0, Vec::new());
        for _ in 0..taken {
            // The first batches come at once; in the last stage there is nothing to take.
            let Some(batch) = futures::FutureExt::now_or_never(stream.next()).flatten() else { break };
            for message in &batch.messages {
                if message.is_event() {
                    after = message.number();
                }
                if message.is_output() {
                    after_output = message.number();
                }
            }
            seen.extend(messages(&batch));
        }
        drop(stream);
        open.send(()).unwrap();
        seen.extend(all(follow(&service, after, Some(after_output))));
        let seqs: Vec<_> = of(&seen, "event").iter().map(|event| event["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
        assert_eq!(of(&seen, "output").len(), 3 * LINES);
        assert_eq!(of(&seen, "end").len(), 1);
    }
}

#[test]
fn a_thousand_clients_of_one_run_get_the_same() {
    let (open, gate) = oneshot::channel();
    let service = started(Some(gate));
    let mut clients: Vec<_> = (0..1_000).map(|_| follow(&service, 0, Some(0))).collect();
    // Each has begun to read before the run ends.
    let first = block_on(join_all(clients.iter_mut().map(futures::StreamExt::next)));
    open.send(()).unwrap();
    let rest = block_on(join_all(clients.into_iter().map(futures::StreamExt::collect::<Vec<_>>)));
    let received: Vec<Vec<_>> =
        first.into_iter().zip(rest).map(|(first, rest)| first.into_iter().chain(rest).collect()).collect();
    // The messages themselves are shared by the clients that were up to date.
    let mut shared = BTreeMap::<usize, usize>::new();
    let texts: Vec<String> = received
        .iter()
        .map(|batches| {
            let messages = batches.iter().flat_map(|batch| &batch.messages);
            messages
                .map(|message| {
                    *shared.entry(Arc::as_ptr(message) as usize).or_default() += 1;
                    message.json().to_owned()
                })
                .filter(|json| !json.contains("workflow-run:output"))
                .collect()
        })
        .collect();
    assert!(texts.iter().all(|text| *text == texts[0]));
    assert!(shared.values().any(|count| *count > 500), "messages are rendered once for all clients");
}

#[test]
fn a_client_that_names_a_number_beyond_the_end_does_not_keep_others_from_sharing() {
    let (open, gate) = oneshot::channel();
    let service = started(Some(gate));
    let mut ahead = follow(&service, 1_000_000, None);
    assert!(futures::FutureExt::now_or_never(ahead.next()).is_none());
    let (mut first, mut second) = (follow(&service, 0, None), follow(&service, 0, None));
    let (first, second) = (block_on(first.next()).unwrap(), block_on(second.next()).unwrap());
    assert!(Arc::ptr_eq(&first.messages[0], &second.messages[0]));
    open.send(()).unwrap();
}

#[test]
fn heads_are_sent_when_they_change() {
    let (open, gate) = oneshot::channel();
    let service = started(Some(gate));
    let request = Subscribe { runs: Vec::new(), heads: true };
    let mut stream = block_on(service.subscribe(&Caller::host(), request)).unwrap();
    let first = messages(&block_on(stream.next()).unwrap());
    assert_eq!(first[0]["run"]["runId"], "r1");
    open.send(()).unwrap();
    loop {
        let heads = messages(&block_on(stream.next()).unwrap());
        if heads.iter().any(|head| head["run"]["status"] == "completed") {
            break;
        }
    }
    // Its driver releases it a moment after its last event.
    while block_on(service.runs().delete(&"r1".parse().unwrap())).is_err() {
        std::thread::yield_now();
    }
    loop {
        let heads = messages(&block_on(stream.next()).unwrap());
        if heads.iter().any(|head| head["type"] == "workflow-run:deleted" && head["runId"] == "r1") {
            break;
        }
    }
}

#[test]
fn a_subscription_to_nothing_or_to_a_run_that_does_not_exist_is_refused() {
    let service = Service::new(Engine::builder().build().unwrap());
    let subscribe =
        |runs| block_on(service.subscribe(&Caller::host(), Subscribe { runs, heads: false })).err();
    assert!(subscribe(Vec::new()).unwrap().message.contains("follows nothing"));
    let missing = FollowRun { run_id: "r9".parse().unwrap(), after: 0, after_output: None };
    assert_eq!(subscribe(vec![missing]).unwrap().code.as_str(), "not_found");
}
