//! The bindings, tried with the same calls: each returns the same JSON.

use std::net::SocketAddr;

use futures::executor::block_on;
use futures::io::Cursor;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use workflow_service::http::{self, Options, Tokens};
use workflow_service::{Caller, Service, stdio};

/// The token of the host itself.
pub(crate) const TOKEN: &str = "a-token-for-tests";

/// A way to call the service.
pub(crate) enum Binding {
    Rust(Service),
    Stdio(Service),
    Http(Runtime, SocketAddr),
}

impl Binding {
    /// All bindings, each of a service of its own.
    pub(crate) fn all(mut service: impl FnMut() -> Service) -> Vec<(&'static str, Self)> {
        let (runtime, address) = serve(service(), |_| {});
        vec![
            ("rust", Self::Rust(service())),
            ("stdio", Self::Stdio(service())),
            ("http", Self::Http(runtime, address)),
        ]
    }

    /// The envelope that a call returns.
    pub(crate) fn call(&self, name: &str, request: &str) -> Value {
        match self {
            Self::Rust(service) => {
                serde_json::from_str(&block_on(service.call(name, request, &Caller::host())).to_json())
                    .unwrap()
            }
            Self::Stdio(service) => {
                let request = if request.is_empty() { "{}" } else { request };
                let line = format!("{{\"id\":1,\"operation\":\"{name}\",\"request\":{request}}}\n");
                let mut output = Vec::new();
                let input = Cursor::new(line.into_bytes());
                block_on(stdio::serve(service, &Caller::host(), input, &mut output)).unwrap();
                let mut answer: Value = serde_json::from_slice(&output).unwrap();
                answer.as_object_mut().unwrap().shift_remove("id");
                answer
            }
            Self::Http(runtime, address) => {
                let (status, body) = runtime.block_on(post(*address, name, request));
                let answer: Value = serde_json::from_str(&body).unwrap();
                let code = answer["error"]["code"].as_str().map(|code| {
                    let codes = workflow_service::Code::ALL;
                    codes.into_iter().find(|known| known.as_str() == code).unwrap().http_status()
                });
                assert_eq!(status, code.unwrap_or(200), "{body}");
                answer
            }
        }
    }
}

/// A server on a free port of this machine.
pub(crate) fn serve(service: Service, change: impl FnOnce(&mut Options)) -> (Runtime, SocketAddr) {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let mut tokens = Tokens::default();
    tokens.add(TOKEN, Caller::host()).unwrap();
    let mut options = Options::new(tokens);
    options.requests_per_second = 10_000;
    change(&mut options);
    runtime.spawn(http::serve(service, listener, options, std::future::pending()));
    (runtime, address)
}

/// Calls an operation with all that a proper client sends.
async fn post(address: SocketAddr, name: &str, request: &str) -> (u16, String) {
    let head = format!(
        "POST /api/v1/{name} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        request.len()
    );
    exchange(address, &(head + request)).await
}

/// Sends a request as it is, and reads the response to its end: its status and its body.
pub(crate) async fn exchange(address: SocketAddr, request: &str) -> (u16, String) {
    let (status, _, body) = exchange_whole(address, request).await;
    (status, body)
}

/// Sends a request as it is, and reads the response to its end: its status, its head and its body.
pub(crate) async fn exchange_whole(address: SocketAddr, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may refuse a request before it has read all of it.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response).await;
    let response = String::from_utf8_lossy(&response);
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, head.to_owned(), body.to_owned())
}
