//! What only HTTP has: who calls from where, limits, the stream.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use workflow_service::{Caller, Scope, operations};

use crate::bindings::{TOKEN, exchange, exchange_whole, serve};
use crate::host::Host;

/// A request with these lines in its head.
fn send(runtime: &Runtime, address: SocketAddr, first: &str, lines: &[&str], body: &str) -> (u16, String) {
    let lines: String = lines.iter().flat_map(|line| [*line, "\r\n"]).collect();
    let lines = lines.replace("ADDRESS", &address.to_string()).replace("TOKEN", TOKEN);
    let length = body.len();
    let request =
        format!("{first} HTTP/1.1\r\n{lines}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    runtime.block_on(exchange(address, &request))
}

fn code(body: &str) -> String {
    serde_json::from_str::<Value>(body)
        .map_or(body.to_owned(), |body| body["error"]["code"].as_str().unwrap_or("none").to_owned())
}

#[test]
fn who_calls_from_where_is_checked() {
    const LIST: &str = "POST /api/v1/workflow:list";
    const AUTH: &str = "Authorization: Bearer TOKEN";
    let host = Host::new();
    let (runtime, address) = serve(host.service.clone(), |options| {
        options
            .tokens
            .add("a-token-that-reads", Caller::new("reader", "http").scopes([Scope::Read]))
            .unwrap();
        options.origins.push("https://studio.example".to_owned());
    });
    for (first, lines, status, expected) in [
        (LIST, &["Host: ADDRESS", AUTH][..], 200, "none"),
        (LIST, &["Host: ADDRESS"], 401, "unauthenticated"),
        (LIST, &["Host: ADDRESS", "Authorization: Bearer another-token-here"], 401, "unauthenticated"),
        (LIST, &["Host: ADDRESS", "Authorization: Basic TOKEN"], 401, "unauthenticated"),
        // A name of another site that leads to this machine.
        (LIST, &["Host: evil.example", AUTH], 403, "forbidden"),
        (LIST, &[AUTH], 400, "invalid_request"),
        ("GET /api/v1/health", &["Host: evil.example"], 403, "forbidden"),
        ("GET /api/v1/health", &["Host: ADDRESS"], 200, "none"),
        // A page of another site.
        (LIST, &["Host: ADDRESS", AUTH, "Origin: https://evil.example"], 403, "forbidden"),
        (LIST, &["Host: ADDRESS", AUTH, "Origin: null"], 403, "forbidden"),
        (LIST, &["Host: ADDRESS", AUTH, "Sec-Fetch-Site: cross-site"], 403, "forbidden"),
        (LIST, &["Host: ADDRESS", AUTH, "Sec-Fetch-Site: same-site"], 403, "forbidden"),
        (LIST, &["Host: ADDRESS", AUTH, "Sec-Fetch-Site: same-origin"], 200, "none"),
        (LIST, &["Host: ADDRESS", AUTH, "Origin: http://ADDRESS"], 200, "none"),
        (LIST, &["Host: ADDRESS", AUTH, "Origin: https://studio.example"], 200, "none"),
        // A form.
        (LIST, &["Host: ADDRESS", AUTH, "Content-Type: text/plain"], 400, "invalid_request"),
        ("POST /api/v1/workflow:lost", &["Host: ADDRESS", AUTH], 404, "unknown_operation"),
        ("GET /api/v1/elsewhere/there", &["Host: ADDRESS", AUTH], 404, "not_found"),
        ("GET /api/v1/stream?subscribe=x", &["Host: ADDRESS", AUTH], 400, "invalid_request"),
        ("GET /api/v1/stream", &["Host: ADDRESS", AUTH, "Last-Event-ID: x"], 400, "invalid_request"),
        ("GET /api/v1/stream?subscribe={%22heads%22:true}", &["Host: ADDRESS"], 401, "unauthenticated"),
    ] {
        let (got, body) = send(&runtime, address, first, lines, "");
        assert_eq!((got, code(&body).as_str()), (status, expected), "{first} {lines:?}");
    }
    let reads = ["Host: ADDRESS", "Authorization: Bearer a-token-that-reads"];
    let (status, body) = send(&runtime, address, "POST /api/v1/workflow:delete", &reads, r#"{ "id": "x" }"#);
    assert_eq!((status, code(&body).as_str()), (403, "forbidden"));
    assert!(!body.contains("a-token"), "{body}");
}

#[test]
fn large_slow_and_many_requests_are_refused() {
    let host = Host::new();
    let (runtime, address) = serve(host.service.clone(), |options| {
        options.patience = Duration::from_millis(200);
        options.requests_per_second = 5;
    });
    let head = format!("Host: {address}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n");
    let large = format!(
        "POST /api/v1/workflow:list HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{}",
        9 << 20,
        "x".repeat(9 << 20)
    );
    let (status, _) = runtime.block_on(exchange(address, &large));
    // The connection may be closed before the client reads the response.
    assert!(status == 413 || status == 0, "{status}");
    // The body does not come.
    let slow = format!("POST /api/v1/workflow:list HTTP/1.1\r\n{head}Content-Length: 10\r\n\r\n{{");
    let (status, body) = runtime.block_on(exchange(address, &slow));
    assert_eq!((status, code(&body).as_str()), (400, "invalid_request"));
    // The head does not come: the server ends the connection.
    let ended = runtime.block_on(exchange(address, "POST /api/v1/workflow:list HTTP/1.1\r\nHost: "));
    assert!(ended.0 == 408 || ended.0 == 0, "{ended:?}");
    let list = format!("POST /api/v1/workflow:list HTTP/1.1\r\n{head}Content-Length: 0\r\n\r\n");
    let responses: Vec<_> = (0..40).map(|_| runtime.block_on(exchange_whole(address, &list))).collect();
    let refused = responses.iter().find(|(status, ..)| *status == 429).unwrap();
    assert!(refused.1.to_lowercase().contains("\r\nretry-after: 1\r\n"), "{refused:?}");
    assert_eq!(code(&refused.2), "too_many_requests");
}

#[test]
fn a_stream_is_continued_by_the_id_of_its_last_event() {
    let host = Host::new();
    host.data("workflow:create", r#"{ "id": "hello", "text": "workflow: { name: Hello, stages: [greet] }\ngreet: { provider: echo, prompt: Hi }" }"#);
    host.data("workflow:run", r#"{ "id": "hello", "runId": "r1" }"#);
    host.drive("r1");
    let (runtime, address) = serve(host.service.clone(), |_| {});
    let read = |last: Option<&str>| {
        let path = "/api/v1/stream?subscribe=%7B%22runs%22:%5B%7B%22runId%22:%22r1%22%7D%5D%7D";
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\n{last}Connection: close\r\n\r\n"
        );
        let (status, body) = runtime.block_on(exchange(address, &request));
        assert_eq!(status, 200, "{body}");
        body
    };
    let whole = read(None);
    let id = whole.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap();
    assert!(
        whole.contains("run_completed") && whole.contains("workflow-run:end") && whole.contains("event: end")
    );
    let rest = read(Some(id));
    assert!(!rest.contains("workflow-run:event") && rest.contains("workflow-run:end"), "{rest}");
    let some = read(Some("r1:2:0"));
    assert!(!some.contains("\"seq\":2") && some.contains("\"seq\":3"), "{some}");
}

#[test]
fn many_idle_streams_do_not_keep_others_from_calling() {
    let host = Host::new();
    let (runtime, address) = serve(host.service.clone(), |options| options.streams = 200);
    let open =
        format!("GET /api/v1/stream HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    runtime.block_on(async {
        let mut streams = Vec::new();
        for _ in 0..200 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(open.as_bytes()).await.unwrap();
            let mut status = [0; 12];
            stream.read_exact(&mut status).await.unwrap();
            assert_eq!(&status, b"HTTP/1.1 200");
            streams.push(stream);
        }
        let (status, _) = exchange(address, &open.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(status, 429);
        let list = open.replace("GET /api/v1/stream", "POST /api/v1/workflow:list");
        let (status, body) =
            exchange(address, &list.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(status, 200, "{body}");
    });
}

#[test]
fn the_interface_is_described_as_openapi() {
    let openapi = workflow_service::http::openapi();
    for operation in operations() {
        let path = &openapi["paths"][format!("/api/v1/{}", operation.meta.name)]["post"];
        assert_eq!(path["summary"], operation.meta.about);
    }
    // Every reference leads to a schema.
    let text = openapi.to_string();
    for reference in text.split("\"$ref\":\"").skip(1) {
        let reference = reference.split('"').next().unwrap();
        assert!(openapi.pointer(&reference[1..]).is_some(), "{reference}");
    }
}
