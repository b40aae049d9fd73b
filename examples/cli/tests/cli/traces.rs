//! `--otlp`: traces for an OpenTelemetry collector.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use rustix::process::Signal;

use super::home::{Home, until};

/// The head and the body of what was sent.
type Sent = (String, Vec<u8>);

/// A collector on this machine.
struct Collector {
    url: String,
    requests: Arc<Mutex<Vec<Sent>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<Sent>>> = Arc::default();
        let kept = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let (mut head, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).unwrap();
                    if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    if line.trim().is_empty() {
                        break;
                    }
                    head.push_str(&line);
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                kept.lock().unwrap().push((head, body));
                stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
            }
        });
        Self { url, requests }
    }

    /// The spans that were sent, and the attributes of what sent them.
    fn spans(&self) -> (Vec<Span>, Vec<KeyValue>) {
        let (mut spans, mut resource) = (Vec::new(), Vec::new());
        for (head, body) in &*self.requests.lock().unwrap() {
            assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
            for sent in ExportTraceServiceRequest::decode(&**body).unwrap().resource_spans {
                resource = sent.resource.unwrap().attributes;
                spans.extend(sent.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        (spans, resource)
    }
}

fn text(attributes: &[KeyValue], name: &str) -> Option<String> {
    let value = attributes.iter().find(|attribute| attribute.key == name)?.value.clone()?.value?;
    match value {
        Value::StringValue(text) => Some(text),
        other => panic!("{name}: {other:?}"),
    }
}

/// Checks the spans of the run `first` with one stage.
fn check(collector: &Collector) {
    let (spans, resource) = collector.spans();
    assert_eq!(text(&resource, "service.name").as_deref(), Some("workflow"));
    let by_name: HashMap<_, _> = spans.iter().map(|span| (span.name.as_str(), span)).collect();
    let mut names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["node", "run", "stage"]);
    let [run, stage, node] = ["run", "stage", "node"].map(|name| by_name[name]);
    assert_eq!(text(&run.attributes, "run").as_deref(), Some("first"));
    assert_eq!(text(&run.attributes, "workflow").as_deref(), Some("stages"));
    assert_eq!(text(&stage.attributes, "stage").as_deref(), Some("one"));
    assert_eq!(text(&node.attributes, "path").as_deref(), Some("1/one[0]/run"));
    assert_eq!(text(&node.attributes, "provider").as_deref(), Some("command"));
    assert_eq!(text(&node.attributes, "status").as_deref(), Some("succeeded"));
    assert_eq!((&stage.parent_span_id, &node.parent_span_id), (&run.span_id, &stage.span_id));
    assert!(spans.iter().all(|span| span.trace_id == run.trace_id));
}

fn leave(home: &Home) {
    let left = home.run(&["run", "stages.workflow.yml", "--run-id", "first", "--detach"]);
    assert_eq!(left.code, Some(0), "{left:?}");
}

#[test]
fn a_worker_and_a_server_send_traces_of_what_they_drive() {
    for arguments in [&["worker"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let collector = Collector::start();
        let home = Home::with_stages(&[("one", "true")]);
        leave(&home);
        let process = home.start(&[arguments, &["--otlp", &collector.url]].concat());
        until("the end", || home.show("first")["status"] == "completed");
        process.signal(Signal::TERM);
        assert_eq!(process.wait().code, Some(0));
        check(&collector);
    }
}

#[test]
fn a_collector_that_is_away_holds_up_nothing_and_is_told() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = Home::with_stages(&[("one", "true")]);
    leave(&home);
    let worker = home.start(&["worker", "--otlp", &format!("http://{address}")]);
    until("the end", || home.show("first")["status"] == "completed");
    worker.signal(Signal::TERM);
    let ended = worker.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("traces cannot be sent"), "{ended:?}");
}

#[test]
fn an_address_that_is_none_is_refused() {
    let home = Home::new();
    for url in ["localhost:4318", "https://collector.example", "http://", "x"] {
        let ended = home.run(&["worker", "--otlp", url]);
        assert_eq!(ended.code, Some(2), "{url}: {ended:?}");
        assert!(ended.stderr.contains("write http://HOST:PORT"), "{url}: {ended:?}");
    }
}
