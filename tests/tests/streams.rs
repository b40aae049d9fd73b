//! 10,000 idle streams of one server.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot continue has failed")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use workflow_exec::Engine;
use workflow_providers::DemoProvider;
use workflow_service::http::{self, Options, Tokens};
use workflow_service::{Caller, Service};
use workflow_store::FsCatalog;

const STREAMS: u64 = 10_000;
/// What else the processes have open.
const OTHERS: u64 = 200;
/// How much memory a stream may take: about three times of what it does.
const PER_STREAM: u64 = 64 << 10;
const TOKEN: &str = "a-token-for-tests";

/// Raises the limit of open files, also for processes that are started from here, and returns how many streams it allows.
fn allowed() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let allowed = maximum.map_or(STREAMS, |most| STREAMS.min(most.saturating_sub(OTHERS)));
    if allowed < STREAMS {
        println!("this machine allows {allowed} streams: `ulimit -Hn` is {maximum:?}");
    }
    allowed
}

/// The memory that this process occupies, in bytes.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() << 10
}

/// Calls an operation, and returns its response.
async fn call(address: SocketAddr, operation: &str, request: &str) -> Value {
    let head = format!(
        "POST /api/v1/{operation} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        request.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all((head + request).as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{response}");
    serde_json::from_str(body).unwrap()
}

fn server(runtime: &Runtime, home: &std::path::Path) -> SocketAddr {
    let text = "workflow: { name: Hello, stages: [greet] }\ngreet: { provider: demo, prompt: Hi }\n";
    fs::create_dir_all(home.join("workflows")).unwrap();
    fs::write(home.join("workflows/hello.workflow.yml"), text).unwrap();
    let engine =
        Engine::builder().catalog(FsCatalog::open(home).unwrap()).provider("demo", DemoProvider::new());
    let service = Service::new(engine.build().unwrap());
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let mut tokens = Tokens::default();
    tokens.add(TOKEN, Caller::host()).unwrap();
    let mut options = Options::new(tokens);
    options.requests_per_second = 100_000;
    runtime.spawn(http::serve(service, listener, options, std::future::pending()));
    address
}

/// The client, which is stopped when this is dropped.
struct Client(Child, BufReader<ChildStdout>);

impl Client {
    fn start(address: SocketAddr, streams: u64) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_streams"));
        command.args([&address.to_string(), TOKEN, &streams.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self(child, output)
    }

    /// The number that it prints next.
    fn number(&mut self) -> u64 {
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_event_reaches_idle_streams_and_others_are_answered_in_bounded_memory() {
    let allowed = allowed();
    let home = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let address = server(&runtime, home.path());
    runtime.block_on(call(address, "workflow:list", "{}"));
    // What is allocated once is not counted.
    drop(runtime.block_on(async { TcpStream::connect(address).await.unwrap() }));
    let before = memory();
    let mut client = Client::start(address, allowed);
    assert_eq!(client.number(), allowed);
    let grown = memory().saturating_sub(before);
    println!("{allowed} streams take {} KiB each", (grown / allowed) >> 10);
    assert!(grown < allowed * PER_STREAM, "{allowed} streams take {grown} bytes");
    // Other requests are answered beside them.
    let listed = runtime.block_on(call(address, "workflow:list", "{}"));
    assert_eq!(listed["data"]["workflows"][0]["id"], "hello");
    runtime.block_on(call(address, "workflow:run", r#"{ "id": "hello", "runId": "the-one" }"#));
    let stdin = client.0.stdin.as_mut().unwrap();
    stdin.write_all(b"the-one\n").unwrap();
    assert_eq!(client.number(), allowed.div_ceil(100));
    let grown = memory().saturating_sub(before);
    assert!(grown < allowed * PER_STREAM, "after an event {allowed} streams take {grown} bytes");
}
